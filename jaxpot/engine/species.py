"""The species at both ends of an edge, and parameters looked up by them."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["PairSpecies"]

SELECT_UP_TO = 6  # species for which a chain of selects beats a gather from a table


class PairSpecies(NamedTuple):
    """The species at both ends of edges, and parameter lookups by them.

    Attributes:
        own: int32, species of the atoms, broadcastable to the edges.
        other: int32, species of the neighbours, of the edges' shape.
        number: how many species there are; with one, every lookup is a bare number.
    """

    own: jax.Array
    other: jax.Array
    number: int

    def pair(self, table: jax.Array) -> jax.Array:
        """Value for each edge from a number for all pairs, or from a table [species, species] taken as symmetric.

        Args:
            table: scalar or [species, species]; of a table that is not symmetric the mean of both halves counts.

        Returns:
            A scalar or one value an edge.
        """
        table = jnp.asarray(table)
        return self.directed(table if table.ndim == 0 else 0.5 * (table + table.T))

    def directed(self, table: jax.Array) -> jax.Array:
        """Value ``table[own, other]`` for each edge, from a scalar or a table [species, species].

        Args:
            table: scalar or [species, species].

        Returns:
            A scalar or one value an edge.
        """
        table = jnp.asarray(table)
        if table.ndim == 0:
            return table
        if table.shape != (self.number, self.number):
            raise ValueError(
                f"a pair parameter must be one number or a table [{self.number}, {self.number}], "
                f"got shape {list(table.shape)}"
            )
        if self.number == 1:
            return table[0, 0]
        if self.number > SELECT_UP_TO:
            return table[self.own, self.other]
        value = table[self.own, 0]
        for k in range(1, self.number):
            value = jnp.where(self.other == k, table[self.own, k], value)
        return value

    def of_other(self, values: jax.Array) -> jax.Array:
        """Value ``values[other]`` for each edge, from a scalar or one value a species.

        Args:
            values: scalar or [species].

        Returns:
            A scalar or one value an edge.
        """
        values = jnp.asarray(values)
        if values.ndim == 0:
            return values
        if self.number == 1:
            return values[0]
        if self.number > SELECT_UP_TO:
            return values[self.other]
        value = jnp.where(self.other == 0, values[0], values[1])
        for k in range(2, self.number):
            value = jnp.where(self.other == k, values[k], value)
        return value

    def swapped(self) -> PairSpecies:
        """The same edges seen from their other ends.

        Returns:
            A :class:`PairSpecies` with ``own`` and ``other`` exchanged.
        """
        return PairSpecies(self.other, self.own, self.number)
