"""The species at both ends of an edge, and parameters looked up by them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["PairSpecies"]

SELECT_UP_TO = 6  # species for which a chain of selects beats a gather from a table


@dataclasses.dataclass(eq=False)
class _Notes:
    """A record of what a formula has used; shared by all copies of a :class:`PairSpecies`."""

    ends_differ: bool = False


@jax.tree_util.register_pytree_node_class
class PairSpecies:
    """The species at both ends of edges, and parameter lookups by them.

    It records whether a formula has distinguished the two ends of an edge. A formula that uses only :meth:`pair` and
    :meth:`product` does not, and has the same value from both ends; the engine then evaluates it once.

    Attributes:
        number: how many species there are; with one, every lookup gives a single number.
        ends_differ: whether a formula has distinguished the ends.

    Args:
        own: int32, species of the atoms, broadcastable to the edges.
        other: int32, species of the neighbours, of the edges' shape.
        number: of species.
        data: by name, values of the system's extras for the atoms and for their neighbours.
        notes: the record of what the formula has used, shared by all copies.
    """

    def __init__(
        self,
        own: jax.Array,
        other: jax.Array,
        number: int,
        data: Mapping[str, tuple[jax.Array, jax.Array]] | None = None,
        notes: _Notes | None = None,
    ) -> None:
        self._own, self._other, self.number, self._data = own, other, number, dict(data or {})
        self._notes = _Notes() if notes is None else notes

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[int, _Notes]]:
        """Leaves and static part, for JAX."""
        return (self._own, self._other, self._data), (self.number, self._notes)

    @classmethod
    def tree_unflatten(cls, static: tuple[int, _Notes], leaves: tuple[Any, ...]) -> PairSpecies:
        """The record from ``static`` part and ``leaves``, for JAX."""
        own, other, data = leaves
        return cls(own, other, static[0], data, static[1])

    @property
    def own(self) -> jax.Array:
        """int32, species of the atoms, broadcastable to the edges."""
        self._notes.ends_differ = True
        return self._own

    @property
    def other(self) -> jax.Array:
        """int32, species of the neighbours, of the edges' shape."""
        self._notes.ends_differ = True
        return self._other

    @property
    def ends_differ(self) -> bool:
        """Whether a formula has distinguished the two ends of the edges."""
        return self._notes.ends_differ and (self.number > 1 or bool(self._data))

    def product(self, name: str) -> jax.Array:
        """The product of an atom's and its neighbour's data, such as q_i q_j, the same from both ends.

        Args:
            name: of data that the potential ``needs``, such as ``"charges"``.

        Returns:
            One value per edge.
        """
        own, other = self._data[name]
        return own * other

    def ends(self, name: str) -> tuple[jax.Array, jax.Array]:
        """An atom's and its neighbour's data.

        Args:
            name: of data that the potential ``needs``, such as ``"charges"``.

        Returns:
            Both, broadcastable to the edges.
        """
        self._notes.ends_differ = True
        return self._data[name]

    def pair(self, table: jax.Array) -> jax.Array:
        """Value for each edge from a number for all pairs, or from a symmetric table [species, species].

        Args:
            table: scalar or [species, species]; a table that is not symmetric is replaced by (table + table^T) / 2.

        Returns:
            A scalar or one value per edge.
        """
        table = jnp.asarray(table)
        return self._looked_up(table if table.ndim == 0 else 0.5 * (table + table.T))

    def directed(self, table: jax.Array) -> jax.Array:
        """Value ``table[own, other]`` for each edge, from a scalar or a table [species, species].

        Args:
            table: scalar or [species, species].

        Returns:
            A scalar or one value per edge.
        """
        table = jnp.asarray(table)
        self._notes.ends_differ |= table.ndim > 0
        return self._looked_up(table)

    def _looked_up(self, table: jax.Array) -> jax.Array:
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
            return table[self._own, self._other]
        value = table[self._own, 0]
        for k in range(1, self.number):
            value = jnp.where(self._other == k, table[self._own, k], value)
        return value

    def of_other(self, values: jax.Array) -> jax.Array:
        """Value ``values[other]`` for each edge, from a scalar or one value per species.

        Args:
            values: scalar or [species].

        Returns:
            A scalar or one value per edge.
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
        swapped = {name: (other, own) for name, (own, other) in self._data.items()}
        return PairSpecies(self._other, self._own, self.number, swapped)
