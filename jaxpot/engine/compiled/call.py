"""The loop over pairs, compiled by numba and called by XLA."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine.compiled.lines import packed, used
from jaxpot.engine.compiled.loop import CENTERS_PER_TASK, Loop
from jaxpot.engine.compiled.machine import as_read, called, output_of, table_of, target_of
from jaxpot.engine.compiled.scalar_code import Code, Translation, translate
from jaxpot.engine.compiled.source import source_of
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["available", "pair_loop"]


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
    virial: bool = True,
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
        virial: whether virials are wanted beside forces.

    Returns:
        Sums, each [atoms]; with a slope also the forces [atoms, 3] and, if wanted and without directions, the virials
        xx, yy, zz, yz, xz, xy [6]. Values of padded atoms have no meaning.

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
    outputs = [output_of(translation, value, shape) for value, shape in zip(results, shapes, strict=True)]
    values = [jnp.ravel(v) for v in translation.inputs]
    lines, outputs, columns = packed(
        used(translation.lines, outputs), outputs, [v.size for v in values], [v.dtype.name for v in values]
    )
    inputs = [table_of([values[k] for k in group]) for group in columns]
    loop = Loop(
        lines=tuple(lines),
        outputs=tuple(outputs),
        forces=with_forces[0],
        directions=moving,
        weights=len(weights),
        inputs=tuple((v.dtype.name, v.shape[0], v.shape[1]) for v in inputs),
        dtype=dtype.name,
        cutoff=float(cutoff),
        with_virial=virial,
    )
    atoms, total = neighbors.row_of_atom.shape[0], neighbors.source.shape[0]
    shapes = [((atoms,), dtype)] * loop.sums
    if loop.forces:
        shapes += [((atoms, 3), dtype)]
    if loop.virial:
        shapes += [((math.ceil(atoms / CENTERS_PER_TASK), 6), dtype)]
    shapes += [((total + 1, loop.stride), dtype), ((total,), jnp.int32)]  # the scratch
    further = [*[as_read(w, dtype, (atoms,), "weights") for w in weights], *inputs]
    target = target_of("pairs", loop, source_of, ("gather_rows", "work"), ())
    found = called(target, system, neighbors, further, shapes)
    sums, forces = list(found[: loop.sums]), tuple(found[loop.sums : loop.sums + loop.forces])
    return sums, (*forces, found[loop.sums + 1].sum(axis=0)) if loop.virial else forces
