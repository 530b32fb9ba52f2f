"""The long-range part of a lattice sum: the interaction erf(alpha r) / r of smeared charges with all images."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine.lattice.accuracy import largest_wave, mesh_spacing, splitting
from jaxpot.engine.lattice.kernel import coulomb_weights
from jaxpot.engine.lattice.mesh import Mesh
from jaxpot.engine.lattice.splines import mesh_size
from jaxpot.engine.lattice.wave_sum import WaveSum
from jaxpot.neighbors import Neighbors
from jaxpot.neighbors.validity import inverse_of
from jaxpot.neighbors.waves import lattice_of
from jaxpot.system import System

__all__ = ["LongRange", "Method"]

Method = Literal["auto", "waves", "mesh"]
POINT_COST = 30  # waves of one atom that take the time of one point of a mesh
ATOM_COST = 1500  # waves of one atom that take the time of spreading and interpolating one atom


@dataclasses.dataclass(frozen=True)
class LongRange:
    """How the long-range part is computed.

    Attributes:
        alpha: 1/Å, of the smeared charges.
        accuracy: of the forces; see :mod:`jaxpot.engine.lattice.accuracy`.
        resolution: 1/Å, the largest wave number.
        order: of a mesh's B-splines.
        method: ``"waves"``, ``"mesh"`` or ``"auto"``, the one that takes less time.
    """

    alpha: float
    accuracy: float
    resolution: float
    order: int
    method: Method

    @classmethod
    def chosen(cls, cutoff: float, accuracy: float, order: int, method: Method) -> LongRange:
        """From a cutoff of the pairs, Å, and an accuracy of the forces."""
        alpha = splitting(cutoff, accuracy)
        return cls(alpha, accuracy, largest_wave(alpha, accuracy), order, method)

    def potential(self, system: System, charges: jax.Array, neighbors: Neighbors) -> jax.Array:
        """The potential of all smeared charges at the atoms, their own included.

        Args:
            system: the atoms.
            charges: [atoms], 0 for padding.
            neighbors: a list made for :attr:`resolution`.

        Returns:
            [atoms] e/Å.
        """
        solver, lengths = self._solver(neighbors)
        lattice = _lattice(system, lengths)
        return solver.potential(_fractional(system, lattice), charges, self._weights(solver, system, lattice, lengths))

    def evaluation(
        self, system: System, charges: jax.Array, neighbors: Neighbors
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The potential, and the derivatives of E = 1/2 sum_i q_i phi_i with respect to positions and strain.

        Args:
            system: the atoms.
            charges: [atoms], 0 for padding.
            neighbors: a list made for :attr:`resolution`.

        Returns:
            [atoms] e/Å, [atoms, 3] e^2/Å^2 and [3, 3] e^2/Å.
        """
        solver, lengths = self._solver(neighbors)
        lattice = _lattice(system, lengths)
        weights, pull = jax.vjp(lambda one: self._weights(solver, system, one, lengths), lattice)
        potential, slopes, squares = solver.solution(_fractional(system, lattice), charges, weights)
        (by_lattice,) = pull(0.5 * jnp.asarray(solver.counts, charges.dtype) * squares)

        def along(positions: jax.Array, strain: jax.Array) -> jax.Array:
            """A function with the energy's derivatives."""
            symmetric = 0.5 * (strain + strain.T)
            moved = system.replace(
                positions=positions + positions @ symmetric, cell=system.cell + system.cell @ symmetric
            )
            strained = _lattice(moved, lengths)
            return (by_lattice * strained).sum() + (charges[:, None] * slopes * _fractional(moved, strained)).sum()

        by_positions, by_strain = jax.grad(along, (0, 1))(system.positions, jnp.zeros((3, 3), charges.dtype))
        return potential, by_positions, by_strain

    def _solver(self, neighbors: Neighbors) -> tuple[WaveSum | Mesh, np.ndarray]:
        """The sum, in sizes from the list's plan, and the lengths of the lattice's non-periodic vectors."""
        plan = neighbors.plan
        if plan.resolution < self.resolution * (1 - 1e-9):
            raise ValueError(
                "the neighbour list has no waves for sums in reciprocal space, or too few of them; allocate it with "
                "jaxpot.neighbor_list(potential)"
            )
        lengths = np.array(plan.waves) * (2 * math.pi / plan.resolution)
        first, second, third = (max(1, math.ceil(one * self.resolution / (2 * math.pi) - 1e-9)) for one in lengths)
        waves = WaveSum((first, second, third))
        if self.method == "waves":
            return waves, lengths
        spacing = mesh_spacing(self.alpha, self.accuracy, self.order)
        first, second, third = (mesh_size(max(one / spacing, self.order + 1)) for one in lengths)
        mesh = Mesh((first, second, third), self.order)
        if self.method == "mesh":
            return mesh, lengths
        number = math.prod(one.size for one in waves.integers)
        by_mesh = POINT_COST * math.prod(mesh.sizes) + ATOM_COST * plan.atoms
        return (waves if plan.atoms * number <= by_mesh else mesh), lengths

    def _weights(self, solver: WaveSum | Mesh, system: System, lattice: jax.Array, lengths: np.ndarray) -> jax.Array:
        pbc = system.pbc.astype(bool)
        weights = coulomb_weights(lattice, lengths, pbc, solver.integers, self.alpha)
        return weights * jnp.asarray(solver.attenuation, weights.dtype)


def _lattice(system: System, lengths: np.ndarray) -> jax.Array:
    return lattice_of(system.cell, system.pbc.astype(bool), lengths.astype(system.cell.dtype))


def _fractional(system: System, lattice: jax.Array) -> jax.Array:
    """[atoms, 3] coordinates in the lattice; 0 for padding."""
    real = system.real[:, None]
    return jnp.where(real, system.positions, 0.0) @ inverse_of(lattice)
