"""One symmetry function as a record, and the order in which RuNNer and n2p2 number them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

__all__ = ["RADIAL_TYPES", "TYPES", "SymmetryFunction", "angular", "in_order", "radial"]

RADIAL_TYPES = (1, 2, 4, 12)
# number of neighbours that an entry names: none where all count, weighted by their atomic numbers
TYPES = {1: 1, 2: 1, 3: 2, 4: 1, 9: 2, 12: 0, 13: 0}


@dataclasses.dataclass(frozen=True)
class SymmetryFunction:
    """A symmetry function of the atoms of one element; lengths in Å.

    With Z the atomic numbers, R_ij = (r_ij - shift), sums over neighbours j of the named element and over pairs j < k
    of neighbours of the two named elements:

    ==== =======================================================================================
    type value
    ==== =======================================================================================
    1    sum_j f(r_ij), Behler's G1
    2    sum_j exp(-eta R_ij^2) f(r_ij), G2
    4    sum_j cos(kappa r_ij) f(r_ij), G3
    12   sum_j Z_j exp(-eta R_ij^2) f(r_ij), over neighbours of any element
    3    2^(1-zeta) sum_jk (1 + lambda cos)^zeta exp(-eta (R_ij^2 + R_ik^2 + R_jk^2)) f(r_ij) f(r_ik) f(r_jk), G4
    9    2^(1-zeta) sum_jk (1 + lambda cos)^zeta exp(-eta (R_ij^2 + R_ik^2)) f(r_ij) f(r_ik), G5
    13   as 3, times Z_j Z_k, over neighbours of any element
    ==== =======================================================================================

    Attributes:
        type: RuNNer's and n2p2's number.
        center: symbol of the atoms that have it.
        neighbors: symbols of the neighbours that count, none for types 12 and 13; in alphabetical order.
        cutoff: Å.
        eta: 1/Å^2.
        shift: Å.
        zeta: exponent of the angular part, positive.
        sign: lambda, usually 1 or -1.
        kappa: 1/Å, for type 4.

    Raises:
        ValueError: an unknown type, another number of neighbours, or a number that cannot be.
    """

    type: int
    center: str
    neighbors: tuple[str, ...]
    cutoff: float
    eta: float = 0.0
    shift: float = 0.0
    zeta: float = 1.0
    sign: float = 1.0
    kappa: float = 0.0

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"symmetry function type {self.type} is not supported; use one of {sorted(TYPES)}")
        if len(self.neighbors) != TYPES[self.type]:
            raise ValueError(
                f"symmetry function type {self.type} takes {TYPES[self.type]} neighbours, got {self.neighbors}"
            )
        numbers = (self.cutoff, self.eta, self.shift, self.zeta, self.sign, self.kappa)
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"a symmetry function needs finite numbers, got {self}")
        if not self.cutoff > 0:
            raise ValueError(f"the cutoff of a symmetry function must be positive, got {self.cutoff}")
        if not self.zeta > 0:
            raise ValueError(f"zeta must be positive, got {self.zeta}")
        if abs(self.sign) > 1:
            raise ValueError(f"lambda must be from -1 to 1, got {self.sign}")
        object.__setattr__(self, "neighbors", tuple(sorted(self.neighbors)))

    @property
    def is_radial(self) -> bool:
        """Whether it is a sum over neighbours, not over pairs of them."""
        return self.type in RADIAL_TYPES

    @property
    def is_narrow(self) -> bool:
        """Whether the distance between both neighbours counts."""
        return self.type in (3, 13)


def radial(
    center: str, neighbor: str, cutoff: float, eta: float = 0.0, shift: float = 0.0, kappa: float | None = None
) -> SymmetryFunction:
    """A radial symmetry function: G2, or G3 where ``kappa`` is given; G1 is G2 with eta 0.

    Args:
        center: symbol of the atoms that have it.
        neighbor: symbol of the neighbours that count.
        cutoff: Å.
        eta: 1/Å^2.
        shift: Å.
        kappa: 1/Å.

    Returns:
        The :class:`SymmetryFunction`.
    """
    if kappa is not None:
        return SymmetryFunction(4, center, (neighbor,), cutoff, kappa=kappa)
    return SymmetryFunction(2, center, (neighbor,), cutoff, eta, shift)


def angular(
    center: str,
    neighbors: tuple[str, str],
    cutoff: float,
    eta: float,
    zeta: float,
    sign: float,
    shift: float = 0.0,
    narrow: bool = True,
) -> SymmetryFunction:
    """An angular symmetry function: G4, which is "narrow", or G5, "wide".

    Args:
        center: symbol of the atoms that have it.
        neighbors: symbols of both neighbours.
        cutoff: Å.
        eta: 1/Å^2.
        zeta: exponent of the angular part.
        sign: lambda, 1 or -1.
        shift: Å.
        narrow: whether the distance between both neighbours counts.

    Returns:
        The :class:`SymmetryFunction`.
    """
    return SymmetryFunction(3 if narrow else 9, center, neighbors, cutoff, eta, shift, zeta, sign)


def in_order(functions: Iterable[SymmetryFunction], elements: Sequence[str]) -> list[SymmetryFunction]:
    """Symmetry functions as RuNNer and n2p2 number them: the order of a network's inputs and of ``scaling.data``.

    By element, type, cutoff, eta, shift, zeta, lambda, and the neighbours' elements.

    Args:
        functions: in any order.
        elements: in the order of their atomic numbers.

    Returns:
        The sorted list.
    """
    place = {symbol: k for k, symbol in enumerate(elements)}

    def key(f: SymmetryFunction) -> tuple[object, ...]:
        neighbors = sorted(place[symbol] for symbol in f.neighbors)
        return place[f.center], f.type, f.cutoff, f.eta, f.shift, f.kappa, f.zeta, f.sign, *neighbors

    return sorted(functions, key=key)
