"""Training on stored descriptors: where only what follows the descriptors is trained, they are computed once.

With descriptors G of every atom and their derivatives D = dG/dR stored, E = sum_i e(params, G_i) and
F = -sum_i D_i de/dG_i: an epoch costs a few matrix products, and the second derivatives that training on forces needs
never touch a distance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine import Environment
from jaxpot.fit.gradient.data import Features
from jaxpot.fit.gradient.loss import Predict
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Evaluation, Params
from jaxpot.system import System

__all__ = ["Stored", "stored_bytes", "stored_descriptors"]

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


class Stored(NamedTuple):
    """Descriptors of one structure and their derivatives.

    Attributes:
        values: [atoms, descriptors].
        slopes: [atoms, 3, centres, descriptors], derivative of a centre's descriptors with the position of an atom.
            Centres are all atoms where they are few, else those of ``centers``.
        centers: [atoms, centres] int32, atoms that have this one in their environment; None for all.
        strain: [6, atoms, descriptors], derivative with the strains xx, yy, zz, yz, xz, xy.
    """

    values: Any
    slopes: Any
    centers: Any
    strain: Any


def stored_descriptors(
    values: Callable[[Environment], jax.Array],
    energy: Callable[[Params, jax.Array, jax.Array], jax.Array],
    cutoff: float,
) -> tuple[Predict, Features]:
    """The model of a potential E = sum_i e(G(environment of i)) on stored descriptors G.

    Args:
        values: ``environment -> [descriptors]``, G, which no trained parameter enters.
        energy: ``(params, [descriptors], own_species) -> scalar``, e.
        cutoff: Å.

    Returns:
        ``(predict, features)`` as :func:`jaxpot.fit.train` takes them for ``model``.
    """

    def around(vectors: jax.Array, species: jax.Array, own: jax.Array, mask: jax.Array) -> jax.Array:
        x, y, z = vectors
        return values(Environment(x, y, z, jnp.sqrt(x * x + y * y + z * z), species, own, mask))

    @jax.jit
    def compiled(
        vectors: jax.Array, species: jax.Array, own: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Descriptors [atoms, descriptors] and their derivatives [descriptors, atoms, 3, capacity] with edges."""
        found, pull = jax.vjp(lambda v: jax.vmap(around)(v, species, own, mask), vectors)

        def slopes(number: jax.Array) -> jax.Array:
            # an atom's descriptors depend on its own edges alone: one pull for all atoms
            chosen = (jnp.arange(found.shape[1]) == number).astype(found.dtype)
            (slope,) = pull(jnp.broadcast_to(chosen[None, :], found.shape))
            return jnp.where(mask[:, None, :], slope, 0.0)

        return found, jax.lax.map(slopes, jnp.arange(found.shape[1]))

    def features(system: System, neighbors: Neighbors | None) -> Stored:
        assert neighbors is not None
        edges = _edges(system, neighbors, cutoff)
        found, slopes = (np.asarray(part) for part in compiled(edges.vectors, edges.species, edges.own, edges.mask))
        real = np.asarray(system.species) >= 0
        return _assembled(edges, np.where(real[:, None], found, 0), np.where(real[None, :, None, None], slopes, 0))

    def predict(params: Params, system: System, neighbors: Neighbors | None, stored: Any) -> Evaluation:
        own = jnp.maximum(system.species, 0)
        real = system.species >= 0

        def energies(descriptors: jax.Array) -> jax.Array:
            return jnp.where(real, jax.vmap(energy, (None, 0, 0))(params, descriptors, own), 0.0)

        each, pull = jax.vjp(energies, stored.values)
        (slopes,) = pull(jnp.ones_like(each))
        if stored.centers is None:
            number = slopes.size
            forces = -(stored.slopes.reshape(-1, number) @ slopes.reshape(number)).reshape(-1, 3)
        else:
            forces = -jnp.einsum("axkf,akf->ax", stored.slopes, slopes[stored.centers])
        xx, yy, zz, yz, xz, xy = stored.strain.reshape(6, -1) @ slopes.reshape(-1)
        virial = jnp.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz]).reshape(3, 3)
        return Evaluation(each, forces, virial)

    return predict, features


def stored_bytes(atoms: int, capacity: int, descriptors: int, itemsize: int) -> int:
    """Memory of the stored derivatives of one structure, about.

    Args:
        atoms: after padding.
        capacity: slots for neighbours.
        descriptors: of an atom.
        itemsize: bytes of a number.
    """
    return 3 * atoms * _centers(atoms, capacity) * descriptors * itemsize


def _all_centers(atoms: int, capacity: int) -> bool:
    """Whether all centres are stored with each atom, rather than those that see it: unless these are less than half."""
    return atoms <= 2 * (capacity + 1)


def _centers(atoms: int, capacity: int) -> int:
    return atoms if _all_centers(atoms, capacity) else min(atoms, capacity + 1)


class _Edges(NamedTuple):
    vectors: np.ndarray  # [atoms, 3, capacity]
    others: np.ndarray  # [atoms, capacity]
    species: np.ndarray
    own: np.ndarray
    mask: np.ndarray


def _edges(system: System, neighbors: Neighbors, cutoff: float) -> _Edges:
    """Edges of a list as an environment sees them: those beyond the cutoff are harmless ones as long as it."""
    positions, cell = np.asarray(system.positions), np.asarray(system.cell)
    rows, source = np.asarray(neighbors.rows), np.asarray(neighbors.source)
    offset, own_row = np.asarray(neighbors.offset), np.asarray(neighbors.row_of_atom)
    places = positions[source] + (offset @ cell).astype(positions.dtype)
    slots = rows[own_row]
    filled = slots < len(source)
    slots = np.where(filled, slots, 0)
    vectors = places[slots] - places[own_row][:, None, :]
    mask = filled & ((vectors**2).sum(axis=2) < cutoff * cutoff)
    angle = np.arange(slots.shape[1]).astype(positions.dtype)
    spare = cutoff * np.stack([0.8 * np.cos(angle), 0.8 * np.sin(angle), np.full_like(angle, 0.6)], axis=1)
    vectors = np.where(mask[:, :, None], vectors, spare.astype(positions.dtype)[None])
    kinds = np.maximum(np.asarray(system.species), 0)
    others = source[slots]
    return _Edges(np.ascontiguousarray(vectors.transpose(0, 2, 1)), others, kinds[others], kinds, mask)


def _assembled(edges: _Edges, values: np.ndarray, slopes: np.ndarray) -> Stored:
    """From derivatives with edges [descriptors, atoms, 3, capacity] to derivatives with positions."""
    atoms, capacity = edges.others.shape
    number = values.shape[1]
    by_edge = slopes.transpose(1, 3, 2, 0)  # [centre, slot, 3, descriptor]
    strain = np.stack(
        [np.einsum("ckf,ck->cf", by_edge[:, :, a], edges.vectors[:, b]) for a, b in VOIGT]
    )  # G is invariant under rotation, so that these are symmetric
    width = _centers(atoms, capacity)
    moved = np.zeros((atoms, width, 3, number), values.dtype)
    centers: Any = None
    own = np.arange(atoms)
    if _all_centers(atoms, capacity):
        place = np.broadcast_to(own[:, None], edges.others.shape)
        own_place = own
    else:
        pairs = np.zeros((atoms, atoms), bool)
        pairs[edges.others[edges.mask], np.broadcast_to(own[:, None], edges.mask.shape)[edges.mask]] = True
        pairs[own, own] = True
        where = np.cumsum(pairs, axis=1) - 1
        centers = np.zeros((atoms, width), np.int32)
        a, c = np.nonzero(pairs)
        centers[a, where[a, c]] = c
        place, own_place = where[edges.others, own[:, None]], where[own, own]
    np.add.at(moved, (edges.others[edges.mask], place[edges.mask]), by_edge[edges.mask])
    moved[own, own_place] -= by_edge.sum(axis=1)
    return Stored(values, np.ascontiguousarray(moved.transpose(0, 2, 1, 3)), centers, strain.astype(values.dtype))
