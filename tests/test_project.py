"""The project's own rules: import directions, light imports, documented public names, no paths of one machine."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jaxpot

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "jaxpot"

# Lowest first; a module imports from its own layer and those before it. A new module or folder takes its place here.
LAYERS = [
    {"units", "numerics", "errors", "extras", "spec"},
    {"system", "neighbors"},
    {"descriptors"},
    {"heads"},
    {"evaluation", "guard", "potential", "composition", "derived", "engine"},
    {"potentials"},
    {"io", "parameters", "batch"},
    {"fit", "uncertainty", "simulate"},
    {"interop"},
    {"properties", "testing"},
    {"plot", "cli", "demo", "__main__"},
]
# Modules whose names people import from them, not from the top level.
USED_BY_NAME = [
    *("interop.jax_md", "simulate", "simulate.differentiable", "plot", "testing", "cli", "cli.md"),
]
HEAVY = ["ase", "flax", "jax_md", "matplotlib", "numba", "optax", "rdkit", "scipy.optimize", "vesin"]


def layer(module: str) -> int:
    """The index in LAYERS of a dotted module name such as "jaxpot.io.setfl"."""
    part = module.split(".")[1]
    found = [index for index, parts in enumerate(LAYERS) if part in parts]
    assert found, f"jaxpot.{part} has no place in LAYERS of tests/test_project.py; put it in the lowest that fits"
    return found[0]


def module_name(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything of jaxpot that a source imports, at any depth, by any form of import.

    `from a import b` yields "a.b": b may be a module, and if it is a name of the module a, that has the same layer.
    """
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".")[: None if is_package else -1]
                parent = here[: len(here) - (node.level - 1)]
                base = ".".join([*parent, *base.split(".")] if base else parent)
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        for name in names:
            if name.split(".")[0] == "jaxpot":
                yield node.lineno, name


def import_faults(source: str, module: str, is_package: bool) -> list[str]:
    """What is wrong with the imports of one source file, one sentence each."""
    faults = []
    for line, target in imported_modules(source, module, is_package):
        parts, own = target.split("."), module.split(".")
        if len(parts) == 1 or (len(parts) == 2 and not is_module(target)):
            faults.append(f"{module}:{line} imports {target} from the top level, which imports every layer")
        elif layer(target) > layer(module):
            faults.append(f"{module}:{line} imports {target}, which is above it")
        elif parts[1] == own[1] == "potentials" and len(own) > 2 and len(parts) > 2 and parts[2] != own[2]:
            faults.append(f"{module}:{line} imports {target}, another potential")
    return faults


def is_module(name: str) -> bool:
    """Whether jaxpot.x is a module or folder, not a public name."""
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def source_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def public_names() -> list[str]:
    return sorted(jaxpot.__all__)


@pytest.mark.parametrize("file", source_files(), ids=lambda file: module_name(file, REPOSITORY))
def test_imports_go_one_way(file: Path) -> None:
    assert import_faults(file.read_text(), module_name(file, REPOSITORY), file.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("source", "module", "is_package"),
    [
        ("import jaxpot.io", "jaxpot.potentials.eam", False),
        ("from jaxpot import io", "jaxpot.potentials.eam", False),
        ("from jaxpot.io.setfl import read", "jaxpot.potentials.eam", False),
        ("from ..io import setfl", "jaxpot.potentials.eam", False),
        ("from .. import io", "jaxpot.potentials.eam", False),
        ("from .io import setfl", "jaxpot.system", False),
        ("def f():\n    from jaxpot.fit import losses", "jaxpot.potentials.eam", False),
        ("def f():\n    importlib.import_module('jaxpot.fit')", "jaxpot.potentials.eam", False),
        ("from jaxpot import lennard_jones", "jaxpot.fit.losses", False),
        ("import jaxpot", "jaxpot.fit.losses", False),
        ("from jaxpot.potentials.lennard_jones import lennard_jones", "jaxpot.potentials.eam", False),
        ("from .lennard_jones import lennard_jones", "jaxpot.potentials.eam", False),
        ("from . import lennard_jones", "jaxpot.potentials.eam", False),
        ("from ..eam import eam", "jaxpot.potentials.mmff94", True),
        ("from ..eam import eam", "jaxpot.potentials.mmff94.bonds", False),
    ],
)
def test_the_import_check_sees_wrong_imports(source: str, module: str, is_package: bool) -> None:
    assert len(import_faults(source, module, is_package)) == 1


@pytest.mark.parametrize(
    ("source", "module", "is_package"),
    [
        ("import jax.numpy as jnp\nfrom ase import io", "jaxpot.units", False),
        ("from jaxpot.engine import radial_potential", "jaxpot.potentials.eam", False),
        ("from jaxpot.potentials.mmff94 import charges", "jaxpot.potentials.mmff94.bonds", False),
        ("from . import charges", "jaxpot.potentials.mmff94.bonds", False),
        ("from .bonds import energy", "jaxpot.potentials.mmff94", True),
        ("from jaxpot.potentials.lennard_jones import lennard_jones", "jaxpot.potentials", True),
        ("from jaxpot import potentials, system", "jaxpot.cli", False),
    ],
)
def test_the_import_check_allows_right_imports(source: str, module: str, is_package: bool) -> None:
    assert import_faults(source, module, is_package) == []


def test_no_module_imports_itself_through_others() -> None:
    modules = {module_name(file, REPOSITORY): file for file in PACKAGE.rglob("*.py")}
    found = {
        module: {
            target if target in modules else target.rpartition(".")[0]
            for _, target in imported_modules(without_typing(file.read_text()), module, file.name == "__init__.py")
        }
        for module, file in modules.items()
    }
    assert cycles({module: targets & set(modules) - {module} for module, targets in found.items()}) == []


def test_the_check_for_cycles_sees_one() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_private_names_stay_in_their_modules() -> None:
    wrong = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} imports {alias.name} from {node.module}"
        for folder in (PACKAGE, REPOSITORY / "tests", REPOSITORY / "benchmarks")
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (node.module or "").startswith("jaxpot") and alias.name.startswith("_") and alias.name != "__version__"
    ]
    assert wrong == []


def test_no_package_is_empty() -> None:
    packages = [folder for folder in PACKAGE.rglob("*") if (folder / "__init__.py").exists()]
    assert [folder.name for folder in packages if len(list(folder.rglob("*.py"))) == 1] == []


def without_typing(source: str) -> str:
    """A source without what it imports for its annotations alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(body, list):
                body[:] = [n for n in body if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))]
    return ast.unparse(tree)


def cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which imports all others of its group, directly or not."""
    reached: dict[str, set[str]] = {}
    for start in imports:
        seen, todo = set[str](), [start]
        while todo:
            for target in imports[todo.pop()] - seen:
                seen.add(target)
                todo.append(target)
        reached[start] = seen
    groups = {tuple(sorted(b for b in reached[a] if a in reached[b])) for a in imports if a in reached[a]}
    return sorted(map(list, groups))


def test_importing_jaxpot_imports_nothing_heavy() -> None:
    script = f"import sys, jaxpot; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    assert run_python(script) == ""


def test_importing_jaxpot_adds_little_to_importing_jax() -> None:
    # Processor time of this process alone, the least of three: the machine may be busy with other tests.
    script = "import time, jax.numpy; start = time.process_time(); import jaxpot; print(time.process_time() - start)"
    assert min(float(run_python(script)) for _ in range(3)) < 0.3


@pytest.mark.parametrize("name", public_names())
def test_public_names_are_documented(name: str) -> None:
    assert documentation_faults(name, getattr(jaxpot, name)) == []


@pytest.mark.parametrize("module", USED_BY_NAME)
def test_names_of_modules_that_people_import_are_documented(module: str) -> None:
    here = importlib.import_module(f"jaxpot.{module}")
    assert here.__doc__
    faults = [documentation_faults(f"{module}.{name}", getattr(here, name)) for name in here.__all__]
    assert [fault for found in faults for fault in found] == []


def test_all_names_what_is_there() -> None:
    names = public_names()
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(jaxpot, name)] == []


def test_the_documentation_check_sees_what_is_missing() -> None:
    class Record:
        """Holds a distance.

        Attributes:
            distance: scalar, Å.
        """

        def __init__(self, distance: float, cell: Any) -> None: ...

        def __len__(self) -> int:
            return 0

        def scaled(self, factor: float) -> None: ...

    def one_line(distance: float) -> None:
        """Takes a distance."""

    assert documentation_faults("one_line", one_line) == ["one_line: the docstring has a single line"]
    assert documentation_faults("Record", Record) == [
        "Record: the docstring does not mention `cell`",
        "Record.scaled: no docstring",
    ]
    assert documentation_faults("number", 3) == ["number: neither class, function nor module"]


def test_tracked_files_hold_no_paths_of_one_machine() -> None:
    # Written in two pieces, so that this file does not hold what it forbids.
    forbidden = [("/" + name + "/").encode() for name in ("work", "root", "home", "tmp/dev", "Users")]
    found = [
        f"{path.relative_to(REPOSITORY)}:{number} holds {text.decode()}"
        for path in tracked_files()
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        for text in forbidden
        if text in line
    ]
    assert found == []


def documentation_faults(name: str, thing: Any) -> list[str]:
    """What the docstring of a public class (and its methods), function or module lacks, one sentence each."""
    if isinstance(thing, ModuleType):
        return [] if thing.__doc__ else [f"{name}: no docstring"]
    if not callable(thing):
        return [f"{name}: neither class, function nor module"]
    # A class inherits its base's docstring and a dataclass writes its own signature as one: both tell nothing.
    text = thing.__doc__ if inspect.isclass(thing) else inspect.getdoc(thing)
    if not text or (inspect.isclass(thing) and text.startswith(f"{thing.__name__}(")):
        return [f"{name}: no docstring"]
    if inspect.isclass(thing) and issubclass(thing, Exception) and "__init__" not in vars(thing):
        return []  # one line says when it is raised; it takes a message and nothing else
    faults = [f"{name}: the docstring has a single line"] if len(text.strip().splitlines()) == 1 else []
    faults += unmentioned_parameters(name, thing, text)
    if inspect.isclass(thing):
        for member in public_methods(thing):
            faults += method_faults(f"{name}.{member}", thing, member)
    return faults


def public_methods(cls: type) -> list[str]:
    """Names of the methods and properties that the class itself defines; those of NamedTuple are not ours."""
    methods = (property, staticmethod, classmethod)
    return sorted(
        name
        for name, member in vars(cls).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, methods))
        and name not in getattr(cls, "_fields", ())
        and name not in getattr(cls, "__dataclass_fields__", ())
    )


def method_faults(name: str, cls: type, member: str) -> list[str]:
    """Like `documentation_faults`, except that one line is enough where nothing needs explaining."""
    text = inspect.getdoc(vars(cls)[member])
    if not text:
        return [f"{name}: no docstring"]
    attribute = getattr(cls, member)
    return unmentioned_parameters(name, attribute, text) if callable(attribute) else []


def unmentioned_parameters(name: str, function: Any, text: str) -> list[str]:
    return [
        f"{name}: the docstring does not mention `{parameter}`"
        for parameter in inspect.signature(function).parameters
        if parameter != "self" and not re.search(rf"\b{parameter}\b", text)
    ]


def run_python(script: str) -> str:
    """Standard output of a fresh interpreter, which finds jaxpot as this one does."""
    return subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=120
    ).stdout.strip()


def tracked_files() -> list[Path]:
    """The files that git knows; everything but hidden folders where this is no checkout, as in an unpacked sdist."""
    if (REPOSITORY / ".git").exists():
        command = ["git", "-C", str(REPOSITORY), "ls-files", "-z"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
        paths = [REPOSITORY / name for name in listed if name]
    else:
        paths = [path for path in REPOSITORY.rglob("*") if not path.relative_to(REPOSITORY).parts[0].startswith(".")]
    return [path for path in paths if path.is_file()]
