"""Common sets of symmetry functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from jaxpot.descriptors.symmetry_functions.functions import SymmetryFunction, angular, radial

__all__ = ["grid_set", "standard_set"]


def grid_set(
    elements: Sequence[str],
    cutoff: float,
    radial_count: int = 6,
    angular_count: int = 3,
    zetas: Sequence[float] = (1.0, 4.0, 16.0),
    first: float = 0.5,
    narrow: bool = True,
) -> list[SymmetryFunction]:
    """A systematic set for any elements, which depends only on the cutoff.

    There are "centered" radial functions with shift 0 and eta_m = (n^(m/n) / cutoff)^2 for m = 0 ... n, and "shifted"
    ones on a geometric grid of distances r_m = cutoff n^(-m/n) for m = 1 ... n, with eta_m = 1 / (r_(m-1) - r_m)^2;
    n = ``radial_count``. For each pair of elements there are angular functions with the ``angular_count`` centered eta
    of such a grid, each zeta, and lambda = 1 and -1. The functions are candidates, from which
    :func:`jaxpot.fit.select_values` selects the informative ones.

    Args:
        elements: chemical symbols.
        cutoff: Å.
        radial_count: n.
        angular_count: how many eta of angular functions.
        zetas: exponents of angular functions.
        first: Å, shifted functions nearer than this are left out.
        narrow: whether the distance between both neighbours counts in angular functions.

    Returns:
        The functions, of all elements.

    Raises:
        ValueError: a number below 1, or a cutoff that is not positive.

    Example:
        >>> from jaxpot.descriptors.symmetry_functions.sets import grid_set
        >>> len(grid_set(["Si"], 6.0)), len(grid_set(["Ga", "As"], 6.0))
        (31, 160)

    Reference:
        G. Imbalzano, A. Anelli, D. Giofré, S. Klees, J. Behler and M. Ceriotti, J. Chem. Phys. 148, 241730 (2018),
        whose idea this is.
    """
    _check(elements, cutoff, radial_count, angular_count)
    n = radial_count
    centered = [(n ** (m / n) / cutoff) ** 2 for m in range(n + 1)]
    grid = [cutoff * n ** (-m / n) for m in range(n + 1)]
    shifted = [(1.0 / (grid[m - 1] - grid[m]) ** 2, grid[m]) for m in range(1, n + 1)]
    numbers = [(eta, 0.0) for eta in centered] + [(eta, shift) for eta, shift in shifted if shift >= first]
    k = angular_count
    etas = [(k ** (m / k) / cutoff) ** 2 for m in range(k)] if k > 1 else [1.0 / cutoff**2]
    return _all(elements, cutoff, numbers, [(eta, 0.0) for eta in etas], zetas, narrow)


def standard_set(
    elements: Sequence[str],
    cutoff: float,
    radial_count: int = 8,
    angular_count: int = 3,
    zetas: Sequence[float] = (1.0, 4.0),
    first: float = 1.0,
    narrow: bool = True,
) -> list[SymmetryFunction]:
    """A set of the usual kind: radial functions on an even grid of distances, angular ones of several widths.

    Radial: shifts r_m evenly from ``first`` to the cutoff less half an Å, eta = 1 / (2 D^2) with D their distance.
    Angular: eta = 1 / (2 r_m^2) for ``angular_count`` distances r_m evenly in the same range, each zeta, and lambda = 1
    and -1, for each pair of elements.

    Args:
        elements: chemical symbols.
        cutoff: Å.
        radial_count: radial functions for each neighbouring element.
        angular_count: how many eta of angular functions.
        zetas: exponents of angular functions.
        first: Å.
        narrow: whether the distance between both neighbours counts in angular functions.

    Returns:
        The functions, of all elements.

    Raises:
        ValueError: a number below 1, or a cutoff that does not leave room after ``first``.

    Example:
        >>> from jaxpot.descriptors.symmetry_functions.sets import standard_set
        >>> len(standard_set(["Mo"], 5.2)), len(standard_set(["O", "H"], 6.0))
        (20, 104)

    Reference:
        M. Gastegger, L. Schwiedrzik, M. Bittermann, F. Berzsenyi and P. Marquetand, J. Chem. Phys. 148, 241709 (2018).
    """
    _check(elements, cutoff, radial_count, angular_count)
    if not 0 < first < cutoff - 0.5:
        raise ValueError(f"first must be from above 0 to below the cutoff less 0.5 Å, got {first} with cutoff {cutoff}")
    last = cutoff - 0.5
    shifts = np.linspace(first, last, radial_count)
    step = (last - first) / max(radial_count - 1, 1)
    numbers = [(1.0 / (2 * step**2), float(shift)) for shift in shifts]
    etas = [(1.0 / (2 * float(r) ** 2), 0.0) for r in np.linspace(first, last, angular_count)]
    return _all(elements, cutoff, numbers, etas, zetas, narrow)


def _check(elements: Sequence[str], cutoff: float, radial_count: int, angular_count: int) -> None:
    if isinstance(elements, str) or not elements:
        raise ValueError(f"elements must be a sequence of symbols, got {elements!r}")
    if not cutoff > 0:
        raise ValueError(f"the cutoff must be a positive length in Å, got {cutoff}")
    if radial_count < 2 or angular_count < 1:
        raise ValueError(f"needs radial_count >= 2 and angular_count >= 1, got {radial_count} and {angular_count}")


def _all(
    elements: Sequence[str],
    cutoff: float,
    radials: Sequence[tuple[float, float]],
    angulars: Sequence[tuple[float, float]],
    zetas: Sequence[float],
    narrow: bool,
) -> list[SymmetryFunction]:
    functions = []
    for center in elements:
        functions += [radial(center, other, cutoff, eta, shift) for other in elements for eta, shift in radials]
        functions += [
            angular(center, pair, cutoff, eta, zeta, sign, shift, narrow)
            for pair in combinations_with_replacement(elements, 2)
            for eta, shift in angulars
            for zeta in zetas
            for sign in (1.0, -1.0)
        ]
    return functions
