"""Host side of the neighbour list: exact pairs from vesin, sizes chosen from them."""

from __future__ import annotations

import math

import numpy as np

from jaxpot.neighbors import native
from jaxpot.neighbors.pairs import Pairs, all_pairs
from jaxpot.neighbors.plan import Built, Plan, Range

__all__ = ["NATIVE_FROM", "NATIVE_FROM_IN_RUNS", "allocate"]

BLOCK = 4096  # atoms that the engine evaluates at once; the list is padded to whole blocks
MOST_WRAPS = 1 << 30  # lattice vectors between an atom and the cell, an int32
SORT_FROM = 2048  # atoms; smaller systems stay in cache in any order
BRUTE_FORCE_PAIRS = 1_500_000  # comparisons of all with all that a bin search has to beat
SAMPLE = 1024  # atoms whose neighbours within the cutoff are counted
NATIVE_FROM = 4096  # atoms from which the compiled cell list is worth its seconds of compilation
NATIVE_FROM_IN_RUNS = 500  # the same for runs of thousands of steps


def completion_of(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Orthonormal vectors orthogonal to the periodic ones for the non-periodic directions; [3, 3], other rows 0."""
    completion = np.zeros((3, 3))
    basis = [cell[d] / np.linalg.norm(cell[d]) for d in range(3) if pbc[d]]
    for d in range(3):
        if pbc[d]:
            continue
        frame = np.linalg.qr(np.array(basis).T)[0].T if basis else np.zeros((0, 3))
        # the Cartesian direction that the vectors so far cover least
        rest = np.eye(3) - frame.T @ frame
        vector = rest[np.argmax(np.linalg.norm(rest, axis=1))]
        completion[d] = vector / np.linalg.norm(vector)
        basis.append(completion[d])
    return completion


def allocate(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    real: np.ndarray,
    cutoffs: tuple[float, ...],
    skin: float,
    multiplier: float,
    least: Plan | None,
    dtype: np.dtype,
    native_from: int,
) -> tuple[Plan, np.ndarray, Built]:
    """Plan, completed lattice vectors and list of one structure; arguments as in ``System``, all numpy float64;
    ``dtype`` is that of the system, from ``native_from`` atoms on the list is the compiled one."""
    atoms = len(positions)
    reach = cutoffs[0] + skin
    completion = completion_of(cell, pbc)
    full = np.where(pbc[:, None], cell, completion)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(full), axis=0)  # distance between lattice planes
    fractional = positions @ np.linalg.inv(full)
    turns = np.where(pbc & real[:, None], np.floor(fractional), 0.0)
    far = np.flatnonzero(np.abs(turns).max(axis=1, initial=0.0) > MOST_WRAPS)
    if far.size:
        raise ValueError(
            f"atom {far[0]} at {positions[far[0]].tolist()} Å lies more than {MOST_WRAPS} lattice vectors outside of "
            "the cell; wrap it into the cell"
        )
    wraps = turns.astype(np.int64)
    fractional = fractional - wraps
    margin = reach / heights

    centers = atoms if atoms <= BLOCK else math.ceil(atoms / BLOCK) * BLOCK
    ghosts, ghost_fractional = _count_ghosts(fractional, margin, pbc, real, centers)
    first, second, third = (math.ceil(margin[d] * 1.02) if pbc[d] else 0 for d in range(3))
    images = (first, second, third)
    first, second, third = (centers + math.ceil((n - centers) * multiplier) + 8 * (n > centers) for n in ghosts)
    stage_rows = (first, second, third)
    if least is not None:
        stage_rows = _at_least(stage_rows, images, atoms, least)
    compiled = atoms >= native_from and native.available()
    plan = Plan(
        cutoff=cutoffs[0],
        skin=skin,
        atoms=atoms,
        centers=centers,
        capacity=8,
        rows=stage_rows[2],
        images=images,
        stage_rows=stage_rows,
        bins=(1, 1, 1),
        bin_capacity=stage_rows[2],
        sort=compiled or atoms >= SORT_FROM,  # the compiled search is quicker for centres that are neighbours
        native=compiled,
        narrower=tuple(Range(cutoff, 8) for cutoff in cutoffs[1:]),
    )
    if plan.native:
        plan, built = _allocate_native(
            positions, fractional, wraps, real, full, margin, pbc, plan, multiplier, least, dtype
        )
        return _with_inside(plan, built, positions, full, multiplier, least), completion, built

    everything = int(real.sum()) * stage_rows[2]
    if everything > BRUTE_FORCE_PAIRS:
        bins, bin_capacity = _choose_bins(ghost_fractional, margin, pbc, multiplier)
        if least is not None and least.bins == bins:
            bin_capacity = max(bin_capacity, least.bin_capacity)
        # atoms crowded into few of the bins, as in a cluster that evaporates, make every bin large
        if 27 * math.prod(bins) * bin_capacity**2 < 4 * everything:
            plan = plan._replace(bins=bins, bin_capacity=bin_capacity)
    pairs = all_pairs(positions, cell, pbc, real, wraps, full, reach)
    counts = [np.bincount(pairs.i[pairs.distances < one.cutoff + skin], minlength=atoms) for one in plan.narrower]
    counts = [np.bincount(pairs.i, minlength=atoms), *counts]
    plan = _with_capacities(plan, [int(c.max(initial=0)) for c in counts], multiplier, least)
    built = _assemble(plan, pairs, wraps, fractional, margin, real)
    return _with_inside(plan, built, positions, full, multiplier, least), completion, built


def _with_capacities(plan: Plan, most: list[int], multiplier: float, least: Plan | None) -> Plan:
    """The plan with slots for the largest numbers of neighbours found within each range: whole groups of eight, and
    not fewer than an earlier list of the system had."""
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


def _with_inside(
    plan: Plan, built: Built, positions: np.ndarray, full: np.ndarray, multiplier: float, least: Plan | None
) -> Plan:
    """The plan with the number of slots for neighbours within each cutoff alone, from a sample of the atoms."""
    sample = np.unique(np.linspace(0, plan.atoms - 1, min(plan.atoms, SAMPLE)).astype(int))

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
    """Numbers of rows not smaller than an earlier list of the system had."""
    if least.atoms != atoms or least.images != images:
        return stage_rows
    first, second, third = (max(a, b) for a, b in zip(stage_rows, least.stage_rows, strict=True))
    return first, second, third


def _allocate_native(
    positions: np.ndarray,
    fractional: np.ndarray,
    wraps: np.ndarray,
    real: np.ndarray,
    full: np.ndarray,
    margin: np.ndarray,
    pbc: np.ndarray,
    plan: Plan,
    multiplier: float,
    least: Plan | None,
    dtype: np.dtype,
) -> tuple[Plan, Built]:
    """Plan and list by the compiled cell list: once to count the neighbours, once to fill the list."""
    positions, fractional, full, margin = (np.asarray(a, dtype) for a in (positions, fractional, full, margin))
    _, needed = native.fill(positions, fractional, wraps, real, full, margin, pbc, plan)
    plan = _with_capacities(plan, needed.tolist(), multiplier, least)
    built, _ = native.fill(positions, fractional, wraps, real, full, margin, pbc, plan)
    if built.overflow:
        raise RuntimeError(f"neighbour list overflowed while it was allocated: {plan}; please report this")
    return plan, built


def _count_ghosts(
    fractional: np.ndarray, margin: np.ndarray, pbc: np.ndarray, real: np.ndarray, centers: int
) -> tuple[list[int], np.ndarray]:
    """Rows after the images along each direction, and the fractional coordinates of all rows."""
    rows = fractional[real]
    sizes = []
    for d in range(3):
        if pbc[d]:
            copies = [rows]
            for s in range(-math.ceil(margin[d]), math.ceil(margin[d]) + 1):
                if s != 0:
                    near = (rows[:, d] + s >= -margin[d]) & (rows[:, d] + s <= 1 + margin[d])
                    copies.append(rows[near] + s * np.eye(3)[d])
            rows = np.concatenate(copies)
        sizes.append(centers + len(rows) - int(real.sum()))
    return sizes, rows


def _choose_bins(
    rows: np.ndarray, margin: np.ndarray, pbc: np.ndarray, multiplier: float
) -> tuple[tuple[int, int, int], int]:
    """Bins at least ``reach`` wide over cell and margin, and the largest occupation of one."""
    low = np.where(pbc, -margin, rows.min(axis=0))
    width = np.where(pbc, 1 + 2 * margin, np.maximum(np.ptp(rows, axis=0), 1e-9))
    # a little wider than the reach, so that a cell may shrink before the grid must change
    number = np.maximum(1, np.floor(np.minimum(width / (margin * 1.03), 1 << 20)).astype(int))
    while number.prod() > 2 * len(rows) + 64:  # a dilute system gets wider bins instead of more bins than atoms
        number[number.argmax()] = (number.max() + 1) // 2
    index = np.clip(np.floor((rows - low) / width * number).astype(int), 0, number - 1)
    flat = (index[:, 0] * number[1] + index[:, 1]) * number[2] + index[:, 2]
    most = int(np.bincount(flat).max())
    return (int(number[0]), int(number[1]), int(number[2])), math.ceil(most * multiplier) + 2


def _assemble(
    plan: Plan, pairs: Pairs, wraps: np.ndarray, fractional: np.ndarray, margin: np.ndarray, real: np.ndarray
) -> Built:
    """Rows from pairs: ghosts are the distinct shifted atoms that some atom sees."""
    atoms = plan.atoms
    order = np.arange(atoms)
    if plan.sort:
        cells = np.floor(fractional / np.maximum(margin, 1e-9)).astype(np.int64)
        order = np.lexsort((cells[:, 2], cells[:, 1], cells[:, 0], ~real))
    row_of_atom = np.empty(atoms, np.int64)
    row_of_atom[order] = np.arange(atoms)

    source = np.zeros(plan.rows, np.int32)
    offset = np.zeros((plan.rows, 3), np.int32)
    source[:atoms] = order
    offset[:atoms] = -wraps[order]

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
        last = plan.centers + len(unique)
        source[plan.centers : last] = ghost
        offset[plan.centers : last] = translation - wraps[ghost]
        neighbor[image] = plan.centers + inverse

    def table(capacity: int, chosen: np.ndarray) -> np.ndarray:
        """[centers, capacity] the neighbours of chosen pairs, which are sorted by their first atom."""
        rows = np.full((plan.centers, capacity), plan.rows, np.int32)
        i = pairs.i[chosen]
        counts = np.bincount(i, minlength=atoms)
        rows[row_of_atom[i], np.arange(len(i)) - (np.cumsum(counts) - counts)[i]] = neighbor[chosen]
        return rows

    narrower = tuple(table(one.capacity, pairs.distances < one.cutoff + plan.skin) for one in plan.narrower)
    rows = table(plan.capacity, np.ones(len(pairs.i), bool))
    return Built(rows, source, offset, row_of_atom.astype(np.int32), np.zeros((), bool), narrower)
