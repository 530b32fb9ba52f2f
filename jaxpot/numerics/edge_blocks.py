"""Functions of edges evaluated in blocks, with derivatives of any order that store nothing of a block.

A function of the edges of a block of atoms reads values of four kinds and gives results of the same four kinds:

==========  ===================================  ====================================
kind        as an argument                       as a result
==========  ===================================  ====================================
``SHARED``  the same for all edges               summed over all edges
``OTHERS``  of the node at an edge's other end   added to the node at the other end
``CENTERS`` of the atom that edges start from    summed over the edges of that atom
``EDGES``   of the edge                          of the edge
==========  ===================================  ====================================

The reverse pass of such a function is again such a function: the cotangent of a sum over all edges is the same for all
edges, the cotangent of a result added to the node at the other end is read at that node, and so on. The forward
derivative is such a function too. So derivatives of any order use the same loop, which recomputes each block.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jaxpot.numerics.linear_map import linear_map

__all__ = ["EdgeFunction", "Kind", "Slots", "evaluate_in_blocks"]


class Kind(enum.Enum):
    """What a value of a function of edges belongs to; see the table above."""

    SHARED = "shared"
    OTHERS = "others"
    CENTERS = "centers"
    EDGES = "edges"


class Slots(NamedTuple):
    """The edges of atoms.

    Attributes:
        others: [nodes, slots] int32, the node at the other end; any node for an empty slot.
        counts: [blocks] int32, number of chunks of slots that hold edges, for each block of atoms; all edges of an atom
            come before its empty slots.
    """

    others: jax.Array
    counts: jax.Array


class EdgeFunction(NamedTuple):
    """A function of the edges of a block of atoms.

    Attributes:
        function: takes arrays and returns a sequence of arrays of floats. For a block, ``SHARED`` values have their
            whole shape, ``CENTERS`` values are [atoms, ...], ``OTHERS`` and ``EDGES`` values are [atoms, slots, ...].
            Results for a chunk of empty slots must be 0.
        takes: the kind of each argument.
        gives: the kind of each result.
        atoms: number of atoms of a block; divides the number of nodes.
        slots: number of slots of a chunk; divides the number of slots.
    """

    function: Callable[..., Sequence[jax.Array]]
    takes: tuple[Kind, ...]
    gives: tuple[Kind, ...]
    atoms: int
    slots: int


def evaluate_in_blocks(of: EdgeFunction, slots: Slots, arguments: Sequence[jax.Array]) -> list[jax.Array]:
    """A function of edges, evaluated for all edges.

    Args:
        of: the function.
        slots: the edges.
        arguments: whole arrays: ``OTHERS`` and ``CENTERS`` [nodes, ...], ``EDGES`` [nodes, slots, ...].

    Returns:
        Its results as whole arrays of the same shapes. They can be differentiated forwards and backwards, any number of
        times, and batched; where all edges fit in one block, JAX differentiates the function as it is.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.numerics.edge_blocks import EdgeFunction, Kind, Slots, evaluate_in_blocks
        >>> of = EdgeFunction(lambda k, x: [(k * x).sum(1)], (Kind.SHARED, Kind.OTHERS), (Kind.CENTERS,), 1, 2)
        >>> ring = Slots(jnp.array([[1, 2], [2, 0], [0, 1]]), jnp.ones(3, jnp.int32))
        >>> evaluate_in_blocks(of, ring, [jnp.array(10.0), jnp.array([1.0, 2.0, 3.0])])[0].tolist()
        [50.0, 40.0, 30.0]
    """
    arguments = [jnp.asarray(value) for value in arguments]
    if slots.others.shape == (of.atoms, of.slots):
        return _one_block(of, slots.others, arguments)

    @jax.custom_jvp
    def evaluated(*values: jax.Array) -> list[jax.Array]:
        return _loop(of, Slots(*values[:2]), values[2:])

    def change(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[jax.Array], list[jax.Array]]:
        found = evaluated(*primals)
        moving = [k for k, tangent in enumerate(tangents[2:]) if not isinstance(tangent, SymbolicZero)]

        def forward(*values: Any) -> list[jax.Array]:
            return evaluate_in_blocks(_changes(of, moving), Slots(*values[:2]), values[2:])

        def transpose(
            kept: Sequence[Any], given: Sequence[jax.Array | None], wanted: Sequence[bool]
        ) -> list[jax.Array | None]:
            known = [k for k, cotangent in enumerate(given) if cotangent is not None]
            asked = [k for k, want in zip(moving, wanted, strict=True) if want]
            cotangents = [cotangent for cotangent in given if cotangent is not None]
            each = iter(evaluate_in_blocks(_reverse(of, known, asked), Slots(*kept[:2]), [*kept[2:], *cotangents]))
            return [next(each) if want else None for want in wanted]

        if not moving:
            return found, [jnp.zeros_like(value) for value in found]
        return found, linear_map(forward, transpose, primals, [tangents[2 + k] for k in moving], batches=True)

    evaluated.defjvp(change, symbolic_zeros=True)
    return evaluated(*slots, *arguments)


def _changes(of: EdgeFunction, moving: Sequence[int]) -> EdgeFunction:
    """The change of the results, from all arguments and the changes of those ``moving``."""

    def function(*values: jax.Array) -> Sequence[jax.Array]:
        fixed, changes = values[: len(of.takes)], values[len(of.takes) :]
        return jax.jvp(_of_some(of, fixed, moving), [fixed[k] for k in moving], list(changes))[1]

    return of._replace(function=function, takes=(*of.takes, *(of.takes[k] for k in moving)))


def _reverse(of: EdgeFunction, known: Sequence[int], asked: Sequence[int]) -> EdgeFunction:
    """The cotangents of the arguments ``asked``, from all arguments and the cotangents of the results ``known``."""

    def function(*values: jax.Array) -> Sequence[jax.Array]:
        fixed, cotangents = values[: len(of.takes)], values[len(of.takes) :]
        results, pull = jax.vjp(_of_some(of, fixed, asked), *[fixed[k] for k in asked])
        full = [jnp.zeros_like(result) for result in results]
        for k, cotangent in zip(known, cotangents, strict=True):
            full[k] = cotangent
        return pull(full)

    takes = (*of.takes, *(of.gives[k] for k in known))
    return of._replace(function=function, takes=takes, gives=tuple(of.takes[k] for k in asked))


def _of_some(of: EdgeFunction, fixed: Sequence[jax.Array], places: Sequence[int]) -> Callable[..., list[jax.Array]]:
    """The function of some of its arguments, with the others fixed."""

    def function(*some: jax.Array) -> list[jax.Array]:
        values = list(fixed)
        for k, value in zip(places, some, strict=True):
            values[k] = value
        return list(of.function(*values))

    return function


def _one_block(of: EdgeFunction, others: jax.Array, arguments: Sequence[jax.Array]) -> list[jax.Array]:
    values = [
        a.at[others].get(mode="promise_in_bounds") if kind is Kind.OTHERS else a
        for kind, a in zip(of.takes, arguments, strict=True)
    ]

    def whole(kind: Kind, result: jax.Array) -> jax.Array:
        if kind is not Kind.OTHERS:
            return result
        zero = jnp.zeros((len(others), *result.shape[2:]), result.dtype)
        return zero.at[others].add(result, mode="promise_in_bounds")

    return [whole(kind, result) for kind, result in zip(of.gives, of.function(*values), strict=True)]


def _loop(of: EdgeFunction, slots: Slots, arguments: Sequence[jax.Array]) -> list[jax.Array]:
    """Evaluate all chunks of slots that hold edges, one after another; results are accumulated in place."""
    nodes, width = slots.others.shape
    counts = _largest(slots.counts)
    ends = jnp.cumsum(counts, dtype=jnp.int32)

    def found(
        values: Sequence[jax.Array], others: jax.Array, atom: Any, slot: Any
    ) -> tuple[jax.Array, Sequence[jax.Array]]:
        here = _chunk(of, Kind.EDGES, others, atom, slot)
        chosen = [
            a.at[here].get(mode="promise_in_bounds") if kind is Kind.OTHERS else _chunk(of, kind, a, atom, slot)
            for kind, a in zip(of.takes, values, strict=True)
        ]
        return here, of.function(*chosen)

    def empty(kind: Kind, shape: Any) -> jax.Array:
        sizes = {
            Kind.SHARED: shape.shape,
            Kind.OTHERS: (nodes, *shape.shape[2:]),
            Kind.CENTERS: (nodes, *shape.shape[1:]),
            Kind.EDGES: (nodes, width, *shape.shape[2:]),
        }
        return jnp.zeros(sizes[kind], shape.dtype)

    def step(number: jax.Array, results: list[jax.Array]) -> list[jax.Array]:
        block = jnp.sum(ends <= number, dtype=jnp.int32)
        chunk = number - (ends[block] - counts[block])
        atom, slot = block * of.atoms, chunk * of.slots
        here, added = found(arguments, slots.others, atom, slot)
        new = []
        for kind, result, value in zip(of.gives, results, added, strict=True):
            if kind is Kind.SHARED:
                new.append(result + value)
            elif kind is Kind.OTHERS:
                new.append(result.at[here].add(value, mode="promise_in_bounds"))
            else:
                before = _chunk(of, kind, result, atom, slot) if kind is Kind.CENTERS else 0
                start = [atom, slot] if kind is Kind.EDGES else [atom]
                start += [jnp.int32(0)] * (result.ndim - len(start))
                new.append(jax.lax.dynamic_update_slice(result, before + value, start))
        return new

    shapes = jax.eval_shape(found, arguments, slots.others, 0, 0)[1]
    results = [empty(kind, shape) for kind, shape in zip(of.gives, shapes, strict=True)]
    return list(jax.lax.fori_loop(jnp.int32(0), ends[-1], step, results))


def _chunk(of: EdgeFunction, kind: Kind, values: jax.Array, atom: Any, slot: Any) -> jax.Array:
    """The part of a whole array that belongs to a chunk of slots of a block of atoms."""
    if kind is Kind.SHARED:
        return values
    values = jax.lax.dynamic_slice_in_dim(values, atom, of.atoms, 0)
    return jax.lax.dynamic_slice_in_dim(values, slot, of.slots, 1) if kind is Kind.EDGES else values


@jax.custom_batching.custom_vmap
def _largest(counts: jax.Array) -> jax.Array:
    """Counts that under vmap are common to the batch (the largest), so that a loop over them stays one loop."""
    return counts


@_largest.def_vmap
def _(size: int, batched: list[bool], counts: jax.Array) -> tuple[jax.Array, bool]:
    return _largest(jnp.max(counts, axis=0) if batched[0] else counts), False
