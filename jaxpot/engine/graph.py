"""Potentials that are functions of a whole graph: message passing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.engine.rows import checked_range, edges_of, real_centers, rows_of, take, to_atoms
from jaxpot.evaluation import Functions, Outputs, Params, cast_params
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential, no_init
from jaxpot.system import System

__all__ = ["Graph", "graph_potential"]


class Graph(NamedTuple):
    """All atoms of a structure and the edges to their neighbours.

    Slots where ``mask`` is False are padding or beyond the cutoff. They hold a harmless edge as long as the cutoff to
    some atom, so that formulas and their derivatives stay finite there; what is summed over neighbours goes through
    :meth:`sum`. Nodes where ``real`` is False are padding.

    Attributes:
        x: [nodes, neighbors] Å, displacement from each atom to each neighbour.
        y: [nodes, neighbors] Å.
        z: [nodes, neighbors] Å.
        distances: [nodes, neighbors] Å.
        others: [nodes, neighbors] int32, the node at the other end.
        mask: [nodes, neighbors] bool.
        species: [nodes] int32.
        real: [nodes] bool.
    """

    x: jax.Array
    y: jax.Array
    z: jax.Array
    distances: jax.Array
    others: jax.Array
    mask: jax.Array
    species: jax.Array
    real: jax.Array

    def of_others(self, values: jax.Array) -> jax.Array:
        """What the atoms at the other ends of edges have.

        Args:
            values: [nodes, ...].

        Returns:
            [nodes, neighbors, ...].
        """
        return take(values, self.others)

    def sum(self, messages: jax.Array) -> jax.Array:
        """The sum over real neighbours.

        Args:
            messages: [nodes, neighbors, ...].

        Returns:
            [nodes, ...] the sum along the second axis over slots that hold a neighbour.
        """
        mask = self.mask.reshape(*self.mask.shape, *[1] * (messages.ndim - 2))
        return jnp.where(mask, messages, jnp.zeros((), messages.dtype)).sum(axis=1)


def graph_potential(
    energies: Callable[[Params, Graph], jax.Array],
    cutoff: float,
    elements: tuple[str, ...] | None = None,
    name: str = "graph",
    init: Callable[..., Params] | None = None,
) -> Potential:
    """A potential from a function of the whole graph, for message passing.

    An atom's energy may depend on all atoms that are connected to it by chains of edges; forces and virial are
    derivatives of the whole.

    Args:
        energies: ``(params, graph) -> [nodes]`` energies in eV; ``graph`` is a :class:`jaxpot.Graph`. Those of padding
            are left out.
        cutoff: Å, of the edges.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        name: of the potential.
        init: makes default parameters.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> def second_neighbours(params, graph):  # walks of two steps, smoothed
        ...     weight = (1 - (graph.distances / 3.0) ** 2) ** 2
        ...     once = graph.sum(weight)
        ...     return params["k"] * graph.sum(weight * graph.of_others(once))
        >>> potential = jaxpot.graph_potential(second_neighbours, cutoff=3.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(3.0).allocate(system)
        >>> round(float(jaxpot.energy(potential)({"k": 1.0}, system, neighbors)), 4)
        0.6328
    """
    cutoff, elements = checked_range(name, cutoff, elements)

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        rows = rows_of(system, neighbors)
        number = neighbors.rows.shape[0]
        slots = neighbors.rows
        real = real_centers(system, neighbors)
        x, y, z, distances, mask = edges_of(
            rows, (rows.x[:number], rows.y[:number], rows.z[:number]), slots, cutoff, real
        )
        # an image has the features of the atom that it shows; empty slots point to some atom
        node_of_row = jnp.append(neighbors.row_of_atom[neighbors.source], jnp.int32(0))
        graph = Graph(x, y, z, distances, take(node_of_row, slots), mask, rows.species[:number], real)
        each = energies(cast_params(params, system.positions.dtype), graph)
        return Outputs(to_atoms(each, system, neighbors))

    return Potential(name, cutoff, elements, Functions(outputs), init or no_init)
