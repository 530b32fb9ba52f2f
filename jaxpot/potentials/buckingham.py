"""The Buckingham potential."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters
from jaxpot.numerics.switching import Range, cut_off, largest_cutoff
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["buckingham"]


@potential_kind
def buckingham(
    cutoff: Range,
    elements: Sequence[str] | None = None,
    mode: str = "truncated",
    switch_from: Range | None = None,
) -> Potential:
    """The Buckingham potential, exponential repulsion with dispersion.

    phi(r) = A exp(-r/rho) - C/r^6, E = sum of phi over pairs closer than the cutoff.

    The params are ``{"A": eV, "rho": Å, "C": eV Å^6}``, each one number or a symmetric table [species, species]. A pair
    of species that does not interact has A = C = 0 and any rho > 0. The formula falls to minus infinity at short
    distance, as in every code; add a repulsion such as :func:`jaxpot.zbl` where atoms may come that close.

    Args:
        cutoff: Å, one number or a symmetric table [species, species].
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        mode: how phi ends at the cutoff: ``"truncated"`` as LAMMPS's ``buck``, ``"shifted"``, ``"force_shifted"`` or
            ``"switched"``, as in :func:`jaxpot.lennard_jones`.
        switch_from: Å, one number or a table; with ``mode="switched"`` only.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length or not a fitting table; an unknown mode; ``switch_from`` is
            missing, superfluous or beyond the cutoff; at evaluation, params that are not named as above.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.buckingham(cutoff=8.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f'{jaxpot.energy(potential)({"A": 1000.0, "rho": 0.3, "C": 30.0}, system, neighbors):.4f}'
        '0.8039'

    Reference: R. A. Buckingham, Proc. R. Soc. Lond. A 168, 264 (1938).
    """
    name = "buckingham"
    largest = largest_cutoff(name, cutoff, elements)
    phi = cut_off(name, _energy, cutoff, mode, switch_from)

    def contributions(params: Params, distances: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        tables = named_parameters(name, params, distances.dtype, ("A", "rho", "C"))
        return (0.5 * phi(tables, distances, species.pair),)

    return radial_potential(contributions, None, largest, None if elements is None else tuple(elements), name)


def _energy(p: dict[str, jax.Array], distances: jax.Array) -> jax.Array:
    inverse = 1.0 / distances
    inverse2 = inverse * inverse
    return p["A"] * jnp.exp(-distances / p["rho"]) - p["C"] * (inverse2 * inverse2 * inverse2)
