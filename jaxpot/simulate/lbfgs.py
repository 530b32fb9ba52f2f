"""Preconditioned limited-memory BFGS for many structures at once, each with its own step, history and end."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Minimization", "advance", "start"]

# (positions [atoms, 3, structures]) -> energies [structures], gradients [atoms, 3, structures]
Evaluate = Callable[[jax.Array], tuple[jax.Array, jax.Array]]

MEMORY = 8
LONGEST = 0.3  # Å, what an atom moves in one step at most
FIRST = 0.05  # Å, what the atom with the largest force moves in the first step
ARMIJO = 1e-4  # part of the expected decrease that a step must bring
SHORTEST = 1e-6  # part of a step below which it is given up


class Minimization(NamedTuple):
    """The state of the minimisation of several structures; all sizes are fixed.

    Attributes:
        positions: [atoms, 3, structures] the best so far, Å.
        energies: [structures] eV.
        gradients: [atoms, 3, structures] eV/Å.
        direction: [atoms, 3, structures] the step under trial, Å.
        fraction: [structures] how much of it is tried next.
        moves: [MEMORY, atoms, 3, structures] past steps.
        changes: [MEMORY, atoms, 3, structures] past changes of the gradient.
        curvatures: [MEMORY, structures] 1 / (move . change); 0 marks an empty slot.
        steps: [structures] int32, evaluations so far.
        converged: [structures] bool.
        stuck: [structures] bool: no step along the gradient lowers the energy any more; the limit of the precision.
        turn: [] int32, the slot that is written next.
    """

    positions: jax.Array
    energies: jax.Array
    gradients: jax.Array
    direction: jax.Array
    fraction: jax.Array
    moves: jax.Array
    changes: jax.Array
    curvatures: jax.Array
    steps: jax.Array
    converged: jax.Array
    stuck: jax.Array
    turn: jax.Array

    def going(self, limit: jax.Array) -> jax.Array:
        """[structures] bool: neither converged, nor stuck, nor at the limit of evaluations."""
        return ~self.converged & ~self.stuck & (self.steps < limit)


def largest_force(gradients: jax.Array) -> jax.Array:
    """[structures] norm of the largest force on an atom."""
    return jnp.sqrt(jnp.max(jnp.sum(gradients * gradients, axis=1), axis=0))


def start(evaluate: Evaluate, positions: jax.Array, tolerance: jax.Array) -> Minimization:
    """The state before the first step.

    Args:
        evaluate: energies and gradients of positions.
        positions: [atoms, 3, structures], Å.
        tolerance: of the largest force on an atom, eV/Å.

    Returns:
        The :class:`Minimization`.
    """
    energies, gradients = evaluate(positions)
    structures = positions.shape[2]
    history = jnp.zeros((MEMORY, *positions.shape), positions.dtype)
    steepest = largest_force(gradients)
    return Minimization(
        positions,
        energies,
        gradients,
        -_times(FIRST / jnp.maximum(steepest, FIRST), gradients),
        jnp.ones(structures, positions.dtype),
        history,
        history,
        jnp.zeros((MEMORY, structures), positions.dtype),
        jnp.ones(structures, jnp.int32),
        steepest <= tolerance,
        ~(jnp.isfinite(energies) & jnp.isfinite(steepest)),
        jnp.zeros((), jnp.int32),
    )


def advance(
    evaluate: Evaluate, state: Minimization, inverse: jax.Array, tolerance: jax.Array, limit: jax.Array
) -> Minimization:
    """One evaluation for every structure that is not done.

    A step along the quasi-Newton direction is taken if it lowers the energy as Armijo asks; else the next trial is
    shorter. (J. Nocedal, Math. Comput. 35, 773 (1980); J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed.,
    2006, algorithm 7.4.)

    Args:
        evaluate: energies and gradients of positions.
        state: before.
        inverse: [structures, 3 atoms, 3 atoms] Å^2/eV, positive: about the inverse Hessian, up to a factor.
        tolerance: of the largest force on an atom, eV/Å.
        limit: evaluations that a structure is given.

    Returns:
        The state after.
    """
    going = state.going(limit)
    step = _times(jnp.where(going, state.fraction, 0.0), state.direction)
    trial = state.positions + step
    energies, gradients = evaluate(trial)
    slope = _dot(state.gradients, step)
    # below this the energies do not tell better from worse; then a smaller gradient decides
    resolution = 4.0 * jnp.finfo(energies.dtype).eps * jnp.abs(state.energies)
    lower = energies <= state.energies + ARMIJO * slope + resolution
    flatter = (energies > state.energies) & (largest_force(gradients) > 1.5 * largest_force(state.gradients))
    taken = going & lower & ~flatter & jnp.isfinite(energies)

    change = gradients - state.gradients
    curvature = _dot(step, change)
    useful = taken & (curvature > jnp.finfo(energies.dtype).eps * jnp.sqrt(_dot(step, step) * _dot(change, change)))
    moves = state.moves.at[state.turn].set(_choose(useful, step, jnp.zeros_like(step)))
    changes = state.changes.at[state.turn].set(_choose(useful, change, jnp.zeros_like(change)))
    curvatures = state.curvatures.at[state.turn].set(jnp.where(useful, 1.0 / jnp.where(useful, curvature, 1.0), 0.0))

    positions = _choose(taken, trial, state.positions)
    best = jnp.where(taken, energies, state.energies)
    gradients = _choose(taken, gradients, state.gradients)
    steepest = largest_force(gradients)
    turn = (state.turn + 1) % MEMORY
    newton = _quasi_newton(inverse, gradients, moves, changes, curvatures, turn)
    hopeless = going & ~taken & (state.fraction < SHORTEST)
    descent = -_times(FIRST / jnp.maximum(steepest, FIRST), gradients)
    # a direction that leads uphill, or along which nothing was gained, is replaced by the gradient's
    restart = hopeless | (_dot(newton, gradients) >= 0) | ~jnp.isfinite(_dot(newton, newton))
    fresh = _limited(_choose(restart, descent, newton))
    already_descending = _dot(state.direction - descent, state.direction - descent) == 0
    return Minimization(
        positions,
        best,
        gradients,
        _choose(taken | hopeless, fresh, state.direction),
        jnp.where(taken | hopeless, 1.0, 0.3 * state.fraction),
        moves,
        changes,
        jnp.where(hopeless[None], 0.0, curvatures),
        state.steps + going,
        state.converged | (going & (steepest <= tolerance)),
        state.stuck | (hopeless & already_descending),
        turn,
    )


def _quasi_newton(
    inverse: jax.Array,
    gradients: jax.Array,
    moves: jax.Array,
    changes: jax.Array,
    curvatures: jax.Array,
    turn: jax.Array,
) -> jax.Array:
    """The two-loop recursion: minus the inverse Hessian, as ``inverse`` and the history have it, times the gradient."""

    def newest(k: jax.Array | int) -> jax.Array:
        return (turn - 1 - k) % MEMORY

    def back(k: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        q, weights = carry
        slot = newest(k)
        weight = curvatures[slot] * _dot(moves[slot], q)
        return q - _times(weight, changes[slot]), weights.at[slot].set(weight)

    q, weights = jax.lax.fori_loop(0, MEMORY, back, (gradients, jnp.zeros_like(curvatures)))

    # scaled so that it gives the curvature along the last step
    change, curvature = changes[newest(0)], curvatures[newest(0)]
    predicted = curvature * _dot(change, _divide(inverse, change))
    scale = jnp.where(predicted > 0, 1.0 / jnp.where(predicted > 0, predicted, 1.0), 1.0)

    def forth(k: jax.Array, direction: jax.Array) -> jax.Array:
        slot = newest(MEMORY - 1 - k)
        weight = weights[slot] - curvatures[slot] * _dot(changes[slot], direction)
        return direction + _times(weight, moves[slot])

    return -jax.lax.fori_loop(0, MEMORY, forth, _times(scale, _divide(inverse, q)))


def _divide(inverse: jax.Array, vector: jax.Array) -> jax.Array:
    flat = vector.reshape(-1, vector.shape[2])
    return jnp.einsum("bij,jb->ib", inverse, flat).reshape(vector.shape)


def _limited(direction: jax.Array) -> jax.Array:
    """No atom moves further than LONGEST."""
    return _times(LONGEST / jnp.maximum(largest_force(direction), LONGEST), direction)


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(a * b, axis=(0, 1))


def _times(factor: jax.Array, vector: jax.Array) -> jax.Array:
    return factor[None, None] * vector


def _choose(condition: jax.Array, yes: jax.Array, no: jax.Array) -> jax.Array:
    return jnp.where(condition[None, None], yes, no)
