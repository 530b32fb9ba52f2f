"""The memory of an evaluation is bounded, however many neighbours and functions there are."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.descriptors import Environment
from jaxpot.descriptors.symmetry_functions import SymmetryFunction, angular, radial, symmetry_functions
from jaxpot.engine import memory
from jaxpot.engine.memory import atoms_at_once, numbers_of_one_atom
from tests import structures

ELEMENTS = ("H", "O")


def functions(zetas: int) -> list[SymmetryFunction]:
    found = [radial(center, other, 5.0, 0.1) for center in ELEMENTS for other in ELEMENTS]
    for center in ELEMENTS:
        for pair in combinations_with_replacement(ELEMENTS, 2):
            found += [angular(center, pair, 5.0, 0.02, zeta, 1.0) for zeta in range(1, zetas + 1)]
    return found


def environments(atoms: int, slots: int, dtype: Any = jnp.float32) -> Environment:
    edges, kinds = jax.ShapeDtypeStruct((atoms, slots), dtype), jax.ShapeDtypeStruct((atoms, slots), np.int32)
    own = jax.ShapeDtypeStruct((atoms,), np.int32)
    return Environment(edges, edges, edges, edges, kinds, own, jax.ShapeDtypeStruct((atoms, slots), bool))


def test_the_count_is_that_of_the_operations_on_the_environment() -> None:
    def formula(e: Environment) -> jax.Array:
        table = jnp.ones((50, 50), np.float32)  # does not depend on the environment
        one, two = (jax.lax.broadcast_in_dim(d, (1, 7, 7), axes) for d, axes in ((e.x, (0, 1)), (e.y, (0, 2))))
        return (
            jax.lax.map(jax.lax.sin, one * two).sum() + jnp.sin(table).sum()
        )  # four arrays over pairs, and two numbers

    assert numbers_of_one_atom(formula, environments(4, 7)) == 4 * 7 * 7 + 2


def test_atoms_at_once_fall_with_pairs_times_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    few = symmetry_functions(ELEMENTS, functions(2)).values
    many = symmetry_functions(ELEMENTS, functions(16)).values
    counts = [numbers_of_one_atom(one, environments(1, slots)) for one in (few, many) for slots in (20, 80)]
    pairs = 80 * 79 / (20 * 19)
    assert counts[1] / counts[0] == pytest.approx(pairs, rel=0.1)
    assert counts[3] / counts[2] == pytest.approx(pairs, rel=0.1)
    assert counts[3] - counts[1] > 14 * 3 * 2 * 80 * 79 / 2  # each more function is an array over all pairs
    monkeypatch.setattr(memory, "BUDGET", 40 * counts[3] * 4)
    assert atoms_at_once(many, environments(500, 80), 128) == 40
    assert atoms_at_once(many, environments(500, 80, jnp.float64), 128) == 20
    assert atoms_at_once(few, environments(500, 20), 128) == 128
    monkeypatch.setattr(memory, "BUDGET", 1)
    assert atoms_at_once(many, environments(500, 80), 128) == 1


def test_a_budget_bounds_the_memory_and_changes_no_number(monkeypatch: pytest.MonkeyPatch, precision: Any) -> None:
    atoms = structures.crystal(ELEMENTS, 3.4, "fcc", 2, rattle=0.1, seed=3)
    potential = jaxpot.hdnnp(ELEMENTS, functions(2), [3])
    params = potential.init(jax.random.key(0))
    system = jaxpot.System.from_ase(atoms, ELEMENTS)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    descriptor = potential.descriptor
    each = numbers_of_one_atom(descriptor.values, environments(1, neighbors.rows.shape[1]))

    def program() -> Any:
        fresh = jaxpot.hdnnp(ELEMENTS, functions(2), [3])  # traced anew, since the budget is not an argument

        def slopes(s: jaxpot.System) -> Any:
            return jax.value_and_grad(lambda r: jaxpot.energy(fresh)(params, s.replace(positions=r), neighbors))(
                s.positions
            )

        return jax.jit(lambda s: (fresh.evaluate(params, s, neighbors)[:3], slopes(s))).lower(system).compile()

    whole = program()
    monkeypatch.setattr(memory, "BUDGET", 4 * each * system.positions.dtype.itemsize)
    parts = program()
    for a, b in zip(jax.tree.leaves(whole(system)), jax.tree.leaves(parts(system)), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=precision.forces * (1 + np.abs(np.asarray(a)).max()))
    needed = [one.memory_analysis().temp_size_in_bytes for one in (whole, parts)]
    assert needed[1] < needed[0] / 3
    assert needed[1] < 3 * memory.BUDGET
