"""Evaluates any potential on any list of structures, from the host."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from jaxpot.batch.batches import Batch, batches
from jaxpot.batch.checks import (
    check_system,
    checked_dtype,
    checked_params,
    explain_not_finite,
    not_finite,
    several_structures,
)
from jaxpot.batch.named_data import system_of
from jaxpot.batch.padding import Sizes, round_up
from jaxpot.batch.shapes import Shapes
from jaxpot.evaluation import Evaluation, Params
from jaxpot.extras import declared
from jaxpot.potential import Potential, check_potential
from jaxpot.spec import once_for_each
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Result", "evaluate"]

MAX_SLOTS = 4_000_000  # neighbour slots in memory at once, about 100 bytes each


class Result(NamedTuple):
    """The results of :func:`evaluate` for one structure, as plain numbers and numpy arrays.

    Attributes:
        energy: eV.
        energies: [atoms] eV; their sum is the energy.
        forces: [atoms, 3] eV/Å.
        virial: [3, 3] eV, derivative of the energy with respect to strain.
        stress: [3, 3] eV/Å^3 in ASE's sign; None where the cell has no volume.
        extras: named results, see :mod:`jaxpot.extras`.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    stress: np.ndarray | None
    extras: dict[str, np.ndarray]


def evaluate(
    potential: Potential,
    params: Params,
    structures: Sequence[System | Atoms],
    dtype: Any = None,
    max_shapes: int = 4,
    max_slots: int = MAX_SLOTS,
) -> list[Result]:
    """Energy, forces and stress of structures of any sizes.

    Args:
        potential: any potential.
        params: its parameters; floats are cast to ``dtype``.
        structures: :class:`System`, or ASE ``Atoms``, whose positions, elements, cell and pbc are used, and the data
            that the potential needs, such as their initial charges (:func:`jaxpot.batch.named_data.data_of`).
        dtype: float type of the evaluation; JAX's default if None.
        max_shapes: largest number of shapes, and so of compilations. Later calls use the same compiled programs.
        max_slots: largest number of neighbour slots evaluated at once, which bounds memory.

    Returns:
        A :class:`Result` for each structure, in their order.

    Raises:
        TypeError: one structure instead of a sequence.
        ValueError: an unknown element, parameters that are not numbers, or an invalid structure; for a structure, the
            message begins with its place in the sequence.
        FloatingPointError: an energy or force is not finite; the message names the atom.

    Example:
        >>> import jaxpot
        >>> from ase import Atoms
        >>> dimer = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.4 * 2 ** (1 / 6)]])
        >>> lj, params = jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}
        >>> results = jaxpot.evaluate(lj, params, [dimer, Atoms("Ar")])
        >>> [f"{r.energy:.4f}" for r in results]
        ['-0.0104', '0.0000']
    """
    check_potential("evaluate", potential, "the order is (potential, params, structures)")
    structures = several_structures("evaluate", structures)
    kind = checked_dtype(dtype)
    params = checked_params(params, kind)
    if not structures:
        return []
    systems = [_system(k, structure, potential, kind) for k, structure in enumerate(structures)]
    results: list[Result | None] = [None] * len(systems)
    program, shapes = _evaluator(potential)

    def enlarged(shape: Sizes, number: int) -> tuple[Sizes, int]:
        number = round_up(number)
        return shapes[number].fitting(shape, number), number

    for b in batches(systems, potential, 0.0, max_shapes, None, max_slots, 1, enlarged):
        found: Any = jax.device_get(program(params, b.system, b.neighbors))
        for place, k in enumerate(np.asarray(b.indices)):
            if k < len(systems):
                results[k] = _result(f"structure {k}: ", structures[k], systems[k], b, place, found)
    return [result for result in results if result is not None]


@once_for_each
def _evaluator(potential: Potential) -> tuple[Callable[..., Evaluation], dict[int, Shapes]]:
    """The compiled evaluation and its shapes by number of structures, so that later calls find the same programs."""
    return jax.jit(jax.vmap(potential.evaluate, (None, 0, 0))), collections.defaultdict(Shapes)


def _system(place: int, structure: System | Atoms, potential: Potential, dtype: np.dtype) -> System:
    try:
        if not isinstance(structure, System):
            return system_of(structure, potential, dtype)
        host = {name: np.asarray(getattr(structure, name), dtype) for name in ("positions", "cell")}
        system = structure.replace(**host)
        check_system(potential, system)
        return system
    except (TypeError, ValueError) as error:
        raise type(error)(f"structure {place}: {error}") from error


def _result(where: str, structure: System | Atoms, system: System, b: Batch, place: int, found: Any) -> Result:
    number = system.positions.shape[0]
    energies, forces = found.energies[place, :number], found.forces[place, :number]
    if not_finite(energies, forces).size:
        symbols = None if isinstance(structure, System) else structure.get_chemical_symbols()
        neighbors = jax.tree.map(lambda leaf: leaf[place], b.neighbors)
        raise FloatingPointError(where + explain_not_finite(system, neighbors, energies, forces, symbols))
    virial, volume = found.virial[place], float(np.abs(np.linalg.det(np.asarray(system.cell, np.float64))))
    # summed in float64 on the host, since a sum of many float32 numbers loses digits
    energy = float(energies.sum(dtype=np.float64))
    extras = {
        name: value[place, :number] if declared(name).per == "atom" else value[place]
        for name, value in found.extras.items()
    }
    return Result(energy, energies, forces, virial, virial / volume if volume > 0 else None, extras)
