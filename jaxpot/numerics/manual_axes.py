"""Arrays inside ``jax.shard_map``, whose types say over which axes of the mesh they vary.

JAX's own operations make their operands alike in this; primitives of ours have to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

__all__ = ["abstract_like", "vary_alike"]


def vary_alike(values: Sequence[Any]) -> list[Any]:
    """Arrays that vary over all axes over which one of them varies; outside of ``jax.shard_map`` as they are.

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
    """The abstract value of an array that varies over the axes over which others do.

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
