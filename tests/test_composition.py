"""Sums with a list for each part, chains that pass charges on, data of systems and results of evaluations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.extras import Extra, declare
from jaxpot.units import COULOMB
from tests import structures
from tests.conftest import needs_float64

Params = Any
CUTOFF = 5.0


def flowing_charges(cutoff: float) -> jaxpot.Potential:
    """Charges that depend on the neighbours: q_i = chi (1 - <n>) with a smooth count of neighbours n; no energy."""

    def count(params: Params, r: jax.Array, species: jaxpot.PairSpecies) -> tuple[jax.Array, ...]:
        return ((1.0 - (r / cutoff) ** 2) ** 3 * params["width"],)

    counting = jaxpot.radial_potential(count, lambda p, sums, species: sums[0], cutoff, name="count")

    def outputs(params: Params, system: jaxpot.System, neighbors: Any) -> jaxpot.Outputs:
        counted = counting.unchecked.energies(params, system, neighbors)
        mean = counted.sum() / system.real.sum()
        charges = jnp.where(system.real, params["chi"] * (mean - counted), 0.0)
        return jaxpot.Outputs(jnp.zeros_like(charges), {"charges": charges})

    return jaxpot.Potential("charges", cutoff, None, jaxpot.Functions(outputs), gives=frozenset({"charges"}))


def screened_coulomb(cutoff: float) -> jaxpot.Potential:
    """E = 1/2 sum_ij k q_i q_j (1/r - 1/rc)^2 rc^2 over pairs, of the system's charges."""

    def outputs(params: Params, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jaxpot.Outputs:
        charges = system.extras["charges"]
        own = jnp.arange(len(charges))
        others = jnp.minimum(neighbors.others, len(charges) - 1)
        shifts = neighbors.shifts.astype(charges.dtype) @ system.cell
        edges = system.positions[others] + shifts - system.positions[own][:, None]
        inside = neighbors.mask & ((edges**2).sum(axis=-1) < cutoff**2)
        r = jnp.sqrt(jnp.where(inside, (edges**2).sum(axis=-1), cutoff**2))
        each = params["k"] * charges[:, None] * charges[others] * (1.0 / r - 1.0 / cutoff) ** 2 * cutoff**2
        return jaxpot.Outputs(0.5 * jnp.where(inside, each, 0.0).sum(axis=1))

    return jaxpot.Potential("coulomb", cutoff, None, jaxpot.Functions(outputs), needs=frozenset({"charges"}))


def chained() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.chain(flowing_charges(3.5), screened_coulomb(CUTOFF))
    return potential, ({"width": 1.0, "chi": 0.3}, {"k": COULOMB})


def argon(kind: str = "crystal", extra: int = 0) -> jaxpot.System:
    return jaxpot.System.from_ase(structures.make(kind, ["Ar"], 4.5, seed=2)).pad(
        len(structures.make(kind, ["Ar"], 4.5, seed=2)) + extra
    )


@needs_float64
@pytest.mark.parametrize("kind", ["crystal", "slab", "cluster"])
def test_forces_and_stress_go_through_the_charges(kind: str) -> None:
    potential, params = chained()
    system = argon(kind)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    found = jax.jit(potential.evaluate)(params, system, neighbors)
    assert set(found.extras) == {"charges"}
    assert np.abs(found.extras["charges"]).max() > 1e-3
    rng = np.random.default_rng(0)
    direction, h = rng.normal(size=system.positions.shape), 1e-5
    displaced = [system.replace(positions=system.positions + s * h * direction) for s in (1, -1)]
    moved = [float(jaxpot.energy(potential)(params, s, neighbors)) for s in displaced]
    slope = -(moved[0] - moved[1]) / (2 * h)
    np.testing.assert_allclose((found.forces * direction).sum(), slope, rtol=1e-7)
    # charges held fixed give other forces: the chain's part is seen
    alone = jax.jit(screened_coulomb(CUTOFF).evaluate)(
        params[1], system.with_extras(charges=found.extras["charges"]), neighbors
    )
    np.testing.assert_allclose(alone.energies, found.energies, rtol=1e-12)
    assert np.abs(alone.forces - found.forces).max() > 1e-3 * np.abs(found.forces).max()
    strain = 0.5 * (direction[:3] + direction[:3].T) if len(direction) > 2 else np.eye(3)
    energies = []
    for s in (1, -1):
        change = np.eye(3) + s * 1e-6 * strain
        strained = system.replace(positions=system.positions @ change, cell=system.cell @ change)
        energies.append(float(jaxpot.energy(potential)(params, strained, neighbors)))
    np.testing.assert_allclose((found.virial * strain).sum(), (energies[0] - energies[1]) / 2e-6, rtol=1e-5)


@needs_float64
def test_parameter_gradients_go_through_the_charges() -> None:
    potential, params = chained()
    system = argon(extra=3)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    energy = jax.jit(jaxpot.energy(potential))
    gradient = jax.grad(energy)(jax.tree.map(jnp.asarray, params), system, neighbors)
    for part, name in ((0, "width"), (0, "chi"), (1, "k")):
        changed = []
        for s in (1, -1):
            some = [dict(p) for p in params]
            some[part][name] = some[part][name] * (1 + s * 1e-5)
            changed.append(float(energy(tuple(some), system, neighbors)))
        slope = (changed[0] - changed[1]) / (2e-5 * params[part][name])
        np.testing.assert_allclose(gradient[part][name], slope, rtol=1e-7)


def test_a_chain_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no part needs what an earlier one gives"):
        jaxpot.chain(screened_coulomb(5.0), flowing_charges(5.0))
    with pytest.raises(ValueError, match="at least two"):
        jaxpot.chain(flowing_charges(5.0))


def test_data_that_are_missing_or_unknown_are_named() -> None:
    potential = screened_coulomb(CUTOFF)
    system = argon()
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    with pytest.raises(ValueError, match="coulomb needs charges, which the system does not have"):
        jaxpot.energy(potential)({"k": 1.0}, system, neighbors)
    with pytest.raises(ValueError, match="'charge' is not a declared name of data; known are charges, "):
        system.with_extras(charge=jnp.zeros(len(system.species)))
    with pytest.raises(ValueError, match="one entry per atom"):
        jaxpot.System.create(system.positions, extras={"charges": [0.0]})
    with pytest.raises(ValueError, match="not finite"):
        jaxpot.System.create([[0.0, 0.0, 0.0]], extras={"charges": [np.nan]})


def test_data_are_padded_stacked_and_batched_as_declared() -> None:
    declare(Extra("test_label", "1", "atom", fill=-7.0))
    make = jaxpot.System.create
    systems = [
        make(np.zeros((n, 3)) + np.arange(n)[:, None], extras={"test_label": np.arange(n), "total_charge": float(n)})
        for n in (2, 3)
    ]
    stacked = jaxpot.stack_systems(systems)
    np.testing.assert_array_equal(stacked.extras["test_label"], [[0, 1, -7], [0, 1, 2]])
    np.testing.assert_array_equal(stacked.extras["total_charge"], [2, 3])
    (both,) = jaxpot.batch(systems, 0.0, max_shapes=1)
    np.testing.assert_array_equal(both.system.extras["test_label"][:, :3], stacked.extras["test_label"])
    with pytest.raises(ValueError, match="declared already"):
        declare(Extra("test_label", "1", "system"))


def test_results_follow_their_rules_in_sums_and_multiples() -> None:
    def giving(name: str, value: float, shape: tuple[int, ...] = ()) -> jaxpot.Potential:
        def outputs(params: Params, system: jaxpot.System, neighbors: Any) -> jaxpot.Outputs:
            return jaxpot.Outputs(jnp.zeros(len(system.species)), {name: jnp.full(shape, value)})

        return jaxpot.Potential(f"gives {name}", 0.0, None, jaxpot.Functions(outputs), gives=frozenset({name}))

    system = jaxpot.System.create([[0.0, 0.0, 0.0]])

    def results(potential: jaxpot.Potential, count: int) -> dict[str, Any]:
        return potential.evaluate(({},) * count if count else {}, system, None).extras

    assert float(results(giving("dipole", 2.0) + giving("dipole", 3.0), 2)["dipole"]) == 5.0
    assert float(results(giving("grade", 2.0) + giving("grade", 3.0), 2)["grade"]) == 3.0
    assert float(results(jaxpot.scale(giving("variance", 2.0), 3.0), 0)["variance"]) == 18.0
    assert float(results(jaxpot.scale(giving("charges", 2.0), 3.0), 0)["charges"]) == 2.0
    with pytest.raises(ValueError, match="two parts of a sum give charges"):
        results(giving("charges", 2.0) + giving("charges", 3.0), 2)
    (one,) = jaxpot.evaluate(giving("charges", 2.0, (8,)), {}, [system])
    assert one.extras["charges"].tolist() == [2.0]


@needs_float64
@pytest.mark.parametrize("kind", ["crystal", "primitive", "slab", "cluster"])
def test_each_part_of_a_sum_gets_the_list_of_its_own_cutoff(kind: str) -> None:
    elements = ("Ar",)
    seen: list[int] = []

    def counting(cutoff: float) -> jaxpot.Potential:
        def energy(params: Params, env: jaxpot.Environment) -> jax.Array:
            seen.append(env.x.shape[-1])
            return env.sum((1 - (env.distances / cutoff) ** 2) ** 2) ** 2

        return jaxpot.environment_potential(energy, cutoff, elements)

    short, long = counting(3.9), jaxpot.lennard_jones(9.0)
    potential = short + (long + jaxpot.morse(6.0))
    params = ({}, ({"epsilon": 0.0104, "sigma": 3.4}, {"D0": 0.1, "alpha": 1.0, "r0": 3.5}))
    assert potential.ranges == (9.0, 6.0, 3.9)
    system = jaxpot.System.from_ase(structures.make(kind, elements, 4.5, seed=1), elements)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    total = potential.evaluate(params, system, neighbors)
    assert max(seen) < neighbors.capacity / 3 or kind == "cluster"
    parts = [(short, params[0]), (long, params[1][0]), (jaxpot.morse(6.0), params[1][1])]
    alone = [p.evaluate(q, system, jaxpot.neighbor_list(p).allocate(system)) for p, q in parts]
    for name in ("energies", "forces", "virial"):
        np.testing.assert_allclose(getattr(total, name), sum(getattr(a, name) for a in alone), rtol=1e-11, atol=1e-11)
    # a list made for the largest cutoff alone serves too
    wide = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    np.testing.assert_allclose(potential.evaluate(params, system, wide).forces, total.forces, rtol=1e-11, atol=1e-11)


@needs_float64
def test_pair_terms_that_tell_the_ends_apart_have_consistent_forces() -> None:
    """The energy of a pair may depend on which end it is counted for; forces are the derivative of the sum."""

    def contributions(params: Params, r: jax.Array, species: jaxpot.PairSpecies) -> tuple[jax.Array, ...]:
        return (species.directed(params["table"]) * (1.0 - r / 5.0) ** 2 * species.of_other(params["other"]),)

    elements = ("Ar", "Kr")
    potential = jaxpot.radial_potential(contributions, None, 5.0, elements)
    params = {"table": jnp.array([[1.0, 2.0], [-3.0, 0.5]]), "other": jnp.array([1.0, 0.3])}
    system = jaxpot.System.from_ase(structures.make("crystal", elements, 4.5, seed=3), elements)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    forces = jaxpot.forces(potential)(params, system, neighbors)
    gradient = jax.grad(lambda x: jaxpot.energy(potential)(params, system.replace(positions=x), neighbors))
    np.testing.assert_allclose(forces, -gradient(system.positions), rtol=1e-10, atol=1e-12)
    # a formula that JAX has compiled by itself is noticed too
    inner = jax.jit(lambda params, r, species: contributions(params, r, species))
    compiled = jaxpot.radial_potential(inner, None, 5.0, elements)
    for _ in range(2):
        np.testing.assert_allclose(jaxpot.forces(compiled)(params, system, neighbors), forces, rtol=1e-10, atol=1e-12)


def test_prepared_params_serve_every_evaluation() -> None:
    def squared(params: Params, dtype: Any) -> Params:
        calls.append(1)
        return {"height": jnp.asarray(params["root"], dtype) ** 2}

    def contributions(p: Params, r: jax.Array, species: jaxpot.PairSpecies) -> tuple[jax.Array, ...]:
        return (p["height"] * (1 - r / 5.0) ** 2,)

    calls: list[int] = []
    one = jaxpot.radial_potential(contributions, None, 5.0, prepare=squared)
    potential = jaxpot.scale(one, 2.0) + jaxpot.morse(4.0)
    params = ({"root": 1.5}, {"D0": 0.1, "alpha": 1.0, "r0": 3.5})
    system = argon()
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    plain = potential.evaluate(params, system, neighbors)
    ready = jaxpot.prepare(potential, params)
    calls.clear()
    prepared = potential.evaluate(ready, system, neighbors)
    assert not calls
    np.testing.assert_allclose(prepared.forces, plain.forces, rtol=1e-6)
    slope = jax.grad(lambda p: potential.atomic_energies(jaxpot.prepare(potential, p), system, neighbors).sum())(params)
    direct = jax.grad(jaxpot.energy(potential))(params, system, neighbors)
    np.testing.assert_allclose(slope[0]["root"], direct[0]["root"], rtol=1e-6)


def test_wrong_arguments_of_factories_are_told_apart() -> None:
    library: Any = jaxpot
    add, scale, factory = library.add, library.scale, library.lennard_jones
    potential: Any = factory(4.0)
    for attempt in (lambda: add([potential, potential]), lambda: potential + 1, lambda: scale(2.0, potential)):
        with pytest.raises(TypeError, match="stands where a potential belongs"):
            attempt()
    with pytest.raises(TypeError, match=r"lennard_jones: missing .* argument: 'cutoff'; its arguments are cutoff,"):
        factory()
    with pytest.raises(ValueError, match=r"elements is the text 'Ar'; pass a sequence of symbols, such as \['Ar'\]"):
        factory(4.0, "Ar")
