"""Coordinates of a structure whose cell is relaxed with its atoms."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp

from jaxpot.evaluation import Evaluation
from jaxpot.system import System

__all__ = ["CELLS", "CellMode", "coordinates_of", "derivatives", "system_at"]

CellMode = Literal["fixed", "isotropic", "anisotropic", "flexible"]
CELLS: tuple[CellMode, ...] = get_args(CellMode)

STIFFNESS = 2.0  # Å; times the root of the number of atoms, it makes a strain about as stiff as the motion of an atom


def coordinates_of(system: System, cell: CellMode) -> jax.Array:
    """The coordinates of a structure at the start: its positions, and three more rows of 0 if the cell relaxes.

    Args:
        system: one structure.
        cell: what of the cell relaxes.

    Returns:
        [atoms, 3] or [atoms + 3, 3], Å.
    """
    if cell == "fixed":
        return system.positions
    return jnp.concatenate([system.positions, jnp.zeros((3, 3), system.positions.dtype)])


def system_at(start: System, coordinates: jax.Array, cell: CellMode) -> System:
    """The structure at some coordinates::

        x = X (1 + D)     cell = cell_0 (1 + D)     D = (last three rows) / (2 Å sqrt(atoms))

    Args:
        start: the structure at the start.
        coordinates: [atoms, 3] or [atoms + 3, 3], Å: X, then the scaled deformation.
        cell: what of the cell relaxes.

    Returns:
        The :class:`System`.
    """
    if cell == "fixed":
        return start.replace(positions=coordinates)
    deformation = _deformation(start, coordinates)
    return start.replace(positions=coordinates[:-3] @ deformation, cell=start.cell @ deformation)


def derivatives(
    start: System, coordinates: jax.Array, found: Evaluation, pressure: jax.Array, cell: CellMode
) -> tuple[jax.Array, jax.Array]:
    """Derivatives of the enthalpy E + p V with respect to the coordinates, and the remaining stress.

    Args:
        start: the structure at the start.
        coordinates: see :func:`system_at`.
        found: evaluation of the structure at these coordinates.
        pressure: eV/Å^3.
        cell: what of the cell relaxes.

    Returns:
        The gradient, of the shape of ``coordinates``, eV/Å; and the largest element of the stress plus pressure in what
        may relax, eV/Å^3, 0 where the cell is fixed.
    """
    if cell == "fixed":
        return -found.forces, jnp.zeros((), found.forces.dtype)
    deformation = _deformation(start, coordinates)
    volume = jnp.abs(jnp.linalg.det(start.cell @ deformation))
    strained = found.virial + pressure * volume * jnp.eye(3, dtype=found.virial.dtype)
    left = jnp.max(jnp.abs(_allowed(strained, start, cell))) / volume
    slope = _allowed(jnp.linalg.solve(deformation.T, strained), start, cell) / _scale(start)
    return jnp.concatenate([-found.forces @ deformation.T, slope]), left


def _deformation(start: System, coordinates: jax.Array) -> jax.Array:
    return jnp.eye(3, dtype=coordinates.dtype) + coordinates[-3:] / _scale(start)


def _scale(start: System) -> jax.Array:
    return STIFFNESS * jnp.sqrt(jnp.maximum(jnp.sum(start.real), 1).astype(start.positions.dtype))


def _allowed(matrix: jax.Array, start: System, cell: CellMode) -> jax.Array:
    """The allowed part of a strain: none in non-periodic directions, and only as ``cell`` permits."""
    symmetric = 0.5 * (matrix + matrix.T)
    # onto the space of the periodic vectors: the projector V^T (V V^T)^-1 V, by Gram-Schmidt
    projector = jnp.zeros((3, 3), matrix.dtype)
    for d in range(3):
        rest = start.cell[d] - projector @ start.cell[d]
        unit = rest / jnp.maximum(jnp.linalg.norm(rest), 1e-12)
        projector = projector + jnp.where(start.pbc[d], jnp.outer(unit, unit), 0.0)
    inside = projector @ symmetric @ projector
    if cell == "flexible":
        return inside
    if cell == "anisotropic":
        return jnp.diag(jnp.diagonal(inside))
    return jnp.trace(inside) / jnp.maximum(jnp.trace(projector), 1.0) * projector
