"""Structures that the command line takes: files that ASE reads, or a crystal in one word."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxpot.neighbors import neighbor_list
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["check_structure", "read_structures"]

LATTICES = ("sc", "fcc", "bcc", "diamond", "hcp")
FORM = "LATTICE:ELEMENT:A or LATTICE:ELEMENT:A:NxNxN, such as bcc:Fe:2.87:10x10x10"
TOO_CLOSE = 0.3  # Å; no two nuclei in a simulation of this library are nearer


def read_structures(text: str) -> list[Atoms]:
    """All frames of a structure file, or the crystal that a word such as ``bcc:Fe:2.87:10x10x10`` describes.

    Args:
        text: path of a file that ASE reads, or LATTICE:ELEMENT:A[:NxNxN] with A in Å and the cubic cell repeated
            (for hcp the orthorhombic one, with the ideal c/a).

    Returns:
        ASE ``Atoms``, at least one.

    Raises:
        ValueError: the file is missing or ASE cannot read it, or the word is not of the form.
    """
    lattice = text.split(":")[0]
    if lattice in LATTICES and not Path(text).exists():
        return [_crystal(text)]
    path = Path(text)
    if not text or not path.exists():
        raise ValueError(
            f"{text or '(no name)'}: no such file; name a structure file that ASE reads, or a crystal as {FORM}"
        )
    if path.is_dir():
        raise ValueError(f"{text}: this is a folder; name a structure file that ASE reads")
    from ase.io import read

    try:
        frames = read(path, index=":")
    except Exception as error:  # ASE's readers raise whatever their parsers do
        reason = " ".join(str(error).split()) or "no message"
        raise ValueError(
            f"{text}: ASE cannot read this as a structure ({type(error).__name__}: {reason[:200]}); "
            "check that the file is whole and its name ends as its format does"
        ) from error
    frames = frames if isinstance(frames, list) else [frames]
    if not frames or any(len(frame) == 0 for frame in frames):
        raise ValueError(f"{text}: there is a frame without atoms, or none at all; give a structure with atoms")
    return frames


def _crystal(text: str) -> Atoms:
    from ase.build import bulk

    match = re.fullmatch(r"(\w+):([A-Z][a-z]?):([0-9.eE+-]+)(?::(\d+)x(\d+)x(\d+))?", text)
    wrong = ValueError(f"{text}: not a crystal; write {FORM}, with one of the lattices {', '.join(LATTICES)}")
    if match is None:
        raise wrong
    lattice, element, a, *repeat = match.groups()
    try:
        edge = float(a)
    except ValueError:
        raise wrong from None
    if not (math.isfinite(edge) and edge > 0):
        raise ValueError(f"{text}: the lattice constant must be a positive length in Å, got {a}")
    numbers = tuple(int(n) for n in repeat) if repeat[0] is not None else (1, 1, 1)
    if min(numbers) < 1:
        raise ValueError(f"{text}: the cell must be repeated at least once along each axis")
    try:
        if lattice == "hcp":
            return bulk(element, "hcp", a=edge, covera=math.sqrt(8 / 3), orthorhombic=True) * numbers
        return bulk(element, lattice, a=edge, cubic=True) * numbers
    except KeyError:
        raise ValueError(f"{text}: {element} is not a chemical element") from None


def check_structure(atoms: Atoms, where: str) -> None:
    """Raise ValueError where a structure cannot be meant: not finite, no volume, or atoms on top of each other.

    Args:
        atoms: ASE ``Atoms``.
        where: begins the message.
    """
    try:
        system = System.create(atoms.positions, 0, atoms.cell.array, atoms.pbc)
        near = neighbor_list(TOO_CLOSE, 0.0).allocate(system)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    found = np.argwhere(np.asarray(near.mask))
    if len(found):
        i = int(found[0][0])
        j = int(np.asarray(near.others)[i, found[0][1]])
        symbols = atoms.get_chemical_symbols()
        other = "its own image" if i == j else f"atom {j} ({symbols[j]})"
        raise ValueError(
            f"{where}: atom {i} ({symbols[i]}) and {other} are closer than {TOO_CLOSE} Å; "
            "delete one of them, or check the cell and the units (Å)"
        )
