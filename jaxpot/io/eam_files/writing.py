"""Atomic writing of text files: a reader finds either the old file or the new one, never a part."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jaxpot.io.errors import FileFormatError

# LAMMPS reads lines of at most 1,023 characters, line break included, and takes the rest for the next line.
_LONGEST_LINE = 1022
_PER_LINE = 5


def rows(values: np.ndarray) -> str:
    """A table as text, five numbers a line, with 17 significant digits, which represent every double exactly."""
    full, left = divmod(len(values), _PER_LINE)
    line = " ".join(["%.16e"] * _PER_LINE) + "\n"
    template = line * full + (" ".join(["%.16e"] * left) + "\n" if left else "")
    return template % tuple(values.tolist())


def check_text(path: str | os.PathLike[str], what: str, text: str, *, words: int | None = None) -> None:
    """Refuses a text that would be read back differently: with line breaks, too long, or a name with # or spaces."""
    if any(character in text for character in "\n\r\0") or len(text.encode()) > _LONGEST_LINE:
        raise FileFormatError(
            path, None, f"{what} {text[:40]!r} is not one line of at most {_LONGEST_LINE} bytes", "shorten it"
        )
    pieces = text.encode().split()  # as bytes, like the reader; a str would be split at any Unicode space
    if words is not None and ("#" in text or len(pieces) > words or text.encode() != b" ".join(pieces)):
        raise FileFormatError(path, None, f"{what} {text[:40]!r} is not a plain name", "leave out spaces and #")


def write_text(path: str | os.PathLike[str], parts: Iterable[str]) -> None:
    """Writes the parts to a temporary file beside `path`, then moves it there."""
    target = Path(path)
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        # opened with "x", not by tempfile, so that the permissions follow the user's umask
        with temporary.open("x", encoding="utf-8", newline="\n") as stream:
            stream.writelines(parts)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise FileFormatError(
            path, None, f"cannot be written: {error.strerror}", "check the folder, its permissions and the disk"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # moved, or never made
            temporary.unlink()
