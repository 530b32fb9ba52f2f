"""Relaxation of structures by the command line."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from jaxpot.cli.progress import progress, say_what_is_left
from jaxpot.simulate.cells import CellMode
from jaxpot.simulate.relaxation import relax
from jaxpot.simulate.vacuum import gaps
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["relax_frames"]

STRESS = 0.01  # 1/Å^2; the tolerance of the stress is this times the tolerance of the forces
VACUUM = 5.0  # Å; no crystal has a layer of this thickness without atoms


def relax_frames(
    potential: Any, params: Any, frames: list[Atoms], cell: CellMode, fmax: float, steps: int, precision: str,
    minutes: float | None = None,
) -> list[Atoms]:  # fmt: skip
    """Relaxes structures and prints the outcome of each.

    Args:
        potential: any potential.
        params: its parameters.
        frames: where to start.
        cell: what of the cells relaxes.
        fmax: eV/Å, largest force on an atom at the end.
        steps: most evaluations of a structure.
        precision: float type of the calculation.
        minutes: what is left of the time; structures that it does not suffice for stay as they are.

    Returns:
        The relaxed structures with their energy, forces and stress; those that were not begun without.

    Raises:
        TimeoutError: the time is over before the structures are prepared.
        ValueError: a vacuum would be closed by relaxing the cell.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    limit = time.perf_counter() + (math.inf if minutes is None else 60 * minutes)
    if cell != "fixed":
        for k, frame in enumerate(frames):
            _look_for_vacuum(frame, f"frame {k}", potential.cutoff)
    found: Any = relax(
        potential,
        params,
        frames,
        cell,
        force_tolerance=fmax,
        stress_tolerance=STRESS * fmax,
        max_steps=max(steps, 1),
        dtype=precision,
        minutes=minutes,
        progress=progress(),
    )
    relaxed = []
    for k, (frame, one) in enumerate(zip(frames, found, strict=True)):
        if not one.steps:
            click.echo(f"frame {k}: not begun, written as it was")
            relaxed.append(frame.copy())  # without the labels that it came with
            continue
        state = "converged" if one.converged else f"not converged to {fmax:g} eV/Å"
        largest = float(np.linalg.norm(one.forces, axis=1).max())
        click.echo(f"frame {k}: {one.energy:.6f} eV, largest force {largest:.1e} eV/Å, {one.steps} steps, {state}")
        atoms = frame.copy()
        atoms.set_cell(np.asarray(one.system.cell, np.float64))
        atoms.set_positions(np.asarray(one.system.positions, np.float64), apply_constraint=False)
        results: dict[str, Any] = {"energy": one.energy, "forces": one.forces}
        if one.stress is not None:
            results["stress"] = one.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        atoms.calc = SinglePointCalculator(atoms, **results)
        relaxed.append(atoms)
    say_what_is_left([one.converged or one.steps >= max(steps, 1) for one in found], limit)
    return relaxed


def _look_for_vacuum(atoms: Atoms, where: str, cutoff: float) -> None:
    """Says which vacuum stays as it is, and refuses to close one."""
    if atoms.cell.rank < 3:
        return
    for name, gap in zip("abc", gaps(System.create(atoms.positions, 0, atoms.cell.array, atoms.pbc)), strict=True):
        if gap > cutoff:
            click.echo(f"{where}: the vacuum of {gap:.2f} Å along {name} stays as it is")
        elif gap > VACUUM:
            raise ValueError(
                f"{where}: there are {gap:.2f} Å without atoms along {name}, which --cell would close, because the "
                f"potential reaches {cutoff:.4g} Å; make this vacuum wider than that, or let the structure not repeat "
                "along it (pbc in the file)"
            )
