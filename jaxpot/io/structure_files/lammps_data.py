"""LAMMPS's data files. Elements and atom style come from the file or the caller and are never guessed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxpot.io.errors import FileFormatError
from jaxpot.io.structure_files.elements import REMEDY_TYPES, element_of_mass, is_element

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["ANGSTROM", "ATOM_STYLES", "is_lammps_data", "read_lammps_data"]

# Places of type, charge (or None) and x on a line of Atoms, and the number of words without image flags, counted from
# 0; from the manual of read_data. A hybrid style begins as atomic does.
ATOM_STYLES: dict[str, tuple[int, int | None, int, int]] = {
    "atomic": (1, None, 2, 5), "charge": (1, 2, 3, 6), "molecular": (2, None, 3, 6), "full": (2, 3, 4, 7),
    "angle": (2, None, 3, 6), "body": (1, None, 4, 7), "bond": (2, None, 3, 6), "bpm/sphere": (2, None, 5, 8),
    "dipole": (1, 2, 3, 9), "dpd": (1, None, 3, 6), "edpd": (1, None, 4, 7), "electron": (1, 2, 5, 8),
    "ellipsoid": (1, None, 4, 7), "hybrid": (1, None, 2, 5), "line": (2, None, 5, 8), "mdpd": (1, None, 3, 6),
    "peri": (1, None, 4, 7), "sph": (1, None, 5, 8), "sphere": (1, None, 4, 7), "spin": (1, None, 2, 9),
    "template": (1, None, 5, 8), "tri": (2, None, 5, 8),
}  # fmt: skip
USUAL = ("atomic", "charge", "molecular", "full", "sphere", "dipole")  # recognised without a name in the file
ANGSTROM = ("metal", "real")  # LAMMPS's units with lengths in Å

_BOX = re.compile(rb"^[^#\n]*\bxlo\s+xhi\b|^[^#\n]*\bavec\b", re.MULTILINE)
_COUNT = re.compile(rb"^\s*\d+\s+atoms\b", re.MULTILINE)
_WHOLE = re.compile(r"[+-]?\d+")
_COEFFS = (
    "Pair", "PairIJ", "Bond", "Angle", "Dihedral", "Improper", "BondBond", "BondAngle", "MiddleBondTorsion",
    "EndBondTorsion", "AngleTorsion", "AngleAngleTorsion", "BondBond13", "AngleAngle",
)  # fmt: skip
_NAMES = {
    "Atoms", "Velocities", "Masses", "Ellipsoids", "Lines", "Triangles", "Bodies", "Bonds", "Angles", "Dihedrals",
    "Impropers", *(f"{name} Coeffs" for name in _COEFFS),
    *(f"{name} Type Labels" for name in ("Atom", "Bond", "Angle", "Dihedral", "Improper")),
}  # fmt: skip


class Section(NamedTuple):
    """A section of a data file.

    Attributes:
        line: number of the line with its name.
        comment: the comment after the name.
        rows: line number, words and comment of each of its lines.
    """

    line: int
    comment: str
    rows: list[tuple[int, list[str], str]]


def is_lammps_data(head: bytes) -> bool:
    """Whether a file is a data file: its head gives the number of atoms and the box.

    Args:
        head: the first kilobytes of the file.
    """
    return _COUNT.search(head) is not None and _BOX.search(head) is not None


def read_lammps_data(path: Path, style: str | None, types: Sequence[str] | None) -> Iterator[Atoms]:
    """Reads the structure in a data file; it is periodic in all directions, as by default in LAMMPS.

    Args:
        path: the file.
        style: one of ``ATOM_STYLES``; by default taken from the comment after ``Atoms``, or from the words of its lines
            where they fit a single style.
        types: chemical symbols of the atom types; by default taken from type labels, from comments of the masses, or
            from the masses.

    Yields:
        ASE ``Atoms``, once.

    Raises:
        FileFormatError: the file is faulty, or does not say which elements or which style it has.
        ValueError: there is no such style.
    """
    from ase.data import atomic_numbers
    from ase.io.lammpsdata import read_lammps_data as read

    if style is not None and style not in ATOM_STYLES:
        raise ValueError(f"atom style {style!r} is not known; use one of {', '.join(ATOM_STYLES)}")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    _check_units(path, lines[0] if lines else "")
    header, counts, sections = _sections(lines)
    if "Atoms" not in sections:
        raise FileFormatError(path, None, "has no section Atoms", "give a complete data file")
    atoms = sections["Atoms"]
    labels = {words[1]: int(words[0]) for _, words, _ in _rows(path, sections, "Atom Type Labels")}
    found = style or _style(path, atoms, counts.get("atom types"), labels)
    reduced, numbers = _reduced(path, atoms, found, labels)
    if counts.get("atoms") != len(numbers):
        message = f"lists {len(numbers)} atoms where the header says {counts.get('atoms')}"
        raise FileFormatError(path, atoms.line, message, "give a complete data file")
    count = counts.get("atom types", max(numbers))
    if not 1 <= min(numbers) <= max(numbers) <= count:
        wrong = next(number for number in numbers if not 1 <= number <= count)
        raise FileFormatError(path, atoms.line, f"has an atom of type {wrong} among {count} types", "correct the file")
    symbols = _elements(path, sections, labels, count, types)
    # ASE reads the box, masses, velocities, and the atoms rewritten in a style that it knows
    masses, velocities = (
        ["", name, "", *(" ".join(words) for _, words, _ in sections[name].rows)] if name in sections else []
        for name in ("Masses", "Velocities")
    )
    plain = "atomic" if ATOM_STYLES[found][1] is None else "charge"
    text = "\n".join([*header, *masses, "", f"Atoms # {plain}", "", *reduced, *velocities, ""])
    by_type = {kind: atomic_numbers[symbol] for kind, symbol in enumerate(symbols, 1)}
    try:
        made = read(io.StringIO(text), Z_of_type=by_type, units="metal")
    except Exception as error:  # ASE's readers raise whatever their parsers do
        message = f"ASE cannot read it ({type(error).__name__}: {error})"
        raise FileFormatError(path, None, message, "check the box, the masses and the velocities") from error
    made.arrays.pop("mmcharges", None)
    made.info.pop("comment", None)
    yield made


def _check_units(path: Path, title: str) -> None:
    said = re.search(r"\bunits\s*=\s*(\w+)", title)
    if said is not None and said[1] not in ANGSTROM:
        raise FileFormatError(path, 1, f"is in LAMMPS's units {said[1]!r}", "convert it to units metal, with Å")


def _sections(lines: Sequence[str]) -> tuple[list[str], dict[str, int], dict[str, Section]]:
    """The lines before the first section, the counts in them, and the sections by name."""
    header, counts, sections = list(lines[:1]), {}, {}
    current: Section | None = None
    for number, raw in enumerate(lines[1:], 2):
        text, _, comment = raw.partition("#")
        words = text.split()
        name = " ".join(words)
        after_blank = not lines[number - 2].strip()
        if name in _NAMES or (after_blank and re.fullmatch(r"[A-Z][A-Za-z ]*", name)):
            current = sections[name] = Section(number, comment.strip(), [])
        elif current is None:
            header.append(raw)
            if len(words) > 1 and words[0].isdigit() and words[1].isalpha():
                counts[" ".join(words[1:])] = int(words[0])
        elif words:
            current.rows.append((number, words, comment.strip()))
    return header, counts, sections


def _rows(path: Path, sections: dict[str, Section], name: str) -> list[tuple[int, list[str], str]]:
    rows = sections[name].rows if name in sections else []
    for line, words, _ in rows:
        if len(words) < 2 or not words[0].isdigit():
            message = f"cannot be read as a line of {name}: {' '.join(words)[:60]!r}"
            raise FileFormatError(path, line, message, "correct the line")
    return rows


def _style(path: Path, atoms: Section, types: int | None, labels: dict[str, int]) -> str:
    """The atom style named by the comment, or the only one that fits the words of all lines."""
    said = (atoms.comment.split() or [""])[0]
    if said in ATOM_STYLES:
        return said
    rows = [words for _, words, _ in atoms.rows]
    # styles with types and positions at the same places give the same structure
    fitting = {
        (ATOM_STYLES[name][0], ATOM_STYLES[name][2]): name for name in USUAL[::-1] if _fits(rows, name, types, labels)
    }
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    have = f"({len(rows[0])} words on a line) " if rows else ""
    could = f"may be of style {' or '.join(fitting.values())}" if fitting else "are of no style that words can tell"
    raise FileFormatError(
        path, atoms.line, f"does not say its atom style, and its atoms {have}{could}",
        "write for example 'Atoms # full', or give format='lammps-data/full' (--structure-format)",
    )  # fmt: skip


def _fits(rows: Sequence[Sequence[str]], style: str, types: int | None, labels: dict[str, int]) -> bool:
    place, _, _, least = ATOM_STYLES[style]
    for words in rows:
        flags = len(words) - least
        if flags not in (0, 3) or (flags and not all(map(_WHOLE.fullmatch, words[-3:]))):
            return False
        if not all(map(_WHOLE.fullmatch, words[:place])):
            return False
        kind = labels.get(words[place], int(words[place]) if words[place].isdigit() else 0)
        if kind < 1 or (types is not None and kind > types):
            return False
        if style == "sphere" and min(_number(words[2]), _number(words[3])) < 0:  # diameter and density
            return False
    return bool(rows)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _reduced(path: Path, atoms: Section, style: str, labels: dict[str, int]) -> tuple[list[str], list[int]]:
    """The lines of Atoms rewritten in style atomic or charge, with type numbers in place of labels; and the types."""
    place, charge, x, least = ATOM_STYLES[style]
    lines: list[str] = []
    types: list[int] = []
    for line, words, _ in atoms.rows:
        if len(words) not in (least, least + 3) and not (style == "hybrid" and len(words) > least):
            message = (
                f"has {len(words)} words, but a line of style {style} takes {least}, or {least + 3} with image flags"
            )
            raise FileFormatError(path, line, message, "correct the line or the style")
        label = words[place]
        if not label.isdigit() and label not in labels:
            raise FileFormatError(path, line, f"{label!r} is no atom type", "correct the line")
        types.append(labels[label] if label in labels else int(label))
        flags = words[least:] if len(words) == least + 3 and style != "hybrid" else []
        chosen = [words[0], str(types[-1]), *([] if charge is None else [words[charge]]), *words[x : x + 3], *flags]
        strange = [word for word in chosen if not np.isfinite(_number(word))]
        if strange:
            raise FileFormatError(path, line, f"{strange[0]!r} is no finite number", "correct the line")
        lines.append(" ".join(chosen))
    if not lines:
        raise FileFormatError(path, atoms.line, "lists no atoms", "give a complete data file")
    seen: set[str] = set()
    for line, words, _ in atoms.rows:
        if words[0] in seen:
            raise FileFormatError(path, line, f"atom {words[0]} is here a second time", "correct the file")
        seen.add(words[0])
    return lines, types


def _elements(
    path: Path, sections: dict[str, Section], labels: dict[str, int], count: int, types: Sequence[str] | None
) -> tuple[str, ...]:
    """The chemical symbols of the types 1 to count."""
    if types is not None:
        if len(types) != count:
            message = f"has {count} atom types, but {len(types)} are named: {','.join(types)}"
            raise FileFormatError(path, None, message, "name each of them")
        return tuple(types)
    kinds = list(range(1, count + 1))
    if sorted(labels.values()) == kinds and all(map(is_element, labels)):
        return tuple(sorted(labels, key=labels.__getitem__))
    masses = {int(words[0]): (line, words[1], comment) for line, words, comment in _rows(path, sections, "Masses")}
    if sorted(masses) != kinds:
        message = f"does not say which elements its {count} atom types are: it has masses of {len(masses)} of them"
        raise FileFormatError(path, None, message, REMEDY_TYPES)
    symbols = []
    for kind in kinds:
        line, mass, comment = masses[kind]
        name = re.split(r"[\s_,;:]", comment)[0]
        by_mass = element_of_mass(_number(mass))
        if by_mass is None and not is_element(name):
            raise FileFormatError(path, line, f"the mass {mass} of type {kind} does not tell the element", REMEDY_TYPES)
        if by_mass is not None and is_element(name) and by_mass != name:
            message = f"type {kind} is called {name} but has the mass {mass}, that of {by_mass}"
            raise FileFormatError(path, line, message, "correct the line, or " + REMEDY_TYPES)
        symbols.append(name if is_element(name) else str(by_mass))
    return tuple(symbols)
