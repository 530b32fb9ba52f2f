"""Settings that every test runs under.

Two passes share these tests. `make test` runs all of them in float64. A second pass in float32 sets
`JAXPOT_TEST_FLOAT32=1`; tests that take their tolerance from the `precision` fixture, and the tests of float32 itself,
are meant for both, and `-m` or file names select what else runs. The library itself never touches jax_enable_x64.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# JAX reads these while it is imported. Tests run on the CPU unless somebody asks for another platform.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

import hypothesis
import jax
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FLOAT32 = os.environ.get("JAXPOT_TEST_FLOAT32", "0") == "1"
needs_float64 = pytest.mark.skipif(FLOAT32, reason="needs the digits of float64")

jax.config.update("jax_enable_x64", not FLOAT32)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Compiled programs are kept between runs, the smallest too: tests compile thousands of them.
CACHE = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(REPOSITORY / ".cache" / "jax"))
jax.config.update("jax_compilation_cache_dir", CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


# Files that take minutes start first, so that no process ends with one of them while the others have nothing left.
LONG = (
    *("contract/test_contract.py", "contract/test_slow_checks.py", "test_notebooks.py"),
    *("engine/test_compiled_robust.py", "test_cli_properties.py", "test_commands.py", "test_readme.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order within a file, and of all others, stays."""
    tests = REPOSITORY / "tests"
    places = {tests / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


PROGRAM_MAPS = 20_000  # of at most 65,530 memory mappings that Linux lets a process have


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Compiled programs go when there are many: each takes mappings, and XLA crashes where there are none left."""
    same_file = nextitem is not None and nextitem.path == item.path  # whose tests may share programs
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text().count("\n") > (2 * PROGRAM_MAPS if same_file else PROGRAM_MAPS):
        jax.clear_caches()
        gc.collect()


@dataclass(frozen=True)
class Precision:
    """The floating-point type under test and the relative tolerances that go with it."""

    name: str
    energy: float
    forces: float


@pytest.fixture(scope="session")
def precision() -> Precision:
    """float64 with the tolerances against LAMMPS, or float32 with those against float64."""
    return Precision("float32", 1e-5, 1e-4) if FLOAT32 else Precision("float64", 1e-10, 1e-8)


COMPILED: list[str] = []  # names of the programs that were compiled, or taken from the folder of compiled programs
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **facts: (
        event == "/jax/core/compile/backend_compile_duration" and COMPILED.append(str(facts.get("fun_name")))
    )
)


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """The names of the programs that XLA compiles during the test, in order; clear the list to count anew."""
    COMPILED.clear()
    yield COMPILED


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of reference data that is too large, or not licensed, to be in the repository."""
    named = os.environ.get("JAXPOT_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if named and not folder.is_dir():
        pytest.fail(f"JAXPOT_DATA={named} is no folder; point it at the reference data or unset it")
    if not folder.is_dir():
        pytest.skip(f"reference data not found: no folder {folder}; set JAXPOT_DATA to the folder that holds it")
    return folder
