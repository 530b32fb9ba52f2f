"""A few atoms of argon, and runs of them that take a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.build import bulk

import jaxpot
from jaxpot.potential import Params, Potential
from jaxpot.simulate import Ensemble, RunSettings

EPSILON, SIGMA, CUTOFF = 0.0104, 3.4, 6.5


def potential() -> tuple[Potential, Params]:
    """Lennard-Jones that ends smoothly."""
    return jaxpot.lennard_jones(CUTOFF, ("Ar",), mode="force_shifted"), {"epsilon": EPSILON, "sigma": SIGMA}


def crystal(cells: int = 2, rattle: float = 0.1) -> Atoms:
    """A shaken fcc crystal of 4 cells^3 atoms."""
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (cells, cells, cells)
    atoms.rattle(rattle, seed=3)
    return atoms


def settings(ensemble: str, steps: int, **changes: Any) -> RunSettings:
    """A run at 60 K that writes often."""
    times = {"thermostat_time": 50.0, "barostat_time": 200.0}
    held = Ensemble(ensemble, 2.0, None if ensemble == "nve" else 60.0, **times)
    often: dict[str, Any] = {"thermo_every": 5, "trajectory_every": 15, "restart_every": 20, "precision": "float64"}
    return RunSettings(held, steps, initial_temperature=60.0, seed=7, **(often | changes))


def written(folder: Path) -> dict[str, bytes]:
    """What a run has left behind, its restart file apart: a zip holds the time of day."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "restart.npz"}
