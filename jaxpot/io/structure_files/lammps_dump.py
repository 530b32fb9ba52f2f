"""LAMMPS's text dumps. Elements come from the file or the caller, never from the numbers of the types."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxpot import units as constants
from jaxpot.io.errors import FileFormatError, warn
from jaxpot.io.structure_files.by_ase import frames_of_ase
from jaxpot.io.structure_files.elements import REMEDY_TYPES, element_of_mass
from jaxpot.io.structure_files.lammps_data import ANGSTROM

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["UNKNOWN_FORCES", "is_lammps_dump", "read_lammps_dump"]

UNKNOWN_FORCES = "dump_forces"  # name of the array for forces whose unit is not given
FORCES = {"metal": 1.0, "real": constants.KCAL_PER_MOL}  # eV/Å
_BOUNDS = re.compile(r"^(ITEM: BOX BOUNDS(?: xy xz yz| abc origin)?)[ \t]*$", re.MULTILINE)


class _Frame(NamedTuple):
    """The header of a frame: first line, announced number of atoms, words for the boundaries, columns, units; and its
    distinct masses."""

    line: int
    atoms: int
    boundary: tuple[str, ...]
    columns: tuple[str, ...]
    units: str | None
    masses: set[str]


def is_lammps_dump(head: bytes) -> bool:
    """Whether a file is a text dump, by its head.

    Args:
        head: the first kilobytes of the file.
    """
    return head.lstrip().startswith(b"ITEM: ")


def read_lammps_dump(path: Path, types: Sequence[str] | None, units: str | None) -> Iterator[Atoms]:
    """Reads the structures in a text dump.

    Forces become labels if the file or ``units`` gives their unit; otherwise they are an array ``dump_forces``.

    Args:
        path: the file.
        types: chemical symbols of the atom types; by default taken from the column ``element`` or ``mass``.
        units: LAMMPS's units ``"metal"`` or ``"real"``; by default taken from ``ITEM: UNITS``.

    Yields:
        ASE ``Atoms``.

    Raises:
        FileFormatError: the file is faulty or does not say which elements it has.
    """
    frames = _frames(path)
    said = next((frame.units for frame in frames if frame.units is not None), units)
    if said is not None and said not in ANGSTROM:
        raise FileFormatError(path, None, f"is in LAMMPS's units {said!r}", f"dump it in units {' or '.join(ANGSTROM)}")
    source: Any = str(path)
    without = [frame for frame in frames if not frame.boundary]
    if without:
        warn(path, without[0].line, "does not say in which directions it repeats; all of them are taken to")
        source = io.StringIO(_BOUNDS.sub(r"\1 pp pp pp", path.read_text(encoding="utf-8", errors="replace")))
    for k, atoms in enumerate(frames_of_ase(path, source, "lammps-dump-text")):
        if k >= len(frames):
            raise FileFormatError(path, None, f"frame {k} is not complete", "give a complete dump")
        yield _finished(path, atoms, frames[k], types, said)


def _frames(path: Path) -> list[_Frame]:
    frames: list[_Frame] = []
    boundary: tuple[str, ...] = ()
    start, atoms, units, column = 1, 0, None, -1
    item = ""
    with open(path, encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            if line.startswith("ITEM:"):
                words, column = line.split(), -1
                item = words[1] if len(words) > 1 else ""
                if item == "TIMESTEP":
                    start = number
                elif item == "BOX":
                    boundary = tuple(word for word in words[3:] if re.fullmatch("[pfsm]{1,2}", word))
                elif item == "ATOMS":
                    frames.append(_Frame(start, atoms, boundary, tuple(words[2:]), units, set()))
                    if "mass" in words and "element" not in words:
                        column = words.index("mass") - 2
            elif item == "UNITS":
                units = line.strip()
            elif item == "NUMBER" and line.strip().isdigit():
                atoms = int(line)
            elif column >= 0:
                frames[-1].masses.update(line.split()[column : column + 1])
    return frames


def _finished(path: Path, atoms: Any, frame: _Frame, types: Sequence[str] | None, units: str | None) -> Atoms:
    if len(atoms) != frame.atoms:
        message = f"this frame has {len(atoms)} atoms where it announces {frame.atoms}"
        raise FileFormatError(path, frame.line, message, "give a complete dump")
    kinds = atoms.arrays.get("type")
    if types is not None:
        if kinds is None:
            have = " ".join(frame.columns)
            raise FileFormatError(path, frame.line, f"has no column type, only {have}", "leave out types")
        if not 1 <= kinds.min() <= kinds.max() <= len(types):
            message = f"has atoms of type {kinds.max()}, but {len(types)} types are named: {','.join(types)}"
            raise FileFormatError(path, frame.line, message, "name each of them")
        atoms.set_chemical_symbols([types[kind - 1] for kind in kinds])
    elif "element" not in frame.columns:
        if not frame.masses:
            message = f"does not say which elements its atoms are; its columns are {' '.join(frame.columns)}"
            raise FileFormatError(path, frame.line, message, REMEDY_TYPES)
        for mass in frame.masses:
            if element_of_mass(float(mass)) is None:
                raise FileFormatError(path, frame.line, f"the mass {mass} does not tell the element", REMEDY_TYPES)
    forces = None if atoms.calc is None else np.asarray(atoms.calc.results["forces"], float)
    atoms.calc = None  # ASE's calculator has an energy of 0
    if forces is not None and units is None:
        atoms.set_array(UNKNOWN_FORCES, forces)
    elif forces is not None:
        from ase.calculators.singlepoint import SinglePointCalculator

        atoms.calc = SinglePointCalculator(atoms, forces=forces * FORCES[str(units)])
    return atoms
