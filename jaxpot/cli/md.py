"""The parts of ``jaxpot md`` around a run: checks of the output folder, a progress bar, a table and pictures."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from jaxpot.potential import Params, Potential
from jaxpot.simulate import RunFiles, RunResult, RunSettings, Thermo, run_md
from jaxpot.simulate.output import read_thermo
from jaxpot.simulate.thermo import linear_drift

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["simulate", "summary"]


def simulate(
    atoms: Atoms,
    potential: Potential,
    params: Params,
    settings: RunSettings,
    output: Path,
    *,
    resume: bool = False,
    force: bool = False,
    plots: bool = True,
) -> RunResult:
    """Run, show progress, print the table, draw the pictures.

    Args:
        atoms: ASE ``Atoms``.
        potential: any potential.
        params: its parameters.
        settings: what to run.
        output: the folder for all files.
        resume: go on from the restart file in ``output``.
        force: replace an earlier run there.
        plots: draw pictures at the end.

    Returns:
        The :class:`jaxpot.simulate.RunResult`.

    Raises:
        ValueError: the folder holds another run, or cannot be written to.
    """
    from tqdm import tqdm

    files = RunFiles(output, settings.trajectory_format)
    _check_folder(output, files, resume, force)
    with tqdm(total=settings.steps, unit=" steps", disable=None, dynamic_ncols=True) as bar:

        def progress(now: Thermo, rate: float) -> None:
            bar.set_postfix_str(f"{now.temperature_K:.0f} K, {now.total_eV / len(atoms):.5f} eV/atom", refresh=False)
            bar.update(now.step - bar.n)

        result = run_md(atoms, potential, params, settings, output, resume=resume, on_progress=progress)
        bar.update(result.step - bar.n)
    for line in summary(result, len(atoms), settings):
        click.echo(line)
    if not result.finished:
        click.echo(f"stopped at step {result.step} of {settings.steps}; go on with --resume")
    if plots:
        for picture in _draw(files, len(atoms)):
            click.echo(f"picture: {picture}")
    return result


def _draw(files: RunFiles, atoms: int) -> list[Path]:
    """Pictures of energy, temperature and pressure in time, and for periodic systems of g(r) in the last frames."""
    from ase.io import read

    from jaxpot.plot import plot_radial_distribution, plot_thermo

    drawn = {"thermo.png": plot_thermo(read_thermo(files.thermo), atoms=atoms)}
    frames = read(files.trajectory, index=":")
    if frames[-1].pbc.all():
        last = frames[len(frames) // 2 :][-20:]
        drawn["rdf.png"] = plot_radial_distribution(last)
    for name, figure in drawn.items():
        figure.savefig(files.folder / name)
    return [files.folder / name for name in drawn]


def _check_folder(output: Path, files: RunFiles, resume: bool, force: bool) -> None:
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file; name a folder for the output")
    parent = next(p for p in (output, *output.absolute().parents) if p.exists())
    if not os.access(parent, os.W_OK):
        raise ValueError(f"{output} cannot be written to; name another folder with --output")
    if resume and force:
        raise ValueError("--resume and --force exclude each other: go on with the earlier run, or replace it")
    if not resume and not force and (files.restart.exists() or files.thermo.exists()):
        raise ValueError(f"{output} holds an earlier run; go on with it by --resume, or replace it by --force")


def summary(result: RunResult, atoms: int, settings: RunSettings) -> list[str]:
    """The closing table: means over the second half of the run, drift of the conserved energy, speed.

    Args:
        result: what the run returned.
        atoms: the number of atoms.
        settings: the settings of the run.

    Returns:
        Lines of text.
    """
    thermo = read_thermo(result.files.thermo)
    half = len(thermo["step"]) // 2
    drift = linear_drift(thermo["time_ps"][half:], thermo["conserved_eV"][half:]) / atoms
    rate = result.steps_per_second
    facts: list[tuple[str, Any, str]] = [
        ("atoms", atoms, ""),
        ("time", thermo["time_ps"][-1], "ps"),
        ("temperature", _mean(thermo["temperature_K"][half:]), "K"),
        ("pressure", _mean(thermo["pressure_bar"][half:]), "bar"),
        ("volume per atom", _mean(thermo["volume_A3"][half:]) / atoms, "Å^3"),
        ("potential energy", _mean(thermo["potential_eV"][half:]) / atoms, "eV/atom"),
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
    return lines


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
