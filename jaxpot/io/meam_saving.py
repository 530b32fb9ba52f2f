"""Writing of MEAM potentials to LAMMPS's library and parameter files."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np

from jaxpot.evaluation import Params
from jaxpot.io.angular_files import EV_OF_REAL
from jaxpot.io.eam_files.writing import check_text, write_text
from jaxpot.io.errors import FileFormatError
from jaxpot.io.meam import LIBRARY, OF_ENTRY, meam_arguments, meam_values
from jaxpot.io.meam_files import COLUMNS, Assignment, MeamFile, parse_parameters
from jaxpot.potential import Potential
from jaxpot.potentials.angular.meam import COORDINATION, NEAREST
from jaxpot.spec import LEFT_OUT

__all__ = ["save_meam"]

Path = str | os.PathLike[str]
FLAGS = {
    "augt1": "augmented_t1", "ialloy": "mixing", "mixture_ref_t": "mixed_reference", "erose_form": "rose_form",
    "emb_lin_neg": "linear_below_zero", "bkgd_dyn": "plain_background",
}  # fmt: skip
OF_PARAMETERS = ("rc", "delr", "gsmooth_factor", "rho0", "Ec", "re", "alpha", "attrac", "repuls", "Cmin", "Cmax")


def save_meam(path: Path, potential: Potential, params: Params, style: str | None) -> None:
    """Writes NAME.library.meam and NAME.meam, for :func:`jaxpot.save`."""
    if potential.elements is None:
        raise FileFormatError(path, None, "a file names its elements", "make the potential with elements=[...]")
    stem = os.fspath(path)
    for ending in (LIBRARY, ".meam"):
        stem = stem.removesuffix(ending)
    wanted = {name: _full(path, name, value, len(potential.elements)) for name, value in params.items()}
    assert potential.spec is not None
    said = potential.spec.file
    file = said if isinstance(said, MeamFile) else _new_file(path, potential, wanted)
    for name in file.names:
        check_text(path, "the element", name, words=1)
    entries = [_entry(words, wanted, i) for i, words in enumerate(file.entries)]
    lines = [*_kept_lines(path, file, wanted)]
    lines += _further_lines(path, file, entries, lines, wanted)
    library = [f"{line}\n" for line in file.comments] + [" ".join(words) + "\n" for words in entries]
    write_text(stem + LIBRARY, library)
    write_text(stem + ".meam", [f"{line}\n" for line in lines])


def _full(path: Path, name: str, value: Any, count: int) -> np.ndarray:
    table = np.asarray(value)
    if not np.isfinite(table).all():
        raise FileFormatError(path, None, f"{name} is not finite", "there is no file of such a potential")
    rank = 0 if name in ("rc", "delr", "gsmooth_factor") else 3 if name in ("Cmin", "Cmax") else 2
    rank = 1 if name in OF_ENTRY.values() or name == "rho0" else rank
    if table.shape not in ((), (count,) * rank):
        raise FileFormatError(path, None, f"{name} has shape {list(table.shape)}", f"there are {count} elements")
    table = np.broadcast_to(table, (count,) * rank)
    if rank > 1 and not np.array_equal(table, table.swapaxes(0, 1)):
        raise FileFormatError(path, None, f"{name} is not symmetric in its first two species", "take the mean")
    return table


def _same(text: str, value: Any, unit: float = 1.0) -> bool:
    """Whether a number that was read is still that number."""
    return bool(value.dtype.type(float(text) * unit) == value)


def _entry(words: tuple[str, ...], wanted: dict[str, np.ndarray], i: int) -> tuple[str, ...]:
    def word(column: str, text: str) -> str:
        value = wanted[OF_ENTRY[column]][i] if column in OF_ENTRY else None
        return text if value is None or _same(text, value) else repr(float(value))

    return tuple(word(column, text) for column, text in zip(COLUMNS, words, strict=True))


def _kept_lines(path: Path, file: MeamFile, wanted: dict[str, np.ndarray]) -> list[str]:
    """The lines of the file that was read, with the numbers that changed."""
    lines = list(file.parameters)
    for one in parse_parameters(path, file.parameters):
        index = one.indices if len(one.indices) < 2 else (*sorted(one.indices[:2]), *one.indices[2:])
        if one.key not in OF_PARAMETERS:
            continue
        value = wanted[one.key][index]
        unit = EV_OF_REAL if file.real and one.key == "Ec" else 1.0
        if float(one.text) != 0 and not _same(one.text, value, unit):  # 0 may stand for a mean value
            lines[one.line - 1] = _line(one.key, one.indices, float(value) / unit)
    return lines


def _line(key: str, index: tuple[int, ...], value: Any) -> str:
    place = f"({','.join(str(k + 1) for k in index)})" if index else ""
    return f"{key}{place} = {value}"


def _further_lines(
    path: Path, file: MeamFile, entries: list[tuple[str, ...]], lines: list[str], wanted: dict[str, np.ndarray]
) -> list[str]:
    """Lines for the numbers that the others do not give."""
    words = [dict(zip(COLUMNS, entry, strict=True)) for entry in entries]
    assigned: list[Assignment] = parse_parameters(path, lines)
    values, lattices = meam_values(path, words, assigned, file.real)
    given = meam_arguments(words, values, lattices)[1]
    found = []
    for name in OF_PARAMETERS:
        unit = EV_OF_REAL if file.real and name == "Ec" else 1.0
        for index in np.ndindex(wanted[name].shape):
            value = wanted[name][index]
            if (len(index) < 2 or index[0] <= index[1]) and value.dtype.type(given[name][index]) != value:
                found.append(_line(name, index, repr(float(value) / unit)))
    return found


def _new_file(path: Path, potential: Potential, wanted: dict[str, np.ndarray]) -> MeamFile:
    """What a file says of a potential that came from none."""
    assert potential.spec is not None and potential.elements is not None
    spec, names = potential.spec, potential.elements
    signature = inspect.signature(type(spec).factory)
    arguments = {
        name: signature.parameters[name].default if value is LEFT_OUT else value
        for name, value in spec.arguments().items()
    }

    def of(name: str, i: int, j: int | None = None) -> Any:
        value = arguments[name]
        if isinstance(value, str) or np.ndim(value) == 0:
            return value
        return value[i] if j is None else value[i][j]

    entries = []
    for i, name in enumerate(names):
        kind = of("lattices", i, i)
        numbers = {column: repr(float(wanted[n][i])) for column, n in OF_ENTRY.items()}
        numbers |= {
            "element": name, "lattice": kind, "z": str(COORDINATION[kind]), "atwt": "1.0", "t0": "1.0",
            "ibar": str(of("gamma_form", i)), "rozero": repr(float(wanted["rho0"][i])),
            "alpha": repr(float(wanted["alpha"][i, i])), "esub": repr(float(wanted["Ec"][i, i])),
            "alat": repr(float(wanted["re"][i, i] / NEAREST[kind])),
        }  # fmt: skip
        entries.append(tuple(numbers[column] for column in COLUMNS))
    lines = ["# written by jaxpot UNITS: metal", *(f"{key} = {int(arguments[own])}" for key, own in FLAGS.items())]
    for i in range(len(names)):
        for j in range(i, len(names)):
            lines.append(f"nn2({i + 1},{j + 1}) = {int(of('second_neighbors', i, j))}")
            lines.append(f"zbl({i + 1},{j + 1}) = {int(of('cores', i, j))}")
            if i != j:
                lines.append(f"lattce({i + 1},{j + 1}) = '{of('lattices', i, j)}'")
    return MeamFile(names, ("# written by jaxpot UNITS: metal",), tuple(entries), tuple(lines))
