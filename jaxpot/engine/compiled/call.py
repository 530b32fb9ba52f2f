"""The loop over pairs around the scalar code, compiled by numba and called by XLA."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine.compiled.scalar_code import Code, Translation, translate
from jaxpot.engine.rows import Rows
from jaxpot.neighbors import Neighbors, native

__all__ = ["available", "pair_loop"]

CHUNK = 256  # centres of one task
VIRIAL = (("x", "x"), ("y", "y"), ("z", "z"), ("y", "z"), ("x", "z"), ("x", "y"))


def available(neighbors: Neighbors, dtype: Any) -> bool:
    """Whether the loop may be used: a list by the compiled cell list, whose slots are filled from the first on."""
    return neighbors.plan.native and native.available() and jnp.dtype(dtype) in (jnp.float32, jnp.float64)


def pair_loop(
    terms: Callable[[Any, jax.Array, jax.Array, jax.Array], tuple[Sequence[jax.Array], jax.Array | None]],
    params: Any,
    rows: Rows,
    neighbors: Neighbors,
    cutoff: float,
    weights: Sequence[jax.Array] = (),
) -> tuple[list[jax.Array], tuple[jax.Array, ...] | None]:
    """Sums over neighbours, and forces, by one compiled loop over the list.

    Args:
        terms: ``(params, distance, own, other, *weights_own, *weights_other) -> (addends, pull)``, all scalars: what a
            pair adds to each sum of its centre, and dE/dr seen from the centre, or None where no forces are wanted.
        params: pytree.
        rows: coordinates and species.
        neighbors: made by the compiled cell list.
        cutoff: Å.
        weights: arrays [rows + 1] of which the formula needs the values at both ends of a pair.

    Returns:
        Sums, each [centers], and with a pull the forces fx, fy, fz [centers] and the virials xx, yy, zz, yz, xz, xy [],
        else None.

    Raises:
        UnsupportedError: the formula has no scalar code.
    """
    dtype = rows.x.dtype
    number = len(weights)
    distance = jax.ShapeDtypeStruct((), dtype)
    species = jax.ShapeDtypeStruct((), jnp.int32)
    leaves, tree = jax.tree.flatten(params)
    leaves = [jnp.asarray(leaf) for leaf in leaves]

    def flat(*arguments: Any) -> tuple[jax.Array, ...]:
        given, (r, own, other, *ends) = arguments[: len(leaves)], arguments[len(leaves) :]
        addends, pull = terms(jax.tree.unflatten(tree, given), r, own, other, *ends)
        return (*addends, *(() if pull is None else (pull,)))

    jaxpr, shapes = jax.make_jaxpr(flat, return_shape=True)(
        *[jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves], distance, species, species,
        *[distance] * (2 * number),
    )  # fmt: skip
    translation = Translation()
    names = ["r", "own", "other", *[f"wi{k}" for k in range(number)], *[f"wj{k}" for k in range(number)]]
    results = translate(jaxpr, [*leaves, *[Code((n,), ()) for n in names]], translation)
    outputs = [translation.scalar(v, a) for v, a in zip(results, shapes, strict=True)]
    with_forces = _has_pull(terms, params, dtype, number)
    inputs = [jnp.ravel(v) for v in translation.inputs]
    target = _target(
        tuple(translation.lines), tuple(outputs), with_forces, number,
        tuple((v.dtype.name, v.size) for v in inputs), dtype.name, float(cutoff),
    )  # fmt: skip
    centers, capacity = neighbors.rows.shape
    sums = len(outputs) - with_forces
    chunks = math.ceil(centers / CHUNK)
    per_center = jax.ShapeDtypeStruct((centers,), dtype)
    kinds = [per_center] * (sums + 3 * with_forces) + [jax.ShapeDtypeStruct((chunks, 6), dtype)] * with_forces
    total = neighbors.source.shape[0]
    sizes = np.array([centers, capacity, total, chunks], np.int32)
    found = jax.ffi.ffi_call(target, kinds, vmap_method="sequential")(
        jnp.asarray(sizes), neighbors.rows, rows.x, rows.y, rows.z, rows.species, *weights, *inputs
    )
    if not with_forces:
        return list(found), None
    return list(found[:sums]), (*found[sums : sums + 3], *found[sums + 3].sum(axis=0))


def _has_pull(terms: Any, params: Any, dtype: Any, number: int) -> bool:
    zero, none = jnp.ones((), dtype), jnp.zeros((), jnp.int32)
    pulls = []
    jax.eval_shape(lambda: pulls.append(terms(params, zero, none, none, *[zero] * (2 * number))[1] is not None))
    return bool(pulls[0])


@functools.cache
def _target(
    lines: tuple[str, ...],
    outputs: tuple[str, ...],
    with_forces: bool,
    weights: int,
    inputs: tuple[tuple[str, int], ...],
    dtype: str,
    cutoff: float,
) -> str:
    """The name of the compiled loop for some scalar code, made at the first call."""
    import numba

    from jaxpot.numerics.native_calls import HANDLER, answers_metadata, argument, register, result

    source = _source(lines, outputs, with_forces, weights, inputs, dtype, cutoff)
    name = f"jaxpot_pairs_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    scope: dict[str, Any] = {
        "numba": numba, "np": np, "math": math, "F": np.dtype(dtype).type, "I": np.int32, "U": np.uint64,
        "carray": numba.carray,
        "answers_metadata": answers_metadata, "argument": argument, "result": result,
    }  # fmt: skip
    exec(compile(source, f"<{name}>", "exec"), scope)
    fast = {"reassoc", "contract", "nsz", "arcp"}
    scope["loop"] = numba.njit(parallel=True, fastmath=fast, error_model="numpy", nogil=True)(scope["loop"])
    register(name, numba.cfunc(HANDLER)(scope["handler"]))
    return name


def _source(
    lines: tuple[str, ...],
    outputs: tuple[str, ...],
    with_forces: bool,
    weights: int,
    inputs: tuple[tuple[str, int], ...],
    dtype: str,
    cutoff: float,
) -> str:
    """Source of ``loop``, and of ``handler`` that finds its arguments in XLA's call frame."""
    sums = len(outputs) - with_forces
    given = [f"w{k}" for k in range(weights)] + [f"p{k}" for k in range(len(inputs))]
    made = [f"s{k}" for k in range(sums)] + (["fx", "fy", "fz", "virial"] if with_forces else [])
    accumulators = [f"a{k}" for k in range(sums)] + (["ax", "ay", "az"] if with_forces else [])
    text = [f"def loop({', '.join(['rows', 'x', 'y', 'z', 'species', *given, *made])}):"]
    body = ["centers, capacity = rows.shape", "total = x.shape[0] - 1", f"chunks = (centers + {CHUNK - 1}) // {CHUNK}"]
    body += [f"limit = F({cutoff!r}) * F({cutoff!r})", "for chunk in numba.prange(chunks):"]
    chunk = [f"b{u}{v} = F(0.0)" for u, v in VIRIAL] if with_forces else []
    chunk += [f"for i in range(chunk * {CHUNK}, min(centers, (chunk + 1) * {CHUNK})):"]
    center = ["low, high = 0, capacity", "while low < high:"]
    center += ["    middle = (low + high) // 2", "    if rows[i, middle] < total:", "        low = middle + 1"]
    center += ["    else:", "        high = middle"]
    center += ["xi, yi, zi, own = x[i], y[i], z[i], species[i]"]
    center += [f"wi{k} = w{k}[i]" for k in range(weights)]
    center += [f"{a} = F(0.0)" for a in accumulators] + ["for k in range(low):"]
    # masks are factors and indices unsigned, so that LLVM can turn the loop into vector instructions; a coordinate
    # that is not a number still ends up in the forces
    pair = ["j = U(rows[i, k])", "dx, dy, dz = x[j] - xi, y[j] - yi, z[j] - zi"]
    pair += ["squared = dx * dx + dy * dy + dz * dz", "mask = F(squared < limit)", "r = math.sqrt(min(squared, limit))"]
    pair += ["other = species[j]", *[f"wj{k} = w{k}[j]" for k in range(weights)], *lines]
    pair += [f"a{k} += {outputs[k]} * mask" for k in range(sums)]
    if with_forces:
        pair += [f"pull = ({outputs[-1]}) / r * mask"]
        pair += [f"g{d} = pull * d{d}" for d in "xyz"] + [f"a{d} += g{d}" for d in "xyz"]
        pair += [f"b{u}{v} += g{u} * d{v}" for u, v in VIRIAL]
    center += ["    " + line for line in pair]
    center += [f"s{k}[i] = a{k}" for k in range(sums)] + [f"f{d}[i] = a{d}" for d in "xyz" if with_forces]
    chunk += ["    " + line for line in center]
    chunk += [f"virial[chunk, {k}] = F(0.5) * b{u}{v}" for k, (u, v) in enumerate(VIRIAL) if with_forces]
    body += ["    " + line for line in chunk]
    text += ["    " + line for line in body] + [""]

    text += ["def handler(frame):", "    if answers_metadata(frame):", "        return 0"]
    text += ["    sizes = carray(argument(frame, 0), (4,), np.int32)"]
    text += ["    centers, capacity, total, chunks = sizes[0], sizes[1], sizes[2], sizes[3]"]
    arrays = ["carray(argument(frame, 1), (centers, capacity), np.int32)"]
    arrays += [f"carray(argument(frame, {k}), (total + 1,), F)" for k in (2, 3, 4)]
    arrays += ["carray(argument(frame, 5), (total + 1,), np.int32)"]
    arrays += [f"carray(argument(frame, {6 + k}), (total + 1,), F)" for k in range(weights)]
    arrays += [
        f"carray(argument(frame, {6 + weights + k}), ({size},), np.{'bool_' if kind == 'bool' else kind})"
        for k, (kind, size) in enumerate(inputs)
    ]
    arrays += [f"carray(result(frame, {k}), (centers,), F)" for k in range(sums + 3 * with_forces)]
    arrays += [f"carray(result(frame, {sums + 3}), (chunks, 6), F)"] * with_forces
    text += ["    loop(" + ", ".join(arrays) + ")", "    return 0"]
    return "\n".join(text) + "\n"
