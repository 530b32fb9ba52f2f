"""Structures that the command line takes: files that ASE reads, or a crystal in one word."""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxpot.io.structure_files import FileKind, read_frames
from jaxpot.neighbors import neighbor_list
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "check_output", "check_structure", "format_to_write", "output_folder", "read_structures", "write_structures",
]  # fmt: skip

LATTICES = ("sc", "fcc", "bcc", "diamond", "hcp")
FORM = "LATTICE:ELEMENT:A or LATTICE:ELEMENT:A:NxNxN, such as bcc:Fe:2.87:10x10x10"
TOO_CLOSE = 0.3  # Å; shorter than any distance in a sensible simulation


def read_structures(text: str, kind: FileKind | None = None) -> list[Atoms]:
    """All frames of a structure file, or the crystal that a word such as ``bcc:Fe:2.87:10x10x10`` describes.

    Args:
        text: path of a file of structures (:func:`jaxpot.io.structure_files.read_frames`), or LATTICE:ELEMENT:A[:NxNxN]
            with A in Å and the cubic cell repeated (for hcp the orthorhombic one, with the ideal c/a).
        kind: what the file itself leaves open.

    Returns:
        ASE ``Atoms``, at least one.

    Raises:
        ValueError: the file is missing, cannot be read or does not say which elements its atoms are, or the word does
            not have this form.
    """
    lattice = text.split(":")[0]
    if lattice in LATTICES and not Path(text).exists():
        return [_crystal(text)]
    if not text or not Path(text).exists():
        raise ValueError(
            f"{text or '(no name)'}: no such file; name a structure file that ASE reads, or a crystal as {FORM}"
        )
    return list(read_frames(text, kind))


def check_output(path: Path, option: str) -> None:
    """Raise ValueError where a file cannot be written, before anything is computed for it.

    Args:
        path: the file.
        option: the option that named it, for the message.
    """
    if path.is_dir():
        raise ValueError(f"{option} {path}: this is a folder; name a file in it")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{option} {path}: there is no folder {path.parent}; make it first, or name another")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise ValueError(f"{option} {path}: cannot be written to; name another file")


@contextlib.contextmanager
def output_folder(path: Path) -> Iterator[None]:
    """Makes the folder of ``--output`` at once, so that it is there from the start; bad input leaves none behind.

    Args:
        path: the folder, which may exist.

    Raises:
        ValueError: it is a file, or cannot be written to.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; name a folder for the output")
    new = [folder for folder in (path, *path.absolute().parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be written to ({error.strerror}); name another folder") from None
    if not os.access(path, os.W_OK):
        raise ValueError(f"{path} cannot be written to; name another folder with --output")
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # what holds something stays
            for folder in new:
                folder.rmdir()
        raise


def format_to_write(path: Path, frames: int) -> str:
    """The format in which a file will be written, taken from its name.

    Args:
        path: the file.
        frames: the number of structures that it will hold.

    Returns:
        ASE's name of the format.

    Raises:
        ValueError: ASE does not know or does not write the format, or the format holds one structure only.
    """
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    try:
        kind = ioformats[filetype(path, read=False)]
    except (UnknownFileTypeError, KeyError):
        raise ValueError(f"{path}: ASE does not know how to write such a file; end its name in .extxyz") from None
    if not kind.can_write:
        raise ValueError(f"{path}: ASE reads but does not write {kind.name} files; end its name in .extxyz")
    if kind.single and frames > 1:
        raise ValueError(f"{path}: a {kind.name} file holds one structure, not {frames}; end its name in .extxyz")
    return str(kind.name)


def write_structures(path: Path, frames: list[Atoms], kind: str) -> None:
    """Write structures to a file, which is replaced as a whole or not at all.

    Args:
        path: the file.
        frames: ASE ``Atoms``.
        kind: the format, from :func:`format_to_write`.

    Raises:
        ValueError: the format cannot hold them.
    """
    from ase.io import write

    # in a temporary folder: some formats write several files, or look at the name
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".jaxpot-") as folder:
        temporary = Path(folder, path.name)
        try:
            write(temporary, frames if len(frames) > 1 else frames[0], format=kind)
        except Exception as error:  # ASE's writers raise whatever they meet
            reason = " ".join(str(error).split()) or "no message"
            raise ValueError(
                f"{path}: ASE cannot write this as {kind} ({type(error).__name__}: {reason[:200]}); end its name in "
                ".extxyz"
            ) from error
        os.replace(temporary, path)


def _crystal(text: str) -> Atoms:
    from ase.build import bulk

    match = re.fullmatch(r"(\w+):([A-Z][a-z]?):([0-9.eE+-]+)(?::(\d+)x(\d+)x(\d+))?", text)
    wrong = ValueError(f"{text}: not a crystal; write {FORM}, with one of the lattices {', '.join(LATTICES)}")
    if match is None:
        raise wrong
    lattice, element, a, *repeat = match.groups()
    try:
        edge = float(a)
    except ValueError:
        raise wrong from None
    if not (math.isfinite(edge) and edge > 0):
        raise ValueError(f"{text}: the lattice constant must be a positive length in Å, got {a}")
    numbers = tuple(int(n) for n in repeat) if repeat[0] is not None else (1, 1, 1)
    if min(numbers) < 1:
        raise ValueError(f"{text}: the cell must be repeated at least once along each axis")
    try:
        if lattice == "hcp":
            return bulk(element, "hcp", a=edge, covera=math.sqrt(8 / 3), orthorhombic=True) * numbers
        return bulk(element, lattice, a=edge, cubic=True) * numbers
    except KeyError:
        raise ValueError(f"{text}: {element} is not a chemical element") from None


def check_structure(atoms: Atoms, where: str) -> None:
    """Raise ValueError where a structure makes no sense: not finite, no volume, or atoms on top of each other.

    Args:
        atoms: ASE ``Atoms``.
        where: the beginning of the message, such as file and frame.
    """
    try:
        system = System.create(atoms.positions, 0, atoms.cell.array, atoms.pbc)
        near = neighbor_list(TOO_CLOSE, 0.0).allocate(system)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    found = np.argwhere(np.asarray(near.mask))
    if len(found):
        i = int(found[0][0])
        j = int(np.asarray(near.others)[i, found[0][1]])
        symbols = atoms.get_chemical_symbols()
        other = "its own image" if i == j else f"atom {j} ({symbols[j]})"
        raise ValueError(
            f"{where}: atom {i} ({symbols[i]}) and {other} are closer than {TOO_CLOSE} Å; "
            "delete one of them, or check the cell and the units (Å)"
        )
