"""Scaling of the values of a descriptor before they enter a network, with statistics of a training set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "SCALINGS",
    "STATISTICS",
    "Scaling",
    "factors",
    "representable",
    "scaled",
    "scaling_of",
    "statistics_of",
    "too_narrow",
    "varies",
    "warn_of_constants",
    "whitening",
]

Scaling = Literal["none", "scale", "center", "scale_center", "scale_sigma", "decorrelate"]
SCALINGS = ("none", "scale", "center", "scale_center", "scale_sigma", "decorrelate")
STATISTICS = ("min", "max", "mean", "sigma")
ROUNDINGS = 10  # a range is lost where it is less than this many times the rounding error of the values
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


def too_narrow(width: Any, largest: Any, dtype: Any) -> Any:
    """Whether values of a float type cannot be told apart within a range of theirs.

    Their rounding error is at most eps times the largest of them, and numbers below the least normal one are 0.

    Args:
        width: [values] of the range, such as max - min.
        largest: [values] the largest absolute value.
        dtype: the float type.

    Returns:
        [values] bool.

    Example:
        >>> from jaxpot.heads.scaling import too_narrow
        >>> [bool(too_narrow(*each, "float32")) for each in ((1e-3, 2.0), (1e-7, 2.0), (1e-134, 0.0))]
        [False, True, True]
    """
    kind = jnp.finfo(dtype)
    eps = float(kind.eps)
    return (width < float(kind.tiny) / eps) | (width < ROUNDINGS * eps * largest)


def representable(
    scaling: Scaling, statistics: Mapping[str, Any], dtype: Any
) -> tuple[dict[str, Any], np.ndarray | jax.Array]:
    """Statistics for values of a float type: values whose range is lost in this type become constants.

    Such values would be divided by a range of 0, or of rounding errors. They keep the G' of their mean instead, by
    statistics with the range W = max(1, |mean|): then G' differs from it by (S1 - S0) (G - mean) / W, which is no
    larger than a rounding error within the old range.

    Args:
        scaling: as of :func:`scaled`.
        statistics: of the values of one species, in their own type, numpy or JAX.
        dtype: of the values.

    Returns:
        The statistics, and [values] bool, True where a value is a constant now.
    """
    if "max" not in statistics or scaling == "center":
        return dict(statistics), np.zeros(np.shape(statistics.get("mean", ())), bool)
    np_ = jnp if any(isinstance(each, jax.Array) for each in statistics.values()) else np
    low, high, mean, sigma = (np_.asarray(statistics[name]) for name in STATISTICS)
    width = sigma if scaling == "scale_sigma" else high - low
    lost = too_narrow(width, np_.maximum(abs(low), abs(high)), dtype)
    broad = np_.maximum(1.0, abs(mean)).astype(low.dtype)
    share = np_.where(lost & (high > low), (mean - low) / np_.where(high > low, high - low, 1.0), 0.0)
    start = (mean - share * broad).astype(low.dtype)
    new = {"min": start, "max": start + broad, "mean": mean, "sigma": broad}
    return {name: np_.where(lost, new[name], np_.asarray(statistics[name])) for name in STATISTICS}, lost


def warn_of_constants(where: str, names: Mapping[str, Sequence[str]], stacklevel: int = 2) -> None:
    """Warns that values of a descriptor are constants because of their narrow range; says nothing if there are none.

    Args:
        where: of the statistics, for the message.
        names: of the values, by element.
        stacklevel: of the caller.
    """
    kinds = [f"{', '.join(each)} of {symbol}" for symbol, each in names.items() if len(each)]
    if kinds:
        kind = jnp.result_type(float).name
        remedy = "; with jax.config.update('jax_enable_x64', True) they would vary" if kind == "float32" else ""
        warnings.warn(
            f"{where}: the range of {'; '.join(kinds)} is too narrow for {kind}; they are used as constants{remedy}",
            stacklevel=stacklevel + 1,
        )


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
        {element: {"min", "max", "mean", "sigma"}}, for ``potential.init(key, scaling)``. Values that do not vary within
        the precision of their float type are constants, and a warning names them: they have the range
        :func:`representable` gives them.

    Raises:
        ValueError: fewer than two atoms of an element.

    Example:
        >>> import numpy as np
        >>> from jaxpot.fit import scaling_of
        >>> {name: float(v[0]) for name, v in scaling_of({"Ar": np.array([[1.0], [3.0]])})["Ar"].items()}
        {'min': 1.0, 'max': 3.0, 'mean': 2.0, 'sigma': 1.4142135623730951}
    """
    result, constants = {}, {}
    for symbol, each in values.items():
        if len(each) < 2:
            raise ValueError(f"{len(each)} atoms of {symbol} in the structures; scaling needs at least two")
        found = {
            "min": each.min(axis=0),
            "max": each.max(axis=0),
            "mean": each.mean(axis=0),
            "sigma": each.std(axis=0, ddof=1),
        }
        result[symbol], lost = representable("scale", found, each.dtype)
        constants[symbol] = [f"G{k + 1}" for k in np.flatnonzero(lost)]
    warn_of_constants("training structures", constants)
    return result


def varies(each: np.ndarray) -> np.ndarray:
    """Which values of a descriptor vary over atoms, within the precision of their float type.

    Args:
        each: [atoms, values].

    Returns:
        [values] bool.
    """
    return ~too_narrow(np.ptp(each, axis=0), np.abs(each).max(axis=0), each.dtype)


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
