import dataclasses
from pathlib import Path
from typing import Any

import ase.io
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from tests import structures
from tests.conftest import Precision
from tests.oracles import lammps
from tests.oracles.lammps import POTENTIALS
from tests.potentials.agreement import assert_agrees

FILES = sorted(path.stem for path in POTENTIALS.glob("*.snapcoeff"))
# a crystal of each element near its equilibrium volume, with 16 atoms or less
CRYSTALS = {
    "C": (3.57, "diamond"), "Cu": (3.62, "fcc"), "Ge": (5.7, "diamond"), "In": (5.83, "diamond"), "Li": (3.44, "bcc"),
    "Mo": (3.16, "bcc"), "Ni": (3.52, "fcc"), "Si": (5.43, "diamond"), "Ta": (3.3, "bcc"), "W": (3.18, "bcc"),
}  # fmt: skip


def commands(name: str, elements: tuple[str, ...], folder: Path = POTENTIALS) -> list[str]:
    return [
        "pair_style snap",
        f"pair_coeff * * {folder / name}.snapcoeff {folder / name}.snapparam {' '.join(elements)}",
    ]


def crystal(elements: tuple[str, ...]) -> Atoms:
    """Eight rattled atoms in a sheared cell that is smaller than the cutoff."""
    a, structure = CRYSTALS[elements[0]]
    repeat = {"bcc": (1, 2, 2), "fcc": (1, 1, 2), "diamond": (1, 1, 1)}[structure]
    return structures.crystal(elements, a, structure, repeat, shear=0.05, seed=4)


def evaluate(potential: jaxpot.Potential, params: Any, atoms: Atoms) -> jaxpot.Evaluation:
    """Not compiled as a whole: files that differ in numbers alone share what is compiled."""
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    neighbors = jaxpot.pad_neighbors(neighbors, 16, 160, 1000)
    return potential.evaluate(params, system.pad(16), neighbors)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_shipped_file_agrees_with_lammps(name: str, precision: Precision) -> None:
    potential, params = jaxpot.load([POTENTIALS / f"{name}.snapcoeff", POTENTIALS / f"{name}.snapparam"])
    atoms = crystal(potential.elements)
    expected = lammps.single_point(atoms, commands(name, potential.elements), potential.elements)
    result = evaluate(potential, params, atoms)
    assert_agrees(result, expected.energy, expected.forces, expected.virial, precision)


@pytest.mark.slow
@pytest.mark.parametrize("kind", structures.KINDS)
def test_agrees_with_lammps_in_every_kind_of_cell(kind: str, precision: Precision) -> None:
    name = "WBe_Wood_PRB2019"
    potential, params = jaxpot.load(POTENTIALS / f"{name}.snapcoeff")
    atoms = structures.make(kind, potential.elements, 3.1, "bcc", seed=2)
    expected = lammps.single_point(atoms, commands(name, potential.elements), potential.elements)
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    size = max(64, len(atoms))
    neighbors = jaxpot.pad_neighbors(
        neighbors, size, max(160, neighbors.capacity), max(2000, len(neighbors.source) + 64)
    )
    result = potential.evaluate(params, system.pad(size), neighbors)
    assert_agrees(result, expected.energy, expected.forces, expected.virial, precision)


OPTIONS: dict[str, dict[str, Any]] = {
    "degree 0": {"twojmax": 0, "subtract_isolated": False},
    "degree 1": {"twojmax": 1, "rfac0": 0.9},
    "odd degree, rmin0": {"twojmax": 3, "rmin0": 0.7, "rfac0": 0.9},
    "inner switch": {"twojmax": 2, "inner": ((2.2, 1.9), (0.5, 0.4))},
    "no switch, as it is": {"twojmax": 2, "switch": False, "subtract_isolated": False},
    "own densities": {"twojmax": 2, "by_elements": True},
    "own densities, self in all, normalised": {
        "twojmax": 3, "by_elements": True, "self_in_all": True, "normalize": True, "quadratic": True
    },
    "normalised, quadratic": {"twojmax": 3, "normalize": True, "quadratic": True, "subtract_isolated": False},
}  # fmt: skip


def of_options(options: dict[str, Any]) -> tuple[jaxpot.DescriptorPotential, Any]:
    """A potential of two elements of different size and weight, with coefficients by chance."""
    rest = {name: value for name, value in options.items() if name != "twojmax"}
    potential = jaxpot.snap(("W", "Be"), options["twojmax"], (4.6, 3.9), (1.0, 0.8), **rest)
    names = potential.head.names(potential.descriptor)
    size = np.array([0.1 / (1 + name.count("*")) ** 5 for name in names])
    return potential, {"coefficients": np.random.default_rng(3).normal(size=(2, len(size))) * size}


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_agrees_with_lammps_through_files(
    options: dict[str, Any], tmp_path: Path, precision: Precision
) -> None:
    potential, params = of_options(options)
    jaxpot.save(tmp_path / "x", potential, params)
    atoms = structures.crystal(("W", "Be"), 3.1, "bcc", (1, 2, 2), shear=0.05, seed=5)
    expected = lammps.single_point(atoms, commands("x", ("W", "Be"), tmp_path), ("W", "Be"))
    result = evaluate(potential, params, atoms)
    if "by_elements" in options:
        # LAMMPS's forces are the slope of its energy only for coefficients with the symmetry of a fit: difference it
        np.testing.assert_allclose(result.energies.sum(), expected.energy, rtol=precision.energy)
        step = 1e-5 * np.random.default_rng(6).normal(size=atoms.positions.shape)
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions += sign * step
            ends.append(lammps.single_point(moved, commands("x", ("W", "Be"), tmp_path), ("W", "Be")).energy)
        slope = -float(np.sum(np.asarray(result.forces[: len(atoms)]) * step))
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2, rtol=1e-6)
    else:
        assert_agrees(result, expected.energy, expected.forces, expected.virial, precision)
    again, read = jaxpot.load([tmp_path / "x.snapcoeff", tmp_path / "x.snapparam"])
    found, wanted = again.descriptor, potential.descriptor
    np.testing.assert_allclose(found.radii, wanted.radii, rtol=1e-14)
    assert dataclasses.replace(found, radii=wanted.radii) == wanted and again.head == potential.head
    np.testing.assert_array_equal(read["coefficients"], params["coefficients"])


@pytest.mark.slow
@pytest.mark.parametrize("options", list(OPTIONS.values())[3:], ids=list(OPTIONS)[3:])
def test_design_rows_times_coefficients_are_what_the_potential_gives(options: dict[str, Any]) -> None:
    potential, params = of_options(options)
    atoms = structures.crystal(("W", "Be"), 3.1, "bcc", (1, 2, 2), shear=0.05, seed=5)
    system = jaxpot.System.from_ase(atoms, potential.elements).pad(10)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    expected = potential.evaluate(params, system, neighbors)
    rows = jax.tree.map(np.asarray, potential.design(system, neighbors))
    c = params["coefficients"]
    np.testing.assert_allclose(np.sum(rows.energies * c), expected.energies.sum(), rtol=1e-11)
    np.testing.assert_allclose(np.sum(rows.forces * c, axis=(2, 3)), expected.forces, atol=1e-11)
    np.testing.assert_allclose(np.sum(rows.virial * c, axis=(2, 3)), expected.virial, atol=1e-10)
    slope = jax.grad(lambda p: potential.atomic_energies(p, system, neighbors).sum())({"coefficients": jnp.asarray(c)})
    np.testing.assert_allclose(slope["coefficients"], rows.energies, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Ta06A", "WBe_Wood_PRB2019"])
def test_script_with_zbl_agrees_with_lammps(name: str, precision: Precision) -> None:
    potential, params = jaxpot.load(POTENTIALS / f"{name}.snap")
    elements = potential.elements or ()
    atoms = crystal(elements)
    charges = [74, 4] if len(elements) == 2 else [73]
    pairs = [
        f"pair_coeff {i + 1} {j + 1} zbl {a} {b}"
        for i, a in enumerate(charges)
        for j, b in enumerate(charges)
        if j >= i
    ]
    file = " ".join([f"{POTENTIALS / name}.snapcoeff", f"{POTENTIALS / name}.snapparam", *elements])
    lines = ["pair_style hybrid/overlay zbl 4.0 4.8 snap", *pairs, f"pair_coeff * * snap {file}"]
    expected = lammps.single_point(atoms, lines, elements)
    assert_agrees(evaluate(potential, params, atoms), expected.energy, expected.forces, expected.virial, precision)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["Mo/snap", "Mo/qsnap"])
def test_reproduces_the_authors_predictions(model: str, shared_data: Path) -> None:
    folder = shared_data / "mlearn_models" / model
    expected = np.load(folder / "test_predictions.npz")
    potential, params = jaxpot.load(next(folder.glob("*.snapcoeff")))
    frames = ase.io.read(shared_data / "mlearn" / "Mo" / "test.extxyz", ":")
    ends = np.cumsum([len(frame) for frame in frames])
    for k in np.argsort([len(frame) for frame in frames], kind="stable")[:2]:
        system = jaxpot.System.from_ase(frames[k], potential.elements)
        neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
        result = potential.evaluate(params, system, neighbors)
        np.testing.assert_allclose(result.energies.sum(), expected["energy"][k], rtol=1e-9)
        forces = expected["forces"].reshape(-1, 3)[ends[k] - len(frames[k]) : ends[k]]
        np.testing.assert_allclose(result.forces, forces, atol=1e-7)


@pytest.mark.parametrize("name", FILES)
def test_reading_and_writing_change_nothing(name: str, tmp_path: Path) -> None:
    potential, params = jaxpot.load(POTENTIALS / f"{name}.snapparam")
    jaxpot.save(tmp_path / "a.snapcoeff", potential, params)
    again, read = jaxpot.load([tmp_path / "a.snapparam", tmp_path / "a.snapcoeff"])
    np.testing.assert_array_equal(read["coefficients"], params["coefficients"])
    assert again.spec == potential.spec and again.spec.file == potential.spec.file
    jaxpot.save(tmp_path / "b", again, read)
    for ending in (".snapcoeff", ".snapparam"):
        assert (tmp_path / f"a{ending}").read_text() == (tmp_path / f"b{ending}").read_text()


COEFFICIENTS = "# two elements\n2 2\nW 0.5 1.0\n1.0\n2.0\nBe 0.4 0.9\n3.0\n4.0\n"
PARAMETERS = "# degree 0\nrcutfac 4.5\ntwojmax 0\n"


@pytest.mark.parametrize(
    ("coefficients", "parameters", "line", "says"),
    [
        (COEFFICIENTS.replace("2.0\n", "2.o\n"), PARAMETERS, 5, "2.o"),
        (COEFFICIENTS.replace("4.0\n", ""), PARAMETERS, 7, "ends before coefficient 2 of 2 of Be"),
        (COEFFICIENTS + "5.0\n", PARAMETERS, 9, "more than 2 element"),
        (COEFFICIENTS.replace("Be", "W"), PARAMETERS, 6, "twice"),
        (COEFFICIENTS.replace("0.5", "-0.5"), PARAMETERS, 3, "positive"),
        (COEFFICIENTS.replace("2.0\n", "nan\n"), PARAMETERS, 5, "nan"),
        (COEFFICIENTS.replace("2 2", "2 0"), PARAMETERS, 2, "positive whole number"),
        (COEFFICIENTS, PARAMETERS.replace("rcutfac", "rcutfak"), 2, "rcutfak"),
        (COEFFICIENTS, PARAMETERS.replace("twojmax 0", "twojmax 1"), None, "asks for 3"),
        (COEFFICIENTS, PARAMETERS.replace("twojmax 0", "twojmax -1"), 3, "-1"),
        (COEFFICIENTS, PARAMETERS + "bzeroflag 2\n", 4, "must be 0 or 1"),
        (COEFFICIENTS, PARAMETERS + "twojmax 0\n", 4, "twice"),
        (COEFFICIENTS, PARAMETERS + "sinner 1.0 1.0\n", 4, "without switchinnerflag"),
        (COEFFICIENTS, PARAMETERS + "switchinnerflag 1\nsinner 1.0\ndinner 1.0 1.0\n", 5, "1 numbers for 2 elements"),
        (COEFFICIENTS, PARAMETERS + "rfac0 1.2 1\n", 4, "one value"),
        (COEFFICIENTS, PARAMETERS.replace("rcutfac 4.5\n", ""), None, "rcutfac is missing"),
        ("", PARAMETERS, None, "empty"),
    ],
)
def test_corrupt_files_are_refused(
    coefficients: str, parameters: str, line: int | None, says: str, tmp_path: Path
) -> None:
    (tmp_path / "x.snapcoeff").write_text(coefficients)
    (tmp_path / "x.snapparam").write_text(parameters)
    with pytest.raises(jaxpot.FileFormatError) as error:
        jaxpot.load(tmp_path / "x.snapcoeff")
    assert error.value.line == line
    assert says in str(error.value)


def test_elements_in_another_order() -> None:
    potential, params = jaxpot.load(POTENTIALS / "WBe_Wood_PRB2019.snapcoeff", elements=["Be", "W"])
    _, other = jaxpot.load(POTENTIALS / "WBe_Wood_PRB2019.snapcoeff")
    assert potential.elements == ("Be", "W")
    np.testing.assert_array_equal(params["coefficients"], other["coefficients"][::-1])
    with pytest.raises(ValueError, match="not \\['He'\\]"):
        jaxpot.load(POTENTIALS / "WBe_Wood_PRB2019.snapcoeff", elements=["W", "He"])
    with pytest.raises(ValueError, match="give them in this order"):
        jaxpot.load(POTENTIALS / "InP_JCPA2020.snapcoeff", elements=["P", "In"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"elements": ()}, "no elements"),
        ({"twojmax": -1}, "twojmax is -1"),
        ({"cutoff": (4.0, 4.0)}, "2 numbers for 1 elements"),
        ({"cutoff": -4.0}, "positive lengths"),
        ({"rmin0": 5.0}, "rmin0 is 5.0"),
        ({"rfac0": 0.0}, "rfac0 is 0.0"),
    ],
)
def test_senseless_settings_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        jaxpot.snap(**({"elements": ("W",), "twojmax": 4, "cutoff": 4.5} | changes))
