"""What the tests of angular potentials share: structures in one shape, and LAMMPS beside jaxpot on them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import jaxpot
from jaxpot.io.angular_files import AngularFile
from jaxpot.io.errors import FileWarning
from jaxpot.units import GPA
from tests import structures
from tests.conftest import Precision
from tests.oracles import lammps
from tests.oracles.lammps import POTENTIALS

SIZES = (20, 60, 1200)  # atoms, slots and rows that hold all structures of these tests
NARROW = 40  # slots for angles with a cutoff of their own
FLOAT64 = Precision("float64", 1e-9, 1e-8)  # eV an atom; relative to the largest force


def load(
    name: str, elements: Any = None, cutoff: float | None = None, warns: bool = False
) -> tuple[jaxpot.Potential, Any]:
    """A file of LAMMPS's wheel."""
    with pytest.warns(FileWarning, match="mean of both") if warns else contextlib.nullcontext():
        return jaxpot.load(POTENTIALS / name, elements, cutoff=cutoff)


def structures_of(elements: Sequence[str], a: float, seed: int = 1) -> dict[str, Atoms]:
    """Rattled, sheared, mixed structures, 2 to 16 atoms each, in cells that are smaller than the cutoff."""
    kinds = ("primitive", "skewed", "slab_without_third_vector", "cluster")
    found = {kind: structures.make(kind, elements, a, "diamond", seed=seed) for kind in kinds}
    found["crystal"] = structures.crystal(elements, a, "diamond", 1, seed=seed)
    found["dense"] = structures.crystal(elements, 0.82 * a, "diamond", 1, seed=seed + 1)
    found["stretched"] = structures.crystal(elements, 1.2 * a, "diamond", 1, seed=seed + 2)
    found["close-packed"] = structures.crystal(elements, 0.8 * a, "fcc", 1, rattle=0.1, seed=seed + 3)
    found["dimer"] = Atoms([elements[0], elements[-1]], positions=[[0, 0, 0], [0.3, 0.2, 0.4 * a]])
    found["straight"] = Atoms([elements[0]] * 2 + [elements[-1]], positions=np.outer([-1, 0, 1], [0, 0, 0.43 * a]))
    rng = np.random.default_rng(seed)
    for name, atoms in found.items():
        if name not in ("dimer", "straight", "primitive"):
            symbols = rng.choice(elements, len(atoms))
            symbols[: len(elements)] = elements[: len(atoms)]
            atoms.set_chemical_symbols([str(symbol) for symbol in symbols])
    return found


@functools.cache
def evaluation(potential: jaxpot.Potential) -> Callable[..., jaxpot.Evaluation]:
    return jax.jit(potential.evaluate)


def listed(
    potential: jaxpot.Potential, atoms: Atoms, dtype: str | None = None, sizes: tuple[int, int, int] | None = None
) -> tuple[jaxpot.System, Any]:
    """System and list in the shape that all structures share, so that one program serves them."""
    sizes = SIZES if sizes is None else sizes
    system = jaxpot.System.from_ase(atoms, potential.elements, dtype=dtype)
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    return system.pad(sizes[0]), jaxpot.pad_neighbors(neighbors, *sizes, narrower=[NARROW] * len(neighbors.narrower))


def commands(style: str, path: Any, names: Sequence[str]) -> list[str]:
    return [f"pair_style {style}", f"pair_coeff * * {path} {' '.join(names)}"]


def assert_equals_lammps(
    potential: jaxpot.Potential,
    params: Any,
    atoms: Atoms,
    style: str | None = None,
    path: Any = None,
    names: Sequence[str] = (),
    precision: Precision = FLOAT64,
    lines: Sequence[str] | None = None,
    sizes: tuple[int, int, int] | None = None,
) -> None:
    """Energy, forces and virial of one structure; the virial is the stress times the volume.

    LAMMPS gets ``lines``, or the style and file as :func:`commands` puts them.
    """
    elements = potential.elements
    assert elements is not None
    if style is None and lines is None:
        assert potential.spec is not None and isinstance(potential.spec.file, AngularFile)
        style, names = potential.spec.file.style, potential.spec.file.names
    expected = lammps.single_point(atoms, lines or commands(str(style), path, names), elements, per_atom=False)
    found = evaluation(potential)(params, *listed(potential, atoms, sizes=sizes))
    count = len(atoms)
    forces, virial = np.abs(expected.forces).max(), np.abs(expected.virial).max()
    assert max(forces, virial) > 0, "a structure without forces proves nothing"
    np.testing.assert_allclose(found.energies.sum(), expected.energy, rtol=0, atol=precision.energy * count)
    # one atom in a cell feels no force: there the virial (over 1 Å) sets the scale
    size = forces if count > 1 else virial
    np.testing.assert_allclose(found.forces[:count], expected.forces, rtol=0, atol=precision.forces * size)
    np.testing.assert_allclose(found.virial, expected.virial, rtol=0, atol=precision.forces * virial)
    assert not found.forces[count:].any() and not found.energies[count:].any()


def crystal_of(
    potential: jaxpot.Potential, params: Any, kind: str, elements: Sequence[str], a: float
) -> tuple[float, float, np.ndarray]:
    """Lattice constant (Å), energy (eV an atom), and C11, C12, C44 (GPa) of a cubic crystal of two atoms a cell.

    Second derivatives are differences of virial and force; the second atom relaxes, as the force on it is made zero.
    """
    system, neighbors = listed(potential, bulk("".join(elements), kind, a=a))
    evaluate = evaluation(potential)
    volume = abs(float(np.linalg.det(system.cell)))

    def slopes(change: np.ndarray) -> np.ndarray:
        """dE/d(xx, yy, zz, yz, xz, xy of the strain, place of the second atom); shears are twice the tensor's."""
        xx, yy, zz, yz, xz, xy, *moved = change
        factor = np.eye(3) + np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
        positions = (system.positions @ factor).at[1].add(np.array(moved))
        found = evaluate(params, system.replace(positions=positions, cell=system.cell @ factor), neighbors)
        return np.concatenate([np.asarray(found.virial)[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)], -found.forces[1]])

    step = 1e-4
    second = np.array([(slopes(step * unit) - slopes(-step * unit)) / (2 * step) for unit in np.eye(9)])
    inner = second[6:, 6:]
    constants = (second[:6, :6] - second[:6, 6:] @ np.linalg.solve(inner, second[6:, :6])) / volume / GPA
    gpa = np.array([constants[0, 0], constants[0, 1], constants[3, 3]])
    tension = slopes(np.zeros(9))[:3].mean() / volume / GPA
    energies = evaluate(params, system, neighbors).energies
    return a * (1 - tension / (gpa[0] + 2 * gpa[1])), float(energies.sum()) / 2, gpa
