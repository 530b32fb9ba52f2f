"""Rattled structures on which potentials are tried, and a plain search for neighbours to compare with.

Perfect crystals prove little: their forces vanish by symmetry. Everything here is rattled, and everything is a pure
function of its arguments and its seed. Lengths are in Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from ase import Atoms
from ase.build import bulk

__all__ = ["SHEAR", "brute_force_pairs", "complete_cell", "crystal", "disordered", "primitive"]

# A general strain of order one: shears on both sides of the diagonal, so that no cell vector stays on an axis.
SHEAR = np.array([[0.2, 0.9, 0.4], [-0.3, -0.1, 1.0], [0.6, -0.5, 0.3]])


def crystal(
    elements: Sequence[str],
    a: float,
    structure: str = "fcc",
    repeat: int | tuple[int, int, int] = 2,
    rattle: float = 0.1,
    shear: float = 0.06,
    seed: int = 0,
) -> Atoms:
    """Rattled triclinic crystal, its sites shared out at random among the elements (each occurs, if there is room).

    Args:
        elements: chemical symbols.
        a: lattice constant of the cubic cell, Å.
        structure: one of ASE's cubic one-element structures: "fcc", "bcc", "sc", "diamond".
        repeat: number of cubic cells along each axis.
        rattle: standard deviation of the displacements, Å.
        shear: size of the (dimensionless) strain put on the cell; 0 leaves it cubic.
        seed: fixes displacements and species.

    Returns:
        ASE's ``Atoms``.
    """
    atoms = bulk(elements[0], structure, a=a, cubic=True)
    atoms *= (repeat, repeat, repeat) if isinstance(repeat, int) else repeat
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + shear * SHEAR), scale_atoms=True)
    return disordered(atoms, elements, rattle, seed)


def primitive(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """Primitive cell (one atom for fcc, bcc and sc), sheared: smaller than the cutoff of any potential.

    Args:
        elements: chemical symbols.
        a: lattice constant of the cubic cell, Å.
        structure: as in :func:`crystal`.
        seed: fixes displacements and species.

    Returns:
        ASE's ``Atoms``.
    """
    atoms = bulk(elements[0], structure, a=a)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.08 * SHEAR), scale_atoms=True)
    return disordered(atoms, elements, 0.1, seed)


def disordered(atoms: Atoms, elements: Sequence[str], rattle: float, seed: int) -> Atoms:
    """Atoms displaced at random, and the elements dealt out over their sites.

    Args:
        atoms: changed in place.
        elements: chemical symbols.
        rattle: standard deviation of the displacements, Å.
        seed: fixes displacements and species.

    Returns:
        The same ``Atoms``.
    """
    rng = np.random.default_rng(seed)
    atoms.positions += rng.normal(scale=rattle, size=(len(atoms), 3))
    species = [elements[k % len(elements)] for k in range(len(atoms))]
    atoms.set_chemical_symbols(list(rng.permutation(species)))
    return atoms


def complete_cell(cell: np.ndarray, pbc: Sequence[bool] | np.ndarray) -> np.ndarray:
    """The cell with each non-periodic vector replaced by a unit vector perpendicular to all other vectors.

    Nothing physical depends on the non-periodic vectors; with these replacements, the rows are independent even where
    ASE has zeros, and projections on the periodic ones are projections inside their plane or line.

    Args:
        cell: [3, 3], Å.
        pbc: [3] bool.

    Returns:
        [3, 3].
    """
    periodic = np.asarray(pbc, dtype=bool)
    completed = np.array(cell, dtype=float)
    rank = int(periodic.sum())
    # Rows of `basis` beyond the rank span the complement of the periodic vectors.
    basis = np.linalg.svd(completed[periodic].reshape(rank, 3))[2] if rank else np.eye(3)
    completed[~periodic] = basis[rank:]
    return completed


def brute_force_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every ordered pair closer than a cutoff, found by looking at every image that could be: slow and plain.

    Right for any cell, any periodicity and atoms anywhere. A pair at exactly the cutoff is left out.

    Args:
        atoms: the structure.
        cutoff: Å.

    Returns:
        i, j [pairs], the atoms, sorted by i, then j, then shift; S [pairs, 3], integer lattice shifts of j; and
        D [pairs, 3], the vectors R[j] + S @ cell - R[i], Å.
    """
    positions, periodic = atoms.positions, np.asarray(atoms.pbc, dtype=bool)
    cell = np.where(periodic[:, None], atoms.cell.array, 0.0)
    reciprocal = np.linalg.inv(complete_cell(cell, periodic))  # its columns; S_k = reciprocal_k . (D - R[j] + R[i])
    fractional = positions @ reciprocal
    reach = cutoff * np.linalg.norm(reciprocal, axis=0)
    rows: list[tuple[int, int, np.ndarray, np.ndarray]] = []
    for i, j in product(range(len(atoms)), repeat=2):
        delta = fractional[j] - fractional[i]
        low = np.where(periodic, np.floor(-reach - delta), 0).astype(int)
        high = np.where(periodic, np.ceil(reach - delta), 0).astype(int)
        for shift in product(*(range(a, b + 1) for a, b in zip(low, high, strict=True))):
            vector = positions[j] + np.array(shift) @ cell - positions[i]
            if np.linalg.norm(vector) < cutoff and (i != j or any(shift)):
                rows.append((i, j, np.array(shift), vector))
    if not rows:
        empty = np.zeros(0, dtype=int)
        return empty, empty.copy(), np.zeros((0, 3), dtype=int), np.zeros((0, 3))
    first, second, shifts, vectors = zip(*rows, strict=True)
    return np.array(first), np.array(second), np.array(shifts), np.array(vectors)
