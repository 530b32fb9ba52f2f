"""Comparison of predicted uncertainties with actual errors: reliability, sharpness, rescaling."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Reliability", "Rescaling", "miscalibration_area", "reliability", "rescaling", "sharpness"]

LEVELS = 200


class Reliability(NamedTuple):
    """Shares of errors within the intervals given by the uncertainties.

    Attributes:
        expected: [levels] share of errors that should lie within the central interval of a normal distribution.
        observed: [levels] share that actually does. Below ``expected``, the model is overconfident.
    """

    expected: np.ndarray
    observed: np.ndarray

    @property
    def area(self) -> float:
        """Miscalibration area: mean distance between observed and expected, from 0 to 0.5."""
        return float(np.trapezoid(np.abs(self.observed - self.expected), self.expected))

    @property
    def verdict(self) -> str:
        """ "overconfident", "underconfident" or, with an area below 0.05, "calibrated"."""
        if self.area < 0.05:
            return "calibrated"
        balance = np.trapezoid(self.observed - self.expected, self.expected)
        return "overconfident" if balance < 0 else "underconfident"


class Rescaling(NamedTuple):
    """A correction of uncertainties: s' = sqrt((factor s)^2 + floor^2).

    Attributes:
        factor: a number without unit.
        floor: smallest uncertainty, in the unit of the uncertainties.
    """

    factor: float
    floor: float

    def __call__(self, spreads: Any) -> Any:
        """Rescaled uncertainties.

        Args:
            spreads: numpy or JAX array of uncertainties.
        """
        return ((self.factor * spreads) ** 2 + self.floor**2) ** 0.5


def reliability(errors: Any, spreads: Any, levels: int = LEVELS) -> Reliability:
    """The reliability diagram of errors and the standard deviations predicted for them.

    For every p, the interval |error| < spread sqrt(2) erf^-1(p) should hold a share p of normally distributed errors;
    the diagram compares p with the share of errors that the interval does hold.

    Args:
        errors: prediction minus reference, of any shape.
        spreads: predicted standard deviations, of the same shape.
        levels: number of p between 0 and 1.

    Returns:
        The :class:`Reliability`.

    Raises:
        ValueError: shapes differ, nothing is given, a spread is negative, or a number is not finite.

    Example:
        >>> import numpy as np
        >>> from jaxpot.uncertainty import reliability
        >>> errors = np.random.default_rng(0).normal(size=10000)
        >>> reliability(errors, np.full(10000, 1.0)).verdict, reliability(errors, np.full(10000, 0.5)).verdict
        ('calibrated', 'overconfident')

    Reference: V. Kuleshov, N. Fenner and S. Ermon, ICML (2018); K. Tran et al., Mach. Learn. Sci. Technol. 1, 025006
    (2020).
    """
    from scipy.special import erf

    errors, spreads = _checked(errors, spreads)
    with np.errstate(divide="ignore", invalid="ignore"):
        # an error of 0 with a spread of 0 is within every interval, another error with it in none
        ratio = np.where(errors == 0, 0.0, np.abs(errors) / spreads)
    needed = np.sort(erf(ratio / np.sqrt(2.0)))
    expected = np.linspace(0.0, 1.0, levels + 1)
    return Reliability(expected, np.searchsorted(needed, expected, side="right") / needed.size)


def miscalibration_area(errors: Any, spreads: Any) -> float:
    """The area between the reliability diagram and its diagonal: 0 at best, 0.5 at worst.

    Args:
        errors: prediction minus reference.
        spreads: predicted standard deviations.

    Returns:
        The area.
    """
    return reliability(errors, spreads).area


def sharpness(spreads: Any) -> float:
    """The root mean square of the uncertainties, in their unit. Of two calibrated models the smaller one is better.

    Args:
        spreads: predicted standard deviations.

    Returns:
        One number.
    """
    return float(np.sqrt(np.mean(np.square(np.asarray(spreads, np.float64)))))


def rescaling(errors: Any, spreads: Any, floor: bool = True) -> Rescaling:
    """Fits a rescaling that calibrates uncertainties on a validation set.

    The ratio of floor and factor maximises the likelihood of normally distributed errors. The size of both then
    minimises the miscalibration area, which is robust against errors with long tails.

    Args:
        errors: prediction minus reference, on data that was not used for training.
        spreads: predicted standard deviations.
        floor: whether to fit a floor; otherwise it is 0 and only the factor is fitted.

    Returns:
        The :class:`Rescaling`, a function of spreads.

    Raises:
        ValueError: as in :func:`reliability`, or all spreads or all errors are 0.

    Example:
        >>> import numpy as np
        >>> from jaxpot.uncertainty import rescaling
        >>> random = np.random.default_rng(0)
        >>> truth = random.uniform(0.5, 2.0, 20000)
        >>> found = rescaling(truth * random.normal(size=20000), 0.25 * truth, floor=False)
        >>> round(found.factor, 1), found.floor
        (4.0, 0.0)
    """
    from scipy.optimize import minimize_scalar

    errors, spreads = _checked(errors, spreads)
    scale = float(np.sqrt(np.mean(spreads**2)))
    if scale == 0 or not np.any(errors):
        raise ValueError("spreads or errors are all 0: there is nothing to scale; train members that differ")

    def likelihood(log_share: float) -> float:
        variance = spreads**2 + (scale * np.exp(log_share)) ** 2
        # the best factor has a closed form
        return float(np.log(np.mean(errors**2 / variance)) + np.mean(np.log(variance)))

    share = 0.0
    if floor:
        share = scale * float(np.exp(minimize_scalar(likelihood, bounds=(-12.0, 6.0), method="bounded").x))
    shaped = np.sqrt(spreads**2 + share**2)
    kept = shaped > 0
    if not kept.any():
        raise ValueError("all spreads are 0: there is nothing to scale; train members that differ")
    start = float(np.sqrt(np.mean((errors[kept] / shaped[kept]) ** 2)))

    def area(log_factor: float) -> float:
        return miscalibration_area(errors, np.exp(log_factor) * shaped)

    middle = np.log(start)
    coarse = middle + np.linspace(-4.0, 1.0, 51)
    best = float(coarse[np.argmin([area(x) for x in coarse])])
    factor = float(np.exp(minimize_scalar(area, bounds=(best - 0.1, best + 0.1), method="bounded").x))
    return Rescaling(factor, factor * share)


def _checked(errors: Any, spreads: Any) -> tuple[np.ndarray, np.ndarray]:
    errors, spreads = np.asarray(errors, np.float64).ravel(), np.asarray(spreads, np.float64).ravel()
    if errors.shape != spreads.shape or not errors.size:
        raise ValueError(f"errors and spreads must be as many, and at least one; got {errors.size} and {spreads.size}")
    if not (np.isfinite(errors).all() and np.isfinite(spreads).all()):
        raise ValueError("errors and spreads must be finite; leave out structures without a reference")
    if (spreads < 0).any():
        raise ValueError(f"spreads are standard deviations and not negative, got {spreads.min():g}")
    return errors, spreads
