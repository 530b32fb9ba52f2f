"""Cardinal B-splines, which spread charges over the points of a mesh, and their transforms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["attenuation", "mesh_size", "spread_weights", "transform"]


def transform(x: np.ndarray, order: int) -> np.ndarray:
    """The Fourier transform of a B-spline, sinc(x)^order, for waves x in units of the mesh's own wave number."""
    return np.sinc(x) ** order


def attenuation(x: np.ndarray, order: int) -> np.ndarray:
    """U^2 / (sum over aliases of U^2)^2 with U the transform: it undoes spreading and interpolation of one direction.

    Args:
        x: waves in units of the mesh's own wave number, between -1/2 and 1/2.
        order: of the B-spline.

    Returns:
        One factor a wave.
    """
    at_integers = _at_integers(2 * order)  # sum over aliases of U^2 = sum_k M_2p(p + k) cos(2 pi k x)
    k = np.arange(1 - order, order)
    aliases = np.cos(2 * np.pi * x[..., None] * k) @ at_integers
    return transform(x, order) ** 2 / aliases**2


def _at_integers(order: int) -> np.ndarray:
    """[order - 1] the B-spline at 1, 2 ... order - 1."""
    values = np.array([1.0])  # order 2
    for n in range(3, order + 1):
        x = np.arange(1, n)
        values = (x * np.append(values, 0.0) + (n - x) * np.append(0.0, values)) / (n - 1)
    return values


def spread_weights(fraction: jax.Array, order: int) -> tuple[jax.Array, jax.Array]:
    """The B-spline and its slope at the points of a mesh around a place.

    Args:
        fraction: [...] distance from the next point below, in spacings, 0 to 1.
        order: of the B-spline.

    Returns:
        Both [..., order]: for the point below, the one before it, and so on.
    """
    values, zero = [fraction, 1.0 - fraction], jnp.zeros_like(fraction)
    slopes = values
    for n in range(3, order + 1):
        pairs = list(zip([*values, zero], [zero, *values], strict=True))
        slopes = [a - b for a, b in pairs]
        values = [((fraction + k) * a + (n - fraction - k) * b) / (n - 1) for k, (a, b) in enumerate(pairs)]
    return jnp.stack(values, axis=-1), jnp.stack(slopes, axis=-1)


def mesh_size(least: float) -> int:
    """The smallest even number that is at least this and has no prime factors but 2, 3 and 5.

    Example:
        >>> [mesh_size(n) for n in (7.2, 13.0, 31.5, 97.0)]
        [8, 16, 32, 100]
    """
    number = max(4, 2 * int(np.ceil(least / 2)))
    while True:
        rest = number
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return number
        number += 2
