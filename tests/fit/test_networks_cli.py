"""``jaxpot fit hdnnp``: from files to a folder that ``jaxpot.load`` reads, and uncertainties with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

import jaxpot
from jaxpot.cli import main
from jaxpot.cli.commands import run
from jaxpot.io.errors import FileFormatError
from jaxpot.uncertainty import assess
from tests.fit.gradient_examples import crystals, labelled


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small crystals of argon, labelled by a pair potential."""
    folder = tmp_path_factory.mktemp("argon")
    potential = jaxpot.morse(5.5, mode="force_shifted")
    frames = labelled(potential, {"D0": 0.1, "alpha": 1.3, "r0": 3.9}, crystals("Ar", 5.3, "fcc", 30))
    for frame in frames:
        frame.atoms.calc = SinglePointCalculator(frame.atoms, energy=frame.energy, forces=frame.forces)
    ase.io.write(folder / "train.extxyz", [frame.atoms for k, frame in enumerate(frames) if k % 5])
    ase.io.write(folder / "test.extxyz", [frame.atoms for k, frame in enumerate(frames) if not k % 5])
    return folder


@pytest.mark.slow
def test_an_ensemble_from_files(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "argon"
    arguments = [
        "fit", "hdnnp", "--train", str(files / "train.extxyz"), "--test", str(files / "test.extxyz"),
        "--output", str(output), "--ensemble", "2", "--epochs", "200", "--cutoff", "5.0", "--hidden", "6",
        "--validation", "0.2", "--learning-rate", "1e-2", "--precision", "float64",
    ]  # fmt: skip
    assert run(arguments) == 0
    report = json.loads((output / "errors.json").read_text())
    for name in ("metrics.csv", "learning_curve.png", "parity.png", "reliability.png", "spread.png"):
        assert (output / name).stat().st_size > 0
    potential, params = jaxpot.load(output)
    assert potential.name == "committee of hdnnp" and params["networks"]["Ar"][0]["weights"].shape[0] == 2
    # what was written is what was tested
    from jaxpot.fit import read_dataset

    test = read_dataset(files / "test.extxyz")
    found = assess(potential, params, test)
    assert found.summary() == pytest.approx(report["test"], rel=1e-4)
    assert found.summary()["forces_rmse_eV_per_A"] < 0.6 * np.std(found.forces)
    assert -1 <= report["uncertainty"]["spearman_forces"] <= 1
    alone = [assess(*jaxpot.load(output / f"member_{k}"), test).summary() for k in range(2)]
    expected = {name: pytest.approx(np.mean([one[name] for one in alone]), rel=1e-4) for name in alone[0]}
    assert {name: value["mean"] for name, value in report["members"].items()} == expected
    # each member is a folder of n2p2 by itself
    member, alone = jaxpot.load(output / "member_1")
    assert member.name == "hdnnp"
    np.testing.assert_array_equal(alone["networks"]["Ar"][0]["weights"], params["networks"]["Ar"][0]["weights"][1])
    capsys.readouterr()
    assert run(arguments) == 2
    assert "--resume goes on" in capsys.readouterr().err
    (output / "ensemble.json").write_text('{"members": "member_0"}')
    with pytest.raises(FileFormatError, match="no list of members"):
        jaxpot.load(output)


@pytest.mark.slow
def test_the_usual_functions_are_those_that_the_structures_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Water alone: no oxygen has another beside it."""
    rng = np.random.default_rng(5)
    molecules = []
    for k in range(8):
        molecule = ase.Atoms("OHH", [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
        molecule.positions += rng.normal(scale=0.05, size=(3, 3))
        forces = rng.normal(size=(3, 3))
        molecule.calc = SinglePointCalculator(molecule, energy=-10.0 + 0.1 * k, forces=forces)
        molecules.append(molecule)
    ase.io.write(tmp_path / "water.extxyz", molecules)
    arguments = ["--train", str(tmp_path / "water.extxyz"), "--output", str(tmp_path / "water"), "--epochs", "1"]
    assert run(["fit", "hdnnp", *arguments, "--cutoff", "4.0", "--no-plots"]) == 0
    potential, _ = jaxpot.load(tmp_path / "water")
    assert {f.neighbors for f in potential.descriptor.functions_of("O")} == {("H",), ("H", "H")}
    assert {f.neighbors for f in potential.descriptor.functions_of("H")} == {("H",), ("O",), ("H", "O")}
    ase.io.write(tmp_path / "water.extxyz", molecules[:2])  # one to learn from, one held back
    capsys.readouterr()
    assert run(["fit", "hdnnp", *arguments, "--cutoff", "4.0", "--no-plots", "--force"]) == 2
    assert "1 atoms of O in the structures; scaling needs at least two" in capsys.readouterr().err


def test_input_without_sense_is_refused(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["fit", "hdnnp", "--train", str(files / "train.extxyz"), "--output", str(tmp_path / "out")]
    for wrong, said in (
        (["--ensemble", "1"], "--ensemble takes at least 2 members"),
        (["--hidden", "a,b"], "--hidden takes whole numbers"),
        (["--epochs", "0"], "epochs must be at least 1"),
        (["--energy-key", "nothing", "--forces-key", "none"], "no label called"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*base, *wrong])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["schnet", "dtnn"])
def test_message_passing_from_files(kind: str, files: Path, tmp_path: Path) -> None:
    output = tmp_path / kind
    arguments = [
        "fit", kind, "--train", str(files / "train.extxyz"), "--test", str(files / "test.extxyz"), "--no-plots",
        "--output", str(output), "--ensemble", "2", "--epochs", "2", "--cutoff", "4.0", "--features", "4",
        "--interactions", "1",
    ]  # fmt: skip
    assert run(arguments) == 0
    potential, params = jaxpot.load(output)
    assert potential.name == f"committee of {kind}"
    from jaxpot.fit import read_dataset

    report = json.loads((output / "errors.json").read_text())
    assert assess(potential, params, read_dataset(files / "test.extxyz")).summary() == pytest.approx(
        report["test"], rel=1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "smaller"),
    [
        ("training.md", {"features=64, interactions=3": "features=4, interactions=1", "epochs=60": "epochs=2"}),
        (
            "fitting.md",
            {
                'snap(["Mo"], twojmax=6': 'snap(["Ar"], twojmax=2',
                '"Mo", "bcc", a=3.16': '"Ar", "fcc", a=5.3',
                '"Mo/Mo.snap"': '["Mo.snapcoeff", "Mo.snapparam"]',
                "(4, 4, 4)": "(2, 2, 2)",
            },
        ),
    ],
)
def test_the_code_of_a_page_runs(
    page: str, smaller: dict[str, str], files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "docs" / page).read_text()
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    for large, small in smaller.items():
        assert large in code
        code = code.replace(large, small)
    (tmp_path / "train.extxyz").write_bytes((files / "train.extxyz").read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert len(list(tmp_path.iterdir())) > 1
