"""The neighbour list as a pytree of arrays of fixed shape."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors.plan import Plan

__all__ = ["Neighbors", "blank"]

ROUNDING = 1e-9  # relative amount by which a requested cutoff may exceed the cutoff of a list


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Neighbors:
    """A full, dense neighbour list: every pair twice, in arrays of fixed shape.

    ``others`` and ``shifts`` present the list atom by atom: the edge from atom i to its k-th neighbour is
    ``positions[others[i, k]] + shifts[i, k] @ cell - positions[i]``. This holds in any cell; no minimum-image
    convention is used.

    The list itself is stored as *rows*, because the engine gathers positions from them. A row is an atom or a periodic
    image of an atom (a ghost), at ``positions[source] + offset @ cell``. The first rows are the centers: the atoms
    themselves, sorted in space and wrapped into the cell. A neighbour is stored as the number of its row, so an edge is
    the difference of two rows' positions. Where only some of the atoms are centers, the other atoms follow them as
    rows: they can be neighbours, but they have no neighbours of their own.

    Attributes:
        rows: [centers, capacity] int32, rows of the neighbours of each center; ``len(source)`` marks an empty slot. The
            neighbours fill the first slots.
        source: [rows] int32, the atom of each row.
        offset: [rows, 3] int32, lattice translation of a row relative to its atom's position.
        row_of_atom: [atoms] int32, the row of each atom; at least the number of centers if the atom is not a center.
        reference_positions: [atoms, 3], the positions for which the list was built; infinite for padded atoms.
        reference_cell: [3, 3], the cell for which it was built.
        completion: [3, 3], lattice vectors that replace those of non-periodic directions.
        overflow: [] bool, True when a capacity was too small or a number not finite: results with such a list are
            wrong.
        rebuilds: [] int32, how often ``update`` has rebuilt the list since it was allocated.
        is_center: [atoms] bool, the atoms whose neighbours are listed; all by default.
        plan: static capacities and cutoffs.
        narrower: like ``rows``, for each of the plan's narrower cutoffs; see :meth:`within`.
    """

    rows: jax.Array
    source: jax.Array
    offset: jax.Array
    row_of_atom: jax.Array
    reference_positions: jax.Array
    reference_cell: jax.Array
    completion: jax.Array
    overflow: jax.Array
    rebuilds: jax.Array
    is_center: jax.Array
    plan: Plan = dataclasses.field(metadata={"static": True})
    narrower: tuple[jax.Array, ...] = ()

    def __repr__(self) -> str:
        shape = self.rows.shape
        lead = f"{shape[0]} x " if len(shape) == 3 else ""
        more = "".join(f", {one.cutoff:g} Å" for one in self.plan.narrower)
        return (
            f"Neighbors({lead}{self.row_of_atom.shape[-1]} atoms, cutoff {self.cutoff:g} Å{more}, "
            f"skin {self.plan.skin:.3g} Å, {self.capacity} slots{self._state()})"
        )

    def _state(self) -> str:
        """The number of pairs, or that the list has overflowed, where this is known."""
        if any(isinstance(leaf, jax.core.Tracer) for leaf in (self.rows, self.overflow)):
            return ", traced"
        if np.any(np.asarray(self.overflow)):
            return ", overflowed"
        return f", {int((np.asarray(self.rows) < self.source.shape[-1]).sum())} pairs"

    @property
    def cutoff(self) -> float:
        """Cutoff for which the list is complete, without the skin, Å."""
        return self.plan.cutoff

    @property
    def capacity(self) -> int:
        """Number of slots for the neighbours of one atom."""
        return self.rows.shape[-1]

    @property
    def mask(self) -> jax.Array:
        """[atoms, capacity] bool, True where a slot holds a neighbour."""
        return self._slots < self.source.shape[0]

    @property
    def others(self) -> jax.Array:
        """[atoms, capacity] int32, the neighbouring atoms; the number of atoms marks an empty slot."""
        atoms = self.row_of_atom.shape[0]
        return jnp.append(self.source, jnp.int32(atoms))[self._slots]

    @property
    def shifts(self) -> jax.Array:
        """[atoms, capacity, 3] int32, lattice translations of the neighbours; 0 in empty slots."""
        table = jnp.concatenate([self.offset, jnp.zeros((1, 3), self.offset.dtype)])
        shifts = table[self._slots] - self.offset[self.row_of_atom][:, None, :]
        return jnp.where(self.mask[:, :, None], shifts, 0)

    @property
    def _slots(self) -> jax.Array:
        """[atoms, capacity] int32, the neighbours' rows in the order of the atoms."""
        return self.rows.at[self.row_of_atom].get(mode="fill", fill_value=self.source.shape[0])

    def check_all_centers(self, reason: str) -> None:
        """Raise where only some of the atoms are centers.

        Args:
            reason: why all are needed; a clause that begins the message.

        Raises:
            ValueError: the list has the neighbours of some atoms only.
        """
        if self.plan.other_atoms:
            raise ValueError(
                f"{reason}, but this list holds the neighbours of its centers only; allocate it without centers, and "
                "ignore the energies of the other atoms"
            )

    def within(self, cutoff: float) -> Neighbors:
        """The narrowest stored list that is complete for a cutoff.

        Each part of a sum of potentials evaluates only the neighbours within its own cutoff. A list that was made for
        several cutoffs stores the neighbours within each of them (plus the skin) separately and compacts them at each
        rebuild. The narrower list shares everything else with the wide list, and is up to date whenever that one is.

        Args:
            cutoff: Å.

        Returns:
            The narrower list; this list itself where no narrower one is complete for the cutoff.

        Example:
            >>> import jaxpot
            >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=[3.0, 3.0, 3.0])
            >>> neighbors = jaxpot.neighbor_list((4.5, 3.1), skin=0.1).allocate(system)
            >>> int(neighbors.mask.sum()), int(neighbors.within(3.1).mask.sum()), neighbors.within(3.1).cutoff
            (18, 6, 3.1)
        """
        ranges = self.plan.ranges
        wide_enough = [k for k, one in enumerate(ranges) if one.cutoff >= cutoff * (1 - ROUNDING)]
        chosen = max(wide_enough, default=0)
        if chosen == 0:
            return self
        return dataclasses.replace(
            self,
            rows=self.narrower[chosen - 1],
            narrower=self.narrower[chosen:],
            plan=self.plan.with_ranges(ranges[chosen:]),
        )


def blank(plan: Plan, dtype: Any) -> Neighbors:
    """An empty list with a plan's shapes, which is out of date for every system; its leaves are numpy arrays.

    Args:
        plan: cutoffs and capacities.
        dtype: of positions.

    Returns:
        The list.
    """

    def zeros(*shape: int) -> Any:
        return np.zeros(shape, np.int32)

    nowhere: Any = np.full((plan.atoms, 3), np.nan, dtype)
    cell: Any = np.full((3, 3), np.nan, dtype)
    return Neighbors(
        rows=zeros(plan.centers, plan.capacity),
        source=zeros(plan.rows),
        offset=zeros(plan.rows, 3),
        row_of_atom=zeros(plan.atoms),
        reference_positions=nowhere,
        reference_cell=cell,
        completion=cell,
        overflow=np.zeros((), bool),  # type: ignore[arg-type]
        rebuilds=np.zeros((), np.int32),  # type: ignore[arg-type]
        is_center=np.ones(plan.atoms, bool),  # type: ignore[arg-type]
        plan=plan,
        narrower=tuple(zeros(plan.centers, one.capacity) for one in plan.narrower),
    )
