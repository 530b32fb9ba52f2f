"""Conversion of jax-md's neighbour lists, in any format, to lists of jaxpot; jittable."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors import Neighbors
from jaxpot.neighbors.allocation import BLOCK
from jaxpot.neighbors.plan import Plan
from jaxpot.system import System

__all__ = ["check_box", "check_jax_md_list", "from_jax_md"]


def check_box(box: Any, cutoff: float) -> None:
    """Raise ValueError where a jax-md list cannot be correct in a box; a traced box is not checked.

    Such a list has each neighbour once, at its nearest image. That is enough if the distance between opposite faces of
    the box is at least twice the cutoff in every direction; then rounding of fractional coordinates also finds the
    nearest image, however skewed the box is.

    Args:
        box: Å, [3, 3] with lattice vectors as columns, [3], or a number.
        cutoff: Å.
    """
    if box is None or isinstance(box, jax.core.Tracer):
        return
    matrix = np.asarray(box, dtype=np.float64)
    if matrix.shape != (3, 3):
        matrix = np.eye(3) * matrix
    narrowest = float(_widths(matrix.T).min())
    if narrowest < 2 * cutoff:
        raise ValueError(
            f"jax-md's neighbour list cannot be right here: the box is {narrowest:g} Å wide, less than twice the "
            f"cutoff of {cutoff:g} Å; use jaxpot.interop.jax_md.neighbor_fn, or repeat the cell"
        )


def check_jax_md_list(neighbor: Any, capacity: int | None) -> None:
    """Raise ValueError where something is no list of jax-md, or is a sparse list that does not fit; traced is fine.

    Args:
        neighbor: what stands in the place of a ``jax_md.partition.NeighborList``.
        capacity: as of :func:`from_jax_md`.
    """
    if not hasattr(neighbor, "format") or not hasattr(neighbor, "idx"):
        raise ValueError(
            f"neighbor must come from jaxpot.interop.jax_md.neighbor_fn or jax_md.partition.neighbor_list, "
            f"got {type(neighbor).__name__}"
        )
    if neighbor.format.name == "Dense" or isinstance(neighbor.idx, jax.core.Tracer):
        return
    atoms, (other, center) = neighbor.reference_position.shape[0], np.asarray(neighbor.idx)
    edges = len(other)
    if neighbor.format.name == "OrderedSparse":
        other, center, edges = np.concatenate([other, center]), np.concatenate([center, other]), 2 * edges
    real = (other < atoms) & (center < atoms) & (other != center)
    most = int(np.bincount(center[real]).max(initial=0))
    if most > (_capacity(edges, atoms) if capacity is None else capacity):
        raise ValueError(f"an atom has {most} neighbours; pass sparse_capacity={int(most * 1.2)} or more")


def from_jax_md(neighbor: Any, system: System, cutoff: float, capacity: int | None) -> tuple[Neighbors, jax.Array]:
    """Converts a jax-md list for a system, and chooses the images from the present positions.

    Args:
        neighbor: a ``jax_md.partition.NeighborList`` made with at least ``cutoff``.
        system: positions, cell and periodicity, in all or in no directions.
        cutoff: Å, cutoff of the potential.
        capacity: slots for neighbours of one atom where the list is sparse; None for somewhat more than the average.

    Returns:
        The list, and a scalar bool that is False where the list must not be used because jax-md's list has overflowed,
        the box is narrower than twice the cutoff, or ``capacity`` is too small.

    Raises:
        ValueError: the list was made for another number of atoms.
    """
    atoms = system.positions.shape[0]
    if neighbor.reference_position.shape[0] != atoms:
        raise ValueError(
            f"the list was made for {neighbor.reference_position.shape[0]} atoms, but there are {atoms} positions; "
            "allocate a new one"
        )
    enough = jnp.ones((), bool)
    if neighbor.format.name == "Dense":
        others, center = neighbor.idx, jnp.arange(atoms, dtype=jnp.int32)[:, None]
        others = jnp.where(others == center, atoms, others)
    else:
        others, enough = _dense(neighbor, atoms, capacity)
    usable = enough & (neighbor.did_buffer_overflow == 0) & (neighbor.cell_size_too_small == 0)
    periodic = system.pbc.all()
    safe_cell = jnp.where(periodic, system.cell, jnp.eye(3, dtype=system.cell.dtype))
    inverse = jnp.linalg.inv(safe_cell)
    # with some tolerance, so that rounding does not reject a box of exactly twice the cutoff
    wide = jnp.min(1.0 / jnp.linalg.norm(inverse, axis=0)) >= 2 * cutoff * (1 - 1e-6)
    usable &= ~system.pbc.any() | (periodic & wide)
    fractional = jnp.where(periodic, system.positions @ inverse, 0.0)
    return _rows(others, fractional, system, cutoff), usable


def _dense(neighbor: Any, atoms: int, capacity: int | None) -> tuple[jax.Array, jax.Array]:
    """[atoms, capacity] neighbours from a sparse list of edges, and whether they fit."""
    other, center = neighbor.idx
    if neighbor.format.name == "OrderedSparse":  # every pair once
        other, center = jnp.concatenate([other, center]), jnp.concatenate([center, other])
    capacity = _capacity(other.shape[0], atoms) if capacity is None else capacity
    real = (other < atoms) & (center < atoms) & (other != center)
    center = jnp.where(real, center, atoms)
    order = jnp.argsort(center, stable=True)
    center, other = center[order], other[order]
    first = jnp.searchsorted(center, jnp.arange(atoms + 1, dtype=center.dtype))
    rank = jnp.arange(center.shape[0]) - first[center]
    most = jnp.max(first[1:] - first[:-1], initial=0)
    table = jnp.full((atoms, capacity), atoms, jnp.int32)
    return table.at[center, rank].set(other.astype(jnp.int32), mode="drop"), most <= capacity


def _capacity(edges: int, atoms: int) -> int:
    """Slots for neighbours of one atom, somewhat more than the average number."""
    return min(atoms, 8 * math.ceil((1.5 * edges / max(atoms, 1) + 8) / 8))


def _rows(others: jax.Array, fractional: jax.Array, system: System, cutoff: float) -> Neighbors:
    """Makes the list, with one entry for each atom in the home cell and its images in the 26 cells around it.

    The image of atom j that is nearest to atom i is j moved by t = -round(u_j - u_i), u being fractional coordinates
    wrapped into [0, 1); so t is -1, 0 or 1 in each direction.
    """
    atoms, capacity = others.shape
    centers = atoms if atoms <= BLOCK else math.ceil(atoms / BLOCK) * BLOCK
    translations = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(27, 3)
    translations = np.delete(translations, 13, axis=0)  # zero belongs to the atoms themselves
    rows = centers + 26 * atoms

    wraps = jnp.floor(fractional)
    wrapped = fractional - wraps
    safe = jnp.minimum(others, atoms - 1)
    code = jnp.zeros(others.shape, jnp.int32)
    for d in range(3):
        step = -jnp.round(wrapped[:, d][safe] - wrapped[:, d][:, None]).astype(jnp.int32)
        code = 3 * code + step + 1
    image = jnp.where(code > 13, code - 1, code)
    row = jnp.where(code == 13, others, centers + image * atoms + others)
    row = jnp.where(others < atoms, row, rows).astype(jnp.int32)

    own = jnp.arange(atoms, dtype=jnp.int32)
    wraps = wraps.astype(jnp.int32)
    shifted = jnp.asarray(translations, jnp.int32)[:, None, :] - wraps[None]
    plan = Plan(
        cutoff=cutoff,
        skin=0.0,
        atoms=atoms,
        centers=centers,
        capacity=capacity,
        rows=rows,
        images=(1, 1, 1),
        stage_rows=(rows, rows, rows),
        bins=(1, 1, 1),
        bin_capacity=rows,
        sort=False,
    )
    return Neighbors(
        rows=jnp.pad(row, ((0, centers - atoms), (0, 0)), constant_values=rows),
        source=jnp.concatenate([jnp.pad(own, (0, centers - atoms)), jnp.tile(own, 26)]),
        offset=jnp.concatenate([jnp.pad(-wraps, ((0, centers - atoms), (0, 0))), shifted.reshape(-1, 3)]),
        row_of_atom=own,
        reference_positions=jnp.where(system.real[:, None], system.positions, jnp.inf),
        reference_cell=system.cell,
        completion=jnp.zeros((3, 3), system.cell.dtype),
        overflow=jnp.zeros((), bool),
        rebuilds=jnp.zeros((), jnp.int32),
        is_center=jnp.ones(atoms, bool),
        plan=plan,
    )


def _widths(cell: np.ndarray) -> np.ndarray:
    """[3] distances between opposite faces, Å."""
    return 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
