"""Molecules from RDKit, SMILES, SDF files, or ASE ``Atoms`` with bonds."""

from __future__ import annotations

import gzip
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.batch.progress import check_time
from jaxpot.io.errors import FileFormatError

if TYPE_CHECKING:
    from ase import Atoms
    from rdkit.Chem import Mol

__all__ = [
    "MoleculeLike", "from_ase", "from_smiles", "is_molecule_file", "molecules", "read_molecules", "read_sdf",
    "write_sdf",
]  # fmt: skip

MoleculeLike = Any  # an RDKit Mol, a SMILES string, a path of an SDF or MOL file, or ASE Atoms

Bonds = Sequence[Sequence[int]] | None
Charges = int | Sequence[int] | None

SUFFIXES = (".sdf", ".sdf.gz", ".mol", ".mol.gz")
SMILES_SUFFIXES = (".smi", ".smiles")


def molecules(
    source: MoleculeLike | Sequence[MoleculeLike],
    bonds: Bonds = None,
    charges: Charges = None,
) -> list[Mol]:
    """Makes RDKit molecules with hydrogens and coordinates from any source.

    Args:
        source: an RDKit ``Mol`` with hydrogens and conformers; a SMILES string or the path of a file, see
            :func:`read_molecules`; ASE ``Atoms`` (needs ``bonds``); or a sequence of these.
        bonds: for ASE ``Atoms``, [bonds] of (i, j, order) with order 1, 2 or 3, or of (i, j): the orders then follow
            from the total charge.
        charges: for ASE ``Atoms``, the formal charge of each atom, or the total charge for bonds without order.

    Returns:
        The molecules.

    Raises:
        ValueError: the source is none of these, or cannot be understood.
        ImportError: RDKit is not installed.
    """
    require_rdkit()
    if isinstance(source, os.PathLike | str):
        return read_molecules(source)
    if hasattr(source, "get_atomic_numbers"):
        return [from_ase(source, bonds, charges)]
    if hasattr(source, "GetNumConformers"):
        if source.GetNumConformers() == 0:
            raise ValueError("the molecule has no conformer; embed one with rdkit.Chem.AllChem.EmbedMolecule(mol)")
        return [source]
    if isinstance(source, Sequence):
        return [mol for item in source for mol in molecules(item)]
    raise ValueError(
        f"cannot make a molecule of {type(source).__name__}; give an RDKit Mol, a SMILES string, the path of an SDF "
        "file, or ASE Atoms with bonds"
    )


def read_molecules(source: str | os.PathLike[str], limit: float = math.inf) -> list[Mol]:
    """Makes molecules of a SMILES string or of a file.

    Args:
        source: a SMILES string; the path of an SDF or MOL file, gzipped or not; or that of a ``.smi`` file, which has a
            SMILES string and perhaps a name on each line. Molecules of SMILES get hydrogens and one embedded conformer.
        limit: value of ``time.perf_counter`` at which to give up making conformers.

    Returns:
        All molecules.

    Raises:
        FileFormatError: a record or line of the file holds no molecule.
        ValueError: there is no such file, or the text is no SMILES string.
        TimeoutError: the limit has passed.
        ImportError: RDKit is not installed.

    Example:
        >>> [mol.GetNumAtoms() for mol in read_molecules("CCO")]
        [9]
    """
    require_rdkit()
    text = os.fspath(source)
    of_smiles = text.lower().endswith(SMILES_SUFFIXES)
    if not (is_molecule_file(text) or of_smiles or isinstance(source, os.PathLike)):
        return [_named(text, text)]
    if not Path(text).exists():
        raise ValueError(f"{text}: no such file; name an SDF file of molecules with hydrogens, or give a SMILES string")
    return _read_smiles(Path(text), limit) if of_smiles else read_sdf(Path(text))


def _read_smiles(path: Path, limit: float) -> list[Mol]:
    found = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        check_time(limit, number - 1, len(lines), "SMILES strings")
        smiles, _, name = line.strip().partition("\t" if "\t" in line.strip() else " ")
        if not smiles or smiles.startswith("#"):
            continue
        try:
            found.append(_named(smiles, name.strip() or smiles))
        except ValueError as error:
            raise FileFormatError(path, number, f"holds no molecule: {error}", "repair the line") from error
    if not found:
        raise FileFormatError(path, None, "no molecule in this file", "write one SMILES string on each line")
    return found


def _named(smiles: str, name: str) -> Mol:
    mol = from_smiles(smiles)
    mol.SetProp("_Name", name)
    return mol


def require_rdkit() -> None:
    """Raise ImportError where RDKit is missing; the message tells how to install it."""
    try:
        import rdkit  # noqa: F401
    except ImportError as error:
        raise ImportError("MMFF94 takes its atom types from RDKit: pip install 'jaxpot[molecules]'") from error


def from_smiles(smiles: str, conformers: int = 1, seed: int = 0) -> Mol:
    """Makes a molecule with hydrogens and embedded conformers.

    Args:
        smiles: SMILES of the molecule.
        conformers: number of conformers.
        seed: seed of the embedding; the same seed gives the same conformers.

    Returns:
        The RDKit molecule.

    Raises:
        ValueError: the SMILES cannot be parsed, or too few conformers can be embedded.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDistGeom

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        raise ValueError(f"not a SMILES string, nor the name of an {' or '.join(SUFFIXES[::2])} file: {smiles!r}")
    mol = Chem.AddHs(mol)
    # RDKit multiplies its seed by the number of the conformer: with 0 all would be the same
    found = rdDistGeom.EmbedMultipleConfs(mol, conformers, randomSeed=seed + 1)
    if len(found) < conformers:
        raise ValueError(
            f"RDKit embedded {len(found)} of {conformers} conformers of {smiles!r}; give a molecule with coordinates"
        )
    return mol


def is_molecule_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file name is that of an SDF or MOL file.

    Args:
        path: the file.

    Returns:
        True if it ends in .sdf or .mol, perhaps with .gz.
    """
    return os.fspath(path).lower().endswith(SUFFIXES)


def read_sdf(path: Path) -> list[Mol]:
    """Reads all molecules of an SDF or MOL file.

    Args:
        path: the file; ``.gz`` is unpacked.

    Returns:
        The molecules, with the hydrogens in the file.

    Raises:
        FileFormatError: a record cannot be read or is no valid molecule, or the file has no record.
        FileNotFoundError: there is no such file.
    """
    from rdkit import Chem, rdBase

    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            text = stream.read().decode("utf-8", "replace").replace("\r\n", "\n")
    except (gzip.BadGzipFile, EOFError) as error:
        raise FileFormatError(path, None, f"not a gzip file ({error})", "write the file anew") from error
    found: list[Mol] = []
    line = 1
    for record in re.split(r"(?m)^\$\$\$\$.*\n?", text):
        if record.strip():
            with rdBase.BlockLogs():
                supplier = Chem.SDMolSupplier()
                supplier.SetData(record + "\n$$$$\n", sanitize=False, removeHs=False)
                mol = next(iter(supplier), None)
                trouble = "not a MOL block" if mol is None else _trouble(mol)
            if trouble:
                remedy = "repair the record, or write it anew with RDKit or Open Babel"
                raise FileFormatError(path, line, f"record {len(found) + 1} holds no molecule: {trouble}", remedy)
            found.append(mol)
        line += record.count("\n") + 1
    if not found:
        raise FileFormatError(path, None, "no molecule in this file", "give an SDF file with at least one record")
    return found


def _trouble(mol: Mol) -> str:
    """The faults that RDKit finds in a molecule; if "", the molecule is sanitised and ready for use."""
    from rdkit import Chem

    if mol.GetNumAtoms() == 0:
        return "it has no atoms"
    problems = Chem.DetectChemistryProblems(mol)
    if problems:
        return "; ".join(problem.Message() for problem in problems)
    Chem.SanitizeMol(mol)
    if mol.GetNumConformers() and mol.GetConformer().Is3D():
        Chem.AssignStereochemistryFrom3D(mol)
    return ""


def write_sdf(path: Path, mols: Sequence[Mol]) -> None:
    """Writes molecules, each conformer as one record with its energy.

    Args:
        path: the file; ``.gz`` is packed.
        mols: RDKit molecules; a conformer's property ``energy`` in eV is written as the field ``energy_eV``.
    """
    from rdkit import Chem

    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt") as stream:
        writer = Chem.SDWriter(stream)
        for mol in mols:
            copy = Chem.Mol(mol)
            for conformer in mol.GetConformers():
                if conformer.HasProp("energy"):
                    copy.SetProp("energy_eV", f"{conformer.GetDoubleProp('energy'):.8f}")
                writer.write(copy, confId=conformer.GetId())
        writer.close()


def from_ase(
    atoms: Atoms,
    bonds: Bonds,
    charges: Charges = None,
) -> Mol:
    """Makes a molecule from ASE ``Atoms`` and bonds.

    Args:
        atoms: positions and elements, hydrogens included.
        bonds: [bonds] of (i, j, order) with order 1, 2 or 3; or of (i, j), then RDKit finds orders from the charge.
        charges: formal charge of each atom (0 if None); for bonds without order, the total charge.

    Returns:
        The RDKit molecule.

    Raises:
        ValueError: bonds are missing, a bond names a wrong atom, or a valence makes no sense.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds
    from rdkit.Geometry import Point3D

    count = len(atoms)
    if bonds is None:
        raise ValueError("ASE Atoms carry no bonds; pass bonds=[(i, j, order), ...]")
    widths = {len(bond) for bond in bonds}
    if not widths <= {2} and not widths <= {3}:
        raise ValueError("bonds must be (i, j, order) for all, or (i, j) for all")
    ordered = widths != {2}
    each = _formal_charges(charges, count, ordered)
    edited = Chem.RWMol()
    for number, charge in zip(atoms.get_atomic_numbers(), each, strict=True):
        atom = Chem.Atom(int(number))
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        edited.AddAtom(atom)
    orders = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    for i, j, order in ((*map(int, bond[:2]), bond[2] if ordered else 1) for bond in bonds):
        if not (0 <= i < count and 0 <= j < count and i != j):
            raise ValueError(f"no bond can join atoms {i} and {j} of {count}")
        if order not in orders:
            raise ValueError(f"the order of a bond must be 1, 2 or 3, got {order} between atoms {i} and {j}")
        edited.AddBond(i, j, orders[order])
    conformer = Chem.Conformer(count)
    for index, position in enumerate(atoms.get_positions()):
        conformer.SetAtomPosition(index, Point3D(*map(float, position)))
    edited.AddConformer(conformer)
    try:
        if not ordered:
            total = charges if isinstance(charges, int) else 0
            rdDetermineBonds.DetermineBondOrders(edited, charge=total)
        Chem.SanitizeMol(edited)
    except ValueError as error:
        raise ValueError(f"RDKit finds no valid molecule in these bonds and charges: {error}") from error
    return edited.GetMol()


def _formal_charges(charges: Charges, count: int, ordered: bool) -> list[int]:
    if charges is None or (not ordered and isinstance(charges, int)):
        return [0] * count
    if ordered and not isinstance(charges, int) and len(charges) == count:
        return [int(charge) for charge in charges]
    expected = (
        f"one formal charge for each of the {count} atoms" if ordered else "the total charge, for bonds without order"
    )
    raise ValueError(f"charges must be {expected}; got {charges}")
