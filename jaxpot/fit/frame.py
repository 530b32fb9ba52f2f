"""One structure with its labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Frame", "is_bad"]


class Frame(NamedTuple):
    """One structure with its labels. Labels that were not given are None, never zero.

    Attributes:
        atoms: ASE ``Atoms``: positions, elements, cell and pbc.
        energy: eV, of the whole structure.
        forces: [atoms, 3] eV/Å.
        stress: [3, 3] eV/Å^3 in ASE's sign, positive under tension.
        group: the kind of structure, "" where the file does not say. Weights and errors are given by group.
        source: file and number of the frame, counted from 0, for messages.
    """

    atoms: Atoms
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    group: str = ""
    source: str = "frame"


def is_bad(value: float | np.ndarray | None) -> bool:
    """Whether a label was given but is not finite.

    Args:
        value: energy, forces, stress, positions or cell; None if not given.
    """
    if value is None:
        return False
    return not math.isfinite(value) if isinstance(value, float) else not bool(np.isfinite(value).all())
