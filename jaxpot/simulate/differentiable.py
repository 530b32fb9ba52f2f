"""Trajectories as pure functions: gradients of anything along them with respect to parameters and initial state."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.neighbors import NeighborList, Neighbors, neighbor_list
from jaxpot.potential import Params, Potential
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.lists import Lists, lists_for
from jaxpot.system import System
from jaxpot.units import FEMTOSECOND

__all__ = ["MDState", "initial_state", "trajectory"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class MDState:
    """A point of a trajectory.

    Attributes:
        system: positions, species and cell.
        velocities: [atoms, 3], Å per unit of time (:data:`jaxpot.units.TIME`).
        masses: [atoms], amu.
        neighbors: the list; None for a potential without a cutoff.
        key: [2] uint32, a JAX random key; of meaning for Langevin dynamics.
        overflow: [] bool, True where the list was too small at some step: everything computed since is wrong.
    """

    system: System
    velocities: jax.Array
    masses: jax.Array
    neighbors: Neighbors | None
    key: jax.Array
    overflow: jax.Array


def initial_state(
    potential: Potential,
    system: System,
    velocities: Any,
    masses: Any,
    *,
    skin: float | None = None,
    capacity_multiplier: float = 1.25,
    seed: int = 0,
) -> MDState:
    """The state from which a trajectory starts, with a neighbour list allocated on the host.

    Args:
        potential: its cutoff is taken.
        system: atoms and cell.
        velocities: [atoms, 3], Å per unit of time.
        masses: [atoms], amu.
        skin: Å; a tenth of the cutoff if None.
        capacity_multiplier: room in the list for what happens on the way.
        seed: of the noise of Langevin dynamics.

    Returns:
        The :class:`MDState`.

    Raises:
        ValueError: the skin is not positive.
    """
    dtype = system.positions.dtype
    neighbors = lists_for(potential, skin, True, capacity_multiplier).start(system)
    return MDState(
        system=system,
        velocities=jnp.asarray(velocities, dtype),
        masses=jnp.asarray(masses, dtype),
        neighbors=neighbors,
        key=jax.random.PRNGKey(seed),
        overflow=jnp.zeros((), bool),
    )


def trajectory(
    potential: Potential,
    ensemble: Ensemble,
    steps: int,
    *,
    observe: Callable[[Params, MDState], Any] | None = None,
    checkpoint: bool = True,
) -> Callable[[Params, MDState], tuple[MDState, Any]]:
    """A run of a fixed number of steps as a differentiable function.

    NVE is velocity Verlet: v += dt F / 2m, x += dt v, then v += dt F / 2m with the new forces. Langevin dynamics puts
    v <- c v + sqrt((1 - c^2) kT / m) xi, c = exp(-dt / thermostat_time), between two half drifts (BAOAB). The list is
    rebuilt inside where it has to be; which pairs it holds has no derivative, as no energy depends on it.

    With ``checkpoint``, the reverse pass keeps about sqrt(steps) states and computes the others again, so that its
    memory grows as sqrt(steps); without, it keeps every intermediate of every step.

    Args:
        potential: any potential.
        ensemble: "nve" or "langevin"; its time step is that of the trajectory.
        steps: number of steps, fixed when the function is made.
        observe: ``(params, state) -> pytree``, evaluated after every step; None observes nothing.
        checkpoint: trade one more forward pass for memory.

    Returns:
        ``(params, state) -> (state, observations)``; observations have a leading axis [steps], and are None without
        ``observe``. Check ``state.overflow`` of the result.

    Raises:
        ValueError: another ensemble, or a number of steps below 1.

    Example:
        >>> import jax, jax.numpy as jnp, jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5)
        >>> params = {"epsilon": 0.0104, "sigma": 3.4}
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
        >>> state = initial_state(potential, system, jnp.zeros((2, 3)), jnp.full(2, 40.0))
        >>> run = trajectory(potential, Ensemble("nve", timestep=2.0), steps=20)
        >>> def end(params):
        ...     return run(params, state)[0].system.positions[1, 2]
        >>> gradient = jax.grad(end)(params)
        >>> bool(gradient["epsilon"] < 0)  # a deeper well pulls the pair together faster
        True
    """
    if ensemble.name not in ("nve", "langevin"):
        raise ValueError(f"differentiable trajectories are for nve and langevin, got {ensemble.name!r}")
    if steps < 1:
        raise ValueError(f"a trajectory needs at least 1 step, got {steps}")
    dt = ensemble.timestep * FEMTOSECOND
    decay = math.exp(-ensemble.timestep / ensemble.thermostat_time)

    def forces_of(params: Params, state: MDState) -> jax.Array:
        neighbors: Any = state.neighbors  # None for a potential that looks at none
        return potential.evaluate(params, state.system, neighbors).forces

    def drift(state: MDState, velocities: jax.Array, forces: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Positions after the step, velocities before its last half kick, and the random key."""
        velocities = velocities + 0.5 * dt * forces / state.masses[:, None]
        positions, key = state.system.positions + 0.5 * dt * velocities, state.key
        if ensemble.name == "langevin":
            key, use = jax.random.split(key)
            width = jnp.sqrt((1.0 - decay**2) * ensemble.thermal_energy / state.masses)[:, None]
            velocities = decay * velocities + width * jax.random.normal(use, velocities.shape, velocities.dtype)
        return positions + 0.5 * dt * velocities, velocities, key

    def step(params: Params, carry: tuple[MDState, jax.Array]) -> tuple[tuple[MDState, jax.Array], Any]:
        state, forces = carry
        positions, velocities, key = drift(state, state.velocities, forces)
        system = state.system.replace(positions=positions)
        neighbors = _updated(system, state.neighbors)
        overflow = state.overflow if neighbors is None else state.overflow | neighbors.overflow
        moved = dataclasses.replace(state, system=system, neighbors=neighbors, key=key, overflow=overflow)
        forces = forces_of(params, moved)
        new = dataclasses.replace(moved, velocities=velocities + 0.5 * dt * forces / state.masses[:, None])
        return (new, forces), None if observe is None else observe(params, new)

    def run(params: Params, state: MDState) -> tuple[MDState, Any]:
        def several(carry: tuple[MDState, jax.Array], count: int) -> tuple[tuple[MDState, jax.Array], Any]:
            def one(carry: tuple[MDState, jax.Array], _: None) -> tuple[tuple[MDState, jax.Array], Any]:
                return step(params, carry)

            one_step = jax.checkpoint(one, prevent_cse=False) if checkpoint else one
            return jax.lax.scan(one_step, carry, None, length=count)

        carry = (state, forces_of(params, state))
        if not checkpoint:
            (last, _), seen = several(carry, steps)
            return last, seen
        inner = max(1, math.isqrt(steps))
        outer, rest = divmod(steps, inner)

        @jax.checkpoint
        def stretch(carry: tuple[MDState, jax.Array]) -> tuple[tuple[MDState, jax.Array], Any]:
            return several(carry, inner)

        carry, seen = jax.lax.scan(lambda c, _: stretch(c), carry, None, length=outer)
        seen = jax.tree.map(lambda x: x.reshape(outer * inner, *x.shape[2:]), seen)
        if rest:
            carry, more = several(carry, rest)
            seen = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), seen, more)
        return carry[0], seen

    return run


def _updated(system: System, neighbors: Neighbors | None) -> Neighbors | None:
    """The list for these positions; a pair's coming and going has no derivative."""
    if neighbors is None:
        return None
    fixed: System = jax.lax.stop_gradient(system)
    plan = neighbors.plan
    lists: NeighborList = neighbor_list(plan.cutoff, plan.skin)
    of = Lists(lists, fixed_cell=True)
    return jax.lax.cond(of.outdated(fixed, neighbors), of.rebuilt, lambda s, n: n, fixed, neighbors)
