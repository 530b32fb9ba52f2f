"""``jaxpot md``: molecular dynamics with a bar or lines while it runs, a table and pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.md_report import ThermoLines, draw, summary
from jaxpot.cli.options import gather, model_options, structure_options
from jaxpot.cli.progress import minutes_left, on_terminal
from jaxpot.cli.structures import output_folder
from jaxpot.io.structure_files import FileKind
from jaxpot.potential import Params, Potential
from jaxpot.simulate import RunFiles, RunResult, RunSettings, Thermo, run_md
from jaxpot.simulate.ensembles import CELLS, ENSEMBLES
from jaxpot.simulate.settings import FORMATS

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["simulate"]


def simulate(
    atoms: Atoms,
    potential: Potential,
    params: Params,
    settings: RunSettings,
    output: Path,
    *,
    resume: bool = False,
    force: bool = False,
    minutes: float | None = None,
    plots: bool = True,
) -> RunResult:
    """Run, show progress, print the table, draw the pictures.

    On a terminal the progress is a bar; elsewhere, as in a batch job, a record is printed now and then.

    Args:
        atoms: ASE ``Atoms``.
        potential: any potential.
        params: its parameters.
        settings: what to run.
        output: the folder for all files.
        resume: go on from the restart file in ``output``.
        force: replace an earlier run there.
        minutes: time limit of the run, preparation included.
        plots: draw pictures at the end.

    Returns:
        The :class:`jaxpot.simulate.RunResult`.

    Raises:
        ValueError: the folder holds another run, or cannot be written to.
    """
    from tqdm import tqdm

    files = RunFiles(output, settings.trajectory_format)
    _check_folder(output, files, resume, force)
    given: dict[str, Any] = {"resume": resume, "minutes": minutes}
    with output_folder(output):
        if on_terminal():
            with tqdm(total=settings.steps, unit=" steps", dynamic_ncols=True) as bar:

                def progress(now: Thermo, rate: float) -> None:
                    energy = f"{now.total_eV / len(atoms):.5f} eV/atom"
                    bar.set_postfix_str(f"{now.temperature_K:.0f} K, {energy}", refresh=False)
                    bar.update(now.step - bar.n)

                result = run_md(atoms, potential, params, settings, output, on_progress=progress, **given)
                bar.update(result.step - bar.n)
        else:
            lines = ThermoLines(len(atoms), settings.steps)
            result = run_md(atoms, potential, params, settings, output, on_progress=lines, **given)
    for line in summary(result, len(atoms), settings):
        click.echo(line)
    if not result.finished:
        click.echo(f"stopped at step {result.step} of {settings.steps}; go on with --resume")
    if plots:
        for picture in draw(files, len(atoms)):
            click.echo(f"picture: {picture}")
    return result


def _check_folder(output: Path, files: RunFiles, resume: bool, force: bool) -> None:
    if resume and force:
        raise ValueError("--resume and --force exclude each other: go on with the earlier run, or replace it")
    if not resume and not force and (files.restart.exists() or files.thermo.exists()):
        raise ValueError(f"{output} holds an earlier run; go on with it by --resume, or replace it by --force")


@dataclasses.dataclass(frozen=True)
class MdOptions:
    """The options of ``jaxpot md``, as its help describes them."""

    output: Path
    ensemble: str
    temperature: float | None
    pressure: float
    cell: str
    timestep: float
    steps: int
    minutes: float | None
    seed: int
    thermostat_time: float
    barostat_time: float
    keep_velocities: bool
    skin: float | None
    thermo_every: int
    trajectory_every: int
    restart_every: int
    trajectory_format: str
    resume: bool
    force: bool
    plots: bool


@click.command()
@model_options
@structure_options
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder for everything written.")
@click.option("--ensemble", default="nve", show_default=True, help=f"One of {', '.join(ENSEMBLES)}.")
@click.option("--temperature", type=float, help="Temperature of the thermostat and of the initial velocities, K.")
@click.option("--pressure", type=float, default=0.0, show_default=True, help="bar, for npt.")
@click.option(
    "--cell",
    default="isotropic",
    show_default=True,
    help=f"How npt may change the cell: one of {', '.join(CELLS)} (by one factor; along x, y and z; by any strain).",
)
@click.option("--timestep", type=float, default=1.0, show_default=True, help="fs.")
@click.option("--steps", type=int, required=True, help="Number of time steps in all.")
@click.option("--minutes", type=float, help="Time limit, preparation included; --resume goes on.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of velocities and thermostat.")
@click.option("--thermostat-time", type=float, default=100.0, show_default=True, help="fs.")
@click.option("--barostat-time", type=float, default=1000.0, show_default=True, help="fs.")
@click.option("--keep-velocities", is_flag=True, help="Take the velocities of the structure instead of new ones.")
@click.option("--skin", type=float, help="Å, extra radius of the neighbour list; a tenth of the cutoff by default.")
@click.option("--thermo-every", type=int, default=10, show_default=True, help="Steps between lines of thermo.csv.")
@click.option("--trajectory-every", type=int, default=100, show_default=True, help="Steps between frames.")
@click.option("--restart-every", type=int, default=1000, show_default=True, help="Steps between restart files.")
@click.option(
    "--format",
    "trajectory_format",
    default="extxyz",
    show_default=True,
    help="Of the trajectory: " + ", ".join(f"{name} ({what})" for name, what in FORMATS.items()) + ".",
)
@click.option("--resume", is_flag=True, help="Go on from the restart file in the output folder.")
@click.option("--force", is_flag=True, help="Replace an earlier run in the output folder.")
@click.option("--plots/--no-plots", default=True, show_default=True, help="Draw pictures at the end.")
@gather(MdOptions)
def md(potential: Any, params: Any, precision: str, structure: str, kind: FileKind, options: MdOptions) -> None:
    """Molecular dynamics, with records, trajectory, restart files and pictures in one folder.

    Data that the potential needs, such as charges, are taken from the structure file. On a terminal there is a bar;
    elsewhere, as in a batch job, a record is printed now and then.
    """
    from jaxpot.cli.structures import check_structure, read_structures
    from jaxpot.simulate import Ensemble

    atoms = read_structures(structure, kind)[-1]
    check_structure(atoms, structure)
    if options.temperature is not None and not options.temperature >= 0:
        raise ValueError(f"--temperature must not be negative, got {options.temperature} K")
    if options.temperature is None and not (options.keep_velocities or options.resume):
        raise ValueError("--temperature is missing: give that of the initial velocities in K, or --keep-velocities")
    if options.keep_velocities and not atoms.has("momenta"):
        raise ValueError(f"{structure} holds no velocities to keep; give --temperature instead")
    if options.cell != "isotropic" and options.ensemble != "npt":
        raise ValueError(f"--cell {options.cell} goes with --ensemble npt, got {options.ensemble}")
    settings = RunSettings(
        Ensemble(
            options.ensemble,
            options.timestep,
            options.temperature,
            options.pressure,
            options.thermostat_time,
            options.barostat_time,
            options.cell,
        ),
        options.steps,
        initial_temperature=None if options.keep_velocities else options.temperature,
        seed=options.seed,
        thermo_every=options.thermo_every,
        trajectory_every=options.trajectory_every,
        restart_every=options.restart_every,
        trajectory_format=options.trajectory_format,
        skin=options.skin,
        precision=precision,
    )
    simulate(
        atoms, potential, params, settings, options.output,
        resume=options.resume, force=options.force, minutes=minutes_left(options.minutes), plots=options.plots,
    )  # fmt: skip
