"""Recognition of the style of a file, by its name or by its content."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from jaxpot.io.eam_files.funcfl import read_funcfl
from jaxpot.io.eam_files.scanner import Scanner, is_number
from jaxpot.io.eam_files.setfl import read_adp, read_eam_fs, read_setfl
from jaxpot.io.eam_files.tables import STYLES, EAMTables, Style
from jaxpot.io.errors import FileFormatError

Path = str | os.PathLike[str]

_READERS: dict[Style, Callable[[Path], EAMTables]] = {
    "funcfl": read_funcfl,
    "setfl": read_setfl,
    "fs": read_eam_fs,
    "adp": read_adp,
}
_LAMMPS_NAMES: dict[str, Style] = {"eam": "funcfl", "eam/alloy": "setfl", "eam/fs": "fs"}
# ".eam" is missing on purpose: files of every style have this ending.
_EXTENSIONS: dict[str, Style] = {
    ".funcfl": "funcfl",
    ".alloy": "setfl",
    ".setfl": "setfl",
    ".fs": "fs",
    ".adp": "adp",
}
_NOT_SUPPORTED = {
    ".he": "a file for LAMMPS's eam/he, whose densities may be negative",
    ".cdeam": "a file for LAMMPS's eam/cd, whose pair potential depends on the concentration",
}
# The comments of such a file say that it is one part of a potential; the other part is electrostatics.
_COMPANION = re.compile(r"\b(?:coul|qeq)/\w+")


def read_eam(
    path: Path | Sequence[Path], style: str | None = None, elements: str | Sequence[str] | None = None
) -> EAMTables:
    """Reads a tabulated EAM, Finnis-Sinclair or ADP file of any style, or several funcfl files.

    Args:
      path: a file, or a sequence of funcfl files with one element each, which are merged (see `merge_funcfl`). A single
        funcfl file is returned unchanged.
      style: "funcfl", "setfl", "fs" or "adp", or LAMMPS's names "eam", "eam/alloy", "eam/fs". By default recognised by
        the name of the file (.eam.alloy, .eam.fs, .adp), otherwise by its content; a file with one element that fits
        both setfl and fs is then "setfl".
      elements: names for the elements of funcfl files, one a file, where the atomic numbers in them are wrong.

    Raises:
      FileFormatError: a file is faulty; the message names file, line and remedy. Also where the comments say that the
        file is only part of a potential (coul/ctip), unless the style is given.
      ValueError: the style is unknown, the number of files is wrong, or `elements` is given for another style.

    Example:
      >>> import numpy as np
      >>> from jaxpot.io.eam_files import write_setfl
      >>> write_setfl("copper", EAMTables("setfl", (), ("Cu",), (29,), (63.546,), (3.615,), ("fcc",),
      ...             5, 0.1, 6, 0.5, 2.5, np.ones((1, 5)), np.zeros((1, 6)), np.zeros((1, 1, 6))))
      >>> read_eam("copper").style
      'setfl'
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    chosen = _LAMMPS_NAMES.get(style, style) if style is not None else None
    if chosen is not None and chosen not in STYLES:
        raise ValueError(f"style is {style!r}; use one of {', '.join([*STYLES, *_LAMMPS_NAMES])}, or leave it out")
    if not paths or (len(paths) > 1 and chosen not in (None, "funcfl")):
        raise ValueError(f"{len(paths)} files; give one file, or several of style 'funcfl'")
    if len(paths) > 1 or chosen == "funcfl" or (chosen is None and elements and _looks_like_funcfl(paths[0])):
        return read_funcfl(paths, elements)
    tables = _read_detected(paths[0]) if chosen is None else _READERS[chosen](paths[0])
    if elements is not None:
        raise ValueError(f"a {tables.style} file names its elements ({' '.join(tables.elements)}); leave elements out")
    return tables


def _read_detected(path: Path) -> EAMTables:
    name = os.fspath(path).lower()
    for extension, reason in _NOT_SUPPORTED.items():
        if name.endswith(extension):
            raise FileFormatError(path, None, f"is {reason}", "use a file for eam, eam/alloy, eam/fs or adp")
    named = [style for extension, style in _EXTENSIONS.items() if name.endswith(extension)]
    tables = _read_as(path, named[0]) if named else _read_by_content(path)
    for number, comment in enumerate(tables.comments, start=1):
        if companion := _COMPANION.search(comment):
            raise FileFormatError(
                path,
                number,
                f"says that it is for use with {companion[0]}, without which it is not the whole potential",
                f"give style={tables.style!r} to read its EAM part alone",
            )
    return tables


def _read_as(path: Path, style: Style) -> EAMTables:
    try:
        return _READERS[style](path)
    except FileFormatError as error:
        fitting = _fitting(path, [other for other in STYLES if other != style])
        if fitting is None:
            raise
        # The other style is not taken silently: an ADP file that is cut off at the right place is a complete setfl.
        raise FileFormatError(
            path,
            error.line,
            f"not a complete {style} file: {error.message}",
            f"it would be a complete {fitting.style} file: give style={fitting.style!r} if that is what it is",
        ) from error


def _read_by_content(path: Path) -> EAMTables:
    if _looks_like_funcfl(path):
        return _read_as(path, "funcfl")
    fitting = _fitting(path, ["setfl", "fs", "adp"])
    # No style fits: the message of setfl names the first fault in the part that all three share.
    return fitting if fitting is not None else read_setfl(path)


def _fitting(path: Path, styles: Sequence[Style]) -> EAMTables | None:
    for style in styles:
        try:
            return _READERS[style](path)
        except FileFormatError:
            continue
    return None


def _looks_like_funcfl(path: Path) -> bool:
    """Whether lines 2 and 3 hold numbers, where the other styles have comments."""
    scan = Scanner(path, 1)
    try:
        second, _ = scan.header(2, "line 2")
        third, _ = scan.header(5, "line 3")
    except FileFormatError:
        return False
    return all(map(is_number, [*second[:2], *third[:5]]))
