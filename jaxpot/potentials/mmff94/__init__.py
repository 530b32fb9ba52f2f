"""MMFF94 and MMFF94s, the Merck molecular force field: one term a file, typing by RDKit."""

from jaxpot.potentials.mmff94.angle_bending import angle_bending, linear_angle_bending
from jaxpot.potentials.mmff94.assignment import Assignment, Variant, assign
from jaxpot.potentials.mmff94.bond_stretching import bond_stretching
from jaxpot.potentials.mmff94.electrostatics import Dielectric, DielectricModel, electrostatics
from jaxpot.potentials.mmff94.empirical_bonds import EmpiricalBonds
from jaxpot.potentials.mmff94.energies import atomic_energies, energies_and_gradients, energy_terms
from jaxpot.potentials.mmff94.force_field import mmff94_potential
from jaxpot.potentials.mmff94.out_of_plane import out_of_plane
from jaxpot.potentials.mmff94.padding import ELEMENTS, TOPOLOGY, alike, pad_topology
from jaxpot.potentials.mmff94.parameters import TERMS
from jaxpot.potentials.mmff94.stretch_bending import stretch_bending
from jaxpot.potentials.mmff94.tables import Tables
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.potentials.mmff94.torsion import torsion
from jaxpot.potentials.mmff94.van_der_waals import van_der_waals

__all__ = [
    "ELEMENTS",
    "TERMS",
    "TOPOLOGY",
    "Assignment",
    "Dielectric",
    "DielectricModel",
    "EmpiricalBonds",
    "Tables",
    "Topology",
    "Variant",
    "alike",
    "angle_bending",
    "assign",
    "atomic_energies",
    "bond_stretching",
    "electrostatics",
    "energies_and_gradients",
    "energy_terms",
    "linear_angle_bending",
    "mmff94_potential",
    "out_of_plane",
    "pad_topology",
    "stretch_bending",
    "torsion",
    "van_der_waals",
]
