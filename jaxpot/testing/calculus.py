"""Central differences, and products of pytrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["differences", "inner"]


def differences(function: Callable[[float], Any], step: float) -> Any:
    """(f(h) - f(-h)) / 2h.

    Args:
        function: of one number.
        step: h.

    Returns:
        What the function gives, divided.
    """
    return (function(step) - function(-step)) / (2 * step)


def inner(a: Any, b: Any) -> float:
    """Sum of products of the leaves of two pytrees.

    Args:
        a: pytree.
        b: pytree of the same structure.

    Returns:
        The sum.
    """
    return float(sum(jax.tree.leaves(jax.tree.map(lambda x, y: jnp.sum(x * y), a, b))))
