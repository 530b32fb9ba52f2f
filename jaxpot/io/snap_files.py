"""Readers of the two files of a SNAP potential in LAMMPS, and of input scripts that combine SNAP with ZBL."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from jaxpot.io.errors import FileFormatError

__all__ = ["Coefficients", "Parameters", "Script", "read_coefficients", "read_parameters", "read_script"]

Path = str | os.PathLike[str]
COMPLETE = "get a complete copy of the file"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
FLAGS = ("switchflag", "bzeroflag", "quadraticflag", "chemflag", "bnormflag", "wselfallflag", "switchinnerflag")
NUMBERS = ("rcutfac", "rfac0", "rmin0")
LISTS = ("sinner", "dinner")
IGNORED = ("chunksize", "parallelthresh")  # settings of LAMMPS that do not change the result
# Keywords of older versions, with the only supported value, and the meaning of other values.
OLD = {
    "diagonalstyle": (3.0, "another set of components"),
    "gamma": (1.0, "another parameter of a density that LAMMPS has given up"),
}


class Coefficients(NamedTuple):
    """A ``.snapcoeff`` file.

    Attributes:
        comments: the lines before the first number, without line breaks.
        elements: chemical symbols.
        radii: radius of each element, in units of ``rcutfac``.
        weights: weight of each element.
        texts: the coefficients of each element, as written in the file.
    """

    comments: tuple[str, ...]
    elements: tuple[str, ...]
    radii: tuple[float, ...]
    weights: tuple[float, ...]
    texts: tuple[tuple[str, ...], ...]


class Parameters(NamedTuple):
    """A ``.snapparam`` file.

    Attributes:
        comments: the lines before the first keyword, without line breaks.
        values: numbers by keyword: one, or one an element for ``sinner`` and ``dinner``.
        lines: the line number of each keyword.
    """

    comments: tuple[str, ...]
    values: dict[str, tuple[float, ...]]
    lines: dict[str, int]


class Script(NamedTuple):
    """A LAMMPS input script for SNAP, alone or with ZBL added.

    Attributes:
        coefficients: name of the ``.snapcoeff`` file.
        parameters: name of the ``.snapparam`` file.
        elements: chemical symbols of the types.
        zbl: (inner, outer) in Å and the nuclear charges of the types, or None.
        line: number of the line that names the files.
    """

    coefficients: str
    parameters: str
    elements: tuple[str, ...]
    zbl: tuple[float, float, tuple[float, ...]] | None
    line: int


def read_text(path: Path) -> list[str]:
    """The lines of a file."""
    try:
        with open(path, encoding="utf-8", newline=None) as stream:
            text = stream.read()
    except OSError as error:
        raise FileFormatError(path, None, f"cannot be read: {error.strerror}", "check name and permissions") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(path, None, "is not a text", COMPLETE) from error
    if "\0" in text:
        raise FileFormatError(path, 1 + text[: text.index("\0")].count("\n"), "holds a null byte", COMPLETE)
    return text.split("\n")


def words_of(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that holds more than a comment."""
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words:
            yield number, words


def number_of(path: Path, line: int, what: str, text: str) -> float:
    """A finite number."""
    if _NUMBER.fullmatch(text) is None or not math.isfinite(float(text)):
        raise FileFormatError(path, line, f"{what} is {text[:40]!r}, not a number", "correct the line")
    return float(text)


def count_of(path: Path, line: int, what: str, text: str) -> int:
    """A positive whole number."""
    if re.fullmatch(r"\d{1,7}", text) is None or int(text) == 0:
        raise FileFormatError(path, line, f"{what} is {text[:40]!r}, not a positive whole number", "correct the line")
    return int(text)


def read_coefficients(path: Path) -> Coefficients:
    """Reads a ``.snapcoeff`` file.

    Args:
        path: the file.

    Returns:
        The :class:`Coefficients`.

    Raises:
        FileFormatError: the file cannot be read or is faulty.
    """
    lines = read_text(path)
    items = list(words_of(lines))
    if not items:
        raise FileFormatError(path, None, "is empty", COMPLETE)
    position = 0

    def take(what: str, words: int) -> tuple[int, list[str]]:
        nonlocal position
        if position == len(items):
            raise FileFormatError(path, items[-1][0], f"ends before {what}", COMPLETE)
        line, found = items[position]
        if len(found) != words:
            _wrong(path, line, f"{what} takes {words} word(s), found {len(found)}")
        position += 1
        return line, found

    line, (first, second) = take("the numbers of elements and coefficients", 2)
    number = count_of(path, line, "the number of elements", first)
    count = count_of(path, line, "the number of coefficients", second)
    elements, radii, weights, texts = [], [], [], []
    for _ in range(number):
        line, (symbol, radius, weight) = take("the line of an element with its radius and weight", 3)
        if symbol in elements:
            raise FileFormatError(path, line, f"element {symbol} comes twice", "correct the line")
        if re.fullmatch(r"[A-Z][a-z]?", symbol) is None:
            raise FileFormatError(path, line, f"{symbol[:40]!r} is no chemical symbol", "correct the line")
        elements.append(symbol)
        radii.append(number_of(path, line, "the radius", radius))
        weights.append(number_of(path, line, "the weight", weight))
        if radii[-1] <= 0:
            raise FileFormatError(path, line, f"the radius is {radius}, must be positive", "correct the line")
        own = []
        for k in range(count):
            line, (text,) = take(f"coefficient {k + 1} of {count} of {symbol}", 1)
            number_of(path, line, f"coefficient {k + 1} of {symbol}", text)
            own.append(text)
        texts.append(tuple(own))
    if position < len(items):
        _wrong(path, items[position][0], f"there is more than {number} element(s) of {count} coefficients")
    return Coefficients(_head(lines, items[0][0]), tuple(elements), tuple(radii), tuple(weights), tuple(texts))


def read_parameters(path: Path) -> Parameters:
    """Reads a ``.snapparam`` file.

    Args:
        path: the file.

    Returns:
        The :class:`Parameters`.

    Raises:
        FileFormatError: the file cannot be read, is faulty, or lacks ``rcutfac`` or ``twojmax``.
    """
    lines = read_text(path)
    values: dict[str, tuple[float, ...]] = {}
    where: dict[str, int] = {}
    for line, (keyword, *texts) in words_of(lines):
        if keyword in IGNORED:
            continue
        if keyword in OLD:
            usual, other = OLD[keyword]
            if len(texts) != 1 or number_of(path, line, keyword, texts[0]) != usual:
                message = f"{keyword} is {' '.join(texts)[:40]!r}, which means {other}"
                raise FileFormatError(path, line, message, f"only {keyword} {usual:g} is supported; fit again")
            continue
        if keyword not in (*FLAGS, *NUMBERS, *LISTS, "twojmax"):
            known = ", ".join((*NUMBERS, "twojmax", *FLAGS, *LISTS))
            raise FileFormatError(path, line, f"unknown keyword {keyword[:40]!r}", f"use {known}")
        if keyword in values:
            raise FileFormatError(path, line, f"{keyword} comes twice", "leave one")
        if len(texts) != 1 and (keyword not in LISTS or not texts):
            _wrong(path, line, f"{keyword} takes one value, found {len(texts)}")
        if keyword == "twojmax":
            if re.fullmatch(r"\d{1,2}", texts[0]) is None:
                raise FileFormatError(path, line, f"twojmax is {texts[0][:40]!r}, not a whole number", "correct it")
        elif keyword in FLAGS and texts[0] not in ("0", "1"):
            raise FileFormatError(path, line, f"{keyword} is {texts[0][:40]!r}, must be 0 or 1", "correct the line")
        values[keyword] = tuple(number_of(path, line, keyword, text) for text in texts)
        where[keyword] = line
    for keyword in ("rcutfac", "twojmax"):
        if keyword not in values:
            raise FileFormatError(path, None, f"{keyword} is missing", COMPLETE)
    if values["rcutfac"][0] <= 0:
        raise FileFormatError(
            path, where["rcutfac"], f"rcutfac is {values['rcutfac'][0]}, must be positive", "correct it"
        )
    return Parameters(_head(lines, min(where.values())), values, where)


def read_script(path: Path) -> Script:
    """Reads a ``.snap`` file: variables, ``pair_style snap`` or ``hybrid/overlay`` of ``zbl`` and ``snap``, pair_coeff.

    Args:
        path: the file.

    Returns:
        The :class:`Script`.

    Raises:
        FileFormatError: the file cannot be read, or holds other commands or styles.
    """
    variables: dict[str, str] = {}
    inner_outer: tuple[float, float] | None = None
    charges: dict[tuple[int, int], tuple[float, float]] = {}
    named: tuple[int, list[str]] | None = None
    for line, raw in _commands(read_text(path)):
        words = [re.sub(r"\$\{(\w+)\}", lambda m: variables.get(m[1], m[0]), word) for word in raw]
        match words:
            case ["variable", name, "index" | "equal" | "string", value]:
                variables[name] = value
            case ["pair_style", "snap"] | ["pair_style", "hybrid/overlay", "snap"]:
                pass
            case ["pair_style", "hybrid/overlay", "zbl", a, b, "snap"]:
                inner_outer = number_of(path, line, "zbl's inner radius", a), number_of(path, line, "the outer", b)
            case ["pair_style", "hybrid/overlay", "snap", "zbl", a, b]:
                inner_outer = number_of(path, line, "zbl's inner radius", a), number_of(path, line, "the outer", b)
            case ["pair_coeff", a, b, "zbl", first, second] if inner_outer is not None:
                pair = count_of(path, line, "a type", a), count_of(path, line, "a type", b)
                charges[pair] = number_of(path, line, "Z", first), number_of(path, line, "Z", second)
            case ["pair_coeff", "*", "*", *rest] if named is None:
                named = line, rest[1:] if rest[:1] == ["snap"] else rest
            case _:
                raise FileFormatError(
                    path, line, f"cannot be read as SNAP, alone or over ZBL: {' '.join(words)[:60]!r}",
                    "load .snapcoeff and .snapparam, and add the other potentials in Python",
                )  # fmt: skip
    if named is None or len(named[1]) < 3:
        raise FileFormatError(path, None, "no pair_coeff * * with two files and elements", COMPLETE)
    line, (coefficients, parameters, *elements) = named
    zbl = None
    if inner_outer is not None:
        kinds = range(1, len(elements) + 1)
        for i in kinds:
            for j in range(i, len(elements) + 1):
                if (i, j) not in charges:
                    raise FileFormatError(path, None, f"no pair_coeff {i} {j} zbl", COMPLETE)
                if charges[i, j] != (charges[i, i][0], charges[j, j][0]):
                    raise FileFormatError(path, None, f"pair_coeff {i} {j} zbl has other charges than {i} {i}, {j} {j}",
                                          "give every type one charge")  # fmt: skip
        zbl = (*inner_outer, tuple(charges[k, k][0] for k in kinds))
    return Script(coefficients, parameters, tuple(elements), zbl, line)


def _commands(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each command; & at the end of a line joins it to the next."""
    begun: list[str] = []
    start = 0
    for number, words in words_of(lines):
        start = start if begun else number
        begun += words
        if begun[-1] == "&":
            begun.pop()
            continue
        yield start, begun
        begun = []
    if begun:
        yield start, begun


def _head(lines: list[str], first: int) -> tuple[str, ...]:
    return tuple(line.rstrip("\r") for line in lines[: first - 1])


def _wrong(path: Path, line: int, message: str) -> NoReturn:
    raise FileFormatError(path, line, message, "correct the line, or " + COMPLETE)
