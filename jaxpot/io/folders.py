"""Files that are either old or new but never half, and folders that only one process writes to."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FolderInUseError", "locked", "write_atomically"]

LOCK = ".lock"


class FolderInUseError(ValueError):
    """Another process, or another run of this one, is writing to a folder."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A folder for the caller alone, for as long as the context lasts.

    The lock is the operating system's, on a file ``.lock`` in the folder: it ends with the process, however that ends.

    Args:
        folder: made if need be.

    Raises:
        FolderInUseError: somebody else holds the lock; the message says which process.

    Example:
        >>> from pathlib import Path
        >>> with locked(Path("run")):
        ...     Path("run/.lock").exists()
        True
        >>> Path("run/.lock").exists()
        False
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = _taken(path)
    while not _is(path, handle):  # whoever held it has just let go of it and deleted the file
        os.close(handle)
        handle = _taken(path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _taken(path: Path) -> int:
    """The open lock file, locked."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        by = os.read(handle, 32).decode(errors="replace").strip()
        os.close(handle)
        who = f" (process {by})" if by else ""
        raise FolderInUseError(
            f"{path.parent} is being written to by another run{who}; wait for it, stop it, or name another folder"
        ) from None
    return handle


def _is(path: Path, handle: int) -> bool:
    """Whether a path still leads to an open file."""
    try:
        there, here = os.stat(path), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole, on the disk too, before returning.

    Args:
        path: of the file.
        data: its new content.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
