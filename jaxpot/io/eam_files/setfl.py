"""setfl (`.eam.alloy`), Finnis-Sinclair (`.eam.fs`) and ADP (`.adp`) files: one layout, different tables.

Lines 1 to 3 are comments, line 4 `E name1 ... nameE`, line 5 `n_rho d_rho n_r d_r cutoff`. For every element follow a
line `atomic number, mass, lattice constant, structure`, F(rho), and rho(r): one table, or E of them in an fs file,
where block b, column a is the density of a neighbour of element b at an atom of element a. Then r phi(r) for the pairs
(1, 1), (2, 1), (2, 2), (3, 1) ..., and in an ADP file u(r) and w(r) for the same pairs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from jaxpot.io.eam_files.grid import check_cutoff, read_grid
from jaxpot.io.eam_files.scanner import Scanner, is_number, text_of
from jaxpot.io.eam_files.tables import LEAST_POINTS, EAMTables, Style
from jaxpot.io.eam_files.writing import check_text, rows, write_text
from jaxpot.io.errors import FileFormatError

_COMMENT_LINES = 3


def read_setfl(path: str | os.PathLike[str]) -> EAMTables:
    """Reads a setfl file (LAMMPS's pair_style eam/alloy, `.eam.alloy`).

    Args:
      path: the file. Numbers may be distributed over its lines in any way and may have Fortran exponents (1.0D+00).

    Raises:
      FileFormatError: the file is not exactly of this kind; the message names file, line and remedy.

    Example:
      >>> tables = EAMTables("setfl", ("made here", "", ""), ("Cu",), (29,), (63.546,), (3.615,), ("fcc",),
      ...                    5, 0.1, 6, 0.5, 2.5, np.ones((1, 5)), np.zeros((1, 6)), np.zeros((1, 1, 6)))
      >>> write_setfl("Cu.eam.alloy", tables)
      >>> read_setfl("Cu.eam.alloy").identical(tables)
      True

    Reference:
      S. M. Foiles, M. I. Baskes and M. S. Daw, Phys. Rev. B 33, 7983 (1986); DYNAMO's setfl format as described in the
      manual of LAMMPS, pair_style eam/alloy.
    """
    return _read(path, "setfl")


def read_eam_fs(path: str | os.PathLike[str]) -> EAMTables:
    """Reads a Finnis-Sinclair file (LAMMPS's pair_style eam/fs, `.eam.fs`).

    Args:
      path: the file, as for `read_setfl`.

    Raises:
      FileFormatError: the file is not exactly of this kind, or an eam/he file; the message names file, line and remedy.

    Example:
      >>> density = np.arange(24.0).reshape(2, 2, 6)  # [own, other, n_r]: no symmetry
      >>> tables = EAMTables("fs", ("", "", ""), ("Ni", "Al"), (28, 13), (58.69, 26.98), (3.52, 4.05), ("fcc", "fcc"),
      ...                    5, 0.1, 6, 0.5, 2.5, np.ones((2, 5)), density, np.zeros((2, 2, 6)))
      >>> write_eam_fs("NiAl.eam.fs", tables)
      >>> read_eam_fs("NiAl.eam.fs").density[0, 1]
      array([ 6.,  7.,  8.,  9., 10., 11.])

    Reference:
      G. J. Ackland et al., J. Phys.: Condens. Matter 16, S2629 (2004); the manual of LAMMPS, pair_style eam/fs.
    """
    return _read(path, "fs")


def read_adp(path: str | os.PathLike[str]) -> EAMTables:
    """Reads an angular-dependent potential (LAMMPS's pair_style adp, `.adp`).

    Args:
      path: the file, as for `read_setfl`.

    Raises:
      FileFormatError: the file is not exactly of this kind; the message names file, line and remedy.

    Example:
      >>> pair = np.zeros((1, 1, 6))
      >>> tables = EAMTables("adp", ("", "", ""), ("Cu",), (29,), (63.546,), (3.615,), ("fcc",),
      ...                    5, 0.1, 6, 0.5, 2.5, np.ones((1, 5)), np.zeros((1, 6)), pair, pair + 1, pair + 2)
      >>> write_adp("Cu.adp", tables)
      >>> read_adp("Cu.adp").quadrupole[0, 0]
      array([2., 2., 2., 2., 2., 2.])

    Reference:
      Y. Mishin, M. J. Mehl and D. A. Papaconstantopoulos, Acta Mater. 53, 4029 (2005); the manual of LAMMPS,
      pair_style adp.
    """
    return _read(path, "adp")


def write_setfl(path: str | os.PathLike[str], tables: EAMTables) -> None:
    """Writes a setfl file; LAMMPS (pair_style eam/alloy) and `read_setfl` read exactly the same numbers.

    Args:
      path: the file, replaced atomically.
      tables: tables of style "setfl", from a setfl file or from `merge_funcfl`.

    Raises:
      FileFormatError: the tables are of another style, the format cannot hold a text, or the folder is not writable.
    """
    _write(path, tables, "setfl")


def write_eam_fs(path: str | os.PathLike[str], tables: EAMTables) -> None:
    """Writes a Finnis-Sinclair file; LAMMPS (pair_style eam/fs) and `read_eam_fs` read exactly the same numbers.

    Args:
      path: the file, replaced atomically.
      tables: tables of style "fs".

    Raises:
      FileFormatError: the tables are of another style, the format cannot hold a text, or the folder is not writable.
    """
    _write(path, tables, "fs")


def write_adp(path: str | os.PathLike[str], tables: EAMTables) -> None:
    """Writes an ADP file; LAMMPS (pair_style adp) and `read_adp` read exactly the same numbers.

    Args:
      path: the file, replaced atomically.
      tables: tables of style "adp".

    Raises:
      FileFormatError: the tables are of another style, the format cannot hold a text, or the folder is not writable.
    """
    _write(path, tables, "adp")


def _read(path: str | os.PathLike[str], style: Style) -> EAMTables:
    scan = Scanner(path, _COMMENT_LINES)
    elements = _read_elements(scan)
    count = len(elements)
    grid = read_grid(scan, LEAST_POINTS, is_fs=style == "fs")
    atomic_numbers, masses, lattice_constants, structures = [], [], [], []
    embedding, density = [], []
    for element in elements:
        words, line = scan.header(2, f"the line 'atomic number, mass ...' of {element}")
        atomic_numbers.append(scan.whole(words[0], f"the atomic number of {element}", line, 0))
        masses.append(scan.positive(words[1], f"the mass of {element}", line))
        # LAMMPS needs no more than these two; NiO.eam.fs has no structure.
        rest = words[2:]
        has_lattice_constant = bool(rest) and is_number(rest[0])
        lattice_constants.append(
            scan.number(rest.pop(0), f"the lattice constant of {element}", line) if has_lattice_constant else 0.0
        )
        structures.append(" ".join(map(text_of, rest)))
        embedding.append(scan.numbers(grid.n_rho, f"F(rho) of {element}"))
        for at in elements if style == "fs" else [""]:
            density.append(scan.numbers(grid.n_r, f"rho(r) of {element}" + (f" at {at}" if at else ""), True))
    r_phi = _read_pairs(scan, grid.n_r, elements, "r*phi(r)")
    dipole = _read_pairs(scan, grid.n_r, elements, "u(r)") if style == "adp" else None
    quadrupole = _read_pairs(scan, grid.n_r, elements, "w(r)") if style == "adp" else None
    scan.finish(grid.d_r)
    densities = np.stack(density)
    if style == "fs":
        densities = densities.reshape(count, count, grid.n_r).swapaxes(0, 1)
    check_cutoff(scan, grid, [t for t in (densities, r_phi, dipole, quadrupole) if t is not None])
    return EAMTables(
        style, scan.comments, elements, tuple(atomic_numbers), masses, lattice_constants, tuple(structures),
        grid.n_rho, grid.d_rho, grid.n_r, grid.d_r, grid.cutoff,
        np.stack(embedding), densities, r_phi, dipole, quadrupole,
    )  # fmt: skip


def _read_elements(scan: Scanner) -> tuple[str, ...]:
    words, line = scan.header(1, "the line with the number of elements and their names")
    count = scan.whole(words[0], "the number of elements", line, 1)
    if count != len(words) - 1:
        raise scan.error(
            line, f"says {count} element(s) and names {len(words) - 1}", "write as many names as the number says"
        )
    for word in words[1:]:
        if is_number(word):
            raise scan.error(
                line, f"{text_of(word)!r} is not the name of an element", "write the names after the number"
            )
    elements = tuple(map(text_of, words[1:]))
    if len(set(elements)) < count:
        raise scan.error(line, f"names an element twice: {' '.join(elements)}", "give each element one name")
    return elements


def _read_pairs(scan: Scanner, n_r: int, elements: tuple[str, ...], what: str) -> np.ndarray:
    # Lists and not an array made beforehand: a damaged header may ask for more numbers than any memory holds.
    found = [
        (a, b, scan.numbers(n_r, f"{what} of {elements[a]}-{elements[b]}", True))
        for a in range(len(elements))
        for b in range(a + 1)
    ]
    pairs = np.empty((len(elements), len(elements), n_r))
    for a, b, values in found:
        pairs[a, b] = pairs[b, a] = values
    return pairs


def _write(path: str | os.PathLike[str], tables: EAMTables, style: Style) -> None:
    if tables.style != style:
        raise FileFormatError(
            path,
            None,
            f"these tables are of style {tables.style!r}, not {style!r}",
            "use the writer of that style (merge_funcfl makes a setfl of funcfl tables)",
        )
    if len(tables.comments) > _COMMENT_LINES:
        raise FileFormatError(
            path, None, f"{len(tables.comments)} comment lines where the format has {_COMMENT_LINES}", "leave some out"
        )
    for comment in tables.comments:
        check_text(path, "the comment", comment)
    for element in tables.elements:
        check_text(path, "the element", element, words=1)
        if not element or is_number(element.encode()):
            raise FileFormatError(path, None, f"{element!r} is not the name of an element", "name it with letters")
    for structure in tables.structures:
        check_text(path, "the structure", structure, words=1000)
    write_text(path, _lines(tables))


def _lines(tables: EAMTables) -> Iterator[str]:
    for index in range(_COMMENT_LINES):
        yield (tables.comments[index] if index < len(tables.comments) else "") + "\n"
    yield f"{len(tables.elements)} {' '.join(tables.elements)}\n"
    # repr of a float is the shortest text that gives it back exactly.
    yield f"{tables.n_rho} {tables.d_rho!r} {tables.n_r} {tables.d_r!r} {tables.cutoff!r}\n"
    for index, structure in enumerate(tables.structures):
        mass, lattice_constant = float(tables.masses[index]), float(tables.lattice_constants[index])
        yield f"{tables.atomic_numbers[index]} {mass!r} {lattice_constant!r} {structure}".rstrip(" ") + "\n"
        yield rows(tables.embedding[index])
        yield from map(rows, tables.density[:, index] if tables.style == "fs" else tables.density[index : index + 1])
    for pairs in (tables.r_phi, tables.dipole, tables.quadrupole):
        if pairs is not None:
            yield from (rows(pairs[a, b]) for a in range(len(tables.elements)) for b in range(a + 1))
