"""Structure files that ASE reads, without its guesses for elements of old POSCARs, shared sites, unknown symbols."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.io.errors import FileFormatError, warn
from jaxpot.io.structure_files.elements import REMEDY_TYPES, is_element

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["frames_of_ase", "line_of_frame", "read_by_ase"]

POSCAR = ("vasp",)
XYZ = ("extxyz", "xyz")


def read_by_ase(path: Path, format: str | None, types: Sequence[str] | None) -> Iterator[Atoms]:
    """Reads the structures in a file of any format that ASE knows.

    Args:
        path: the file.
        format: ASE's name of the format; by default recognised by file name and content.
        types: chemical symbols of the numbered types of an xyz file, or of the kinds of atoms of a POSCAR without
            symbols.

    Yields:
        ASE ``Atoms``.

    Raises:
        FileFormatError: ASE cannot read the file, a site is shared or partly occupied, or elements are unknown.
    """
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    try:
        kind = format or filetype(str(path))
    except UnknownFileTypeError:
        kind = ""
    if kind not in ioformats:
        message = f"is of a format {format!r} that is not known" if format else "is of no format that is recognised"
        raise FileFormatError(
            path,
            None,
            message,
            "name it by format=, such as 'extxyz', 'vasp', 'cif' or 'lammps-data' (--structure-format)",
        )
    source = _with_symbols(path, types) if kind in POSCAR else str(path)
    for number, atoms in enumerate(frames_of_ase(path, source, kind)):
        _check(path, number, kind, atoms, types)
        yield atoms


def frames_of_ase(path: Path, source: Any, kind: str) -> Iterator[Any]:
    """Reads structures with ASE, and turns its exceptions into FileFormatError.

    Args:
        path: the file, for messages.
        source: the file, or a stream.
        kind: ASE's name of the format.

    Raises:
        FileFormatError: ASE cannot read it.
    """
    from ase.io import iread

    number = 0
    try:
        for atoms in iread(source, index=":", format=kind):
            yield atoms
            number += 1
    except GeneratorExit:
        raise
    except Exception as error:  # ASE's readers raise whatever their parsers do
        reason = " ".join(str(error).split())[:200] or "no message"
        line = line_of_frame(path, number) if kind in XYZ else None
        message = f"ASE cannot read frame {number}, taken as {kind} ({type(error).__name__}: {reason})"
        raise FileFormatError(
            path, line, message, "check that the file is whole, or name another format by format= (--structure-format)"
        ) from error


def line_of_frame(path: Path, number: int) -> int | None:
    """The line, counted from 1, where a frame of an xyz file begins; None where it cannot be found.

    Args:
        path: the file.
        number: number of the frame, counted from 0.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            line = 1
            for _ in range(number):
                count = int(stream.readline())
                for _ in range(count + 1):
                    stream.readline()
                line += count + 2
        return line
    except (OSError, ValueError):
        return None


def _with_symbols(path: Path, types: Sequence[str] | None) -> Any:
    """The path of a POSCAR, or the text of one of VASP 4 with the symbols of ``types`` or of its first line."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(lines) < 7:
        return str(path)
    counts = lines[5].split("!")[0].split()
    if not counts or not all(word.isdigit() for word in counts):
        return str(path)
    symbols = types
    if symbols is None:
        symbols = lines[0].split()
        if len(symbols) != len(counts) or not all(map(is_element, symbols)):
            raise FileFormatError(
                path, 6, "names no elements (a POSCAR of VASP 4)", f"add a line of symbols before it, or {REMEDY_TYPES}"
            )
        warn(path, 1, f"names no elements (a POSCAR of VASP 4) but in its title; they are taken as {' '.join(symbols)}")
    elif len(symbols) != len(counts):
        message = f"has {len(counts)} kinds of atoms, but {len(symbols)} are named: {','.join(symbols)}"
        raise FileFormatError(path, 6, message, "name each of them")
    return io.StringIO("\n".join([*lines[:5], " ".join(symbols), *lines[5:]]) + "\n")


def _check(path: Path, number: int, kind: str, atoms: Any, types: Sequence[str] | None) -> None:
    """Refuses a structure with partly occupied sites, unknown elements or misspelt keys."""
    for site, shares in dict(atoms.info.get("occupancy") or {}).items():
        if len(shares) > 1 or any(abs(share - 1.0) > 1e-6 for share in shares.values()):
            labels = ", ".join(f"{share:g} {symbol}" for symbol, share in shares.items())
            where = _site(path, site, shares)
            raise FileFormatError(
                path, where[0], f"frame {number}: the site {where[1]} is occupied by {labels}",
                "give a structure in which every site holds one whole atom",
            )  # fmt: skip
    line = line_of_frame(path, number) if kind in XYZ else None
    for key in atoms.info if kind in XYZ else ():
        if key.lower() in ("lattice", "properties"):
            right = key.capitalize()
            message = f"frame {number}: {key}= is not what the format calls it, and so is not read"
            raise FileFormatError(path, line, message, f"write {right}=")
    unknown = [k for k, z in enumerate(atoms.numbers) if not 0 < z <= 118]
    if not unknown:
        return
    kinds = atoms.arrays.get("type")
    if kinds is None or types is None or not 1 <= int(kinds.min()) <= int(kinds.max()) <= len(types):
        message = f"frame {number}: the element of atom {unknown[0]} is not known"
        raise FileFormatError(
            path, line, message, f"give the file chemical symbols (a column species), or {REMEDY_TYPES}"
        )
    atoms.set_chemical_symbols([types[int(k) - 1] for k in kinds])


def _site(path: Path, site: str, shares: dict[str, float]) -> tuple[int | None, str]:
    """Line and label of a site in a CIF; line None where it is not found."""
    labels = [f"{symbol}" for symbol in shares]
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if len(words) > 4 and re.match(rf"({'|'.join(labels)})(?![a-z])", words[0]) and _partial(words, shares):
            return number, words[0]
    return None, f"number {site}"


def _partial(words: Sequence[str], shares: dict[str, float]) -> bool:
    """Whether the words of a line of a CIF hold one of the occupancies."""
    found = set()
    for word in words:
        try:
            found.add(round(float(word.split("(")[0]), 6))
        except ValueError:
            continue
    return any(round(share, 6) in found for share in shares.values() if abs(share - 1.0) > 1e-6)
