"""Limited-memory BFGS for many structures at once, each with its own step length, history and convergence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Found", "Minimization", "advance", "shortened", "start"]

MEMORY = 8
LONGEST = 0.3  # Å, what an atom moves in one step at most
FIRST = 0.05  # Å, what the atom with the largest force moves in the first step
ARMIJO = 1e-4  # part of the expected decrease that a step must bring
SHORTEST = 1e-6  # part of a step below which it is given up


class Found(NamedTuple):
    """Energies and gradients of structures at some coordinates.

    Attributes:
        energies: [structures, terms] eV, whose sum is minimised. Differences are taken term by term, which loses fewer
            digits than a difference of two sums.
        gradients: [structures, n, 3] eV/Å, derivative with respect to the coordinates.
        excess: [structures] the largest remaining force (or stress), in units of its tolerance.
        beside: pytree of [structures, ...], what else is to be known of the best coordinates.
    """

    energies: jax.Array
    gradients: jax.Array
    excess: jax.Array
    beside: Any


class Minimization(NamedTuple):
    """The state of the minimisation of several structures; all sizes are fixed.

    Attributes:
        coordinates: [structures, n, 3] the best so far, Å.
        best: what was found there.
        direction: [structures, n, 3] the step under trial, Å.
        fraction: [structures] how much of it is tried next.
        moves: [MEMORY, structures, n, 3] past steps.
        changes: [MEMORY, structures, n, 3] past changes of the gradient.
        curvatures: [MEMORY, structures] 1 / (move . change); 0 marks an empty slot.
        steps: [structures] int32, evaluations so far; 0 where nothing is known yet.
        converged: [structures] bool.
        stuck: [structures] bool: no step along the gradient lowers the energy any more, which is the limit of the
            precision, or there is no energy to begin with.
        turn: [] int32, the slot that is written next.
    """

    coordinates: jax.Array
    best: Found
    direction: jax.Array
    fraction: jax.Array
    moves: jax.Array
    changes: jax.Array
    curvatures: jax.Array
    steps: jax.Array
    converged: jax.Array
    stuck: jax.Array
    turn: jax.Array

    @property
    def trial(self) -> jax.Array:
        """[structures, n, 3] the coordinates that are evaluated next."""
        return self.coordinates + _times(self.fraction, self.direction)

    def going(self, limit: jax.Array) -> jax.Array:
        """[structures] bool: neither converged, nor stuck, nor at the limit of evaluations."""
        return ~self.converged & ~self.stuck & (self.steps < limit)


def start(coordinates: jax.Array, terms: int, beside: Any) -> Minimization:
    """The state before the first evaluation, which is that of the given coordinates.

    Args:
        coordinates: [structures, n, 3], Å.
        terms: number of terms of the energy.
        beside: what stands in :class:`Found` as long as nothing has been found.

    Returns:
        The :class:`Minimization`.
    """
    structures, dtype = coordinates.shape[0], coordinates.dtype
    nothing = jnp.zeros(structures, dtype)
    history = jnp.zeros((MEMORY, *coordinates.shape), dtype)
    return Minimization(
        coordinates,
        Found(jnp.zeros((structures, terms), dtype), jnp.zeros_like(coordinates), nothing, beside),
        jnp.zeros_like(coordinates),
        nothing,
        history,
        history,
        jnp.zeros((MEMORY, structures), dtype),
        jnp.zeros(structures, jnp.int32),
        jnp.zeros(structures, bool),
        jnp.zeros(structures, bool),
        jnp.zeros((), jnp.int32),
    )


def advance(
    evaluate: Callable[[jax.Array], Found], state: Minimization, inverse: jax.Array | None, active: jax.Array
) -> Minimization:
    """One evaluation for every active structure.

    A step along the quasi-Newton direction is taken if it lowers the energy as Armijo asks; else the next trial is
    shorter. (J. Nocedal, Math. Comput. 35, 773 (1980); J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed.,
    2006, algorithm 7.4.)

    Args:
        evaluate: coordinates [structures, n, 3] -> :class:`Found`.
        state: before.
        inverse: [structures, 3 n, 3 n] Å^2/eV, positive: about the inverse Hessian, up to a factor; None for the unit
            matrix.
        active: [structures] bool, which of them are worked on; the others stay as they are.

    Returns:
        The state after.
    """
    trial = state.trial
    found = evaluate(trial)
    first = state.steps == 0
    step, change = trial - state.coordinates, found.gradients - state.best.gradients
    eps = jnp.finfo(trial.dtype).eps
    difference = jnp.sum(found.energies - state.best.energies, axis=1)
    # below this the energies do not tell better from worse; then a smaller gradient decides
    resolution = 4.0 * eps * jnp.sqrt(jnp.sum(state.best.energies**2, axis=1))
    lower = difference <= ARMIJO * _dot(state.best.gradients, step) + resolution
    steeper = (difference > 0) & (found.excess > 1.5 * state.best.excess)
    finite = jnp.isfinite(difference) & jnp.isfinite(found.excess)
    taken = active & finite & (first | (lower & ~steeper))

    curvature = _dot(step, change)
    useful = taken & ~first & (curvature > eps * jnp.sqrt(_dot(step, step) * _dot(change, change)))
    moves = state.moves.at[state.turn].set(_choose(useful, step, jnp.zeros_like(step)))
    changes = state.changes.at[state.turn].set(_choose(useful, change, jnp.zeros_like(change)))
    curvatures = state.curvatures.at[state.turn].set(jnp.where(useful, 1.0 / jnp.where(useful, curvature, 1.0), 0.0))
    turn = (state.turn + 1) % MEMORY

    coordinates = _choose(taken, trial, state.coordinates)
    best = Found(*jax.tree.map(lambda new, old: _choose(taken, new, old), found, state.best))
    newton = _quasi_newton(inverse, best.gradients, moves, changes, curvatures, turn)
    hopeless = active & ~taken & ~first & (state.fraction < SHORTEST)
    descent = -_times(FIRST / jnp.maximum(_longest(best.gradients), FIRST), best.gradients)
    # the first direction is the gradient's, and so is one that leads uphill or along which nothing was gained
    downhill = (_dot(newton, best.gradients) < 0) & jnp.isfinite(_dot(newton, newton))
    fresh = _limited(_choose(first | hopeless | ~downhill, descent, newton))
    already_descending = _dot(state.direction - descent, state.direction - descent) == 0
    turned = taken | hopeless
    return Minimization(
        coordinates,
        best,
        _choose(turned, fresh, state.direction),
        jnp.where(turned, 1.0, jnp.where(active, 0.3 * state.fraction, state.fraction)),
        moves,
        changes,
        jnp.where(hopeless[None], 0.0, curvatures),
        state.steps + active,
        state.converged | (taken & (best.excess <= 1.0)),
        state.stuck | (hopeless & already_descending) | (active & first & ~finite),
        turn,
    )


def shortened(state: Minimization, failed: jax.Array) -> Minimization:
    """The state after trials that could not be evaluated: the next ones are shorter.

    Args:
        state: before.
        failed: [structures] bool.

    Returns:
        The state after; stuck is what had no other trial to go back to.
    """
    end = (state.steps == 0) | (state.fraction < SHORTEST)
    return state._replace(
        fraction=jnp.where(failed, 0.3 * state.fraction, state.fraction),
        steps=state.steps + failed,
        stuck=state.stuck | (failed & end),
    )


def _quasi_newton(
    inverse: jax.Array | None,
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

    # scaled so that it gives the curvature along the last step that is known
    slots = newest(jnp.arange(MEMORY))
    last = slots[jnp.argmax(curvatures[slots] > 0, axis=0)]
    each = jnp.arange(gradients.shape[0])
    change, curvature = changes[last, each], curvatures[last, each]
    divided, divided_change = _divide(inverse, q, change)
    predicted = curvature * _dot(change, divided_change)
    unknown = FIRST / jnp.maximum(_longest(gradients), FIRST) if inverse is None else jnp.ones_like(curvature)
    scale = jnp.where(predicted > 0, 1.0 / jnp.where(predicted > 0, predicted, 1.0), unknown)

    def forth(k: jax.Array, direction: jax.Array) -> jax.Array:
        slot = newest(MEMORY - 1 - k)
        weight = weights[slot] - curvatures[slot] * _dot(changes[slot], direction)
        return direction + _times(weight, moves[slot])

    return -jax.lax.fori_loop(0, MEMORY, forth, _times(scale, divided))


def _divide(inverse: jax.Array | None, *vectors: jax.Array) -> tuple[jax.Array, ...]:
    """The inverse times vectors [structures, n, 3], for all of them in one pass over the matrices."""
    if inverse is None:
        return vectors
    columns = jnp.stack([v.reshape(v.shape[0], -1) for v in vectors], axis=-1)
    products = jnp.matmul(inverse, columns)
    return tuple(products[..., k].reshape(v.shape) for k, v in enumerate(vectors))


def _limited(direction: jax.Array) -> jax.Array:
    """No atom moves further than LONGEST."""
    return _times(LONGEST / jnp.maximum(_longest(direction), LONGEST), direction)


def _longest(vectors: jax.Array) -> jax.Array:
    """[structures] length of the longest of [structures, n, 3]."""
    return jnp.sqrt(jnp.max(jnp.sum(vectors * vectors, axis=2), axis=1))


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(a * b, axis=(1, 2))


def _times(factor: jax.Array, vector: jax.Array) -> jax.Array:
    return factor[:, None, None] * vector


def _choose(condition: jax.Array, yes: jax.Array, no: jax.Array) -> jax.Array:
    return jnp.where(condition.reshape(-1, *(1,) * (yes.ndim - 1)), yes, no)
