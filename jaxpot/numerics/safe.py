"""Functions whose derivatives stay finite where those of the plain functions do not."""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["safe_exp_to_cutoff", "safe_sqrt"]


def safe_sqrt(x: jax.Array) -> jax.Array:
    """The square root, with derivative 0 at 0 instead of infinity.

    In every potential, the derivative of sqrt(rho) with respect to positions and params is finite, but automatic
    differentiation computes it as infinity times zero. Negative arguments give NaN, as they should.

    Args:
        x: any shape, not negative.

    Returns:
        The root, of the same shape.

    Example:
        >>> import jax
        >>> from jaxpot.numerics.safe import safe_sqrt
        >>> [float(jax.grad(safe_sqrt)(x)) for x in (0.0, 4.0)]
        [0.0, 0.25]
    """
    zero = x == 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, x)))


def safe_exp_to_cutoff(strength: jax.Array, r: jax.Array, end: jax.Array) -> jax.Array:
    """exp[strength / (r - end)] for r < end, else 0: with all its derivatives 0 at the end, for strength > 0.

    Args:
        strength: Å.
        r: Å, distances.
        end: Å, where the function ends; may be 0, and the function is 0 then. Where it is NaN, so is the function.

    Returns:
        One value for each distance.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.numerics.safe import safe_exp_to_cutoff
        >>> [round(float(safe_exp_to_cutoff(1.0, r, 3.0)), 4) for r in (2.0, 2.5, 3.0)]
        [0.3679, 0.1353, 0.0]
    """
    # also for an end that is NaN, as one beyond a potential's cutoff is: the result is NaN too
    inside = jnp.logical_not(r >= end)
    return jnp.where(inside, jnp.exp(strength / jnp.where(inside, r - end, -1.0)), 0.0)
