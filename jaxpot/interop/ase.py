"""A calculator of the Atomic Simulation Environment for any potential."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator as AseCalculator
from ase.calculators.calculator import PropertyNotImplementedError, all_changes

from jaxpot.batch.checks import check_system, checked_dtype, checked_params, explain_not_finite, not_finite
from jaxpot.batch.padding import Sizes, pad_system, resized, sizes_used, to_device
from jaxpot.neighbors import Neighbors, neighbor_list
from jaxpot.potential import Params, Potential
from jaxpot.system import System

__all__ = ["Calculator"]

VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))  # xx, yy, zz, yz, xz, xy
ROOM = 1.1  # ratio of the size of a new list to what it needs, so that the next lists fit too


class Calculator(AseCalculator):
    """ASE calculator of a potential: energy, free_energy, energies, forces, and stress where the cell has a volume.

    Cell, positions, species, periodicity and number of atoms may change between calls. Structures are padded to a few
    shapes, so that compilation is repeated only when a structure does not fit the earlier shapes. The neighbour list is
    rebuilt only when atoms have moved or the cell has strained so much that a pair may be missing.

    Args:
        potential: any potential.
        params: its parameters; floats are cast to ``dtype``.
        skin: Å, extra radius of the neighbour list; a tenth of the cutoff by default.
        dtype: float type of the evaluation; JAX's default (float32 unless x64 is enabled) if None.
        extras: named data of the structures that the potential needs, such as ``system.extras`` of a molecule with its
            topology; see :mod:`jaxpot.extras`.

    Raises:
        ValueError: the params do not fit the potential or hold NaN, an element is unknown, or a structure makes no
            sense.
        FloatingPointError: an energy or force is not finite; the message names the atom.

    Example:
        >>> import jaxpot
        >>> from ase.build import bulk
        >>> from jaxpot.interop.ase import Calculator
        >>> argon = bulk("Ar", a=5.3, cubic=True)
        >>> argon.calc = Calculator(jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4})
        >>> argon.get_forces().shape, argon.get_stress().shape
        ((4, 3), (6,))
    """

    name = "jaxpot"
    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "energies", "forces", "stress"]
    ignored_changes: ClassVar[set[str]] = {"initial_charges", "initial_magmoms"}

    def __init__(
        self,
        potential: Potential,
        params: Params,
        skin: float | None = None,
        dtype: Any = None,
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.potential = potential
        self.dtype = checked_dtype(dtype)
        self.params = checked_params(params, self.dtype)
        self._list = neighbor_list(potential, skin, capacity_multiplier=1.0) if potential.cutoff > 0 else None
        self.extras = dict(extras or {})
        # this class checks lists itself, in double precision
        self._evaluate = jax.jit(potential.unchecked.evaluate)
        self._radii = (potential.cutoff, 0.1 * potential.cutoff if skin is None else float(skin))
        self._shapes: list[Sizes] = []
        self._sizes = Sizes(0, 0, 0)
        self._neighbors: Neighbors | None = None
        self._completion = np.zeros((3, 3))
        self._reference: _Geometry | None = None  # the geometry that the list was made for
        self._fits = False
        if not potential.needs:
            self._check_params_fit(System.create(np.zeros((1, 3)), dtype=self.dtype))

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Computes the results for a structure; ASE calls it and reads ``results``.

        Args:
            atoms: the structure.
            properties: names of the wanted properties; all properties are computed anyway.
            system_changes: changes since the last call, according to ASE.
        """
        super().calculate(atoms, list(properties), list(system_changes))
        system = System.from_ase(self.atoms, self.potential.elements, self.dtype, self.extras)
        check_system(self.potential, system)
        if not self._fits:
            self._check_params_fit(system)
        self._prepare(system)
        padded = to_device(pad_system(system, self._sizes.atoms))
        found: Any = jax.device_get(self._evaluate(self.params, padded, self._neighbors))
        number = len(self.atoms)
        energies, forces = found.energies[:number], found.forces[:number]
        if not_finite(energies, forces).size:
            symbols = self.atoms.get_chemical_symbols()
            raise FloatingPointError(explain_not_finite(system, self._neighbors, energies, forces, symbols))
        # summed in float64 on the host: a sum of many float32 numbers loses digits
        energy = float(energies.sum(dtype=np.float64))
        self.results = {"energy": energy, "free_energy": energy, "energies": energies, "forces": forces}
        if self.atoms.cell.rank == 3:
            self.results["stress"] = (found.virial / float(self.atoms.cell.volume))[VOIGT]
        elif "stress" in properties:
            raise PropertyNotImplementedError("there is no stress: the cell has no volume; give the atoms a cell")

    def _check_params_fit(self, system: System) -> None:
        """Raise ValueError unless the potential accepts the params; nothing is computed."""
        neighbors = None if self._list is None else self._list.allocate(system)
        try:
            jax.eval_shape(self.potential.unchecked.evaluate, self.params, system, neighbors)
            self._fits = True
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(
                f"the params do not fit {self.potential.name}: {type(error).__name__} {error}; "
                "pass those that came with the potential"
            ) from error

    def _prepare(self, system: System) -> None:
        """Makes sure that shape and neighbour list fit the system."""
        atoms = system.positions.shape[0]
        if self._list is None:
            self._sizes = _shape_for(Sizes(atoms, 1, 0), self._shapes)
            return
        new = _Geometry(
            np.asarray(system.positions, np.float64), np.asarray(system.cell, np.float64), np.asarray(system.pbc)
        )
        if self._reference is not None and not _is_stale(self._reference, new, self._completion, self._radii):
            return
        fresh = self._list.allocate(system)
        self._sizes = _shape_for(sizes_used(fresh), self._shapes)
        self._neighbors = to_device(resized(fresh, self._sizes))
        self._completion = np.asarray(fresh.completion, np.float64)
        self._reference = new


class _Geometry(NamedTuple):
    """The data that a neighbour list depends on, on the host in float64."""

    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray


def _is_stale(old: _Geometry, new: _Geometry, completion: np.ndarray, radii: tuple[float, float]) -> bool:
    """Whether a pair within the cutoff may be missing from a list made for ``old``, complete within cutoff + skin.

    Let A be the deformation from the old cell to the new one, and d_i the further displacement of atom i. A pair now
    at the distance r was at a distance of at most |A^-1| (r + 2 max|d|).
    """
    if old.positions.shape != new.positions.shape or (old.pbc != new.pbc).any():
        return True
    before, after = (np.where(g.pbc[:, None], g.cell, completion) for g in (old, new))
    deformation = np.linalg.solve(before, after)
    moved = np.linalg.norm(new.positions - old.positions @ deformation, axis=1).max(initial=0.0)
    cutoff, skin = radii
    return not np.linalg.norm(np.linalg.inv(deformation), 2) * (cutoff + 2 * moved) < cutoff + skin


def _shape_for(need: Sizes, shapes: list[Sizes]) -> Sizes:
    """The smallest earlier shape that is large enough and at most twice as costly as needed; otherwise a new one."""
    room = Sizes(need.atoms, *(math.ceil(number * ROOM) for number in need[1:])).rounded()
    fitting = [s for s in shapes if all(have >= want for have, want in zip(s, need, strict=True))]
    best = min(fitting, key=lambda s: s.cost, default=room)
    if best.cost <= 2 * room.cost:
        room = best
    if room not in shapes:
        shapes.append(room)
    return room
