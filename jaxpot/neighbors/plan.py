"""The static part of a neighbour list: cutoffs, capacities and shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Built", "Plan", "Range", "complete_cell"]


GROWTH = 1.25  # factor by which capacities grow where the structure does not determine what is needed


class Range(NamedTuple):
    """A cutoff of the list and its capacities; the list stores the neighbours within each range separately.

    Attributes:
        cutoff: Å, without the skin.
        capacity: slots for the neighbours of one atom within cutoff + skin.
        inside: slots that are enough for the neighbours within the cutoff, without the skin, of nearly every atom; 0 if
            unknown.
    """

    cutoff: float
    capacity: int
    inside: int = 0


class Plan(NamedTuple):
    """Everything about a list that is known when it is compiled.

    Attributes:
        cutoff: Å, without the skin.
        skin: Å.
        atoms: atoms of the system, padded ones included.
        centers: rows for centers, rounded up to whole blocks of the engine.
        capacity: slots for the neighbours of one atom.
        rows: total number of rows: centers, other atoms and images.
        images: how many times the cell can repeat on either side, for each direction; 0 where it is not periodic.
        stage_rows: number of rows after the images along each direction have been added.
        bins: number of bins in each direction, over the cell and its margin of images; with (1, 1, 1) every row is
            compared with every other.
        bin_capacity: room for rows in one bin.
        sort: whether the centers are sorted in space.
        native: whether the compiled cell list rebuilds the list, instead of XLA.
        inside: slots that are enough for the neighbours within the cutoff, without the skin, of nearly every atom;
            costly formulas evaluate only these slots while they are enough. 0 if unknown.
        narrower: shorter cutoffs whose neighbours the list stores separately, in descending order.
        other_atoms: rows for atoms that are not centers; 0 where all atoms are centers.
        resolution: 1/Å, the largest wave number of sums in reciprocal space; 0 where there are none.
        waves: how many waves such sums have on either side, for each direction.
    """

    cutoff: float
    skin: float
    atoms: int
    centers: int
    capacity: int
    rows: int
    images: tuple[int, int, int]
    stage_rows: tuple[int, int, int]
    bins: tuple[int, int, int]
    bin_capacity: int
    sort: bool
    native: bool = False
    inside: int = 0
    narrower: tuple[Range, ...] = ()
    other_atoms: int = 0
    resolution: float = 0.0
    waves: tuple[int, int, int] = (0, 0, 0)

    @property
    def atom_rows(self) -> int:
        """Number of rows before the images: centers and other atoms."""
        return self.centers + self.other_atoms

    @property
    def reach(self) -> float:
        """Radius of the list, Å: cutoff + skin."""
        return self.cutoff + self.skin

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The list's own cutoff and the narrower cutoffs, in descending order."""
        return (Range(self.cutoff, self.capacity, self.inside), *self.narrower)

    def with_ranges(self, ranges: tuple[Range, ...]) -> Plan:
        """The plan with other cutoffs and capacities; the first range is the list's own."""
        first, *rest = ranges
        return self._replace(cutoff=first.cutoff, capacity=first.capacity, inside=first.inside, narrower=tuple(rest))

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Plan:
        """The plan from its ``_asdict()``, as read from JSON, where tuples have become lists."""
        known: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in fields.items()}
        return cls(**known)._replace(narrower=tuple(Range(*one) for one in known["narrower"]))

    def enlarged(self) -> Plan:
        """A plan in which every capacity is larger."""

        def more(number: int, base: int = 0) -> int:
            return number if number <= base else base + math.ceil((number - base) * GROWTH) + 8

        def wider(one: Range) -> Range:
            return one._replace(capacity=math.ceil(more(one.capacity) / 8) * 8)

        first, second, third = (more(rows, self.atom_rows) for rows in self.stage_rows)
        a, b, c = (math.ceil(GROWTH * number) for number in self.waves)
        return self.with_ranges(tuple(map(wider, self.ranges)))._replace(
            stage_rows=(first, second, third),
            rows=third,
            bin_capacity=third if self.bins == (1, 1, 1) else more(self.bin_capacity),
            waves=(a, b, c),
        )


class Built(NamedTuple):
    """The arrays of a list, see :class:`jaxpot.neighbors.Neighbors`."""

    rows: Any
    source: Any
    offset: Any
    row_of_atom: Any
    overflow: Any
    narrower: Any = ()


def complete_cell(cell: jax.Array, pbc: jax.Array, completion: jax.Array) -> jax.Array:
    """[3, 3] the cell with the vectors of non-periodic directions replaced, so that it can be inverted."""
    return jnp.where(pbc[:, None], cell, completion)
