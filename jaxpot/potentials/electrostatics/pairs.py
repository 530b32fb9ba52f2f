"""What the Coulomb sums that end at a cutoff share: pairs of charges, and terms of the charges alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.engine.rows import is_center, per_atom
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.named import named_parameters
from jaxpot.numerics.switching import cut_off, largest_cutoff
from jaxpot.potential import Potential
from jaxpot.system import System

__all__ = ["Shape", "charge_pairs", "cut_charge_pairs"]

Numbers = dict[str, jax.Array]
Shape = Callable[[Numbers, jax.Array], jax.Array]


def charge_pairs(
    name: str,
    shape: Shape,
    cutoff: float,
    elements: Sequence[str] | None,
    constant: float,
    names: Sequence[str] = (),
    own: Callable[[Numbers], jax.Array] | None = None,
) -> Potential:
    """E = k [1/2 sum_ij q_i q_j g(r_ij) + sum_i c q_i^2] over pairs closer than the cutoff.

    Args:
        name: of the potential.
        shape: ``(params, distances) -> g``, 1/Å.
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        constant: k, eV Å / e^2.
        names: of the params.
        own: ``params -> c``, 1/Å; None for 0.

    Returns:
        The :class:`jaxpot.Potential`, which needs ``charges``.
    """

    def contributions(params: Params, distances: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        numbers = named_parameters(name, params, distances.dtype, names)
        return (0.5 * constant * species.product("charges") * shape(numbers, distances),)

    elements = None if elements is None else tuple(elements)
    pairs = radial_potential(contributions, None, cutoff, elements, name, needs=["charges"])
    if own is None:
        return pairs

    def own_energies(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        charges = per_atom(system, "charges")
        each = constant * own(named_parameters(name, params, charges.dtype, names)) * charges**2
        return jnp.where(is_center(system, neighbors), each, 0.0)

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        found = pairs.unchecked.outputs(params, system, neighbors)
        return found._replace(energies=found.energies + own_energies(params, system, neighbors))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        found = pairs.unchecked.evaluate(params, system, neighbors)
        return found._replace(energies=found.energies + own_energies(params, system, neighbors))

    return Potential(name, cutoff, elements, Functions(outputs, evaluate), needs=pairs.needs, prepare=pairs.prepare)


def cut_charge_pairs(
    name: str,
    function: Shape,
    cutoff: float,
    mode: str,
    switch_from: float | None,
    elements: Sequence[str] | None,
    constant: float,
    names: Sequence[str] = (),
) -> Potential:
    """E = k sum_{i<j} q_i q_j g(r_ij), where g ends at the cutoff in a way that the user chooses.

    Args:
        name: of the potential.
        function: ``(params, distances) -> g``, 1/Å, without an end.
        cutoff: Å.
        mode: how g ends, see :func:`jaxpot.numerics.switching.cut_off`.
        switch_from: Å; with ``mode="switched"`` only.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        constant: k, eV Å / e^2.
        names: of the params.

    Returns:
        The :class:`jaxpot.Potential`, which needs ``charges``.
    """
    largest = largest_cutoff(name, cutoff, None)
    phi = cut_off(name, function, cutoff, mode, switch_from)

    def shape(p: Numbers, r: jax.Array) -> jax.Array:
        return phi(p, r, lambda number: number)

    return charge_pairs(name, shape, largest, elements, constant, names)
