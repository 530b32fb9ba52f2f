"""Reading and writing of MEAM potentials in the files of LAMMPS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.io.angular_files import EV_OF_REAL
from jaxpot.io.errors import FileFormatError
from jaxpot.io.meam_files import (
    COLUMNS,
    Assignment,
    MeamFile,
    has_assignments,
    in_real_units,
    read_library,
    read_parameters,
)
from jaxpot.potential import Potential
from jaxpot.potentials.angular.meam import COORDINATION, NEAREST, meam

__all__ = [
    "LIBRARY",
    "MEAM_STYLES",
    "OF_ENTRY",
    "has_meam_content",
    "has_meam_name",
    "load_meam",
    "meam_arguments",
    "meam_files",
    "meam_values",
]

Path = str | os.PathLike[str]
MEAM_STYLES = ("meam",)
LIBRARY = ".library.meam"  # ending of the library that is saved beside NAME.meam
DEFAULTS = {  # of LAMMPS
    "rc": 4.0, "delr": 0.1, "gsmooth_factor": 99.0, "augt1": 1, "ialloy": 0, "mixture_ref_t": 0, "erose_form": 0,
    "emb_lin_neg": 0, "bkgd_dyn": 0,
}  # fmt: skip
TABLES = {"Ec": 0.0, "re": 0.0, "alpha": 0.0, "delta": 0.0, "attrac": 0.0, "repuls": 0.0, "nn2": 0.0, "zbl": 1.0}
TRIPLES = {"Cmin": 2.0, "Cmax": 2.8}
OF_ENTRY = {"ielement": "Z"} | {name: name for name in ("asub", "b0", "b1", "b2", "b3", "t1", "t2", "t3")}


def has_meam_name(path: Path) -> bool:
    """Whether a file name has the usual ending."""
    return os.fspath(path).lower().endswith(".meam")


def has_meam_content(path: Path) -> bool:
    """Whether a file can be read as a library or as parameters."""
    if os.path.isdir(path):
        return False
    for read in (read_library, read_parameters):
        try:
            if read(path)[1]:
                return True
        except FileFormatError:
            continue
    return False


def meam_files(paths: Sequence[Path]) -> tuple[Path, Path | None]:
    """The library and the parameter file, of files in any order, or of one that has its library beside it."""
    if len(paths) > 2:
        raise ValueError(f"MEAM takes a library and a parameter file, got {[os.fspath(path) for path in paths]}")
    libraries = [path for path in paths if not has_assignments(path)]
    if len(libraries) == len(paths) == 2:
        raise FileFormatError(paths[1], None, "is a second library", "give one library and its parameter file")
    others = [path for path in paths if path not in libraries]
    if not libraries and len(others) == 1:
        beside = f"{os.fspath(others[0])[: -len('.meam')]}{LIBRARY}"
        if not has_meam_name(others[0]) or not os.path.exists(beside):
            raise FileFormatError(
                others[0], None, "is a parameter file, which names no elements",
                "load it with its library: load([library, parameters], elements=[...])"
            )  # fmt: skip
        libraries = [beside]
    if not libraries:
        read_library(others[0])  # says what is wrong
    return libraries[0], others[0] if others else None


def load_meam(
    paths: Sequence[Path], elements: Sequence[str] | Mapping[str, str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """Reads a potential from its files, for :func:`jaxpot.load`."""
    library, parameters = meam_files(paths)
    comments, entries = read_library(library)
    chosen = dict(elements) if isinstance(elements, Mapping) else {n: n for n in (elements or entries)}
    if elements is not None and len(chosen) != len(elements):
        raise ValueError(f"elements has a symbol twice: {list(elements)}")
    strange = [name for name in chosen.values() if name not in entries]
    if strange or not chosen:
        known = ", ".join(entries)
        raise ValueError(f"{os.fspath(library)} has the elements {known}, not {', '.join(strange) or 'none'}")
    lines, assigned = read_parameters(parameters) if parameters is not None else ((), [])
    used = [entries[name] for name in chosen.values()]
    words = [dict(zip(COLUMNS, entry, strict=True)) for _, entry in used]
    for (line, _), one in zip(used, words, strict=True):
        _check_entry(library, line, one)
    _check_order(parameters or library, assigned)
    where = parameters if parameters is not None else library
    real = in_real_units([library] if parameters is None else [library, parameters])
    values, lattices = meam_values(where, words, assigned, real)
    arguments, params = meam_arguments(words, values, lattices)
    longest = arguments.pop("cutoff")
    if cutoff is not None and cutoff < longest:
        raise ValueError(f"the files' functions end at {longest:g} Å; cutoff={cutoff:g} would cut them off")
    file = MeamFile(tuple(chosen.values()), comments, tuple(entry for _, entry in used), lines, real)
    try:
        potential = meam(longest if cutoff is None else float(cutoff), tuple(chosen), **arguments)
    except ValueError as error:
        raise FileFormatError(where, None, str(error), "correct the file") from error
    tables = {name: np.asarray(value) for name, value in params.items()}
    alone = len(chosen) == 1
    return potential.with_file(file), {n: jnp.asarray(t.reshape(()) if alone else t) for n, t in tables.items()}


def _check_order(path: Path, assigned: list[Assignment]) -> None:
    """Refuse keys with indices (2,1), which LAMMPS ignores, unless those with (1,2) say the same."""
    said = {(one.key, one.indices): one.text for one in assigned}
    for one in assigned:
        if len(one.indices) < 2 or one.indices[0] <= one.indices[1]:
            continue
        ordered = (one.indices[1], one.indices[0], *one.indices[2:])
        other = said.get((one.key, ordered))
        if other is None or not (other == one.text if one.key == "lattce" else float(other) == float(one.text)):
            wrong, right = (",".join(str(k + 1) for k in index) for index in (one.indices, ordered))
            raise FileFormatError(
                path, one.line, f"{one.key}({wrong}) is ignored by LAMMPS, which takes {one.key}({right})",
                f"write it as {one.key}({right})"
            )  # fmt: skip


def _check_entry(path: Path, line: int, words: dict[str, str]) -> None:
    if words["lattice"] not in NEAREST:
        raise FileFormatError(
            path, line, f"{words['element']} has the lattice {words['lattice']!r}", f"known are {', '.join(NEAREST)}"
        )
    if float(words["t0"]) != 1:
        raise FileFormatError(path, line, f"{words['element']} has t0 = {words['t0']}", "only 1 is possible")
    if float(words["z"]) != COORDINATION[words["lattice"]]:
        said = f"{words['element']} has z = {words['z']} in the lattice {words['lattice']}"
        raise FileFormatError(path, line, said, f"it is {COORDINATION[words['lattice']]}")
    for name in ("alat", "rozero"):
        if float(words[name]) <= 0:
            raise FileFormatError(path, line, f"{words['element']} has {name} = {words[name]}", "it must be positive")
    if float(words["ibar"]) != int(float(words["ibar"])):
        raise FileFormatError(path, line, f"ibar is {words['ibar']}", "give a whole number")


def meam_values(
    path: Path, words: list[dict[str, str]], assigned: list[Assignment], real: bool
) -> tuple[dict[str, Any], list[list[Any]]]:
    """All numbers of the files as tables, in eV, and the lattices."""
    count = len(words)
    values: dict[str, Any] = {name: np.array(default, float) for name, default in DEFAULTS.items()}
    values |= {name: np.full((count,) * 2, default) for name, default in TABLES.items()}
    values |= {name: np.full((count,) * 3, default) for name, default in TRIPLES.items()}
    values["rho0"] = np.array([float(one["rozero"]) for one in words])
    lattices: list[list[Any]] = [[None] * count for _ in words]
    for i, entry in enumerate(words):
        lattices[i][i] = entry["lattice"]
        values["Ec"][i, i], values["alpha"][i, i] = float(entry["esub"]), float(entry["alpha"])
        values["re"][i, i] = float(entry["alat"]) * NEAREST[entry["lattice"]]
    for one in assigned:
        if any(not 0 <= k < count for k in one.indices):
            said = f"{one.key}({','.join(str(k + 1) for k in one.indices)}) is of an element that was not chosen"
            raise FileFormatError(path, one.line, said, f"there are {count}; their order is that of elements=[...]")
        if len(one.indices) >= 2 and one.indices[0] > one.indices[1]:
            continue  # LAMMPS ignores it; it says what its counterpart says
        if one.key == "lattce":
            i, j = one.indices
            lattices[i][j] = lattices[j][i] = one.text
        else:
            values[one.key][one.indices] = float(one.text)
            if len(one.indices) >= 2:
                values[one.key][(one.indices[1], one.indices[0], *one.indices[2:])] = float(one.text)
    for name in ("Ec", "delta"):
        values[name] = values[name] * (EV_OF_REAL if real else 1.0)
    for i in range(count):
        for j in range(i + 1, count):
            if lattices[i][j] is None:
                said = f"has no lattce({i + 1},{j + 1}) for {words[i]['element']} and {words[j]['element']}"
                remedy = "choose elements in the order of the file's indices, by elements=[...]"
                raise FileFormatError(path, None, said, remedy)
            _fill(values, i, j, lattices[i][j])
    return values, lattices


def _fill(values: dict[str, Any], i: int, j: int, lattice: str) -> None:
    """What a file leaves out for two elements follows from the elements."""
    for name in ("Ec", "alpha", "re"):
        if values[name][i, j] == 0:
            share = 0.75 if name == "Ec" and lattice == "l12" else 0.5
            mean = share * values[name][i, i] + (1.0 - share) * values[name][j, j]
            values[name][i, j] = values[name][j, i] = mean - (values["delta"][i, j] if name == "Ec" else 0.0)


def meam_arguments(
    words: list[dict[str, str]], values: dict[str, Any], lattices: list[list[Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of :func:`jaxpot.meam` and the params, from entries of a library and tables of other numbers."""

    def plain(table: Any) -> Any:
        return table if len(words) > 1 else table[0]

    high = np.maximum(values["Cmax"], 2.0)
    arguments = {
        "cutoff": float(values["rc"] * np.sqrt(high**2 / (4.0 * (high - 1.0))).max()),
        "lattices": lattices if len(words) > 1 else lattices[0][0],
        "second_neighbors": (values["nn2"] != 0).tolist() if len(words) > 1 else bool(values["nn2"][0, 0]),
        "cores": (values["zbl"] != 0).tolist() if len(words) > 1 else bool(values["zbl"][0, 0]),
        "gamma_form": plain([int(float(one["ibar"])) for one in words]),
        "rose_form": int(values["erose_form"]),
        "augmented_t1": bool(values["augt1"]),
        "mixing": int(values["ialloy"]),
        "mixed_reference": bool(values["mixture_ref_t"]),
        "plain_background": bool(values["bkgd_dyn"]),
        "linear_below_zero": bool(values["emb_lin_neg"]),
    }
    params = {name: np.array([float(one[key]) for one in words]) for key, name in OF_ENTRY.items()}
    names = ("rho0", "Ec", "re", "alpha", "attrac", "repuls", "Cmin", "Cmax", "rc", "delr", "gsmooth_factor")
    params |= {name: values[name] for name in names}
    return arguments, params
