"""Batches of unequal structures give what single structures give, in few shapes."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.batch.padding import pad_system, sizes_used
from tests import structures
from tests.conftest import FLOAT32, Precision
from tests.neighbors.reference import as_cell, listed

CUTOFF = 5.0
ELEMENTS = ("Al", "Cu")
PARAMS = {
    "epsilon": np.array([[0.20, 0.25], [0.25, 0.35]]),
    "sigma": np.array([[2.6, 2.5], [2.5, 2.3]]),
}


POTENTIAL = jaxpot.lennard_jones(CUTOFF, ELEMENTS, mode="force_shifted")


@pytest.fixture
def potential() -> jaxpot.Potential:
    return POTENTIAL


def several() -> list[Atoms]:
    kinds = ("crystal", "primitive", "slab_without_third_vector", "cluster")
    made = [structures.make(kind, ELEMENTS, 3.9, seed=seed) for seed, kind in enumerate(kinds)]
    return [*made, Atoms("Cu"), Atoms("CuAl", positions=[[0, 0, 0], [0, 1, 2.5]])]


def as_systems(atoms: list[Atoms]) -> list[jaxpot.System]:
    return [jaxpot.System.from_ase(a, ELEMENTS) for a in atoms]


evaluate_single = jax.jit(POTENTIAL.evaluate)


@functools.cache
def singles() -> list[jaxpot.Evaluation]:
    """What each of `several` gives without any padding or rounding."""
    return [single(system) for system in as_systems(several())]


def single(system: jaxpot.System) -> jaxpot.Evaluation:
    return evaluate_single(PARAMS, system, jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system))


@pytest.mark.parametrize(
    "limits",
    [{}, {"evaluations": 1e4}, {"max_shapes": 2, "batch_size": 2}, {"max_shapes": 1, "max_slots": 3000}],
    ids=str,
)
def test_batches_give_what_single_structures_give(
    potential: jaxpot.Potential, precision: Precision, limits: dict[str, int]
) -> None:
    systems = as_systems(several())
    batches = jaxpot.batch(systems, CUTOFF, **limits)
    shapes = {tuple(leaf.shape for leaf in jax.tree.leaves(b)) for b in batches}
    assert len(shapes) <= limits.get("max_shapes", 4)
    seen = []
    evaluate = jax.jit(jax.vmap(potential.evaluate, (None, 0, 0)))
    for b in batches:
        found = evaluate(PARAMS, b.system, b.neighbors)
        energies = found.energies.sum(axis=1)
        assert len(b.mask) <= limits.get("batch_size", 1000)
        for place, (index, mask) in enumerate(zip(b.indices.tolist(), b.mask.tolist(), strict=True)):
            assert mask == (index < len(systems))
            if not mask:
                assert energies[place] == 0
                assert not found.forces[place].any()
                assert not b.system.real[place].any()
                continue
            seen.append(index)
            wanted = singles()[index]
            number = len(systems[index].positions)
            scale = float(jnp.abs(wanted.forces).max()) + 1e-3
            each = found.energies[place, :number]
            np.testing.assert_allclose(each, wanted.energies, rtol=precision.energy, atol=1e-12)
            np.testing.assert_allclose(found.forces[place, :number], wanted.forces, atol=precision.forces * scale)
            np.testing.assert_allclose(found.virial[place], wanted.virial, atol=precision.forces * 10)
            assert not found.forces[place, number:].any()
            assert not found.energies[place, number:].any()
    assert sorted(seen) == list(range(len(systems)))


def test_training_on_a_batch_compiles_once_a_shape_and_has_the_right_gradient(
    potential: jaxpot.Potential, precision: Precision
) -> None:
    systems = as_systems(several())
    traces = 0

    def loss(params: Any, b: jaxpot.Batch) -> jax.Array:
        nonlocal traces
        traces += 1
        energies, forces = jax.vmap(jaxpot.energy_and_forces(potential), (None, 0, 0))(params, b.system, b.neighbors)
        return (energies**2).sum() + (forces**2).sum()

    gradient = jax.jit(jax.grad(loss))
    params = jax.tree.map(jnp.asarray, PARAMS)
    batches = jaxpot.batch(systems, CUTOFF, max_shapes=2, batch_size=3, evaluations=1000)
    total = jax.tree.map(lambda *parts: sum(parts), *[gradient(params, b) for b in batches])
    assert traces == 2
    assert len(batches) > 2

    lists = [jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system) for system in systems]

    def direct(params: Any) -> float:
        found = [evaluate_single(params, *one) for one in zip(systems, lists, strict=True)]
        return float(sum(one.energies.sum() ** 2 + (one.forces**2).sum() for one in found))

    step = 1e-3 if FLOAT32 else 1e-6
    for name in params:
        table = np.asarray(params[name])

        def moved(sign: int, name: str = name, table: np.ndarray = table) -> float:
            return direct({**params, name: jnp.asarray(table * (1 + sign * step))})

        difference = (moved(1) - moved(-1)) / (2 * step)
        np.testing.assert_allclose((np.asarray(total[name]) * table).sum(), difference, rtol=2e-2 if FLOAT32 else 1e-6)


def test_structures_of_a_batch_can_be_taken_like_the_leaves_of_an_array(potential: jaxpot.Potential) -> None:
    [b] = jaxpot.batch(as_systems(several()), CUTOFF, max_shapes=1)
    chosen = jnp.array([5, 2, 2])
    some = jax.tree.map(lambda leaf: leaf[chosen], b)
    energies = jax.jit(jax.vmap(jaxpot.energy(potential), (None, 0, 0)))
    np.testing.assert_array_equal(
        energies(PARAMS, some.system, some.neighbors), energies(PARAMS, b.system, b.neighbors)[chosen]
    )


def test_a_skin_keeps_the_lists_complete_while_atoms_move(potential: jaxpot.Potential, precision: Precision) -> None:
    systems = as_systems([structures.crystal(ELEMENTS, 3.9, repeat=(2, 1, 1)), structures.make("wire", ELEMENTS, 3.9)])
    [b] = jaxpot.batch(systems, CUTOFF, skin=0.5, max_shapes=1)
    rng = np.random.default_rng(0)
    for place in range(2):
        system = systems[int(b.indices[place])]
        step = rng.uniform(-0.14, 0.14, size=system.positions.shape)
        moved = system.replace(positions=system.positions + jnp.asarray(step, system.positions.dtype))
        padded = b.system.positions[place].at[: len(step)].set(moved.positions)
        one = jax.tree.map(lambda leaf, place=place: leaf[place], b)
        energy = jaxpot.energy(potential)(PARAMS, one.system.replace(positions=padded), one.neighbors)
        np.testing.assert_allclose(energy, single(moved).energies.sum(), rtol=precision.energy)


def test_a_potential_without_cutoff_gets_no_lists() -> None:
    systems = as_systems(several())
    batches = jaxpot.batch(systems, 0.0, max_shapes=2)
    assert all(b.neighbors is None for b in batches)
    springs = jaxpot.Potential("springs", 0.0, None, lambda params, s, n: params * (s.positions**2).sum(axis=1))
    energies = np.zeros(len(systems))
    for b in batches:
        energies[np.asarray(b.indices)] = jax.vmap(jaxpot.energy(springs), (None, 0, 0))(2.0, b.system, b.neighbors)
    wanted = [2.0 * float((s.positions**2).sum()) for s in systems]
    np.testing.assert_allclose(energies, wanted, rtol=1e-5 if FLOAT32 else 1e-12)


def test_equal_structures_share_one_shape_without_waste() -> None:
    systems = as_systems([structures.crystal(ELEMENTS, 3.9, seed=seed, rattle=0.01) for seed in range(4)])
    [b] = jaxpot.batch(systems, CUTOFF, max_shapes=1)
    assert b.system.positions.shape == (4, 32, 3)


@pytest.mark.parametrize("kind", ["crystal", "primitive", "slab_without_third_vector", "cluster"])
def test_padding_a_list_keeps_its_entries_in_any_size(kind: str) -> None:
    system = as_systems([structures.make(kind, ELEMENTS, 3.9)])[0]
    neighbors = jaxpot.neighbor_list(CUTOFF).allocate(system)
    entries, _ = listed(neighbors, as_cell(system))
    used = sizes_used(neighbors)
    assert used.capacity == np.bincount(entries[:, 0]).max()
    rows = used.atoms + used.ghosts
    small = jaxpot.pad_neighbors(neighbors, used.atoms, used.capacity, rows)
    large = jaxpot.pad_neighbors(small, used.atoms + 7, used.capacity + 5, rows + 18)
    again = jaxpot.pad_neighbors(large, used.atoms + 7, used.capacity, rows + 7)
    for padded in (small, large, again):
        extended = as_cell(pad_system(system, padded.row_of_atom.shape[0]))
        assert padded.plan.rows == len(padded.source)
        assert padded.plan.capacity == padded.rows.shape[1]
        assert listed(padded, extended)[0].tolist() == entries.tolist()


def test_plans_depend_on_sizes_alone() -> None:
    a, b = (
        jaxpot.neighbor_list(CUTOFF).allocate(s)
        for s in as_systems([structures.make("slab", ELEMENTS, 3.9), structures.make("skewed", ELEMENTS, 3.9)])
    )
    assert a.plan != b.plan
    a, b = (jaxpot.pad_neighbors(n, 40, 200, 600) for n in (a, b))
    assert a.plan == b.plan
    assert hash(a.plan) == hash(b.plan)


@pytest.mark.parametrize("sizes", [(31, 200, 900), (32, 8, 900), (32, 200, 40)])
def test_a_size_that_is_too_small_is_refused(sizes: tuple[int, int, int]) -> None:
    neighbors = jaxpot.neighbor_list(CUTOFF).allocate(as_systems([structures.crystal(ELEMENTS, 3.9)])[0])
    with pytest.raises(ValueError, match=r"the list needs atoms >= 32, capacity >= \d+ and rows >= \d+, got"):
        jaxpot.pad_neighbors(neighbors, *sizes)


def test_more_atoms_than_one_block(precision: Precision) -> None:
    """Above 4096 atoms the engine works in blocks, and a batch pads to whole ones."""
    potential = jaxpot.lennard_jones(3.0)
    params = {"epsilon": 0.4, "sigma": 2.3}
    atoms = [structures.crystal(["Cu"], 3.6, repeat=(11, 11, 9), seed=1), structures.crystal(["Cu"], 3.6, seed=2)]
    systems = [jaxpot.System.from_ase(a) for a in atoms]
    [b] = jaxpot.batch(systems, 3.0, max_shapes=1)
    assert b.neighbors is not None
    assert b.neighbors.rows.shape[1] == 8192
    found = jax.jit(jax.vmap(potential.evaluate, (None, 0, 0)))(params, b.system, b.neighbors)
    for place, index in enumerate(b.indices.tolist()):
        system = systems[index]
        wanted = jax.jit(potential.evaluate)(params, system, jaxpot.neighbor_list(3.0).allocate(system))
        number = len(system.positions)
        np.testing.assert_allclose(found.energies[place, :number], wanted.energies, rtol=precision.energy, atol=1e-6)
        scale = float(jnp.abs(wanted.forces).max())
        np.testing.assert_allclose(found.forces[place, :number], wanted.forces, atol=precision.forces * scale)
        assert not found.energies[place, number:].any()


@pytest.mark.parametrize("limit", ["max_shapes", "batch_size", "max_slots"])
def test_limits_below_one_are_refused(limit: str) -> None:
    with pytest.raises(ValueError, match=f"{limit} must be at least 1, got 0"):
        jaxpot.batch(as_systems([Atoms("Cu")]), CUTOFF, **{limit: 0})


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one structure"):
        jaxpot.batch([], CUTOFF)


def test_evaluate_gives_every_structure_its_numbers(potential: jaxpot.Potential, precision: Precision) -> None:
    atoms = several()
    results = jaxpot.evaluate(potential, PARAMS, atoms)
    assert len(results) == len(atoms)
    for a, result, wanted in zip(atoms, results, singles(), strict=True):
        np.testing.assert_allclose(result.energy, wanted.energies.sum(), rtol=precision.energy)
        np.testing.assert_allclose(result.energies, wanted.energies, rtol=precision.energy, atol=1e-12)
        scale = float(jnp.abs(wanted.forces).max()) + 1e-3
        np.testing.assert_allclose(result.forces, wanted.forces, atol=precision.forces * scale)
        if a.cell.rank == 3:
            np.testing.assert_allclose(result.stress, result.virial / a.cell.volume, rtol=1e-5)
        else:
            assert result.stress is None
    mixed = jaxpot.evaluate(potential, PARAMS, [as_systems(atoms)[0].pad(40), atoms[0]])
    np.testing.assert_allclose(mixed[0].forces[:32], mixed[1].forces, atol=precision.forces)
    assert mixed[0].forces.shape == (40, 3)
    assert jaxpot.evaluate(potential, PARAMS, []) == []


def test_evaluate_compiles_a_bounded_number_of_times() -> None:
    traces = 0

    def contributions(params: Any, r: jax.Array, species: jaxpot.PairSpecies) -> tuple[jax.Array, ...]:
        nonlocal traces
        traces += 1
        return (params * (1 - r / 4.0) ** 2,)

    counting = jaxpot.radial_potential(contributions, None, 4.0)
    frames = [structures.random_structure(seed, max_atoms=6) for seed in range(40)]
    jaxpot.evaluate(counting, 1.0, frames[:1])
    once = traces
    jaxpot.evaluate(counting, 1.0, frames, max_shapes=3)
    assert traces <= 4 * once
    jaxpot.evaluate(counting, 2.0, frames, max_shapes=3)
    assert traces <= 4 * once


def test_evaluate_takes_the_float_type_asked_for(potential: jaxpot.Potential) -> None:
    [single_precision] = jaxpot.evaluate(potential, PARAMS, [several()[0]], dtype="float32")
    assert single_precision.forces.dtype == np.float32
    assert single_precision.stress is not None
    assert single_precision.stress.dtype == np.float32
    if not FLOAT32:
        assert jaxpot.evaluate(potential, PARAMS, [several()[0]])[0].forces.dtype == np.float64
    with pytest.raises(ValueError, match="dtype must be a float type such as 'float32' or 'float64', got int32"):
        jaxpot.evaluate(potential, PARAMS, several(), dtype=np.int32)


@pytest.mark.skipif(not FLOAT32, reason="x64 is enabled")
def test_evaluate_refuses_float64_that_jax_would_not_give(potential: jaxpot.Potential) -> None:
    with pytest.raises(ValueError, match="dtype float64 needs jax"):
        jaxpot.evaluate(potential, PARAMS, several(), dtype="float64")


def test_evaluate_names_the_structure_and_atom_that_is_wrong(potential: jaxpot.Potential) -> None:
    good = several()[0]
    iron = good.copy()
    iron.symbols[3] = "Fe"
    with pytest.raises(ValueError, match="structure 1: atom 3 is Fe, but the potential knows only Al, Cu"):
        jaxpot.evaluate(potential, PARAMS, [good, iron])
    clash = good.copy()
    clash.positions[7] = clash.positions[20]
    name = clash.symbols[20]
    message = rf"structure 1: .*atom 7 .* is 0 Å from atom 20 \({name}\); move them apart"
    with pytest.raises(FloatingPointError, match=message):
        jaxpot.evaluate(potential, PARAMS, [good, clash])
    lost = good.copy()
    lost.positions[4, 1] = np.nan
    with pytest.raises(ValueError, match="structure 2: position of atom 4 is not finite"):
        jaxpot.evaluate(potential, PARAMS, [good, good, lost])
    wrong = as_systems([good])[0]
    wrong = wrong.replace(species=wrong.species.at[2].set(2))
    with pytest.raises(ValueError, match="structure 0: atom 2 has species 2, but lennard_jones has 2 elements"):
        jaxpot.evaluate(potential, PARAMS, [wrong])


def test_evaluate_refuses_params_that_are_no_numbers(potential: jaxpot.Potential) -> None:
    with pytest.raises(ValueError, match=r"params\['sigma'\] holds NaN; repair the parameters"):
        jaxpot.evaluate(potential, {**PARAMS, "sigma": np.full((2, 2), np.nan)}, several())
    with pytest.raises(ValueError, match=r"params\['sigma'\] must be numbers, got 'wide'"):
        jaxpot.evaluate(potential, {**PARAMS, "sigma": "wide"}, several())


def test_non_finite_parameters_are_blamed_where_no_atoms_are_close(potential: jaxpot.Potential) -> None:
    with pytest.raises(FloatingPointError, match=r"structure 0: .*atom 0 \(\w+\) is not finite .*check the parameters"):
        jaxpot.evaluate(potential, {**PARAMS, "epsilon": np.full((2, 2), np.inf)}, several()[:1])
