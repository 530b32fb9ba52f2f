"""Harmonics of the sphere in four dimensions against their addition theorem, rules against means that are known."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_chebyu

from jaxpot.numerics.hyperspherical import at_pole, harmonics, ingredients, moments, of_degree, rule, rule_degrees


def points(number: int, seed: int = 0) -> np.ndarray:
    """[4, number] random points of the sphere; the first is the pole, whose second complex number is 0."""
    found = np.random.default_rng(seed).normal(size=(4, number))
    found[:, 0] = 1.0, 0.0, 0.0, 0.0
    return found / np.linalg.norm(found, axis=0)


def q_of(q: Any) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    a, b, c, d = (jnp.asarray(x) for x in q)
    return a, b, c, d


def all_harmonics(twojmax: int, q: np.ndarray) -> np.ndarray:
    point = q_of(q)
    return np.asarray(harmonics(twojmax, ingredients(twojmax, [jnp.ones_like(point[0])], point)[0]))


@pytest.mark.parametrize("twojmax", [0, 1, 5, 8])
def test_addition_theorem(twojmax: int) -> None:
    q = points(6)
    found = all_harmonics(twojmax, q)
    for j in range(twojmax + 1):
        each = found[of_degree(j)]
        assert each.shape[0] == (j + 1) ** 2
        np.testing.assert_allclose(each.T @ each, eval_chebyu(j, np.clip(q.T @ q, -1, 1)), atol=1e-12)
        np.testing.assert_allclose(each[:, 0], at_pole(twojmax)[j], atol=1e-14)


def test_moments_are_sums_of_harmonics_and_so_are_their_derivatives() -> None:
    q, weights = points(7).reshape(4, 1, 7), np.random.default_rng(1).normal(size=(2, 1, 7))
    each = all_harmonics(5, q)

    def by_products(q: jax.Array) -> list[list[jax.Array]]:
        return moments(5, [jnp.asarray(w) for w in weights], q_of(q))

    def one_by_one(q: jax.Array) -> list[list[jax.Array]]:
        point = q_of(q)
        made_of = ingredients(5, [jnp.asarray(w) for w in weights], point)
        return [[harmonics(5, m)[of_degree(j)].sum(axis=-1).T for j in range(6)] for m in made_of]

    for w, found in zip(weights, by_products(jnp.asarray(q)), strict=True):
        for j in range(6):
            np.testing.assert_allclose(found[j][0], (each[of_degree(j)] * w).sum(axis=(1, 2)), atol=1e-12)
    along = np.random.default_rng(2).normal(size=q.shape)
    slopes, step = jax.jvp(by_products, (jnp.asarray(q),), (jnp.asarray(along),))[1], 1e-5
    high, low = one_by_one(jnp.asarray(q + step * along)), one_by_one(jnp.asarray(q - step * along))
    for slope, up, down in zip(*map(jax.tree.leaves, (slopes, high, low)), strict=True):
        np.testing.assert_allclose(slope, (up - down) / (2 * step), atol=1e-7)


@pytest.mark.parametrize("twojmax", [1, 2, 4])
def test_rules_are_exact_up_to_their_degree_and_not_beyond(twojmax: int) -> None:
    largest = 3 * twojmax // 2
    fine = rule(twojmax, largest + 12)
    for degree in rule_degrees(largest):
        chosen = rule(twojmax, degree)
        for j1 in range(twojmax + 1):
            for j2 in range(twojmax + 1):
                for j in range(twojmax + 1):
                    if (j1 + j2 + j) % 2 or (j1 + j2 + j) // 2 > degree:
                        continue
                    coarse, exact = (
                        np.einsum("ap,bp,cp,p->abc", r.values[j1], r.values[j2], r.values[j], r.weights)
                        for r in (chosen, fine)
                    )
                    np.testing.assert_allclose(coarse, exact, atol=1e-12)
    assert abs(rule(4, 3).weights.sum() - 1) < 1e-14
    beyond = [np.einsum("ap,p->a", r.values[4] ** 3, r.weights) for r in (rule(4, 3), rule(4, 18))]
    assert abs(beyond[0] - beyond[1]).max() > 1e-3
