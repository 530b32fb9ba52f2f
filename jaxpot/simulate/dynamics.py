"""The time loop: many steps in one compiled call, the neighbour list kept complete, trouble reported instead of
computed.

Every force evaluation uses a list that is complete for the positions it sees. Before a step, the list is checked for
the positions that the step is about to reach, and rebuilt there if need be; after the step it is checked again for
those that it did reach. A step whose list turns out too small is not taken: the loop stops with the state before it,
the host enlarges the list, and the loop goes on as if the list had always been that large. So no step is lost,
repeated or wrong.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors import Neighbors
from jaxpot.potential import Evaluation, Params, Potential
from jaxpot.simulate.energy_function import strained_energy
from jaxpot.simulate.ensembles import Ensemble, Integrator, State, integrator
from jaxpot.simulate.lists import Lists, lists_for
from jaxpot.system import System

__all__ = ["Carry", "Dynamics", "Measurement", "Status", "dynamics"]


class Status(enum.IntEnum):
    """Why the time loop stopped."""

    DONE = 0
    OVERFLOW = 1  # the list was too small for the next step
    NOT_FINITE = 2  # a force or position is not a number
    TOO_FAST = 3  # an atom moves by more than half the skin in one step


class Carry(NamedTuple):
    """Everything that the next step depends on.

    Attributes:
        state: jax-md's state.
        neighbors: the :class:`jaxpot.Neighbors`, complete for the state's positions; None for a potential without a
            cutoff.
        step: int32, steps taken so far.
        status: int32, a :class:`Status`.
    """

    state: State
    neighbors: Any
    step: jax.Array
    status: jax.Array


class Measurement(NamedTuple):
    """What is recorded of a state, in float64: per-atom numbers are summed on the host, for float32 would lose digits.

    Attributes:
        potential: eV.
        kinetic: eV.
        bath: eV, held by thermostat and barostat; NaN where nothing is conserved.
        virial: eV, trace of the virial.
        volume: Å^3.
    """

    potential: float
    kinetic: float
    bath: float
    virial: float
    volume: float


class Model(NamedTuple):
    """What stays the same throughout: parameters, masses and the initial system."""

    params: Params
    masses: jax.Array
    system: System


class Dynamics(NamedTuple):
    """The compiled operations of a simulation.

    Attributes:
        start: ``(model, momenta, key) -> Carry``, on the host.
        advance: ``(model, carry, target) -> Carry``: steps up to ``target``, fewer if something stops it; the list
            that had to grow has grown.
        measure: ``(model, carry) -> Measurement``.
        evaluate: ``(model, carry) -> Evaluation``: energies, forces and virial.
        system: ``(model, carry) -> System`` as it is now.
        ahead: ``(model, carry) -> System`` where the next step will evaluate forces.
        shapes: ``(model, neighbors) -> Carry`` of shapes and types only.
    """

    start: Callable[[Model, jax.Array, jax.Array], Carry]
    advance: Callable[[Model, Carry, int], Carry]
    measure: Callable[[Model, Carry], Measurement]
    evaluate: Callable[[Model, Carry], Evaluation]
    system: Callable[[Model, Carry], System]
    ahead: Callable[[Model, Carry], System]
    shapes: Callable[[Model, Neighbors | None], Carry]


def dynamics(
    potential: Potential, ensemble: Ensemble, skin: float | None = None, capacity_multiplier: float = 1.15
) -> Dynamics:
    """The operations of molecular dynamics with a potential in an ensemble.

    Args:
        potential: any potential.
        ensemble: what is held constant.
        skin: Å, extra radius of the neighbour list; a tenth of the cutoff if None.
        capacity_multiplier: room in the first neighbour list.

    Returns:
        The :class:`Dynamics`.

    Raises:
        ValueError: the skin is not positive.
    """
    lists = lists_for(potential, skin, ensemble.name != "npt", capacity_multiplier)
    energy = strained_energy(potential)

    def bound(model: Model) -> Integrator:
        def force(positions: jax.Array, neighbors: Any) -> jax.Array:
            return potential.evaluate(model.params, model.system.replace(positions=positions), neighbors).forces

        def strained(positions: jax.Array, cell: jax.Array, strain: jax.Array, neighbors: Any) -> jax.Array:
            return energy(model.params, model.system.replace(positions=positions, cell=cell), strain, neighbors)

        return integrator(ensemble, force, strained, model.system.cell)

    def system_of(model: Model, state: State) -> System:
        return model.system.replace(positions=state.position, cell=bound(model).cell(state))

    def ahead(model: Model, state: State) -> System:
        positions, cell = bound(model).predict(state)
        return model.system.replace(positions=positions, cell=cell)

    def evaluated(model: Model, system: System, neighbors: Any) -> Evaluation:
        return potential.evaluate(model.params, system, neighbors)

    compiled_evaluation = jax.jit(evaluated)

    def init(model: Model, momenta: jax.Array, key: jax.Array, neighbors: Any, forces: jax.Array) -> Carry:
        # jax-md wants to compute the first forces itself; let it differentiate something that has them
        s = model.system
        known = integrator(ensemble, lambda *_: forces, lambda positions, *_: -jnp.sum(forces * positions), s.cell)
        state = known.init(key, s.positions, s.cell, momenta, model.masses, neighbors)
        # a leaf of weak type would change its type in the first step, and the loop would be compiled twice
        state = jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, jnp.asarray(leaf).dtype), state)
        return Carry(state, neighbors, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))

    compiled_init = jax.jit(init)

    def start(model: Model, momenta: jax.Array, key: jax.Array) -> Carry:
        neighbors = lists.start(model.system)
        forces = compiled_evaluation(model, model.system, neighbors).forces
        return compiled_init(model, momenta, key, neighbors, forces)

    def shapes(model: Model, neighbors: Neighbors | None) -> Carry:
        positions = model.system.positions
        return jax.eval_shape(init, model, positions, jax.random.PRNGKey(0), neighbors, positions)

    def many_steps(model: Model, carry: Carry, target: jax.Array) -> Carry:
        return _many_steps(bound(model), lists, lambda s: system_of(model, s), lambda s: ahead(model, s), carry, target)

    compiled = jax.jit(many_steps, donate_argnums=1)
    compiled_ahead = jax.jit(ahead)

    def advance(model: Model, carry: Carry, target: int) -> Carry:
        while True:
            carry = compiled(model, carry, jnp.asarray(target, jnp.int32))
            if int(carry.status) != Status.OVERFLOW:
                return carry
            assert carry.neighbors is not None
            larger = lists.grown(compiled_ahead(model, carry.state), carry.neighbors)
            carry = carry._replace(neighbors=larger, status=jnp.zeros((), jnp.int32))

    def bath(model: Model, state: State) -> jax.Array:
        held = bound(model).bath
        return jnp.asarray(jnp.nan, model.masses.dtype) if held is None else held(state)

    compiled_system, compiled_bath = jax.jit(system_of), jax.jit(bath)

    def now(model: Model, carry: Carry) -> System:
        return compiled_system(model, carry.state)

    def evaluate(model: Model, carry: Carry) -> Evaluation:
        return compiled_evaluation(model, now(model, carry), carry.neighbors)

    def measure(model: Model, carry: Carry) -> Measurement:
        result, masses = evaluate(model, carry), np.asarray(model.masses, np.float64)
        squared = np.square(np.asarray(carry.state.momentum, np.float64)).sum(axis=1)
        return Measurement(
            potential=float(np.asarray(result.energies, np.float64).sum()),
            kinetic=float((0.5 * squared / masses).sum()),
            bath=float(compiled_bath(model, carry.state)),
            virial=float(np.trace(np.asarray(result.virial, np.float64))),
            volume=abs(float(np.linalg.det(np.asarray(now(model, carry).cell, np.float64)))),
        )

    return Dynamics(
        start=start,
        advance=advance,
        measure=measure,
        evaluate=evaluate,
        system=now,
        ahead=lambda model, carry: compiled_ahead(model, carry.state),
        shapes=shapes,
    )


class _Loop(NamedTuple):
    """Carry of the inner loop, within which the list stays as it is."""

    state: State
    step: jax.Array
    rejected: jax.Array
    leaving: jax.Array


def _many_steps(
    integrate: Integrator,
    lists: Lists,
    here: Callable[[State], System],
    ahead: Callable[[State], System],
    carry: Carry,
    target: jax.Array,
) -> Carry:
    """Steps until ``target``, or until the list overflows or a number is not finite; jittable."""

    def running(outer: tuple[Carry, jax.Array]) -> jax.Array:
        return (outer[0].step < target) & (outer[0].status == Status.DONE)

    def body(outer: tuple[Carry, jax.Array]) -> tuple[Carry, jax.Array]:
        carry, rejected = outer
        finite = _finite(ahead(carry.state), carry.state.force)
        neighbors, overflow, lost = carry.neighbors, jnp.zeros((), bool), jnp.zeros((), bool)
        if neighbors is not None:
            needed = finite & (rejected | lists.outdated(ahead(carry.state), neighbors))
            neighbors = jax.lax.cond(needed, lambda n: lists.rebuilt(ahead(carry.state), n), lambda n: n, neighbors)
            overflow = needed & neighbors.overflow
            lost = needed & lists.outdated(here(carry.state), neighbors)
        # a step that was rejected with a list made for it will be rejected again
        status = jnp.where(
            finite,
            jnp.where(overflow, Status.OVERFLOW, jnp.where(lost, Status.TOO_FAST, Status.DONE)),
            Status.NOT_FINITE,
        ).astype(jnp.int32)
        first = carry.step

        def walking(loop: _Loop) -> jax.Array:
            return (loop.step < target) & ~loop.rejected & ~loop.leaving & (status == Status.DONE)

        def walk(loop: _Loop) -> _Loop:
            new = jax.tree.map(
                lambda old, fresh: fresh.astype(old.dtype), loop.state, integrate.step(loop.state, neighbors)
            )
            # a position that is not a number is taken, and found in the next round
            rejected = lists.outdated(here(new), neighbors) & _finite(here(new))
            state = jax.tree.map(lambda old, fresh: jnp.where(rejected, old, fresh), loop.state, new)
            leaving = lists.outdated(ahead(state), neighbors) | ~_finite(ahead(state))
            return _Loop(state, loop.step + jnp.where(rejected, 0, 1).astype(jnp.int32), rejected, leaving)

        no = jnp.zeros((), bool)
        loop = jax.lax.while_loop(walking, walk, _Loop(carry.state, carry.step, no, no))
        status = jnp.where(loop.rejected & rejected & (loop.step == first), jnp.int32(Status.TOO_FAST), status)
        return Carry(loop.state, neighbors, loop.step, status), loop.rejected

    carry, _ = jax.lax.while_loop(running, body, (carry, jnp.zeros((), bool)))
    return carry


def _finite(system: System, *more: jax.Array) -> jax.Array:
    """Whether positions, cell and all of ``more`` are finite."""
    return jnp.stack([jnp.isfinite(x).all() for x in (system.positions, system.cell, *more)]).all()
