"""MMFF94 and MMFF94s, the Merck molecular force field: one term a file, typing by RDKit, batches and relaxation."""

from jaxpot.potentials.mmff94.angle_bending import angle_bending, linear_angle_bending
from jaxpot.potentials.mmff94.assignment import Assignment, assign
from jaxpot.potentials.mmff94.batches import Sizes, bucket, stack_molecules
from jaxpot.potentials.mmff94.bond_stretching import bond_stretching
from jaxpot.potentials.mmff94.electrostatics import Dielectric, electrostatics
from jaxpot.potentials.mmff94.energies import atomic_energies, energies_and_gradients, energy_terms
from jaxpot.potentials.mmff94.factory import MolecularModel, mmff94
from jaxpot.potentials.mmff94.molecules import from_ase, from_smiles, molecules, read_sdf
from jaxpot.potentials.mmff94.out_of_plane import out_of_plane
from jaxpot.potentials.mmff94.parameters import TERMS
from jaxpot.potentials.mmff94.relaxation import Relaxation, relax_conformers, with_conformers
from jaxpot.potentials.mmff94.stretch_bending import stretch_bending
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.potentials.mmff94.torsion import torsion
from jaxpot.potentials.mmff94.van_der_waals import van_der_waals

__all__ = [
    "TERMS",
    "Assignment",
    "Dielectric",
    "MolecularModel",
    "Relaxation",
    "Sizes",
    "Topology",
    "angle_bending",
    "assign",
    "atomic_energies",
    "bond_stretching",
    "bucket",
    "electrostatics",
    "energies_and_gradients",
    "energy_terms",
    "from_ase",
    "from_smiles",
    "linear_angle_bending",
    "mmff94",
    "molecules",
    "out_of_plane",
    "read_sdf",
    "relax_conformers",
    "stack_molecules",
    "stretch_bending",
    "torsion",
    "van_der_waals",
    "with_conformers",
]
