"""Messages that name the atom for which MMFF94 cannot treat a molecule."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol

__all__ = ["missing_hydrogens", "untypable_atom"]

ELEMENTS = ["H", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"]
IONS = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Fe": 2, "Cu": 1, "Zn": 2}
KNOWN = f"MMFF94 knows {', '.join(ELEMENTS)} in organic molecules and the bare ions of {', '.join(IONS)}"


def missing_hydrogens(mol: Mol) -> None:
    """Raise ValueError where an atom has hydrogens that are not in the structure."""
    for atom in mol.GetAtoms():
        if atom.GetTotalNumHs() > 0:  # neighbours are not counted
            raise ValueError(
                f"{_name(atom)} has {atom.GetTotalNumHs()} hydrogens that are not in the structure; "
                "add them with rdkit.Chem.AddHs(mol, addCoords=True)"
            )


def untypable_atom(mol: Mol, variant: str) -> str:
    """One sentence that names the atom for which MMFF94 has no type.

    RDKit only tells that there is one. The atom is found by elimination: it is at fault if the molecule can be typed
    after carbon replaces it at each of its neighbours.

    Args:
        mol: a molecule that RDKit cannot type.
        variant: variant of the force field.

    Returns:
        The message.
    """
    for atom in mol.GetAtoms():
        symbol = atom.GetSymbol()
        if symbol not in ELEMENTS and (symbol not in IONS or atom.GetDegree() > 0):
            return f"{variant} has no type for {_name(atom)}; {KNOWN}"
    for atom in sorted(mol.GetAtoms(), key=lambda atom: atom.GetAtomicNum() == 1):
        if _typable_without(mol, atom.GetIdx(), variant):
            bonds = ", ".join(
                f"{bond.GetBondType().name.lower()} to {bond.GetOtherAtom(atom).GetSymbol()}"
                for bond in atom.GetBonds()
            )
            return (
                f"{variant} has no type for {_name(atom)}, charge {atom.GetFormalCharge()}, bonds: {bonds or 'none'}; "
                "check its bonds and charge, or use another potential"
            )
    names = ", ".join(_name(atom) for atom in mol.GetAtoms() if atom.GetAtomicNum() != 1)
    return f"{variant} has no type for some of {names or _name(mol.GetAtomWithIdx(0))}; use another potential"


def _typable_without(mol: Mol, index: int, variant: str) -> bool:
    """Whether the molecule can be typed with the atom replaced, at each neighbour, by a carbon with hydrogens."""
    from rdkit import Chem, RDLogger
    from rdkit.Chem import rdForceFieldHelpers

    edited = Chem.RWMol(mol)
    Chem.Kekulize(edited, clearAromaticFlags=True)
    for bond in mol.GetAtomWithIdx(index).GetBonds():
        order = edited.GetBondBetweenAtoms(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()).GetBondType()
        carbon = edited.AddAtom(Chem.Atom(6))
        edited.AddBond(carbon, bond.GetOtherAtomIdx(index), order)
    edited.RemoveAtom(index)
    silence = RDLogger.DisableLog, RDLogger.EnableLog
    silence[0]("rdApp.*")
    try:
        if Chem.SanitizeMol(edited, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return False
        whole = Chem.AddHs(edited.GetMol())
        return rdForceFieldHelpers.MMFFGetMoleculeProperties(whole, mmffVariant=variant) is not None
    finally:
        silence[1]("rdApp.*")


def _name(atom: Atom) -> str:
    return f"atom {atom.GetIdx()} ({atom.GetSymbol()})"
