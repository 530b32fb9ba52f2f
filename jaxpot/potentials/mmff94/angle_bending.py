"""Angle bending, with its form for linear centres."""

from __future__ import annotations

import jax

from jaxpot.potentials.mmff94.parameters import DEGREE, MDYNE_ANGSTROM, RowParams, rows_of

__all__ = ["angle_bending", "linear_angle_bending"]

CUBIC_BEND = -0.006981317  # 1/degree, that is -0.4/rad; the paper prints -0.007


def angle_bending(params: RowParams, angles: jax.Array, rows: jax.Array) -> jax.Array:
    """Energy of each bond angle, a cubic in its deviation.

    With the deviation d = theta - theta0 in degrees and cb = -0.006981317/degree::

        E = 143.9325/2 (pi/180)^2 ka d^2 (1 + cb d)

    Args:
        params: ``ka`` [rows] md Å/rad^2, ``theta0`` [rows] degrees.
        angles: [angles, ...] theta, degrees.
        rows: [angles] int32, row of each angle in the parameters; beyond them for a padded one, whose energy is 0.

    Returns:
        [angles, ...], kcal/mol.

    Raises:
        ValueError: a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import angle_bending
        >>> params = {"ka": jnp.array([0.658]), "theta0": jnp.array([103.978])}  # water
        >>> print(f"{angle_bending(params, jnp.array([90.0]), jnp.array([0]))[0]:.4f}")
        3.0934
    """
    ka, theta0 = rows_of("angle_bending", params, rows, angles.ndim, angles.dtype)
    d = angles - theta0
    return (0.5 * MDYNE_ANGSTROM * DEGREE**2) * ka * d * d * (1.0 + CUBIC_BEND * d)


def linear_angle_bending(params: RowParams, cosines: jax.Array, rows: jax.Array) -> jax.Array:
    """Energy of each angle at a centre that is linear by its type (``=C=``, ``-C#``, ``=N=``, ``-N#``)::

        E = 143.9325 ka (1 + cos theta)

    Args:
        params: as in :func:`angle_bending`; ``theta0`` is not used.
        cosines: [linear angles, ...] cos theta.
        rows: [linear angles] int32, row of each in the parameters; beyond them for a padded one, whose energy is 0.

    Returns:
        [linear angles, ...], kcal/mol.

    Raises:
        ValueError: a parameter is missing or misspelt.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 4.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import linear_angle_bending
        >>> params = {"ka": jnp.array([0.445]), "theta0": jnp.array([180.0])}
        >>> float(linear_angle_bending(params, jnp.array([-1.0]), jnp.array([0]))[0])
        0.0
    """
    ka, _ = rows_of("angle_bending", params, rows, cosines.ndim, cosines.dtype)
    return MDYNE_ANGSTROM * ka * (1.0 + cosines)
