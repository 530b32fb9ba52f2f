"""Numbers that describe a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxpot.fit.dataset_checks import pairs
from jaxpot.fit.frame import Frame

if TYPE_CHECKING:
    from jaxpot.fit.dataset import Dataset

__all__ = ["GroupStatistics", "Statistics", "statistics"]

FARTHEST = 4.0  # Å; the shortest distance is searched up to this


class GroupStatistics(NamedTuple):
    """Numbers that describe one group of frames; NaN where it has no such label.

    Attributes:
        frames: number of structures.
        atoms: number of atoms in all.
        energies: number of energies.
        energy_range: lowest and highest energy, eV per atom.
        energy_spread: standard deviation of the energy, eV per atom.
        forces: number of force components.
        force_rms: root mean square of the force components, eV/Å.
        largest_force: longest force, eV/Å.
        stresses: number of stresses.
        shortest_distance: Å, infinite where no pair is closer than 4 Å.
    """

    frames: int
    atoms: int
    energies: int
    energy_range: tuple[float, float]
    energy_spread: float
    forces: int
    force_rms: float
    largest_force: float
    stresses: int
    shortest_distance: float


class Statistics(NamedTuple):
    """Numbers that describe a data set; ``print`` shows a table.

    Attributes:
        total: numbers over all frames.
        groups: numbers by group.
        elements: number of atoms of each element.
    """

    total: GroupStatistics
    groups: dict[str, GroupStatistics]
    elements: dict[str, int]

    def __str__(self) -> str:
        width = max(5, *(len(name) for name in self.groups))
        head = (
            f"{'frames':>7s} {'atoms':>7s} {'energy (eV/atom)':>22s} {'rms force':>10s} {'largest':>8s} {'closest':>9s}"
        )
        lines = [f"{'group':{width}s} {head}"]
        for name, own in [*self.groups.items(), ("all", self.total)]:
            low, high = own.energy_range
            lines.append(
                f"{name:{width}s} {own.frames:7d} {own.atoms:7d} {low:10.4f} ..{high:9.4f} {own.force_rms:10.3f} "
                f"{own.largest_force:8.2f} {own.shortest_distance:9.3f}"
            )
        lines.append("atoms: " + ", ".join(f"{count} {symbol}" for symbol, count in self.elements.items()))
        return "\n".join(lines)


def statistics(dataset: Dataset) -> Statistics:
    """See :meth:`Dataset.statistics`."""
    shortest = {id(frame): _shortest(frame) for frame in dataset}
    symbols = [symbol for frame in dataset for symbol in frame.atoms.get_chemical_symbols()]
    by_group = {group: [frame for frame in dataset if frame.group == group] for group in dataset.groups}
    return Statistics(
        total=_describe(list(dataset), shortest),
        groups={group: _describe(frames, shortest) for group, frames in by_group.items()},
        elements={symbol: symbols.count(symbol) for symbol in dataset.elements},
    )


def _describe(frames: list[Frame], shortest: dict[int, float]) -> GroupStatistics:
    energies = np.array([frame.energy / len(frame.atoms) for frame in frames if frame.energy is not None])
    forces = np.concatenate([np.zeros((0, 3)), *(frame.forces for frame in frames if frame.forces is not None)])
    nan = float("nan")
    return GroupStatistics(
        frames=len(frames),
        atoms=sum(len(frame.atoms) for frame in frames),
        energies=len(energies),
        energy_range=(float(energies.min()), float(energies.max())) if len(energies) else (nan, nan),
        energy_spread=float(energies.std()) if len(energies) else nan,
        forces=forces.size,
        force_rms=float(np.sqrt((forces**2).mean())) if len(forces) else nan,
        largest_force=float(np.linalg.norm(forces, axis=1).max()) if len(forces) else nan,
        stresses=sum(frame.stress is not None for frame in frames),
        shortest_distance=min((shortest[id(frame)] for frame in frames), default=float("inf")),
    )


def _shortest(frame: Frame) -> float:
    distances = pairs(frame.atoms, FARTHEST)[2]
    return float(distances.min()) if len(distances) else float("inf")
