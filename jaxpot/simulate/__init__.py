"""Molecular dynamics drivers and differentiable trajectories."""

from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.errors import SimulationError
from jaxpot.simulate.restart import RestartError
from jaxpot.simulate.run import RunResult, run_md
from jaxpot.simulate.settings import RunFiles, RunSettings
from jaxpot.simulate.thermo import Thermo
from jaxpot.simulate.velocities import maxwell_boltzmann
from jaxpot.simulate.watch import Watch

__all__ = [
    "Ensemble",
    "RestartError",
    "RunFiles",
    "RunResult",
    "RunSettings",
    "SimulationError",
    "Thermo",
    "Watch",
    "maxwell_boltzmann",
    "run_md",
]
