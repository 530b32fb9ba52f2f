"""Inverses of many positive matrices at once."""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["inverse_of_positive"]

BLOCKS = 8  # along the diagonal; a power of 2


def inverse_of_positive(matrices: jax.Array) -> jax.Array:
    """Inverses of symmetric positive matrices from their Cholesky factors.

    The factors are inverted by recursive halving, so that nearly all of the work is in products of matrices. XLA's
    triangular solver takes many times as long on a CPU.

    Args:
        matrices: [batch, n, n].

    Returns:
        [batch, n, n]; not finite where a matrix is not positive within the precision.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.numerics.inverse import inverse_of_positive
        >>> inverse_of_positive(jnp.array([[[2.0, 0.0], [0.0, 4.0]]])).round(6).tolist()
        [[[0.5, 0.0], [0.0, 0.25]]]
    """
    batch, n, _ = matrices.shape
    size = -(-n // BLOCKS)
    extra = BLOCKS * size - n
    factor = jnp.pad(jnp.linalg.cholesky(matrices), ((0, 0), (0, extra), (0, extra)))
    if extra:
        index = jnp.arange(n, n + extra)
        factor = factor.at[:, index, index].set(1.0)
    tiles = factor.reshape(batch, BLOCKS, size, BLOCKS, size)
    inverse = _by_substitution(jnp.stack([tiles[:, k, :, k] for k in range(BLOCKS)], axis=1))
    while inverse.shape[1] > 1:
        count, size = inverse.shape[1] // 2, 2 * inverse.shape[2]
        half = size // 2
        tiles = factor.reshape(batch, count, size, count, size)
        below = jnp.stack([tiles[:, k, half:, k, :half] for k in range(count)], axis=1)
        upper, lower = inverse[:, ::2], inverse[:, 1::2]
        corner = -jnp.matmul(jnp.matmul(lower, below), upper)
        top = jnp.concatenate([upper, jnp.zeros_like(upper)], axis=-1)
        inverse = jnp.concatenate([top, jnp.concatenate([corner, lower], axis=-1)], axis=-2)
    whole = inverse[:, 0]
    return jnp.matmul(whole.swapaxes(1, 2), whole)[:, :n, :n]


def _by_substitution(factors: jax.Array) -> jax.Array:
    """Inverses of small lower triangular matrices [..., n, n]."""
    n = factors.shape[-1]
    unit = jnp.eye(n, dtype=factors.dtype)

    def row(k: jax.Array, inverse: jax.Array) -> jax.Array:
        line = factors[..., k, :]
        known = jnp.einsum("...j,...jl->...l", line, inverse)  # rows of the inverse from k on are still 0
        return inverse.at[..., k, :].set((jnp.broadcast_to(unit[k], known.shape) - known) / line[..., k, None])

    return jax.lax.fori_loop(0, n, row, jnp.zeros_like(factors))
