"""Energies of surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxpot.evaluation import Params
from jaxpot.potential import Potential
from jaxpot.properties.relaxed import all_relaxed
from jaxpot.units import ELEMENTARY_CHARGE

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Surface", "conventional_cell", "surface_energies", "usual_surfaces"]

JOULE_PER_M2 = ELEMENTARY_CHARGE * 1e20  # of eV/Å^2
MOST_LAYERS = 60
TOLERANCE = 1e-3  # Å, by which atoms may be off their places of symmetry


class Surface(NamedTuple):
    """The energy of a surface.

    Attributes:
        indices: Miller indices in the given cell.
        energy: J/m^2, with atoms relaxed.
        unrelaxed: J/m^2, with atoms where they are in the crystal.
        atoms: number of atoms of the slab.
    """

    indices: tuple[int, int, int]
    energy: float
    unrelaxed: float
    atoms: int


def surface_energies(
    potential: Potential,
    params: Params,
    atoms: Atoms,
    indices: Sequence[Sequence[int]],
    thickness: float = 15.0,
    force: float = 1e-3,
) -> list[Surface]:
    """Energies of surfaces of a crystal, from slabs that do not repeat at right angles to the surface.

    gamma = (E_slab - N e) / 2 A, with the energy e of an atom (of a formula unit, in a compound) in the crystal and the
    area A. The two sides of a slab of a compound may end differently; gamma is then their mean.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: the relaxed crystal; Miller indices are those of its cell.
        indices: [surfaces, 3].
        thickness: Å, least thickness of the slabs.
        force: eV/Å, largest force after relaxation.

    Returns:
        A :class:`Surface` for each.

    Raises:
        ValueError: a relaxation does not converge.

    Example:
        >>> import jaxpot
        >>> from ase.build import bulk
        >>> potential, params = jaxpot.load("sutton_chen_1990:Cu")
        >>> (found,) = surface_energies(potential, params, bulk("Cu", a=3.61, cubic=True), [(1, 1, 1)], thickness=8.0)
        >>> 0.3 < found.energy <= found.unrelaxed < 1.5
        True
    """
    from ase.build import surface

    from jaxpot.batch import evaluate

    slabs = []
    for one in indices:
        miller = tuple(int(k) for k in one)
        for layers in range(2, MOST_LAYERS):
            slab = surface(atoms, miller, layers, vacuum=5.0)
            if np.ptp(slab.positions[:, 2]) >= thickness:
                break
        slab.calc = None
        slab.pbc = [True, True, False]
        slabs.append(slab)
    bulk, *unrelaxed = (found.energy for found in evaluate(potential, params, [atoms, *slabs], max_shapes=1))
    relaxed = all_relaxed(potential, params, slabs, force=force)
    found = []
    for one, slab, before, after in zip(indices, slabs, unrelaxed, relaxed, strict=True):
        area = float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
        inside = bulk * len(slab) / len(atoms)
        first, last = ((energy - inside) / (2 * area) * JOULE_PER_M2 for energy in (before, after.energy))
        found.append(Surface((int(one[0]), int(one[1]), int(one[2])), float(last), float(first), len(slab)))
    return found


def conventional_cell(atoms: Atoms) -> tuple[Atoms, int]:
    """The conventional cell of a crystal, in which Miller indices are usually given.

    Args:
        atoms: the crystal in any cell.

    Returns:
        ASE ``Atoms``, and the number of the space group.

    Raises:
        ModuleNotFoundError: spglib is not installed; it comes with phonopy.
        ValueError: spglib finds no space group.
    """
    import spglib
    from ase import Atoms as Structure

    given = atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers
    data = spglib.get_symmetry_dataset(given, symprec=TOLERANCE)
    standard = spglib.standardize_cell(given, to_primitive=False, symprec=TOLERANCE)
    if data is None or standard is None:
        formula = atoms.get_chemical_formula()
        raise ValueError(f"{formula}: no space group is found; look for atoms on top of each other")
    cell, positions, numbers = standard
    return Structure(numbers, scaled_positions=positions, cell=cell, pbc=True), int(data.number)


def usual_surfaces(group: int) -> list[tuple[int, int, int]]:
    """The surfaces of lowest indices of a crystal in its conventional cell.

    Args:
        group: number of its space group.

    Returns:
        Miller indices.

    Example:
        >>> usual_surfaces(225)
        [(1, 0, 0), (1, 1, 0), (1, 1, 1)]
    """
    if group >= 195:  # cubic
        return [(1, 0, 0), (1, 1, 0), (1, 1, 1)]
    if group >= 143:  # hexagonal
        return [(0, 0, 1), (1, 0, 0), (1, 1, 0)]
    if group >= 75:  # tetragonal
        return [(0, 0, 1), (1, 0, 0), (1, 1, 0)]
    return [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
