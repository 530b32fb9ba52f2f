"""funcfl (`.eam`) files, with one element each; several of them make an alloy.

Line 1 is a comment, line 2 `atomic number, mass, lattice constant, structure`, line 3 `n_rho d_rho n_r d_r cutoff`;
F(rho), the effective charge Z(r) and rho(r) follow. The pair potential between two elements is the product of their
effective charges.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from jaxpot.io.eam_files.grid import LEAST_POINTS_FUNCFL, check_cutoff, read_grid
from jaxpot.io.eam_files.scanner import Scanner, is_number, text_of
from jaxpot.io.eam_files.tables import CHEMICAL_SYMBOLS, EAMTables
from jaxpot.io.eam_files.writing import check_text, rows, write_text
from jaxpot.io.errors import FileFormatError

CHARGE_SQUARED = 27.2 * 0.529
"""Hartree times Bohr in eV Å, rounded as in LAMMPS: r phi(r) = 27.2 * 0.529 Z_a(r) Z_b(r)."""

Path = str | os.PathLike[str]


def read_funcfl(path: Path | Sequence[Path], elements: str | Sequence[str] | None = None) -> EAMTables:
    """Reads a funcfl file (LAMMPS's pair_style eam, `.eam`), or several and puts them on one grid.

    A single file is returned unchanged, with style "funcfl", so that it can be written again; `merge_funcfl` makes the
    tables that LAMMPS evaluates from it. Several files are returned merged.

    Args:
      path: a file, or a sequence of files with one element each.
      elements: symbol of the file's element, or one for each file; by default taken from the files' atomic numbers.

    Raises:
      FileFormatError: a file is not exactly of this kind; the message names file, line and remedy.
      ValueError: the numbers of elements and files differ.

    Example:
      >>> charge = np.linspace(9.0, 0.0, 6)[None]
      >>> tables = EAMTables("funcfl", ("made here",), ("Cu",), (29,), (63.546,), (3.615,), ("fcc",),
      ...                    5, 0.1, 6, 0.5, 2.5, np.ones((1, 5)), charge,
      ...                    CHARGE_SQUARED * charge * charge[None], effective_charge=charge)
      >>> write_funcfl("Cu.eam", tables)
      >>> read_funcfl("Cu.eam").effective_charge
      array([[9. , 7.2, 5.4, 3.6, 1.8, 0. ]])

    Reference:
      S. M. Foiles, M. I. Baskes and M. S. Daw, Phys. Rev. B 33, 7983 (1986); DYNAMO's funcfl format as described in
      the manual of LAMMPS, pair_style eam.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    names = [elements] if isinstance(elements, str) else [None] * len(paths) if elements is None else list(elements)
    if not paths or len(names) != len(paths):
        raise ValueError(f"{len(names)} element(s) for {len(paths)} funcfl file(s); name one element for each file")
    files = [_read_one(file, name) for file, name in zip(paths, names, strict=True)]
    if len(files) == 1:
        return files[0]
    symbols = [file.elements[0] for file in files]
    for index, symbol in enumerate(symbols):
        if symbol in symbols[:index]:
            raise FileFormatError(
                paths[index], 2, f"is another file of {symbol}", "leave one out, or give both a name with elements=..."
            )
    return merge_funcfl(files)


def merge_funcfl(files: Sequence[EAMTables]) -> EAMTables:
    """Puts the tables of funcfl files on one grid, as LAMMPS does even for a single file.

    Spacing and range are the largest among the files, and the number of points is range / spacing. This is one less
    than a file has, so even a single file loses its last point. Functions are interpolated through four points
    (Lagrange), and are constant beyond the range of their file:

        n_r = int(max_f((n_f - 1) d_f) / max_f(d_f) + 1/2),    r phi_ab(r) = 27.2 * 0.529 Z_a(r) Z_b(r)

    The linear continuation of F begins where the longest file ends, `rho_max` = max_f((n_f - 1) d_f). In the one step
    from the last point of the new table to `rho_max`, LAMMPS takes F as constant. A setfl file cannot express this, so
    there densities beyond the table have a slightly different energy.

    Args:
      files: tables of style "funcfl", each with a different element.

    Returns:
      Tables of style "setfl", with `effective_charge` kept and `rho_max` set.

    Raises:
      ValueError: there are no tables, tables of another style, or two of one element.

    Example:
      >>> charge = np.linspace(9.0, 0.0, 6)[None]
      >>> tables = EAMTables("funcfl", ("made here",), ("Cu",), (29,), (63.546,), (3.615,), ("fcc",),
      ...                    5, 0.1, 6, 0.5, 2.5, np.ones((1, 5)), charge,
      ...                    CHARGE_SQUARED * charge * charge[None], effective_charge=charge)
      >>> merge_funcfl([tables]).effective_charge
      array([[9. , 7.2, 5.4, 3.6, 1.8]])
    """
    charges = []
    for file in files:
        if file.style != "funcfl" or file.effective_charge is None:
            raise ValueError(f"tables of style {file.style!r} cannot be merged; give tables that read_funcfl read")
        charges.append((file.effective_charge, file.d_r))
    if not files:
        raise ValueError("no tables to merge; give one or more that read_funcfl read")
    d_r, d_rho = max(file.d_r for file in files), max(file.d_rho for file in files)
    n_r = int(max((file.n_r - 1) * file.d_r for file in files) / d_r + 0.5)
    rho_max = max((file.n_rho - 1) * file.d_rho for file in files)
    n_rho = int(rho_max / d_rho + 0.5)
    charge = np.concatenate([_resample(values, spacing, n_r, d_r) for values, spacing in charges])
    comments = [comment for file in files for comment in file.comments]
    return EAMTables(
        "setfl",
        # The format has three comment lines.
        tuple(comments if len(comments) <= 3 else [*comments[:2], f"and {len(comments) - 2} more funcfl files"]),
        tuple(file.elements[0] for file in files),
        tuple(file.atomic_numbers[0] for file in files),
        [file.masses[0] for file in files],
        [file.lattice_constants[0] for file in files],
        tuple(file.structures[0] for file in files),
        n_rho, d_rho, n_r, d_r, max(file.cutoff for file in files),
        np.concatenate([_resample(file.embedding, file.d_rho, n_rho, d_rho) for file in files]),
        np.concatenate([_resample(file.density, file.d_r, n_r, d_r) for file in files]),
        _pairs(charge),
        effective_charge=charge,
        rho_max=rho_max,
    )  # fmt: skip


def write_funcfl(path: Path, tables: EAMTables) -> None:
    """Writes a funcfl file, from which LAMMPS (pair_style eam) and `read_funcfl` read exactly the same numbers.

    Args:
      path: the file, replaced atomically.
      tables: tables of style "funcfl"; F(rho), the effective charge and the density are written.

    Raises:
      FileFormatError: the tables are of another style, `r_phi` does not follow from the effective charge, the format
        cannot hold a text, or the folder is not writable.
    """
    if tables.style != "funcfl" or tables.effective_charge is None:
        raise FileFormatError(
            path, None, f"these tables are of style {tables.style!r}, not 'funcfl'", "write them with write_setfl"
        )
    if not np.array_equal(tables.r_phi, _pairs(tables.effective_charge)):
        raise FileFormatError(
            path,
            None,
            "r_phi is not 27.2 * 0.529 times the square of the effective charge, the only form that funcfl can hold",
            "write the tables as setfl (merge_funcfl, write_setfl), or change effective_charge with r_phi",
        )
    if len(tables.comments) > 1:
        raise FileFormatError(path, None, f"{len(tables.comments)} comment lines where funcfl has 1", "leave some out")
    comment, structure = "".join(tables.comments), tables.structures[0]
    check_text(path, "the comment", comment)
    check_text(path, "the structure", structure, words=1000)
    mass, lattice_constant = float(tables.masses[0]), float(tables.lattice_constants[0])
    write_text(
        path,
        [
            comment + "\n",
            f"{tables.atomic_numbers[0]} {mass!r} {lattice_constant!r} {structure}".rstrip(" ") + "\n",
            f"{tables.n_rho} {tables.d_rho!r} {tables.n_r} {tables.d_r!r} {tables.cutoff!r}\n",
            rows(tables.embedding[0]),
            rows(tables.effective_charge[0]),
            rows(tables.density[0]),
        ],
    )


def _read_one(path: Path, element: str | None) -> EAMTables:
    scan = Scanner(path, 1)
    words, line = scan.header(2, "the line 'atomic number, mass, lattice constant, structure'")
    atomic_number = scan.whole(words[0], "the atomic number", line, 0)
    mass = scan.positive(words[1], "the mass", line)
    rest = words[2:]
    lattice_constant = scan.number(rest.pop(0), "the lattice constant", line) if rest and is_number(rest[0]) else 0.0
    structure = " ".join(map(text_of, rest))
    if element is None:
        if not 0 < atomic_number < len(CHEMICAL_SYMBOLS):
            raise scan.error(line, f"atomic number {atomic_number} is no element", "name the element with elements=...")
        element = CHEMICAL_SYMBOLS[atomic_number]
    grid = read_grid(scan, LEAST_POINTS_FUNCFL)
    embedding = scan.numbers(grid.n_rho, "F(rho)")[None]
    charge = scan.numbers(grid.n_r, "Z(r)", True)[None]
    density = scan.numbers(grid.n_r, "rho(r)", True)[None]
    scan.finish(grid.d_r, 4)  # LAMMPS interpolates through four points first
    check_cutoff(scan, grid, [charge, density])
    with np.errstate(over="ignore"):
        r_phi = _pairs(charge)
    if not np.isfinite(r_phi).all():
        raise scan.error(grid.line, f"Z(r) reaches {np.abs(charge).max():g}, too large to be squared", "correct Z(r)")
    return EAMTables(
        "funcfl", scan.comments, (element,), (atomic_number,), [mass], [lattice_constant], (structure,),
        grid.n_rho, grid.d_rho, grid.n_r, grid.d_r, grid.cutoff, embedding, density, r_phi, effective_charge=charge,
    )  # fmt: skip


def _pairs(charge: np.ndarray) -> np.ndarray:
    # The later element comes first, as in LAMMPS: the order of the factors changes the last bit.
    pairs = CHARGE_SQUARED * charge[:, None, :] * charge[None, :, :]
    later_first = np.tri(len(charge), dtype=bool)[:, :, None]
    return np.where(later_first, pairs, pairs.swapaxes(0, 1))


def _resample(values: np.ndarray, spacing: float, n: int, new_spacing: float) -> np.ndarray:
    """Lagrange interpolation by a cubic through the four nearest points; constant beyond the last point."""
    count = values.shape[-1]
    if spacing == new_spacing and n <= count:
        return values[..., :n]
    position = np.minimum(np.arange(n) * (new_spacing / spacing), count)
    # Index of the second of the four points; at the ends the outermost four are used.
    second = np.clip(position.astype(np.int64), 1, count - 3)
    p = np.minimum(position - second, 2.0)
    weights = [
        -p * (p - 1) * (p - 2) / 6,
        (p + 1) * (p - 1) * (p - 2) / 2,
        -(p + 1) * p * (p - 2) / 2,
        (p + 1) * p * (p - 1) / 6,
    ]
    return sum(weight * values[..., second + offset] for offset, weight in enumerate(weights, start=-1))
