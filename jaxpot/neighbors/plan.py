"""Static sizes of a neighbour list, and the geometry that allocation and rebuild share."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Built", "Plan", "complete_cell", "outgrown"]


class Plan(NamedTuple):
    """Everything about a list that is known when it is compiled.

    Attributes:
        cutoff: Å, without the skin.
        skin: Å.
        atoms: atoms of the system, padded ones included.
        centers: central rows: the atoms, rounded up to whole blocks of the engine.
        capacity: slots for neighbours of one atom.
        rows: rows in all: centres and ghosts.
        images: how many times the cell can repeat on either side, for each direction; 0 where it is not periodic.
        stage_rows: rows after the ghosts of each direction have been added.
        bins: number of bins in each direction, over the cell with its margin of ghosts; with (1, 1, 1) all rows are
            compared with all.
        bin_capacity: rows that one bin holds.
        sort: whether central rows are sorted in space.
        native: whether the compiled cell list rebuilds it instead of XLA's.
        inside: slots that hold the neighbours within the cutoff alone of nearly every atom: formulas that are dear
            evaluate so many where that is enough; 0 if unknown.
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

    @property
    def reach(self) -> float:
        """Radius of the list, Å: cutoff and skin."""
        return self.cutoff + self.skin


class Built(NamedTuple):
    """The arrays of a list, see :class:`jaxpot.neighbors.Neighbors`."""

    rows: Any
    source: Any
    offset: Any
    row_of_atom: Any
    overflow: Any


def complete_cell(cell: jax.Array, pbc: jax.Array, completion: jax.Array) -> jax.Array:
    """[3, 3] the cell with the vectors of non-periodic directions replaced, so that it can be inverted."""
    return jnp.where(pbc[:, None], cell, completion)


def outgrown(plan: Plan, moved: jax.Array, real: jax.Array, stretch: jax.Array) -> jax.Array:
    """Whether a pair within the cutoff may be missing from a list; also True when something is not a number.

    With A the deformation from the reference cell to the present one and d_i what atom i has moved beyond it, a pair at
    distance r <= cutoff now was at most at |A^-1| (r + 2 max|d|) when the list was built, and all pairs within
    cutoff + skin are in the list.

    Args:
        plan: of the list.
        moved: [atoms, 3] d.
        real: [atoms] bool, which of them are atoms.
        stretch: |A^-1|.

    Returns:
        Scalar bool.
    """
    most = 0.5 * (plan.reach / stretch - plan.cutoff)
    squared = jnp.where(real, jnp.sum(moved * moved, axis=1), 0.0)
    # compared one by one: XLA's maximum of 32,768 float32 numbers or more leaves out NaN on the CPU
    return jnp.logical_not((most > 0) & jnp.all(squared < most * most))
