"""What the commands say while they run without a terminal, their limits of time, and what they take from files."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import ase.io
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc100
from ase.calculators.singlepoint import SinglePointCalculator
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

import jaxpot
from jaxpot.cli.md_report import ThermoLines
from jaxpot.cli.progress import Lines
from jaxpot.io.molecules import from_smiles, read_sdf
from jaxpot.simulate import Thermo
from jaxpot.simulate.output import read_thermo
from jaxpot.units import KCAL_PER_MOL
from tests.test_cli import CRYSTAL, IRON, run

COPPER = ["--potential", "sutton_chen_1990:Cu"]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_are_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    for k in range(10_001):
        clock.now = float(k)
        lines(f"training: {k} of 10000 epochs, error: {k}")
    said = [int(text.split()[1]) for text in capsys.readouterr().err.splitlines()]
    assert said[:3] == [0, 10, 20]  # the first at once, then every ten seconds
    gaps = np.diff(said)
    assert gaps.min() == 10 and 90 <= gaps.max() <= 101  # and later at intervals of a hundredth of the time so far
    lines("drawing: 1 of 3 pictures")
    lines("drawing: 2 of 3 pictures")
    assert capsys.readouterr().err == "drawing: 1 of 3 pictures\n"  # a new stage is told at once


def test_records_of_a_run_are_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = ThermoLines(2, 100, Lines(clock))
    for step in range(0, 101, 5):
        clock.now = 0.3 * step
        lines(Thermo(step, 1e-3 * step, -8.0, 0.5, -7.5, -7.5, 300.0, float("nan"), float("nan"), float("nan")), 20.0)
    heading, *records = capsys.readouterr().err.splitlines()
    assert [int(record.split()[0]) for record in records] == [0, 35, 70, 100]
    assert heading.split("  ")[-1].strip() == "steps/s" and "E_pot (eV/atom)" in heading
    assert records[1].split() == ["35", "0.0350", "300.0", "-4.000000", "-3.750000", "-", "-", "20.0"]


def test_md_prints_records_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--temperature", "300", "--steps", "20", "--output", "out", "--no-plots")
    assert run("md", *IRON, *CRYSTAL, *options) == 0
    heading, first, last = [line for line in capsys.readouterr().err.splitlines() if "cpu_aot" not in line]
    assert "T (K)" in heading and "p (bar)" in heading and "V (Å^3/atom)" in heading
    assert first.split()[:3] == ["0", "0.0000", "300.0"] and last.split()[0] == "20"
    thermo = read_thermo(Path("out/thermo.csv"))
    assert float(last.split()[3]) == pytest.approx(thermo["potential_eV"][-1] / 54, abs=1e-6)


def test_the_table_says_what_its_means_are_of(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--ensemble", "langevin", "--temperature", "300", "--thermostat-time", "20", "--steps", "1200")
    assert run("md", *IRON, *CRYSTAL, *options, "--thermo-every", "2", "--output", "out", "--no-plots") == 0
    text = capsys.readouterr().out
    mean, error = map(float, re.findall(r"^temperature +(\S+) ± (\S+) K$", text, flags=re.MULTILINE)[0])
    half = read_thermo(Path("out/thermo.csv"))["temperature_K"][300:]
    assert mean == pytest.approx(half.mean(), abs=0.5 * error)
    assert half.std() / np.sqrt(len(half)) < error < half.std()  # records are correlated
    assert "second half, steps 600 to 1200, 301 records; ± is one standard error" in text
    assert re.search(r"^volume per atom +11\.82 Å\^3$", text, flags=re.MULTILINE)  # what is constant has no error


def test_any_strain_of_the_cell_can_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--ensemble", "npt", "--temperature", "300", "--pressure", "5000", "--barostat-time", "100")
    for cell in ("isotropic", "anisotropic", "flexible"):
        assert run("md", *IRON, *CRYSTAL, *options, "--cell", cell, "--steps", "100", "-o", cell, "--no-plots") == 0
    shapes = {cell: ase.io.read(f"{cell}/final.extxyz").cell.array for cell in ("isotropic", "anisotropic", "flexible")}
    strains = {cell: shape / 8.61 - np.eye(3) for cell, shape in shapes.items()}
    assert all(np.trace(strain) < -1e-3 for strain in strains.values())
    for cell, numbers in (("isotropic", 2), ("anisotropic", 4), ("flexible", 6)):  # 0 is one of the first two
        assert len(np.unique(np.round(np.abs(strains[cell][np.triu_indices(3)]), 6))) == numbers
    capsys.readouterr()
    assert run("md", *IRON, *CRYSTAL, "--temperature", "300", "--cell", "flexible", "--steps", "1", "-o", "x") == 2
    assert "goes with --ensemble npt" in capsys.readouterr().err


def test_volume_and_density_are_drawn_where_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    options = ("--temperature", "300", "--steps", "20", "--trajectory-every", "20")
    for ensemble in ("nvt", "npt"):
        assert run("md", *IRON, *CRYSTAL, *options, "--ensemble", ensemble, "--output", ensemble) == 0
    fixed, moving = (
        [axes.get_ylabel().split("(")[0].strip() for axes in drawn[k].axes] for k in (0, 2)
    )  # fmt: skip
    assert fixed == ["energy change", "temperature", "pressure"]
    assert moving == [*fixed, "volume", "density"]
    thermo = read_thermo(Path("npt/thermo.csv"))
    np.testing.assert_array_equal(drawn[2].axes[3].lines[0].get_ydata(), thermo["volume_A3"] / 54)
    np.testing.assert_array_equal(drawn[2].axes[4].lines[0].get_ydata(), thermo["density_g_cm3"])


def test_minutes_bound_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--temperature", "300", "--steps", "1000000000", "--output", "out", "--no-plots")
    assert run("md", *IRON, *CRYSTAL, *options, "--minutes", "1e-9") == 0
    assert "stopped at step 0 of 1000000000; go on with --resume" in capsys.readouterr().out
    assert run("md", *IRON, *CRYSTAL, *options, "--resume", "--minutes", "0") == 2
    assert "--minutes must be positive" in capsys.readouterr().err


def labelled() -> None:
    """Structures of copper with the energies and forces of somebody's potential."""
    potential, params = jaxpot.load("sutton_chen_1990:Cu")
    frames = [bulk("Cu", a=3.5 + 0.05 * (k % 4), cubic=True) for k in range(12)]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.1, seed=k)
    for atoms, found in zip(frames, jaxpot.evaluate(potential, params, frames), strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=found.energy, forces=found.forces)
    ase.io.write("train.extxyz", frames)


SCHNET = ("fit", "schnet", "--train", "train.extxyz", "--features", "8", "--interactions", "1", "--cutoff", "4.0")


@pytest.mark.slow
def test_a_training_says_how_far_it_is_and_is_over_in_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled()
    assert run(*SCHNET, "--epochs", "3", "--output", "whole", "--no-plots") == 0
    said = capsys.readouterr().err
    assert re.search(r"^preparing: 1 of \d+ structures$", said, flags=re.MULTILINE)
    assert re.search(r"^training: 1 of 3 epochs, validation \S+ meV/atom, \S+ eV/Å$", said, flags=re.MULTILINE)
    # time that is over before the data are prepared, before the first epoch, and while it trains
    assert run(*SCHNET, "--minutes", "1e-9", "--output", "none") == 3
    assert "out of time when 0 of" in capsys.readouterr().err
    assert not Path("none").exists()

    # two minutes, of which 108 s are not for the report; every look at the clock of the training takes 10 s
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    clock = Clock()
    ticking = SimpleNamespace(perf_counter=lambda: setattr(clock, "now", clock.now + 10.0) or clock.now)
    monkeypatch.setattr("jaxpot.fit.gradient.loop.time", ticking)
    assert run(*SCHNET, "--minutes", "2", "--epochs", "50", "--output", "part", "--no-plots") == 0
    # an epoch has three looks; the fourth one would have ended at 140 s
    assert "out of time after 3 epochs" in capsys.readouterr().out
    metrics = Path("part/metrics.csv").read_text().splitlines()
    assert len(metrics) == 4


def test_the_output_folder_is_there_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object, **__: object) -> None:
        assert Path("deep/out").is_dir()
        raise ValueError("seen")

    labelled()
    monkeypatch.setattr("jaxpot.cli.md.run_md", looked)
    monkeypatch.setattr("jaxpot.fit.read_dataset", looked)
    fit = ("--train", "train.extxyz", "--output", "deep/out")
    for command in (
        ("md", *IRON, *CRYSTAL, "--temperature", "1", "--steps", "1", "--output", "deep/out"),
        ("fit", "snap", *fit),
        ("fit", "schnet", *fit),
        ("fit", "hdnnp", *fit),
    ):
        assert run(*command) == 2
        assert not Path("deep").exists()  # bad input leaves nothing behind


def test_relax_takes_smiles(capsys: pytest.CaptureFixture[str]) -> None:
    common = ("relax", "-p", "mmff94", "--force", "1e-4", "--precision", "float64", "-o", "out.sdf")
    Path("few.smi").write_text("# a comment\nCCO ethanol\n\nc1ccccc1\tbenzene ring\nCC\n")
    expected = {"O": ["O"], "few.smi": ["ethanol", "benzene ring", "CC"]}
    for source, names in expected.items():
        assert run(*common, "--structure", source) == 0
        mols = read_sdf(Path("out.sdf"))
        assert [mol.GetProp("_Name") for mol in mols] == names
        assert capsys.readouterr().out.count(", converged") == len(names)
    for mol, smiles in zip(mols, ("CCO", "c1ccccc1", "CC"), strict=True):
        other = from_smiles(smiles)
        assert Chem.MolToSmiles(mol) == Chem.MolToSmiles(other)
        assert rdForceFieldHelpers.MMFFOptimizeMolecule(other, maxIters=5000) == 0
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(other)
        energy = rdForceFieldHelpers.MMFFGetMoleculeForceField(other, properties).CalcEnergy()
        assert float(mol.GetProp("energy_eV")) / KCAL_PER_MOL == pytest.approx(energy, abs=1e-4)
    for rule, lengths in (("rdkit", (1.405, 0.02)), ("published", (1.197, 0.02))):
        with pytest.warns(UserWarning, match=r"O0-C1 of O=C=O"):
            assert run(*common, "--structure", "O=C=O", "--empirical-bonds", rule) == 0
        positions = read_sdf(Path("out.sdf"))[0].GetConformer().GetPositions()
        assert np.linalg.norm(positions[0] - positions[1]) == pytest.approx(lengths[0], abs=lengths[1])
    assert run("relax", *COPPER, "-s", "fcc:Cu:3.6", "-o", "x.extxyz", "--empirical-bonds", "published") == 2
    assert "--empirical-bonds goes with mmff94 and mmff94s alone" in capsys.readouterr().err
    Path("bad.smi").write_text("CCO\nthis is none\n")
    assert run(*common, "--structure", "bad.smi") == 2
    assert "bad.smi:2: holds no molecule" in capsys.readouterr().err
    assert run(*common, "--structure", "C1CC") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1  # RDKit keeps silent


def test_relax_keeps_a_vacuum_or_refuses_to_close_it(capsys: pytest.CaptureFixture[str]) -> None:
    for vacuum, name in ((7.0, "wide"), (4.0, "narrow")):  # on either side; the potential reaches 12.4 Å
        slab = fcc100("Cu", (1, 1, 3), a=3.6, vacuum=vacuum, periodic=True)
        slab.info = {}
        slab.rattle(0.02, seed=1)
        ase.io.write(f"{name}.extxyz", slab)
    assert run("relax", *COPPER, "-s", "wide.extxyz", "--cell", "-o", "out.extxyz", "--precision", "float64") == 0
    assert "frame 0: the vacuum of 13.98 Å along c stays" in capsys.readouterr().out
    before, after = ase.io.read("wide.extxyz"), ase.io.read("out.extxyz")
    np.testing.assert_allclose(after.cell[2], before.cell[2], atol=1e-7)
    assert np.abs(after.cell[:2] - before.cell[:2]).max() > 0.01 and after.pbc.all()
    assert run("relax", *COPPER, "-s", "narrow.extxyz", "--cell", "-o", "no.extxyz") == 2
    assert re.search(r"7\.98 Å without atoms along c, which --cell would close", capsys.readouterr().err)
    assert not Path("no.extxyz").exists()
    cube = bulk("Cu", a=3.6, cubic=True)
    cube.set_cell(cube.cell.array @ np.diag([1.0, 1.0, 1.02]), scale_atoms=True)
    ase.io.write("cube.extxyz", cube)
    for cell, alike in (("isotropic", False), ("anisotropic", True)):
        assert run("relax", *COPPER, "-s", "cube.extxyz", "--cell", cell, "-o", "out.extxyz") == 0
        lengths = ase.io.read("out.extxyz").cell.lengths()
        assert (np.ptp(lengths) < 1e-3) == alike


@jaxpot.potential_kind
def springs_in_a_field(stiffness: float) -> jaxpot.Potential:
    """Atoms on springs to the origin, pulled by a field of 1 V/Å along z."""

    def energies(params: object, system: jaxpot.System, neighbors: object) -> object:
        x = system.positions
        return 0.5 * stiffness * jnp.sum(x**2, axis=1) - system.extras["charges"] * x[:, 2]

    return jaxpot.Potential("springs", 0.0, ("Na", "Cl"), energies, needs=frozenset({"charges"}))


def test_charges_come_from_the_structure_file(capsys: pytest.CaptureFixture[str]) -> None:
    jaxpot.save("springs", springs_in_a_field(2.0), {})
    atoms = Atoms("NaCl", [[0, 0, 0.5], [1, 0, 0]], charges=[0.9, -0.4])
    ase.io.write("pair.extxyz", atoms)
    Path("pair.data").write_text(
        "pair\n\n2 atoms\n2 atom types\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\n"
        "Masses\n\n1 22.99 # Na\n2 35.45 # Cl\n\nAtoms # charge\n\n1 1 0.9 0 0 0.5\n2 2 -0.4 1 0 0\n"
    )
    for name in ("pair.extxyz", "pair.data"):
        assert run("evaluate", "-p", "springs", "-s", name, "--json", "out.json", "--precision", "float64") == 0
        forces = json.loads(Path("out.json").read_text())["frames"][0]["forces_eV_per_A"]
        np.testing.assert_allclose(forces, [[0, 0, -1.0 + 0.9], [-2.0, 0, -0.4]], atol=1e-7)
    relaxed = ("relax", "-p", "springs", "-s", "pair.extxyz", "-o", "out.extxyz", "--force", "1e-4")
    assert run(*relaxed, "--precision", "float64") == 0
    np.testing.assert_allclose(ase.io.read("out.extxyz").positions[:, 2], [0.45, -0.2], atol=1e-4)
    md = ("md", "-p", "springs", "-s", "pair.extxyz", "--temperature", "10", "--no-plots", "--output", "run")
    assert run(*md, "--steps", "10") == 0
    assert run(*md, "--steps", "20", "--resume") == 0
    last = ase.io.read("run/final.extxyz")
    np.testing.assert_allclose(last.get_initial_charges(), [0.9, -0.4], atol=1e-7)
    ase.io.write("bare.extxyz", Atoms("NaCl", [[0, 0, 0.5], [1, 0, 0]]))
    capsys.readouterr()
    assert run("evaluate", "-p", "springs", "-s", "bare.extxyz") == 2
    assert "springs needs charges" in capsys.readouterr().err


def test_minutes_bound_a_relaxation(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    labelled()
    Path("two.smi").write_text("CCO\nCCCCO\n")
    relax_copper = ("relax", *COPPER, "-s", "train.extxyz", "-o", "out.extxyz", "--force", "1e-3")
    relax_molecules = ("relax", "-p", "mmff94", "-s", "two.smi", "-o", "out.sdf", "--force", "1e-3")
    for command, what in ((relax_copper, "0 of 12 structures"), (relax_molecules, "0 of 2 SMILES strings")):
        assert run(*command, "--minutes", "1e-9") == 3
        assert f"out of time when {what} were prepared" in capsys.readouterr().err
        assert not Path(command[6]).exists()
        assert run(*command, "--minutes", "0") == 2
        assert "--minutes must be positive" in capsys.readouterr().err

    # the time is over at the first look at the clock, and after two evaluations
    for command, count in ((relax_copper, 12), (relax_molecules, 2)):
        for looks, unknown in ((0, count), (3, 0)):
            with monkeypatch.context() as patch:
                of_queue = SimpleNamespace(perf_counter=Looks(looks))
                patch.setattr("jaxpot.simulate.relaxation_queue.time", of_queue)
                patch.setattr("jaxpot.cli.progress.time", SimpleNamespace(perf_counter=lambda: 1e9, monotonic=Clock()))
                patch.setattr("jaxpot.cli.commands.minutes_left", lambda minutes: minutes)
                assert run(*command, "--minutes", "1") == 0
            said = capsys.readouterr().out
            assert said.count("not begun, written as it was") == unknown
            assert said.count(" 1 steps, not converged") == count - unknown
            assert f"out of time: 0 of {count} are relaxed; go on from what is written" in said
    unrelaxed, given = ase.io.read("out.extxyz", ":"), ase.io.read("train.extxyz", ":")
    assert len(unrelaxed) == 12 and len(read_sdf(Path("out.sdf"))) == 2
    for a, b in zip(unrelaxed, given, strict=True):
        np.testing.assert_allclose(a.positions, b.positions, atol=1e-6)
        np.testing.assert_allclose(a.get_potential_energy(), b.get_potential_energy(), rtol=1e-4)


class Looks:
    """A clock that stands still for a number of looks; then an hour has passed."""

    def __init__(self, looks: int) -> None:
        self.left, self.now = looks, time.perf_counter()

    def __call__(self) -> float:
        self.left -= 1
        return self.now if self.left >= 0 else self.now + 7200.0
