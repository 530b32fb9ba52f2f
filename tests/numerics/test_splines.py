"""LAMMPS's cubics against polynomials, of which they reproduce those of third degree, and against their definition."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.numerics.splines import (
    cubics,
    cubics_at,
    cubics_extended_at,
    exact_values,
    held_at_end,
    locate,
    rounded_values,
)
from tests.conftest import FLOAT32

SPACING = 0.25
KNOTS = 12
LAST = SPACING * (KNOTS - 1)
RTOL = 1e-4 if FLOAT32 else 1e-10


def value(knots: np.ndarray, x: jax.Array) -> jax.Array:
    interval, t = locate(x, SPACING, knots.shape[-1])
    return cubics_at(cubics(jnp.asarray(knots, float)), interval, held_at_end(t))


def slope(knots: np.ndarray, x: jax.Array) -> jax.Array:
    return jax.vmap(jax.grad(lambda x: value(knots, x)))(x)


def test_cubic_polynomials_are_exact_away_from_the_ends() -> None:
    polynomial = np.polynomial.Polynomial([0.3, -1.2, 0.7, 0.4])
    knots = polynomial(SPACING * np.arange(KNOTS))
    x = jnp.linspace(2 * SPACING, LAST - 2 * SPACING, 57)
    np.testing.assert_allclose(value(knots, x), polynomial(np.asarray(x)), rtol=RTOL)
    np.testing.assert_allclose(slope(knots, x), polynomial.deriv()(np.asarray(x)), rtol=10 * RTOL, atol=RTOL)


def test_values_and_slopes_at_the_knots() -> None:
    f = np.random.default_rng(0).normal(size=KNOTS)
    x = SPACING * np.arange(KNOTS)
    inner = [(f[k - 2] - 8 * f[k - 1] + 8 * f[k + 1] - f[k + 2]) / 12 for k in range(2, KNOTS - 2)]
    expected = [f[1] - f[0], (f[2] - f[0]) / 2, *inner, (f[-1] - f[-3]) / 2, f[-1] - f[-2]]
    for side in (
        1e-6,
        -1e-6,
    ):  # a little after and before each knot; the first has nothing before it, nor the last after
        near = jnp.asarray(x + side)[slice(1, None) if side < 0 else slice(None, -1)]
        at = np.arange(KNOTS)[slice(1, None) if side < 0 else slice(None, -1)]
        np.testing.assert_allclose(value(f, near), f[at], rtol=0, atol=1e-4)
        np.testing.assert_allclose(slope(f, near), np.array(expected)[at] / SPACING, rtol=0, atol=1e-3)


@pytest.mark.parametrize("knots", [3, 4, 5])
def test_short_tables(knots: int) -> None:
    line = 2.0 - 3.0 * SPACING * np.arange(knots)
    x = jnp.linspace(0.0, SPACING * (knots - 1), 7)
    np.testing.assert_allclose(value(line, x), 2.0 - 3.0 * np.asarray(x), rtol=RTOL, atol=1e-5 if FLOAT32 else 1e-12)
    with pytest.raises(ValueError, match="at least 3 knots, got 2"):
        cubics(jnp.ones(2))


def test_beyond_the_ends() -> None:
    f = np.random.default_rng(1).normal(size=(2, KNOTS))
    table = cubics(jnp.asarray(f, float))

    def extended(x: jax.Array) -> jax.Array:
        return cubics_extended_at(table, x, SPACING, KNOTS, jnp.asarray(1))

    end_slope = (f[1, -1] - f[1, -2]) / SPACING
    for beyond in (0.0, 0.1, 7.0):
        x = jnp.asarray(LAST + beyond)
        np.testing.assert_allclose(extended(x), f[1, -1] + beyond * end_slope, rtol=RTOL)
        np.testing.assert_allclose(jax.grad(extended)(x), end_slope, rtol=RTOL)
    # below the first knot the first cubic goes on: its third differences vanish across 0
    samples = np.asarray([extended(jnp.asarray(x)) for x in SPACING * np.linspace(-0.8, 0.8, 9)])
    assert np.abs(np.diff(samples, 4)).max() < (1e-5 if FLOAT32 else 1e-13)
    assert np.abs(np.diff(samples, 3)).min() > 1e-3


def test_linear_from_a_point_beyond_the_last_knot() -> None:
    f = np.random.default_rng(2).normal(size=KNOTS)
    table = cubics(jnp.asarray(f, float))
    start, end_slope = LAST + SPACING, (f[-1] - f[-2]) / SPACING
    for x, expected in ((LAST + 0.5 * SPACING, f[-1]), (start, f[-1]), (start + 0.3, f[-1] + 0.3 * end_slope)):
        found, derivative = jax.value_and_grad(
            lambda x: cubics_extended_at(table, x, SPACING, KNOTS, linear_from=start)
        )(jnp.asarray(x))
        np.testing.assert_allclose(found, expected, rtol=RTOL)
        np.testing.assert_allclose(derivative, end_slope, rtol=RTOL)


def test_gradient_with_respect_to_the_knots_is_that_of_a_linear_function() -> None:
    # values are linear in the knots, so the gradient does not depend on them and gives the value back
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.uniform(0.0, LAST + 1.0, size=20))

    def total(knots: jax.Array) -> jax.Array:
        return cubics_extended_at(cubics(knots), x, SPACING, KNOTS).sum()

    one, other = (jnp.asarray(rng.normal(size=KNOTS)) for _ in range(2))
    gradient = jax.grad(total)(one)
    np.testing.assert_allclose(gradient, jax.grad(total)(other), rtol=RTOL, atol=1e-6 if FLOAT32 else 1e-13)
    np.testing.assert_allclose(gradient @ one, total(one), rtol=10 * RTOL)


def test_rounded_tables_have_the_slopes_of_exact_ones() -> None:
    x = np.linspace(0.0, 5.0, 10_001)
    exact = np.exp(-x) * np.cos(3 * x)
    near, rest = rounded_values(exact, np.float32)
    assert near.dtype == rest.dtype == np.float32
    slopes = np.gradient(exact)
    scale = np.abs(slopes).max()
    with_rest, without = (np.asarray(cubics(near, part).c1)[2:-2] for part in (rest, None))
    assert with_rest.dtype == np.float32
    # second differences are 1e-4 of first ones here: np.gradient is good to 1e-7
    assert np.abs(with_rest - slopes[2:-2]).max() < 1e-6 * scale
    assert np.abs(without - slopes[2:-2]).max() > 1e-5 * scale


def test_rounded_values_are_put_together_again() -> None:
    exact = np.random.default_rng(4).normal(size=100) * 10.0 ** np.arange(-10, 10, 0.2)
    near, rest = rounded_values(exact, np.float32)
    np.testing.assert_allclose(exact_values(near, rest), exact, rtol=1e-13)
    if not FLOAT32:
        near, rest = rounded_values(exact)
        assert rest is None
        assert np.array_equal(exact_values(near), exact)
