"""Structures with the forces, and on request the stress, relaxed away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxpot.evaluation import Params
from jaxpot.interop.ase import Calculator
from jaxpot.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["relaxed"]


def relaxed(
    potential: Potential, params: Params, atoms: Atoms, cell: bool = False, force: float = 1e-3, steps: int = 500
) -> Atoms:
    """A copy of a structure at rest, with a :class:`Calculator`.

    Args:
        potential: any potential.
        params: of it.
        atoms: where to start.
        cell: whether the cell relaxes too.
        force: eV/Å, the longest that is left.
        steps: most steps of ASE's optimiser.

    Returns:
        ASE ``Atoms``.

    Raises:
        ValueError: it does not come to rest.
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS, BFGSLineSearch

    moved = atoms.copy()
    moved.calc = Calculator(potential, params, skin=0.5)
    target = FrechetCellFilter(moved) if cell else moved
    optimizer = (BFGSLineSearch if cell else LBFGS)(target, logfile=None)
    if not optimizer.run(fmax=force, steps=steps):
        raise ValueError(
            f"{atoms.get_chemical_formula()} does not come to rest within {force:g} eV/Å in {steps} steps; start "
            "nearer to where it is stable, or allow more"
        )
    return moved
