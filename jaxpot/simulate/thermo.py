"""Thermodynamic quantities of a state, the records of a run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxpot.simulate.dynamics import Measurement
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.velocities import degrees_of_freedom
from jaxpot.units import BAR, BOLTZMANN

__all__ = ["Thermo", "linear_drift", "thermo_of"]

GRAMS_PER_CM3 = 1.66053906660  # of amu/Å^3


class Thermo(NamedTuple):
    """One line of ``thermo.csv``; the names carry the units. NaN, written as nothing, where a quantity has no meaning.

    Attributes:
        step: number of steps taken.
        time_ps: time.
        potential_eV: potential energy.
        kinetic_eV: kinetic energy.
        total_eV: their sum.
        conserved_eV: the total energy plus that of thermostat and barostat; constant apart from integration errors.
        temperature_K: twice the kinetic energy over the degrees of freedom and k.
        pressure_bar: (2 K - trace of the virial) / 3 V; periodic systems only.
        volume_A3: volume of the cell; periodic systems only.
        density_g_cm3: mass over volume.
    """

    step: int
    time_ps: float
    potential_eV: float
    kinetic_eV: float
    total_eV: float
    conserved_eV: float
    temperature_K: float
    pressure_bar: float
    volume_A3: float
    density_g_cm3: float


def thermo_of(measured: Measurement, step: int, ensemble: Ensemble, masses: np.ndarray, periodic: bool) -> Thermo:
    """Makes the record of a measurement.

    Args:
        measured: see :class:`jaxpot.simulate.dynamics.Measurement`.
        step: number of steps taken.
        ensemble: gives the time step and the degrees of freedom.
        masses: [atoms] amu.
        periodic: whether the system repeats in all directions, so that it has a pressure.

    Returns:
        The :class:`Thermo`.
    """
    potential, kinetic = measured.potential, measured.kinetic
    volume = measured.volume if periodic else float("nan")
    freedom = degrees_of_freedom(len(masses), ensemble.momentum_conserved)
    return Thermo(
        step=step,
        time_ps=step * ensemble.timestep * 1e-3,
        potential_eV=potential,
        kinetic_eV=kinetic,
        total_eV=potential + kinetic,
        conserved_eV=potential + kinetic + measured.bath,
        temperature_K=2.0 * kinetic / (freedom * BOLTZMANN),
        pressure_bar=(2.0 * kinetic - measured.virial) / (3.0 * volume) / BAR,
        volume_A3=volume,
        density_g_cm3=float(np.sum(masses, dtype=np.float64)) / volume * GRAMS_PER_CM3,
    )


def linear_drift(times: np.ndarray, values: np.ndarray) -> float:
    """Slope of the straight line closest to the values; NaN for fewer than two finite ones.

    Args:
        times: [n].
        values: [n].

    Returns:
        Change of value per unit of time.

    Example:
        >>> import numpy as np
        >>> round(linear_drift(np.array([0.0, 1.0, 2.0]), np.array([5.0, 7.0, 9.0])), 6)
        2.0
    """
    finite = np.isfinite(values)
    if finite.sum() < 2:
        return float("nan")
    times, values = times[finite] - times[finite].mean(), values[finite] - values[finite].mean()
    return float(times @ values / (times @ times))
