"""What a run says when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxpot.batch.checks import explain_not_finite, not_finite
from jaxpot.simulate.dynamics import Carry, Status
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["explain"]


def explain(
    carry: Carry, system: System, energies: np.ndarray, predicted: Callable[[], np.ndarray], atoms: Atoms, kept: Path
) -> str:
    """One sentence: at which step, which atom, and what to do.

    Args:
        carry: the state that the time loop stopped with.
        system: the same as atoms in a cell.
        energies: [atoms] eV.
        predicted: gives [atoms, 3] Å, the positions that the next step would have reached.
        atoms: for the names of the elements.
        kept: the restart file to name.

    Returns:
        The sentence.
    """
    step, symbols = int(carry.step), atoms.get_chemical_symbols()
    if int(carry.status) == Status.TOO_FAST:
        moved = np.linalg.norm(predicted() - np.asarray(system.positions, np.float64), axis=1)
        atom = int(np.argmax(np.where(np.isfinite(moved), moved, np.inf)))
        what = (
            f"atom {atom} ({symbols[atom]}) moves by {moved[atom]:.3g} Å in one step, more than half the skin of the "
            "neighbour list"
        )
        remedy = "use a smaller --timestep, relax the structure first (jaxpot relax), or check it for close atoms"
    else:
        forces = np.asarray(carry.state.force, np.float64)
        if not_finite(energies, forces).size:
            what = explain_not_finite(system, carry.neighbors, energies, forces, symbols)
        else:
            lost = ~np.isfinite(np.stack([np.asarray(system.positions), predicted()])).all(axis=(0, 2))
            atom = int(np.argmax(lost))
            what = f"the position or velocity of atom {atom} ({symbols[atom]}) is not finite"
        remedy = "a smaller --timestep or a relaxed structure may help"
    return (
        f"stopped at step {step}: {what}; {remedy}. What was written until then is kept, with {kept.name} to go on from"
    )
