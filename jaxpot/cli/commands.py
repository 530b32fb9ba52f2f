"""The commands. Bad input gives one line of text and exit status 2, a run that breaks one line and status 3."""

from __future__ import annotations

import dataclasses
import functools
import json
import warnings
from pathlib import Path
from typing import Any

import click

from jaxpot.cli.fit import fit
from jaxpot.cli.options import MOLECULAR, gather, model_options, structure_options
from jaxpot.cli.verify import DifferenceError, verify
from jaxpot.io.errors import FileWarning
from jaxpot.io.structure_files import FileKind

__all__ = ["cli", "run"]

BAD_INPUT = 2
BROKEN_RUN = 3


def run(arguments: list[str] | None) -> int:
    """Run the command line; returns the exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", FileWarning)
        show = warnings.showwarning

        def say(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, FileWarning):
                click.echo(f"jaxpot: warning: {message}", err=True)
            else:
                show(message, category, *rest, **more)

        warnings.showwarning = say
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    try:
        cli.main(args=arguments, prog_name="jaxpot", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", 130)
    except click.ClickException as error:
        return _say(error.format_message(), BAD_INPUT)
    except (ValueError, OSError, FloatingPointError) as error:
        return _say(str(error), BAD_INPUT)
    except DifferenceError as error:
        return _say(str(error), 1)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "jaxpot":
            raise
        return _say(f'{error.name} is not installed; install it with: pip install "jaxpot[md]"', BAD_INPUT)
    except RuntimeError as error:
        from jaxpot.fit.gradient.result import TrainingError
        from jaxpot.simulate import SimulationError

        if isinstance(error, SimulationError | TrainingError):
            return _say(str(error), BROKEN_RUN)
        raise
    return 0


def _say(message: str, status: int) -> int:
    click.echo("jaxpot: " + " ".join(message.split()), err=True)
    return status


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="jaxpot")
def cli() -> None:
    """Interatomic potentials in JAX: molecular dynamics, relaxation and evaluation from the command line."""


cli.add_command(fit)
cli.add_command(verify)


@cli.command("list")
@click.option("--element", help="Only sets that know this element.")
def list_sets(element: str | None) -> None:
    """List the published parameter sets that come with jaxpot."""
    from jaxpot.parameters import available

    found = available(element)
    if not found:
        raise ValueError(f"no published set knows {element!r}; jaxpot list without --element shows all")
    width = max(len(record.name) for record in found)
    for record in found:
        click.echo(f"{record.name:{width}s}  {','.join(record.elements):12s}  {record.reference}")


@cli.command()
@model_options
@structure_options
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything to this file.")
def evaluate(
    potential: Any, params: Any, precision: str, structure: str, kind: FileKind, json_file: Path | None
) -> None:  # fmt: skip
    """Energy, forces, stress and per-atom energies of every frame of a structure file."""
    import numpy as np

    from jaxpot.batch import evaluate as evaluate_all
    from jaxpot.cli.structures import check_output, check_structure, read_structures
    from jaxpot.io.folders import write_atomically

    if json_file is not None:
        check_output(json_file, "--json")
    frames = read_structures(structure, kind)
    for k, atoms in enumerate(frames):
        check_structure(atoms, f"{structure}, frame {k}")
    results = evaluate_all(potential, params, frames, dtype=precision)
    click.echo(f"{'frame':>6s} {'atoms':>7s} {'energy (eV)':>18s} {'per atom (eV)':>16s} {'largest force (eV/Å)':>21s}")
    for k, (atoms, found) in enumerate(zip(frames, results, strict=True)):
        largest = float(np.linalg.norm(found.forces, axis=1).max())
        each = found.energy / len(atoms)
        click.echo(f"{k:6d} {len(atoms):7d} {found.energy:18.8f} {each:16.8f} {largest:21.6f}")
    if json_file is not None:
        records = [
            {
                "formula": atoms.get_chemical_formula(),
                "energy_eV": found.energy,
                "energies_eV": np.asarray(found.energies, np.float64).tolist(),
                "forces_eV_per_A": np.asarray(found.forces, np.float64).tolist(),
                "stress_eV_per_A3": None if found.stress is None else np.asarray(found.stress, np.float64).tolist(),
            }
            for atoms, found in zip(frames, results, strict=True)
        ]
        facts = {"potential": potential.name, "elements": potential.elements, "precision": precision}
        document = {**facts, "frames": records}
        write_atomically(json_file, (json.dumps(document, indent=1) + "\n").encode())
        click.echo(f"written: {json_file}")


@cli.command()
@functools.partial(model_options, molecules=True)
@structure_options
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Relaxed structure.")
@click.option("--force", "fmax", type=float, default=0.01, show_default=True, help="Largest force at the end, eV/Å.")
@click.option("--steps", type=int, default=500, show_default=True, help="Most evaluations of a structure.")
@click.option("--cell/--no-cell", default=False, show_default=True, help="Relax the cell as well.")
def relax(
    potential: Any, params: Any, precision: str, structure: str, kind: FileKind, output: Path, fmax: float, steps: int,
    cell: bool,
) -> None:  # fmt: skip
    """Relax the atoms of all frames of a structure file, and their cells on request.

    A cell relaxes in the directions in which it repeats; the vacuum of a slab stays. With mmff94 or mmff94s the
    structure is an SDF file, and all of its molecules are relaxed together.
    """
    from jaxpot.cli.relaxation import relax_frames
    from jaxpot.cli.structures import check_output, check_structure, format_to_write, read_structures, write_structures

    if not fmax > 0:
        raise ValueError(f"--force must be a positive number of eV/Å, got {fmax}")
    if steps < 0:
        raise ValueError(f"--steps must not be negative, got {steps}")
    check_output(output, "--output")
    if potential in MOLECULAR:
        from jaxpot.cli.molecules import relax_molecules

        if cell:
            raise ValueError(f"--cell does not go with {potential}: molecules have none")
        relax_molecules(structure, output, MOLECULAR[potential], fmax, steps, precision)
        return
    frames = read_structures(structure, kind)
    written = format_to_write(output, len(frames))
    for k, atoms in enumerate(frames):
        check_structure(atoms, f"{structure}, frame {k}")
    write_structures(output, relax_frames(potential, params, frames, cell, fmax, steps, precision), written)
    click.echo(f"written: {output}")


@dataclasses.dataclass(frozen=True)
class MdOptions:
    """The options of ``jaxpot md``, as its help describes them."""

    output: Path
    ensemble: str
    temperature: float | None
    pressure: float
    timestep: float
    steps: int
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


@cli.command()
@model_options
@structure_options
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder for everything written.")
@click.option("--ensemble", default="nve", show_default=True, help="nve, nvt, langevin or npt.")
@click.option("--temperature", type=float, help="Temperature of the thermostat and of the initial velocities, K.")
@click.option("--pressure", type=float, default=0.0, show_default=True, help="bar, for npt.")
@click.option("--timestep", type=float, default=1.0, show_default=True, help="fs.")
@click.option("--steps", type=int, required=True, help="Number of time steps in all.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of velocities and thermostat.")
@click.option("--thermostat-time", type=float, default=100.0, show_default=True, help="fs.")
@click.option("--barostat-time", type=float, default=1000.0, show_default=True, help="fs.")
@click.option("--keep-velocities", is_flag=True, help="Take the velocities of the structure instead of new ones.")
@click.option("--skin", type=float, help="Å, extra radius of the neighbour list; a tenth of the cutoff by default.")
@click.option("--thermo-every", type=int, default=10, show_default=True, help="Steps between lines of thermo.csv.")
@click.option("--trajectory-every", type=int, default=100, show_default=True, help="Steps between frames.")
@click.option("--restart-every", type=int, default=1000, show_default=True, help="Steps between restart files.")
@click.option("--format", "trajectory_format", default="extxyz", show_default=True, help="extxyz or traj.")
@click.option("--resume", is_flag=True, help="Go on from the restart file in the output folder.")
@click.option("--force", is_flag=True, help="Replace an earlier run in the output folder.")
@click.option("--plots/--no-plots", default=True, show_default=True, help="Draw pictures at the end.")
@gather(MdOptions)
def md(potential: Any, params: Any, precision: str, structure: str, kind: FileKind, options: MdOptions) -> None:
    """Molecular dynamics, with records, trajectory, restart files and pictures in one folder."""
    from jaxpot.cli.md import simulate
    from jaxpot.cli.structures import check_structure, read_structures
    from jaxpot.simulate import Ensemble, RunSettings

    atoms = read_structures(structure, kind)[-1]
    check_structure(atoms, structure)
    if options.temperature is not None and not options.temperature >= 0:
        raise ValueError(f"--temperature must not be negative, got {options.temperature} K")
    if options.temperature is None and not (options.keep_velocities or options.resume):
        raise ValueError("--temperature is missing: give that of the initial velocities in K, or --keep-velocities")
    if options.keep_velocities and not atoms.has("momenta"):
        raise ValueError(f"{structure} holds no velocities to keep; give --temperature instead")
    settings = RunSettings(
        Ensemble(
            options.ensemble,
            options.timestep,
            options.temperature,
            options.pressure,
            options.thermostat_time,
            options.barostat_time,
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
        resume=options.resume, force=options.force, plots=options.plots,
    )  # fmt: skip
