"""Bonds that MMFF94's tables lack, and the two empirical rules that supply their parameters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rdkit.Chem import Bond, Mol

__all__ = ["EmpiricalBonds", "published_rule", "tabulated", "warn_of_empirical_bonds"]

EmpiricalBonds = Literal["rdkit", "published"]

# The pairs of atom types in MMFFBOND.PAR, "first: all second types of it; ...", of bonds of class 0 and 1
USUAL = (
    "1: 1 2 3 4 5 6 8 9 10 11 12 13 14 15 17 18 19 20 22 25 26 34 35 37 39 40 41 43 45 46 54 55 56 57 58 61 62 63 "
    "64 67 68 72 73 75 78 80 81; 2: 2 4 5 6 10 11 12 13 14 15 17 18 19 20 22 25 30 34 35 40 41 43 45 46 55 56 62 "
    "72; 3: 5 6 7 9 10 11 12 15 16 17 18 20 22 25 35 40 41 43 45 48 51 53 54 55 56 62 67 74 75; 4: 4 5 6 7 9 10 15 "
    "20 22 30 42 43; 5: 19 20 22 30 37 41 57 63 64 78 80; 6: 6 8 9 10 15 17 18 19 20 21 22 24 25 26 29 30 33 37 39 "
    "40 41 43 45 54 55 57 58 63 64; 7: 17 46 74; 8: 8 9 10 12 15 17 19 20 22 23 25 26 34 39 40 43 45 46 55 56; 9: 9 "
    "10 12 15 18 19 20 25 27 34 35 40 41 45 53 54 55 56 62 67; 10: 10 13 14 15 17 20 22 25 26 28 34 35 37 39 40 41 "
    "45 63 64; 11: 20 22 25 26 37 40; 12: 15 18 19 20 22 25 26 37 40 57 63 64; 13: 20 22 37 64; 14: 20 37; 15: 15 "
    "18 19 20 22 25 26 30 37 40 43 57 63 64 71; 17: 20 22 37 43; 18: 20 22 32 37 39 43 48 55 58 62 63 64 80; 19: 20 "
    "37 40 63 75; 20: 20 22 25 26 30 34 37 40 41 43 45; 22: 22 30 34 37 40 41 43 45; 23: 39 62 67 68; 25: 25 32 37 "
    "39 40 43 57 63 71 72; 26: 26 34 37 40 71; 28: 40 43 48; 30: 30 40; 31: 70; 32: 41 45 67 68 69 73 77 82; 34: 36 "
    "37 43; 35: 37 63; 36: 54 55 56 58 81; 37: 37 38 39 40 41 43 45 46 55 56 58 61 62 63 64 69 78 81; 38: 38 63 64 "
    "69 78; 39: 40 45 63 64 65 78; 40: 40 45 46 54 63 64 78; 41: 41 55 62 72 80; 42: 61; 43: 43 45 64; 44: 63 65 78 "
    "80; 45: 63 64 78; 47: 53; 49: 50; 51: 52; 55: 57 62 64 80; 56: 57 63 80; 58: 63 64; 59: 63 65 78 80 82; 60: "
    "61; 62: 63 64; 63: 64 66 72 78 81; 64: 64 65 66 78 81 82; 65: 66 78 81 82; 66: 66 78 81; 67: 67; 71: 75; 72: "
    "73; 76: 76 78; 78: 78 79 81; 79: 79 81; 80: 81"
)
SINGLE_BETWEEN_MULTIPLE = (
    "2: 2 3 4 9 37 39 63 64 67 81; 3: 3 4 9 30 37 39 54 57 58 63 64 78 80; 4: 9 37 63 64; 9: 9 37 39 57 63 64 78 "
    "81; 30: 30 67; 37: 37 39 57 58 63 64 67 81; 39: 63 64; 57: 63 64; 63: 63; 64: 64"
)
TABULATED = {
    (kind, int(first), int(second))
    for kind, text in enumerate((USUAL, SINGLE_BETWEEN_MULTIPLE))
    for first, seconds in (line.split(":") for line in text.split(";"))
    for second in seconds.split()
}

# MMFFPROP.PAR: types whose atoms are in multiple bonds (mltb), in aromatic rings, or have a lone pair for pi bonds
DOUBLE = frozenset({2, 3, 7, 9, 16, 17, 30, 37, 38, 45, 46, 47, 51, 53, 54, 57, 63, 64, 65, 66, 67, 74, 75, 78, 79, 80})
TRIPLE = frozenset({4, 42, 60, 61})
PARTLY_DOUBLE = frozenset({10, 32, 35, 39, 41, 44, 55, 56, 58, 59, 69, 72, 81, 82})
PI_LONE_PAIR = frozenset({6, 8, 10, 11, 12, 13, 14, 15, 26, 32, 35, 39, 40, 43, 44, 59, 62, 70, 72, 76})

# Covalent radii, Å, and electronegativities, by atomic number
RADII = {
    1: 0.33, 3: 1.34, 6: 0.77, 7: 0.73, 8: 0.72, 9: 0.74, 11: 1.54, 12: 1.30, 14: 1.15, 15: 1.09, 16: 1.03, 17: 1.01,
    19: 1.96, 20: 1.74, 29: 1.38, 30: 1.31, 35: 1.15, 53: 1.33,
}  # fmt: skip
ELECTRONEGATIVITIES = {
    1: 2.20, 3: 0.97, 6: 2.50, 7: 3.07, 8: 3.50, 9: 4.12, 11: 1.01, 12: 1.23, 14: 1.74, 15: 2.06, 16: 2.44, 17: 2.83,
    19: 0.91, 20: 1.04, 29: 1.75, 30: 1.66, 35: 2.74, 53: 2.21,
}  # fmt: skip

# Å, by how much the radius of an atom is smaller in a bond of an order (4 and 5: partly double), and in a single bond
OF_ORDER = {2: 0.10, 3: 0.17, 4: 0.075, 5: 0.04}
OF_HYBRID = {1: 0.08, 2: 0.03, 3: 0.0}  # sp, sp2, sp3
SHRINKAGE = 0.008  # Å, of every bond
SHOWN = 5  # bonds named in a warning


# Pairs without a reference in MMFFBNDK.PAR: a_ij and d_ij, Å, of Badger's rule as Herschbach and Laurie have it
BADGER = {
    (9, 9): (1.91, 0.68), (9, 17): (2.28, 0.74), (9, 35): (2.35, 0.85), (9, 53): (2.33, 0.68),
    (17, 35): (2.52, 1.02), (17, 53): (2.61, 1.28), (35, 53): (2.66, 0.86),
}  # fmt: skip


def tabulated(kind: int, first: int, second: int) -> bool:
    """Whether MMFF94's table of bonds has parameters for two atom types.

    Args:
        kind: class of the bond: 1 for a single bond between atoms of multiple bonds, else 0.
        first: atom type.
        second: atom type.

    Example:
        >>> from jaxpot.potentials.mmff94.empirical_bonds import tabulated
        >>> tabulated(0, 1, 6), tabulated(0, 4, 7), tabulated(0, 7, 7)
        (True, True, False)
    """
    return (kind, min(first, second), max(first, second)) in TABULATED


def published_rule(bond: Bond, types: tuple[int, int], kb: float, r0: float) -> tuple[float, float]:
    """Force constant and length of a bond that the tables lack, by the rule of the paper.

    The length is that of Schomaker and Stevenson with radii R that are smaller in multiple bonds, and in single bonds
    of sp2 and sp atoms::

        r0 = R_i + R_j - c |chi_i - chi_j|^1.4 - 0.008 Å,   c = 0.085, or 0.05 in bonds of hydrogen
        R = R(element) - 0.10 in double, 0.17 in triple bonds
            (0.075 between two atoms with lone pairs in a pi system or in an aromatic ring; 0.04 where one of them is
            in a double bond, or an aromatic atom gives its lone pair)
            - 0.08 (sp), 0.03 (sp2) in other single bonds

    The force constant follows the length: kb ~ r0^-6 from the reference of the two elements, or Badger's rule.

    Args:
        bond: of RDKit, between ``types[0]`` and ``types[1]``.
        types: the MMFF94 types of its first and second atom.
        kb: md/Å, RDKit's value, of the same reference.
        r0: Å, RDKit's value.

    Returns:
        kb and r0.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 616 (1996); radii and electronegativities: R. Blom and A. Haaland,
        J. Mol. Struct. 128, 21 (1985); D. R. Herschbach and V. W. Laurie, J. Chem. Phys. 35, 458 (1961).
    """
    numbers = (bond.GetBeginAtom().GetAtomicNum(), bond.GetEndAtom().GetAtomicNum())
    if not set(numbers) <= set(RADII):
        return kb, r0
    first, second = numbers
    difference = abs(ELECTRONEGATIVITIES[first] - ELECTRONEGATIVITIES[second])
    length = RADII[first] + RADII[second] - (0.05 if 1 in numbers else 0.085) * difference**1.4
    order = _order(bond, types)
    length -= 2 * OF_ORDER[order] if order != 1 else sum(OF_HYBRID[_hybrid(kind)] for kind in types)
    length -= SHRINKAGE
    badger = BADGER.get((min(numbers), max(numbers)))
    if badger is not None:
        return 10.0 ** ((badger[0] - length) / badger[1]), length
    return kb * (r0 / length) ** 6, length


def _order(bond: Bond, types: tuple[int, int]) -> int:
    """1, 2 or 3; 4 and 5 for bonds that are single in the drawing or aromatic, and partly double."""
    from rdkit.Chem import BondType

    if bond.GetIsAromatic():
        return 5 if any(kind in PI_LONE_PAIR for kind in types) else 4
    if bond.GetBondType() != BondType.SINGLE:
        return {BondType.DOUBLE: 2, BondType.TRIPLE: 3}.get(bond.GetBondType(), 1)
    partly = [kind in PARTLY_DOUBLE for kind in types]
    if all(partly):
        return 4
    return 5 if any(partly) and any(kind in DOUBLE for kind in types) else 1


def _hybrid(kind: int) -> int:
    return 1 if kind in TRIPLE else 2 if kind in DOUBLE or kind in PARTLY_DOUBLE else 3


def warn_of_empirical_bonds(found: Mapping[str, tuple[Mol, Bond, float]], rule: EmpiricalBonds) -> None:
    """Warns that an empirical rule gave the parameters of some bonds; says nothing where there are none.

    Args:
        found: by label of the row, a molecule with such a bond, the bond, and its r0 in Å.
        rule: which rule.
    """
    from rdkit import Chem

    if not found:
        return
    texts = []
    for label, (mol, bond, r0) in found.items():
        ends: Any = (bond.GetBeginAtom(), bond.GetEndAtom())
        names = "-".join(f"{atom.GetSymbol()}{atom.GetIdx()}" for atom in ends)
        smiles = Chem.MolToSmiles(Chem.RemoveHs(mol, sanitize=False))
        texts.append(f"{names} of {smiles} (types {label}): r0 = {r0:.3f} Å")
    more = f"; and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    advice = (
        "RDKit's rule takes bonds of any order for single ones, so that multiple bonds are too long; "
        "empirical_bonds='published' takes the rule of the paper"
        if rule == "rdkit"
        else "the rule is that of the paper"
    )
    warnings.warn(
        f"MMFF94's tables lack some bonds, and an empirical rule gave them: {'; '.join(texts[:SHOWN])}{more}. {advice}",
        stacklevel=4,
    )
