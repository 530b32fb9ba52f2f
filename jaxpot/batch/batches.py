"""Unequal structures grouped and stacked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpot.batch.checks import several_structures
from jaxpot.batch.padding import Sizes, pad_system, resized, round_up, sizes_used, stacked_systems, to_device
from jaxpot.batch.shapes import group
from jaxpot.extras import blank_data
from jaxpot.neighbors import Neighbors, neighbor_list
from jaxpot.potential import Potential
from jaxpot.system import System

__all__ = ["Batch", "batch", "batches"]


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
    evaluations: float = 1,
) -> list[Batch]:
    """Unequal structures, padded and stacked to a few shapes.

    Numbers of atoms, neighbours and periodic images are rounded up to geometric buckets (at most an eighth more). Then
    the two buckets whose union wastes least are joined, again and again: more than one shape is left only where it
    saves more padding than it takes to compile a program. Evaluate a batch with
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
        evaluations: how often each structure will be evaluated; the more often, the more shapes pay.

    Returns:
        One :class:`Batch` or more for each shape; every structure occurs once.

    Raises:
        ValueError: no structures, or a limit below 1.

    Example:
        >>> import jax, jaxpot
        >>> potential, params = jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}
        >>> chains = [jaxpot.System.create([[0.0, 0.0, 4.0 * z] for z in range(n)]) for n in (2, 3, 50, 52)]
        >>> energies = jax.vmap(jaxpot.energy(potential), (None, 0, 0))
        >>> for b in jaxpot.batch(chains, potential, evaluations=10_000):
        ...     print(b.indices, b.system.positions.shape, energies(params, b.system, b.neighbors).shape)
        [0 1] (2, 3, 3) (2,)
        [2 3] (2, 52, 3) (2,)
    """
    systems = several_structures("batch", systems)
    if not systems:
        raise ValueError("batch needs at least one structure")
    for name, limit in (("max_shapes", max_shapes), ("batch_size", batch_size), ("max_slots", max_slots)):
        if limit is not None and limit < 1:
            raise ValueError(f"{name} must be at least 1, got {limit}")
    return batches(
        systems, of, skin, max_shapes, batch_size, max_slots, evaluations, lambda shape, number: (shape, number)
    )


def batches(
    systems: Sequence[System],
    of: float | Potential,
    skin: float,
    max_shapes: int,
    batch_size: int | None,
    max_slots: int | None,
    evaluations: float,
    enlarged: Callable[[Sizes, int], tuple[Sizes, int]],
) -> list[Batch]:
    """:func:`batch`, with ``(shape, number) -> (shape, number)`` for shapes and numbers of structures to pad to."""
    if (of.cutoff if isinstance(of, Potential) else of) > 0:
        allocate = neighbor_list(of, skin, capacity_multiplier=1.0).allocate
        lists: list[Neighbors] | None = [allocate(system) for system in systems]
        sizes = [sizes_used(n).rounded() for n in lists or []]
    else:
        lists = None
        sizes = [Sizes(round_up(s.positions.shape[0]), 1, 0) for s in systems]
    made = []
    for shape, members in group(sizes, max_shapes, evaluations):
        most = len(members) if batch_size is None else batch_size
        if max_slots is not None:
            most = min(most, max(max_slots // (shape.centers * shape.capacity), 1))
        size = math.ceil(len(members) / math.ceil(len(members) / most))
        room, number = enlarged(shape, size)
        for chosen in (members[k : k + size] for k in range(0, len(members), size)):
            made.append(_stacked(systems, lists, chosen, room, number))
    return made


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
