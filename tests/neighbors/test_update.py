"""The list that `update` rebuilds under jit: complete or flagged, and left alone as long as it may be."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.neighbors import rebuild
from jaxpot.neighbors.layout import completion_of
from jaxpot.neighbors.plan import Built, Plan
from jaxpot.simulate.lists import Lists
from tests import structures
from tests.conftest import FLOAT32
from tests.neighbors.reference import PATTERNS, Cell, as_cell, assert_complete, listed, random_cell
from tests.neighbors.test_allocate import TOLERANCE

CUTOFF, SKIN = 4.0, 0.4
REACH = CUTOFF + SKIN
pytestmark = pytest.mark.filterwarnings("ignore:most atoms have a neighbour closer")  # in random cells


def plan_for(pbc: tuple[bool, bool, bool], path: str) -> Plan:
    """One plan for all random cells of a periodicity, so that a single program is compiled for them."""
    atoms, rows, images, bins, bin_capacity, capacity = {
        "all with all": (5, 1200, 3, (1, 1, 1), 1200, 128),
        "bins": (16, 600, 2, (2, 3, 2), 64, 64),
    }[path]
    return Plan(
        cutoff=CUTOFF,
        skin=SKIN,
        atoms=atoms,
        centers=atoms,
        capacity=capacity,
        rows=rows if any(pbc) else atoms,
        images=tuple(images if p else 0 for p in pbc),
        stage_rows=stages(atoms, rows, pbc),
        bins=bins,
        bin_capacity=bin_capacity if any(pbc) else atoms,
        sort=path == "bins",
    )


def stages(atoms: int, rows: int, pbc: tuple[bool, bool, bool]) -> tuple[int, int, int]:
    """Rows after each direction, growing evenly from the atoms to all rows."""
    sizes, number = [], 0
    for periodic in pbc:
        number += periodic
        sizes.append(round(atoms * (rows / atoms) ** (number / sum(pbc))) if any(pbc) else atoms)
    return tuple(sizes)


@functools.cache
def compiled_build(plan: Plan) -> Any:
    return jax.jit(
        jax.vmap(lambda system, completion: rebuild.build(system, completion, plan, jnp.ones(plan.atoms, bool)))
    )


def build_many(cells: list[Cell], plan: Plan, dtype: str | None = None) -> list[tuple[Cell, Built]]:
    """The cells as the library sees them, after rounding, each with the list built for it."""
    systems = [one.system(dtype) for one in cells]
    completion = np.stack([completion_of(one.cell, np.array(one.pbc)) for one in cells])
    stacked = jaxpot.stack_systems(systems)
    built = jax.device_get(compiled_build(plan)(stacked, jnp.asarray(completion, stacked.positions.dtype)))
    return [
        (as_cell(system), jax.tree.map(lambda leaf, k=k: leaf[k], built))
        for k, system in enumerate(systems)
    ]  # fmt: skip


@pytest.mark.parametrize("pbc", PATTERNS, ids=lambda p: "".join("FT"[x] for x in p))
def test_random_cells_are_complete_or_flagged(pbc: tuple[bool, bool, bool]) -> None:
    flagged = 0
    cells = [random_cell(seed, REACH, pbc) for seed in range(30)]
    for one, built in build_many(cells, plan_for(pbc, "all with all")):
        if built.overflow:
            flagged += 1
        else:
            assert_complete(built, one, REACH, REACH, TOLERANCE)
    assert flagged < len(cells) / 2


@pytest.mark.parametrize("pbc", PATTERNS[::3] + PATTERNS[-1:], ids=lambda p: "".join("FT"[x] for x in p))
def test_random_cells_in_bins_are_complete_or_flagged(pbc: tuple[bool, bool, bool]) -> None:
    flagged = 0
    cells = [random_cell(seed, REACH, pbc, atoms=16, smallest=1.2) for seed in range(30)]
    for one, built in build_many(cells, plan_for(pbc, "bins")):
        if built.overflow:
            flagged += 1
        else:
            assert_complete(built, one, REACH, REACH, TOLERANCE)
    assert flagged <= 25


@functools.cache
def lists(cutoff: float = CUTOFF, skin: float = SKIN) -> Any:
    made = jaxpot.neighbor_list(cutoff, skin)
    return made._replace(update=jax.jit(made.update))


def forced(neighbors: jaxpot.Neighbors) -> jaxpot.Neighbors:
    """The list as if it had been built for other positions, so that `update` builds it again."""
    return dataclasses.replace(neighbors, reference_positions=neighbors.reference_positions + 100.0)


@pytest.mark.parametrize("kind", ["primitive", "slab_without_third_vector", "cluster", "outside"])
def test_update_builds_what_allocate_builds(kind: str) -> None:
    system = jaxpot.System.from_ase(structures.make(kind, ["Cu"], 3.9))
    allocated = lists().allocate(system)
    updated = lists().update(system, forced(allocated))
    assert int(updated.rebuilds) == 1
    assert not updated.overflow
    if not FLOAT32:  # where a pair at the reach may be in one and not in the other
        assert listed(updated, as_cell(system))[0].tolist() == listed(allocated, as_cell(system))[0].tolist()
    assert_complete(updated, as_cell(system), REACH, REACH, TOLERANCE)


@functools.cache
def moving_crystal() -> tuple[jaxpot.System, jaxpot.Neighbors]:
    atoms = structures.crystal(["Cu"], 3.9)
    system = jaxpot.System.from_ase(atoms)
    return system, jaxpot.neighbor_list(CUTOFF, SKIN, capacity_multiplier=1.6).allocate(system)


def displaced(system: jaxpot.System, length: float, seed: int) -> jaxpot.System:
    """Every atom moved by ``length`` in a random direction: neighbours approach by up to twice that."""
    steps = np.random.default_rng(seed).normal(size=system.positions.shape)
    steps *= length / np.linalg.norm(steps, axis=1, keepdims=True)
    return system.replace(positions=system.positions + jnp.asarray(steps, system.positions.dtype))


def strained(system: jaxpot.System, strain: np.ndarray) -> jaxpot.System:
    factor = jnp.asarray(np.eye(3) + strain, system.cell.dtype)
    return system.replace(positions=system.positions @ factor, cell=system.cell @ factor)


@pytest.mark.parametrize("seed", range(8))
def test_a_list_that_is_kept_is_complete(seed: int) -> None:
    """Random moves and strains of any size up to the skin: rebuilt or not, no pair within the cutoff is missing."""
    start, neighbors = moving_crystal()
    rng = np.random.default_rng(seed)
    kept = rebuilt = 0
    for size in np.linspace(0.02, 1.6, 14):
        strain = rng.normal(size=(3, 3))
        share = rng.uniform()
        strain *= share * size * SKIN / REACH / np.linalg.norm(strain)
        system = strained(displaced(start, (1 - share) * size * SKIN / 2, seed), strain)
        new = lists().update(system, neighbors)
        assert not new.overflow
        assert_complete(new, as_cell(system), CUTOFF, np.inf, TOLERANCE)
        kept += int(new.rebuilds) == 0
        # as long as no atom moves farther than this, every pair now within CUTOFF was within REACH
        allowed = 0.5 * (REACH / np.linalg.norm(np.linalg.inv(np.eye(3) + strain), 2) - CUTOFF)
        moved = system.positions - start.positions @ (np.eye(3) + strain)
        if np.linalg.norm(moved, axis=1).max() > allowed + TOLERANCE:
            rebuilt += 1
            assert int(new.rebuilds) == 1
    assert kept >= 5 and rebuilt >= 1


def test_the_worst_approach_within_half_the_skin() -> None:
    """Two atoms just out of reach that run at each other are found at the cutoff, at the last moment."""
    apart = REACH + 1e-3
    start = jaxpot.System.create([[0.0, 0.0, 0.0], [apart, 0.0, 0.0]], cell=[20.0, 20.0, 20.0])
    neighbors = lists().allocate(start)
    assert not neighbors.mask.any()
    for move in np.linspace(0.0, 0.3, 31):
        positions = start.positions.at[0, 0].set(move).at[1, 0].set(apart - move)
        new = lists().update(start.replace(positions=positions), neighbors)
        if apart - 2 * move < CUTOFF:
            assert int(new.mask.sum()) == 2
        if move < SKIN / 2 - 1e-3:
            assert int(new.rebuilds) == 0


def test_shear_alone_and_rotation_are_noticed() -> None:
    start, neighbors = moving_crystal()
    for strain, rebuilt in [(1e-4, 0), (0.02, 0), (0.2, 1)]:
        shear = np.zeros((3, 3))
        shear[0, 1] = strain
        system = strained(start, shear)
        new = lists().update(system, neighbors)
        assert int(new.rebuilds) == rebuilt
        assert_complete(new, as_cell(system), CUTOFF, np.inf, TOLERANCE)


def test_an_atom_that_jumps_by_a_lattice_vector_keeps_its_neighbours() -> None:
    start, neighbors = moving_crystal()
    system = start.replace(positions=start.positions.at[3].add(2 * start.cell[0] - start.cell[2]))
    new = lists().update(system, neighbors)
    assert int(new.rebuilds) == 1
    assert_complete(new, as_cell(system), REACH, REACH, TOLERANCE)


def test_no_skin_rebuilds_whenever_something_has_moved() -> None:
    system = moving_crystal()[0]
    bare = lists(CUTOFF, 0.0)
    neighbors = bare.update(system, bare.allocate(system))
    assert int(neighbors.rebuilds) == 0
    for n in range(1, 3):
        system = system.replace(positions=system.positions.at[n, 0].add(1e-3))
        neighbors = bare.update(system, neighbors)
        assert int(neighbors.rebuilds) == n
        neighbors = bare.update(system, neighbors)
        assert int(neighbors.rebuilds) == n
    assert int(bare.rebuild(system, neighbors).rebuilds) == 3


def test_overflow_is_flagged_stays_and_is_mended_by_reallocate() -> None:
    roomy, neighbors = moving_crystal()
    tight = strained(roomy, -0.25 * np.eye(3))
    over = lists().update(tight, neighbors)
    assert over.overflow
    # once wrong, always wrong: the steps since then were made with a list that lacked pairs
    assert lists().update(roomy, over).overflow
    mended = lists().reallocate(tight, over)
    assert not mended.overflow
    assert mended.capacity > neighbors.capacity
    assert_complete(mended, as_cell(tight), REACH, REACH, TOLERANCE)
    again = lists().update(tight, forced(mended))
    assert not again.overflow
    assert_complete(again, as_cell(tight), REACH, REACH, TOLERANCE)


@pytest.mark.parametrize("field", ["capacity", "stage_rows", "images"])
def test_each_size_that_is_too_small_is_flagged(field: str) -> None:
    system, neighbors = moving_crystal()
    plan = neighbors.plan
    most = int(neighbors.mask.sum(axis=1).max())
    small = {
        "capacity": plan._replace(capacity=most - 1),
        "stage_rows": plan._replace(stage_rows=(40, 60, 80), rows=80, bin_capacity=80),
        "images": plan._replace(images=(0, 1, 1)),
    }[field]
    assert jax.jit(lambda s, n: rebuild.build(s, n.completion, small, n.is_center).overflow)(system, neighbors)
    assert not lists().update(system, forced(neighbors)).overflow


def test_bins_that_become_too_narrow_or_too_full_are_flagged() -> None:
    system, neighbors = large_slab()
    plan = neighbors.plan
    assert plan.bins != (1, 1, 1)

    def overflow(plan: Plan) -> bool:
        return bool(jax.jit(lambda s, n: rebuild.build(s, n.completion, plan, n.is_center).overflow)(system, neighbors))

    assert overflow(plan._replace(bins=(2 * plan.bins[0], *plan.bins[1:])))
    assert overflow(plan._replace(bin_capacity=plan.bin_capacity // 3))


@functools.cache
def large_slab() -> tuple[jaxpot.System, jaxpot.Neighbors]:
    atoms = structures.crystal(["Cu"], 3.9, repeat=(10, 10, 6))
    atoms.pbc = (True, True, False)
    atoms.positions[::7] += atoms.cell.array[0]
    system = jaxpot.System.from_ase(atoms).pad(len(atoms) + 5)
    system = system.replace(species=system.species.at[11].set(-1))
    # the search that runs anywhere, whatever faster one this machine has
    neighbors = jaxpot.neighbor_list(CUTOFF, SKIN, native_from=10**9).allocate(system)
    assert not neighbors.plan.native
    return system, neighbors


def test_thousands_of_atoms_in_bins() -> None:
    system, neighbors = large_slab()
    assert neighbors.plan.bins != (1, 1, 1)
    assert neighbors.plan.sort
    updated = jax.jit(jaxpot.neighbor_list(CUTOFF, SKIN).update)(system, forced(neighbors))
    assert int(updated.rebuilds) == 1
    assert not updated.overflow
    one = as_cell(system)
    found, distances = listed(updated, one)
    wanted, lengths = listed(neighbors, one)
    assert found[distances < REACH - TOLERANCE].tolist() == wanted[lengths < REACH - TOLERANCE].tolist()
    assert len(found) > 10_000


def test_update_under_vmap_over_structures_of_different_periodicity() -> None:
    cells = [random_cell(seed, REACH, PATTERNS[seed]) for seed in range(8)]
    systems = jaxpot.stack_systems([one.system(None) for one in cells])
    completion = [completion_of(one.cell, np.array(one.pbc)) for one in cells]
    plan = plan_for((True, True, True), "all with all")
    built = compiled_build(plan)(systems, jnp.asarray(np.stack(completion), systems.positions.dtype))
    right = 0
    for k in range(8):
        single = jax.tree.map(lambda leaf, k=k: np.asarray(leaf[k]), built)
        if not single.overflow:
            one = as_cell(jax.tree.map(lambda leaf, k=k: leaf[k], systems))
            assert_complete(single, one, REACH, REACH, TOLERANCE)
            right += 1
    assert right >= 5


def test_update_keeps_types_and_shapes() -> None:
    system, neighbors = moving_crystal()
    for new in (lists().update(system, neighbors), lists().update(system, forced(neighbors))):
        assert jax.tree.structure(new) == jax.tree.structure(neighbors)
        for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(neighbors), strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)


def test_update_is_no_obstacle_to_differentiation() -> None:
    start, neighbors = moving_crystal()

    def energy(scale: jax.Array) -> jax.Array:
        system = start.replace(positions=start.positions * scale, cell=start.cell * scale)
        return neighbors_sum(system, lists().update(system, neighbors))

    def neighbors_sum(system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jax.Array:
        potential = jaxpot.pair_potential(lambda p, r: (1 - r / CUTOFF) ** 3, CUTOFF)
        return jaxpot.energy(potential)({}, system, neighbors)

    for scale in (1.0, 0.97):  # kept and rebuilt
        slope = jax.grad(energy)(jnp.asarray(scale))
        step = 1e-3 if FLOAT32 else 1e-5
        difference = (energy(jnp.asarray(scale + step)) - energy(jnp.asarray(scale - step))) / (2 * step)
        np.testing.assert_allclose(slope, difference, rtol=1e-2 if FLOAT32 else 1e-6)


def test_update_refuses_another_number_of_atoms() -> None:
    system, neighbors = moving_crystal()
    with pytest.raises(ValueError, match=r"for positions of shape \[32, 3\], got \[33, 3\]; allocate a new list"):
        lists().update(system.pad(33), neighbors)


@pytest.mark.skipif(FLOAT32, reason="the other tests run in float32 then")
def test_float32_lists_are_complete_within_the_cutoff() -> None:
    pbc = (True, True, True)
    cells = [random_cell(seed, REACH, pbc) for seed in range(30)]
    flagged = 0
    for exact, (_, built) in zip(cells, build_many(cells, plan_for(pbc, "all with all"), "float32"), strict=True):
        flagged += int(built.overflow)
        if not built.overflow:
            assert_complete(built, exact, CUTOFF + SKIN / 2, REACH + 1e-4)
    assert flagged < len(cells) / 2


def test_a_number_that_is_none_makes_lists_of_any_size_outdated() -> None:
    """On the CPU, XLA's maximum of 32,768 float32 numbers or more leaves NaN out; a list would be kept for ever."""
    grid = np.stack(np.meshgrid(*[2.0 * np.arange(34)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    assert len(grid) > 32768
    system = jaxpot.System.create(grid, cell=[68.0] * 3, dtype="float32")
    made = jaxpot.neighbor_list(2.1, 0.2)
    neighbors = made.allocate(system)
    update = jax.jit(made.update)
    assert int(update(system, neighbors).rebuilds) == 0
    somewhere = neighbors.reference_positions.at[12345, 1].set(jnp.nan)
    for reference in (somewhere, jnp.full_like(somewhere, jnp.nan)):
        found = update(system, dataclasses.replace(neighbors, reference_positions=reference))
        assert int(found.rebuilds) == 1
        assert bool(jnp.isfinite(found.reference_positions).all())
    far = system.replace(positions=system.positions.at[777].add(0.11))
    again = Lists(made)
    assert bool(jax.jit(again.outdated)(far, neighbors)) and not bool(jax.jit(again.outdated)(system, neighbors))
    rebuilt = jax.jit(again.rebuilt)(far, neighbors)
    assert rebuilt is not None and int(rebuilt.rebuilds) == 1
    np.testing.assert_array_equal(rebuilt.reference_positions, far.positions)
