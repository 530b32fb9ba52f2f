"""Small tables of every style for the tests of the EAM files, and the order of their numbers in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxpot.io.eam_files import (
    EAMTables,
    read_adp,
    read_eam_fs,
    read_funcfl,
    read_setfl,
    write_adp,
    write_eam_fs,
    write_funcfl,
    write_setfl,
)

READERS = {"funcfl": read_funcfl, "setfl": read_setfl, "fs": read_eam_fs, "adp": read_adp}
WRITERS = {"funcfl": write_funcfl, "setfl": write_setfl, "fs": write_eam_fs, "adp": write_adp}
EXTENSIONS = {"funcfl": ".eam", "setfl": ".eam.alloy", "fs": ".eam.fs", "adp": ".adp"}


def example(style: str, elements: tuple[str, ...] = ("Ni", "Al"), n_rho: int = 7, n_r: int = 9) -> EAMTables:
    """Tables of random numbers of every size, no two alike."""
    if style == "funcfl":
        elements = elements[:1]
    rng = np.random.default_rng(5)
    count = len(elements)

    def table(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) * 10.0 ** rng.integers(-12, 4, size=shape)

    def pairs() -> np.ndarray:
        full = table(count, count, n_r)
        return np.where(np.tri(count, dtype=bool)[:, :, None], full, full.swapaxes(0, 1))

    charge = table(1, n_r)
    comments = ("one comment: 1 2 3", "", "third, with a # and trailing space ")
    return EAMTables(
        style,
        comments[:1] if style == "funcfl" else comments,
        elements,
        (28, 13, 1, 46)[:count],
        np.array([58.6934, 26.9815, 1.008, 106.42])[:count],
        np.array([3.52, 4.05, 0.0, 3.89])[:count],
        ("fcc", "FCC", "", "fcc")[:count],
        n_rho,
        0.1 + 1 / 3,
        n_r,
        0.7,
        5.5,
        table(count, n_rho),
        table(count, count, n_r) if style == "fs" else table(count, n_r),
        27.2 * 0.529 * charge * charge[None] if style == "funcfl" else pairs(),
        pairs() if style == "adp" else None,
        pairs() if style == "adp" else None,
        charge if style == "funcfl" else None,
    )


def example_file(folder: Path, style: str, **options: object) -> Path:
    path = folder / ("example" + EXTENSIONS[style])
    WRITERS[style](path, example(style, **options))
    return path


def in_file_order(tables: EAMTables) -> np.ndarray:
    """The numbers of the tables as the manual of LAMMPS lays them out."""
    if tables.style == "funcfl":
        return np.concatenate([tables.embedding[0], tables.effective_charge[0], tables.density[0]])
    parts = []
    count = len(tables.elements)
    for block in range(count):
        parts.append(tables.embedding[block])
        # eam/fs: in the block of element b, column a is the density of a neighbour b at an atom a.
        parts += [tables.density[a, block] for a in range(count)] if tables.style == "fs" else [tables.density[block]]
    for pairs in (tables.r_phi, tables.dipole, tables.quadrupole):
        if pairs is not None:
            parts += [pairs[a, b] for a in range(count) for b in range(a + 1)]
    return np.concatenate(parts)
