"""Numbers compared with what they should be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxpot.evaluation import Evaluation
    from jaxpot.testing.bench import Bench

__all__ = ["Finding", "close", "holds", "same"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One comparison that a check has made.

    Attributes:
        what: has been compared.
        error: the largest difference, or 0 and infinity for a yes and a no; infinity too where a number is not finite.
        allowed: the largest difference that passes.
        detail: the numbers, for the reader.
    """

    what: str
    error: float
    allowed: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the difference is one that passes."""
        return self.error <= self.allowed

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}"


def close(what: str, found: Any, wanted: Any, allowed: float) -> Finding:
    """Two arrays compared number by number.

    Args:
        what: is compared.
        found: array.
        wanted: array of the same shape, or a number.
        allowed: the largest absolute difference that passes.

    Returns:
        The :class:`Finding`, whose detail has the two numbers that differ most.
    """
    found = np.asarray(found, np.float64)
    wanted = np.broadcast_to(np.asarray(wanted, np.float64), found.shape)
    differences = np.abs(found - wanted)
    differences = np.where(np.isfinite(differences), differences, np.inf)
    if not differences.size:
        return Finding(what, 0.0, allowed, "no numbers")
    place = np.unravel_index(np.argmax(differences), differences.shape)
    error = float(differences[place])
    at = f"[{', '.join(map(str, place))}] " if place else ""
    wrong = int((differences > allowed).sum())
    some = f", {wrong} of {differences.size} numbers differ" if wrong > 1 else ""
    detail = f"{at}is {found[place]:.10g}, not {wanted[place]:.10g}; allowed is {allowed:.2g}{some}"
    return Finding(what, error, allowed, detail)


def holds(what: str, truth: Any, detail: str = "does not hold") -> Finding:
    """A yes or no.

    Args:
        what: should be true.
        truth: whether it is.
        detail: for the reader, where it is not.

    Returns:
        The :class:`Finding`.
    """
    return Finding(what, 0.0 if truth else np.inf, 0.0, detail)


def same(b: Bench, found: Evaluation, wanted: Evaluation, allowance: float, what: str = "") -> Iterator[Finding]:
    """Two evaluations of one structure.

    Args:
        b: the bench, which knows the size of the forces.
        found: evaluation.
        wanted: evaluation.
        allowance: the largest difference relative to the sizes of energies and forces.
        what: which structure this is.

    Yields:
        A finding each for energies, forces and virial.
    """
    lead = f"{what}, " if what else ""
    energy = allowance * max(float(np.abs(wanted.energies).max()), b.scale)
    yield close(f"{lead}energies", found.energies, wanted.energies, energy)
    yield close(f"{lead}forces", found.forces, wanted.forces, allowance * b.scale)
    size = max(float(np.abs(wanted.virial).max()), b.scale)
    yield close(f"{lead}virial", found.virial, wanted.virial, 10 * allowance * size)
