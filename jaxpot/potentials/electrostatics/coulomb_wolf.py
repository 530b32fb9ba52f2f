"""Wolf's damped and shifted Coulomb sum."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
from jax.lax import erfc

from jaxpot.numerics.switching import largest_cutoff
from jaxpot.potential import Potential
from jaxpot.potentials.electrostatics.pairs import charge_pairs
from jaxpot.spec import potential_kind
from jaxpot.units import COULOMB

__all__ = ["coulomb_wolf"]


@potential_kind
def coulomb_wolf(cutoff: float, elements: Sequence[str] | None = None, constant: float = COULOMB) -> Potential:
    """Wolf's Coulomb sum, damped and shifted to 0 at the cutoff, with the forces that belong to this energy.

    With g(r) = erfc(alpha r) / r and the cutoff R, E = k [sum_{i<j} q_i q_j {g(r) - g(R)}
    - 1/2 sum_i q_i^2 {g(R) + 2 alpha / sqrt(pi)}]. The force jumps at the cutoff.

    LAMMPS's ``coul/wolf`` has this energy, but not its derivative as forces: the forces there are those of
    :func:`jaxpot.coulomb_dsf`, which has an energy that fits them.

    The params are ``{"alpha": 1/Å}``, not negative. The charges q are data of the system or of a potential before this
    one in :func:`jaxpot.chain`, as in :func:`jaxpot.coulomb_cut`.

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
        >>> potential = jaxpot.coulomb_wolf(9.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.45]], extras={"charges": [1.0, -1.0]})
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)({'alpha': 0.2}, system, neighbors):.4f}"
        '-6.1198'

    Reference: D. Wolf, P. Keblinski, S. R. Phillpot and J. Eggebrecht, J. Chem. Phys. 110, 8254 (1999), eq. 5.15.
    """
    name = "coulomb_wolf"
    end = largest_cutoff(name, cutoff, None)

    def shape(p: dict[str, jax.Array], r: jax.Array) -> jax.Array:
        return erfc(p["alpha"] * r) / r - erfc(p["alpha"] * end) / end

    def own(p: dict[str, jax.Array]) -> jax.Array:
        return -0.5 * (erfc(p["alpha"] * end) / end + p["alpha"] * (2.0 / math.sqrt(math.pi)))

    return charge_pairs(name, shape, end, elements, constant, ("alpha",), own)
