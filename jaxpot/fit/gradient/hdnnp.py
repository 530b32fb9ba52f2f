"""HDNNPs on stored symmetry functions."""

from __future__ import annotations

from jaxpot.fit.gradient.data import Features
from jaxpot.fit.gradient.loss import Predict
from jaxpot.fit.gradient.stored import stored_descriptors
from jaxpot.potential import Potential
from jaxpot.potentials.hdnnp import symmetry_functions_and_networks

__all__ = ["stored_hdnnp"]


def stored_hdnnp(potential: Potential) -> tuple[Predict, Features]:
    """The model of an HDNNP whose networks alone are trained: symmetry functions and their derivatives are stored.

    Args:
        potential: made by :func:`jaxpot.hdnnp`; its params must not hold ``"functions"``.

    Returns:
        ``(predict, features)``, what :func:`jaxpot.fit.train` takes for ``model``.

    Raises:
        ValueError: the potential is no HDNNP.
    """
    values, energy = symmetry_functions_and_networks(potential)
    return stored_descriptors(values, energy, potential.cutoff)
