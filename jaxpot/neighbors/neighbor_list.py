"""The operations of the neighbour list, such as ``allocate`` on the host and the jittable ``update``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.errors import misplaced
from jaxpot.neighbors import allocation, rebuild
from jaxpot.neighbors.neighbors import ROUNDING, Neighbors
from jaxpot.neighbors.plan import Plan
from jaxpot.neighbors.validity import check_fit, check_system_type, is_complete
from jaxpot.system import System, check_geometry

__all__ = ["HasRanges", "NeighborList", "neighbor_list"]

MOST_IMAGES = 1e6  # images of a cell within reach
MOST_PAIRS = 1e9  # 4 GB of int32


class HasRanges(Protocol):
    """Anything with cutoffs that a list can be made for, such as a potential."""

    @property
    def ranges(self) -> tuple[float, ...]:
        """Å, the distinct cutoffs of the parts, in descending order."""
        ...


class Allocate(Protocol):
    """See :class:`NeighborList`."""

    def __call__(self, system: System, centers: jax.Array | None = None) -> Neighbors: ...


class Update(Protocol):
    """See :class:`NeighborList`."""

    def __call__(self, system: System, neighbors: Neighbors, centers: jax.Array | None = None) -> Neighbors: ...


class NeighborList(NamedTuple):
    """The operations of a neighbour list with bound cutoffs and skin.

    All take ``centers``, [atoms] bool: the atoms whose neighbours are listed and whose energies are computed. The other
    atoms can be neighbours, but have no neighbours of their own. By default ``allocate`` makes all atoms centers, and
    the other operations keep the centers of the list.

    Attributes:
        allocate: ``allocate(system, centers=None) -> Neighbors``, on the host. It chooses the capacities and builds the
            list. Where centers are given, the list has room for other choices of about as many centers.
        update: ``update(system, neighbors, centers=None) -> Neighbors``, jittable. It keeps all shapes. It rebuilds the
            list when an atom has moved by half the skin relative to the cell, when the cell has strained as much, or
            when other centers are given. It sets ``overflow`` when a capacity is too small or a number is not finite.
        reallocate: ``reallocate(system, neighbors, centers=None) -> Neighbors``, on the host. It makes a new list after
            an overflow. No capacity is smaller than before, so that shapes stop changing.
        rebuild: ``rebuild(system, neighbors, centers=None) -> Neighbors``, jittable. It is ``update`` with a rebuild in
            every case.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 1.5 * k] for k in range(5)])
        >>> lists = jaxpot.neighbor_list(2.0)
        >>> neighbors = lists.allocate(system, centers=jnp.array([True, True, False, False, False]))
        >>> neighbors.mask.sum(axis=1).tolist()
        [1, 2, 0, 0, 0]
    """

    allocate: Allocate
    update: Update
    reallocate: Update
    rebuild: Update

    def __repr__(self) -> str:
        return f"NeighborList({', '.join(self._fields)})"


def neighbor_list(
    of: float | Sequence[float] | HasRanges,
    skin: float | None = None,
    capacity_multiplier: float = 1.15,
    native_from: int = allocation.NATIVE_FROM,
    resolution: float | None = None,
) -> NeighborList:
    """A neighbour list for any cell: small, skewed, partially periodic or none.

    Args:
        of: a potential, which gives its cutoff and those of its parts; or one cutoff in Å, or several. All pairs closer
            than the largest cutoff are in the list. For each of the other cutoffs, the closer pairs are also stored
            separately, and ``neighbors.within(cutoff)`` gives them.
        skin: Å, extra radius that saves rebuilds; a tenth of the largest cutoff by default. With 0 the list is rebuilt
            whenever an atom has moved.
        capacity_multiplier: factor by which every capacity that ``allocate`` chooses exceeds the present need.
        native_from: number of atoms from which numba's cell list and loops over pairs are used, where numba is
            installed and JAX runs on the CPU. They are several times faster than XLA's, but take seconds to compile:
            this pays from 500 atoms on in runs of thousands of steps (which :mod:`jaxpot.simulate` uses), but not for
            a few evaluations.
        resolution: 1/Å, the largest wave number of sums in reciprocal space, for which the list then holds the numbers
            of waves; by default that of the potential, see :attr:`jaxpot.Potential.resolution`.

    Returns:
        A :class:`NeighborList` of ``allocate``, ``update``, ``reallocate`` and ``rebuild``.

    Raises:
        ValueError: a cutoff is not a positive finite number, or the skin is negative or not finite.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=[3.0, 3.0, 3.0])
        >>> neighbors = jaxpot.neighbor_list(3.5).allocate(system)
        >>> int(neighbors.mask.sum())  # the six nearest images of the only atom, skin not counted
        6
    """
    cutoffs = _cutoffs_of(of)
    if not isinstance(skin, int | float | np.number | None):
        raise misplaced(
            "neighbor_list", skin, "the skin", "the list of a system is neighbor_list(potential).allocate(system)"
        )
    skin = 0.1 * cutoffs[0] if skin is None else float(skin)
    if not (math.isfinite(skin) and skin >= 0):
        raise ValueError(f"the skin must be a length in Å and not negative, got {skin}")
    largest_wave = float(getattr(of, "resolution", 0.0) if resolution is None else resolution)
    if not capacity_multiplier >= 1:
        raise ValueError(f"capacity_multiplier must be at least 1, got {capacity_multiplier}")

    def allocated(system: System, centers: jax.Array | None, least: Plan | None, all_centers: bool) -> Neighbors:
        request = allocation.Request(cutoffs, skin, capacity_multiplier, least, native_from, all_centers, largest_wave)
        return _allocate(system, centers, request)

    def allocate(system: System, centers: jax.Array | None = None) -> Neighbors:
        return allocated(system, centers, None, centers is None)

    def reallocate(system: System, neighbors: Neighbors, centers: jax.Array | None = None) -> Neighbors:
        all_centers = centers is None and neighbors.plan.other_atoms == 0
        chosen = neighbors.is_center if centers is None else centers
        return allocated(system, None if all_centers else chosen, neighbors.plan, all_centers)

    def update(system: System, neighbors: Neighbors, centers: jax.Array | None = None) -> Neighbors:
        check_fit(system, neighbors)
        return _updated(system, neighbors, centers)

    def rebuild(system: System, neighbors: Neighbors, centers: jax.Array | None = None) -> Neighbors:
        check_fit(system, neighbors)
        return _rebuild(system, neighbors, centers)

    return NeighborList(allocate, update, reallocate, rebuild)


def _cutoffs_of(of: float | Sequence[float] | HasRanges) -> tuple[float, ...]:
    """Distinct cutoffs in descending order."""
    given = getattr(of, "ranges", of)
    try:
        values = [float(c) for c in np.atleast_1d(np.asarray(given, dtype=np.float64))]
    except (TypeError, ValueError):
        raise ValueError(f"neighbor_list takes a potential, a cutoff in Å or several cutoffs, got {of!r}") from None
    if not values:
        raise ValueError(f"{getattr(of, 'name', 'the potential')} has no cutoff and needs no neighbour list: pass None")
    for cutoff in values:
        if not (math.isfinite(cutoff) and cutoff > 0):
            raise ValueError(f"the cutoff must be a positive length in Å, got {cutoff}")
    distinct: list[float] = []
    for cutoff in sorted(values, reverse=True):
        if not distinct or cutoff < distinct[-1] * (1 - ROUNDING):
            distinct.append(cutoff)
    return tuple(distinct)


@jax.jit  # outside of a user's jit, the branches would be compiled again in every call
def _updated(system: System, neighbors: Neighbors, centers: jax.Array | None) -> Neighbors:
    fresh = is_complete(system, neighbors)
    if centers is not None:
        fresh &= jnp.all(centers == neighbors.is_center)
    return jax.lax.cond(fresh, lambda s, n, c: n, _rebuild, system, neighbors, centers)


@jax.jit
def _rebuild(system: System, neighbors: Neighbors, centers: jax.Array | None) -> Neighbors:
    system = jax.lax.stop_gradient(system)
    is_center = neighbors.is_center if centers is None else jnp.asarray(centers, bool)
    built = rebuild.build(system, neighbors.completion, neighbors.plan, is_center)
    return dataclasses.replace(
        neighbors,
        rows=built.rows,
        source=built.source,
        offset=built.offset,
        row_of_atom=built.row_of_atom,
        reference_positions=jnp.where(system.real[:, None], system.positions, jnp.inf),
        reference_cell=system.cell.astype(neighbors.reference_cell.dtype),
        overflow=neighbors.overflow | built.overflow,
        rebuilds=neighbors.rebuilds + 1,
        is_center=is_center,
        narrower=built.narrower,
    )


def _check_images(cell: np.ndarray, pbc: np.ndarray, atoms: int, reach: float) -> None:
    """Raise ValueError where a cell is so small that its images would fill the memory, as with a wrong length unit."""
    vectors = cell[pbc]
    if not len(vectors):
        return
    # reach over the distance between lattice planes, from the periodic vectors alone
    margin = reach * np.linalg.norm(np.linalg.pinv(vectors), axis=0)
    images = float(np.prod(2.0 * np.ceil(margin) + 1.0))
    if images > MOST_IMAGES or (margin.min() > 1.0 and images * atoms**2 > MOST_PAIRS):
        raise ValueError(
            f"the cell is too small for a list of radius {reach:g} Å: it repeats some {images:.0e} times within that "
            f"radius, with {atoms} atom(s); cell {cell.tolist()}; check that the structure's lengths are in Å"
        )


def _allocate(system: System, centers: jax.Array | None, request: allocation.Request) -> Neighbors:
    check_system_type(system)
    for leaf in jax.tree.leaves((system, centers)):
        if isinstance(leaf, jax.core.Tracer):
            raise ValueError("allocate runs on the host, outside of jit, vmap and grad; use update inside")
    if system.positions.ndim != 2:
        raise ValueError(
            f"allocate takes one structure with positions [atoms, 3], got {list(system.positions.shape)}; "
            "use jaxpot.batch for several structures"
        )
    dtype, atoms = jnp.result_type(system.positions), system.positions.shape[0]
    if dtype not in (jnp.float32, jnp.float64):
        raise ValueError(f"positions must be float32 or float64, got {dtype}; cast them")
    real = np.asarray(system.species) >= 0
    positions = np.where(real[:, None], np.asarray(system.positions, dtype=np.float64), 0.0)
    cell = np.asarray(system.cell, dtype=np.float64)
    pbc = np.asarray(system.pbc, dtype=bool)
    is_center = np.ones(atoms, bool) if centers is None else np.asarray(centers)
    if is_center.shape != (atoms,) or is_center.dtype != bool:
        raise ValueError(f"centers must be bool [{atoms}], got {is_center.dtype} {list(is_center.shape)}")
    check_geometry(positions[real], cell, pbc)
    _check_images(cell, pbc, int(real.sum()), request.cutoffs[0] + request.skin)
    plan, completion, host = allocation.allocate(positions, cell, pbc, real, is_center, dtype, request)
    # one device_put of numpy arrays: operations of jnp would be compiled for every new size
    built, reference_positions, reference_cell, completion, rebuilds, is_center = jax.device_put((
        host, np.where(real[:, None], positions, np.inf).astype(dtype), cell.astype(dtype), completion.astype(dtype),
        np.zeros((), np.int32), is_center,
    ))  # fmt: skip
    return Neighbors(
        rows=built.rows,
        source=built.source,
        offset=built.offset,
        row_of_atom=built.row_of_atom,
        reference_positions=reference_positions,
        reference_cell=reference_cell,
        completion=completion,
        overflow=built.overflow,
        rebuilds=rebuilds,
        is_center=is_center,
        plan=plan,
        narrower=built.narrower,
    )
