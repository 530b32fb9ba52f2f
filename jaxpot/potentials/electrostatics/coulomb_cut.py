"""Coulomb's law between charges, up to a cutoff."""

from __future__ import annotations

from collections.abc import Sequence

from jaxpot.potential import Potential
from jaxpot.potentials.electrostatics.pairs import cut_charge_pairs
from jaxpot.spec import potential_kind
from jaxpot.units import COULOMB

__all__ = ["coulomb_cut"]


@potential_kind
def coulomb_cut(
    cutoff: float,
    elements: Sequence[str] | None = None,
    mode: str = "truncated",
    switch_from: float | None = None,
    constant: float = COULOMB,
) -> Potential:
    """Coulomb's law up to a cutoff.

    E = k sum_{i<j} q_i q_j / r_ij over pairs closer than the cutoff. In crystals and liquids such a sum does not
    converge with the cutoff; :func:`jaxpot.ewald` gives its limit. The charges q are data of the system,
    ``extras={"charges": [atoms] e}``, or come from a potential before this one in :func:`jaxpot.chain`, such as
    :func:`jaxpot.fixed_charges`. There are no params: ``{}``.

    Args:
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        mode: how 1/r ends at the cutoff: ``"truncated"`` as LAMMPS's ``coul/cut``, ``"shifted"``, ``"force_shifted"``
            or ``"switched"``, as in :func:`jaxpot.lennard_jones`.
        switch_from: Å; with ``mode="switched"`` only.
        constant: k = e^2 / (4 pi eps0), eV Å; CODATA's by default. Other programs' are in :mod:`jaxpot.units`.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length; an unknown mode; ``switch_from`` is missing, superfluous or
            beyond the cutoff; at evaluation, charges are missing.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.coulomb_cut(8.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]], extras={"charges": [1.0, -1.0]})
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)({}, system, neighbors):.4f}"
        '-7.1998'

    Reference: LAMMPS's ``pair_style coul/cut``.
    """
    return cut_charge_pairs("coulomb_cut", lambda p, r: 1.0 / r, cutoff, mode, switch_from, elements, constant)
