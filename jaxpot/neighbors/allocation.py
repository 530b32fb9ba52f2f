"""Host side of the neighbour list: exact pairs from vesin, sizes chosen from them."""

from __future__ import annotations

import math

import numpy as np

from jaxpot.neighbors import native
from jaxpot.neighbors.plan import Built, Plan

__all__ = ["NATIVE_FROM", "NATIVE_FROM_IN_RUNS", "allocate"]

BLOCK = 4096  # atoms that the engine evaluates at once; the list is padded to whole blocks
MOST_WRAPS = 1 << 30  # lattice vectors between an atom and the cell, an int32
SORT_FROM = 2048  # atoms; smaller systems stay in cache in any order
BRUTE_FORCE_PAIRS = 1_500_000  # comparisons of all with all that a bin search has to beat
SAMPLE = 1024  # atoms whose neighbours within the cutoff are counted
VESIN_BINS = 5e4  # half the most that vesin lets its grid have
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
    cutoff: float,
    skin: float,
    multiplier: float,
    least: Plan | None,
    dtype: np.dtype,
    native_from: int,
) -> tuple[Plan, np.ndarray, Built]:
    """Plan, completed lattice vectors and list of one structure; arguments as in ``System``, all numpy float64;
    ``dtype`` is that of the system, from ``native_from`` atoms on the list is the compiled one."""
    atoms = len(positions)
    reach = cutoff + skin
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
        cutoff=cutoff,
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
    i, j, shifts = _pairs(positions, cell, pbc, real, wraps, full, reach)
    counts = np.bincount(i, minlength=atoms)
    plan = plan._replace(capacity=_capacity(int(counts.max(initial=0)), multiplier, atoms, least))
    built = _assemble(plan, i, j, shifts, counts, wraps, fractional, margin, real)
    return _with_inside(plan, built, positions, full, multiplier, least), completion, built


def _with_inside(
    plan: Plan, built: Built, positions: np.ndarray, full: np.ndarray, multiplier: float, least: Plan | None
) -> Plan:
    """The plan with the number of slots for neighbours within the cutoff alone, from a sample of the atoms."""
    sample = np.unique(np.linspace(0, plan.atoms - 1, min(plan.atoms, SAMPLE)).astype(int))
    slots = built.rows[sample]
    held = slots < plan.rows
    slots = np.minimum(slots, plan.rows - 1)

    def place(rows: np.ndarray) -> np.ndarray:
        return positions[built.source[rows]] + built.offset[rows] @ full

    distances = np.linalg.norm(place(slots) - place(sample)[:, None], axis=-1)
    most = int((held & (distances < plan.cutoff)).sum(axis=1).max(initial=0))
    inside = max(8, math.ceil(most * multiplier / 8) * 8)
    if least is not None and least.atoms == plan.atoms:
        inside = max(inside, least.inside)
    return plan._replace(inside=min(inside, plan.capacity))


def _capacity(most: int, multiplier: float, atoms: int, least: Plan | None) -> int:
    """Slots for neighbours: whole groups of eight, and not fewer than an earlier list of the system had."""
    capacity = max(8, math.ceil(most * multiplier / 8) * 8)
    return max(capacity, least.capacity) if least is not None and least.atoms == atoms else capacity


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
    _, most, _ = native.fill(positions, fractional, wraps, real, full, margin, pbc, plan)
    plan = plan._replace(capacity=_capacity(most, multiplier, plan.atoms, least))
    built, _, _ = native.fill(positions, fractional, wraps, real, full, margin, pbc, plan)
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


def _pairs(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    real: np.ndarray,
    wraps: np.ndarray,
    full: np.ndarray,
    reach: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All directed pairs (i, j) within reach, sorted by i, and the shifts between the wrapped atoms."""
    from vesin import NeighborList as VesinList

    index = np.flatnonzero(real)
    if not index.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.int64)
    wrapped = positions[index] - wraps[index] @ full
    if _flat(wrapped, full, pbc, reach):
        i, j, shifts = _pairs_by_tree(wrapped, full, pbc, reach)
    else:
        i, j, shifts = VesinList(cutoff=reach, full_list=True, sorted=False).compute(
            points=wrapped, box=np.where(pbc[:, None], cell, 0.0), periodic=pbc.tolist(), quantities="ijS"
        )
    order = np.argsort(i, kind="stable")
    return index[i[order].astype(np.int64)], index[j[order].astype(np.int64)], shifts[order].astype(np.int64)


def _flat(wrapped: np.ndarray, full: np.ndarray, pbc: np.ndarray, reach: float) -> bool:
    """Whether a structure is so much thinner than wide that vesin's grid, made coarser to bound its memory, would get
    no bin at all across it: vesin divides by zero then, which ends the process."""
    inverse = np.linalg.inv(full)
    extent = np.where(pbc, 1.0, np.ptp(wrapped @ inverse, axis=0)) / np.linalg.norm(inverse, axis=0)
    number = np.maximum(1.0, extent / reach)
    return bool(number.prod() > VESIN_BINS and number.min() * (VESIN_BINS / number.prod()) ** (1 / 3) < 4)


def _pairs_by_tree(
    wrapped: np.ndarray, full: np.ndarray, pbc: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What vesin gives, by a tree of the atoms and their images."""
    from scipy.spatial import cKDTree

    inverse = np.linalg.inv(full)
    margin = reach * np.linalg.norm(inverse, axis=0)
    fractional = wrapped @ inverse
    source, shifts = np.arange(len(wrapped)), np.zeros((len(wrapped), 3), np.int64)
    for d in np.flatnonzero(pbc):
        steps = np.arange(-math.ceil(margin[d]), math.ceil(margin[d]) + 1)
        moved = fractional[source, d] + steps[:, None]
        step, row = np.nonzero((moved >= -margin[d]) & (moved <= 1 + margin[d]))
        source, shifts = source[row], shifts[row] + np.eye(3, dtype=np.int64)[d] * steps[step][:, None]
    images = cKDTree(wrapped[source] + shifts @ full)
    found = cKDTree(wrapped).sparse_distance_matrix(images, reach, output_type="ndarray")
    found = found[found["v"] < reach]
    i, j, shifts = found["i"], source[found["j"]], shifts[found["j"]]
    others = (i != j) | shifts.any(axis=1)
    return i[others], j[others], shifts[others]


def _assemble(
    plan: Plan,
    i: np.ndarray,
    j: np.ndarray,
    shifts: np.ndarray,
    counts: np.ndarray,
    wraps: np.ndarray,
    fractional: np.ndarray,
    margin: np.ndarray,
    real: np.ndarray,
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

    neighbor = row_of_atom[j]
    image = shifts.any(axis=1)
    if image.any():
        base = 2 * int(np.abs(shifts).max()) + 1
        middle = base // 2
        ghost_shifts = shifts[image]
        code = ((ghost_shifts[:, 0] + middle) * base + ghost_shifts[:, 1] + middle) * base + ghost_shifts[:, 2] + middle
        unique, inverse = np.unique(code * atoms + j[image], return_inverse=True)
        ghost, code = unique % atoms, unique // atoms
        translation = np.stack([code // base**2, code // base % base, code % base], axis=1) - middle
        last = plan.centers + len(unique)
        source[plan.centers : last] = ghost
        offset[plan.centers : last] = translation - wraps[ghost]
        neighbor[image] = plan.centers + inverse
    rows = np.full((plan.centers, plan.capacity), plan.rows, np.int32)
    starts = np.cumsum(counts) - counts
    rows[row_of_atom[i], np.arange(len(i)) - starts[i]] = neighbor
    return Built(rows, source, offset, row_of_atom.astype(np.int32), False)
