"""Test structures as ASE `Atoms`, and an independent reference for neighbour lists.

Perfect crystals prove little: their forces vanish by symmetry. Everything here is rattled, and everything is a pure
function of its arguments and its seed. Lengths are in Å.

    atoms = structures.make("slab", ["Cu", "Al"], 4.0, "fcc", seed=3)

`KINDS` lists what `make` can build, for `@pytest.mark.parametrize("kind", structures.KINDS)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from ase import Atoms
from ase.build import bulk

# A general strain of order one: shears on both sides of the diagonal, so that no cell vector stays on an axis.
_SHEAR = np.array([[0.2, 0.9, 0.4], [-0.3, -0.1, 1.0], [0.6, -0.5, 0.3]])


def crystal(
    elements: Sequence[str],
    a: float,
    structure: str = "fcc",
    repeat: int | tuple[int, int, int] = 2,
    rattle: float = 0.1,
    shear: float = 0.06,
    seed: int = 0,
) -> Atoms:
    """Rattled triclinic crystal, its sites shared out at random among `elements` (each occurs, if there is room).

    Args:
      elements: chemical symbols.
      a: lattice constant of the cubic cell, Å.
      structure: one of ASE's cubic one-element structures: "fcc", "bcc", "sc", "diamond".
      repeat: number of cubic cells along each axis.
      rattle: standard deviation of the displacements, Å.
      shear: size of the (dimensionless) strain put on the cell; 0 leaves it cubic.
      seed: fixes displacements and species.
    """
    atoms = bulk(elements[0], structure, a=a, cubic=True)
    atoms *= (repeat, repeat, repeat) if isinstance(repeat, int) else repeat
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + shear * _SHEAR), scale_atoms=True)
    return _disorder(atoms, elements, rattle, seed)


def primitive(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """Primitive cell (one atom for fcc, bcc and sc), sheared: smaller than the cutoff of any potential."""
    atoms = bulk(elements[0], structure, a=a)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.08 * _SHEAR), scale_atoms=True)
    return _disorder(atoms, elements, 0.1, seed)


def skewed(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """The crystal of `crystal`, one cubic cell, described by long, strongly tilted cell vectors of the same volume."""
    atoms = crystal(elements, a, structure, repeat=1, seed=seed)
    atoms.set_cell(np.array([[1, 0, 0], [3, 1, 0], [-2, 4, 1]]) @ atoms.cell.array)
    return atoms


def left_handed(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """The crystal of `crystal` with two cell vectors exchanged (negative determinant)."""
    atoms = crystal(elements, a, structure, repeat=1, seed=seed)
    atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    return atoms


def slab(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """Periodic along two sheared cell vectors (pbc TTF); the third is tilted and must not matter."""
    atoms = crystal(elements, a, structure, repeat=(1, 1, 2), seed=seed)
    cell = atoms.cell.array.copy()
    cell[2] += 0.4 * cell[0] + 0.3 * cell[1]
    atoms.set_cell(cell)
    atoms.pbc = (True, True, False)
    return atoms


def slab_without_third_vector(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """The slab of `slab` whose third cell vector is zero, as ASE's surface builders leave it."""
    atoms = slab(elements, a, structure, seed)
    cell = atoms.cell.array.copy()
    cell[2] = 0.0
    atoms.set_cell(cell)
    return atoms


def slab_periodic_in_first_and_last(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """Periodic along the first and third cell vectors (pbc TFT)."""
    atoms = crystal(elements, a, structure, repeat=(1, 2, 1), seed=seed)
    atoms.pbc = (True, False, True)
    return atoms


def wire(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """Periodic along one cell vector (pbc TFF), which lies on no axis."""
    atoms = crystal(elements, a, structure, repeat=(1, 2, 1), seed=seed)
    atoms.pbc = (True, False, False)
    return atoms


def cluster(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """A molecule-like piece of the crystal: no cell at all."""
    atoms = crystal(elements, a, structure, repeat=(2, 1, 1), seed=seed)
    return Atoms(atoms.symbols, positions=atoms.positions)


def outside(elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """The crystal of `crystal` with every atom moved by up to three cell vectors in either direction."""
    atoms = crystal(elements, a, structure, repeat=(2, 1, 1), seed=seed)
    moves = np.random.default_rng(seed).integers(-3, 4, size=(len(atoms), 3))
    atoms.positions += moves @ atoms.cell.array
    return atoms


_MAKERS: dict[str, Callable[[Sequence[str], float, str, int], Atoms]] = {
    "crystal": lambda elements, a, structure, seed: crystal(elements, a, structure, seed=seed),
    "primitive": primitive,
    "skewed": skewed,
    "left_handed": left_handed,
    "outside": outside,
    "slab": slab,
    "slab_without_third_vector": slab_without_third_vector,
    "slab_periodic_in_first_and_last": slab_periodic_in_first_and_last,
    "wire": wire,
    "cluster": cluster,
}
KINDS = tuple(_MAKERS)


def make(kind: str, elements: Sequence[str], a: float, structure: str = "fcc", seed: int = 0) -> Atoms:
    """The structure called `kind` (one of `KINDS`) for these elements and this lattice constant, Å."""
    return _MAKERS[kind](elements, a, structure, seed)


def random_structure(
    seed: int,
    elements: Sequence[str] = ("Ar",),
    spacing: float = 3.0,
    max_atoms: int = 5,
    pbc: Sequence[bool] | None = None,
) -> Atoms:
    """A few atoms in a tiny, often strongly tilted cell with any periodicity, no two images closer than 0.7 `spacing`.

    Args:
      seed: fixes everything, the periodicity included unless `pbc` gives it.
      elements: chemical symbols to draw from.
      spacing: typical distance between neighbours, Å.
      max_atoms: the number of atoms is drawn from 1 to this; fewer where they do not fit.
      pbc: periodicity along the three cell vectors.
    """
    rng = np.random.default_rng(seed)
    periodic = np.asarray(rng.integers(0, 2, size=3) if pbc is None else pbc, dtype=bool)
    cell = np.zeros((3, 3))
    # A random cell is often nearly flat, so that an atom meets its own images: draw again until it does not.
    while abs(np.linalg.det(cell)) < spacing**3 or _closest_image(cell, periodic) < 0.7 * spacing:
        cell = rng.normal(size=(3, 3)) * spacing * rng.uniform(0.8, 2.5, size=(3, 1))
    atoms = Atoms(cell=cell, pbc=periodic)
    for _ in range(int(rng.integers(1, max_atoms + 1))):
        for _ in range(20):
            # Fractional coordinates from -1 to 2: atoms lie outside the cell as often as inside.
            trial = atoms + Atoms([rng.choice(elements)], positions=rng.uniform(-1.0, 2.0, size=(1, 3)) @ cell)
            if brute_force_pairs(trial, 0.7 * spacing)[0].size == 0:
                atoms = trial
                break
    return atoms


def complete_cell(cell: np.ndarray, pbc: Sequence[bool] | np.ndarray) -> np.ndarray:
    """The cell [3, 3] with each non-periodic vector replaced by a unit vector perpendicular to all other vectors.

    Nothing physical depends on the non-periodic vectors; with these replacements, the rows are independent even where
    ASE has zeros, and projections on the periodic ones are projections inside their plane or line.
    """
    periodic = np.asarray(pbc, dtype=bool)
    completed = np.array(cell, dtype=float)
    rank = int(periodic.sum())
    # Rows of `basis` beyond the rank span the complement of the periodic vectors.
    basis = np.linalg.svd(completed[periodic].reshape(rank, 3))[2] if rank else np.eye(3)
    completed[~periodic] = basis[rank:]
    return completed


def brute_force_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every ordered pair closer than `cutoff`, found by looking at every image that could be: slow and plain.

    Right for any cell, any periodicity and atoms anywhere. A pair at exactly the cutoff is left out.

    Returns:
      i, j: [pairs] atom indices, sorted by i, then j, then shift.
      S: [pairs, 3] integer lattice shift of j.
      D: [pairs, 3] vectors R[j] + S @ cell - R[i], Å.
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


def _closest_image(cell: np.ndarray, periodic: np.ndarray) -> float:
    """Length of the shortest lattice vector among small multiples of the periodic cell vectors."""
    lattice = np.where(periodic[:, None], cell, 0.0)
    multiples = np.array([m for m in product(range(-3, 4), repeat=3) if any(np.array(m)[periodic])])
    return float(np.linalg.norm(multiples @ lattice, axis=1).min()) if len(multiples) else np.inf


def _disorder(atoms: Atoms, elements: Sequence[str], rattle: float, seed: int) -> Atoms:
    """Displace all atoms at random and deal the elements out over the sites."""
    rng = np.random.default_rng(seed)
    atoms.positions += rng.normal(scale=rattle, size=(len(atoms), 3))
    species = [elements[k % len(elements)] for k in range(len(atoms))]
    atoms.set_chemical_symbols(list(rng.permutation(species)))
    return atoms
