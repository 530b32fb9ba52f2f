"""Shared by all engines: gathers the rows of a list, makes edges safe, and maps functions over blocks of centers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.errors import misplaced
from jaxpot.evaluation import Prepared, cast_params
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = [
    "Edges",
    "Rows",
    "checked_range",
    "edges_of",
    "is_center",
    "map_blocks",
    "per_atom",
    "preparation",
    "ready",
    "real_centers",
    "rows_of",
    "take",
    "to_atoms",
    "vectors_of",
]

BLOCK = 4096  # atoms whose edges are in memory at once; lists of more atoms come in whole blocks

NUMBERS = (jax.Array, np.ndarray, np.generic, int, float)  # what a formula may return


class Rows(NamedTuple):
    """Coordinates and species of all rows of a list, each [rows + 1]; the last row, for empty slots, is at infinity."""

    x: jax.Array
    y: jax.Array
    z: jax.Array
    species: jax.Array
    data: dict[str, jax.Array] = {}  # noqa: RUF012 - of each row's atom, by name; 0 for empty slots


class Edges(NamedTuple):
    """The edges of a block of atoms, each [atoms, capacity].

    Where ``mask`` is False, the slot is empty or its neighbour is beyond the cutoff. Such a slot holds a substitute
    edge as long as the cutoff, so that formulas and all their derivatives are finite before the mask removes them.
    """

    x: jax.Array
    y: jax.Array
    z: jax.Array
    distances: jax.Array
    mask: jax.Array


def checked_range(name: str, cutoff: float, elements: Sequence[str] | None) -> tuple[float, tuple[str, ...] | None]:
    """Cutoff and elements of a new potential; ValueError unless the cutoff is a positive length."""
    if not isinstance(cutoff, int | float | np.number):
        raise misplaced(name, cutoff, "the cutoff", "the formula comes first, then the cutoff in Å")
    cutoff = float(cutoff)
    if not 0 < cutoff < float("inf"):
        raise ValueError(f"{name}: the cutoff must be a positive length in Å, got {cutoff}")
    return cutoff, None if elements is None else tuple(elements)


def checked_result(where: str, found: Any, shape: tuple[int, ...]) -> Any:
    """What a formula returned; an error where it is not one array of the given shape.

    Args:
        where: the formula, for the message.
        found: what it returned.
        shape: wanted.

    Returns:
        ``found``.

    Raises:
        TypeError: it is a tuple, None or another object.
        ValueError: it has another shape.
    """
    wanted = f"{where} must return one array of shape {list(shape)}, and returned {returned(found)}"
    if not isinstance(found, NUMBERS):
        raise TypeError(wanted)
    if jnp.shape(found) != shape:
        raise ValueError(wanted)
    return found


def returned(found: Any) -> str:
    """What a formula returned, in words."""
    if isinstance(found, NUMBERS):
        return f"one of shape {list(jnp.shape(found))}"
    return f"a tuple of {len(found)}" if isinstance(found, tuple) else type(found).__name__


def ready(prepare: Callable[[Any, Any], Any] | None, params: Any, dtype: Any) -> Any:
    """Params as a formula takes them: prepared now if they are not yet; without ``prepare``, cast to ``dtype``."""
    if isinstance(params, Prepared):
        return params.value
    return cast_params(params, dtype) if prepare is None else prepare(params, dtype)


def preparation(prepare: Callable[[Any, Any], Any] | None) -> Callable[[Any, Any], Any]:
    """``Potential.prepare`` from a formula's ``prepare(params, dtype)``; without one, it only casts the params."""
    if prepare is None:
        return cast_params
    return lambda params, dtype: Prepared(ready(prepare, params, dtype))


def rows_of(system: System, neighbors: Neighbors, needs: Collection[str] = ()) -> Rows:
    """Coordinates, species and needed data of all rows.

    Positions of images are computed once per row, so that an edge needs only a gather and a difference.
    """
    offset = neighbors.offset.astype(system.positions.dtype)
    positions = system.positions[neighbors.source] + offset @ system.cell
    species = jnp.maximum(system.species, 0)[neighbors.source]

    def extended(values: jax.Array) -> jax.Array:
        return jnp.append(values, jnp.asarray(jnp.inf, values.dtype))

    def with_zero(values: jax.Array) -> jax.Array:
        return jnp.append(values, jnp.zeros((), values.dtype))

    return Rows(
        extended(positions[:, 0]),
        extended(positions[:, 1]),
        extended(positions[:, 2]),
        jnp.append(species, jnp.zeros((), species.dtype)),
        {name: with_zero(per_atom(system, name)[neighbors.source]) for name in sorted(needs)},
    )


def per_atom(system: System, name: str) -> jax.Array:
    """[atoms] data of a system by name, in the type of its positions."""
    values = system.extras[name].astype(system.positions.dtype)
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {list(values.shape)}; formulas take one number per atom")
    return values


def take(values: jax.Array, index: jax.Array) -> jax.Array:
    """values[index] for indices known to be in range: no clamping, no wrapping of negative ones."""
    return values.at[index].get(mode="promise_in_bounds")


def vectors_of(
    rows: Rows, center: tuple[jax.Array, jax.Array, jax.Array], slots: jax.Array, cutoff: float
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """x, y, z from each center to its slots, infinite in empty slots, and a mask of those shorter than the cutoff."""
    x, y, z = (take(row, slots) - own[:, None] for row, own in zip(rows[:3], center, strict=True))
    return x, y, z, x * x + y * y + z * z < cutoff * cutoff


def edges_of(
    rows: Rows,
    center: tuple[jax.Array, jax.Array, jax.Array],
    slots: jax.Array,
    cutoff: float,
    real: jax.Array | None = None,
) -> Edges:
    """Edges from each center to its slots, made safe before any formula sees them ("double where").

    This is the only place that does so. The directions of the substitute edges differ from slot to slot, so that
    functions of the angles between them are finite too.

    Args:
        rows: of the list.
        center: x, y, z of the centers, each [atoms].
        slots: [atoms, capacity] rows of the neighbours.
        cutoff: Å.
        real: [atoms] bool, True for centers that are atoms, not padding; None for all.

    Returns:
        The :class:`Edges`.
    """
    *vector, mask = vectors_of(rows, center, slots, cutoff)
    if real is not None:
        mask &= real[:, None]
    angle = jnp.arange(slots.shape[1]).astype(rows.x.dtype)[None, :]
    spare = (cutoff * jnp.cos(angle) * 0.8, cutoff * jnp.sin(angle) * 0.8, jnp.full_like(angle, 0.6 * cutoff))
    x, y, z = (jnp.where(mask, d, s) for d, s in zip(vector, spare, strict=True))
    return Edges(x, y, z, jnp.sqrt(x * x + y * y + z * z), mask)


def map_blocks(function: Callable[..., Any], neighbors: Neighbors, *arrays: Any) -> Any:
    """``function(slots, *arrays)`` for blocks of centers, with the results joined along the first axis.

    The first axis of every leaf of ``arrays`` is that of the centers. Reverse passes recompute a block instead of
    storing its edges, so the size of a block bounds the memory.
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
    """[centers] bool, True for centers that are atoms, not padding."""
    return jnp.zeros(neighbors.rows.shape[0], bool).at[neighbors.row_of_atom].set(system.real, mode="drop")


def is_center(system: System, neighbors: Neighbors) -> jax.Array:
    """[atoms] bool, True for atoms that are centers of the list; False for padding and for other atoms."""
    return system.real & (neighbors.row_of_atom < neighbors.rows.shape[0])


def to_atoms(values: jax.Array, system: System, neighbors: Neighbors) -> jax.Array:
    """Values in the order of the atoms, from values in the order of the centers; 0 for atoms that are not centers."""
    values = values.at[neighbors.row_of_atom].get(mode="clip")
    wanted = is_center(system, neighbors).reshape(-1, *[1] * (values.ndim - 1))
    return jnp.where(wanted, values, jnp.zeros((), values.dtype))
