"""Reading and writing of angular potentials in the files of LAMMPS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.io.angular_files import EV_OF_REAL, KINDS, AngularFile, Column, Entry, FileKind, read_entries
from jaxpot.io.eam_files.writing import check_text, write_text
from jaxpot.io.errors import FileFormatError, warn
from jaxpot.potential import Potential
from jaxpot.potentials.angular.edip import edip
from jaxpot.potentials.angular.stillinger_weber import stillinger_weber
from jaxpot.potentials.angular.tersoff import tersoff
from jaxpot.potentials.angular.tersoff_mod import tersoff_mod
from jaxpot.potentials.angular.vashishta import vashishta
from jaxpot.spec import LEFT_OUT

__all__ = ["ANGULAR_STYLES", "has_angular_content", "has_angular_name", "load_angular", "save_angular"]

Path = str | os.PathLike[str]
MEAN = "/mean"  # ending of a style that accepts entries which differ
ANGULAR_STYLES = tuple(kind.style + end for kind in KINDS for end in ("", MEAN))
ROUNDING = 1e-6  # relative difference of entries that should agree
ROUNDING_OF_ENDS = 1e-5  # the same for R +- D, of which shipped files give five digits
LAMMPS_SWITCH = (0.25, 0.35)  # of sw/mod


def has_angular_name(path: Path) -> bool:
    """Whether a file name has one of the usual endings."""
    return any(os.fspath(path).lower().endswith(kind.ending) for kind in KINDS)


def has_angular_content(path: Path) -> bool:
    """Whether a file that is named like one can be read; entries alone do not show which kind they are of."""
    if os.path.isdir(path) or not has_angular_name(path):
        return False
    try:
        read_entries(path, _kind_of_file(path, None))
    except FileFormatError:
        return False
    return True


def load_angular(
    paths: Sequence[Path], elements: Sequence[str] | Mapping[str, str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """Reads a potential from its file, for :func:`jaxpot.load`."""
    if len(paths) != 1:
        raise ValueError(f"give one file of an angular potential, got {[os.fspath(path) for path in paths]}")
    path = paths[0]
    kind = _kind_of_file(path, style)
    comments, entries, real = read_entries(path, kind)
    known = list(dict.fromkeys(name for entry in entries for name in entry.names))
    chosen = {name: name for name in known} if elements is None else _mapping(elements)
    strange = [name for name in chosen.values() if name not in known]
    if strange or not chosen:
        raise ValueError(f"{os.fspath(path)} has the elements {', '.join(known)}, not {', '.join(strange) or 'none'}")
    names = tuple(chosen.values())
    used = _used(path, entries, names, elements is None)
    unit = EV_OF_REAL if real else 1.0
    tables = {
        column.name: np.array([[[float(used[i, j, k].words[place]) for k in names] for j in names] for i in names])
        * (unit if column.energy else 1.0)
        for place, column in enumerate(kind.columns)
    }
    _compare(path, kind, tables, names, used, style is not None and style.endswith(MEAN))
    for name in ("n", "eta") if "n" in tables else ():
        if name in tables and not _of_pairs(tables[name]).all():
            raise FileFormatError(path, None, f"{name} is 0 for a pair", "it must be positive in entries i j j")
    params = {c.name: _table(c, tables[c.name], len(chosen)) for c in kind.columns if c.of in ("pair", "angle")}
    kept = tuple((*entry.names, *entry.words) for entry in entries if set(entry.names) <= set(names))
    file = AngularFile(kind.style, comments, names, kept, real)
    try:
        potential = _made(path, kind, tuple(chosen), tables, cutoff)
    except ValueError as error:
        raise FileFormatError(path, None, str(error), "correct the file") from error
    return potential.with_file(file), params


def _kind_of_file(path: Path, style: str | None) -> FileKind:
    if style is not None:
        return next(kind for kind in KINDS if kind.style == style.removesuffix(MEAN))
    return next(kind for kind in KINDS if os.fspath(path).lower().endswith(kind.ending))


def _mapping(elements: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """The file's name of each element."""
    mapping = dict(elements) if isinstance(elements, Mapping) else {name: name for name in elements}
    if len(mapping) != len(elements):
        raise ValueError(f"elements has a symbol twice: {list(elements)}")
    return mapping


def _used(path: Path, entries: list[Entry], names: tuple[str, ...], everything: bool) -> dict[tuple[str, ...], Entry]:
    """The entries of the chosen elements by their names; FileFormatError where one is missing, or comes twice."""
    used: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        if entry.names in used:
            said = f"the entry {' '.join(entry.names)} comes again, after line {used[entry.names].line}"
            raise FileFormatError(path, entry.line, said, "leave out one of them")
        used[entry.names] = entry
    for triple in product(names, repeat=3):
        if triple not in used:
            remedy = "choose elements that it is for, by elements=[...]" if everything else "add it, or choose others"
            raise FileFormatError(path, None, f"has no entry {' '.join(triple)}", remedy)
    return used


def _compare(
    path: Path,
    kind: FileKind,
    tables: dict[str, np.ndarray],
    names: tuple[str, ...],
    used: dict[tuple[str, ...], Entry],
    any_difference: bool,
) -> None:
    """Compare entries that should agree, from both ends of a pair and in both orders of an angle."""
    compared = []
    if "R" in tables:
        ends = [_of_pairs(tables["R"] + sign * tables["D"]) for sign in (-1, 1)]
        compared += [("R - D", ends[0], ends[0].T, ROUNDING_OF_ENDS), ("R + D", ends[1], ends[1].T, ROUNDING_OF_ENDS)]
    for column in kind.columns:
        table = tables[column.name]
        if column.ends and column.name not in ("R", "D"):
            compared.append((column.name, _of_pairs(table), _of_pairs(table).T, ROUNDING))
        if column.orders and not (column.name in ("epsilon", "lambda") and "epsilon" in tables):
            compared.append((column.name, table, table.swapaxes(1, 2), ROUNDING))
    if "epsilon" in tables:  # of Stillinger and Weber's: only the product counts
        strength = tables["lambda"] * tables["epsilon"]
        compared.append(("lambda epsilon", strength, strength.swapaxes(1, 2), ROUNDING))
        strength = _of_pairs(tables["A"][:] * tables["epsilon"])
        compared.append(("A epsilon", strength, strength.T, ROUNDING))
    for what, one, other, allowed in compared:
        difference = np.abs(one - other)
        if not difference.any():
            continue
        size = np.where(difference > 0, np.maximum(np.abs(one), np.abs(other)), 1.0)
        worst = np.unravel_index(np.argmax(difference / size), one.shape)
        index = tuple(int(k) for k in worst)
        i, j, k = index if len(index) == 3 else (*index, index[1])
        first = (names[i], names[j], names[k])
        second = (names[i], names[k], names[j]) if len(index) == 3 else (names[j], names[i], names[i])
        said = f"{what} is {one[worst]:.9g} for {' '.join(first)} and {other[worst]:.9g} for {' '.join(second)}"
        if not any_difference and difference[worst] > allowed * max(abs(one[worst]), abs(other[worst])):
            raise FileFormatError(
                path, used[second].line, f"{said}, which should agree",
                f"correct the file, or take the mean by style={kind.style + MEAN!r}"
            )  # fmt: skip
        warn(path, used[second].line, f"{said}; the energy is the mean of both, where LAMMPS takes one")


def _of_pairs(table: np.ndarray) -> np.ndarray:
    """[i, j] the values [i, j, j] of a table."""
    return np.diagonal(table, axis1=1, axis2=2)


def _table(column: Column, table: np.ndarray, count: int) -> Any:
    live = _of_pairs(table) if column.of == "pair" else table
    return jnp.asarray(live.reshape(()) if count == 1 else live)


def _made(
    path: Path, kind: FileKind, elements: tuple[str, ...], tables: dict[str, np.ndarray], cutoff: float | None
) -> Potential:
    """The potential without params."""
    if kind.potential == "stillinger_weber":
        range_ = _of_pairs(tables["a"] * tables["sigma"])
    elif kind.potential in ("edip", "vashishta"):
        range_ = _of_pairs(tables["a" if kind.potential == "edip" else "rc"])
    else:
        range_ = tables["R"] + tables["D"]
    longest = float(range_.max())
    if cutoff is not None and cutoff < longest:
        raise ValueError(f"the file's functions end at {longest:g} Å; cutoff={cutoff:g} would cut them off")
    cutoff = longest if cutoff is None else float(cutoff)
    if kind.potential == "stillinger_weber":
        return stillinger_weber(cutoff, elements, LAMMPS_SWITCH if kind.style == "sw/mod" else None)
    if kind.potential == "edip":
        return edip(cutoff, elements)
    if kind.potential == "vashishta":
        reach = float(_of_pairs(tables["r0"]).max())
        return vashishta(cutoff, elements, min(cutoff, reach + (cutoff - longest)) if reach > 0 else None)
    power = next(tables[column.name] for column in kind.columns if column.of == "power").astype(int)
    powers: Any = int(power.flat[0]) if len(set(power.flat)) == 1 else power.tolist()
    factory = tersoff if kind.potential == "tersoff" else tersoff_mod
    return factory(cutoff, elements, powers)


def save_angular(path: Path, potential: Potential, params: Params, style: str | None) -> None:
    """Writes a file, for :func:`jaxpot.save`."""
    assert potential.spec is not None
    kind = _kind_to_write(path, potential, params, style)
    if potential.elements is None:
        raise FileFormatError(path, None, "a file names its elements", "make the potential with elements=[...]")
    said = potential.spec.file
    file = said if isinstance(said, AngularFile) else AngularFile(kind.style, (), potential.elements, ())
    for name in file.names:
        check_text(path, "the element", name, words=1)
    count = len(file.names)
    unit = EV_OF_REAL if file.real else 1.0
    tables = {name: _full(path, name, value, count) for name, value in params.items()}
    power = potential.spec.arguments().get("power", LEFT_OUT)
    if power is LEFT_OUT:
        power = 1 if kind.potential == "tersoff_mod" else 3  # the factories' defaults
    powers = np.broadcast_to(np.asarray(power), (count,) * 3)
    known = {entry[:3]: entry[3:] for entry in file.entries}
    triples = list(known) or [tuple(t) for t in product(file.names, repeat=3)]
    comments = file.comments or (f"# pair_style {kind.style}, written by jaxpot UNITS: metal",)
    lines = [f"{line}\n" for line in comments]
    columns = " ".join(column.name for column in kind.columns)
    if not file.comments:
        lines.append(f"# element element element {columns}\n")
    for triple in triples:
        i, j, k = (file.names.index(name) for name in triple)
        texts = known.get(triple, ())
        words = []
        for place, column in enumerate(kind.columns):
            text = texts[place] if place < len(texts) else None
            if not isinstance(column.of, str):
                words.append(text or repr(column.of))
            elif column.of == "power":
                words.append(_text(float(powers[i, j, k]), text, np.float64, 1.0))
            elif column.of == "pair" and j != k:  # of no meaning
                words.append(text or "0.0")
            else:
                value = tables[column.name][i, j, k]
                words.append(_text(value, text, tables[column.name].dtype.type, unit if column.energy else 1.0))
        lines.append(" ".join((*triple, *words)) + "\n")
    write_text(path, lines)


def _kind_to_write(path: Path, potential: Potential, params: Params, style: str | None) -> FileKind:
    """The kind of file for a potential; FileFormatError where there is none, or another was asked for."""
    assert potential.spec is not None
    arguments = potential.spec.arguments()
    name = type(potential.spec).kind
    if name == "stillinger_weber":
        switch = arguments.get("angle_switch")
        own = "sw/mod" if isinstance(switch, tuple) else "sw"
        if own == "sw/mod" and switch != LAMMPS_SWITCH:
            raise FileFormatError(path, None, f"angle_switch is {switch}", f"LAMMPS's sw/mod has {LAMMPS_SWITCH}")
    elif name == "tersoff":
        own = "tersoff/zbl" if "Z_i" in params else "tersoff"
        if isinstance(arguments.get("shift"), int | float) and arguments["shift"] != 0:
            raise FileFormatError(
                path, None, f"shift is {arguments['shift']:g} Å, which no file holds",
                "save the potential without it, and give LAMMPS's pair_style the word shift"
            )  # fmt: skip
    elif name in ("edip", "vashishta"):
        own = name
    else:
        own = "tersoff/mod/c" if "c0" in params else "tersoff/mod"
    if style not in (None, own):
        raise ValueError(f"{potential.name} cannot be written as {style!r}; use {own!r} or leave style out")
    return next(kind for kind in KINDS if kind.style == own)


def _full(path: Path, name: str, value: Any, count: int) -> np.ndarray:
    """[i, j, k] values of a parameter that is a number or a table of any rank."""
    table = np.asarray(value)
    if not np.isfinite(table).all():
        raise FileFormatError(path, None, f"{name} is not finite", "there is no file of such a potential")
    if table.ndim > 3 or table.shape != (count,) * table.ndim:
        raise FileFormatError(path, None, f"{name} has shape {list(table.shape)}", f"there are {count} elements")
    return np.broadcast_to(table.reshape(table.shape + (1,) * (3 - table.ndim)), (count,) * 3)


def _text(value: Any, text: str | None, kind: Any, unit: float) -> str:
    """A number as it was read, where it is still that number; else one that is read as it is."""
    if text is not None and kind(float(text) * unit) == value:
        return text
    return repr(float(value) / unit)
