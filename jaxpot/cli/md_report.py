"""What ``jaxpot md`` tells of a run: lines while it goes, a table of means and pictures at its end."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from jaxpot.cli.progress import Lines
from jaxpot.simulate import RunFiles, RunResult, RunSettings, Thermo
from jaxpot.simulate.output import read_thermo
from jaxpot.simulate.statistics import mean_with_error
from jaxpot.simulate.thermo import linear_drift

__all__ = ["ThermoLines", "draw", "summary"]

LAST_FRAMES = 20  # of which g(r) is the mean
COLUMNS = (  # heading, width, digits, value
    ("step", 10, 0, lambda now, atoms: now.step),
    ("time (ps)", 11, 4, lambda now, atoms: now.time_ps),
    ("T (K)", 9, 1, lambda now, atoms: now.temperature_K),
    ("E_pot (eV/atom)", 16, 6, lambda now, atoms: now.potential_eV / atoms),
    ("E_tot (eV/atom)", 16, 6, lambda now, atoms: now.total_eV / atoms),
    ("p (bar)", 11, 1, lambda now, atoms: now.pressure_bar),
    ("V (Å^3/atom)", 13, 4, lambda now, atoms: now.volume_A3 / atoms),
)


class ThermoLines:
    """Prints records of a run, the first one, the last one, and others as :class:`Lines` does, below a heading.

    Args:
        atoms: number of atoms.
        steps: number of steps in all; the last one is printed too.
        lines: prints them.
    """

    def __init__(self, atoms: int, steps: int, lines: Lines | None = None) -> None:
        self._atoms, self._steps = atoms, steps
        self._lines, self._said = lines or Lines(), False

    def __call__(self, now: Thermo, rate: float) -> None:
        """Prints a record if it is time.

        Args:
            now: the record.
            rate: steps per second.
        """
        if not self._said:
            names = "".join(f"{name:>{width}s}" for name, width, *_ in COLUMNS)
            self._lines(f"{names}{'steps/s':>10s}", always=True)
        numbers = "".join(_number(value(now, self._atoms), width, digits) for _, width, digits, value in COLUMNS)
        text = numbers + _number(rate, 10, 1)
        self._lines(text, always=not self._said or now.step >= self._steps)
        self._said = True


def _number(value: float, width: int, digits: int) -> str:
    return f"{'-' if math.isnan(value) else f'{value:.{digits}f}':>{width}s}"


def draw(files: RunFiles, atoms: int) -> list[Path]:
    """Pictures of the records in time, and for periodic systems of g(r) in the last frames.

    Args:
        files: of the run.
        atoms: number of atoms.

    Returns:
        Their paths.
    """
    from jaxpot.io.structure_files import read_frames
    from jaxpot.plot import plot_radial_distribution, plot_thermo

    drawn = {"thermo.png": plot_thermo(read_thermo(files.thermo), atoms=atoms)}
    frames = list(read_frames(files.trajectory))
    if frames[-1].pbc.all():
        last = frames[len(frames) // 2 :][-LAST_FRAMES:]
        drawn["rdf.png"] = plot_radial_distribution(last)
    for name, figure in drawn.items():
        figure.savefig(files.folder / name)
    return [files.folder / name for name in drawn]


def summary(result: RunResult, atoms: int, settings: RunSettings) -> list[str]:
    """The closing table: means over the second half of the run with their standard errors, drift, speed.

    Args:
        result: what the run returned.
        atoms: the number of atoms.
        settings: the settings of the run.

    Returns:
        Lines of text.
    """
    thermo = read_thermo(result.files.thermo)
    half = len(thermo["step"]) // 2
    time, steps = thermo["time_ps"][half:], thermo["step"][half:]
    rate, periodic = result.steps_per_second, bool(np.isfinite(thermo["volume_A3"][half:]).all())
    drift = linear_drift(time, thermo["conserved_eV"][half:]) / atoms
    facts: list[tuple[str, Any, str]] = [("atoms", atoms, ""), ("time", thermo["time_ps"][-1], "ps")]
    means = [
        ("temperature", "temperature_K", 1, "K"),
        ("pressure", "pressure_bar", 1, "bar"),
        ("volume per atom", "volume_A3", atoms, "Å^3"),
        ("density", "density_g_cm3", 1, "g/cm^3"),
        ("potential energy", "potential_eV", atoms, "eV/atom"),
    ]
    for name, column, share, unit in means:
        values = thermo[column][half:] / share
        if periodic or column in ("temperature_K", "potential_eV"):
            facts.append((name, str(mean_with_error(values)), unit))
    facts += [
        ("energy drift", drift, "eV/atom/ps"),
        ("speed", rate, "steps/s"),
        ("speed", rate * settings.ensemble.timestep * 1e-6 * 86400, "ns/day"),
        ("files", str(result.files.folder), ""),
    ]
    lines = [""]
    for name, value, unit in facts:
        if isinstance(value, float) and math.isnan(value):
            continue
        text = value if isinstance(value, str) else f"{value:d}" if isinstance(value, int) else f"{value:.6g}"
        lines.append(f"{name:18s} {text} {unit}".rstrip())
    lines.append(
        f"Means and drift are those of the second half, steps {steps[0]:.0f} to {steps[-1]:.0f}, {len(steps)} records; "
        "± is one standard error of the mean, with the correlation of records taken into account, and is left out "
        "where the run is too short to tell."
    )
    return lines
