"""Tests whether a neighbour list may be used for the present positions and cell, and messages that say why not."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.errors import misplaced
from jaxpot.neighbors.neighbors import Neighbors
from jaxpot.neighbors.plan import complete_cell
from jaxpot.neighbors.waves import enough_waves
from jaxpot.system import System

__all__ = ["check_fit", "check_system_type", "inverse_of", "is_complete", "problem", "usable"]

Matrix = Sequence[Sequence[jax.Array]]  # 3 rows of 3 scalars


def usable(system: System, neighbors: Neighbors, ranges: tuple[float, ...] | None = None) -> jax.Array:
    """Whether a list may be used: it has not overflowed, no pair is missing, and all numbers are finite.

    Args:
        system: positions and cell for which the list would be used.
        neighbors: the list, or a narrower list from :meth:`Neighbors.within`.
        ranges: Å, cutoffs within which it would be used, each on ``neighbors.within``; by default the list's own.

    Returns:
        Scalar bool. The function is jittable, works under ``jax.vmap`` and costs almost nothing compared with an
        evaluation.

    Raises:
        ValueError: the list was made for another number or type of positions; both are static.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> neighbors = jaxpot.neighbor_list(3.0, skin=0.3).allocate(system)
        >>> bool(usable(system, neighbors)), bool(usable(system.replace(positions=1.2 * system.positions), neighbors))
        (True, False)
    """
    return is_complete(system, neighbors, ranges) & jnp.logical_not(neighbors.overflow)


def is_complete(system: System, neighbors: Neighbors, ranges: tuple[float, ...] | None = None) -> jax.Array:
    """Whether every pair within the cutoff is in a list that has not overflowed; False where a number is not finite.

    Let A be the deformation from the reference cell to the present one, and d_i the displacement of atom i beyond that
    deformation. A pair at distance r < cutoff now was no farther apart than |A^-1| (r + 2 max|d|) when the list was
    built, and all pairs closer than cutoff + skin are in the list. So no pair is missing while
    max|d| <= ((cutoff + skin) / |A^-1| - cutoff) / 2.

    Args:
        system: the present positions and cell.
        neighbors: the list.
        ranges: Å, cutoffs that count in place of the list's own.

    Returns:
        Scalar bool.

    Raises:
        ValueError: the list was made for another number or type of positions.
    """
    check_fit(system, neighbors)
    system = jax.lax.stop_gradient(system)
    moved, stretch = _motion(system, neighbors)
    most = _allowance(neighbors, stretch, ranges)
    squared = moved[0] * moved[0] + moved[1] * moved[1] + moved[2] * moved[2]
    # Padded atoms have infinite reference positions. The list is wrong if an atom is padded now and was not then, or
    # the other way round. Every atom is compared, since XLA's maximum of 32,768 or more float32 numbers ignores NaN.
    fine = jnp.where(system.real, squared <= most * most, jnp.isinf(neighbors.reference_positions[:, 0]))
    complete = (most >= 0) & jnp.all(fine)
    plan = neighbors.plan
    return complete & enough_waves(system, plan.waves, plan.cutoff, plan.resolution) if plan.resolution else complete


def check_system_type(
    system: System, owner: str = "neighbor_list", order: str = "the system is the first argument"
) -> None:
    """Raise TypeError where something else stands in the place of the system.

    Args:
        system: what was given.
        owner: whose argument it is.
        order: what to do, unless it is an ``Atoms`` of ASE.
    """
    if not isinstance(system, System):
        atoms = hasattr(system, "get_chemical_symbols")
        remedy = "make one with jaxpot.System.from_ase(atoms, potential.elements)" if atoms else order
        raise misplaced(owner, system, "a jaxpot.System", remedy)


def check_fit(system: System, neighbors: Neighbors) -> None:
    """Raise where a list has the wrong shape or type for a system, or the arguments are others; all are static."""
    check_system_type(system)
    if not isinstance(neighbors, Neighbors):
        raise misplaced("neighbor_list", neighbors, "a list of neighbours", "pass what allocate has returned")
    if system.positions.shape != neighbors.reference_positions.shape:
        raise ValueError(
            f"the list was allocated for positions of shape {list(neighbors.reference_positions.shape)}, got "
            f"{list(system.positions.shape)}; allocate a new list"
        )
    dtype, made_for = jnp.result_type(system.positions), jnp.result_type(neighbors.reference_positions)
    if dtype != made_for:
        raise ValueError(
            f"the list was allocated for positions of type {made_for}, got {dtype}; allocate a new list, or cast the "
            "positions"
        )


def problem(system: System, neighbors: Neighbors, ranges: tuple[float, ...] | None = None) -> str | None:
    """A sentence that says why a list may not be used for a system, and the remedy; on the host, for one structure.

    Args:
        system: positions and cell for which the list would be used.
        neighbors: the list.
        ranges: as of :func:`usable`.

    Returns:
        The sentence; None where :func:`usable` is True.

    Raises:
        ValueError: the list was made for another number or type of positions.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> neighbors = jaxpot.neighbor_list(3.0, skin=0.3).allocate(system)
        >>> problem(system.replace(positions=1.2 * system.positions), neighbors)  # doctest: +ELLIPSIS
        'the neighbour list is out of date: atom 1 has moved by 0.4 Å since it was built, ...
    """
    check_fit(system, neighbors)
    if _usable(system, neighbors, ranges):
        return None
    positions, cell, pbc = np.asarray(system.positions), np.asarray(system.cell), np.asarray(system.pbc)
    real = np.asarray(system.real)
    bad = np.flatnonzero(real & ~np.isfinite(positions).all(axis=1))
    if bad.size:
        return f"the position of atom {bad[0]} is not finite: {positions[bad[0]].tolist()}; repair the structure"
    if not np.isfinite(cell[pbc]).all():
        return f"the cell is not finite: {cell.tolist()}; repair the structure"
    if neighbors.overflow:
        return (
            "the neighbour list has overflowed: the structure has more neighbours or images than the list has room "
            f"for ({neighbors.capacity} neighbours of an atom, {neighbors.plan.rows} atoms and images); make room with "
            "neighbor_list(...).reallocate(system, neighbors)"
        )
    reference = np.asarray(neighbors.reference_positions)
    changed = np.flatnonzero(real != ~np.isinf(reference[:, 0]))
    if changed.size:
        now = "an atom" if real[changed[0]] else "padding"
        return (
            f"the neighbour list is out of date: atom {changed[0]} is {now} now and was not when the list was built; "
            "call neighbor_list(...).update(system, neighbors) first"
        )
    if neighbors.plan.resolution and not enough_waves(
        system, neighbors.plan.waves, neighbors.plan.cutoff, neighbors.plan.resolution
    ):
        return (
            f"the cell or the extent of the atoms has outgrown the {list(neighbors.plan.waves)} waves of the list's "
            "sums in reciprocal space; choose them anew with neighbor_list(...).reallocate(system, neighbors)"
        )
    moved, stretch = _motion(system, neighbors)
    lengths = np.where(real, np.linalg.norm(np.stack(moved), axis=0), 0.0)
    atom, most = int(np.argmax(lengths)), float(_allowance(neighbors, stretch, ranges))
    if most < 0 or not np.isfinite(most):
        what = f"the cell has changed by {float(stretch) - 1:.3g} (a bound of the strain)"
    else:
        what = f"atom {atom} has moved by {lengths[atom]:.3g} Å"
    return (
        f"the neighbour list is out of date: {what} since it was built, which its skin of {neighbors.plan.skin:g} Å "
        "does not allow; call neighbor_list(...).update(system, neighbors) first"
    )


def _motion(system: System, neighbors: Neighbors) -> tuple[list[jax.Array], jax.Array]:
    """The atoms' displacements beyond the cell's deformation A, as x, y and z [atoms], and a bound of the norm |A^-1|.

    Both are exact where the cell has not changed. With B = A^-1 the bound is the smaller of 1 + |B - 1|, in Frobenius's
    norm, and the root of the largest sum of a row of |B B^T|, which is below 1 where a cell expands in all directions.
    """
    pbc, dtype = system.pbc.astype(bool), neighbors.reference_positions.dtype
    new = complete_cell(system.cell.astype(dtype), pbc, neighbors.completion)
    old = complete_cell(neighbors.reference_cell, pbc, neighbors.completion)
    same = jnp.all(new == old)
    new_rows, old_rows = _scalars(new), _scalars(old)
    forward = _product(_inverse(old_rows), new_rows)
    backward = _product(_inverse(new_rows), old_rows)
    unit = np.eye(3).tolist()  # Python floats, which leave the type of the positions as it is
    x, y, z = (neighbors.reference_positions[:, d] for d in range(3))
    moved, squared = [], jnp.zeros((), new.dtype)
    for d in range(3):
        a, b, c = (jnp.where(same, jnp.asarray(unit[e][d], new.dtype), forward[e][d]) for e in range(3))
        moved.append(system.positions[:, d] - (x * a + y * b + z * c))
        for e in range(3):
            strain = backward[d][e] - unit[d][e]
            squared = squared + strain * strain
    gram = _product(backward, [list(column) for column in zip(*backward, strict=True)])
    largest = functools.reduce(jnp.maximum, [sum(abs(entry) for entry in row[1:]) + abs(row[0]) for row in gram])
    return moved, jnp.where(same, 1.0, jnp.minimum(1.0 + jnp.sqrt(squared), jnp.sqrt(largest)))


def _allowance(neighbors: Neighbors, stretch: jax.Array, ranges: tuple[float, ...] | None) -> jax.Array:
    """How far an atom may move, Å; negative where the cell's change alone is too large."""
    most = []
    for cutoff in ranges or (neighbors.plan.cutoff,):
        plan = neighbors.within(cutoff).plan
        spare = max(plan.skin, plan.reach - cutoff)  # exactly the skin where the list was made for this cutoff
        most.append(0.5 * (spare - plan.reach * (1.0 - 1.0 / stretch)))
    return functools.reduce(jnp.minimum, most)


def inverse_of(matrix: jax.Array) -> jax.Array:
    """Inverse of a [3, 3] matrix; inf or NaN where the matrix is singular."""
    return jnp.stack([jnp.stack(list(row)) for row in _inverse(_scalars(matrix))])


def _scalars(matrix: jax.Array) -> Matrix:
    return [[matrix[i, j] for j in range(3)] for i in range(3)]


def _product(a: Matrix, b: Matrix) -> Matrix:
    return [[a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j] for j in range(3)] for i in range(3)]


def _inverse(m: Matrix) -> Matrix:
    """Inverse from cofactors, which compiles and runs in a fraction of the time of LAPACK's."""

    def minor(i: int, j: int) -> jax.Array:
        (a, b), (c, d) = ((i + 1) % 3, (i + 2) % 3), ((j + 1) % 3, (j + 2) % 3)
        return m[a][c] * m[b][d] - m[a][d] * m[b][c]

    factor = 1.0 / (m[0][0] * minor(0, 0) + m[0][1] * minor(0, 1) + m[0][2] * minor(0, 2))
    return [[minor(j, i) * factor for j in range(3)] for i in range(3)]


_usable = jax.jit(usable, static_argnames="ranges")
