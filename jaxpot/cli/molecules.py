"""Relaxation of files of molecules by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jaxpot.io.molecules import is_molecule_file, read_sdf, write_sdf
from jaxpot.simulate.conformers import relax_conformers, with_conformers
from jaxpot.units import KCAL_PER_MOL

__all__ = ["relax_molecules"]


def relax_molecules(structure: str, output: Path, variant: Any, fmax: float, steps: int, precision: str) -> None:
    """Relax all molecules of an SDF file with MMFF94 and write them to another.

    Args:
        structure: path of the SDF file, with hydrogens and coordinates.
        output: path of the file to write.
        variant: ``"MMFF94"`` or ``"MMFF94s"``.
        fmax: eV/Å, largest force on an atom at the end.
        steps: the most evaluations of one molecule.
        precision: float type of the calculation.

    Raises:
        ValueError: the file is missing or is not an SDF file, or MMFF94 has no type for an atom.
    """
    for path in (structure, output):
        if not is_molecule_file(path):
            raise ValueError(f"{path}: molecules with bonds are read from and written to files whose names end in .sdf")
    if not Path(structure).exists():
        raise ValueError(f"{structure}: no such file; name an SDF file of molecules with hydrogens")
    mols = read_sdf(Path(structure))
    found: Any = relax_conformers(mols, variant, force_tolerance=fmax, max_steps=max(steps, 1), dtype=precision)
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
