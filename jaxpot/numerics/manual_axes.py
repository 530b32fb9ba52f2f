"""Types of arrays inside ``jax.shard_map``, which include the mesh axes over which an array varies.

JAX's own operations give their operands the same axes; jaxpot's primitives must do this themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

__all__ = ["abstract_like", "vary_alike"]


def vary_alike(values: Sequence[Any]) -> list[Any]:
    """The arrays, all varying over every axis over which one of them varies; unchanged outside ``jax.shard_map``.

    Args:
        values: arrays.

    Returns:
        The same numbers.

    Example:
        >>> from jaxpot.numerics.manual_axes import vary_alike
        >>> vary_alike([1.0, 2.0])
        [1.0, 2.0]
    """
    varying = [_varying(jax.typeof(value)) for value in values]
    axes = frozenset[Any]().union(*varying)
    return [
        jax.lax.pcast(value, tuple(sorted(axes - own)), to="varying") if axes - own else value
        for value, own in zip(values, varying, strict=True)
    ]


def abstract_like(avals: Sequence[Any], shape: tuple[int, ...], dtype: Any) -> Any:
    """The abstract value of an array that varies over the same axes as others.

    Args:
        avals: abstract values that vary alike.
        shape: of the array.
        dtype: of the array.

    Returns:
        A ``jax.core.ShapedArray``.
    """
    varying = next((aval for aval in avals if _varying(aval)), None)
    if varying is None:
        return jax.core.ShapedArray(shape, jax.numpy.dtype(dtype))
    sharding = varying.sharding.update(spec=jax.sharding.PartitionSpec(*[None] * len(shape)))
    return varying.update(shape=tuple(shape), dtype=jax.numpy.dtype(dtype), weak_type=False, sharding=sharding)


def _varying(aval: Any) -> frozenset[Any]:
    return frozenset(getattr(getattr(aval, "manual_axis_type", None), "varying", ()))
