"""Tersoff's potential and its variants against LAMMPS, the papers and differences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from tests.conftest import Precision, needs_float64
from tests.oracles.lammps import POTENTIALS
from tests.potentials.agreement import assert_parameter_gradient
from tests.potentials.angular.against_lammps import assert_equals_lammps, crystal_of, listed, load, structures_of

pytestmark = needs_float64
CUTOFF = 3.3  # Å, for all files, so that files of as many elements share a program
PAIR = {"C": "C", "Si": "Si(D)"}
# name, elements, lattice constant, what is asked of the agreement
FILES: list[tuple[str, Any, float, Precision | None]] = [
    ("Si.tersoff", None, 5.43, None),
    ("Ge.tersoff", None, 5.66, None),
    ("SiCGe.tersoff", {"Si": "Si(C)"}, 5.43, None),
    # both ends of a pair differ in the sixth digit, and LAMMPS takes one of them, which one depends on the atoms' order
    ("SiC_1989.tersoff", None, 4.5, Precision("float64", 1e-5, 1e-5)),
    ("SiC_1990.tersoff", None, 4.5, None),
    ("SiC_1994.tersoff", ["Si", "C"], 4.2, Precision("float64", 1e-5, 1e-5)),
    ("SiCGe.tersoff", PAIR, 4.5, None),
    ("SiO.tersoff", None, 4.9, None),
    ("GaN.tersoff", None, 4.9, None),
    ("SiC_Erhart-Albe.tersoff", None, 4.5, None),
    ("BNC.tersoff", None, 3.8, None),
    ("Si.tersoff.mod", None, 5.43, None),
    ("Si.tersoff.modc", None, 5.43, None),
    ("SiC.tersoff.zbl", None, 4.4, None),
]


@pytest.mark.parametrize("kind", structures_of(("Si", "C"), 4.5))
def test_equals_lammps_in_every_kind_of_structure(kind: str) -> None:
    potential, params = load("SiC.tersoff", ["Si", "C"], cutoff=CUTOFF)
    assert_equals_lammps(potential, params, structures_of(("Si", "C"), 4.5)[kind], path=POTENTIALS / "SiC.tersoff")


@pytest.mark.parametrize(("name", "elements", "a", "precision"), FILES)
def test_every_other_file_equals_lammps(name: str, elements: Any, a: float, precision: Precision | None) -> None:
    differ = name in ("SiC_1989.tersoff", "SiC_1994.tersoff")
    potential, params = load(name, elements, cutoff=CUTOFF, warns=differ)
    several = structures_of(potential.elements or (), a, seed=4)
    # the difference of both ends counts most where a bond breaks, as many do in a dense crystal
    for kind in ("crystal",) if differ else ("crystal", "dense"):
        wanted = precision or Precision("float64", 1e-9, 1e-8)
        assert_equals_lammps(potential, params, several[kind], path=POTENTIALS / name, precision=wanted)


def test_shifted_distances_equal_lammps() -> None:
    _, params = load("Si.tersoff")
    potential = jaxpot.tersoff(CUTOFF, ["Si"], shift=0.05)
    atoms = structures_of(("Si",), 5.43)["crystal"]
    style = ("tersoff shift 0.05", POTENTIALS / "Si.tersoff", ["Si"])
    assert_equals_lammps(potential, params, atoms, *style)


@pytest.mark.parametrize(
    ("name", "elements", "a", "energy", "gpa"),
    [
        # a, E and elastic constants (Mbar) of J. Tersoff, Phys. Rev. B 38, 9902 (1988), table II
        ("tersoff_c_1988:Si", ["Si"], 5.432, -4.63, (143.0, 75.0, 69.0)),
        # of the paper of set B, in the same table
        ("tersoff_1988:Si", ["Si"], 5.432, -4.63, (121.0, 86.0, 10.0)),
        # cohesive energies and lattice constants of Phys. Rev. B 39, 5566 (1989)
        ("tersoff_1989:C", ["C"], 3.566, -7.37, None),
        ("tersoff_sige_1989:Ge", ["Ge"], 5.657, -3.85, None),
    ],
)
def test_crystals_of_the_papers(name: str, elements: list[str], a: float, energy: float, gpa: Any) -> None:
    potential, params = jaxpot.load(name, cutoff=CUTOFF)
    found_a, found_energy, found_gpa = crystal_of(potential, params, "diamond", elements, a)
    assert found_a == pytest.approx(a, abs=2e-3)
    assert found_energy == pytest.approx(energy, abs=6e-3)
    if gpa is not None:
        np.testing.assert_allclose(found_gpa, gpa, atol=1.0)


@pytest.mark.parametrize(
    ("name", "file", "elements", "digits"),
    [
        ("tersoff_1988:Si", "Si.tersoff", None, 1e-12),
        ("tersoff_c_1988:Si", "SiCGe.tersoff", {"Si": "Si(C)"}, 1e-12),
        ("tersoff_1989:Si-C", "SiCGe.tersoff", {"Si": "Si(D)", "C": "C"}, 5e-4),  # the file's mixed R and D are rounded
        ("tersoff_sige_1989:Si-Ge", "SiCGe.tersoff", {"Si": "Si(D)", "Ge": "Ge"}, 5e-4),
        ("kumagai_2007:Si", "Si.tersoff.mod", None, 1e-12),
    ],
)
def test_published_sets_are_those_of_the_files(name: str, file: str, elements: Any, digits: float) -> None:
    _, params = jaxpot.load(name)
    _, of_file = load(file, elements)
    assert set(params) == set(of_file)
    for key, table in of_file.items():
        mine = np.asarray(params[key])
        full = np.broadcast_to(mine.reshape(mine.shape + (1,) * (table.ndim - mine.ndim)), table.shape)
        np.testing.assert_allclose(full, table, rtol=digits, err_msg=key)


def test_germanium_and_carbon_do_not_mix() -> None:
    with pytest.raises(ValueError, match="has parameters for C, Si; got C, Ge"):
        jaxpot.load("tersoff_1989:C-Ge")


def gradient(potential: jaxpot.Potential, params: Any, atoms: Atoms) -> Any:
    return jax.jit(jax.grad(jaxpot.energy(potential)))(params, *listed(potential, atoms))


def test_parameter_gradients() -> None:
    potential, params = load("SiC.tersoff.zbl", ["Si", "C"], cutoff=CUTOFF)
    # a step of the differences must be small beside every parameter: the file's beta is 1e-6, its c up to 1e5
    wide = {"beta": 1e5 * params["beta"], "c": 1e-3 * params["c"]}
    atoms = structures_of(("Si", "C"), 4.4)["crystal"]
    assert_parameter_gradient(potential, {**params, **wide}, *listed(potential, atoms))


@pytest.mark.parametrize("start", [{"beta": 0.0}, {"lambda3": 0.0}, {"D": 0.0}, {"beta": 0.0, "n": 1.0}, {"n": 1.5}])
def test_parameter_gradients_where_parameters_are_zero(start: dict[str, float]) -> None:
    """With n > 1 or n = 1, as differences are finite there; the slope with beta at 0 is infinite for n < 1."""
    potential = jaxpot.tersoff(CUTOFF, ["Si"])
    _, params = load("Si.tersoff")
    system, neighbors = listed(potential, structures_of(("Si",), 5.43)["crystal"])
    # D stays positive and beta not negative in differences: only from the side where they are
    chosen = {name: jnp.asarray(value) for name, value in (params | {"R": 3.0, "n": 3.0, **start}).items()}
    energy = jax.jit(jax.value_and_grad(jaxpot.energy(potential)))
    _, slopes = energy(chosen, system, neighbors)
    for name, slope in slopes.items():
        step = 1e-5 * max(abs(float(chosen[name])), 0.1)
        if name == "D" and chosen[name] == 0:
            assert float(slope) == 0.0  # no atom is at R
            continue

        def at(change: float, name: str = name) -> float:
            return float(energy({**chosen, name: chosen[name] + change}, system, neighbors)[0])

        if name == "beta" and chosen[name] == 0:
            wanted = (4 * at(step) - at(2 * step) - 3 * at(0.0)) / (2 * step)
        else:
            wanted = (at(step) - at(-step)) / (2 * step)
        np.testing.assert_allclose(slope, wanted, rtol=1e-5, atol=1e-5 * max(1.0, abs(wanted)), err_msg=name)


def test_gradients_of_dimers_and_infinite_slopes_are_finite() -> None:
    potential, params = load("SiO.tersoff", cutoff=CUTOFF)
    dimer = structures_of(("Si", "O"), 4.9)["dimer"]
    at_zero = {**params, "beta": jnp.zeros_like(params["beta"])}  # n is 0.79 and 1.05
    for some, atoms in ((params, dimer), (at_zero, dimer), (at_zero, structures_of(("Si", "O"), 4.9)["crystal"])):
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradient(potential, some, atoms)))


def test_errors() -> None:
    with pytest.raises(ValueError, match="power must be 1 or 3"):
        jaxpot.tersoff(3.0, power=2)
    _, params = jaxpot.load("tersoff_1989:Si")
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]])
    potential = jaxpot.tersoff(3.2)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    with pytest.raises(ValueError, match="all of Z_i, Z_j, zbl_cut, zbl_slope or none; there is no Z_j"):
        potential.evaluate({**params, "Z_i": 14.0}, system, neighbors)
    with pytest.raises(ValueError, match=r"R \+ D - shift = 3.5 Å reaches beyond the cutoff 3.2 Å"):
        potential.evaluate({**params, "R": 3.35}, system, neighbors)
    with pytest.raises(ValueError, match="tersoff_mod takes params with"):
        other = jaxpot.tersoff_mod(3.2)
        other.evaluate(params, system, neighbors)
