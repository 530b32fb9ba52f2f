"""The sum of the seven terms: energies by term and by atom, and energies with gradients for many conformers."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jaxpot import units
from jaxpot.potentials.mmff94.angle_bending import angle_bending, linear_angle_bending
from jaxpot.potentials.mmff94.bond_stretching import bond_stretching
from jaxpot.potentials.mmff94.coordinates import bonded_coordinates, pair_distances
from jaxpot.potentials.mmff94.electrostatics import VACUUM, Dielectric, electrostatics
from jaxpot.potentials.mmff94.nonbonded import nonbonded_atomic_energies, nonbonded_energies_and_gradients
from jaxpot.potentials.mmff94.out_of_plane import out_of_plane
from jaxpot.potentials.mmff94.parameters import Params, check_terms
from jaxpot.potentials.mmff94.stretch_bending import stretch_bending
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.potentials.mmff94.torsion import torsion
from jaxpot.potentials.mmff94.van_der_waals import van_der_waals

__all__ = ["atomic_energies", "energies_and_gradients", "energy_terms"]


def bonded_energies(params: Params, t: Topology, positions: jax.Array) -> dict[str, list[jax.Array]]:
    """Term -> energies [interactions, ...] in kcal/mol of its kinds of interactions."""
    x = bonded_coordinates(t, positions)
    return {
        "bond_stretching": [bond_stretching(params["bond_stretching"], x.lengths, t.bond_rows)],
        "angle_bending": [
            angle_bending(params["angle_bending"], x.angles, t.angle_rows),
            linear_angle_bending(params["angle_bending"], x.linear_cosines, t.linear_rows),
        ],
        "stretch_bending": [
            stretch_bending(params, x.lengths, x.angles, t.stretch_bend_rows, t.bond_rows, t.angle_rows, t.angle_bonds)
        ],
        "out_of_plane": [out_of_plane(params["out_of_plane"], x.wilson_angles, t.plane_rows)],
        "torsion": [torsion(params["torsion"], x.torsion_cosines, t.torsion_rows)],
    }


def pair_energies(
    params: Params, t: Topology, positions: jax.Array, dielectric: Dielectric
) -> dict[str, list[jax.Array]]:
    """Term -> energies [atoms // 2, atoms, ...] in kcal/mol of the two terms between all pairs."""
    r = pair_distances(positions)
    return {
        "van_der_waals": [van_der_waals(params["van_der_waals"], r, t.vdw_rows, t.donor_acceptor, t.pair_kinds)],
        "electrostatics": [electrostatics(params["electrostatics"], r, t.charge_rows, t.pair_kinds, dielectric)],
    }


def energy_terms(
    params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric = VACUUM
) -> dict[str, jax.Array]:
    """The seven terms of the energy.

    Args:
        params: the tables of parameters, as :func:`jaxpot.potentials.mmff94.assign` makes them.
        topology: topology of the molecule.
        positions: [atoms, 3, ...], Å; axes after the second are conformers.
        dielectric: dielectric response in the electrostatic term.

    Returns:
        Name of the term -> [...] kcal/mol, the unit in which MMFF94 is published.

    Raises:
        ValueError: a table or a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 1; MMFF94s: J. Comput. Chem. 20, 720 (1999).

    Example:
        >>> import jax.numpy as jnp
        >>> from rdkit import Chem
        >>> from jaxpot.potentials.mmff94 import assign, energy_terms
        >>> water = assign(Chem.AddHs(Chem.MolFromSmiles("O")))
        >>> positions = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.069], [0.0, 0.969, 0.0]])
        >>> terms = energy_terms(water.params, water.topologies[0], positions)
        >>> {name: round(float(energy), 3) for name, energy in terms.items() if energy != 0}
        {'bond_stretching': 4.669, 'angle_bending': 3.093, 'stretch_bending': -0.737}
    """
    check_terms(params)
    bonded = bonded_energies(params, topology, positions)
    pairs = pair_energies(params, topology, positions, dielectric)
    return {
        **{term: _sum([part.sum(axis=0) for part in parts]) for term, parts in bonded.items()},
        **{term: _sum([part.sum(axis=(0, 1)) for part in parts]) for term, parts in pairs.items()},
    }


def atomic_energies(
    params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric = VACUUM
) -> jax.Array:
    """The energy of each atom; each interaction is divided equally among its atoms.

    Args:
        params: the tables of parameters.
        topology: topology of the molecule.
        positions: [atoms, 3, ...], Å.
        dielectric: dielectric response in the electrostatic term.

    Returns:
        [atoms, ...], eV.

    Raises:
        ValueError: a table or a parameter is missing or misspelt.
    """
    check_terms(params)
    near = share_bonded(topology, bonded_energies(params, topology, positions))
    return units.KCAL_PER_MOL * (near + nonbonded_atomic_energies(params, topology, positions, dielectric))


def energies_and_gradients(
    params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric = VACUUM, by_atom: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Energies and their gradients with respect to positions, in one pass that stores no pairs.

    Args:
        params: the tables of parameters.
        topology: topology of the molecule.
        positions: [atoms, 3, ...], Å; axes after the second are conformers, which is the fast order.
        dielectric: dielectric response in the electrostatic term.
        by_atom: whether to return the energy of each atom, like :func:`atomic_energies`, instead of the sum.

    Returns:
        Energies [...], or [atoms, ...] by atom, eV; and gradients [atoms, 3, ...] eV/Å, the negative forces.

    Raises:
        ValueError: a table or a parameter is missing or misspelt.
    """
    check_terms(params)

    def bonded(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        parts = bonded_energies(params, topology, x)
        total = _sum([part.sum(axis=0) for kinds in parts.values() for part in kinds])
        return total, share_bonded(topology, parts) if by_atom else total

    _, pull, near = jax.vjp(bonded, positions, has_aux=True)
    (gradient,) = pull(jnp.ones(positions.shape[2:], positions.dtype))
    far, steep = nonbonded_energies_and_gradients(params, topology, positions, dielectric, by_atom)
    return units.KCAL_PER_MOL * (near + far), units.KCAL_PER_MOL * (gradient + steep)


def share_bonded(t: Topology, energies: dict[str, list[jax.Array]]) -> jax.Array:
    """[atoms, ...] the energies from :func:`bonded_energies`, divided among the atoms."""
    angle, linear = energies["angle_bending"]
    interactions = [
        (energies["bond_stretching"][0], t.bonds),
        (angle + energies["stretch_bending"][0], t.atoms_of(t.angle_edges)),
        (linear, t.atoms_of(t.linear_edges)),
        (energies["out_of_plane"][0], t.atoms_of(t.plane_edges)),
        (energies["torsion"][0], t.atoms_of(t.torsion_edges)),
    ]
    total = jnp.zeros((t.atoms, *angle.shape[1:]), angle.dtype)
    for each, atoms in interactions:
        part = each / atoms.shape[1]
        for k in range(atoms.shape[1]):
            total = total.at[atoms[:, k]].add(part)
    return total


def _sum(parts: list[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, parts)
