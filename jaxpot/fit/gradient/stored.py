"""Training on stored values: where only what follows a descriptor is trained, its values are computed once.

With the values G of every atom and their derivatives D = dG/dR stored, E = sum_i e(params, G_i) and
F = -sum_i D_i de/dG_i: an epoch costs a few matrix products, and the second derivatives that training on forces needs
never touch a distance.
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
        slopes: [atoms, 3, centres, values], derivative of a centre's values with the position of an atom. Centres are
            all atoms where they are few, else those of ``centers``.
        centers: [atoms, centres] int32, atoms that have this one in their environment; None for all.
        strain: [6, atoms, values], derivative with the strains xx, yy, zz, yz, xz, xy.
    """

    values: Any
    slopes: Any
    centers: Any
    strain: Any


def stored_values(potential: DescriptorPotential, numbers: Any = None) -> tuple[Predict, Features]:
    """A potential on stored values of its descriptor.

    Args:
        potential: any descriptor with a head.
        numbers: of the descriptor, which stay as they are; None for its own.

    Returns:
        ``(predict, features)`` as :func:`jaxpot.fit.train` takes them for ``model``: the same numbers as the potential
        gives, as long as the descriptor's numbers are not trained.
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
        prepared = head.prepare(descriptor, rest)

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
    """Memory of the stored derivatives of one structure, about.

    Args:
        atoms: after padding.
        capacity: slots for neighbours.
        values: of an atom.
        itemsize: bytes of a number.
    """
    return 3 * atoms * _centers(atoms, capacity) * values * itemsize


def _all_centers(atoms: int, capacity: int) -> bool:
    """Whether all centres are stored with each atom, rather than those that see it: unless these are less than half."""
    return atoms <= 2 * (capacity + 1)


def _centers(atoms: int, capacity: int) -> int:
    return atoms if _all_centers(atoms, capacity) else min(atoms, capacity + 1)


def _assembled(slopes: Slopes, others: np.ndarray) -> Stored:
    """From derivatives with edges to derivatives with positions."""
    atoms, capacity = others.shape
    values, vectors = slopes.values, slopes.vectors
    number = values.shape[1]
    by_edge = np.stack(
        [d.transpose(0, 2, 1) for d in (slopes.x, slopes.y, slopes.z)], axis=2
    )  # [centre, slot, 3, value]
    mask = (vectors != 0).any(axis=1)
    strain = np.stack(
        [np.einsum("ckf,ck->cf", by_edge[:, :, a], vectors[:, b]) for a, b in VOIGT]
    )  # values are invariant under rotation, so that these are symmetric
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
