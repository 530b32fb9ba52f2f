"""The settings of a run, and the paths of its files."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from jaxpot.simulate.ensembles import Ensemble

__all__ = ["FORMATS", "RunFiles", "RunSettings"]

PRECISIONS = ("float32", "float64")
FORMATS = {
    "extxyz": "extended XYZ",
    "traj": "ASE's binary format",
    "lammpstrj": "a LAMMPS dump",
    "h5md": "HDF5 in the layout of H5MD",
}


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The settings of a run: what to simulate and what to write.

    Attributes:
        ensemble: what is held constant.
        steps: number of time steps in all, those before a restart included.
        initial_temperature: K, temperature of random initial velocities; None takes the velocities of the structure.
        seed: seed of the random numbers.
        thermo_every: steps between lines of ``thermo.csv``.
        trajectory_every: steps between frames of the trajectory.
        restart_every: steps between restart files.
        trajectory_format: ending of the trajectory's name, and so its format: one of ``FORMATS``.
        skin: Å, extra radius of the neighbour list; a tenth of the cutoff if None.
        precision: "float32" or "float64".

    Raises:
        ValueError: a value makes no sense; the message names it.
    """

    ensemble: Ensemble
    steps: int
    initial_temperature: float | None = None
    seed: int = 0
    thermo_every: int = 10
    trajectory_every: int = 100
    restart_every: int = 1000
    trajectory_format: str = "extxyz"
    skin: float | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"the number of steps must not be negative, got {self.steps}")
        if self.steps > np.iinfo(np.int32).max:
            raise ValueError(f"the number of steps must be below {np.iinfo(np.int32).max}, got {self.steps}")
        for what in ("thermo_every", "trajectory_every", "restart_every"):
            if getattr(self, what) < 1:
                raise ValueError(f"{what.replace('_', '-')} must be at least 1 step, got {getattr(self, what)}")
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, got {self.seed}")
        temperature = self.initial_temperature
        if temperature is not None and not (math.isfinite(temperature) and temperature >= 0):
            raise ValueError(f"the temperature must not be negative, got {temperature} K")
        if self.trajectory_format not in FORMATS:
            raise ValueError(
                f"trajectory format {self.trajectory_format!r} is unknown; choose one of {', '.join(FORMATS)}"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} is unknown; choose one of {', '.join(PRECISIONS)}")
        if self.skin is not None and not (math.isfinite(self.skin) and self.skin > 0):
            raise ValueError(f"the skin of the neighbour list must be a positive length in Å, got {self.skin}")


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """The paths of the files of a run, all in one folder.

    Attributes:
        folder: the folder.
        trajectory_format: ending of the trajectory's name.
    """

    folder: Path
    trajectory_format: str = "extxyz"

    @property
    def thermo(self) -> Path:
        """Thermodynamic quantities, one line a record."""
        return self.folder / "thermo.csv"

    @property
    def trajectory(self) -> Path:
        """Frames with positions, velocities, forces and energy."""
        return self.folder / f"trajectory.{self.trajectory_format}"

    @property
    def watched(self) -> Path:
        """Frames that a watch has kept."""
        return self.folder / "watched.extxyz"

    @property
    def restart(self) -> Path:
        """The complete state, from which the run goes on."""
        return self.folder / "restart.npz"

    @property
    def final(self) -> Path:
        """The last structure."""
        return self.folder / "final.extxyz"

    def remove(self) -> None:
        """Deletes all files of a run in the folder."""
        for path in (self.thermo, self.restart, self.final, self.watched, *self.folder.glob("trajectory.*")):
            path.unlink(missing_ok=True)
