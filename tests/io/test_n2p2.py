"""Directories of n2p2: its own numbers, files unchanged by reading and writing, and mistakes refused where they are."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot import units
from jaxpot.descriptors.symmetry_functions import CUTOFF_FUNCTIONS, in_order
from tests import structures
from tests.conftest import needs_float64
from tests.descriptors.test_symmetry_functions import plain_values

RELATIVE = 1e-10


def evaluate(potential: jaxpot.Potential, params: Any, atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    energies, forces, virial = jax.jit(potential.evaluate)(params, system, neighbors)[:3]
    return float(energies.sum()), np.asarray(forces), np.asarray(virial)


@needs_float64
@pytest.mark.slow
@pytest.mark.parametrize("element", ["Mo", "Si"])
def test_one_element_equals_n2p2(shared_data: Path, element: str) -> None:
    wanted = json.loads((shared_data / "n2p2" / "reference_mlearn_Mo_Si.json").read_text())[element]
    potential, params = jaxpot.load(shared_data / "mlearn_models" / element / "nnp")
    # the reference was computed with another Bohr radius: the same lengths in Bohr
    factor = units.BOHR / wanted["BOHR"]
    count = len(wanted["positions"])
    atoms = Atoms(
        [element] * count,
        positions=factor * np.array(wanted["positions"]),
        cell=factor * np.array(wanted["cell"]),
        pbc=True,
    )
    energy, forces, virial = evaluate(potential, params, atoms)
    assert energy / units.HARTREE == pytest.approx(wanted["energy_Ha"], rel=RELATIVE)
    reference = np.array(wanted["forces_Ha_per_Bohr"])
    np.testing.assert_allclose(
        forces * units.BOHR / units.HARTREE, reference, rtol=0, atol=RELATIVE * np.abs(reference).max()
    )
    assert_virial_is_the_slope(potential, params, atoms, virial)


@needs_float64
@pytest.mark.slow
def test_two_elements_normalised_equal_n2p2(shared_data: Path) -> None:
    folder = shared_data / "n2p2" / "Cu2S_PBE"
    wanted = json.loads((folder / "reference_prediction.json").read_text())
    lines = [line.split() for line in (folder / "input.data").read_text().splitlines()]
    atoms = Atoms(
        [words[4] for words in lines if words[0] == "atom"],
        positions=[[float(w) for w in words[1:4]] for words in lines if words[0] == "atom"],
        cell=[[float(w) for w in words[1:4]] for words in lines if words[0] == "lattice"],
        pbc=True,
    )
    for elements in (None, ("Cu", "S")):
        potential, params = jaxpot.load(folder, elements)
        assert potential.elements == (elements or ("S", "Cu"))
        energy, forces, _ = evaluate(potential, params, atoms)
        assert energy == pytest.approx(wanted["energy"], rel=RELATIVE)
        reference = np.array(wanted["forces"])
        np.testing.assert_allclose(forces, reference, rtol=0, atol=RELATIVE * np.abs(reference).max())


def assert_virial_is_the_slope(potential: jaxpot.Potential, params: Any, atoms: Atoms, virial: np.ndarray) -> None:
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    energy = jax.jit(jaxpot.energy(potential))
    for i, j in ((0, 0), (1, 2), (2, 0)):
        ends = []
        for h in (1e-5, -1e-5):
            factor = np.eye(3)
            factor[i, j] += h
            moved = system.replace(positions=system.positions @ factor, cell=system.cell @ factor)
            ends.append(float(energy(params, moved, neighbors)))
        assert virial[i, j] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6 * np.abs(virial).max())


ELEMENTS = ("O", "Li")  # Li comes first in the files: it is lighter
FUNCTIONS = """\
symfunction_short O  2 Li 0.3 1.0 {rc}
symfunction_short O  2 O  0.2 0.0 {rc}
symfunction_short O  12 0.4 1.5 {rc}
symfunction_short O  9 O O 0.02 -1 2.0 {rc}
symfunction_short O  3 O Li 0.02 1 2.0 {rc}
symfunction_short O  3 Li O 0.02 1 1.0 {rc} 0.7
symfunction_short Li 13 0.05 0.5 1 2.0 {rc}
symfunction_short Li 2 O  0.3 1.0 {rc}
symfunction_short Li 4 O  1.1 {rc}
symfunction_short Li 1 Li {rc}
symfunction_short O  20 Li -2.0 {rc} p2a ! polynomials
symfunction_short O  20 Li -{rc} {rc} p2
symfunction_short O  20 O  0.5 4.0 e
symfunction_short O  22 O Li 0.0 {rc} 60.0 180.0 p3
symfunction_short O  22 Li Li -{rc} {rc} -120.0 120.0 p3
symfunction_short Li 21 Li O -{rc} {rc} 0.0 360.0 p1
symfunction_short Li 23 -{rc} {rc} p4
symfunction_short Li 24 -{rc} {rc} 0.0 180.0 p2a
symfunction_short Li 25 1.0 {rc} 30.0 150.0 p1
"""
PLAIN = {  # n2p2's activation functions
    "l": lambda x: x,
    "t": np.tanh,
    "s": lambda x: 1 / (1 + np.exp(-x)),
    "p": lambda x: np.log(1 + np.exp(x)),
    "r": lambda x: np.maximum(x, 0),
    "g": lambda x: np.exp(-(x**2) / 2),
    "c": np.cos,
    "S": lambda x: 1 - 1 / (1 + np.exp(-x)),
    "e": lambda x: np.exp(-x),
    "h": lambda x: x**2,
}


def write_directory(folder: Path, settings: str, letters: str, seed: int = 0) -> dict[str, Any]:
    """A potential in Å and eV with random numbers; returns these."""
    folder.mkdir(exist_ok=True)
    hidden = [4, 3][: len(letters) - 1]
    of_oxygen = [5, *hidden[1:]] if "element_nodes_short O 1 5" in settings else hidden
    (folder / "input.nn").write_text(
        f"# a comment\nnumber_of_elements 2\nelements O Li # heaviest first\natom_energy O -1.5\n{settings}\n"
        f"global_hidden_layers_short {len(hidden)}\nglobal_nodes_short {' '.join(map(str, hidden))}\n"
        f"global_activation_short {' '.join(letters)}\nepochs 5\n" + FUNCTIONS.format(rc="5.0")
    )
    rng = np.random.default_rng(seed)
    numbers: dict[str, Any] = {"scaling": {}, "layers": {}}
    lines = ["# scaling"]
    for e, (symbol, count) in enumerate((("Li", 8), ("O", 11)), 1):
        low, width = rng.normal(size=count), 40 + 40 * rng.random(count)
        numbers["scaling"][symbol] = rows = np.stack([low, low + width, low + 0.4 * width, 0.2 * width], axis=1)
        lines += [f"{e} {k + 1} " + " ".join(repr(float(v)) for v in row) for k, row in enumerate(rows)]
        sizes = [count, *(of_oxygen if symbol == "O" else hidden), 1]
        layers = [(rng.normal(size=(a, b)) / a**0.5, rng.normal(size=b)) for a, b in itertools.pairwise(sizes)]
        numbers["layers"][symbol] = layers
        text = []
        for k, (weights, biases) in enumerate(layers):
            text += [f"{v!r} a 1 {k} {a + 1} {k + 1} {b + 1}" for (a, b), v in np.ndenumerate(weights.tolist())]
            text += [f"{v!r} b 1 {k + 1} {b + 1}" for b, v in enumerate(biases.tolist())]
        (folder / f"weights.{3 if symbol == 'Li' else 8:03d}.data").write_text(
            "\n".join(text).replace("np.float64(", "").replace(")", "") + "\n"
        )
    (folder / "scaling.data").write_text("\n".join(lines) + "\n")
    return numbers


SETTINGS = {
    "none": "",
    "scale": "scale_symmetry_functions\nscale_min_short -1.0\nscale_max_short 2.0",
    "center": "center_symmetry_functions",
    "scale_center": "scale_symmetry_functions\ncenter_symmetry_functions",
    "scale_sigma": "scale_symmetry_functions_sigma\nscale_min_short 0.1\nscale_max_short 0.9",
}


def plain_energy(
    atoms: Atoms, numbers: dict[str, Any], potential: jaxpot.Potential, kind: str, alpha: float, letters: str,
    scaling: str, limits: tuple[float, float], divide: bool,
) -> float:  # fmt: skip
    """The energy of the networks alone, from plain numpy."""
    functions = list(potential.descriptor.functions)
    values = plain_values(atoms, in_order(functions, ("Li", "O")), kind, alpha)
    total = 0.0
    for symbol, g in zip(atoms.get_chemical_symbols(), values, strict=True):
        low, high, mean, sigma = numbers["scaling"][symbol].T
        g = np.array(g)
        y = {
            "none": g,
            "scale": limits[0] + (limits[1] - limits[0]) * (g - low) / (high - low),
            "center": g - mean,
            "scale_center": limits[0] + (limits[1] - limits[0]) * (g - mean) / (high - low),
            "scale_sigma": limits[0] + (limits[1] - limits[0]) * (g - mean) / sigma,
        }[scaling]
        for (weights, biases), letter in zip(numbers["layers"][symbol], letters, strict=True):
            y = PLAIN[letter]((y @ weights + biases) / (len(weights) if divide else 1))
        total += float(y[0])
    return total


CASES = [
    ("none", "", "tsl", "cos", 0.0),
    ("scale", "normalize_nodes", "pcl", "exp", 0.2),
    ("center", "mean_energy -2.5\nconv_energy 3.0\nconv_length 1.7", "grS", "tanh", 0.0),
    ("scale_center", "element_nodes_short O 1 5", "Sl", "poly3", 0.0),
    ("scale_sigma", "normalize_nodes\nmean_energy 1.5\nconv_energy 0.5\nconv_length 2.0", "hel", "poly4", 0.4),
]


@needs_float64
@pytest.mark.slow
@pytest.mark.parametrize(("scaling", "more", "letters", "kind", "alpha"), CASES, ids=[case[0] for case in CASES])
def test_settings_equal_plain_numpy(
    tmp_path: Path, scaling: str, more: str, letters: str, kind: str, alpha: float
) -> None:
    number = list(CUTOFF_FUNCTIONS).index(kind)
    text = f"{SETTINGS[scaling]}\n{more}\ncutoff_type {number} {alpha}"
    numbers = write_directory(tmp_path, text, letters)
    potential, params = jaxpot.load(tmp_path, style="n2p2/metal")
    assert potential.elements == ("Li", "O")
    atoms = structures.make("primitive", ["Li"], 4.2, "fcc", seed=2) + Atoms("O", positions=[[2.0, 1.9, 1.3]])
    limits = {"scale": (-1.0, 2.0), "scale_sigma": (0.1, 0.9)}.get(scaling, (0.0, 1.0))
    plain = plain_energy(atoms, numbers, potential, kind, alpha, letters, scaling, limits, "normalize" in more)
    mean, factor = {"center": (-2.5, 3.0), "scale_sigma": (1.5, 0.5)}.get(scaling, (0.0, 1.0))
    energy, *_ = evaluate(potential, params, atoms)
    assert energy == pytest.approx(plain / factor + len(atoms) * mean - 1.5, rel=1e-11)
    again = tmp_path / "again"
    jaxpot.save(again, potential, params)
    for name in ("input.nn", "weights.003.data", "weights.008.data"):
        assert (again / name).read_text() == (tmp_path / name).read_text()
    # everything written anew, in these units or in others
    style = "n2p2/metal" if scaling in ("none", "center") else "n2p2/atomic"
    jaxpot.save(tmp_path / "new", potential, params, style)
    other, others = jaxpot.load(tmp_path / "new")
    assert evaluate(other, others, atoms)[0] == pytest.approx(energy, rel=1e-11)


def test_changed_numbers_are_written(tmp_path: Path) -> None:
    write_directory(tmp_path, SETTINGS["scale"], "tsl")
    potential, params = jaxpot.load(tmp_path, style="n2p2/metal")
    params["atom_energies"]["Li"] = np.float64(-7.25)
    params["networks"]["O"][1]["biases"] = params["networks"]["O"][1]["biases"] + 0.125
    jaxpot.save(tmp_path / "new", potential, params)
    _, again = jaxpot.load(tmp_path / "new", style="n2p2/metal")
    for one, other in zip(jax.tree.leaves(params), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-15 if one.dtype == np.float64 else 1e-6)
    for name in ("scaling.data", "weights.003.data"):
        assert (tmp_path / "new" / name).read_text() == (tmp_path / name).read_text()


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return edit


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (replaced("input.nn", "epochs 5", "use_electrostatics"), r"input.nn:9: use_electrostatics is not .*3G or 4G"),
        (replaced("input.nn", "epochs 5", "nonsense 5"), r"input.nn:9: nonsense is a keyword neither of n2p2 nor"),
        (replaced("input.nn", "epochs 5", "element_nodes_short O 3 4"), r":9: there are 2 hidden layers, and no 3"),
        (replaced("input.nn", "epochs 5", "element_nodes_short O 1"), r":9: the number of nodes is missing"),
        (replaced("input.nn", "epochs 5", "element_hidden_layers_short O 1"), r":9: .* only networks of equally many"),
        (replaced("input.nn", "epochs 5", "cutoff_type 9"), r"input.nn:9: cutoff_type 9 is not known"),
        (replaced("input.nn", "epochs 5", "cutoff_type 1 1.0"), r"alpha is 1, must be from 0"),
        (replaced("input.nn", "epochs 5", "nnp_type 4G"), r"input.nn:9: nnp_type 4G is not supported"),
        (replaced("input.nn", "epochs 5", "elements O Li"), r"elements was given on line 3 already"),
        (replaced("input.nn", "elements O Li", "elements O Lo"), r"input.nn:3: Lo is no chemical symbol"),
        (replaced("input.nn", "number_of_elements 2", "number_of_elements 3"), r"input.nn:2: number_of_elements is 3"),
        (replaced("input.nn", "t s l", "t z l"), r"activation 'z' is not known"),
        (replaced("input.nn", "t s l", "t s"), r"an activation is missing"),
        (replaced("input.nn", "O  2 Li 0.3", "O  2 Li 0.x"), r"input.nn:10: eta is '0.x', must be a number"),
        (replaced("input.nn", "O  2 Li 0.3", "O  2 Na 0.3"), r"input.nn:10: Na is not among the elements"),
        (replaced("input.nn", "O  2 Li 0.3", "O  28 Li 0.3"), r"input.nn:10: symmetry function type 28"),
        (replaced("input.nn", "5.0 p2a", "5.0 p5"), r"input.nn:20: compact function 'p5' is not known"),
        (replaced("input.nn", "5.0 p2a", "5.0"), r"input.nn:20: subtype is missing"),
        (replaced("input.nn", "60.0 180.0 p3", "60.0 200.0 p3"), r"input.nn:23: angles must be"),
        (replaced("input.nn", "1.0 5.0", "1.0 5.0 6.0"), r"'6.0' is one word too many"),
        (replaced("input.nn", "1.0 5.0", "1.0 inf"), r"cutoff is 'inf', must be finite"),
        (replaced("scaling.data", "\n1 2 ", "\n1 1 "), r"scaling.data:3: function 1 of Li is here a second time"),
        (replaced("scaling.data", "\n1 2 ", "\n3 2 "), r"scaling.data:3: function 2 of element 3"),
        (replaced("scaling.data", "\n1 2 ", "\n# 1 2 "), r"function 2 of Li is missing"),
        (replaced("weights.003.data", " a 1 0 1 1 1", " c 1 0 1 1 1"), r"weights.003.data:1: the kind of connection"),
        (replaced("weights.003.data", " a 1 0 1 1 1", " a 1 0 9 1 1"), r"weights.003.data:1: no such connection"),
        (replaced("weights.003.data", " a 1 0 1 1 1", " a 1 0 1 1 2"), r"connection is here a second time"),
        (replaced("weights.003.data", " b 1 1 1", " # b 1 1 1"), r"the kind of connection is missing"),
        (removed("weights.008.data"), r"weights.008.data: cannot be read"),
        (removed("scaling.data"), r"scaling.data: cannot be read"),
    ],
)
def test_mistakes_are_refused_where_they_are(tmp_path: Path, edit: Callable[[Path], None], message: str) -> None:
    write_directory(tmp_path, "scale_symmetry_functions", "tsl")
    edit(tmp_path)
    with pytest.raises(jaxpot.FileFormatError, match=message):
        jaxpot.load(tmp_path)


def test_units_come_from_comments_or_the_style(tmp_path: Path) -> None:
    write_directory(tmp_path, "scale_symmetry_functions", "tsl")
    assert jaxpot.load(tmp_path)[0].cutoff == pytest.approx(5.0 * units.BOHR)
    assert jaxpot.load(tmp_path, style="n2p2/metal")[0].cutoff == 5.0
    replaced("input.nn", "# a comment", "# Length unit     : Angstrom")(tmp_path)
    assert jaxpot.load(tmp_path)[0].cutoff == 5.0
    assert jaxpot.load(tmp_path, style="n2p2/atomic")[0].cutoff == pytest.approx(5.0 * units.BOHR)
    replaced("input.nn", ": Angstrom", ": furlong")(tmp_path)
    with pytest.raises(jaxpot.FileFormatError, match=r"input.nn:1: length unit furlong is not known"):
        jaxpot.load(tmp_path)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    write_directory(tmp_path, "scale_symmetry_functions", "tsl")
    with pytest.raises(ValueError, match="leave out cutoff"):
        jaxpot.load(tmp_path, cutoff=3.0)
    with pytest.raises(ValueError, match="needs all its elements"):
        jaxpot.load(tmp_path, ["O"])
    shutil.copytree(tmp_path, tmp_path / "other")
    with pytest.raises(ValueError, match="a potential is one directory"):
        jaxpot.load([tmp_path, tmp_path / "other"])
