"""The integrators against what must be true of them: reversal, order, conserved energies, distributions in theory."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.potential import Potential
from jaxpot.simulate import Ensemble, MDState, initial_state, maxwell_boltzmann, steps, trajectory
from jaxpot.simulate.barostat import Barostat
from jaxpot.simulate.dynamics import Status, dynamics
from jaxpot.simulate.integrators import integrator
from jaxpot.simulate.thermostat import Chain
from jaxpot.units import BAR, BOLTZMANN
from tests.conftest import FLOAT32
from tests.simulate import argon

pytestmark = pytest.mark.skipif(FLOAT32, reason="compares digits that float32 does not have")

CELLS = ("isotropic", "anisotropic", "flexible")
DETERMINISTIC = [("nve", "isotropic"), ("nvt", "isotropic"), *(("npt", cell) for cell in CELLS)]
POTENTIAL = jaxpot.lennard_jones(argon.CUTOFF, mode="switched", switch_from=5.0)
PARAMS = argon.potential()[1]


def held(name: str, cell: str = "isotropic", timestep: float = 2.0, **changes: Any) -> Ensemble:
    numbers = {"temperature": 60.0, "pressure": 200.0, "thermostat_time": 60.0, "barostat_time": 150.0} | changes
    return Ensemble(name, timestep, cell=cell, **numbers)


def start(cells: int = 1, temperature: float = 90.0, lattice: float = 5.4, **changes: Any) -> MDState:
    atoms = argon.crystal(cells, rattle=0.1)
    atoms.set_cell(atoms.cell.array * lattice / 5.4, scale_atoms=True)
    velocities = maxwell_boltzmann(4, atoms.get_masses(), temperature)
    options = {"skin": 1.0, "capacity_multiplier": 1.6, "seed": 5} | changes
    return initial_state(POTENTIAL, jaxpot.System.from_ase(atoms), velocities, atoms.get_masses(), **options)


def reversed_in_time(state: MDState) -> MDState:
    """The same state with all rates turned round."""

    def turned(bath: Any) -> Any:
        if isinstance(bath, Chain):
            return Chain(bath.positions, -bath.rates)
        if isinstance(bath, Barostat):
            return Barostat(-bath.strain_rate, turned(bath.chain), turned(bath.cell_chain), bath.virial)
        return bath

    return state.replace(velocities=-state.velocities, bath=turned(state.bath))


@pytest.mark.parametrize(("name", "cell"), DETERMINISTIC)
def test_a_run_backwards_ends_where_it_began(name: str, cell: str) -> None:
    run = jax.jit(trajectory(POTENTIAL, held(name, cell), 60))
    here = start()
    there = run(PARAMS, here)[0]
    assert float(jnp.abs(there.system.positions - here.system.positions).max()) > 0.1
    back = run(PARAMS, reversed_in_time(there))[0]
    np.testing.assert_allclose(back.system.positions, here.system.positions, atol=1e-10)
    np.testing.assert_allclose(back.system.cell, here.system.cell, atol=1e-10)
    np.testing.assert_allclose(-back.velocities, here.velocities, atol=1e-10)
    assert int(back.step) == 120 and not back.overflow


@pytest.mark.parametrize(("name", "cell"), DETERMINISTIC)
def test_the_conserved_energy_is_off_by_the_square_of_the_step(name: str, cell: str) -> None:
    sizes = []
    for timestep, count in ((4.0, 40), (2.0, 80)):
        ensemble = held(name, cell, timestep)
        bath = integrator(ensemble).bath_energy
        assert bath is not None

        def conserved(params: Any, state: MDState, bath: Any = bath) -> jax.Array:
            kinetic = 0.5 * jnp.sum(state.masses[:, None] * state.velocities**2)
            return jaxpot.energy(POTENTIAL)(params, state.system, state.neighbors) + kinetic + bath(state)

        energies = jax.jit(trajectory(POTENTIAL, ensemble, count, observe=conserved))(PARAMS, start())[1]
        sizes.append(float(jnp.ptp(energies)))
    assert 3.4 < sizes[0] / sizes[1] < 4.6


def test_all_drivers_take_the_same_steps() -> None:
    ensemble, here = held("npt", "flexible"), start()
    by_trajectory = jax.jit(trajectory(POTENTIAL, ensemble, 30))(PARAMS, here)[0]
    init, step = steps(POTENTIAL, ensemble)
    state, one = jax.jit(init)(PARAMS, here), jax.jit(step)
    for _ in range(30):
        state = one(PARAMS, state)
    motion = dynamics(POTENTIAL, ensemble, skin=1.0)
    carry = motion.start(PARAMS, here.system, here.velocities, here.masses, here.key)
    by_loop = motion.advance(PARAMS, carry, 30).state
    for other in (state, by_loop):
        np.testing.assert_allclose(other.system.positions, by_trajectory.system.positions, atol=1e-11)
        np.testing.assert_allclose(other.system.cell, by_trajectory.system.cell, atol=1e-11)
        np.testing.assert_allclose(other.velocities, by_trajectory.velocities, atol=1e-11)
        assert int(other.step) == 30


@pytest.mark.parametrize("name", ["nvt", "langevin", "npt"])
def test_unequal_systems_at_other_temperatures_run_side_by_side(name: str) -> None:
    def ensemble_at(temperature: Any) -> Ensemble:
        return held(name, temperature=temperature)

    whole = start(seed=3)
    system = whole.system
    few = jaxpot.System.create(system.positions[:3], cell=system.cell)
    small = initial_state(POTENTIAL, few, whole.velocities[:3], whole.masses[:3], skin=1.0, seed=3)
    velocities = jnp.pad(small.velocities, ((0, 1), (0, 0)))
    padded = initial_state(POTENTIAL, few.pad(4), velocities, whole.masses, skin=1.0, seed=3)
    # of one shape: the list of either has to fit both
    plan = max(whole.neighbors.plan, padded.neighbors.plan, key=lambda p: (p.capacity, p.rows))
    assert plan.rows >= padded.neighbors.plan.rows
    lists = jaxpot.neighbor_list(argon.CUTOFF, 1.0)
    padded = padded.replace(neighbors=lists.reallocate(padded.system, whole.neighbors))
    whole = whole.replace(neighbors=lists.reallocate(whole.system, padded.neighbors))
    assert whole.neighbors.plan == padded.neighbors.plan
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), whole, padded)
    temperatures = jnp.array([40.0, 150.0])
    run = jax.vmap(lambda t, state: trajectory(POTENTIAL, ensemble_at(t), 25)(PARAMS, state)[0])
    together = jax.jit(run)(temperatures, both)
    each = ((40.0, whole), (150.0, small))
    alone = [jax.jit(trajectory(POTENTIAL, ensemble_at(t), 25))(PARAMS, state)[0] for t, state in each]
    for k, one in enumerate(alone):
        atoms = len(one.masses)
        if name == "langevin" and atoms == 3:  # noise of another shape is other noise
            assert float(jnp.abs(together.velocities[k, 3]).max()) == 0.0
            continue
        np.testing.assert_allclose(together.system.positions[k, :atoms], one.system.positions, atol=1e-10)
        np.testing.assert_allclose(together.velocities[k, :atoms], one.velocities, atol=1e-10)


def trap(stiffness: float) -> Potential:
    """Every atom on a spring of its own; no neighbours."""

    def energies(params: Any, system: Any, neighbors: Any) -> jax.Array:
        return 0.5 * stiffness * jnp.sum(system.positions**2, axis=1)

    return Potential("trap", 0.0, None, energies)


def test_langevin_samples_a_harmonic_well_exactly() -> None:
    # BAOAB has no error in the positions of harmonic oscillators, at any time step below the limit of stability
    stiffness, temperature, atoms = 2.0, 300.0, 2000
    ensemble = Ensemble("langevin", 12.0, temperature, thermostat_time=30.0)
    system = jaxpot.System.create(np.zeros((atoms, 3)))
    state = initial_state(trap(stiffness), system, np.zeros((atoms, 3)), np.full(atoms, 20.0), seed=1)
    assert state.neighbors is None

    def squares(params: Any, state: MDState) -> jax.Array:
        return jnp.mean(state.system.positions**2)

    seen = jax.jit(trajectory(trap(stiffness), ensemble, 1500, observe=squares))({}, state)[1]
    late = np.asarray(seen[100:])
    # 4.2e6 numbers, of which at least one in 30 is a new one: 0.4 % is three times the error of their variance
    assert late.mean() == pytest.approx(BOLTZMANN * temperature / stiffness, rel=4e-3)


def test_noise_depends_on_key_and_step_alone() -> None:
    _, step = steps(POTENTIAL, held("langevin"))
    here = steps(POTENTIAL, held("langevin")).init(PARAMS, start())
    one, again = step(PARAMS, here), step(PARAMS, here)
    np.testing.assert_array_equal(one.velocities, again.velocities)
    np.testing.assert_array_equal(one.key, here.key)
    later = step(PARAMS, here.replace(step=here.step + 1))
    assert float(jnp.abs(later.velocities - one.velocities).min()) > 0


@pytest.mark.parametrize("with_list", [True, False])
def test_what_is_no_number_is_flagged_and_not_hidden(with_list: bool) -> None:
    potential, params = (POTENTIAL, PARAMS) if with_list else (trap(1.0), {})
    here = start()
    if not with_list:
        here = here.replace(neighbors=None)
    lost = here.replace(velocities=here.velocities.at[2, 1].set(jnp.nan))

    def end(scale: Any, state: MDState) -> tuple[jax.Array, MDState]:
        moved = state.system.replace(positions=state.system.positions * scale)
        last = trajectory(potential, held("nve"), 4)(params, state.replace(system=moved))[0]
        return last.system.positions[0, 0] + last.velocities[3, 2], last

    (value, last), slope = jax.jit(jax.value_and_grad(end, has_aux=True))(1.0, lost)
    assert last.overflow and bool(jnp.isnan(value)) and bool(jnp.isnan(slope))
    motion = dynamics(potential, held("nve"), skin=1.0)
    carry = motion.start(params, lost.system, lost.velocities, lost.masses, lost.key)
    carry = motion.advance(params, carry, 4)
    assert int(carry.status) == Status.NOT_FINITE and int(carry.state.step) == 0


def test_a_list_that_is_too_small_gives_no_number() -> None:
    here = start(capacity_multiplier=1.0, skin=0.1)
    squeezed = here.system.replace(cell=here.system.cell * 0.7, positions=here.system.positions * 0.7)

    def end(params: Any) -> tuple[jax.Array, MDState]:
        last = trajectory(POTENTIAL, held("nve"), 2)(params, here.replace(system=squeezed))[0]
        return last.system.positions[0, 0], last

    (value, last), slope = jax.value_and_grad(end, has_aux=True)(PARAMS)
    assert last.overflow and bool(jnp.isnan(value)) and all(bool(jnp.isnan(s)) for s in slope.values())


def sampled(ensemble: Ensemble, count: int, temperature: float, lattice: float) -> dict[str, np.ndarray]:
    """Kinetic energies (eV) and volumes (Å^3) of 32 atoms every second step, without the first 1,500 steps."""

    def both(params: Any, state: MDState) -> dict[str, jax.Array]:
        kinetic = 0.5 * jnp.sum(state.masses[:, None] * state.velocities**2)
        return {"kinetic": kinetic, "volume": state.system.volume}

    here = start(2, temperature, lattice)
    last, seen = jax.jit(trajectory(POTENTIAL, ensemble, count, observe=both))(PARAMS, here)
    assert not last.overflow
    return {name: np.asarray(values[1500::2]) for name, values in seen.items()}


def error_of_mean(values: np.ndarray) -> float:
    """From the scatter of means over long blocks."""
    blocks = values[: len(values) // 25 * 25].reshape(25, -1).mean(axis=1)
    return float(blocks.std(ddof=1) / 5.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nvt", "langevin"])
def test_kinetic_energies_are_those_of_the_canonical_ensemble(name: str) -> None:
    kelvin = 95.0  # of a liquid
    seen = sampled(held(name, timestep=4.0, temperature=kelvin), 14000, kelvin, 5.7)
    kinetic = seen["kinetic"] / (BOLTZMANN * kelvin)
    freedom = 3 * 32 - (3 if name == "nvt" else 0)
    # a gamma distribution of shape n / 2: mean and variance are both n / 2
    error = error_of_mean(kinetic)
    assert error < 0.012 * freedom / 2
    assert abs(kinetic.mean() - freedom / 2) < 4 * error
    squares = (kinetic - freedom / 2) ** 2
    error = error_of_mean(squares)
    assert error < 0.08 * freedom / 2
    assert abs(squares.mean() - freedom / 2) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_volumes_are_those_of_the_isobaric_ensemble(cell: str) -> None:
    kelvin, pressures, seen = 40.0, (0.0, 600.0), []
    for pressure in pressures:
        # the cell oscillates with a period of about a quarter of this time, 50 steps: 250 fs would give the volumes of
        # a flexible cell 1.07 times their variance, from the error of leapfrog alone
        ensemble = held("npt", cell, 5.0, temperature=kelvin, pressure=pressure, barostat_time=1000.0)
        found = sampled(ensemble, 24000, 2 * kelvin, 5.41)
        seen.append(found["volume"])
        kinetic = found["kinetic"] / (BOLTZMANN * kelvin)
        assert abs(kinetic.mean() - 46.5) < 4 * error_of_mean(kinetic)
    # the distributions of volumes at two pressures have the ratio exp(-(P1 - P2) V / kT), whatever the atoms do: for
    # nearly normal ones the means are then (P2 - P1) / kT times the variance apart
    shift, variance = seen[0].mean() - seen[1].mean(), 0.5 * (seen[0].var() + seen[1].var())
    expected = (pressures[1] - pressures[0]) * BAR / (BOLTZMANN * kelvin) * variance
    error = np.hypot(*(error_of_mean((v - v.mean()) ** 2) for v in seen)) / (2 * variance)
    assert error < 0.12
    assert abs(shift / expected - 1.0) < 4 * error
