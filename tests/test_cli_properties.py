"""`jaxpot properties`: its numbers are those of the functions and of the paper, with pictures of them."""

from __future__ import annotations

import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk, fcc100

from jaxpot.properties import elastic_moduli
from tests.conftest import FLOAT32
from tests.oracles import lammps
from tests.test_cli import run
from tests.test_properties import C11, C12, C44, COHESION, VACANCY, A

pytestmark = pytest.mark.skipif(FLOAT32, reason="differences and relaxations are in float64")

COPPER = ("properties", "-p", str(lammps.POTENTIALS / "Cu_mishin1.eam.alloy"), "-s", "fcc:Cu:3.58")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_properties_of_copper(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*COPPER, "--output", "out", "--surfaces", "111,2:-1:0") == 0
    found = json.loads(Path("out/properties.json").read_text())
    np.testing.assert_allclose(found["cell_A"], A * np.eye(3), atol=1e-3)
    np.testing.assert_allclose(found["energy_eV_per_atom"], -COHESION, atol=1e-3)
    constants = np.array(found["elastic"]["constants_GPa"])
    np.testing.assert_allclose(constants[[0, 0, 3], [0, 1, 3]], [C11, C12, C44], atol=0.5)
    assert found["elastic"]["shear"] == pytest.approx(elastic_moduli(constants).shear)
    np.testing.assert_allclose(found["eos"]["bulk_modulus_GPa"], (C11 + 2 * C12) / 3, rtol=0.02)
    np.testing.assert_allclose(found["vacancy"]["formation_energy_eV"], VACANCY, atol=0.01)
    np.testing.assert_allclose(found["surfaces"]["111"]["J_per_m2"], 1.239, rtol=0.005)
    assert set(found["surfaces"]) == {"111", "2 -1 0"}
    assert found["phonons"]["highest_THz"] == pytest.approx(7.82, abs=0.05)
    text = capsys.readouterr().out
    for said in ("vacancy            1.2", "surface (2 -1 0)", "phonons at X  ", "Poisson's ratio"):
        assert said in text
    names = {"elasticity", "equation_of_state", "phonons", "surfaces"}
    assert {path.stem for path in Path("out").glob("*.png")} == names
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in Path("out").glob("*.png"))
    assert ase.io.read("out/crystal.extxyz").cell.lengths() == pytest.approx(A, abs=1e-3)
    assert run(*COPPER, "--output", "out") == 2
    assert "--force replaces them" in capsys.readouterr().err


@pytest.mark.slow
def test_an_unstable_crystal_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    square = ("properties", "-p", "sutton_chen_1990:Cu", "-s", "sc:Cu:2.4", "--only", "elastic,phonons")
    assert run(*square, "--output", "out") == 0
    text = capsys.readouterr().out
    assert "unstable: a strain lowers the energy" in text and "unstable: imaginary frequencies" in text
    found = json.loads(Path("out/properties.json").read_text())
    assert not found["elastic"]["stable"] and found["phonons"]["lowest_THz"] < -0.1


def test_what_cannot_be_computed_is_said_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("the vacancy moves about")

    monkeypatch.setattr("jaxpot.properties.vacancy_formation_energy", fails)
    assert run(*COPPER, "--only", "vacancy,eos", "--output", "out", "--no-plots") == 2
    output = capsys.readouterr()
    assert "vacancy could not be computed: the vacancy moves about" in output.err.splitlines()[-1]
    found = json.loads(Path("out/properties.json").read_text())
    assert found["vacancy"] == {"error": "the vacancy moves about"} and found["eos"]["bulk_modulus_GPa"] > 0
    assert {path.name for path in Path("out").iterdir()} == {"properties.json", "crystal.extxyz"}


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    slab = fcc100("Cu", (1, 1, 2), vacuum=5.0)
    slab.info = {}
    ase.io.write("slab.extxyz", slab)
    ase.io.write("file", bulk("Cu"), format="extxyz")
    for arguments, said in (
        (("--only", "elastic,color"), "--only knows elastic, eos, phonons, vacancy, surfaces, got 'color'"),
        (("--surfaces", "1100"), "got '1100'"),
        (("--surfaces", "000"), "got '000'"),
        (("--supercell", "0"), "--supercell must be a positive length"),
        (("-s", "slab.extxyz"), "a crystal repeats in all directions"),
        (("-o", "file"), "is a file"),
    ):
        assert run(*COPPER, "-o", "out", *arguments) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if "cpu_aot" not in line]
        assert said in line
        assert not Path("out").exists()
