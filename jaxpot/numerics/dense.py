"""Dense layers as plain pytrees."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["dense", "init_dense", "shifted_softplus"]


def dense(layer: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    """x W + b.

    Args:
        layer: ``{"weights": [in, out], "biases": [out]}``, or without biases.
        x: [..., in].

    Returns:
        [..., out].
    """
    y = x @ layer["weights"]
    if "biases" not in layer:
        return y
    return y + layer["biases"].reshape((1,) * (y.ndim - 1) + (-1,))


def init_dense(key: jax.Array, rows: int, columns: int) -> dict[str, jax.Array]:
    """A random layer: weights uniform with variance 2 / (in + out) (Glorot and Bengio 2010), biases 0.

    Args:
        key: of JAX's random numbers.
        rows: in.
        columns: out.

    Returns:
        ``{"weights": [in, out], "biases": [out]}`` in JAX's default float type.
    """
    dtype = jnp.result_type(float)
    limit = (6.0 / (rows + columns)) ** 0.5
    weights = jax.random.uniform(key, (rows, columns), dtype, -limit, limit)
    return {"weights": weights, "biases": jnp.zeros(columns, dtype)}


def shifted_softplus(x: jax.Array) -> jax.Array:
    """The activation ln(1 + e^x) - ln 2, which is 0 at x = 0.

    Args:
        x: any shape.

    Returns:
        The values, of the same shape.
    """
    return jax.nn.softplus(x) - float(np.log(2.0))
