"""Elastic constants of any crystal, with atoms relaxed in every strained cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxpot.evaluation import Params
from jaxpot.potential import Potential
from jaxpot.properties.relaxed import all_relaxed, relaxed
from jaxpot.units import GPA

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["elastic_constants"]


def elastic_constants(
    potential: Potential, params: Params, atoms: Atoms, strain: float = 2e-3, force: float = 1e-4
) -> np.ndarray:
    """The elastic constants C_ij of a crystal, by central differences of the stress.

    C_ij = d sigma_i / d e_j in Voigt's notation (xx, yy, zz, yz, xz, xy; shears are twice the tensor's), symmetrised.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: the crystal; it is first relaxed together with its cell.
        strain: strain of the differences.
        force: eV/Å, largest force after relaxation.

    Returns:
        [6, 6] GPa.

    Raises:
        ValueError: a relaxation does not converge.
    """
    start = relaxed(potential, params, atoms, cell=True, force=force)
    rows, columns = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
    strained = []
    for j in range(6):
        for sign in (1.0, -1.0):
            tensor = np.zeros((3, 3))
            tensor[rows[j], columns[j]] += 0.5 * sign * strain
            tensor[columns[j], rows[j]] += 0.5 * sign * strain
            moved = start.copy()
            moved.set_cell(start.cell.array @ (np.eye(3) + tensor), scale_atoms=True)
            strained.append(moved)
    found = all_relaxed(potential, params, strained, force=force)
    stresses = np.array([np.asarray(one.stress)[rows, columns] for one in found]).reshape(6, 2, 6)
    constants = (stresses[:, 0] - stresses[:, 1]).T / (2 * strain) / GPA
    return 0.5 * (constants + constants.T)
