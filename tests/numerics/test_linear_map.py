"""Linear maps with transposes of their own, through the transformations that meet them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxpot.numerics.linear_map import jvp_with_reverse, linear_map
from tests.conftest import FLOAT32

PLACES = jnp.arange(3)


def scaled(calls: list[Any], answers: bool = True) -> Any:
    """sin(a) k x as a linear map of x, and what it is by plain operations."""

    def forward(a: jax.Array, k: jax.Array, x: jax.Array) -> list[jax.Array]:
        return [jnp.sin(a) * k * x]

    def transpose(constants: Any, cotangents: Any, wanted: Any) -> Any:
        calls.append(wanted)
        return [jnp.sin(constants[0]) * constants[1] * cotangents[0]] if answers else None

    def function(a: jax.Array, x: jax.Array) -> jax.Array:
        return (linear_map(forward, transpose, [a, PLACES], [x])[0] ** 2).sum()

    return function


def plain(a: jax.Array, x: jax.Array) -> jax.Array:
    return ((jnp.sin(a) * PLACES * x) ** 2).sum()


@pytest.mark.parametrize("answers", [True, False])
def test_derivatives_of_any_order(answers: bool) -> None:
    calls: list[Any] = []
    function = scaled(calls, answers)
    a, x = jnp.array([0.1, 0.2, 0.3]), jnp.array([1.0, 2.0, 3.0])
    if not FLOAT32:
        check_grads(function, (a, x), order=3)
    assert calls
    for transformed in (jax.grad, jax.hessian, lambda f, n: jax.jacfwd(jax.jacrev(f, n), n)):
        for got, expected in zip(
            *(jax.tree.leaves(jax.jit(transformed(f, (0, 1)))(a, x)) for f in (function, plain)), strict=True
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_batches_and_recomputed_loops() -> None:
    function = scaled([])
    a, x = jnp.array([0.1, 0.2, 0.3]), jnp.array([1.0, 2.0, 3.0])
    some = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(
        jax.vmap(jax.grad(function, 1), (None, 0))(a, some), jax.vmap(jax.grad(plain, 1), (None, 0))(a, some), rtol=1e-6
    )

    def run(f: Any, x: jax.Array) -> jax.Array:
        step = jax.checkpoint(lambda carry, _: (f(a, carry) * carry, None))
        return jax.lax.scan(step, x, None, length=3)[0].sum()

    np.testing.assert_allclose(jax.grad(lambda x: run(function, x))(x), jax.grad(lambda x: run(plain, x))(x), rtol=1e-5)


def test_a_reverse_pass_is_told_what_is_wanted() -> None:
    seen: list[Any] = []

    def body(p: dict[str, jax.Array], n: jax.Array) -> tuple[jax.Array, jax.Array]:
        return p["a"] * p["b"] * n, p["a"] ** 2

    def reverse(primals: Any, cotangents: Any, wanted: Any) -> Any:
        seen.append((wanted, tuple(c is None for c in cotangents)))
        p, n = primals
        return {"a": p["b"] * n * cotangents[0], "b": p["a"] * n * cotangents[0]}, None

    @jax.custom_jvp
    def function(p: dict[str, jax.Array], n: jax.Array) -> tuple[jax.Array, jax.Array]:
        return body(p, n)

    @function.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return function(*primals), jvp_with_reverse(body, reverse, primals, tangents)

    fixed = jnp.asarray(3.0)
    got = jax.grad(lambda a: function({"a": a, "b": fixed}, jnp.asarray(2))[0])(1.5)
    assert float(got) == 6.0
    assert seen == [(({"a": True, "b": False}, False), (False, True))]
