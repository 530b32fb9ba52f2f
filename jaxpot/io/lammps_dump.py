"""Frames as LAMMPS dumps them in units metal, which LAMMPS, ASE, OVITO and VMD read."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxpot.units import FEMTOSECOND

__all__ = ["dump_frame"]

MARGIN = 1.0  # Å, around atoms without a cell
SKEWED = 1e-9  # of the longest edge


def dump_frame(atoms: Any) -> str:
    """One frame of a text dump.

    Columns are ``id type element mass xu yu zu``, then velocities (Å/ps), forces (eV/Å) and charges (e) where the
    structure has them. Types number the elements in alphabetical order. A cell whose first edge is along x and whose
    second is in the xy plane is written by its bounds and tilts, any other as LAMMPS's general triclinic boxes are
    (``abc origin``), so that coordinates stay what they are.

    Args:
        atoms: ASE ``Atoms``; ``step`` of its ``info`` is that of the frame.

    Returns:
        The text.

    Example:
        >>> from ase.build import bulk
        >>> print(dump_frame(bulk("Fe", a=2.87, cubic=True)).splitlines()[6])
        ITEM: BOX BOUNDS pp pp pp
    """
    symbols = atoms.get_chemical_symbols()
    kinds = {symbol: k for k, symbol in enumerate(sorted(set(symbols)), 1)}
    names = ["xu", "yu", "zu"]
    columns = [atoms.get_positions()]
    if atoms.has("momenta"):
        names += ["vx", "vy", "vz"]
        columns.append(atoms.get_velocities() * 1e3 * FEMTOSECOND)
    if atoms.calc is not None:
        names += ["fx", "fy", "fz"]
        columns.append(atoms.get_forces(apply_constraint=False))
    if atoms.has("initial_charges"):
        names += ["q"]
        columns.append(atoms.get_initial_charges()[:, None])
    lines = ["ITEM: UNITS", "metal", "ITEM: TIMESTEP", str(int(atoms.info.get("step", 0)))]
    lines += ["ITEM: NUMBER OF ATOMS", str(len(atoms)), *_box(atoms)]
    lines += ["ITEM: ATOMS id type element mass " + " ".join(names)]
    masses = atoms.get_masses()
    for i, numbers in enumerate(np.concatenate(columns, axis=1).tolist()):
        text = " ".join(f"{x:.12g}" for x in numbers)
        lines.append(f"{i + 1} {kinds[symbols[i]]} {symbols[i]} {masses[i]:.8g} {text}")
    return "\n".join(lines) + "\n"


def _box(atoms: Any) -> list[str]:
    """The lines about the box. Where a cell has no edge along a direction, the box holds the atoms."""
    boundary = " ".join("pp" if one else "ss" for one in atoms.pbc)
    cell, origin = atoms.cell.complete().array, np.zeros(3)
    for d in range(3):
        if not atoms.cell.array[d].any():
            along = atoms.positions @ cell[d]  # a unit vector at right angles to the others
            origin += (along.min() - MARGIN) * cell[d]
            cell[d] *= np.ptp(along) + 2 * MARGIN
    allowed = SKEWED * np.abs(cell).max()
    if np.abs(cell[np.triu_indices(3, 1)]).max() > allowed or (np.diag(cell) <= 0).any():
        rows = np.column_stack([cell, origin]).tolist()
        return [f"ITEM: BOX BOUNDS abc origin {boundary}", *(" ".join(f"{x:.15g}" for x in row) for row in rows)]
    low, high = origin, origin + np.diag(cell)
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    if not max(abs(xy), abs(xz), abs(yz)) > allowed:
        return [f"ITEM: BOX BOUNDS {boundary}", *(f"{low[d]:.15g} {high[d]:.15g}" for d in range(3))]
    shifts = ((0.0, xy, xz, xy + xz), (0.0, yz), (0.0,))
    return [f"ITEM: BOX BOUNDS xy xz yz {boundary}"] + [
        f"{low[d] + min(shift):.15g} {high[d] + max(shift):.15g} {tilt:.15g}"
        for d, (shift, tilt) in enumerate(zip(shifts, (xy, xz, yz), strict=True))
    ]
