"""Potentials for jax-md: energy, force and neighbour functions in its conventions.

All functions take the arguments of jax-md: positions in real or fractional coordinates, ``box`` as a number, a vector
or a matrix whose *columns* are the lattice vectors (the transpose of ``System.cell``), ``perturbation`` for strains,
and ``neighbor``, which is a list of jaxpot (for any cell) or of jax-md, in any format.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.interop.jax_md_energy import strained_energy
from jaxpot.interop.jax_md_space import NeighborState, Space, box_of, matching, strain_of
from jaxpot.neighbors import neighbor_list
from jaxpot.neighbors.allocation import NATIVE_FROM_IN_RUNS
from jaxpot.potential import Params, Potential

__all__ = ["NeighborFns", "NeighborState", "energy_fn", "force_fn", "neighbor_fn"]


KEPT = 0.2  # part of the skin that is reserved for the motion after an update


class NeighborFns(NamedTuple):
    """The two functions that :func:`neighbor_fn` returns, like jax-md's ``NeighborListFns``.

    Attributes:
        allocate: ``(position, extra_capacity=0, box=...) -> NeighborState``, on the host.
        update: ``(position, state, box=...) -> NeighborState``, jittable.
    """

    allocate: Callable[..., NeighborState]
    update: Callable[..., NeighborState]


def neighbor_fn(
    cutoff: float | Potential,
    box: Any = None,
    *,
    fractional_coordinates: bool = False,
    pbc: Any = None,
    skin: float | None = None,
    capacity_multiplier: float = 1.15,
) -> NeighborFns:
    """Neighbour functions with jaxpot's list, for any cell (also smaller than the cutoff) and any periodicity.

    Args:
        cutoff: Å, or a potential that gives the cutoff.
        box: Å, the box in jax-md's sense; None for free space.
        fractional_coordinates: whether positions come as fractions of the box.
        pbc: the directions that repeat; all by default where there is a box.
        skin: Å; a tenth of the cutoff by default. Four fifths of it decide when to rebuild, the rest covers the step
            that jax-md takes between updating the list and using it.
        capacity_multiplier: factor by which ``allocate`` makes the list larger than needed.

    Returns:
        The :class:`NeighborFns`.

    Raises:
        ValueError: see :func:`jaxpot.neighbor_list`.

    Example:
        >>> import jax.numpy as jnp
        >>> fns = neighbor_fn(3.0, box=10.0)
        >>> neighbors = fns.allocate(jnp.array([[0.5, 0.0, 0.0], [9.5, 0.0, 0.0]]))
        >>> neighbors = neighbors.update(jnp.array([[0.4, 0.0, 0.0], [9.5, 0.0, 0.0]]))
        >>> neighbors.idx[:, 0].tolist(), bool(neighbors.did_buffer_overflow)
        ([1, 0], False)
    """
    radius = cutoff.cutoff if isinstance(cutoff, Potential) else cutoff
    space = Space(box, fractional_coordinates, pbc)

    skin = 0.1 * radius if skin is None else skin
    ranges = cutoff.ranges if isinstance(cutoff, Potential) else (radius,)
    kept = tuple(length + KEPT * skin for length in ranges)
    resolution = cutoff.resolution if isinstance(cutoff, Potential) else 0.0
    lists = neighbor_list(kept, (1.0 - KEPT) * skin, capacity_multiplier, NATIVE_FROM_IN_RUNS, resolution)

    def allocate(position: jax.Array, extra_capacity: int = 0, **kwargs: Any) -> NeighborState:
        system = space.system(position, 0, box_of(kwargs))
        neighbors = lists.allocate(system)
        if extra_capacity:
            plan = neighbors.plan._replace(capacity=neighbors.capacity + extra_capacity)
            neighbors = lists.reallocate(system, dataclasses.replace(neighbors, plan=plan))
        return NeighborState(neighbors, update)

    def update(position: jax.Array, state: NeighborState, **kwargs: Any) -> NeighborState:
        system = space.unwrapped(space.system(position, 0, box_of(kwargs)), state.neighbors)
        return NeighborState(lists.update(system, state.neighbors), update)

    return NeighborFns(allocate, update)


def energy_fn(
    potential: Potential,
    params: Params,
    box: Any = None,
    *,
    species: Any = 0,
    extras: Mapping[str, Any] | None = None,
    fractional_coordinates: bool = False,
    pbc: Any = None,
    sparse_capacity: int | None = None,
) -> Callable[..., jax.Array]:
    """``energy_fn(R, neighbor=..., box=...)`` for ``jax_md.simulate``, ``jax_md.minimize`` and ``jax_md.quantity``.

    Its derivative with respect to R is computed by the engine's force pass (in real units also for fractional
    coordinates, as in jax-md), so integrators may differentiate it at no extra cost. Energy and forces are NaN where
    the list has overflowed, where a list of jaxpot misses pairs at these positions, and where the box of a jax-md list
    is narrower than twice the cutoff. Whether a list of jax-md is up to date is not checked.

    Args:
        potential: any potential.
        params: its parameters; a call may replace them by ``params=...``.
        box: Å, the box in jax-md's sense; None for free space. A call may replace it by ``box=...``.
        species: [atoms] int32 or one for all, index into the potential's elements.
        extras: named data that the potential needs, such as ``system.extras`` of a molecule with its topology.
        fractional_coordinates: whether positions come as fractions of the box, as with ``space.periodic_general``.
        pbc: the directions that repeat; all by default where there is a box.
        sparse_capacity: slots for neighbours of one atom when a jax-md list in a sparse format is converted; by default
            somewhat more than the average number.

    Returns:
        ``(R, neighbor=None, box=None, perturbation=None, params=None) -> scalar`` energy in eV.

    Raises:
        ValueError: at the call, the box of a jax-md list is narrower than twice the cutoff, or the list does not fit
            the potential.
        TypeError: at the call, an argument is unknown to this function and to jax-md.

    Example:
        >>> import jax, jax.numpy as jnp, jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5)
        >>> params = {"epsilon": 0.0104, "sigma": 3.4}
        >>> R = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.8]])
        >>> neighbor = neighbor_fn(potential).allocate(R)
        >>> energy = energy_fn(potential, params)
        >>> f"{energy(R, neighbor=neighbor):.4f}, {-jax.grad(energy)(R, neighbor=neighbor)[0, 2]:.4f}"
        '-0.0104, -0.0009'
    """
    energy = strained_energy(potential)
    matched = matching(potential, Space(box, fractional_coordinates, pbc), species, extras, sparse_capacity)

    def function(R: jax.Array, neighbor: Any = None, perturbation: Any = None, **kwargs: Any) -> jax.Array:
        params_now, box_now = kwargs.pop("params", None), box_of(kwargs)
        system, neighbors, valid = matched(R, neighbor, box_now)
        strain = strain_of(perturbation, system.positions.dtype)
        value = energy(params if params_now is None else params_now, system, strain, neighbors)
        # multiplied by NaN, not replaced by NaN, so that the forces are NaN too
        return value * jnp.where(valid, 1.0, jnp.nan).astype(value.dtype)

    return function


def force_fn(
    potential: Potential,
    params: Params,
    box: Any = None,
    *,
    species: Any = 0,
    extras: Mapping[str, Any] | None = None,
    fractional_coordinates: bool = False,
    pbc: Any = None,
    sparse_capacity: int | None = None,
) -> Callable[..., jax.Array]:
    """``force_fn(R, neighbor=..., box=...)``: the forces alone, for integrators that take forces.

    Args:
        potential: any potential.
        params: its parameters; a call may replace them by ``params=...``.
        box: as in :func:`energy_fn`.
        species: as in :func:`energy_fn`.
        extras: as in :func:`energy_fn`.
        fractional_coordinates: as in :func:`energy_fn`.
        pbc: as in :func:`energy_fn`.
        sparse_capacity: as in :func:`energy_fn`.

    Returns:
        ``(R, neighbor=None, box=None, params=None) -> [atoms, 3]`` eV/Å; NaN where :func:`energy_fn` is.

    Raises:
        ValueError: as in :func:`energy_fn`.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5)
        >>> R = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.8]])
        >>> force = force_fn(potential, {"epsilon": 0.0104, "sigma": 3.4})
        >>> f"{force(R, neighbor=neighbor_fn(potential).allocate(R))[0, 2]:.4f}"
        '-0.0009'
    """
    matched = matching(potential, Space(box, fractional_coordinates, pbc), species, extras, sparse_capacity)

    def function(R: jax.Array, neighbor: Any = None, **kwargs: Any) -> jax.Array:
        params_now, box_now = kwargs.pop("params", None), box_of(kwargs)
        system, neighbors, valid = matched(R, neighbor, box_now)
        forces = potential.evaluate(params if params_now is None else params_now, system, neighbors).forces
        return forces * jnp.where(valid, 1.0, jnp.nan).astype(forces.dtype)

    return function
