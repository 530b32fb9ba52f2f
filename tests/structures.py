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

from jaxpot.testing.structures import brute_force_pairs, complete_cell, crystal, primitive

__all__ = ["KINDS", "brute_force_pairs", "complete_cell", "crystal", "make", "primitive", "random_structure"]


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


def _closest_image(cell: np.ndarray, periodic: np.ndarray) -> float:
    """Length of the shortest lattice vector among small multiples of the periodic cell vectors."""
    lattice = np.where(periodic[:, None], cell, 0.0)
    multiples = np.array([m for m in product(range(-3, 4), repeat=3) if any(np.array(m)[periodic])])
    return float(np.linalg.norm(multiples @ lattice, axis=1).min()) if len(multiples) else np.inf
