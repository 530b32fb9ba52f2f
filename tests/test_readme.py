"""The code in README.md and CONTRIBUTING.md runs, and what they say of the project is so."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import pytest

import jaxpot
from jaxpot.descriptors.symmetry_functions import SymmetryFunctions, radial
from jaxpot.testing import Bench, checks, run
from tests.conftest import Precision
from tests.contract import registry
from tests.test_project import documentation_faults, import_faults

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
MIE = "jaxpot/potentials/mie.py"


class Block(NamedTuple):
    """A block of Python in a document; ``path`` is what its first line says it is the file of."""

    path: str
    code: str
    line: int


def blocks(document: Path) -> list[Block]:
    """All Python blocks, in order."""
    text = document.read_text()
    found = []
    for match in re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        first = re.match(r"# (\S+\.py)\n", match[1])
        found.append(Block(first[1] if first else "", match[1], text.count("\n", 0, match.start(1)) + 1))
    return found


def files(document: Path, folder: str) -> list[Block]:
    return [block for block in blocks(document) if block.path.startswith(folder)]


def load(block: Block, folder: Path) -> ModuleType:
    """The module that a block would be in its place."""
    name = block.path.removesuffix(".py").replace("/", ".")
    file = folder / Path(block.path).name
    file.write_text(block.code)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the names of annotations
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def parametrised(function: Any) -> list[dict[str, Any]]:
    """The arguments of each call that pytest would make, where a test has at most one mark with one name."""
    for mark in getattr(function, "pytestmark", []):
        name, values = mark.args
        return [{name: value} for value in values]
    return [{}]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Block], ModuleType]:
    """Adds a potential to the library as CONTRIBUTING.md does, for one test."""

    def add(block: Block) -> ModuleType:
        name = Path(block.path).stem
        assert not hasattr(jaxpot, name), f"{name} is in the library by now; let CONTRIBUTING.md add another potential"
        module = load(block, tmp_path)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(jaxpot, name, getattr(module, name), raising=False)
        return module

    return add


every_added_potential = pytest.mark.parametrize(
    "block", files(CONTRIBUTING, "jaxpot/potentials/"), ids=lambda block: Path(block.path).stem
)


def test_contributing_adds_potentials_of_every_kind() -> None:
    code = [block.code for block in files(CONTRIBUTING, "jaxpot/potentials/")]
    assert any("environment_potential(" in c for c in code)
    assert any("angular_potential(" in c for c in code)
    assert any(re.search(r"radial_potential\(contributions, None", c) for c in code)
    assert any(re.search(r"radial_potential\(contributions, atom_energy", c) for c in code)
    assert any("descriptor_potential(" in c for c in code)
    assert any('needs=["charges"]' in c for c in code)


@every_added_potential
def test_an_added_potential_passes_its_own_tests(
    block: Block, add: Callable[[Block], ModuleType], tmp_path: Path, precision: Precision
) -> None:
    add(block)
    (tests,) = files(CONTRIBUTING, f"tests/potentials/test_{Path(block.path).name}")
    functions = {n: f for n, f in vars(load(tests, tmp_path)).items() if n.startswith("test_")}
    assert functions
    for function in functions.values():
        for given in parametrised(function):
            wanted = inspect.signature(function).parameters
            fixtures = {k: v for k, v in (("precision", precision), ("tmp_path", tmp_path)) if k in wanted}
            function(**given, **fixtures)


@every_added_potential
def test_an_added_potential_keeps_the_rules(block: Block, add: Callable[[Block], ModuleType]) -> None:
    add(block)
    assert import_faults(block.code, block.path.removesuffix(".py").replace("/", "."), False) == []
    assert max(map(len, block.code.splitlines())) <= 120


def test_the_complete_example_is_complete(add: Callable[[Block], ModuleType]) -> None:
    (block,) = files(CONTRIBUTING, MIE)
    module = add(block)
    assert documentation_faults("mie", module.mie) == []
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.slow
def test_the_contract_takes_the_added_potential(
    add: Callable[[Block], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = files(CONTRIBUTING, MIE)
    add(block)
    monkeypatch.setattr(registry, "EXAMPLES", [])
    (entry,) = files(CONTRIBUTING, "tests/contract/registry.py")
    exec(entry.code, dict(vars(registry)))
    (entered,) = registry.EXAMPLES
    potential, params = entered.build()
    bench = Bench(potential, params, **entered.settings)
    for check in checks():
        if check.name in ("forces", "elements", "saved"):
            outcome = run(check, bench)
            assert outcome.passed and not outcome.skipped, str(outcome)


@pytest.mark.slow
def test_the_added_potential_validates(add: Callable[[Block], ModuleType]) -> None:
    (block,) = files(CONTRIBUTING, MIE)
    add(block)
    (alone,) = files(CONTRIBUTING, "tests/potentials/validate_mie.py")
    names: dict[str, Any] = {}
    exec(alone.code, names)
    left_out = {outcome.check.name for outcome in names["report"].left_out}
    assert not left_out & {"saved", "pickled", "continuity", "gradient_through_a_run"}


def test_a_head_of_ones_own_evaluates_and_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [b for b in blocks(CONTRIBUTING) if b.code.startswith("# a head of one's own")]
    module = ModuleType("a_head_of_ones_own")  # where dataclasses look for the names of annotations
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(block.code, module.__dict__)
    descriptor = SymmetryFunctions(("Cu",), (radial("Cu", "Cu", 5.0, 0.5), radial("Cu", "Cu", 5.0, 0.1)))
    potential = jaxpot.descriptor_potential(descriptor, module.SkipHead(width=4))
    params = potential.init(jax.random.key(0))
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.5]])
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    energy = jaxpot.energy(potential)(params, system, neighbors)
    jaxpot.save(tmp_path / "saved", potential, params)
    again, others = jaxpot.load(tmp_path / "saved")
    assert jaxpot.energy(again)(others, system, neighbors) == energy != 0


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = [block.code for block in blocks(README)]
    assert code
    names: dict[str, Any] = {}
    exec("\n".join(code), names)
    assert names["forces"].shape == (len(names["atoms"]), 3)
    assert jax.tree.structure(names["gradient"]) == jax.tree.structure(names["params"])


def test_the_readme_knows_every_potential() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", section("Potentials"), flags=re.MULTILINE))
    here = {path.stem for path in (REPOSITORY / "jaxpot" / "potentials").iterdir() if not path.name.startswith("_")}
    assert rows >= {name for name in here if hasattr(jaxpot, name)}
    assert [name for name in rows if not hasattr(jaxpot, name)] == []


def test_the_readme_knows_every_extra() -> None:
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", section("Install and try"), flags=re.MULTILINE)
    assert set(re.findall(r"`([\w-]+)`", " ".join(rows))) == set(table)


def test_the_readme_knows_every_published_set() -> None:
    families = {record.reference for record in jaxpot.available()}
    text = section("Potentials")
    for reference in families:
        (year,) = re.findall(r"\((\d{4})\)", reference)[:1]
        surname = re.findall(r"[A-Z][a-z]+(?:-[A-Z][a-z]+)?", reference)[0]
        assert surname in text and year in text, reference


def test_the_readme_knows_every_notebook() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(notebooks/\w+\.ipynb\) \|", section("Notebooks"), flags=re.MULTILINE)
    assert sorted(rows) == sorted(path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb"))


def test_links_lead_somewhere() -> None:
    assert "<img " in README.read_text()
    for document in (README, CONTRIBUTING):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)|<img src=\"([^\"]+)\"", document.read_text()):
            target = "".join(target)
            assert target.startswith("https://") or (REPOSITORY / target).exists(), f"{document.name}: {target}"


def section(title: str) -> str:
    """What stands below a heading of the README, up to the next one."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]
