"""Trajectories in HDF5, in the layout of H5MD 1.1, which MDAnalysis, VMD and others read; by h5py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxpot.io.errors import FileFormatError
from jaxpot.units import FEMTOSECOND, KJ_PER_MOL

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["H5mdFile", "is_hdf5", "read_h5md"]

GROUP = "all"  # of particles
PICOSECOND = 1e3 * FEMTOSECOND
# (of the file, of the library): units that MDAnalysis knows, of which it refuses others
UNITS = {
    "position": ("Angstrom", 1.0),
    "velocity": ("Angstrom ps-1", 1.0 / PICOSECOND),
    "force": ("kJ mol-1 Angstrom-1", KJ_PER_MOL),
    "charge": ("e", 1.0),
    "mass": ("u", 1.0),
    "edges": ("Angstrom", 1.0),
    "potential_energy": ("eV", 1.0),
    "time": ("ps", 1.0),
}
KNOWN_UNITS = {
    **dict(UNITS.values()),
    "A": 1.0,
    "angstrom": 1.0,
    "nm": 10.0,
    "Angstrom fs-1": 1.0 / FEMTOSECOND,
    "Angstrom/fs": 1.0 / FEMTOSECOND,
    "nm ps-1": 10.0 / PICOSECOND,
    "kJ mol-1 nm-1": 0.1 * KJ_PER_MOL,
    "eV/Angstrom": 1.0,
}
NEEDED = 'install it with: pip install "jaxpot[md]"'


def is_hdf5(head: bytes) -> bool:
    """Whether a file is in HDF5, by its first bytes.

    Args:
        head: the first bytes of the file.
    """
    return head.startswith(b"\x89HDF\r\n\x1a\n")


class H5mdFile:
    """An H5MD file to which frames are appended. Between two frames the file is closed, so that others can read it.

    Args:
        path: the file.
        mark: number of frames to which an existing file is cut; None starts a new file.

    Raises:
        FileFormatError: the existing file has fewer frames.
    """

    def __init__(self, path: Path, mark: int | None = None) -> None:
        import h5py

        self._path, self._frames = path, 0
        if mark is None:
            with h5py.File(path, "w") as file:
                _begin(file)
            return
        with h5py.File(path, "r+") as file:
            series = _series(file)
            if any(len(one["value"]) < mark for one in series.values()) or (mark and not series):
                raise FileFormatError(
                    path, None, f"has fewer frames than the {mark} of the restart file", "start anew with --force"
                )
            for one in series.values():
                for name in ("value", "step", "time"):
                    if len(one[name]) > mark:
                        one[name].resize(mark, axis=0)
        self._frames = mark

    def write(self, atoms: Any) -> None:
        """Append a frame.

        Args:
            atoms: ASE ``Atoms``; ``step`` and ``time_fs`` of its ``info`` are those of the frame.
        """
        import h5py

        particles = {"position": atoms.get_positions()}
        if atoms.has("momenta"):
            particles["velocity"] = atoms.get_velocities()
        if atoms.calc is not None:
            particles["force"] = atoms.get_forces(apply_constraint=False)
        if atoms.has("initial_charges"):
            particles["charge"] = atoms.get_initial_charges()
        info = atoms.info.get("step", self._frames), 1e-3 * atoms.info.get("time_fs", 0.0)
        with h5py.File(self._path, "r+") as file:
            group = file["particles"].require_group(GROUP)
            if self._frames == 0:
                _start(group, atoms)
            for name, value in particles.items():
                _append(group, name, value, *info)
            _append(group["box"], "edges", atoms.cell.array, *info)
            if atoms.calc is not None:
                _append(file["observables"], "potential_energy", atoms.get_potential_energy(), *info)
        self._frames += 1

    def mark(self) -> int:
        """The number of frames, all of which are on the disk."""
        return self._frames

    def close(self) -> None:
        """Nothing: the file is closed after every frame."""


def _begin(file: Any) -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("jaxpot")
    except PackageNotFoundError:
        own = "unknown"
    about = file.create_group("h5md")
    about.attrs["version"] = np.array([1, 1])
    about.create_group("author").attrs["name"] = "unknown"
    about.create_group("creator").attrs.update({"name": "jaxpot", "version": own})
    about.create_group("modules/units").attrs.update({"version": np.array([1, 0]), "system": "Angstrom, ps, eV"})
    file.create_group("particles")
    file.create_group("observables")


def _start(group: Any, atoms: Any) -> None:
    """What does not change from frame to frame."""
    if "box" in group:
        return
    group["species"] = atoms.get_atomic_numbers()
    group["mass"] = atoms.get_masses()
    group["mass"].attrs["unit"] = UNITS["mass"][0]
    box = group.create_group("box")
    box.attrs["dimension"] = 3
    box.attrs["boundary"] = np.array(["periodic" if one else "none" for one in atoms.pbc], "S8")


def _append(group: Any, name: str, value: Any, step: int, time: float) -> None:
    unit, factor = UNITS[name]
    array = np.asarray(value, np.float64) / factor
    if name not in group:
        one = group.create_group(name)
        for part, shape, kind in (("value", array.shape, "f8"), ("step", (), "i8"), ("time", (), "f8")):
            one.create_dataset(part, (0, *shape), kind, maxshape=(None, *shape), chunks=(1 if shape else 64, *shape))
        one["value"].attrs["unit"] = unit
        one["time"].attrs["unit"] = UNITS["time"][0]
    for part, new in (("value", array), ("step", step), ("time", time)):
        dataset = group[name][part]
        dataset.resize(len(dataset) + 1, axis=0)
        dataset[-1] = new


def _series(file: Any) -> dict[str, Any]:
    """All groups of data that change in time, by path."""
    found: dict[str, Any] = {}

    def visit(name: str, thing: Any) -> None:
        if hasattr(thing, "keys") and {"value", "step", "time"} <= set(thing.keys()):
            found[name] = thing

    file.visititems(visit)
    return found


def read_h5md(path: Path) -> Iterator[Atoms]:
    """Reads the frames of an H5MD file: of its only group of particles, with species that are atomic numbers.

    Args:
        path: the file.

    Yields:
        ASE ``Atoms`` with velocities, charges, energy and forces where the file has them.

    Raises:
        FileFormatError: the file is not H5MD, does not say which elements its atoms are, or has an unknown unit.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise FileFormatError(path, None, "is in HDF5, and h5py is not installed", NEEDED) from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FileFormatError(path, None, f"HDF5 cannot open it ({error})", "write the file anew") from error
    with file:
        groups = list(file["particles"].values()) if "particles" in file else []
        if "h5md" not in file or len(groups) != 1:
            message = f"is in HDF5, but not a trajectory of H5MD with one group of particles ({len(groups)} found)"
            raise FileFormatError(path, None, message, "give an H5MD file")
        yield from _frames(path, file, groups[0])


def _frames(path: Path, file: Any, group: Any) -> Iterator[Atoms]:
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    species = _at(group.get("species"), 0)
    if species is None or not (np.asarray(species).dtype.kind in "iuf" and np.all(np.asarray(species) > 0)):
        message = "does not say which elements its atoms are: particles have no species that are atomic numbers"
        raise FileFormatError(path, None, message, "write the file with atomic numbers as species")
    if "position" not in group:
        raise FileFormatError(path, None, "has no positions", "give a file with positions")
    box = group.get("box")
    boundary = [b"none"] * 3 if box is None else list(box.attrs.get("boundary", [b"none"] * 3))
    pbc = [str(one.decode() if isinstance(one, bytes) else one) == "periodic" for one in boundary]
    for k in range(len(group["position"]["value"])):

        def of(name: str, where: Any = group, k: int = k) -> Any:
            return None if where is None or name not in where else _converted(path, where[name], k)

        edges = of("edges", box)
        cell = None if edges is None else np.diag(edges) if edges.ndim == 1 else edges
        atoms = Atoms(np.asarray(species, int), positions=of("position"), cell=cell, pbc=pbc)
        masses = of("mass")
        if masses is not None:
            atoms.set_masses(masses)
        velocities, charges = of("velocity"), of("charge")
        if velocities is not None:
            atoms.set_velocities(velocities)
        if charges is not None:
            atoms.set_initial_charges(charges)
        step = _at(group["position"].get("step"), k)
        if step is not None:
            atoms.info["step"] = int(step)
        results = {"energy": of("potential_energy", file.get("observables")), "forces": of("force")}
        known = {name: value for name, value in results.items() if value is not None}
        if known:
            atoms.calc = SinglePointCalculator(atoms, **known)
        yield atoms


def _at(data: Any, k: int) -> Any:
    """The data of a frame: datasets without a time are the same for all of them."""
    if data is None:
        return None
    if hasattr(data, "keys"):
        return np.asarray(data["value"][k])
    return np.asarray(data[k]) if data.name.endswith(("/step", "/time")) and data.shape else np.asarray(data[()])


def _converted(path: Path, data: Any, k: int) -> Any:
    holder = data["value"] if hasattr(data, "keys") else data
    unit = holder.attrs.get("unit", "")
    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
    if unit and unit not in KNOWN_UNITS:
        message = f"{holder.name} is in {unit!r}, a unit that is not known"
        raise FileFormatError(path, None, message, f"write it in one of {', '.join(sorted(KNOWN_UNITS))}")
    return _at(data, k) * (KNOWN_UNITS[unit] if unit else 1.0)
