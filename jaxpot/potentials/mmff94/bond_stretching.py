"""Bond stretching."""

from __future__ import annotations

import jax

from jaxpot.potentials.mmff94.parameters import MDYNE_ANGSTROM, RowParams, rows_of

__all__ = ["bond_stretching"]

CUBIC_STRETCH = -2.0  # 1/Å


def bond_stretching(params: RowParams, lengths: jax.Array, rows: jax.Array) -> jax.Array:
    """Energy of each bond, a quartic in its extension.

    With the extension d = r - r0 and cs = -2/Å::

        E = 143.9325/2 kb d^2 (1 + cs d + 7/12 cs^2 d^2)

    Args:
        params: ``kb`` [rows] md/Å, ``r0`` [rows] Å.
        lengths: [bonds, ...] r, Å.
        rows: [bonds] int32, row of each bond in the parameters; beyond them for a padded bond, whose energy is 0.

    Returns:
        [bonds, ...], kcal/mol.

    Raises:
        ValueError: a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import bond_stretching
        >>> params = {"kb": jnp.array([4.258]), "r0": jnp.array([1.508])}  # two sp3 carbons
        >>> print(f"{bond_stretching(params, jnp.array([1.608]), jnp.array([0]))[0]:.4f}")
        2.5230
    """
    kb, r0 = rows_of("bond_stretching", params, rows, lengths.ndim, lengths.dtype)
    d = CUBIC_STRETCH * (lengths - r0)
    return (0.5 * MDYNE_ANGSTROM / CUBIC_STRETCH**2) * kb * d * d * (1.0 + d + (7.0 / 12.0) * d * d)
