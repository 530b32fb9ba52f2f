"""The list rebuilt under jit, in fixed shapes: ghosts, bins, distances, compaction.

All steps are O(atoms). The rows (atoms and ghosts) are sorted into bins at least as wide as the reach. Each bin is
compared with itself and the 26 bins around it, one batch of bins at a time, so that temporaries stay small. A
comparison leaves one bit per pair; the slots of the list are then filled by counting bits.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors import native
from jaxpot.neighbors.plan import Built, Plan, complete_cell
from jaxpot.neighbors.validity import inverse_of
from jaxpot.neighbors.waves import enough_waves
from jaxpot.numerics.native_choice import native_or_traced
from jaxpot.system import System

__all__ = ["FARTHEST", "MOST_LATTICE_STEPS", "build"]

FARTHEST = 1e12  # Å, the largest coordinate of an atom that a list takes
MOST_LATTICE_STEPS = 1 << 30  # lattice vectors between an atom and the cell; must fit an int32
BATCH_PAIRS = 1 << 21  # comparisons in memory at once


def build(system: System, completion: jax.Array, plan: Plan, is_center: jax.Array) -> Built:
    """The list of a system in ``plan``'s sizes.

    ``overflow`` is True when one of the sizes was too small, or a number is not finite.
    """
    positions, dtype = system.positions, system.positions.dtype
    # numba's programs read memory as the types they were compiled for, so the system's types are made those
    pbc = system.pbc.astype(bool)
    full = complete_cell(system.cell.astype(dtype), pbc, completion.astype(dtype))
    inverse = inverse_of(full)
    margin = plan.reach * jnp.linalg.norm(inverse, axis=0)  # reach over the distance between lattice planes
    fractional = positions @ inverse
    lattice_steps = jnp.where(pbc[None, :], jnp.floor(fractional), 0.0)
    possible = _can_build(positions, lattice_steps, margin, pbc, system.real, plan)
    if plan.resolution:
        possible &= enough_waves(system, plan.waves, plan.cutoff, plan.resolution)
    # otherwise a list without atoms is built, so that all sizes are bounded
    real = system.real & possible
    margin = jnp.where(possible, margin, 0.0)
    lattice_steps = jnp.where(real[:, None], lattice_steps, 0.0)
    fractional = jnp.where(real[:, None], fractional - lattice_steps, 0.0)
    wraps = lattice_steps.astype(jnp.int32)

    given = positions, fractional, wraps, real, is_center, full, margin, pbc
    if plan.native and dtype in (jnp.float32, jnp.float64):
        built = native_or_traced(_compiled, _searched, _shapes(plan), *given, static=(plan,))
    else:
        built = _searched(plan, *given)
    return built._replace(overflow=built.overflow | jnp.logical_not(possible))


def _shapes(plan: Plan) -> Built:
    """Shapes and types of a list."""

    def integers(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, jnp.int32)

    return Built(
        rows=integers(plan.centers, plan.capacity),
        source=integers(plan.rows),
        offset=integers(plan.rows, 3),
        row_of_atom=integers(plan.atoms),
        overflow=jax.ShapeDtypeStruct((), jnp.bool_),
        narrower=tuple(integers(plan.centers, one.capacity) for one in plan.narrower),
    )


def _compiled(plan: Plan, *given: jax.Array) -> Built:
    """The search as a loop that numba compiles."""
    return native.search(plan, *given)[0]


def _searched(
    plan: Plan,
    positions: jax.Array,
    fractional: jax.Array,
    wraps: jax.Array,
    real: jax.Array,
    is_center: jax.Array,
    full: jax.Array,
    margin: jax.Array,
    pbc: jax.Array,
) -> Built:
    """The search in JAX's own operations."""
    order = _spatial_order(fractional, margin, real) if plan.sort else jnp.arange(plan.atoms, dtype=jnp.int32)
    row_of_atom, enough = _rows_of_atoms(order, is_center, plan)
    source, translation, valid, rows_fractional, overflow = _with_images(
        fractional, row_of_atom, real, margin, pbc, plan
    )
    overflow |= jnp.logical_not(enough)
    offset = translation - wraps[source]
    points = positions[source] + offset.astype(positions.dtype) @ full
    # an unused row is at infinity, out of reach of every atom
    points = jnp.where(valid[:, None], points, jnp.inf)

    if plan.bins == (1, 1, 1):
        everything = jnp.arange(plan.rows, dtype=jnp.int32)
        rows, crowded = _search(points, jnp.arange(plan.centers, dtype=jnp.int32)[None], everything[None], plan)
        rows = rows[0]
    else:
        rows, crowded = _binned(points, rows_fractional, valid, margin, pbc, plan)
    # an unused row has no neighbours
    rows = jnp.where(valid[: plan.centers, None], rows, plan.rows)
    narrower: list[jax.Array] = []
    for one in plan.narrower:
        wider = narrower[-1] if narrower else rows
        chosen, too_many = _narrowed(points, wider, one.cutoff + plan.skin, one.capacity)
        narrower.append(chosen)
        crowded |= too_many
    source = jnp.where(valid, source, 0)
    offset = jnp.where(valid[:, None], offset, 0)
    return Built(rows, source, offset, row_of_atom, overflow | crowded, tuple(narrower))


def _can_build(
    positions: jax.Array, lattice_steps: jax.Array, margin: jax.Array, pbc: jax.Array, real: jax.Array, plan: Plan
) -> jax.Array:
    """Whether a list can be built: all atoms are at finite places, not too far away, and the plan has enough images."""
    inside = jnp.all((jnp.abs(positions) <= FARTHEST) & (jnp.abs(lattice_steps) <= MOST_LATTICE_STEPS), axis=1)
    room = jnp.where(pbc, jnp.asarray(plan.images, margin.dtype), jnp.inf)
    # a cell without volume gives NaN, which compares False
    return jnp.all(inside | jnp.logical_not(real)) & jnp.all(margin <= room) & jnp.all(margin < jnp.inf)


def _rows_of_atoms(order: jax.Array, is_center: jax.Array, plan: Plan) -> tuple[jax.Array, jax.Array]:
    """[atoms] int32 the row of each atom, and whether there is room: centers in the given order, then other atoms."""
    place = jnp.arange(plan.atoms, dtype=jnp.int32)
    enough = jnp.all(is_center)
    if plan.other_atoms:
        first = is_center[order]
        before = jnp.cumsum(first, dtype=jnp.int32)
        place = jnp.where(first, before - 1, plan.centers + place - before)
        number = jnp.sum(is_center)
        enough = (number <= plan.centers) & (plan.atoms - number <= plan.other_atoms)
        place = jnp.minimum(place, plan.atom_rows - 1)
    return jnp.zeros(plan.atoms, jnp.int32).at[order].set(place), enough


def _spatial_order(fractional: jax.Array, margin: jax.Array, real: jax.Array) -> jax.Array:
    """[atoms] int32 the atoms sorted by cubes about as wide as the reach; padded atoms last."""
    cell = jnp.floor(fractional / margin[None]).astype(jnp.int32)
    low = jnp.min(jnp.where(real[:, None], cell, jnp.iinfo(jnp.int32).max), axis=0)
    high = jnp.max(jnp.where(real[:, None], cell, jnp.iinfo(jnp.int32).min), axis=0)
    cell, span = cell - low[None], high - low + 1
    key = (cell[:, 0] * span[1] + cell[:, 1]) * span[2] + cell[:, 2]
    key = jnp.where(real, key, jnp.iinfo(jnp.int32).max)
    return jnp.argsort(key, stable=True).astype(jnp.int32)


def _with_images(
    fractional: jax.Array, row_of_atom: jax.Array, real: jax.Array, margin: jax.Array, pbc: jax.Array, plan: Plan
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """Source atom, translation, validity and fractional coordinates of every row (atoms, then images), and overflow.

    For one direction after the other, all rows so far get their images along it that lie within the margin around the
    cell.
    """
    atoms = jnp.arange(plan.atoms, dtype=jnp.int32)
    source = jnp.zeros(plan.atom_rows, jnp.int32).at[row_of_atom].set(atoms)
    valid = jnp.zeros(plan.atom_rows, bool).at[row_of_atom].set(real)
    coordinates = jnp.where(valid[:, None], fractional[source], 0.0)
    translation = jnp.zeros((plan.atom_rows, 3), jnp.int32)
    overflow = jnp.zeros((), bool)
    for d in range(3):
        number = plan.images[d]
        if number:
            shifts = np.array([s for s in range(-number, number + 1) if s != 0], np.int32)
            shifted = coordinates[None, :, d] + shifts[:, None].astype(coordinates.dtype)
            wanted = pbc[d] & valid[None] & (shifted >= -margin[d]) & (shifted <= 1 + margin[d])
            room = plan.stage_rows[d] - source.shape[0]
            slot = jnp.cumsum(wanted.ravel().astype(jnp.int32)) - 1
            overflow |= slot[-1] >= room
            chosen = jnp.full(room, wanted.size, jnp.int32)
            target = jnp.where(wanted.ravel(), slot, room)
            chosen = chosen.at[target].set(jnp.arange(wanted.size, dtype=jnp.int32), mode="drop")
            found = chosen < wanted.size
            chosen = jnp.where(found, chosen, 0)
            row, image = chosen % source.shape[0], jnp.asarray(shifts)[chosen // source.shape[0]]
            axis = np.eye(3, dtype=np.int32)[d]
            step = image[:, None] * axis[None, :]
            source, translation, coordinates, valid = (
                jnp.concatenate([source, source[row]]),
                jnp.concatenate([translation, translation[row] + step]),
                jnp.concatenate([coordinates, coordinates[row] + step.astype(coordinates.dtype)]),
                jnp.concatenate([valid, found]),
            )
    return source, translation, valid, coordinates, overflow


def _binned(
    positions: jax.Array, fractional: jax.Array, valid: jax.Array, margin: jax.Array, pbc: jax.Array, plan: Plan
) -> tuple[jax.Array, jax.Array]:
    """[centers, capacity] rows of the neighbours by a bin search, and whether a capacity was too small."""
    number = np.array(plan.bins)
    atoms_low = jnp.min(jnp.where(valid[:, None], fractional, jnp.inf), axis=0)
    atoms_high = jnp.max(jnp.where(valid[:, None], fractional, -jnp.inf), axis=0)
    low = jnp.where(pbc, -margin, atoms_low)
    width = jnp.where(pbc, 1 + 2 * margin, atoms_high - atoms_low)
    scale = jnp.where(width > 0, number.astype(margin.dtype) / jnp.where(width > 0, width, 1.0), 0.0)
    # bins narrower than the reach would miss pairs
    overflow = jnp.any((number > 1) & (scale * margin > 1.0))
    index = jnp.floor((fractional - low[None]) * scale[None]).astype(jnp.int32)
    index = jnp.clip(index, 0, jnp.asarray(number - 1, jnp.int32)[None])
    flat = (index[:, 0] * plan.bins[1] + index[:, 1]) * plan.bins[2] + index[:, 2]
    bins = int(number.prod())
    flat = jnp.where(valid, flat, bins)

    order = jnp.argsort(flat, stable=True).astype(jnp.int32)
    starts = jnp.searchsorted(flat[order], jnp.arange(bins + 1, dtype=jnp.int32), method="sort").astype(jnp.int32)
    counts = starts[1:] - starts[:-1]
    overflow |= jnp.max(counts) > plan.bin_capacity
    slots = jnp.arange(plan.bin_capacity, dtype=jnp.int32)
    table = jnp.append(order, jnp.int32(plan.rows))[jnp.minimum(starts[:-1, None] + slots[None], plan.rows)]
    table = jnp.where(slots[None] < counts[:, None], table, plan.rows)  # [bins, bin_capacity]
    table = jnp.concatenate([table, jnp.full((1, plan.bin_capacity), plan.rows, jnp.int32)])

    homes, around = _bin_stencil(plan.bins)
    capacity = plan.bin_capacity
    batch = max(1, BATCH_PAIRS // (27 * capacity * capacity))
    batches = -(-len(homes) // batch)
    missing = batches * batch - len(homes)
    homes = np.concatenate([homes, np.full(missing, bins)]).reshape(batches, batch)
    around = np.concatenate([around, np.full((missing, 27), bins)]).reshape(batches, batch, 27)

    def compare(one: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        home, near = one
        return _search(positions, table[home], table[near].reshape(batch, 27 * capacity), plan)

    found, crowded = jax.lax.map(compare, (jnp.asarray(homes, jnp.int32), jnp.asarray(around, jnp.int32)))
    found = found.reshape(batches * batch * capacity, plan.capacity)
    # where the result of each center is: its bin's place among the homes, and its rank within the bin
    place = np.full(bins + 1, 0)
    place[homes.ravel()[: homes.size - missing]] = np.arange(homes.size - missing)
    rank = jnp.zeros(plan.rows, jnp.int32).at[order].set(jnp.arange(plan.rows, dtype=jnp.int32)) - starts[flat]
    central = flat[: plan.centers]
    where = jnp.asarray(place, jnp.int32)[central] * capacity + jnp.clip(rank[: plan.centers], 0, capacity - 1)
    return found[where], overflow | jnp.any(crowded)


def _bin_stencil(bins: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """[homes] the bins, and [homes, 27] each with the bins around it; the number of bins marks one outside the grid."""
    total = int(np.prod(bins))
    grid = np.stack(np.unravel_index(np.arange(total), bins), axis=1)
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    near = grid[:, None, :] + steps[None]
    inside = ((near >= 0) & (near < np.array(bins))).all(axis=2)
    flat = (near[..., 0] * bins[1] + near[..., 1]) * bins[2] + near[..., 2]
    return np.arange(total), np.where(inside, flat, total)


def _search(positions: jax.Array, centers: jax.Array, candidates: jax.Array, plan: Plan) -> tuple[jax.Array, jax.Array]:
    """[groups, centers, capacity] the candidates within reach of each center, and whether the capacity was too small.

    ``centers`` [groups, n] and ``candidates`` [groups, m] are numbers of rows; ``plan.rows`` marks an empty place.
    """
    candidates = _in_words(candidates, plan.rows)
    empty = jnp.full((1, 3), jnp.inf, positions.dtype)
    points = jnp.concatenate([positions, empty])
    near = _closer(points[centers], points[candidates], plan.reach)
    near &= candidates[:, None, :] != centers[:, :, None]
    return _chosen(near, candidates, plan.capacity, plan.rows)


def _narrowed(positions: jax.Array, rows: jax.Array, reach: float, capacity: int) -> tuple[jax.Array, jax.Array]:
    """[centers, capacity] the neighbours in ``rows`` [centers, slots] that are closer than ``reach``, and overflow."""
    empty = jnp.full((1, 3), jnp.inf, positions.dtype)
    points = jnp.concatenate([positions, empty])

    def of_block(block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        own, slots = block
        slots = _in_words(slots, len(positions))
        near = _closer(own[:, None], points[slots], reach)
        chosen, overflow = _chosen(near, slots, capacity, len(positions))
        return chosen[:, 0], overflow

    centers, slots = rows.shape
    size = max(1, BATCH_PAIRS // max(slots, 1))
    blocks = -(-centers // size)
    if blocks <= 1:
        return of_block((positions[:centers], rows))
    missing = blocks * size - centers
    own = jnp.pad(positions[:centers], ((0, missing), (0, 0)))
    rows = jnp.pad(rows, ((0, missing), (0, 0)), constant_values=len(positions))
    chosen, overflow = jax.lax.map(of_block, (own.reshape(blocks, size, 3), rows.reshape(blocks, size, slots)))
    return chosen.reshape(-1, capacity)[:centers], jnp.any(overflow)


def _in_words(candidates: jax.Array, empty: int) -> jax.Array:
    """Candidates [groups, m], with m padded by empty places to a multiple of 32."""
    return jnp.pad(candidates, ((0, 0), (0, -candidates.shape[1] % 32)), constant_values=empty)


def _closer(own: jax.Array, other: jax.Array, radius: float) -> jax.Array:
    """[groups, n, m] whether points ``other`` [groups, m, 3] are closer than a radius to ``own`` [groups, n, 3]."""
    squared = jnp.zeros((*own.shape[:2], other.shape[1]), own.dtype)
    for d in range(3):
        difference = other[:, None, :, d] - own[:, :, None, d]
        squared = squared + difference * difference
    # inf - inf is NaN, and NaN compares False, so empty places are never neighbours
    return squared < radius**2


def _chosen(near: jax.Array, candidates: jax.Array, capacity: int, empty: int) -> tuple[jax.Array, jax.Array]:
    """[groups, n, capacity] the candidates [groups, m] for which ``near`` [groups, n, m] is True, and overflow.

    Overflow is True if a center has more of them than the capacity. m is a multiple of 32.
    """
    words = jnp.sum(
        jnp.where(near.reshape(*near.shape[:2], -1, 32), jnp.uint32(1) << jnp.arange(32, dtype=jnp.uint32), 0),
        axis=-1,
        dtype=jnp.uint32,
    )
    bits = jax.lax.population_count(words).astype(jnp.int32)
    upto = jnp.cumsum(bits, axis=-1)  # [groups, centers, words]
    overflow = jnp.max(upto[..., -1]) > capacity
    slot = jnp.arange(capacity, dtype=jnp.int32)
    # the k-th neighbour is in the first word whose running count exceeds k, ...
    word = jnp.sum(upto[:, :, None, :] <= slot[None, None, :, None], axis=-1, dtype=jnp.int32)
    filled = word < words.shape[-1]
    word = jnp.minimum(word, words.shape[-1] - 1)
    value = jnp.take_along_axis(words, word, axis=-1)
    nth = slot[None, None] - (jnp.take_along_axis(upto, word, axis=-1) - jnp.take_along_axis(bits, word, axis=-1))
    # ... at the n-th set bit of that word, which is found by bisection
    position = jnp.zeros_like(nth)
    for width in (16, 8, 4, 2, 1):
        lower = (value >> position.astype(jnp.uint32)) & jnp.uint32((1 << width) - 1)
        below = jax.lax.population_count(lower).astype(jnp.int32)
        above = nth >= below
        nth = jnp.where(above, nth - below, nth)
        position = jnp.where(above, position + width, position)
    chosen = jnp.minimum(word * 32 + position, candidates.shape[1] - 1)
    group = jnp.arange(candidates.shape[0], dtype=jnp.int32)[:, None, None]
    return jnp.where(filled, candidates[group, chosen], empty), overflow
