"""Every term, and its gradient, against RDKit and against the published energies of Halgren's validation suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from jaxpot.potentials.mmff94 import TERMS
from tests.conftest import FLOAT32
from tests.oracles import rdkit_mmff94
from tests.potentials.mmff94.bench import distorted, evaluate, published_terms, suite

pytestmark = [
    pytest.mark.skipif(FLOAT32, reason="compares digits that float32 has not"),
    pytest.mark.slow,
    # the suite has bonds that an empirical rule supplies; by default they are RDKit's
    pytest.mark.filterwarnings("ignore:MMFF94's tables lack some bonds"),
]

ENERGY, GRADIENT = 1e-8, 1e-7  # kcal/mol, kcal/mol/Å
VARIANTS = ("MMFF94", "MMFF94s")


def assert_equals_rdkit(mols: Sequence[Chem.Mol], positions: Sequence[np.ndarray], variant: str) -> None:
    for mol, x, found in zip(mols, positions, evaluate(mols, positions, variant), strict=True):
        name = mol.GetProp("_Name") if mol.HasProp("_Name") else Chem.MolToSmiles(mol)
        there = rdkit_mmff94.moved(mol, x)
        expected = rdkit_mmff94.terms(there, variant) | {"total": rdkit_mmff94.energy_and_gradient(there, variant)}
        for term, (energy, gradient) in expected.items():
            assert abs(found.energies[term] - energy) < ENERGY, f"{name}: {term} {found.energies[term]}, not {energy}"
            worst = np.abs(found.gradients[term] - gradient).max()
            assert worst < GRADIENT, f"{name}: gradient of {term} is off by {worst}"
            if term != "total":
                assert abs(found.terms[term] - energy) < ENERGY, f"{name}: {term} {found.terms[term]}, not {energy}"


@pytest.mark.parametrize("drawing", ["dative", "hypervalent"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_validation_suite(variant: str, drawing: str, shared_data: Path) -> None:
    mols = suite(shared_data, variant, drawing)
    assert len(mols) == {"MMFF94": 381, "MMFF94s": 133}[variant]
    assert_equals_rdkit(mols, [mol.GetConformer().GetPositions() for mol in mols], variant)


@pytest.mark.parametrize(("variant", "drawing"), [("MMFF94", "dative"), ("MMFF94s", "hypervalent")])
@pytest.mark.parametrize("amplitude", [0.05, 0.3])
def test_distorted_geometries(variant: str, drawing: str, amplitude: float, shared_data: Path) -> None:
    mols = suite(shared_data, variant, drawing)
    assert_equals_rdkit(mols, [distorted(mol, amplitude, seed) for seed, mol in enumerate(mols)], variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_published_energies(variant: str, shared_data: Path) -> None:
    mols = suite(shared_data, variant, "dative")
    published = published_terms(shared_data, variant)
    found = evaluate(mols, [mol.GetConformer().GetPositions() for mol in mols], variant)
    worst = {
        term: max(
            abs(one.energies[term] - published[mol.GetProp("_Name")][term])
            for mol, one in zip(mols, found, strict=True)
        )
        for term in (*TERMS, "total")
    }
    assert max(worst.values()) < 0.01, worst
