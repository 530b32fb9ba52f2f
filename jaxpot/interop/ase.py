"""A calculator of the Atomic Simulation Environment for any potential."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator as AseCalculator
from ase.calculators.calculator import PropertyNotImplementedError, all_changes

from jaxpot.batch.checks import checked_dtype, checked_params, explain_not_finite, not_finite
from jaxpot.batch.named_data import data_of, system_of
from jaxpot.batch.padding import Sizes, pad_system, resized, sizes_used, to_device
from jaxpot.batch.shapes import Shapes
from jaxpot.evaluation import Evaluation
from jaxpot.neighbors import Neighbors, neighbor_list
from jaxpot.potential import Params, Potential, check_potential
from jaxpot.spec import once_for_each
from jaxpot.system import System

__all__ = ["Calculator"]

VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))  # xx, yy, zz, yz, xz, xy


class Calculator(AseCalculator):
    """The calculator that :func:`jaxpot.calculator` makes and documents.

    The neighbour list is rebuilt only when atoms have moved or the cell has strained so much that a pair may be
    missing.
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
        check_potential("calculator", potential, "the order is (potential, params)")
        self.potential = potential
        self.dtype = checked_dtype(dtype)
        self.params = checked_params(params, self.dtype)
        self._list = neighbor_list(potential, skin, capacity_multiplier=1.0) if potential.cutoff > 0 else None
        self.extras = dict(extras or {})
        self._data: dict[str, Any] = {}  # what the structure of the last calculation held beside its positions
        self._evaluate, self._shapes = _evaluator(potential)
        self._radii = (potential.cutoff, 0.1 * potential.cutoff if skin is None else float(skin))
        self._sizes = Sizes(0, 0, 0)
        self._fresh: Neighbors | None = None  # the list as it was made, and padded to the present sizes
        self._neighbors: Neighbors | None = None
        self._need = self._sizes
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
        system = system_of(self.atoms, self.potential, self.dtype, self.extras)
        self._data = data_of(self.atoms, self.potential.needs)
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

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation: as ASE sees it, or data that the potential needs.

        Args:
            atoms: the structure.
            tol: the largest difference that is none.
        """
        changes: list[str] = super().check_state(atoms, tol)
        if not changes and not _equal(self._data, data_of(atoms, self.potential.needs)):
            return ["initial_charges"]
        return changes

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
        if self._list is None:
            self._sizes = self._shapes.fitting(Sizes(system.positions.shape[0], 1, 0))
            return
        new = _Geometry(
            np.asarray(system.positions, np.float64), np.asarray(system.cell, np.float64), np.asarray(system.pbc)
        )
        old, fresh = self._reference, self._fresh
        if old is None or fresh is None or _is_stale(old, new, np.asarray(fresh.completion, np.float64), self._radii):
            fresh = self._fresh = self._list.allocate(system)
            self._neighbors, self._reference, self._need = None, new, sizes_used(fresh)
        sizes = self._shapes.fitting(self._need)
        if self._neighbors is None or sizes != self._sizes:
            self._sizes, self._neighbors = sizes, to_device(resized(fresh, sizes))


@once_for_each
def _evaluator(potential: Potential) -> tuple[Callable[..., Evaluation], Shapes]:
    """The compiled evaluation and its shapes; lists are checked by the calculator, in double precision."""
    return jax.jit(potential.unchecked.evaluate), Shapes()


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether named data are the same."""
    if one.keys() != other.keys():
        return False
    kinds: list[Any] = [jax.tree.structure(data) for data in (one, other)]
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=False)
    return bool(kinds[0] == kinds[1]) and all(np.array_equal(a, b) for a, b in pairs)


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
