"""Relaxation of structures by the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np

from jaxpot.simulate.relaxation import relax

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["relax_frames"]

STRESS = 0.01  # 1/Å^2; the tolerance of the stress is this times the tolerance of the forces


def relax_frames(
    potential: Any, params: Any, frames: list[Atoms], cell: bool, fmax: float, steps: int, precision: str
) -> list[Atoms]:
    """Relaxes structures and prints the outcome of each.

    Args:
        potential: any potential.
        params: its parameters.
        frames: where to start.
        cell: whether the cells relax.
        fmax: eV/Å, largest force on an atom at the end.
        steps: most evaluations of a structure.
        precision: float type of the calculation.

    Returns:
        The relaxed structures with their energy, forces and stress.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    found: Any = relax(
        potential,
        params,
        frames,
        "flexible" if cell else "fixed",
        force_tolerance=fmax,
        stress_tolerance=STRESS * fmax,
        max_steps=max(steps, 1),
        dtype=precision,
        progress=True,
    )
    relaxed = []
    for k, (frame, one) in enumerate(zip(frames, found, strict=True)):
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
    return relaxed
