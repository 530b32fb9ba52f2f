"""``jaxpot properties``: what a potential says of a crystal, in a table, as JSON and in pictures."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from jaxpot.cli.options import gather, model_options, structure_options
from jaxpot.cli.progress import on_terminal
from jaxpot.cli.structures import output_folder
from jaxpot.io.structure_files import FileKind

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure

__all__ = ["properties"]

FORCE = 1e-4  # eV/Å, largest force after the relaxation of the crystal
IMAGINARY = -0.05  # THz; rounding and the translational rule give less
VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")


@dataclasses.dataclass(frozen=True)
class PropertyOptions:
    """The options of ``jaxpot properties``, as its help describes them."""

    output: Path
    only: str | None
    surfaces: str | None
    supercell: float
    force: bool
    plots: bool


class Crystal(NamedTuple):
    """What each property is computed from.

    Attributes:
        potential: any potential.
        params: its parameters.
        atoms: the crystal at rest.
        title: its formula, for the pictures.
        folder: for pictures; None draws none.
        options: of the command.
    """

    potential: Any
    params: Any
    atoms: Atoms
    title: str
    folder: Path | None
    options: PropertyOptions

    def picture(self, draw: Callable[[Any, str], Figure], found: Any, name: str) -> None:
        """Draws a picture, if pictures are wanted.

        Args:
            draw: one of :mod:`jaxpot.cli.property_pictures`.
            found: what it draws.
            name: of the file.
        """
        if self.folder is not None:
            draw(found, self.title).savefig(self.folder / name)
            click.echo(f"picture: {self.folder / name}")


def _elastic(crystal: Crystal) -> dict[str, Any]:
    from jaxpot.cli.property_pictures import draw_elasticity
    from jaxpot.properties import elastic_constants, elastic_moduli

    constants = elastic_constants(crystal.potential, crystal.params, crystal.atoms, force=FORCE)
    moduli = elastic_moduli(constants)
    click.echo("elastic constants (GPa), " + ", ".join(VOIGT))
    for row in constants:
        click.echo("  " + "".join(f"{value + 0.0:10.2f}" for value in np.where(np.abs(row) < 5e-3, 0.0, row)))
    _line("bulk modulus", f"{moduli.bulk:.2f} GPa (Voigt, Reuss, Hill)")
    _line("shear modulus", f"{moduli.shear:.2f} GPa")
    _line("Young's modulus", f"{moduli.young:.2f} GPa")
    _line("Poisson's ratio", f"{moduli.poisson:.4f}")
    _line("anisotropy", f"{moduli.anisotropy:.4f} (universal index, 0 if isotropic)")
    if not moduli.stable:
        _line("stability", "unstable: a strain lowers the energy")
    if moduli.stable:
        crystal.picture(draw_elasticity, constants, "elasticity.png")
    return {"constants_GPa": constants.round(6).tolist(), **moduli._asdict()}


def _equation_of_state(crystal: Crystal) -> dict[str, Any]:
    from jaxpot.cli.property_pictures import draw_equation_of_state
    from jaxpot.properties import equation_of_state

    found = equation_of_state(crystal.potential, crystal.params, crystal.atoms)
    _line("volume", f"{found.volume:.4f} Å^3/atom")
    _line("energy", f"{found.energy:.6f} eV/atom")
    slope = f"its slope by the pressure {found.bulk_modulus_slope:.2f}"
    _line("bulk modulus", f"{found.bulk_modulus:.2f} GPa (Birch-Murnaghan), {slope}")
    crystal.picture(draw_equation_of_state, found, "equation_of_state.png")
    return {
        "volumes_A3_per_atom": found.volumes.tolist(), "energies_eV_per_atom": found.energies.tolist(),
        "volume_A3_per_atom": found.volume, "energy_eV_per_atom": found.energy, "bulk_modulus_GPa": found.bulk_modulus,
        "bulk_modulus_slope": found.bulk_modulus_slope,
    }  # fmt: skip


def _phonons(crystal: Crystal) -> dict[str, Any]:
    from jaxpot.cli.property_pictures import draw_bands
    from jaxpot.properties import phonon_bands

    found = phonon_bands(crystal.potential, crystal.params, crystal.atoms)
    least, most = float(np.nanmin(found.frequencies)), float(np.nanmax(found.frequencies))
    at_points: dict[str, np.ndarray] = {}
    for distance, name in found.labels:
        place = int(np.nanargmin(np.abs(found.distances - distance)))
        at_points.setdefault(name.split("|")[0], found.frequencies[place])
    for name, frequencies in at_points.items():
        numbers = " ".join(f"{value:.3f}" for value in np.where(np.abs(frequencies) < 5e-4, 0.0, frequencies)[:12])
        _line(f"phonons at {name}", f"{numbers}{' ...' if len(frequencies) > 12 else ''} THz")
    if least < IMAGINARY:
        _line("stability", f"unstable: imaginary frequencies down to {-least:.3f} i THz")
    crystal.picture(draw_bands, found, "phonons.png")
    return {
        "lowest_THz": least, "highest_THz": most, "distances_per_A": found.distances.tolist(),
        "frequencies_THz": [None if np.isnan(row).any() else row.tolist() for row in found.frequencies],
        "labels": [list(one) for one in found.labels], "dos_frequencies_THz": found.dos_frequencies.tolist(),
        "dos_per_THz": found.dos.tolist(),
    }  # fmt: skip


def _vacancy(crystal: Crystal) -> dict[str, Any]:
    from jaxpot.properties import vacancy_formation_energy

    lengths = 1.0 / np.linalg.norm(np.linalg.inv(crystal.atoms.cell.array), axis=0)
    large = crystal.atoms * tuple(int(n) for n in np.ceil(crystal.options.supercell / lengths))
    energy = vacancy_formation_energy(crystal.potential, crystal.params, large)
    _line("vacancy", f"{energy:.4f} eV to form it, relaxed, among {len(large)} atoms")
    return {"formation_energy_eV": energy, "atoms": len(large)}


def _surfaces(crystal: Crystal) -> dict[str, Any]:
    from jaxpot.cli.property_pictures import draw_surfaces, miller
    from jaxpot.properties import conventional_cell, surface_energies, usual_surfaces

    atoms, group = conventional_cell(crystal.atoms)
    text = crystal.options.surfaces
    indices = usual_surfaces(group) if text is None else _miller_indices(text)
    found = surface_energies(crystal.potential, crystal.params, atoms, indices)
    for one in found:
        energies = f"{one.energy:.4f} J/m^2, {one.unrelaxed:.4f} before relaxation"
        _line(f"surface ({miller(one.indices)})", f"{energies}, a slab of {one.atoms} atoms")
    crystal.picture(draw_surfaces, found, "surfaces.png")
    return {miller(one.indices): {"J_per_m2": one.energy, "unrelaxed_J_per_m2": one.unrelaxed} for one in found}


PROPERTIES: dict[str, Callable[[Crystal], dict[str, Any]]] = {
    "elastic": _elastic,
    "eos": _equation_of_state,
    "phonons": _phonons,
    "vacancy": _vacancy,
    "surfaces": _surfaces,
}


@click.command()
@functools.partial(model_options, precision="float64")
@structure_options
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder for everything written.")
@click.option("--only", metavar="NAMES", help=f"Some of {','.join(PROPERTIES)}; all by default.")
@click.option(
    "--surfaces", metavar="INDICES",
    help="Miller indices in the conventional cell, such as 100,111 or 1:-1:0; by default those of lowest indices.",
)  # fmt: skip
@click.option("--supercell", default=12.0, show_default=True, help="Å, least width of the cell of the vacancy.")
@click.option("--force", is_flag=True, help="Replace earlier properties in the output folder.")
@click.option("--plots/--no-plots", default=True, show_default=True, help="Draw pictures.")
@gather(PropertyOptions)
def properties(
    potential: Any, params: Any, precision: str, structure: str, kind: FileKind, options: PropertyOptions
) -> None:
    """Elastic constants, equation of state, phonons, vacancy and surfaces of a crystal.

    The crystal is first relaxed together with its cell. The output folder gets properties.json, the relaxed crystal and
    pictures. The vacancy of a compound, which depends on where its atom goes, is left out.
    """
    from jaxpot.cli.structures import check_structure, read_structures

    names = list(PROPERTIES) if options.only is None else options.only.replace(" ", "").split(",")
    for name in names:
        if name not in PROPERTIES:
            raise ValueError(f"--only knows {', '.join(PROPERTIES)}, got {name!r}")
    if options.surfaces is not None:
        _miller_indices(options.surfaces)
    if not options.supercell > 0:
        raise ValueError(f"--supercell must be a positive length in Å, got {options.supercell}")
    document = options.output / "properties.json"
    if document.exists() and not options.force:
        raise ValueError(f"{options.output} holds properties already; --force replaces them")
    atoms = read_structures(structure, kind)[-1]
    check_structure(atoms, structure)
    if not atoms.pbc.all():
        raise ValueError(f"{structure}: a crystal repeats in all directions, got pbc={atoms.pbc.tolist()}")
    if options.only is None and len(set(atoms.get_chemical_symbols())) > 1:
        names.remove("vacancy")
    with output_folder(options.output):
        _compute(potential, params, precision, atoms, names, options, document)


def _compute(
    potential: Any, params: Any, precision: str, atoms: Atoms, names: list[str], options: PropertyOptions,
    document: Path,
) -> None:  # fmt: skip
    from jaxpot.cli.structures import write_structures
    from jaxpot.io.folders import write_atomically
    from jaxpot.properties import relaxed

    title = atoms.get_chemical_formula(empirical=True)
    _stage("relaxing the crystal")
    rest = relaxed(potential, params, atoms, cell=True, force=FORCE)
    lengths = ", ".join(f"{x:.5f}" for x in rest.cell.lengths())
    angles = ", ".join(f"{x:.3f}" for x in rest.cell.angles())
    energy = float(rest.get_potential_energy())
    _line("crystal", f"{rest.get_chemical_formula()}, {len(rest)} atoms, {potential.name}, {precision}")
    _line("cell", f"{lengths} Å; {angles} degrees")
    _line("energy", f"{energy / len(rest):.6f} eV/atom at rest")
    facts: dict[str, Any] = {
        "potential": potential.name, "precision": precision, "formula": title, "atoms": len(rest),
        "cell_A": rest.cell.array.tolist(), "energy_eV_per_atom": energy / len(rest),
    }  # fmt: skip
    failed = []
    crystal = Crystal(potential, params, rest, title, options.output if options.plots else None, options)
    write_structures(options.output / "crystal.extxyz", [rest], "extxyz")
    for name in names:
        _stage(name)
        try:
            facts[name] = PROPERTIES[name](crystal)
        except (ValueError, FloatingPointError) as error:
            failed.append(name)
            facts[name] = {"error": " ".join(str(error).split())}
            _line(name, f"not computed: {facts[name]['error']}")
    write_atomically(document, (json.dumps(facts, indent=1) + "\n").encode())
    click.echo(f"written: {document}")
    if failed:
        raise ValueError(f"{', '.join(failed)} could not be computed: {facts[failed[0]]['error']}")


def _line(name: str, text: str) -> None:
    click.echo(f"{name:18s} {text}")


def _stage(name: str) -> None:
    if not on_terminal():
        click.echo(f"computing: {name}", err=True)


def _miller_indices(text: str) -> list[tuple[int, int, int]]:
    found = []
    for word in text.replace(" ", "").split(","):
        try:
            numbers = tuple(int(k) for k in (word.split(":") if ":" in word else word))
        except ValueError:
            numbers = ()
        if len(numbers) != 3 or not any(numbers):
            raise ValueError(f"--surfaces takes Miller indices such as 100,111 or 1:-1:0, got {word!r}")
        found.append(numbers)
    return found
