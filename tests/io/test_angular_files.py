"""Files of angular potentials: what LAMMPS ships is read, written and read unchanged; what is wrong is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.io.angular_files import KINDS
from jaxpot.io.errors import FileFormatError, FileWarning
from tests import structures
from tests.conftest import needs_float64
from tests.oracles import lammps
from tests.oracles.lammps import POTENTIALS

FILES = sorted(p.name for p in POTENTIALS.iterdir() for kind in KINDS if p.name.endswith(kind.ending))
DIFFER = ("CdTeZnSeHgS0.sw", "SiC_1989.tersoff", "SiC_1994.tersoff")
SILICON = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"


def load(name: str, path: Path) -> tuple[jaxpot.Potential, Any]:
    elements = {"C": "C", "Si": "Si(D)"} if name == "SiCGe.tersoff" else None
    with pytest.warns(FileWarning, match="mean of both") if name in DIFFER else contextlib.nullcontext():
        return jaxpot.load(path, elements)


def words(path: Path) -> list[list[str]]:
    """The words of a file without its comments."""
    return [line.split() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", FILES)
def test_every_file_survives_load_and_save(name: str, tmp_path: Path) -> None:
    potential, params = load(name, POTENTIALS / name)
    written = tmp_path / name
    jaxpot.save(written, potential, params)
    if name != "SiCGe.tersoff":  # of which only a part was loaded
        known = [word for line in words(POTENTIALS / name) for word in " ".join(line).split("#")[0].split()]
        assert [word for line in words(written) for word in line] == known
    again, same = jaxpot.load(written, dict(zip(potential.elements, potential.spec.file.names, strict=True))) if (
        name not in DIFFER
    ) else load(name, written)  # fmt: skip
    assert again.spec == potential.spec and again.spec.file == potential.spec.file
    assert set(same) == set(params)
    for key, value in params.items():
        np.testing.assert_array_equal(same[key], value)


def test_a_file_of_another_program_is_refused() -> None:
    with pytest.raises(FileFormatError, match="not recognised"):
        jaxpot.load(POTENTIALS / "SiGeH.sw.quip")
    with pytest.raises(FileFormatError, match="which is no number"):
        jaxpot.load(POTENTIALS / "SiGeH.sw.quip", style="sw")


def test_units_real_are_those_of_lammps(tmp_path: Path) -> None:
    path = tmp_path / "Si.sw"
    path.write_text("# UNITS: real\n" + SILICON)
    potential, params = jaxpot.load(path)
    atoms = structures.crystal(["Si"], 5.43, "diamond", 1, seed=1)
    expected = lammps.single_point(atoms, ["pair_style sw", f"pair_coeff * * {path} Si"], ["Si"]).energy
    (found,) = jaxpot.evaluate(potential, params, [atoms])
    np.testing.assert_allclose(found.energy, expected, rtol=1e-11 if jnp.result_type(float) == np.float64 else 1e-5)
    jaxpot.save(tmp_path / "again.sw", potential, params)
    assert (tmp_path / "again.sw").read_text().split("\n")[1].split() == SILICON.split()


@needs_float64
def test_changed_numbers_reach_lammps(tmp_path: Path) -> None:
    potential, params = jaxpot.load(POTENTIALS / "SiC.tersoff", cutoff=3.4)
    changed = {**params, "A": params["A"] * 1.01, "R": params["R"] + 0.05, "n": params["n"].at[0, 0].set(0.9)}
    jaxpot.save(tmp_path / "new.tersoff", potential, changed)
    atoms = structures.crystal(["C", "Si"], 4.5, "diamond", 1, seed=2)
    command = ["pair_style tersoff", f"pair_coeff * * {tmp_path / 'new.tersoff'} C Si"]
    expected = lammps.single_point(atoms, command, ["C", "Si"]).energy
    (found,) = jaxpot.evaluate(potential, changed, [atoms])
    np.testing.assert_allclose(found.energy, expected, rtol=1e-11)
    text = (tmp_path / "new.tersoff").read_text()
    assert text.startswith("# DATE: 2011-04-26") and " 2.2119 " in text


def test_a_potential_made_from_scratch_is_written(tmp_path: Path) -> None:
    potential, params = jaxpot.load("tersoff_1989:Si-C")
    jaxpot.save(tmp_path / "SiC.tersoff", potential, params)
    again, same = jaxpot.load(tmp_path / "SiC.tersoff")
    assert again.elements == ("Si", "C")
    np.testing.assert_array_equal(same["A"], np.asarray(params["A"], same["A"].dtype))
    np.testing.assert_array_equal(same["c"][1, 0, 1], np.asarray(params["c"], same["c"].dtype)[1])
    other, numbers = jaxpot.load("stillinger_weber_1985:Si")
    jaxpot.save(tmp_path / "Si.sw", other, numbers)
    assert float(jaxpot.load(tmp_path / "Si.sw")[1]["B"]) == pytest.approx(numbers["B"], rel=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no entries"),
        (SILICON.rstrip() + " 1.0\n", "the last entry has 1 words"),
        (SILICON.replace(" 0.0 0.0", " 0.0"), "the last entry has 13 words"),
        (SILICON + SILICON, "the entry Si Si Si comes again, after line 1"),
        (SILICON.replace("21.0", "21.0d0"), "lambda is '21.0d0', which is no number"),
        (SILICON.replace("21.0", "nan"), "lambda is nan; give a finite number"),
        (SILICON.replace("21.0", "-21.0"), "lambda is -21.0, and must not be negative"),
        (SILICON.replace(" 0.0\n", " 1e-3\n"), "tol is 1e-3, and only 0 is possible"),
        ("# UNITS: lj\n" + SILICON, "is in units 'lj'"),
        (SILICON.replace("Si Si Si", "Si Si Ge"), "has no entry Si Si Si"),
        (SILICON.replace("2.0951", "0.0"), "the cutoff must be a positive length"),
    ],
)
def test_faults_of_a_file_are_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.sw"
    path.write_text(text)
    with pytest.raises(FileFormatError) as caught:
        jaxpot.load(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("exponent", "allowed"), [("3.0", True), ("1", True), ("2", False)])
def test_exponents_are_1_or_3(exponent: str, allowed: bool, tmp_path: Path) -> None:
    entry = " ".join(word for line in words(POTENTIALS / "Si.tersoff") for word in line).split()
    entry[3] = exponent
    (tmp_path / "Si.tersoff").write_text(" ".join(entry))
    with contextlib.nullcontext() if allowed else pytest.raises(FileFormatError, match="it must be 1 or 3"):
        jaxpot.load(tmp_path / "Si.tersoff")


def test_entries_that_differ_are_refused_unless_the_mean_is_asked_for(tmp_path: Path) -> None:
    first, entry, rest = (POTENTIALS / "CdTe.sw").read_text().partition("Te Cd Cd")
    path = tmp_path / "CdTe.sw"
    path.write_text(first + entry + rest.replace("7.0496", "7.06", 1))
    with pytest.raises(FileFormatError, match=r"A is 7.0496 for Cd Te Te and 7.06 for Te Cd Cd, which should agree"):
        jaxpot.load(path)
    with pytest.warns(FileWarning, match="mean of both"):
        jaxpot.load(path, style="sw/mean")


def test_elements_are_chosen_by_name() -> None:
    with pytest.raises(FileFormatError, match=r"has no entry C C Ge|has no entry"):
        jaxpot.load(POTENTIALS / "SiCGe.tersoff")
    with pytest.raises(ValueError, match=r"has the elements Si\(B\), Si\(C\), C, Si\(D\), Ge, not Si"):
        jaxpot.load(POTENTIALS / "SiCGe.tersoff", ["Si"])
    potential, _ = jaxpot.load(POTENTIALS / "SiCGe.tersoff", {"Si": "Si(B)"})
    assert potential.elements == ("Si",)
    with pytest.raises(ValueError, match="name elements by their symbols"):
        jaxpot.load(POTENTIALS / "AlCu.eam.alloy", {"Al": "Al"})


def test_what_a_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    _, params = jaxpot.load("tersoff_1989:Si")
    with pytest.raises(FileFormatError, match=r"shift is 0\.1 Å"):
        jaxpot.save(tmp_path / "x.tersoff", jaxpot.tersoff(3.2, ["Si"], shift=0.1), params)
    with pytest.raises(FileFormatError, match="names its elements"):
        jaxpot.save(tmp_path / "x.tersoff", jaxpot.tersoff(3.2), params)
    with pytest.raises(ValueError, match="cannot be written as 'sw'"):
        jaxpot.save(tmp_path / "x.tersoff", jaxpot.tersoff(3.2, ["Si"]), params, style="sw")
    with pytest.raises(FileFormatError, match="A is not finite"):
        jaxpot.save(tmp_path / "x.tersoff", jaxpot.tersoff(3.2, ["Si"]), {**params, "A": np.nan})
    with pytest.raises(ValueError, match="would cut them off"):
        jaxpot.load(POTENTIALS / "Si.tersoff", cutoff=3.0)
