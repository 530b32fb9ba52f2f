"""Phonons of crystals by finite displacements (phonopy)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxpot.batch import evaluate
from jaxpot.evaluation import Params
from jaxpot.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Bands", "phonon_bands", "phonon_frequencies"]

SHORTEST, LONGEST = 10.0, 20.0  # Å, between which the supercell for bands is twice the cutoff
DENSITY = 150.0  # points on a path of length 1/Å
MESH = 40.0  # Å; the mesh of the density of states is that of reciprocal vectors times this
BINS = 400


class Bands(NamedTuple):
    """Phonons of a crystal along lines of high symmetry, and their density of states.

    Attributes:
        distances: [points] 1/Å, along the path.
        frequencies: [points, branches] THz; imaginary ones are negative numbers. NaN where the path jumps.
        labels: (distance, name) of the points of high symmetry; two names, such as ``"U|K"``, where the path jumps.
        dos_frequencies: [bins] THz.
        dos: [bins] 1/THz, states per primitive cell; their integral is the number of branches.
    """

    distances: np.ndarray
    frequencies: np.ndarray
    labels: tuple[tuple[float, str], ...]
    dos_frequencies: np.ndarray
    dos: np.ndarray


def phonon_frequencies(
    potential: Potential,
    params: Params,
    atoms: Atoms,
    points: Sequence[Sequence[float]],
    supercell: Sequence[int] = (4, 4, 4),
    displacement: float = 0.01,
) -> np.ndarray:
    """Phonon frequencies at points of the Brillouin zone.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: the relaxed crystal.
        points: [points, 3] in units of the reciprocal vectors of this cell.
        supercell: number of repetitions of the cell along each axis; half of it limits the range of force constants.
        displacement: Å, displacement of the atoms.

    Returns:
        [points, 3 atoms] THz, in rising order; imaginary frequencies of unstable crystals are negative numbers.

    Raises:
        ModuleNotFoundError: phonopy is not installed.
    """
    phonons = _phonons(potential, params, atoms, supercell, displacement)
    phonons.run_qpoints(np.asarray(points))
    return np.asarray(phonons.qpoints.frequencies)


def phonon_bands(
    potential: Potential,
    params: Params,
    atoms: Atoms,
    supercell: Sequence[int] | None = None,
    displacement: float = 0.01,
) -> Bands:
    """Phonons of the primitive cell along the usual path through the Brillouin zone, and their density of states.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: the relaxed crystal, in a primitive or any other cell.
        supercell: number of repetitions of this cell along each axis; by default such that every edge is at least twice
            as long as the cutoff, or as 10 Å where that is more and 20 Å where that is less.
        displacement: Å, displacement of the atoms.

    Returns:
        The :class:`Bands`.

    Raises:
        ModuleNotFoundError: phonopy is not installed.

    Reference:
        A. Togo, L. Chaput, T. Tadano, I. Tanaka, J. Phys. Condens. Matter 35, 353001 (2023); the path of W. Setyawan,
        S. Curtarolo, Comput. Mater. Sci. 49, 299 (2010).
    """
    from ase.cell import Cell

    if supercell is None:
        length = min(max(2 * potential.cutoff, SHORTEST), LONGEST)
        supercell = [max(1, int(np.ceil(length * side))) for side in _inverse_heights(atoms.cell.array)]
    phonons = _phonons(potential, params, atoms, supercell, displacement, primitive=True)
    cell = Cell(phonons.primitive.cell)
    path = cell.bandpath(npoints=0)
    lines = [list(part) for part in _parts(path.path)]
    distances: list[float] = []
    points: list[np.ndarray] = []
    labels: list[tuple[float, str]] = []
    here = 0.0
    for k, part in enumerate(lines):
        if k > 0:  # the path jumps
            distances.append(here)
            points.append(np.full(3, np.nan))
            labels[-1] = (here, f"{labels[-1][1]}|{part[0]}")
        else:
            labels.append((0.0, part[0]))
        for first, last in itertools.pairwise(part):
            start, end = path.special_points[first], path.special_points[last]
            length = float(np.linalg.norm((end - start) @ cell.reciprocal()))
            number = max(2, int(DENSITY * length))
            steps = np.linspace(0, 1, number)
            distances += (here + length * steps).tolist()
            points += list(start + steps[:, None] * (end - start))
            here += length
            labels.append((here, last))
    known = ~np.isnan(np.array(points)).any(axis=1)
    phonons.run_qpoints(np.array(points)[known])
    found = np.asarray(phonons.qpoints.frequencies)
    frequencies = np.full((len(points), found.shape[1]), np.nan)
    frequencies[known] = found
    mesh = np.maximum(1, np.ceil(MESH * _inverse_heights(np.asarray(cell))).astype(int))
    phonons.run_mesh(mesh, is_gamma_center=True)
    phonons.run_total_dos(freq_pitch=np.ptp(found) / BINS or None)
    density = phonons.total_dos
    named = tuple((at, name.replace("G", "Γ")) for at, name in labels)
    return Bands(np.array(distances), frequencies, named, np.asarray(density.frequency_points), np.asarray(density.dos))


def _phonons(
    potential: Potential,
    params: Params,
    atoms: Atoms,
    supercell: Sequence[int],
    displacement: float,
    primitive: bool = False,
) -> Any:
    """phonopy's object with force constants, for the given cell or for the primitive one."""
    from ase import Atoms as Structure
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms
    from phonopy.structure.cells import guess_primitive_matrix

    symbols, masses = atoms.get_chemical_symbols(), atoms.get_masses()
    cell = PhonopyAtoms(symbols=symbols, cell=atoms.cell.array, positions=atoms.positions, masses=masses)
    matrix = guess_primitive_matrix(cell) if primitive else np.eye(3)
    phonons = Phonopy(cell, np.diag(supercell), primitive_matrix=matrix)
    phonons.generate_displacements(distance=displacement)
    displaced = [
        Structure(one.symbols, positions=one.positions, cell=one.cell, pbc=True)
        for one in phonons.supercells_with_displacements
    ]
    phonons.forces = [np.asarray(found.forces, np.float64) for found in evaluate(potential, params, displaced)]
    phonons.produce_force_constants()
    return phonons


def _inverse_heights(cell: np.ndarray) -> np.ndarray:
    """[3] 1/Å, the inverse distances of opposite faces of a cell."""
    return np.linalg.norm(np.linalg.inv(cell), axis=0)


def _parts(path: str) -> list[list[str]]:
    from ase.dft.kpoints import parse_path_string

    return [list(part) for part in parse_path_string(path) if len(part) > 1]
