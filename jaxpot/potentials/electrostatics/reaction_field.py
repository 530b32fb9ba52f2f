"""Coulomb's law with the reaction field of a dielectric beyond the cutoff."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from jaxpot.numerics.switching import largest_cutoff
from jaxpot.potential import Potential
from jaxpot.potentials.electrostatics.pairs import charge_pairs
from jaxpot.spec import potential_kind
from jaxpot.units import COULOMB

__all__ = ["reaction_field"]


@potential_kind
def reaction_field(
    cutoff: float, elements: Sequence[str] | None = None, own_terms: bool = False, constant: float = COULOMB
) -> Potential:
    """Coulomb's law with the reaction field of a dielectric continuum beyond the cutoff.

    E = k sum_{i<j} q_i q_j (1/r + k_rf r^2 - c_rf) over pairs closer than the cutoff R, with
    k_rf = (eps - 1) / [(2 eps + 1) R^3] and c_rf = 1/R + k_rf R^2, so that the energy goes to 0 at the cutoff; for
    eps = infinity, the force does too.

    The params are ``{"epsilon": 1}``, the relative permittivity of the continuum, which may be infinite. The charges q
    are data of the system or of a potential before this one in :func:`jaxpot.chain`, as in :func:`jaxpot.coulomb_cut`.

    Args:
        cutoff: R, Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        own_terms: whether each atom has its own term too, -k q_i^2 c_rf / 2, as in GROMACS.
        constant: k = e^2 / (4 pi eps0), eV Å.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length; at evaluation, charges are missing, or params that are not
            named as above.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.reaction_field(9.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.45]], extras={"charges": [1.0, -1.0]})
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)({'epsilon': 78.5}, system, neighbors):.4f}"
        '-3.5508'

    Reference: I. G. Tironi, R. Sperb, P. E. Smith and W. F. van Gunsteren, J. Chem. Phys. 102, 5451 (1995), without
    ions in the continuum.
    """
    name = "reaction_field"
    end = largest_cutoff(name, cutoff, None)

    def field(p: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        inverse = 1.0 / p["epsilon"]  # finite for an infinite permittivity
        k_rf = (1.0 - inverse) / (2.0 + inverse) / end**3
        return k_rf, 1.0 / end + k_rf * end**2

    def shape(p: dict[str, jax.Array], r: jax.Array) -> jax.Array:
        k_rf, c_rf = field(p)
        return 1.0 / r + k_rf * r * r - c_rf

    own = (lambda p: -0.5 * field(p)[1]) if own_terms else None
    return charge_pairs(name, shape, end, elements, constant, ("epsilon",), own)
