"""The equation of state: energy as a function of volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxpot.batch import evaluate
from jaxpot.evaluation import Params
from jaxpot.potential import Potential
from jaxpot.units import GPA

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["EquationOfState", "equation_of_state"]


class EquationOfState(NamedTuple):
    """Energies of a crystal at several volumes, and Birch and Murnaghan's equation fitted to them.

    Attributes:
        volumes: [points] Å^3 per atom.
        energies: [points] eV per atom.
        volume: Å^3 per atom, at the minimum of the energy.
        energy: eV per atom, at the minimum.
        bulk_modulus: GPa, at the minimum.
        bulk_modulus_slope: its derivative by the pressure, at the minimum.
    """

    volumes: np.ndarray
    energies: np.ndarray
    volume: float
    energy: float
    bulk_modulus: float
    bulk_modulus_slope: float


def equation_of_state(
    potential: Potential, params: Params, atoms: Atoms, range_: float = 0.02, points: int = 11
) -> EquationOfState:
    """Computes energies of a uniformly scaled crystal with fixed fractional coordinates, and fits the equation.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: the crystal, near the volume of minimal energy.
        range_: largest relative change of the cell's edges.
        points: number of volumes.

    Returns:
        The :class:`EquationOfState`.

    Raises:
        ValueError: the energy has no minimum in this range.
    """
    from ase.eos import EquationOfState as Fit

    scaled = []
    for factor in np.linspace(1 - range_, 1 + range_, points):
        one = atoms.copy()
        one.set_cell(atoms.cell.array * factor, scale_atoms=True)
        scaled.append(one)
    number = len(atoms)
    energies = np.array([found.energy for found in evaluate(potential, params, scaled, max_shapes=1)]) / number
    volumes = np.array([one.cell.volume for one in scaled]) / number
    if energies.argmin() in (0, points - 1):
        raise ValueError(
            f"the energy is least at the end of the range, {volumes[energies.argmin()]:.3f} Å^3 per atom; start nearer "
            "to the volume at rest"
        )
    fit = Fit(volumes, energies, eos="birchmurnaghan")
    volume, energy, modulus = fit.fit()
    slope = fit.eos_parameters[2]
    return EquationOfState(volumes, energies, float(volume), float(energy), float(modulus) / GPA, float(slope))
