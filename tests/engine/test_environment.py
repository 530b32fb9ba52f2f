"""Formulas of environments see few slots, those within the cutoff, and nothing depends on how many."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.engine import Environment
from tests import structures
from tests.conftest import FLOAT32

CUTOFF = 4.7
DIGITS = 1e-4 if FLOAT32 else 1e-12
PARAMS = {"a": 1.0}


def formula(params: Any, e: Environment) -> jax.Array:
    weight = jnp.exp(-params["a"] * e.distances) * (1 - (e.distances / CUTOFF) ** 2) ** 3
    return e.sum(weight) ** 2 + sum(e.sum(weight * d) ** 2 for d in (e.x, e.y, e.z))


POTENTIAL = jaxpot.environment_potential(formula, CUTOFF)


def listed() -> tuple[jaxpot.System, jaxpot.Neighbors]:
    atoms = structures.crystal(["W"], 3.18, "bcc", 4, rattle=0.15, shear=0.03, seed=1)
    system = jaxpot.System.create(atoms.positions, cell=np.array(atoms.cell)).pad(len(atoms) + 3)
    return system, jaxpot.neighbor_list(CUTOFF).allocate(system)


def with_slots(neighbors: jaxpot.Neighbors, inside: int) -> jaxpot.Neighbors:
    return dataclasses.replace(neighbors, plan=neighbors.plan._replace(inside=inside))


def results(system: jaxpot.System, neighbors: jaxpot.Neighbors) -> Any:
    """Energies, forces and virial; derivatives of first and second order; batches of params and of positions."""

    def total(a: Any, positions: jax.Array) -> jax.Array:
        return POTENTIAL.atomic_energies({"a": a}, system.replace(positions=positions), neighbors).sum()

    slopes = jax.grad(total, (0, 1))
    several = jnp.stack([system.positions, 1.01 * system.positions])
    return (
        jax.jvp(lambda r: slopes(1.0, r), (system.positions,), (jnp.sin(system.positions),)),
        jax.vmap(lambda a, r: POTENTIAL.evaluate({"a": a}, system.replace(positions=r), neighbors))(
            jnp.array([1.0, 1.2]), several
        ),
    )


@pytest.mark.parametrize("slots", ["as found", "too few for most blocks"])
def test_results_do_not_depend_on_the_slots_for_neighbours_within_the_cutoff(slots: str) -> None:
    system, neighbors = listed()
    positions = jnp.append(system.positions, jnp.full((1, 3), jnp.inf), axis=0)
    edges = positions[neighbors.others] + neighbors.shifts @ system.cell - system.positions[:, None]
    most = int((jnp.linalg.norm(edges, axis=-1) < CUTOFF).sum(axis=1).max())
    assert most <= neighbors.plan.inside < neighbors.capacity
    # the last block of 64 atoms holds little but padding, for which there is always room
    width = {"as found": neighbors.plan.inside, "too few for most blocks": most - 1}[slots]
    expected = jax.jit(results)(system, with_slots(neighbors, 0))
    found = jax.jit(results)(system, with_slots(neighbors, width))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=DIGITS * max(float(jnp.abs(b).max()), 1.0))


def test_an_atom_that_comes_into_the_cutoff_counts_before_the_list_is_rebuilt() -> None:
    system, neighbors = listed()
    lists = jaxpot.neighbor_list(CUTOFF)
    moved = system.replace(positions=system.positions * 0.985, cell=system.cell * 0.985)
    kept = lists.update(moved, neighbors)
    assert int(kept.rebuilds) == 0
    evaluate = jax.jit(POTENTIAL.evaluate)
    found = evaluate(PARAMS, moved, with_slots(kept, 24))
    fresh = evaluate(PARAMS, moved, lists.allocate(moved))
    np.testing.assert_allclose(found.forces, fresh.forces, atol=DIGITS)
    np.testing.assert_allclose(found.energies, fresh.energies, rtol=DIGITS)


def test_a_batch_takes_one_branch_instead_of_both() -> None:
    system, neighbors = listed()

    def forces(positions: jax.Array) -> jax.Array:
        return POTENTIAL.evaluate(PARAMS, system.replace(positions=positions), neighbors).forces

    text = str(jax.make_jaxpr(jax.vmap(forces))(jnp.stack([system.positions] * 2)))
    assert text.count("cond[") == 1
