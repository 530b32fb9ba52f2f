"""Lists and systems that cannot give right numbers: an error where it is known, NaN under jit, no finite number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import bulk

import jaxpot
from jaxpot import UnusableListError
from tests import structures

COPPER = {"epsilon": 1.2382e-2, "c": 39.432, "a": 3.61, "n": 9.0, "m": 6.0}
ARGON = {"epsilon": 0.0104, "sigma": 3.4}


def graph() -> tuple[jaxpot.Potential, Any]:
    potential = jaxpot.schnet(["Ar", "Kr"], 4.0, features=4, interactions=2, gaussians=5)
    return potential, potential.init(jax.random.key(0))


def environment() -> tuple[jaxpot.Potential, Any]:
    def energy(params: Any, env: jaxpot.Environment) -> jax.Array:
        return params["k"] * env.sum((1 - (env.distances / 4.0) ** 2) ** 2) ** 2

    return jaxpot.environment_potential(energy, 4.0, ("Ar", "Kr")), {"k": 1.0}


KINDS: dict[str, Callable[[], tuple[jaxpot.Potential, Any]]] = {
    "radial": lambda: (jaxpot.lennard_jones(4.0, ("Ar", "Kr")), ARGON),
    "sum": lambda: (jaxpot.lennard_jones(4.0, ("Ar", "Kr")) + jaxpot.lennard_jones(3.0), (ARGON, ARGON)),
    "environment": environment,
    "graph": graph,
}


def setting(kind: str) -> tuple[jaxpot.Potential, Any, jaxpot.System, jaxpot.Neighbors]:
    potential, params = KINDS[kind]()
    system = jaxpot.System.from_ase(structures.make("crystal", ("Ar", "Kr"), 5.3, seed=1), potential.elements)
    return potential, params, system, jaxpot.neighbor_list(potential, skin=0.2).allocate(system)


def assert_no_number(
    potential: jaxpot.Potential, params: Any, system: jaxpot.System, neighbors: Any, match: str
) -> None:
    """Errors from the core functions as they stand; NaN in all that they give, derivatives included, under jit."""
    for function in (jaxpot.energy, jaxpot.forces, jaxpot.stress, jaxpot.energy_and_forces, jaxpot.atomic_energies):
        with pytest.raises((UnusableListError, ValueError), match=match):
            function(potential)(params, system, neighbors)
        found = jax.jit(function(potential))(params, system, neighbors)
        assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(found)), function.__name__
    with pytest.raises((UnusableListError, ValueError), match=match):
        potential.evaluate(params, system, neighbors)
    slopes = jax.jit(jax.grad(jaxpot.energy(potential)))(jax.tree.map(jnp.asarray, params), system, neighbors)
    assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(slopes))
    uphill = jax.jit(jax.grad(lambda x: jaxpot.energy(potential)(params, system.replace(positions=x), neighbors)))
    assert np.isnan(uphill(system.positions)).all()
    with pytest.raises((UnusableListError, ValueError), match=match):
        jax.grad(jaxpot.energy(potential))(params, system, neighbors)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_list_gives_numbers(kind: str) -> None:
    potential, params, system, neighbors = setting(kind)
    for evaluate in (potential.evaluate, jax.jit(potential.evaluate)):
        found = evaluate(params, system, neighbors)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stale_list(kind: str) -> None:
    potential, params, system, neighbors = setting(kind)
    moved = system.replace(positions=system.positions.at[2, 0].add(0.4))
    assert_no_number(potential, params, moved, neighbors, "out of date")


@pytest.mark.parametrize("kind", KINDS)
def test_a_strained_cell(kind: str) -> None:
    potential, params, system, neighbors = setting(kind)
    squeezed = system.replace(positions=0.8 * system.positions, cell=0.8 * system.cell)
    assert_no_number(potential, params, squeezed, neighbors, "out of date")


@pytest.mark.parametrize("kind", KINDS)
def test_an_overflowed_list(kind: str) -> None:
    potential, params, system, _ = setting(kind)
    lists = jaxpot.neighbor_list(potential, skin=0.2, capacity_multiplier=1.0)
    squeezed = system.replace(positions=0.7 * system.positions, cell=0.7 * system.cell)
    neighbors = lists.update(squeezed, lists.allocate(system))
    assert_no_number(potential, params, squeezed, neighbors, "overflowed")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_and_cells_that_are_not_finite(kind: str, value: float) -> None:
    potential, params, system, neighbors = setting(kind)
    lost = system.replace(positions=system.positions.at[1, 2].set(value))
    assert_no_number(potential, params, lost, neighbors, "not finite")
    update = jaxpot.neighbor_list(potential, skin=0.2).update
    assert np.isnan(jax.jit(lambda s, n: jaxpot.energy(potential)(params, s, update(s, n)))(lost, neighbors))
    assert_no_number(potential, params, system.replace(cell=system.cell.at[0, 0].set(value)), neighbors, "not finite")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("species", [2, 2**31 - 1])
def test_species_out_of_range(kind: str, species: int) -> None:
    potential, params, system, neighbors = setting(kind)
    strange = system.replace(species=system.species.at[3].set(species))
    assert_no_number(potential, params, strange, neighbors, f"atom 3 has species {species}")


def test_sutton_chen_copper_squeezed_by_a_fifth() -> None:
    potential = jaxpot.sutton_chen(7.0)
    atoms = bulk("Cu", a=3.61, cubic=True) * (3, 3, 3)
    system = jaxpot.System.from_ase(atoms)
    lists = jaxpot.neighbor_list(potential)
    neighbors = lists.allocate(system)
    squeezed = system.replace(positions=0.8 * system.positions, cell=0.8 * system.cell)
    stale = jax.jit(jaxpot.energy(potential))(COPPER, squeezed, neighbors)
    assert np.isnan(stale)
    right = jaxpot.energy(potential)(COPPER, squeezed, lists.allocate(squeezed))
    assert np.isfinite(right)


def test_several_elements_need_their_names() -> None:
    atoms = structures.make("crystal", ("Ar", "Kr"), 5.3)
    with pytest.raises(ValueError, match="the structure has Ar, Kr, and elements=None takes all atoms for one kind"):
        jaxpot.System.from_ase(atoms)
    with pytest.raises(ValueError, match="species 2147483647 is not the index"):
        jaxpot.System.create([[0.0, 0.0, 0.0]], species=2**31 - 1)
    with pytest.raises(ValueError, match="species -2 is not the index"):
        jaxpot.System.create([[0.0, 0.0, 0.0]], species=-2)
    with pytest.raises(ValueError, match="whole numbers"):
        jaxpot.System.create([[0.0, 0.0, 0.0]], species=0.5)


def test_wrong_arguments_are_told_apart() -> None:
    potential, params, system, neighbors = setting("radial")
    atoms = structures.make("crystal", ("Ar", "Kr"), 5.3, seed=1)
    with pytest.raises(TypeError, match=r"an? Atoms stands where a jaxpot.System belongs; make one with"):
        jaxpot.energy(potential)(params, atoms, neighbors)
    with pytest.raises(TypeError, match=r"the order is \(params, system, neighbors\)"):
        jaxpot.energy(potential)(system, params, neighbors)
    with pytest.raises(TypeError, match="stands where a list of neighbours belongs"):
        jaxpot.energy(potential)(params, system, jaxpot.neighbor_list(4.0))


def test_wrong_arguments_of_lists_are_told_apart() -> None:
    potential, _, system, neighbors = setting("radial")
    atoms = structures.make("crystal", ("Ar", "Kr"), 5.3, seed=1)
    lists: Any = jaxpot.neighbor_list(potential)
    for attempt in (lambda: lists.allocate(atoms), lambda: lists.update(atoms, neighbors)):
        with pytest.raises(TypeError, match=r"Atoms stands where a jaxpot.System belongs; make one with"):
            attempt()
    with pytest.raises(TypeError, match="the system is the first argument"):
        lists.update(neighbors, system)
    with pytest.raises(TypeError, match="stands where a list of neighbours belongs; pass what allocate has returned"):
        lists.update(system, lists)


def test_one_structure_instead_of_several() -> None:
    potential, params, system, _ = setting("radial")
    evaluate: Any = jaxpot.evaluate
    for one in (structures.make("crystal", ("Ar", "Kr"), 5.3, seed=1), system):
        with pytest.raises(TypeError, match=r"pass \[structure\]"):
            evaluate(potential, params, one)


def test_one_structure_of_several_is_nan_alone() -> None:
    potential, params, system, neighbors = setting("radial")
    moved = system.replace(positions=system.positions.at[2, 0].add(0.4))
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), system, moved)
    found = jax.vmap(jaxpot.energy(potential), (None, 0, None))(params, both, neighbors)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


@pytest.mark.parametrize("far", [9.99999e5, 1e6, 1e6 + 0.5, 3e7])
def test_atoms_far_from_the_origin_do_not_meet_empty_slots(far: float) -> None:
    kind = jnp.result_type(float)
    if kind == jnp.float32 and far > 1e6:
        pytest.skip("float32 has no half Ångström there")
    potential = jaxpot.lennard_jones(6.0)
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 4.0, 0.0]])
    near, away = (jaxpot.System.create(positions + shift) for shift in (0.0, far))
    results = [
        potential.evaluate(ARGON, s.pad(5), jaxpot.neighbor_list(potential).allocate(s.pad(5))) for s in (near, away)
    ]
    np.testing.assert_allclose(results[1].energies, results[0].energies, rtol=1e-4 if kind == jnp.float32 else 1e-7)
