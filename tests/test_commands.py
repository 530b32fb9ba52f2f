"""Every command in README, docs and notebooks runs as it is written, on small structures and for a few steps."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import ase.io
import click
import jax
import nbformat
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import jaxpot
from jaxpot.cli.commands import cli
from jaxpot.descriptors.symmetry_functions import radial
from tests.conftest import FLOAT32, REPOSITORY
from tests.notebook_runner import notebook_paths
from tests.test_cli import run

DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

# Added to commands of these names: they make them shorter and change nothing else.
SHORTER = {
    "fit hdnnp": ("--epochs", "1", "--force"),
    "fit schnet": ("--epochs", "1", "--force"),
    "fit snap": ("--folds", "2"),
    "md": ("--steps", "20"),
    "properties": ("--only", "elastic,eos"),
}


def texts(path: Path) -> Iterator[str]:
    """What a document says, and the markdown of a notebook."""
    if path.suffix == ".md":
        yield path.read_text()
        return
    yield from (cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def spoken(path: Path) -> list[str]:
    """Lines of shell blocks, and pieces of code within the text."""
    found = []
    for text in texts(path):
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
            if language not in ("", "sh"):
                continue
            found += [line.partition("  #")[0].strip() for line in block.splitlines() if line.strip()]
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        found += [" ".join(piece.split()) for piece in re.findall(r"`([^`]+)`", prose)]
    return list(dict.fromkeys(found))


def commands_of(path: Path) -> list[list[str]]:
    """The arguments of every ``jaxpot`` command."""
    begins = ("jaxpot ", "python -m jaxpot ")
    return [shlex.split(text.removeprefix("python -m "))[1:] for text in spoken(path) if text.startswith(begins)]


def name_of(arguments: list[str]) -> str:
    return " ".join(arguments[: 2 if arguments[0] == "fit" else 1])


WITH_COMMANDS = [path for path in (*DOCUMENTS, *notebook_paths()) if commands_of(path)]


@pytest.fixture(scope="module")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of the names in the documents: structures of molybdenum, and a network of it."""
    folder = tmp_path_factory.mktemp("data")
    potential, params = jaxpot.load("finnis_sinclair_1984:Mo")
    frames = [bulk("Mo", "bcc", a=3.1 + 0.02 * (k % 5), cubic=True) * (2, 1, 1) for k in range(12)]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.08, seed=k)
    for atoms, found in zip(frames, jaxpot.evaluate(potential, params, frames), strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=found.energy, forces=found.forces)
    for where in (folder, folder / "DATA"):
        where.mkdir(exist_ok=True)
        ase.io.write(where / "train.extxyz", frames[:8])
        ase.io.write(where / "test.extxyz", frames[8:])
    functions = [radial("Mo", "Mo", 4.6, eta) for eta in (0.1, 0.5)]
    network = jaxpot.hdnnp(("Mo",), functions, (4,))
    jaxpot.save(folder / "MODELS" / "nnp", network, network.init(jax.random.key(0)))
    return folder


@pytest.mark.slow
@pytest.mark.skipif(FLOAT32, reason="commands choose their precision themselves, and float64 needs x64")
@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: path.stem)
def test_commands_run(path: Path, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name in ("train.extxyz", "test.extxyz", "DATA", "MODELS"):
        (tmp_path / name).symlink_to(small_data / name)
    for arguments in commands_of(path):
        whole = any(word.startswith("-") for word in arguments) or arguments == ["list"]
        more = SHORTER.get(name_of(arguments), ()) if whole else ("--help",)
        status = run(*(word.replace("10x10x10", "2x2x2") for word in arguments), *more)
        assert status == 0, (arguments, capsys.readouterr().err)


def test_commands_are_found() -> None:
    assert {path.stem for path in WITH_COMMANDS} >= {"README", "command_line", "fitting", "training", "02_jax_md"}
    named = {name_of(arguments) for path in WITH_COMMANDS for arguments in commands_of(path)}
    assert named >= {"md", "relax", "properties", "evaluate", "list", "verify", "fit snap", "fit hdnnp", "fit schnet"}
    assert not [arguments for path in WITH_COMMANDS for arguments in commands_of(path) if "..." in arguments]


def options_of(group: click.Command) -> set[str]:
    own = {name for option in group.params for name in (*option.opts, *option.secondary_opts)}
    return own.union(*(options_of(command) for command in getattr(group, "commands", {}).values()))


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name in {p.name for p in WITH_COMMANDS}],
                         ids=lambda path: path.stem)  # fmt: skip
def test_options_that_are_spoken_of_exist(path: Path) -> None:
    known = options_of(cli) | {"--help"}
    spoken_of = {word for text in spoken(path) if text.startswith("--") for word in text.split() if word[:2] == "--"}
    assert spoken_of - known == set()


def test_the_table_of_commands_is_complete() -> None:
    text = (REPOSITORY / "docs" / "command_line.md").read_text()
    fits = [f"fit {name}" for name in cli.commands["fit"].commands]
    names = [*(name for name in cli.commands if name != "fit"), *fits]
    assert [name for name in names if f"`jaxpot {name}`" not in text] == []


def test_targets_of_make_exist() -> None:
    said = {text for path in DOCUMENTS for text in spoken(path) if re.match(r"(PYTHON=\S+ )?make \w", text)}
    assert {"make demo", "make test", "make lint"} <= said
    for text in said:
        words = [word for word in shlex.split(text) if word not in ("make",)]
        done = subprocess.run(["make", "-n", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (text, done.stderr)


def test_extras_of_pip_exist() -> None:
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    said = [text for path in DOCUMENTS for text in spoken(path) if text.startswith("pip install")]
    extras = {name for text in said for names in re.findall(r"\[([\w,]+)\]", text) for name in names.split(",")}
    assert "md" in extras and extras <= set(table)


@pytest.mark.slow
def test_benchmarks_that_are_spoken_of_exist() -> None:
    said = {text for path in DOCUMENTS for text in spoken(path) if text.startswith("python -m benchmarks")}
    assert "python -m benchmarks md" in said
    for words in {tuple(text.split()[2:4]) for text in said if "." not in text.split()[2]}:
        done = subprocess.run(
            [sys.executable, "-m", *words, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stderr)
    for text in said:
        module = REPOSITORY.joinpath(*text.split()[2].split("."))
        assert module.is_dir() or module.with_suffix(".py").is_file(), text


PIP = """#!/bin/sh
case "$*" in
    *sys.version_info*print* | *print*sys.version_info*) echo 3.0 ;;
    *"pip install"*) echo "Collecting everything"; sleep 2.5; echo "$PIP_SAYS"; exit $PIP_STATUS ;;
esac
"""


@pytest.mark.parametrize("status", [0, 7])
def test_setting_up_prints_a_line_now_and_then(status: int, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    script = (REPOSITORY / "tools" / "venv.sh").read_text()
    assert "every=15" in script
    (tmp_path / "tools" / "venv.sh").write_text(script.replace("every=15", "every=1"))
    (tmp_path / "pyproject.toml").write_text("")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PIP)
    python.chmod(0o755)
    (tmp_path / ".venv" / ".home").write_text(str(tmp_path.resolve()))
    done = subprocess.run(
        ["sh", "tools/venv.sh", "md"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PIP_SAYS": "the last words", "PIP_STATUS": str(status)},
    )  # fmt: skip
    assert "installing jaxpot[md]" in done.stdout
    assert "  1 s: Collecting everything\n" in done.stdout
    assert (tmp_path / ".venv" / ".installed-md").exists() == (status == 0)
    assert (tmp_path / ".venv" / ".unfinished").exists() == (status != 0)
    assert done.returncode == (0 if status == 0 else 1)
    assert ("the last words" in done.stderr) == (status != 0)
