"""The steps of molecular dynamics as pure functions of the state.

Every step has the form *move, evaluate, settle*: ``move`` gives the positions (and the cell) at which forces are needed
next, the caller provides a complete neighbour list for them and evaluates the potential, and ``settle`` ends the step.
So a driver knows the positions before the forces are computed. It checks the list once, for these positions, and can
postpone steps that need a larger list. A Monte Carlo move has the same form, where ``settle`` chooses between the state
before and the moved state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.potential import Evaluation
from jaxpot.simulate import barostat
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.state import MDState, degrees_of_freedom_of, twice_kinetic_energy
from jaxpot.simulate.thermostat import chain_energy, half_step, new_chain
from jaxpot.units import FEMTOSECOND

__all__ = ["Integrator", "integrator"]


class Integrator(NamedTuple):
    """An ensemble's step, all functions pure, jittable and differentiable; none looks at the neighbour list.

    Attributes:
        init: ``(state, evaluation) -> state`` with the forces of its positions, and with thermostat and barostat at
            rest unless it has them already.
        move: ``state -> state`` with the positions and the cell of the end of the step; forces are still the old ones.
        settle: ``(before, moved, evaluation) -> state`` after the step; ``before`` is the state that was moved.
        bath_energy: ``state -> scalar``, energy of thermostat and barostat in eV; its sum with the energy of the atoms
            is conserved. None for ensembles without a conserved energy (Langevin).
    """

    init: Callable[[MDState, Evaluation], MDState]
    move: Callable[[MDState], MDState]
    settle: Callable[[MDState, MDState, Evaluation], MDState]
    bath_energy: Callable[[MDState], jax.Array] | None


def integrator(ensemble: Ensemble) -> Integrator:
    """The integrator of an ensemble.

    NVE is velocity Verlet; NVT the same between two half steps of a Nose-Hoover chain; Langevin is BAOAB (B. Leimkuhler
    and C. Matthews, Appl. Math. Res. Express 2013, 34), v <- c v + sqrt((1 - c^2) kT / m) xi with c = exp(-dt /
    thermostat_time) between two half drifts; NPT is described in :mod:`jaxpot.simulate.barostat`.

    Args:
        ensemble: what is held constant; its numbers may be traced.

    Returns:
        The :class:`Integrator`.

    Example:
        >>> integrator(Ensemble("langevin", timestep=1.0, temperature=300.0)).bath_energy is None
        True
    """
    return {"nve": _nve, "nvt": _nvt, "langevin": _langevin, "npt": _npt}[ensemble.name](ensemble)


def _kicked(ensemble: Ensemble, state: MDState) -> MDState:
    """Half a step of forces."""
    return state.replace(velocities=state.velocities + 0.5 * ensemble.step * state.forces / state.masses[:, None])


def _drifted(ensemble: Ensemble, state: MDState, fraction: float = 1.0) -> MDState:
    """Positions after a part of a step."""
    positions = state.system.positions + fraction * ensemble.step * state.velocities
    return state.replace(system=state.system.replace(positions=positions))


def _forced(state: MDState, evaluation: Evaluation) -> MDState:
    return state.replace(forces=evaluation.forces)


def _counted(state: MDState) -> MDState:
    return state.replace(step=state.step + 1)


def _nve(ensemble: Ensemble) -> Integrator:
    def settle(before: MDState, moved: MDState, evaluation: Evaluation) -> MDState:
        return _counted(_kicked(ensemble, _forced(moved, evaluation)))

    return Integrator(
        init=_forced,
        move=lambda state: _drifted(ensemble, _kicked(ensemble, state)),
        settle=settle,
        bath_energy=lambda state: jnp.zeros((), state.velocities.dtype),
    )


def _langevin(ensemble: Ensemble) -> Integrator:
    friction_time = ensemble.step / (ensemble.thermostat_time * FEMTOSECOND)

    def move(state: MDState) -> MDState:
        state = _drifted(ensemble, _kicked(ensemble, state), 0.5)
        key = jax.random.fold_in(state.key, state.step)
        noise = jax.random.normal(key, state.velocities.shape, state.velocities.dtype)
        variance = -jnp.expm1(-2.0 * friction_time) * ensemble.thermal_energy / state.masses
        width = jnp.where(state.system.real, jnp.sqrt(variance), 0.0).astype(noise.dtype)[:, None]
        velocities = jnp.exp(-friction_time).astype(noise.dtype) * state.velocities + width * noise
        return _drifted(ensemble, state.replace(velocities=velocities), 0.5)

    def settle(before: MDState, moved: MDState, evaluation: Evaluation) -> MDState:
        return _counted(_kicked(ensemble, _forced(moved, evaluation)))

    return Integrator(_forced, move, settle, bath_energy=None)


def _nvt(ensemble: Ensemble) -> Integrator:
    kT, tau = ensemble.thermal_energy, ensemble.thermostat_time * FEMTOSECOND

    def init(state: MDState, evaluation: Evaluation) -> MDState:
        bath = new_chain(state.velocities.dtype) if state.bath == () else state.bath
        return _forced(state, evaluation).replace(bath=bath)

    def thermostat(state: MDState) -> MDState:
        freedom = degrees_of_freedom_of(ensemble, state)
        chain, factor = half_step(state.bath, twice_kinetic_energy(state), freedom, kT, tau, ensemble.step)
        return state.replace(velocities=factor * state.velocities, bath=chain)

    def settle(before: MDState, moved: MDState, evaluation: Evaluation) -> MDState:
        return _counted(thermostat(_kicked(ensemble, _forced(moved, evaluation))))

    return Integrator(
        init=init,
        move=lambda state: _drifted(ensemble, _kicked(ensemble, thermostat(state))),
        settle=settle,
        bath_energy=lambda state: chain_energy(state.bath, degrees_of_freedom_of(ensemble, state), kT, tau),
    )


def _npt(ensemble: Ensemble) -> Integrator:
    def forced(state: MDState, evaluation: Evaluation) -> MDState:
        return _forced(state, evaluation).replace(bath=state.bath._replace(virial=evaluation.virial))

    def init(state: MDState, evaluation: Evaluation) -> MDState:
        bath = barostat.new_barostat(evaluation.virial) if state.bath == () else state.bath
        return forced(state.replace(bath=bath), evaluation)

    def settle(before: MDState, moved: MDState, evaluation: Evaluation) -> MDState:
        return _counted(barostat.settled(ensemble, forced(moved, evaluation)))

    return Integrator(
        init=init,
        move=lambda state: barostat.moved(ensemble, state),
        settle=settle,
        bath_energy=lambda state: barostat.barostat_energy(ensemble, state),
    )
