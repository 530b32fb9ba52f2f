"""Central differences, and products of pytrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["differences", "inner"]


def differences(function: Callable[[Any], Any], at: Any, direction: Any, step: float) -> Any:
    """The slope along a direction, [f(x + h v) - f(x - h v)] / 2h.

    Args:
        function: f, of a pytree.
        at: x, pytree.
        direction: v, pytree of the same structure.
        step: h.

    Returns:
        What the function gives, divided.
    """

    def along(h: float) -> Any:
        return function(jax.tree.map(lambda x, v: x + h * v, at, direction))

    return (along(step) - along(-step)) / (2 * step)


def inner(a: Any, b: Any) -> float:
    """Sum of products of the leaves of two pytrees.

    Args:
        a: pytree.
        b: pytree of the same structure.

    Returns:
        The sum.
    """
    return float(sum(jax.tree.leaves(jax.tree.map(lambda x, y: jnp.sum(x * y), a, b))))
