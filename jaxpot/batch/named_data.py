"""Named data of a system, such as charges, taken from ASE ``Atoms`` and put into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxpot.batch.checks import check_system
from jaxpot.extras import declared
from jaxpot.potential import Potential
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["data_of", "put_data", "system_of", "without_calculator"]


def data_of(atoms: Atoms, names: Iterable[str]) -> dict[str, Any]:
    """The named data that a structure holds.

    Data with one entry an atom are arrays of the structure, others, such as a topology, are in its ``info``. Charges
    are the initial charges, as in LAMMPS's data files, or the charges of its calculator.

    Args:
        atoms: the structure.
        names: of the data that are wanted, such as ``potential.needs``.

    Returns:
        By name; a name that the structure does not hold is left out.

    Example:
        >>> from ase import Atoms
        >>> data_of(Atoms("NaCl", [[0, 0, 0], [0, 0, 2.8]], charges=[1, -1]), ["charges", "field"])
        {'charges': array([ 1., -1.])}
    """
    found = {}
    for name in sorted(names):
        per = declared(name).per
        if per == "atom" and name in atoms.arrays:
            found[name] = atoms.arrays[name]
        elif name == "charges" and atoms.has("initial_charges"):
            found[name] = atoms.get_initial_charges()
        elif name == "charges" and atoms.calc is not None and "charges" in getattr(atoms.calc, "results", {}):
            found[name] = np.asarray(atoms.calc.results["charges"])
        elif per != "atom" and name in atoms.info:
            found[name] = atoms.info[name]
    return found


def system_of(atoms: Atoms, potential: Potential, dtype: Any = None, extras: Mapping[str, Any] | None = None) -> System:
    """The system of a structure, with the named data that a potential needs, checked.

    Args:
        atoms: the structure, which may hold the data (:func:`data_of`).
        potential: the potential.
        dtype: float type; JAX's default if None.
        extras: data that replace those of the structure.

    Returns:
        The :class:`System`.

    Raises:
        ValueError: an unknown element, a structure that makes no sense, or data that are missing or do not fit.
    """
    given = data_of(atoms, potential.needs) | dict(extras or {})
    system = System.from_ase(atoms, potential.elements, dtype, given)
    check_system(potential, system)
    return system


def without_calculator(atoms: Atoms) -> Atoms:
    """A copy of a structure without its calculator, whose charges become initial charges if it has no others.

    Args:
        atoms: the structure.
    """
    plain = atoms.copy()
    plain.calc = None
    for name, value in data_of(atoms, ["charges"]).items():
        put_data(plain, name, value)
    return plain


def put_data(atoms: Atoms, name: str, value: Any) -> None:
    """Put named data of a system into a structure, where :func:`data_of` finds them; data like a topology are left out.

    Args:
        atoms: the structure, which is changed.
        name: of the data.
        value: the data.
    """
    per = declared(name).per
    if per == "structured":
        return
    array = np.asarray(value)
    if name == "charges":
        atoms.set_initial_charges(array.astype(np.float64))
    elif per == "atom":
        atoms.set_array(name, array)
    else:
        atoms.info[name] = array if array.ndim else array.item()
