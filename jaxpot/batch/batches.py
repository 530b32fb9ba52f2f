"""Unequal structures grouped and stacked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpot.batch.padding import Sizes, pad_system, resized, round_up, sizes_used, stacked_systems, to_device
from jaxpot.extras import blank_data
from jaxpot.neighbors import Neighbors, neighbor_list
from jaxpot.potential import Potential
from jaxpot.system import System

__all__ = ["Batch", "batch", "group"]

DISTINCT = 64  # largest number of sizes that are merged pair by pair; more are first merged with adjacent ones


class Batch(NamedTuple):
    """Structures of one shape, stacked: a pytree whose leaves have a leading axis [structures].

    Its lists are valid for the given positions and for displacements within the skin; they are not updated.

    Attributes:
        system: stacked :class:`System`, smaller structures padded with atoms of species -1.
        neighbors: stacked :class:`Neighbors`; None for potentials without a cutoff.
        indices: [structures] int32, place of each in the sequence given to :func:`batch`; the length of that sequence
            marks a padding structure.
        mask: [structures] bool, False for padding structures, which have no atoms and energy 0.
    """

    system: System
    neighbors: Neighbors | None
    indices: jax.Array
    mask: jax.Array


def batch(
    systems: Sequence[System],
    of: float | Potential,
    skin: float = 0.0,
    max_shapes: int = 4,
    batch_size: int | None = None,
    max_slots: int | None = None,
) -> list[Batch]:
    """Unequal structures, padded and stacked to a few shapes.

    Numbers of atoms, neighbours and periodic images are rounded up to geometric buckets (at most an eighth more). Then
    the two buckets whose union wastes least are joined, until ``max_shapes`` are left. Evaluate a batch with
    ``jax.vmap(jaxpot.energy(potential), (None, 0, 0))(params, b.system, b.neighbors)``. Take some of its structures,
    as in a random batch of a training step, with ``jax.tree.map(lambda leaf: leaf[chosen], b)``.

    Args:
        systems: single structures, each with concrete leaves [atoms, 3], [atoms], [3, 3], [3].
        of: a potential, or a cutoff in Å. For a potential without a cutoff, or a cutoff of 0, no lists are made.
        skin: Å, by which the lists are complete beyond the cutoff, for callers that move the atoms.
        max_shapes: largest number of different shapes, and so of compilations.
        batch_size: largest number of structures in one batch; None for all of a shape in one batch. All batches of a
            shape have the same size; the last one is filled with padding structures.
        max_slots: largest number of slots for neighbours in one batch, which bounds memory; a single structure may have
            more.

    Returns:
        One :class:`Batch` or more for each shape; every structure occurs once.

    Raises:
        ValueError: no structures, or a limit below 1.

    Example:
        >>> import jax, jaxpot
        >>> potential, params = jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}
        >>> chains = [jaxpot.System.create([[0.0, 0.0, 4.0 * z] for z in range(n)]) for n in (2, 3, 50, 52)]
        >>> energies = jax.vmap(jaxpot.energy(potential), (None, 0, 0))
        >>> for b in jaxpot.batch(chains, potential, max_shapes=2):
        ...     print(b.indices, b.system.positions.shape, energies(params, b.system, b.neighbors).shape)
        [0 1] (2, 3, 3) (2,)
        [2 3] (2, 52, 3) (2,)
    """
    systems = list(systems)
    if not systems:
        raise ValueError("batch needs at least one structure")
    for name, limit in (("max_shapes", max_shapes), ("batch_size", batch_size), ("max_slots", max_slots)):
        if limit is not None and limit < 1:
            raise ValueError(f"{name} must be at least 1, got {limit}")
    if (of.cutoff if isinstance(of, Potential) else of) > 0:
        allocate = neighbor_list(of, skin, capacity_multiplier=1.0).allocate
        lists: list[Neighbors] | None = [allocate(system) for system in systems]
        sizes = [sizes_used(n).rounded() for n in lists or []]
    else:
        lists = None
        sizes = [Sizes(round_up(s.positions.shape[0]), 1, 0) for s in systems]
    batches = []
    for shape, members in group(sizes, max_shapes):
        most = len(members) if batch_size is None else batch_size
        if max_slots is not None:
            most = min(most, max(max_slots // (shape.centers * shape.capacity), 1))
        number = math.ceil(len(members) / most)
        size = math.ceil(len(members) / number)
        for chosen in (members[k : k + size] for k in range(0, len(members), size)):
            batches.append(_stacked(systems, lists, chosen, shape, size))
    return batches


def group(sizes: Sequence[Sizes], max_shapes: int) -> list[tuple[Sizes, list[int]]]:
    """At most ``max_shapes`` shapes, smallest first, with the indices of their members; chosen for little padding."""
    by_size: dict[Sizes, list[int]] = {}
    for k, size in enumerate(sizes):
        by_size.setdefault(size, []).append(k)
    order = sorted(by_size)
    together = -(-len(order) // DISTINCT)
    groups = [order[k : k + together] for k in range(0, len(order), together)]
    members = [[m for size in some for m in by_size[size]] for some in groups]
    shapes = [Sizes(*np.max(some, axis=0).tolist()) for some in groups]
    while len(shapes) > max_shapes:
        waste = {
            (a, b): (len(members[a]) + len(members[b])) * _union(shapes[a], shapes[b]).cost
            - len(members[a]) * shapes[a].cost
            - len(members[b]) * shapes[b].cost
            for a in range(len(shapes))
            for b in range(a)
        }
        a, b = min(waste, key=waste.__getitem__)
        shapes[b], members[b] = _union(shapes[a], shapes[b]), members[b] + members[a]
        del shapes[a], members[a]
    return sorted((shape, sorted(some)) for shape, some in zip(shapes, members, strict=True))


def _union(a: Sizes, b: Sizes) -> Sizes:
    return Sizes(*(max(pair) for pair in zip(a, b, strict=True)))


def _stacked(
    systems: Sequence[System], lists: Sequence[Neighbors] | None, chosen: Sequence[int], shape: Sizes, size: int
) -> Batch:
    """The chosen structures in one shape; structures without atoms are added up to ``size``."""
    some = [systems[k] for k in chosen]
    fixed = None if lists is None else [resized(lists[k], shape) for k in chosen]
    for _ in range(size - len(chosen)):
        some.append(_no_structure(pad_system(some[0], shape.atoms), shape.atoms))
        if fixed is not None:
            fixed.append(_no_neighbors(fixed[0]))
    filling = [len(systems)] * (size - len(chosen))
    stack = (stacked_systems(some, shape.atoms), None if fixed is None else _stack(fixed))
    indices = np.array([*chosen, *filling], np.int32)
    return Batch(*to_device((*stack, indices, indices < len(systems))))


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _no_structure(like: System, atoms: int) -> System:
    """A structure without atoms, in a cell that has a volume."""
    return dataclasses.replace(
        jax.tree.map(np.zeros_like, like),
        species=np.full(atoms, -1, np.int32),
        cell=np.eye(3, dtype=like.cell.dtype),
        extras=blank_data(like.extras),
    )


def _no_neighbors(like: Neighbors) -> Neighbors:
    """An empty list with the shape of another."""
    identity = np.eye(3, dtype=like.completion.dtype)
    return dataclasses.replace(
        jax.tree.map(np.zeros_like, like),
        rows=np.full_like(like.rows, like.source.shape[0]),
        row_of_atom=np.arange(like.row_of_atom.shape[0], dtype=np.int32),
        narrower=tuple(np.full_like(rows, like.source.shape[0]) for rows in like.narrower),
        reference_positions=np.full_like(like.reference_positions, np.inf),
        reference_cell=identity,
        completion=identity,
    )
