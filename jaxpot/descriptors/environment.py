"""The environment of an atom, the argument of descriptors and of formulas of environments."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Environment"]


class Environment(NamedTuple):
    """The environment of one atom: its neighbours within the cutoff.

    Slots where ``mask`` is False are padding or beyond the cutoff. They hold a substitute edge as long as the cutoff,
    so that formulas and their derivatives are finite there. Sums over neighbours must use :meth:`sum`, unless the terms
    are 0 at the cutoff.

    Attributes:
        x: [neighbors] Å, displacement from this atom to each neighbour.
        y: [neighbors] Å.
        z: [neighbors] Å.
        distances: [neighbors] Å.
        species: [neighbors] int32.
        own_species: scalar int32.
        mask: [neighbors] bool.
        data: by name, [neighbors] the system's extras that the potential needs, such as ``"charges"``.
        own_data: the same for the atom itself, scalars.

    With ``together=True``, a formula takes many environments at once: all arrays then have an additional first axis for
    the atoms ([atoms, neighbors], own_species [atoms]).
    """

    x: jax.Array
    y: jax.Array
    z: jax.Array
    distances: jax.Array
    species: jax.Array
    own_species: jax.Array
    mask: jax.Array
    data: dict[str, jax.Array] = {}  # noqa: RUF012
    own_data: dict[str, jax.Array] = {}  # noqa: RUF012

    def moved(self, x: jax.Array, y: jax.Array, z: jax.Array) -> Environment:
        """The same environment with other displacements.

        Args:
            x: [neighbors] Å.
            y: [neighbors] Å.
            z: [neighbors] Å.

        Returns:
            The :class:`Environment`, with the distances of the new displacements.
        """
        return self._replace(x=x, y=y, z=z, distances=jnp.sqrt(x * x + y * y + z * z))

    def sum(self, values: jax.Array) -> jax.Array:
        """The sum over real neighbours.

        Args:
            values: [..., neighbors].

        Returns:
            [...] the sum along the last axis over slots that hold a neighbour.
        """
        mask = self.mask.reshape((1,) * (values.ndim - 1) + self.mask.shape)
        return jnp.where(mask, values, jnp.zeros((), values.dtype)).sum(axis=-1)
