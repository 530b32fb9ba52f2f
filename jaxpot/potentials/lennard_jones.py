"""The Lennard-Jones potential and its mixing rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters
from jaxpot.numerics.switching import Range, cut_off, largest_cutoff
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["lennard_jones", "lennard_jones_mixing"]

RULES = ("lorentz_berthelot", "geometric", "waldman_hagler")


@potential_kind
def lennard_jones(
    cutoff: Range,
    elements: Sequence[str] | None = None,
    mode: str = "truncated",
    switch_from: Range | None = None,
) -> Potential:
    """The Lennard-Jones potential.

    phi(r) = 4 epsilon [(sigma/r)^12 - (sigma/r)^6], E = sum of phi over pairs closer than the cutoff.

    The params are ``{"epsilon": eV, "sigma": Å}``, each one number or a symmetric table [species, species];
    :func:`jaxpot.lennard_jones_mixing` makes the tables from one number a species.

    Args:
        cutoff: Å, one number or a symmetric table [species, species].
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        mode: how phi ends at the cutoff rc: ``"truncated"`` jumps to zero as LAMMPS's ``lj/cut`` does, ``"shifted"`` by
            phi(rc) (``pair_modify shift yes``), ``"force_shifted"`` also by the force at rc (``lj/smooth/linear``),
            ``"switched"`` times CHARMM's switching function from ``switch_from`` to rc.
        switch_from: Å, one number or a table; with ``mode="switched"`` only.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length or not a fitting table; an unknown mode; ``switch_from`` is
            missing, superfluous or beyond the cutoff; at evaluation, params that are not named as above.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5, mode="force_shifted")
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 3.8]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> energy = jaxpot.energy(potential)({"epsilon": 0.0104, "sigma": 3.4}, system, neighbors)
        >>> f"{energy:.5f}"
        '-0.00966'

    Reference: J. E. Jones, Proc. R. Soc. Lond. A 106, 463 (1924); the 12-6 form in J. E. Lennard-Jones, Proc. Phys.
    Soc. 43, 461 (1931). Force shift: S. Toxvaerd and J. C. Dyre, J. Chem. Phys. 134, 081102 (2011).
    """
    name = "lennard_jones"
    largest = largest_cutoff(name, cutoff, elements)
    phi = cut_off(name, _energy, cutoff, mode, switch_from)

    def contributions(params: Params, distances: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        tables = named_parameters(name, params, distances.dtype, ("epsilon", "sigma"))
        return (0.5 * phi(tables, distances, species.pair),)

    return radial_potential(contributions, None, largest, None if elements is None else tuple(elements), name)


def _energy(p: dict[str, jax.Array], distances: jax.Array) -> jax.Array:
    s = p["sigma"] / distances
    s2 = s * s
    s6 = s2 * s2 * s2
    return 4.0 * p["epsilon"] * (s6 * (s6 - 1.0))


def lennard_jones_mixing(epsilon: Any, sigma: Any, rule: str = "lorentz_berthelot") -> dict[str, jax.Array]:
    """Lennard-Jones params for all pairs of species from one epsilon and sigma a species, by a mixing rule.

    - ``"lorentz_berthelot"``: sigma_ij = (sigma_i + sigma_j)/2, epsilon_ij = (epsilon_i epsilon_j)^(1/2)
      (LAMMPS's ``mix arithmetic``)
    - ``"geometric"``: sigma_ij = (sigma_i sigma_j)^(1/2), epsilon_ij as above (OPLS; LAMMPS's default)
    - ``"waldman_hagler"``: sigma_ij^6 = (sigma_i^6 + sigma_j^6)/2,
      epsilon_ij = (epsilon_i epsilon_j)^(1/2) sigma_i^3 sigma_j^3 / sigma_ij^6 (LAMMPS's ``mix sixthpower``)

    Differentiable in ``epsilon`` and ``sigma``; where an epsilon is 0, the derivative of the mixed ones is given as 0.

    Args:
        epsilon: [species] eV, not negative.
        sigma: [species] Å.
        rule: one of the three names.

    Returns:
        ``{"epsilon", "sigma"}``, each a symmetric table [species, species] with the given values on its diagonal.

    Raises:
        ValueError: an unknown rule, or the two are not of the same shape [species].

    Example:
        >>> import jaxpot
        >>> params = jaxpot.lennard_jones_mixing([0.0104, 0.0031], [3.40, 2.74])
        >>> [[round(float(v), 4) for v in row] for row in params["sigma"]]
        [[3.4, 3.07], [3.07, 2.74]]

    Reference: H. A. Lorentz, Ann. Phys. 248, 127 (1881); D. Berthelot, C. R. Acad. Sci. 126, 1703 (1898);
    M. Waldman and A. T. Hagler, J. Comput. Chem. 14, 1077 (1993).
    """
    if rule not in RULES:
        raise ValueError(f"the mixing rule must be one of {', '.join(RULES)}; got {rule!r}")
    depths, widths = jnp.asarray(epsilon), jnp.asarray(sigma)
    if depths.ndim != 1 or depths.shape != widths.shape:
        raise ValueError(
            "mixing takes one epsilon and one sigma a species, both of shape [species]; "
            f"got shapes {list(depths.shape)} and {list(widths.shape)}"
        )
    diagonal = jnp.eye(depths.shape[0], dtype=bool)

    def table(values: jax.Array, mixed: jax.Array) -> jax.Array:
        return jnp.where(diagonal, values[:, None], mixed)

    product = depths[:, None] * depths[None, :]
    plain = diagonal | (product == 0)  # the root there is known, and its slope at 0 is not finite
    depth = jnp.where(product == 0, 0.0, jnp.sqrt(jnp.where(plain, 1.0, product)))
    first, second = widths[:, None], widths[None, :]
    if rule == "lorentz_berthelot":
        width = 0.5 * (first + second)
    elif rule == "geometric":
        width = jnp.sqrt(first * second)
    else:
        sixth = 0.5 * (first**6 + second**6)
        depth = depth * (first * second) ** 3 / sixth
        width = sixth ** (1 / 6)
    return {"epsilon": table(depths, depth), "sigma": table(widths, width)}
