"""Ensembles of molecular dynamics, with the settings of thermostat and barostat."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from jaxpot.units import BAR, BOLTZMANN, FEMTOSECOND

__all__ = ["CELLS", "ENSEMBLES", "Ensemble"]

ENSEMBLES = ("nve", "nvt", "langevin", "npt")
CELLS = ("isotropic", "anisotropic", "flexible")
NUMBERS = ("timestep", "temperature", "pressure", "thermostat_time", "barostat_time")


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """An ensemble: the quantities that are held constant, and the method.

    An ensemble is a pytree whose leaves are its numbers. They may be traced and differentiated, and may differ between
    the replicas of a ``jax.vmap``.

    Attributes:
        name: "nve"; "nvt", a Nose-Hoover chain; "langevin", NVT by friction and noise (BAOAB); "npt", the equations of
            Martyna, Tobias and Klein with Nose-Hoover chains on atoms and cell.
        timestep: fs.
        temperature: K; not used in NVE.
        pressure: bar; used in NPT only.
        thermostat_time: fs, period of the thermostat; the inverse of the friction for Langevin.
        barostat_time: fs, period of the barostat.
        cell: how the cell of "npt" may change: "isotropic", all lengths by one factor; "anisotropic", x, y and z each
            by its own; "flexible", by any strain without rotation.

    Raises:
        ValueError: a value makes no sense; the message names it.

    Example:
        >>> Ensemble("nvt", timestep=1.0, temperature=300.0).name
        'nvt'
    """

    name: str
    timestep: Any
    temperature: Any = None
    pressure: Any = 0.0
    thermostat_time: Any = 100.0
    barostat_time: Any = 1000.0
    cell: str = "isotropic"

    def __post_init__(self) -> None:
        if self.name not in ENSEMBLES:
            raise ValueError(f"ensemble {self.name!r} is unknown; choose one of {', '.join(ENSEMBLES)}")
        if self.cell not in CELLS:
            raise ValueError(f"the cell cannot be {self.cell!r}; choose one of {', '.join(CELLS)}")
        for what in ("timestep", "thermostat_time", "barostat_time"):
            value = getattr(self, what)
            if _known(value) and not (math.isfinite(value) and value > 0):
                raise ValueError(f"the {what.replace('_', ' ')} must be a positive time in fs, got {value}")
        if _known(self.pressure) and not math.isfinite(self.pressure):
            raise ValueError(f"the pressure must be a finite number of bar, got {self.pressure}")
        kelvin = self.temperature
        if self.name != "nve" and (kelvin is None or (_known(kelvin) and not (math.isfinite(kelvin) and kelvin > 0))):
            raise ValueError(f"{self.name} needs a temperature above 0 K, got {kelvin}")

    @property
    def step(self) -> Any:
        """Time step in internal units."""
        return self.timestep * FEMTOSECOND

    @property
    def thermal_energy(self) -> Any:
        """k T in eV; 0 without a temperature."""
        return 0.0 if self.temperature is None else BOLTZMANN * self.temperature

    @property
    def external_pressure(self) -> Any:
        """eV/Å^3."""
        return self.pressure * BAR

    @property
    def momentum_conserved(self) -> bool:
        """Whether the total momentum is conserved."""
        return self.name != "langevin"


jax.tree_util.register_dataclass(Ensemble, data_fields=list(NUMBERS), meta_fields=["name", "cell"])


def _known(value: Any) -> bool:
    """Whether a value is a number, and not a placeholder of JAX such as a tracer."""
    return isinstance(value, int | float | np.number)
