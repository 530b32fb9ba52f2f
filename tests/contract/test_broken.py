"""Potentials with a fault, each of which the right check finds; and what a report says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.testing import Bench, checks, run
from tests.conftest import needs_float64
from tests.contract import registry

CHECKS = {check.name: check for check in checks()}
CUTOFF = 6.0
PARAMS = {"epsilon": 0.0104, "sigma": 3.4}
Terms = Callable[[Params, jax.Array], jax.Array]


def well(p: Params, r: jax.Array) -> jax.Array:
    """A smooth well, which ends at the cutoff with its force."""
    return p["epsilon"] * ((p["sigma"] / r) ** 6 - 2.0) * (1 - (r / CUTOFF) ** 2) ** 3


def pairs(term: Terms = well, *, safe: bool = True, jump: float = 0.0) -> jaxpot.Potential:
    """Half the sum of `term` over neighbours, written without the engine: everything can be done wrong."""

    def outputs(params: Params, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> Outputs:
        _, distances, weight = registry.edges(system, neighbors, CUTOFF)
        inside = weight > 0
        r = distances if safe else jnp.where(inside, distances, 0.0)
        terms = jnp.where(inside, term(params, r) + jnp.asarray(jump, r.dtype), 0.0)
        return Outputs(0.5 * terms.sum(axis=1))

    return jaxpot.Potential("pairs", CUTOFF, None, Functions(outputs))


def changed(change: Callable[[Outputs, Params, jaxpot.System], Any]) -> jaxpot.Potential:
    """The potential with other energies."""
    plain = pairs().unchecked.outputs

    def outputs(params: Params, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> Outputs:
        return Outputs(change(plain(params, system, neighbors), params, system))

    return jaxpot.Potential("changed", CUTOFF, None, Functions(outputs))


def evaluated(change: Callable[[Evaluation], Evaluation]) -> jaxpot.Potential:
    """The potential with another evaluation."""
    plain = pairs().unchecked
    return jaxpot.Potential(
        "evaluated", CUTOFF, None, Functions(plain.outputs, lambda *given: change(plain.evaluate(*given)))
    )


def unlike_numpy(p: Params, r: jax.Array) -> jax.Array:
    return well(p, r) * np.linspace(1.0, 1.0, r.shape[-1])  # an array of float64


def with_a_loop(found: Outputs, params: Params, system: jaxpot.System) -> jax.Array:
    """A loop whose length depends on numbers has no reverse derivative of its own."""
    del params
    fixed = jax.lax.stop_gradient(system.positions[0, 0])
    times = jax.lax.while_loop(lambda k: k < jnp.floor(fixed) + 3, lambda k: k + 1.0, jnp.zeros_like(fixed))
    return found.energies + 0.0 * times


class Counter:
    """A potential that is another one each time that it is traced."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, found: Outputs, params: Params, system: jaxpot.System) -> jax.Array:
        del params, system
        self.calls += 1
        return found.energies * self.calls


def of_positions(found: Outputs, params: Params, system: jaxpot.System) -> jax.Array:
    return found.energies + jnp.where(system.real, 0.01 * params["epsilon"] * system.positions[:, 0], 0.0)


def of_number(found: Outputs, params: Params, system: jaxpot.System) -> jax.Array:
    return found.energies * (1.0 + 0.01 * jnp.arange(len(system.species), dtype=found.energies.dtype))


BROKEN: dict[str, tuple[Callable[[], jaxpot.Potential], tuple[str, ...]]] = {
    "wrong forces": (lambda: evaluated(lambda e: e._replace(forces=1.01 * e.forces)), ("forces", "autodiff", "cluster_virial")),
    "forces of one atom wrong": (
        lambda: evaluated(lambda e: e._replace(forces=e.forces.at[2, 1].add(1e-6))),
        ("forces", "autodiff", "momentum"),
    ),
    "wrong virial": (lambda: evaluated(lambda e: e._replace(virial=0.5 * e.virial)), ("virial", "cluster_virial")),
    "gradients of params are NaN in empty slots": (
        lambda: pairs(lambda p, r: well(p, r) + 1e-9 * p["epsilon"] * jnp.sqrt(r * p["sigma"]), safe=False),
        ("parameter_gradient", "padding", "isolated_gradients", "empty_structure"),
    ),
    "a gradient of params is stopped": (
        lambda: pairs(lambda p, r: well({**p, "sigma": jax.lax.stop_gradient(p["sigma"])}, r)),
        ("parameter_gradient", "parameter_gradient_of_forces"),
    ),
    "padded atoms have an energy": (
        lambda: changed(lambda found, p, system: found.energies + p["epsilon"]),
        ("padding", "empty_structure", "isolated_atom"),
    ),
    "padding counts": (
        lambda: changed(lambda found, p, system: found.energies * len(system.species)),
        ("padding",),
    ),
    "a jump at the cutoff": (lambda: pairs(jump=1e-3), ("continuity",)),
    "the order of the atoms counts": (lambda: changed(of_number), ("permutation", "supercell")),
    "positions count": (lambda: changed(of_positions), ("translation", "rotated", "momentum", "supercell")),
    "a direction counts": (
        lambda: changed(lambda found, p, system: found.energies * (1.0 + 0.1 * system.cell[0, 1])),
        ("rotated", "lattice_description"),
    ),
    "float64 in the formula": (lambda: pairs(unlike_numpy), ("float32",)),
    "another number at each trace": (lambda: changed(Counter()), ("autodiff", "other_lists")),
    "pairs beyond the cutoff count": (
        lambda: jaxpot.Potential("far", CUTOFF, None, Functions(lambda p, s, n: Outputs(0.01 * p["epsilon"] * n.mask.sum(axis=1)))),
        ("other_lists",),
    ),
}  # fmt: skip


@functools.cache
def sound() -> Bench:
    return Bench(pairs(), PARAMS, lattice_constant=5.3)


@needs_float64
@pytest.mark.parametrize("name", BROKEN)
def test_the_right_check_finds_the_fault(name: str) -> None:
    make, guilty = BROKEN[name]
    b = Bench(make(), PARAMS, lattice_constant=5.3)
    for check in guilty:
        outcome = run(CHECKS[check], b)
        assert not outcome.passed, check
        assert not outcome.error, outcome.error
        assert CHECKS[check].look_at in str(outcome)
