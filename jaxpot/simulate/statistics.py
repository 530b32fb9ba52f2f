"""Means of correlated records, with their standard errors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Mean", "mean_with_error"]

FEWEST = 8  # independent records; with fewer, the correlation time cannot be told from the length of the run
WINDOW = 5.0  # correlations count up to so many correlation times


class Mean(NamedTuple):
    """The mean of a series of records.

    Attributes:
        mean: of all records.
        error: standard error of the mean; NaN where the records are too few to tell.
        records: how many there are.
        independent: how many independent records would have the same error.
    """

    mean: float
    error: float
    records: int
    independent: float

    def __str__(self) -> str:
        """``299.8 ± 1.2``, with two digits of the error."""
        if not np.isfinite(self.error) or self.error == 0:
            return f"{self.mean:.6g}"
        digits = max(0, 1 - int(np.floor(np.log10(self.error))))
        return f"{self.mean:.{digits}f} ± {self.error:.{digits}f}"


def mean_with_error(values: Any) -> Mean:
    """The mean of a time series and its standard error, from the autocorrelation of the series.

    With the autocorrelation rho(t) of n records and the time tau, summed up to the first window W >= 5 tau::

        tau = 1/2 + sum_{t=1}^{W} rho(t)     error^2 = 2 tau variance / n

    where the bias of tau from subtracting the mean, a factor of 1 + (2 W + 1) / n, is mended. The error is NaN where
    there are fewer than eight independent records, n / (2 tau).

    Args:
        values: [n] records at equal intervals, in any unit; those that are not finite are left out.

    Returns:
        The :class:`Mean`.

    Example:
        >>> import numpy as np
        >>> found = mean_with_error(np.random.default_rng(0).normal(300.0, 10.0, 10_000))
        >>> print(found)
        300.06 ± 0.10

    Reference:
        U. Wolff, Comput. Phys. Commun. 156, 143 (2004); the window of A. D. Sokal, Monte Carlo Methods in Statistical
        Mechanics (1989).
    """
    series = np.asarray(values, np.float64).ravel()
    series = series[np.isfinite(series)]
    n = len(series)
    if n == 0:
        return Mean(float("nan"), float("nan"), 0, 0.0)
    mean = float(series.mean())
    rest = series - mean
    if n < FEWEST:
        return Mean(mean, float("nan"), n, 0.0)
    if np.abs(rest).max() <= 1e-12 * abs(mean):
        return Mean(mean, 0.0, n, float(n))  # a constant
    spectrum = np.abs(np.fft.rfft(rest, 2 * n)) ** 2
    covariance = np.fft.irfft(spectrum)[:n] / np.arange(n, 0, -1)
    times = 0.5 + np.concatenate([[0.0], np.cumsum(covariance[1:] / covariance[0])])
    enough = np.flatnonzero(np.arange(n) >= WINDOW * np.maximum(times, 0.5))
    window = int(enough[0]) if len(enough) else n - 1
    tau = max(float(times[window]), 0.5) * (1.0 + (2 * window + 1) / n)
    independent = n / (2.0 * tau)
    if independent < FEWEST:
        return Mean(mean, float("nan"), n, independent)
    return Mean(mean, float(np.sqrt(2.0 * tau * covariance[0] / n)), n, independent)
