"""The lines of an n2p2 file with their line numbers, and the words and numbers in each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from jaxpot.io.errors import FileFormatError

__all__ = ["Words", "read_text", "words_of"]

Path = str | os.PathLike[str]


def read_text(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 (usually in a comment) are replaced."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError as error:
        raise FileFormatError(
            path, None, f"cannot be read: {error.strerror}", "a potential needs input.nn, scaling.data, weights.*.data"
        ) from error


class Words:
    """The words of one line, without comments."""

    def __init__(self, path: Path, line: int, words: list[str]) -> None:
        self.path, self.line, self.words = path, line, words

    def error(self, message: str, remedy: str = "correct the line") -> FileFormatError:
        return FileFormatError(self.path, self.line, message, remedy)

    def number(self, place: int, what: str) -> float:
        """The finite number at a place."""
        word = self.word(place, what)
        try:
            value = float(word.replace("d", "e").replace("D", "E"))
        except ValueError:
            raise self.error(f"{what} is {word!r}, must be a number") from None
        if not math.isfinite(value):
            raise self.error(f"{what} is {word!r}, must be finite")
        return value

    def whole(self, place: int, what: str, least: int = 0) -> int:
        """The whole number at a place."""
        value = self.number(place, what)
        if value != int(value) or value < least:
            raise self.error(f"{what} is {self.words[place]!r}, must be a whole number of at least {least}")
        return int(value)

    def word(self, place: int, what: str) -> str:
        if place >= len(self.words):
            raise self.error(f"{what} is missing after {' '.join(self.words)!r}", "complete the line")
        return self.words[place]

    def ends_before(self, place: int) -> None:
        """Raise FileFormatError where a word follows."""
        if len(self.words) > place:
            raise self.error(f"{self.words[place]!r} is one word too many", "remove it, or put # before it")


def words_of(path: Path, text: str) -> Iterator[Words]:
    """The lines that are not empty, without comments (from # or ! on)."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split("!")[0].split()
        if words:
            yield Words(path, number, words)
