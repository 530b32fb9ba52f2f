"""The formulas of an angular potential, without positions and lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["AngularFormulas", "Around", "Bond", "Edge", "Lookup", "Triple"]


class Lookup(Mapping[str, jax.Array]):
    """Named parameters, looked up for the species of an atom, a pair or an angle when a formula asks for them.

    A parameter is one number, or a table over species:

    ============================ ============= ==================== ==================
    table                        for an atom i for a pair i-j       for an angle j-i-k
    ============================ ============= ==================== ==================
    [species]                    [i]           [i]                  [i]
    [species, species]                         [i, j]               of ``ij.p``, ``ik.p``
    [species, species, species]                [i, j, j]            [i, j, k]
    ============================ ============= ==================== ==================

    Args:
        params: names and values.
        species: int32, the species of the center, and of its neighbour or neighbours; shapes that can be broadcast.
        number: of species.
    """

    def __init__(self, params: Mapping[str, Any], species: tuple[jax.Array, ...], number: int) -> None:
        self._params, self._species, self._number = params, species, number

    def __getitem__(self, name: str) -> jax.Array:
        table = jnp.asarray(self._params[name])
        if table.ndim == 0:
            return table
        own, *others = self._species
        places = {1: [own]}
        if len(others) == 1:
            places |= {2: [own, *others], 3: [own, *others, *others]}
        elif others:
            places |= {3: [own, *others]}
        if table.ndim not in places or table.shape != (self._number,) * table.ndim:
            for_what = ("an atom", "a pair", "an angle")[len(others)]
            raise ValueError(
                f"{name} has shape {list(table.shape)}, which gives no number for {for_what} of {self._number} "
                "species; see jaxpot.angular_potential for the tables that do"
            )
        if self._number == 1:
            return table.reshape(())
        index = jnp.zeros((), own.dtype)
        for one in places[table.ndim]:
            index = index * self._number + one
        return table.reshape(-1).at[index].get(mode="promise_in_bounds")

    def __contains__(self, name: object) -> bool:
        return name in self._params

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)


class Edge(NamedTuple):
    """One of the two edges that form an angle.

    Attributes:
        r: Å, its length.
        p: the parameters of the pair at its ends, a :class:`Lookup`.
    """

    r: jax.Array
    p: Lookup


Bond = Callable[[Lookup, jax.Array, Any, Any], jax.Array]
Around = Callable[[Lookup, Edge, Edge, jax.Array, Any], Any]
Triple = Callable[[Lookup, Edge, Edge, jax.Array, Any], jax.Array]


class AngularFormulas(NamedTuple):
    """The formulas of :func:`jaxpot.angular_potential`, None for parts that a potential does not have.

    Attributes:
        bond: V.
        around: g.
        triple: T.
        coordination: f.
        atom: F.
        cutoff: Å.
        triple_cutoff: Å, of angles.
        species: how many kinds of atoms there are.
    """

    bond: Bond | None
    around: Around | None
    triple: Triple | None
    coordination: Callable[[Lookup, jax.Array], Any] | None
    atom: Callable[[Lookup, Any], jax.Array] | None
    cutoff: float
    triple_cutoff: float
    species: int
