"""Potentials with a fault, each of which the right check finds; and what a report says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import jaxpot
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.testing import Bench, ContractError, checks, run, validate
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
    return well(p, r) * np.ones(r.shape)  # an array of float64


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


def of_cell(found: Outputs, params: Params, system: jaxpot.System) -> jax.Array:
    del params
    return found.energies * (1.0 + 0.1 * system.cell[1, 0])


def of_list(params: Params, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> Outputs:
    """Counts all that the list holds, pairs beyond the cutoff too."""
    charge = params["epsilon"] * registry.edges(system, neighbors, 2 * CUTOFF)[2]
    return Outputs(jnp.where(neighbors.mask, charge, 0.0).sum(axis=1))


def in_empty_slots(p: Params, r: jax.Array) -> jax.Array:
    return well(p, r) + 1e-9 * p["epsilon"] * jnp.sqrt(r * p["sigma"])


def stopped(p: Params, r: jax.Array) -> jax.Array:
    return well({**p, "sigma": jax.lax.stop_gradient(p["sigma"])}, r)


# the fault, the potential, and the checks that find it
BROKEN: dict[str, tuple[Callable[[], jaxpot.Potential], tuple[str, ...]]] = {
    "wrong forces": (
        lambda: evaluated(lambda e: e._replace(forces=1.01 * e.forces)),
        ("forces", "autodiff", "cluster_virial"),
    ),
    "a force that is a little wrong": (
        lambda: evaluated(lambda e: e._replace(forces=e.forces.at[2, 1].add(1e-6))),
        ("forces", "autodiff", "momentum"),
    ),
    "a wrong virial": (
        lambda: evaluated(lambda e: e._replace(virial=0.5 * e.virial)),
        ("virial", "autodiff", "cluster_virial"),
    ),
    "gradients of params that are NaN in empty slots": (
        lambda: pairs(in_empty_slots, safe=False),
        ("parameter_gradient", "padding", "isolated_gradients", "empty_structure"),
    ),
    "a gradient of params that is stopped": (
        lambda: pairs(stopped),
        ("parameter_gradient", "parameter_gradient_of_forces"),
    ),
    "forces without a derivative": (
        lambda: evaluated(lambda e: e._replace(forces=jax.lax.stop_gradient(e.forces))),
        ("parameter_gradient_of_forces", "hessian"),
    ),
    "padded atoms with an energy": (
        lambda: changed(lambda found, p, system: found.energies + p["epsilon"]),
        ("padding", "empty_structure", "isolated_atom"),
    ),
    "the number of padded atoms counts": (
        lambda: changed(lambda found, p, system: found.energies * len(system.species)),
        ("padding",),
    ),
    "a jump at the cutoff": (lambda: pairs(jump=1e-3), ("continuity",)),
    "the order of the atoms counts": (lambda: changed(of_number), ("permutation", "supercell")),
    "positions count": (lambda: changed(of_positions), ("translation", "rotated", "momentum", "supercell")),
    "a direction of the cell counts": (lambda: changed(of_cell), ("rotated", "reflected", "lattice_description")),
    "float64 in the formula": (lambda: pairs(unlike_numpy), ("float32",)),
    "another number at each trace": (lambda: changed(Counter()), ("autodiff", "other_lists")),
    "pairs beyond the cutoff count": (
        lambda: jaxpot.Potential("of_list", CUTOFF, None, Functions(of_list)),
        ("other_lists",),
    ),
}


@needs_float64
@pytest.mark.parametrize("name", BROKEN)
def test_the_right_check_finds_the_fault(name: str) -> None:
    make, guilty = BROKEN[name]
    b = Bench(make(), PARAMS, lattice_constant=4.0)
    for check in guilty:
        outcome = run(CHECKS[check], b)
        assert not outcome.passed, check
        assert CHECKS[check].look_at in str(outcome)


@needs_float64
def test_the_checks_find_nothing_where_there_is_no_fault() -> None:
    b = Bench(pairs(), PARAMS, lattice_constant=4.0)
    named = {check for _, guilty in BROKEN.values() for check in guilty}
    assert [str(outcome) for name in sorted(named) if not (outcome := run(CHECKS[name], b)).passed] == []


def only(*names: str) -> list[str]:
    return [name for name in CHECKS if name not in names]


@needs_float64
def test_one_error_lists_all_that_is_wrong() -> None:
    potential = evaluated(lambda e: e._replace(virial=0.5 * e.virial))
    with pytest.raises(ContractError, match="2 of 3 checks failed") as found:
        validate(potential, PARAMS, lattice_constant=4.0, skip=only("translation", "virial", "cluster_virial"))
    message = str(found.value)
    assert "evaluated on 8 atoms of Ar" in message
    assert "as it is: virial: [" in message and "allowed is" in message
    assert all(CHECKS[name].meaning in message for name in ("virial", "cluster_virial"))
    assert [outcome.check.name for outcome in found.value.report.failed] == ["virial", "cluster_virial"]


def test_an_exception_is_part_of_the_report() -> None:
    def outputs(params: Params, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> Outputs:
        if len(system.species) == 8:
            raise RuntimeError("no eight atoms, please")
        return pairs().unchecked.outputs(params, system, neighbors)

    outcome = run(
        CHECKS["padding"],
        Bench(jaxpot.Potential("picky", CUTOFF, None, Functions(outputs)), PARAMS, lattice_constant=4.0),
    )
    assert outcome.error == "RuntimeError: no eight atoms, please"
    assert not outcome.passed


@needs_float64
def test_what_does_not_apply_is_left_out_and_said() -> None:
    names = ("translation", "supercell", "continuity", "saved", "elements")
    potential, params = registry.molecule_without_cutoff()
    report = validate(potential, params, structure=molecule("CH3CH2OH"), skip=only(*names))
    assert "springs on 9 atoms of C, O, H: 3 checks passed" in str(report)
    assert "continuity: left out, the potential has no cutoff" in str(report)
    assert "supercell: left out, there is no lattice constant" in str(report)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lattice_constant": 4.0, "skip": ["forcess"]}, "no check is called 'forcess'; the checks are"),
        ({}, "lattice constant in Å, or ASE Atoms"),
        ({"lattice_constant": 4.0, "structure": "hcp"}, "give one of sc, bcc, fcc, diamond"),
        ({"structure": Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 9]])}, "largest force is 0 eV/Å"),
    ],
)
def test_what_cannot_be_tried_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate(pairs(), PARAMS, **given)
