"""What makes no sense is flagged or refused at once: no number, no volume, too far away, other types."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.neighbors import usable
from tests import structures
from tests.conftest import needs_float64
from tests.neighbors.reference import as_cell, assert_complete, listed
from tests.neighbors.test_ranges import CUTOFFS, PATHS, SKIN, assert_all_complete, lists

both_paths = pytest.mark.parametrize("native_from", PATHS)


def crystal() -> jaxpot.System:
    return jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9)).pad(34)


@both_paths
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e13, -1e30])
def test_a_position_that_is_none_is_flagged(native_from: int, value: float) -> None:
    for kind in ("crystal", "cluster"):
        start = jaxpot.System.from_ase(structures.make(kind, ["Cu"], 3.9))
        neighbors = lists(native_from).allocate(start)
        system = start.replace(positions=start.positions.at[3, 1].set(value))
        found = lists(native_from).update(system, neighbors)
        assert int(found.rebuilds) == 1 and found.overflow
        assert not usable(system, found)
        # and stays so, as every number since then is wrong
        assert lists(native_from).update(start, found).overflow


@both_paths
def test_the_position_of_a_padded_atom_means_nothing(native_from: int) -> None:
    start = crystal()
    system = start.replace(positions=start.positions.at[33].set(jnp.nan))
    neighbors = lists(native_from).allocate(system)
    again = lists(native_from).rebuild(system, neighbors)
    assert not again.overflow and usable(system, again)
    assert_all_complete(again, start)


@both_paths
@pytest.mark.parametrize("cell", ["nan", "inf", "no volume", "tiny", "tiny vector", "huge", "turned over"])
def test_a_cell_that_changes_wildly_is_flagged_at_once(native_from: int, cell: str) -> None:
    start = crystal()
    neighbors = lists(native_from).allocate(start)
    changed = {
        "nan": start.cell.at[0, 1].set(jnp.nan),
        "inf": start.cell.at[2, 2].set(jnp.inf),
        "no volume": start.cell.at[2].set(start.cell[1]),
        "tiny": start.cell * 1e-9,
        "tiny vector": start.cell.at[1].multiply(1e-9),
        "huge": start.cell * 1e9,
        "turned over": start.cell[jnp.array([1, 2, 0])],
    }[cell]
    system = start.replace(cell=changed)
    found = lists(native_from).update(system, neighbors)
    assert int(found.rebuilds) == 1
    if cell in ("huge", "turned over"):  # sensible, but other images than there is room for
        if not found.overflow:
            assert_complete(found, as_cell(system), CUTOFFS[0] + SKIN, CUTOFFS[0] + SKIN, 1e-3)
    else:
        assert found.overflow
        with pytest.raises(ValueError, match=r"not finite|no volume|too small"):
            lists(native_from).reallocate(system, found)


@both_paths
@pytest.mark.parametrize("pbc", [(True, True, False), (False, True, False)])
def test_a_slab_or_wire_that_is_turned_is_flagged_or_right(native_from: int, pbc: tuple[bool, bool, bool]) -> None:
    atoms = structures.crystal(["Cu"], 3.9)
    atoms.pbc = pbc
    start = jaxpot.System.from_ase(atoms)
    neighbors = lists(native_from).allocate(start)
    for axis in (0, 2):
        for angle in (np.pi / 2, np.pi / 3, 1.5):
            c, s = np.cos(angle), np.sin(angle)
            turn = np.roll(np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]), axis + 1, axis=(0, 1))
            turn = jnp.asarray(turn, start.cell.dtype)
            system = start.replace(positions=start.positions @ turn, cell=start.cell @ turn)
            found = lists(native_from).update(system, neighbors)
            if not found.overflow:
                assert_complete(found, as_cell(system), CUTOFFS[0] + SKIN, CUTOFFS[0] + SKIN, 1e-3)
            again = lists(native_from).reallocate(system, found)
            assert not again.overflow
            assert_complete(again, as_cell(system), CUTOFFS[0] + SKIN, CUTOFFS[0] + SKIN, 1e-3)


@both_paths
@needs_float64
def test_other_types_are_read_as_what_they_are(native_from: int) -> None:
    start = crystal()
    neighbors = lists(native_from).allocate(start)
    wanted, _ = listed(neighbors, as_cell(start))
    others = {
        "species": [start.species.astype(t) for t in ("int8", "int64")],
        "pbc": [start.pbc.astype(t) for t in ("int64", "float32")],
        "cell": [np.asarray(start.cell)],
    }
    for name, values in others.items():
        for value in values:
            system = start.replace(**{name: value})
            for found in (lists(native_from).allocate(system), lists(native_from).rebuild(system, neighbors)):
                assert not found.overflow
                assert listed(found, as_cell(start))[0].tolist() == wanted.tolist()
                assert usable(system, found)


@both_paths
@needs_float64
def test_a_cell_of_less_precision_than_the_positions(native_from: int) -> None:
    start = crystal()
    system = start.replace(cell=start.cell.astype("float32"))
    neighbors = lists(native_from).allocate(system)
    assert neighbors.reference_cell.dtype == start.positions.dtype
    found = lists(native_from).rebuild(system, neighbors)
    assert not found.overflow and usable(system, found)
    assert_all_complete(found, system.replace(cell=system.cell.astype("float64")))


@both_paths
def test_positions_of_other_types_are_refused(native_from: int) -> None:
    start = crystal()
    neighbors = lists(native_from).allocate(start)
    for kind in ("float16", "int32"):
        system = start.replace(positions=start.positions.astype(kind))
        with pytest.raises(ValueError, match=f"positions must be float32 or float64, got {kind}; cast them"):
            lists(native_from).allocate(system)
        for operation in (lists(native_from).update, lists(native_from).rebuild):
            with pytest.raises(ValueError, match=f"of type float.., got {kind}; allocate a new list, or cast"):
                operation(system, neighbors)


def test_atoms_beyond_all_bounds_are_refused_by_allocate() -> None:
    for far in (1e13, -1e30):
        with pytest.raises(ValueError, match=r"atom 1 at .* lies more than 1e\+12 Å from the origin"):
            lists(10**9).allocate(jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, far, 0.0]]))


@both_paths
@needs_float64
def test_atoms_far_from_the_origin_have_their_neighbours(native_from: int) -> None:
    """Where the ends of empty slots were once parked."""
    for place in (1e6, -1e6, 1e8):
        cluster = jaxpot.System.from_ase(structures.make("cluster", ["Cu"], 3.9))
        system = cluster.replace(positions=cluster.positions + place)
        found = lists(native_from).rebuild(system, lists(native_from).allocate(system))
        assert not found.overflow
        assert_complete(found, as_cell(system), CUTOFFS[0] + SKIN, CUTOFFS[0] + SKIN, 1e-6)
    dimer = jaxpot.System.create([[1e6, 1e6, 1e6], [1e6, 1e6, 1e6 + 2.0]])
    assert int(dataclasses.replace(lists(native_from).allocate(dimer)).mask.sum()) == 2


def test_a_dozen_senseless_updates_under_one_jit() -> None:
    start = crystal()
    neighbors = lists(10**9).allocate(start)
    scales = jnp.asarray([1.0, 1e-9, 0.0, jnp.nan, jnp.inf, 1e-3, 0.9], start.cell.dtype)
    several = jax.vmap(lambda f: lists(10**9).rebuild(start.replace(cell=start.cell * f), neighbors).overflow)(scales)
    assert several.tolist()[:6] == [False, True, True, True, True, True]
