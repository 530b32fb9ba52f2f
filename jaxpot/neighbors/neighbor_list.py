"""The full, dense neighbour list and its two operations, ``allocate`` on the host and jittable ``update``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors import allocation, rebuild
from jaxpot.neighbors.neighbors import ROUNDING, Neighbors
from jaxpot.neighbors.plan import Plan
from jaxpot.neighbors.validity import check_fit, is_complete
from jaxpot.system import System, check_geometry

__all__ = ["HasRanges", "NeighborList", "neighbor_list"]

MOST_IMAGES = 1e6  # of a cell within the list's radius
MOST_PAIRS = 1e9  # 4 GB of int32


class HasRanges(Protocol):
    """What a list is made for, such as a potential."""

    @property
    def ranges(self) -> tuple[float, ...]:
        """Å, the distinct cutoffs of its parts, in descending order."""
        ...


class NeighborList(NamedTuple):
    """The operations of a neighbour list with bound cutoffs and skin.

    Attributes:
        allocate: ``allocate(system) -> Neighbors``, on the host: chooses the capacities and builds the list.
        update: ``update(system, neighbors) -> Neighbors``, jittable: keeps all shapes; rebuilds the list when an
            atom has moved by half the skin relative to the cell or the cell has strained as much; sets ``overflow``
            when a capacity is too small or a number is not finite.
        reallocate: ``reallocate(system, neighbors) -> Neighbors``, on the host: a new list after an overflow, with
            capacities at least those of the old one, so that shapes settle.
        rebuild: ``rebuild(system, neighbors) -> Neighbors``, jittable: as ``update``, but builds the list anew in any
            case.
    """

    allocate: Callable[[System], Neighbors]
    update: Callable[[System, Neighbors], Neighbors]
    reallocate: Callable[[System, Neighbors], Neighbors]
    rebuild: Callable[[System, Neighbors], Neighbors]


def neighbor_list(
    of: float | Sequence[float] | HasRanges,
    skin: float | None = None,
    capacity_multiplier: float = 1.15,
    native_from: int = allocation.NATIVE_FROM,
) -> NeighborList:
    """A neighbour list for any cell: small, skewed, partially periodic or none.

    Args:
        of: a potential, whose cutoff is taken and those of its parts; or a cutoff in Å, or several. All pairs closer
            than the largest cutoff are in the list; those closer than each of the others are also held apart, and
            ``neighbors.within(cutoff)`` gives them.
        skin: Å, extra radius that saves rebuilds; a tenth of the largest cutoff by default. 0 rebuilds whenever
            anything has moved.
        capacity_multiplier: room for growth in every capacity that ``allocate`` chooses.
        native_from: atoms from which numba's cell list and loops over pairs serve, where numba is installed and JAX
            runs on the CPU. They are several times faster than XLA's, and take seconds to compile: runs of thousands
            of steps are worth it from 500 atoms on (as :mod:`jaxpot.simulate` has it), a few evaluations are not.

    Returns:
        A :class:`NeighborList` of ``allocate``, ``update``, ``reallocate`` and ``rebuild``.

    Raises:
        ValueError: a cutoff is not a positive, the skin not a non-negative finite number.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=[3.0, 3.0, 3.0])
        >>> neighbors = jaxpot.neighbor_list(3.5).allocate(system)
        >>> int(neighbors.mask.sum())  # the six nearest images of the only atom, skin not counted
        6
    """
    cutoffs = _cutoffs_of(of)
    skin = 0.1 * cutoffs[0] if skin is None else float(skin)
    if not (math.isfinite(skin) and skin >= 0):
        raise ValueError(f"the skin must be a length in Å and not negative, got {skin}")
    if not capacity_multiplier >= 1:
        raise ValueError(f"capacity_multiplier must be at least 1, got {capacity_multiplier}")

    def allocate(system: System) -> Neighbors:
        return _allocate(system, cutoffs, skin, capacity_multiplier, None, native_from)

    def reallocate(system: System, neighbors: Neighbors) -> Neighbors:
        return _allocate(system, cutoffs, skin, capacity_multiplier, neighbors.plan, native_from)

    def update(system: System, neighbors: Neighbors) -> Neighbors:
        return jax.lax.cond(is_complete(system, neighbors), lambda s, n: n, _rebuild, system, neighbors)

    def rebuild(system: System, neighbors: Neighbors) -> Neighbors:
        check_fit(system, neighbors)
        return _rebuild(system, neighbors)

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


def _rebuild(system: System, neighbors: Neighbors) -> Neighbors:
    system = jax.lax.stop_gradient(system)
    built = rebuild.build(system, neighbors.completion, neighbors.plan)
    return dataclasses.replace(
        neighbors,
        rows=built.rows,
        source=built.source,
        offset=built.offset,
        row_of_atom=built.row_of_atom,
        reference_positions=jnp.where(system.real[:, None], system.positions, jnp.inf),
        reference_cell=system.cell,
        overflow=neighbors.overflow | built.overflow,
        rebuilds=neighbors.rebuilds + 1,
        narrower=built.narrower,
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
    system: System, cutoffs: tuple[float, ...], skin: float, multiplier: float, least: Plan | None, native_from: int
) -> Neighbors:
    for leaf in jax.tree.leaves(system):
        if isinstance(leaf, jax.core.Tracer):
            raise ValueError("allocate runs on the host, outside of jit, vmap and grad; use update inside")
    if system.positions.ndim != 2:
        raise ValueError(
            f"allocate takes one structure with positions [atoms, 3], got {list(system.positions.shape)}; "
            "use jaxpot.batch for several structures"
        )
    dtype = system.positions.dtype
    positions = np.asarray(system.positions, dtype=np.float64)
    cell = np.asarray(system.cell, dtype=np.float64)
    pbc = np.asarray(system.pbc, dtype=bool)
    real = np.asarray(system.species) >= 0
    check_geometry(positions[real], cell, pbc)
    _check_images(cell, pbc, int(real.sum()), cutoffs[0] + skin)
    plan, completion, host = allocation.allocate(
        positions, cell, pbc, real, cutoffs, skin, multiplier, least, dtype, native_from
    )
    # all at once: operations of jnp would compile something for every new size
    built, reference_positions, reference_cell, completion, rebuilds = jax.device_put((
        host, np.where(real[:, None], positions, np.inf).astype(dtype), cell.astype(dtype), completion.astype(dtype),
        np.zeros((), np.int32),
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
        plan=plan,
        narrower=built.narrower,
    )
