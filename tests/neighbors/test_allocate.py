"""The list that `allocate` builds on the host, against sums over all images."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.neighbors import layout, pairs
from tests import structures
from tests.conftest import FLOAT32
from tests.neighbors.reference import PATTERNS, as_cell, assert_complete, brute_force, listed, random_cell

CUTOFF, SKIN = 4.0, 0.4
# float32 positions of atoms a few cells away are good to about 1e-5 Å
TOLERANCE = 1e-4 if FLOAT32 else 1e-9
pytestmark = pytest.mark.filterwarnings("ignore:most atoms have a neighbour closer")  # in random cells


@pytest.mark.parametrize("pbc", PATTERNS, ids=lambda p: "".join("FT"[x] for x in p))
def test_random_cells(pbc: tuple[bool, bool, bool]) -> None:
    allocate = jaxpot.neighbor_list(CUTOFF, SKIN).allocate
    entries = 0
    for seed in range(40):
        system = random_cell(seed, CUTOFF + SKIN, pbc).system(None)
        neighbors = allocate(system)
        assert not neighbors.overflow
        assert_complete(neighbors, as_cell(system), CUTOFF + SKIN, CUTOFF + SKIN, TOLERANCE)
        entries += len(listed(neighbors, as_cell(system))[0])
    assert entries > 40


@pytest.mark.parametrize("kind", structures.KINDS)
def test_crystals_slabs_wires_and_clusters(kind: str) -> None:
    atoms = structures.make(kind, ["Cu", "Al"], 3.9)
    neighbors = jaxpot.neighbor_list(5.0, 0.0).allocate(jaxpot.System.from_ase(atoms, ("Al", "Cu")))
    i, j, S, _ = structures.brute_force_pairs(atoms, 5.0)
    others, shifts, mask = (np.asarray(x) for x in (neighbors.others, neighbors.shifts, neighbors.mask))
    first, slot = np.nonzero(mask)
    found = np.column_stack([first, others[first, slot], shifts[first, slot]])
    assert sorted(found.tolist()) == sorted(np.column_stack([i, j, S]).tolist())
    assert (others[~mask] == len(atoms)).all()
    assert not shifts[~mask].any()


def test_public_arrays_reproduce_the_edges() -> None:
    one = random_cell(3, CUTOFF + SKIN, (True, True, True))
    system = one.system(None)
    neighbors = jaxpot.neighbor_list(CUTOFF, SKIN).allocate(system)
    others, shifts, mask = neighbors.others, neighbors.shifts, np.asarray(neighbors.mask)
    padded = jnp.concatenate([system.positions, jnp.zeros((1, 3), system.positions.dtype)])
    edges = padded[others] + shifts.astype(system.cell.dtype) @ system.cell - system.positions[:, None, :]
    lengths = np.sort(np.linalg.norm(np.asarray(edges), axis=-1)[mask])
    expected = np.sort(brute_force(as_cell(system), CUTOFF + SKIN)[1])
    np.testing.assert_allclose(lengths, expected, atol=TOLERANCE)
    assert neighbors.capacity == others.shape[1]
    assert neighbors.cutoff == CUTOFF


def test_a_pair_at_the_reach_is_out_and_one_just_inside_is_in() -> None:
    kind = np.float32 if FLOAT32 else np.float64
    for distance, entries in [(kind(4), 0), (np.nextafter(kind(4), kind(0)), 2)]:
        system = jaxpot.System.create(np.array([[0, 0, 0], [distance, 0, 0]], kind))
        assert int(jaxpot.neighbor_list(4.0, 0.0).allocate(system).mask.sum()) == entries


def test_atoms_at_one_place_are_neighbours() -> None:
    system = jaxpot.System.create(np.zeros((3, 3)), cell=[9.0, 9.0, 9.0])
    neighbors = jaxpot.neighbor_list(4.0).allocate(system)
    assert int(neighbors.mask.sum()) == 6
    assert not np.asarray(neighbors.shifts).any()


def test_padded_atoms_have_no_neighbours_and_are_none() -> None:
    rng = np.random.default_rng(0)
    positions = rng.uniform(size=(9, 3)) * 5
    species = np.array([0, -1, 0, 0, -1, -1, 0, 0, -1])
    system = jaxpot.System.create(positions, species, [5.0, 5.0, 5.0])
    neighbors = jaxpot.neighbor_list(4.0, 0.0).allocate(system)
    mask, others = np.asarray(neighbors.mask), np.asarray(neighbors.others)
    assert not mask[species < 0].any()
    assert (species[others[mask]] == 0).all()
    assert mask[species >= 0].any(axis=1).all()


@pytest.mark.parametrize("atoms", [0, 1])
def test_no_atom_and_one_atom(atoms: int) -> None:
    for cell in (None, [9.0, 9.0, 9.0]):
        neighbors = jaxpot.neighbor_list(4.0).allocate(jaxpot.System.create(np.zeros((atoms, 3)), cell=cell))
        assert neighbors.others.shape[0] == atoms
        assert not np.asarray(neighbors.mask).any()
        assert not neighbors.overflow


def test_thousands_of_atoms_are_sorted_and_in_blocks() -> None:
    from matscipy.neighbours import neighbour_list

    atoms = structures.crystal(["Cu"], 3.6, repeat=(11, 11, 9))
    atoms.positions += np.random.default_rng(1).integers(-2, 3, size=(len(atoms), 3)) @ atoms.cell.array
    system = jaxpot.System.from_ase(atoms)
    neighbors = jaxpot.neighbor_list(3.0, 0.0).allocate(system)
    assert len(atoms) > 4096
    assert neighbors.rows.shape[0] == 8192
    exact = atoms.copy()
    exact.positions[:] = np.asarray(system.positions)
    wanted = np.column_stack(neighbour_list("ijS", exact, 3.0))
    found, _ = listed(neighbors, as_cell(system))
    if not FLOAT32:  # where a pair at the cutoff may be in one and not in the other
        assert len(found) == len(wanted)
        assert set(map(tuple, found.tolist())) == set(map(tuple, wanted.tolist()))
    # atoms close in space are close in memory: neighbours lie on average far nearer than in a random order
    central = np.asarray(neighbors.row_of_atom)
    apart = np.abs(central[found[:, 0]] - central[found[:, 1]]).mean()
    assert apart < 0.2 * len(atoms)


@pytest.mark.parametrize("flat", [False, True], ids=["vesin", "tree"])
def test_a_thin_structure_is_searched_by_a_tree(flat: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # vesin's grid has no bin across such structures, and the process dies of a division by zero
    assert pairs.is_flat(np.array([[0.0, 0.0, 0.0], [1e6, 0.0, 0.0]]), np.eye(3), np.zeros(3, bool), 1.0)
    if flat:
        monkeypatch.setattr(pairs, "is_flat", lambda *_: True)
    for seed in range(40):
        system = random_cell(seed, CUTOFF + SKIN).system(None)
        neighbors = jaxpot.neighbor_list(CUTOFF, SKIN).allocate(system)
        assert_complete(neighbors, as_cell(system), CUTOFF + SKIN, CUTOFF + SKIN, TOLERANCE)


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, False)])
def test_sheets_and_atoms_far_apart(pbc: tuple[bool, bool, bool]) -> None:
    x = np.arange(0.0, 60.0, 3.0)
    sheet = np.stack([*(a.ravel() for a in np.meshgrid(x, x)), np.zeros(x.size**2)], axis=1)
    sheet[::7, :2] += 0.5
    far = sheet if pbc[0] else np.concatenate([sheet, [[1e5, 0.0, 0.0], [1e5, 0.0, 1.0], [0.0, 1e7, 0.0]]])
    for positions, cutoff in ((sheet, 0.1), (far, 3.2)):
        system = jaxpot.System.create(positions, cell=[60.0, 60.0, 0.0] if pbc[0] else None, pbc=pbc)
        neighbors = jaxpot.neighbor_list(cutoff, 0.0).allocate(system)
        d = positions[None] - positions[:, None]
        if pbc[0]:
            d[..., :2] -= 60.0 * np.round(d[..., :2] / 60.0)
        near = (d**2).sum(axis=2) < cutoff**2
        np.fill_diagonal(near, False)
        assert int(neighbors.mask.sum()) == near.sum()
    again = jax.jit(jaxpot.neighbor_list(cutoff, 0.0).update)(system, neighbors)
    assert not again.overflow and int(again.mask.sum()) == near.sum()


def test_a_dilute_system_has_not_many_more_bins_than_atoms() -> None:
    corners = np.array([[a, b, c] for a in (0.0, 1e7) for b in (0.0, 1e7) for c in (0.0, 1e7)])
    bins, _ = layout.choose_bins(corners, np.full(3, 5.0), np.zeros(3, bool), 1.15)
    assert np.prod(bins) <= 2 * len(corners) + 64


def test_lengths_in_another_unit_are_refused() -> None:
    allocate = jaxpot.neighbor_list(CUTOFF, SKIN).allocate
    with pytest.raises(ValueError, match=r"too small.*lengths are in Å"):
        allocate(jaxpot.System.create([[0.0, 0.0, 0.0]], cell=[4e-10] * 3))
    with pytest.raises(ValueError, match=r"too small.*lengths are in Å"):
        allocate(jaxpot.System.create(np.random.default_rng(0).uniform(size=(2000, 3)), cell=[1.0] * 3))
    with pytest.raises(ValueError, match=r"atom 1 .* wrap it into the cell"):
        allocate(jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1e30]], cell=[4.0] * 3))


def test_capacities_have_room_and_reallocate_never_shrinks_them() -> None:
    roomy = structures.crystal(["Ar"], 5.3)
    tight = roomy.copy()
    tight.set_cell(tight.cell.array * 0.9, scale_atoms=True)
    lists = jaxpot.neighbor_list(6.0)
    large = lists.allocate(jaxpot.System.from_ase(tight))
    small = lists.allocate(jaxpot.System.from_ase(roomy))
    again = lists.reallocate(jaxpot.System.from_ase(roomy), large)
    assert int(large.mask.sum(axis=1).max()) < large.capacity
    assert small.capacity < large.capacity
    assert again.capacity == large.capacity
    assert again.plan.rows >= large.plan.rows
    np.testing.assert_array_equal(np.asarray(again.mask).sum(axis=1), np.asarray(small.mask).sum(axis=1))


@pytest.mark.parametrize("cutoff", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bad_cutoff_is_refused(cutoff: float) -> None:
    with pytest.raises(ValueError, match=f"cutoff must be a positive length in Å, got {cutoff}"):
        jaxpot.neighbor_list(cutoff)


@pytest.mark.parametrize("skin", [-0.1, float("nan"), float("inf")])
def test_a_bad_skin_is_refused(skin: float) -> None:
    with pytest.raises(ValueError, match=f"skin must be a length in Å and not negative, got {skin}"):
        jaxpot.neighbor_list(4.0, skin)


def test_a_bad_multiplier_is_refused() -> None:
    with pytest.raises(ValueError, match=r"capacity_multiplier must be at least 1, got 0\.5"):
        jaxpot.neighbor_list(4.0, capacity_multiplier=0.5)


def test_allocate_refuses_what_is_traced() -> None:
    system = jaxpot.System.create(np.zeros((1, 3)), cell=[5.0, 5.0, 5.0])
    lists = jaxpot.neighbor_list(4.0)
    with pytest.raises(ValueError, match="allocate runs on the host"):
        jax.jit(lambda s: lists.allocate(s).mask)(system)
    with pytest.raises(ValueError, match="allocate runs on the host"):
        jax.grad(lambda cell: lists.allocate(system.replace(cell=cell)).completion.sum())(system.cell)


def test_allocate_refuses_a_batch_and_names_the_way() -> None:
    two = jaxpot.stack_systems([jaxpot.System.create(np.zeros((1, 3)))] * 2)
    with pytest.raises(ValueError, match=r"takes one structure .* got \[2, 1, 3\]; use jaxpot.batch"):
        jaxpot.neighbor_list(4.0).allocate(two)


def test_allocate_refuses_positions_and_cells_without_sense() -> None:
    good = jaxpot.System.create(np.zeros((2, 3)), cell=[5.0, 5.0, 5.0])
    allocate = jaxpot.neighbor_list(4.0).allocate
    with pytest.raises(ValueError, match="position of atom 1 is not finite"):
        allocate(dataclasses.replace(good, positions=good.positions.at[1, 2].set(jnp.nan)))
    with pytest.raises(ValueError, match="span no volume"):
        allocate(dataclasses.replace(good, cell=good.cell.at[2].set(good.cell[1])))
    with pytest.raises(ValueError, match="cell is not finite"):
        allocate(dataclasses.replace(good, cell=good.cell.at[2, 2].set(jnp.inf)))


@pytest.mark.parametrize("native_from", [10**9, 0])
def test_lengths_in_nm_are_warned_of(native_from: int) -> None:
    """As many tools write them: an argon crystal of 0.526 nm, water molecules with bonds of 0.0957 nm."""
    lists = jaxpot.neighbor_list(2.0, native_from=native_from)
    argon = structures.crystal(["Ar"], 0.526, rattle=0.01)
    water = np.array([[0.0, 0.0, 0.0], [0.0957, 0.0, 0.0], [-0.024, 0.0927, 0.0]])
    for system in (jaxpot.System.from_ase(argon), jaxpot.System.create(water)):
        with pytest.warns(UserWarning, match="are the lengths in nm.*multiply positions and cell by 10") as caught:
            neighbors = jaxpot.neighbor_list(6.0, native_from=native_from).allocate(system)
        assert len(caught) == 1
        neighbors = jaxpot.neighbor_list(6.0, native_from=native_from).reallocate(system, neighbors)
        lists.allocate(system.replace(positions=10 * system.positions, cell=10 * system.cell))
    # two atoms on top of each other among others are no sign of it
    one = jaxpot.System.from_ase(structures.crystal(["Ar"], 5.26))
    lists.allocate(one.replace(positions=one.positions.at[1].set(one.positions[0])))
