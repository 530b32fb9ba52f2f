"""The Morse potential."""

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

__all__ = ["morse"]


@potential_kind
def morse(
    cutoff: Range,
    elements: Sequence[str] | None = None,
    mode: str = "truncated",
    switch_from: Range | None = None,
) -> Potential:
    """The Morse potential.

    phi(r) = D0 [exp(-2 alpha (r - r0)) - 2 exp(-alpha (r - r0))], E = sum of phi over pairs closer than the cutoff.

    The params are ``{"D0": eV, "alpha": 1/Å, "r0": Å}``, each one number or a symmetric table [species, species].

    Args:
        cutoff: Å, one number or a symmetric table [species, species].
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        mode: how phi ends at the cutoff: ``"truncated"`` as LAMMPS's ``morse``, ``"shifted"``, ``"force_shifted"``
            (LAMMPS's ``morse/smooth/linear``) or ``"switched"``, as in :func:`jaxpot.lennard_jones`.
        switch_from: Å, one number or a table; with ``mode="switched"`` only.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length or not a fitting table; an unknown mode; ``switch_from`` is
            missing, superfluous or beyond the cutoff; at evaluation, params that are not named as above.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.morse(cutoff=8.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.8]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f'{jaxpot.energy(potential)({"D0": 0.34, "alpha": 1.36, "r0": 2.8}, system, neighbors):.2f}'
        '-0.34'

    Reference: P. M. Morse, Phys. Rev. 34, 57 (1929), eq. 4.
    """
    name = "morse"
    largest = largest_cutoff(name, cutoff, elements)
    phi = cut_off(name, _energy, cutoff, mode, switch_from)

    def contributions(params: Params, distances: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        tables = named_parameters(name, params, distances.dtype, ("D0", "alpha", "r0"))
        return (0.5 * phi(tables, distances, species.pair),)

    return radial_potential(contributions, None, largest, None if elements is None else tuple(elements), name)


def _energy(p: dict[str, jax.Array], distances: jax.Array) -> jax.Array:
    bond = jnp.exp(-p["alpha"] * (distances - p["r0"]))
    return p["D0"] * (bond * (bond - 2.0))
