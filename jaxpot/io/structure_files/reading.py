"""Structures from files of all supported formats, and from folders of such files."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxpot.io.errors import FileFormatError, warn
from jaxpot.io.h5md import is_hdf5, read_h5md
from jaxpot.io.structure_files.by_ase import read_by_ase
from jaxpot.io.structure_files.elements import is_element
from jaxpot.io.structure_files.fitsnap import is_fitsnap, read_fitsnap
from jaxpot.io.structure_files.lammps_data import is_lammps_data, read_lammps_data
from jaxpot.io.structure_files.lammps_dump import is_lammps_dump, read_lammps_dump
from jaxpot.io.structure_files.runner import is_runner, read_runner

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["FORMATS", "UNITS", "FileKind", "files_in", "read_frames"]

HEAD = 16384  # bytes that are read to recognise a file
FORMATS = ("lammps-data", "lammps-dump", "runner", "fitsnap", "h5md")  # formats besides those of ASE
UNITS = {
    "metal": "Å and eV", "atomic": "Bohr and Hartree", "real": "Å and kcal/mol"
}  # fmt: skip
GROUPED = {".json": "fitsnap", ".xyz": "extxyz", ".extxyz": "extxyz"}


class FileKind(NamedTuple):
    """What the caller says about files: things that the files themselves leave open.

    Attributes:
        format: ASE's name of the format, or ``"lammps-data"``, ``"lammps-data/STYLE"`` (of atoms), ``"lammps-dump"``,
            ``"runner"``, ``"fitsnap"``, ``"h5md"``; None recognises it.
        types: chemical symbols of numbered atom types, in the order of the numbers.
        units: ``"metal"``, ``"atomic"`` or ``"real"``, for ``input.data`` and dumps.

    Example:
        >>> FileKind(types=("Cu", "Ni")).types
        ('Cu', 'Ni')
    """

    format: str | None = None
    types: tuple[str, ...] | None = None
    units: str | None = None

    def checked(self) -> FileKind:
        """Returns the object itself after checking its fields.

        Raises:
            ValueError: a type is no chemical symbol, or the units are unknown.
        """
        strange = [symbol for symbol in self.types or () if not is_element(symbol)]
        if strange or self.types == ():
            what = repr(strange[0]) + " is no chemical symbol" if strange else "no types are named"
            raise ValueError(f"{what}; name the elements of the atom types, such as Cu,Ni")
        if self.units is not None and self.units not in UNITS:
            known = ", ".join(f"{name} ({what})" for name, what in UNITS.items())
            raise ValueError(f"units {self.units!r} are not known; use {known}")
        return self


def read_frames(path: str | os.PathLike[str], kind: FileKind | None = None) -> Iterator[Atoms]:
    """Reads the structures in a file, with their labels.

    Args:
        path: the file: any that ASE reads, a LAMMPS data file or text dump, an H5MD trajectory, an ``input.data`` of
            RuNNer or n2p2, or a JSON file of FitSNAP, recognised by content or by name.
        kind: what the file itself leaves open.

    Yields:
        ASE ``Atoms``, at least one, none of them empty.

    Raises:
        FileFormatError: the file is missing, faulty or of an unknown kind, or does not give its elements or units.
        ValueError: ``kind`` makes no sense.

    Example:
        >>> from ase.build import bulk
        >>> bulk("Cu", a=3.6).write("copper.cif")
        >>> [atoms.get_chemical_formula() for atoms in read_frames("copper.cif")]
        ['Cu']
    """
    kind = (kind or FileKind()).checked()
    file = Path(path)
    if not file.exists():
        raise FileFormatError(path, None, "no such file", "name a file of structures")
    if file.is_dir():
        raise FileFormatError(path, None, "this is a folder", "name a file of structures in it")
    number = 0
    for number, atoms in enumerate(_read(file, kind), 1):
        if len(atoms) == 0:
            raise FileFormatError(path, None, f"frame {number - 1} has no atoms", "delete the frame")
        yield atoms
    if number == 0:
        raise FileFormatError(path, None, "there is no frame in this file", "give a file with structures")


def _read(path: Path, kind: FileKind) -> Iterator[Atoms]:
    try:
        with open(path, "rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise FileFormatError(path, None, f"cannot be read: {error.strerror}", "check its permissions") from error
    if not head.strip():
        raise FileFormatError(path, None, "the file is empty", "give a file with structures")
    if head.startswith(b"\x1f\x8b") and _recognised(_unpacked(path)):
        raise FileFormatError(path, None, "is compressed", "unpack it")
    name, _, style = (kind.format or _recognised(head)).partition("/")
    match name:
        case "lammps-data":
            return read_lammps_data(path, style or None, kind.types)
        case "lammps-dump" | "lammps-dump-text":
            return read_lammps_dump(path, kind.types, kind.units)
        case "runner" | "runnerdata" | "n2p2":
            return read_runner(path, kind.units)
        case "fitsnap":
            return read_fitsnap(path)
        case "h5md":
            return read_h5md(path)
    return read_by_ase(path, kind.format, kind.types)


def _unpacked(path: Path) -> bytes:
    """The beginning of the unpacked content of a gzip file."""
    try:
        with gzip.open(path) as stream:
            return stream.read(HEAD)
    except (OSError, EOFError, zlib.error):
        return b""


def _recognised(head: bytes) -> str:
    for name, is_it in (
        ("h5md", is_hdf5), ("lammps-dump", is_lammps_dump), ("runner", is_runner), ("fitsnap", is_fitsnap),
        ("lammps-data", is_lammps_data),
    ):  # fmt: skip
        if is_it(head):
            return name
    return ""


def files_in(folder: str | os.PathLike[str]) -> list[tuple[Path, str]]:
    """Lists the files in a folder of structures, each with the name of its group.

    A folder of FitSNAP holds one subfolder of JSON files, or one ``.xyz`` file, for each group.

    Args:
        folder: the folder.

    Returns:
        Files in the order of their names, with their groups.

    Raises:
        FileFormatError: there is no such file in it.
    """
    top = Path(folder)
    found = sorted(path for path in top.rglob("*") if path.suffix.lower() in GROUPED and path.is_file())
    if not found and any(top.rglob("type.raw")):
        convert = "dpdata.LabeledSystem(folder, fmt='deepmd/npy')"
        raise FileFormatError(
            folder, None, "this is a folder of DeePMD-kit, which is not read",
            f"convert it: pip install dpdata, then ase.io.write('data.extxyz', {convert}.to('ase/structure'))",
        )  # fmt: skip
    if not found:
        endings = ", ".join(GROUPED)
        raise FileFormatError(folder, None, f"this is a folder without {endings} files", "name a file of structures")
    others = sorted(
        path.name for path in top.rglob("*") if path.is_file() and path not in set(found) and path.name[0] != "."
    )
    if others:
        some = ", ".join(others[:3]) + (" ..." if len(others) > 3 else "")
        warn(folder, None, f"{len(others)} files of other kinds in this folder are not read: {some}")
    return [(path, _group(path, top)) for path in found]


def _group(path: Path, top: Path) -> str:
    parts = path.relative_to(top).parent.parts
    if path.suffix.lower() == ".json":
        return "/".join(parts) or top.name
    return "/".join([*parts, path.stem])
