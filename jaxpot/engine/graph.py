"""Potentials that are functions of a whole graph: message passing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.descriptors.environment import Environment
from jaxpot.engine.rows import (
    Edges,
    Rows,
    checked_range,
    checked_result,
    edges_of,
    per_atom,
    preparation,
    ready,
    real_centers,
    rows_of,
    take,
    to_atoms,
)
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.edge_blocks import EdgeFunction, Kind, Slots, evaluate_in_blocks
from jaxpot.potential import Potential, no_init
from jaxpot.system import System

__all__ = ["Graph", "graph_potential"]

WHOLE = 4096  # slots; structures with no more are evaluated at once, larger ones in blocks
ATOMS = 256  # atoms of a block
SLOTS = 8  # slots of each atom evaluated at a time, so that edge features stay in cache and few slots are empty


class Graph(NamedTuple):
    """All atoms of a structure, for a message-passing formula.

    The features of atoms are arrays [nodes, ...]. Nodes where ``real`` is False are padding. The features of edges
    exist only inside :meth:`sum`, for one block of atoms at a time, and are recomputed for derivatives. So the memory
    for a structure is that of the atoms' features.

    Attributes:
        species: [nodes] int32.
        real: [nodes] bool.
        edges: x, y, z [nodes, slots] Å, the displacements to neighbours, and a mask of slots that hold a neighbour.
        slots: the nodes of the neighbours.
        block: numbers of atoms, and of slots of each, that are evaluated at once.
        data: by name, [nodes] the system's extras that the potential needs, such as ``"charges"``.
    """

    species: jax.Array
    real: jax.Array
    edges: tuple[jax.Array, jax.Array, jax.Array, jax.Array]
    slots: Slots
    block: tuple[int, int]
    data: dict[str, jax.Array] = {}  # noqa: RUF012

    def sum(self, message: Callable[..., Any], *features: Any, own: Any = None) -> Any:
        """The sum of messages over the neighbours of each atom.

        Args:
            message: ``(edges, *theirs) -> messages``, or ``(edges, *theirs, own)`` where ``own`` is given. ``edges`` is
                the :class:`jaxpot.Environment` of each atom of a block ([atoms, slots], own_species [atoms]), in which
                slots without a neighbour hold a substitute edge; ``theirs`` are the neighbours' features
                [atoms, slots, ...]; ``own`` are the features of the receiving atom [atoms, 1, ...]. It returns an array
                [atoms, slots, ...], or a pytree of them. It may use any other arrays, such as params.
            features: arrays [nodes, ...] or pytrees of them: the neighbours' features.
            own: the same for the receiving atom.

        Returns:
            [nodes, ...], or a pytree of them: sums over the slots that hold a neighbour.
        """
        taken, tree = jax.tree.flatten((features, own))
        given = len(jax.tree.leaves(features))
        atoms, slots = self.block
        x, y, z, mask = self.edges

        def messages(x: jax.Array, y: jax.Array, z: jax.Array, mask: jax.Array, *rest: jax.Array) -> Any:
            species, own_species, *values = rest
            edges = Environment(x, y, z, jnp.sqrt(x * x + y * y + z * z), species, own_species, mask)
            theirs, mine = jax.tree.unflatten(tree, values)
            mine = () if own is None else (jax.tree.map(lambda leaf: leaf[:, None], mine),)

            def total(each: jax.Array) -> jax.Array:
                held = mask.reshape(*mask.shape, *[1] * (each.ndim - 2))
                return jnp.where(held, each, jnp.zeros((), each.dtype)).sum(axis=1)

            return jax.tree.map(total, message(edges, *theirs, *mine))

        kinds = (
            *[Kind.EDGES] * 4, Kind.OTHERS, Kind.CENTERS, *[Kind.OTHERS] * given, *[Kind.CENTERS] * (len(taken) - given)
        )  # fmt: skip
        arguments = [x, y, z, mask, self.species, self.species, *taken]
        shapes = [
            jax.ShapeDtypeStruct(_block_shape(kind, leaf, atoms, slots), leaf.dtype)
            for kind, leaf in zip(kinds, arguments, strict=True)
        ]
        # arrays that the message closes over become arguments
        traced, results = jax.make_jaxpr(messages, return_shape=True)(*shapes)
        shared = len(traced.consts)

        def function(*values: jax.Array) -> list[jax.Array]:
            return jax.core.eval_jaxpr(traced.jaxpr, values[:shared], *values[shared:])

        leaves = jax.tree.leaves(results)
        of = EdgeFunction(function, (*[Kind.SHARED] * shared, *kinds), (Kind.CENTERS,) * len(leaves), atoms, slots)
        found = evaluate_in_blocks(of, self.slots, [*traced.consts, *arguments])
        return jax.tree.unflatten(jax.tree.structure(results), found)

    def map(self, function: Callable[..., Any], *features: Any) -> Any:
        """A function of each atom's features, evaluated in blocks of atoms and recomputed for derivatives.

        The same function applied without ``map`` gives the same numbers, but its intermediate results stay in memory.

        Args:
            function: ``(*features) -> results`` for some atoms [atoms, ...]; arrays or pytrees of them.
            features: arrays [nodes, ...] or pytrees of them.

        Returns:
            [nodes, ...], or a pytree of them.
        """
        atoms, nodes = self.block[0], len(self.species)
        if atoms == nodes:
            return function(*features)
        split = jax.tree.map(lambda leaf: leaf.reshape(-1, atoms, *leaf.shape[1:]), features)
        found = jax.lax.map(jax.checkpoint(lambda some: function(*some)), split)
        return jax.tree.map(lambda leaf: leaf.reshape(nodes, *leaf.shape[2:]), found)


def _block_shape(kind: Kind, leaf: jax.Array, atoms: int, slots: int) -> tuple[int, ...]:
    if kind is Kind.EDGES:
        return (atoms, slots, *leaf.shape[2:])
    return (atoms, *[slots] * (kind is Kind.OTHERS), *leaf.shape[1:])


def graph_potential(
    energies: Callable[[Params, Graph], jax.Array],
    cutoff: float,
    elements: tuple[str, ...] | None = None,
    name: str = "graph",
    init: Callable[..., Params] | None = None,
    prepare: Callable[[Params, Any], Any] | None = None,
    needs: Sequence[str] = (),
) -> Potential:
    """A potential from a function of the whole graph, for message passing.

    An atom's energy may depend on all atoms that are connected to it by chains of edges; forces and virial are
    derivatives of the whole. Large structures are evaluated in blocks of atoms.

    Args:
        energies: ``(params, graph) -> [nodes]`` energies in eV; ``graph`` is a :class:`jaxpot.Graph`. Energies of
            padding are ignored.
        cutoff: Å, of the edges.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        name: of the potential.
        init: makes default parameters.
        prepare: ``(params, dtype) -> prepared``, which the formula takes in place of params; computed once per
            evaluation, or once per run by :func:`jaxpot.prepare`.
        needs: names of the system's data [atoms] that the energies depend on, such as ``"charges"``; ``graph.data``
            holds them.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive number; at evaluation, not all atoms are centers of the list.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> def weight(edges, *counts):
        ...     return (1 - (edges.distances / 3.0) ** 2) ** 2 * (counts[0] if counts else 1)
        >>> def second_neighbours(params, graph):  # walks of two steps, smoothed
        ...     return params["k"] * graph.sum(weight, graph.sum(weight))
        >>> potential = jaxpot.graph_potential(second_neighbours, cutoff=3.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(3.0).allocate(system)
        >>> round(float(jaxpot.energy(potential)({"k": 1.0}, system, neighbors)), 4)
        0.6328
    """
    cutoff, elements = checked_range(name, cutoff, elements)

    def gathered(params: Params, system: System, neighbors: Neighbors) -> tuple[Layout, Callable[..., jax.Array]]:
        """The layout of the edges, and the atoms' energies as a function of the edges."""
        layout = layout_of(system, neighbors, cutoff)
        params = ready(prepare, params, system.positions.dtype)
        atoms, nodes = neighbors.source[: system.positions.shape[0]], len(layout.species)
        data = {name: jnp.pad(per_atom(system, name)[atoms], (0, nodes - len(atoms))) for name in needs}

        def of_edges(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
            edges = (x, y, z, layout.mask)
            graph = Graph(layout.species, layout.real, edges, layout.slots, layout.block, data)
            each = checked_result(f"{name}: energies(params, graph)", energies(params, graph), layout.species.shape)
            return to_atoms(each, system, neighbors)

        return layout, of_edges

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        layout, of_edges = gathered(params, system, neighbors)
        return Outputs(of_edges(*displacements(layout, system, neighbors, cutoff)))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        layout, of_edges = gathered(params, system, neighbors)

        def moved(positions: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            return displacements(layout, system.replace(positions=positions), neighbors, cutoff)

        edges, to_positions = jax.vjp(moved, system.positions)
        each, to_edges = jax.vjp(of_edges, *edges)
        gradient = to_edges(jnp.ones_like(each))
        virial = jnp.stack([jnp.stack([jnp.vdot(a, b) for b in edges]) for a in gradient])
        return Evaluation(each, -to_positions(gradient)[0], 0.5 * (virial + virial.T))

    return Potential(
        name,
        cutoff,
        elements,
        Functions(outputs, evaluate),
        init or no_init,
        prepare=preparation(prepare),
        needs=frozenset(needs),
    )


class Layout(NamedTuple):
    """The neighbours of each node in their slots; nothing here is differentiated.

    Attributes:
        species: [nodes] int32.
        real: [nodes] bool.
        rows: [nodes, slots] int32, the list's rows of the neighbours.
        mask: [nodes, slots] bool, whether a slot holds a neighbour within the cutoff.
        slots: the neighbours as nodes.
        block: numbers of atoms and slots that are evaluated at once.
    """

    species: jax.Array
    real: jax.Array
    rows: jax.Array
    mask: jax.Array
    slots: Slots
    block: tuple[int, int]


def layout_of(system: System, neighbors: Neighbors, cutoff: float) -> Layout:
    """The layout of the edges within the cutoff, in blocks if there are many edges."""
    neighbors.check_all_centers("message passing needs the edges of all atoms")
    nodes, width = neighbors.row_of_atom.shape[0], neighbors.rows.shape[1]  # padding follows the atoms
    block = (nodes, width)
    if nodes * width > WHOLE:
        # equal parts need the least padding
        block = (math.ceil(nodes / math.ceil(nodes / ATOMS)), math.ceil(width / math.ceil(width / SLOTS)))
    missing, empty = -nodes % block[0], neighbors.source.shape[0]
    rows = jax.lax.stop_gradient(rows_of(system, neighbors))
    real = jnp.pad(real_centers(system, neighbors)[:nodes], (0, missing))
    species = jnp.pad(rows.species[:nodes], (0, missing))
    slots = jnp.pad(neighbors.rows[:nodes], ((0, missing), (0, -width % block[1])), constant_values=empty)
    mask = _edges(rows, slots, cutoff, real).mask
    if block != (nodes, width):
        # move neighbours within the cutoff to the first slots, so that chunks of empty slots can be skipped
        place = jnp.where(mask, jnp.cumsum(mask, axis=1, dtype=jnp.int32) - 1, slots.shape[1])
        node = jnp.arange(len(mask), dtype=jnp.int32)[:, None]
        slots = jnp.full_like(slots, empty).at[node, place].set(slots, mode="drop")
        mask = slots < empty
    counts = -(-mask.sum(axis=1, dtype=jnp.int32) // block[1])
    # an image has the features of its atom; empty slots point to an arbitrary atom
    node_of_row = jnp.append(neighbors.row_of_atom[neighbors.source], jnp.int32(0))
    places = Slots(take(node_of_row, slots), counts.reshape(-1, block[0]).max(axis=1))
    return Layout(species, real, slots, mask, places, block)


def displacements(
    layout: Layout, system: System, neighbors: Neighbors, cutoff: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """x, y, z [nodes, slots] Å of the edges; slots without a neighbour have a substitute edge as long as the cutoff."""
    edges = _edges(rows_of(system, neighbors), layout.rows, cutoff, layout.real)
    return edges.x, edges.y, edges.z


def _edges(rows: Rows, slots: jax.Array, cutoff: float, real: jax.Array) -> Edges:
    """Edges from the first rows to the rows in their slots; ``slots`` may have more atoms than the list."""
    missing = max(len(slots) - len(rows.x), 0)
    x, y, z = (jnp.pad(values, (0, missing))[: len(slots)] for values in rows[:3])
    return edges_of(rows, (x, y, z), slots, cutoff, real)
