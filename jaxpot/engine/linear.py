"""Potentials that are linear in their coefficients, and the rows of the least-squares problem that fits them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.environment import Environment
from jaxpot.engine.environment import BLOCK, Blocks, blocks_of, environment_potential, environments_of
from jaxpot.engine.rows import rows_of
from jaxpot.evaluation import Params
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.named import named_parameters
from jaxpot.potential import Potential
from jaxpot.system import System

__all__ = ["DesignRows", "LinearForm", "linear_potential"]

BLOCK_OF_ROWS = 16  # atoms whose derivatives of all descriptors are in memory at once


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


class LinearForm(NamedTuple):
    """That a potential is linear in ``params["coefficients"]`` [species, features].

    Attributes:
        features: how many coefficients a species has.
        names: of the features.
        rows: ``(system, neighbors) -> DesignRows``, a pure function.
    """

    features: int
    names: tuple[str, ...]
    rows: Callable[[System, Neighbors], DesignRows]


Descriptors = Callable[[Environment], jax.Array]
Jacobian = Callable[[Environment], tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]]


def linear_potential(
    descriptors: Descriptors,
    number: int,
    cutoff: float,
    elements: Sequence[str] | None = None,
    name: str = "linear",
    expand: str | None = None,
    names: Sequence[str] | None = None,
    contract: Callable[[Environment, jax.Array], jax.Array] | None = None,
    jacobian: Jacobian | None = None,
    together: bool = False,
    block: int = BLOCK,
    init: Callable[..., Params] | None = None,
    source: Any = None,
) -> Potential:
    """A potential E = sum_i features(environment of i) . coefficients[species of i].

    The features of an environment with descriptors B are

        1, B_1, ..., B_n                                                            (``expand=None``)
        1, B_1, ..., B_n, B_1^2/2, B_1 B_2, ..., B_1 B_n, B_2^2/2, ..., B_n^2/2     (``expand="quadratic"``)

    The params are ``{"coefficients": [species, features]}``, eV. How energies, forces and virial depend on them is
    ``potential.linear.rows``, for fits by linear algebra.

    Args:
        descriptors: ``(environment) -> [number]``; ``environment`` is a :class:`jaxpot.Environment`. With ``together``,
            of many environments at once, ``[atoms, number]``.
        number: how many descriptors there are.
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        name: of the potential.
        expand: None or ``"quadratic"``.
        names: of the descriptors; by default ``B1``, ``B2`` ...
        contract: ``(environment, coefficients [atoms or 1, number]) -> [atoms]``, the sum of descriptors times
            coefficients, where there is a faster way to it; with ``together`` only.
        jacobian: ``(environment) -> (values [atoms, number], (d/dx, d/dy, d/dz) each [atoms, number, neighbors])``,
            where there is a faster way than a reverse pass for each descriptor; with ``together`` only.
        together: whether ``descriptors`` takes many environments at once.
        block: how many atoms' environments are in memory at once, see :func:`environment_potential`.
        init: makes default parameters.
        source: what a file holds besides the coefficients, for :func:`jaxpot.save`.

    Returns:
        The :class:`jaxpot.Potential`, with ``linear``.

    Raises:
        ValueError: the cutoff is not a positive length, ``expand`` is unknown, or names or coefficients do not fit.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> def moments(environment):  # how many neighbours there are, and how far away
        ...     near = (1 - environment.distances / 3.0) ** 2
        ...     return jnp.stack([environment.sum(near), environment.sum(near * environment.distances)])
        >>> potential = jaxpot.linear_potential(moments, 2, cutoff=3.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(3.0).allocate(system)
        >>> rows = potential.linear.rows(system, neighbors)
        >>> potential.linear.names, rows.energies.round(3).tolist()
        (('1', 'B1', 'B2'), [[2.0, 0.5, 0.75]])
    """
    if expand not in (None, "quadratic"):
        raise ValueError(f"{name}: expand is {expand!r}; use None or 'quadratic'")
    if (jacobian is not None or contract is not None) and not together:
        raise ValueError(f"{name}: contract and jacobian take many environments at once; give together=True")
    own_names = tuple(names) if names is not None else tuple(f"B{k + 1}" for k in range(number))
    if len(own_names) != number:
        raise ValueError(f"{name}: {len(own_names)} names for {number} descriptors")
    first, second = (np.array(v) for v in np.triu_indices(number))  # B_i B_j with i <= j, row by row
    all_names = ("1", *own_names)
    if expand is not None:
        all_names += tuple(f"{own_names[i]}*{own_names[j]}" for i, j in zip(first, second, strict=True))
    size = len(all_names)
    known = None if elements is None else tuple(elements)
    species = 1 if known is None else len(known)

    many = descriptors if together else jax.vmap(descriptors)

    def features(values: jax.Array) -> jax.Array:
        """[atoms, size] from descriptors [atoms, number]."""
        parts = [jnp.ones_like(values[:, :1]), values]
        if expand is not None:
            half = jnp.where(first == second, 0.5, 1.0).astype(values.dtype)
            parts.append(half[None] * values[:, first] * values[:, second])
        return jnp.concatenate(parts, axis=1)

    def coefficients_of(params: Params, dtype: Any) -> jax.Array:
        found = named_parameters(name, params, dtype, ("coefficients",))["coefficients"]
        if found.shape != (species, size):
            raise ValueError(f"{name}: coefficients must have shape [{species}, {size}], got {list(found.shape)}")
        return found

    def energy(params: Params, environment: Environment) -> jax.Array:
        coefficients = coefficients_of(params, environment.x.dtype)
        # one species needs no row of its own for each atom
        own = coefficients[:1] if species == 1 else coefficients[environment.own_species]
        if expand is None and contract is not None:
            return own[:, 0] + contract(environment, own[:, 1:])
        values = many(environment)
        found = own[:, 0] + jnp.sum(own[:, 1 : number + 1] * values, axis=1)
        if expand is not None:
            # B alpha B / 2 with the symmetric matrix alpha of which the coefficients are the upper triangle
            upper = jnp.zeros((len(own), number, number), own.dtype).at[:, first, second].set(own[:, number + 1 :])
            upper = jnp.where(jnp.eye(number, dtype=bool)[None], 0.5 * upper, upper)
            products = values @ upper[0] if species == 1 else jnp.einsum("ai,aij->aj", values, upper)
            found = found + jnp.sum(products * values, axis=1)
        return found

    def slopes_of(environment: Environment) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
        """Descriptors [atoms, number] and their derivatives with respect to edges, each [atoms, number, neighbors]."""
        if jacobian is not None:
            return jacobian(environment)

        def of_edges(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
            return many(environment.moved(x, y, z))

        values, pull = jax.vjp(of_edges, environment.x, environment.y, environment.z)
        each = jnp.broadcast_to(jnp.eye(number, dtype=values.dtype)[:, None], (number, *values.shape))
        return values, jax.vmap(pull, out_axes=1)(each)

    def pushed(values: jax.Array, slopes: jax.Array, belongs: jax.Array) -> jax.Array:
        """[targets, species, size - 1], derivatives of the sums of features from those of descriptors.

        ``values`` [centers, number], ``slopes`` [centers, targets, number], ``belongs`` [species, centers].
        """
        direct = jnp.einsum("sa,atn->tsn", belongs, slopes)
        if expand is None:
            return direct
        # d(B_i B_j) = B_j dB_i + B_i dB_j, summed over centres before it is made symmetric
        product = jnp.einsum("sam,atn->tsnm", belongs[:, :, None] * values[None], slopes)
        both = product[..., first, second] + product[..., second, first]
        half = jnp.where(first == second, 0.5, 1.0).astype(values.dtype)
        return jnp.concatenate([direct, half[None, None] * both], axis=-1)

    def rows(system: System, neighbors: Neighbors) -> DesignRows:
        atoms, dtype = system.positions.shape[0], system.positions.dtype
        all_rows = rows_of(system, neighbors)
        other = jnp.append(neighbors.source, atoms)  # the atom that a row shows, ``atoms`` for an empty slot
        own = (
            jnp.full(neighbors.rows.shape[0], atoms, other.dtype)
            .at[neighbors.row_of_atom]
            .set(jnp.arange(atoms, dtype=other.dtype))
        )

        def block(total: DesignRows, one: tuple[Blocks, jax.Array]) -> tuple[DesignRows, None]:
            environment = environments_of(all_rows, one[0], cutoff)
            values, derivatives = slopes_of(environment)
            kind, mask = environment.own_species, environment.mask[:, :, None, None]
            belongs = ((kind[None] == jnp.arange(species)[:, None]) & one[0].real[None]).astype(dtype)
            # dB/d(edge), [centers, neighbors, 3, number]
            edges = jnp.where(mask, jnp.stack([d.transpose(0, 2, 1) for d in derivatives], axis=2), 0.0)
            vectors = jnp.stack([environment.x, environment.y, environment.z], axis=-1)
            if expand is None:
                # of all atoms of a species at once: one product of matrices
                own_vectors = belongs[:, :, None, None] * vectors[None]
                strain = jnp.einsum("sakq,akpn->pqsn", own_vectors, edges)
                virial = 0.5 * (strain + strain.transpose(1, 0, 2, 3))
            else:
                strain = jnp.einsum("akpn,akq->apqn", edges, vectors)
                strain = 0.5 * (strain + strain.transpose(0, 2, 1, 3))
                virial = pushed(values, strain.reshape(len(strain), 9, number), belongs)
                virial = virial.reshape(3, 3, species, size - 1)
            # forces: minus the pull of all edges at both their ends
            at, center = other[one[0].slots], jnp.arange(len(edges))
            if expand is None:
                here = total.forces[..., 1:].transpose(0, 2, 1, 3)
                here = here.at[at, kind[:, None]].add(-edges, mode="drop")
                here = here.at[one[1], kind].add(edges.sum(axis=1), mode="drop")
                forces = here.transpose(0, 2, 1, 3)
            else:
                between = jnp.zeros((len(edges), atoms, 3, number), dtype)
                between = between.at[center[:, None], at].add(-edges, mode="drop")
                between = between.at[center, one[1]].add(edges.sum(axis=1), mode="drop")
                found = pushed(values, between.reshape(len(edges), atoms * 3, number), belongs)
                forces = total.forces[..., 1:] + found.reshape(atoms, 3, species, size - 1)
            constant = jnp.zeros((1, 1, species, 1), dtype)
            return DesignRows(
                total.energies + jnp.einsum("sa,af->sf", belongs, features(values)),
                jnp.concatenate([jnp.broadcast_to(constant, (atoms, 3, species, 1)), forces], axis=-1),
                total.virial.at[..., 1:].add(virial),
            ), None

        zero = DesignRows(*(jnp.zeros((*shape, species, size), dtype) for shape in ((), (atoms, 3), (3, 3))))
        blocks = blocks_of(all_rows, system, neighbors, BLOCK_OF_ROWS)
        width = blocks.slots.shape[1]
        centers = jnp.pad(own, (0, -own.shape[0] % width), constant_values=atoms).reshape(-1, width)
        total, _ = jax.lax.scan(block, zero, (blocks, centers))
        return total

    return dataclasses.replace(
        environment_potential(energy, cutoff, known, name, init=init, together=True, block=block),
        source=source,
        linear=LinearForm(size, all_names, rows),
    )
