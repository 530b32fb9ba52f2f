"""Host side of the neighbour list: counts the images of the atoms and divides space into bins."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["choose_bins", "completion_of", "count_images"]


def completion_of(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """[3, 3] orthonormal vectors for the non-periodic directions, orthogonal to the periodic ones; other rows are 0."""
    completion = np.zeros((3, 3))
    basis = [cell[d] / np.linalg.norm(cell[d]) for d in range(3) if pbc[d]]
    for d in range(3):
        if pbc[d]:
            continue
        frame = np.linalg.qr(np.array(basis).T)[0].T if basis else np.zeros((0, 3))
        # choose the Cartesian direction with the largest part orthogonal to the vectors so far
        rest = np.eye(3) - frame.T @ frame
        vector = rest[np.argmax(np.linalg.norm(rest, axis=1))]
        completion[d] = vector / np.linalg.norm(vector)
        basis.append(completion[d])
    return completion


def count_images(
    fractional: np.ndarray, margin: np.ndarray, pbc: np.ndarray, real: np.ndarray, atom_rows: int
) -> tuple[list[int], np.ndarray]:
    """Number of rows after the images along each direction are added, and the fractional coordinates of all rows."""
    rows = fractional[real]
    sizes = []
    for d in range(3):
        if pbc[d]:
            copies = [rows]
            for s in range(-math.ceil(margin[d]), math.ceil(margin[d]) + 1):
                if s != 0:
                    near = (rows[:, d] + s >= -margin[d]) & (rows[:, d] + s <= 1 + margin[d])
                    copies.append(rows[near] + s * np.eye(3)[d])
            rows = np.concatenate(copies)
        sizes.append(atom_rows + len(rows) - int(real.sum()))
    return sizes, rows


def choose_bins(
    rows: np.ndarray, margin: np.ndarray, pbc: np.ndarray, multiplier: float
) -> tuple[tuple[int, int, int], int]:
    """Numbers of bins, each at least ``reach`` wide, over cell and margin, and the capacity that one bin needs."""
    low = np.where(pbc, -margin, rows.min(axis=0))
    width = np.where(pbc, 1 + 2 * margin, np.maximum(np.ptp(rows, axis=0), 1e-9))
    # a little wider than the reach, so that the cell may shrink before the grid must change
    number = np.maximum(1, np.floor(np.minimum(width / (margin * 1.03), 1 << 20)).astype(int))
    while number.prod() > 2 * len(rows) + 64:  # in a dilute system, widen the bins, so that they do not outnumber atoms
        number[number.argmax()] = (number.max() + 1) // 2
    index = np.clip(np.floor((rows - low) / width * number).astype(int), 0, number - 1)
    flat = (index[:, 0] * number[1] + index[:, 1]) * number[2] + index[:, 2]
    most = int(np.bincount(flat).max())
    return (int(number[0]), int(number[1]), int(number[2])), math.ceil(most * multiplier) + 2
