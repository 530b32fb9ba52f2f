"""Narrower lists within a list: complete for their own cutoffs, flagged by their own capacities, on every path."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.neighbors import NeighborList, native
from tests import structures
from tests.neighbors.reference import PATTERNS, as_cell, assert_complete, listed, random_cell
from tests.neighbors.test_allocate import TOLERANCE

CUTOFFS, SKIN = (4.0, 3.1, 1.7), 0.4
pytestmark = pytest.mark.filterwarnings("ignore:most atoms have a neighbour closer")  # in random cells
PATHS = [
    pytest.param(10**9, id="xla"),
    pytest.param(0, id="compiled", marks=pytest.mark.skipif(not native.available(), reason="needs numba on a CPU")),
]


@functools.cache
def lists(native_from: int, skin: float = SKIN) -> NeighborList:
    made = jaxpot.neighbor_list(CUTOFFS, skin, native_from=native_from)
    return made._replace(update=jax.jit(made.update), rebuild=jax.jit(made.rebuild))


def assert_all_complete(neighbors: jaxpot.Neighbors, system: jaxpot.System) -> None:
    """Every range holds its pairs within cutoff and skin, filled from the first slot on."""
    for cutoff in CUTOFFS:
        narrow = neighbors.within(cutoff)
        assert narrow.cutoff == cutoff
        assert narrow.capacity == narrow.plan.capacity
        assert_complete(narrow, as_cell(system), cutoff + SKIN, cutoff + SKIN, TOLERANCE)
        held = np.asarray(narrow.rows) < len(narrow.source)
        assert (held[:, 1:] <= held[:, :-1]).all()


@pytest.mark.parametrize("native_from", PATHS)
@pytest.mark.parametrize("pbc", PATTERNS, ids=lambda p: "".join("FT"[x] for x in p))
def test_allocated_ranges_are_complete(pbc: tuple[bool, bool, bool], native_from: int) -> None:
    for seed in range(6):
        system = random_cell(seed, CUTOFFS[0] + SKIN, pbc).system(None)
        neighbors = lists(native_from).allocate(system)
        assert neighbors.plan.native == (native_from == 0)
        assert_all_complete(neighbors, system)


@pytest.mark.parametrize("native_from", PATHS)
@pytest.mark.parametrize("kind", ["crystal", "primitive", "slab_without_third_vector", "cluster"])
def test_rebuilt_ranges_are_complete(kind: str, native_from: int) -> None:
    system = jaxpot.System.from_ase(structures.make(kind, ["Cu"], 3.9))
    neighbors = lists(native_from).allocate(system)
    again = lists(native_from).rebuild(system, neighbors)
    assert int(again.rebuilds) == 1 and not again.overflow
    assert_all_complete(again, system)
    assert jax.tree.structure(again) == jax.tree.structure(neighbors)
    moved = system.replace(positions=system.positions + 0.1)
    kept = lists(native_from).update(moved, again)
    assert int(kept.rebuilds) == 1
    for cutoff in CUTOFFS:
        assert_complete(kept.within(cutoff), as_cell(moved), cutoff, np.inf, TOLERANCE)


def test_thousands_of_atoms_in_bins_and_blocks() -> None:
    atoms = structures.crystal(["Cu"], 3.9, repeat=(11, 11, 9))
    system = jaxpot.System.from_ase(atoms)
    neighbors = lists(10**9).allocate(system)
    assert neighbors.plan.bins != (1, 1, 1) and neighbors.rows.shape[0] == 8192
    again = lists(10**9).rebuild(system, neighbors)
    assert not again.overflow
    for cutoff in CUTOFFS[1:]:
        wanted, length = listed(again.within(CUTOFFS[0]), as_cell(system))
        found, _ = listed(again.within(cutoff), as_cell(system))
        expected, _ = listed(neighbors.within(cutoff), as_cell(system))
        near = np.abs(length - cutoff - SKIN) > TOLERANCE
        assert np.isin(pairs_as_text(wanted[near & (length < cutoff + SKIN)]), pairs_as_text(found)).all()
        assert len(found) == len(expected) == (length < cutoff + SKIN).sum()


def pairs_as_text(pairs: np.ndarray) -> np.ndarray:
    return np.array([" ".join(map(str, pair)) for pair in pairs])


def test_the_narrowest_complete_range_is_given() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9, repeat=1))
    neighbors = lists(10**9).allocate(system)
    for cutoff, wanted in [
        (5.0, 4.0),
        (4.0, 4.0),
        (3.5, 4.0),
        (3.1, 3.1),
        (3.1 * (1 + 1e-12), 3.1),
        (2.0, 3.1),
        (1.0, 1.7),
    ]:
        assert neighbors.within(cutoff).cutoff == wanted
    assert neighbors.within(4.0) is neighbors
    twice = neighbors.within(3.1).within(1.7)
    np.testing.assert_array_equal(twice.rows, neighbors.within(1.7).rows)
    assert twice.plan == neighbors.within(1.7).plan and twice.narrower == ()
    assert [one.capacity for one in neighbors.plan.ranges] == sorted(
        (r.capacity for r in neighbors.plan.ranges), reverse=True
    )


def test_a_range_is_rebuilt_and_reallocated_by_itself_too() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    narrow = lists(10**9).allocate(system).within(3.1)
    again = lists(10**9).rebuild(system, narrow)
    assert again.cutoff == 3.1 and not again.overflow
    assert_complete(again, as_cell(system), 3.1 + SKIN, 3.1 + SKIN, TOLERANCE)
    assert_complete(again.within(1.7), as_cell(system), 1.7 + SKIN, 1.7 + SKIN, TOLERANCE)


@pytest.mark.parametrize("native_from", PATHS)
def test_a_range_with_too_few_slots_overflows_and_is_mended(native_from: int) -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    made = lists(native_from)
    neighbors = made.allocate(system)
    first, second, third = neighbors.plan.ranges
    most = int(neighbors.within(3.1).mask.sum(axis=1).max())
    for few, overflow in ((most, False), (most - 1, True)):
        plan = neighbors.plan.with_ranges((first, second._replace(capacity=few), third._replace(capacity=8)))
        small = jax.device_put(
            dataclasses.replace(jaxpot.neighbors.blank(plan, system.positions.dtype), completion=neighbors.completion)
        )
        found = made.rebuild(system, small)
        assert bool(found.overflow) == overflow
    mended = made.reallocate(system, found)
    assert not mended.overflow and mended.plan.narrower[0].capacity >= most
    assert_all_complete(mended, system)
    larger = neighbors.plan.enlarged()
    kept = made.reallocate(system, dataclasses.replace(neighbors, plan=larger))
    assert [r.capacity for r in kept.plan.ranges] == [r.capacity for r in larger.ranges]


def test_padded_and_stacked_lists_keep_their_ranges() -> None:
    atoms = [structures.make(kind, ["Cu"], 3.9) for kind in ("primitive", "crystal", "cluster")]
    systems = [jaxpot.System.from_ase(a) for a in atoms]
    made = jaxpot.neighbor_list(CUTOFFS, 0.0, capacity_multiplier=1.0)
    padded = [jaxpot.pad_neighbors(made.allocate(s), 40, 120, 900, narrower=(80, 24)) for s in systems]
    assert [r.capacity for r in padded[0].plan.ranges] == [120, 80, 24]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *padded)
    together = jaxpot.stack_systems([s.pad(40) for s in systems])
    potential = jaxpot.pair_potential(lambda p, r: (1 - r / 3.1) ** 3, 3.1)

    def energy(system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jax.Array:
        return jaxpot.energy(potential)({}, system, neighbors.within(3.1))

    found = jax.vmap(energy)(together, stacked)
    usable = jax.vmap(jaxpot.neighbors.usable)(together, stacked)
    assert usable.all()
    for k, system in enumerate(systems):
        expected = energy(system, jaxpot.neighbor_list(3.1, 0.0).allocate(system))
        np.testing.assert_allclose(found[k], expected, rtol=1e-5 if found.dtype == np.float32 else 1e-12)
    with pytest.raises(ValueError, match=r"narrower >= \[\d+, \d+\], got \[2, 24\]"):
        jaxpot.pad_neighbors(padded[1], 40, 120, 900, narrower=(2, 24))
    with pytest.raises(ValueError, match="2 narrower ranges, but 1 numbers of slots"):
        jaxpot.pad_neighbors(padded[1], 40, 120, 900, narrower=(80,))


class Parts:
    """Something that names its ranges, as a potential does."""

    name = "parts"

    def __init__(self, *ranges: float) -> None:
        self.ranges = ranges


@pytest.mark.parametrize("of", [Parts(4.0, 3.1), [3.1, 4.0], (4.0, 3.1, 4.0, 3.1 * (1 + 1e-13)), np.array([3.1, 4.0])])
def test_ranges_come_from_potentials_and_sequences(of: Any) -> None:
    system = jaxpot.System.create(np.zeros((1, 3)), cell=[3.5, 3.5, 3.5])
    plan = jaxpot.neighbor_list(of).allocate(system).plan
    np.testing.assert_allclose([r.cutoff for r in plan.ranges], [4.0, 3.1], rtol=1e-12)
    assert plan.skin == pytest.approx(0.4)


def test_what_has_no_cutoff_is_refused() -> None:
    with pytest.raises(ValueError, match="parts has no cutoff and needs no neighbour list: pass None"):
        jaxpot.neighbor_list(Parts())
    with pytest.raises(ValueError, match="takes a potential, a cutoff in Å or several cutoffs, got 'far'"):
        jaxpot.neighbor_list("far")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"cutoff must be a positive length in Å, got -1\.0"):
        jaxpot.neighbor_list((4.0, -1.0))
