"""Training on stored values of a descriptor: where only the head is trained, they are computed once.

With the values G of every atom and their derivatives D = dG/dR stored, E = sum_i e(params, G_i) and
F = -sum_i D_i de/dG_i. An epoch then costs a few matrix products, and the second derivatives for training on forces
are those of the head alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine import DescriptorPotential, Slopes, descriptor_slopes
from jaxpot.evaluation import Evaluation, Params
from jaxpot.fit.gradient.data import Features
from jaxpot.fit.gradient.loss import Predict
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["Stored", "stored_bytes", "stored_values"]

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


class Stored(NamedTuple):
    """Values of a descriptor for one structure, and their derivatives.

    Attributes:
        values: [atoms, values].
        slopes: [atoms, 3, centers, values], derivative of the values of a center by the position of an atom. Centers
            are all atoms of a small structure, otherwise those in ``centers``.
        centers: [atoms, centers] int32, centers that have this atom in their environment; None for all atoms.
        strain: [6, atoms, values], derivative by the strains xx, yy, zz, yz, xz, xy.
    """

    values: Any
    slopes: Any
    centers: Any
    strain: Any


def stored_values(potential: DescriptorPotential, numbers: Any = None) -> tuple[Predict, Features]:
    """The functions that evaluate a potential from stored values of its descriptor.

    Args:
        potential: any descriptor with a head.
        numbers: numbers of the descriptor, which are not trained; None for its own.

    Returns:
        ``(predict, features)`` for the ``model`` of :func:`jaxpot.fit.train`. The results are those of the potential,
        as long as the numbers of the descriptor do not change.
    """
    descriptor, head = potential.descriptor, potential.head

    @jax.jit
    def compiled(system: System, neighbors: Neighbors) -> tuple[Slopes, jax.Array]:
        return descriptor_slopes(descriptor, system, neighbors, numbers), neighbors.others

    def features(system: System, neighbors: Neighbors | None) -> Stored:
        slopes, others = jax.device_get(compiled(system, neighbors))
        return _assembled(slopes, others)

    def predict(params: Params, system: System, neighbors: Neighbors | None, stored: Any) -> Evaluation:
        del neighbors
        own, real = jnp.maximum(system.species, 0), system.species >= 0
        rest = {name: value for name, value in params.items() if name != "descriptor"}
        head.check(descriptor, rest)
        prepared = head.prepare(descriptor, head.representable(rest, stored.values.dtype))

        def energies(values: jax.Array) -> jax.Array:
            return jnp.where(real, head.energies(descriptor, prepared, values, own), 0.0)

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


def stored_bytes(atoms: int, capacity: int, values: int, itemsize: int) -> int:
    """Approximate memory of the stored derivatives of one structure, in bytes.

    Args:
        atoms: number of atoms after padding.
        capacity: number of slots for neighbours of an atom.
        values: number of values of an atom.
        itemsize: bytes of a number.
    """
    return 3 * atoms * _centers(atoms, capacity) * values * itemsize


def _all_centers(atoms: int, capacity: int) -> bool:
    """Whether all centers are stored with each atom, or only those that see it, where they are less than half."""
    return atoms <= 2 * (capacity + 1)


def _centers(atoms: int, capacity: int) -> int:
    return atoms if _all_centers(atoms, capacity) else min(atoms, capacity + 1)


def _assembled(slopes: Slopes, others: np.ndarray) -> Stored:
    """Turns derivatives by edge vectors into derivatives by positions and strain."""
    atoms, capacity = others.shape
    values, vectors = slopes.values, slopes.vectors
    number = values.shape[1]
    by_edge = np.stack(
        [d.transpose(0, 2, 1) for d in (slopes.x, slopes.y, slopes.z)], axis=2
    )  # [center, slot, 3, value]
    mask = (vectors != 0).any(axis=1)
    strain = np.stack(
        [np.einsum("ckf,ck->cf", by_edge[:, :, a], vectors[:, b]) for a, b in VOIGT]
    )  # symmetric, because the values do not change on rotation
    width = _centers(atoms, capacity)
    moved = np.zeros((atoms, width, 3, number), values.dtype)
    centers: Any = None
    own = np.arange(atoms)
    if _all_centers(atoms, capacity):
        place = np.broadcast_to(own[:, None], others.shape)
        own_place = own
    else:
        pairs = np.zeros((atoms, atoms), bool)
        pairs[others[mask], np.broadcast_to(own[:, None], mask.shape)[mask]] = True
        pairs[own, own] = True
        where = np.cumsum(pairs, axis=1) - 1
        centers = np.zeros((atoms, width), np.int32)
        a, c = np.nonzero(pairs)
        centers[a, where[a, c]] = c
        place = where[np.minimum(others, atoms - 1), own[:, None]]
        own_place = where[own, own]
    np.add.at(moved, (others[mask], place[mask]), by_edge[mask])
    moved[own, own_place] -= by_edge.sum(axis=1)
    return Stored(values, np.ascontiguousarray(moved.transpose(0, 2, 1, 3)), centers, strain.astype(values.dtype))
