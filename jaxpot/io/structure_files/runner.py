"""`input.data` of RuNNer and n2p2: structures and labels, whose units the file itself does not give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxpot.io.errors import FileFormatError
from jaxpot.io.n2p2_files.keywords import STYLES
from jaxpot.io.n2p2_files.lines import Words, read_text
from jaxpot.io.n2p2_files.settings import declared_units
from jaxpot.io.structure_files.elements import is_element

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["is_runner", "read_runner"]

LAYOUT = ("position(3)", "element", "charge", "atom_energy", "force(3)")  # words of a line `atom`


def is_runner(head: bytes) -> bool:
    """Whether a file is an ``input.data``, by its head.

    Args:
        head: the first kilobytes of the file.
    """
    for line in head.decode("utf-8", errors="replace").splitlines():
        words = line.split()
        if words and not words[0].startswith(("#", "!")) and words[0] != "comment":
            return words[0] == "begin" and (len(words) == 1 or words[1].startswith("position"))
    return False


def read_runner(path: Path, units: str | None) -> Iterator[Atoms]:
    """Reads the structures in an ``input.data``, with energies and forces.

    Args:
        path: the file.
        units: ``"metal"`` (Å and eV) or ``"atomic"`` (Bohr and Hartree); by default taken from comments of an
            ``input.nn`` in the same folder ("# Length unit : Angstrom", "# Energy unit : eV").

    Yields:
        ASE ``Atoms``.

    Raises:
        FileFormatError: the file is faulty, or its units are not given.
    """
    length, energy = _units(path, units)
    layout: Sequence[str] = LAYOUT
    block: dict[str, list[Words]] | None = None
    for number, text in enumerate(read_text(path).splitlines(), 1):
        words = text.split("#")[0].split()
        if not words or words[0] == "comment":
            continue
        line = Words(path, number, words)
        if words[0] == "begin":
            if block is not None:
                raise line.error("a structure begins before the last one has ended", "add the missing 'end'")
            block, layout = {"begin": [line]}, tuple(words[1:]) or LAYOUT
        elif block is None:
            raise line.error(f"{words[0]!r} stands outside of begin and end", "delete the line")
        elif words[0] == "end":
            yield _structure(line, block, layout, length, energy)
            block = None
        elif words[0] in ("lattice", "atom", "energy", "charge"):
            block.setdefault(words[0], []).append(line)
        else:
            raise line.error(f"{words[0]!r} is no keyword of such a file", "write comment before it, or correct it")
    if block is not None:
        raise block["begin"][0].error("this structure has no 'end'", "give a complete file")


def _units(path: Path, units: str | None) -> tuple[float, float]:
    if units not in (None, "metal", "atomic"):
        raise ValueError(f"{path}: units {units!r} are none of such a file; give 'metal' or 'atomic'")
    if units is not None:
        return STYLES[f"n2p2/{units}"]
    settings = path.with_name("input.nn")
    said = declared_units(settings, read_text(settings)) if settings.is_file() else (None, None)
    if said[0] is None or said[1] is None:
        beside = f", and {settings} does not either" if settings.is_file() else ""
        raise FileFormatError(
            path, None, f"does not say whether it is in Å and eV or in Bohr and Hartree{beside}; which is it",
            "give units='metal' for Å and eV, or 'atomic' for Bohr and Hartree (--units)",
        )  # fmt: skip
    return said[0], said[1]


def _structure(end: Words, block: dict[str, list[Words]], layout: Sequence[str], length: float, energy: float) -> Atoms:
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    lattice, rows = block.get("lattice", []), block.get("atom", [])
    if len(lattice) not in (0, 3):
        raise end.error(f"the structure has {len(lattice)} lines 'lattice'", "give 3, or none for a cluster")
    if not rows:
        raise end.error("the structure has no atoms", "delete it")
    places, width = _places(block["begin"][0], layout)
    positions, symbols, forces = [], [], []
    for line in rows:
        if len(line.words) - 1 < width:
            raise line.error(f"has {len(line.words) - 1} words behind 'atom', must have {width}")
        position, element = 1 + places["position"], 1 + places["element"]
        positions.append([line.number(position + k, "a coordinate") for k in range(3)])
        symbols.append(line.word(element, "the element"))
        if not is_element(symbols[-1]):
            raise line.error(f"{symbols[-1]!r} is no chemical symbol")
        if "force" in places:
            forces.append([line.number(1 + places["force"] + k, "a force") for k in range(3)])
    cell = [[line.number(1 + k, "a lattice vector") for k in range(3)] for line in lattice]
    atoms = Atoms(symbols, np.array(positions) * length, pbc=bool(cell), cell=np.array(cell) * length if cell else None)
    results: dict[str, object] = {}
    if forces:
        results["forces"] = np.array(forces) * (energy / length)
    energies = block.get("energy", [])
    if len(energies) > 1:
        raise energies[1].error("a second energy of one structure", "delete one of them")
    if energies:
        results["energy"] = energies[0].number(1, "the energy") * energy
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _places(begin: Words, layout: Sequence[str]) -> tuple[dict[str, int], int]:
    """The place of each property among the words after 'atom', and the number of these words."""
    places: dict[str, int] = {}
    width = 0
    for name in layout:
        found = re.fullmatch(r"([\w-]+)(?:\((\d+)\))?", name)
        if found is None:
            raise begin.error(f"{name!r} is no property of atoms")
        places[found[1].rstrip("s")] = width
        width += int(found[2] or 1)
    for name in ("position", "element"):
        if name not in places:
            raise begin.error(f"the properties of atoms have no {name}")
    return places, width
