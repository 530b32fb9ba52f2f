"""The internal coordinates in MMFF94's terms."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.potentials.mmff94.geometry import angle, cosine, dihedral_cosine, length, wilson_angle
from jaxpot.potentials.mmff94.topology import Topology, partners

__all__ = ["BondedCoordinates", "bonded_coordinates", "edge_vectors", "pair_distances"]


class BondedCoordinates(NamedTuple):
    """Internal coordinates of the bonded interactions of a molecule.

    Attributes:
        lengths: [bonds, ...], Å.
        angles: [angles, ...], degrees.
        linear_cosines: [linear angles, ...], cosines of the angles at linear centres.
        wilson_angles: [planes, ...], degrees.
        torsion_cosines: [torsions, ...].
    """

    lengths: jax.Array
    angles: jax.Array
    linear_cosines: jax.Array
    wilson_angles: jax.Array
    torsion_cosines: jax.Array


def edge_vectors(bonds: jax.Array, positions: jax.Array) -> jax.Array:
    """The vectors along all bonds, first i to j and then j to i.

    Args:
        bonds: [bonds, 2] int32, atoms i, j.
        positions: [atoms, 3, ...], Å.

    Returns:
        [2 bonds, 3, ...], Å.
    """
    forward = positions[bonds[:, 1]] - positions[bonds[:, 0]]
    return jnp.concatenate([forward, -forward])


def bonded_coordinates(topology: Topology, positions: jax.Array) -> BondedCoordinates:
    """All internal coordinates of the bonded interactions.

    All of them are functions of the vectors along bonds. Computing these vectors first halves the number of vectors
    that are gathered, and of those that are added up in the gradient.

    Args:
        topology: topology of the molecule.
        positions: [atoms, 3, ...], Å.

    Returns:
        The :class:`BondedCoordinates`.
    """
    edges = edge_vectors(topology.bonds, positions)

    def columns(indices: jax.Array) -> list[jax.Array]:
        return [edges[indices[:, k]] for k in range(indices.shape[1])]

    degree = jnp.pi / 180.0
    return BondedCoordinates(
        length(edges[: topology.bonds.shape[0]]),
        angle(*columns(topology.angle_edges)) / degree,
        cosine(*columns(topology.linear_edges)),
        wilson_angle(*columns(topology.plane_edges)) / degree,
        dihedral_cosine(*columns(topology.torsion_edges)),
    )


def pair_distances(positions: jax.Array) -> jax.Array:
    """Distances of all pairs of atoms in the arrangement of :class:`Topology`.

    Args:
        positions: [atoms, 3, ...], Å.

    Returns:
        [atoms // 2, atoms, ...], Å.
    """
    atoms, rest = positions.shape[0], positions.shape[2:]
    partner = jnp.asarray(partners(atoms))
    vectors = positions[partner] - positions[None]
    return length(vectors.reshape(-1, 3, *rest)).reshape(*partner.shape, *rest)
