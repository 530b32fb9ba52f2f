"""The lines of MEAM's library and parameter files."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from jaxpot.io.errors import FileFormatError
from jaxpot.spec import plain_data

__all__ = [
    "COLUMNS",
    "FLAGS",
    "KEYS",
    "Assignment",
    "MeamFile",
    "has_assignments",
    "in_real_units",
    "parse_parameters",
    "read_library",
    "read_parameters",
]

Path = str | os.PathLike[str]
COLUMNS = (
    *("element", "lattice", "z", "ielement", "atwt", "alpha", "b0", "b1", "b2", "b3", "alat", "esub", "asub"),
    *("t0", "t1", "t2", "t3", "rozero", "ibar"),
)
FLAGS = {  # of the whole file, with the values that they may have
    "augt1": (0, 1), "ialloy": (0, 1, 2), "mixture_ref_t": (0, 1), "erose_form": (0, 1, 2), "emb_lin_neg": (0, 1),
    "bkgd_dyn": (0, 1),
}  # fmt: skip
KEYS = {  # and the number of their indices
    "rc": 0, "delr": 0, "gsmooth_factor": 0, **dict.fromkeys(FLAGS, 0), "rho0": 1, "Ec": 2, "re": 2, "alpha": 2,
    "delta": 2, "attrac": 2, "repuls": 2, "nn2": 2, "zbl": 2, "lattce": 2, "Cmin": 3, "Cmax": 3,
}  # fmt: skip
ASSIGNMENT = re.compile(r"(\w+)\s*(?:\(([^)]*)\))?\s*=\s*(\S+?)\s*,?")


class Assignment(NamedTuple):
    """One line of a parameter file.

    Attributes:
        line: its number.
        key: the name.
        indices: the species, counted from 0.
        text: the value, without quotes.
    """

    line: int
    key: str
    indices: tuple[int, ...]
    text: str


@plain_data
@dataclasses.dataclass(frozen=True)
class MeamFile:
    """What a potential's files say besides numbers.

    Attributes:
        names: the library's name of each species.
        comments: lines before the entries of the library.
        entries: the words of each species' entry.
        parameters: lines of the parameter file.
        real: whether energies are in kcal/mol.
    """

    names: tuple[str, ...]
    comments: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]
    parameters: tuple[str, ...]
    real: bool = False


def in_real_units(paths: Sequence[Path]) -> bool:
    """Whether the first lines of files say UNITS: real; FileFormatError for other units, or where they differ."""
    found = []
    for path in paths:
        tag = re.search(r"UNITS:\s*(\S+)", (_lines(path) or [""])[0])
        if tag is not None and tag[1] not in ("metal", "real"):
            raise FileFormatError(path, 1, f"is in units {tag[1]!r}", "convert it to metal or real")
        found.append(tag is not None and tag[1] == "real")
    if len(set(found)) > 1:
        raise FileFormatError(paths[0], 1, "is in other units than the file beside it", "convert one of them")
    return found[0]


def has_assignments(path: Path) -> bool:
    """Whether a file has a line with "=", as files of parameters have and libraries have not, or no line at all."""
    contents = [text.split("#")[0].strip() for text in _lines(path)]
    return not any(contents) or any("=" in content for content in contents)


def read_library(path: Path) -> tuple[tuple[str, ...], dict[str, tuple[int, tuple[str, ...]]]]:
    """The comments before the entries of a library, and each entry's line and words by its name, the first of a name.

    Raises:
        FileFormatError: the file is no library, or a word is missing or left over.
    """
    comments: list[str] = []
    words: list[tuple[int, str]] = []
    for number, text in enumerate(_lines(path), 1):
        if not words and (text.lstrip().startswith("#") or not text.strip()):
            comments.append(text)
        words += [(number, word.strip("'\"")) for word in text.split("#")[0].split()]
    if any("=" in word for _, word in words):
        raise FileFormatError(path, None, "is no library, as it has '='", "give the library file too")
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    size = len(COLUMNS)
    for start in range(0, len(words), size):
        line, entry = words[start][0], tuple(word for _, word in words[start : start + size])
        if len(entry) < size:
            raise FileFormatError(
                path, line, f"the last entry has {len(entry)} words, not {size}",
                "check that it is a library of pair_style meam, with no word missing or left over"
            )  # fmt: skip
        for name, word in list(zip(COLUMNS, entry, strict=True))[2:]:
            _number(path, line, name, word)
        found.setdefault(entry[0], (line, entry))
    if not found:
        raise FileFormatError(path, None, "has no entries", "give the library file of a MEAM potential")
    return tuple(comments), found


def read_parameters(path: Path) -> tuple[tuple[str, ...], list[Assignment]]:
    """The lines of a parameter file, and what they assign.

    Raises:
        FileFormatError: a line is no assignment of a known key.
    """
    lines = tuple(_lines(path))
    return lines, parse_parameters(path, lines)


def parse_parameters(path: Path, lines: Sequence[str]) -> list[Assignment]:
    """What the lines of a parameter file assign; ``path`` is named in errors."""
    found = []
    for number, text in enumerate(lines, 1):
        content = text.split("#")[0].strip()
        if not content:
            continue
        match = ASSIGNMENT.fullmatch(content)
        if match is None:
            raise FileFormatError(path, number, f"{content!r} is no assignment", "write it as key(I,J) = value")
        found.append(_assignment(path, number, *match.groups()))
    return found


def _assignment(path: Path, line: int, key: str, inside: str | None, value: str) -> Assignment:
    if key not in KEYS:
        close = next((known for known in KEYS if known.lower() == key.lower()), None)
        remedy = f"it is written {close}" if close else f"known are {', '.join(KEYS)}"
        raise FileFormatError(path, line, f"{key} is no key of a MEAM file", remedy)
    try:
        index = tuple(int(part) - 1 for part in inside.split(",")) if inside is not None else ()
    except ValueError:
        raise FileFormatError(path, line, f"the indices ({inside}) of {key} are no numbers", "correct them") from None
    if len(index) != KEYS[key]:
        raise FileFormatError(path, line, f"{key} has {len(index)} indices", f"it takes {KEYS[key]}")
    text = value.strip("'\"")
    if key != "lattce":
        number = _number(path, line, key, text)
        allowed = FLAGS.get(key, (0, 1) if key in ("nn2", "zbl") else None)
        if allowed is not None and number not in allowed:
            raise FileFormatError(path, line, f"{key} is {text}", f"use one of {', '.join(map(str, allowed))}")
    return Assignment(line, key, index, text)


def _lines(path: Path) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(path, None, f"cannot be read as text ({error})", "check the file") from None


def _number(path: Path, line: int, name: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise FileFormatError(path, line, f"{name} is {word!r}, which is no number", "correct the value") from None
    if not math.isfinite(value) or "_" in word:
        raise FileFormatError(path, line, f"{name} is {word}", "give a finite number")
    return value
