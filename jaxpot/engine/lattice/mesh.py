"""Sums over waves by Fourier transforms of a mesh of charges: for large systems."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine.lattice.splines import attenuation, spread_weights

__all__ = ["Mesh"]


class Mesh(NamedTuple):
    """A mesh over the lattice. B-splines spread the charges over it, and interpolate the potential back.

    With the transform U of the B-spline, the weight of a wave is multiplied by U^2 / (sum of U^2 over aliases)^2, which
    makes the errors of the energy least, up to the small aliases of smeared charges (P3M).

    Attributes:
        sizes: points in each direction.
        order: of the B-splines.
    """

    sizes: tuple[int, int, int]
    order: int

    @property
    def integers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the waves, as a real Fourier transform orders them."""
        first, second, third = self.sizes
        a, b, c = (
            np.fft.fftfreq(first, 1 / first),
            np.fft.fftfreq(second, 1 / second),
            np.fft.rfftfreq(third, 1 / third),
        )
        return tuple(
            np.rint(one).astype(int).reshape(shape)
            for one, shape in ((a, (-1, 1, 1)), (b, (1, -1, 1)), (c, (1, 1, -1)))
        )

    @property
    def attenuation(self) -> np.ndarray:
        """Factor for the weights of the waves."""
        each = [attenuation(m / size, self.order) for m, size in zip(self.integers, self.sizes, strict=True)]
        return each[0] * each[1] * each[2]

    @property
    def counts(self) -> np.ndarray:
        """How many waves each stands for."""
        third = self.integers[2]
        return np.where((third == 0) | (2 * third == self.sizes[2]), 1.0, 2.0)

    def potential(self, fractional: jax.Array, charges: jax.Array, weights: jax.Array) -> jax.Array:
        """phi_i = sum_k w_k sum_j q_j exp[i k (r_i - r_j)], as :meth:`WaveSum.potential`."""
        places, values, _ = self._spread(fractional)
        return _interpolated(self._solved(places, values, charges, weights)[0], places, *values)

    def solution(
        self, fractional: jax.Array, charges: jax.Array, weights: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The potential, its slopes, and the square of each wave's amplitude, as :meth:`WaveSum.solution`."""
        places, (x, y, z), slopes = self._spread(fractional)
        points, amplitudes = self._solved(places, (x, y, z), charges, weights)
        dx, dy, dz = (slope * size for slope, size in zip(slopes, self.sizes, strict=True))
        near = points[places]
        along, upward = (near * z[:, None, None, :]).sum(axis=3), (near * dz[:, None, None, :]).sum(axis=3)
        value, across = (along * y[:, None, :]).sum(axis=2), (along * dy[:, None, :]).sum(axis=2)
        upward = (upward * y[:, None, :]).sum(axis=2)
        slope = jnp.stack([(value * dx).sum(axis=1), (across * x).sum(axis=1), (upward * x).sum(axis=1)], axis=1)
        return (value * x).sum(axis=1), slope, amplitudes.real**2 + amplitudes.imag**2

    def _spread(self, fractional: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        """Places on the mesh [atoms, order, order, order], and the B-splines and slopes there, each [atoms, order]."""
        steps = np.arange(self.order)
        places, values, slopes = [], [], []
        for d, size in enumerate(self.sizes):
            wrapped = fractional[:, d] - jax.lax.stop_gradient(jnp.floor(fractional[:, d]))
            scaled = wrapped * size
            below = jax.lax.stop_gradient(jnp.floor(scaled))
            value, slope = spread_weights(scaled - below, self.order)
            values.append(value)
            slopes.append(slope)
            places.append(jnp.mod(below.astype(jnp.int32)[:, None] - steps[None, :], size))
        first, second, third = places
        plane = first[:, :, None] * self.sizes[1] + second[:, None, :]
        return plane[..., None] * self.sizes[2] + third[:, None, None, :], tuple(values), tuple(slopes)

    def _solved(
        self, places: jax.Array, values: tuple[jax.Array, ...], charges: jax.Array, weights: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The potential at the points of the mesh, and the amplitudes of its waves."""
        x, y, z = values
        shares = (charges[:, None] * x)[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :]
        total = int(np.prod(self.sizes))
        points = jnp.zeros(total, charges.dtype).at[places].add(shares, mode="promise_in_bounds")
        amplitudes = jnp.fft.rfftn(points.reshape(self.sizes))
        solved = jnp.fft.irfftn(amplitudes * weights, self.sizes)
        return total * solved.ravel(), amplitudes


def _interpolated(points: jax.Array, places: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    near = (points[places] * z[:, None, None, :]).sum(axis=3)
    return ((near * y[:, None, :]).sum(axis=2) * x).sum(axis=1)
