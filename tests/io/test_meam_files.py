"""MEAM's library and parameter files: read, written back, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxpot
from jaxpot.io.errors import FileFormatError
from tests.oracles.lammps import POTENTIALS

LIBRARY = POTENTIALS / "library.meam"
ALLOY = {"Al": "AlS", "Si": "SiS", "Mg": "MgS", "Cu": "CuS", "Fe": "FeS"}
PAIRS: list[tuple[str, str, Any]] = [
    ("library.meam", "Ni.meam", ["Ni"]),
    ("library.meam", "SiC.meam", ["Si", "C"]),
    ("library.meam", "AlSiMgCuFe.meam", ALLOY),
    ("library.meam", "WL.meam", {"W": "WL"}),
    ("library.meam", "Bi.meam", ["Bi"]),
    ("library_2nn.meam", "MoCoNiVFeAlCr_2nn.meam", ["Mo", "Co", "Ni", "V", "Fe", "Al", "Cr"]),
]


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("library", "parameters", "elements"), PAIRS, ids=[pair[1] for pair in PAIRS])
def test_files_come_back(library: str, parameters: str, elements: Any, tmp_path: Path) -> None:
    potential, params = jaxpot.load([POTENTIALS / library, POTENTIALS / parameters], elements)
    jaxpot.save(tmp_path / "new.meam", potential, params)
    again, others = jaxpot.load(tmp_path / "new.meam", elements)  # the library lies beside it
    assert again.spec == potential.spec
    assert_same(params, others)
    assert (tmp_path / "new.meam").read_text().splitlines() == (POTENTIALS / parameters).read_text().splitlines()
    # changed numbers are written, too
    changed = params | {"b2": params["b2"] * 1.5, "Ec": params["Ec"] + 0.25}
    jaxpot.save(tmp_path / "changed.meam", potential, changed)
    assert_same(changed, jaxpot.load(tmp_path / "changed.meam", elements)[1])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ec(2,1) = 6.0", r"Ec\(2,1\) is ignored by LAMMPS, which takes Ec\(1,2\)"),
        ("Ec(1,2) = 6.0 7.0", "is no assignment"),
        ("Ec(1,2) = nan", "Ec"),
        ("ec(1,2) = 6.0", "it is written Ec"),
        ("Ec(1) = 6.0", "Ec has 1 indices"),
        ("Ec(1,3) = 6.0", "of an element that was not chosen"),
        ("Ec(1,x) = 6.0", "are no numbers"),
        ("ialloy = 7", "ialloy"),
        ("strength = 7", "no key of a MEAM file"),
        ("lattce(1,2) = 'cubic'", "cubic"),
    ],
)
def test_faults_of_parameters_are_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.meam"
    path.write_text(f"{(POTENTIALS / 'SiC.meam').read_text()}\n{line}\n")
    with pytest.raises(FileFormatError, match=message):
        jaxpot.load([LIBRARY, path], ["Si", "C"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'fcc'", "'fcd'", "has the lattice 'fcd'"),
        ("4.45", "nan", "esub"),
        ("12", "11", "has z = 11"),
        ("4.45", "4.45 1.0", "not 19"),
        ("4.45", "", "not 19"),
    ],
)
def test_faults_of_libraries_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    entry = """'Ni' 'fcc' 12 28 58.71 4.99 2.45 2.20 6.00 2.20 3.52 4.45 1.10 1.0 3.57 1.60 3.70 1.0 0\n"""
    path = tmp_path / "library.meam"
    path.write_text(entry)
    potential, _ = jaxpot.load([path], ["Ni"])
    assert potential.elements == ("Ni",)
    path.write_text(entry.replace(old, new, 1))
    with pytest.raises(FileFormatError, match=message):
        jaxpot.load([path], ["Ni"])


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has the elements .*, not Xx"):
        jaxpot.load([LIBRARY], ["Xx"])
    alone = tmp_path / "alone.meam"
    alone.write_text((POTENTIALS / "SiC.meam").read_text())
    with pytest.raises(FileFormatError, match="names no elements"):
        jaxpot.load(alone, ["Si", "C"])
