"""The full, dense neighbour list and its two operations, ``allocate`` on the host and jittable ``update``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors import allocation, rebuild
from jaxpot.neighbors.plan import Plan, complete_cell, outgrown
from jaxpot.system import System, check_geometry

__all__ = ["NeighborList", "Neighbors", "neighbor_list"]

MOST_IMAGES = 1e6  # of a cell within the list's radius
MOST_PAIRS = 1e9  # 4 GB of int32


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Neighbors:
    """A full, dense neighbour list: every pair twice, in arrays of fixed shape.

    ``others`` and ``shifts`` are the list as one reads it: the edge from atom i to its k-th neighbour is
    ``positions[others[i, k]] + shifts[i, k] @ cell - positions[i]``, in any cell, without any minimum image.

    Stored is what the engine gathers from: *rows*. A row is an atom or a periodic image of one (a ghost), at
    ``positions[source] + offset @ cell``. The first ``centers`` rows are the atoms themselves, sorted in space and
    wrapped into the cell; a neighbour is the number of a row, so that an edge is a bare difference of two rows.

    Attributes:
        rows: [centers, capacity] int32, rows of the neighbours of each central row; ``len(source)`` marks an empty
            slot.
        source: [rows] int32, the atom that a row shows.
        offset: [rows, 3] int32, lattice translation of a row relative to its atom's position.
        row_of_atom: [atoms] int32, the central row of each atom.
        reference_positions: [atoms, 3], the positions for which the list was built.
        reference_cell: [3, 3], the cell for which it was built.
        completion: [3, 3], lattice vectors that stand in for those of non-periodic directions.
        overflow: [] bool, True when a capacity was too small: results with such a list are wrong.
        rebuilds: [] int32, how often ``update`` has rebuilt the list since it was allocated.
        plan: static capacities and cutoffs.
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
    plan: Plan = dataclasses.field(metadata={"static": True})

    @property
    def cutoff(self) -> float:
        """Cutoff for which the list is complete, without the skin, Å."""
        return self.plan.cutoff

    @property
    def capacity(self) -> int:
        """Slots for neighbours that each atom has."""
        return self.rows.shape[1]

    @property
    def mask(self) -> jax.Array:
        """[atoms, capacity] bool, True where a slot holds a neighbour."""
        return self.rows[self.row_of_atom] < self.source.shape[0]

    @property
    def others(self) -> jax.Array:
        """[atoms, capacity] int32, the neighbouring atoms; the number of atoms marks an empty slot."""
        atoms = self.row_of_atom.shape[0]
        return jnp.append(self.source, jnp.int32(atoms))[self.rows[self.row_of_atom]]

    @property
    def shifts(self) -> jax.Array:
        """[atoms, capacity, 3] int32, lattice translations of the neighbours; 0 in empty slots."""
        table = jnp.concatenate([self.offset, jnp.zeros((1, 3), self.offset.dtype)])
        shifts = table[self.rows[self.row_of_atom]] - self.offset[self.row_of_atom][:, None, :]
        return jnp.where(self.mask[:, :, None], shifts, 0)


class NeighborList(NamedTuple):
    """The two operations of a neighbour list with bound cutoff and skin.

    Attributes:
        allocate: ``allocate(system) -> Neighbors``, on the host: chooses the capacities and builds the list.
        update: ``update(system, neighbors) -> Neighbors``, jittable: keeps all shapes; rebuilds the list when an
            atom has moved by half the skin relative to the cell or the cell has strained as much; sets ``overflow``
            when a capacity is too small.
        reallocate: ``reallocate(system, neighbors) -> Neighbors``, on the host: a new list after an overflow, with
            capacities at least those of the old one, so that shapes settle.
    """

    allocate: Callable[[System], Neighbors]
    update: Callable[[System, Neighbors], Neighbors]
    reallocate: Callable[[System, Neighbors], Neighbors]


def neighbor_list(
    cutoff: float,
    skin: float | None = None,
    capacity_multiplier: float = 1.15,
    native_from: int = allocation.NATIVE_FROM,
) -> NeighborList:
    """A neighbour list for any cell: small, skewed, partially periodic or none.

    Args:
        cutoff: Å; all pairs closer than this are in the list. Usually ``potential.cutoff``.
        skin: Å, extra radius that saves rebuilds; a tenth of the cutoff by default. 0 rebuilds at every update.
        capacity_multiplier: room for growth in every capacity that ``allocate`` chooses.
        native_from: atoms from which numba's cell list and loops over pairs serve, where numba is installed and JAX
            runs on the CPU. They are several times faster than XLA's, and take seconds to compile: runs of thousands
            of steps are worth it from 500 atoms on (as :mod:`jaxpot.simulate` has it), a few evaluations are not.

    Returns:
        A :class:`NeighborList` of ``allocate``, ``update`` and ``reallocate``.

    Raises:
        ValueError: the cutoff is not a positive, the skin not a non-negative finite number.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=[3.0, 3.0, 3.0])
        >>> neighbors = jaxpot.neighbor_list(3.5).allocate(system)
        >>> int(neighbors.mask.sum())  # the six nearest images of the only atom, skin not counted
        6
    """
    cutoff = float(cutoff)
    skin = 0.1 * cutoff if skin is None else float(skin)
    if not (math.isfinite(cutoff) and cutoff > 0):
        raise ValueError(f"the cutoff must be a positive length in Å, got {cutoff}")
    if not (math.isfinite(skin) and skin >= 0):
        raise ValueError(f"the skin must be a length in Å and not negative, got {skin}")
    if not capacity_multiplier >= 1:
        raise ValueError(f"capacity_multiplier must be at least 1, got {capacity_multiplier}")

    def allocate(system: System) -> Neighbors:
        return _allocate(system, cutoff, skin, capacity_multiplier, None, native_from)

    def reallocate(system: System, neighbors: Neighbors) -> Neighbors:
        return _allocate(system, cutoff, skin, capacity_multiplier, neighbors.plan, native_from)

    def update(system: System, neighbors: Neighbors) -> Neighbors:
        _check_shapes(system, neighbors)
        return jax.lax.cond(_is_stale(system, neighbors), _rebuild, lambda s, n: n, system, neighbors)

    return NeighborList(allocate, update, reallocate)


def _check_shapes(system: System, neighbors: Neighbors) -> None:
    if system.positions.shape != neighbors.reference_positions.shape:
        raise ValueError(
            f"the list was allocated for positions of shape {list(neighbors.reference_positions.shape)}, got "
            f"{list(system.positions.shape)}; allocate a new list"
        )


def _is_stale(system: System, neighbors: Neighbors) -> jax.Array:
    """Whether a pair within the cutoff may be missing."""
    new = complete_cell(system.cell, system.pbc, neighbors.completion)
    old = complete_cell(neighbors.reference_cell, system.pbc, neighbors.completion)
    deformation = jnp.linalg.solve(old, new)
    moved = system.positions - neighbors.reference_positions @ deformation
    strain = jnp.linalg.inv(deformation) - jnp.eye(3, dtype=new.dtype)
    stretch = 1.0 + jnp.sqrt(jnp.sum(strain * strain))
    return outgrown(neighbors.plan, moved, system.real, stretch)


def _rebuild(system: System, neighbors: Neighbors) -> Neighbors:
    system = jax.lax.stop_gradient(system)
    built = rebuild.build(system, neighbors.completion, neighbors.plan)
    return dataclasses.replace(
        neighbors,
        rows=built.rows,
        source=built.source,
        offset=built.offset,
        row_of_atom=built.row_of_atom,
        reference_positions=system.positions,
        reference_cell=system.cell,
        overflow=neighbors.overflow | built.overflow,
        rebuilds=neighbors.rebuilds + 1,
    )


def _check_images(cell: np.ndarray, pbc: np.ndarray, atoms: int, reach: float) -> None:
    """Raise ValueError where a cell is so small that its images would fill the memory: lengths in the wrong unit."""
    vectors = cell[pbc]
    if not len(vectors):
        return
    # the rows' distances between lattice planes, from the lattice of the periodic vectors alone
    margin = reach * np.linalg.norm(np.linalg.pinv(vectors), axis=0)
    images = float(np.prod(2.0 * np.ceil(margin) + 1.0))
    if images > MOST_IMAGES or (margin.min() > 1.0 and images * atoms**2 > MOST_PAIRS):
        raise ValueError(
            f"the cell is too small for a list of radius {reach:g} Å: it repeats some {images:.0e} times within, with "
            f"{atoms} atom(s); cell {cell.tolist()}; check that the structure's lengths are in Å"
        )


def _allocate(
    system: System, cutoff: float, skin: float, multiplier: float, least: Plan | None, native_from: int
) -> Neighbors:
    for leaf in jax.tree.leaves(system):
        if isinstance(leaf, jax.core.Tracer):
            raise ValueError("allocate runs on the host, outside of jit, vmap and grad; use update inside")
    if system.positions.ndim != 2:
        raise ValueError(
            f"allocate takes one structure with positions [atoms, 3], got {list(system.positions.shape)}; "
            "use jaxpot.batch for several structures"
        )
    positions = np.asarray(system.positions, dtype=np.float64)
    cell = np.asarray(system.cell, dtype=np.float64)
    pbc = np.asarray(system.pbc)
    real = np.asarray(system.species) >= 0
    check_geometry(positions[real], cell, pbc)
    _check_images(cell, pbc, int(real.sum()), cutoff + skin)
    plan, completion, host = allocation.allocate(
        positions, cell, pbc, real, cutoff, skin, multiplier, least, system.positions.dtype, native_from
    )
    # all at once: operations of jnp would compile something for every new size
    rows, source, offset, row_of_atom, completion, overflow, rebuilds = jax.device_put((
        host.rows, host.source, host.offset, host.row_of_atom, completion.astype(system.positions.dtype),
        np.zeros((), bool), np.zeros((), np.int32),
    ))  # fmt: skip
    return Neighbors(
        rows=rows,
        source=source,
        offset=offset,
        row_of_atom=row_of_atom,
        reference_positions=system.positions,
        reference_cell=system.cell,
        completion=completion,
        overflow=overflow,
        rebuilds=rebuilds,
        plan=plan,
    )
