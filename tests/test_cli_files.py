"""The command line and files that leave something open: options that answer, one line where they are missing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from jaxpot.cli.commands import run
from tests.conftest import FLOAT32

pytestmark = pytest.mark.skipif(FLOAT32, reason="energies are compared in float64")

DATA = (
    "title\n\n2 atoms\n1 atom types\n0 4 xlo xhi\n0 4 ylo yhi\n0 4 zlo zhi\n\n{masses}Atoms\n\n1 1 0 0 0\n2 1 2 2 1.9\n"
)
COPPER = ("evaluate", "-p", "sutton_chen_1990:Cu", "--precision", "float64", "-s")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def command(*words: str) -> int:
    return run(list(words))


def test_a_data_file_is_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    Path("copper.data").write_text(DATA.format(masses="Masses\n\n1 63.546\n\n"))
    assert command(*COPPER, "copper.data", "--json", "out.json") == 0
    assert json.loads(Path("out.json").read_text())["frames"][0]["energy_eV"] == pytest.approx(-3.63019437, rel=1e-8)
    Path("open.data").write_text(DATA.format(masses=""))
    assert command(*COPPER, "open.data") == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1 and "--types Cu,Ni" in error
    assert command(*COPPER, "open.data", "--types", "Cu") == 0
    assert command(*COPPER, "open.data", "--types", "Cu", "--structure-format", "lammps-data/atomic") == 0
    assert command(*COPPER, "open.data", "--types", "Xy") == 2
    assert "'Xy' is no chemical symbol" in capsys.readouterr().err


def test_warnings_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    Path("POSCAR").write_text("Cu\n1.0\n4 0 0\n0 4 0\n0 0 4\n2\nDirect\n0 0 0\n0.5 0.5 0.475\n")
    assert command(*COPPER, "POSCAR") == 0
    assert re.fullmatch(r"jaxpot: warning: POSCAR:1: names no elements .*\n", capsys.readouterr().err)


@pytest.mark.slow
def test_labels_are_named_or_recognised_by_every_fit(capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for k in range(8):
        atoms = bulk("Cu", cubic=True, a=3.5 + 0.03 * k)
        atoms.rattle(0.05, seed=k)
        atoms.calc = EMT()
        virial = -atoms.get_stress(voigt=False) * atoms.cell.volume
        lattice = " ".join(map(str, atoms.cell.array.ravel()))
        info = (
            f'Lattice="{lattice}" energy={atoms.get_potential_energy()} virial="{" ".join(map(str, virial.ravel()))}" '
            "other_energy=1.0 Properties=species:S:1:pos:R:3:mlip_forces:R:3"
        )
        lines += [
            "4",
            info,
            *(f"Cu {' '.join(map(str, [*p, *f]))}" for p, f in zip(atoms.positions, atoms.get_forces(), strict=True)),
        ]
    Path("train.xyz").write_text("\n".join(lines) + "\n")
    fit = ("fit", "snap", "--twojmax", "2", "--train", "train.xyz", "--no-plots", "--weights", "100,1,1")
    assert command(*fit, "-o", "a") == 0
    said = capsys.readouterr()
    assert "labels of train.xyz: virial from virial (eV, minus the stress times the volume)" in said.out
    assert said.err.count("looks like a label and is not used") == 2
    assert "stress" in Path("a", "report.json").read_text()
    assert (
        command(*fit, "-o", "b", "--forces-key", "mlip_forces", "--virial-key", "none", "--energy-key", "energy") == 0
    )
    said = capsys.readouterr()
    others = [line for line in said.err.splitlines() if not line.startswith("rows of the fit: ")]  # how far it is
    assert others == [] and "labels of train.xyz: forces from mlip_forces (eV/Å)" in said.out
    schnet = ("fit", "schnet", "--features", "4", "--epochs", "1", "--train", "train.xyz", "--no-plots", "-o", "c")
    assert command(*schnet, "--energy-key", "energy", "--forces-key", "mlip_forces") == 0
    assert "stresses of 8 frames are not used; --stress-weight gives them a weight" in capsys.readouterr().out
    assert command(*schnet, "--forces-key", "nothing", "--force") == 2
    assert "has no label called forces='nothing'" in capsys.readouterr().err
