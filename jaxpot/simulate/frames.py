"""States of a run as ASE ``Atoms``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxpot.batch.named_data import put_data
from jaxpot.simulate.state import MDState

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["frame_of"]


def frame_of(state: MDState, energy: float, atoms: Atoms, timestep: float) -> Atoms:
    """The structure of a state with velocities, energy, forces and the system's named data.

    Args:
        state: state of the run.
        energy: eV.
        atoms: the structure that the run began with, for the elements and masses.
        timestep: fs.

    Returns:
        ASE ``Atoms``. Named data with one entry an atom are arrays of it (``charges`` are its initial charges), others
        are in its ``info``, beside the step and the time.
    """
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    step = int(state.step)
    frame = Atoms(
        atoms.numbers,
        positions=np.asarray(state.system.positions, np.float64),
        cell=np.asarray(state.system.cell, np.float64),
        pbc=atoms.pbc,
        info={"step": step, "time_fs": step * timestep},
    )
    masses = atoms.get_masses()
    if not np.array_equal(frame.get_masses(), masses):
        frame.set_masses(masses)
    frame.set_momenta(np.asarray(state.velocities, np.float64) * masses[:, None])
    for name, value in state.system.extras.items():
        put_data(frame, name, value)
    frame.calc = SinglePointCalculator(frame, energy=energy, forces=np.asarray(state.forces, np.float64))
    return frame
