"""Unequal structures grouped to a few shapes, with neighbour lists of one plan for each, for relaxation."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from jaxpot.batch.padding import Sizes, round_up, sizes_used, stacked_systems
from jaxpot.batch.shapes import group
from jaxpot.neighbors import NeighborList, Neighbors, blank, neighbor_list
from jaxpot.neighbors.allocation import NATIVE_FROM_IN_RUNS
from jaxpot.neighbors.plan import Plan
from jaxpot.potential import Potential
from jaxpot.simulate.relaxation_queue import Group
from jaxpot.system import System

__all__ = ["groups_of", "stacked", "width_for"]

ALONE = 1000  # atoms; larger structures are relaxed alone, with the neighbour list of a long run
CACHED_SLOTS = 1 << 18  # neighbour slots of a batch whose arrays stay in a processor's cache
ACCELERATOR_SLOTS = 1 << 24
MOST_WIDTH = 64
ACCELERATOR_WIDTH = 1024
ROOM = 1.25  # by which the lists' sizes exceed what the first structures need
MOST_SLOTS = 1 << 28  # of one structure; a list that needs more is that of a structure that has collapsed


def width_for(slots: int) -> int:
    """The number of structures that are relaxed at a time.

    Args:
        slots: slots of one structure's neighbour list, or its atoms where there is none.

    Returns:
        Their number.
    """
    if jax.default_backend() == "cpu":
        return max(1, min(MOST_WIDTH, CACHED_SLOTS // slots))
    return max(1, min(ACCELERATOR_WIDTH, ACCELERATOR_SLOTS // slots))


def groups_of(
    potential: Potential, systems: Sequence[System], movable: Sequence[np.ndarray], skin: float | None, max_shapes: int
) -> Iterator[tuple[list[int], int, Group]]:
    """Groups of structures of one shape each.

    Args:
        potential: the potential, which needs the neighbours.
        systems: with numpy leaves.
        movable: [atoms] bool of each.
        skin: Å; a tenth of the cutoff if None.
        max_shapes: the most shapes of the structures that are not relaxed alone.

    Yields:
        The places of the members in ``systems``, how many to relax at a time, and the group.
    """
    alone = [k for k, system in enumerate(systems) if len(system.species) > ALONE]
    few = [k for k, system in enumerate(systems) if len(system.species) <= ALONE]
    if potential.cutoff == 0:
        sizes = [Sizes(round_up(len(systems[k].species)), 1, 0) for k in few]
        shapes = [(shape.atoms, [few[m] for m in members]) for shape, members in group(sizes, max_shapes)]
        for atoms, members in [*shapes, *((len(systems[k].species), [k]) for k in alone)]:
            whole = stacked([systems[k] for k in members], [movable[k] for k in members], atoms)
            yield members, width_for(atoms), whole
        return
    small = neighbor_list(potential, skin, ROOM, native_from=ALONE)
    found = {k: small.allocate(systems[k]) for k in few}
    for shape, members in group([sizes_used(found[k]).rounded() for k in few], max_shapes):
        chosen = [few[m] for m in members]
        atoms = shape.atoms if len(chosen) > 1 else len(systems[chosen[0]].species)
        plan = functools.reduce(_union, [_any_cell(found[k].plan, atoms) for k in chosen])
        completions = np.stack([np.asarray(found[k].completion) for k in chosen])
        whole = stacked([systems[k] for k in chosen], [movable[k] for k in chosen], atoms)
        empty = blank(plan, whole.systems.positions.dtype)
        yield (
            chosen,
            width_for(plan.atoms * plan.capacity),
            whole._replace(completions=completions, empty=empty, grow=functools.partial(_grown, small)),
        )
    large = neighbor_list(potential, skin, ROOM, NATIVE_FROM_IN_RUNS)
    for k in alone:
        first = large.allocate(systems[k])
        whole = stacked([systems[k]], [movable[k]], len(systems[k].species))
        yield (
            [k],
            1,
            whole._replace(
                completions=np.asarray(first.completion)[None],
                empty=blank(first.plan, whole.systems.positions.dtype),
                grow=functools.partial(_grown, large),
            ),
        )


def stacked(systems: Sequence[System], movable: Sequence[np.ndarray], atoms: int) -> Group:
    """Structures in one shape, without neighbour lists.

    Args:
        systems: with numpy leaves.
        movable: [atoms] bool of each.
        atoms: number of atoms to pad to.

    Returns:
        The :class:`Group`.
    """
    held = np.stack([np.pad(m, (0, atoms - len(m))) for m in movable])
    dtype = systems[0].positions.dtype
    return Group(
        stacked_systems(systems, atoms), held, np.zeros((len(systems), 3, 3), dtype), None, lambda empty, systems: None
    )


def _grown(lists: NeighborList, empty: Neighbors, systems: Sequence[System]) -> Neighbors | None:
    """A blank list with room for structures that overflowed the old one; None where they have collapsed."""
    plan, dtype = empty.plan, empty.completion.dtype
    try:
        needed = [lists.allocate(jax.tree.map(np.asarray, system)).plan for system in systems]
    except ValueError:  # a cell torn apart
        return None
    larger = needed[0] if plan.native else functools.reduce(_union, map(_any_cell, needed), plan)
    if larger == plan:  # found enough here, yet the loop overflowed: rounding
        larger = plan.enlarged()
    return blank(larger, dtype) if max(larger.centers * larger.capacity, larger.rows) < MOST_SLOTS else None


def _any_cell(plan: Plan, atoms: int | None = None) -> Plan:
    """A plan that other structures share: compares all rows with all, depends on no order of the atoms, and is of sizes
    so round that the next structures of the kind find the compiled program again."""
    atoms = plan.atoms if atoms is None else atoms
    first, second, third = (atoms + round_up(rows - plan.centers) for rows in plan.stage_rows)
    a, b, c = map(round_up, plan.waves)
    ranges = tuple(
        one._replace(capacity=round_up(one.capacity), inside=min(round_up(one.inside), round_up(one.capacity)))
        for one in plan.ranges
    )
    return plan.with_ranges(ranges)._replace(
        atoms=atoms,
        centers=atoms,
        rows=third,
        stage_rows=(first, second, third),
        bins=(1, 1, 1),
        bin_capacity=third,
        sort=False,
        native=False,
        waves=(a, b, c),
    )


def _union(a: Plan, b: Plan) -> Plan:
    """A plan with room for whatever fits one of two plans for the same number of atoms."""
    most = functools.partial(jax.tree.map, max)
    first, second, third = most(a.stage_rows, b.stage_rows)
    ranges = tuple(
        one._replace(capacity=max(one.capacity, other.capacity), inside=max(one.inside, other.inside))
        for one, other in zip(a.ranges, b.ranges, strict=True)
    )
    return a.with_ranges(ranges)._replace(
        images=most(a.images, b.images),
        waves=most(a.waves, b.waves),
        rows=third,
        stage_rows=(first, second, third),
        bin_capacity=third,
    )
