"""`jaxpot fit snap` and `jaxpot verify`: what is written is what LAMMPS reads, and differences are failures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

import jaxpot
from jaxpot.io.eam_files import read_adp, write_adp
from tests import structures
from tests.conftest import FLOAT32
from tests.oracles import lammps
from tests.test_cli import run

pytestmark = pytest.mark.skipif(FLOAT32, reason="fits are in float64")

FIT = ("fit", "snap", "--train", "train.extxyz", "--twojmax", "2", "--cutoff", "3.6", "--folds", "3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled structures of copper by somebody else's potential, and a fit to them."""
    path = tmp_path_factory.mktemp("fit")
    potential, params = jaxpot.load(lammps.POTENTIALS / "Cu_mishin1.eam.alloy")
    atoms = [structures.crystal(["Cu"], 3.6 + 0.05 * (k % 3), repeat=1, seed=k) for k in range(14)]
    for k, (one, found) in enumerate(zip(atoms, jaxpot.evaluate(potential, params, atoms), strict=True)):
        one.calc = SinglePointCalculator(one, energy=found.energy, forces=found.forces)
        one.info["config_type"] = "even" if k % 2 == 0 else "odd"
    ase.io.write(path / "train.extxyz", atoms[:10])
    ase.io.write(path / "test.extxyz", atoms[10:])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        assert run(*FIT, "--test", "test.extxyz", "--zbl", "1.0,2.0", "--output", "out") == 0
    return path


@pytest.mark.slow
def test_a_fit_writes_what_lammps_reads(folder: Path) -> None:
    out = folder / "out"
    names = {
        "Cu.snap",
        "Cu.snapcoeff",
        "Cu.snapparam",
        "parity_test.png",
        "parity_train.png",
        "report.json",
        "report.txt",
    }
    assert {path.name for path in out.iterdir()} == names
    report = json.loads((out / "report.json").read_text())
    atoms = ase.io.read(folder / "test.extxyz", index=":")
    commands = (out / "Cu.snap").read_text().replace("Cu.snap", f"{out}/Cu.snap").splitlines()
    errors = []
    for one in atoms:
        found = lammps.single_point(one, [line for line in commands if line.startswith("pair")], ["Cu"])
        errors.append(1e3 * abs(found.energy - one.get_potential_energy()) / len(one))
    # the errors that the report tells are those of the files, by LAMMPS
    np.testing.assert_allclose(report["errors"]["test"]["all"]["energy_mae"], np.mean(errors), rtol=1e-6)
    assert set(report["errors"]["test"]) == {"even", "odd", "all"}
    assert report["cross_validation"]["table"] and "fit, compilation included" in report["seconds"]
    assert "errors on the test structures" in (out / "report.txt").read_text()


@pytest.mark.slow
def test_verify_agrees_and_fails_loudly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert run("verify", "--potential", "out", "--against", "lammps", "--structure", "test.extxyz") == 0
    assert "agree within" in capsys.readouterr().out
    assert run("verify", "-p", "out", "-s", "test.extxyz", "--energy-tolerance", "1e-30") == 1
    output = capsys.readouterr()
    assert "DIFFERENT" in output.out and "differ in" in output.err


@pytest.mark.slow
def test_verify_knows_tables_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    ase.io.write("slab.traj", structures.make("slab", ["Cu"], 3.6))
    file = str(lammps.POTENTIALS / "Cu_mishin1.eam.alloy")
    assert run("verify", "-p", file, "-s", "slab.traj") == 0


BAD = {
    "no such file": (("--train", "none.extxyz"), "no such file"),
    "no such label": (("--energy-key", "dft", "--forces-key", "f", "--stress-key", "s"), "no label called"),
    "an element that is not asked for": (("--elements", "Al"), "Cu is not among Al"),
    "weights": (("--weights", "1,two"), "--weights must be numbers"),
    "too many weights": (("--weights", "1,2,3,4"), "--weights must be cv"),
    "zbl": (("--zbl", "4"), "--zbl must be INNER,OUTER"),
    "cutoff": (("--cutoff", "wide"), "--cutoff must be numbers"),
    "atom energies": (("--atom-energies", "Cu"), "--atom-energies must be such as"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    atoms = structures.crystal(["Cu"], 3.6, repeat=1)
    atoms.calc = SinglePointCalculator(atoms, energy=-14.0)
    ase.io.write("train.extxyz", [atoms])
    arguments, said = BAD[case]
    base = FIT if "--train" not in arguments else ("fit", "snap")
    assert run(*base, *arguments, "--output", "out") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]


def test_verify_says_why_an_adp_differs_beyond_its_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ase.io.write("dense.traj", structures.crystal(["Al", "Cu"], 3.7, repeat=(2, 1, 1), seed=1))
    whole = read_adp(lammps.POTENTIALS / "AlCu.adp")
    points = whole.n_rho // 50  # of which most atoms are beyond
    write_adp("a.adp", dataclasses.replace(whole, n_rho=points, embedding=whole.embedding[:, :points]))
    assert run("verify", "-p", "a.adp", "-s", "dense.traj") == 1
    error = capsys.readouterr().err
    assert "the energies alone differ" in error and "leaves the linear continuation of F out of the energy" in error


@pytest.mark.slow
def test_minutes_bound_a_fit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert run(*FIT, "--minutes", "1e-9", "--output", str(tmp_path / "none")) == 3
    assert "out of time when 0 of 10 structures were prepared" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    # the time is over after one combination of weights, and before the errors
    monkeypatch.setattr("jaxpot.fit.linear.weights.time", SimpleNamespace(perf_counter=lambda: float("inf")))
    left = iter([60.0, -1.0])
    monkeypatch.setattr("jaxpot.cli.fit.minutes_left", lambda *_: next(left))
    assert run(*FIT, "--test", "test.extxyz", "--minutes", "60", "--output", str(tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert "out of time after 1 combinations" in said and "errors are those of 0 of 14 structures" in said
    potential, params = jaxpot.load(tmp_path / "out")
    atoms = ase.io.read("test.extxyz", index=":")
    mean = np.mean([one.get_potential_energy() / len(one) for one in atoms])
    errors = [
        found.energy / len(one) - one.get_potential_energy() / len(one)
        for one, found in zip(atoms, jaxpot.evaluate(potential, params, atoms), strict=True)
    ]
    assert np.abs(errors).max() < 0.1 < abs(mean)  # eV: what there is is a fit
