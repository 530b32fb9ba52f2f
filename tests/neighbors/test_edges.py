"""Edges seen from both ends, and pairs of edges, against searches by hand."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.neighbors import edges as module
from jaxpot.neighbors import reverse_slots, short_edges, triplets, triplets_of_centers
from tests import structures
from tests.neighbors.reference import as_cell, brute_force, random_cell
from tests.neighbors.test_ranges import PATHS

CUTOFF = 3.3
pytestmark = pytest.mark.filterwarnings("ignore:most atoms have a neighbour closer")  # in random cells


def table(neighbors: jaxpot.Neighbors) -> dict[tuple[int, ...], int]:
    """Place of every edge (i, j, shift), by a loop over the arrays as they are documented."""
    rows, source, offset = (np.asarray(a) for a in (neighbors.rows, neighbors.source, neighbors.offset))
    found = {}
    for center, slot in np.argwhere(rows < len(source)):
        row = rows[center, slot]
        key = (source[center], source[row], *(offset[row] - offset[center]))
        found[tuple(int(n) for n in key)] = int(center) * rows.shape[1] + int(slot)
    return found


def assert_reversed(neighbors: jaxpot.Neighbors) -> int:
    places = table(neighbors)
    nowhere = neighbors.rows.size
    found = np.asarray(jax.jit(reverse_slots)(neighbors))
    assert found.shape == neighbors.rows.shape and found.dtype == np.int32
    wanted = np.full(nowhere, nowhere)
    for (i, j, a, b, c), place in places.items():
        wanted[place] = places.get((j, i, -a, -b, -c), nowhere)
    np.testing.assert_array_equal(found.ravel(), wanted)
    return int((wanted < nowhere).sum())


@pytest.mark.parametrize("native_from", PATHS)
@pytest.mark.parametrize("kind", ["crystal", "primitive", "skewed", "outside", "slab_without_third_vector", "cluster"])
def test_reverse_edges(kind: str, native_from: int) -> None:
    system = jaxpot.System.from_ase(structures.make(kind, ["Cu"], 3.9)).pad(36)
    neighbors = jaxpot.neighbor_list((CUTOFF, 2.9), 0.0, native_from=native_from).allocate(system)
    assert assert_reversed(neighbors) == int(neighbors.mask.sum()) > 0
    assert_reversed(neighbors.within(2.9))


def test_reverse_edges_of_random_cells_and_of_atoms_at_one_place() -> None:
    for seed in range(8):
        system = random_cell(seed, CUTOFF, atoms=6, smallest=0.5).system(None)
        neighbors = jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system)
        assert_reversed(neighbors)


def test_reverse_edges_in_blocks_and_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    neighbors = jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system)
    monkeypatch.setattr(module, "COMPARISONS", 5 * neighbors.capacity**2)
    assert assert_reversed(neighbors) == int(neighbors.mask.sum())
    padded = jaxpot.pad_neighbors(neighbors, 37, neighbors.capacity + 3, 700)
    assert assert_reversed(padded) == int(neighbors.mask.sum())


def test_an_edge_to_an_atom_that_is_no_center_has_no_reverse() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    centers = np.arange(32) < 12
    neighbors = jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system, centers=centers)
    both = assert_reversed(neighbors)
    pairs, _ = brute_force(as_cell(system), CUTOFF)
    assert both == (centers[pairs[:, 0]] & centers[pairs[:, 1]]).sum() < int(neighbors.mask.sum())


def test_what_the_other_end_has_is_gathered() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9))
    neighbors = jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system)
    weight = jnp.arange(neighbors.rows.size, dtype=float)
    reverse = reverse_slots(neighbors)
    once = weight.at[reverse].get(mode="fill", fill_value=0.0)
    twice = once.ravel().at[reverse].get(mode="fill", fill_value=0.0)
    held = neighbors.rows < len(neighbors.source)
    np.testing.assert_array_equal(twice, jnp.where(held, weight.reshape(neighbors.rows.shape), 0.0))


def test_short_edges() -> None:
    for kind in ("crystal", "primitive", "cluster"):
        system = jaxpot.System.from_ase(structures.make(kind, ["Cu"], 3.9)).pad(34)
        neighbors = jaxpot.neighbor_list(4.5, 0.3).allocate(system)
        for cutoff in (2.7, CUTOFF, 4.5):
            found = jax.jit(short_edges, static_argnums=2)(system, neighbors, cutoff)
            pairs, _ = brute_force(as_cell(system), cutoff)
            counts = np.bincount(pairs[:, 0], minlength=34)
            np.testing.assert_array_equal(np.asarray(found).sum(axis=1)[np.asarray(neighbors.row_of_atom)], counts)


def test_triplets_are_all_pairs_of_edges() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9, rattle=0.3))
    neighbors = jaxpot.neighbor_list(4.0, 0.4).allocate(system)
    near = short_edges(system, neighbors, CUTOFF)
    assert not (near[:, 1:] <= near[:, :-1]).all(), "edges that count should not be the first ones only"
    wanted = [
        (center, *pair)
        for center, row in enumerate(np.asarray(near))
        for pair in itertools.combinations(np.flatnonzero(row).tolist(), 2)
    ]
    number = int(triplets_of_centers(near).sum())
    assert number == len(wanted) > 100
    make = jax.jit(triplets, static_argnums=1)
    for capacity in (number, number + 17):
        found = make(near, capacity)
        assert not found.overflow and int(found.mask.sum()) == number
        rows = np.stack([found.center, found.first, found.second], axis=1)[np.asarray(found.mask)]
        assert sorted(map(tuple, rows.tolist())) == wanted
        assert not np.asarray(found.center)[~np.asarray(found.mask)].any()
    few = make(near, number - 1)
    assert few.overflow and few.mask.all()


def test_triplets_of_nothing() -> None:
    for edges in (jnp.zeros((4, 8), bool), jnp.zeros((4, 8), bool).at[:, 3].set(True), jnp.zeros((0, 8), bool)):
        found = triplets(edges, 5)
        assert not found.overflow and not found.mask.any()
    everything = jax.vmap(lambda e: triplets(e, 12))(jnp.ones((2, 2, 3), bool))
    assert everything.mask.sum(axis=1).tolist() == [6, 6]


def test_angles_of_triplets() -> None:
    """A sum over triplets is that over all ordered pairs of neighbours, halved."""
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 3.9, repeat=1))
    neighbors = jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system)
    points = system.positions[neighbors.source] + neighbors.offset @ system.cell
    held = short_edges(system, neighbors, CUTOFF)
    found = triplets(held, 400)
    assert not found.overflow

    def vector(slot: jax.Array) -> jax.Array:
        return points[neighbors.rows[found.center, slot]] - points[found.center]

    dots = (vector(found.first) * vector(found.second)).sum(axis=1)
    pairs, _ = brute_force(as_cell(system), CUTOFF)
    vectors = np.asarray(system.positions)[pairs[:, 1]] + pairs[:, 2:] @ np.asarray(system.cell)
    vectors -= np.asarray(system.positions)[pairs[:, 0]]
    expected = 0.0
    for i in range(len(system.positions)):
        own = vectors[pairs[:, 0] == i]
        expected += 0.5 * ((own @ own.T).sum() - (own**2).sum())
    np.testing.assert_allclose(jnp.where(found.mask, dots, 0.0).sum(), expected, rtol=1e-4)
