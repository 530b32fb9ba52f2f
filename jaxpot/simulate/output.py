"""The files that a run writes. Each can be truncated to its length at a restart."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from jaxpot.io.h5md import H5mdFile
from jaxpot.io.lammps_dump import dump_frame
from jaxpot.simulate.restart import RestartError
from jaxpot.simulate.thermo import Thermo

__all__ = [
    "TextFrames", "ThermoFile", "Trajectory", "TrajectoryFile", "extxyz_frame", "open_trajectory", "read_thermo",
]  # fmt: skip


class ThermoFile:
    """The file ``thermo.csv``, with one line for each record.

    Args:
        path: the file.
        mark: length to which an existing file is truncated, from an earlier :meth:`mark`; None starts a new file.
    """

    def __init__(self, path: Path, mark: int | None = None) -> None:
        self._file = _text_file(path, mark)
        if mark is None:
            self._file.write(",".join(Thermo._fields) + "\n")

    def write(self, row: Thermo) -> None:
        """Append a line; numbers in full, so that reading gives them back.

        Args:
            row: the record.
        """
        self._file.write(",".join(_text(x) for x in row) + "\n")
        self._file.flush()

    def mark(self) -> int:
        """The length of the file, after everything was written to the disk."""
        return _synced(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Trajectory(Protocol):
    """The methods of a trajectory file."""

    def write(self, atoms: Any) -> None:
        """Append a frame."""

    def mark(self) -> int:
        """The length so far, after everything was written to the disk."""

    def close(self) -> None:
        """Close the file."""


class TextFrames:
    """A trajectory that is text: extended XYZ, or a LAMMPS dump.

    Args:
        path: the file.
        mark: length to which an existing file is truncated; None starts a new file.
        text_of: ``(atoms) -> text`` of a frame.
    """

    def __init__(self, path: Path, mark: int | None = None, text_of: Callable[[Any], str] | None = None) -> None:
        self._file = _text_file(path, mark)
        self._text_of = text_of or extxyz_frame

    def write(self, atoms: Any) -> None:
        """Append a frame.

        Args:
            atoms: ASE ``Atoms``.
        """
        self._file.write(self._text_of(atoms))
        self._file.flush()

    def mark(self) -> int:
        """The length of the file in bytes, after everything was written to the disk."""
        return _synced(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TrajectoryFile:
    """An ASE ``.traj`` file.

    Args:
        path: the file.
        mark: number of frames to which an existing file is truncated; None starts a new file.
    """

    def __init__(self, path: Path, mark: int | None = None) -> None:
        from ase.io.trajectory import Trajectory as AseTrajectory

        self._path = path
        frames = []
        if mark is not None:
            with AseTrajectory(path, "r") as old:
                if len(old) < mark:
                    raise RestartError(f"{path}: holds {len(old)} frames, the restart file knows of {mark}")
                frames = [old[k] for k in range(mark)]
        temporary = path.with_name(f".{path.name}.new") if frames else path
        self._file = AseTrajectory(temporary, "w")
        self._frames = 0
        for frame in frames:
            self.write(frame)
        if frames:
            os.replace(temporary, path)

    def write(self, atoms: Any) -> None:
        """Append a frame.

        Args:
            atoms: ASE ``Atoms``.
        """
        self._file.write(atoms)
        self._frames += 1

    def mark(self) -> int:
        """The number of frames, after all were written to the disk."""
        handle = os.open(self._path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        return self._frames

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_trajectory(path: Path, mark: int | None = None) -> Trajectory:
    """A trajectory file in the format of its name: ASE's ``.traj``, ``.h5md``, ``.lammpstrj`` (a LAMMPS dump) or else
    extended XYZ.

    Args:
        path: the file.
        mark: length to which an existing file is truncated, from an earlier ``mark()``; None starts a new file.

    Returns:
        The open file.
    """
    match path.suffix:
        case ".traj":
            return TrajectoryFile(path, mark)
        case ".h5md":
            return H5mdFile(path, mark)
        case ".lammpstrj":
            return TextFrames(path, mark, dump_frame)
    return TextFrames(path, mark)


def extxyz_frame(atoms: Any) -> str:
    """One frame of an extended XYZ file.

    Args:
        atoms: ASE ``Atoms``.
    """
    from ase.io.extxyz import write_extxyz

    text = io.StringIO()
    write_extxyz(text, [atoms])
    return text.getvalue()


def read_thermo(path: Path) -> dict[str, np.ndarray]:
    """The columns of a ``thermo.csv`` by name; NaN where nothing is written.

    Args:
        path: the file.

    Returns:
        Arrays [records].

    Raises:
        ValueError: the file is not one that a run has written.
    """
    lines = path.read_text().splitlines()
    if not lines or lines[0].split(",") != list(Thermo._fields):
        raise ValueError(f"{path}: the first line is not that of a thermo.csv; name the output folder of a run")
    rows = [[float(x) if x else math.nan for x in line.split(",")] for line in lines[1:]]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(Thermo._fields))
    return dict(zip(Thermo._fields, table.T, strict=True))


def _text(value: int | float) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return str(value)


def _text_file(path: Path, mark: int | None) -> TextIO:
    if mark is None:
        return open(path, "w", encoding="utf-8", newline="\n")
    if not path.exists() or path.stat().st_size < mark:
        raise RestartError(
            f"{path}: shorter than the {mark} bytes that the restart file knows of; start anew with --force"
        )
    with open(path, "r+b") as file:
        file.truncate(mark)
    return open(path, "a", encoding="utf-8", newline="\n")


def _synced(file: TextIO) -> int:
    file.flush()
    os.fsync(file.fileno())
    return os.fstat(file.fileno()).st_size
