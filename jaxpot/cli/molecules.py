"""Relaxation of files of molecules by the command line."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import click

from jaxpot.cli.options import Molecular
from jaxpot.cli.progress import progress, say_what_is_left
from jaxpot.io.molecules import is_molecule_file, read_molecules, write_sdf
from jaxpot.simulate.conformers import relax_conformers, with_conformers
from jaxpot.units import KCAL_PER_MOL

__all__ = ["relax_molecules"]


def relax_molecules(
    structure: str, output: Path, model: Molecular, fmax: float, steps: int, precision: str, minutes: float | None
) -> None:
    """Relax molecules with MMFF94 and write them to an SDF file.

    Args:
        structure: path of an SDF file, with hydrogens and coordinates; of a ``.smi`` file with a SMILES string and a
            name on each line; or a SMILES string. Molecules without coordinates get hydrogens and a conformer.
        output: path of the file to write.
        model: the variant of MMFF94.
        fmax: eV/Å, largest force on an atom at the end.
        steps: the most evaluations of one molecule.
        precision: float type of the calculation.
        minutes: what is left of the time; molecules that it does not suffice for are written as they are.

    Raises:
        TimeoutError: the time is over before the molecules have coordinates.
        ValueError: the file is missing, there is no molecule in it or the text, or MMFF94 has no type for an atom.
    """
    if not is_molecule_file(output):
        raise ValueError(f"{output}: molecules with bonds are written to files whose names end in .sdf")
    limit = time.perf_counter() + (math.inf if minutes is None else 60 * minutes)
    mols = read_molecules(structure, limit)
    found: Any = relax_conformers(
        mols, model.variant, force_tolerance=fmax, max_steps=max(steps, 1), empirical_bonds=model.empirical_bonds,
        dtype=precision, minutes=None if minutes is None else (limit - time.perf_counter()) / 60, progress=progress(),
    )  # fmt: skip
    relaxed = [with_conformers(mol, one) if one.steps[0] else mol for mol, one in zip(mols, found, strict=True)]
    for k, (mol, one) in enumerate(zip(mols, found, strict=True)):
        name = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
        if not one.steps[0]:
            click.echo(f"molecule {k} {name}: not begun, written as it was")
            continue
        state = "converged" if one.converged[0] else f"not converged to {fmax:g} eV/Å"
        energy = f"{one.energies[0]:.6f} eV ({one.energies[0] / KCAL_PER_MOL:.4f} kcal/mol)"
        click.echo(
            f"molecule {k} {name}: {energy}, largest force {one.force_norms[0]:.1e}, {one.steps[0]} steps, {state}"
        )
    say_what_is_left([bool(one.converged[0] or one.steps[0] >= max(steps, 1)) for one in found], limit)
    write_sdf(output, relaxed)
    click.echo(f"written: {output}")
