"""Functions that XLA calls: their errors, the interface's version, and machine code on disk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import pytest

numba = pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")

from jaxpot.numerics import native_code, native_interface  # noqa: E402

# A target of 40 pieces, of which some raise; it must end with an error, and the process go on.
FAILING = """
import jax, jax.numpy as jnp, numba, numpy as np
from jaxpot.numerics.native_calls import argument, handler_of, result, size
from jaxpot.numerics.native_interface import register_once
from jaxpot.numerics.native_threads import run_tasks, task_of
@numba.njit(nogil=True)
def work(frame, k):
    if numba.carray(argument(frame, 0), (40,), np.int32)[k] < 0:
        raise MemoryError("none left")
    numba.carray(result(frame, 0), (40,), np.int32)[k] = k
@numba.njit(nogil=True)
def body(frame, task):
    if numba.carray(argument(frame, 0), (40,), np.int32)[0] > 9:
        raise ValueError("in the body")
    run_tasks(frame, task, frame, size(frame, 0, 0))
register_once("failing", lambda: handler_of(body, task_of(work)))
call = jax.jit(jax.ffi.ffi_call("failing", jax.ShapeDtypeStruct((40,), jnp.int32)))
good = jnp.ones(40, jnp.int32)
for bad in (good.at[3].set(-1), -good, good.at[0].set(10)):
    for _ in range(20):
        try:
            call(bad).block_until_ready()
        except jax.errors.JaxRuntimeError as error:
            assert "jaxpot" in str(error), error
        else:
            raise SystemExit("no error")
        assert call(good).tolist() == list(range(40))
print("done")
"""


def test_a_task_that_raises_ends_with_an_error() -> None:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    done = subprocess.run(
        [sys.executable, "-c", FAILING], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr


def test_the_version_that_xla_tells_is_that_of_its_header() -> None:
    header = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text()
    numbers = [int(re.search(rf"#define XLA_FFI_API_{part} (\d+)", header)[1]) for part in ("MAJOR", "MINOR")]
    assert native_interface._interface_version() == tuple(numbers)
    assert native_interface.interface_problem() is None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jaxpot"


def hits(source: str = "one") -> int:
    """How often a function is found on disk when it is called: 0 or 1."""

    def thrice(x: float) -> float:
        return 3 * x

    dispatcher = native_code.njit_kept(thrice, source, fastmath={"contract", "nsz"})
    assert dispatcher(2.0) == 6.0
    return sum(dispatcher.stats.cache_hits.values())


def test_machine_code_is_kept_in_a_folder_of_the_user_alone(folder: Path) -> None:
    assert [hits(), hits(), hits("another"), hits("another")] == [0, 1, 0, 1]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o077 for file in folder.iterdir()} == {0}
    folder.chmod(0o777)  # once open to others: taken from them, and what they may have written is not read
    (file,) = list(folder.glob("*"))[:1]
    file.chmod(0o666)
    assert sorted([hits(), hits("another")]) == [0, 1]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_or_file_of_somebody_else_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hits() == 0
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    assert native_code.private_folder() is None
    assert hits() == 0
    monkeypatch.setattr(os, "geteuid", lambda: real)
    assert hits() == 1
    link = folder.parent.parent / "link"
    link.mkdir()
    (link / "jaxpot").symlink_to(folder)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(link))
    assert hits() == 1  # a link of one's own


@pytest.mark.parametrize("damage", ["empty", "short", "one bit", "foreign pickle"])
def test_damaged_files_are_compiled_anew(damage: str, folder: Path) -> None:
    assert hits() == 0
    (file,) = folder.iterdir()
    content = file.read_bytes()
    middle = len(content) // 2
    other = bytes([content[middle] ^ 1])
    damaged = {"empty": b"", "short": content[:middle], "one bit": content[:middle] + other + content[middle + 1 :]}
    file.write_bytes(damaged.get(damage, b"\0" * 32 + b"cos\nabort\n(tR."))
    assert hits() == 0
    assert hits() == 1  # and written again


@pytest.mark.parametrize("broken", ["replace", "fstat"])
def test_disks_that_are_full_or_fail(broken: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fails)
        assert [hits(), hits()] == [0, 0]
    assert not list(folder.glob("tmp*"))


@pytest.mark.parametrize("place", ["/dev/null/none", "relative/folder"])
def test_places_that_cannot_be_written(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", place)
    assert native_code.private_folder() is None
    assert [hits(), hits()] == [0, 0]


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", none)
    assert native_code.private_folder() is None
    assert hits() == 0
