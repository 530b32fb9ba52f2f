"""The neighbour list inside a time loop: when it is outdated, how it is rebuilt, how it grows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.neighbors import NeighborList, Neighbors, neighbor_list
from jaxpot.neighbors.allocation import NATIVE_FROM_IN_RUNS
from jaxpot.neighbors.plan import Plan, complete_cell, outgrown
from jaxpot.potential import Potential
from jaxpot.simulate.errors import SimulationError
from jaxpot.system import System

__all__ = ["ListError", "Lists", "lists_for"]

GROWTH = 1.25  # by which capacities grow where the structure itself does not say how much is needed
MOST_SLOTS = 1 << 30  # 4 GiB of int32


class ListError(SimulationError):
    """No list of any reasonable size holds the structure."""


class Lists(NamedTuple):
    """A neighbour list for the time loop; does nothing for a potential that needs no neighbours.

    Attributes:
        of: the list's operations, None where there is no list.
    """

    of: NeighborList | None

    def outdated(self, system: System, neighbors: Neighbors | None) -> jax.Array:
        """Whether a pair within the cutoff may be missing for this system; also True when something is not a number.

        Args:
            system: the positions and cell in question.
            neighbors: the list.

        Returns:
            Scalar bool.
        """
        if neighbors is None:
            return jnp.zeros((), bool)
        new = complete_cell(system.cell, system.pbc, neighbors.completion)
        old = complete_cell(neighbors.reference_cell, system.pbc, neighbors.completion)
        moved = system.positions - neighbors.reference_positions @ (_inverse(old) @ new)
        strain = _inverse(new) @ old - jnp.eye(3, dtype=new.dtype)
        stretch = 1.0 + jnp.sqrt(jnp.sum(strain * strain))
        return outgrown(neighbors.plan, moved, system.real, stretch)

    def rebuilt(self, system: System, neighbors: Neighbors | None) -> Neighbors | None:
        """The list built anew for this system, with the old list's capacities; jittable.

        Args:
            system: atoms and cell.
            neighbors: any list of the wanted shape.

        Returns:
            The new list; its ``overflow`` says whether the capacities were too small.
        """
        if neighbors is None or self.of is None:
            return None
        nowhere = jnp.full_like(neighbors.reference_positions, jnp.nan)  # outdated for certain
        return self.of.update(system, dataclasses.replace(neighbors, reference_positions=nowhere))

    def updated(self, system: System, neighbors: Neighbors | None) -> Neighbors | None:
        """The list for this system, rebuilt where it has to be; which pairs it holds has no derivative.

        Args:
            system: atoms and cell.
            neighbors: the list.

        Returns:
            The list; check its ``overflow``.
        """
        if neighbors is None:
            return None
        fixed: System = jax.lax.stop_gradient(system)
        return jax.lax.cond(self.outdated(fixed, neighbors), self.rebuilt, lambda s, n: n, fixed, neighbors)

    def start(self, system: System) -> Neighbors | None:
        """The first list, on the host.

        Args:
            system: atoms and cell.

        Returns:
            The list.
        """
        return None if self.of is None else self.of.allocate(system)

    def grown(self, system: System, neighbors: Neighbors) -> Neighbors:
        """An empty list with more room, on the host; the loop rebuilds it just as it would have rebuilt the old one.

        Args:
            system: atoms and cell for which the list overflowed.
            neighbors: the overflowed list.

        Returns:
            A list that is outdated for any system, with capacities at least those of the old one.

        Raises:
            ListError: the list would have to be unreasonably large.
        """
        assert self.of is not None
        plan = self.of.reallocate(system, neighbors).plan
        if plan == neighbors.plan:  # found enough here, yet the loop overflowed: rounding
            plan = _enlarged(plan)
        if plan.atoms * plan.capacity > MOST_SLOTS:
            raise ListError(
                f"the neighbour list would need {plan.capacity} neighbours for each of {plan.atoms} atoms; the "
                "structure has collapsed: check it for atoms on top of each other, or use a smaller time step"
            )
        empty = _resized(neighbors, plan)
        nowhere = jnp.full_like(neighbors.reference_positions, jnp.nan)
        return dataclasses.replace(empty, reference_positions=nowhere, rebuilds=neighbors.rebuilds - 1)


def lists_for(potential: Potential, skin: float | None, capacity_multiplier: float = 1.15) -> Lists:
    """The list for a time loop with a potential.

    Args:
        potential: its cutoff is taken.
        skin: Å; a tenth of the cutoff if None.
        capacity_multiplier: room in the first list.

    Returns:
        The :class:`Lists`.

    Raises:
        ValueError: the skin is not positive.

    Example:
        >>> import jaxpot
        >>> lists_for(jaxpot.lennard_jones(cutoff=8.5), skin=0.5).of is None
        False
    """
    if skin is not None and not (math.isfinite(skin) and skin > 0):
        raise ValueError(f"the skin of the neighbour list must be a positive length in Å, got {skin}")
    if potential.cutoff == 0:
        return Lists(None)
    return Lists(neighbor_list(potential.cutoff, skin, capacity_multiplier, NATIVE_FROM_IN_RUNS))


def _inverse(matrix: jax.Array) -> jax.Array:
    """Inverse of a [3, 3] matrix from its cofactors; compiles and runs in a fraction of what a general one takes."""
    a, b, c = matrix
    columns = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=1)
    return columns / jnp.dot(a, columns[:, 0])


def _enlarged(plan: Plan) -> Plan:
    """A plan with more room everywhere."""

    def more(number: int, base: int = 0) -> int:
        return number if number <= base else base + math.ceil((number - base) * GROWTH) + 8

    first, second, third = (more(rows, plan.centers) for rows in plan.stage_rows)
    return plan._replace(
        capacity=math.ceil(more(plan.capacity) / 8) * 8,
        stage_rows=(first, second, third),
        rows=third,
        bin_capacity=third if plan.bins == (1, 1, 1) else more(plan.bin_capacity),
    )


def _resized(neighbors: Neighbors, plan: Plan) -> Neighbors:
    """A list of the plan's shapes that holds nothing yet."""

    def blank(shape: tuple[int, ...]) -> Any:
        return jnp.zeros(shape, jnp.int32)

    return dataclasses.replace(
        neighbors,
        rows=blank((plan.centers, plan.capacity)),
        source=blank((plan.rows,)),
        offset=blank((plan.rows, 3)),
        overflow=jnp.zeros((), bool),
        plan=plan,
    )
