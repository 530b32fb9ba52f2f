"""Pads systems and neighbour lists to given sizes, so that they have few shapes and can be stacked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxpot.neighbors import Neighbors
from jaxpot.neighbors.allocation import BLOCK
from jaxpot.neighbors.plan import Plan, Range
from jaxpot.system import System, stack_systems

__all__ = ["Sizes", "pad_neighbors", "pad_system", "resized", "round_up", "sizes_used", "stacked_systems", "to_device"]


class Sizes(tuple[int, ...]):
    """The sizes that determine the shapes of a system and its list.

    They are the number of atoms, of slots for the neighbours of one atom, of ghosts (rows that are images), of waves in
    each of three directions, and of slots for the neighbours within each narrower range of the list.
    """

    def __new__(
        cls, atoms: int, capacity: int, ghosts: int, n1: int = 0, n2: int = 0, n3: int = 0, *narrower: int
    ) -> Sizes:
        return super().__new__(cls, (atoms, capacity, ghosts, n1, n2, n3, *narrower))

    def __repr__(self) -> str:
        return f"Sizes{tuple(self)}"

    @property
    def atoms(self) -> int:
        """Atoms, padded ones included."""
        return self[0]

    @property
    def capacity(self) -> int:
        """Slots for neighbours of one atom."""
        return self[1]

    @property
    def ghosts(self) -> int:
        """Rows that are images."""
        return self[2]

    @property
    def waves(self) -> tuple[int, int, int]:
        """Waves on either side, for each direction."""
        first, second, third = self[3:6]
        return first, second, third

    @property
    def narrower(self) -> tuple[int, ...]:
        """Slots of each narrower range."""
        return tuple(self[6:])

    @property
    def centers(self) -> int:
        """Number of rows for centers: the atoms, rounded up to whole blocks where there are more than one block."""
        return self.atoms if self.atoms <= BLOCK else math.ceil(self.atoms / BLOCK) * BLOCK

    @property
    def rows(self) -> int:
        """Total number of rows."""
        return self.centers + self.ghosts

    @property
    def cost(self) -> int:
        """Work of one evaluation, in slots."""
        return self.centers * (self.capacity + sum(self.narrower) + 1) + self.ghosts + 4 * math.prod(self.waves)

    def rounded(self) -> Sizes:
        """The geometric bucket: at most an eighth more of everything."""
        slots = (round_up(max(number, 1)) for number in self.narrower)
        waves = map(round_up, self.waves)
        return Sizes(round_up(self.atoms), round_up(max(self.capacity, 1)), round_up(self.ghosts), *waves, *slots)


def round_up(number: int) -> int:
    """The next of eight sizes per factor of two: 1 to 16, 18, 20 ... 32, 36 ..."""
    step = 1 << max(int(number).bit_length() - 4, 0)
    return -(-number // step) * step


def sizes_used(neighbors: Neighbors) -> Sizes:
    """The smallest sizes that hold a list."""
    rows, total = np.asarray(neighbors.rows), neighbors.source.shape[0]
    last = int(rows.max(where=rows < total, initial=-1))

    def slots(rows: np.ndarray) -> int:
        columns = np.flatnonzero((rows < total).any(axis=0))
        return int(columns[-1]) + 1 if columns.size else 0

    return Sizes(
        neighbors.row_of_atom.shape[0],
        slots(rows),
        max(last + 1 - rows.shape[0], 0),
        *neighbors.plan.waves,
        *(slots(np.asarray(narrow)) for narrow in neighbors.narrower),
    )


def pad_neighbors(
    neighbors: Neighbors, atoms: int, capacity: int, rows: int, narrower: Sequence[int] | None = None
) -> Neighbors:
    """The same list in given sizes, with a plan that depends only on these sizes, so that such lists can be stacked.

    The list is for evaluation only: its plan has no room for other ghosts, so ``update`` sets ``overflow`` in periodic
    systems.

    Args:
        neighbors: list of one structure, on the host.
        atoms: number of atoms after padding, as given to ``System.pad``.
        capacity: slots for neighbours of one atom.
        rows: total number of rows: one for each atom (in whole blocks of 4096 where there are more than 4096) and one
            for each periodic image that is a neighbour of an atom.
        narrower: slots of each narrower range of the list; ``capacity`` for all by default.

    Returns:
        The padded :class:`Neighbors`.

    Raises:
        ValueError: a size is too small for the list.

    Example:
        >>> import jaxpot
        >>> from jaxpot.batch import pad_neighbors
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=[3.0, 3.0, 3.0])
        >>> neighbors = pad_neighbors(jaxpot.neighbor_list(3.5).allocate(system), atoms=4, capacity=10, rows=20)
        >>> neighbors.others.shape, int(neighbors.mask.sum())
        ((4, 10), 6)
    """
    slots = [capacity] * len(neighbors.narrower) if narrower is None else narrower
    centers = Sizes(atoms, capacity, 0).centers
    return to_device(resized(neighbors, Sizes(atoms, capacity, rows - centers, *neighbors.plan.waves, *slots)))


def resized(neighbors: Neighbors, sizes: Sizes) -> Neighbors:
    """`pad_neighbors` with numpy leaves."""
    if neighbors.plan.other_atoms:
        raise ValueError("a list whose centers are only some of the atoms cannot be padded; allocate one for all atoms")
    used = sizes_used(neighbors)
    if len(used) != len(sizes):
        raise ValueError(
            f"the list has {len(used.narrower)} narrower ranges, but {len(sizes.narrower)} numbers of slots were given"
        )
    if any(have < need for have, need in zip(sizes, used, strict=True)):
        raise ValueError(
            f"the list needs atoms >= {used.atoms}, capacity >= {used.capacity} and rows >= "
            f"{sizes.centers + used.ghosts}, got {sizes.atoms}, {sizes.capacity} and {sizes.rows}"
            + (f"; narrower >= {list(used.narrower)}, got {list(sizes.narrower)}" if used.narrower else "")
        )
    neighbors = jax.tree.map(np.asarray, neighbors)
    source, offset = neighbors.source, neighbors.offset
    centers, total = neighbors.rows.shape[0], sizes.rows

    def moved(rows: Any, capacity: int) -> Any:
        """Slots in another shape: the rows of images follow the new number of centers, and the new total number of
        rows marks an empty slot."""
        new = np.where(rows >= centers, rows + (sizes.centers - centers), rows)
        new = np.where(rows >= source.shape[0], total, new)[: used.atoms, :capacity]
        padding = ((0, sizes.centers - used.atoms), (0, capacity - new.shape[1]))
        return np.pad(new, padding, constant_values=total).astype(np.int32)

    images = slice(sizes.centers, sizes.centers + used.ghosts)

    def extended(values: Any) -> Any:
        new = np.zeros((total, *values.shape[1:]), np.int32)
        new[: used.atoms] = values[: used.atoms]
        new[images] = values[centers : centers + used.ghosts]
        return new

    new_source = extended(source)
    new_source[used.atoms : sizes.atoms] = np.arange(used.atoms, sizes.atoms)
    new_row_of_atom: Any = np.arange(sizes.atoms, dtype=np.int32)
    new_row_of_atom[: used.atoms] = neighbors.row_of_atom
    return dataclasses.replace(
        neighbors,
        rows=moved(neighbors.rows, sizes.capacity),
        source=new_source,
        offset=extended(offset),
        row_of_atom=new_row_of_atom,
        reference_positions=lengthened(neighbors.reference_positions, sizes.atoms, np.inf),
        is_center=lengthened(neighbors.is_center, sizes.atoms, 1),
        plan=fixed_plan(
            [one.cutoff for one in neighbors.plan.ranges], neighbors.plan.skin, sizes, neighbors.plan.resolution
        ),
        narrower=tuple(map(moved, neighbors.narrower, sizes.narrower)),
    )


def fixed_plan(cutoffs: Sequence[float], skin: float, sizes: Sizes, resolution: float = 0.0) -> Plan:
    """The plan of a list that is not updated; equal sizes give equal plans."""
    return Plan(
        cutoff=cutoffs[0],
        skin=skin,
        atoms=sizes.atoms,
        centers=sizes.centers,
        capacity=sizes.capacity,
        rows=sizes.rows,
        images=(0, 0, 0),
        stage_rows=(sizes.rows, sizes.rows, sizes.rows),
        bins=(1, 1, 1),
        bin_capacity=sizes.rows,
        sort=False,
        narrower=tuple(Range(*one) for one in zip(cutoffs[1:], sizes.narrower, strict=True)),
        resolution=resolution,
        waves=sizes.waves,
    )


def lengthened(values: Any, length: int, fill: float) -> Any:
    new = np.full((length, *values.shape[1:]), fill, values.dtype)
    new[: len(values)] = values
    return new


def pad_system(system: System, atoms: int) -> System:
    """``system.pad(atoms)`` with numpy leaves."""
    return jax.tree.map(np.asarray, system).pad(atoms)


def stacked_systems(systems: Sequence[System], atoms: int) -> System:
    """Systems padded and stacked, with numpy leaves.

    Args:
        systems: at least one.
        atoms: to pad to.

    Returns:
        A :class:`System` whose leaves have a leading axis [structures].
    """
    return stack_systems([pad_system(system, atoms) for system in systems])


def to_device(tree: Any) -> Any:
    return jax.tree.map(jax.device_put, tree)
