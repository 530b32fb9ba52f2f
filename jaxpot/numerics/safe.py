"""Functions whose derivatives stay finite where those of the plain functions do not."""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["safe_sqrt"]


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
