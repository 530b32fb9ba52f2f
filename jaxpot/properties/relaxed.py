"""Relaxation of one structure, and of its cell on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxpot.evaluation import Params
from jaxpot.interop.ase import Calculator
from jaxpot.potential import Potential
from jaxpot.simulate.relaxation import relax

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["relaxed"]

SKIN = 0.5  # Å, of the neighbour lists
STRESS = 0.01  # 1/Å^2; the tolerance of the stress is this times the tolerance of the forces


def relaxed(
    potential: Potential, params: Params, atoms: Atoms, cell: bool = False, force: float = 1e-3, steps: int = 500
) -> Atoms:
    """Returns a relaxed copy of a structure, with a :class:`Calculator`.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: structure to start from.
        cell: whether the cell relaxes too.
        force: eV/Å, largest force after relaxation.
        steps: most evaluations of energy and forces.

    Returns:
        ASE ``Atoms``.

    Raises:
        ValueError: the relaxation does not converge.
    """
    found: Any = relax(
        potential,
        params,
        atoms,
        "flexible" if cell else "fixed",
        force_tolerance=force,
        stress_tolerance=STRESS * force,
        max_steps=steps,
        skin=SKIN,
    )
    if not found.converged:
        raise ValueError(
            f"{atoms.get_chemical_formula()} does not come to rest within {force:g} eV/Å in {steps} steps; start "
            "nearer to where it is stable, or allow more"
        )
    moved = atoms.copy()
    moved.set_cell(np.asarray(found.system.cell, np.float64))
    moved.set_positions(np.asarray(found.system.positions, np.float64), apply_constraint=False)
    moved.calc = Calculator(potential, params, skin=SKIN)
    return moved
