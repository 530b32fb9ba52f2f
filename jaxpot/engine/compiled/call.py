"""The loop over pairs, compiled by numba and called by XLA."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine.compiled.lines import packed, padded, used
from jaxpot.engine.compiled.loop import CENTERS_PER_TASK, Loop, assignment
from jaxpot.engine.compiled.scalar_code import Code, Translation, UnsupportedError, translate
from jaxpot.engine.compiled.source import source_of
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.manual_axes import abstract_like, vary_alike
from jaxpot.numerics.native_choice import NotNativeError
from jaxpot.numerics.native_interface import interface_problem, register_once
from jaxpot.system import System

__all__ = ["available", "pair_loop"]

# LLVM's optimisations for floats. In addition, sums over neighbours may have any order (native_scalars.accumulate).
# Optimisations that assume that there is no NaN or infinity, or could remove one, are left out.
FAST = {"contract", "nsz", "arcp"}


def available(neighbors: Neighbors, dtype: Any) -> bool:
    """Whether loops may be used: for a list from the compiled cell list, whose neighbours fill the first slots.

    All atoms must be centers, and positions float32 or float64.
    """
    every_atom_is_center = neighbors.plan.other_atoms == 0
    right_type = jnp.dtype(dtype) in (jnp.float32, jnp.float64)
    return neighbors.plan.native and every_atom_is_center and right_type


def pair_loop(
    terms: Callable[..., tuple[Sequence[jax.Array], Any]],
    params: Any,
    system: System,
    neighbors: Neighbors,
    cutoff: float,
    weights: Sequence[jax.Array] = (),
    directions: jax.Array | None = None,
) -> tuple[list[jax.Array], tuple[jax.Array, ...]]:
    """Sums over neighbours, and forces, by one compiled loop over the list.

    Args:
        terms: ``(params, distance, own, other, *weights_own, *weights_other) -> (addends, slope)``, all scalars. The
            addends are the terms of an edge in each sum of its center; the slope is dE/dr for the force on the center,
            or None if no forces are wanted. With directions, it is ``(params, distance, rate, own, ...)``, where the
            rate is the derivative of the distance along the directions, and the slope is a pair (along, across): the
            center's force is the sum of along n + across dn, where n is the edge's unit vector and dn its derivative
            along the directions.
        params: pytree.
        system: atoms and cell. Species and cell of another type are cast to the type that the loop reads.
        neighbors: made by the compiled cell list.
        cutoff: Å.
        weights: arrays [atoms] whose values at both ends of an edge the formula needs.
        directions: [atoms, 3], displacements of the atoms.

    Returns:
        Sums, each [atoms]; with a slope also the forces [atoms, 3] and, without directions, the virials xx, yy, zz, yz,
        xz, xy [6]. Values of padded atoms have no meaning.

    Raises:
        NotNativeError: the formula has no scalar code (:class:`UnsupportedError`), or XLA cannot call loops here.
        ValueError: an array has the wrong shape, or numbers of another kind than the loop reads.
    """
    dtype = system.positions.dtype
    number = len(weights)
    distance = jax.ShapeDtypeStruct((), dtype)
    species = jax.ShapeDtypeStruct((), jnp.int32)
    leaves, tree = jax.tree.flatten(params)
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    with_forces = []

    def flat(*arguments: Any) -> tuple[jax.Array, ...]:
        addends, slope = terms(jax.tree.unflatten(tree, arguments[: len(leaves)]), *arguments[len(leaves) :])
        with_forces.append(slope is not None)
        if slope is not None and directions is not None:
            (along, across), distance, rate = slope, *arguments[len(leaves) :][:2]
            # n = d / r and dn = (u - n rate) / r give the coefficients of d / r and of u / r
            return (*addends, along - across * rate / distance, across)
        return (*addends, *(() if slope is None else (slope,)))

    moving = directions is not None
    jaxpr, shapes = jax.make_jaxpr(flat, return_shape=True)(
        *[jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves], *[distance] * (1 + moving), species,
        species, *[distance] * (2 * number),
    )  # fmt: skip
    translation = Translation(dtype)
    names = ["r", *(["rate"] if moving else []), "own", "other"]
    names += [*[f"wi{k}" for k in range(number)], *[f"wj{k}" for k in range(number)]]
    weights = (*weights, *(() if directions is None else directions.T))
    results = translate(jaxpr, [*leaves, *[Code((n,), ()) for n in names]], translation)
    # an output that does not depend on the pair is an input of the loop
    outputs = [_output(translation, value, shape) for value, shape in zip(results, shapes, strict=True)]
    values = [jnp.ravel(v) for v in translation.inputs]
    lines, outputs, columns = packed(
        used(translation.lines, outputs), outputs, [v.size for v in values], [v.dtype.name for v in values]
    )
    inputs = [_table([values[k] for k in group]) for group in columns]
    loop = Loop(
        lines=tuple(lines),
        outputs=tuple(outputs),
        forces=with_forces[0],
        directions=moving,
        weights=len(weights),
        inputs=tuple((v.dtype.name, v.shape[0], v.shape[1]) for v in inputs),
        dtype=dtype.name,
        cutoff=float(cutoff),
    )
    atoms, total = neighbors.row_of_atom.shape[0], neighbors.source.shape[0]
    centers, capacity = neighbors.rows.shape
    shapes = [((atoms,), dtype)] * loop.sums
    if loop.forces:
        shapes += [((atoms, 3), dtype)]
    if loop.virial:
        shapes += [((math.ceil(atoms / CENTERS_PER_TASK), 6), dtype)]
    shapes += [((total + 1, loop.stride), dtype), ((total,), jnp.int32)]  # the scratch
    arrays = vary_alike([
        as_read(system.positions, dtype, (atoms, 3), "positions"),
        as_read(system.species, jnp.int32, (atoms,), "species"),
        as_read(system.cell, dtype, (3, 3), "cell"),
        as_read(neighbors.rows, jnp.int32, (centers, capacity), "the list's rows"),
        as_read(neighbors.source, jnp.int32, (total,), "the list's source"),
        as_read(neighbors.offset, jnp.int32, (total, 3), "the list's offset"),
        as_read(neighbors.row_of_atom, jnp.int32, (atoms,), "the list's row_of_atom"),
        *[as_read(w, dtype, (atoms,), "weights") for w in weights],
        *inputs,
    ])  # fmt: skip
    kinds = [abstract_like([jax.typeof(a) for a in arrays], shape, kind) for shape, kind in shapes]
    found = jax.ffi.ffi_call(_target(loop), kinds, vmap_method="sequential")(*arrays)
    sums, forces = list(found[: loop.sums]), tuple(found[loop.sums : loop.sums + loop.forces])
    return sums, (*forces, found[loop.sums + 1].sum(axis=0)) if loop.virial else forces


def _table(columns: Sequence[jax.Array]) -> jax.Array:
    """[size, padded columns] the columns of a table, and columns of zeros."""
    table = jnp.stack(columns, axis=-1)
    return jnp.pad(table, ((0, 0), (0, padded(len(columns)) - len(columns))))


def _output(translation: Translation, value: Any, shape: Any) -> str:
    """The name of a result of the formula."""
    if shape.dtype != translation.dtype:
        raise NotNativeError(f"the formula gives {shape.dtype} for positions of {translation.dtype}")
    return translation.emit(translation.scalar(value, shape), shape.dtype)


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
def _source(loop: Loop) -> str:
    return source_of(loop)


def _target(loop: Loop) -> str:
    """The name of the compiled loop, made at the first call in a process.

    Raises:
        NotNativeError: numba cannot compile the loop, or XLA cannot call it.
    """
    if (problem := interface_problem()) is not None:
        raise NotNativeError(problem)
    name = f"jaxpot_pairs_{hashlib.sha256(f'{loop.dtype} {_source(loop)}'.encode()).hexdigest()[:16]}"
    try:
        register_once(name, lambda: _compiled(loop, name))
    except Exception as error:
        raise UnsupportedError(_culprit(loop, error), f"({type(error).__name__}: {str(error)[:500]})") from error
    return name


def _culprit(loop: Loop, error: Exception) -> str:
    """The primitive of the line at which numba failed; all primitives if the line is not known."""
    number = getattr(getattr(error, "loc", None), "line", None)
    if number is not None and number <= len(lines := _source(loop).splitlines()):
        for line in loop.lines:
            if assignment(line) == lines[number - 1].strip():
                return line.primitive
    return ", ".join(sorted({line.primitive for line in loop.lines})) or "the loop"


def _compiled(loop: Loop, name: str) -> Any:
    """The function that XLA calls."""
    import numba

    from jaxpot.numerics import native_calls, native_code, native_edges, native_scalars, native_threads

    source = _source(loop)
    scope: dict[str, Any] = {
        "__name__": __name__, "np": np, "math": math, "F": np.dtype(loop.dtype).type, "U": np.uint64,
        "carray": numba.carray, "run_tasks": native_threads.run_tasks,
        **{key: getattr(native_calls, key) for key in ("argument", "result", "size")},
        **{key: getattr(native_scalars, key) for key in native_scalars.__all__},
        **{key: getattr(native_edges, key) for key in native_edges.__all__},
    }  # fmt: skip
    exec(compile(source, f"<{name}>", "exec"), scope)
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True}
    for function, flags in (("lookups", FAST), ("gather_rows", FAST), ("work", FAST), ("body", False)):
        if function in scope:
            # symbols in machine code contain this name, and must not clash with loops read from the disk cache
            scope[function].__qualname__ = f"{function}_{name}"
            if function == "lookups":  # a part of ``work``
                scope[function] = numba.njit(scope[function], fastmath=flags, **options)
            else:
                scope[function] = native_code.njit_kept(scope[function], source, fastmath=flags, **options)
    tasks = native_threads.task_of(scope["gather_rows"]), native_threads.task_of(scope["work"])
    return native_calls.handler_of(scope["body"], *tasks)
