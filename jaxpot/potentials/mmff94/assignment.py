"""Atom types, charges and parameters of molecules, taken from RDKit."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from jaxpot.potentials.mmff94.empirical_bonds import (
    EmpiricalBonds,
    published_rule,
    tabulated,
    warn_of_empirical_bonds,
)
from jaxpot.potentials.mmff94.mmffvdw import VAN_DER_WAALS
from jaxpot.potentials.mmff94.parameters import NO_ROW, TERMS
from jaxpot.potentials.mmff94.refusals import missing_hydrogens, untypable_atom
from jaxpot.potentials.mmff94.tables import Row, Tables
from jaxpot.potentials.mmff94.topology import ACCEPTOR, DONOR, FURTHER, ONE_FOUR, Topology, arrange_pairs

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["Assignment", "Variant", "assign"]

Variant = Literal["MMFF94", "MMFF94s"]

LINEAR_TYPES = frozenset({4, 53, 61})  # MMFFPROP.PAR, column linh


class Assignment(NamedTuple):
    """The atom types, interactions and parameters of a list of molecules.

    Attributes:
        topologies: one :class:`Topology` for each molecule.
        tables: rows of parameters, one table for each term, for all molecules.
        types: for each molecule an array [atoms] of numeric MMFF94 atom types.
    """

    topologies: tuple[Topology, ...]
    tables: Tables
    types: tuple[np.ndarray, ...]

    @property
    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """Term -> parameter -> [rows], as published, in MMFF94's units (md/Å, degree, kcal/mol, e)."""
        return self.tables.params

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Term -> a label for each row: its atom types, and its class where there is one, ``"1-1-1-6 class 0"``."""
        return self.tables.labels


class Rows:
    """The rows of parameters of one term, found by label and values."""

    def __init__(self, known: Sequence[Row]) -> None:
        self.found = {row: number for number, row in enumerate(known)}

    def row(self, label: str, values: Sequence[float]) -> int:
        """The number of the row with this label and these values; a new row if there is none yet."""
        # RDKit's empirical rules may give equal types different values, so values are part of the key
        return self.found.setdefault((label, tuple(map(float, values))), len(self.found))


def assign(
    mols: Mol | Sequence[Mol],
    variant: Variant = "MMFF94",
    tables: Tables | None = None,
    empirical_bonds: EmpiricalBonds = "rdkit",
) -> Assignment:
    """Types molecules with RDKit and collects their interactions and parameters.

    The interactions are those of RDKit's force field without cutoffs: all pairs three or more bonds apart, including
    pairs of different fragments. Interactions of the same types share one row of parameters in all molecules.

    Args:
        mols: one RDKit molecule with all of its hydrogens, or several.
        variant: ``"MMFF94"``, or ``"MMFF94s"`` with planar delocalised nitrogen.
        tables: tables of other molecules. Their rows come first, and are used for interactions of the same types.
        empirical_bonds: the rule for bonds that the tables lack, which a warning names: ``"rdkit"``, or ``"published"``
            (:func:`jaxpot.potentials.mmff94.empirical_bonds.published_rule`).

    Returns:
        The :class:`Assignment`.

    Raises:
        ValueError: an atom has no MMFF94 type or lacks hydrogens, or the variant or the rule is unknown.

    Example:
        >>> from rdkit import Chem
        >>> from jaxpot.potentials.mmff94 import assign
        >>> water = assign(Chem.AddHs(Chem.MolFromSmiles("O")))
        >>> water.types[0].tolist(), water.params["bond_stretching"]["r0"].tolist()
        ([70, 31, 31], [0.969])
    """
    if variant not in get_args(Variant):
        raise ValueError(f"the variant must be one of {', '.join(get_args(Variant))}, got {variant!r}")
    if empirical_bonds not in get_args(EmpiricalBonds):
        raise ValueError(
            f"empirical_bonds must be one of {', '.join(get_args(EmpiricalBonds))}, got {empirical_bonds!r}"
        )
    several = list(mols) if isinstance(mols, Iterable) else [mols]
    integer: Any = np.int32
    rows = {term: Rows(getattr(tables, term) if tables is not None else ()) for term in TERMS}
    lacking: dict[str, tuple[Mol, Any, float]] = {}
    found = [_assign_one(mol, variant, rows, empirical_bonds, lacking) for mol in several]
    warn_of_empirical_bonds(lacking, empirical_bonds)
    whole = Tables(**{term: tuple(each.found) for term, each in rows.items()})
    return Assignment(
        tuple(dataclasses.replace(topology, tables=integer(whole.checksum)) for topology, _ in found),
        whole,
        tuple(types for _, types in found),
    )


def _assign_one(
    mol: Mol, variant: str, tables: dict[str, Rows], rule: EmpiricalBonds, lacking: dict[str, tuple[Mol, Any, float]]
) -> tuple[Topology, np.ndarray]:
    properties = _properties(mol, variant)
    count = mol.GetNumAtoms()
    types = np.array([properties.GetMMFFAtomType(i) for i in range(count)], np.int32)
    neighbors = [[a.GetIdx() for a in atom.GetNeighbors()] for atom in mol.GetAtoms()]

    def label(atoms: Sequence[int], kind: int | None = None) -> str:
        names = "-".join(str(types[a]) for a in atoms)
        return names if kind is None else f"{names} class {kind}"

    bonds, bond_rows = [], []
    for bond in mol.GetBonds():
        i, j = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()), key=lambda a: (types[a], a))
        kind, *values = _required(properties.GetMMFFBondStretchParams(mol, i, j), mol, (i, j))
        if not tabulated(kind, types[i], types[j]):
            if rule == "published":
                ends = types[bond.GetBeginAtomIdx()], types[bond.GetEndAtomIdx()]
                values = list(published_rule(bond, ends, *values))
            lacking.setdefault(label((i, j), kind), (mol, bond, values[1]))
        bonds.append((i, j))
        bond_rows.append(tables["bond_stretching"].row(label((i, j), kind), values))
    edge = {pair: n for n, pair in enumerate([*bonds, *((j, i) for i, j in bonds)])}

    angle_edges, angle_rows, stretch_bend_rows, linear_edges, linear_rows = [], [], [], [], []
    for j in range(count):
        for ends in itertools.combinations(neighbors[j], 2):
            i, k = sorted(ends, key=lambda a: (types[a], bond_rows[edge[j, a] % len(bonds)], a))
            found = properties.GetMMFFAngleBendParams(mol, i, j, k)
            if found is None:
                continue
            kind, *values = found
            row = tables["angle_bending"].row(label((i, j, k), kind), values)
            if types[j] in LINEAR_TYPES:
                linear_edges.append((edge[j, i], edge[j, k]))
                linear_rows.append(row)
                continue
            angle_edges.append((edge[j, i], edge[j, k]))
            angle_rows.append(row)
            found = properties.GetMMFFStretchBendParams(mol, i, j, k)
            if found is None:
                stretch_bend_rows.append(NO_ROW)
            else:
                kind, *values = found
                stretch_bend_rows.append(tables["stretch_bending"].row(label((i, j, k), kind), values))

    plane_edges, plane_rows = [], []
    for j in range(count):
        if len(neighbors[j]) == 3:
            a, b, c = neighbors[j]
            koop = properties.GetMMFFOopBendParams(mol, a, j, b, c)
            if koop is not None:
                first, second, third = sorted((a, b, c), key=lambda atom: types[atom])
                row = tables["out_of_plane"].row(label((first, j, second, third)), [koop])
                for i, k, l in (a, b, c), (a, c, b), (b, c, a):
                    plane_edges.append((edge[j, i], edge[j, k], edge[j, l]))
                    plane_rows.append(row)

    torsion_edges, torsion_rows = [], []
    for chain in _torsion_chains(mol, neighbors):
        found = properties.GetMMFFTorsionParams(mol, *chain)
        if found is not None:
            i, j, k, l = min(chain, chain[::-1], key=lambda atoms: types[list(atoms)].tolist())
            kind, *values = found
            torsion_edges.append((edge[i, j], edge[j, k], edge[k, l]))
            torsion_rows.append(tables["torsion"].row(label((i, j, k, l), kind), values))

    vdw_rows, roles, charge_rows = [], [], []
    smiles, ranks = _canonical(mol)
    for i, kind in enumerate(types.tolist()):
        *values, role = VAN_DER_WAALS[kind]
        vdw_rows.append(tables["van_der_waals"].row(str(kind), values))
        roles.append({"D": DONOR, "A": ACCEPTOR, "-": 0}[role])
        charge = properties.GetMMFFPartialCharge(i)
        charge_rows.append(tables["electrostatics"].row(f"{smiles} atom {ranks[i]}", [charge]))

    def integers(values: list[Any], width: int | None = None) -> Any:
        array = np.array(values, np.int32)
        return array if width is None else array.reshape(-1, width)

    topology = Topology(
        integers(bonds, 2),
        integers(bond_rows),
        integers(angle_edges, 2),
        integers(angle_rows),
        integers(stretch_bend_rows),
        integers(linear_edges, 2),
        integers(linear_rows),
        integers(plane_edges, 3),
        integers(plane_rows),
        integers(torsion_edges, 3),
        integers(torsion_rows),
        integers(vdw_rows),
        integers(roles).astype(np.int8),
        integers(charge_rows),
        _pair_kinds(mol),
        integers([atom.GetAtomicNum() for atom in mol.GetAtoms()]),
        integers([]).sum(dtype=np.int32),
    )
    return topology, types


def _properties(mol: Mol, variant: str) -> Any:
    from rdkit.Chem import rdForceFieldHelpers

    missing_hydrogens(mol)
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant=variant)
    if properties is None:
        raise ValueError(untypable_atom(mol, variant))
    return properties


def _canonical(mol: Mol) -> tuple[str, list[int]]:
    """Canonical SMILES and ranks of the atoms, which do not depend on their order; equal atoms share a rank."""
    from rdkit import Chem

    return Chem.MolToSmiles(mol, allHsExplicit=True), list(Chem.CanonicalRankAtoms(mol, breakTies=False))


def _required(found: Any, mol: Mol, atoms: Sequence[int]) -> Any:
    if found is None:
        names = ", ".join(f"{a} ({mol.GetAtomWithIdx(a).GetSymbol()})" for a in atoms)
        raise ValueError(f"MMFF94 has no parameters for the bond between atoms {names}; it cannot treat this molecule")
    return found


def _torsion_chains(mol: Mol, neighbors: list[list[int]]) -> Iterable[tuple[int, int, int, int]]:
    """Chains i-j-k-l as in RDKit's force field: none around atoms with a triple bond or with linear hybridisation."""
    from rdkit.Chem import BondType, HybridizationType

    bent = (HybridizationType.SP2, HybridizationType.SP3)
    flexible = [
        atom.GetHybridization() in bent and all(bond.GetBondType() != BondType.TRIPLE for bond in atom.GetBonds())
        for atom in mol.GetAtoms()
    ]
    for bond in mol.GetBonds():
        j, k = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if flexible[j] and flexible[k]:
            for i, l in itertools.product(neighbors[j], neighbors[k]):
                if i != k and l != j and i != l:
                    yield i, j, k, l


def _pair_kinds(mol: Mol) -> Any:
    from rdkit.Chem import rdmolops

    count = mol.GetNumAtoms()
    i, j = np.triu_indices(count, 1)
    apart = rdmolops.GetDistanceMatrix(mol)[i, j]
    keep = apart > 2.5  # bonds; atoms of different fragments are very far apart
    kinds = np.where(apart[keep] < 3.5, ONE_FOUR, FURTHER)
    return arrange_pairs(i[keep], j[keep], kinds, count)
