"""Relaxation of one structure, and of its cell on request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxpot.evaluation import Params
from jaxpot.interop.ase import Calculator
from jaxpot.potential import Potential
from jaxpot.simulate.relaxation import Relaxed, relax

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["all_relaxed", "relaxed"]

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
    (found,) = all_relaxed(potential, params, [atoms], cell, force, steps)
    moved = atoms.copy()
    moved.set_cell(np.asarray(found.system.cell, np.float64))
    moved.set_positions(np.asarray(found.system.positions, np.float64), apply_constraint=False)
    moved.calc = Calculator(potential, params, skin=SKIN)
    return moved


def all_relaxed(
    potential: Potential,
    params: Params,
    structures: Sequence[Atoms],
    cell: bool = False,
    force: float = 1e-3,
    steps: int = 500,
) -> list[Relaxed]:
    """Structures at rest, relaxed together.

    Args:
        potential: any potential.
        params: of it.
        structures: where to start.
        cell: whether the cells relax too.
        force: eV/Å, the longest that is left.
        steps: most evaluations of energy and forces of a structure.

    Returns:
        A :class:`Relaxed` of each.

    Raises:
        ValueError: one of them does not come to rest.
    """
    found: Any = relax(
        potential,
        params,
        list(structures),
        "flexible" if cell else "fixed",
        force_tolerance=force,
        stress_tolerance=STRESS * force,
        max_steps=steps,
        skin=SKIN,
    )
    for atoms, one in zip(structures, found, strict=True):
        if not one.converged:
            raise ValueError(
                f"{atoms.get_chemical_formula()} does not come to rest within {force:g} eV/Å in {steps} steps; start "
                "nearer to where it is stable, or allow more"
            )
    return list(found)
