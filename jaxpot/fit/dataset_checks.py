"""Checks of a data set: labels, elements, distances and duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxpot.fit.frame import Frame, is_bad
from jaxpot.units import GPA

if TYPE_CHECKING:
    from ase import Atoms

    from jaxpot.fit.dataset import Dataset

__all__ = ["Finding", "check", "pairs"]

RANGE = 6.0  # Å; structures are compared by their distances up to this
ALIKE = 1e-6  # relative difference below which two structures are the same
SAME_ENERGY = 1e-5  # eV per atom
LARGE_STRESS = (2.0, 20.0)  # eV/Å^3, 320 GPa and 3.2 TPa: above them the unit is doubtful, or certainly wrong


class Finding(NamedTuple):
    """One fault that :meth:`Dataset.check` found.

    Attributes:
        severity: ``"error"`` if a fit would be meaningless, ``"warning"`` if somebody should have a look.
        kind: ``"not finite"``, ``"unknown element"``, ``"missing label"``, ``"net force"``, ``"too close"``,
            ``"duplicate"``, ``"contradiction"``, ``"no volume"`` or ``"unit"``.
        source: file and frame.
        message: what is wrong, and what to do.
    """

    severity: str
    kind: str
    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


def pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First atoms, second atoms and distances (Å) of all pairs within a cutoff, each once, periodic images included."""
    from vesin import NeighborList

    cell = atoms.cell.array
    return NeighborList(cutoff=cutoff, full_list=False).compute(
        points=atoms.positions, box=cell, periodic=atoms.pbc, quantities="ijd"
    )


def check(dataset: Dataset, elements: Sequence[str] | None, closest: float, net_force: float) -> list[Finding]:
    """See :meth:`Dataset.check`."""
    findings: list[Finding] = []
    sound = []
    for frame in dataset:
        wrong = [
            Finding("error", "not finite", frame.source, f"{name} is not finite; delete the frame")
            for name, value in (
                ("a position", frame.atoms.positions),
                ("the cell", frame.atoms.cell.array),
                ("the energy", frame.energy),
                ("a force", frame.forces),
                ("the stress", frame.stress),
            )
            if is_bad(value)
        ]
        largest = 0.0 if frame.stress is None or is_bad(frame.stress) else float(np.abs(frame.stress).max())
        if largest > LARGE_STRESS[0]:
            severity = "error" if largest > LARGE_STRESS[1] else "warning"
            message = (
                f"a stress of {largest:.3g} eV/Å^3 ({largest / GPA:.3g} GPa); convert it from its unit, or leave it out"
            )
            wrong.append(Finding(severity, "unit", frame.source, message))
        known = set(frame.atoms.get_chemical_symbols()) if elements is None else set(elements)
        strange = sorted(set(frame.atoms.get_chemical_symbols()) - known)
        if strange:
            message = f"{', '.join(strange)} is not among {', '.join(elements or ())}; add it or delete the frame"
            wrong.append(Finding("error", "unknown element", frame.source, message))
        findings += wrong
        if not wrong:
            sound.append(frame)
    findings += _missing(dataset)
    shapes: dict[str, list[tuple[np.ndarray, int]]] = {}
    for k, frame in enumerate(sound):
        if frame.forces is not None and len(frame.atoms) > 1:
            net = float(np.linalg.norm(frame.forces.sum(axis=0))) / len(frame.atoms)
            if net > net_force:
                message = f"the forces sum to {net:.3g} eV/Å per atom; check that no atom was fixed or lost"
                findings.append(Finding("warning", "net force", frame.source, message))
        first, second, distances = pairs(frame.atoms, RANGE)
        findings += _too_close(frame.atoms, first, second, distances, closest, frame.source)
        key = frame.atoms.get_chemical_formula() + str(frame.atoms.pbc)
        invariants = _invariants(frame.atoms, first, second, distances)
        for other, at in shapes.get(key, []):
            if np.allclose(other, invariants, rtol=ALIKE, atol=ALIKE):
                findings.append(_duplicate(sound[at], frame))
                break
        shapes.setdefault(key, []).append((invariants, k))
    return findings


def _missing(dataset: Dataset) -> list[Finding]:
    """Findings about labels that some frames lack, and about frames without any label."""
    findings = []
    for name in ("energy", "forces", "stress"):
        without = [frame for frame in dataset if getattr(frame, name) is None]
        if 0 < len(without) < len(dataset):
            message = f"no {name}, as in {len(without)} of {len(dataset)} frames; the fit does without it there"
            findings.append(Finding("warning", "missing label", without[0].source, message))
    for frame in dataset:
        if frame.energy is None and frame.forces is None and frame.stress is None:
            findings.append(Finding("warning", "missing label", frame.source, "no label at all; delete the frame"))
        if frame.stress is not None and not frame.atoms.cell.volume > 0:
            message = "a stress, but the cell has no volume; give it a cell or leave the stress out"
            findings.append(Finding("error", "no volume", frame.source, message))
    return findings


def _too_close(
    atoms: Atoms, first: np.ndarray, second: np.ndarray, distances: np.ndarray, closest: float, source: str
) -> list[Finding]:
    from ase.data import covalent_radii

    if not len(distances):
        return []
    radii = covalent_radii[atoms.numbers]
    ratio = distances / (radii[first] + radii[second])
    k = int(ratio.argmin())
    if ratio[k] >= closest:
        return []
    i, j = int(first[k]), int(second[k])
    message = (
        f"atom {i} ({atoms.symbols[i]}) and atom {j} ({atoms.symbols[j]}) are {distances[k]:.3f} Å apart; "
        "check the cell and the units"
    )
    return [Finding("error" if distances[k] < 0.1 else "warning", "too close", source, message)]


def _invariants(atoms: Atoms, first: np.ndarray, second: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Numbers that do not change on translation, rotation and renumbering of atoms; they go smoothly to 0 at RANGE."""
    fade = (1 - (distances / RANGE) ** 2) ** 2
    charge = np.sqrt(atoms.numbers)
    weights = charge[first] * charge[second]
    radial = [(weights * fade * np.exp(-(((distances - r) / 0.7) ** 2))).sum() for r in np.arange(1.0, RANGE, 0.5)]
    around = np.zeros(len(atoms))
    for a, b in ((first, second), (second, first)):
        np.add.at(around, a, charge[b] * fade / (1 + distances))
    return np.array([atoms.cell.volume / len(atoms), *radial, (around**2).sum(), (around**3 * charge).sum()])


def _duplicate(earlier: Frame, later: Frame) -> Finding:
    same = f"the same structure as {earlier.source} (perhaps turned)"
    if earlier.energy is not None and later.energy is not None:
        apart = abs(earlier.energy - later.energy) / len(later.atoms)
        if apart > SAME_ENERGY:
            message = f"{same}, with an energy {apart:.3g} eV/atom off; delete one"
            return Finding("warning", "contradiction", later.source, message)
    return Finding("warning", "duplicate", later.source, f"{same}; delete one")
