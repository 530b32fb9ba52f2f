"""Trajectories in every format: what is written is read again, by LAMMPS too, and is cut and continued on resume."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from jaxpot.io.errors import FileFormatError
from jaxpot.io.structure_files import read_frames
from jaxpot.simulate import RestartError, run_md
from jaxpot.simulate.output import open_trajectory
from jaxpot.simulate.settings import FORMATS
from tests.conftest import needs_float64
from tests.oracles import lammps
from tests.simulate import argon

STRUCTURES = {
    "cube": lambda: bulk("NaCl", "rocksalt", a=5.6, cubic=True),
    "primitive": lambda: bulk("NaCl", "rocksalt", a=5.6),  # no edge along x
    "hexagonal": lambda: bulk("Mg", "hcp", a=3.2, c=5.2) * (2, 1, 1),  # tilted
    "slab": lambda: fcc111("Cu", (2, 2, 2), vacuum=8.0),
    "slab without a third edge": lambda: fcc111("Cu", (2, 2, 2)),
    "molecule": lambda: molecule("H2O"),
}


def frames_of(kind: str) -> list[Atoms]:
    random, found = np.random.default_rng(0), []
    for k in range(3):
        atoms = STRUCTURES[kind]()
        atoms.info = {"step": 10 * k, "time_fs": 20.0 * k}
        atoms.rattle(0.1, seed=k)
        atoms.set_momenta(random.normal(size=(len(atoms), 3)))
        atoms.set_initial_charges(random.normal(size=len(atoms)))
        forces = random.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0 - k, forces=forces)
        found.append(atoms)
    return found


@pytest.mark.parametrize("kind", STRUCTURES)
@pytest.mark.parametrize("ending", FORMATS)
def test_frames_are_read_as_they_were(ending: str, kind: str, tmp_path: Path) -> None:
    frames, path = frames_of(kind), tmp_path / f"trajectory.{ending}"
    file = open_trajectory(path)
    file.write(frames[0])
    mark = file.mark()
    for atoms in (frames[2], frames[1]):
        file.write(atoms)
    file.close()
    file = open_trajectory(path, mark)  # what stands beyond the mark is cut off
    for atoms in frames[1:]:
        file.write(atoms)
    file.close()
    found = list(read_frames(path))
    assert len(found) == 3
    for one, atoms in zip(found, frames, strict=True):
        assert one.get_chemical_symbols() == atoms.get_chemical_symbols() and (one.pbc == atoms.pbc).all()
        for name in ("get_positions", "get_velocities", "get_forces", "get_initial_charges", "get_masses"):
            np.testing.assert_allclose(getattr(one, name)(), getattr(atoms, name)(), rtol=0, atol=2e-8, err_msg=name)
        if atoms.cell.rank == 3:
            np.testing.assert_allclose(one.cell.array, atoms.cell.array, rtol=0, atol=1e-8)
        if ending != "lammpstrj":  # dumps have no energy
            assert one.get_potential_energy() == atoms.get_potential_energy()


@pytest.mark.parametrize("kind", ["cube", "hexagonal"])
def test_lammps_reads_our_dump(kind: str, tmp_path: Path) -> None:
    frames, path = frames_of(kind), tmp_path / "trajectory.lammpstrj"
    file = open_trajectory(path)
    for atoms in frames:
        file.write(atoms)
    file.close()
    region = "block 0 1 0 1 0 1" if kind == "cube" else "prism 0 1 0 1 0 1 0 0 0"
    program = lammps.lammps.lammps(cmdargs=["-screen", "none", "-log", "none"])
    try:
        program.commands_list(
            ["units metal", "atom_style charge", "boundary p p p", "box tilt large",
             f"region box {region}", "create_box 2 box", "mass * 1.0",
             f"read_dump {path} 20 x y z vx vy vz q box yes add yes scaled no wrapped no"]
        )  # fmt: skip
        identity = np.argsort(program.numpy.extract_atom("id"))
        positions = program.numpy.extract_atom("x")[identity]
        velocities = program.numpy.extract_atom("v")[identity]
        charges = program.numpy.extract_atom("q")[identity]
        low, high, xy, yz, xz, *_ = program.extract_box()
    finally:
        program.close()
    atoms = frames[2]
    box = np.array([[high[0] - low[0], 0, 0], [xy, high[1] - low[1], 0], [xz, yz, high[2] - low[2]]])
    np.testing.assert_allclose(box, atoms.cell.array, atol=1e-9)
    moved = (positions - atoms.positions) @ np.linalg.inv(box)  # LAMMPS wraps
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-9)
    np.testing.assert_allclose(charges, atoms.get_initial_charges(), atol=1e-9)
    np.testing.assert_allclose(velocities, atoms.get_velocities() * 1000 * ase.units.fs, atol=1e-7)


def test_an_h5md_file_has_the_layout_of_its_specification(tmp_path: Path) -> None:
    path, frames = tmp_path / "trajectory.h5md", frames_of("slab")
    file = open_trajectory(path)
    for atoms in frames:
        file.write(atoms)
    with h5py.File(path) as found:  # before close(): others can read it while a run goes on
        assert found["h5md"].attrs["version"].tolist() == [1, 1]
        assert "name" in found["h5md/author"].attrs and found["h5md/creator"].attrs["name"] == "jaxpot"
        group = found["particles/all"]
        assert group["box"].attrs["dimension"] == 3
        assert group["box"].attrs["boundary"].tolist() == [b"periodic", b"periodic", b"none"]
        assert group["position/value"].shape == (3, 8, 3) and group["box/edges/value"].shape == (3, 3, 3)
        for name in ("position", "velocity", "force", "box/edges"):
            assert group[name]["step"][:].tolist() == [0, 10, 20], name
            np.testing.assert_allclose(group[name]["time"][:], [0.0, 0.02, 0.04])
        assert group["velocity/value"].attrs["unit"] == "Angstrom ps-1"
        expected = frames[1].get_velocities() * 1000 * ase.units.fs
        np.testing.assert_allclose(group["velocity/value"][1], expected, rtol=1e-6)
        forces = frames[1].get_forces() / (ase.units.kJ / ase.units.mol)
        np.testing.assert_allclose(group["force/value"][1], forces, rtol=1e-6)
        assert found["observables/potential_energy/value"][:].tolist() == [-1.0, -2.0, -3.0]


def test_what_is_no_trajectory_in_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"

    def refused(message: str) -> None:
        with pytest.raises(FileFormatError, match=message):
            list(read_frames(path))

    with h5py.File(path, "w") as file:
        file["numbers"] = np.zeros(3)
    refused("not a trajectory of H5MD")
    with h5py.File(path, "w") as file:
        file.create_group("h5md")
        file["particles/water/position/value"] = np.zeros((2, 3, 3))
    refused("which elements its atoms are")
    with h5py.File(path, "r+") as file:
        file["particles/water/species"] = [8, 1, 1]
        file["particles/water/position/value"].attrs["unit"] = "furlong"
    refused("'furlong', a unit that is not known")
    path.write_bytes(path.read_bytes()[:100])
    refused("cannot open it")


@needs_float64
@pytest.mark.slow
@pytest.mark.parametrize("ending", ["lammpstrj", "h5md"])
def test_a_run_that_was_cut_off_goes_on_in_its_trajectory(ending: str, tmp_path: Path) -> None:
    def run(steps: int, name: str, **options: Any) -> list[Atoms]:
        settings = argon.settings("nvt", steps, trajectory_format=ending)
        return list(read_frames(run_md(atoms, *model, settings, tmp_path / name, **options).files.trajectory))

    model, atoms = argon.potential(), argon.crystal()
    whole = run(80, "whole")
    run(50, "parts")
    for one, other in zip(run(80, "parts", resume=True), whole, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.get_velocities(), other.get_velocities())
    path = tmp_path / "parts" / f"trajectory.{ending}"
    path.unlink()
    open_trajectory(path).close()
    with pytest.raises((RestartError, FileFormatError), match="than the"):
        run(100, "parts", resume=True)


@needs_float64
def test_a_run_ends_when_its_time_is_over_and_goes_on(tmp_path: Path) -> None:
    model, atoms, settings = argon.potential(), argon.crystal(), argon.settings("nvt", 40)
    first = run_md(atoms, *model, settings, tmp_path / "parts", minutes=0.0)  # over before the first step
    assert (first.step, first.finished) == (0, False)
    run_md(atoms, *model, settings, tmp_path / "parts", minutes=60.0, resume=True)
    run_md(atoms, *model, dataclasses.replace(settings), tmp_path / "whole")
    assert argon.written(tmp_path / "parts") == argon.written(tmp_path / "whole")
