"""All pairs of a structure on the host, by vesin or by a tree."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

__all__ = ["Pairs", "all_pairs"]

VESIN_BINS = 5e4  # half the largest number of bins that vesin allows


class Pairs(NamedTuple):
    """Directed pairs from atom i to atom j.

    Attributes:
        i: [pairs].
        j: [pairs].
        shifts: [pairs, 3], lattice translations between the wrapped atoms.
        distances: [pairs] Å.
    """

    i: np.ndarray
    j: np.ndarray
    shifts: np.ndarray
    distances: np.ndarray


def all_pairs(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    real: np.ndarray,
    wraps: np.ndarray,
    full: np.ndarray,
    reach: float,
) -> Pairs:
    """All directed pairs (i, j) within reach, sorted by i."""
    from vesin import NeighborList as VesinList

    index = np.flatnonzero(real)
    if not index.size:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.int64), np.zeros(0))
    wrapped = positions[index] - wraps[index] @ full
    if is_flat(wrapped, full, pbc, reach):
        i, j, shifts = pairs_by_tree(wrapped, full, pbc, reach)
    else:
        i, j, shifts = VesinList(cutoff=reach, full_list=True, sorted=False).compute(
            points=wrapped, box=np.where(pbc[:, None], cell, 0.0), periodic=pbc.tolist(), quantities="ijS"
        )
    order = np.argsort(i, kind="stable")
    i, j, shifts = (a[order].astype(np.int64) for a in (i, j, shifts))
    distances = np.linalg.norm(wrapped[j] + shifts @ full - wrapped[i], axis=1)
    return Pairs(index[i], index[j], shifts, distances)


def is_flat(wrapped: np.ndarray, full: np.ndarray, pbc: np.ndarray, reach: float) -> bool:
    """Whether a structure is so thin and wide that vesin would fail.

    Vesin makes its grid coarser to bound memory. In a very thin structure no bin would be left across it; vesin then
    divides by zero, which ends the process.
    """
    inverse = np.linalg.inv(full)
    extent = np.where(pbc, 1.0, np.ptp(wrapped @ inverse, axis=0)) / np.linalg.norm(inverse, axis=0)
    number = np.maximum(1.0, extent / reach)
    return bool(number.prod() > VESIN_BINS and number.min() * (VESIN_BINS / number.prod()) ** (1 / 3) < 4)


def pairs_by_tree(
    wrapped: np.ndarray, full: np.ndarray, pbc: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same pairs as vesin's, (i, j, shifts), found by a tree of the atoms and their images."""
    from scipy.spatial import cKDTree

    inverse = np.linalg.inv(full)
    margin = reach * np.linalg.norm(inverse, axis=0)
    fractional = wrapped @ inverse
    source, shifts = np.arange(len(wrapped)), np.zeros((len(wrapped), 3), np.int64)
    for d in np.flatnonzero(pbc):
        steps = np.arange(-math.ceil(margin[d]), math.ceil(margin[d]) + 1)
        moved = fractional[source, d] + steps[:, None]
        step, row = np.nonzero((moved >= -margin[d]) & (moved <= 1 + margin[d]))
        source, shifts = source[row], shifts[row] + np.eye(3, dtype=np.int64)[d] * steps[step][:, None]
    images = cKDTree(wrapped[source] + shifts @ full)
    found = cKDTree(wrapped).sparse_distance_matrix(images, reach, output_type="ndarray")
    found = found[found["v"] < reach]
    i, j, shifts = found["i"], source[found["j"]], shifts[found["j"]]
    others = (i != j) | shifts.any(axis=1)
    return i[others], j[others], shifts[others]
