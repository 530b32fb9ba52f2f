"""Structures of one shape relaxed many at a time: a queue that feeds a compiled batch of fixed width."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.batch.progress import Tick, silent
from jaxpot.evaluation import Params
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.simulate.cells import CellMode
from jaxpot.simulate.lbfgs import Minimization, advance, shortened
from jaxpot.simulate.relaxation_batch import Aim, RelaxationBatch, Slots, Static, Stiffness, begun, merged
from jaxpot.spec import once_for_each
from jaxpot.system import System

__all__ = ["Ended", "Group", "Grow", "relax_group"]

CHUNK = 25  # evaluations between two checks for convergence, with the same stiffness matrix
LEAST = 2  # the making of neighbour lists counts as one

# (list without room, structures whose lists overflowed with its plan) -> one with room for them; None if none has
Grow = Callable[[Neighbors, Sequence[System]], Neighbors | None]


class Group(NamedTuple):
    """Structures of one shape, numpy leaves with a leading axis [structures].

    Attributes:
        systems: where they start.
        movable: [structures, atoms] bool, False for atoms that stay where they are.
        completions: [structures, 3, 3] of their neighbour lists.
        empty: a list without entries, with the plan for all of them; None for a potential without a cutoff.
        grow: gives a list with more room.
    """

    systems: System
    movable: np.ndarray
    completions: np.ndarray
    empty: Neighbors | None
    grow: Grow


class Ended(NamedTuple):
    """Relaxed structures, as numpy arrays.

    Attributes:
        positions: [structures, atoms, 3] Å.
        cells: [structures, 3, 3] Å.
        energies: [structures, atoms] eV.
        forces: [structures, atoms, 3] eV/Å, as the potential gives them.
        virials: [structures, 3, 3] eV.
        converged: [structures] bool.
        steps: [structures] int, evaluations; 0 for structures that were not begun, whose energies are NaN.
    """

    positions: np.ndarray
    cells: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    virials: np.ndarray
    converged: np.ndarray
    steps: np.ndarray


def relax_group(
    potential: Potential,
    params: Params,
    group: Group,
    *,
    aim: Aim,
    cell: CellMode,
    width: int,
    stiffness: Stiffness | None = None,
    tick: Tick = silent,
    limit: float = math.inf,
) -> Ended:
    """Relax structures of one shape: a queue that feeds a batch of fixed width.

    Args:
        potential: any potential.
        params: its parameters, prepared or not.
        group: the structures.
        aim: tolerances and limits.
        cell: what of the cell relaxes.
        width: structures at a time.
        stiffness: gives about the second derivatives of the energy of a structure, which preconditions its relaxation.
        tick: called with the number of structures that have ended, after every 25 evaluations or so.
        limit: value of ``time.perf_counter`` at which to stop; a compilation is not interrupted.

    Returns:
        Where they have come to rest, or where they were when the time was over.
    """
    count, atoms = group.movable.shape
    dtype = group.systems.positions.dtype
    run, trials = _programs(potential)
    static, empty = Static(cell, stiffness), group.empty
    force, stress, pressure = (np.asarray(value, dtype) for value in aim[:3])
    aim = Aim(force, stress, pressure, np.asarray(aim.steps, np.int32))
    everything = Slots(group.systems, group.movable, group.completions)

    def room(*shape: int) -> np.ndarray:
        return np.full((count, *shape), np.nan, dtype)

    result = Ended(
        np.array(group.systems.positions),
        np.array(group.systems.cell),
        room(atoms),
        room(atoms, 3),
        room(3, 3),
        np.zeros(count, bool),
        np.zeros(count, int),
    )
    members, waiting = np.full(width, -1), iter(range(count))
    state: Minimization | None = None
    clock = _Clock(limit)
    while not clock.over():
        free = np.flatnonzero(members < 0)
        fresh = dict(zip(free.tolist(), waiting, strict=False))
        members[list(fresh)] = list(fresh.values())
        idle = members < 0
        if idle.all():
            return result
        # a slot without work shows a structure that has some; it is not worked on
        shown = np.where(idle, members.max(), members)
        slots = jax.tree.map(lambda leaf, shown=shown: leaf[shown], everything)
        new = idle | np.isin(np.arange(width), list(fresh))
        if state is None:
            shapes_of = jax.eval_shape(functools.partial(begun, cell=cell), slots)
            state = jax.device_put(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes_of))
            new = np.ones(width, bool)
        with clock:
            state, seen, ended, overflow = run(
                params, slots, state, empty, aim, new, idle, np.asarray(clock.chunk(), np.int32), static=static
            )
            crowded = np.flatnonzero(np.asarray(overflow))
        if crowded.size and empty is not None:
            where = jax.device_get(trials(slots, state, static=static))
            larger = group.grow(empty, [jax.tree.map(lambda leaf, k=k: leaf[k], where) for k in crowded])
            if larger is None:  # it has collapsed
                state = shortened(state, overflow)
            else:
                empty = larger
        ended = np.asarray(ended)
        if clock.over():
            ended = (members >= 0) & (np.asarray(state.steps) > 0)
        if ended.any():
            for whole, part in zip(result, seen, strict=True):
                whole[members[ended]] = np.asarray(part)[ended]
            members[ended] = -1
        going = members >= 0
        most = int(np.asarray(state.steps)[going].max()) if going.any() else 0
        tick(int(ended.sum()), f"up to {most} evaluations of those at work" if most else "")
    return result


class _Clock:
    """Chooses how many evaluations still fit into the time."""

    def __init__(self, limit: float) -> None:
        self.limit, self.done, self.each = limit, 0, math.inf

    def over(self) -> bool:
        return time.perf_counter() >= self.limit

    def chunk(self) -> int:
        """Evaluations until the next look at the clock; few at first, as nobody knows how long they take."""
        if self.limit == math.inf:
            return CHUNK
        room = (self.limit - time.perf_counter()) / self.each if self.done else LEAST
        self.done = int(min(max(room, LEAST), CHUNK))
        return self.done

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        if self.done:
            self.each = max((time.perf_counter() - self.began) / self.done, 1e-9)


@once_for_each
def _programs(potential: Potential) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Some steps for all structures of a batch; and the structures that are tried next. Both compiled."""

    @functools.partial(jax.jit, static_argnames="static", donate_argnames="state")
    def run(
        params: Params,
        slots: Slots,
        state: Minimization,
        empty: Neighbors | None,
        aim: Aim,
        new: jax.Array,
        idle: jax.Array,
        chunk: jax.Array,
        *,
        static: Static,
    ) -> tuple[Minimization, Any, jax.Array, jax.Array]:
        batch = RelaxationBatch(potential, params, slots, aim, static)
        state = merged(begun(slots, static.cell)._replace(stuck=idle), state, new)
        inverse = batch.inverse_stiffness(state.coordinates)
        nowhere = jnp.zeros_like(state.converged)

        def unfinished(carry: tuple[jax.Array, Minimization, jax.Array]) -> jax.Array:
            count, state, overflow = carry
            going = state.going(aim.steps)
            return (count < chunk) & jnp.any(going) & ~jnp.any(going & overflow)

        def with_new_lists(
            carry: tuple[jax.Array, Minimization, jax.Array],
        ) -> tuple[jax.Array, Minimization, jax.Array]:
            count, state, _ = carry
            neighbors = batch.lists(state.trial, empty)

            def worthwhile(carry: tuple[jax.Array, Minimization, jax.Array]) -> jax.Array:
                count, state, ready = carry
                going = state.going(aim.steps)
                # lists are built for all structures at once: until half of them wait for a new one the others go on
                return (count < chunk) & jnp.any(going & ready) & (2 * jnp.sum(going & ~ready) <= jnp.sum(going))

            def step(carry: tuple[jax.Array, Minimization, jax.Array]) -> tuple[jax.Array, Minimization, jax.Array]:
                count, state, ready = carry
                active = state.going(aim.steps) & ready
                state = advance(lambda x: batch.found(x, neighbors), state, inverse, active)
                return count + 1, state, batch.ready(state.trial, neighbors)

            ready = batch.ready(state.trial, neighbors)
            overflow = nowhere if neighbors is None else neighbors.overflow
            # a trial without any list, of a cell torn apart, say, is as good as one of infinite energy
            state = shortened(state, state.going(aim.steps) & ~ready & ~overflow)
            count, state, _ = jax.lax.while_loop(worthwhile, step, (count + 1, state, ready))
            return count, state, overflow

        count = jnp.zeros((), jnp.int32)
        _, state, overflow = jax.lax.while_loop(unfinished, with_new_lists, (count, state, nowhere))
        rest = batch.systems(state.coordinates)
        forces, virials = state.best.beside
        energies = state.best.energies[:, : forces.shape[1]]
        seen = rest.positions, rest.cell, energies, forces, virials, state.converged, state.steps
        going = state.going(aim.steps)
        return state, seen, ~going & ~idle, going & overflow

    @functools.partial(jax.jit, static_argnames="static")
    def trials(slots: Slots, state: Minimization, *, static: Static) -> System:
        return RelaxationBatch(potential, None, slots, Aim(0, 0, 0, 0), static).systems(state.trial)

    return run, trials
