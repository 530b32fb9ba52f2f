"""Molecular dynamics drivers and differentiable trajectories."""

from jaxpot.simulate.differentiable import trajectory
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.errors import SimulationError
from jaxpot.simulate.restart import RestartError
from jaxpot.simulate.run import RunResult, run_md
from jaxpot.simulate.settings import RunFiles, RunSettings
from jaxpot.simulate.state import MDState, initial_state
from jaxpot.simulate.steps import Steps, steps
from jaxpot.simulate.thermo import Thermo
from jaxpot.simulate.velocities import maxwell_boltzmann
from jaxpot.simulate.watch import Watch

__all__ = [
    "Ensemble",
    "MDState",
    "RestartError",
    "RunFiles",
    "RunResult",
    "RunSettings",
    "SimulationError",
    "Steps",
    "Thermo",
    "Watch",
    "initial_state",
    "maxwell_boltzmann",
    "run_md",
    "steps",
    "trajectory",
]
