"""MEAM on the files that LAMMPS ships, against LAMMPS; its keys, its elements, and its parameters' gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import jaxpot
from tests import structures
from tests.conftest import Precision, needs_float64
from tests.oracles import lammps
from tests.oracles.lammps import POTENTIALS
from tests.potentials.agreement import assert_parameter_gradient
from tests.potentials.angular.against_lammps import assert_equals_lammps, evaluation, listed, structures_of

SIZES = (20, 120, 2400)  # atoms, slots and rows that hold all structures of these tests
TOLERANCE = Precision("float64", 1e-9, 1e-7)
LIBRARY = POTENTIALS / "library.meam"
SIC = POTENTIALS / "SiC.meam"
ALLOY = {"Al": "AlS", "Si": "SiS", "Mg": "MgS", "Cu": "CuS", "Fe": "FeS"}
SEVEN = {name: name for name in ("Mo", "Co", "Ni", "V", "Fe", "Al", "Cr")}


def lines(library: Path, parameters: Path | None, names: Any) -> list[str]:
    listed_names = " ".join(names)
    return ["pair_style meam", f"pair_coeff * * {library} {listed_names} {parameters or 'NULL'} {listed_names}"]


def load(library: Path, parameters: Path | None, names: dict[str, str]) -> tuple[jaxpot.Potential, Any]:
    return jaxpot.load([library] if parameters is None else [library, parameters], names)


def compare(library: Path, parameters: Path | None, names: dict[str, str], several: list[Atoms]) -> None:
    potential, params = load(library, parameters, names)
    for atoms in several:
        assert_equals_lammps(
            potential, params, atoms, precision=TOLERANCE, sizes=SIZES, lines=lines(library, parameters, names.values())
        )


def metals(elements: list[str], a: float, kind: str, seed: int = 1) -> list[Atoms]:
    """Rattled, sheared, mixed structures of up to 16 atoms in cells smaller than the cutoff, and clusters."""
    found = [structures.make(k, elements, a, kind, seed=seed) for k in ("skewed", "slab", "cluster")]
    found.append(structures.crystal(elements, a, kind, (2, 2, 1), rattle=0.1, seed=seed))
    found.append(structures.crystal(elements, 0.88 * a, kind, 1, seed=seed + 1))
    found.append(structures.crystal(elements, 1.15 * a, kind, (2, 1, 1), seed=seed + 2))
    for one in found:
        rng = np.random.default_rng(seed)
        symbols = rng.choice(elements, len(one))
        symbols[: len(elements)] = elements[: len(one)]
        one.set_chemical_symbols([str(symbol) for symbol in symbols])
    found.append(Atoms([elements[0], elements[-1]], positions=[[0, 0, 0], [0.3, 0.2, 0.65 * a]]))
    return [one for one in found if len(one) <= SIZES[0]]


@needs_float64
@pytest.mark.parametrize(
    ("library", "parameters", "names", "a", "kind"),
    [
        ("library.meam", "Ni.meam", {"Ni": "Ni"}, 3.52, "fcc"),
        ("library.meam", "AlSiMgCuFe.meam", ALLOY, 4.1, "fcc"),
        ("library_2nn.meam", "MoCoNiVFeAlCr_2nn.meam", SEVEN, 3.6, "fcc"),
        pytest.param("library.meam", "WL.meam", {"W": "WL"}, 3.165, "bcc", marks=pytest.mark.slow),
        pytest.param("library.meam", "Bi.meam", {"Bi": "Bi"}, 3.3, "sc", marks=pytest.mark.slow),
    ],
)
def test_metals_equal_lammps(library: str, parameters: str, names: Any, a: float, kind: str) -> None:
    compare(POTENTIALS / library, POTENTIALS / parameters, names, metals(list(names), a, kind))


@needs_float64
def test_silicon_carbide_equals_lammps() -> None:
    several = structures_of(("Si", "C"), 4.4, seed=4)
    compare(LIBRARY, SIC, {"Si": "Si", "C": "C"}, list(several.values()))


@needs_float64
def test_elements_of_the_library_equal_lammps() -> None:
    """Elements of one lattice and one form of G share a program, whatever they are called."""
    for kind, a, names in (
        ("fcc", 3.9, ["Cu", "Ag", "Au", "Ni4", "Pd", "Pt", "Al", "Pb", "Rh", "Ir"]),
        ("bcc", 3.2, ["Li", "Na", "K", "V", "Nb", "Ta", "Cr", "Mo", "W", "Fe"]),
    ):
        atoms = structures.crystal(["X"], a, kind, (2, 2, 1) if kind == "fcc" else (2, 2, 2), rattle=0.1, seed=3)
        for name in names:
            compare(LIBRARY, None, {"X": name}, [atoms])


@needs_float64
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "a"),
    [("Sn5", "diamond", 6.4), ("Mg", "hcp", 3.2), ("H", "fcc", 3.0), ("Ni3", "fcc", 3.5), ("FeS", "bcc", 2.85)],
)
def test_other_lattices_and_forms_equal_lammps(name: str, kind: str, a: float) -> None:
    atoms = bulk("X", kind, a=a, **({"c": 1.63 * a} if kind == "hcp" else {"cubic": True})) * (2, 1, 1)
    atoms.rattle(0.1, seed=2)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.04 * np.triu(np.ones((3, 3)))), scale_atoms=True)
    compare(LIBRARY, None, {"X": name}, [atoms, Atoms(atoms, pbc=False)])


VARIANTS = {
    "mixing 1": "ialloy = 1\nerose_form = 1\ngsmooth_factor = 0.5\nlattce(1,2) = b2\nre(1,2) = 2.1",
    "mixing 2": "ialloy = 2\nbkgd_dyn = 1\naugt1 = 0\nerose_form = 2\nemb_lin_neg = 1\nlattce(1,2) = b1\ndelr = 0.6",
    "mixed": "ialloy = 1\nmixture_ref_t = 1\nlattce(1,2) = b2\nre(1,2) = 2.1",
    "l12": "lattce(1,2) = 'l12'\nEc(1,2) = 0\ndelta(1,2) = 0.3\nre(1,2) = 2.3\nnn2(1,2) = 0",
    "dimer": "lattce(1,2) = 'dim'\nre(1,2) = 1.8\nzbl(1,2) = 0\nCmax(1,1,1) = 0.9\nCmin(1,1,1) = 0.5\nrc = 3.5",
    "own": "Ec(1,1) = 5.5\nre(2,2) = 1.6\nalpha(1,1) = 5.2\nrho0(1) = 1.3\nalpha(1,2) = 0\nre(1,2) = 0\nnn2(1,2) = 0",
}
SECOND = "\n".join(
    [f"nn2({i},{j}) = 1\nattrac({i},{j}) = 0.05\nrepuls({i},{j}) = 0.1" for i, j in ((1, 1), (1, 2), (2, 2))]
    + [f"Cmin({t}) = 0.36" for t in ("1,1,1", "2,2,2", "1,1,2", "2,2,1", "1,2,1", "1,2,2")]
)


@needs_float64
@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_key_equals_lammps(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.meam"
    path.write_text(f"{SIC.read_text()}\n{SECOND if name != 'mixed' else ''}\n{VARIANTS[name]}\n")
    several = structures_of(("Si", "C"), 4.4, seed=5)
    compare(LIBRARY, path, {"Si": "Si", "C": "C"}, [several[k] for k in ("crystal", "dense", "close-packed", "dimer")])


@needs_float64
def test_files_in_other_units_are_those_of_lammps(tmp_path: Path) -> None:
    """Without cores, whose charges LAMMPS does not convert."""
    text = SIC.read_text().replace("Ec(1,2) = 6.4325", "Ec(1,2) = 150") + "zbl(1,1)=0\nzbl(1,2)=0\nzbl(2,2)=0\n"
    library, path = tmp_path / "library.meam", tmp_path / "x.meam"
    library.write_text(LIBRARY.read_text().replace("UNITS: metal", "UNITS: real"))
    path.write_text(text.replace("UNITS: metal", "UNITS: real"))
    potential, params = jaxpot.load([library, path], ["Si", "C"])
    atoms = structures.crystal(["Si", "C"], 4.4, "diamond", 1, seed=1)
    expected = lammps.single_point(atoms, lines(library, path, ["Si", "C"]), ["Si", "C"], units="real").energy
    found = evaluation(potential)(params, *listed(potential, atoms, sizes=SIZES))
    np.testing.assert_allclose(found.energies.sum(), expected / 23.060549, rtol=1e-9)


def test_an_isolated_atom_and_a_screened_one() -> None:
    """Whose densities are 0: energy, forces and gradients of params are finite."""
    potential, params = load(LIBRARY, SIC, {"Si": "Si", "C": "C"})
    gradient = jax.jit(jax.value_and_grad(jaxpot.energy(potential), (0, 1), allow_int=True))
    alone = Atoms("C", positions=[[0, 0, 0]])
    # the third atom screens the first from the second, and is far from both
    screened = Atoms("SiCSi", positions=[[0, 0, 0], [0, 0, 3.8], [0, 0.02, 1.9]])
    for atoms in (alone, screened):
        energy, (slopes, moved) = gradient(params, *listed(potential, atoms, sizes=SIZES))
        assert np.isfinite(energy) and (energy == 0) == (len(atoms) == 1)
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(slopes))
        assert bool(jnp.isfinite(moved.positions).all())


@needs_float64
@pytest.mark.parametrize("zero", [False, True])
def test_parameter_gradients(zero: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.meam"
    path.write_text(f"{SIC.read_text()}\n{SECOND}\nnn2(1,2) = 0\nemb_lin_neg = 1\ngsmooth_factor = 1.5\n")
    potential, params = jaxpot.load([LIBRARY, path], ["Si", "C"], cutoff=5.5)
    if zero:
        params = params | {name: jnp.zeros(2) for name in ("t1", "t2", "t3", "b1")}
        params = params | {"b3": params["b0"]}  # a density that falls off slower lets Gamma grow without bound
    else:
        params = params | {"Cmin": params["Cmin"] + 0.01 * np.arange(8).reshape(2, 2, 2)}
    atoms = structures.crystal(["Si", "C"], 4.5, "diamond", 1, rattle=0.15, seed=3)
    assert_parameter_gradient(potential, params, *listed(potential, atoms, sizes=SIZES), tolerance=2e-6)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"lattices\[0\]\[0\] is 'cubic'; use one of fcc"):
        jaxpot.meam(4.2, ["Ni"], lattices="cubic")
    with pytest.raises(ValueError, match="gamma_form is 2; use one of 0, 1, 3, 4, -5"):
        jaxpot.meam(4.2, ["Ni"], gamma_form=2)
    with pytest.raises(ValueError, match="mixed_reference is supported without"):
        jaxpot.meam(4.2, ["Ni"], second_neighbors=True, mixed_reference=True)
    with pytest.raises(ValueError, match=r"gamma_form has 1 values for 2 elements"):
        jaxpot.meam(4.2, ["Ni", "Al"], lattices=[["fcc", "b1"], ["b1", "fcc"]], gamma_form=[1])
    potential, params = load(LIBRARY, None, {"Ni": "Ni"})
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]])
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    with pytest.raises(ValueError, match=r"rc times the reach of screening = 5\.2\d* Å reaches beyond the cutoff"):
        potential.evaluate({**params, "rc": 5.0}, system, neighbors)
    with pytest.raises(ValueError, match="meam takes params with"):
        potential.evaluate({**params, "rhozero": 5.0}, system, neighbors)
