"""What somebody reads who writes an argument in a wrong place, forgets a parameter, or prints what he has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from ase.build import bulk

import jaxpot

ATOMS = bulk("Ar", a=5.3, cubic=True)
LJ = jaxpot.lennard_jones(cutoff=6.0)
PARAMS = {"epsilon": 0.0104, "sigma": 3.4}
SYSTEM = jaxpot.System.from_ase(ATOMS)
LISTS = jaxpot.neighbor_list(LJ)
NEIGHBORS = LISTS.allocate(SYSTEM)
ENERGY = jaxpot.energy(LJ)

Call = Callable[[], Any]


def energy_of(potential: jaxpot.Potential) -> Any:
    return jaxpot.energy(potential)(1.0, SYSTEM, jaxpot.neighbor_list(potential).allocate(SYSTEM))


MISPLACED: dict[str, tuple[Call, str]] = {
    "a number for a path": (lambda: jaxpot.load(3), "load: an int stands where a path belongs; give the path"),  # type: ignore[arg-type]
    "Atoms for a path": (lambda: jaxpot.load(ATOMS), "load: an Atoms stands where a path belongs"),
    "several Atoms for one": (
        lambda: jaxpot.System.from_ase([ATOMS]),  # type: ignore[arg-type]
        "a list stands where an Atoms belongs; make one system of each: [System.from_ase(atoms, elements) for atoms",
    ),
    "a System for Atoms": (lambda: jaxpot.System.from_ase(SYSTEM), "a System stands where an Atoms belongs"),  # type: ignore[arg-type]
    "a path for Atoms": (lambda: jaxpot.System.from_ase("a.xyz"), "read the file first, with ase.io.read"),  # type: ignore[arg-type]
    "elements first": (lambda: jaxpot.System.from_ase(("Ar",), ATOMS), "the order is (atoms, elements)"),
    "one symbol for elements": (lambda: jaxpot.System.from_ase(ATOMS, "Ar"), "give elements=potential.elements"),
    "a potential for elements": (lambda: jaxpot.System.from_ase(ATOMS, LJ), "give elements=potential.elements"),  # type: ignore[arg-type]
    "prepare": (lambda: jaxpot.prepare(PARAMS, LJ), "prepare: a dict stands where a potential belongs; the order is"),  # type: ignore[arg-type]
    "energy of params": (
        lambda: jaxpot.energy(PARAMS),  # type: ignore[arg-type]
        "the order is energy(potential)(params, system, neighbors)",
    ),
    "Atoms for a System": (
        lambda: ENERGY(PARAMS, ATOMS, NEIGHBORS),
        "an Atoms stands where a jaxpot.System belongs; make one with jaxpot.System.from_ase(atoms, potential.",
    ),
    "Atoms in a Hessian": (
        lambda: jaxpot.hessian(LJ)(PARAMS, ATOMS, NEIGHBORS),
        "an Atoms stands where a jaxpot.System belongs",
    ),
    "Atoms in a list": (lambda: LISTS.allocate(ATOMS), "an Atoms stands where a jaxpot.System belongs"),
    "Atoms in a batch": (lambda: jaxpot.batch([ATOMS], LJ), "an Atoms stands where a jaxpot.System belongs"),  # type: ignore[list-item]
    "Atoms in a stack": (lambda: jaxpot.stack_systems([ATOMS]), "an Atoms stands where a System belongs"),
    "system first": (lambda: ENERGY(SYSTEM, PARAMS, NEIGHBORS), "the order is (params, system, neighbors)"),
    "system last": (lambda: ENERGY(PARAMS, NEIGHBORS, SYSTEM), "a Neighbors stands where a jaxpot.System belongs"),  # type: ignore[arg-type]
    "a system for params": (lambda: ENERGY(SYSTEM, SYSTEM, NEIGHBORS), "a System stands where a pytree of params"),
    "a potential for params": (lambda: ENERGY(LJ, SYSTEM, NEIGHBORS), "a Potential stands where a number of params"),
    "a text in params": (
        lambda: ENERGY({"epsilon": "small", "sigma": 3.4}, SYSTEM, NEIGHBORS),
        "a str stands where a number of params['epsilon'] belongs",
    ),
    "a system for the skin": (lambda: jaxpot.neighbor_list(LJ, SYSTEM), "a System stands where the skin belongs"),  # type: ignore[arg-type]
    "evaluate params first": (
        lambda: jaxpot.evaluate(PARAMS, LJ, [ATOMS]),  # type: ignore[arg-type]
        "the order is (potential, params, structures)",
    ),
    "evaluate numbers": (
        lambda: jaxpot.evaluate(LJ, PARAMS, [ATOMS, 3]),
        "structure 1: System.from_ase: an int stands where an Atoms belongs",
    ),
    "evaluate a file": (lambda: jaxpot.evaluate(LJ, PARAMS, "a.xyz"), "read files first, with ase.io.read"),  # type: ignore[arg-type]
    "relax params first": (lambda: jaxpot.relax(PARAMS, LJ, ATOMS), "relax: a dict stands where a potential belongs"),  # type: ignore[arg-type]
    "relax a file": (lambda: jaxpot.relax(LJ, PARAMS, "a.xyz"), "read files first, with ase.io.read"),
    "batch the potential first": (lambda: jaxpot.batch(LJ, [SYSTEM]), "stands where a sequence of structures belongs"),  # type: ignore[arg-type]
    "one structure": (lambda: jaxpot.batch(SYSTEM, LJ), "batch takes several structures and got one"),  # type: ignore[arg-type]
    "calculator": (lambda: jaxpot.calculator(PARAMS, LJ), "calculator: a dict stands where a potential belongs"),  # type: ignore[arg-type]
    "scale": (lambda: jaxpot.scale(LJ, LJ), "scale: a Potential stands where a factor belongs; pass a number"),  # type: ignore[arg-type]
    "save": (lambda: jaxpot.save(LJ, "here", PARAMS), "the order is (path, potential, params)"),  # type: ignore[arg-type]
    "pair formula": (
        lambda: energy_of(jaxpot.pair_potential(lambda p, r: (p * r,), 6.0)),  # type: ignore[arg-type, return-value]
        "pair: energy(params, distances) must return one array of shape",
    ),
    "radial formula": (
        lambda: energy_of(jaxpot.radial_potential(lambda p, r, s: p * r, None, 6.0)),  # type: ignore[arg-type, return-value]
        "must return a tuple of arrays, one for each sum, and returned one of shape",
    ),
    "energy of sums": (
        lambda: energy_of(jaxpot.radial_potential(lambda p, r, s: (p * r,), lambda p, sums, s: (sums[0],), 6.0)),  # type: ignore[arg-type, return-value]
        "radial: atom_energy(params, sums, species) must return one array of shape [4], and returned a tuple of 1",
    ),
    "environment formula": (
        lambda: energy_of(jaxpot.environment_potential(lambda p, env: (env.distances.sum(),), 6.0)),  # type: ignore[arg-type, return-value]
        "environment: energy(params, environment) must return one array of shape [], and returned a tuple of 1",
    ),
    "graph formula": (
        lambda: energy_of(jaxpot.graph_potential(lambda p, g: (jnp.zeros(4),), 6.0)),  # type: ignore[arg-type, return-value]
        "graph: energies(params, graph) must return one array of shape [4], and returned a tuple of 1",
    ),
    "cutoff first": (lambda: jaxpot.pair_potential(6.0, lambda p, r: r), "the formula comes first, then the cutoff"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", MISPLACED)
def test_what_is_in_a_wrong_place_is_named_with_what_belongs_there(name: str) -> None:
    call, message = MISPLACED[name]
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("formula", "shape"),
    [
        (jaxpot.pair_potential(lambda p, r: (p * r).sum(), 6.0), "returned one of shape []"),
        (jaxpot.environment_potential(lambda p, env: p * env.distances, 6.0), "one array of shape [], and returned"),
    ],
    ids=["pairs", "environments"],
)
def test_a_formula_with_a_result_of_another_shape_is_refused(formula: jaxpot.Potential, shape: str) -> None:
    with pytest.raises(ValueError, match=re.escape(shape)):
        energy_of(formula)


@pytest.mark.parametrize(
    "use",
    [
        lambda params: ENERGY(params, SYSTEM, NEIGHBORS),
        lambda params: jaxpot.evaluate(LJ, params, [ATOMS]),
        lambda params: jaxpot.relax(LJ, params, ATOMS),
        lambda params: jaxpot.calculator(LJ, params),
    ],
    ids=["energy", "evaluate", "relax", "calculator"],
)
def test_the_missing_and_the_unknown_parameter_are_named(use: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="got epsilon, sgima: sigma is missing and sgima is unknown"):
        use({"epsilon": 1.0, "sgima": 3.4})
    with pytest.raises(ValueError, match="got none: epsilon, sigma are missing"):
        use({})


def test_systems_and_lists_print_on_one_line() -> None:
    two = jaxpot.lennard_jones(6.0) + jaxpot.lennard_jones(4.0)
    neighbors = jaxpot.neighbor_list(two, skin=0.5).allocate(SYSTEM)
    pairs = int(neighbors.mask.sum())
    slots = neighbors.capacity
    assert str(neighbors) == f"Neighbors(4 atoms, cutoff 6 Å, 4 Å, skin 0.5 Å, {slots} slots, {pairs} pairs)"
    assert str(SYSTEM) == "System(4 atoms, pbc TTT)"
    [batch] = jaxpot.batch([SYSTEM, SYSTEM], 6.0)
    assert str(batch.neighbors).startswith("Neighbors(2 x 4 atoms, cutoff 6 Å, skin 0 Å,")
    full = jax.tree.map(jnp.asarray, neighbors)
    assert str(full.__class__(**{**vars(full), "overflow": jnp.array(True)})).endswith("slots, overflowed)")
    seen: list[str] = []
    jax.jit(lambda n: seen.append(str(n)))(neighbors)
    assert seen[0].endswith("slots, traced)")
    assert all(len(str(one)) < 120 for one in (neighbors, SYSTEM, batch.system, batch.neighbors, LISTS, seen[0]))
