"""Piecewise cubics through values on a uniform grid, differentiable in the argument and in the values.

The interpolation is that of LAMMPS's tabulated potentials. On each interval it is a cubic with the tabulated values at
both ends, and with slopes there from finite differences. It is continuous with its first derivative, and each interval
depends on only six values. It is not the natural cubic spline, which other programs use for the same tables.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "Cubics",
    "cubics",
    "cubics_at",
    "cubics_extended_at",
    "exact_values",
    "held_at_end",
    "locate",
    "rounded_values",
]

LEAST_KNOTS = 3


class Cubics(NamedTuple):
    """A cubic for each interval: c0 + c1 t + c2 t^2 + c3 t^3 with t from 0 to 1 between a knot and the next.

    There are four arrays instead of one with an axis of length four, because gathers from them are faster on a CPU.

    Attributes:
        c0: [tables * knots] values at the knots.
        c1: [tables * knots] slopes there, per interval.
        c2: [tables * knots]; 0 at the last knot of a table, where no interval begins.
        c3: [tables * knots].
    """

    c0: jax.Array
    c1: jax.Array
    c2: jax.Array
    c3: jax.Array


def cubics(knots: jax.Array, rounding: jax.Array | None = None, dtype: Any = None) -> Cubics:
    """The cubics of tables on a uniform grid.

    With d_k = f_{k+1} - f_k, the slopes (per interval) are those of fourth order,
    g_k = (f_{k-2} - 8 f_{k-1} + 8 f_{k+1} - f_{k+2}) / 12, of second order, (f_{k+1} - f_{k-1}) / 2, next to the ends,
    and d_k at the ends; c2 = 3 d_k - 2 g_k - g_{k+1}, c3 = g_k + g_{k+1} - 2 d_k.

    Args:
        knots: [..., knots] values f; leading axes count tables.
        rounding: of the shape of ``knots``, corrections to be added to them, see :func:`rounded_values`.
        dtype: of the result; that of ``knots`` by default.

    Returns:
        :class:`Cubics`, the tables one after another.

    Raises:
        ValueError: a table has fewer than three knots.

    Example:
        >>> import jax.numpy as jnp
        >>> table = cubics(jnp.arange(6.0) ** 2)
        >>> k, t = locate(jnp.asarray(1.25), 0.5, 6)
        >>> float(cubics_at(table, k, t))  # 2.5 steps from 0
        6.25
    """
    knots = jnp.asarray(knots)
    if knots.shape[-1] < LEAST_KNOTS:
        raise ValueError(f"a table needs at least {LEAST_KNOTS} knots, got {knots.shape[-1]}")
    f = knots if rounding is None else knots + rounding
    # Neighbouring knots of a fine table agree in most of their digits. All slopes are computed from these differences,
    # to which the digits that the knots lost by rounding are added.
    d = knots[..., 1:] - knots[..., :-1]
    if rounding is not None:
        d = d + (rounding[..., 1:] - rounding[..., :-1])
    second, last_but_one = (d[..., :1] + d[..., 1:2]) / 2, (d[..., -2:-1] + d[..., -1:]) / 2
    slopes = [d[..., :1], second, d[..., -1:]]
    if knots.shape[-1] > 3:
        inner = (8 * (d[..., 2:-1] + d[..., 1:-2]) - (d[..., 3:] + d[..., 2:-1] + d[..., 1:-2] + d[..., :-3])) / 12
        slopes[2:2] = [inner, last_but_one]
    g = jnp.concatenate(slopes, axis=-1)
    end = jnp.zeros_like(f[..., :1])
    c2 = jnp.concatenate([3 * d - 2 * g[..., :-1] - g[..., 1:], end], axis=-1)
    c3 = jnp.concatenate([g[..., :-1] + g[..., 1:] - 2 * d, end], axis=-1)
    return Cubics(*(c.reshape(-1).astype(dtype or knots.dtype) for c in (f, g, c2, c3)))


def locate(x: jax.Array, spacing: float, knots: int) -> tuple[jax.Array, jax.Array]:
    """The interval of a uniform grid from 0 in which x lies, and the place in that interval.

    Args:
        x: any shape.
        spacing: of the grid, in the unit of x.
        knots: of the grid.

    Returns:
        The number of the interval, int32 from 0 to knots - 2, and t = x / spacing minus it: 0 to 1 inside of the grid,
        negative below it, above 1 beyond it.
    """
    steps = x * (1.0 / spacing)
    interval = jax.lax.clamp(np.int32(0), steps.astype(jnp.int32), np.int32(knots - 2))
    return interval, steps - interval.astype(x.dtype)


def _take(values: jax.Array, index: jax.Array) -> jax.Array:
    """values[index] for indices known to be in range: a plain gather without checks or negative indices."""
    numbers = jax.lax.GatherDimensionNumbers(offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,))
    return jax.lax.gather(values, index[..., None], numbers, (1,), mode=jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS)


def held_at_end(t: jax.Array) -> jax.Array:
    """The place t in the last interval, limited to its end, with the derivative of t itself.

    LAMMPS does the same with distances between the last knot and a cutoff one step further: the value is that of the
    last knot, and the force is the slope there. In this interval the force is not the derivative of the energy; it is
    the force of a table that continues to the cutoff, as the author of the table meant it. Where a table ends with
    slope 0 there is no difference.

    Args:
        t: as :func:`locate` gives it.

    Returns:
        min(t, 1), with derivative 1 everywhere.
    """
    return t - jax.lax.stop_gradient(jnp.maximum(t - 1.0, 0.0))


def cubics_at(table: Cubics, index: jax.Array, t: jax.Array) -> jax.Array:
    """Values of cubics.

    Args:
        table: from :func:`cubics`.
        index: number of the interval from :func:`locate`, plus the number of the table times the number of knots.
        t: place in the interval, of the shape of ``index``.

    Returns:
        Values, of the shape of ``index``.
    """
    c0, c1, c2, c3 = (_take(c, index) for c in table)
    return ((c3 * t + c2) * t + c1) * t + c0


def cubics_extended_at(
    table: Cubics,
    x: jax.Array,
    spacing: float,
    knots: int,
    number: jax.Array | int = 0,
    linear_from: float | None = None,
) -> jax.Array:
    """Values of cubics, extended linearly beyond the last knot and by the first cubic below the first knot.

    Args:
        table: from :func:`cubics`.
        x: any shape.
        spacing: of the grid, in the unit of x.
        knots: of the grid.
        number: number of the table, one or of the shape of ``x``.
        linear_from: where the straight line begins, in the unit of x: at the last knot (by default) or beyond it.
            Between the last knot and this place, the value is constant and the derivative is that of the line (see
            :func:`held_at_end`).

    Returns:
        Values, of the shape of ``x``.
    """
    interval, t = locate(x, spacing, knots)
    beyond = t - 1.0 if linear_from is None else (x - linear_from) * (1.0 / spacing)
    beyond = jax.lax.stop_gradient(jnp.maximum(beyond, 0.0))  # the derivative comes from `held_at_end` alone
    end_slope = _take(table.c1, jnp.asarray(number * knots + (knots - 1)))
    return cubics_at(table, number * knots + interval, held_at_end(t)) + beyond * end_slope


def rounded_values(values: Any, dtype: Any = None) -> tuple[jax.Array, jax.Array | None]:
    """Numbers rounded to ``dtype``, and the differences that they lose by rounding.

    The slope of a fine table is a small difference of large numbers: ten thousand knots in float32 give slopes with
    only three correct digits. The two parts of a number together have 48 bits, which gives slopes in the full precision
    of float32.

    Args:
        values: float64 numbers, any shape.
        dtype: JAX's default float type if None.

    Returns:
        The numbers and the rest, which is None for float64.

    Example:
        >>> import numpy as np
        >>> value, rest = rounded_values(np.float64(1 / 3), np.float32)
        >>> f"{1 / 3 - float(value):.2e} {1 / 3 - float(value) - float(rest):.0e}"
        '-9.93e-09 ...'
    """
    dtype = jnp.dtype(dtype) if dtype is not None else jnp.result_type(float)
    exact = np.asarray(values, np.float64)
    near = exact.astype(dtype)
    if dtype == np.float64:
        return jnp.asarray(near), None
    return jnp.asarray(near), jnp.asarray((exact - near.astype(np.float64)).astype(dtype))


def exact_values(values: Any, rounding: Any = None) -> np.ndarray:
    """The float64 numbers from the two parts that :func:`rounded_values` makes, on the host.

    Args:
        values: numbers of any float type.
        rounding: the rest, or None.

    Returns:
        float64, of the shape of ``values``.
    """
    exact = np.asarray(values, np.float64)
    return exact if rounding is None else exact + np.asarray(rounding, np.float64)
