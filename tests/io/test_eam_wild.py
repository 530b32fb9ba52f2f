"""EAM files from the wild: infinite at r = 0, of styles that are not supported, under other names."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import jaxpot
from jaxpot.io.eam_files import read_eam
from jaxpot.io.errors import FileFormatError, FileWarning
from tests import structures
from tests.conftest import Precision
from tests.io.eam_examples import example_file
from tests.oracles import lammps
from tests.oracles.lammps import POTENTIALS

# LAMMPS's style, and the tables of r that follow F
CASES = {
    "Cu_mishin1.eam.alloy": ("eam/alloy", ["rho", "r phi"]),
    "Cu_u3.eam": ("eam", ["Z", "rho"]),
}


def numbers_of(name: str) -> tuple[list[str], list[str], int, int]:
    """Lines before the first table, the words after them, and the numbers of points."""
    lines = (POTENTIALS / name).read_text().splitlines()
    head = 3 if name.endswith(".eam") else 6
    grid = lines[2 if name.endswith(".eam") else 4].split()
    return lines[:head], " ".join(lines[head:]).split(), int(grid[0]), int(grid[2])


@pytest.mark.parametrize("word", ["INF", "nan", "-Infinity"])
@pytest.mark.parametrize(("name", "table"), [
    ("Cu_mishin1.eam.alloy", "rho"), ("Cu_mishin1.eam.alloy", "r phi"), ("Cu_u3.eam", "Z"), ("Cu_u3.eam", "rho"),
])  # fmt: skip
def test_a_table_that_is_undefined_at_r_0_equals_lammps(
    name: str, table: str, word: str, tmp_path: Path, precision: Precision
) -> None:
    style, order = CASES[name]
    elements = ("Cu",)
    head, words, n_rho, n_r = numbers_of(name)
    words[n_rho + order.index(table) * n_r] = word
    path = tmp_path / name
    tables = [words[:n_rho], words[n_rho : n_rho + n_r], words[n_rho + n_r :]]
    rows = [" ".join(one[k : k + 5]) for one in tables for k in range(0, len(one), 5)]
    path.write_text("\n".join([*head, *rows]) + "\n")
    with pytest.warns(FileWarning, match=rf"(?i){word} at r = 0; energies of atoms closer than 0.0\d+ Å"):
        potential, params = jaxpot.load(path)
    atoms = structures.crystal(elements, 3.6, repeat=(2, 1, 1), seed=3)
    named = "" if style == "eam" else " Cu"
    expected = lammps.single_point(atoms, [f"pair_style {style}", f"pair_coeff * * {path}{named}"], elements)
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    np.testing.assert_allclose(
        jaxpot.energy(potential)(params, system, neighbors), expected.energy, rtol=precision.energy
    )
    forces = np.asarray(jaxpot.forces(potential)(params, system, neighbors))
    np.testing.assert_allclose(forces, expected.forces, rtol=0, atol=precision.forces * np.abs(expected.forces).max())


def test_other_undefined_numbers_are_refused(tmp_path: Path) -> None:
    head, words, n_rho, n_r = numbers_of("Cu_mishin1.eam.alloy")
    path = tmp_path / "a.eam.alloy"
    for place in (0, n_rho + 1, n_rho + n_r - 1, n_rho + n_r + 1):  # F at 0, and r beyond 0
        changed = [*words]
        changed[place] = "INF"
        path.write_text("\n".join([*head, " ".join(changed)]) + "\n")
        with pytest.raises(FileFormatError, match="is 'INF', not a finite number"):
            jaxpot.load(path)


@pytest.mark.parametrize("style", ["funcfl", "setfl", "fs", "adp"])
def test_every_table_of_distances_may_be_undefined_at_0(style: str, tmp_path: Path) -> None:
    path = example_file(tmp_path, style)
    lines = path.read_text().splitlines()
    head = 3 if style == "funcfl" else 5
    found = 0
    for number, line in enumerate(lines[head:], head):
        words = line.split()
        if len(words) != 5:
            continue
        lines[number] = " ".join(["NaN", *words[1:]])
        path.write_text("\n".join(lines) + "\n")
        lines[number] = line
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            try:
                tables = read_eam(path, style)
            except FileFormatError:
                continue
        found += 1
        assert ["is NaN at r = 0" in str(one.message) for one in record] == [True]
        assert all(np.isfinite(t).all() for t in (tables.density, tables.r_phi))
    # of two elements: densities (one, two or four) and three pairs, thrice in ADP
    assert found == {"funcfl": 2, "setfl": 2 + 3, "fs": 4 + 3, "adp": 2 + 9}[style]


@pytest.mark.parametrize("name", ["a.eam.alloy", "a.eam.fs", "a.eam", "a.txt"])
@pytest.mark.parametrize(("source", "style"), [("PdHHe.eam.he", "eam/he"), ("FeCr.cdeam", "eam/cd")])
def test_unsupported_styles_are_recognised_by_content(name: str, source: str, style: str, tmp_path: Path) -> None:
    shutil.copy(POTENTIALS / source, tmp_path / name)
    shutil.copy(POTENTIALS / source, tmp_path / source)
    with pytest.raises(FileFormatError) as caught:
        jaxpot.load(tmp_path / name)
    if not (name.endswith(".fs") and style == "eam/cd"):  # by which name its tables end elsewhere
        assert f"a file for LAMMPS's {style}" in str(caught.value)
    with pytest.raises(FileFormatError, match=style):
        jaxpot.load(tmp_path / source)
    if style == "eam/he":
        with pytest.raises(FileFormatError, match=style):
            jaxpot.load(tmp_path / name, style="eam/alloy")


def test_a_sixth_number_that_says_nothing_new_is_harmless(tmp_path: Path) -> None:
    lines = (POTENTIALS / "Cu_mishin1.eam.alloy").read_text().splitlines()
    n_rho, d_rho = int(lines[4].split()[0]), float(lines[4].split()[1])
    lines[4] += f" {(n_rho - 1) * d_rho!r}"
    (tmp_path / "a.eam.alloy").write_text("\n".join(lines) + "\n")
    plain, read = read_eam(POTENTIALS / "Cu_mishin1.eam.alloy"), read_eam(tmp_path / "a.eam.alloy")
    assert read.identical(plain)
