"""Reading and writing of tabulated EAM and ADP potentials."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.io.eam_files import (
    STYLES,
    EAMTables,
    Style,
    merge_funcfl,
    read_eam,
    read_funcfl,
    write_adp,
    write_eam_fs,
    write_funcfl,
    write_setfl,
)
from jaxpot.io.eam_files.scanner import is_number
from jaxpot.io.errors import FileFormatError
from jaxpot.numerics.splines import rounded_values
from jaxpot.numerics.tables import ROUNDING, TableGrid, exact_tables
from jaxpot.potential import Potential
from jaxpot.potentials.adp import adp
from jaxpot.potentials.eam import eam
from jaxpot.spec import kind_of, plain_data

__all__ = ["EAM_STYLES", "EAMSource", "has_eam_content", "has_eam_name", "load_eam", "save_eam"]

Path = str | os.PathLike[str]

LAMMPS_NAMES: dict[str, Style] = {"eam": "funcfl", "eam/alloy": "setfl", "eam/fs": "fs"}
EAM_STYLES = (*STYLES, *LAMMPS_NAMES)
# The last two are not supported; the reader gives the reason.
NAMES = (".eam", ".funcfl", ".alloy", ".setfl", ".fs", ".adp", ".he", ".cdeam")
STYLE_OF_NAME: dict[str, Style] = {
    ".eam": "funcfl", ".funcfl": "funcfl", ".alloy": "setfl", ".setfl": "setfl", ".fs": "fs", ".adp": "adp"
}  # fmt: skip
STYLE_OF_POTENTIAL: dict[str, Style] = {"eam": "setfl", "eam_fs": "fs", "adp": "adp"}
WRITERS: dict[Style, Callable[[Path, EAMTables], None]] = {
    "funcfl": write_funcfl, "setfl": write_setfl, "fs": write_eam_fs, "adp": write_adp
}  # fmt: skip
# Names of the tables in params and in files.
FIELDS = {
    "embedding": "embedding", "density": "density", "pair": "r_phi", "dipole": "dipole", "quadrupole": "quadrupole"
}  # fmt: skip


@plain_data
@dataclasses.dataclass(frozen=True, eq=False)
class EAMSource:
    """The content of an EAM or ADP file: comments, masses, lattice constants, grids, and the tables themselves.

    Attributes:
        tables: the tables of the potential's elements, on its grids.
        files: the original funcfl files that ``tables`` were made from; empty for the other styles.
    """

    tables: EAMTables
    files: tuple[EAMTables, ...] = ()


def has_eam_name(path: Path) -> bool:
    """Whether a file name has one of the usual endings."""
    return os.fspath(path).lower().endswith(NAMES)


def has_eam_content(path: Path) -> bool:
    """Whether the header has the right numbers: lines 2 and 3 in funcfl files, 4 and 5 in the others."""
    try:
        with open(path, "rb") as stream:
            lines = [stream.readline(10_000).split() for _ in range(5)]
    except OSError:
        return False

    def numbers(words: list[bytes], least: int) -> bool:
        return len(words) >= least and all(map(is_number, words[:least]))

    funcfl = numbers(lines[1], 2) and numbers(lines[2], 5)
    return funcfl or (numbers(lines[3], 1) and len(lines[3]) > 1 and numbers(lines[4], 5))


def load_eam(
    paths: Sequence[Path], elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """The potential and params of one setfl, fs or ADP file, or of one or several funcfl files.

    Args:
        paths: the files.
        elements: the elements to load, in the order of the species; all by default. A funcfl
            file whose atomic number is no element takes the name at its place.
        style: one of ``EAM_STYLES``; None recognises it from the file.
        cutoff: Å, at most that of the file, which is the default.

    Returns:
        The potential, whose ``spec.file`` is an :class:`EAMSource`, and its params.

    Raises:
        FileFormatError: a file cannot be read or is of another kind.
        ValueError: the files lack one of the elements, or the cutoff is not between 0 and that of the files.
    """
    source = _read(paths, None if elements is None else tuple(elements), style)
    tables = source.tables
    if cutoff is not None:
        if not 0 < cutoff <= tables.cutoff:
            raise ValueError(
                f"cutoff is {cutoff:g} Å; the tables of {os.fspath(paths[0])} end at {tables.cutoff:g} Å: "
                "give a positive length up to that, or leave it out"
            )
        source = dataclasses.replace(source, tables=dataclasses.replace(tables, cutoff=float(cutoff)))
        tables = source.tables
    grid = (tables.n_rho, tables.d_rho, tables.n_r, tables.d_r)
    if tables.style == "adp":
        potential = adp(tables.elements, tables.cutoff, *grid)
    else:
        density: Literal["alloy", "fs"] = "fs" if tables.style == "fs" else "alloy"
        potential = eam(tables.elements, tables.cutoff, *grid, density=density, rho_max=tables.rho_max)
    params = potential.init(**_values(tables))
    return potential.with_file(source), params


def save_eam(path: Path, potential: Potential, params: Params, style: str | None) -> None:
    """Writes a setfl, fs, ADP or funcfl file.

    Tables that did not change since they were loaded are written with the exact numbers of the file, even if the params
    are of lower precision.

    Args:
        path: the file, replaced atomically.
        potential: made by :func:`load_eam`, :func:`jaxpot.eam` or :func:`jaxpot.adp`.
        params: its params.
        style: one of ``EAM_STYLES``; by default taken from the file name, otherwise from the kind of potential. A setfl
            potential can be written as fs. An fs potential can be written as setfl if its densities do not depend on
            the element of the atom that they act on. funcfl holds one element whose tables did not change since they
            were read.

    Raises:
        FileFormatError: the style cannot hold the potential, or the file cannot be written.
        ValueError: the style is unknown, or the params do not fit the potential.
    """
    own = STYLE_OF_POTENTIAL[potential.name]
    source = getattr(potential.spec, "file", None)
    if style is None:
        named = [s for ending, s in STYLE_OF_NAME.items() if os.fspath(path).lower().endswith(ending)]
        chosen = named[0] if named else own
    else:
        chosen = LAMMPS_NAMES.get(style, style)  # type: ignore[arg-type]
        if chosen not in STYLES:
            raise ValueError(f"style is {style!r}; use one of {', '.join(EAM_STYLES)}, or leave it out")
    tables = _updated(source.tables, params) if source is not None else _tables_of(potential, params, own)
    if chosen == "funcfl":
        if source is None or len(source.files) != 1 or not tables.identical(source.tables):
            raise FileFormatError(
                path,
                None,
                "funcfl can hold only one element, as it was read from a funcfl file",
                "name the file *.eam.alloy or give style='setfl'",
            )
        write_funcfl(path, source.files[0])
        return
    WRITERS[chosen](path, _converted(path, tables, chosen))


def _read(paths: Sequence[Path], elements: tuple[str, ...] | None, style: str | None) -> EAMSource:
    if elements is not None and (len(elements) == 0 or len(set(elements)) < len(elements)):
        raise ValueError(f"elements are {list(elements)}; name at least one, and each once")
    names = elements if elements is not None and len(elements) == len(paths) else (None,) * len(paths)
    files = tuple(_read_one(path, name, style) for path, name in zip(paths, names, strict=True))
    if files[0].style != "funcfl" and len(files) == 1:
        return EAMSource(_picked(files[0], elements, paths))
    for path, file in zip(paths, files, strict=True):
        if file.style != "funcfl":
            raise FileFormatError(
                path,
                None,
                f"is one of {len(files)} files, and of style {file.style!r}",
                "only funcfl files go together",
            )
    symbols = [file.elements[0] for file in files]
    twice = [i for i, symbol in enumerate(symbols) if symbol in symbols[:i]]
    if twice:
        raise FileFormatError(paths[twice[0]], 2, f"is another file of {symbols[twice[0]]}", "leave one of them out")
    files = tuple(files[i] for i in _indices(tuple(symbols), elements, paths))
    # The common grid is that of the files in use, as in LAMMPS.
    return EAMSource(merge_funcfl(files), files)


def _read_one(path: Path, name: str | None, style: str | None) -> EAMTables:
    try:
        return read_eam(path, style)
    except FileFormatError as error:
        if name is None or error.line != 2:
            raise
        try:  # a funcfl file with an atomic number that is no element
            return read_funcfl(path, name)
        except FileFormatError:
            raise error from None


def _indices(known: tuple[str, ...], elements: tuple[str, ...] | None, paths: Sequence[Path]) -> list[int]:
    if elements is None:
        return list(range(len(known)))
    for element in elements:
        if element not in known:
            where = os.fspath(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
            raise ValueError(f"{where} has no {element}, only {', '.join(known)}; choose among these in elements=...")
    return [known.index(element) for element in elements]


def _picked(tables: EAMTables, elements: tuple[str, ...] | None, paths: Sequence[Path]) -> EAMTables:
    k = _indices(tables.elements, elements, paths)
    pairs = np.ix_(k, k)
    return dataclasses.replace(
        tables,
        elements=tuple(tables.elements[i] for i in k),
        atomic_numbers=tuple(tables.atomic_numbers[i] for i in k),
        masses=np.asarray(tables.masses)[k],
        lattice_constants=np.asarray(tables.lattice_constants)[k],
        structures=tuple(tables.structures[i] for i in k),
        embedding=tables.embedding[k],
        density=tables.density[pairs] if tables.style == "fs" else tables.density[k],
        r_phi=tables.r_phi[pairs],
        dipole=None if tables.dipole is None else tables.dipole[pairs],
        quadrupole=None if tables.quadrupole is None else tables.quadrupole[pairs],
    )


def _values(tables: EAMTables) -> dict[str, np.ndarray]:
    return {name: getattr(tables, f) for name, f in FIELDS.items() if getattr(tables, f) is not None}


def _updated(tables: EAMTables, params: Params) -> EAMTables:
    """The tables with the numbers of params; tables that params merely round to their precision stay as they are."""
    old = _values(tables)
    new = _exact(params, {name: value.shape for name, value in old.items()})
    rounding = params.get(ROUNDING) or {}
    changed: dict[str, Any] = {}
    for name, values in old.items():
        near, rest = rounded_values(values, jnp.asarray(params[name]).dtype)
        parts = [(near, params[name])] + ([(rest, rounding[name])] if rest is not None and rounding else [])
        if not all(np.array_equal(a, b) for a, b in parts):
            changed[FIELDS[name]] = new[name]
    # A changed pair potential no longer follows from the effective charges.
    charge = tables.effective_charge if "r_phi" not in changed else None
    return dataclasses.replace(tables, **changed, effective_charge=charge)


def _tables_of(potential: Potential, params: Params, style: Style) -> EAMTables:
    """The tables of a potential that was not loaded, with atomic numbers and masses from ASE."""
    from ase.data import atomic_masses, atomic_numbers

    elements, spec = potential.elements, potential.spec
    if elements is None or not isinstance(spec, kind_of("eam") | kind_of("adp")):
        raise ValueError(f"{potential.name} has no grid of tables; make it with jaxpot.eam, jaxpot.adp or jaxpot.load")
    given: dict[str, Any] = spec.arguments()
    grid = TableGrid(*(given[name] for name in TableGrid._fields))
    count = len(elements)
    pairs = (count, count, grid.n_r)
    shapes = {"embedding": (count, grid.n_rho), "density": pairs if style == "fs" else (count, grid.n_r), "pair": pairs}
    if style == "adp":
        shapes |= {"dipole": pairs, "quadrupole": pairs}
    numbers = tuple(atomic_numbers.get(element, 0) for element in elements)
    tables: dict[str, Any] = {FIELDS[name]: value for name, value in _exact(params, shapes).items()}
    return EAMTables(
        style, ("written by jaxpot", "", ""), elements, numbers,
        [float(atomic_masses[n]) if n else 1.0 for n in numbers], [0.0] * count, ("none",) * count,
        *grid, potential.cutoff, **tables,
    )  # fmt: skip


def _exact(params: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    found = {n: np.shape(v) for n, v in params.items() if n != ROUNDING} if isinstance(params, Mapping) else params
    if found != dict(shapes):
        raise ValueError(f"the params are not those of this potential: got {found}, expected {dict(shapes)}")
    exact: dict[str, np.ndarray] = exact_tables(params)
    # The potential evaluates the mean of both halves.
    return {n: v if n in ("embedding", "density") else 0.5 * (v + v.swapaxes(0, 1)) for n, v in exact.items()}


def _converted(path: Path, tables: EAMTables, style: Style) -> EAMTables:
    if style == tables.style:
        return tables
    if {style, tables.style} <= {"setfl", "fs"}:
        if style == "fs":
            density = np.broadcast_to(tables.density[None], tables.r_phi.shape)
            return dataclasses.replace(tables, style="fs", density=density, effective_charge=None)
        if (tables.density == tables.density[:1]).all():
            return dataclasses.replace(tables, style="setfl", density=tables.density[0])
    raise FileFormatError(
        path,
        None,
        f"{style} cannot hold this potential of style {tables.style}",
        f"choose a name or style= for {tables.style}",
    )
