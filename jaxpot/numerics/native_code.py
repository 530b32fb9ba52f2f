"""A disk cache for the machine code of numba functions.

numba's own cache fails where its folder is full or damaged, and is unsafe where others can write to it, because it
unpickles any file that it finds. Here every function has one file with a checksum, in a folder that belongs to the user
and that no other user may enter. Where there is no such folder, or a file cannot be used, the function is compiled
again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import compiler, serialize

__all__ = ["njit_kept", "private_folder"]

# the machine code contains the functions of these modules that it calls
_PARTS = tuple(f"native_{part}.py" for part in ("calls", "threads", "scalars", "edges", "llvm", "code"))
_FINGERPRINT = hashlib.sha256(b"".join((Path(__file__).parent / part).read_bytes() for part in _PARTS)).hexdigest()


def njit_kept(function: Callable[..., Any], source: str | None = None, **options: Any) -> Any:
    """``numba.njit(function, **options)`` whose machine code is kept on disk.

    Args:
        function: to compile. Different functions must have different qualified names or sources.
        source: all source code that the machine code depends on, except the modules named in ``_PARTS``; by default the
            content of the file that defines the function.
        options: of ``numba.njit``.

    Returns:
        The dispatcher.
    """
    dispatcher = numba.njit(**options)(function)
    stamp = Path(function.__code__.co_filename).read_text() if source is None else source
    dispatcher._cache = _KeptCode(
        function, stamp + "".join(f"{key} {_sorted(options[key])}\n" for key in sorted(options))
    )
    return dispatcher


def _sorted(value: Any) -> Any:
    """A sorted list for sets, whose order differs between processes; other values as they are."""
    return sorted(value) if isinstance(value, set | frozenset) else value


def private_folder() -> Path | None:
    """The folder for machine code: ``jaxpot`` in ``$NUMBA_CACHE_DIR``, ``$XDG_CACHE_HOME`` or ``~/.cache``.

    It is created with access for its owner only. If it exists, belongs to the user and others have access, their access
    is removed.

    Returns:
        The folder, or None where there is no home, the folder cannot be made, or it belongs to another user.
    """
    try:
        base = Path(numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        if not base.is_absolute():
            return None
        folder = base / "jaxpot"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.lstat().st_uid != os.geteuid() or not _is_ours(folder.stat()):
            return None
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
        return folder if not stat.S_IMODE(folder.stat().st_mode) & 0o077 else None
    except (OSError, RuntimeError):  # RuntimeError: Path.home() where there is none
        return None


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid()


class _KeptCode:
    """Replaces the cache of a numba dispatcher; there is one file for each signature."""

    def __init__(self, function: Any, stamp: str) -> None:
        # `stamp` covers the globals of a function, but not the values that it closes over
        cells = function.__closure__ or ()
        closed_over = serialize.dumps(tuple(cell.cell_contents for cell in cells))
        parts = [_FINGERPRINT, stamp, function.__qualname__, repr(function.__code__.co_code), repr(closed_over)]
        parts += [numba.__version__, llvmlite.__version__, sys.version, str(sys.byteorder)]
        self.key = "\n".join(parts)
        self.name = function.__name__

    @property
    def cache_path(self) -> str | None:
        """The folder of the files."""
        folder = private_folder()
        return None if folder is None else str(folder)

    def flush(self) -> None:
        """Does nothing, since files are written at once."""

    def enable(self) -> None:
        """Does nothing, since the cache is always enabled."""

    def disable(self) -> None:
        """Does nothing, since the cache cannot be disabled."""

    def _file(self, signature: Any, target: Any) -> Path | None:
        folder = private_folder()
        key = f"{self.key}\n{signature}\n{target.magic_tuple()}"
        return None if folder is None else folder / f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.bin"

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The compiled function, or None where there is no valid file."""
        try:
            context.refresh()
            file = self._file(signature, context.codegen())
            if file is None:
                return None
            with file.open("rb") as opened:
                status = os.fstat(opened.fileno())
                if not _is_ours(status) or stat.S_IMODE(status.st_mode) & 0o022:
                    return None
                digest, content = opened.read(32), opened.read()
            if hashlib.sha256(content).digest() != digest:
                return None
            return compiler.CompileResult._rebuild(context, *pickle.loads(content))
        except Exception:  # after any failure the function is compiled again
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Write the file, if possible."""
        new = None
        try:
            if result.lifted or result.library.has_dynamic_globals:
                return  # the machine code holds addresses of this process
            file = self._file(signature, result.codegen if hasattr(result, "codegen") else result.library.codegen)
            if file is None:
                return
            content = serialize.dumps(result._reduce())
            with tempfile.NamedTemporaryFile("wb", dir=file.parent, delete=False) as new:
                new.write(hashlib.sha256(content).digest() + content)
            os.replace(new.name, file)
        except Exception:
            if new is not None:
                with contextlib.suppress(OSError):
                    os.unlink(new.name)
