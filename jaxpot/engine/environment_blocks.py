"""Environments of the atoms of a list, in blocks that bound the memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.descriptors.environment import Environment
from jaxpot.engine.memory import atoms_at_once
from jaxpot.engine.rows import Rows, edges_of, real_centers, take, to_atoms, vectors_of
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = [
    "Blocks",
    "blocks_of",
    "blocks_of_lists",
    "collected",
    "environments_of",
    "in_few_slots",
    "map_environments",
]

Formula = Callable[[Environment], Any]  # of many atoms


class Blocks(NamedTuple):
    """Centers in blocks, all [blocks, atoms of a block, ...]; without the first axis, one block of them."""

    slots: jax.Array
    x: jax.Array
    y: jax.Array
    z: jax.Array
    species: jax.Array
    real: jax.Array
    data: dict[str, jax.Array]


def blocks_of(formula: Formula, rows: Rows, system: System, neighbors: Neighbors, most: int) -> Blocks:
    """The centers of a list in blocks for a formula: as many at once as fit in the memory, but at most ``most``.

    The last block is padded.
    """
    return _in_blocks(rows, system, neighbors, atoms_at_once(formula, _shapes(rows, neighbors), most))


def blocks_of_lists(
    formula: Callable[[tuple[Environment, ...]], Any], rows: Rows, system: System, lists: list[Neighbors], most: int
) -> tuple[Blocks, ...]:
    """The centers of several lists of the same atoms, in the same blocks for a formula of all their environments."""
    fit = atoms_at_once(formula, tuple(_shapes(rows, one) for one in lists), most)
    return tuple(_in_blocks(rows, system, one, fit) for one in lists)


def _in_blocks(rows: Rows, system: System, neighbors: Neighbors, most: int) -> Blocks:
    number = neighbors.rows.shape[0]
    size = -(-number // -(-number // most))  # blocks of equal size need the least padding
    missing = -number % size
    real = real_centers(system, neighbors)

    def split(values: jax.Array, fill: Any) -> jax.Array:
        padding = [(0, missing)] + [(0, 0)] * (values.ndim - 1)
        return jnp.pad(values, padding, constant_values=fill).reshape(-1, size, *values.shape[1:])

    return Blocks(
        slots=split(neighbors.rows, neighbors.source.shape[0]),
        x=split(rows.x[:number], 0),
        y=split(rows.y[:number], 0),
        z=split(rows.z[:number], 0),
        species=split(rows.species[:number], 0),
        real=split(real, False),
        data={name: split(values[:number], 0) for name, values in rows.data.items()},
    )


def _shapes(rows: Rows, neighbors: Neighbors) -> Environment:
    """The shapes of the environments of all centers of a list."""
    edges, centers = neighbors.rows.shape, neighbors.rows.shape[:1]

    def like(values: jax.Array, shape: tuple[int, ...], dtype: Any = None) -> Any:
        return jax.ShapeDtypeStruct((*shape, *values.shape[1:]), dtype or values.dtype)

    lengths, species = like(rows.x, edges), like(rows.species, edges)
    data = {name: like(values, edges) for name, values in rows.data.items()}
    own_data = {name: like(values, centers) for name, values in rows.data.items()}
    mask, own_species = like(rows.x, edges, bool), like(rows.species, centers)
    return Environment(lengths, lengths, lengths, lengths, species, own_species, mask, data, own_data)


def environments_of(rows: Rows, block: Blocks, cutoff: float) -> Environment:
    """The environments of a block of atoms, [atoms, neighbors]; slots without a neighbour have a substitute edge."""
    x, y, z, distances, mask = edges_of(rows, (block.x, block.y, block.z), block.slots, cutoff, block.real)
    data = {name: take(values, block.slots) for name, values in rows.data.items()}
    return Environment(x, y, z, distances, take(rows.species, block.slots), block.species, mask, data, block.data)


def in_few_slots(
    function: Callable[[Blocks], tuple[jax.Array, ...]],
    rows: Rows,
    cutoff: float,
    neighbors: Neighbors,
    by_slot: tuple[int, ...] = (),
) -> Callable[[Blocks], tuple[jax.Array, ...]]:
    """``function`` of blocks, evaluated without the slots whose neighbours are only within the skin.

    The neighbours within the cutoff are moved to the first ``neighbors.plan.inside`` slots, and only these slots are
    evaluated. Where an atom of a block has more neighbours within the cutoff, all slots are evaluated.

    Args:
        function: of a block; its results have the atoms along the first axis, or no such axis.
        rows: of the list.
        cutoff: Å, of the formula.
        neighbors: the list.
        by_slot: places of the results that are [atoms, slots]; they are 0 in slots that are not evaluated.

    Returns:
        The function with the same results.
    """
    capacity, width = neighbors.rows.shape[1], neighbors.plan.inside
    if not 0 < width < capacity:
        return function

    def narrowed(block: Blocks) -> tuple[jax.Array, ...]:
        near = vectors_of(rows, (block.x, block.y, block.z), block.slots, cutoff)[3]
        mask = jax.lax.stop_gradient(near & block.real[:, None])
        place = jnp.cumsum(mask, axis=1, dtype=jnp.int32) - 1
        atom = jnp.arange(len(mask))[:, None]
        empty = jnp.full((len(mask), width), rows.x.shape[0] - 1, block.slots.dtype)
        slots = empty.at[atom, jnp.where(mask, place, width)].set(block.slots, mode="drop")

        def few() -> tuple[jax.Array, ...]:
            found = list(function(block._replace(slots=slots)))
            for k in by_slot:
                wide = jnp.take_along_axis(found[k], jnp.clip(place, 0, width - 1), axis=1)
                found[k] = jnp.where(mask, wide, 0.0)
            return tuple(found)

        return jax.lax.cond(_for_all(jnp.all(place[:, -1] < width)), few, lambda: function(block))

    return narrowed


@jax.custom_batching.custom_vmap
def _for_all(fits: jax.Array) -> jax.Array:
    """A condition that under vmap is common to the batch, so that ``lax.cond`` does not evaluate both branches."""
    return fits


@_for_all.def_vmap
def _(size: int, batched: list[bool], fits: jax.Array) -> tuple[jax.Array, bool]:
    return _for_all(jnp.all(fits, axis=0) if batched[0] else fits), False


def map_environments(function: Callable[[Any], Any], blocks: Any) -> Any:
    """``function`` of each block (or of one block of each list), with the results joined along the first axis.

    Reverse passes recompute a block instead of storing its temporaries, so the size of a block bounds the memory.
    """
    if jax.tree.leaves(blocks)[0].shape[0] == 1:
        return function(jax.tree.map(lambda leaf: leaf[0], blocks))
    found = jax.lax.map(jax.checkpoint(function), blocks)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)


def collected(gradient: jax.Array, system: System, neighbors: Neighbors) -> jax.Array:
    """[atoms] one component of the forces from dE/d(edge) [centers, capacity]; an edge acts on both its atoms."""
    gradient = gradient[: neighbors.rows.shape[0]]
    pushed = jnp.zeros(neighbors.source.shape[0], gradient.dtype).at[neighbors.rows].add(gradient, mode="drop")
    pulled = to_atoms(gradient.sum(axis=1), system, neighbors)
    return pulled.at[neighbors.source].add(-pushed)
