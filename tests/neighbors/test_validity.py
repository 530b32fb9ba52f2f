"""Whether a list may be used: True exactly where no pair can be missing, and a sentence where one can."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.neighbors import problem, usable
from tests import structures
from tests.conftest import FLOAT32
from tests.neighbors.reference import as_cell, assert_complete
from tests.neighbors.test_update import CUTOFF, SKIN, TOLERANCE, displaced, moving_crystal, strained


def flags(system: jaxpot.System, neighbors: jaxpot.Neighbors) -> bool:
    """What the predicate says, under jit and without, which must agree with the sentence."""
    plain, compiled = bool(usable(system, neighbors)), bool(jax.jit(usable)(system, neighbors))
    text = problem(system, neighbors)
    assert plain == compiled == (text is None)
    return plain


@pytest.mark.parametrize("seed", range(6))
def test_what_is_usable_is_complete(seed: int) -> None:
    start, neighbors = moving_crystal()
    rng = np.random.default_rng(seed)
    found = []
    for size in np.linspace(0.0, 6.0, 61):
        strain = rng.normal(size=(3, 3))
        share = rng.uniform()
        strain *= share * size * SKIN / (CUTOFF + SKIN) / np.linalg.norm(strain)
        system = strained(displaced(start, (1 - share) * size * SKIN / 2, seed), strain)
        found.append(flags(system, neighbors))
        if found[-1]:
            assert_complete(neighbors, as_cell(system), CUTOFF, np.inf, TOLERANCE)
    assert found[0] and sum(found) >= 5 and not found[-1]


def test_the_list_of_the_same_positions_is_usable_without_any_skin() -> None:
    for kind in ("crystal", "slab_without_third_vector", "cluster", "skewed"):
        system = jaxpot.System.from_ase(structures.make(kind, ["Cu"], 3.9))
        neighbors = jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system)
        assert flags(system, neighbors)
        nearly = system.replace(positions=system.positions.at[2, 1].multiply(1 + 1e-6))
        assert not flags(nearly, neighbors)
        if kind != "cluster":
            assert not flags(system.replace(cell=system.cell * (1 + 1e-6)), neighbors)


def test_a_list_whose_cell_deforms_with_the_atoms_is_kept() -> None:
    start, neighbors = moving_crystal()
    for factor, kept in [(1.01, True), (0.99, True), (0.93, True), (0.85, False)]:
        found = flags(start.replace(positions=start.positions * factor, cell=start.cell * factor), neighbors)
        assert found == kept or factor == 0.93
    # a rotation by a small angle is a deformation like any other
    c, s = np.cos(0.02), np.sin(0.02)
    turn = jnp.asarray([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]], start.cell.dtype)
    assert flags(start.replace(positions=start.positions @ turn, cell=start.cell @ turn), neighbors)


def test_overflow_is_told_with_the_remedy() -> None:
    start, neighbors = moving_crystal()
    over = dataclasses.replace(neighbors, overflow=jnp.ones((), bool))
    assert not flags(start, over)
    text = problem(start, over)
    assert text is not None and "has overflowed" in text and "reallocate(system, neighbors)" in text


def test_motion_and_strain_are_told_with_the_remedy() -> None:
    start, neighbors = moving_crystal()
    moved = start.replace(positions=start.positions.at[3, 2].add(0.5))
    text = problem(moved, neighbors)
    assert text is not None and "atom 3 has moved by 0.5 Å since" in text
    assert "skin of 0.4 Å" in text and "update(system, neighbors)" in text
    text = problem(strained(start, -0.2 * np.eye(3)), neighbors)
    assert text is not None and "the cell has changed by 0.25" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_never_usable(value: float) -> None:
    start, neighbors = moving_crystal()
    system = start.replace(positions=start.positions.at[7, 0].set(value))
    assert not flags(system, neighbors)
    text = problem(system, neighbors)
    assert text is not None and "the position of atom 7 is not finite" in text
    system = start.replace(cell=start.cell.at[1, 2].set(value))
    assert not flags(system, neighbors)
    text = problem(system, neighbors)
    assert text is not None and "the cell is not finite" in text


def test_atoms_that_come_and_go_make_a_list_unusable() -> None:
    start, _ = moving_crystal()
    system = start.pad(start.positions.shape[0] + 2)
    neighbors = jaxpot.neighbor_list(CUTOFF, SKIN).allocate(system)
    assert flags(system, neighbors)
    for atom, species, word in ((33, 0, "an atom"), (5, -1, "padding")):
        changed = system.replace(species=system.species.at[atom].set(species))
        assert not flags(changed, neighbors)
        text = problem(changed, neighbors)
        assert text is not None and f"atom {atom} is {word} now" in text
        again = jaxpot.neighbor_list(CUTOFF, SKIN).update(changed, neighbors)
        assert int(again.rebuilds) == 1 and flags(changed, again) != bool(again.overflow)
    anywhere = system.replace(positions=system.positions.at[33].set(jnp.nan))
    assert flags(anywhere, neighbors)  # nobody reads where a padded atom is


def test_another_number_or_type_of_positions_is_refused() -> None:
    start, neighbors = moving_crystal()
    with pytest.raises(ValueError, match=r"for positions of shape \[32, 3\], got \[33, 3\]; allocate a new list"):
        usable(start.pad(33), neighbors)
    other = jnp.float16
    with pytest.raises(ValueError, match=r"of type float\d\d, got float16; allocate a new list, or cast"):
        problem(start.replace(positions=start.positions.astype(other)), neighbors)


def test_narrow_lists_are_usable_while_the_wide_one_is() -> None:
    system = moving_crystal()[0]
    neighbors = jaxpot.neighbor_list((CUTOFF, 2.9), SKIN).allocate(system)
    for length in (0.15, 0.19, 0.21):
        moved = displaced(system, length, 0)
        assert flags(moved, neighbors) == flags(moved, neighbors.within(2.9)) == (length < SKIN / 2)
        if length < SKIN / 2:
            assert_complete(neighbors.within(2.9), as_cell(moved), 2.9, np.inf, TOLERANCE)


@functools.cache
def stack() -> tuple[jaxpot.System, jaxpot.Neighbors]:
    systems = [jaxpot.System.from_ase(structures.make(kind, ["Cu"], 3.9)) for kind in ("crystal", "cluster", "slab")]
    lists = [jaxpot.neighbor_list(CUTOFF, SKIN).allocate(s) for s in systems]
    padded = [jaxpot.pad_neighbors(n, 40, 120, 900) for n in lists]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *padded)
    return jaxpot.stack_systems([s.pad(40) for s in systems]), stacked


def test_under_vmap_each_structure_is_judged_by_itself() -> None:
    system, neighbors = stack()
    assert jax.vmap(usable)(system, neighbors).tolist() == [True] * 3
    moved = system.replace(positions=system.positions.at[1, 0, 0].add(1.0))
    assert jax.vmap(usable)(moved, neighbors).tolist() == [True, False, True]


def test_it_has_no_derivative_and_does_not_stop_one() -> None:
    start, neighbors = moving_crystal()

    def value(scale: jax.Array) -> jax.Array:
        system = start.replace(positions=start.positions * scale, cell=start.cell * scale)
        return jnp.where(usable(system, neighbors), (system.positions**2).sum(), jnp.nan)

    slope = jax.grad(value)(jnp.ones(()))
    np.testing.assert_allclose(slope, 2 * (start.positions**2).sum(), rtol=1e-5 if FLOAT32 else 1e-12)
