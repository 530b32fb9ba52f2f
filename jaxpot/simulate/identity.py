"""The identity of a run: everything that must be the same when it resumes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxpot.io.fingerprint import fingerprint
from jaxpot.potential import Params, Potential
from jaxpot.simulate.restart import Restart, RestartError
from jaxpot.simulate.settings import RunSettings
from jaxpot.simulate.state import MDState
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["check_forces", "check_identity", "check_structure", "identity"]

SAME_FORCES = {"float32": 1e-3, "float64": 1e-6}  # of the largest force: what rounding can do is far less


def identity(
    potential: Potential, params: Params, system: System, atoms: Atoms, settings: RunSettings
) -> dict[str, Any]:
    """Everything that a run depends on, as data for JSON: settings in full, all else as hashes.

    Args:
        potential: potential of the run.
        params: its parameters.
        system: the structure at the beginning.
        atoms: the same, for masses and velocities.
        settings: settings of the run; the number of steps may change and is left out.

    Returns:
        By name.
    """
    plain = dataclasses.asdict(settings)
    plain.pop("steps")
    described = (potential.name, potential.cutoff, potential.elements, potential.spec)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    return (
        plain
        | plain.pop("ensemble")
        | {
            "potential": fingerprint(described),
            "params": fingerprint((str(jax.tree.structure(params)), leaves)),
            "data": fingerprint(system.extras),
            "structure": _structure(system, atoms, settings),
        }
    )


def check_identity(restart: Restart, now: dict[str, Any]) -> None:
    """Raise where a restart file belongs to a run with another potential, other params, data or settings.

    Args:
        restart: the file.
        now: the :func:`identity` of the run that would go on; its structure may be unknown and is not compared.

    Raises:
        RestartError: with what is different.
    """
    before = restart.facts["identity"]
    changed = [key.replace("_", " ") for key in now if key != "structure" and before.get(key) != now[key]]
    if changed:
        raise RestartError(
            f"{restart.path}: the run was started with another {', '.join(changed)}; "
            "resume with the same (more steps are fine), or start anew with --force"
        )


def check_structure(restart: Restart, system: System, atoms: Atoms, settings: RunSettings) -> None:
    """Raise where a structure is not the one that a run began with.

    Args:
        restart: restart file of the run.
        system: given for going on.
        atoms: the same, for elements, masses and velocities.
        settings: settings of the run.

    Raises:
        RestartError: with what is different.
    """
    if atoms.get_chemical_symbols() != restart.atoms.get_chemical_symbols():
        raise RestartError(
            f"{restart.path}: holds {restart.atoms.get_chemical_formula()}, not the given structure "
            f"{atoms.get_chemical_formula()}; start anew with --force"
        )
    before, now = restart.facts["identity"]["structure"], _structure(system, atoms, settings)
    changed = [what for what in now if now[what] != before.get(what)]
    if changed:
        raise RestartError(
            f"{restart.path}: the run was started with a structure of other {', '.join(changed)}; resume without a "
            "structure, or with the one it was started with, or start anew with --force"
        )


def check_forces(path: Path, state: MDState, forces: np.ndarray) -> None:
    """Raise where a potential does not give the forces of a restart file.

    Potentials that are made of plain functions have no spec to compare, so their forces are compared.

    Args:
        path: the restart file.
        state: the state in it.
        forces: [atoms, 3] eV/Å, computed for this state.

    Raises:
        RestartError: the forces differ by more than rounding.
    """
    known = np.asarray(state.forces, np.float64)
    difference = np.abs(np.asarray(forces, np.float64) - known).max(axis=1)
    allowed = SAME_FORCES[state.forces.dtype.name] * max(np.abs(known).max(), 1e-3)
    atom = int(np.argmax(np.where(np.isfinite(difference), difference, np.inf)))
    if not difference[atom] <= allowed:
        raise RestartError(
            f"{path}: this potential gives other forces than the run was started with, by {difference[atom]:.3g} eV/Å "
            f"on atom {atom}; resume with the same potential, or start anew with --force"
        )


def _structure(system: System, atoms: Atoms, settings: RunSettings) -> dict[str, str]:
    """Hashes of the data that a run takes from its structure."""
    parts = {
        "masses": atoms.get_masses(),
        "cell": system.cell,
        "periodicity": system.pbc,
        "positions": system.positions,
    }
    if settings.initial_temperature is None:
        parts["velocities"] = atoms.get_momenta()
    return {name: fingerprint(value) for name, value in parts.items()}
