"""Functions of a list: short edges, reverse edges, and triplets (pairs of edges that share a center)."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["Triplets", "reverse_slots", "short_edges", "triplets", "triplets_of_centers"]

COMPARISONS = 1 << 22  # comparisons in memory at once


def short_edges(system: System, neighbors: Neighbors, cutoff: float) -> jax.Array:
    """Which slots hold a neighbour closer than a cutoff.

    Args:
        system: positions and cell.
        neighbors: a list that is complete for them.
        cutoff: Å.

    Returns:
        [centers, capacity] bool.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 3.0]])
        >>> neighbors = jaxpot.neighbor_list(4.0).allocate(system)
        >>> short_edges(system, neighbors, 2.5).sum(axis=1).tolist()
        [1, 2, 1]
    """
    rows, total = neighbors.rows, neighbors.source.shape[0]
    points = system.positions[neighbors.source] + neighbors.offset.astype(system.cell.dtype) @ system.cell
    squared = jnp.zeros(rows.shape, points.dtype)
    slots = jnp.minimum(rows, total - 1)
    for d in range(3):
        difference = points[:, d][slots] - points[: rows.shape[0], d][:, None]
        squared = squared + difference * difference
    return (rows < total) & (squared < cutoff * cutoff)


def reverse_slots(neighbors: Neighbors) -> jax.Array:
    """For each edge, the slot of its reverse edge: the same pair of atoms, listed by the neighbour.

    A full list holds each pair as two edges. With these slots, a value that one atom of a pair has computed reaches the
    other atom by a gather, ``values.reshape(-1).at[reverse].get(mode="fill", fill_value=0)``; a scatter would be slow.

    Args:
        neighbors: the list; a short one, since all slots of a center are compared with all slots of each neighbour.

    Returns:
        [centers, capacity] int32, ``center * capacity + slot`` of the reverse edge. It is ``centers * capacity`` in
        empty slots, where the neighbour is not a center, and where the neighbour does not list the pair, which rounding
        can cause at a distance equal to the reach.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 3.0]])
        >>> neighbors = jaxpot.neighbor_list(2.5).allocate(system)
        >>> reverse_slots(neighbors)[1, :2].tolist()  # the middle atom is the first neighbour of both others
        [0, 16]
    """
    rows, offset = neighbors.rows, neighbors.offset
    centers, capacity = rows.shape
    own_row = neighbors.row_of_atom[neighbors.source]  # the row of each row's atom
    # a row's translation relative to its atom's own row; the reverse edge has the opposite translation
    translation = jnp.concatenate([offset - offset[own_row], jnp.zeros((1, 3), offset.dtype)])
    own_row = jnp.append(own_row, jnp.int32(centers))
    towards, step = own_row[rows], translation[rows]  # [centers, capacity], [centers, capacity, 3]
    towards_all = jnp.pad(towards, ((0, 1), (0, 0)), constant_values=centers)
    step_all = jnp.pad(step, ((0, 1), (0, 0), (0, 0)))

    def of_block(block: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        center, towards, step = block
        other = jnp.minimum(towards, centers)
        same = towards_all[other] == center[:, None, None]  # [size, capacity, capacity]
        for d in range(3):
            same &= step_all[other, :, d] == -step[:, :, None, d]
        slot = jnp.argmax(same, axis=2).astype(jnp.int32)
        found = jnp.any(same, axis=2) & (towards < centers)
        return jnp.where(found, other * capacity + slot, centers * capacity)

    size = max(1, COMPARISONS // max(capacity * capacity, 1))
    everything = (jnp.arange(centers, dtype=jnp.int32), towards, step)
    if centers <= size:
        return of_block(everything)
    blocks = -(-centers // size)
    missing = blocks * size - centers
    split = [
        jnp.pad(leaf, [(0, missing)] + [(0, 0)] * (leaf.ndim - 1), constant_values=centers).reshape(
            blocks, size, *leaf.shape[1:]
        )
        for leaf in everything
    ]
    return jax.lax.map(of_block, tuple(split)).reshape(-1, capacity)[:centers]


class Triplets(NamedTuple):
    """Pairs of edges that share a center, each pair once.

    Attributes:
        center: [capacity] int32, the center.
        first: [capacity] int32, slot of one edge of the center.
        second: [capacity] int32, slot of the other edge; larger than ``first``.
        mask: [capacity] bool, False in empty places, whose indices are 0.
        overflow: [] bool, whether there are more triplets than the capacity.
    """

    center: jax.Array
    first: jax.Array
    second: jax.Array
    mask: jax.Array
    overflow: jax.Array


def triplets_of_centers(edges: jax.Array) -> jax.Array:
    """The number of pairs of edges of each center.

    Args:
        edges: [centers, capacity] bool, the slots whose edges are used.

    Returns:
        [centers] int32.

    Example:
        >>> import jax.numpy as jnp
        >>> triplets_of_centers(jnp.array([[True, True, True, False], [True, False, False, False]])).tolist()
        [3, 0]
    """
    number = jnp.sum(edges, axis=1, dtype=jnp.int32)
    return number * (number - 1) // 2


def triplets(edges: jax.Array, capacity: int) -> Triplets:
    """All pairs of edges that share a center, as a flat list, which is smaller than a table of slots by slots.

    Args:
        edges: [centers, slots] bool, the slots whose edges are used: those of :func:`short_edges`, or all filled ones.
        capacity: room for this many triplets in total; on the host, choose somewhat more than
            ``int(triplets_of_centers(edges).sum())``.

    Returns:
        The :class:`Triplets`.

    Example:
        >>> import jax.numpy as jnp
        >>> found = triplets(jnp.array([[True, False, True, True], [False, True, True, False]]), capacity=5)
        >>> [found.center.tolist(), found.first.tolist(), found.second.tolist(), int(found.mask.sum())]
        [[0, 0, 0, 1, 0], [0, 0, 2, 1, 0], [2, 3, 3, 2, 0], 4]
    """
    if not edges.shape[0]:
        edges = jnp.zeros((1, edges.shape[1]), bool)
    centers, slots = edges.shape
    each = triplets_of_centers(edges)
    last = jnp.cumsum(each, dtype=jnp.int32)
    total = last[-1]
    place = jnp.arange(capacity, dtype=jnp.int32)
    mask = place < total
    center = jnp.minimum(jnp.searchsorted(last, place, side="right"), centers - 1).astype(jnp.int32)
    # the pairs of edges of a center in the order (0, 1), (0, 2), (1, 2), (0, 3) ..., the same for all centers
    second, first = (np.concatenate([n, [0]]).astype(np.int32) for n in np.tril_indices(slots, -1))
    rank = jnp.where(mask, place - (last[center] - each[center]), len(first) - 1)
    # the n-th used slot of each center
    nth = jnp.argsort(jnp.logical_not(edges), axis=1, stable=True).astype(jnp.int32)
    places = (nth[center, jnp.asarray(one)[rank]] for one in (first, second))
    one, other = (jnp.where(mask, slot, 0) for slot in places)
    return Triplets(jnp.where(mask, center, 0), one, other, mask, total > capacity)
