"""A potential's energy as one scalar function whose derivative is the engine's own force pass.

Reverse differentiation of per-atom energies scatters edge gradients back to atoms, which costs several times a force
evaluation. jax-md differentiates energies in many places (its NPT integrator gets value, forces and strain derivative
in this way), so this energy has a custom derivative: forces and virial come from ``Potential.evaluate``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jaxpot.neighbors import Neighbors
from jaxpot.potential import Params, Potential
from jaxpot.system import System

__all__ = ["strained_energy"]

Energy = Callable[[Params, System, jax.Array, Any], jax.Array]  # with Neighbors, or None without a cutoff


def strained_energy(potential: Potential) -> Energy:
    """The energy of a system whose positions R and cell are both multiplied by 1 + strain.

    E(params, R (1 + e), cell (1 + e)), differentiable to any order in params, positions, cell and strain e. First
    derivatives with respect to positions, cell and strain cost one ``Potential.evaluate``: with g = dE/dR and the
    virial W = dE/de at e = 0, the derivative with respect to the cell at fixed positions is cell^-T (W - R^T g).

    Args:
        potential: any potential.

    Returns:
        ``(params, system, strain, neighbors) -> scalar`` in eV; ``strain`` is [3, 3] and acts on row vectors.

    Example:
        >>> import jax, jax.numpy as jnp, jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5)
        >>> params = {"epsilon": 0.0104, "sigma": 3.4}
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=[3.7, 3.7, 3.7])
        >>> neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
        >>> energy = strained_energy(potential)
        >>> virial = jax.grad(energy, 2)(params, system, jnp.zeros((3, 3)), neighbors)
        >>> bool(jnp.allclose(virial, jaxpot.virial(potential)(params, system, neighbors), rtol=1e-5))
        True
    """

    @jax.custom_jvp
    def energy(
        params: Params,
        positions: jax.Array,
        cell: jax.Array,
        strain: jax.Array,
        system: System,
        neighbors: Neighbors,
    ) -> jax.Array:
        return potential.atomic_energies(params, strained(positions, cell, strain, system), neighbors).sum()

    @jax.jit
    def strained(positions: jax.Array, cell: jax.Array, strain: jax.Array, system: System) -> System:
        return system.replace(positions=positions + positions @ strain, cell=cell + cell @ strain)

    def derivative(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        params, positions, cell, strain, system, neighbors = primals
        moved = strained(positions, cell, strain, system)
        result = potential.evaluate(params, moved, neighbors)
        value = result.energies.sum()
        change = jnp.zeros_like(value)
        params_dot, positions_dot, cell_dot, strain_dot = tangents[:4]
        gradient, virial = -result.forces, result.virial
        deformation = jnp.eye(3, dtype=strain.dtype) + strain
        if not isinstance(positions_dot, SymbolicZero):
            change = change + jnp.sum((gradient @ deformation.T) * positions_dot)
        if not isinstance(cell_dot, SymbolicZero):
            full = jnp.where(system.pbc[:, None], moved.cell, neighbors.completion)
            by_cell = jnp.linalg.solve(full.T, virial - moved.positions.T @ gradient)
            by_cell = jnp.where(system.pbc[:, None], by_cell, 0.0)
            change = change + jnp.sum((by_cell @ deformation.T) * cell_dot)
        if not isinstance(strain_dot, SymbolicZero):
            change = change + jnp.sum(jnp.linalg.solve(deformation.T, virial.T).T * strain_dot.T)
        if not all(isinstance(leaf, SymbolicZero) for leaf in jax.tree.leaves(params_dot, is_leaf=_is_zero)):
            direction = jax.tree.map(
                lambda leaf: jnp.zeros(leaf.shape, leaf.dtype) if _is_zero(leaf) else leaf, params_dot, is_leaf=_is_zero
            )
            change = (
                change
                + jax.jvp(lambda p: potential.atomic_energies(p, moved, neighbors).sum(), (params,), (direction,))[1]
            )
        return value, change

    energy.defjvp(derivative, symbolic_zeros=True)

    def function(params: Params, system: System, strain: jax.Array, neighbors: Neighbors) -> jax.Array:
        return energy(params, system.positions, system.cell, strain, system, neighbors)

    return function


def _is_zero(leaf: Any) -> bool:
    return isinstance(leaf, SymbolicZero)
