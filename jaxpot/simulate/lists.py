"""The neighbour list in a time loop: the check whether it is outdated, its rebuild and its growth."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.neighbors import NeighborList, Neighbors, blank, is_complete, neighbor_list
from jaxpot.neighbors.allocation import NATIVE_FROM_IN_RUNS
from jaxpot.potential import Potential
from jaxpot.simulate.errors import SimulationError
from jaxpot.system import System

__all__ = ["ListError", "Lists", "lists_for", "native_from"]

MOST_SLOTS = 1 << 30  # 4 GiB of int32
# steps times atoms: loops that numba compiles save some 0.05 ms a step of 100 atoms, and take some seconds to compile
WORTH_COMPILING = 10_000_000


class ListError(SimulationError):
    """No list of any reasonable size holds the structure."""


class Lists(NamedTuple):
    """A neighbour list for the time loop; does nothing for a potential that needs no neighbours.

    Attributes:
        of: the list's operations, None where there is no list.
    """

    of: NeighborList | None

    def outdated(self, system: System, neighbors: Neighbors | None) -> jax.Array:
        """Whether a pair within the cutoff may be missing for this system; also True where a number is not finite.

        Args:
            system: the positions and cell in question.
            neighbors: the list.

        Returns:
            Scalar bool.
        """
        if neighbors is None:
            return jnp.zeros((), bool)
        return jnp.logical_not(is_complete(system, neighbors))

    def rebuilt(self, system: System, neighbors: Neighbors | None) -> Neighbors | None:
        """The list rebuilt for this system, with the old list's capacities; jittable.

        Args:
            system: atoms and cell.
            neighbors: any list of the wanted shape.

        Returns:
            The new list; its ``overflow`` says whether the capacities were too small.
        """
        if neighbors is None or self.of is None:
            return None
        return self.of.rebuild(system, neighbors)

    def updated(self, system: System, neighbors: Neighbors | None) -> Neighbors | None:
        """The list for this system, rebuilt where necessary; the choice of pairs has no derivative.

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
            plan = plan.enlarged()
        if plan.atoms * plan.capacity > MOST_SLOTS:
            raise ListError(
                f"the neighbour list would need {plan.capacity} neighbours for each of {plan.atoms} atoms; the "
                "structure has collapsed: check it for atoms on top of each other, or use a smaller time step"
            )
        empty = jax.device_put(blank(plan, neighbors.reference_positions.dtype))
        return dataclasses.replace(empty, completion=neighbors.completion, rebuilds=neighbors.rebuilds - 1)


def native_from(steps: int | None) -> int:
    """The number of atoms from which compiled loops repay their compilation in a run.

    Args:
        steps: of the run; None for some thousands.

    Returns:
        Atoms.

    Example:
        >>> native_from(None), native_from(1000), native_from(100_000)
        (500, 500, 100)
    """
    if not steps:
        return NATIVE_FROM_IN_RUNS
    return max(1, min(NATIVE_FROM_IN_RUNS, math.ceil(WORTH_COMPILING / steps)))


def lists_for(
    potential: Potential, skin: float | None, capacity_multiplier: float = 1.15, steps: int | None = None
) -> Lists:
    """The list for a time loop with a potential.

    Args:
        potential: its cutoff is taken.
        skin: Å; a tenth of the cutoff if None.
        capacity_multiplier: room in the first list.
        steps: how many steps are wanted; of long runs, small systems too are worth compiling loops for.

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
    return Lists(neighbor_list(potential, skin, capacity_multiplier, native_from(steps)))
