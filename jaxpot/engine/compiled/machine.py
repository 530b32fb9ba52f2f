"""Machine code of a loop: the name under which XLA calls it, and what its arrays and results must be."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine.compiled.lines import padded
from jaxpot.engine.compiled.loop import assignment
from jaxpot.engine.compiled.scalar_code import Translation, UnsupportedError
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.manual_axes import abstract_like, vary_alike
from jaxpot.numerics.native_choice import NotNativeError
from jaxpot.numerics.native_interface import interface_problem, register_once
from jaxpot.system import System

__all__ = ["as_read", "called", "output_of", "table_of", "target_of"]

# LLVM's optimisations for floats. In addition, sums over neighbours may have any order (native_scalars.accumulate).
# Optimisations that assume that there is no NaN or infinity, or could remove one, are left out.
FAST = {"contract", "nsz", "arcp"}


def output_of(translation: Translation, value: Any, shape: Any) -> str:
    """The name of a result of the formula."""
    if shape.dtype != translation.dtype:
        raise NotNativeError(f"the formula gives {shape.dtype} for positions of {translation.dtype}")
    return translation.emit(translation.scalar(value, shape), shape.dtype)


def table_of(columns: Sequence[jax.Array]) -> jax.Array:
    """[size, padded columns] the columns of a table, and columns of zeros."""
    table = jnp.stack(columns, axis=-1)
    return jnp.pad(table, ((0, 0), (0, padded(len(columns)) - len(columns))))


def called(
    target: str,
    system: System,
    neighbors: Neighbors,
    further: Sequence[jax.Array],
    results: Sequence[tuple[tuple[int, ...], Any]],
) -> Sequence[jax.Array]:
    """Call a loop whose first arguments are positions, species and cell, and the list's rows, source, offset and
    row_of_atom.

    Args:
        target: of :func:`target_of`.
        system: atoms and cell. Species and cell of another type are cast to the type that the loop reads.
        neighbors: made by the compiled cell list.
        further: arguments.
        results: shape and dtype of each, the scratch included.

    Returns:
        The results.

    Raises:
        ValueError: an array has the wrong shape, or numbers of another kind than the loop reads.
    """
    dtype, slots = system.positions.dtype, neighbors.rows.shape
    atoms, total = neighbors.row_of_atom.shape[0], neighbors.source.shape[0]
    arrays = vary_alike([
        as_read(system.positions, dtype, (atoms, 3), "positions"),
        as_read(system.species, jnp.int32, (atoms,), "species"),
        as_read(system.cell, dtype, (3, 3), "cell"),
        as_read(neighbors.rows, jnp.int32, slots, "the list's rows"),
        as_read(neighbors.source, jnp.int32, (total,), "the list's source"),
        as_read(neighbors.offset, jnp.int32, (total, 3), "the list's offset"),
        as_read(neighbors.row_of_atom, jnp.int32, (atoms,), "the list's row_of_atom"),
        *further,
    ])  # fmt: skip
    kinds = [abstract_like([jax.typeof(a) for a in arrays], shape, kind) for shape, kind in results]
    return jax.ffi.ffi_call(target, kinds, vmap_method="sequential")(*arrays)


def as_read(value: Any, dtype: Any, shape: tuple[int, ...], name: str) -> jax.Array:
    """An array in the type in which machine code reads it.

    Args:
        value: array.
        dtype: int32, or that of floats.
        shape: that it must have.
        name: what it is, for messages.

    Raises:
        ValueError: another shape, or floats where integers are read.
    """
    value = jnp.asarray(value)
    if value.shape != shape:
        raise ValueError(f"{name}: the compiled loop reads an array of shape {list(shape)}, got {list(value.shape)}")
    if value.dtype == dtype:
        return value
    if jnp.issubdtype(value.dtype, jnp.floating) and jnp.issubdtype(dtype, jnp.floating):
        return value.astype(dtype)
    if not jnp.issubdtype(value.dtype, jnp.integer) or not jnp.issubdtype(dtype, jnp.integer):
        raise ValueError(f"{name}: the compiled loop reads {jnp.dtype(dtype)}, got {value.dtype}; cast it before")
    given, read = jnp.iinfo(value.dtype), jnp.iinfo(dtype)
    # clip, since a number out of range must not wrap around to a valid species
    return jnp.clip(value, max(given.min, read.min), min(given.max, read.max)).astype(dtype)


@functools.cache
def _source(loop: Any, source_of: Callable[[Any], str]) -> str:
    return source_of(loop)


def target_of(
    kind: str, loop: Any, source_of: Callable[[Any], str], tasks: Sequence[str], pieces: Sequence[str]
) -> str:
    """The name of a compiled loop, made at the first call in a process.

    Args:
        kind: of loop, a part of the name.
        loop: its static description, with ``lines`` and ``dtype``; hashable.
        source_of: gives its source, with the function ``body(frame, *tasks)`` that makes its results.
        tasks: functions of the source whose work is shared among threads.
        pieces: functions of the source with arithmetic; the tasks may call them.

    Raises:
        NotNativeError: numba cannot compile the loop, or XLA cannot call it.
    """
    if (problem := interface_problem()) is not None:
        raise NotNativeError(problem)
    source = _source(loop, source_of)
    name = f"jaxpot_{kind}_{hashlib.sha256(f'{loop.dtype} {source}'.encode()).hexdigest()[:16]}"
    try:
        register_once(name, lambda: _compiled(source, name, loop.dtype, tasks, pieces))
    except Exception as error:
        culprit = _culprit(loop, source, error)
        raise UnsupportedError(culprit, f"({type(error).__name__}: {str(error)[:500]})") from error
    return name


def _culprit(loop: Any, source: str, error: Exception) -> str:
    """The primitive of the line at which numba failed; all primitives if the line is not known."""
    number = getattr(getattr(error, "loc", None), "line", None)
    if number is not None and number <= len(lines := source.splitlines()):
        for line in loop.lines:
            if assignment(line) == lines[number - 1].strip():
                return str(line.primitive)
    return ", ".join(sorted({line.primitive for line in loop.lines})) or "the loop"


def _compiled(source: str, name: str, dtype: str, tasks: Sequence[str], pieces: Sequence[str]) -> Any:
    """The function that XLA calls."""
    import numba

    from jaxpot.numerics import native_calls, native_code, native_edges, native_scalars, native_threads

    calls = ("allocate", "argument", "as_pointer", "free", "result", "set_word", "size", "word")
    scope: dict[str, Any] = {
        "__name__": __name__, "np": np, "math": math, "F": np.dtype(dtype).type, "U": np.uint64,
        "carray": numba.carray, "run_tasks": native_threads.run_tasks,
        **{key: getattr(native_calls, key) for key in calls},
        **{key: getattr(native_scalars, key) for key in native_scalars.__all__},
        **{key: getattr(native_edges, key) for key in native_edges.__all__},
    }  # fmt: skip
    exec(compile(source, f"<{name}>", "exec"), scope)
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True}
    flags = {**dict.fromkeys((*pieces, *tasks), FAST), "body": False}
    for function in ("lookups", *flags):
        if function in scope:
            # symbols in machine code contain this name, and must not clash with loops read from the disk cache
            scope[function].__qualname__ = f"{function}_{name}"
            if function == "lookups":  # a part of ``work``
                scope[function] = numba.njit(scope[function], fastmath=FAST, **options)
            else:
                scope[function] = native_code.njit_kept(scope[function], source, fastmath=flags[function], **options)
    return native_calls.handler_of(scope["body"], *(native_threads.task_of(scope[task]) for task in tasks))
