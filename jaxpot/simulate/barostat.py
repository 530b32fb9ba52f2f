"""Constant pressure: the equations of motion of Martyna, Tobias and Klein for atoms and cell, with Nose-Hoover chains.

G. J. Martyna, D. J. Tobias and M. L. Klein, J. Chem. Phys. 101, 4177 (1994), eqs. 2.9 (isotropic) and 2.15 (flexible),
integrated as in M. E. Tuckerman, J. Alejandre, R. Lopez-Rendon, A. L. Jochim and G. J. Martyna, J. Phys. A 39, 5629
(2006). With lattice vectors h, a symmetric strain rate e, N_f degrees of freedom and the external pressure P,

    r' = v + r e,    h' = h e,    m v' = F - m v (e + tr(e) / N_f),
    W e' = sum m v v - dE/dstrain - P V + (sum m v^2) / N_f,

and both v and e are coupled to a chain. For isotropic cells the right-hand side of the last equation is averaged over
the diagonal, for anisotropic cells only its diagonal is used; all else is the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.state import MDState, degrees_of_freedom_of, twice_kinetic_energy
from jaxpot.simulate.thermostat import Chain, chain_energy, half_step, new_chain
from jaxpot.units import FEMTOSECOND

__all__ = ["Barostat", "barostat_energy", "moved", "new_barostat", "settled"]

VARIABLES = {"isotropic": 1, "anisotropic": 3, "flexible": 6}  # degrees of freedom of the cell
ORDER = 11  # of the series in the strain of a step
LARGEST_STRAIN = 0.3  # of one step, within which the series is exact to rounding


class Barostat(NamedTuple):
    """The variables of constant pressure in the state.

    Attributes:
        strain_rate: [3, 3] 1/TIME, symmetric.
        chain: the thermostat of the atoms.
        cell_chain: the thermostat of the cell.
        virial: [3, 3] eV, dE/dstrain at these positions.
    """

    strain_rate: jax.Array
    chain: Chain
    cell_chain: Chain
    virial: jax.Array


def new_barostat(virial: jax.Array) -> Barostat:
    """A barostat at rest.

    Args:
        virial: [3, 3] eV, of the first structure.

    Returns:
        The :class:`Barostat`.
    """
    return Barostat(jnp.zeros_like(virial), new_chain(virial.dtype), new_chain(virial.dtype), virial)


def moved(ensemble: Ensemble, state: MDState) -> MDState:
    """The first part of a step: everything up to the positions and the cell at which forces are computed next.

    Args:
        ensemble: "npt".
        state: with the forces and the virial of its positions.

    Returns:
        The state with new positions and cell, and with the velocities of half a step.
    """
    state = _thermostats(ensemble, state)
    state = _accelerated(ensemble, _pulled(ensemble, state))
    dt = ensemble.step
    strain = dt * state.bath.strain_rate
    growth, mean = _exponential(ensemble, strain)
    system = state.system
    positions = _times(system.positions, growth) + dt * _times(state.velocities, mean)
    return state.replace(system=system.replace(positions=positions, cell=_times(system.cell, growth)))


def settled(ensemble: Ensemble, state: MDState) -> MDState:
    """The second part of a step, which mirrors the first.

    Args:
        ensemble: "npt".
        state: as :func:`moved` left it, with the forces and the virial of its positions.

    Returns:
        The state after the step.
    """
    state = _pulled(ensemble, _accelerated(ensemble, state))
    return _thermostats(ensemble, state)


def barostat_energy(ensemble: Ensemble, state: MDState) -> jax.Array:
    """The energy of cell and thermostats; its sum with kinetic and potential energy is conserved.

    Args:
        ensemble: "npt".
        state: any.

    Returns:
        eV.
    """
    freedom, kT, (tau, cell_tau) = degrees_of_freedom_of(ensemble, state), ensemble.thermal_energy, _periods(ensemble)
    bath: Barostat = state.bath
    kinetic = 0.5 * _cell_mass(ensemble, freedom) * jnp.sum(bath.strain_rate**2)
    chains = chain_energy(bath.chain, freedom, kT, tau)
    chains += chain_energy(bath.cell_chain, VARIABLES[ensemble.cell], kT, cell_tau)
    return kinetic + ensemble.external_pressure * state.system.volume + chains


def _periods(ensemble: Ensemble) -> tuple[Any, Any]:
    return ensemble.thermostat_time * FEMTOSECOND, ensemble.barostat_time * FEMTOSECOND


def _cell_mass(ensemble: Ensemble, freedom: jax.Array) -> jax.Array:
    """W in eV TIME^2: (N_f + 3) kT tau^2 / 3."""
    return (freedom + 3.0) / 3.0 * ensemble.thermal_energy * _periods(ensemble)[1] ** 2


def _thermostats(ensemble: Ensemble, state: MDState) -> MDState:
    """Half a step of both chains, side by side."""
    freedom, kT, periods = degrees_of_freedom_of(ensemble, state), ensemble.thermal_energy, _periods(ensemble)
    bath: Barostat = state.bath
    dtype = bath.strain_rate.dtype

    def both(atoms: Any, cell: Any) -> jax.Array:
        return jnp.stack([jnp.asarray(atoms, dtype), jnp.asarray(cell, dtype)], axis=-1)

    cell_kinetic = _cell_mass(ensemble, freedom) * jnp.sum(bath.strain_rate**2)
    chains: Chain = jax.tree.map(both, bath.chain, bath.cell_chain)
    chains, factors = half_step(
        chains, both(twice_kinetic_energy(state), cell_kinetic), both(freedom, VARIABLES[ensemble.cell]), kT,
        both(*periods), ensemble.step,
    )  # fmt: skip
    atoms, cell = (jax.tree.map(operator.itemgetter((..., k)), chains) for k in range(2))
    bath = Barostat(factors[1] * bath.strain_rate, atoms, cell, bath.virial)
    return state.replace(velocities=factors[0] * state.velocities, bath=bath)


def _pulled(ensemble: Ensemble, state: MDState) -> MDState:
    """The strain rate after half a step of internal against external pressure."""
    bath, dtype = state.bath, state.velocities.dtype
    freedom = degrees_of_freedom_of(ensemble, state)
    outside = ensemble.external_pressure * state.system.volume
    virial, unit = bath.virial, jnp.eye(3, dtype=dtype)
    if ensemble.cell == "isotropic":
        energy = twice_kinetic_energy(state)
        inside = energy - _trace(virial)
        pull = (inside / 3.0 - (outside - energy / freedom)) * unit
    else:
        momenta = state.masses[:, None] * state.velocities
        if ensemble.cell == "anisotropic":
            kinetic = jnp.sum(momenta * state.velocities, axis=0)[None, :] * unit
            virial = virial * unit
        else:
            kinetic = jnp.stack([jnp.sum(momenta * state.velocities[:, k, None], axis=0) for k in range(3)])
        pull = kinetic - virial - (outside - _trace(kinetic) / freedom) * unit
        pull = 0.5 * (pull + pull.T)
    rate = bath.strain_rate + 0.5 * ensemble.step * pull / _cell_mass(ensemble, freedom)
    return state.replace(bath=bath._replace(strain_rate=rate.astype(dtype)))


def _accelerated(ensemble: Ensemble, state: MDState) -> MDState:
    """The velocities after half a step of forces, and of the friction e + tr(e) / N_f of a moving cell."""
    rate, dt = state.bath.strain_rate, ensemble.step
    friction = rate + _trace(rate) / degrees_of_freedom_of(ensemble, state) * jnp.eye(3, dtype=rate.dtype)
    damping, _ = _exponential(ensemble, -0.25 * dt * friction)
    velocities = _times(state.velocities, damping) + 0.5 * dt * state.forces / state.masses[:, None]
    return state.replace(velocities=_times(velocities, damping))


def _exponential(ensemble: Ensemble, strain: jax.Array) -> tuple[jax.Array, jax.Array]:
    """exp(A) and (exp(A) - 1) / A of a symmetric [3, 3] matrix; NaN where it is too large for one step.

    A diagonal matrix gives the diagonals [3]. By a series, because a decomposition has no derivative where eigenvalues
    are equal, as in a cell at rest.
    """
    one = jnp.eye(3, dtype=strain.dtype)
    times: Callable[[jax.Array, jax.Array], jax.Array] = _times
    if ensemble.cell != "flexible":
        times = jnp.multiply
        strain, one = jnp.stack([strain[k, k] for k in range(3)]), jnp.ones(3, strain.dtype)
    mean = one
    for k in range(ORDER, 1, -1):
        mean = one + times(strain, mean) / k
    mean = mean * jnp.where(jnp.abs(strain) < LARGEST_STRAIN, 1.0, jnp.nan).astype(strain.dtype)
    return one + times(strain, mean), mean


def _trace(matrix: jax.Array) -> jax.Array:
    """The trace of a [3, 3] matrix; ``jnp.trace`` looks its entries up."""
    return matrix[0, 0] + matrix[1, 1] + matrix[2, 2]


def _times(rows: jax.Array, matrix: jax.Array) -> jax.Array:
    """Row vectors times a [3, 3] matrix, or a diagonal [3], in full precision on every device."""
    if matrix.ndim == 1:
        return rows * matrix.reshape((1,) * (rows.ndim - 1) + (3,))
    return sum((rows[:, k, None] * matrix[k][None, :] for k in range(1, 3)), rows[:, 0, None] * matrix[0][None, :])
