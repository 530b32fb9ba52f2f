"""``python -m benchmarks.mmff94``: MMFF94 of a drug-like molecule beside RDKit, in float32 and in turn.

Energy and gradient of 1,000 conformers, against RDKit's loop over a force field made once; and relaxation of 100
embedded conformers, against ``MMFFOptimizeMoleculeConfs`` on one thread. RDKit stops by a criterion of its own: jaxpot
is asked for forces no larger than those that RDKit leaves behind, in the median over the conformers.
"""

from __future__ import annotations

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

import jaxpot
from benchmarks.common import Row, save, table, timed
from jaxpot.potentials.mmff94 import assign, energies_and_gradients
from jaxpot.units import KCAL_PER_MOL

BETAXOLOL = "CC(C)NCC(O)COc1ccc(CCOCC2CC2)cc1"  # 51 atoms
COMMAND = "python -m benchmarks.mmff94"
BLOCK = 50


def conformers(count: int) -> Chem.Mol:
    """The molecule with embedded conformers."""
    mol = Chem.AddHs(Chem.MolFromSmiles(BETAXOLOL))
    rdDistGeom.EmbedMultipleConfs(mol, count, randomSeed=7, useRandomCoords=True)
    return mol


def rdkit_field(mol: Chem.Mol) -> Any:
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol)
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties, nonBondedThresh=1e9)
    field.Initialize()
    return field


def evaluation(mol: Chem.Mol, repeats: int) -> list[Row]:
    """Energy and gradient of all conformers."""
    positions = np.array([c.GetPositions() for c in mol.GetConformers()])
    field = rdkit_field(mol)
    flat = [x.ravel().tolist() for x in positions]

    def theirs() -> list[Any]:
        found = []
        for x in flat:
            field.Initialize()  # or its cache of distances mixes two geometries
            energy = field.CalcEnergy(x)
            field.Initialize()
            found.append((energy, field.CalcGrad(x)))
        return found

    assigned = assign(mol)
    params = jax.tree.map(lambda table: jnp.asarray(table, jnp.float32), assigned.params)
    lying = jnp.asarray(positions, jnp.float32)

    @jax.jit
    def every(params: Any, positions: jax.Array) -> Any:
        # blocks of conformers whose arrays stay in cache; [atoms, 3, conformers] inside
        blocks = positions.reshape(-1, BLOCK, *positions.shape[1:]).transpose(0, 2, 3, 1)
        energies, gradients = jax.lax.map(lambda x: energies_and_gradients(params, assigned.topologies[0], x), blocks)
        return energies.reshape(-1), gradients.transpose(0, 3, 1, 2).reshape(positions.shape)

    def ours() -> Any:
        return jax.block_until_ready(every(params, lying))

    energies, gradients = ours()
    expected = theirs()
    for name, theirs_, ours_, unit in (
        ("energies", [e for e, _ in expected], energies, "kcal/mol"),
        ("gradients", [np.reshape(g, (-1, 3)) for _, g in expected], gradients, "kcal/mol/Å"),
    ):
        apart = np.abs(np.array(theirs_) - np.asarray(ours_) / KCAL_PER_MOL)
        print(f"{name}: difference to RDKit {np.median(apart):.1e} (median), {apart.max():.1e} {unit} (largest)")
    work = f"energy and gradient of {len(positions)} conformers"
    rows = timed(work, mol.GetNumAtoms(), {"jaxpot": ours, "rdkit, one thread": theirs}, repeats)
    return [row | {"us_a_conformer": row["min_s"] / len(positions) * 1e6} for row in rows]


def largest_forces(mol: Chem.Mol) -> np.ndarray:
    """[conformers] norm of the largest force on an atom, eV/Å, by RDKit."""
    field = rdkit_field(mol)
    found = []
    for conformer in mol.GetConformers():
        field.Initialize()
        gradient = np.reshape(field.CalcGrad(conformer.GetPositions().ravel().tolist()), (-1, 3))
        found.append(np.linalg.norm(gradient, axis=1).max() * KCAL_PER_MOL)
    return np.array(found)


def relaxation(mol: Chem.Mol, repeats: int) -> list[Row]:
    """Relaxation of all conformers."""
    relaxed = Chem.Mol(mol)
    their_result = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(relaxed, numThreads=1, maxIters=10000)
    forces = largest_forces(relaxed)
    tolerance = float(np.median(forces))
    print(f"RDKit leaves forces of {forces.min():.1e} to {forces.max():.1e} eV/Å, in the median {tolerance:.1e}")

    def ours() -> Any:
        return jaxpot.relax_conformers(mol, force_tolerance=tolerance, dtype=jnp.float32, progress=False)

    def theirs() -> Any:
        return rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(Chem.Mol(mol), numThreads=1, maxIters=10000)

    found = ours()
    energies = np.array([e for _, e in their_result])
    difference = found.energies / KCAL_PER_MOL - energies
    print(
        f"jaxpot: {found.converged.sum()} of {len(energies)} converged in {np.median(found.steps):.0f} evaluations "
        f"(median); same minimum {np.sum(np.abs(difference) < 1e-2)}, lower {np.sum(difference <= -1e-2)}, "
        f"higher {np.sum(difference >= 1e-2)}"
    )
    rows = timed(
        f"relaxation of {mol.GetNumConformers()} conformers", mol.GetNumAtoms(),
        {"jaxpot": ours, "rdkit, one thread": theirs}, repeats,
    )  # fmt: skip
    return [
        row | {"ms_a_conformer": row["min_s"] / mol.GetNumConformers() * 1e3, "force_tolerance_eV_per_A": tolerance}
        for row in rows
    ]


def main() -> None:
    """Measure, print a table and keep the figures."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--conformers", type=int, default=1000)
    parser.add_argument("--relaxed", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rows = evaluation(conformers(options.conformers), options.repeats)
    rows += relaxation(conformers(options.relaxed), max(options.repeats // 2, 2))
    print(table(rows))
    print(f"kept in {save('mmff94', rows, COMMAND)}")


if __name__ == "__main__":
    main()
