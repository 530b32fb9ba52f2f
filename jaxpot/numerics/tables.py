"""Tabulated functions as parameters: checks named arrays of knots and makes cubics from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.numerics.splines import LEAST_KNOTS, Cubics, cubics, exact_values, rounded_values

__all__ = ["TableGrid", "exact_tables", "table_cubics", "table_params"]

ROUNDING = "rounding"
Shapes = Mapping[str, tuple[int, ...]]


class TableGrid(NamedTuple):
    """The grids of functions of a density and of a distance, both beginning at 0.

    Attributes:
        n_rho: number of knots of the functions of density.
        d_rho: their spacing, in the unit of the density.
        n_r: number of knots of the functions of distance.
        d_r: their spacing, Å.
    """

    n_rho: int
    d_rho: float
    n_r: int
    d_r: float

    def check(self, owner: str) -> None:
        """Raise ValueError, naming ``owner``, where a grid has fewer than three knots or a spacing is not positive."""
        for what, number in (("n_rho", self.n_rho), ("n_r", self.n_r)):
            if number < LEAST_KNOTS:
                raise ValueError(f"{owner}: {what} must be at least {LEAST_KNOTS}, got {number}")
        for what, spacing in (("d_rho", self.d_rho), ("d_r", self.d_r)):
            if not 0 < spacing < float("inf"):
                raise ValueError(f"{owner}: {what} must be a positive number, got {spacing}")


def table_params(owner: str, shapes: Shapes, values: Mapping[str, Any], dtype: Any = None) -> dict[str, Any]:
    """The params pytree of tabulated functions.

    Args:
        owner: name of the potential, for the message.
        shapes: of each table, the last axis that of the knots.
        values: float64 tables by name.
        dtype: of the params; JAX's default float type if None.

    Returns:
        The tables by name. Unless ``dtype`` is float64, "rounding" holds the differences that the tables lost by
        rounding, under the same names; see :func:`jaxpot.numerics.splines.rounded_values`.

    Raises:
        ValueError: a name or shape is not the expected one.

    Example:
        >>> import numpy as np
        >>> params = table_params("eam", {"pair": (1, 1, 4)}, {"pair": np.ones((1, 1, 4))}, np.float32)
        >>> sorted(params), params["pair"].dtype
        (['pair', 'rounding'], dtype('float32'))
    """
    _check(owner, shapes, values)
    parts = {name: rounded_values(values[name], dtype) for name in shapes}
    params: dict[str, Any] = {name: value for name, (value, _) in parts.items()}
    rounding = {name: rest for name, (_, rest) in parts.items() if rest is not None}
    return params | {ROUNDING: rounding} if rounding else params


def table_cubics(
    owner: str, shapes: Shapes, params: Any, dtype: Any, symmetric: tuple[str, ...] = ()
) -> dict[str, Cubics]:
    """The cubics of the tables in a params pytree; the tables of a name follow one another.

    Args:
        owner: name of the potential, for the message.
        shapes: of each table, the last axis that of the knots.
        params: as :func:`table_params` makes it; "rounding" may be missing.
        dtype: of the cubics. They are made in the precision of the params.
        symmetric: names of tables [elements, elements, knots] that are symmetrised: (table + transpose) / 2.

    Returns:
        :class:`jaxpot.numerics.splines.Cubics` by name.

    Raises:
        ValueError: a name or shape is not the expected one.
    """
    tables = {n: v for n, v in params.items() if n != ROUNDING} if isinstance(params, Mapping) else params
    _check(owner, shapes, tables)
    rounding = params.get(ROUNDING)
    if rounding is not None:
        _check(f"{owner} (rounding)", shapes, rounding)

    def mean(name: str, values: Any) -> jax.Array:
        values = jnp.asarray(values)
        return 0.5 * (values + jnp.swapaxes(values, 0, 1)) if name in symmetric else values

    return {
        name: cubics(
            mean(name, tables[name]), None if rounding is None else mean(name, rounding[name]), dtype
        )
        for name in shapes
    }  # fmt: skip


def exact_tables(params: Mapping[str, Any]) -> dict[str, Any]:
    """The float64 tables of a params pytree, on the host.

    Args:
        params: as :func:`table_params` makes it.

    Returns:
        numpy arrays by name.
    """
    rounding = params.get(ROUNDING) or {}
    return {name: exact_values(value, rounding.get(name)) for name, value in params.items() if name != ROUNDING}


def _check(owner: str, shapes: Shapes, tables: Any) -> None:
    expected = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    if not isinstance(tables, Mapping):
        raise ValueError(f"{owner} takes params as a dict of {expected}; got {type(tables).__name__}")
    got = {name: jnp.shape(value) for name, value in tables.items()}
    if got != dict(shapes):
        found = ", ".join(f"{name} {list(shape)}" for name, shape in got.items())
        raise ValueError(f"{owner} takes params as a dict of {expected}; got {found or 'none'}")
