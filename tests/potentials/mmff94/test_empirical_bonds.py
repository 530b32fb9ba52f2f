"""Bonds that MMFF94's tables lack: they are named, and have lengths by RDKit's rule or by that of the paper."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

import jaxpot
from jaxpot.io.molecules import molecules
from jaxpot.potentials.mmff94 import assign
from jaxpot.potentials.mmff94.empirical_bonds import tabulated
from tests.conftest import needs_float64

# What Open Babel 3.1.0 (its wheel of February 2026) prints as ideal length, Å, and force constant, md/Å, of bonds that
# its empirical rule supplies: OBForceField's SetLogLevel(OBFF_LOGLVL_HIGH), Setup and E_Bond.
OPEN_BABEL = {
    "O=C=O": ("4-32 class 0", 1.197, 13.413),
    "S=C=S": ("4-72 class 0", 1.590, 6.235),
    "O=C=S": ("4-16 class 0", 1.590, 6.235),
    "O=N": ("28-46 class 0", 0.981, 8.303),  # sp2 nitrogen
    "ON=O": ("6-46 class 0", 1.386, 4.671),
    "BrC(=O)C": ("3-13 class 0", 1.870, 3.236),  # sp2 carbon
    "CP(C)C=C": ("2-26 class 0", 1.795, 3.132),
    "c1ccsc1Br": ("13-63 class 0", 1.870, 3.236),
    "O=CN[n+]1ccccc1": ("10-58 class 0", 1.302, 5.493),  # partly double
    "O=Nn1cccc1": ("39-46 class 0", 1.372, 4.012),
    "O=NNC=O": ("10-46 class 0", 1.372, 4.012),
    "NC(=[NH2+])n1cccc1": ("39-57 class 1", 1.373, 6.022),
    "[n+]1(N)ccccc1": ("8-58 class 0", 1.422, 3.237),
    "C[n+]1occc1": ("59-81 class 0", 1.336, 5.823),  # aromatic
    "[O-][n+]1ccoc1": ("63-82 class 0", 1.303, 8.243),
    "ClCl": ("12-12 class 0", 2.012, 3.277),
    "BrBr": ("13-13 class 0", 2.292, 2.326),
    "ClOCl": ("6-12 class 0", 1.673, 4.506),
    "C[SiH2]P": ("19-26 class 0", 2.215, 1.649),
}
# Measured lengths, Å, where Open Babel has no number or leaves the reduction of sp atoms out: G. Herzberg, Electronic
# Spectra and Electronic Structure of Polyatomic Molecules (1966), and K. P. Huber and G. Herzberg, Constants of
# Diatomic Molecules (1979).
MEASURED = {"N#N": 1.098, "C#CC#C": 1.376, "ClC#C": 1.637, "FF": 1.412, "O=S=O": 1.431, "O=C=O": 1.160}


def empirical(smiles: str, rule: Any) -> dict[str, tuple[float, ...]]:
    """Label -> kb and r0 of the bonds that the warning names."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    with pytest.warns(UserWarning, match="MMFF94's tables lack some bonds") as caught:
        found = assign(mol, empirical_bonds=rule)
    (message,) = [str(one.message) for one in caught]
    return {label: row for label, row in found.tables.bond_stretching if f"(types {label})" in message}


@pytest.mark.parametrize("smiles", OPEN_BABEL)
def test_the_published_rule_gives_the_numbers_of_open_babel(smiles: str) -> None:
    label, r0, kb = OPEN_BABEL[smiles]
    found = empirical(smiles, "published")[label]
    assert found[1] == pytest.approx(r0, abs=6e-4)  # it prints three digits
    # its electronegativities have fewer digits, and the force constant falls with the sixth power of the length
    assert found[0] == pytest.approx(kb, rel=2e-3)


@pytest.mark.parametrize("smiles", MEASURED)
def test_the_published_rule_is_nearer_to_measured_lengths(smiles: str) -> None:
    ((_, theirs),) = empirical(smiles, "rdkit").values()
    ((_, ours),) = empirical(smiles, "published").values()
    assert abs(ours - MEASURED[smiles]) < min(0.062, abs(theirs - MEASURED[smiles]))


def test_the_default_is_rdkits_value_and_the_warning_names_the_bond() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CC.O=C=O"))
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol)
    with pytest.warns(UserWarning, match=r"(O2-C3|C3-O2).* of CC.O=C=O \(types 4-32 class 0\): r0 = 1.405 Å") as caught:
        found = assign(mol)
    assert "C0" not in str(caught[0].message)
    row = found.labels["bond_stretching"].index("4-32 class 0")
    kb, r0 = (float(found.params["bond_stretching"][name][row]) for name in ("kb", "r0"))
    assert (kb, r0) == pytest.approx(properties.GetMMFFBondStretchParams(mol, 2, 3)[1:], abs=1e-12)


def test_bonds_of_the_tables_are_not_named_and_have_three_decimals(shared_data: Any) -> None:
    """The list of tabulated bonds against RDKit: values from the table are rounded, and those by its rule are not."""
    for mol in molecules(shared_data / "mmff94" / "MMFF94_dative.sdf.gz")[:200]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = assign(mol)
        rows = found.tables.bond_stretching
        lacking = [
            label for label, row in rows if np.abs(1000 * np.array(row) - np.round(1000 * np.array(row))).max() > 1e-6
        ]
        for label, _ in rows:
            first, second, kind = map(int, label.replace(" class ", "-").split("-"))
            assert tabulated(kind, first, second) == (label not in lacking)
        assert bool(lacking) == bool(caught)
        assert all(f"(types {label})" in str(caught[0].message) for label in lacking[:5])


@needs_float64
def test_carbon_dioxide_relaxes_to_the_published_length() -> None:
    for rule, length in (("rdkit", 1.405), ("published", 1.197)):
        with pytest.warns(UserWarning, match="MMFF94's tables lack"):
            potential, params, system = jaxpot.mmff94("O=C=O", empirical_bonds=rule)  # type: ignore[arg-type]
        with pytest.warns(UserWarning, match="MMFF94's tables lack"):
            found = jaxpot.relax_conformers(
                molecules("O=C=O"),
                force_tolerance=1e-5,
                progress=False,
                empirical_bonds=rule,  # type: ignore[arg-type]
            )
        positions = found[0].positions[0]
        bonds = np.linalg.norm(positions[[0, 2]] - positions[1], axis=1)
        np.testing.assert_allclose(bonds, length, atol=2e-3)
        forces = jaxpot.forces(potential)(params, system.replace(positions=positions), None)
        assert np.abs(forces).max() < 1e-4


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="empirical_bonds must be one of rdkit, published, got 'halgren'"):
        jaxpot.mmff94("O=C=O", empirical_bonds="halgren")  # type: ignore[arg-type]
