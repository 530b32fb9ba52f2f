"""Splitting, waves and mesh of a lattice sum from the accuracy that its forces shall have, on the host."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial.legendre import leggauss

from jaxpot.engine.lattice.splines import attenuation, transform

__all__ = ["largest_wave", "mesh_spacing", "splitting"]

DENSITY = 0.125  # atoms / Å^3, above that of nearly every material; errors grow with its root
ALIASES = 2  # multiples of the mesh's own wave number, on either side, that a mesh's error counts
POINTS = 8  # in each direction of an octant of the mesh's waves


def splitting(cutoff: float, accuracy: float) -> float:
    """alpha, 1/Å, for which the pairs beyond the cutoff may be left out.

    The root mean square of the errors of forces is 2 k <q^2> (rho / rc)^(1/2) exp(-alpha^2 rc^2), with rho atoms per
    volume; it shall be half the accuracy.

    Args:
        cutoff: rc, Å.
        accuracy: error of forces, in units of k <q^2> / Å^2.

    Returns:
        alpha.

    Reference: J. Kolafa and J. W. Perram, Mol. Simul. 9, 351 (1992), eq. 18.
    """
    return math.sqrt(max(math.log(4.0 * math.sqrt(DENSITY / cutoff) / accuracy), 1.0)) / cutoff


def largest_wave(alpha: float, accuracy: float) -> float:
    """The wave number, 1/Å, up to which waves must be summed.

    The waves beyond k have forces of mean square rho k_C^2 <q^2>^2 / (2 pi)^3 times the integral of
    [4 pi exp(-k^2 / 4 alpha^2) / k]^2 over them; its root shall be half the accuracy.

    Args:
        alpha: 1/Å.
        accuracy: as of :func:`splitting`.

    Returns:
        The wave number.
    """

    def error(k: float) -> float:
        return math.sqrt(8.0 * DENSITY * alpha * math.sqrt(math.pi / 2) * math.erfc(k / (math.sqrt(2) * alpha)))

    return _largest(lambda k: error(k) - 0.5 * accuracy, 0.1 * alpha, 30.0 * alpha)


@functools.lru_cache(256)
def mesh_spacing(alpha: float, accuracy: float, order: int) -> float:
    """The largest spacing, Å, of a mesh whose forces are as accurate as asked for.

    Args:
        alpha: 1/Å.
        accuracy: as of :func:`splitting`.
        order: of the B-splines.

    Returns:
        The spacing.
    """

    def excess(logarithm: float) -> float:
        return 0.5 * accuracy - _mesh_error(alpha, math.exp(logarithm), order)

    return math.exp(_largest(excess, math.log(0.02 / alpha), math.log(3.0 / alpha)))


def _largest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function falls from positive to negative values, by bisection; ``low`` where it is negative already."""
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return low


def _mesh_error(alpha: float, spacing: float, order: int) -> float:
    """Root mean square error of the forces of a cubic mesh, averaged over the positions of both charges.

    With U the transform of a B-spline, G the influence function and phi that of the smeared charges, it is the integral
    of G^2 (sum U^2) (sum k^2 U^2) - 2 G sum k^2 U^2 phi + sum k^2 phi^2 over the waves of the mesh; sums go over the
    waves that look alike on the mesh.

    Reference: V. Ballenegger, J. J. Cerdà and C. Holm, J. Chem. Theory Comput. 8, 936 (2012).
    """
    points, weights = leggauss(POINTS)
    x = 0.25 * (points + 1.0)  # waves over the mesh's own, from 0 to 1/2
    alias = np.arange(-ALIASES, ALIASES + 1)
    each = x[:, None] + alias[None]
    squares = transform(each, order) ** 2

    def combined(one: np.ndarray, join: Callable[..., np.ndarray]) -> np.ndarray:
        """[points, points, points, aliases, aliases, aliases]"""
        a, b, c = (
            one[:, None, None, :, None, None],
            one[None, :, None, None, :, None],
            one[None, None, :, None, None, :],
        )
        return join(join(a, b), c)

    waves = (2 * np.pi / spacing) ** 2 * combined(each**2, np.add)
    splines = combined(squares, np.multiply)
    smeared = 4 * np.pi * np.exp(-waves / (4 * alpha**2)) / waves
    factor = attenuation(x, order)
    middle = smeared[..., ALIASES, ALIASES, ALIASES]
    influence = middle * factor[:, None, None] * factor[None, :, None] * factor[None, None, :]
    axes = (3, 4, 5)
    error = (
        influence**2 * splines.sum(axes) * (waves * splines).sum(axes)
        - 2 * influence * (waves * splines * smeared).sum(axes)
        + (waves * smeared**2).sum(axes)
    )
    volume = weights[:, None, None] * weights[None, :, None] * weights[None, None, :] * 0.25**3
    integral = 8.0 * (volume * error).sum() / spacing**3
    return math.sqrt(DENSITY * max(float(integral), 0.0))
