"""The potential that is bound to one molecule."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Functions, Outputs
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Evaluation, Potential
from jaxpot.potentials.mmff94.electrostatics import Dielectric
from jaxpot.potentials.mmff94.energies import atomic_energies, energies_and_gradients
from jaxpot.potentials.mmff94.parameters import Params
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.system import System

__all__ = ["bind"]


def bind(
    topology: Topology, name: str, dielectric: Dielectric, elements: tuple[str, ...], species: np.ndarray
) -> Potential:
    """The potential of a molecule of known topology.

    Args:
        topology: of the molecule.
        name: of the potential.
        dielectric: of the electrostatic term.
        elements: chemical symbols whose order gives the species.
        species: [atoms] of the molecule, which a system must have as well.

    Returns:
        The :class:`jaxpot.Potential`.
    """
    atoms = topology.atoms
    species = np.asarray(species, np.int32)

    def molecule_of(system: System) -> jax.Array:
        extra = system.positions.shape[0] - atoms
        expected = np.append(species, [-1] * max(extra, 0))
        known = not any(isinstance(leaf, jax.core.Tracer) for leaf in (system.species, system.pbc))
        if extra < 0 or (known and not np.array_equal(system.species, expected)):
            formula = "".join(f"{s}{np.sum(species == k)}" for k, s in enumerate(elements))
            raise ValueError(
                f"this {name} is bound to one molecule, {formula} with {atoms} atoms in a fixed order; the system's "
                f"{system.positions.shape[0]} atoms are others, make a potential for it with jaxpot.mmff94"
            )
        if known:
            if np.any(np.asarray(system.pbc)):
                raise ValueError(f"{name} has no periodic images; give a system with pbc=False, unwrapped positions")
            return system.positions[:atoms]
        # under jit nothing can be raised: no number is given for wrong
        right = jnp.all(system.species == expected) & ~jnp.any(system.pbc)
        return jnp.where(right, system.positions[:atoms], jnp.nan)

    def padded(values: jax.Array, system: System) -> jax.Array:
        extra = system.positions.shape[0] - atoms
        return values if extra == 0 else jnp.pad(values, [(0, extra)] + [(0, 0)] * (values.ndim - 1))

    def energies(params: Params, system: System, neighbors: Neighbors | None) -> jax.Array:
        del neighbors
        return padded(atomic_energies(params, topology, molecule_of(system), dielectric), system)

    def evaluate(params: Params, system: System, neighbors: Neighbors | None) -> Evaluation:
        del neighbors
        positions = molecule_of(system)
        each, gradient = energies_and_gradients(params, topology, positions, dielectric, by_atom=True)
        # without images the strain only moves the atoms
        strained = positions.T @ gradient
        return Evaluation(padded(each, system), padded(-gradient, system), 0.5 * (strained + strained.T))

    return Potential(
        name,
        0.0,
        elements,
        Functions(lambda *given: Outputs(energies(*given)), evaluate),
        init=functools.partial(_no_params, name),
        molecule=tuple(species.tolist()),
    )


def _no_params(name: str, *_: Any) -> Params:
    raise ValueError(f"the parameters of {name} come with its molecule: potential, params, system = jaxpot.mmff94(...)")
