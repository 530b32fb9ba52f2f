"""Stretch-bend coupling."""

from __future__ import annotations

import jax

from jaxpot.potentials.mmff94.parameters import DEGREE, MDYNE_ANGSTROM, Params, rows_of

__all__ = ["stretch_bending"]


def stretch_bending(
    params: Params,
    lengths: jax.Array,
    angles: jax.Array,
    rows: jax.Array,
    bond_rows: jax.Array,
    angle_rows: jax.Array,
    angle_bonds: jax.Array,
) -> jax.Array:
    """Energy of the coupling of each bond angle with its two bonds.

    With the deviations d from the reference values of the two bonds and of the angle (in degrees)::

        E = 143.9325 (pi/180) (kba_ijk d_ij + kba_kji d_kj) d_ijk

    Args:
        params: the tables of all terms; used are ``stretch_bending`` (``kba_ijk``, ``kba_kji`` [rows] md/rad) and the
            reference values ``r0`` of ``bond_stretching`` and ``theta0`` of ``angle_bending``.
        lengths: [bonds, ...], Å.
        angles: [angles, ...] of i-j-k, degrees.
        rows: [angles] int32, row of each angle in ``stretch_bending``; beyond it where there is no such coupling, and
            for a padded angle: its energy is 0.
        bond_rows: [bonds] int32, row of each bond in ``bond_stretching``.
        angle_rows: [angles] int32, row of each angle in ``angle_bending``.
        angle_bonds: [angles, 2] int32, the bonds ij and kj of each angle.

    Returns:
        [angles, ...], kcal/mol.

    Raises:
        ValueError: a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 5, where the constant is printed as 2.51210.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import stretch_bending
        >>> params = {  # water
        ...     "bond_stretching": {"kb": jnp.array([7.88]), "r0": jnp.array([0.969])},
        ...     "angle_bending": {"ka": jnp.array([0.658]), "theta0": jnp.array([103.978])},
        ...     "stretch_bending": {"kba_ijk": jnp.array([0.21]), "kba_kji": jnp.array([0.21])},
        ... }
        >>> lengths, angles, row = jnp.array([1.069, 0.969]), jnp.array([90.0]), jnp.array([0])
        >>> energy = stretch_bending(params, lengths, angles, row, jnp.array([0, 0]), row, jnp.array([[0, 1]]))
        >>> print(f"{energy[0]:.4f}")
        -0.7374
    """
    shape = angles.ndim, angles.dtype
    _, r0 = rows_of("bond_stretching", params["bond_stretching"], bond_rows, *shape)
    _, theta0 = rows_of("angle_bending", params["angle_bending"], angle_rows, *shape)
    kba_ijk, kba_kji = rows_of("stretch_bending", params["stretch_bending"], rows, *shape)
    extensions = lengths - r0
    stretch = kba_ijk * extensions[angle_bonds[:, 0]] + kba_kji * extensions[angle_bonds[:, 1]]
    return (MDYNE_ANGSTROM * DEGREE) * stretch * (angles - theta0)
