"""Vacuum in cells that repeat: directions in which a cell must not be relaxed."""

from __future__ import annotations

import numpy as np

from jaxpot.system import System

__all__ = ["gaps", "open_along_vacuum"]


def gaps(system: System) -> np.ndarray:
    """The widest layers without atoms.

    Args:
        system: one structure whose cell has a volume.

    Returns:
        [3] Å: for each edge of the cell, the thickness of the thickest layer, parallel to the other two edges, in which
        there is no atom. NaN for directions that do not repeat.

    Example:
        >>> from ase.build import fcc100
        >>> slab = fcc100("Cu", (1, 1, 3), a=3.6, vacuum=6.0, periodic=True)
        >>> gaps(System.from_ase(slab)).round(2)
        array([ 1.27,  1.27, 12.  ])
    """
    return np.array([_widest(system, d)[0] if system.pbc[d] else np.nan for d in range(3)])


def open_along_vacuum(system: System, cutoff: float) -> tuple[System, np.ndarray]:
    """A structure that does not repeat where no atoms interact across a vacuum; it has the same energy.

    Args:
        system: one structure with numpy leaves whose cell has a volume.
        cutoff: Å, of the potential.

    Returns:
        The structure, cut open in the vacuum; and [atoms, 3], how many edges of the cell each atom was moved by.
    """
    pbc, moved = np.array(system.pbc), np.zeros(np.shape(system.positions), int)
    for d in np.flatnonzero(pbc):
        width, middle, fractions = _widest(system, int(d))
        if width > cutoff:
            pbc[d] = False
            moved[:, d] = -np.floor(fractions - middle).astype(int)
    if np.array_equal(pbc, system.pbc):
        return system, moved
    positions = np.asarray(system.positions) + (moved @ np.asarray(system.cell)).astype(np.asarray(system.cell).dtype)
    return system.replace(positions=positions, pbc=pbc), moved


def _widest(system: System, d: int) -> tuple[float, float, np.ndarray]:
    """The thickest layer without atoms along edge d, where its middle is (as a fraction of the edge), and the atoms'
    fractions."""
    cell = np.asarray(system.cell, np.float64)
    fractions = np.asarray(system.positions, np.float64) @ np.linalg.inv(cell)[:, d]
    height = 1.0 / np.linalg.norm(np.linalg.inv(cell)[:, d])
    inside = np.sort(fractions % 1.0)
    widths = np.diff(np.append(inside, inside[0] + 1.0))
    k = int(np.argmax(widths))
    return float(widths[k] * height), float(inside[k] + 0.5 * widths[k]), fractions
