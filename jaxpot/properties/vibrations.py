"""Phonons of crystals by finite displacements (phonopy)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxpot.batch import evaluate
from jaxpot.evaluation import Params
from jaxpot.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["phonon_frequencies"]


def phonon_frequencies(
    potential: Potential,
    params: Params,
    atoms: Atoms,
    points: Sequence[Sequence[float]],
    supercell: Sequence[int] = (4, 4, 4),
    displacement: float = 0.01,
) -> np.ndarray:
    """Phonon frequencies at points of the Brillouin zone.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: the relaxed crystal.
        points: [points, 3] in units of the reciprocal vectors of this cell.
        supercell: number of repetitions of the cell along each axis; half of it limits the range of force constants.
        displacement: Å, displacement of the atoms.

    Returns:
        [points, 3 atoms] THz, in rising order; imaginary frequencies of unstable crystals are negative numbers.

    Raises:
        ModuleNotFoundError: phonopy is not installed.
    """
    from ase import Atoms as Structure
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array, positions=atoms.positions)
    phonons = Phonopy(cell, np.diag(supercell))
    phonons.generate_displacements(distance=displacement)
    displaced = [
        Structure(one.symbols, positions=one.positions, cell=one.cell, pbc=True)
        for one in phonons.supercells_with_displacements
    ]
    phonons.forces = [np.asarray(found.forces, np.float64) for found in evaluate(potential, params, displaced)]
    phonons.produce_force_constants()
    phonons.run_qpoints(np.asarray(points))
    return np.asarray(phonons.qpoints.frequencies)
