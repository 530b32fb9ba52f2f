"""Trajectories as pure functions: gradients of anything along them with respect to parameters and initial state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.potential import Params, Potential, prepare
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.state import MDState, initial_state
from jaxpot.simulate.steps import steps as steps_of

__all__ = ["MDState", "initial_state", "trajectory"]

Step = Callable[[MDState], tuple[MDState, Any]]


def trajectory(
    potential: Potential,
    ensemble: Ensemble,
    steps: int,
    *,
    observe: Callable[[Params, MDState], Any] | None = None,
    checkpoint: bool = True,
) -> Callable[[Params, MDState], tuple[MDState, Any]]:
    """Makes a differentiable function that runs a fixed number of steps.

    The steps are those of :func:`jaxpot.simulate.run_md`, see :func:`jaxpot.simulate.integrators.integrator`. The list
    is rebuilt inside where necessary. The choice of its pairs has no derivative, because no energy depends on it.

    With ``checkpoint``, the reverse pass stores about sqrt(steps) states and computes the others again, so its memory
    grows as sqrt(steps). Without, it stores every intermediate result of every step.

    Args:
        potential: any potential.
        ensemble: what is held constant; its numbers may be traced.
        steps: number of steps, fixed when the function is made.
        observe: ``(params, state) -> pytree``, evaluated after every step; None observes nothing.
        checkpoint: whether to save memory at the cost of one more forward pass.

    Returns:
        ``(params, state) -> (state, observations)``; observations have a leading axis [steps], and are None without
        ``observe``. Where the list was too small or a position is not finite, ``state.overflow`` of the result is True
        and what was computed since is NaN.

    Raises:
        ValueError: a number of steps below 1.

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
    if steps < 1:
        raise ValueError(f"a trajectory needs at least 1 step, got {steps}")
    init, step = steps_of(potential, ensemble)

    def run(params: Params, state: MDState) -> tuple[MDState, Any]:
        ready = prepare(potential, params, state.velocities.dtype)

        def one(state: MDState) -> tuple[MDState, Any]:
            new = step(ready, state)
            return new, None if observe is None else observe(params, new)

        return (_checkpointed if checkpoint else _kept)(one, init(ready, state), steps)

    return run


def _kept(one: Step, state: MDState, steps: int) -> tuple[MDState, Any]:
    """Steps whose intermediates are all kept for the way back."""
    return jax.lax.scan(lambda s, _: one(s), state, None, length=steps)


def _checkpointed(one: Step, state: MDState, steps: int) -> tuple[MDState, Any]:
    """Steps of which every sqrt(steps)-th state is kept for the way back, and one stretch between two of them."""
    inner = max(1, math.isqrt(steps))
    outer, rest = divmod(steps, inner)
    again: Step = jax.checkpoint(one, prevent_cse=False)
    stretch = jax.checkpoint(lambda s: _kept(again, s, inner))
    state, seen = jax.lax.scan(lambda s, _: stretch(s), state, None, length=outer)
    seen = jax.tree.map(lambda x: x.reshape(outer * inner, *x.shape[2:]), seen)
    if rest:
        state, more = _kept(again, state, rest)
        seen = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), seen, more)
    return state, seen
