"""Coulomb's law screened by mobile charges."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxpot.potential import Potential
from jaxpot.potentials.electrostatics.pairs import cut_charge_pairs
from jaxpot.spec import potential_kind
from jaxpot.units import COULOMB

__all__ = ["coulomb_debye"]


@potential_kind
def coulomb_debye(
    cutoff: float,
    elements: Sequence[str] | None = None,
    mode: str = "truncated",
    switch_from: float | None = None,
    constant: float = COULOMB,
) -> Potential:
    """The screened Coulomb (Debye-Hückel, Yukawa) potential.

    E = k sum_{i<j} q_i q_j exp(-kappa r_ij) / r_ij over pairs closer than the cutoff; 1/kappa is the Debye length.
    The params are ``{"kappa": 1/Å}``. The charges q are data of the system or of a potential before this one in
    :func:`jaxpot.chain`, as in :func:`jaxpot.coulomb_cut`.

    Args:
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        mode: how the function ends at the cutoff: ``"truncated"`` as LAMMPS's ``coul/debye``, ``"shifted"``,
            ``"force_shifted"`` or ``"switched"``, as in :func:`jaxpot.lennard_jones`.
        switch_from: Å; with ``mode="switched"`` only.
        constant: k = e^2 / (4 pi eps0), eV Å.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: as for :func:`jaxpot.coulomb_cut`; at evaluation, params that are not named as above.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.coulomb_debye(8.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]], extras={"charges": [1.0, -1.0]})
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)({'kappa': 0.3}, system, neighbors):.4f}"
        '-3.9513'

    Reference: P. Debye and E. Hückel, Phys. Z. 24, 185 (1923); LAMMPS's ``pair_style coul/debye``.
    """

    def screened(p: dict[str, jax.Array], r: jax.Array) -> jax.Array:
        return jnp.exp(-p["kappa"] * r) / r

    return cut_charge_pairs("coulomb_debye", screened, cutoff, mode, switch_from, elements, constant, ("kappa",))
