"""Host side of the neighbour list: finds the exact pairs with vesin and chooses the capacities from them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxpot.neighbors import native
from jaxpot.neighbors.layout import choose_bins, completion_of, count_images
from jaxpot.neighbors.pairs import Pairs, all_pairs
from jaxpot.neighbors.plan import Built, Plan, Range
from jaxpot.neighbors.rebuild import FARTHEST, MOST_LATTICE_STEPS
from jaxpot.neighbors.units import warn_of_other_units
from jaxpot.neighbors.waves import choose_waves

__all__ = ["NATIVE_FROM", "NATIVE_FROM_IN_RUNS", "Request", "allocate"]

BLOCK = 4096  # atoms that the engine evaluates at once; the list is padded to whole blocks
SORT_FROM = 2048  # atoms; smaller systems stay in cache in any order
BRUTE_FORCE_PAIRS = 1_500_000  # comparisons of all rows with all; with more, a bin search is considered
SAMPLE = 1024  # atoms whose neighbours within the cutoff are counted
NATIVE_FROM = 4096  # atoms from which the compiled cell list repays its seconds of compilation
NATIVE_FROM_IN_RUNS = 500  # the same for runs of thousands of steps


class Request(NamedTuple):
    """The properties that a new list must have.

    Attributes:
        cutoffs: Å, in descending order.
        skin: Å.
        multiplier: factor by which every capacity exceeds the present need.
        least: plan of an earlier list of the system; no capacity becomes smaller than in it.
        native_from: number of atoms from which the compiled cell list is used.
        all_centers: whether all atoms are centers and always will be.
        resolution: 1/Å, the largest wave number of sums in reciprocal space; 0 where there are none.
    """

    cutoffs: tuple[float, ...]
    skin: float
    multiplier: float
    least: Plan | None
    native_from: int
    all_centers: bool
    resolution: float = 0.0


def allocate(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    real: np.ndarray,
    is_center: np.ndarray,
    dtype: np.dtype,
    request: Request,
) -> tuple[Plan, np.ndarray, Built]:
    """Plan, completion of the cell, and list of one structure.

    The arrays are those of ``System``, as numpy arrays, with float64 for positions and cell; ``dtype`` is that of the
    system itself.
    """
    atoms, least, multiplier = len(positions), request.least, request.multiplier
    reach = request.cutoffs[0] + request.skin
    completion = completion_of(cell, pbc)
    full = np.where(pbc[:, None], cell, completion)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(full), axis=0)  # distance between lattice planes
    fractional = positions @ np.linalg.inv(full)
    lattice_steps = np.where(pbc & real[:, None], np.floor(fractional), 0.0)
    _check_extent(positions, lattice_steps, real)
    wraps = lattice_steps.astype(np.int64)
    fractional = fractional - wraps
    margin = reach / heights

    centers, others = _atom_rows(int(is_center.sum()), atoms, request)
    base = centers + others
    ghosts, ghost_fractional = count_images(fractional, margin, pbc, real, base)
    first, second, third = (math.ceil(margin[d] * 1.02) if pbc[d] else 0 for d in range(3))
    images = (first, second, third)
    first, second, third = (base + math.ceil((n - base) * multiplier) + 8 * (n > base) for n in ghosts)
    stage_rows = (first, second, third)
    if least is not None:
        stage_rows = _at_least(stage_rows, images, atoms, least)
    compiled = atoms >= request.native_from and native.available()
    plan = Plan(
        cutoff=request.cutoffs[0],
        skin=request.skin,
        atoms=atoms,
        centers=centers,
        capacity=8,
        rows=stage_rows[2],
        images=images,
        stage_rows=stage_rows,
        bins=(1, 1, 1),
        bin_capacity=stage_rows[2],
        sort=compiled or atoms >= SORT_FROM,  # the compiled search is faster where successive centers are close
        native=compiled,
        narrower=tuple(Range(cutoff, 8) for cutoff in request.cutoffs[1:]),
        other_atoms=others,
        resolution=request.resolution,
        waves=_waves(positions, cell, pbc, real, reach, request),
    )
    everything = int(real.sum()) * stage_rows[2]
    if everything > BRUTE_FORCE_PAIRS:
        bins, bin_capacity = choose_bins(ghost_fractional, margin, pbc, multiplier)
        if least is not None and least.bins == bins:
            bin_capacity = max(bin_capacity, least.bin_capacity)
        # where most atoms are in a few bins, as in an evaporating cluster, bin_capacity and so every bin is large
        if 27 * math.prod(bins) * bin_capacity**2 < 4 * everything:
            plan = plan._replace(bins=bins, bin_capacity=bin_capacity)
    if plan.native:
        plan, built = _allocate_native(
            positions, fractional, wraps, real, is_center, full, margin, pbc, plan, multiplier, least, dtype
        )
        return _finished(plan, built, positions, real, full, request), completion, built

    pairs = all_pairs(positions, cell, pbc, real, wraps, full, reach)
    if not is_center.all():
        pairs = Pairs(*(values[is_center[pairs.i]] for values in pairs))
    near = [pairs.distances < one.cutoff + plan.skin for one in plan.narrower]
    most = [int(np.bincount(i).max(initial=0)) for i in (pairs.i, *(pairs.i[chosen] for chosen in near))]
    plan = _with_capacities(plan, most, multiplier, least)
    built = _assemble(plan, pairs, near, wraps, fractional, margin, real, is_center)
    return _finished(plan, built, positions, real, full, request), completion, built


def _waves(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, real: np.ndarray, reach: float, request: Request
) -> tuple[int, int, int]:
    """Numbers of waves, not smaller than those of an earlier list of the system."""
    waves, least = choose_waves(positions, cell, pbc, real, reach, request.resolution), request.least
    if least is None or least.resolution != request.resolution:
        return waves
    first, second, third = map(max, waves, least.waves)
    return first, second, third


def _check_extent(positions: np.ndarray, lattice_steps: np.ndarray, real: np.ndarray) -> None:
    """Raise ValueError where an atom is so far away that distances near it have no significant digits."""
    far = np.flatnonzero(np.abs(lattice_steps).max(axis=1, initial=0.0) > MOST_LATTICE_STEPS)
    if far.size:
        raise ValueError(
            f"atom {far[0]} at {positions[far[0]].tolist()} Å lies more than {MOST_LATTICE_STEPS} lattice vectors "
            "outside of the cell; wrap it into the cell"
        )
    far = np.flatnonzero(real & (np.abs(positions).max(axis=1, initial=0.0) > FARTHEST))
    if far.size:
        raise ValueError(
            f"atom {far[0]} at {positions[far[0]].tolist()} Å lies more than {FARTHEST:g} Å from the origin; "
            "repair the structure"
        )


def _atom_rows(number: int, atoms: int, request: Request) -> tuple[int, int]:
    """Numbers of rows for the centers and for the other atoms."""
    centers, others = atoms, 0
    if not request.all_centers:
        centers, others = (min(atoms, math.ceil(n * request.multiplier) + 8) for n in (number, atoms - number))
        if request.least is not None and request.least.atoms == atoms:
            centers = max(centers, min(atoms, request.least.centers))
            others = max(others, request.least.other_atoms)
    return centers if centers <= BLOCK else math.ceil(centers / BLOCK) * BLOCK, others


def _with_capacities(plan: Plan, most: list[int], multiplier: float, least: Plan | None) -> Plan:
    """The plan with enough slots for ``most``, the largest number of neighbours found within each range.

    Capacities are multiples of eight, and not smaller than those of an earlier list of the system.
    """
    ranges = plan.ranges
    before = least.ranges if least is not None and least.atoms == plan.atoms else ()
    for k, found in enumerate(most):
        capacity = _slots_for(found, multiplier)
        if k < len(before) and before[k].cutoff == ranges[k].cutoff:
            capacity = max(capacity, before[k].capacity)
        # a narrower range never has more neighbours
        capacity = min(capacity, ranges[k - 1].capacity) if k else capacity
        ranges = (*ranges[:k], ranges[k]._replace(capacity=capacity), *ranges[k + 1 :])
    return plan.with_ranges(ranges)


def _slots_for(most: int, multiplier: float) -> int:
    return max(8, math.ceil(most * multiplier / 8) * 8)


def _finished(
    plan: Plan, built: Built, positions: np.ndarray, real: np.ndarray, full: np.ndarray, request: Request
) -> Plan:
    """The plan with ``inside``, the slots for neighbours within each cutoff (no skin), from a sample of the atoms."""
    least, multiplier = request.least, request.multiplier
    if least is None:  # warn once, not at every reallocation of a run
        warn_of_other_units(plan, built, positions, real, full)
    central = min(plan.atoms, plan.centers)
    sample = np.unique(np.linspace(0, central - 1, min(central, SAMPLE)).astype(int))

    def place(rows: np.ndarray) -> np.ndarray:
        return positions[built.source[rows]] + built.offset[rows] @ full

    before = least.ranges if least is not None and least.atoms == plan.atoms else ()
    ranges = []
    for k, (one, all_slots) in enumerate(zip(plan.ranges, (built.rows, *built.narrower), strict=True)):
        slots = all_slots[sample]
        held = slots < plan.rows
        distances = np.linalg.norm(place(np.minimum(slots, plan.rows - 1)) - place(sample)[:, None], axis=-1)
        inside = _slots_for(int((held & (distances < one.cutoff)).sum(axis=1).max(initial=0)), multiplier)
        if k < len(before) and before[k].cutoff == one.cutoff:
            inside = max(inside, before[k].inside)
        ranges.append(one._replace(inside=min(inside, one.capacity)))
    return plan.with_ranges(tuple(ranges))


def _at_least(
    stage_rows: tuple[int, int, int], images: tuple[int, int, int], atoms: int, least: Plan
) -> tuple[int, int, int]:
    """``stage_rows``, not smaller than those of an earlier list of the system."""
    if least.atoms != atoms or least.images != images:
        return stage_rows
    first, second, third = (max(a, b) for a, b in zip(stage_rows, least.stage_rows, strict=True))
    return first, second, third


def _allocate_native(
    positions: np.ndarray,
    fractional: np.ndarray,
    wraps: np.ndarray,
    real: np.ndarray,
    is_center: np.ndarray,
    full: np.ndarray,
    margin: np.ndarray,
    pbc: np.ndarray,
    plan: Plan,
    multiplier: float,
    least: Plan | None,
    dtype: np.dtype,
) -> tuple[Plan, Built]:
    """Plan and list from two runs of the compiled cell list: one counts the neighbours, one fills the list."""
    positions, fractional, full, margin = (np.asarray(a, dtype) for a in (positions, fractional, full, margin))
    _, needed = native.fill(plan, positions, fractional, wraps, real, is_center, full, margin, pbc)
    plan = _with_capacities(plan, needed.tolist(), multiplier, least)
    built, _ = native.fill(plan, positions, fractional, wraps, real, is_center, full, margin, pbc)
    if built.overflow:
        raise RuntimeError(f"neighbour list overflowed while it was allocated: {plan}; please report this")
    return plan, built


def _assemble(
    plan: Plan,
    pairs: Pairs,
    near: list[np.ndarray],
    wraps: np.ndarray,
    fractional: np.ndarray,
    margin: np.ndarray,
    real: np.ndarray,
    is_center: np.ndarray,
) -> Built:
    """The list from pairs; ``near`` [pairs] bool selects the pairs of each narrower range.

    The images are the distinct shifted atoms that are neighbours of some center.
    """
    atoms = plan.atoms
    order = np.arange(atoms)
    if plan.sort:
        cells = np.floor(fractional / np.maximum(margin, 1e-9)).astype(np.int64)
        order = np.lexsort((cells[:, 2], cells[:, 1], cells[:, 0], ~real))
    central, others = order[is_center[order]], order[~is_center[order]]
    row_of_atom = np.empty(atoms, np.int64)
    row_of_atom[central] = np.arange(len(central))
    row_of_atom[others] = plan.centers + np.arange(len(others))

    source = np.zeros(plan.rows, np.int32)
    offset = np.zeros((plan.rows, 3), np.int32)
    source[row_of_atom] = np.arange(atoms)
    offset[row_of_atom] = -wraps

    neighbor = row_of_atom[pairs.j]
    image = pairs.shifts.any(axis=1)
    if image.any():
        base = 2 * int(np.abs(pairs.shifts).max()) + 1
        middle = base // 2
        ghost_shifts = pairs.shifts[image]
        code = ((ghost_shifts[:, 0] + middle) * base + ghost_shifts[:, 1] + middle) * base + ghost_shifts[:, 2] + middle
        unique, inverse = np.unique(code * atoms + pairs.j[image], return_inverse=True)
        ghost, code = unique % atoms, unique // atoms
        translation = np.stack([code // base**2, code // base % base, code % base], axis=1) - middle
        last = plan.atom_rows + len(unique)
        source[plan.atom_rows : last] = ghost
        offset[plan.atom_rows : last] = translation - wraps[ghost]
        neighbor[image] = plan.atom_rows + inverse

    def table(capacity: int, chosen: np.ndarray) -> np.ndarray:
        """[centers, capacity] the neighbours from the chosen pairs, which are sorted by their first atom."""
        rows = np.full((plan.centers, capacity), plan.rows, np.int32)
        i = pairs.i[chosen]
        counts = np.bincount(i, minlength=atoms)
        rows[row_of_atom[i], np.arange(len(i)) - (np.cumsum(counts) - counts)[i]] = neighbor[chosen]
        return rows

    narrower = tuple(table(one.capacity, chosen) for one, chosen in zip(plan.narrower, near, strict=True))
    rows = table(plan.capacity, np.ones(len(pairs.i), bool))
    return Built(rows, source, offset, row_of_atom.astype(np.int32), np.zeros((), bool), narrower)
