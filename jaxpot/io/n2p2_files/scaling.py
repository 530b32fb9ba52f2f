"""`scaling.data`: smallest, largest, mean and standard deviation of each symmetry function in the training set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxpot.io.errors import FileFormatError
from jaxpot.io.n2p2_files.lines import words_of

__all__ = ["read_scaling", "scaling_text"]

COLUMNS = ("min", "max", "mean", "sigma")
HEADER = """\
################################################################################
# Symmetry function scaling data.
################################################################################
# Col  Name     Description
################################################################################
# 1    e_index  Element index.
# 2    sf_index Symmetry function index.
# 3    sf_min   Symmetry function minimum.
# 4    sf_max   Symmetry function maximum.
# 5    sf_mean  Symmetry function mean.
# 6    sf_sigma Symmetry function sigma.
################################################################################
"""


def read_scaling(
    path: str | os.PathLike[str], text: str, scaling: str, counts: Mapping[str, int]
) -> dict[str, dict[str, np.ndarray]]:
    """Reads the numbers of a file; RuNNer's last line, with energies, is skipped.

    Args:
        path: the file, for messages.
        text: the text of the file.
        scaling: the kind of scaling, which determines the columns that are needed.
        counts: number of functions of each element, in the order of the atomic numbers.

    Raises:
        FileFormatError: a function is missing, given twice, or has one value only, or a needed column is missing.
    """
    elements = tuple(counts)
    found = {symbol: np.full((counts[symbol], 4), np.nan) for symbol in elements}
    place: dict[tuple[str, int], Any] = {}
    need = 4 if scaling == "scale_sigma" else 3 if "center" in scaling else 2
    for line in words_of(path, text):
        if len(line.words) == 2:  # RuNNer: least and largest energy of the training set
            continue
        element, function = line.whole(0, "the index of the element", 1), line.whole(1, "that of the function", 1)
        if element > len(elements) or function > counts[elements[element - 1]]:
            known = ", ".join(f"{counts[symbol]} of {symbol}" for symbol in elements)
            raise line.error(
                f"function {function} of element {element}: input.nn has {known}", "use files of one potential"
            )
        symbol = elements[element - 1]
        if (symbol, function) in place:
            raise line.error(f"function {function} of {symbol} is here a second time", "remove one of the lines")
        place[symbol, function] = line
        given = [line.number(2 + k, name) for k, name in enumerate(COLUMNS) if k < need or len(line.words) > 2 + k]
        # RuNNer leaves out sigma; what a kind of scaling does not need may be missing
        row = [*given, *[0.5 * (given[0] + given[1]), 1.0][len(given) - 2 :]]
        line.ends_before(6)
        width = row[3] if scaling == "scale_sigma" else row[1] - row[0]
        if scaling != "center" and width == 0:
            raise line.error(
                f"function {function} of {symbol} had one value only, {row[0]:g}: it cannot be scaled",
                "leave the function out of input.nn, and train again",
            )
        found[symbol][function - 1] = row
    for symbol in elements:
        for function in range(1, counts[symbol] + 1):
            if (symbol, function) not in place:
                raise FileFormatError(path, None, f"function {function} of {symbol} is missing", "complete the file")
    return {s: {name: rows[:, k].copy() for k, name in enumerate(COLUMNS)} for s, rows in found.items()}


def scaling_text(scaling: Mapping[str, Mapping[str, Any]], elements: Sequence[str]) -> str:
    """The text of a file for elements in the order of their atomic numbers."""
    lines = [
        f"{e:10d} {n:10d} " + " ".join(f"{value:24.16E}" for value in row)
        for e, symbol in enumerate(elements, 1)
        for n, row in enumerate(zip(*(np.asarray(scaling[symbol][name]) for name in COLUMNS), strict=True), 1)
    ]
    return HEADER + "\n".join(lines) + "\n"
