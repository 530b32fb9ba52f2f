"""The time loop: many steps in one compiled call, with a complete neighbour list, and with errors reported.

Before forces are evaluated, the list is checked for the positions and cell of this evaluation. If it has to be rebuilt
and turns out to be too small, the step is not taken: the loop stops with the state before the step, the host enlarges
the list, and the loop continues as if the list had always had this size. So no step is lost, repeated or wrong.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors import Neighbors
from jaxpot.potential import Evaluation, Params, Potential, prepare
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.integrators import Integrator, integrator
from jaxpot.simulate.lists import Lists, lists_for
from jaxpot.simulate.state import MDState
from jaxpot.simulate.steps import evaluated, finite
from jaxpot.simulate.watch import MOST_LOOKS, Looks, Watch
from jaxpot.system import System

__all__ = ["Carry", "Dynamics", "Measurement", "Status", "dynamics"]

FASTEST = 0.1  # longest motion of an atom in one step, in units of the cutoff


class Status(enum.IntEnum):
    """Why the time loop stopped."""

    DONE = 0
    OVERFLOW = 1  # the list was too small for the next step
    NOT_FINITE = 2  # a force or position is not a number
    TOO_FAST = 3  # an atom would move by more than a tenth of the cutoff in one step
    WATCHED = 4  # the watch saw a value above its threshold


class Carry(NamedTuple):
    """The data of the time loop between two compiled calls.

    Attributes:
        state: the :class:`MDState`, with a list that is complete for its positions.
        moved: the state with the positions at which the next step evaluates forces, without a list. It is stored and
            not computed again, so that the result of a run does not depend, in any bit, on where calls end.
        status: int32, a :class:`Status`.
        looks: the values that the watch measured.
    """

    state: MDState
    moved: MDState
    status: jax.Array
    looks: Looks


class Measurement(NamedTuple):
    """Energies and virial of a state in float64. Atoms are summed on the host, because float32 would lose digits.

    Attributes:
        potential: eV.
        kinetic: eV.
        bath: eV, energy of thermostat and barostat; NaN for ensembles without a conserved energy.
        virial: eV, trace of the virial.
        volume: Å^3.
    """

    potential: float
    kinetic: float
    bath: float
    virial: float
    volume: float


class Dynamics(NamedTuple):
    """The compiled operations of a simulation.

    Attributes:
        start: ``(params, system, velocities, masses, key) -> Carry`` at step 0, on the host.
        advance: ``(params, carry, target) -> Carry``: steps up to ``target``, or fewer if something stops the loop; a
            list that was too small is enlarged. The watch measures at each of its steps, including ``target``, and
            ``looks`` holds its values of this call. The arrays of ``carry`` are donated.
        measure: ``(params, state) -> Measurement``.
        evaluate: ``(params, state) -> Evaluation``: energies, forces and virial.
        shapes: ``(params, system, neighbors) -> Carry`` with shapes and types only.
    """

    start: Callable[[Params, System, jax.Array, jax.Array, jax.Array], Carry]
    advance: Callable[[Params, Carry, int], Carry]
    measure: Callable[[Params, MDState], Measurement]
    evaluate: Callable[[Params, MDState], Evaluation]
    shapes: Callable[[Params, System, Neighbors | None], Carry]


def dynamics(
    potential: Potential,
    ensemble: Ensemble,
    skin: float | None = None,
    capacity_multiplier: float = 1.15,
    watch: Watch | None = None,
    steps: int | None = None,
) -> Dynamics:
    """Makes the operations of molecular dynamics with a potential in an ensemble.

    Args:
        potential: any potential.
        ensemble: what is held constant.
        skin: Å, extra radius of the neighbour list; a tenth of the cutoff if None.
        capacity_multiplier: factor by which the first list is larger than needed.
        watch: what to measure in the loop; None for nothing.
        steps: how many steps are wanted, some thousands if None; it decides from how many atoms loops are compiled.

    Returns:
        The :class:`Dynamics`.

    Raises:
        ValueError: the skin is not positive.
    """
    integrate, lists = integrator(ensemble), lists_for(potential, skin, capacity_multiplier, steps)
    loop = _Loop(potential, ensemble, integrate, lists, watch)

    def evaluate(params: Params, state: MDState) -> Evaluation:
        return evaluated(potential, params, state.system, state.neighbors)

    def init(
        system: System, velocities: jax.Array, masses: jax.Array, key: jax.Array, neighbors: Any, result: Evaluation
    ) -> Carry:
        no, zero = jnp.zeros((), bool), jnp.zeros((), jnp.int32)
        state = integrate.init(MDState(system, velocities, masses, None, key, no, result.forces, zero), result)
        looks = Looks.none_since(-1, velocities.dtype)
        return Carry(state.replace(neighbors=neighbors), integrate.move(state), zero, looks)

    compiled_evaluation = jax.jit(lambda params, system, neighbors: evaluated(potential, params, system, neighbors))
    compiled_init, compiled_loop = jax.jit(init), jax.jit(loop.advanced, donate_argnums=1)
    held = integrate.bath_energy
    compiled_bath = None if held is None else jax.jit(held)

    def start(params: Params, system: System, velocities: jax.Array, masses: jax.Array, key: jax.Array) -> Carry:
        neighbors = lists.start(system)
        result = compiled_evaluation(params, system, neighbors)
        carry = compiled_init(system, velocities, masses, key, neighbors, result)
        return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), carry)  # the loop donates its arrays

    def shapes(params: Params, system: System, neighbors: Neighbors | None) -> Carry:
        masses, key = system.positions[:, 0], jax.random.PRNGKey(0)
        result = jax.eval_shape(lambda p, s, n: evaluated(potential, p, s, n), params, system, neighbors)
        return jax.eval_shape(init, system, system.positions, masses, key, neighbors, result)

    def advance(params: Params, carry: Carry, target: int) -> Carry:
        looks = Looks.none_since(carry.looks.last, carry.looks.values.dtype)
        if watch is not None:
            target = min(target, int(carry.state.step) + (MOST_LOOKS - 1) * watch.every)
        while True:
            carry = carry._replace(status=jnp.zeros((), jnp.int32), looks=looks)
            carry = compiled_loop(params, carry, jnp.asarray(target, jnp.int32))
            if int(carry.status) != Status.OVERFLOW:
                return carry
            assert carry.state.neighbors is not None
            larger = lists.grown(carry.moved.system, carry.state.neighbors)
            carry, looks = carry._replace(state=carry.state.replace(neighbors=larger)), carry.looks

    def measure(params: Params, state: MDState) -> Measurement:
        result = compiled_evaluation(params, state.system, state.neighbors)
        masses, velocities = np.asarray(state.masses, np.float64), np.asarray(state.velocities, np.float64)
        return Measurement(
            potential=float(np.asarray(result.energies, np.float64).sum()),
            kinetic=float(0.5 * (masses[:, None] * velocities**2).sum()),
            bath=float("nan") if compiled_bath is None else float(compiled_bath(state)),
            virial=float(np.trace(np.asarray(result.virial, np.float64))),
            volume=abs(float(np.linalg.det(np.asarray(state.system.cell, np.float64)))),
        )

    return Dynamics(start, advance, measure, jax.jit(evaluate), shapes)


class _Inner(NamedTuple):
    """The data of the inner loop, in which the list does not change."""

    state: MDState  # without its list
    moved: MDState
    leaving: jax.Array  # whether the list is incomplete for ``moved``


class _Loop(NamedTuple):
    """The loop over time steps; everything in it is static."""

    potential: Potential
    ensemble: Ensemble
    integrate: Integrator
    lists: Lists
    watch: Watch | None

    def advanced(self, params: Params, carry: Carry, target: jax.Array) -> Carry:
        """Runs to ``target``, or until the list overflows, a number is not finite, or the watch ends the loop."""

        ready = prepare(self.potential, params, carry.state.velocities.dtype)

        def running(carry: Carry) -> jax.Array:
            more = carry.state.step < target
            if self.watch is not None:
                more |= carry.looks.due(self.watch, carry.state.step)
            return more & (carry.status == Status.DONE)

        def body(carry: Carry) -> Carry:
            if self.watch is not None:
                carry = self._looked(params, carry)
            return self._walked(ready, self._listed(carry, target), target)

        return jax.lax.while_loop(running, body, carry)

    def _looked(self, params: Params, carry: Carry) -> Carry:
        """Lets the watch measure, if one of its steps is reached."""
        watch, state, looks = self.watch, carry.state, carry.looks
        assert watch is not None

        def look(looks: Looks) -> tuple[Looks, jax.Array]:
            value = jnp.asarray(watch.measure(params, state.system, state.neighbors))
            return looks.with_one(state.step, value), ~(value <= watch.threshold)  # NaN is above any threshold

        looks, above = jax.lax.cond(
            looks.due(watch, state.step), look, lambda looks: (looks, jnp.zeros((), bool)), looks
        )
        return carry._replace(looks=looks, status=jnp.where(above, Status.WATCHED, carry.status).astype(jnp.int32))

    def _listed(self, carry: Carry, target: jax.Array) -> Carry:
        """Makes sure that the list is complete for the next step; otherwise sets the status."""
        state, moved, lists = carry.state, carry.moved, self.lists
        going = (carry.status == Status.DONE) & (state.step < target)
        number = finite(moved.system)
        neighbors, overflow, fast = state.neighbors, jnp.zeros((), bool), jnp.zeros((), bool)
        if neighbors is not None:
            needed = going & number & lists.outdated(moved.system, neighbors)
            neighbors = jax.lax.cond(needed, lists.rebuilt, lambda _, n: n, moved.system, neighbors)
            overflow = needed & neighbors.overflow
            longest = jnp.max(jnp.sum(moved.velocities**2, axis=1)) * self.ensemble.step**2
            fast = needed & (longest > (FASTEST * self.potential.cutoff) ** 2)
        found = jnp.where(overflow, Status.OVERFLOW, jnp.where(fast, Status.TOO_FAST, Status.DONE))
        found = jnp.where(number, found, Status.NOT_FINITE)
        status = jnp.where(going, found, carry.status).astype(jnp.int32)
        return carry._replace(state=state.replace(neighbors=neighbors), status=status)

    def _walked(self, params: Params, carry: Carry, target: jax.Array) -> Carry:
        """Runs until the list is incomplete, or the target or the next step of the watch is reached."""
        neighbors = carry.state.neighbors
        if self.watch is not None:
            target = jnp.minimum(target, (carry.state.step // self.watch.every + 1) * self.watch.every)

        def walking(inner: _Inner) -> jax.Array:
            return (inner.state.step < target) & ~inner.leaving

        def walk(inner: _Inner) -> _Inner:
            result = evaluated(self.potential, params, inner.moved.system, neighbors, self.ensemble.name == "npt")
            state = self.integrate.settle(inner.state, inner.moved, result)
            moved = self.integrate.move(state)
            # positions that are not finite also end the loop
            leaving = ~finite(moved.system) if neighbors is None else self.lists.outdated(moved.system, neighbors)
            return _Inner(state, moved, leaving)

        start = _Inner(carry.state.replace(neighbors=None), carry.moved, carry.status != Status.DONE)
        end = jax.lax.while_loop(walking, walk, start)
        return carry._replace(state=end.state.replace(neighbors=neighbors), moved=end.moved)
