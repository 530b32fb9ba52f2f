"""Means of correlated records: their errors are those that many independent series show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from jaxpot.simulate.statistics import Mean, mean_with_error


def series(correlation: float, records: int, number: int) -> np.ndarray:
    """[number, records] autoregressive series: each value is a part of the one before and a random number."""
    noise = np.random.default_rng(1).normal(size=(number, records + 500))
    return lfilter([1.0], [1.0, -correlation], noise, axis=1)[:, 500:]


@pytest.mark.parametrize(("correlation", "records"), [(0.0, 200), (0.5, 400), (0.9, 2000)])
def test_the_error_is_the_scatter_of_means(correlation: float, records: int) -> None:
    found = [mean_with_error(one) for one in series(correlation, records, 400)]
    # the mean of many independent series scatters by sigma / (1 - correlation) / sqrt(records)
    expected = 1.0 / (1.0 - correlation) / np.sqrt(records)
    assert np.std([one.mean for one in found]) == pytest.approx(expected, rel=0.1)
    assert np.sqrt(np.mean([one.error**2 for one in found])) == pytest.approx(expected, rel=0.1)


def test_a_series_that_is_too_short_has_no_error() -> None:
    (one,) = series(0.99, 200, 1)
    assert np.isnan(mean_with_error(one).error) and mean_with_error(one).independent < 8
    assert np.isnan(mean_with_error([1.0, 2.0]).error)
    assert np.isnan(mean_with_error([]).mean)
    np.testing.assert_equal(mean_with_error([np.nan, 3.0, 3.0]), Mean(3.0, np.nan, 2, 0.0))
    assert mean_with_error(np.full(50, -7.0)) == Mean(-7.0, 0.0, 50, 50.0)


def test_means_are_printed_with_two_digits_of_their_error() -> None:
    assert str(Mean(299.8134, 1.234, 100, 20.0)) == "299.8 ± 1.2"
    assert str(Mean(-4.2412345, 0.000213, 100, 20.0)) == "-4.24123 ± 0.00021"
    assert str(Mean(-73.1, 755.2, 100, 20.0)) == "-73 ± 755"
    assert str(Mean(11.82, float("nan"), 3, 0.0)) == "11.82"
