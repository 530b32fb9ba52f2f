"""The compiled cell list and the compiled loop over pairs against the traced ones and a plain image sum.

Both are chosen for large systems only; here small ones are handed to them, so that the tests stay quick.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.engine import compiled
from jaxpot.engine.compiled import machine, source
from jaxpot.engine.compiled.scalar_code import Code, Translation, translate
from jaxpot.engine.radial_formula import RadialFormula
from jaxpot.neighbors import native
from jaxpot.numerics import native_choice
from tests import structures
from tests.conftest import FLOAT32

pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")

CUTOFF = 5.0
DIGITS = 1e-5 if FLOAT32 else 1e-11  # of results that two orders of summation give
REBUILD = jax.jit(jaxpot.neighbor_list(CUTOFF, 0.0).rebuild)


def native_list(system: jaxpot.System, cutoff: float = CUTOFF) -> jaxpot.Neighbors:
    """A list that the compiled cell list has built under jit."""
    neighbors = jaxpot.neighbor_list(cutoff, 0.0).allocate(system)
    neighbors = dataclasses.replace(neighbors, plan=neighbors.plan._replace(native=True))
    rebuilt = REBUILD(system, neighbors)
    assert int(rebuilt.rebuilds) == 1
    assert not bool(rebuilt.overflow)
    return rebuilt


def traced(neighbors: jaxpot.Neighbors) -> jaxpot.Neighbors:
    return dataclasses.replace(neighbors, plan=neighbors.plan._replace(native=False))


def edges(neighbors: jaxpot.Neighbors) -> set[tuple[int, ...]]:
    others, shifts = np.asarray(neighbors.others), np.asarray(neighbors.shifts)
    atom, slot = np.nonzero(np.asarray(neighbors.mask))
    return {(int(i), int(others[i, k]), *map(int, shifts[i, k])) for i, k in zip(atom, slot, strict=True)}


@pytest.mark.parametrize("kind", structures.KINDS)
def test_compiled_cell_list_equals_image_sum(kind: str) -> None:
    atoms = structures.make(kind, ["Cu", "Al"], 4.0, "fcc", seed=5)
    system = jaxpot.System.from_ase(atoms, ["Cu", "Al"])
    i, j, shifts, _ = structures.brute_force_pairs(atoms, CUTOFF)
    expected = {(int(a), int(b), *map(int, s)) for a, b, s in zip(i, j, shifts, strict=True)}
    assert expected
    assert edges(native_list(system)) == expected


def test_compiled_cell_list_in_many_bins_with_padded_atoms() -> None:
    atoms = structures.crystal(["Cu"], 4.0, "fcc", repeat=(7, 3, 5), rattle=0.3, seed=1)
    system = jaxpot.System.from_ase(atoms)
    i, j, shifts, _ = structures.brute_force_pairs(atoms, CUTOFF)
    expected = {(int(a), int(b), *map(int, s)) for a, b, s in zip(i, j, shifts, strict=True)}
    assert edges(native_list(system.pad(len(atoms) + 9))) == expected


def test_compiled_cell_list_says_when_a_capacity_is_too_small() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 4.0, "fcc", repeat=3, seed=2))
    neighbors = jaxpot.neighbor_list(CUTOFF, 0.0).allocate(system)
    assert neighbors.capacity > 16
    small = dataclasses.replace(
        neighbors, rows=neighbors.rows[:, :16], plan=neighbors.plan._replace(native=True, capacity=16)
    )
    assert bool(REBUILD(system, small).overflow)


def test_large_systems_take_the_compiled_list_and_loop() -> None:
    system = jaxpot.System.from_ase(structures.crystal(["Cu"], 4.0, "fcc", repeat=(11, 10, 10), seed=2))
    neighbors = jaxpot.neighbor_list(CUTOFF).allocate(system)
    assert neighbors.plan.native
    assert compiled.available(neighbors, system.positions.dtype)
    fewer = neighbors.plan._replace(native=False, bins=(8, 7, 7), bin_capacity=80)
    again = jax.jit(jaxpot.neighbor_list(CUTOFF, 0.0).rebuild)
    assert edges(again(system, dataclasses.replace(neighbors, plan=fewer))) == edges(neighbors)


def toy(mode: Callable[[Any, Any], Any], elements: tuple[str, ...]) -> jaxpot.Potential:
    return jaxpot.pair_potential(mode, CUTOFF, elements)


PAIR = {"epsilon": np.array([[0.4, 0.3], [0.3, 0.2]]), "sigma": np.array([[2.3, 2.4], [2.4, 2.6]])}
EXAMPLES: dict[str, tuple[jaxpot.Potential, Any]] = {
    "lennard_jones": (jaxpot.lennard_jones(CUTOFF), {"epsilon": 0.4, "sigma": 2.4}),
    "lennard_jones, two species, switched": (
        jaxpot.lennard_jones(CUTOFF, ("Cu", "Al"), "switched", switch_from=4.0),
        PAIR,
    ),
    "powers, roots, exponentials": (
        toy(
            lambda p, r: (
                p["epsilon"] * jnp.sqrt(r) * (p["sigma"] / r) ** 5 + jnp.log(r) * r**-3 + jnp.tanh(jnp.exp(-r))
            ),
            ("Cu", "Al"),
        ),
        PAIR,
    ),
    "many-body of two sums": (
        jaxpot.radial_potential(
            lambda p, r, s: (s.directed(p["a"]) * jnp.exp(-r), 0.5 * s.pair(p["b"]) / r),
            lambda p, sums, species: -jnp.sqrt(sums[0]) * p["c"][species] + sums[1],
            CUTOFF,
            ("Cu", "Al"),
        ),
        {
            "a": np.array([[1.0, 2.0], [3.0, 4.0]]),
            "b": np.array([[0.5, 0.7], [0.7, 0.9]]),
            "c": np.array([1.0, 1.5]),
        },
    ),
}


@pytest.fixture(scope="module")
def case() -> tuple[jaxpot.System, jaxpot.Neighbors]:
    atoms = structures.crystal(["Cu", "Al"], 4.0, "fcc", repeat=2, rattle=0.2, seed=7)
    system = jaxpot.System.from_ase(atoms, ("Cu", "Al")).pad(len(atoms) + 3)
    return system, native_list(system)


def scalar(evaluation: jaxpot.Evaluation) -> jax.Array:
    weights = jnp.arange(evaluation.forces.size, dtype=evaluation.forces.dtype).reshape(evaluation.forces.shape)
    return evaluation.energies.sum() + (jnp.sin(weights) * evaluation.forces).sum() + evaluation.virial[0, 1]


@pytest.mark.parametrize("name", EXAMPLES)
def test_compiled_loop_equals_traced_formula(
    name: str, case: tuple[jaxpot.System, jaxpot.Neighbors], monkeypatch: pytest.MonkeyPatch
) -> None:
    potential, params = EXAMPLES[name]
    system, neighbors = case
    calls = []
    pair_loop = compiled.pair_loop
    monkeypatch.setattr(compiled, "pair_loop", lambda *a, **k: calls.append(1) or pair_loop(*a, **k))
    got = jax.jit(potential.evaluate)(params, system, neighbors)
    assert calls  # it was not the traced one that answered
    expected = jax.jit(potential.evaluate)(params, system, traced(neighbors))
    for a, b in zip(got[:3], expected[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=DIGITS, atol=DIGITS * float(jnp.abs(b).max()))

    # what is derived from it goes through the traced formula: the same numbers again, and a compiled primal
    for argument in (0, 1):
        derived = [
            jax.jit(jax.grad(lambda *a: scalar(potential.evaluate(*a)), argument, allow_int=True))(params, system, n)
            for n in (neighbors, traced(neighbors))
        ]
        for a, b in zip(*(jax.tree.leaves(d) for d in derived), strict=True):
            if jnp.issubdtype(b.dtype, jnp.floating):
                np.testing.assert_allclose(a, b, rtol=10 * DIGITS, atol=10 * DIGITS * float(jnp.abs(b).max()))


def tables_of_two() -> tuple[jaxpot.Potential, Any]:
    """An EAM potential of two elements."""
    potential = jaxpot.eam(["Cu", "Al"], CUTOFF, n_rho=101, d_rho=0.2, n_r=101, d_r=0.05)
    rho, r, size = np.arange(101) * 0.2, np.arange(101) * 0.05, np.array([1.0, 1.4])
    bond = np.maximum(1 - r / 5, 0) ** 3
    pair = (0.3 + 0.1 * np.add.outer(size, size))[:, :, None] * (r * bond)
    return potential, potential.init(-np.sqrt(rho) * size[:, None], bond * size[::-1, None], pair)


@pytest.mark.parametrize("name", ["lennard_jones", "eam"])
def test_processors_that_cannot_collect_edges_take_another_loop(
    name: str, case: tuple[jaxpot.System, jaxpot.Neighbors], monkeypatch: pytest.MonkeyPatch
) -> None:
    potential, params = tables_of_two() if name == "eam" else EXAMPLES[name]
    system, neighbors = case
    expected = potential.evaluate(params, system, traced(neighbors))
    monkeypatch.setattr(machine, "_source", lambda loop, source_of: source_of(loop))  # not kept
    for collects in (False, True):
        monkeypatch.setattr(source, "collects", lambda collects=collects: collects)
        for function in (potential.unchecked.evaluate, potential.unchecked.without_virial):
            got = jax.jit(lambda *given, function=function: function(*given))(params, system, neighbors)
            results = zip(got[:3], expected[:3], strict=True)
            for a, b in list(results)[: 3 if function is potential.unchecked.evaluate else 2]:
                np.testing.assert_allclose(a, b, rtol=DIGITS, atol=DIGITS * float(jnp.abs(b).max()))
        assert np.isnan(got.virial).all()


def test_sums_that_are_only_added_are_found_in_the_formula() -> None:
    def added(energy: Callable[..., jax.Array]) -> tuple[bool, ...]:
        return RadialFormula(lambda p, r, s: (r, r * r), energy, CUTOFF, 1).added_sums(2.0, jnp.float32)

    assert added(lambda p, sums, species: jnp.sqrt(sums[0]) + sums[1]) == (False, True)
    assert added(lambda p, sums, species: sums[1] + (sums[0] + p)) == (True, True)
    # each of these has the slope 1 somewhere or everywhere, and is more than the sum
    assert added(lambda p, sums, species: sums[0] + sums[1] * sums[0]) == (False, False)
    assert added(lambda p, sums, species: sums[0] + sums[0] + sums[1]) == (False, True)
    assert added(lambda p, sums, species: (t := sums[0] + sums[1]) + jax.lax.stop_gradient(t) ** 2) == (False, False)
    assert added(lambda p, sums, species: jnp.where(sums[0] > 1, sums[0], 1.0) + p * sums[1]) == (False, False)


def reversed_by_loops(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Is filled with True for every compiled loop of a reverse pass, with False for others."""
    calls: list[bool] = []
    pair_loop = compiled.pair_loop
    monkeypatch.setattr(compiled, "pair_loop", lambda *a, **k: calls.append(len(a) > 6) or pair_loop(*a, **k))
    return calls


def pulled(potential: jaxpot.Potential, with_energies: bool) -> Callable[..., jax.Array]:
    """A number that depends on forces, and on energies if wanted, as a function of params and positions."""

    def function(params: Any, positions: jax.Array, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jax.Array:
        found = potential.evaluate(params, system.replace(positions=positions), neighbors)
        place = jnp.arange(found.forces.size, dtype=found.forces.dtype).reshape(found.forces.shape)
        value = (jnp.sin(place) * found.forces).sum()
        return value + (jnp.cos(place[:, 0]) * found.energies).sum() if with_energies else value

    return function


@pytest.mark.parametrize("with_energies", [False, True])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_compiled_reverse_pass_equals_the_derived_one(
    name: str, with_energies: bool, case: tuple[jaxpot.System, jaxpot.Neighbors], monkeypatch: pytest.MonkeyPatch
) -> None:
    potential, params = EXAMPLES[name]
    system, neighbors = case
    params = jax.tree.map(jnp.asarray, params)
    gradient = jax.jit(jax.grad(pulled(potential, with_energies), (0, 1)))
    calls = reversed_by_loops(monkeypatch)
    got = gradient(params, system.positions, system, neighbors)
    assert calls.count(True) == (2 if "many-body" in name else 1)
    expected = gradient(params, system.positions, system, traced(neighbors))
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=10 * DIGITS, atol=10 * DIGITS * float(jnp.abs(b).max()))


@pytest.mark.parametrize("name", ["lennard_jones, two species, switched", "many-body of two sums"])
def test_the_compiled_reverse_pass_is_differentiated_on(
    name: str, case: tuple[jaxpot.System, jaxpot.Neighbors]
) -> None:
    potential, params = EXAMPLES[name]
    system, neighbors = case
    params = jax.tree.map(jnp.asarray, params)
    gradient = jax.grad(pulled(potential, False), (0, 1))

    def size(*arguments: Any) -> jax.Array:
        return sum((jnp.sin(leaf) ** 2).sum() for leaf in jax.tree.leaves(gradient(*arguments)))

    def along(params: Any, *arguments: Any) -> Any:
        return jax.jvp(lambda p: gradient(p, *arguments), (params,), (params,))[1]

    for function in (jax.jit(jax.grad(size, (0, 1))), jax.jit(along)):
        got, expected = (function(params, system.positions, system, n) for n in (neighbors, traced(neighbors)))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=100 * DIGITS, atol=100 * DIGITS * float(jnp.abs(b).max()))


def test_reverse_passes_of_tables_by_positions_and_by_knots(
    case: tuple[jaxpot.System, jaxpot.Neighbors], monkeypatch: pytest.MonkeyPatch
) -> None:
    system, neighbors = case
    potential, params = tables_of_two()
    calls = reversed_by_loops(monkeypatch)
    for argument, loops in ((1, 2), (0, 0)):  # too many knots for a sum each
        gradient = jax.jit(jax.grad(pulled(potential, True), argument, allow_int=True))
        calls.clear()
        got = gradient(params, system.positions, system, neighbors)
        assert calls.count(True) == loops
        expected = gradient(params, system.positions, system, traced(neighbors))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=10 * DIGITS, atol=10 * DIGITS * float(jnp.abs(b).max()))


def test_compiled_loop_keeps_float32(case: tuple[jaxpot.System, jaxpot.Neighbors]) -> None:
    potential, params = EXAMPLES["many-body of two sums"]
    system, neighbors = case
    single, neighbors32 = jax.tree.map(
        lambda x: x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x, (system, neighbors)
    )
    params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    got = potential.evaluate(params, single, neighbors32)
    assert {x.dtype for x in got[:3]} == {jnp.dtype("float32")}
    expected = potential.evaluate(EXAMPLES["many-body of two sums"][1], system, traced(neighbors))
    np.testing.assert_allclose(got.forces, expected.forces, atol=1e-4 * float(jnp.abs(expected.forces).max()))


def test_ensembles_through_the_compiled_loop(case: tuple[jaxpot.System, jaxpot.Neighbors]) -> None:
    potential = jaxpot.lennard_jones(CUTOFF)
    system, neighbors = case
    ensemble = {"epsilon": jnp.array([0.3, 0.4, 0.5]), "sigma": jnp.array([2.4, 2.3, 2.2])}
    together = jax.jit(jax.vmap(jaxpot.forces(potential), (0, None, None)))(ensemble, system, neighbors)
    for k in range(3):
        member = jax.tree.map(lambda x, k=k: x[k], ensemble)
        alone = jaxpot.forces(potential)(member, system, traced(neighbors))
        np.testing.assert_allclose(together[k], alone, rtol=0, atol=DIGITS * float(jnp.abs(alone).max()))


def test_what_derivatives_repeat_is_one_line() -> None:
    """Of the same sine four times, and of what depends on no pair, one line and one input; two numbers stay two."""
    table = jnp.arange(4.0).reshape(2, 2)

    def term(r: jax.Array, own: jax.Array, c: jax.Array) -> jax.Array:
        return jnp.sin(c * c * r) * (table + table.T)[own, 1]

    def terms(r: jax.Array, own: jax.Array, c: jax.Array, d: jax.Array) -> jax.Array:
        return term(r, own, c) + term(r, own, c) * term(r, own, d) - term(r, own, c)

    translation = Translation(jnp.result_type(1.0))
    number = jnp.asarray(2.0)
    jaxpr = jax.make_jaxpr(terms)(1.0, jnp.int32(0), number, number)
    arguments = [Code(("r",), ()), Code(("own",), ()), number, number + 1.0]
    (result,) = translate(jaxpr, arguments, translation)
    assert isinstance(result, Code)
    lines = [line.text for line in translation.lines]
    assert sum("math.sin" in text for text in lines) == 2
    assert sum(line.table is not None for line in translation.lines) == 1
    assert sorted(float(v) for v in translation.inputs if v.size == 1 and v.dtype.kind == "f") == [4.0, 9.0]


def test_formulas_without_scalar_code_are_traced(
    case: tuple[jaxpot.System, jaxpot.Neighbors], monkeypatch: pytest.MonkeyPatch
) -> None:
    system, neighbors = case

    def sum_of_gaussians(p: Any, r: jax.Array) -> jax.Array:
        return jnp.exp(-((r[..., None] - jnp.linspace(1.0, 4.0, 5).reshape((1,) * r.ndim + (5,))) ** 2)).sum(-1) * p

    potential = jaxpot.pair_potential(sum_of_gaussians, CUTOFF, ("Cu", "Al"))
    with pytest.raises(compiled.UnsupportedError, match="primitive `sub`"):
        compiled.pair_loop(lambda p, r, *_: ((sum_of_gaussians(p, r),), None), 1.0, system, neighbors, CUTOFF)
    monkeypatch.setattr(native_choice, "_warned", set())
    with pytest.warns(UserWarning, match="primitive `sub`"):
        got = potential.evaluate(1.0, system, neighbors)
    expected = potential.evaluate(1.0, system, traced(neighbors))
    np.testing.assert_allclose(got.forces, expected.forces, rtol=1e-12, atol=1e-12)


def test_a_position_that_is_not_a_number_shows_in_the_forces(case: tuple[jaxpot.System, jaxpot.Neighbors]) -> None:
    system, neighbors = case
    broken = system.replace(positions=system.positions.at[4, 1].set(jnp.nan))
    potential, params = EXAMPLES["lennard_jones"]
    assert bool(jnp.isnan(potential.unchecked.evaluate(params, broken, neighbors).forces[4]).any())


def test_numba_is_found() -> None:
    assert native.available()
