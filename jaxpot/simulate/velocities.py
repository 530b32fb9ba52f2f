"""Initial velocities, and the degrees of freedom that share the kinetic energy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaxpot.units import BOLTZMANN

__all__ = ["degrees_of_freedom", "maxwell_boltzmann"]


def degrees_of_freedom(atoms: int, momentum_conserved: bool = True) -> int:
    """Number of kinetic degrees of freedom: 3 N, less 3 where the total momentum stays zero.

    Args:
        atoms: N.
        momentum_conserved: False for thermostats that kick atoms one by one (Langevin).

    Returns:
        3 N - 3, or 3 N for a single atom or without conserved momentum.

    Example:
        >>> degrees_of_freedom(10), degrees_of_freedom(10, momentum_conserved=False), degrees_of_freedom(1)
        (27, 30, 3)
    """
    return 3 * atoms - 3 if momentum_conserved and atoms > 1 else 3 * atoms


def maxwell_boltzmann(seed: int | np.random.Generator, masses: Any, temperature: float) -> np.ndarray:
    """Velocities of the Maxwell-Boltzmann distribution with zero total momentum and exactly the given temperature.

    Each component is drawn from a normal distribution of variance k T / m; the velocity of the centre of mass is
    subtracted, and all are scaled so that the kinetic energy is (3 N - 3) k T / 2.

    Args:
        seed: seed of numpy's random numbers, or a generator.
        masses: [atoms], amu.
        temperature: K.

    Returns:
        [atoms, 3] Å per unit of time (:data:`jaxpot.units.TIME`), float64.

    Raises:
        ValueError: the temperature is negative, or a mass not positive.

    Example:
        >>> import numpy as np
        >>> masses = np.array([1.0, 4.0, 16.0])
        >>> v = maxwell_boltzmann(0, masses, 300.0)
        >>> kinetic = 0.5 * np.sum(masses[:, None] * v**2)
        >>> f"{kinetic / (3 * BOLTZMANN):.3f} K, momentum {np.abs(masses @ v).max() < 1e-12}"
        '300.000 K, momentum True'
    """
    masses = np.asarray(masses, np.float64)
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"the temperature must not be negative, got {temperature} K")
    if not (masses > 0).all():
        raise ValueError(f"atom {int(np.argmin(masses))} has mass {masses.min()} amu; give every atom a positive mass")
    velocities = np.random.default_rng(seed).normal(size=(len(masses), 3)) / np.sqrt(masses)[:, None]
    if len(masses) > 1:
        velocities -= masses @ velocities / masses.sum()
    drawn = np.sum(masses[:, None] * velocities**2)
    return velocities * math.sqrt(degrees_of_freedom(len(masses)) * BOLTZMANN * temperature / drawn)
