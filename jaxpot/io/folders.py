"""Folders that hold a potential or a run. They are written completely or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from jaxpot.errors import JaxpotError
from jaxpot.io.errors import FileFormatError

__all__ = ["MARKERS", "FolderInUseError", "give_up", "kinds_in", "locked", "write_atomically", "write_together"]

LOCK = ".lock"

# The files that mark a folder as one that holds a potential, and the kind of potential.
MARKERS = {
    "ensemble.json": "an ensemble",
    "input.nn": "a network of n2p2 or RuNNer",
    "potential.json": "a potential of jaxpot's",
}


def kinds_in(folder: str | os.PathLike[str]) -> list[str]:
    """The names of the marker files in a folder, which tell the kinds of potential that it holds.

    Args:
        folder: a folder, which may not exist.
    """
    return [name for name in MARKERS if os.path.isfile(os.path.join(folder, name))]


def give_up(folder: str | os.PathLike[str]) -> None:
    """Deletes the marker files in a folder, so that it no longer counts as a potential.

    Args:
        folder: a folder, which may not exist.
    """
    for name in MARKERS:
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, name))


def write_together(folder: str | os.PathLike[str], texts: Mapping[str, str | bytes], marker: str) -> None:
    """Writes the files of a potential so that a reader finds the old ones, the new ones, or no potential.

    All files are first written under temporary names. Then the old marker is deleted, the other files are moved to
    their names, and the new marker last.

    Args:
        folder: the folder, created if it does not exist.
        texts: contents by file name, including the marker.
        marker: name of the marker file, one of ``MARKERS``.

    Raises:
        FileFormatError: a file cannot be written.
    """
    where = Path(folder)
    try:
        where.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with open(where / f"{name}.part", "wb") as stream:
                stream.write(text.encode() if isinstance(text, str) else text)
                stream.flush()
                os.fsync(stream.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.remove(where / marker)
        for name in sorted(texts, key=lambda name: name == marker):
            os.replace(where / f"{name}.part", where / name)
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise FileFormatError(folder, None, message, "check the folder, its permissions and the disk") from error


class FolderInUseError(JaxpotError, ValueError):
    """Another process, or another run of this one, is writing to a folder."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a folder for the duration of a context.

    The operating system locks a file ``.lock`` in the folder. It releases the lock when the process ends, even by a
    crash.

    Args:
        folder: the folder, created if it does not exist.

    Raises:
        FolderInUseError: another run holds the lock; the message names its process.

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
    while not _is(path, handle):  # the previous owner released the lock and deleted the file in the meantime
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
    """Opens and locks the lock file."""
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
    """Whether a path still names an open file."""
    try:
        there, here = os.stat(path), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file atomically, and returns once the content is on the disk.

    Args:
        path: the file.
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
