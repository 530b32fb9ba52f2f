"""Hyperspherical harmonics of the unit sphere in four dimensions, and a quadrature rule for products of three.

A point q of the sphere is a pair of complex numbers, z = q0 + i q3 and w = q1 + i q2 with |z|^2 + |w|^2 = 1. In these
variables the harmonics of degree j are products,

    Y_jkl = N z^k w^l P_n^(l,k)(|z|^2 - |w|^2),    k + l + 2 n = j,    N^2 = n! (n + k + l)! / ((n + k)! (n + l)!),

with Jacobi's polynomials. Each power with an exponent above 0 is replaced by its real or its imaginary part, times
sqrt(2). They are Wigner's functions D^{j/2}_mm' with m, m' = (k +- l)/2, normalised such that
sum_kl Y_jkl(q) Y_jkl(p) = U_j(q . p) with Chebyshev's polynomials of the second kind.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Rule", "at_pole", "harmonics", "ingredients", "moments", "of_degree", "rule", "rule_degrees"]

Point = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
PARTS = (0, 1)  # real, imaginary


class Harmonic(NamedTuple):
    """A harmonic: the powers of z and w, which of their parts (real, imaginary) it has, and the degree n."""

    k: int
    part_k: int
    l: int
    part_l: int
    n: int

    @property
    def series(self) -> np.ndarray:
        """[n + 1] coefficients of N P_n^(l,k) in Chebyshev's polynomials of the first kind."""
        from scipy.special import jacobi

        n, k, l = self.n, self.k, self.l
        parts = (2 - (k == 0)) * (2 - (l == 0))
        norm = parts * math.factorial(n) * math.factorial(n + k + l) / (math.factorial(n + k) * math.factorial(n + l))
        polynomial = np.atleast_1d(jacobi(n, l, k).coef)[::-1]
        return math.sqrt(norm) * np.polynomial.chebyshev.poly2cheb(polynomial)


def powers_up_to(degree: int) -> list[tuple[int, int]]:
    """(power, part) of all powers up to a degree; power 0 has no imaginary part."""
    return [(k, part) for k in range(degree + 1) for part in PARTS if k or not part]


def harmonics_of(j: int) -> list[Harmonic]:
    """The (j + 1)^2 harmonics of degree j, in the order used everywhere."""
    return [
        Harmonic(k, part_k, l, part_l, (j - k - l) // 2)
        for k, part_k in powers_up_to(j)
        for l, part_l in powers_up_to(j - k)
        if (j - k - l) % 2 == 0
    ]


class Ingredients(NamedTuple):
    """The factors whose products are the harmonics times a weight; they are few. Each is [factors, ...].

    Attributes:
        of_z: powers of z.
        of_w: powers of w.
        along: the weight times N P_n^(l,k)(|z|^2 - |w|^2).
    """

    of_z: jax.Array
    of_w: jax.Array
    along: jax.Array


def ingredients(twojmax: int, weights: list[jax.Array], point: Point) -> list[Ingredients]:
    """The factors of the harmonics up to twojmax at points, for each of several weights.

    Args:
        twojmax: the largest degree.
        weights: several, each of the shape of the points.
        point: q0, q1, q2, q3, each of any shape.
    """
    first, second, chebyshevs = coordinates(twojmax, point)
    series = np.zeros((len(polynomials_of(twojmax)), len(chebyshevs)))
    for row, (k, l, n) in zip(series, polynomials_of(twojmax), strict=True):
        row[: n + 1] = Harmonic(k, 0, l, 0, n).series
    table, along = jnp.asarray(series, point[0].dtype), jnp.stack(chebyshevs)
    of_z = jnp.stack([first[part][k] for k, part in powers_up_to(twojmax)])
    of_w = jnp.stack([second[part][l] for l, part in powers_up_to(twojmax)])
    return [Ingredients(of_z, of_w, jnp.tensordot(table, weight[None] * along, 1)) for weight in weights]


def harmonics(twojmax: int, made_of: Ingredients) -> jax.Array:
    """The harmonics of all degrees up to twojmax, times the weight.

    Args:
        twojmax: the largest degree.
        made_of: from :func:`ingredients`.

    Returns:
        [harmonics, ...]; those of degree j are at :func:`of_degree`.
    """
    rows = [h for j in range(twojmax + 1) for h in harmonics_of(j)]
    power = {key: at for at, key in enumerate(powers_up_to(twojmax))}
    polynomial = {key: at for at, key in enumerate(polynomials_of(twojmax))}
    of_z = np.array([power[h.k, h.part_k] for h in rows])
    of_w = np.array([power[h.l, h.part_l] for h in rows])
    along = np.array([polynomial[h.k, h.l, h.n] for h in rows])
    return made_of.of_z[of_z] * made_of.of_w[of_w] * made_of.along[along]


def polynomials_of(twojmax: int) -> list[tuple[int, int, int]]:
    """(k, l, n) of all Jacobi polynomials in harmonics up to a degree."""
    return sorted({(h.k, h.l, h.n) for j in range(twojmax + 1) for h in harmonics_of(j)})


def of_degree(j: int, step: int = 1) -> slice:
    """The place of degree j among the harmonics of all degrees; with step 2, among those of degrees of equal parity."""
    start = sum((lower + 1) ** 2 for lower in range(j % step, j, step))
    return slice(start, start + (j + 1) ** 2)


def moments(twojmax: int, weights: list[jax.Array], point: Point) -> list[list[jax.Array]]:
    """sum_k weights_k Y_jkl(q_k) over the last axis of the points, computed without the harmonics of single points.

    Args:
        twojmax: the largest degree.
        weights: several, each [..., neighbors].
        point: q0, q1, q2, q3, each [..., neighbors].

    Returns:
        For each of the weights and each degree j, [..., (j + 1)^2].
    """
    first, second, along = coordinates(twojmax, point)
    # z^k T_p and w^l for even and for odd powers, [..., factors, neighbors]; harmonics are sums of their products
    lefts = [in_rows([first[part][k] * along[p] for k, part, p in rows], point[0]) for rows in left_rows(twojmax)]
    rights = [in_rows([second[part][l] for l, part in rows], point[0]) for rows in right_rows(twojmax)]
    found = []
    for weight in weights:
        each: list[jax.Array] = []
        for parity, table in zip(PARTS, product_tables(twojmax), strict=True):
            products = [
                jnp.einsum("...ak,...bk->...ab", lefts[even], rights[(parity + even) % 2] * weight[..., None, :])
                for even in PARTS
            ]
            flat = jnp.concatenate([p.reshape(*p.shape[:-2], -1) for p in products], axis=-1)
            each.append(flat @ jnp.asarray(table, flat.dtype))
        found.append([each[j % 2][..., of_degree(j, 2)] for j in range(twojmax + 1)])
    return found


def in_rows(values: list[jax.Array], like: jax.Array) -> jax.Array:
    """Stack values [..., neighbors] to a matrix [..., rows, neighbors]; the list of values may be empty."""
    return jnp.stack(values, axis=-2) if values else jnp.zeros((*like.shape[:-1], 0, like.shape[-1]), like.dtype)


def left_rows(twojmax: int) -> list[list[tuple[int, int, int]]]:
    """(k, part, p) of the products z^k T_p in the harmonics, for even and for odd k."""
    return [
        [(k, part, p) for k, part in powers_up_to(twojmax) if k % 2 == parity for p in range((twojmax - k) // 2 + 1)]
        for parity in PARTS
    ]


def right_rows(twojmax: int) -> list[list[tuple[int, int]]]:
    """(l, part) of the powers w^l, for even and for odd l."""
    return [[power for power in powers_up_to(twojmax) if power[0] % 2 == parity] for parity in PARTS]


@functools.cache
def product_tables(twojmax: int) -> list[np.ndarray]:
    """Matrices [products, harmonics] that give the harmonics of all even degrees, and of all odd degrees, from products
    of the left rows and the right rows."""
    tables = []
    for parity in PARTS:
        place: dict[tuple[int, ...], int] = {}
        for even in PARTS:
            for k, part_k, p in left_rows(twojmax)[even]:
                for l, part_l in right_rows(twojmax)[(parity + even) % 2]:
                    place[k, part_k, p, l, part_l] = len(place)
        rows = [h for j in range(parity, twojmax + 1, 2) for h in harmonics_of(j)]
        table = np.zeros((len(place), len(rows)))
        for column, h in enumerate(rows):
            for p, value in enumerate(h.series):
                table[place[h.k, h.part_k, p, h.l, h.part_l], column] = value
        tables.append(table)
    return tables


def coordinates(
    twojmax: int, point: Point
) -> tuple[tuple[list[jax.Array], list[jax.Array]], tuple[list[jax.Array], list[jax.Array]], list[jax.Array]]:
    """Powers of z and of w, real and imaginary parts, and Chebyshev's polynomials of |z|^2 - |w|^2."""
    a, b, c, d = point
    return powers(twojmax, a, d), powers(twojmax, b, c), chebyshev(twojmax // 2, a * a + d * d - b * b - c * c)


# The following two functions have custom derivatives, since derivatives of the recurrences would be long chains.


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def powers(degree: int, x: jax.Array, y: jax.Array) -> tuple[list[jax.Array], list[jax.Array]]:
    """Real and imaginary parts of (x + i y)^m, m = 0 ... degree."""
    real, imaginary = [jnp.ones_like(x), x], [jnp.zeros_like(x), y]
    for m in range(2, degree + 1):
        a, b = m // 2, m - m // 2
        real.append(real[a] * real[b] - imaginary[a] * imaginary[b])
        imaginary.append(real[a] * imaginary[b] + imaginary[a] * real[b])
    return real[: degree + 1], imaginary[: degree + 1]


@powers.defjvp
def _(
    degree: int, primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[tuple[list[jax.Array], list[jax.Array]], tuple[list[jax.Array], list[jax.Array]]]:
    real, imaginary = powers(degree, *primals)
    dx, dy = tangents
    still = [jnp.zeros_like(dx)]
    # d (x + i y)^m = m (x + i y)^(m-1) (dx + i dy)
    along = [m * (real[m - 1] * dx - imaginary[m - 1] * dy) for m in range(1, degree + 1)]
    across = [m * (real[m - 1] * dy + imaginary[m - 1] * dx) for m in range(1, degree + 1)]
    return (real, imaginary), (still + along, still + across)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def chebyshev(degree: int, x: jax.Array) -> list[jax.Array]:
    """Chebyshev's polynomials T_n(x), n = 0 ... degree, by T_{a+b} = 2 T_a T_b - T_{a-b}."""
    values = [jnp.ones_like(x), x]
    for n in range(2, degree + 1):
        values.append(2.0 * values[n // 2] * values[n - n // 2] - values[n % 2])
    return values[: degree + 1]


@chebyshev.defjvp
def _(degree: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
    values = chebyshev(degree, *primals)
    slopes = [jnp.zeros_like(tangents[0])]
    for n in range(1, degree + 1):
        # the derivative of T_n is a sum of polynomials of lower degree
        series = np.polynomial.chebyshev.chebder(np.eye(n + 1)[n])
        terms = [float(c) * values[m] for m, c in enumerate(series) if c]
        slopes.append(sum(terms[1:], terms[0]) * tangents[0])
    return values, slopes


class Rule(NamedTuple):
    """A quadrature rule for means over the sphere.

    Attributes:
        values: for each j, the harmonics [(j + 1)^2, points] at the points.
        weights: [points], of sum 1.
    """

    values: tuple[np.ndarray, ...]
    weights: np.ndarray


LEBEDEV = (*range(3, 32, 2), *range(35, 132, 6))  # degrees of Lebedev's rules


def rule_degrees(largest: int) -> list[int]:
    """The angular momenta up to which rules are made: the degrees of Lebedev's rules below ``largest``, and that."""
    steps = [degree for degree in LEBEDEV if degree < largest]
    return [*steps, largest]


@functools.cache
def rule(twojmax: int, largest: int) -> Rule:
    """The rule for <f_j1 f_j2 f_j> with (j1 + j2 + j)/2 <= largest.

    The products are even in p, so they are functions of the rotation p, with angular momenta up to
    L = (j1 + j2 + j)/2. The mean over L + 1 rotations around the axis leaves spherical harmonics of the axis up to L,
    for which Lebedev's rules are exact (M. Gräf and D. Potts, Numer. Funct. Anal. Optim. 30, 665 (2009)).
    """
    from scipy.integrate import lebedev_rule

    (nx, ny, nz), weights = lebedev_rule(next(d for d in LEBEDEV if d >= largest))
    turns = largest + 1
    polar, azimuth = np.arccos(np.clip(nz, -1, 1))[:, None], np.arctan2(ny, nx)[:, None]
    turn = 2 * np.pi * np.arange(turns)[None, :] / turns
    plus, minus = 0.5 * (azimuth + turn), 0.5 * (azimuth - turn)
    cos, sin = np.cos(0.5 * polar), np.sin(0.5 * polar)
    points = [cos * np.cos(plus), -sin * np.sin(minus), sin * np.cos(minus), cos * np.sin(plus)]
    values = on_host(twojmax, [np.ravel(p) for p in points])
    return Rule(tuple(values), np.repeat(weights / (4 * np.pi * turns), turns))


@functools.cache
def at_pole(twojmax: int) -> list[np.ndarray]:
    """For each j, the harmonics [(j + 1)^2] at the pole (1, 0, 0, 0)."""
    return [values[:, 0] for values in on_host(twojmax, [np.array([float(k == 0)]) for k in range(4)])]


def on_host(twojmax: int, point: list[np.ndarray]) -> list[np.ndarray]:
    """For each j, the harmonics at points, as numpy constants."""
    a, b, c, d = point
    z, w, along = a + 1j * d, b + 1j * c, a * a + d * d - b * b - c * c

    def part(power: np.ndarray, which: int) -> np.ndarray:
        return power.imag if which else power.real

    def one(h: Harmonic) -> np.ndarray:
        polynomial = np.polynomial.chebyshev.chebval(along, h.series)
        return part(z**h.k, h.part_k) * part(w**h.l, h.part_l) * polynomial

    return [np.array([one(h) for h in harmonics_of(j)]) for j in range(twojmax + 1)]
