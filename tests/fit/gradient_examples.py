"""Data made by potentials of the library, for trainings that must find them again."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

import jaxpot
from jaxpot.fit import Frame
from tests import structures

ARGON = {"epsilon": 0.0104, "sigma": 3.4}


def labelled(potential: jaxpot.Potential, params: Any, atoms: Sequence[Atoms], dtype: Any = None) -> list[Frame]:
    """Frames with the energies, forces and stresses of a potential."""
    found = jaxpot.evaluate(potential, params, atoms, dtype=dtype)
    return [
        Frame(one, r.energy, np.asarray(r.forces, float), None if r.stress is None else np.asarray(r.stress, float))
        for one, r in zip(atoms, found, strict=True)
    ]


def crystals(element: str, a: float, structure: str, count: int, repeat: int = 1) -> list[Atoms]:
    """Rattled crystals of several densities."""
    scales = np.linspace(0.96, 1.06, count)
    return [
        structures.crystal([element], a * scale, structure, repeat=repeat, seed=seed)
        for seed, scale in enumerate(scales)
    ]


@functools.cache
def wang_frenkel() -> tuple[jaxpot.Potential, dict[str, float], list[Frame]]:
    """Argon-like: clusters of two sizes and small crystals, of one shape when they are padded."""
    potential = jaxpot.wang_frenkel(6.0)
    atoms = [*crystals("Ar", 5.3, "fcc", 6), *(structures.cluster(["Ar"], 5.0, "sc", seed=k) for k in range(2))]
    return potential, ARGON, labelled(potential, ARGON, atoms)
