"""What neighbour lists are compared with: random cells, all pairs by brute force, and a list as a set of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxpot import System

PATTERNS = [tuple(bool(n >> d & 1) for d in range(3)) for n in range(8)]
"""The eight combinations of periodic directions."""


@dataclass(frozen=True)
class Cell:
    """One structure in plain float64 arrays."""

    positions: np.ndarray
    species: np.ndarray
    cell: np.ndarray
    pbc: tuple[bool, bool, bool]

    def system(self, dtype: str = "float64") -> System:
        """The same as a `System`."""
        return System.create(self.positions, self.species, self.cell, self.pbc, dtype)


def random_cell(
    seed: int, reach: float, pbc: Sequence[bool] | None = None, atoms: int = 5, smallest: float = 0.2
) -> Cell:
    """A cell of any shape with a few atoms in and around it, some of them padded and some at the same place.

    Lattice vectors have lengths from ``smallest`` to about three times the reach, and angles may be very flat;
    non-periodic ones are sometimes missing, and half of the time a second description of the same lattice, with long
    vectors, is taken.

    Args:
        seed: fixes everything.
        reach: Å, radius of the list for which the cell is meant; bounds the number of pairs.
        pbc: periodic directions, drawn by default.
        atoms: number of atoms, of which up to two are padded.
        smallest: typical length of the shortest lattice vectors, in units of the reach.
    """
    rng = np.random.default_rng(seed)
    periodic = tuple(bool(p) for p in (rng.integers(0, 2, 3) if pbc is None else pbc))
    real = int(rng.integers(max(1, atoms - 2), atoms + 1))
    while True:
        cell = rng.normal(size=(3, 3)) * reach * np.exp(rng.uniform(np.log(smallest), 1.0, size=(3, 1)))
        if rng.random() < 0.3:  # nearly in a plane
            cell[2] = 0.1 * cell[2] + rng.uniform(-1, 1) * cell[0] + rng.uniform(-1, 1) * cell[1]
        if rng.random() < 0.5:  # other vectors of the same lattice
            for _ in range(2):
                a, b = rng.permutation(3)[:2]
                if periodic[a] and periodic[b]:
                    cell[a] += int(rng.integers(-3, 4)) * cell[b]
        few = pairs_expected(cell, periodic, reach, real) < 60 * atoms**2
        if few and images_needed(cell, periodic, reach).max() <= 6:
            break
    fractional = rng.uniform(-2.5, 3.5, size=(atoms, 3)) if rng.random() < 0.5 else rng.uniform(size=(atoms, 3))
    positions = fractional @ cell
    if real > 1 and rng.random() < 0.2:
        positions[1] = positions[0]
    species = np.where(np.arange(atoms) < real, 0, -1)
    species = rng.permutation(species)
    if not any(periodic) and rng.random() < 0.5:
        cell = np.zeros((3, 3))
    elif rng.random() < 0.4:
        cell = np.where(np.array(periodic)[:, None], cell, 0.0)
    return Cell(positions, species, cell, periodic)


def images_needed(cell: np.ndarray, pbc: Sequence[bool], reach: float) -> np.ndarray:
    """[periodic] reach over the distance between lattice planes, from the lattice of the periodic vectors alone."""
    vectors = cell[np.asarray(pbc)]
    if not len(vectors):
        return np.zeros(1)
    return reach * np.linalg.norm(np.linalg.pinv(vectors), axis=0)


def pairs_expected(cell: np.ndarray, pbc: Sequence[bool], reach: float, atoms: int) -> float:
    """A rough upper bound of the number of directed pairs."""
    return atoms**2 * float(np.prod(1 + 2 * images_needed(cell, pbc, reach)))


def as_cell(system: System) -> Cell:
    """The structure that the library sees, after rounding to its float type."""
    return Cell(
        np.asarray(system.positions, np.float64),
        np.asarray(system.species),
        np.asarray(system.cell, np.float64),
        tuple(bool(p) for p in system.pbc),
    )


def brute_force(one: Cell, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """All directed pairs closer than ``reach``: [pairs, 5] rows (i, j, shift), sorted, and their distances.

    Every lattice translation S that could matter is tried for every pair of atoms. With P the pseudo-inverse of the
    periodic lattice vectors, S = (R_j + S C - R_i) P - (R_j - R_i) P, so |S_k| is at most (reach + spread) |P_k|.
    """
    pbc = np.asarray(one.pbc)
    index = np.flatnonzero(one.species >= 0)
    positions = one.positions[index]
    vectors = one.cell[pbc]
    spread = max((np.linalg.norm(a - b) for a in positions for b in positions), default=0.0)
    ranges = [np.zeros(1, int)] * 3
    if len(vectors):
        along = np.linalg.pinv(vectors)
        low = np.ceil((reach + spread) * np.linalg.norm(along, axis=0)).astype(int)
        projected = positions @ along
        # tighter than the bound above where the spread is not along this direction
        low = np.minimum(low, np.ceil(reach * np.linalg.norm(along, axis=0) + np.ptp(projected, axis=0)).astype(int))
        for d, n in zip(np.flatnonzero(pbc), low, strict=True):
            ranges[d] = np.arange(-n - 1, n + 2)
    shifts = np.stack([axis.ravel() for axis in np.meshgrid(*ranges, indexing="ij")], axis=1)
    translations = shifts @ np.where(pbc[:, None], one.cell, 0.0)
    pairs, distances = [], []
    for a, i in enumerate(index):
        length = np.linalg.norm(positions[:, None, :] + translations - positions[a], axis=2)
        b, k = np.nonzero((length < reach) & ((np.arange(len(index)) != a)[:, None] | shifts.any(axis=1)))
        pairs.append(np.column_stack([np.full(len(b), i), index[b], shifts[k]]))
        distances.append(length[b, k])
    if not pairs:
        return np.zeros((0, 5), int), np.zeros(0)
    return _sorted(np.concatenate(pairs), np.concatenate(distances))


def listed(neighbors: Any, one: Cell) -> tuple[np.ndarray, np.ndarray]:
    """All entries of a list, duplicates included, in the form of `brute_force`, distances recomputed here.

    Read from the arrays that the engine gathers from, as the class documents them.
    """
    rows, source, offset, row_of_atom = (
        np.asarray(getattr(neighbors, name)) for name in ("rows", "source", "offset", "row_of_atom")
    )
    atoms = len(one.positions)
    assert rows.min(initial=0) >= 0
    assert rows.max(initial=0) <= len(source)
    assert sorted(row_of_atom) == sorted(set(row_of_atom)), "two atoms share a row"
    real = one.species >= 0
    assert (source[row_of_atom] == np.arange(atoms))[real].all(), "an atom's row does not show it"
    owner = np.full(len(source), -1)
    owner[row_of_atom] = np.arange(atoms)
    row, slot = np.nonzero(rows < len(source))
    assert (owner[row] >= 0).all(), "a row without an atom has neighbours"
    neighbor = rows[row, slot]
    shifts = offset[neighbor] - offset[row]
    pairs = np.column_stack([owner[row], source[neighbor], shifts]).astype(int)
    cell = np.where(np.asarray(one.pbc)[:, None], one.cell, 0.0)
    vectors = one.positions[pairs[:, 1]] + pairs[:, 2:] @ cell - one.positions[pairs[:, 0]]
    return _sorted(pairs, np.linalg.norm(vectors, axis=1))


def assert_complete(neighbors: Any, one: Cell, radius: float, reach: float, tolerance: float = 1e-9) -> None:
    """The list holds every pair within ``radius`` once, nothing twice, and nothing beyond ``reach``.

    Args:
        neighbors: the list.
        one: the structure, as it is now.
        radius: Å, within which the list must be complete.
        reach: Å, beyond which it must hold nothing (infinite where it is only promised to be complete).
        tolerance: Å, pairs this close to radius or reach may be in the list or not.
    """
    pairs, distances = listed(neighbors, one)
    assert len(np.unique(pairs, axis=0)) == len(pairs), "an entry occurs twice"
    assert distances.max(initial=0.0) < reach + tolerance, "an entry lies beyond the reach"
    inside = pairs[distances < radius - tolerance]
    wanted, length = brute_force(one, radius)
    wanted = wanted[length < radius - tolerance]
    assert inside.tolist() == wanted.tolist(), f"{len(inside)} pairs in the list, {len(wanted)} by brute force"


def _sorted(pairs: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort(pairs.T[::-1])
    return pairs[order], distances[order]
