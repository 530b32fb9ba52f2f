"""Energies of point defects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxpot.evaluation import Params
from jaxpot.potential import Potential
from jaxpot.properties.relaxed import all_relaxed

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["vacancy_formation_energy"]


def vacancy_formation_energy(
    potential: Potential, params: Params, atoms: Atoms, atom: int = 0, force: float = 1e-3
) -> float:
    """The energy needed to move one atom from inside a perfect crystal to its surface.

    E_v = E(N - 1) - (N - 1)/N E(N), with atoms relaxed in the given cell.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: a crystal of one element, large enough that a vacancy does not interact with its images.
        atom: index of the atom that is removed.
        force: eV/Å, largest force after relaxation.

    Returns:
        eV.

    Raises:
        ValueError: there is more than one element, or a relaxation does not converge.
    """
    if len(set(atoms.get_chemical_symbols())) > 1:
        raise ValueError(
            f"{atoms.get_chemical_formula()}: a vacancy of a compound depends on where its atom goes; give one element"
        )
    defective = atoms.copy()
    del defective[atom]
    number = len(atoms)
    perfect, vacancy = all_relaxed(potential, params, [atoms, defective], force=force)
    return float(vacancy.energy - (number - 1) / number * perfect.energy)
