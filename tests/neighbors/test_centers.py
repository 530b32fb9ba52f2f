"""Lists whose centres are only some of the atoms: their neighbours are all there, and nobody else has any."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.neighbors import problem, usable
from tests import structures
from tests.neighbors.reference import as_cell, brute_force, listed, random_cell
from tests.neighbors.test_allocate import TOLERANCE
from tests.neighbors.test_ranges import CUTOFFS, PATHS, SKIN, lists

pytestmark = pytest.mark.filterwarnings("ignore:most atoms have a neighbour closer")  # in random cells


def assert_centers_complete(neighbors: jaxpot.Neighbors, system: jaxpot.System, centers: np.ndarray) -> None:
    """Every pair of a centre is there, in every range; centres come first, the other atoms behind them."""
    one = as_cell(system)
    row_of_atom = np.asarray(neighbors.row_of_atom)
    assert not neighbors.overflow
    assert ((row_of_atom < neighbors.rows.shape[0]) == centers).all()
    np.testing.assert_array_equal(neighbors.is_center, centers)
    for cutoff in CUTOFFS:
        narrow = neighbors.within(cutoff)
        found, _ = listed(narrow, one)
        wanted, length = brute_force(one, cutoff + SKIN)
        clear = np.abs(length - cutoff - SKIN) > TOLERANCE
        assert clear.all()
        assert found.tolist() == wanted[centers[wanted[:, 0]]].tolist()
        np.testing.assert_array_equal(narrow.mask.sum(axis=1), np.bincount(found[:, 0], minlength=len(centers)))
        others, mask, shifts = (np.asarray(a) for a in (narrow.others, narrow.mask, narrow.shifts))
        assert (others[~mask] == len(centers)).all() and not shifts[~mask].any()
        assert (mask[centers] <= True).all() and not mask[~centers].any()


@pytest.mark.parametrize("native_from", PATHS)
def test_random_cells_and_random_centers(native_from: int) -> None:
    for seed in range(16):
        system = random_cell(seed, CUTOFFS[0] + SKIN, atoms=9, smallest=0.6).system(None)
        centers = np.random.default_rng(seed).uniform(size=9) < 0.5
        neighbors = lists(native_from).allocate(system, centers=jnp.asarray(centers))
        assert neighbors.plan.other_atoms >= (~centers).sum()
        assert_centers_complete(neighbors, system, centers)


@pytest.mark.parametrize("native_from", PATHS)
@pytest.mark.parametrize("kind", ["crystal", "slab_without_third_vector"])
def test_other_centers_later_in_the_same_shapes(kind: str, native_from: int) -> None:
    atoms = structures.make(kind, ["Cu"], 3.9)
    system = jaxpot.System.from_ase(atoms).pad(len(atoms) + 20)
    number = len(atoms) + 20
    first = np.arange(number) < number // 4
    made = lists(native_from)
    neighbors = made.allocate(system, centers=first)
    assert_centers_complete(neighbors, system, first)
    assert int(made.update(system, neighbors).rebuilds) == 0
    again = made.rebuild(system, neighbors)
    assert_centers_complete(again, system, first)
    second = np.random.default_rng(0).permutation(first)
    update = jax.jit(lambda s, n, c: made.update(s, n, centers=c))
    other = update(system, neighbors, second)
    assert int(other.rebuilds) == 1
    assert_centers_complete(other, system, second)
    assert int(update(system, other, second).rebuilds) == 1
    assert usable(system, other) and problem(system, other) is None
    # many more than there is room for
    everybody = np.ones(number, bool)
    crowded = update(system, neighbors, everybody)
    assert crowded.overflow and not usable(system, crowded)
    mended = made.reallocate(system, crowded)
    assert_centers_complete(mended, system, everybody)
    assert mended.plan.centers > neighbors.plan.centers and mended.plan.other_atoms >= neighbors.plan.other_atoms
    assert_centers_complete(update(system, mended, first), system, first)


def test_thousands_of_atoms() -> None:
    atoms = structures.crystal(["Cu"], 3.9, repeat=(11, 11, 9))
    system = jaxpot.System.from_ase(atoms)
    centers = np.asarray(system.positions[:, 0] < 20.0)
    whole = lists(10**9).allocate(system)
    for native_from in (p.values[0] for p in PATHS):
        made = lists(native_from)
        neighbors = made.allocate(system, centers=centers)
        for some in (neighbors, made.rebuild(system, neighbors)):
            assert not some.overflow
            for cutoff in CUTOFFS:
                wanted = np.asarray(whole.within(cutoff).mask.sum(axis=1))
                np.testing.assert_array_equal(some.within(cutoff).mask.sum(axis=1), np.where(centers, wanted, 0))
        if native_from == 0 and not PATHS[1].marks[0].args[0]:
            assert some.plan.native


def test_a_list_for_all_atoms_has_no_room_for_others() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    for native_from in (p.values[0] for p in PATHS):
        made = lists(native_from)
        neighbors = made.allocate(system)
        assert neighbors.plan.other_atoms == 0
        some = np.arange(32) < 16
        assert made.rebuild(system, neighbors, some).overflow
        assert_centers_complete(made.reallocate(system, neighbors, some), system, some)
        assert made.reallocate(system, neighbors).plan.other_atoms == 0


def test_what_centers_may_be() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    with pytest.raises(ValueError, match=r"centers must be bool \[32\], got int64 \[3\]"):
        lists(10**9).allocate(system, centers=np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="allocate runs on the host"):
        jax.jit(lambda c: lists(10**9).allocate(system, centers=c).rows)(np.ones(32, bool))
    with pytest.raises(ValueError, match="centers are only some of the atoms cannot be padded"):
        jaxpot.pad_neighbors(lists(10**9).allocate(system, centers=np.arange(32) < 4), 40, 120, 900)


def test_centers_survive_vmap() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    masks = np.stack([np.roll(np.arange(32) < 12, k) for k in (0, 5, 20)])
    neighbors = lists(10**9).allocate(system, centers=masks[0])
    several = jax.vmap(lambda c: lists(10**9).rebuild(system, neighbors, c))(jnp.asarray(masks))
    for k, mask in enumerate(masks):
        one = jax.tree.map(lambda leaf, k=k: leaf[k], several)
        assert_centers_complete(dataclasses.replace(one), system, mask)
