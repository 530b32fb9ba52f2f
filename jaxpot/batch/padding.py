"""Systems and neighbour lists brought to given sizes, so that their shapes are few and they can be stacked."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpot.neighbors import Neighbors
from jaxpot.neighbors.allocation import BLOCK
from jaxpot.neighbors.plan import Plan
from jaxpot.system import System

__all__ = ["Sizes", "pad_neighbors", "pad_system", "resized", "round_up", "sizes_used", "to_device"]


class Sizes(NamedTuple):
    """What fixes the shape of a system and its list; ``ghosts`` are the rows that are images."""

    atoms: int
    capacity: int
    ghosts: int

    @property
    def centers(self) -> int:
        """Central rows: the atoms, in whole blocks where they are more than one block."""
        return self.atoms if self.atoms <= BLOCK else math.ceil(self.atoms / BLOCK) * BLOCK

    @property
    def cost(self) -> int:
        """Work of one evaluation, in slots."""
        return self.centers * (self.capacity + 1) + self.ghosts

    def rounded(self) -> Sizes:
        """The geometric bucket: at most an eighth more of everything."""
        return Sizes(round_up(self.atoms), round_up(max(self.capacity, 1)), round_up(self.ghosts))


def round_up(number: int) -> int:
    """The next of eight sizes an octave: 1 to 16, 18, 20 ... 32, 36 ..."""
    step = 1 << max(int(number).bit_length() - 4, 0)
    return -(-number // step) * step


def sizes_used(neighbors: Neighbors) -> Sizes:
    """The least sizes that hold a list."""
    rows, total = np.asarray(neighbors.rows), neighbors.source.shape[0]
    filled = rows < total
    columns = np.flatnonzero(filled.any(axis=0))
    last = int(rows.max(where=filled, initial=-1))
    return Sizes(
        neighbors.row_of_atom.shape[0],
        int(columns[-1]) + 1 if columns.size else 0,
        max(last + 1 - rows.shape[0], 0),
    )


def pad_neighbors(neighbors: Neighbors, atoms: int, capacity: int, rows: int) -> Neighbors:
    """The same list in given sizes, with a plan that depends on nothing else: lists of equal sizes can be stacked.

    Such a list is for evaluation: its plan has no room for other ghosts, so that ``update`` sets ``overflow`` in
    periodic systems.

    Args:
        neighbors: list of one structure, on the host.
        atoms: number of atoms after padding, as given to ``System.pad``.
        capacity: slots for neighbours of one atom.
        rows: rows in all: one for each atom (in whole blocks of 4096 where there are more than 4096) and one for each
            periodic image in sight of an atom.

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
    sizes = Sizes(atoms, capacity, 0)
    return to_device(resized(neighbors, sizes._replace(ghosts=rows - sizes.centers)))


def resized(neighbors: Neighbors, sizes: Sizes) -> Neighbors:
    """`pad_neighbors` with numpy leaves."""
    used = sizes_used(neighbors)
    if any(have < need for have, need in zip(sizes, used, strict=True)):
        raise ValueError(
            f"the list needs atoms >= {used.atoms}, capacity >= {used.capacity} and rows >= "
            f"{sizes.centers + used.ghosts}, got {sizes.atoms}, {sizes.capacity} and {sizes.centers + sizes.ghosts}"
        )
    neighbors = jax.tree.map(np.asarray, neighbors)
    rows, source, offset = neighbors.rows, neighbors.source, neighbors.offset
    centers, total = rows.shape[0], sizes.centers + sizes.ghosts
    # images move behind the new central rows; the number of rows, which marks an empty slot, is another one
    moved = np.where(rows >= centers, rows + (sizes.centers - centers), rows)
    moved = np.where(rows >= source.shape[0], total, moved)[: used.atoms, : sizes.capacity]
    new_rows: Any = np.full((sizes.centers, sizes.capacity), total, np.int32)
    new_rows[: used.atoms, : moved.shape[1]] = moved
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
        rows=new_rows,
        source=new_source,
        offset=extended(offset),
        row_of_atom=new_row_of_atom,
        reference_positions=lengthened(neighbors.reference_positions, sizes.atoms, 0),
        plan=fixed_plan(neighbors.plan.cutoff, neighbors.plan.skin, sizes),
    )


def fixed_plan(cutoff: float, skin: float, sizes: Sizes) -> Plan:
    """The plan of a list that is not updated, so that equal sizes give equal plans."""
    rows = sizes.centers + sizes.ghosts
    return Plan(
        cutoff=cutoff,
        skin=skin,
        atoms=sizes.atoms,
        centers=sizes.centers,
        capacity=sizes.capacity,
        rows=rows,
        images=(0, 0, 0),
        stage_rows=(rows, rows, rows),
        bins=(1, 1, 1),
        bin_capacity=rows,
        sort=False,
    )


def lengthened(values: Any, length: int, fill: float) -> Any:
    new = np.full((length, *values.shape[1:]), fill, values.dtype)
    new[: len(values)] = values
    return new


def pad_system(system: System, atoms: int) -> System:
    """``system.pad(atoms)`` with numpy leaves: nothing is compiled for sizes that occur once."""
    host = jax.tree.map(np.asarray, system)
    return dataclasses.replace(
        host, positions=lengthened(host.positions, atoms, 0), species=lengthened(host.species, atoms, -1)
    )


def to_device(tree: Any) -> Any:
    return jax.tree.map(jax.device_put, tree)
