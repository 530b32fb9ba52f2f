"""Out-of-plane bending at trigonal centres."""

from __future__ import annotations

import jax

from jaxpot.potentials.mmff94.parameters import DEGREE, MDYNE_ANGSTROM, RowParams, rows_of

__all__ = ["out_of_plane"]


def out_of_plane(params: RowParams, angles: jax.Array, rows: jax.Array) -> jax.Array:
    """Energy of each Wilson angle chi, in degrees, between the bond jl and the plane ijk::

        E = 143.9325/2 (pi/180)^2 koop chi^2

    Each trigonal centre j has three of them, one for every neighbour in the place of l.

    Args:
        params: ``koop`` [rows] md Å/rad^2.
        angles: [planes, ...] chi, degrees.
        rows: [planes] int32, row of each in the parameters; beyond them for a padded one, whose energy is 0.

    Returns:
        [planes, ...], kcal/mol.

    Raises:
        ValueError: a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 6.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import out_of_plane
        >>> print(f"{out_of_plane({'koop': jnp.array([0.03])}, jnp.array([10.0]), jnp.array([0]))[0]:.4f}")
        0.0658
    """
    (koop,) = rows_of("out_of_plane", params, rows, angles.ndim, angles.dtype)
    return (0.5 * MDYNE_ANGSTROM * DEGREE**2) * koop * angles * angles
