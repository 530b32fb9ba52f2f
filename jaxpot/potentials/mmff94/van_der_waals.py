"""Van der Waals interaction: the buffered 14-7 potential, with Halgren's combination rules."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.potentials.mmff94.parameters import RowParams, rows_of
from jaxpot.potentials.mmff94.topology import ACCEPTOR, DONOR, EXCLUDED, both

__all__ = ["minima_and_depths", "van_der_waals", "well_and_slope"]

POWER, B, BETA = 0.25, 0.2, 12.0  # MMFFVDW.PAR
DONOR_ACCEPTOR_RADIUS, DONOR_ACCEPTOR_DEPTH = 0.8, 0.5
SLATER_KIRKWOOD = 181.16


def van_der_waals(
    params: RowParams, distances: jax.Array, rows: jax.Array, donor_acceptor: jax.Array, pair_kinds: jax.Array
) -> jax.Array:
    """Energy of each pair of atoms that are three or more bonds apart.

    With the distance r* at which the pair has its well and its depth eps (see :func:`minima_and_depths`)::

        E = eps (1.07 r* / (r + 0.07 r*))^7 (1.12 r*^7 / (r^7 + 0.12 r*^7) - 2)

    Args:
        params: ``alpha`` [rows] Å^3, ``N``, ``A``, ``G`` [rows].
        distances: [atoms // 2, atoms, ...] r, Å, in the arrangement of :class:`Topology`.
        rows: [atoms] int32, row of each atom in the parameters.
        donor_acceptor: [atoms] int8, 1 for donors of hydrogen bonds, 2 for acceptors.
        pair_kinds: [atoms // 2, atoms] int8; 0 where a pair does not interact.

    Returns:
        [atoms // 2, atoms, ...], kcal/mol; 0 where a pair does not interact.

    Raises:
        ValueError: a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 8.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import van_der_waals
        >>> alkane = {"alpha": [1.05, 0.25], "N": [2.49, 0.8], "A": [3.89, 4.2], "G": [1.282, 1.209]}  # C and H
        >>> atoms, roles, kinds = jnp.array([0, 1]), jnp.array([0, 0]), jnp.array([[2, 0]])
        >>> print(f"{van_der_waals(alkane, jnp.array([[2.9, 2.9]]), atoms, roles, kinds)[0, 0]:.4f}")
        0.1469
    """
    minima, depths = minima_and_depths(params, rows, donor_acceptor, pair_kinds, distances.dtype)
    shape = minima.shape + (1,) * (distances.ndim - 2)
    return well_and_slope(distances, minima.reshape(shape), depths.reshape(shape))[0]


def well_and_slope(r: jax.Array, minimum: jax.Array, depth: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The buffered 14-7 potential, Halgren's eq. 8, and its derivative with respect to r; finite at r = 0."""
    seventh = _power(minimum, 7)
    buffered = 1.0 / (r + 0.07 * minimum)
    repulsion = 1.0 / (_power(r, 7) + 0.12 * seventh)
    strength = depth * _power(1.07 * minimum, 7) * _power(buffered, 7)
    well = strength * (1.12 * seventh * repulsion - 2.0)
    steep = (7.0 * 1.12) * seventh * _power(r, 6) * repulsion * repulsion
    return well, -7.0 * buffered * well - strength * steep


def minima_and_depths(
    params: RowParams, rows: jax.Array, donor_acceptor: jax.Array, pair_kinds: jax.Array, dtype: Any
) -> tuple[jax.Array, jax.Array]:
    """Distances r* and depths eps of the wells of all pairs, from the properties of the atoms::

        r_i = A_i alpha_i^(1/4)
        g   = (r_i - r_j) / (r_i + r_j)
        r*  = (r_i + r_j)/2 (1 + 0.2 (1 - exp(-12 g^2)))         without the bracket where i or j is a donor
        eps = 181.16 G_i G_j alpha_i alpha_j / ((alpha_i/N_i)^(1/2) + (alpha_j/N_j)^(1/2)) / r*^6

    For a donor with an acceptor r* is then multiplied by 0.8 and eps by 0.5.

    Args:
        params: ``alpha``, ``N``, ``A``, ``G`` [rows].
        rows: [atoms] int32.
        donor_acceptor: [atoms] int8.
        pair_kinds: [atoms // 2, atoms] int8.
        dtype: float type of the result.

    Returns:
        Two arrays [atoms // 2, atoms], Å and kcal/mol; the depth is 0 where a pair does not interact.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eqs. 9-12; J. Am. Chem. Soc. 114, 7827 (1992).
    """
    # a padded atom interacts with nothing: any numbers will do whose derivatives are finite
    alpha, N, A, G = rows_of("van_der_waals", params, rows, 1, dtype, filler=1.0)
    radius_i, radius_j = both(A * alpha**POWER)
    slater_i, slater_j = both(jnp.sqrt(alpha / N))
    strength_i, strength_j = both(G * alpha)
    donor_i, donor_j = both(donor_acceptor == DONOR)
    acceptor_i, acceptor_j = both(donor_acceptor == ACCEPTOR)
    gamma = (radius_i - radius_j) / (radius_i + radius_j)
    widening = jnp.where(donor_i | donor_j, 0.0, B * (1.0 - jnp.exp(-BETA * gamma * gamma)))
    minimum = 0.5 * (radius_i + radius_j) * (1.0 + widening)
    depth = SLATER_KIRKWOOD * strength_i * strength_j / ((slater_i + slater_j) * _power(minimum, 6))
    bridge = (donor_i & acceptor_j) | (acceptor_i & donor_j)
    minimum = jnp.where(bridge, DONOR_ACCEPTOR_RADIUS * minimum, minimum)
    depth = jnp.where(bridge, DONOR_ACCEPTOR_DEPTH * depth, depth)
    return minimum, jnp.where(pair_kinds == EXCLUDED, 0.0, depth)


def _power(x: jax.Array, exponent: int) -> jax.Array:
    """x^6 or x^7 by products."""
    cube = x * x * x
    return cube * cube if exponent == 6 else cube * cube * x
