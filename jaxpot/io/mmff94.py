"""MMFF94 of a molecule: potential, parameters and positions from RDKit, SMILES, SDF or ASE."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.io.molecules import Bonds, Charges, MoleculeLike, molecules
from jaxpot.potential import Potential
from jaxpot.potentials.mmff94 import Dielectric, DielectricModel, Variant, assign, bind
from jaxpot.system import System

__all__ = ["MolecularModel", "mmff94"]


class MolecularModel(NamedTuple):
    """What :func:`jaxpot.mmff94` gives.

    Attributes:
        potential: the :class:`jaxpot.Potential`, bound to the bonds of the molecule.
        params: the tables of parameters, term -> parameter -> [rows], in MMFF94's units.
        system: the molecule's first conformer.
    """

    potential: Potential
    params: dict[str, dict[str, jax.Array]]
    system: System


def mmff94(
    molecule: MoleculeLike,
    variant: Variant = "MMFF94",
    *,
    bonds: Bonds = None,
    charges: Charges = None,
    dielectric_constant: float = 1.0,
    dielectric_model: DielectricModel = "constant",
    dtype: Any = None,
) -> MolecularModel:
    """The Merck molecular force field of one molecule: seven terms over its fixed bonds and all pairs of its atoms.

    The energy is a sum over bonds, angles, stretch-bend couplings, out-of-plane angles, torsions, and the van der Waals
    and electrostatic interactions of atoms three or more bonds apart, without any cutoff::

        E = sum E_stretch + sum E_bend + sum E_stretch-bend + sum E_oop + sum E_torsion + sum E_vdW + sum E_ele

    Atom types, charges and parameters come from RDKit. All parameters can be trained: ``params[term][name]`` has one
    row for all interactions between the same types, and a charge for each atom; the wells of the van der Waals
    interaction follow from ``alpha``, ``N``, ``A`` and ``G`` by Halgren's rules. Periodic images do not interact.

    Args:
        molecule: an RDKit ``Mol`` with hydrogens and a conformer; a SMILES string; the path of an SDF or MOL file with
            one molecule; or ASE ``Atoms``, which need ``bonds``.
        variant: ``"MMFF94"``, or ``"MMFF94s"``, in which delocalised trigonal nitrogen is planar.
        bonds: for ASE ``Atoms``, [bonds] of (i, j, order), or of (i, j) where RDKit shall find the orders.
        charges: for ASE ``Atoms``, the formal charge of each atom, or the total charge where RDKit finds the orders.
        dielectric_constant: D of the electrostatic term.
        dielectric_model: ``"constant"``, or ``"distance"`` where D grows with the distance.
        dtype: of positions and parameters; JAX's default float type if None.

    Returns:
        A :class:`MolecularModel`: ``potential, params, system``. The potential needs no neighbour list; pass None.

    Raises:
        ValueError: an atom has no MMFF94 type (it is named) or lacks hydrogens, the source cannot be read or holds
            several molecules, or an option has no such value.
        ImportError: RDKit is not installed.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), and the four papers that follow it; MMFF94s: 20, 720 (1999).
        Constants and empirical rules where RDKit (P. Tosco, N. Stiefl, G. Landrum, J. Cheminform. 6, 37 (2014)) differs
        from the paper are RDKit's: the cubic bending constant is -0.006981317/degree, not -0.007.

    Example:
        >>> import jaxpot
                >>> potential, params, system = jaxpot.mmff94("CCO")
        >>> forces = jaxpot.forces(potential)(params, system, None)
        >>> forces.shape, sorted(params["torsion"])
        ((9, 3), ['V1', 'V2', 'V3'])
    """
    found = molecules(molecule, bonds, charges)
    if len(found) != 1:
        raise ValueError(f"the source holds {len(found)} molecules, but a potential is bound to one; pick one of them")
    (mol,) = found
    assigned = assign(mol, variant)
    symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
    elements = tuple(sorted(set(symbols)))
    system = System.create(
        mol.GetConformer().GetPositions(), np.array([elements.index(s) for s in symbols]), dtype=dtype
    )
    params = jax.tree.map(lambda table: jnp.asarray(table, system.positions.dtype), assigned.params)
    dielectric = Dielectric(dielectric_constant, dielectric_model).checked()
    potential = bind(assigned.topologies[0], variant.lower(), dielectric, elements, np.asarray(system.species))
    return MolecularModel(potential, params, system)
