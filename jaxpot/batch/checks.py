"""Checks that drivers on the host make before and after an evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.errors import misplaced
from jaxpot.evaluation import Params
from jaxpot.extras import check_needed
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.system import System

__all__ = ["check_system", "checked_dtype", "checked_params", "explain_not_finite", "not_finite", "several_structures"]

CLOSE = 0.5  # Å; atoms closer than this are reported as the cause of a non-finite energy


def checked_dtype(dtype: Any) -> np.dtype:
    """The requested float type, JAX's default if None; ValueError where JAX would silently use another type."""
    wanted = np.dtype(jnp.result_type(float) if dtype is None else dtype)
    if not jnp.issubdtype(wanted, jnp.floating):
        raise ValueError(f"dtype must be a float type such as 'float32' or 'float64', got {wanted.name}")
    if jax.dtypes.canonicalize_dtype(wanted) != wanted:
        raise ValueError(
            f"dtype {wanted.name} needs jax.config.update('jax_enable_x64', True) at the start of the program"
        )
    return wanted


def checked_params(params: Params, dtype: np.dtype) -> Params:
    """Params with every float of type ``dtype``, so that results have it too; ValueError where one is not a number."""

    def check(path: tuple[Any, ...], leaf: Any) -> Any:
        values = np.asarray(leaf)
        if not (np.issubdtype(values.dtype, np.number) or values.dtype == bool or values.dtype == jnp.bfloat16):
            raise ValueError(f"params{jax.tree_util.keystr(path)} must be numbers, got {leaf!r}")
        if np.isnan(values).any():
            raise ValueError(f"params{jax.tree_util.keystr(path)} holds NaN; repair the parameters")
        return jax.device_put(values.astype(dtype)) if jnp.issubdtype(values.dtype, jnp.floating) else leaf

    return jax.tree_util.tree_map_with_path(check, params)


def several_structures(owner: str, structures: Any) -> list[Any]:
    """A sequence of structures as a list; TypeError where it is none.

    Args:
        owner: the function that was called.
        structures: what was given.
    """
    if isinstance(structures, System) or hasattr(structures, "get_chemical_symbols"):
        raise TypeError(f"{owner} takes several structures and got one; pass [structure] and take the first result")
    if isinstance(structures, str | os.PathLike) or not isinstance(structures, Iterable):
        raise misplaced(owner, structures, "a sequence of structures", "read files first, with ase.io.read(path, ':')")
    return list(structures)


def check_system(potential: Potential, system: System) -> None:
    """Raise ValueError where a species has no element, or data that the potential needs are missing or do not fit.

    Without this check, the engine would use the parameters of another element.
    """
    count = 1 if potential.elements is None else len(potential.elements)
    species = np.asarray(system.species)
    wrong = np.flatnonzero(species >= count)
    if wrong.size:
        known = "tells no elements apart" if potential.elements is None else f"has {count} elements"
        raise ValueError(
            f"atom {wrong[0]} has species {species[wrong[0]]}, but {potential.name} {known}; "
            f"species go from 0 to {count - 1}, and -1 marks a padded atom"
        )
    check_needed(potential.name, potential.needs, system.extras, species, potential.elements)


def not_finite(energies: np.ndarray, forces: np.ndarray) -> np.ndarray:
    """Indices of the atoms whose energy or force is not finite."""
    return np.flatnonzero(~(np.isfinite(energies) & np.isfinite(forces).all(axis=1)))


def explain_not_finite(
    system: System,
    neighbors: Neighbors | None,
    energies: np.ndarray,
    forces: np.ndarray,
    symbols: Sequence[str] | None,
) -> str:
    """One sentence on why an energy or force is not finite, with the atom and what to do.

    Args:
        system: one structure, on the host; padded atoms may follow.
        neighbors: its list.
        energies: [atoms] eV.
        forces: [atoms, 3] eV/Å.
        symbols: [atoms] names, if there are any.
    """

    def named(i: int) -> str:
        return f"atom {i}" if symbols is None else f"atom {i} ({symbols[i]})"

    wrong = [int(i) for i in not_finite(energies, forces)]
    closest = [(*_nearest(system, neighbors, i), i) for i in wrong] if neighbors is not None else []
    distance, other, atom = min(closest, key=lambda found: found[0], default=(np.inf, 0, wrong[0]))
    if distance < CLOSE:
        return (
            f"the energy or force of {named(atom)} is not finite: it is {distance:.3g} Å from "
            f"{named(other) if other != atom else 'its own image'}; move them apart or delete one"
        )
    atom = wrong[0]
    return (
        f"the energy or force of {named(atom)} is not finite (energy {energies[atom]:g} eV, force "
        f"{forces[atom].tolist()} eV/Å); check the parameters and the structure's units (Å)"
    )


def _nearest(system: System, neighbors: Neighbors, atom: int) -> tuple[float, int]:
    """Distance to the nearest neighbour of an atom, Å, and which atom that is."""
    positions, cell = np.asarray(system.positions, np.float64), np.asarray(system.cell, np.float64)
    source, offset = np.asarray(neighbors.source), np.asarray(neighbors.offset)
    own = int(np.asarray(neighbors.row_of_atom)[atom])
    rows = np.asarray(neighbors.rows)[own]
    rows = rows[rows < len(source)]
    if not rows.size:
        return np.inf, atom
    edges = positions[source[rows]] + (offset[rows] - offset[own]) @ cell - positions[atom]
    lengths = np.linalg.norm(edges, axis=1)
    return float(lengths.min()), int(source[rows[lengths.argmin()]])
