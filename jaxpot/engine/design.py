"""The rows of the least-squares problem that fits a head which is linear in coefficients."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.engine.environment_blocks import Blocks, blocks_of, environments_of
from jaxpot.engine.rows import rows_of
from jaxpot.heads.linear import DesignHead
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["DesignRows", "design_rows"]

BLOCK_OF_ROWS = 16  # most atoms for which the derivatives of all values are in memory at once


class DesignRows(NamedTuple):
    """How energy, forces and virial of a structure depend on the coefficients of a potential that is linear in them.

    The energy is ``sum(energies * coefficients)``, and likewise along the last two axes for forces and virial.

    Attributes:
        energies: [species, features].
        forces: [atoms, 3, species, features] 1/Å.
        virial: [3, 3, species, features].
    """

    energies: jax.Array
    forces: jax.Array
    virial: jax.Array


def design_rows(
    descriptor: Descriptor, head: DesignHead, system: System, neighbors: Neighbors, numbers: Any, params: Any
) -> DesignRows:
    """The rows of one structure in the design matrix, as a pure function; the list is not checked.

    Args:
        descriptor: whose values the head takes.
        head: linear in its coefficients.
        system: atoms and cell.
        neighbors: a list that is complete for the system.
        numbers: of the descriptor; None for its own.
        params: of the head, where its features depend on some.

    Returns:
        The :class:`DesignRows`; the first feature is the constant 1.
    """
    bound = descriptor if numbers is None else descriptor.with_numbers(numbers)
    cutoff, number, species = descriptor.cutoff, descriptor.number, descriptor.species
    size = head.size(descriptor)
    atoms, dtype = system.positions.shape[0], system.positions.dtype
    all_rows = rows_of(system, neighbors)
    other = jnp.append(neighbors.source, atoms)  # the atom of each row; ``atoms`` for an empty slot
    own = jnp.full(neighbors.rows.shape[0], atoms, other.dtype)
    own = own.at[neighbors.row_of_atom].set(jnp.arange(atoms, dtype=other.dtype), mode="drop")

    def block(total: DesignRows, one: tuple[Blocks, jax.Array]) -> tuple[DesignRows, None]:
        environment = environments_of(all_rows, one[0], cutoff)
        values, derivatives = bound.jacobian(environment)
        kind, mask = environment.own_species, environment.mask[:, :, None, None]
        belongs = ((kind[None] == jnp.arange(species)[:, None]) & one[0].real[None]).astype(dtype)
        # dB/d(edge), [centers, neighbors, 3, number]
        edges = jnp.where(mask, jnp.stack([d.transpose(0, 2, 1) for d in derivatives], axis=2), 0.0)
        vectors = jnp.stack([environment.x, environment.y, environment.z], axis=-1)
        if head.plain:
            # for all atoms of a species at once: one product of matrices
            own_vectors = belongs[:, :, None, None] * vectors[None]
            strain = jnp.einsum("sakq,akpn->pqsn", own_vectors, edges)
            virial = 0.5 * (strain + strain.transpose(1, 0, 2, 3))
        else:
            strain = jnp.einsum("akpn,akq->apqn", edges, vectors)
            strain = 0.5 * (strain + strain.transpose(0, 2, 1, 3))
            virial = head.push(descriptor, params, values, strain.reshape(len(strain), 9, number), belongs)
            virial = virial.reshape(3, 3, species, size - 1)
        # forces: each edge contributes to both its atoms, with opposite signs
        at, center = other[one[0].slots], jnp.arange(len(edges))
        if head.plain:
            here = total.forces[..., 1:].transpose(0, 2, 1, 3)
            here = here.at[at, kind[:, None]].add(-edges, mode="drop")
            here = here.at[one[1], kind].add(edges.sum(axis=1), mode="drop")
            forces = here.transpose(0, 2, 1, 3)
        else:
            between = jnp.zeros((len(edges), atoms, 3, number), dtype)
            between = between.at[center[:, None], at].add(-edges, mode="drop")
            between = between.at[center, one[1]].add(edges.sum(axis=1), mode="drop")
            found = head.push(descriptor, params, values, between.reshape(len(edges), atoms * 3, number), belongs)
            forces = total.forces[..., 1:] + found.reshape(atoms, 3, species, size - 1)
        constant = jnp.zeros((1, 1, species, 1), dtype)
        features = jnp.concatenate([jnp.ones_like(values[:, :1]), head.features(descriptor, params, values)], axis=1)
        return DesignRows(
            total.energies + jnp.einsum("sa,af->sf", belongs, features),
            jnp.concatenate([jnp.broadcast_to(constant, (atoms, 3, species, 1)), forces], axis=-1),
            total.virial.at[..., 1:].add(virial),
        ), None

    zero = DesignRows(*(jnp.zeros((*shape, species, size), dtype) for shape in ((), (atoms, 3), (3, 3))))
    blocks = blocks_of(bound.jacobian, all_rows, system, neighbors, BLOCK_OF_ROWS)
    width = blocks.slots.shape[1]
    centers = jnp.pad(own, (0, -own.shape[0] % width), constant_values=atoms).reshape(-1, width)
    total, _ = jax.lax.scan(block, zero, (blocks, centers))
    return total
