"""Conversion of jax-md's positions, boxes and lists to a System and Neighbors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.interop.jax_md_lists import check_box, check_jax_md_list, from_jax_md
from jaxpot.neighbors import Neighbors
from jaxpot.neighbors.plan import complete_cell
from jaxpot.potential import Potential
from jaxpot.simulate.lists import Lists
from jaxpot.system import System

__all__ = ["NeighborState", "Space", "box_of", "matching", "strain_of"]

# arguments that jax-md's integrators pass to every function, and that an energy does not use
PASSED_ON = frozenset({"kT", "dt", "t", "pressure", "rng", "mass"})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NeighborState:
    """A neighbour list of jaxpot with the methods of jax-md's ``NeighborList``.

    Attributes:
        neighbors: the :class:`jaxpot.Neighbors`.
        updater: the function behind :meth:`update`.
    """

    neighbors: Neighbors
    updater: Callable[..., NeighborState] = dataclasses.field(metadata={"static": True})

    def update(self, position: jax.Array, **kwargs: Any) -> NeighborState:
        """The list for new positions, rebuilt where an atom has moved by half the skin; jittable.

        Args:
            position: [atoms, 3], in the coordinates that the list was allocated with.
            kwargs: ``box`` where it changes.

        Returns:
            The new state.
        """
        return self.updater(position, self, **kwargs)

    @property
    def did_buffer_overflow(self) -> jax.Array:
        """Whether a capacity was too small. Energies with such a list are NaN; allocate it again, as in jax-md."""
        return self.neighbors.overflow

    @property
    def idx(self) -> jax.Array:
        """[atoms, capacity] the neighbours, as in jax-md's dense format; the number of atoms marks an empty slot."""
        return self.neighbors.others


class Space(NamedTuple):
    """jax-md's box and kind of coordinates."""

    box: Any
    fractional: bool
    pbc: Any

    def system(self, positions: jax.Array, species: Any, box: Any) -> System:
        """The system for jax-md positions; ``box`` None means the box of this object."""
        positions = jnp.asarray(positions)
        if not jnp.issubdtype(positions.dtype, jnp.floating):
            positions = positions.astype(jnp.result_type(float))
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise ValueError(f"positions must have shape [atoms, 3], got {list(positions.shape)}")
        box = self.box if box is None else box
        if box is None:
            if self.fractional:
                raise ValueError("fractional coordinates need a box; pass box=... here or when the function is made")
            box, periodic = jnp.zeros((3, 3), positions.dtype), False
        else:
            periodic = True if self.pbc is None else self.pbc
        matrix = _matrix(box, positions.dtype)
        if self.fractional:
            from jax_md.space import transform

            # jax-md's rule: derivatives with respect to fractional positions are real forces
            positions = transform(matrix, positions)
        return System(
            positions,
            jnp.broadcast_to(jnp.asarray(species, jnp.int32), positions.shape[:1]),
            matrix.T,
            jnp.broadcast_to(jnp.asarray(periodic, bool), (3,)),
        )

    def unwrapped(self, system: System, neighbors: Neighbors) -> System:
        """The system with every atom in the same image as in the list; jax-md wraps atoms into the box."""
        if self.box is None and self.pbc is None:
            return system
        now = complete_cell(system.cell, system.pbc, neighbors.completion)
        then = complete_cell(neighbors.reference_cell, system.pbc, neighbors.completion)
        moved = system.positions @ jnp.linalg.inv(now) - neighbors.reference_positions @ jnp.linalg.inv(then)
        wraps = jnp.where(system.pbc[None, :] & system.real[:, None], jnp.round(jax.lax.stop_gradient(moved)), 0.0)
        return system.replace(positions=system.positions - wraps @ system.cell)

    def matched(
        self, neighbor: Any, system: System, box: Any, potential: Potential, sparse_capacity: int | None
    ) -> tuple[System, Any, jax.Array]:
        """A system and a list that fit together, from a list of any kind, and whether they may be used."""
        if neighbor is None:
            if potential.cutoff > 0:
                raise ValueError(
                    f"{potential.name} needs neighbours: pass neighbor=neighbor_fn(potential, box=...).allocate(R)"
                )
            return system, None, jnp.ones((), bool)
        if isinstance(neighbor, Neighbors):
            system = self.unwrapped(system, neighbor)
            return system, neighbor, ~neighbor.overflow & _complete(system, neighbor, potential.cutoff)
        if self.pbc is not None and len(set(np.broadcast_to(self.pbc, 3).tolist())) > 1:
            raise ValueError(
                f"jax-md's lists repeat in all directions or in none, got pbc={self.pbc}; use those of neighbor_fn"
            )
        return system, *from_jax_md(neighbor, system, potential.cutoff, sparse_capacity)


def matching(
    potential: Potential, space: Space, species: Any, extras: Mapping[str, Any] | None, sparse_capacity: int | None
) -> Callable[[jax.Array, Any, Any], tuple[System, Any, jax.Array]]:
    """:meth:`Space.matched` of positions, a list and a box, compiled; what is known is checked before.

    Args:
        potential: to be evaluated.
        space: box and kind of coordinates.
        species: of the atoms.
        extras: named data of the system.
        sparse_capacity: slots for neighbours of one atom when a sparse list is converted.

    Returns:
        ``(R, neighbor, box) -> system, neighbors, whether they may be used``.
    """

    @jax.jit
    def compiled(R: jax.Array, neighbor: Any, box: Any) -> tuple[System, Any, jax.Array]:
        system = space.system(R, species, box).with_extras(**extras or {})
        return space.matched(neighbor, system, box, potential, sparse_capacity)

    def matched(R: jax.Array, neighbor: Any, box: Any) -> tuple[System, Any, jax.Array]:
        if isinstance(neighbor, NeighborState):
            neighbor = neighbor.neighbors
        elif not (neighbor is None or isinstance(neighbor, Neighbors)):
            check_jax_md_list(neighbor, sparse_capacity)
            check_box(space.box if box is None else box, potential.cutoff)
        return compiled(R, neighbor, box)

    return matched


def _complete(system: System, neighbors: Neighbors, cutoff: float) -> jax.Array:
    """Whether a list holds all pairs within a cutoff, which may be shorter than that of the list."""
    plan = neighbors.plan._replace(cutoff=cutoff, skin=neighbors.plan.reach - cutoff)
    fixed: Any = jax.lax.stop_gradient((system, dataclasses.replace(neighbors, plan=plan)))
    return ~Lists(None).outdated(*fixed)


def _matrix(box: Any, dtype: Any) -> jax.Array:
    """[3, 3] jax-md's box as a matrix with the lattice vectors as columns."""
    box = jnp.asarray(box, dtype)
    if box.shape == (3, 3):
        return box
    if box.shape in ((), (1,), (3,)):
        return jnp.eye(3, dtype=dtype) * jnp.broadcast_to(box, (3,))[None, :]
    raise ValueError(f"box must be a number, [3] or [3, 3], got shape {list(box.shape)}")


def strain_of(perturbation: Any, dtype: Any) -> jax.Array:
    """The strain of jax-md's ``perturbation``, which multiplies column vectors from the left."""
    if perturbation is None:
        return jnp.zeros((3, 3), dtype)
    return _matrix(perturbation, dtype).T - jnp.eye(3, dtype=dtype)


def box_of(kwargs: dict[str, Any]) -> Any:
    """Takes ``box`` from the further arguments of a call; TypeError where one is unknown."""
    box = kwargs.pop("box", None)
    unknown = set(kwargs) - PASSED_ON
    if unknown:
        raise TypeError(
            f"unknown argument {sorted(unknown)[0]!r}; known are neighbor, box, perturbation, params, and what jax-md "
            f"passes on ({', '.join(sorted(PASSED_ON))})"
        )
    return box
