"""The time loop: steps are those of LAMMPS, and neither lost nor wrong when the list has to grow."""

from __future__ import annotations

import dataclasses
from typing import Any

import ase.units
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import bulk

import jaxpot
from jaxpot.neighbors import blank
from jaxpot.neighbors.plan import Plan
from jaxpot.simulate import Ensemble, maxwell_boltzmann
from jaxpot.simulate.dynamics import Carry, Dynamics, Model, Status, dynamics
from jaxpot.simulate.thermo import linear_drift
from jaxpot.units import FEMTOSECOND
from tests.conftest import FLOAT32
from tests.oracles import lammps
from tests.simulate import argon

pytestmark = pytest.mark.skipif(FLOAT32, reason="compares digits that float32 does not have")


def model_of(atoms: Any, params: Any) -> Model:
    return Model(params, jnp.asarray(atoms.get_masses()), jaxpot.System.from_ase(atoms, ("Ar",)))


def started(motion: Dynamics, model: Model, temperature: float) -> Carry:
    velocities = maxwell_boltzmann(1, np.asarray(model.masses), temperature)
    return motion.start(model, jnp.asarray(velocities) * model.masses[:, None], jax.random.PRNGKey(0))


def with_plan(carry: Carry, plan: Plan) -> Carry:
    """The same state with a list of other sizes that holds nothing yet."""
    empty = jax.device_put(blank(plan, carry.neighbors.reference_positions.dtype))
    kept = {name: getattr(carry.neighbors, name) for name in ("completion", "rebuilds")}
    return carry._replace(neighbors=dataclasses.replace(empty, **kept))


def test_a_list_that_overflows_many_times_changes_nothing() -> None:
    potential, params = argon.potential()
    model = model_of(argon.crystal(1), params)
    motion = dynamics(potential, argon.settings("nve", 0).ensemble)
    start = started(motion, model, 120.0)
    # as if the list had been allocated for a much thinner structure
    few = start.neighbors.plan._replace(capacity=4, stage_rows=(5, 6, 7), rows=7, bin_capacity=7)
    carry = motion.advance(model, with_plan(start, few), 40)
    assert int(carry.step) == 40 and int(carry.status) == Status.DONE and not carry.neighbors.overflow
    roomy = carry.neighbors.plan
    assert roomy.capacity > few.capacity
    whole = motion.advance(model, with_plan(started(motion, model, 120.0), roomy), 40)
    for one, other in zip(jax.tree.leaves(carry.state), jax.tree.leaves(whole.state), strict=True):
        np.testing.assert_array_equal(one, other)
    for target in range(43, 80, 3):
        carry = motion.advance(model, with_plan(carry, few), target)
        assert int(carry.step) == target and int(carry.status) == Status.DONE
    whole = motion.advance(model, whole, target)
    # lists made at other moments hold other pairs beyond the cutoff, and sums over them round otherwise
    for name in ("position", "momentum", "force"):
        np.testing.assert_allclose(getattr(carry.state, name), getattr(whole.state, name), rtol=1e-10, atol=1e-11)


def drifts(step_fs: float, picoseconds: float) -> dict[str, Any]:
    """Times (ps) and total energies (eV) of 108 argon atoms at constant energy, jaxpot's and LAMMPS's."""
    potential, params = argon.potential()
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (3, 3, 3)
    model = model_of(atoms, params)
    motion = dynamics(potential, Ensemble("nve", step_fs))
    carry = started(motion, model, 80.0)
    velocities = np.asarray(carry.state.momentum / model.masses[:, None])
    steps, every = round(picoseconds * 1000 / step_fs), 5
    ours = []
    for target in range(0, steps + 1, every):
        carry = motion.advance(model, carry, target)
        measured = motion.measure(model, carry)
        ours.append(measured.potential + measured.kinetic)
    commands = [
        f"pair_style lj/smooth/linear {argon.CUTOFF}",
        f"pair_coeff * * {argon.EPSILON} {argon.SIGMA}",
    ]
    # ASE's unit of time is ours but for the last digits of its constants
    velocities = velocities * FEMTOSECOND / ase.units.fs
    run = lammps.nve(atoms, commands, ["Ar"], step_fs, steps, velocities, masses=[float(model.masses[0])])
    time = np.arange(0, steps + 1, every) * step_fs * 1e-3
    theirs = run.total_energy[::every]
    return {"time": time, "ours": np.array(ours), "theirs": theirs, "atoms": len(atoms)}


@pytest.mark.slow
def test_energy_is_conserved_as_well_as_in_lammps() -> None:
    found = drifts(4.0, 4.0)
    ours, theirs = (found[who] - found[who][0] for who in ("ours", "theirs"))
    # in a cold crystal both follow the same trajectory for long
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
    late = len(ours) // 4
    slope, reference = (abs(linear_drift(found["time"][late:], e[late:])) for e in (ours, theirs))
    assert slope < 1.05 * reference
