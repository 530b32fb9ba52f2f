"""The interaction of smeared charges in reciprocal space, for 3, 2 or 0 periodic directions."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors.validity import inverse_of
from jaxpot.numerics.safe import safe_sqrt

__all__ = ["coulomb_weights"]

Integers = tuple[np.ndarray, np.ndarray, np.ndarray]


def coulomb_weights(lattice: jax.Array, lengths: np.ndarray, pbc: jax.Array, m: Integers, alpha: float) -> jax.Array:
    """The weights w of waves, with which erf(alpha r) / r, summed over all images, is sum_k w_k exp(i k r), 1/Å.

    With volume V and wave vector k, w = T 4 pi exp(-k^2 / 4 alpha^2) / (k^2 V), and for k = 0 its limit w_0.

    - Three periodic directions: T = 1, and w_0 = -pi / (alpha^2 V), which is the uniform background of a cell with a
      charge.
    - Two: the lattice goes on in the third direction with period L, and the interaction ends at a distance R = L/2
      along it, so that the images of a slab do not see each other. T = 1 - exp(-k_p R) cos(k_z R), where k_p is the
      part of k in the plane; w_0 = -2 pi R^2 / V. This is the exact sum in two dimensions.
    - None: the interaction ends at a distance R. T = 1 - cos(k R), w_0 = 2 pi R^2 / V.

    Args:
        lattice: [3, 3] Å, of :func:`jaxpot.neighbors.waves.lattice_of`.
        lengths: [3] Å, of the vectors of non-periodic directions.
        pbc: [3] bool.
        m: integers of the waves in three directions, broadcastable to [waves, waves, waves].
        alpha: 1/Å.

    Returns:
        [waves, waves, waves].

    Reference: C. A. Rozzi, D. Varsano, A. Marini, E. K. U. Gross and A. Rubio, Phys. Rev. B 73, 205119 (2006), eqs. 10
    and 13 to 15; T. Sohier, M. Calandra and F. Mauri, Phys. Rev. B 96, 075448 (2017).
    """
    dtype = lattice.dtype
    inverse = inverse_of(lattice)
    metric = (4.0 * math.pi**2) * (inverse.T @ inverse)
    volume = jnp.abs(jnp.dot(lattice[0], jnp.cross(lattice[1], lattice[2])))
    periodic = pbc.astype(dtype)
    pairs = [(i, j, (2.0 - (i == j)) * m[i] * m[j]) for i in range(3) for j in range(i, 3)]
    k2, plane2 = jnp.zeros((), dtype), jnp.zeros((), dtype)
    for i, j, product in pairs:
        k2 = k2 + metric[i, j] * product.astype(dtype)
        plane2 = plane2 + (metric[i, j] * periodic[i] * periodic[j]) * product.astype(dtype)
    free = 3 - pbc.sum()
    lengths = lengths.astype(dtype)
    reach = 0.5 * jnp.min(jnp.where(pbc, jnp.inf, lengths), initial=jnp.inf)
    reach = jnp.where(free == 0, 1.0, reach).astype(dtype)
    sign = jnp.ones((), dtype)
    for d in range(3):
        sign = sign * jnp.where(pbc[d], 1.0, np.where(m[d] % 2 == 0, 1.0, -1.0).astype(dtype))
    zero = (m[0] == 0) & (m[1] == 0) & (m[2] == 0)
    k2 = jnp.where(zero, 1.0, k2)
    slab = 1.0 - jnp.exp(-safe_sqrt(plane2) * reach) * sign
    molecule = 1.0 - jnp.cos(jnp.sqrt(k2) * reach)
    ends = jnp.where(free == 0, 1.0, jnp.where(free == 1, slab, molecule))
    limit = jnp.where(
        free == 0, -math.pi / alpha**2, jnp.where(free == 1, -2.0 * math.pi, 2.0 * math.pi) * reach * reach
    )
    weights = (4.0 * math.pi) * jnp.exp(-k2 / (4.0 * alpha**2)) / k2 * ends
    return jnp.where(zero, limit, weights).astype(dtype) / volume
