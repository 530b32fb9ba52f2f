"""Functions of any potential: energy, forces, virial, stress, Hessian."""

from __future__ import annotations

from collections.abc import Callable

import jax

from jaxpot.evaluation import Params
from jaxpot.guard import check
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential, check_potential
from jaxpot.system import System

__all__ = [
    "atomic_energies",
    "energy",
    "energy_and_forces",
    "energy_forces_and_stress",
    "forces",
    "hessian",
    "stress",
    "virial",
]


def atomic_energies(potential: Potential) -> Callable[[Params, System, Neighbors], jax.Array]:
    """The function ``(params, system, neighbors) -> [atoms]`` of per-atom energies, eV.

    Args:
        potential: any potential.

    Returns:
        A pure function; padded atoms have energy 0.
    """
    check_potential("atomic_energies", potential, "the order is atomic_energies(potential)(params, system, neighbors)")
    return potential.atomic_energies


def energy(potential: Potential) -> Callable[[Params, System, Neighbors], jax.Array]:
    """The function ``(params, system, neighbors) -> scalar`` energy, eV.

    Args:
        potential: any potential.

    Returns:
        A pure function; ``jax.grad`` of it gives dE/dparams.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5)
        >>> params = {"epsilon": 0.0104, "sigma": 3.4}
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 3.4 * 2 ** (1 / 6)]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> print(f"{jaxpot.energy(potential)(params, system, neighbors):.4f}")
        -0.0104
    """
    check_potential("energy", potential, "the order is energy(potential)(params, system, neighbors)")

    def function(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        return potential.atomic_energies(params, system, neighbors).sum()

    return function


def energy_and_forces(potential: Potential) -> Callable[[Params, System, Neighbors], tuple[jax.Array, jax.Array]]:
    """The function ``(params, system, neighbors) -> (energy, forces)``, eV and [atoms, 3] eV/Å, in one pass.

    Args:
        potential: any potential.

    Returns:
        A pure function.
    """
    check_potential(
        "energy_and_forces", potential, "the order is energy_and_forces(potential)(params, system, neighbors)"
    )

    def function(params: Params, system: System, neighbors: Neighbors) -> tuple[jax.Array, jax.Array]:
        result = potential.evaluate(params, system, neighbors)
        return result.energies.sum(), result.forces

    return function


def forces(potential: Potential) -> Callable[[Params, System, Neighbors], jax.Array]:
    """The function ``(params, system, neighbors) -> [atoms, 3]`` forces, eV/Å.

    Args:
        potential: any potential.

    Returns:
        A pure function.
    """
    check_potential("forces", potential, "the order is forces(potential)(params, system, neighbors)")

    def function(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        return potential.evaluate(params, system, neighbors).forces

    return function


def virial(potential: Potential) -> Callable[[Params, System, Neighbors], jax.Array]:
    """The function ``(params, system, neighbors) -> [3, 3]`` derivative of the energy with respect to strain, eV.

    Args:
        potential: any potential.

    Returns:
        A pure function; unlike the stress it is defined without a cell.
    """
    check_potential("virial", potential, "the order is virial(potential)(params, system, neighbors)")

    def function(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        return potential.evaluate(params, system, neighbors).virial

    return function


def stress(potential: Potential) -> Callable[[Params, System, Neighbors], jax.Array]:
    """The function ``(params, system, neighbors) -> [3, 3]`` stress, eV/Å^3.

    The stress is the derivative of the energy with respect to strain, divided by the volume. The sign is ASE's:
    positive under tension. A molecule without a cell has no volume and so no stress; the result is not finite then.
    :func:`virial` is defined there.

    Args:
        potential: any potential.

    Returns:
        A pure function.
    """
    check_potential("stress", potential, "the order is stress(potential)(params, system, neighbors)")

    def function(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        return potential.evaluate(params, system, neighbors).virial / system.volume

    return function


def energy_forces_and_stress(
    potential: Potential,
) -> Callable[[Params, System, Neighbors], tuple[jax.Array, jax.Array, jax.Array]]:
    """The function ``(params, system, neighbors) -> (energy, forces, stress)`` in one pass.

    Args:
        potential: any potential.

    Returns:
        A pure function; eV, [atoms, 3] eV/Å, [3, 3] eV/Å^3 in ASE's sign.
    """
    check_potential(
        "energy_forces_and_stress",
        potential,
        "the order is energy_forces_and_stress(potential)(params, system, neighbors)",
    )

    def function(params: Params, system: System, neighbors: Neighbors) -> tuple[jax.Array, jax.Array, jax.Array]:
        result = potential.evaluate(params, system, neighbors)
        return result.energies.sum(), result.forces, result.virial / system.volume

    return function


def hessian(potential: Potential) -> Callable[[Params, System, Neighbors], jax.Array]:
    """The function ``(params, system, neighbors) -> [atoms, 3, atoms, 3]`` second derivatives, eV/Å^2.

    Args:
        potential: any potential.

    Returns:
        A pure function, for systems whose dense Hessian fits in memory.
    """
    check_potential("hessian", potential, "the order is hessian(potential)(params, system, neighbors)")

    def function(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        check(potential, system, neighbors)

        def gradient(positions: jax.Array) -> jax.Array:
            return -potential.evaluate(params, system.replace(positions=positions), neighbors).forces

        return jax.jacfwd(gradient)(system.positions)

    return function
