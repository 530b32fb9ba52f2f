"""The spread of an ensemble: the standard deviation of the predictions of its members."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.evaluation import Params
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.safe import safe_sqrt
from jaxpot.potential import Potential
from jaxpot.potentials.committee import Committee
from jaxpot.system import System

__all__ = ["Spread", "largest_force_spread", "with_spread"]


class Spread(NamedTuple):
    """Mean and standard deviation over the members of an ensemble.

    Attributes:
        energy: eV, mean.
        energy_spread: eV, standard deviation of the energy of the structure.
        energies: [atoms] eV, means.
        energies_spread: [atoms] eV.
        forces: [atoms, 3] eV/Å, means.
        forces_spread: [atoms, 3] eV/Å, of each component.
        force_spread: [atoms] eV/Å, root of the mean square of the components' spreads, independent of the axes.
        virial: [3, 3] eV, mean.
    """

    energy: jax.Array
    energy_spread: jax.Array
    energies: jax.Array
    energies_spread: jax.Array
    forces: jax.Array
    forces_spread: jax.Array
    force_spread: jax.Array
    virial: jax.Array


def with_spread(potential: Potential) -> Callable[[Params, System, Neighbors], Spread]:
    """Makes the function ``(params, system, neighbors) -> Spread`` for a potential and stacked params.

    The spread is the standard deviation of a sample, divided by M - 1 for M members; it is 0 for padded atoms.

    Args:
        potential: the potential of one member, or the :func:`jaxpot.committee` of it.

    Returns:
        A pure function, for use under ``jax.jit`` and in simulations; ``params`` has a leading axis [members].

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> from jaxpot.uncertainty import with_spread
        >>> lj = jaxpot.lennard_jones(cutoff=8.5)
        >>> params = {"epsilon": jnp.array([0.010, 0.012]), "sigma": jnp.array([3.4, 3.4])}
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 3.4 * 2 ** (1 / 6)]])
        >>> neighbors = jaxpot.neighbor_list(lj).allocate(system)
        >>> found = with_spread(lj)(params, system, neighbors)
        >>> f"{found.energy:.4f} +- {found.energy_spread:.4f}"
        '-0.0110 +- 0.0014'
    """
    member = potential.member if isinstance(potential, Committee) else potential

    def deviation(values: jax.Array) -> jax.Array:
        # the root has a finite derivative where all members agree
        apart = values - values.mean(axis=0)[None]
        return safe_sqrt((apart * apart).sum(axis=0) / (values.shape[0] - 1))

    def function(params: Params, system: System, neighbors: Neighbors) -> Spread:
        members = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(params)}
        if len(members) != 1 or members & {(), (1,)}:
            raise ValueError(
                f"an ensemble needs params of at least two members, stacked along a leading axis; got {sorted(members)}"
            )
        every = jax.vmap(member.evaluate, (0, None, None))(params, system, neighbors)
        total = every.energies.sum(axis=1)
        components = deviation(every.forces)
        return Spread(
            energy=total.mean(),
            energy_spread=deviation(total),
            energies=every.energies.mean(axis=0),
            energies_spread=deviation(every.energies),
            forces=every.forces.mean(axis=0),
            forces_spread=components,
            force_spread=safe_sqrt((components * components).mean(axis=1)),
            virial=every.virial.mean(axis=0),
        )

    return function


def largest_force_spread(potential: Potential) -> Callable[[Params, System, Neighbors], jax.Array]:
    """Makes the function ``(params, system, neighbors) -> scalar``, the largest ``force_spread`` of any atom, eV/Å.

    Args:
        potential: the potential of one member, or the :func:`jaxpot.committee` of it.

    Returns:
        A pure function, for example for a :class:`jaxpot.simulate.Watch`.
    """
    spread = with_spread(potential)

    def function(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        found = spread(params, system, neighbors).force_spread
        # XLA's maximum of many numbers leaves out, on the CPU, what is not a number
        return jnp.where(jnp.isnan(found).any(), jnp.nan, found.max())

    return function
