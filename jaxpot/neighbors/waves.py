"""How many plane waves sums in reciprocal space need, for a list's plan."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.system import System

__all__ = ["choose_waves", "enough_waves", "lattice_of", "spans"]

ROOM = 1.05  # ratio of the lengths that chosen numbers of waves serve to the present lengths

Waves = tuple[int, int, int]


def lattice_of(cell: Any, pbc: Any, lengths: Any, xp: Any = jnp) -> Any:
    """[3, 3] the cell with vectors of given lengths for the non-periodic directions, orthogonal to the periodic ones.

    Args:
        cell: [3, 3], Å.
        pbc: [3] bool; all, two or none.
        lengths: [3] Å, for the non-periodic directions.
        xp: ``jax.numpy`` or ``numpy``.

    Returns:
        The lattice; without periodic directions, a diagonal matrix.
    """
    whole = xp.where(pbc[:, None], cell, xp.eye(3, dtype=cell.dtype))
    rows = []
    for d in range(3):
        normal = xp.cross(whole[(d + 1) % 3], whole[(d + 2) % 3])
        squared = xp.sum(normal * normal)
        unit = normal / xp.sqrt(xp.where(squared > 0, squared, 1.0))
        rows.append(xp.where(pbc[d], cell[d], lengths[d] * unit))
    return xp.stack(rows)


def spans(positions: Any, cell: Any, pbc: Any, real: Any, reach: float, xp: Any = jnp) -> Any:
    """[3] Å lengths that waves must serve: those of periodic vectors, and twice (extent + reach) where not periodic.

    Args:
        positions: [atoms, 3] Å.
        cell: [3, 3] Å.
        pbc: [3] bool.
        real: [atoms] bool, False for padding.
        reach: Å, beyond which smeared charges do not overlap.
        xp: ``jax.numpy`` or ``numpy``.

    Returns:
        The lengths.
    """
    units = lattice_of(cell, pbc, xp.ones(3, dtype=cell.dtype), xp)
    none = xp.zeros((), positions.dtype)
    heights = positions @ units.T
    some = xp.any(real)
    low = xp.where(some, xp.min(xp.where(real[:, None], heights, np.inf), axis=0, initial=np.inf), none)
    high = xp.where(some, xp.max(xp.where(real[:, None], heights, -np.inf), axis=0, initial=-np.inf), none)
    thickness, middle = high - low, 0.5 * (low + high)
    # without periodic directions, the vectors are the axes, and a sphere around all atoms counts
    apart = xp.where(real[:, None], heights - middle[None], none)
    diameter = 2.0 * xp.sqrt(xp.max(xp.sum(apart * apart, axis=1), initial=0.0))
    extent = xp.where(xp.any(pbc), thickness, diameter)
    lengths = xp.sqrt(xp.sum(cell * cell, axis=1))
    return xp.where(pbc, lengths, 2.0 * (extent + reach))


def choose_waves(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, real: np.ndarray, reach: float, resolution: float
) -> Waves:
    """The numbers of waves n of a system, on the host: sums go over all integers from -n to n in each direction.

    Args:
        positions: [atoms, 3] Å.
        cell: [3, 3] Å.
        pbc: [3] bool.
        real: [atoms] bool.
        reach: Å.
        resolution: 1/Å, the largest wave number; 0 where no sum needs waves.

    Returns:
        Three numbers; 0 where no sum needs waves.

    Raises:
        ValueError: the system is periodic in one direction only.
    """
    if resolution == 0:
        return (0, 0, 0)
    if pbc.sum() == 1:
        raise ValueError(
            f"lattice sums are for systems that are periodic in 3, 2 or 0 directions, got pbc {pbc.tolist()}; "
            "make a large cell around the wire and switch its other directions on"
        )
    lengths = spans(positions, cell, pbc, real, reach, np)
    first, second, third = (max(1, math.ceil(ROOM * float(one) * resolution / (2 * math.pi))) for one in lengths)
    return first, second, third


def enough_waves(system: System, waves: Waves, reach: float, resolution: float) -> jax.Array:
    """Whether numbers of waves are enough for the present cell and extent.

    Args:
        system: the atoms.
        waves: of the plan.
        reach: Å.
        resolution: 1/Å, of the plan.

    Returns:
        Scalar bool.
    """
    pbc = system.pbc.astype(bool)
    lengths = spans(system.positions, system.cell, pbc, system.real, reach)
    served = np.array(waves) * (2 * math.pi / resolution)
    return jnp.all(lengths <= served.astype(lengths.dtype)) & (pbc.sum() != 1)
