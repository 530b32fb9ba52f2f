"""Scaling of the values of a descriptor before they enter a network, with statistics of a training set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["SCALINGS", "STATISTICS", "Scaling", "factors", "scaled", "scaling_of", "statistics_of", "whitening"]

Scaling = Literal["none", "scale", "center", "scale_center", "scale_sigma", "decorrelate"]
SCALINGS = ("none", "scale", "center", "scale_center", "scale_sigma", "decorrelate")
STATISTICS = ("min", "max", "mean", "sigma")
SMALLEST = 1e-5  # fraction of the largest eigenvalue of a covariance; limits the factors for smaller eigenvalues


def statistics_of(scaling: Scaling) -> tuple[str, ...]:
    """The entries that ``params["scaling"]`` has for each species.

    Args:
        scaling: its kind.

    Returns:
        ``"matrix"`` is [values, values]; all others are [values].
    """
    return {"none": (), "decorrelate": ("mean", "matrix")}.get(scaling, STATISTICS)


def scaled(
    scaling: Scaling, scale_range: tuple[float, float], statistics: Mapping[str, Any], values: jax.Array
) -> jax.Array:
    """The scaled values G' that a network takes, from the values G.

    With S = scale_range:

    ================= ==========================================
    ``scaling``       G'
    ================= ==========================================
    ``none``          G
    ``scale``         S0 + (S1 - S0) (G - min) / (max - min)
    ``center``        G - mean
    ``scale_center``  S0 + (S1 - S0) (G - mean) / (max - min)
    ``scale_sigma``   S0 + (S1 - S0) (G - mean) / sigma
    ``decorrelate``   (G - mean) matrix, see :func:`whitening`
    ================= ==========================================

    Args:
        scaling: as in the table.
        scale_range: S.
        statistics: of the values of one species.
        values: [atoms, values].

    Returns:
        [atoms, values].
    """
    if scaling == "none":
        return values
    known = {name: jnp.asarray(statistics[name], values.dtype) for name in statistics_of(scaling)}
    if scaling == "decorrelate":
        return (values - known["mean"][None]) @ known["matrix"]
    if scaling == "center":
        return values - known["mean"][None]
    low, high, mean, sigma = (known[name][None] for name in STATISTICS)
    start, end = scale_range
    width = sigma if scaling == "scale_sigma" else high - low
    return start + (end - start) * (values - (low if scaling == "scale" else mean)) / width


def factors(scaling: Scaling, scale_range: tuple[float, float], statistics: Mapping[str, Any]) -> np.ndarray | float:
    """The factors by which values are multiplied, [values] or one number for all; not for ``"decorrelate"``.

    Args:
        scaling: as of :func:`scaled`.
        scale_range: S.
        statistics: of the values of one species.
    """
    length = scale_range[1] - scale_range[0]
    if scaling in ("scale", "scale_center"):
        return length / (statistics["max"] - statistics["min"])
    return length / statistics["sigma"] if scaling == "scale_sigma" else 1.0


def scaling_of(values: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Minimum, maximum, mean and standard deviation of the values of a descriptor.

    Args:
        values: {element: [atoms, values]}, from :func:`jaxpot.fit.values_by_element`.

    Returns:
        {element: {"min", "max", "mean", "sigma"}}, for ``potential.init(key, scaling)``.

    Raises:
        ValueError: fewer than two atoms of an element, or a value that is the same for all its atoms.

    Example:
        >>> import numpy as np
        >>> from jaxpot.fit import scaling_of
        >>> {name: float(v[0]) for name, v in scaling_of({"Ar": np.array([[1.0], [3.0]])})["Ar"].items()}
        {'min': 1.0, 'max': 3.0, 'mean': 2.0, 'sigma': 1.4142135623730951}
    """
    result = {}
    for symbol, each in values.items():
        _check(symbol, each)
        result[symbol] = {
            "min": each.min(axis=0),
            "max": each.max(axis=0),
            "mean": each.mean(axis=0),
            "sigma": each.std(axis=0, ddof=1),
        }
    return result


def _check(symbol: str, each: np.ndarray) -> None:
    if len(each) < 2:
        raise ValueError(f"{len(each)} atoms of {symbol} in the structures; scaling needs at least two")
    same = np.flatnonzero(np.ptp(each, axis=0) == 0)
    if same.size:
        raise ValueError(
            f"value {same[0] + 1} of the descriptor of {symbol} is {each[0, same[0]]:g} for all atoms; leave it out"
        )


def whitening(values: np.ndarray, smallest: float = SMALLEST) -> np.ndarray:
    """The matrix that makes values uncorrelated and of equal size.

    With the covariance C = U L U^T of the values, P = U (L + smallest L_max)^(-1/2).

    Args:
        values: [atoms, values].
        smallest: fraction of the largest eigenvalue; for eigenvalues below it, the factor hardly grows any more.

    Returns:
        P, [values, values].

    Reference: Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, Efficient BackProp (1998), section 4.3.
    """
    size, axes = np.linalg.eigh(np.atleast_2d(np.cov(values.astype(np.float64).T)))
    return axes / np.sqrt(np.maximum(size, 0.0) + smallest * size[-1])
