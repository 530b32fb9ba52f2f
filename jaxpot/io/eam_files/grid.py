"""The header line that all styles share: numbers of points, spacings and cutoff of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxpot.io.eam_files.scanner import Scanner, is_number

# LAMMPS's interpolation of funcfl files needs four points.
LEAST_POINTS_FUNCFL = 4
# LAMMPS takes a table as constant beyond its last point. Some files have cutoff = n_r d_r, one step past the last
# point, or rounded spacings; both are harmless where the functions are practically zero there.
_STEPS_PAST_END = 1 + 1e-6
_VANISHED = 1e-8


@dataclass(frozen=True)
class Grid:
    """Line 5 of setfl, line 3 of funcfl: `n_rho d_rho n_r d_r cutoff`."""

    n_rho: int
    d_rho: float
    n_r: int
    d_r: float
    cutoff: float
    line: int


def read_grid(scan: Scanner, least_points: int, is_fs: bool = False) -> Grid:
    """Reads and checks the line."""
    words, line = scan.header(5, "the line 'n_rho d_rho n_r d_r cutoff'")
    if len(words) > 5 and is_number(words[5]) and (is_fs or _begins_below_0(scan, words, line)):
        # The file parses, but its F(rho) would begin at the wrong density.
        raise scan.error(
            line,
            "has a sixth number after the cutoff: a file for LAMMPS's eam/he, whose densities may be negative",
            "eam/he is not supported; use a plain eam/fs file",
        )
    grid = Grid(
        n_rho=scan.whole(words[0], "n_rho", line, least_points),
        d_rho=scan.positive(words[1], "d_rho", line),
        n_r=scan.whole(words[2], "n_r", line, least_points),
        d_r=scan.positive(words[3], "d_r", line),
        cutoff=scan.positive(words[4], "the cutoff", line),
        line=line,
    )
    if not (np.isfinite(grid.n_rho * grid.d_rho) and np.isfinite(grid.n_r * grid.d_r)):
        raise scan.error(line, f"spacings {grid.d_rho:g} and {grid.d_r:g} are too large", "correct the line")
    return grid


def _begins_below_0(scan: Scanner, words: Sequence[bytes], line: int) -> bool:
    """Whether a table of F(rho) that ends at the sixth number would begin at a negative density, as in eam/he."""
    last = (scan.whole(words[0], "n_rho", line, 1) - 1) * scan.positive(words[1], "d_rho", line)
    return 0 < scan.number(words[5], "the number after the cutoff", line) < last * (1 - 1e-6)


def check_cutoff(scan: Scanner, grid: Grid, tables: Sequence[np.ndarray]) -> None:
    """Refuses a cutoff well beyond the end of tables that are not zero there: the energy would be undefined."""
    last = (grid.n_r - 1) * grid.d_r
    if grid.cutoff <= last + _STEPS_PAST_END * grid.d_r:
        return
    if any(np.abs(table[..., -1]).max() > _VANISHED * np.abs(table).max() for table in tables):
        raise scan.error(
            grid.line,
            f"the cutoff {grid.cutoff:g} is beyond the tables, which end at {last:g} with values that are not zero",
            "correct n_r, d_r or the cutoff",
        )
