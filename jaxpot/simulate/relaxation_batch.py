"""The functions that a relaxation computes for all structures of a batch at once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.evaluation import Params
from jaxpot.neighbors import Neighbors, neighbor_list, usable
from jaxpot.numerics.inverse import inverse_of_positive
from jaxpot.potential import Potential
from jaxpot.simulate.cells import CellMode, coordinates_of, derivatives, system_at
from jaxpot.simulate.lbfgs import FIRST, Found, Minimization, start
from jaxpot.system import System

__all__ = ["Aim", "RelaxationBatch", "Slots", "Static", "Stiffness", "begun", "merged"]

# (params, system) -> [3 atoms, 3 atoms] eV/Å^2, positive
Stiffness = Callable[[Params, System], jax.Array]


class Aim(NamedTuple):
    """The tolerances, pressure and limit of a relaxation; all of them may be traced.

    Attributes:
        force: eV/Å, tolerance of the largest force on an atom.
        stress: eV/Å^3, tolerance of the largest element of the stress that may relax, the pressure added.
        pressure: eV/Å^3.
        steps: evaluations that a structure is given.
    """

    force: Any
    stress: Any
    pressure: Any
    steps: Any


class Static(NamedTuple):
    """The settings of a relaxation that are fixed at compilation."""

    cell: CellMode
    stiffness: Stiffness | None


class Slots(NamedTuple):
    """The structures of a batch: leaves with a leading axis [slots].

    Attributes:
        start: where they start.
        movable: [slots, atoms] bool.
        completion: [slots, 3, 3] of their neighbour lists.
    """

    start: System
    movable: Any
    completion: Any


@dataclasses.dataclass(frozen=True)
class RelaxationBatch:
    """The functions of coordinates [slots, n, 3] for one batch.

    Attributes:
        potential: any potential.
        params: its parameters, prepared or not.
        slots: the structures.
        aim: tolerances and pressure.
        static: the rest.
    """

    potential: Potential
    params: Params
    slots: Slots
    aim: Aim
    static: Static

    def each(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of one structure for all; a single one is not batched, so that compiled loops may serve it."""
        if self.slots.movable.shape[0] > 1:
            return jax.vmap(function)

        def single(*batched: Any) -> Any:
            found = function(*jax.tree.map(lambda leaf: leaf[0], batched))
            return jax.tree.map(lambda leaf: leaf[None], found)

        return single

    def systems(self, coordinates: jax.Array) -> System:
        """The structures at some coordinates."""
        cell = self.static.cell
        return self.each(lambda start, x: system_at(start, x, cell))(self.slots.start, coordinates)

    def lists(self, coordinates: jax.Array, empty: Neighbors | None) -> Neighbors | None:
        """Neighbour lists built for the structures at some coordinates."""
        if empty is None:
            return None
        plan = empty.plan
        rebuild = neighbor_list(self.potential, plan.skin).rebuild

        def build(system: System, completion: jax.Array) -> Neighbors:
            return rebuild(system, dataclasses.replace(empty, completion=completion))

        return self.each(build)(self.systems(coordinates), self.slots.completion)

    def ready(self, coordinates: jax.Array, neighbors: Neighbors | None) -> jax.Array:
        """[slots] bool, whether the lists hold all pairs of the structures at some coordinates."""
        if neighbors is None:
            return jnp.ones(coordinates.shape[0], bool)
        return self.each(usable)(self.systems(coordinates), neighbors)

    def found(self, coordinates: jax.Array, neighbors: Neighbors | None) -> Found:
        """Energies and gradients of the structures at some coordinates."""
        aim, cell = self.aim, self.static.cell

        def one(start: System, movable: jax.Array, x: jax.Array, neighbors: Neighbors | None) -> Found:
            system = system_at(start, x, cell)
            found = self.potential.unchecked.evaluate(self.params, system, neighbors)  # type: ignore[arg-type]
            gradients, stress = derivatives(start, x, found, aim.pressure, cell)
            held = jnp.pad(movable, (0, x.shape[0] - movable.shape[0]), constant_values=True)
            gradients = jnp.where(held[:, None], gradients, 0.0)
            squared = jnp.max(jnp.where(movable, jnp.sum(found.forces**2, axis=1), 0.0))
            excess = jnp.maximum(jnp.sqrt(squared) / aim.force, stress / aim.stress)
            terms = found.energies
            if cell != "fixed":
                terms = jnp.append(terms, aim.pressure * jnp.abs(jnp.linalg.det(system.cell)))
            return Found(terms, gradients, excess, (found.forces, found.virial))

        return self.each(one)(self.slots.start, self.slots.movable, coordinates, neighbors)

    def inverse_stiffness(self, coordinates: jax.Array) -> jax.Array | None:
        """[slots, 3 atoms, 3 atoms] Å^2/eV, about the inverse of the second derivatives, where something gives it."""
        stiffness = self.static.stiffness
        if stiffness is None:
            return None
        matrix = self.each(lambda system: stiffness(self.params, system))(self.systems(coordinates))
        inverse = inverse_of_positive(matrix)
        # beyond the precision where atoms coincide, say: then without a preconditioner
        good = jnp.isfinite(inverse).all(axis=(1, 2), keepdims=True)
        return jnp.where(good, inverse, FIRST * jnp.eye(matrix.shape[-1], dtype=matrix.dtype))


def begun(slots: Slots, cell: CellMode) -> Minimization:
    """The state of structures of which nothing has been computed.

    Args:
        slots: the structures.
        cell: what of the cell relaxes.

    Returns:
        The :class:`Minimization`.
    """
    positions = slots.start.positions
    coordinates = jax.vmap(lambda system: coordinates_of(system, cell))(slots.start)
    terms = positions.shape[1] + (cell != "fixed")
    return start(coordinates, terms, (jnp.zeros_like(positions), jnp.zeros_like(slots.start.cell)))


def merged(fresh: Minimization, state: Minimization, new: jax.Array) -> Minimization:
    """Fresh states in the slots that are new.

    Args:
        fresh: new states of all slots.
        state: present states of all slots.
        new: [slots] bool.

    Returns:
        The merged state.
    """

    def choose(a: jax.Array, b: jax.Array, axis: int = 0) -> jax.Array:
        return jnp.where(new.reshape((1,) * axis + (-1,) + (1,) * (a.ndim - axis - 1)), a, b)

    whole = {}
    for name, old in state._asdict().items():
        axis = 1 if name in ("moves", "changes", "curvatures") else 0
        pick = functools.partial(choose, axis=axis)
        whole[name] = old if name == "turn" else jax.tree.map(pick, getattr(fresh, name), old)
    return Minimization(**whole)
