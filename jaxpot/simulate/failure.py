"""The message of a run that cannot continue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxpot.batch.checks import explain_not_finite, not_finite
from jaxpot.simulate.dynamics import FASTEST, Status
from jaxpot.simulate.state import MDState

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["explain"]


def explain(
    state: MDState, moved: MDState | None, status: Status, energies: np.ndarray, atoms: Atoms, kept: Path
) -> str:
    """One sentence: at which step, which atom, and what to do.

    Args:
        state: the state at which the time loop stopped.
        moved: the same, moved on by the next step; None where nothing is to be said about it.
        status: why it stopped.
        energies: [atoms] eV.
        atoms: structure that gives the names of the elements.
        kept: the restart file to name.

    Returns:
        The sentence.
    """
    step, symbols, positions = int(state.step), atoms.get_chemical_symbols(), np.asarray(state.system.positions)
    ahead = positions if moved is None else np.asarray(moved.system.positions)
    if status == Status.TOO_FAST:
        lengths = np.linalg.norm(ahead.astype(np.float64) - positions.astype(np.float64), axis=1)
        atom = int(np.argmax(np.where(np.isfinite(lengths), lengths, np.inf)))
        what = (
            f"atom {atom} ({symbols[atom]}) moves by {lengths[atom]:.3g} Å in one step, more than {FASTEST:g} of the "
            "cutoff"
        )
        remedy = "use a smaller --timestep, relax the structure first (jaxpot relax), or check it for close atoms"
    else:
        forces = np.asarray(state.forces, np.float64)
        if not_finite(energies, forces).size:
            what = explain_not_finite(state.system, state.neighbors, energies, forces, symbols)
        else:
            lost = ~np.isfinite(np.stack([positions, ahead])).all(axis=(0, 2))
            atom = int(np.argmax(lost))
            what = f"the position or velocity of atom {atom} ({symbols[atom]}) is not finite"
        remedy = "a smaller --timestep or a relaxed structure may help"
    return (
        f"stopped at step {step}: {what}; {remedy}. What was written until then is kept, with {kept.name} to go on from"
    )
