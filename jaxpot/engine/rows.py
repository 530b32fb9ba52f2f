"""What both engines share: rows gathered from a list, edges made safe, blocks of atoms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = [
    "Edges",
    "Rows",
    "cast_params",
    "check_cutoff",
    "checked_range",
    "edges_of",
    "map_blocks",
    "real_centers",
    "rows_of",
    "to_atoms",
]

BLOCK = 4096  # atoms whose edges are in memory at once; lists of more atoms come in whole blocks
FAR = 1e6  # Å; where empty slots point, out of every cutoff


class Rows(NamedTuple):
    """Coordinates and species of all rows of a list, and one more row, far away, for empty slots; each [rows + 1]."""

    x: jax.Array
    y: jax.Array
    z: jax.Array
    species: jax.Array


class Edges(NamedTuple):
    """The edges of a block of atoms, each [atoms, capacity]; only those ``inside`` the cutoff are real."""

    x: jax.Array
    y: jax.Array
    z: jax.Array
    squared: jax.Array
    inside: jax.Array


def checked_range(name: str, cutoff: float, elements: Sequence[str] | None) -> tuple[float, tuple[str, ...] | None]:
    """Cutoff and elements of a new potential; ValueError unless the cutoff is a positive length."""
    cutoff = float(cutoff)
    if not 0 < cutoff < float("inf"):
        raise ValueError(f"{name}: the cutoff must be a positive length in Å, got {cutoff}")
    return cutoff, None if elements is None else tuple(elements)


def check_cutoff(name: str, cutoff: float, system: System, neighbors: Neighbors) -> None:
    """Raise ValueError where a list does not fit a potential or a system; all of this is static."""
    if neighbors is None:
        raise ValueError(f"{name} needs neighbours: pass jaxpot.neighbor_list({cutoff:g}).allocate(system)")
    if neighbors.cutoff < cutoff * (1 - 1e-9):
        raise ValueError(
            f"{name} has cutoff {cutoff:g} Å, but the neighbour list was made for {neighbors.cutoff:g} Å; "
            "allocate one with jaxpot.neighbor_list(potential.cutoff)"
        )
    if system.positions.shape[-2] != neighbors.row_of_atom.shape[-1]:
        raise ValueError(
            f"the system has {system.positions.shape[-2]} atoms, but the neighbour list was made for "
            f"{neighbors.row_of_atom.shape[-1]}; allocate a new list"
        )


def cast_params(params: Any, dtype: Any) -> Any:
    """Params with every float in the type of the positions, which that of the results follows."""

    def cast(leaf: Any) -> Any:
        return jnp.asarray(leaf, dtype) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf

    return jax.tree.map(cast, params)


def rows_of(system: System, neighbors: Neighbors) -> Rows:
    """Coordinates of atoms and images, one gather an atom instead of arithmetic an edge."""
    offset = neighbors.offset.astype(system.positions.dtype)
    positions = system.positions[neighbors.source] + offset @ system.cell
    species = jnp.maximum(system.species, 0)[neighbors.source]

    def extended(values: jax.Array) -> jax.Array:
        return jnp.append(values, jnp.asarray(FAR, values.dtype))

    return Rows(
        extended(positions[:, 0]),
        extended(positions[:, 1]),
        extended(positions[:, 2]),
        jnp.append(species, jnp.zeros((), species.dtype)),
    )


def take(values: jax.Array, index: jax.Array) -> jax.Array:
    """values[index] for indices known to be in range: no clamping, no wrapping of negative ones."""
    return values.at[index].get(mode="promise_in_bounds")


def edges_of(rows: Rows, center: tuple[jax.Array, jax.Array, jax.Array], slots: jax.Array, cutoff: float) -> Edges:
    """Edges from each centre to its slots, made safe before any formula sees them ("double where").

    Slots that are empty or beyond the cutoff hold an edge of length ``cutoff``, along a direction of its own for each
    slot so that angles between them are harmless too.
    """
    x = take(rows.x, slots) - center[0][:, None]
    y = take(rows.y, slots) - center[1][:, None]
    z = take(rows.z, slots) - center[2][:, None]
    squared = x * x + y * y + z * z
    inside = squared < cutoff * cutoff
    return Edges(x, y, z, squared, inside)


def map_blocks(function: Callable[..., Any], neighbors: Neighbors, *arrays: Any) -> Any:
    """``function(slots, *arrays)`` for blocks of central rows, results joined along the first axis.

    The first axis of every leaf of ``arrays`` is that of the central rows. Reverse passes recompute a block instead of
    storing its edges, so memory is bounded by the block.
    """
    slots = neighbors.rows
    centers = slots.shape[0]
    if centers <= BLOCK:
        return function(slots, *arrays)
    blocks = centers // BLOCK

    def split(leaf: jax.Array) -> jax.Array:
        return leaf.reshape(blocks, BLOCK, *leaf.shape[1:])

    def join(leaf: jax.Array) -> jax.Array:
        return leaf.reshape(centers, *leaf.shape[2:])

    checkpointed = jax.checkpoint(lambda one: function(*one))
    return jax.tree.map(join, jax.lax.map(checkpointed, jax.tree.map(split, (slots, *arrays))))


def real_centers(system: System, neighbors: Neighbors) -> jax.Array:
    """[centers] bool, True for central rows that show an atom, not padding."""
    return jnp.zeros(neighbors.rows.shape[0], bool).at[neighbors.row_of_atom].set(system.real)


def to_atoms(values: jax.Array, system: System, neighbors: Neighbors) -> jax.Array:
    """Per-atom values in the order of the atoms from values in that of the central rows; 0 for padded atoms."""
    values = values[neighbors.row_of_atom]
    real = system.real.reshape(-1, *[1] * (values.ndim - 1))
    return jnp.where(real, values, jnp.zeros((), values.dtype))
