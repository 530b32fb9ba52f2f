"""Relaxation of structures and their cells to local minima, for any potential and many structures at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from jaxpot.batch.checks import check_system, checked_dtype, checked_params, several_structures
from jaxpot.batch.named_data import system_of
from jaxpot.batch.progress import Progress, check_time, counted
from jaxpot.evaluation import Params
from jaxpot.potential import Potential, check_potential, prepare
from jaxpot.simulate.cells import CELLS, CellMode
from jaxpot.simulate.relaxation_batch import Aim
from jaxpot.simulate.relaxation_groups import groups_of
from jaxpot.simulate.relaxation_queue import Ended, relax_group
from jaxpot.simulate.vacuum import open_along_vacuum
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Relaxed", "check_limits", "relax"]


class Relaxed(NamedTuple):
    """A relaxed structure.

    Attributes:
        system: positions and cell at the end.
        energy: eV.
        forces: [atoms, 3] eV/Å.
        stress: [3, 3] eV/Å^3 in ASE's sign; None where the cell has no volume.
        converged: whether forces, and the stress where the cell relaxes, are within the tolerances.
        steps: evaluations of energy and forces; 0 where the time was over before, and the numbers above are NaN.
    """

    system: System
    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    converged: bool
    steps: int


def relax(
    potential: Potential,
    params: Params,
    structures: System | Atoms | Sequence[System | Atoms],
    cell: CellMode = "fixed",
    *,
    force_tolerance: float = 1e-3,
    stress_tolerance: float = 1e-4,
    pressure: float = 0.0,
    max_steps: int = 1000,
    skin: float | None = None,
    batch_size: int | None = None,
    max_shapes: int = 4,
    dtype: Any = None,
    minutes: float | None = None,
    progress: Progress = False,
) -> Relaxed | list[Relaxed]:
    """Relax structures of any sizes, many in one compiled program.

    Each structure is minimised by L-BFGS with its own step length and history, and is replaced by the next one when it
    has converged. Neighbour lists are rebuilt inside the compiled loop. Where the cell relaxes, the enthalpy E + p V is
    minimised as a function of the positions X and the deformation D::

        x = X (1 + D)     cell = cell_0 (1 + D)

    Args:
        potential: any potential.
        params: its parameters; floats are cast to ``dtype``.
        structures: a :class:`System` or ASE ``Atoms``, or several. Atoms that ASE's ``FixAtoms`` names stay where they
            are.
        cell: what of the cell relaxes: nothing (``"fixed"``), its volume (``"isotropic"``), its lengths along x, y and
            z (``"anisotropic"``), or all of it (``"flexible"``). Directions that do not repeat are left as they are,
            and so are those with a vacuum wider than the cutoff, such as that between slabs in a cell that repeats.
        force_tolerance: eV/Å, of the largest force on an atom.
        stress_tolerance: eV/Å^3, of the largest element of the stress, where the cell relaxes; 1e-4 is 0.016 GPa.
        pressure: eV/Å^3.
        max_steps: most evaluations of a structure.
        skin: Å, of the neighbour lists; a tenth of the cutoff by default.
        batch_size: structures at a time; by default as many as keep the arrays in the processor's cache, and on an
            accelerator many.
        max_shapes: the most shapes that structures are padded to, and so compilations.
        dtype: float type of the calculation; JAX's default if None.
        minutes: time after which the structures are returned as they are, preparation and compilation included. A
            compilation is not interrupted.
        progress: whether to show a bar on a terminal; or a function, which is called with a text now and then.

    Returns:
        A :class:`Relaxed`; a list of them where several structures were given.

    Raises:
        ValueError: an option makes no sense, an atom has no species of the potential, a constraint is another than
            ``FixAtoms``, or a cell is to relax that has none.
        TimeoutError: ``minutes`` have passed before the structures were prepared.

    Reference:
        J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed. (2006), algorithm 7.4; the deformation as in
        E. B. Tadmor, G. S. Smith, N. Bernstein, E. Kaxiras, Phys. Rev. B 59, 235 (1999).

    Example:
        >>> import jaxpot
        >>> from ase.build import bulk
        >>> lj, params = jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}
        >>> crystals = [bulk("Ar", a=5.4, cubic=True), bulk("Ar", a=5.2)]
        >>> found = jaxpot.relax(lj, params, crystals, cell="isotropic")
        >>> volumes = [float(f.system.volume) / len(a) for f, a in zip(found, crystals)]
        >>> abs(volumes[1] - volumes[0]) < 0.01 * volumes[0], found[0].converged, found[1].converged
        (True, True, True)
    """
    limit = time.perf_counter() + (math.inf if minutes is None else 60.0 * minutes)
    check_potential("relax", potential, "the order is (potential, params, structures)")
    check_limits(force_tolerance, max_steps, batch_size)
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell!r}")
    if not 0 < stress_tolerance < math.inf:
        raise ValueError(f"stress_tolerance must be a positive number of eV/Å^3, got {stress_tolerance}")
    if not math.isfinite(pressure) or (pressure and cell == "fixed"):
        raise ValueError(f"a pressure of {pressure} eV/Å^3 does not go with cell={cell!r}")
    kind = checked_dtype(dtype)
    ready = prepare(potential, checked_params(params, kind), kind)
    several = not (isinstance(structures, System) or hasattr(structures, "get_chemical_symbols"))
    given: list[Any] = several_structures("relax", structures) if several else [structures]
    checked = []
    for k, one in enumerate(given):
        check_time(limit, k, len(given), "structures")
        checked.append(_system(k, one, potential, kind, cell, pressure))
    systems = [system for system, _ in checked]
    movable = [_movable(k, one) for k, one in enumerate(given)]
    aim = Aim(force_tolerance, stress_tolerance, pressure, max_steps)
    results: list[Relaxed | None] = [None] * len(systems)
    with counted(len(systems), progress, "structure", "relaxing") as tick:
        for members, width, group in groups_of(potential, systems, movable, skin, max_shapes):
            ended = relax_group(
                potential,
                ready,
                group,
                aim=aim,
                cell=cell,
                width=min(batch_size or width, len(members)),
                tick=tick,
                limit=limit,
            )
            for place, k in enumerate(members):
                results[k] = _relaxed(*checked[k], ended, place)
    found = [result for result in results if result is not None]
    return found if several else found[0]


def check_limits(force_tolerance: float, max_steps: int, batch_size: int | None) -> None:
    """Raise ValueError where a limit of a relaxation makes no sense.

    Args:
        force_tolerance: eV/Å.
        max_steps: evaluations.
        batch_size: structures at a time.
    """
    if not 0 < force_tolerance < math.inf:
        raise ValueError(f"force_tolerance must be a positive number of eV/Å, got {force_tolerance}")
    if max_steps < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(f"max_steps and batch_size must be at least 1, got {max_steps} and {batch_size}")


class _Opened(NamedTuple):
    """What a structure was before it was cut open along a vacuum: its pbc, and [atoms, 3] edges its atoms moved by."""

    pbc: Any
    moved: np.ndarray


def _system(
    place: int, structure: System | Atoms, potential: Potential, dtype: np.dtype, cell: CellMode, pressure: float
) -> tuple[System, _Opened | None]:
    """A structure with numpy leaves of the wanted type, checked; and what was opened of it along a vacuum."""
    opened = None
    try:
        if isinstance(structure, System):
            system = jax.tree.map(np.asarray, structure)
            check_system(potential, system)
        else:
            system = jax.tree.map(np.asarray, system_of(structure, potential, dtype))
        system = jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, system)
        if cell != "fixed":
            if not system.pbc.any() or abs(np.linalg.det(np.asarray(system.cell, np.float64))) == 0:
                raise ValueError(
                    f"there is no cell to relax: pbc {system.pbc.tolist()}, cell {system.cell.tolist()}; give a cell "
                    'with a volume that repeats, or cell="fixed"'
                )
            before = system
            system, moved = open_along_vacuum(before, potential.cutoff)
            opened = _Opened(before.pbc, moved)
            if not system.pbc.any():
                raise ValueError(
                    f"there is no cell to relax: no atoms are within the cutoff of {potential.cutoff:g} Å across it; "
                    'give a denser structure, or cell="fixed"'
                )
            if pressure and not system.pbc.all():
                raise ValueError("a pressure acts on cells that repeat in all three directions; leave it out")
    except (TypeError, ValueError) as error:
        raise type(error)(f"structure {place}: {error}") from error
    return system, opened


def _movable(place: int, structure: System | Atoms) -> np.ndarray:
    """[atoms] bool."""
    if isinstance(structure, System):
        return np.asarray(structure.species) >= 0
    from ase.constraints import FixAtoms

    movable = np.ones(len(structure), bool)
    for constraint in structure.constraints:
        if not isinstance(constraint, FixAtoms):
            raise ValueError(
                f"structure {place}: the constraint {type(constraint).__name__} cannot be kept, only FixAtoms; remove "
                "it, or relax with ASE's optimisers and jaxpot.calculator"
            )
        movable[constraint.get_indices()] = False
    return movable


def _relaxed(given: System, opened: _Opened | None, ended: Ended, place: int) -> Relaxed:
    atoms = given.positions.shape[0]
    cell, virial, positions = ended.cells[place], ended.virials[place], ended.positions[place, :atoms]
    if opened is not None:
        given = given.replace(pbc=opened.pbc)
        positions = positions - (opened.moved @ cell).astype(cell.dtype)
    volume = float(np.abs(np.linalg.det(np.asarray(cell, np.float64))))
    return Relaxed(
        jax.device_put(given.replace(positions=positions, cell=cell)),
        # summed in float64: a sum of many float32 numbers loses digits
        float(ended.energies[place, :atoms].sum(dtype=np.float64)),
        ended.forces[place, :atoms],
        virial / volume if volume > 0 else None,
        bool(ended.converged[place]),
        int(ended.steps[place]),
    )
