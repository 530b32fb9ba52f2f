"""Gradients through runs against finite differences; the notebook shows the same for constant energy."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.engine import radial_compiled
from jaxpot.simulate import Ensemble, lists, maxwell_boltzmann
from jaxpot.simulate.differentiable import MDState, initial_state, trajectory
from jaxpot.simulate.ensembles import CELLS
from tests import structures
from tests.conftest import FLOAT32
from tests.contract import registry
from tests.simulate import argon

pytestmark = pytest.mark.skipif(FLOAT32, reason="differences need float64")
STEPS = 17  # neither a square nor a multiple of its root: all parts of the checkpointed loop run


def start() -> MDState:
    potential, _ = argon.potential()
    atoms = argon.crystal(1, rattle=0.3)
    velocities = maxwell_boltzmann(4, atoms.get_masses(), 90.0)
    system = jaxpot.System.from_ase(atoms, potential.elements)
    return initial_state(potential, system, velocities, atoms.get_masses(), skin=0.2, capacity_multiplier=1.5, seed=5)


def observe(params: Any, state: MDState) -> jax.Array:
    return jnp.sum(state.velocities**2 * state.masses[:, None]) + state.system.positions[0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("native", [False, True])
def test_the_gradient_through_a_run_is_its_slope_and_an_overflow_is_told(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if native:  # as large systems have it: loops compiled by numba, forth and back
        pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")
        monkeypatch.setattr(lists, "NATIVE_FROM_IN_RUNS", 1)
    # with noise, and with states computed again on the way back; the notebook has the other case
    potential = jaxpot.lennard_jones(6.5, mode="switched", switch_from=5.0)
    _, params = argon.potential()
    held = Ensemble("langevin", 8.0, 90.0, thermostat_time=60.0)
    here = start()
    assert here.neighbors is not None
    assert here.neighbors.plan.native == native

    def mean(params: Any, z: Any, state: MDState) -> tuple[jax.Array, MDState]:
        moved = state.system.replace(positions=state.system.positions.at[1, 2].add(z))
        last, seen = run(params, dataclasses.replace(state, system=moved))
        assert seen.shape == (STEPS,)
        return seen.mean(), last

    run = trajectory(potential, held, STEPS, observe=observe)
    value, gradient = jax.jit(mean), jax.jit(jax.grad(mean, (0, 1), has_aux=True))
    (by_params, by_position), last = gradient(params, 0.0, here)
    assert not last.overflow and int(last.neighbors.rebuilds) > 0
    for name, number in params.items():
        h = 1e-6 * number
        up, down = (value(params | {name: number + s}, 0.0, here)[0] for s in (h, -h))
        np.testing.assert_allclose(by_params[name], (up - down) / (2 * h), rtol=1e-6)
    up, down = (value(params, s, here)[0] for s in (1e-6, -1e-6))
    np.testing.assert_allclose(by_position, (up - down) / 2e-6, rtol=1e-6)

    squeezed = here.system.replace(cell=here.system.cell * 0.7, positions=here.system.positions * 0.7)
    assert value(params, 0.0, dataclasses.replace(here, system=squeezed))[1].overflow


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sutton_chen", "eam"])
def test_many_body_gradients_in_a_triclinic_cell_are_slopes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alloys in a sheared cell narrower than the cutoff, by the loops that numba compiles, forth and back."""
    pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")
    monkeypatch.setattr(lists, "NATIVE_FROM_IN_RUNS", 1)
    if name == "eam":
        potential, params = registry.eam()  # hundreds of knots: their derivatives are XLA's, not the loop's
    else:
        potential = jaxpot.sutton_chen(6.5, ("Cu", "Ag"), n=9.0, m=6.0, mode="switched", switch_from=5.0)
        params = jaxpot.sutton_chen_mixing([1.2382e-2, 2.5415e-3], [3.61, 4.09], [39.432, 144.41], [9, 9], [6, 6])
        params = {key: params[key] for key in ("epsilon", "a", "c")}
    atoms = structures.crystal(("Cu", "Ag"), 3.8, repeat=(2, 1, 1), shear=0.1, seed=8)
    velocities = maxwell_boltzmann(4, atoms.get_masses(), 400.0)
    system = jaxpot.System.from_ase(atoms, potential.elements)
    here = initial_state(potential, system, velocities, atoms.get_masses(), skin=0.1, capacity_multiplier=1.5)
    assert here.neighbors is not None and here.neighbors.plan.native
    run = trajectory(potential, Ensemble("nve", 5.0), STEPS, observe=observe)
    passes = []

    def pulled_back(*arguments: Any) -> Any:
        passes.append(found := compiled_pass(*arguments))
        return found

    compiled_pass = radial_compiled.pulled_back
    monkeypatch.setattr(radial_compiled, "pulled_back", pulled_back)

    def mean(stronger: jax.Array, z: jax.Array) -> tuple[jax.Array, MDState]:
        moved = here.system.replace(positions=here.system.positions.at[1, 2].add(z))
        scaled = jax.tree.map(lambda leaf: (1.0 + stronger) * leaf, params)
        last, seen = run(scaled, dataclasses.replace(here, system=moved))
        return seen.mean(), last

    value = jax.jit(mean)
    zero = np.zeros(2)
    for k, by_loops in ((0, name == "sutton_chen"), (1, True)):  # params, a position
        passes.clear()
        found, last = jax.jit(jax.grad(mean, k, has_aux=True))(*zero)
        assert not last.overflow and int(last.neighbors.rebuilds) > 0
        assert bool(passes) == by_loops
        step = 1e-6 * np.eye(2)[k]
        up, down = (value(*(sign * step))[0] for sign in (1.0, -1.0))
        np.testing.assert_allclose(found, (up - down) / 2e-6, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["", *CELLS])
def test_gradients_through_thermostats_and_barostats_are_slopes(cell: str) -> None:
    potential = jaxpot.lennard_jones(6.5, mode="switched", switch_from=5.0)
    _, params = argon.potential()
    here = start()

    def end(x: jax.Array) -> jax.Array:
        stronger, kelvin, bar = x
        held = Ensemble("npt" if cell else "nvt", 4.0, kelvin, bar, 40.0, 60.0, cell or "isotropic")
        scaled = {name: (1.0 + stronger) * number for name, number in params.items()}
        last = trajectory(potential, held, STEPS)(scaled, here)[0]
        return observe(scaled, last) + last.system.volume / 100.0

    end = jax.jit(end)
    point = jnp.array([0.0, 90.0, 500.0])
    gradient = jax.jit(jax.grad(end))(point)
    # steps so small that no pair crosses 5.0 or 6.5 Å between them: there the second derivative of the energy jumps
    for k, h in enumerate((1e-7, 1e-3, 1e-2)):
        step = h * jnp.eye(3)[k]
        slope = (end(point + step) - end(point - step)) / (2 * h)
        np.testing.assert_allclose(gradient[k], slope, rtol=1e-5, atol=1e-10)
    assert bool(gradient[2] != 0.0) == bool(cell)


def test_what_is_refused() -> None:
    potential, _ = argon.potential()
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        trajectory(potential, Ensemble("nve", 1.0), 0)
    with pytest.raises(ValueError, match="choose one of isotropic, anisotropic, flexible"):
        Ensemble("npt", 1.0, 50.0, cell="triclinic")
    system = start().system
    with pytest.raises(ValueError, match=r"velocities must have shape \[4, 3\], got \[3\]"):
        initial_state(potential, system, np.zeros(3), np.ones(4))
    with pytest.raises(ValueError, match=r"masses must have shape \[4\], got \[\]"):
        initial_state(potential, system, np.zeros((4, 3)), 1.0)
