"""The topology of a molecule: which atoms interact, and the rows of the tables with their parameters."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["ACCEPTOR", "DONOR", "EXCLUDED", "FURTHER", "ONE_FOUR", "Topology", "arrange_pairs", "both", "partners"]

EXCLUDED, ONE_FOUR, FURTHER = 0, 1, 2  # kinds of pairs: 1-2, 1-3 and padded ones; 1-4; all others
DONOR, ACCEPTOR = 1, 2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Topology:
    """Interactions of one molecule (or several fragments) and the rows of their parameters.

    :func:`jaxpot.potentials.mmff94.assign` makes it; ``System.extras["topology"]`` holds it. All leaves are integer
    arrays, so molecules padded to one shape can be stacked and mapped over. Interactions between the same types share a
    row of parameters, and equal atoms of a molecule share a row for their charge.

    Bonded interactions are given by *edges*, bonds with a direction: edge e < bonds leads from the first to the second
    atom of bond e, and edge bonds + e leads back.

    Pairs are arranged as ``[atoms // 2, atoms]``: entry (k, i) is the pair of atom i and atom (i + k + 1) mod atoms. A
    line k of this array pairs the molecule with a copy of itself shifted by k + 1, so a loop over lines needs no
    gathers and no scatters. If the number of atoms is even, the last line holds each pair twice, and the second
    one is excluded.

    Attributes:
        bonds: [bonds, 2] int32, atoms.
        bond_rows: [bonds] int32, rows in ``params["bond_stretching"]``.
        angle_edges: [angles, 2] int32, edges from the apex to both ends, without the angles at linear centres.
        angle_rows: [angles] int32, rows in ``params["angle_bending"]``.
        stretch_bend_rows: [angles] int32, rows in ``params["stretch_bending"]``; ``NO_ROW`` where an angle has none.
        linear_edges: [linear angles, 2] int32, edges of the angles at linear centres.
        linear_rows: [linear angles] int32, rows in ``params["angle_bending"]``.
        plane_edges: [planes, 3] int32, edges from a trigonal centre to i, k, l; the angle is of l with plane i, k.
        plane_rows: [planes] int32, rows in ``params["out_of_plane"]``.
        torsion_edges: [torsions, 3] int32, edges i to j to k to l.
        torsion_rows: [torsions] int32, rows in ``params["torsion"]``.
        vdw_rows: [atoms] int32, rows in ``params["van_der_waals"]``.
        donor_acceptor: [atoms] int8, 1 for a donor of hydrogen bonds, 2 for an acceptor, else 0.
        charge_rows: [atoms] int32, rows in ``params["electrostatics"]``.
        pair_kinds: [atoms // 2, atoms] int8, 0 for pairs that do not interact, 1 for 1-4 pairs, 2 for all others.
        numbers: [atoms] int32, atomic numbers, 0 for padded atoms; the atoms of the system must have the same.
        tables: [] int32, :attr:`Tables.checksum` of the tables that the rows belong to; 0 for no particular tables.
    """

    bonds: jax.Array
    bond_rows: jax.Array
    angle_edges: jax.Array
    angle_rows: jax.Array
    stretch_bend_rows: jax.Array
    linear_edges: jax.Array
    linear_rows: jax.Array
    plane_edges: jax.Array
    plane_rows: jax.Array
    torsion_edges: jax.Array
    torsion_rows: jax.Array
    vdw_rows: jax.Array
    donor_acceptor: jax.Array
    charge_rows: jax.Array
    pair_kinds: jax.Array
    numbers: jax.Array
    tables: jax.Array

    @property
    def atoms(self) -> int:
        """Number of atoms, including padded ones."""
        return self.vdw_rows.shape[-1]

    @property
    def angle_bonds(self) -> jax.Array:
        """[angles, 2] int32, the bonds of each angle."""
        return self.angle_edges % max(self.bonds.shape[0], 1)

    def atoms_of(self, edges: jax.Array) -> jax.Array:
        """The atoms of interactions: where the first edge starts, and where each of the edges ends.

        Args:
            edges: [interactions, n] int32.

        Returns:
            [interactions, n + 1] int32.
        """
        start = jnp.concatenate([self.bonds[:, 0], self.bonds[:, 1]])
        end = jnp.concatenate([self.bonds[:, 1], self.bonds[:, 0]])
        return jnp.concatenate([start[edges[:, :1]], end[edges]], axis=1)


def partners(atoms: int) -> np.ndarray:
    """[atoms // 2, atoms] int32: the second atom of each entry in the arrangement of pairs."""
    shift = np.arange(1, atoms // 2 + 1, dtype=np.int32)[:, None]
    return ((np.arange(atoms, dtype=np.int32) + shift) % max(atoms, 1)).astype(np.int32)


def both(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A property of the atoms for the first, [1, atoms], and the second, [atoms // 2, atoms], atom of each pair."""
    return values[None], values[partners(values.shape[0])]


def arrange_pairs(i: np.ndarray, j: np.ndarray, kinds: np.ndarray, atoms: int) -> np.ndarray:
    """Makes the array ``pair_kinds`` from a plain list of pairs i < j.

    Args:
        i: [pairs] the first atoms.
        j: [pairs] the second atoms.
        kinds: [pairs] kind of each pair; pairs that are not listed are excluded.
        atoms: number of atoms.

    Returns:
        [atoms // 2, atoms] int8.
    """
    arranged = np.zeros((atoms // 2, atoms), np.int8)
    shift = j - i
    near = shift <= atoms // 2  # otherwise the pair is found from j to i, around the end
    arranged[np.where(near, shift, atoms - shift) - 1, np.where(near, i, j)] = kinds
    return arranged


def listed_pairs(pair_kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plain list (i, j, kinds), i < j, of the pairs that interact; the inverse of :func:`arrange_pairs`."""
    lines, i = np.nonzero(pair_kinds)
    j = partners(pair_kinds.shape[-1])[lines, i]
    return np.minimum(i, j), np.maximum(i, j), pair_kinds[lines, i]
