"""Potentials that are functions of one atom's environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.engine.rows import Rows, check_cutoff, edges_of, map_blocks, real_centers, rows_of, take, to_atoms
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Evaluation, Params, Potential, _no_init
from jaxpot.system import System

__all__ = ["Environment", "environment_potential"]


class Environment(NamedTuple):
    """What one atom sees.

    Slots where ``mask`` is False are padding or beyond the cutoff. They hold a harmless edge as long as the cutoff, so
    that formulas and their derivatives stay finite there; whatever is summed over neighbours goes through :meth:`sum`,
    or is zero at the cutoff by itself.

    Attributes:
        x: [neighbors] Å, displacement from this atom to each neighbour.
        y: [neighbors] Å.
        z: [neighbors] Å.
        distances: [neighbors] Å.
        species: [neighbors] int32.
        own_species: scalar int32.
        mask: [neighbors] bool.
    """

    x: jax.Array
    y: jax.Array
    z: jax.Array
    distances: jax.Array
    species: jax.Array
    own_species: jax.Array
    mask: jax.Array

    def sum(self, values: jax.Array) -> jax.Array:
        """The sum over real neighbours.

        Args:
            values: [..., neighbors].

        Returns:
            [...] the sum along the last axis over slots that hold a neighbour.
        """
        mask = self.mask.reshape((1,) * (values.ndim - 1) + self.mask.shape)
        return jnp.where(mask, values, jnp.zeros((), values.dtype)).sum(axis=-1)


def environment_potential(
    energy: Callable[[Params, Environment], jax.Array],
    cutoff: float,
    elements: tuple[str, ...] | None = None,
    name: str = "environment",
    init: Callable[..., Params] | None = None,
) -> Potential:
    """A potential E = sum_i e(environment of i) from the function e of one environment.

    Args:
        energy: ``(params, environment) -> scalar`` energy in eV of one atom; ``environment`` is a
            :class:`jaxpot.Environment`.
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        name: of the potential.
        init: makes default parameters.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> def dipole(params, env):  # squared sum of smoothed bond vectors
        ...     weight = (1 - (env.distances / 3.0) ** 2) ** 2
        ...     return params["k"] * sum(env.sum(weight * d) ** 2 for d in (env.x, env.y, env.z))
        >>> potential = jaxpot.environment_potential(dipole, cutoff=3.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(3.0).allocate(system)
        >>> round(float(jaxpot.energy(potential)({"k": 1.0}, system, neighbors)), 4)
        1.4238
    """
    cutoff = float(cutoff)
    if not 0 < cutoff < float("inf"):
        raise ValueError(f"{name}: the cutoff must be a positive length in Å, got {cutoff}")
    elements = None if elements is None else tuple(elements)

    def block_energies(
        params: Params,
        x: jax.Array,
        y: jax.Array,
        z: jax.Array,
        species: jax.Array,
        own: jax.Array,
        mask: jax.Array,
    ) -> jax.Array:
        def one(
            x: jax.Array, y: jax.Array, z: jax.Array, species: jax.Array, own: jax.Array, mask: jax.Array
        ) -> jax.Array:
            distances = jnp.sqrt(x * x + y * y + z * z)
            return energy(params, Environment(x, y, z, distances, species, own, mask))

        return jax.vmap(one)(x, y, z, species, own, mask)

    def safe_edges(
        rows: Rows, slots: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
        edges = edges_of(rows, (x, y, z), slots, cutoff)
        # directions that differ from slot to slot, so that no angle between padded edges is singular
        angle = jnp.arange(slots.shape[1]).astype(edges.x.dtype)[None, :]
        spare = (cutoff * jnp.cos(angle) * 0.8, cutoff * jnp.sin(angle) * 0.8, jnp.full_like(angle, 0.6 * cutoff))
        dx, dy, dz = (jnp.where(edges.inside, d, s) for d, s in zip(edges[:3], spare, strict=True))
        return (dx, dy, dz), edges.inside

    def prepare(system: System, neighbors: Neighbors) -> tuple[Rows, tuple[jax.Array, ...]]:
        check_cutoff(name, cutoff, system, neighbors)
        rows = rows_of(system, neighbors)
        number = neighbors.rows.shape[0]
        return rows, tuple(v[:number] for v in rows)

    def energies(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        rows, centers = prepare(system, neighbors)

        def block(slots: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array, own: jax.Array) -> jax.Array:
            safe, inside = safe_edges(rows, slots, x, y, z)
            return block_energies(params, *safe, take(rows.species, slots), own, inside)

        return to_atoms(map_blocks(block, neighbors, *centers), system, neighbors)

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        rows, centers = prepare(system, neighbors)
        real = real_centers(system, neighbors)

        def block(
            slots: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array, own: jax.Array, real: jax.Array
        ) -> tuple[jax.Array, ...]:
            (dx, dy, dz), inside = safe_edges(rows, slots, x, y, z)
            species = take(rows.species, slots)
            each, pull = jax.vjp(
                lambda dx, dy, dz: block_energies(params, dx, dy, dz, species, own, inside), dx, dy, dz
            )
            # dE/d(edge); a row without an atom has no energy
            gx, gy, gz = (jnp.where(inside & real[:, None], g, 0.0) for g in pull(jnp.ones_like(each)))
            virial = [(g * d).sum(axis=1) for g, d in ((gx, dx), (gy, dy), (gz, dz), (gy, dz), (gx, dz), (gx, dy))]
            return (each, gx, gy, gz, *virial)

        each, gx, gy, gz, *virial = map_blocks(block, neighbors, *centers, real)
        forces = jnp.stack([_collect(g, system, neighbors) for g in (gx, gy, gz)], axis=1)
        xx, yy, zz, yz, xz, xy = (v.sum() for v in virial)
        return Evaluation(
            to_atoms(each, system, neighbors),
            forces,
            jnp.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz]).reshape(3, 3),
        )

    return Potential(name, cutoff, elements, energies, init or _no_init, evaluate)


def _collect(gradient: jax.Array, system: System, neighbors: Neighbors) -> jax.Array:
    """[atoms] one component of the forces from dE/d(edge) [centers, capacity]: pull of all edges at both their ends."""
    pushed = jnp.zeros(neighbors.source.shape[0], gradient.dtype).at[neighbors.rows].add(gradient, mode="drop")
    pulled = to_atoms(gradient.sum(axis=1), system, neighbors)
    return pulled.at[neighbors.source].add(-pushed)
