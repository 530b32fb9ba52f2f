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
from jaxpot.simulate.dynamics import Carry, Dynamics, Status, dynamics
from jaxpot.simulate.state import MDState
from jaxpot.simulate.thermo import linear_drift
from jaxpot.units import FEMTOSECOND
from tests.conftest import FLOAT32
from tests.oracles import lammps
from tests.simulate import argon

pytestmark = pytest.mark.skipif(FLOAT32, reason="compares digits that float32 does not have")


def started(motion: Dynamics, params: Any, atoms: Any, temperature: float) -> Carry:
    masses = atoms.get_masses()
    velocities = jnp.asarray(maxwell_boltzmann(1, masses, temperature))
    system = jaxpot.System.from_ase(atoms, ("Ar",))
    return motion.start(params, system, velocities, jnp.asarray(masses), jax.random.PRNGKey(0))


def with_plan(carry: Carry, plan: Plan) -> Carry:
    """The same state with a list of other sizes that holds nothing yet."""
    neighbors = carry.state.neighbors
    assert neighbors is not None
    empty = jax.device_put(blank(plan, neighbors.reference_positions.dtype))
    kept = {name: getattr(neighbors, name) for name in ("completion", "rebuilds")}
    return carry._replace(state=carry.state.replace(neighbors=dataclasses.replace(empty, **kept)))


def assert_same(one: MDState, other: MDState) -> None:
    """Bit for bit, but for the list."""
    pair = [jax.tree.leaves(state.replace(neighbors=None)) for state in (one, other)]
    for a, b in zip(*pair, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_list_that_overflows_many_times_changes_nothing() -> None:
    potential, params = argon.potential()
    atoms = argon.crystal(1)
    motion = dynamics(potential, argon.settings("nve", 0).ensemble)
    start = started(motion, params, atoms, 120.0)
    assert start.state.neighbors is not None
    # as if the list had been allocated for a much thinner structure
    few = start.state.neighbors.plan._replace(capacity=4, stage_rows=(5, 6, 7), rows=7, bin_capacity=7)
    carry = motion.advance(params, with_plan(start, few), 40)
    assert carry.state.neighbors is not None and not carry.state.neighbors.overflow
    assert int(carry.state.step) == 40 and int(carry.status) == Status.DONE
    roomy = carry.state.neighbors.plan
    assert roomy.capacity > few.capacity
    whole = motion.advance(params, with_plan(started(motion, params, atoms, 120.0), roomy), 40)
    assert_same(carry.state, whole.state)
    for target in range(43, 80, 3):
        carry = motion.advance(params, with_plan(carry, few), target)
        assert int(carry.state.step) == target and int(carry.status) == Status.DONE
    one, other = carry.state, motion.advance(params, whole, target).state
    # lists made at other moments hold other pairs beyond the cutoff, and sums over them round otherwise
    np.testing.assert_allclose(one.system.positions, other.system.positions, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(one.velocities, other.velocities, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(one.forces, other.forces, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "langevin", "npt"])
def test_visits_to_the_host_change_no_bit(ensemble: str) -> None:
    potential, params = argon.potential()
    motion = dynamics(potential, argon.settings(ensemble, 0).ensemble, skin=0.1)
    whole = motion.advance(params, started(motion, params, argon.crystal(1), 200.0), 60).state
    assert whole.neighbors is not None and int(whole.neighbors.rebuilds) > 1
    carry = started(motion, params, argon.crystal(1), 200.0)
    for target in (1, 2, 3, 20, 31, 60):
        carry = motion.advance(params, carry, target)
    assert_same(carry.state, whole)
    assert carry.state.neighbors is not None
    assert int(carry.state.neighbors.rebuilds) == int(whole.neighbors.rebuilds)


def test_a_skin_of_next_to_nothing_ends() -> None:
    potential, params = argon.potential()
    motion = dynamics(potential, argon.settings("nve", 0).ensemble, skin=1e-15)
    carry = motion.advance(params, started(motion, params, argon.crystal(1), 60.0), 20)
    assert int(carry.state.step) == 20 and int(carry.status) == Status.DONE
    assert carry.state.neighbors is not None and int(carry.state.neighbors.rebuilds) == 20


def drifts(step_fs: float, picoseconds: float) -> dict[str, Any]:
    """Times (ps) and total energies (eV) of 108 argon atoms at constant energy, jaxpot's and LAMMPS's."""
    potential, params = argon.potential()
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (3, 3, 3)
    motion = dynamics(potential, Ensemble("nve", step_fs))
    carry = started(motion, params, atoms, 80.0)
    velocities = np.asarray(carry.state.velocities)
    steps, every = round(picoseconds * 1000 / step_fs), 5
    ours = []
    for target in range(0, steps + 1, every):
        carry = motion.advance(params, carry, target)
        measured = motion.measure(params, carry.state)
        ours.append(measured.potential + measured.kinetic)
    commands = [
        f"pair_style lj/smooth/linear {argon.CUTOFF}",
        f"pair_coeff * * {argon.EPSILON} {argon.SIGMA}",
    ]
    # ASE's unit of time is ours but for the last digits of its constants
    velocities = velocities * FEMTOSECOND / ase.units.fs
    run = lammps.nve(atoms, commands, ["Ar"], step_fs, steps, velocities, masses=[float(atoms.get_masses()[0])])
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
