"""A reader for the numbers of a text file that knows the line of each number, for error messages."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from jaxpot.io.errors import FileFormatError, warn

COMPLETE = "get a complete copy of the file"
# float() would also accept 1_000, nan and infinity, and would reject Fortran's 1.0D+00.
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
# Results of a division by zero at r = 0; LAMMPS reads these words as numbers.
_UNDEFINED = re.compile(rb"[+-]?(inf|infinity|nan)", re.IGNORECASE)
# No table has more points than nine digits can count; int() would fail with its own error on thousands of digits.
_COUNT = re.compile(rb"\+?\d{1,9}")


class Scanner:
    """The lines of a text file after its comment lines, read as a stream of numbers.

    Numbers may be distributed over lines in any way, but a header begins on a new line. As in LAMMPS, # starts a
    comment, except in the comment lines at the head of the file, which are kept unchanged.

    Args:
      path: the file.
      comment_lines: number of lines at the head of the file that are free text.

    Raises:
      FileFormatError: the file cannot be read, is empty or is no text.
    """

    def __init__(self, path: str | os.PathLike[str], comment_lines: int) -> None:
        self.path = path
        text = _read(path).replace(b"\r\n", b"\n")
        if b"\n" not in text:
            text = text.replace(b"\r", b"\n")
        lines = text.split(b"\n")
        self.comments = tuple(_decode(line).replace("\r", " ") for line in lines[:comment_lines])
        body = sum(len(line) + 1 for line in lines[:comment_lines])  # where it begins
        if text.find(b"#", body) >= 0:
            lines[comment_lines:] = [line.partition(b"#")[0] for line in lines[comment_lines:]]
        self.lines = lines
        self._underscores = text.find(b"_", body) >= 0
        self._next = comment_lines  # index of the first line that has not been read
        self._rest: list[bytes] = []  # numbers left over on the last line that has been read
        self._last = "the comment lines"
        self._undefined: list[tuple[int, str, bytes]] = []  # values at r = 0: line, table, word
        if comment_lines >= len(lines):
            raise self.error(self.end_line, f"has no more than its {comment_lines} comment line(s)", COMPLETE)
        units = re.search(r"(?:^|\s)UNITS:\s+(\S+)", self.comments[0])
        if units and units[1] != "metal":
            raise self.error(
                1, f"is in {units[1]!r} units", "convert the tables to eV and Å, and say UNITS: metal in the first line"
            )

    @property
    def end_line(self) -> int:
        """The number of the last line that holds anything, from 1."""
        return max((n for n, line in enumerate(self.lines, 1) if line.strip()), default=1)

    def error(self, line: int | None, message: str, remedy: str) -> FileFormatError:
        """The error to raise about this file."""
        return FileFormatError(self.path, line, message, remedy)

    def header(self, minimum: int, what: str) -> tuple[list[bytes], int]:
        """The words of the next line that is not empty, plus more lines up to `minimum` words; and its number."""
        if self._rest:
            raise self.error(
                self._next,
                f"{len(self._rest)} more value(s) from {_show(self._rest[0])} on after the last one of {self._last}",
                f"start {what} on a new line, and check the number of values before it",
            )
        words: list[bytes] = []
        first = self._next
        while len(words) < minimum or not words:
            if self._next >= len(self.lines):
                raise self.error(self.end_line, f"the file ends where {what} should follow {self._last}", COMPLETE)
            if not words:
                first = self._next
            words += self.lines[self._next].split()
            self._next += 1
        self._last = what
        return words, first + 1

    def numbers(self, count: int, what: str, of_distance: bool = False) -> np.ndarray:
        """The next `count` numbers as float64; `what` names their table in messages.

        Functions `of_distance` may be infinite or undefined at r = 0, where no atoms are. That value is extrapolated
        linearly from the next two points, and `finish` gives a warning.
        """
        words, self._rest = self._rest, []
        carried, first = len(words), self._next
        in_blocks = True
        while len(words) < count and self._next < len(self.lines):
            missing, block = count - len(words), self.lines[self._next].split()
            taken = 1
            if in_blocks:
                # Most tables have equally many numbers on each line; then many lines are split at once.
                ahead = max(missing // max(len(block), 1), 1)
                many = b" ".join(self.lines[self._next : self._next + ahead]).split()
                in_blocks = len(many) <= missing
                block, taken = (many, ahead) if in_blocks else (block, 1)
            words += block
            self._next = min(self._next + taken, len(self.lines))
        words, self._rest = words[:count], words[count:]
        undefined = of_distance and len(words) > 2 and _UNDEFINED.fullmatch(words[0]) is not None
        if undefined:
            self._undefined.append((first + (0 if carried else 1), what, words[0]))
            words[0] = b"0"
        values = self._convert(words, count, what, carried, first)
        if undefined:
            values[0] = 2.0 * values[1] - values[2]
        if len(words) < count:
            raise self.error(
                self.end_line, f"the file ends after {len(words)} of the {count} numbers of {what}", COMPLETE
            )
        self._last = what
        return values

    def finish(self, d_r: float, steps: int = 3) -> None:
        """Checks that only white space is left, and warns about functions that are undefined at r = 0."""
        line = self._next
        left = list(self._rest)
        for index in range(self._next, len(self.lines)):
            words = self.lines[index].split()
            if words and not left:
                line = index + 1
            left += words
        if len(left) > 2 and _COUNT.fullmatch(left[0]) and len(left) == int(left[0]) + 2 and all(map(is_number, left)):
            # LAMMPS finds them on the last line of a file that is setfl up to there
            raise self.error(
                self.end_line,
                f"ends with the {len(left) - 1} coefficients of a function h(x): a file for LAMMPS's eam/cd, whose "
                "pair potential depends on the concentration",
                "eam/cd is not supported; use a file for eam, eam/alloy, eam/fs or adp",
            )
        if left:
            raise self.error(
                line,
                f"{len(left)} more word(s), {_show(left[0])} the first, after the last number of {self._last}",
                "check the style and the numbers of elements and points in the header, or remove the surplus",
            )

        for line, what, word in self._undefined:
            warn(
                self.path, line,
                f"{what} is {_decode(word)} at r = 0; energies of atoms closer than {steps * d_r:g} Å ({steps} steps "
                "of the table) are not those of the file",
            )  # fmt: skip

    def number(self, word: bytes, what: str, line: int) -> float:
        """One finite number of a header."""
        return float(self._finite(word, what, line))

    def positive(self, word: bytes, what: str, line: int) -> float:
        """One number of a header that must be above 0."""
        value = self.number(word, what, line)
        if value <= 0:
            raise self.error(line, f"{what} is {_show(word)}, must be positive", "correct the line")
        return value

    def whole(self, word: bytes, what: str, line: int, minimum: int) -> int:
        """One whole number of a header that must not be below `minimum`."""
        if not _COUNT.fullmatch(word) or int(word) < minimum:
            raise self.error(
                line, f"{what} is {_show(word)}, must be a whole number, {minimum} or more", "correct the line"
            )
        return int(word)

    def _convert(self, words: list[bytes], count: int, what: str, carried: int, first: int) -> np.ndarray:
        if not self._underscores:
            try:
                values = np.array(list(map(float, words)), dtype=np.float64)
            except ValueError:
                pass  # an exponent with D, or a word that is no number: convert one by one
            else:
                if np.isfinite(values).all():
                    return values
        numbers = []
        line, ends = first, carried  # the number of the line of the current word, and how many words end with it
        for index, word in enumerate(words):
            while index >= ends:
                ends += len(self.lines[line].split())
                line += 1
            numbers.append(self._finite(word, f"number {index + 1} of the {count} of {what}", line))
        return np.array(numbers, dtype=np.float64)

    def _finite(self, word: bytes, what: str, line: int) -> float:
        if not _NUMBER.fullmatch(word):
            raise self.error(
                line,
                f"{what} is {_show(word)}, not a finite number",
                "correct the word, or the number of values before it if this is the start of something else",
            )
        value = float(word.upper().replace(b"D", b"E"))
        if not np.isfinite(value):
            raise self.error(line, f"{what} is {_show(word)}, too large for a double", "correct the number")
        return value


def is_number(word: bytes) -> bool:
    """Whether a word is a number in decimal notation, with or without an exponent (E or D)."""
    return _NUMBER.fullmatch(word) is not None


def text_of(word: bytes) -> str:
    """A word of the file as a string."""
    return _decode(word)


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        file = Path(path)
        if not file.exists():
            raise FileFormatError(path, None, "there is no such file", "check the name and the folder")
        if not file.is_file():
            kind = "a folder" if file.is_dir() else "not a regular file"
            raise FileFormatError(path, None, f"is {kind}", "name the file of the potential")
        content = file.read_bytes()
    except FileFormatError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise FileFormatError(path, None, f"cannot be read: {reason}", "check its name and permissions") from error
    if not content.strip():
        raise FileFormatError(path, None, "the file is empty", COMPLETE)
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise FileFormatError(path, line, "is not a text file (null byte)", "unpack it if it is compressed")
    return content


def _decode(line: bytes) -> str:
    # The formats know no encoding. Latin-1 can decode anything, so that a comment is never a reason to fail.
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _show(word: bytes) -> str:
    return repr(_decode(word if len(word) <= 40 else word[:37] + b"..."))
