"""Relaxation of many conformers and molecules against RDKit's minimiser from the same starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

import jaxpot
from jaxpot.io.molecules import from_smiles
from jaxpot.potentials.mmff94 import assign, mmff94_potential
from jaxpot.simulate import conformers, relaxation_queue
from jaxpot.units import KCAL_PER_MOL
from tests.conftest import needs_float64
from tests.oracles import rdkit_mmff94

pytestmark = pytest.mark.slow


def rdkit_minima(mol: Chem.Mol, variant: str) -> np.ndarray:
    """[conformers] kcal/mol, by RDKit's minimiser, driven to where it goes no further."""
    found = []
    for conformer in mol.GetConformers():
        there = rdkit_mmff94.moved(mol, conformer.GetPositions())
        field = rdkit_mmff94.field(there, variant)
        for _ in range(10):
            if field.Minimize(maxIts=2000, forceTol=1e-7, energyTol=1e-12) == 0:
                break
        found.append(rdkit_mmff94.energy_and_gradient(there, variant)[0])
    return np.array(found)


def assert_as_good(found: Sequence[float], expected: Sequence[float]) -> None:
    """The same minimum within 1e-4 kcal/mol; where it is another one, lower half of the time or better."""
    difference = np.asarray(found) - np.asarray(expected)
    other = np.abs(difference) > 1e-4
    lower, higher = (difference < -1e-4).sum(), (difference > 1e-4).sum()
    assert other.mean() < 0.5, difference
    assert lower >= higher, f"lower {lower}, higher {higher} of {len(difference)}: {difference[other]}"


@needs_float64
def test_conformers_of_a_drug_like_molecule() -> None:
    mol = from_smiles("CC(=O)Nc1ccc(OCC(O)CNC)cc1", conformers=24, seed=3)
    found = jaxpot.relax_conformers(mol, force_tolerance=1e-5, batch_size=16, progress=False)
    assert found.converged.all() and (found.force_norms <= 1e-5).all()
    # what is said of the end is true of the positions
    for k in (0, 17):
        energy, gradient = rdkit_mmff94.energy_and_gradient(rdkit_mmff94.moved(mol, found.positions[k]), "MMFF94")
        assert found.energies[k] == pytest.approx(energy * KCAL_PER_MOL, abs=1e-10)
        largest = np.linalg.norm(gradient, axis=1).max() * KCAL_PER_MOL
        assert found.force_norms[k] == pytest.approx(largest, abs=1e-9)
    assert_as_good(found.energies / KCAL_PER_MOL, rdkit_minima(mol, "MMFF94"))
    with_them = conformers.with_conformers(mol, found)
    assert with_them.GetNumConformers() == 24
    np.testing.assert_allclose(with_them.GetConformer(5).GetPositions(), found.positions[5], atol=1e-12)


def programs(variant: Any) -> int:
    return relaxation_queue._programs(mmff94_potential(variant, 1.0, "constant"))[0]._cache_size()


UNEQUAL = [
    "C#CCO", "CS(=O)(=O)NC", "COP(=O)([O-])OC", "OC(=O)CBr", "c1ccsc1", "C1CC1N", "C[N+](C)(C)C", "CC(F)Cl",
    "OCCNC(C)=O", "CCOC(=O)CN", "O.O.O", "[Na+].CC(=O)[O-]", "[Mg+2].O.O",
]  # fmt: skip


def apart(mol: Chem.Mol) -> Chem.Mol:
    """Fragments next to each other, where embedding has put them on top of each other."""
    for conformer in mol.GetConformers():
        positions = conformer.GetPositions()
        for k, fragment in enumerate(Chem.GetMolFrags(mol)):
            positions[list(fragment)] += np.array([3.0 * k, 0.6 * (k % 2), 0.4 * k])
        for atom, place in enumerate(positions):
            conformer.SetAtomPosition(atom, place.tolist())
    return mol


@needs_float64
def test_unequal_molecules_share_programs() -> None:
    mols = [apart(from_smiles(smiles, conformers=3, seed=1)) for smiles in UNEQUAL]
    before = programs("MMFF94s")
    found = jaxpot.relax_conformers(mols, "MMFF94s", force_tolerance=1e-5, progress=False)
    assert programs("MMFF94s") - before == 1
    others = [from_smiles(smiles) for smiles in ("CC(=O)C", "CCN", "NCC(=O)O", "CCCCOCC")]
    assert all(one.converged.all() for one in jaxpot.relax_conformers(others, "MMFF94s", progress=False))
    assert programs("MMFF94s") - before == 1  # other molecules find it again
    assert conformers._rooms([9, 20, 30, 70], [1, 1, 1, 1]) == {64: [0, 1, 2], 128: [3]}
    assert conformers._rooms([9, 20, 30, 70], [1, 400, 400, 1]) == {64: [0, 1, 2], 128: [3]}
    assert conformers._rooms([9, 20, 24, 70], [1, 400, 400, 1]) == {64: [0], 24: [1, 2], 128: [3]}
    assert all(one.converged.all() for one in found)
    assert [one.positions.shape for one in found] == [(3, mol.GetNumAtoms(), 3) for mol in mols]
    minima = np.concatenate([rdkit_minima(mol, "MMFF94s") for mol in mols])
    assert_as_good(np.concatenate([one.energies for one in found]) / KCAL_PER_MOL, minima)


def test_limits_are_kept_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    texts: list[str] = []
    mol = from_smiles("CCCC", conformers=3)
    found = jaxpot.relax_conformers(mol, force_tolerance=1e-2, max_steps=5, progress=texts.append)
    assert (found.steps == 5).all() and not found.converged.any() and (found.force_norms > 1e-2).all()
    assert "3 of 3" in texts[-1]
    found = jaxpot.relax_conformers(mol, force_tolerance=1e-2, progress=False)
    assert found.converged.all() and (found.steps < 100).all()
    again = jaxpot.relax_conformers(conformers.with_conformers(mol, found), force_tolerance=1.01e-2, progress=False)
    assert (again.steps == 1).all() and again.converged.all()
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match="force_tolerance"):
        jaxpot.relax_conformers(mol, force_tolerance=0.0)
    with pytest.raises(ValueError, match="at least 1"):
        jaxpot.relax_conformers(mol, batch_size=0)
    with pytest.raises(ValueError, match="no conformer"):
        jaxpot.relax_conformers(Chem.AddHs(Chem.MolFromSmiles("C")))


def test_float32_ends_where_float64_does() -> None:
    mol = from_smiles("CCCC", conformers=3)
    found = jaxpot.relax_conformers(mol, force_tolerance=1e-3, dtype="float32", progress=False)
    assert found.converged.all() and found.energies.dtype == np.float32
    field = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, maxIters=5000)
    np.testing.assert_allclose(found.energies / KCAL_PER_MOL, [energy for _, energy in field], atol=2e-2)


def test_params_of_the_user_are_used() -> None:
    mol = from_smiles("O")
    params = assign(mol).params
    params["bond_stretching"]["r0"] = params["bond_stretching"]["r0"] + 0.1
    params = jax.tree.map(np.asarray, params)
    found = jaxpot.relax_conformers(mol, params=params, force_tolerance=1e-2, progress=False)
    lengths = np.linalg.norm(found.positions[0, 1:] - found.positions[0, 0], axis=1)
    np.testing.assert_allclose(lengths, 1.069, atol=3e-3)
