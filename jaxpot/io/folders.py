"""Folders that hold a potential: whole, or not a potential at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from jaxpot.io.errors import FileFormatError

__all__ = ["MARKERS", "give_up", "kinds_in", "write_together"]

# The file by which a folder is one of a potential, and of which kind.
MARKERS = {
    "ensemble.json": "an ensemble",
    "input.nn": "a network of n2p2 or RuNNer",
    "potential.json": "a potential of jaxpot's",
}


def kinds_in(folder: str | os.PathLike[str]) -> list[str]:
    """The names of the files that make a folder one of a potential.

    Args:
        folder: that may not exist.
    """
    return [name for name in MARKERS if os.path.isfile(os.path.join(folder, name))]


def give_up(folder: str | os.PathLike[str]) -> None:
    """Deletes the files that make a folder one of a potential, so that what is left is none.

    Args:
        folder: that may not exist.
    """
    for name in MARKERS:
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, name))


def write_together(folder: str | os.PathLike[str], texts: Mapping[str, str | bytes], marker: str) -> None:
    """Writes the files of a potential so that a reader finds the old ones, the new ones, or no potential.

    Everything is written beside first; then the marker goes, the other files take their places, and the new marker
    comes last.

    Args:
        folder: made if need be.
        texts: of the files, by name, the marker among them.
        marker: one of ``MARKERS``.

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
