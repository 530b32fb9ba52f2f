"""Sums over waves, one after the other: exact, for small systems."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["WaveSum"]


class WaveSum(NamedTuple):
    """A sum over all waves whose integers go from -n to n in each direction.

    Attributes:
        waves: the three n.
    """

    waves: tuple[int, int, int]

    @property
    def integers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the waves: those of the first direction are not negative, as opposite waves count the same."""
        first, second, third = self.waves
        return (
            np.arange(first + 1)[:, None, None],
            np.arange(-second, second + 1)[None, :, None],
            np.arange(-third, third + 1)[None, None, :],
        )

    @property
    def attenuation(self) -> np.ndarray:
        """Factor for the weights of the waves."""
        return np.ones((1, 1, 1))

    @property
    def counts(self) -> np.ndarray:
        """How many waves each stands for."""
        return np.where(self.integers[0] == 0, 1.0, 2.0)

    def potential(self, fractional: jax.Array, charges: jax.Array, weights: jax.Array) -> jax.Array:
        """phi_i = sum_k w_k sum_j q_j exp[i k (r_i - r_j)].

        Args:
            fractional: [atoms, 3].
            charges: [atoms].
            weights: of the waves.

        Returns:
            [atoms].
        """
        first, second, third = self._phases(fractional)

        @jax.checkpoint
        def step(total: jax.Array, given: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            phase, weight, count = given
            both = phase[:, None] * second
            factor = weight * jnp.conj((charges[:, None] * both).T @ third)
            return total + count * jnp.real((both * (third @ factor.T)).sum(axis=1)), None

        return jax.lax.scan(step, jnp.zeros_like(charges), (first.T, weights, self._counts(charges)))[0]

    def solution(
        self, fractional: jax.Array, charges: jax.Array, weights: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The potential, its slopes, and the square of each wave's amplitude.

        Args:
            fractional: [atoms, 3].
            charges: [atoms].
            weights: of the waves.

        Returns:
            phi [atoms]; its derivatives with respect to the fractional coordinates of the atom where it is taken,
            [atoms, 3]; and |S|^2 of the waves.
        """
        first, second, third = self._phases(fractional)
        m1, m2, m3 = (2.0 * np.pi * one.ravel() for one in self.integers)
        across_m, upward_m = (jnp.asarray(one, charges.dtype)[None, :] for one in (m2, m3))
        Carry = tuple[jax.Array, jax.Array]

        @jax.checkpoint
        def step(total: Carry, given: tuple[jax.Array, ...]) -> tuple[Carry, jax.Array]:
            (potential, slopes), (phase, weight, count, m) = total, given
            both = phase[:, None] * second
            amplitude = (charges[:, None] * both).T @ third
            factor = weight * jnp.conj(amplitude)
            inner = both * (third @ factor.T)
            along = inner.sum(axis=1)
            across = (inner * across_m).sum(axis=1)
            upward = (both * (third @ (factor * upward_m).T)).sum(axis=1)
            slope = -jnp.stack([m * along.imag, across.imag, upward.imag], axis=1)
            square = amplitude.real**2 + amplitude.imag**2
            return (potential + count * along.real, slopes + count * slope), square

        start = jnp.zeros_like(charges), jnp.zeros((*charges.shape, 3), charges.dtype)
        given = first.T, weights, self._counts(charges), jnp.asarray(m1, charges.dtype)
        (potential, slopes), squares = jax.lax.scan(step, start, given)
        return potential, slopes, squares

    def _counts(self, charges: jax.Array) -> jax.Array:
        return jnp.asarray(self.counts.ravel(), charges.dtype)

    def _phases(self, fractional: jax.Array) -> list[jax.Array]:
        """exp(i k r) of each direction, each [atoms, waves]."""
        wrapped = fractional - jax.lax.stop_gradient(jnp.floor(fractional))
        found = []
        for d, m in enumerate(self.integers):
            angle = (2.0 * np.pi * wrapped[:, d])[:, None] * jnp.asarray(m.ravel(), fractional.dtype)[None, :]
            found.append(jax.lax.complex(jnp.cos(angle), jnp.sin(angle)))
        return found
