"""``jaxpot verify``: evaluates structures with jaxpot and with LAMMPS, and fails where the numbers differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from jaxpot.cli.options import structure_options
from jaxpot.io.snap import has_snap_name, snap_files
from jaxpot.io.structure_files import FileKind

__all__ = ["DifferenceError", "verify"]


ADP_BEYOND = (
    "; the energies alone differ: where the density of an atom is beyond the table of F, LAMMPS's pair_style adp "
    "leaves the linear continuation of F out of the energy, though not out of the forces, and jaxpot has it in both"
)


class DifferenceError(RuntimeError):
    """Two programs disagree about a potential."""


@click.command()
@click.option(
    "--potential",
    "-p",
    "names",
    multiple=True,
    required=True,
    metavar="DIR|FILE",
    help="A folder with native files (as jaxpot fit writes), or the files; several files: give the option again.",
)
@click.option("--against", type=click.Choice(["lammps"]), default="lammps", show_default=True)
@structure_options
@click.option("--elements", help="Elements of the potential to use, separated by commas.")
@click.option("--precision", type=click.Choice(["float32", "float64"]), default="float64", show_default=True)
@click.option("--energy-tolerance", type=float, help="Relative; 1e-9 in float64, 1e-5 in float32.")
@click.option("--force-tolerance", type=float, help="Relative to the largest force; 1e-8, or 1e-3 in float32.")
def verify(
    names: Sequence[str], against: str, structure: str, kind: FileKind, elements: str | None, precision: str,
    energy_tolerance: float | None, force_tolerance: float | None,
) -> None:  # fmt: skip
    """Evaluate structures by jaxpot and by LAMMPS; exit status 1 where energy, forces or virial differ."""
    import jax
    import numpy as np

    if precision == "float64":
        jax.config.update("jax_enable_x64", True)
    from jaxpot.batch import evaluate
    from jaxpot.cli.structures import check_structure, read_structures
    from jaxpot.interop.lammps import single_point
    from jaxpot.io.load import load

    files = _files(names)
    symbols = None if elements is None else elements.replace(" ", "").split(",")
    potential, params = load(files[0] if len(files) == 1 else files, elements=symbols)
    commands, species = lammps_commands(files, potential)
    frames = read_structures(structure, kind)
    for k, atoms in enumerate(frames):
        check_structure(atoms, f"{structure}, frame {k}")
    ours = evaluate(potential, params, frames, dtype=precision)
    double = precision == "float64"
    limits = (
        energy_tolerance if energy_tolerance is not None else (1e-9 if double else 1e-5),
        force_tolerance if force_tolerance is not None else (1e-8 if double else 1e-3),
    )
    click.echo(
        f"{'frame':>6s} {'jaxpot (eV)':>20s} {against + ' (eV)':>20s} {'energy':>10s} {'forces':>10s} {'virial':>10s}"
    )
    wrong, only_energies = [], True
    for k, (atoms, found) in enumerate(zip(frames, ours, strict=True)):
        other = single_point(atoms, commands, species)
        # in a perfect crystal there are no forces to compare with
        scale = max(float(np.abs(other.forces).max()), 1e-2)
        energy = abs(found.energy - other.energy) / abs(other.energy)
        forces = float(np.abs(found.forces - other.forces).max()) / scale
        virial = float(np.abs(found.virial - other.virial).max()) / max(float(np.abs(other.virial).max()), scale)
        good = energy < limits[0] and forces < limits[1] and virial < limits[1]
        click.echo(
            f"{k:6d} {found.energy:20.10f} {other.energy:20.10f} {energy:10.1e} {forces:10.1e} {virial:10.1e}"
            + ("" if good else "   DIFFERENT")
        )
        if not good:
            wrong.append(k)
            only_energies &= forces < limits[1] and virial < limits[1]
    if wrong:
        beyond = ADP_BEYOND if files[0].lower().endswith(".adp") and only_energies else ""
        raise DifferenceError(
            f"jaxpot and LAMMPS differ in {len(wrong)} of {len(frames)} frames, first in frame {wrong[0]} (relative "
            f"tolerances: energy {limits[0]:g}, forces and virial {limits[1]:g}){beyond}"
        )
    click.echo(f"agree within {limits[0]:g} (energy) and {limits[1]:g} (forces and virial) in {len(frames)} frames")


def _files(names: Sequence[str]) -> list[str]:
    """The native files: those named, or those in a folder."""
    if len(names) != 1 or not Path(names[0]).is_dir():
        return list(names)
    folder = Path(names[0])
    found = sorted(p for p in folder.iterdir() if p.name.endswith((".eam.alloy", ".eam.fs", ".adp")))
    if has_snap_name(folder) and not found:
        return [str(file) for file in snap_files(folder)]
    if len(found) != 1:
        raise ValueError(f"{folder} holds {len(found)} potentials that LAMMPS reads; name the files instead")
    return [str(found[0])]


def lammps_commands(files: Sequence[str], potential: Any) -> tuple[list[str], tuple[str, ...]]:
    """LAMMPS's commands for native files, and the elements of its atom types.

    Args:
        files: the files that :func:`jaxpot.load` read.
        potential: the potential that it returned.
    """
    species = tuple(potential.elements)
    names = " ".join(species)
    paths = [str(Path(file).resolve()) for file in files]
    first = paths[0]
    if first.endswith(".snap"):
        folder = Path(first).parent
        lines = [line.split("#")[0].split() for line in Path(first).read_text().splitlines()]
        # files are looked for where the script is
        return [
            " ".join(str(folder / word) if (folder / word).is_file() else word for word in line)
            for line in lines
            if line
        ], species
    if first.endswith((".snapcoeff", ".snapparam")):
        both = {Path(path).suffix: path for path in paths}
        coefficients, parameters = (
            both.get(ending, f"{first.rsplit('.', 1)[0]}{ending}") for ending in (".snapcoeff", ".snapparam")
        )
        return ["pair_style snap", f"pair_coeff * * {coefficients} {parameters} {names}"], species
    for ending, style in ((".eam.alloy", "eam/alloy"), (".eam.fs", "eam/fs"), (".adp", "adp")):
        if first.endswith(ending):
            return [f"pair_style {style}", f"pair_coeff * * {first} {names}"], species
    raise ValueError(
        f"{files[0]} is no file of a kind that can be compared: .snap, .snapcoeff, .eam.alloy, .eam.fs, .adp"
    )
