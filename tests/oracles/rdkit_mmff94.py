"""RDKit's MMFF94, whole and term by term, with its long cutoffs off."""

from __future__ import annotations

from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from jaxpot import units

__all__ = ["KCAL", "SWITCHES", "energy_and_gradient", "field", "moved", "terms"]

KCAL = 1.0 / units.KCAL_PER_MOL  # kcal/mol in one eV

SWITCHES = {
    "bond_stretching": "SetMMFFBondTerm",
    "angle_bending": "SetMMFFAngleTerm",
    "stretch_bending": "SetMMFFStretchBendTerm",
    "out_of_plane": "SetMMFFOopTerm",
    "torsion": "SetMMFFTorsionTerm",
    "van_der_waals": "SetMMFFVdWTerm",
    "electrostatics": "SetMMFFEleTerm",
}


def moved(mol: Chem.Mol, positions: np.ndarray) -> Chem.Mol:
    """A copy of a molecule with one conformer at the positions [atoms, 3]."""
    copy = Chem.Mol(mol)
    copy.RemoveAllConformers()
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(positions, np.float64))
    copy.AddConformer(conformer)
    return copy


def field(
    mol: Chem.Mol, variant: str, term: str | None = None, dielectric: tuple[float, str] = (1.0, "constant")
) -> Any:
    """A force field of the molecule's first conformer, of all terms or of a single one.

    It has to be a new one for each geometry: RDKit keeps distances from one call to the next, and mixes them.
    """
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant=variant)
    for name, switch in SWITCHES.items():
        getattr(properties, switch)(term in (None, name))
    properties.SetMMFFDielectricConstant(dielectric[0])
    properties.SetMMFFDielectricModel({"constant": 1, "distance": 2}[dielectric[1]])
    found = rdForceFieldHelpers.MMFFGetMoleculeForceField(
        mol, properties, nonBondedThresh=1e9, ignoreInterfragInteractions=False
    )
    found.Initialize()
    return found


def energy_and_gradient(
    mol: Chem.Mol, variant: str, term: str | None = None, **options: Any
) -> tuple[float, np.ndarray]:
    """kcal/mol and [atoms, 3] kcal/mol/Å of the molecule's first conformer."""
    found = field(mol, variant, term, **options)
    return found.CalcEnergy(), np.array(found.CalcGrad()).reshape(-1, 3)


def terms(mol: Chem.Mol, variant: str) -> dict[str, tuple[float, np.ndarray]]:
    """Name of the term -> energy and gradient."""
    return {term: energy_and_gradient(mol, variant, term) for term in SWITCHES}
