"""Hyperspherical harmonics of the unit sphere in four dimensions, and a quadrature rule for products of three."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Rule", "columns", "radial_functions", "rows_before", "rule", "solid_harmonics"]


def rows_before(twojmax: int, order: int) -> int:
    """How many radial functions come before those of l, among those of the l that are even, or odd."""
    return sum(twojmax + 1 - lower for lower in range(order % 2, order, 2))


def columns(order: int) -> slice:
    """Where the solid harmonics of l lie among those of the l that are even, or odd."""
    start = sum(2 * lower + 1 for lower in range(order % 2, order, 2))
    return slice(start, start + 2 * order + 1)


def radial_functions(twojmax: int, angle: jax.Array) -> list[jax.Array]:
    """N_jl sin^l(t) C^{l+1}_{j-l}(cos t) with Gegenbauer's polynomials, [rows, ...] for all even l, and for all odd.

    The rows go over l and then over j = l ... 2J. Y_jlm(q) is this times S_lm(r/|r|), normalised such that
    sum_lm Y_jlm(q) Y_jlm(p) = U_j(q . p).
    """
    n = jnp.arange(twojmax + 1, dtype=angle.dtype).reshape(-1, *[1] * angle.ndim)
    waves = jnp.cos(n * angle[None]), jnp.sin(n * angle[None])
    return [
        jnp.tensordot(jnp.asarray(t, angle.dtype), w, 1) for t, w in zip(radial_tables(twojmax), waves, strict=True)
    ]


def solid_harmonics(degree: int, x: jax.Array, y: jax.Array, z: jax.Array) -> list[jax.Array]:
    """Real spherical harmonics S_lm of a unit vector, [rows, ...] for all even l, and for all odd.

    The rows go over l and then over m: cosines for m = 0 ... l, then sines. They are normalised such that
    sum_m S_lm(a) S_lm(b) is Legendre's polynomial P_l(a . b).
    """
    polar, circle = chebyshev(degree, z), circular(degree, x, y)
    return [
        jnp.tensordot(jnp.asarray(legendre, x.dtype), polar, 1) * jnp.tensordot(jnp.asarray(choice, x.dtype), circle, 1)
        for legendre, choice in harmonic_tables(degree)
    ]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def chebyshev(degree: int, x: jax.Array) -> jax.Array:
    """[degree + 1, ...] Chebyshev's polynomials T_n(x), by T_{a+b} = 2 T_a T_b - T_{a-b}."""
    values = [jnp.ones_like(x), x]
    for n in range(2, degree + 1):
        values.append(2.0 * values[n // 2] * values[n - n // 2] - values[n % 2])
    return jnp.stack(values[: degree + 1])


@chebyshev.defjvp
def _(degree: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    # the derivative of each is a sum of those of lower degree
    slopes = np.zeros((degree + 1, degree + 1))
    for n in range(1, degree + 1):
        slopes[n, :n] = np.polynomial.chebyshev.chebder(np.eye(degree + 1)[n])[:n]
    values = chebyshev(degree, *primals)
    return values, jnp.tensordot(jnp.asarray(slopes, values.dtype), values, 1) * tangents[0][None]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def circular(degree: int, x: jax.Array, y: jax.Array) -> jax.Array:
    """[2 (degree + 1), ...] real parts of (x + i y)^m, m = 0 ... degree, then imaginary parts."""
    real, imaginary = [jnp.ones_like(x), x], [jnp.zeros_like(x), y]
    for m in range(2, degree + 1):
        a, b = m // 2, m - m // 2
        real.append(real[a] * real[b] - imaginary[a] * imaginary[b])
        imaginary.append(real[a] * imaginary[b] + imaginary[a] * real[b])
    return jnp.stack(real[: degree + 1] + imaginary[: degree + 1])


@circular.defjvp
def _(degree: int, primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    values = circular(degree, *primals)
    # d (x + i y)^m = m (x + i y)^(m-1) (dx + i dy)
    lower = np.diag(np.arange(1.0, degree + 1), -1)
    by_x = np.kron(np.eye(2), lower)
    by_y = np.kron(np.array([[0.0, -1.0], [1.0, 0.0]]), lower)
    slopes = [jnp.tensordot(jnp.asarray(by, values.dtype), values, 1) for by in (by_x, by_y)]
    return values, slopes[0] * tangents[0][None] + slopes[1] * tangents[1][None]


@functools.cache
def radial_tables(twojmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients [rows, n] of the radial functions in cos(nt) for even l, and in sin(nt) for odd l."""
    from scipy.special import eval_gegenbauer

    count = 2 * twojmax + 2
    t = 2 * np.pi * np.arange(count) / count
    n = np.arange(twojmax + 1)
    waves = [np.cos(np.outer(n, t)), np.sin(np.outer(n, t))]
    rows: list[list[np.ndarray]] = [[], []]
    for order in range(twojmax + 1):
        for j in range(order, twojmax + 1):
            norm = (
                2**order
                * math.factorial(order)
                * math.sqrt((2 * order + 1) * math.factorial(j - order) / math.factorial(j + order + 1))
            )
            values = norm * np.sin(t) ** order * eval_gegenbauer(j - order, order + 1, np.cos(t))
            row = waves[order % 2] @ values * np.where(n == 0, 1, 2) / count
            rows[order % 2].append(np.where(n % 2 == j % 2, row, 0.0))
    even, odd = (np.array(r).reshape(-1, twojmax + 1) for r in rows)
    return even, odd


@functools.cache
def harmonic_tables(degree: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For even and for odd l: coefficients [rows, n] of S_lm in T_n(z), and which row [rows, 2 (degree + 1)] of
    :func:`circular` multiplies it."""
    from numpy.polynomial import chebyshev as series
    from numpy.polynomial import legendre

    tables = []
    for parity in (0, 1):
        polar, choice = [], []
        for order in range(parity, degree + 1, 2):
            for sine, m in [(0, m) for m in range(order + 1)] + [(1, m) for m in range(1, order + 1)]:
                derived = series.poly2cheb(legendre.leg2poly(legendre.legder([0] * order + [1], m)))
                norm = math.sqrt((2 - (m == 0)) * math.factorial(order - m) / math.factorial(order + m))
                polar.append(np.pad(norm * derived, (0, degree + 1 - len(derived))))
                choice.append(np.eye(2 * (degree + 1))[sine * (degree + 1) + m])
        tables.append((np.array(polar).reshape(-1, degree + 1), np.array(choice).reshape(-1, 2 * (degree + 1))))
    return tables


class Rule(NamedTuple):
    """A quadrature rule for means over the sphere.

    Attributes:
        values: for each j, the harmonics Y_jlm [(j + 1)^2, points] at the points.
        weights: [points], of sum 1.
    """

    values: tuple[np.ndarray, ...]
    weights: np.ndarray


@functools.cache
def rule(twojmax: int) -> Rule:
    """The rule for <f_j1 f_j2 f_j>.

    The products are even in p, hence functions of the rotation p, with angular momenta up to L = (j1 + j2 + j)/2. A
    mean over L + 1 turns around the axis leaves spherical harmonics of the axis up to L, for which Lebedev's rules are
    exact (M. Gräf and D. Potts, Numer. Funct. Anal. Optim. 30, 665 (2009)).
    """
    from scipy.integrate import lebedev_rule

    largest = 3 * twojmax // 2
    degrees = [*range(3, 32, 2), *range(35, 132, 6)]
    (nx, ny, nz), weights = lebedev_rule(next(d for d in degrees if d >= largest))
    turns = largest + 1
    polar, azimuth = np.arccos(np.clip(nz, -1, 1))[:, None], np.arctan2(ny, nx)[:, None]
    turn = 2 * np.pi * np.arange(turns)[None, :] / turns
    plus, minus = 0.5 * (azimuth + turn), 0.5 * (azimuth - turn)
    c, s = np.cos(0.5 * polar), np.sin(0.5 * polar)
    # the angle of rotation 2 t and its axis
    axis = [-s * np.sin(minus), s * np.cos(minus), c * np.sin(plus)]
    sine = np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
    angle = np.arctan2(sine, c * np.cos(plus)).ravel()
    axis = [np.where(sine > 0, v / np.where(sine > 0, sine, 1.0), k == 2).ravel() for k, v in enumerate(axis)]
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        solid = [np.asarray(v) for v in solid_harmonics(twojmax, *map(jnp.asarray, axis))]
        radial = [np.asarray(v) for v in radial_functions(twojmax, jnp.asarray(angle))]
    values = [
        np.concatenate([
            radial[order % 2][rows_before(twojmax, order) + j - order] * solid[order % 2][columns(order)]
            for order in range(j + 1)
        ])
        for j in range(twojmax + 1)
    ]  # fmt: skip
    return Rule(tuple(values), np.repeat(weights / (4 * np.pi * turns), turns))
