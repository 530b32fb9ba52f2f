"""Relaxation of files of molecules by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jaxpot.cli.progress import progress
from jaxpot.io.molecules import is_molecule_file, read_molecules, write_sdf
from jaxpot.simulate.conformers import relax_conformers, with_conformers
from jaxpot.units import KCAL_PER_MOL

__all__ = ["relax_molecules"]


def relax_molecules(structure: str, output: Path, variant: Any, fmax: float, steps: int, precision: str) -> None:
    """Relax molecules with MMFF94 and write them to an SDF file.

    Args:
        structure: path of an SDF file, with hydrogens and coordinates; of a ``.smi`` file with a SMILES string and a
            name on each line; or a SMILES string. Molecules without coordinates get hydrogens and a conformer.
        output: path of the file to write.
        variant: ``"MMFF94"`` or ``"MMFF94s"``.
        fmax: eV/Å, largest force on an atom at the end.
        steps: the most evaluations of one molecule.
        precision: float type of the calculation.

    Raises:
        ValueError: the file is missing, there is no molecule in it or the text, or MMFF94 has no type for an atom.
    """
    if not is_molecule_file(output):
        raise ValueError(f"{output}: molecules with bonds are written to files whose names end in .sdf")
    mols = read_molecules(structure)
    found: Any = relax_conformers(
        mols, variant, force_tolerance=fmax, max_steps=max(steps, 1), dtype=precision, progress=progress()
    )
    relaxed = [with_conformers(mol, one) for mol, one in zip(mols, found, strict=True)]
    for k, (mol, one) in enumerate(zip(mols, found, strict=True)):
        name = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
        state = "converged" if one.converged[0] else f"not converged to {fmax:g} eV/Å"
        energy = f"{one.energies[0]:.6f} eV ({one.energies[0] / KCAL_PER_MOL:.4f} kcal/mol)"
        click.echo(
            f"molecule {k} {name}: {energy}, largest force {one.force_norms[0]:.1e}, {one.steps[0]} steps, {state}"
        )
    write_sdf(output, relaxed)
    click.echo(f"written: {output}")
