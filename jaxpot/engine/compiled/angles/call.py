"""The loop over bonds and angles, compiled by numba and called by XLA."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine.compiled.angles.formulas import Formulas, parts_of
from jaxpot.engine.compiled.angles.loop import AngleLoop
from jaxpot.engine.compiled.angles.source import CENTERS_PER_TASK, source_of
from jaxpot.engine.compiled.angles.symmetry import symmetric
from jaxpot.engine.compiled.lines import packed, used
from jaxpot.engine.compiled.machine import called, output_of, table_of, target_of
from jaxpot.engine.compiled.scalar_code import Code, Translation, translate
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["Formulas", "angle_loop"]


def angle_loop(
    formulas: Formulas, params: Any, system: System, neighbors: Neighbors, cutoff: float, triple_cutoff: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Energies, forces and virial of an angular potential by one compiled loop over the list.

    Args:
        formulas: of scalars.
        params: pytree.
        system: atoms and cell.
        neighbors: made by the compiled cell list.
        cutoff: Å, of bonds and of sums.
        triple_cutoff: Å, of angles, at most the cutoff.

    Returns:
        Energies [atoms], forces [atoms, 3] and the virials xx, yy, zz, yz, xz, xy [6]. Values of padded atoms have no
        meaning.

    Raises:
        NotNativeError: a formula has no scalar code, or XLA cannot call loops here.
    """
    loop, inputs = _loop_of(formulas, params, system.positions.dtype, cutoff, triple_cutoff)
    dtype = system.positions.dtype
    atoms, total = neighbors.row_of_atom.shape[0], neighbors.source.shape[0]
    width = neighbors.plan.inside or neighbors.rows.shape[1]
    shapes = [((atoms,), dtype), ((atoms, 3), dtype), ((math.ceil(atoms / CENTERS_PER_TASK), 6), dtype)]
    # the scratch: coordinates and species of rows, and the edges within the cutoff, with their gradients
    shapes += [((total, 4), dtype), ((total,), jnp.int32)]
    shapes += [((atoms, width, 3), dtype), ((atoms, width), jnp.int32), ((atoms,), jnp.int32)]
    target = target_of("angles", loop, source_of, ("task",), ("gather_rows", "work", "collect"))
    further = [jnp.full((1,), width, jnp.int32), *inputs]
    energies, forces, virials, *_ = called(target, system, neighbors, further, shapes)
    return energies, forces, virials.sum(axis=0)


def _loop_of(
    formulas: Formulas, params: Any, dtype: Any, cutoff: float, triple_cutoff: float
) -> tuple[AngleLoop, list[jax.Array]]:
    """The loop of formulas, and the arrays that it reads in place of the params."""
    leaves, tree = jax.tree.flatten(params)
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    known = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    translation, outputs = Translation(dtype), {}
    for part, (names, function) in parts_of(formulas, dtype).items():

        def flat(*given: Any, function: Any = function) -> list[Any]:
            return function(jax.tree.unflatten(tree, given[: len(leaves)]), *given[len(leaves) :])

        kinds = [jax.ShapeDtypeStruct((), jnp.int32 if name[0] == "o" else dtype) for name in names]
        jaxpr, shapes = jax.make_jaxpr(flat, return_shape=True)(*known, *kinds)
        results = translate(jaxpr, [*leaves, *[Code((name,), ()) for name in names]], translation)
        outputs[part] = [output_of(translation, value, shape) for value, shape in zip(results, shapes, strict=True)]
    texts = [text for part in outputs.values() for text in part]
    lines = used(translation.lines, texts)
    values = [jnp.ravel(v) for v in translation.inputs]
    ordered = formulas.triple is not None and not symmetric(lines, outputs["triple"][0])
    lines, texts, columns = packed(lines, texts, [v.size for v in values], [v.dtype.name for v in values])
    # a call of the C library would interrupt the loop
    lines = [line._replace(text=line.text.replace("math.exp(", "exponential(")) for line in lines]
    inputs = [table_of([values[k] for k in group]) for group in columns]
    loop = AngleLoop(
        lines=tuple(lines),
        parts=tuple((part, len(found)) for part, found in outputs.items()),
        outputs=tuple(texts),
        sums=formulas.sums,
        bond_sums=formulas.bond_sums,
        ordered=ordered,
        inputs=tuple((v.dtype.name, v.shape[0], v.shape[1]) for v in inputs),
        dtype=jnp.dtype(dtype).name,
        cutoff=float(cutoff),
        triple_cutoff=float(triple_cutoff),
    )
    return loop, inputs
