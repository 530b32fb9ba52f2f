"""The entries of files of angular potentials: three elements and a fixed number of values, with free line breaks."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from typing import NamedTuple

from jaxpot.io.errors import FileFormatError
from jaxpot.spec import plain_data

__all__ = ["EV_OF_REAL", "KINDS", "AngularFile", "Column", "Entry", "FileKind", "read_entries"]

Path = str | os.PathLike[str]
EV_OF_REAL = 1.0 / 23.060549  # eV in a kcal/mol, as LAMMPS converts files marked UNITS: real


class Column(NamedTuple):
    """One value of an entry.

    Attributes:
        name: of the parameter.
        of: "angle", where all entries count; "pair", where those of i j j count alone; "power" for the exponent 1 or 3;
            or a number that the value must be.
        energy: whether it is proportional to the unit of energy.
        signed: whether it may be negative.
        ends: whether the entries i j j and j i i should agree.
        orders: whether the entries i j k and i k j should agree.
    """

    name: str
    of: str | float
    energy: bool = False
    signed: bool = False
    ends: bool = False
    orders: bool = False


class FileKind(NamedTuple):
    """One kind of file.

    Attributes:
        style: LAMMPS's name.
        ending: of file names.
        potential: the factory's name.
        columns: of an entry, after its three elements.
    """

    style: str
    ending: str
    potential: str
    columns: tuple[Column, ...]


def _pair(*names: str, **flags: bool) -> tuple[Column, ...]:
    return tuple(Column(name, "pair", **flags) for name in names)


def _angle(*names: str, **flags: bool) -> tuple[Column, ...]:
    return tuple(Column(name, "angle", **flags) for name in names)


_SW = (
    *_angle("epsilon", energy=True, orders=True),
    *_pair("sigma", "a", ends=True),
    *_angle("lambda", orders=True),
    *_pair("gamma"),
    *_angle("cos0", signed=True, orders=True),
    *_pair("A", "B", "p", "q", ends=True),
    Column("tol", 0.0),
)
_TERSOFF = (
    Column("m", "power"),
    *_angle("gamma"),
    *_angle("lambda3", signed=True),
    *_angle("c", "d"),
    *_angle("cos0", signed=True),
    *_pair("n", "beta", "lambda2"),
    *_pair("B", energy=True),
    *_angle("R", "D", ends=True),
    *_pair("lambda1", ends=True),
    *_pair("A", energy=True, ends=True),
)
_MOD = (
    Column("beta", "power"),
    *_angle("alpha", "cos0", signed=True),
    *_pair("eta"),
    Column("beta_ters", 1.0),
    *_pair("lambda2"),
    *_pair("B", energy=True),
    *_angle("R", "D", ends=True),
    *_pair("lambda1", ends=True),
    *_pair("A", energy=True, ends=True),
    *_pair("n"),
    *_angle("c1", "c2", "c3", "c4", "c5", signed=True),
)
_EDIP = (
    *_pair("A", energy=True),
    *_pair("B", "a", "c", "alpha", "beta"),
    *_angle("eta", orders=True),
    *_pair("gamma"),
    *_angle("lambda", energy=True, orders=True),
    *_angle("mu", orders=True),
    *_pair("rho", "sigma"),
    *_angle("Q0", orders=True),
    *_angle("u1", "u2", "u3", "u4", signed=True, orders=True),
)
_VASHISHTA = (
    *_pair("H", energy=True, ends=True),
    *_pair("eta", ends=True),
    *_pair("Z_i", "Z_j", signed=True),
    *_pair("lambda1", ends=True),
    *_pair("D", energy=True, ends=True),
    *_pair("lambda4", ends=True),
    *_pair("W", energy=True, ends=True),
    *_pair("rc", ends=True),
    *_angle("B", energy=True, orders=True),
    *_pair("gamma", "r0"),
    *_angle("C", orders=True),
    *_angle("cos0", signed=True, orders=True),
)
_ZBL = (*_TERSOFF, *_pair("Z_i", "Z_j"), *_pair("zbl_cut", "zbl_slope", ends=True))
_MODC = (*_MOD, *_pair("c0", energy=True, signed=True, ends=True))
KINDS = (
    FileKind("sw", ".sw", "stillinger_weber", _SW),
    FileKind("sw/mod", ".sw.mod", "stillinger_weber", _SW),
    FileKind("tersoff", ".tersoff", "tersoff", _TERSOFF),
    FileKind("tersoff/zbl", ".tersoff.zbl", "tersoff", _ZBL),
    FileKind("tersoff/mod", ".tersoff.mod", "tersoff_mod", _MOD),
    FileKind("tersoff/mod/c", ".tersoff.modc", "tersoff_mod", _MODC),
    FileKind("edip", ".edip", "edip", _EDIP),
    FileKind("vashishta", ".vashishta", "vashishta", _VASHISHTA),
)


@plain_data
@dataclasses.dataclass(frozen=True)
class AngularFile:
    """Further content of the file that an angular potential was loaded from.

    Attributes:
        style: LAMMPS's name of its kind.
        comments: lines at the head.
        names: the file's name of each element, in the order of the species.
        entries: the words of each entry, as written in the file.
        real: whether energies are in kcal/mol.
    """

    style: str
    comments: tuple[str, ...]
    names: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]
    real: bool = False


class Entry(NamedTuple):
    """One entry.

    Attributes:
        names: the three elements.
        words: the values as written.
        line: number of its first line.
    """

    names: tuple[str, str, str]
    words: tuple[str, ...]
    line: int


def read_entries(path: Path, kind: FileKind) -> tuple[tuple[str, ...], list[Entry], bool]:
    """Reads a file.

    Args:
        path: the file.
        kind: of file.

    Returns:
        Comments at its head, its entries, and whether it is in LAMMPS's units "real".

    Raises:
        FileFormatError: the file is no such file.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            lines = stream.read().split("\n")
    except OSError as error:
        raise FileFormatError(path, None, f"cannot be read: {error.strerror}", "check the file") from error
    tag = re.search(r"UNITS:\s*(\S+)", lines[0])
    if tag is not None and tag[1] not in ("metal", "real"):
        raise FileFormatError(path, 1, f"is in units {tag[1]!r}", "convert it to metal or real")
    comments = []
    for text in lines:
        if text.strip() and not text.lstrip().startswith("#"):
            break
        comments.append(text.rstrip())
    words = [(word, k) for k, text in enumerate(lines, 1) for word in text.split("#")[0].split()]
    size = 3 + len(kind.columns)
    if not words:
        raise FileFormatError(path, None, "has no entries", "check that it is the right file")
    entries = []
    for start in range(0, len(words), size):
        part = words[start : start + size]
        line = part[0][1]
        if len(part) < size:
            raise FileFormatError(
                path, line, f"the last entry has {len(part)} words, not 3 elements and {size - 3} values",
                f"check that it is a file of pair_style {kind.style}, with no word missing or left over"
            )  # fmt: skip
        for (word, at), column in zip(part[3:], kind.columns, strict=True):
            _check_value(path, at, word, column, kind)
        a, b, c = (word for word, _ in part[:3])
        entries.append(Entry((a, b, c), tuple(word for word, _ in part[3:]), line))
    while comments and not comments[-1]:
        comments.pop()
    return tuple(comments), entries, tag is not None and tag[1] == "real"


def _check_value(path: Path, line: int, word: str, column: Column, kind: FileKind) -> None:
    try:
        value = float(word)
    except ValueError:
        raise FileFormatError(
            path, line, f"{column.name} is {word!r}, which is no number",
            f"check that it is a file of pair_style {kind.style}, with no word missing or left over"
        ) from None  # fmt: skip
    if not math.isfinite(value) or "_" in word:
        raise FileFormatError(path, line, f"{column.name} is {word}", "give a finite number")
    if value < 0 and not column.signed:
        raise FileFormatError(path, line, f"{column.name} is {word}, and must not be negative", "correct the value")
    if column.of == "power" and value not in (1.0, 3.0):
        raise FileFormatError(path, line, f"the exponent {column.name} is {word}", "it must be 1 or 3")
    if isinstance(column.of, float) and value != column.of:
        raise FileFormatError(
            path, line, f"{column.name} is {word}, and only {column.of:g} is possible",
            "a tolerance would cut the functions off before their end" if column.name == "tol" else "correct the value"
        )  # fmt: skip
