"""Charges by species, for the potentials that need charges."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.named import named_parameters
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind
from jaxpot.system import System

__all__ = ["fixed_charges"]


@potential_kind
def fixed_charges(elements: Sequence[str]) -> Potential:
    """One charge for each species, given to the potentials that follow in :func:`jaxpot.chain`; its energy is 0.

    The params are ``{"charges": [species] e}``. Charges that the system itself carries (``extras={"charges": ...}``)
    are replaced.

    Args:
        elements: chemical symbols whose order gives the species.

    Returns:
        The :class:`jaxpot.Potential`, which gives ``charges``.

    Raises:
        ValueError: at evaluation, params that are not named as above, or charges of another shape.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.chain(jaxpot.fixed_charges(["Na", "Cl"]), jaxpot.coulomb_cut(8.0, ["Na", "Cl"]))
        >>> params = ({"charges": [1.0, -1.0]}, {})
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.36]], species=[0, 1])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(params, system, neighbors):.4f}"  # -e^2 / (4 pi eps0 r)
        '-6.1015'
    """
    elements = tuple(elements)

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        table = named_parameters("fixed_charges", params, system.positions.dtype, ("charges",))["charges"]
        if table.shape != (len(elements),):
            raise ValueError(
                f"fixed_charges needs one charge for each of {', '.join(elements)}, got shape {list(table.shape)}"
            )
        charges = jnp.where(system.real, table[jnp.maximum(system.species, 0)], 0.0)
        return Outputs(jnp.zeros_like(charges), {"charges": charges})

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        energies, extras = outputs(params, system, neighbors)
        return Evaluation(energies, jnp.zeros_like(system.positions), jnp.zeros((3, 3), energies.dtype), extras)

    gives = frozenset({"charges"})
    return Potential("fixed_charges", 0.0, elements, Functions(outputs, evaluate), gives=gives, constant=gives)
