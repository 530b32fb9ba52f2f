"""The command line: what it writes, and that bad input is one line with exit status 2, never a traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import jaxpot
from jaxpot.cli import main
from jaxpot.units import KCAL_PER_MOL

ROOT = Path(__file__).resolve().parents[1]
IRON = ["--potential", "finnis_sinclair_1984:Fe"]
CRYSTAL = ["--structure", "bcc:Fe:2.87:3x3x3"]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_names_sets_with_references(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    everything = capsys.readouterr().out
    assert all(record.name in everything and record.reference in everything for record in jaxpot.available())
    assert run("list", "--element", "W") == 0
    assert "finnis_sinclair_1984:Fe" not in capsys.readouterr().out


def test_evaluate_gives_every_frame(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [bulk("Fe", a=a, cubic=True) * (1, 1, n) for a, n in ((2.8, 1), (2.9, 2))]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.1, seed=k)
    ase.io.write("frames.extxyz", frames)
    options = ("--structure", "frames.extxyz", "--json", "out.json", "--precision", "float64")
    assert run("evaluate", *IRON, *options) == 0
    found = json.loads(Path("out.json").read_text())["frames"]
    potential, params = jaxpot.load("finnis_sinclair_1984:Fe")
    written = ase.io.read("frames.extxyz", index=":")  # the file rounds positions
    for row, expected in zip(found, jaxpot.evaluate(potential, params, written), strict=True):
        assert row["energy_eV"] == pytest.approx(expected.energy, abs=1e-10)
        np.testing.assert_allclose(row["forces_eV_per_A"], expected.forces, atol=1e-10)
        np.testing.assert_allclose(row["stress_eV_per_A3"], expected.stress, atol=1e-10)
        assert sum(row["energies_eV"]) == pytest.approx(row["energy_eV"])


def test_relax_finds_the_lattice_constant() -> None:
    options = ("--structure", "bcc:Fe:2.80", "--cell", "--force", "1e-4", "--output", "out.extxyz")
    assert run("relax", *IRON, *options, "--precision", "float64") == 0
    # Finnis and Sinclair's table: 2.8665 Å
    assert ase.io.read("out.extxyz").cell.lengths() == pytest.approx(2.8665, abs=2e-4)


def test_md_writes_its_files_and_resumes(capsys: pytest.CaptureFixture[str]) -> None:
    common = (*IRON, *CRYSTAL, "--ensemble", "nvt", "--temperature", "300", "--restart-every", "10")
    often = ("--thermo-every", "5", "--trajectory-every", "10")
    assert run("md", *common, *often, "--steps", "40", "--output", "whole") == 0
    text = capsys.readouterr().out
    assert "temperature" in text and "steps/s" in text
    assert run("md", *common, *often, "--steps", "20", "--output", "parts", "--no-plots") == 0
    assert run("md", *common, *often, "--steps", "40", "--output", "parts", "--no-plots") == 2
    assert "--resume" in capsys.readouterr().err
    assert run("md", *common, *often, "--steps", "40", "--output", "parts", "--resume") == 0
    for name in ("thermo.csv", "trajectory.extxyz", "final.extxyz"):
        assert Path("whole", name).read_bytes() == Path("parts", name).read_bytes()
    for name in ("thermo.png", "rdf.png"):
        assert Path("whole", name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_run_that_breaks_says_where_and_keeps_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--temperature", "300", "--timestep", "400", "--steps", "200", "--thermo-every", "1")
    assert run("md", *IRON, *CRYSTAL, *options, "--output", "broken", "--no-plots") == 3
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "step" in message and "atom" in message and "timestep" in message
    assert Path("broken", "thermo.csv").read_text().count("\n") >= 2


@pytest.mark.slow
def test_the_demonstration_ends_with_a_table_and_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    from jaxpot.demo import main as demonstrate

    demonstrate(["--cells", "3", "--steps", "40", "--output", "shown"])
    text = capsys.readouterr().out
    assert text.startswith("54 atoms of bcc iron")
    for row in ("temperature", "energy drift", "pressure", "speed"):
        assert len(re.findall(rf"^{row} +\S+", text, flags=re.MULTILINE)) >= 2, row
    pictures = [Path(line.removeprefix("picture: ")) for line in text.splitlines() if line.startswith("picture: ")]
    assert [str(path) for path in pictures] == [
        f"shown/{part}/{name}.png" for part in ("1_nvt", "2_nve") for name in ("thermo", "rdf")
    ]
    for path in pictures:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def bad_files() -> None:
    Path("empty.xyz").write_text("")
    Path("cut.eam.alloy").write_text("a\nb\nc\n1 Cu\n10 0.1 10 0.1 5.0\n29 63.5 3.6 fcc\n0.0 1.0\n")
    ase.io.write("nan.extxyz", Atoms("Fe2", positions=[[0, 0, 0], [np.nan, 0, 2]]))
    ase.io.write("flat.extxyz", Atoms("Fe", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True))
    ase.io.write("same.extxyz", Atoms("Fe2", positions=[[0, 0, 0], [0, 0, 0]], cell=[9, 9, 9], pbc=True))
    ase.io.write("gold.extxyz", Atoms("Au", cell=[9, 9, 9], pbc=True))
    ase.io.write("tiny.extxyz", Atoms("Fe", cell=[1e-7] * 3, pbc=True))
    Path("flat_row.extxyz").write_text(
        '1\nLattice="3 0 0 0 3 0 0 0 0" Properties=species:S:1:pos:R:3 pbc="T T T"\nFe 0 0 0\n'
    )
    lost = Atoms("Fe2", positions=[[0, 0, 0], [0, 0, 2.4]], momenta=[[0, 0, 0], [0, np.nan, 0]])
    ase.io.write("lost.extxyz", lost)
    weightless = Atoms("Fe2", positions=[[0, 0, 0], [0, 0, 2.4]], masses=[0.0, 1.0])
    ase.io.write("weightless.extxyz", weightless)
    ase.io.write("two.extxyz", [bulk("Fe"), bulk("Fe")])
    cutoff = "a\nb\nc\n1 Cu\n10 0.1 10 0.1 0.0\n29 63.5 3.6 fcc\n" + "0.1 " * 30
    Path("cutoff.eam.alloy").write_text(cutoff)
    Path("counts.eam.alloy").write_text(cutoff.replace("1 Cu", "2 Cu").replace("0.1 0.0", "0.1 0.9"))
    Path("garbage.cif").write_bytes(bytes(range(256)))
    Path("file").write_text("")
    Path("torn.sdf").write_text("torn\n\n\n  2  1  0\n    0.0 0.0\n$$$$\n")


MD = ("--temperature", "300", "--steps", "5", "--output", "out")
BAD = {
    "no such structure": (("evaluate", *IRON, "-s", "none.xyz"), "no such file"),
    "empty structure": (("evaluate", *IRON, "-s", "empty.xyz"), "empty.xyz"),
    "unreadable structure": (("evaluate", *IRON, "-s", "garbage.cif"), "ASE cannot read"),
    "structure is a folder": (("evaluate", *IRON, "-s", "."), "folder"),
    "no such set": (("evaluate", "-p", "finnis_sinclair_1984:Zz", "-s", "bcc:Fe:2.87"), "published set"),
    "no such potential file": (("evaluate", "-p", "none.eam.alloy", "-s", "bcc:Fe:2.87"), "no such file"),
    "cut-off potential file": (("evaluate", "-p", "cut.eam.alloy", "-s", "fcc:Cu:3.6"), "cut.eam.alloy"),
    "elements the file lacks": (("evaluate", *IRON, "--elements", "Fe,Cu", "-s", "bcc:Fe:2.87"), "Cu"),
    "unknown element": (("evaluate", *IRON, "-s", "gold.extxyz"), "Au"),
    "not a number": (("evaluate", *IRON, "-s", "nan.extxyz"), "not finite"),
    "no volume": (("evaluate", *IRON, "-s", "flat.extxyz"), "span no volume"),
    "atoms on top of each other": (("md", *IRON, "-s", "same.extxyz", *MD), "closer than"),
    "no volume at all": (("evaluate", *IRON, "-s", "flat_row.extxyz"), "span no volume"),
    "lengths in metres": (("evaluate", *IRON, "-s", "tiny.extxyz"), "too small"),
    "cutoff 0": (("evaluate", "-p", "cutoff.eam.alloy", "-s", "fcc:Cu:3.6"), "cutoff.eam.alloy:5: the cutoff is"),
    "wrong number of elements": (("evaluate", "-p", "counts.eam.alloy", "-s", "fcc:Cu:3.6"), "says 2 element(s)"),
    "velocities that are no numbers": (
        ("md", *IRON, "-s", "lost.extxyz", "--keep-velocities", "--steps", "5", "-o", "out"),
        "velocity of atom 1",
    ),
    "no mass": (("md", *IRON, "-s", "weightless.extxyz", *MD), "positive mass"),
    "negative seed": (("md", *IRON, *CRYSTAL, *MD, "--seed", "-1"), "seed"),
    "no such format": (("relax", *IRON, *CRYSTAL, "-o", "x.nothing"), "does not know how to write"),
    "a format for one": (("relax", *IRON, "-s", "two.extxyz", "-o", "POSCAR"), "holds one structure, not 2"),
    "output in no folder": (("relax", *IRON, *CRYSTAL, "-o", "none/x.xyz"), "no folder none"),
    "output over a folder": (("relax", *IRON, *CRYSTAL, "-o", "."), "is a folder"),
    "json in no folder": (("evaluate", *IRON, *CRYSTAL, "--json", "none/x.json"), "no folder none"),
    "not a crystal": (("evaluate", *IRON, "-s", "bcc:Fe"), "not a crystal"),
    "not an element": (("evaluate", *IRON, "-s", "bcc:Qq:2.9"), "not a chemical element"),
    "lattice constant 0": (("evaluate", *IRON, "-s", "bcc:Fe:0"), "positive"),
    "zero cells": (("evaluate", *IRON, "-s", "bcc:Fe:2.87:0x1x1"), "at least once"),
    "unknown ensemble": (("md", *IRON, *CRYSTAL, *MD, "--ensemble", "nve2"), "ensemble"),
    "negative temperature": (("md", *IRON, *CRYSTAL, "--steps", "5", "-o", "out", "--temperature", "-3"), "negative"),
    "no temperature": (("md", *IRON, *CRYSTAL, "--steps", "5", "-o", "out"), "--temperature"),
    "timestep 0": (("md", *IRON, *CRYSTAL, *MD, "--timestep", "0"), "time"),
    "negative steps": (("md", *IRON, *CRYSTAL, "--temperature", "3", "--steps", "-1", "-o", "out"), "negative"),
    "skin 0": (("md", *IRON, *CRYSTAL, *MD, "--skin", "0"), "skin"),
    "output is a file": (("md", *IRON, *CRYSTAL, "--temperature", "3", "--steps", "1", "-o", "file"), "is a file"),
    "nothing to resume": (("md", *IRON, *CRYSTAL, *MD, "--resume"), "restart"),
    "force of 0": (("relax", *IRON, *CRYSTAL, "-o", "x.extxyz", "--force", "0"), "positive"),
    "misspelt option": (("evaluate", *IRON, *CRYSTAL, "--temprature", "3"), "--temprature"),
    "no command": (("evluate",), "evluate"),
    "molecules from no SDF file": (("relax", "-p", "mmff94", *CRYSTAL, "-o", "out.sdf"), ".sdf"),
    "no molecules": (("relax", "-p", "mmff94", "-s", "none.sdf", "-o", "out.sdf"), "no such file"),
    "molecules that are none": (("relax", "-p", "mmff94", "-s", "torn.sdf", "-o", "out.sdf"), "torn.sdf:1: record 1"),
    "a cell for molecules": (("relax", "-p", "mmff94", "-s", "torn.sdf", "-o", "out.sdf", "--cell"), "--cell"),
    "dynamics of molecules": (("evaluate", "-p", "mmff94", "-s", "torn.sdf"), "jaxpot relax"),
    "unknown precision": (("evaluate", *IRON, *CRYSTAL, "--precision", "float16"), "float16"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_with_status_2(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    bad_files()
    before = sorted(Path().rglob("*"))
    arguments, said = BAD[case]
    assert run(*arguments) == 2
    output = capsys.readouterr()
    lines = output.err.strip().splitlines()
    assert output.out == ""
    assert len(lines) == 1 and lines[0].startswith("jaxpot: ")
    assert said in lines[0]
    assert sorted(Path().rglob("*")) == before  # nothing half-written


def test_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jaxpot", "evaluate", "-p", "nothing", "-s", "bcc:Fe:2.87"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr


def test_relax_molecules_of_an_sdf_file(capsys: pytest.CaptureFixture[str]) -> None:
    from rdkit import Chem
    from rdkit.Chem import rdForceFieldHelpers

    from jaxpot.io.molecules import from_smiles, read_sdf, write_sdf

    mols = [from_smiles(smiles) for smiles in ("CCO", "CC=O")]
    write_sdf(Path("mols.sdf"), mols)
    options = ("--structure", "mols.sdf", "--output", "out.sdf", "--force", "1e-4", "--precision", "float64")
    assert run("relax", "--potential", "mmff94", *options) == 0
    assert capsys.readouterr().out.count(", converged") == 2
    for mol, relaxed in zip(mols, read_sdf(Path("out.sdf")), strict=True):
        assert rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=5000) == 0
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol)
        expected = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties).CalcEnergy()
        assert float(relaxed.GetProp("energy_eV")) / KCAL_PER_MOL == pytest.approx(expected, abs=1e-4)
    assert Chem.MolToSmiles(relaxed) == Chem.MolToSmiles(mols[1])
