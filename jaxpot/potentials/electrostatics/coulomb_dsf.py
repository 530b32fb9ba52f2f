"""The damped, shifted-force Coulomb sum."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.lax import erfc

from jaxpot.numerics.switching import largest_cutoff
from jaxpot.potential import Potential
from jaxpot.potentials.electrostatics.pairs import charge_pairs
from jaxpot.spec import potential_kind
from jaxpot.units import COULOMB

__all__ = ["coulomb_dsf"]


@potential_kind
def coulomb_dsf(cutoff: float, elements: Sequence[str] | None = None, constant: float = COULOMB) -> Potential:
    """The damped, shifted-force Coulomb sum: neighbours neutralise a charge, so a short range is enough.

    With g(r) = erfc(alpha r) / r and the cutoff R, E = k [sum_{i<j} q_i q_j {g(r) - g(R) - (r - R) g'(R)}
    - 1/2 sum_i q_i^2 {g(R) - R g'(R) + 2 alpha / sqrt(pi)}]. Energy and forces go to 0 at the cutoff.

    The params are ``{"alpha": 1/Å}``, not negative, often 0.2. The charges q are data of the system or of a potential
    before this one in :func:`jaxpot.chain`, as in :func:`jaxpot.coulomb_cut`.

    Args:
        cutoff: R, Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        constant: k = e^2 / (4 pi eps0), eV Å.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length; at evaluation, charges are missing, or params that are not
            named as above.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.coulomb_dsf(9.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.45]], extras={"charges": [1.0, -1.0]})
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)({'alpha': 0.2}, system, neighbors):.4f}"
        '-6.1592'

    Reference: C. J. Fennell and J. D. Gezelter, J. Chem. Phys. 124, 234104 (2006), eq. 19, with the atoms' own terms as
    in LAMMPS's ``pair_style coul/dsf``, whose erfc is a polynomial (4e-7 of the energy).
    """
    name = "coulomb_dsf"
    end = largest_cutoff(name, cutoff, None)

    def at_end(p: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        alpha = p["alpha"]
        value = erfc(alpha * end) / end
        return value, -(value + alpha * (2.0 / math.sqrt(math.pi)) * jnp.exp(-((alpha * end) ** 2))) / end

    def shape(p: dict[str, jax.Array], r: jax.Array) -> jax.Array:
        value, slope = at_end(p)
        return erfc(p["alpha"] * r) / r - value - (r - end) * slope

    def own(p: dict[str, jax.Array]) -> jax.Array:
        value, slope = at_end(p)
        return -0.5 * (value - end * slope + p["alpha"] * (2.0 / math.sqrt(math.pi)))

    return charge_pairs(name, shape, end, elements, constant, ("alpha",), own)
