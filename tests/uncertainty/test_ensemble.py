"""The spread of an ensemble, by itself and watched in molecular dynamics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import jax
import numpy as np
import pytest

import jaxpot
from jaxpot.fit.linear import linear_problem
from jaxpot.simulate import Ensemble, RunSettings, Watch, run_md
from jaxpot.uncertainty import largest_force_spread, with_spread
from tests import structures

PARAMS = {"epsilon": np.array([0.0104, 0.0110, 0.0098]), "sigma": np.array([3.4, 3.38, 3.43])}


def case() -> tuple[jaxpot.Potential, jaxpot.System, jaxpot.Neighbors]:
    potential = jaxpot.wang_frenkel(7.0)
    system = jaxpot.System.from_ase(structures.make("crystal", ["Ar"], 5.3))
    return potential, system, jaxpot.neighbor_list(potential.cutoff).allocate(system)


def test_mean_and_spread_are_those_of_the_members() -> None:
    potential, system, neighbors = case()
    evaluate = jax.jit(potential.evaluate)
    members = [evaluate({k: v[m] for k, v in PARAMS.items()}, system, neighbors) for m in range(3)]
    energies = np.stack([one.energies for one in members])
    forces = np.stack([one.forces for one in members])
    for given in (potential, jaxpot.committee(potential)):
        found = jax.jit(with_spread(given))(PARAMS, system, neighbors)
        assert float(found.energy) == pytest.approx(energies.sum(axis=1).mean())
        assert float(found.energy_spread) == pytest.approx(energies.sum(axis=1).std(ddof=1))
        np.testing.assert_allclose(found.energies_spread, energies.std(axis=0, ddof=1), rtol=1e-9)
        np.testing.assert_allclose(found.forces, forces.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(found.forces_spread, forces.std(axis=0, ddof=1), rtol=1e-9)
        np.testing.assert_allclose(
            found.force_spread, np.sqrt(np.square(forces.std(axis=0, ddof=1)).mean(axis=1)), rtol=1e-9
        )
    mean = jax.jit(jaxpot.committee(potential).evaluate)(PARAMS, system, neighbors)
    np.testing.assert_allclose(mean.forces, forces.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(mean.virial, np.mean([one.virial for one in members], axis=0), atol=1e-11)


def test_members_that_agree_have_no_spread_and_finite_derivatives() -> None:
    potential, system, neighbors = case()
    same = {name: np.full(3, values[0]) for name, values in PARAMS.items()}
    found = jax.jit(with_spread(potential))(same, system, neighbors)
    assert float(found.energy_spread) < 1e-12 and np.all(found.force_spread < 1e-12)
    spread = with_spread(potential)
    slope = jax.jit(jax.grad(lambda p: spread(p, system, neighbors).energies_spread.sum()))(same)
    assert all(np.isfinite(leaf).all() for leaf in slope.values())


def test_a_committee_is_not_linear_in_one_set_of_coefficients() -> None:
    # the rows of a member are for params without the leading axis: a fit with them would be of another potential
    member = jaxpot.snap(["Ar"], twojmax=0, cutoff=5.0)
    assert not isinstance(jaxpot.committee(member), jaxpot.DescriptorPotential)
    assert linear_problem(member).columns == 2
    with pytest.raises(ValueError, match="committee of snap"):
        linear_problem(jaxpot.committee(member))


def test_params_that_are_no_ensemble_are_refused() -> None:
    potential, system, neighbors = case()
    for params in ({"epsilon": 0.01, "sigma": 3.4}, {k: v[:1] for k, v in PARAMS.items()}):
        with pytest.raises(ValueError, match="at least two members"):
            with_spread(potential)(params, system, neighbors)
    with pytest.raises(ValueError, match="leading axis"):
        jaxpot.energy(jaxpot.committee(potential))({"epsilon": np.ones(3), "sigma": np.ones(2)}, system, neighbors)
    with pytest.raises(ValueError, match="action 'halt'"):
        Watch(largest_force_spread(potential), 0.1, action="halt")


def settings(steps: int) -> RunSettings:
    return RunSettings(
        Ensemble("nve", timestep=4.0), steps, initial_temperature=120.0, thermo_every=10, restart_every=20,
        precision="float64",
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_stops_where_the_members_disagree(tmp_path: Path) -> None:
    potential = jaxpot.committee(jaxpot.wang_frenkel(7.0))
    atoms = structures.crystal(["Ar"], 5.3, rattle=0.0, shear=0.02)
    spread = largest_force_spread(potential)
    whole = run_md(atoms, potential, PARAMS, settings(60), tmp_path / "a", watch=Watch(spread, np.inf, every=5))
    assert whole.finished and not whole.stopped_by_watch and len(whole.watched) == 13
    # what it saw is the spread of the structures that are on disk
    system = jaxpot.System.from_ase(whole.atoms)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    assert whole.watched[-1][0] == 60
    assert whole.watched[-1][1] == pytest.approx(float(spread(PARAMS, system, neighbors)), rel=1e-6)

    values = dict(whole.watched)
    threshold = 0.999 * max(values.values())
    first = min(step for step, value in values.items() if value > threshold)
    assert first > 0
    run: Any = run_md(atoms, potential, PARAMS, settings(60), tmp_path / "b", watch=Watch(spread, threshold, every=5))
    assert run.stopped_by_watch and run.step == first and run.finished == (first == 60)

    middle = float(np.median(list(values.values())))
    watch = Watch(spread, middle, action="record", every=5)
    run = run_md(atoms, potential, PARAMS, settings(40), tmp_path / "c", watch=watch)
    run = run_md(None, potential, PARAMS, settings(60), tmp_path / "c", watch=watch, resume=True)
    assert run.finished
    kept = ase.io.read(tmp_path / "c" / "watched.extxyz", ":")
    assert [one.info["step"] for one in kept] == [step for step, value in values.items() if value > middle]
    assert [one.info["watched"] for one in kept] == pytest.approx([v for v in values.values() if v > middle])
