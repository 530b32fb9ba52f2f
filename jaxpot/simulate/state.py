"""The state of molecular dynamics, a pytree with everything that the next step depends on."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.extras import check_needed
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.simulate.ensembles import Ensemble
from jaxpot.simulate.lists import lists_for
from jaxpot.system import System

__all__ = ["MDState", "degrees_of_freedom_of", "initial_state", "twice_kinetic_energy"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class MDState:
    """A point of a trajectory.

    Attributes:
        system: positions, species, cell and named data. Positions are never wrapped into the cell.
        velocities: [atoms, 3], Å per unit of time (:data:`jaxpot.units.TIME`).
        masses: [atoms], amu; any positive number for a padded atom.
        neighbors: the list; None for a potential without a cutoff.
        key: [2] uint32, a JAX random key, which does not change: the noise of a step depends on it and on ``step``.
        overflow: [] bool, True once the list was too small or a position was not finite; all later results are NaN.
        forces: [atoms, 3], eV/Å, at these positions; NaN until a run has computed them.
        step: [] int32, number of steps since the beginning.
        bath: variables of thermostat and barostat; empty where there are none.
    """

    system: System
    velocities: jax.Array
    masses: jax.Array
    neighbors: Neighbors | None
    key: jax.Array
    overflow: jax.Array
    forces: jax.Array
    step: jax.Array
    bath: Any = ()

    def replace(self, **changes: Any) -> MDState:
        """A copy with the named fields replaced.

        Args:
            changes: new values of fields.

        Returns:
            The new state.
        """
        return dataclasses.replace(self, **changes)


def initial_state(
    potential: Potential,
    system: System,
    velocities: Any,
    masses: Any,
    *,
    skin: float | None = None,
    capacity_multiplier: float = 1.25,
    seed: int = 0,
) -> MDState:
    """Makes the state from which a trajectory starts, with a neighbour list allocated on the host.

    Args:
        potential: the potential, which gives the cutoff.
        system: atoms and cell.
        velocities: [atoms, 3], Å per unit of time.
        masses: [atoms], amu.
        skin: Å; a tenth of the cutoff if None.
        capacity_multiplier: factor by which the list is larger than needed.
        seed: seed of the noise of Langevin dynamics.

    Returns:
        The :class:`MDState`.

    Raises:
        ValueError: the skin is not positive, velocities or masses do not have one entry an atom, or the system lacks
            data that the potential needs.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
        >>> state = initial_state(jaxpot.lennard_jones(cutoff=8.5), system, jnp.zeros((2, 3)), jnp.full(2, 40.0))
        >>> int(state.step), bool(state.overflow)
        (0, False)
    """
    check_needed(potential.name, potential.needs, system.extras, None, potential.elements)
    dtype, atoms = system.positions.dtype, system.positions.shape[0]
    velocities, masses = jnp.asarray(velocities, dtype), jnp.asarray(masses, dtype)
    if velocities.shape != (atoms, 3):
        raise ValueError(f"velocities must have shape [{atoms}, 3], got {list(velocities.shape)}")
    if masses.shape != (atoms,):
        raise ValueError(f"masses must have shape [{atoms}], got {list(masses.shape)}")
    return MDState(
        system=system,
        velocities=velocities,
        masses=masses,
        neighbors=lists_for(potential, skin, capacity_multiplier).start(system),
        key=jax.random.PRNGKey(seed),
        overflow=jnp.zeros((), bool),
        forces=jnp.asarray(np.full((atoms, 3), np.nan), dtype),
        step=jnp.zeros((), jnp.int32),
    )


def twice_kinetic_energy(state: MDState) -> jax.Array:
    """The sum of m v^2 over all atoms.

    Args:
        state: any.

    Returns:
        Scalar, eV.
    """
    return jnp.sum(state.masses * jnp.sum(state.velocities**2, axis=1))


def degrees_of_freedom_of(ensemble: Ensemble, state: MDState) -> jax.Array:
    """Number of kinetic degrees of freedom of the atoms that are not padding, as
    :func:`jaxpot.simulate.velocities.degrees_of_freedom` has it.

    Args:
        ensemble: whether the total momentum is conserved.
        state: any.

    Returns:
        Scalar of the positions' type.
    """
    atoms = jnp.sum(state.system.real)
    number = 3 * atoms
    if ensemble.momentum_conserved:
        number = jnp.where(atoms > 1, number - 3, number)
    return number.astype(state.velocities.dtype)
