"""The loop over pairs compiled by numba and called by XLA."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine.compiled.lines import packed, used
from jaxpot.engine.compiled.scalar_code import Code, Translation, translate
from jaxpot.engine.compiled.source import CENTERS, Loop, source_of
from jaxpot.neighbors import Neighbors, native
from jaxpot.system import System

__all__ = ["available", "pair_loop"]

FAST = {"reassoc", "contract", "nsz", "arcp"}  # of LLVM's promises about numbers, not those of no NaN and infinity


def available(neighbors: Neighbors, dtype: Any) -> bool:
    """Whether the loop may be used: a list by the compiled cell list, whose slots are filled from the first on."""
    return neighbors.plan.native and native.available() and jnp.dtype(dtype) in (jnp.float32, jnp.float64)


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
        terms: ``(params, distance, own, other, *weights_own, *weights_other) -> (addends, pull)``, all scalars: what a
            pair adds to each sum of its centre, and dE/dr seen from the centre, or None where no forces are wanted.
            With directions, ``(params, distance, rate, own, ...)``, where the rate is that of the distance, and instead
            of dE/dr (along, across): the centre gets along n + across dn, of the edge's unit vector n and its change.
        params: pytree.
        system: atoms and cell.
        neighbors: made by the compiled cell list.
        cutoff: Å.
        weights: arrays [atoms] of which the formula needs the values at both ends of a pair.
        directions: [atoms, 3], in which the atoms move.

    Returns:
        Sums, each [atoms], and with a pull the forces [atoms, 3] and, without directions, the virials xx, yy, zz, yz,
        xz, xy [6]. What they hold for padded atoms means nothing.

    Raises:
        UnsupportedError: the formula has no scalar code.
    """
    dtype = system.positions.dtype
    number = len(weights)
    distance = jax.ShapeDtypeStruct((), dtype)
    species = jax.ShapeDtypeStruct((), jnp.int32)
    leaves, tree = jax.tree.flatten(params)
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    pulls = []

    def flat(*arguments: Any) -> tuple[jax.Array, ...]:
        addends, pull = terms(jax.tree.unflatten(tree, arguments[: len(leaves)]), *arguments[len(leaves) :])
        pulls.append(pull is not None)
        if pull is not None and directions is not None:
            (along, across), distance, rate = pull, *arguments[len(leaves) :][:2]
            # n = d / r and dn = (u - n rate) / r: what multiplies d / r, and what u / r
            return (*addends, along - across * rate / distance, across)
        return (*addends, *(() if pull is None else (pull,)))

    moving = directions is not None
    jaxpr, shapes = jax.make_jaxpr(flat, return_shape=True)(
        *[jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves], *[distance] * (1 + moving), species,
        species, *[distance] * (2 * number),
    )  # fmt: skip
    translation = Translation()
    names = ["r", *(["rate"] if moving else []), "own", "other"]
    names += [*[f"wi{k}" for k in range(number)], *[f"wj{k}" for k in range(number)]]
    weights = (*weights, *(() if directions is None else directions.T))
    results = translate(jaxpr, [*leaves, *[Code((n,), ()) for n in names]], translation)
    # an output that does not depend on the pair is an input of the loop
    outputs = [
        translation.emit(translation.scalar(value, shape), "f") for value, shape in zip(results, shapes, strict=True)
    ]
    values = [jnp.ravel(v) for v in translation.inputs]
    lines, outputs, columns = packed(
        used(translation.lines, outputs), outputs, [v.size for v in values], [v.dtype.name for v in values]
    )
    inputs = [jnp.stack([values[k] for k in group], axis=-1) for group in columns]
    loop = Loop(
        lines=tuple(lines),
        outputs=tuple(outputs),
        forces=pulls[0],
        directions=moving,
        weights=len(weights),
        inputs=tuple((v.dtype.name, v.shape[0], v.shape[1]) for v in inputs),
        dtype=dtype.name,
        cutoff=float(cutoff),
    )
    atoms, total = neighbors.row_of_atom.shape[0], neighbors.source.shape[0]
    kinds = [jax.ShapeDtypeStruct((atoms,), dtype)] * loop.sums
    if loop.forces:
        kinds += [jax.ShapeDtypeStruct((atoms, 3), dtype)]
    if loop.virial:
        kinds += [jax.ShapeDtypeStruct((math.ceil(atoms / CENTERS), 6), dtype)]
    scratch = [jax.ShapeDtypeStruct((total, loop.stride), dtype), jax.ShapeDtypeStruct((total,), jnp.int32)]
    found = jax.ffi.ffi_call(_target(loop), kinds + scratch, vmap_method="sequential")(
        system.positions,
        system.species,
        system.cell,
        neighbors.rows,
        neighbors.source,
        neighbors.offset,
        neighbors.row_of_atom,
        *weights,
        *inputs,
    )
    sums, forces = list(found[: loop.sums]), tuple(found[loop.sums : loop.sums + loop.forces])
    return sums, (*forces, found[loop.sums + 1].sum(axis=0)) if loop.virial else forces


@functools.cache
def _target(loop: Loop) -> str:
    """The name of the compiled loop, made at the first call."""
    import numba

    from jaxpot.numerics import native_calls

    source = source_of(loop)
    key = f"{loop.dtype} {native_calls.FINGERPRINT} {source}"
    name = f"jaxpot_pairs_{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    scope: dict[str, Any] = {
        "__name__": __name__,
        "numba": numba, "np": np, "math": math, "F": np.dtype(loop.dtype).type, "I": np.int32, "U": np.uint64,
        "carray": numba.carray, "argument": native_calls.argument, "result": native_calls.result,
        "size": native_calls.size, "share": native_calls.share,
    }  # fmt: skip
    file = _kept_source(name, source)
    exec(compile(source, file or f"<{name}>", "exec"), scope)
    for function, flags in (("late", {"contract"}), ("gather_rows", FAST), ("work", FAST), ("body", False)):
        if function in scope:
            # names in machine code are made of this one, and loops of other processes come from the disk
            scope[function].__qualname__ = f"{function}_{name}"
            make = numba.njit if file is None or function == "late" else native_calls.njit_kept
            scope[function] = make(scope[function], fastmath=flags, error_model="numpy", nogil=True)
    tasks = native_calls.task_of(scope["gather_rows"]), native_calls.task_of(scope["work"])
    native_calls.register(name, native_calls.handler_of(scope["body"], *tasks))
    return name


def _kept_source(name: str, source: str) -> str | None:
    """A file with the source of a loop, beside which numba keeps its machine code; None where nothing can be written.

    It lies in numba's own cache where that is set, or else in the user's.
    """
    import numba

    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(numba.config.CACHE_DIR or user) / "jaxpot"
    file = folder / f"{name}.py"
    try:
        if not file.exists() or file.read_text() != source:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".py", delete=False) as new:
                new.write(source)
            os.replace(new.name, file)
    except OSError:
        return None
    return str(file)
