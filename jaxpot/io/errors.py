"""The error and the warning of the readers and writers in `jaxpot.io`."""

from __future__ import annotations

import os
import warnings

from jaxpot.errors import JaxpotError


class FileFormatError(JaxpotError, ValueError):
    """A file that cannot be read or written. The message is one line with the place, the fault and the remedy.

    ``str(error)`` is ``path:line: message; remedy``, without the line number where the fault is in no single line.

    Args:
      path: the file, as the caller named it.
      line: the number of the faulty line, counted from 1, or None.
      message: what is wrong, with what was found in the file.
      remedy: what the reader of the message can do about it.

    Example:
      >>> print(FileFormatError("Cu.eam.alloy", 5, "d_r is -0.01, must be positive", "correct the line"))
      Cu.eam.alloy:5: d_r is -0.01, must be positive; correct the line
    """

    def __init__(self, path: str | os.PathLike[str], line: int | None, message: str, remedy: str) -> None:
        # All four go to the base class: pickle (a worker process that fails) calls the class with them.
        super().__init__(path, line, message, remedy)
        self.path = os.fspath(path)
        self.line = line
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        # A path or a piece of the file may hold a line break; the message must not.
        return " ".join(f"{place}: {self.message}; {self.remedy}".splitlines())


class FileWarning(UserWarning):
    """Something in a file that is not used, or is interpreted in a way that the user should know about.

    Example:
      >>> issubclass(FileWarning, UserWarning)
      True
    """


def warn(path: str | os.PathLike[str], line: int | None, message: str) -> None:
    """Warns about something in a file; the command line shows the warning as one line.

    Args:
      path: the file, as the caller named it.
      line: the number of the line, counted from 1, or None.
      message: what is noteworthy, and what can be done.
    """
    place = os.fspath(path) if line is None else f"{os.fspath(path)}:{line}"
    warnings.warn(" ".join(f"{place}: {message}".splitlines()), FileWarning, stacklevel=3)
