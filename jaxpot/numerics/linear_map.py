"""Linear maps with a custom reverse pass that can be differentiated further, forwards and backwards, to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxpot.numerics.manual_axes import abstract_like, vary_alike

__all__ = ["jvp_with_reverse", "linear_map"]

Flat = Callable[..., Sequence[jax.Array]]
Transpose = Callable[[Sequence[Any], Sequence[jax.Array | None], Sequence[bool]], Sequence[jax.Array | None] | None]


class _Map(NamedTuple):
    """The static part of a map; ``constants`` is their number, ``batches`` whether the transpose can be batched."""

    forward: Flat
    transpose: Transpose
    constants: int
    batches: bool


_primitive = Primitive("linear_map")
_primitive.multiple_results = True


def jvp_with_reverse(
    function: Callable[..., Any],
    reverse: Callable[[tuple[Any, ...], Any, tuple[Any, ...]], tuple[Any, ...] | None],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
) -> Any:
    """The derivative of ``function`` at primals along tangents, with ``reverse`` as its reverse pass.

    This is for rules of ``jax.custom_jvp``. All derivatives except the first reverse pass come from ``function``.

    Args:
        function: of pytrees.
        reverse: ``(primals, cotangents, wanted) -> cotangents of the primals``. Cotangents of results are None where
            they are known to be 0. The leaves of ``wanted`` are True where a cotangent is needed; the others may be
            None. ``reverse`` may return None altogether; JAX derives the reverse pass then.
        primals: the arguments of ``function``.
        tangents: of the primals; float0 for primals that are not floats.

    Returns:
        The tangent of the result.

    Example:
        >>> import jax
        >>> from jaxpot.numerics.linear_map import jvp_with_reverse
        >>> @jax.custom_jvp
        ... def square(x):
        ...     return x * x
        >>> @square.defjvp
        ... def _(primals, tangents):
        ...     reverse = lambda primals, cotangent, wanted: (2 * primals[0] * cotangent,)
        ...     return square(*primals), jvp_with_reverse(lambda x: x * x, reverse, primals, tangents)
        >>> float(jax.grad(square)(3.0)), float(jax.grad(jax.grad(square))(3.0))
        (6.0, 2.0)
    """
    leaves, tree = jax.tree.flatten(primals)
    changes = jax.tree.leaves(tangents)
    moving = [k for k, leaf in enumerate(leaves) if jax.numpy.issubdtype(jax.numpy.result_type(leaf), np.inexact)]
    shape = jax.tree.structure(jax.eval_shape(function, *primals))

    def forward(*values: Any) -> list[jax.Array]:
        kept, given = values[: len(leaves)], values[len(leaves) :]
        full = [np.zeros(np.shape(leaf), jax.dtypes.float0) for leaf in leaves]
        for k, change in zip(moving, given, strict=True):
            full[k] = change
        return jax.tree.leaves(jax.jvp(function, jax.tree.unflatten(tree, kept), jax.tree.unflatten(tree, full))[1])

    def transpose(kept: Sequence[Any], given: Sequence[Any], wanted: Sequence[bool]) -> list[Any] | None:
        flags = [False] * len(leaves)
        for k, want in zip(moving, wanted, strict=True):
            flags[k] = want
        found = reverse(
            jax.tree.unflatten(tree, kept), jax.tree.unflatten(shape, given), jax.tree.unflatten(tree, flags)
        )
        if found is None:
            return None
        each = jax.tree.leaves(found, is_leaf=lambda leaf: leaf is None)
        return [each[k] for k in moving]

    found = linear_map(forward, transpose, leaves, [changes[k] for k in moving])
    return jax.tree.unflatten(shape, found)


def linear_map(
    forward: Flat,
    transpose: Transpose,
    constants: Sequence[Any],
    arguments: Sequence[jax.Array],
    batches: bool = False,
) -> list[jax.Array]:
    """``forward(*constants, *arguments)``, linear in the arguments, with a custom transpose.

    JAX derives the reverse pass of a linear function from its equations. Where a better reverse pass is known (for a
    symmetric map, the map itself), it can be given as ``transpose``. All other derivatives, also those with respect to
    the constants, and batches use ``forward``. So forward mode works, unlike with ``jax.custom_vjp``, and so do higher
    derivatives, unlike with ``linear_call``. With ``batches``, the reverse pass of a batch is ``transpose`` of each
    member.

    Args:
        forward: takes and returns arrays.
        transpose: ``(constants, cotangents, wanted) -> cotangents of the arguments``. Cotangents of results are None
            where they are known to be 0. ``wanted`` says for each argument whether its cotangent is needed; a cotangent
            may be None if it is not needed or 0. ``transpose`` may return None altogether; JAX derives it then.
        constants: arrays.
        arguments: arrays of floats.
        batches: whether ``jax.vmap`` can be applied to ``transpose``; otherwise JAX derives the transpose of a batch.

    Returns:
        The results of ``forward``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxpot.numerics.linear_map import linear_map
        >>> def tripled(x):
        ...     return linear_map(lambda c, x: [c * x], lambda c, ct, _: [c[0] * ct[0]], [jnp.array(3.0)], [x])[0]
        >>> float(jax.grad(tripled)(2.0)), float(jax.jvp(tripled, (2.0,), (1.0,))[1])
        (3.0, 3.0)
    """
    values = vary_alike([*constants, *arguments])
    return list(_primitive.bind(*values, of=_Map(forward, transpose, len(constants), batches)))


def _forward(*values: jax.Array, of: _Map) -> list[jax.Array]:
    return list(of.forward(*values))


def _shapes(*avals: Any, of: _Map) -> list[Any]:
    shapes = jax.eval_shape(of.forward, *[jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals])
    return [abstract_like(avals, s.shape, s.dtype) for s in shapes]


def _tangents(primals: Any, tangents: Any, *, of: _Map) -> tuple[Any, Any]:
    def bind(*values: Any) -> list[Any]:
        return list(_primitive.bind(*values, of=of))

    constants = of.constants
    kept, arguments = primals[:constants], primals[constants:]
    full = [_instantiated(p, t) for p, t in zip(primals, tangents, strict=True)]
    found = bind(*primals)
    changes = []
    if not all(isinstance(t, ad.Zero) for t in tangents[constants:]):
        changes.append(bind(*kept, *full[constants:]))
    if not all(isinstance(t, ad.Zero) for t in tangents[:constants]):
        fixed = lambda *some: list(of.forward(*some, *arguments))  # noqa: E731
        changes.append(list(jax.jvp(fixed, tuple(kept), tuple(full[:constants]))[1]))
    return found, [sum(parts[1:], parts[0]) for parts in zip(*changes, strict=True)]


def _instantiated(primal: Any, tangent: Any) -> Any:
    if not isinstance(tangent, ad.Zero):
        return tangent
    if not jax.numpy.issubdtype(jax.numpy.result_type(primal), jax.numpy.inexact):
        return np.zeros(np.shape(primal), jax.dtypes.float0)
    return jax.numpy.zeros_like(primal)


def _transposed(cotangents: Any, *values: Any, of: _Map) -> Sequence[jax.Array | None]:
    kept, arguments = values[: of.constants], values[of.constants :]
    wanted = [ad.is_undefined_primal(a) for a in arguments]
    given = [None if isinstance(ct, ad.Zero) else ct for ct in cotangents]
    found = of.transpose(kept, given, wanted)
    if found is None:
        shapes = [jax.ShapeDtypeStruct(a.aval.shape, a.aval.dtype) for a in arguments if ad.is_undefined_primal(a)]

        def of_wanted(*some: jax.Array) -> list[jax.Array]:
            rest = iter(some)
            return list(of.forward(*kept, *[next(rest) if w else a for w, a in zip(wanted, arguments, strict=True)]))

        results = jax.eval_shape(of_wanted, *shapes)
        full = [jax.numpy.zeros(s.shape, s.dtype) if ct is None else ct for ct, s in zip(given, results, strict=True)]
        derived = iter(jax.linear_transpose(of_wanted, *shapes)(full))
        found = [next(derived) if w else None for w in wanted]
    return [None] * of.constants + [f if w else None for f, w in zip(found, wanted, strict=True)]


def _batched(values: Any, axes: Any, *, of: _Map) -> tuple[list[jax.Array], list[int]]:
    along = [a if isinstance(a, int) else None for a in axes]
    if not of.batches:
        found = jax.vmap(of.forward, along)(*values)
        return list(found), [0] * len(found)
    size = next(v.shape[a] for v, a in zip(values, along, strict=True) if a is not None)
    constants, along = values[: of.constants], along[: of.constants]
    # every argument gets the batch axis, so that all cotangents have it too
    arguments = [
        jax.numpy.broadcast_to(v, (size, *v.shape)) if a is None else jax.numpy.moveaxis(v, a, 0)
        for v, a in zip(values[of.constants :], axes[of.constants :], strict=True)
    ]

    def forward(*all_values: jax.Array) -> list[jax.Array]:
        return list(jax.vmap(of.forward, [*along, *[0] * len(arguments)])(*all_values))

    def transpose(kept: Sequence[Any], given: Sequence[jax.Array | None], wanted: Sequence[bool]) -> Any:
        one = lambda kept, given: of.transpose(kept, given, wanted)  # noqa: E731
        return jax.vmap(one, (along, 0), axis_size=size)(list(kept), list(given))

    found = linear_map(forward, transpose, constants, arguments, batches=True)
    return found, [0] * len(found)


_primitive.def_impl(jax.jit(_forward, static_argnames="of"))
_primitive.def_abstract_eval(_shapes)
ad.primitive_jvps[_primitive] = _tangents
ad.primitive_transposes[_primitive] = _transposed
batching.primitive_batchers[_primitive] = _batched
mlir.register_lowering(_primitive, mlir.lower_fun(_forward, multiple_results=True))
