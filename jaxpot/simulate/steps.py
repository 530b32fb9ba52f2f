"""Molecular dynamics as two pure functions, ``init`` and ``step``, of one state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.guard import nan_unless
from jaxpot.neighbors import Neighbors, neighbor_list
from jaxpot.potential import Evaluation, Params, Potential
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.integrators import integrator
from jaxpot.simulate.lists import Lists
from jaxpot.simulate.state import MDState
from jaxpot.system import System

__all__ = ["Steps", "evaluated", "finite", "steps"]


class Steps(NamedTuple):
    """Molecular dynamics as pure functions that work under jit, differentiation and vmap.

    Attributes:
        init: ``(params, state) -> state`` with the forces of its positions, and with a thermostat and barostat if the
            ensemble has them; existing ones are kept.
        step: ``(params, state) -> state`` one time step later; the list is rebuilt where necessary.
    """

    init: Callable[[Params, MDState], MDState]
    step: Callable[[Params, MDState], MDState]


def steps(potential: Potential, ensemble: Ensemble) -> Steps:
    """Makes the steps for a potential in an ensemble.

    Args:
        potential: any potential.
        ensemble: what is held constant; its numbers may be traced, so that replicas under ``jax.vmap`` may differ in
            temperature and pressure.

    Returns:
        The :class:`Steps`.

    Example:
        >>> import jax, jax.numpy as jnp, jaxpot
        >>> from jaxpot.simulate import Ensemble, initial_state
        >>> potential, params = jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
        >>> state = initial_state(potential, system, jnp.zeros((2, 3)), jnp.full(2, 40.0))
        >>> init, step = steps(potential, Ensemble("nve", timestep=2.0))
        >>> state = init(params, state)
        >>> for _ in range(3):
        ...     state = jax.jit(step)(params, state)
        >>> int(state.step), bool(state.system.positions[1, 2] < 4.0)
        (3, True)
    """
    integrate = integrator(ensemble)

    def listed(state: MDState) -> MDState:
        """The state with a complete list; ``overflow`` is set where there is none."""
        neighbors = _lists_of(state.neighbors).updated(state.system, state.neighbors)
        overflow = state.overflow | ~finite(state.system)
        if neighbors is not None:
            overflow |= neighbors.overflow
        return state.replace(neighbors=neighbors, overflow=overflow)

    def result_of(params: Params, state: MDState) -> Evaluation:
        # what goes in becomes NaN too, because derivatives have to be NaN also where no pair is left
        right = jnp.logical_not(state.overflow)
        return nan_unless(right, evaluated(potential, *nan_unless(right, (params, state.system)), state.neighbors))

    def init(params: Params, state: MDState) -> MDState:
        state = listed(state)
        return integrate.init(state, result_of(params, state))

    def step(params: Params, state: MDState) -> MDState:
        moved = listed(integrate.move(state))
        return integrate.settle(state, moved, result_of(params, moved))

    return Steps(init, step)


def evaluated(
    potential: Potential, params: Params, system: System, neighbors: Neighbors | None, virial: bool = True
) -> Evaluation:
    """Evaluates energies, forces and virial with a list that is known to be complete.

    Args:
        potential: any potential.
        params: its parameters.
        system: atoms and cell.
        neighbors: the list; None for a potential without a cutoff.
        virial: whether the virial is wanted; where it costs time and is not, it may be NaN.

    Returns:
        The :class:`jaxpot.Evaluation`.
    """
    given: Any = neighbors
    functions = potential.unchecked
    evaluate = functions.evaluate if virial or functions.without_virial is None else functions.without_virial
    return evaluate(params, system, given)


def finite(system: System) -> jax.Array:
    """Whether all positions and the cell are finite.

    Args:
        system: any system.

    Returns:
        Scalar bool.
    """
    return jnp.isfinite(system.positions).all() & jnp.isfinite(system.cell).all()


def _lists_of(neighbors: Neighbors | None) -> Lists:
    """The operations of an existing list."""
    return Lists(None if neighbors is None else neighbor_list(neighbors.plan.cutoff, neighbors.plan.skin))
