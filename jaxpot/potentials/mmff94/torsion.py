"""Torsion."""

from __future__ import annotations

import jax

from jaxpot.potentials.mmff94.parameters import RowParams, rows_of

__all__ = ["torsion"]


def torsion(params: RowParams, cosines: jax.Array, rows: jax.Array) -> jax.Array:
    """Energy of each torsion angle phi::

        E = 1/2 (V1 (1 + cos phi) + V2 (1 - cos 2 phi) + V3 (1 + cos 3 phi))

    It is a polynomial in cos phi, and so smooth at every angle. Where three of the four atoms lie on a line there is no
    such angle; the energy is then that of cos phi = 0.

    Args:
        params: ``V1``, ``V2``, ``V3`` [rows] kcal/mol.
        cosines: [torsions, ...] cos phi; phi = 0 is cis.
        rows: [torsions] int32, row of each in the parameters; beyond them for a padded one, whose energy is 0.

    Returns:
        [torsions, ...], kcal/mol.

    Raises:
        ValueError: a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 7.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import torsion
        >>> params = {"V1": jnp.array([0.103]), "V2": jnp.array([0.681]), "V3": jnp.array([0.332])}  # of butane
        >>> print(f"{torsion(params, jnp.array([1.0]), jnp.array([0]))[0]:.4f}")  # cis: V1 + V3
        0.4350
    """
    V1, V2, V3 = rows_of("torsion", params, rows, cosines.ndim, cosines.dtype)
    c = cosines
    return 0.5 * (V1 * (1.0 + c) + V2 * (2.0 - 2.0 * c * c) + V3 * (1.0 + c * (4.0 * c * c - 3.0)))
