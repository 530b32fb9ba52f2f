"""Functions of edges in blocks against the same functions of all edges at once, through all derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.numerics.edge_blocks import EdgeFunction, Kind, Slots, evaluate_in_blocks
from tests.conftest import FLOAT32

NODES, SLOTS = 6, 4
HELD = np.array([4, 1, 0, 0, 3, 2])  # slots with an edge; the second block of two atoms has none


def example(seed: int = 0) -> tuple[jax.Array, list[jax.Array]]:
    """The nodes at the other ends, and one argument of each kind after the mask."""
    rng = np.random.default_rng(seed)
    others = jnp.asarray(rng.integers(0, NODES, (NODES, SLOTS)), jnp.int32)
    mask = jnp.arange(SLOTS)[None, :] < jnp.asarray(HELD)[:, None]
    shapes = [(2,), (NODES, 2), (NODES, 3), (NODES, SLOTS)]
    return others, [mask, *(jnp.asarray(rng.normal(size=shape)) for shape in shapes)]


def formula(
    mask: jax.Array, shared: jax.Array, other: jax.Array, center: jax.Array, edge: jax.Array
) -> list[jax.Array]:
    """Results of every kind, each of which depends on all arguments and is not linear in them."""
    pair = jnp.where(mask, jnp.sin(edge * (other @ shared)) * jnp.tanh(center.sum(axis=1))[:, None], 0.0)
    return [
        jnp.stack([pair.sum(), (pair * pair).sum()]),
        pair[:, :, None] * other * shared[None, None, :],
        (pair[:, :, None] * center[:, None, :]).sum(axis=1),
        pair * edge,
    ]


def evaluated(atoms: int, slots: int) -> Callable[..., list[jax.Array]]:
    """The formula of all edges, as a function of others and arguments."""
    takes = (Kind.EDGES, Kind.SHARED, Kind.OTHERS, Kind.CENTERS, Kind.EDGES)
    of = EdgeFunction(formula, takes, (Kind.SHARED, Kind.OTHERS, Kind.CENTERS, Kind.EDGES), atoms, slots)

    def function(others: jax.Array, mask: jax.Array, *rest: jax.Array) -> list[jax.Array]:
        counts = -(-mask.sum(axis=1, dtype=jnp.int32) // slots)
        return evaluate_in_blocks(of, Slots(others, counts.reshape(-1, atoms).max(axis=1)), [mask, *rest])

    return function


whole = evaluated(NODES, SLOTS)
BLOCKS = [(2, 4), (3, 1), (6, 2)]


def close(found: Any, wanted: Any) -> None:
    allowance = 1e-4 if FLOAT32 else 1e-11
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=allowance, atol=allowance)


def weighted(function: Callable[..., list[jax.Array]], others: jax.Array, mask: jax.Array) -> Callable[..., jax.Array]:
    """A scalar that all results go into."""
    return lambda *rest: sum(((k + 1) * jnp.cos(r)).sum() for k, r in enumerate(function(others, mask, *rest)))


@pytest.mark.parametrize("block", BLOCKS)
def test_values_and_slopes(block: tuple[int, int]) -> None:
    others, (mask, *rest) = example()
    function = evaluated(*block)
    close(function(others, mask, *rest), whole(others, mask, *rest))
    for transformed in (
        lambda f: jax.grad(f, (0, 1, 2, 3)),
        lambda f: lambda *r: jax.jvp(f, r, tuple(jnp.cos(v) for v in r)),
        lambda f: jax.grad(lambda *r: sum((g * g).sum() for g in jax.grad(f, (1, 3))(*r)), (0, 2, 3)),
    ):
        close(
            *(jax.jit(transformed(weighted(f, others, mask)))(*rest) for f in (function, whole))  # type: ignore[no-untyped-call]
        )


def test_second_derivatives_in_every_order() -> None:
    others, (mask, *rest) = example()
    each = [weighted(f, others, mask) for f in (evaluated(2, 2), whole)]
    for outer, inner in ((jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacfwd), (jax.jacrev, jax.jacrev)):
        close(*(jax.jit(outer(inner(f, (0, 1, 2, 3)), (0, 1, 2, 3)))(*rest) for f in each))


def test_third_derivatives() -> None:
    others, (mask, *rest) = example()

    def third(f: Callable[..., jax.Array]) -> Any:
        def curvature(*r: jax.Array) -> jax.Array:
            return sum((g * g).sum() for g in jax.jvp(jax.grad(f, (0, 1, 3)), r, tuple(jnp.cos(v) for v in r))[1])

        return jax.jit(jax.grad(curvature, (0, 1, 2, 3)))(*rest)

    close(*(third(weighted(f, others, mask)) for f in (evaluated(3, 2), whole)))


def test_batches() -> None:
    """Of different edges, and of arguments that only some have in common, inside and outside of derivatives."""
    graphs = [example(seed) for seed in range(3)]
    others = jnp.stack([g[0] for g in graphs])
    mask, shared, other, center, edge = (jnp.stack(values) for values in zip(*(g[1] for g in graphs), strict=True))
    function = evaluated(2, 2)

    def loss(f: Callable[..., Any], shared: jax.Array, other: jax.Array) -> jax.Array:
        def slopes(others: jax.Array, mask: jax.Array, other: jax.Array, edge: jax.Array) -> Any:
            return jax.grad(weighted(f, others, mask), (1, 3))(shared, other, center[0], edge)

        found = jax.vmap(slopes)(others, mask, other, edge)
        return sum((g * g).sum() for g in found)

    close(*(jax.jit(jax.grad(lambda *a, f=f: loss(f, *a), (0, 1)))(shared[0], other) for f in (function, whole)))

    def members(f: Callable[..., Any]) -> Any:
        return jax.vmap(jax.grad(weighted(f, others[0], mask[0]), (0, 1)), (0, None, None, 0))(
            shared, other[0], center[0], edge
        )

    close(members(function), members(whole))


def test_no_edges_at_all() -> None:
    others, (mask, *rest) = example()
    nothing = jnp.zeros_like(mask)
    for result in evaluated(2, 2)(others, nothing, *rest):
        assert not result.any()
    for slope in jax.grad(weighted(evaluated(2, 2), others, nothing), (0, 1, 2, 3))(*rest):
        assert not slope.any()
