"""A function with two implementations: compiled loops where XLA runs on the CPU of this process, JAX elsewhere.

The choice is made when a program is lowered, not when it is traced. A program for an accelerator or for several
platforms, and a program that ``jax.export`` saves for another process, use only JAX's operations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from jaxpot.numerics.manual_axes import abstract_like, vary_alike

__all__ = ["NotNativeError", "native_or_traced"]


class NotNativeError(Exception):
    """A function cannot be computed by compiled loops; the message says why."""


def native_or_traced(
    native: Callable[..., Any], traced: Callable[..., Any], like: Any, *arguments: Any, static: tuple[Any, ...] = ()
) -> Any:
    """``native(*static, *arguments)`` on the CPU, ``traced(*static, *arguments)`` elsewhere.

    Where ``native`` raises :class:`NotNativeError`, ``traced`` is used, with a warning once per process. The function
    has no derivative: use it inside ``jax.custom_jvp``.

    Args:
        native: function of pytrees of arrays that calls compiled loops. A program is compiled again for every new
            function object, so pass the same function each time.
        traced: the same function in JAX's own operations.
        like: pytree of ``jax.ShapeDtypeStruct``, the shapes and types of the results of both.
        arguments: pytrees of arrays.
        static: arguments that are not arrays; hashable.

    Returns:
        The results of the function.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxpot.numerics.native_choice import native_or_traced
        >>> like = jax.ShapeDtypeStruct((), jnp.float32)
        >>> float(native_or_traced(jnp.sin, jnp.sin, like, jnp.float32(0.0)))
        0.0
    """
    leaves, tree = jax.tree.flatten(arguments)
    shapes, result = jax.tree.flatten(like)
    ways = _Ways(_Flat(native, static, tree), _Flat(traced, static, tree))
    found = _primitive.bind(
        *vary_alike(leaves), ways=ways, shapes=tuple((tuple(s.shape), jax.numpy.dtype(s.dtype).name) for s in shapes)
    )
    return jax.tree.unflatten(result, found)


class _Flat(NamedTuple):
    """A function of arrays that returns a list of arrays; two with equal parts compare equal."""

    function: Callable[..., Any]
    static: tuple[Any, ...]
    tree: Any

    def __call__(self, *leaves: jax.Array) -> list[jax.Array]:
        found: list[jax.Array] = jax.tree.leaves(self.function(*self.static, *jax.tree.unflatten(self.tree, leaves)))
        return found


class _Mapped(NamedTuple):
    """A flat function over a batch."""

    function: Any
    axes: tuple[int | None, ...]

    def __call__(self, *leaves: jax.Array) -> list[jax.Array]:
        return list(jax.vmap(self.function, self.axes)(*leaves))


class _Ways(NamedTuple):
    """Both implementations, each a :class:`_Flat` or :class:`_Mapped`."""

    native: Any
    traced: Any


_primitive = Primitive("native_or_traced")
_primitive.multiple_results = True


def _bind(*values: jax.Array, ways: _Ways, shapes: Any) -> list[jax.Array]:
    return list(_primitive.bind(*values, ways=ways, shapes=shapes))


def _shapes(*avals: Any, ways: _Ways, shapes: Any) -> list[Any]:
    return [abstract_like(avals, shape, dtype) for shape, dtype in shapes]


def _batched(values: Any, axes: Any, *, ways: _Ways, shapes: Any) -> tuple[list[jax.Array], list[int]]:
    (size,) = {v.shape[a] for v, a in zip(values, axes, strict=True) if isinstance(a, int)}
    places = tuple(a if isinstance(a, int) else None for a in axes)
    mapped = _Ways(*(_Mapped(function, places) for function in ways))
    found = _bind(*values, ways=mapped, shapes=tuple(((size, *shape), dtype) for shape, dtype in shapes))
    return found, [0] * len(found)


def _lower_for_cpu(context: Any, *operands: Any, ways: _Ways, shapes: Any) -> Any:
    if not context.module_context.lowering_parameters.for_export:
        try:
            return mlir.lower_fun(ways.native, multiple_results=True)(context, *operands)
        except NotNativeError as error:
            _warn_once(f"a large system is computed by XLA instead of compiled loops, which is slower: {error}")
    return _lower(context, *operands, ways=ways, shapes=shapes)


def _lower(context: Any, *operands: Any, ways: _Ways, shapes: Any) -> Any:
    return mlir.lower_fun(ways.traced, multiple_results=True)(context, *operands)


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=2)


_primitive.def_impl(jax.jit(_bind, static_argnames=("ways", "shapes")))
_primitive.def_abstract_eval(_shapes)
batching.primitive_batchers[_primitive] = _batched
mlir.register_lowering(_primitive, _lower)
mlir.register_lowering(_primitive, _lower_for_cpu, platform="cpu")
