"""MMFF94 of molecules: potential, parameters and systems from RDKit, SMILES, SDF or ASE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.io.molecules import Bonds, Charges, MoleculeLike, molecules
from jaxpot.potential import Potential
from jaxpot.potentials.mmff94 import (
    ELEMENTS,
    TERMS,
    DielectricModel,
    EmpiricalBonds,
    Tables,
    Topology,
    Variant,
    assign,
    mmff94_potential,
)
from jaxpot.system import System

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["MolecularModel", "mmff94", "molecular_system"]

Params = dict[str, dict[str, jax.Array]]


class MolecularModel(NamedTuple):
    """A molecular potential, its params and its systems, made by :func:`jaxpot.mmff94`.

    Attributes:
        potential: the :class:`jaxpot.Potential`; the bonds are data of the system.
        params: the tables of parameters, term -> parameter -> [rows], in MMFF94's units.
        system: the molecule's first conformer with its topology; a list of them where a sequence was given.
    """

    potential: Potential
    params: Params
    system: Any


def mmff94(
    molecule: MoleculeLike | Sequence[MoleculeLike],
    variant: Variant = "MMFF94",
    *,
    bonds: Bonds = None,
    charges: Charges = None,
    dielectric_constant: float = 1.0,
    dielectric_model: DielectricModel = "constant",
    empirical_bonds: EmpiricalBonds = "rdkit",
    like: tuple[Potential, Params] | None = None,
    dtype: Any = None,
) -> MolecularModel:
    """The Merck molecular force field: seven terms over the fixed bonds of a molecule and all pairs of its atoms.

    The energy is a sum over bonds, angles, stretch-bend couplings, out-of-plane angles, torsions, and the van der Waals
    and electrostatic interactions of atoms three or more bonds apart, without any cutoff::

        E = sum E_stretch + sum E_bend + sum E_stretch-bend + sum E_oop + sum E_torsion + sum E_vdW + sum E_ele

    Atom types, charges and parameters come from RDKit. All parameters can be trained: ``params[term][name]`` has one
    row for all interactions between the same types in all molecules of the call, and one row for the charge of each
    kind of atom of a molecule. The wells of the van der Waals interaction follow from ``alpha``, ``N``, ``A`` and ``G``
    by Halgren's rules. ``system.extras["topology"]`` holds the bonds, so different molecules can be batched with one
    potential. Periodic images do not interact.

    Args:
        molecule: an RDKit ``Mol`` with hydrogens and a conformer; a SMILES string; the path of an SDF or MOL file with
            one molecule; or ASE ``Atoms``, which need ``bonds``. A sequence of these gives a list of systems; files in
            it may hold several molecules each.
        variant: ``"MMFF94"``, or ``"MMFF94s"``, in which delocalised trigonal nitrogen is planar.
        bonds: for ASE ``Atoms``, [bonds] of (i, j, order), or of (i, j), then RDKit finds the orders.
        charges: for ASE ``Atoms``, the formal charge of each atom, or the total charge where RDKit finds the orders.
        dielectric_constant: D of the electrostatic term.
        dielectric_model: ``"constant"``, or ``"distance"`` where D grows with the distance.
        empirical_bonds: the rule for bonds that MMFF94's tables lack, such as those of CO2; a warning names them.
            ``"rdkit"`` is RDKit's rule, the default, so that all energies are RDKit's. It takes multiple bonds for
            single ones: CO2 has 1.405 Å, N2 1.460 Å. ``"published"`` is the rule of the paper
            (:func:`jaxpot.potentials.mmff94.empirical_bonds.published_rule`): 1.197 Å and 1.112 Å.
        like: potential and params of an earlier call, perhaps trained or loaded. Their values are used for every
            interaction that has a row in their tables, and so are their variant and dielectric. Missing rows are added
            with the published values.
        dtype: float type of positions and parameters; JAX's default if None.

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
        >>> potential, params, systems = jaxpot.mmff94(["CCO", "O", "CC"])
        >>> [len(result.energies) for result in jaxpot.evaluate(potential, params, systems)]
        [9, 3, 8]
    """
    several = isinstance(molecule, Sequence) and not isinstance(molecule, str)
    found = molecules(molecule, bonds, charges)
    if not several and len(found) != 1:
        raise ValueError(f"the source holds {len(found)} molecules; give it in a list, [source], to take all of them")
    options: dict[str, Any] = {
        "variant": variant, "dielectric_constant": dielectric_constant, "dielectric_model": dielectric_model,
        "elements": ELEMENTS,
    }  # fmt: skip
    known: Params = {term: {name: jnp.zeros(0) for name in names} for term, names in TERMS.items()}
    tables = None
    if like is not None:
        earlier, known = like
        given = {} if earlier.spec is None else earlier.spec.arguments()
        tables = given.pop("tables", None)
        if not isinstance(tables, Tables):
            raise ValueError(f"like must be a potential of jaxpot.mmff94 and its params, got {earlier.name}")
        tables.check_rows(known)
        if options != {**given, "elements": ELEMENTS} and options != _DEFAULTS:
            raise ValueError("variant and dielectric are those of the potential given as like=; leave them out")
        options = given
    assigned = assign(found, options["variant"], tables, empirical_bonds)
    systems = [
        molecular_system(mol, topology, options["elements"], dtype)
        for mol, topology in zip(found, assigned.topologies, strict=True)
    ]
    kind = systems[0].positions.dtype if systems else jnp.result_type(float)
    params = {
        term: {name: jnp.append(jnp.asarray(known[term][name], kind), table[len(known[term][name]) :].astype(kind))
               for name, table in published.items()}
        for term, published in assigned.params.items()
    }  # fmt: skip
    potential = mmff94_potential(**options, tables=assigned.tables)
    return MolecularModel(potential, params, systems if several else systems[0])


_DEFAULTS = {
    "variant": "MMFF94", "dielectric_constant": 1.0, "dielectric_model": "constant", "elements": ELEMENTS,
}  # fmt: skip


def molecular_system(mol: Mol, topology: Topology, elements: Sequence[str], dtype: Any = None) -> System:
    """Makes the system of the first conformer of a molecule, with its topology.

    Args:
        mol: an RDKit molecule with hydrogens.
        topology: its topology.
        elements: chemical symbols whose order gives the species.
        dtype: float type of the positions; JAX's default if None.

    Returns:
        The :class:`System`.
    """
    species = np.array([elements.index(atom.GetSymbol()) for atom in mol.GetAtoms()])
    positions = mol.GetConformer().GetPositions()
    return System.create(positions, species, dtype=dtype, extras={"topology": jax.tree.map(jnp.asarray, topology)})
