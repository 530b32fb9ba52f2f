"""One symmetry function as a record, and the order in which RuNNer and n2p2 number them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from jaxpot.descriptors.symmetry_functions.cutoffs import compact_function
from jaxpot.spec import plain_data

__all__ = ["RADIAL_TYPES", "TYPES", "SymmetryFunction", "angular", "in_order", "radial"]

RADIAL_TYPES = (1, 2, 4, 12, 20, 23)
NARROW_TYPES = (3, 13, 21, 24)
COMPACT_TYPES = (20, 21, 22, 23, 24, 25)
# number of neighbours' elements that a type names; 0 where all neighbours contribute, weighted by atomic numbers
TYPES = {1: 1, 2: 1, 3: 2, 4: 1, 9: 2, 12: 0, 13: 0, 20: 1, 21: 2, 22: 2, 23: 0, 24: 0, 25: 0}


@plain_data
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
    20   sum_j C(r_ij)
    21   sum_jk C(r_ij) C(r_ik) C(r_jk) A(theta)
    22   sum_jk C(r_ij) C(r_ik) A(theta)
    23   as 20, times Z_j, over neighbours of any element
    24   as 21, times Z_j Z_k, over neighbours of any element
    25   as 22, times Z_j Z_k, over neighbours of any element
    ==== =======================================================================================

    C is the :func:`compact_function` of the subtype between ``start`` and ``cutoff``. A is the same function, but
    without the "a" of a subtype, between ``angle_start`` and ``angle_end``. Pairs of neighbours exactly in a line
    contribute like all others; n2p2 leaves them out, even where A(0) or A(180 degrees) is 1.

    Attributes:
        type: RuNNer's and n2p2's number.
        center: symbol of the atoms that have it.
        neighbors: symbols of the neighbours that contribute, none for types 12, 13, 23 to 25; in alphabetical order.
        cutoff: Å.
        eta: 1/Å^2.
        shift: Å.
        zeta: exponent of the angular part, positive.
        sign: lambda, usually 1 or -1.
        kappa: 1/Å, for type 4.
        start: Å, below the cutoff, for types 20 to 25; negative where C is to be 1 at a smaller distance than in the
            middle of what it reaches.
        angle_start: degrees, for types 21, 22, 24, 25; negative only where A is even about 0 degrees.
        angle_end: degrees; above 180 only where A is even about 180 degrees.
        subtype: see :func:`compact_function`, for types 20 to 25.

    Raises:
        ValueError: an unknown type or subtype, a wrong number of neighbours, or an invalid number.

    Reference:
        J. Behler, J. Chem. Phys. 134, 074106 (2011); M. Gastegger, L. Schwiedrzik, M. Bittermann, F. Berzsenyi and P.
        Marquetand, J. Chem. Phys. 148, 241709 (2018), types 12 and 13; M. P. Bircher, A. Singraber and C. Dellago,
        Mach. Learn.: Sci. Technol. 2, 035026 (2021), types 20 to 25.
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
    start: float = 0.0
    angle_start: float = 0.0
    angle_end: float = 180.0
    subtype: str = ""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"symmetry function type {self.type} is not supported; use one of {sorted(TYPES)}")
        if len(self.neighbors) != TYPES[self.type]:
            raise ValueError(
                f"symmetry function type {self.type} takes {TYPES[self.type]} neighbours, got {self.neighbors}"
            )
        numbers = (
            self.cutoff, self.eta, self.shift, self.zeta, self.sign, self.kappa,
            self.start, self.angle_start, self.angle_end,
        )  # fmt: skip
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"a symmetry function needs finite numbers, got {self}")
        if not self.cutoff > 0:
            raise ValueError(f"the cutoff of a symmetry function must be positive, got {self.cutoff}")
        if not self.zeta > 0:
            raise ValueError(f"zeta must be positive, got {self.zeta}")
        if abs(self.sign) > 1:
            raise ValueError(f"lambda must be from -1 to 1, got {self.sign}")
        if self.is_compact:
            self._check_support()
        elif self.subtype or self.start:
            raise ValueError(f"symmetry function type {self.type} takes no subtype and no start, got {self}")
        object.__setattr__(self, "neighbors", tuple(sorted(self.neighbors)))

    def _check_support(self) -> None:
        compact_function(self.subtype)
        if not self.start < self.cutoff:
            raise ValueError(f"a compact function must start before the cutoff, got {self.start} and {self.cutoff}")
        first, last = self.angle_start, self.angle_end
        if not first < last <= first + 360.0:
            raise ValueError(f"the angles must rise, by up to 360 degrees, got {first} and {last}")
        if (first < 0 and first + last != 0) or (last > 180 and first + last != 360):
            raise ValueError(
                f"angles must be from 0 to 180 degrees, or as far on both sides of 0 or of 180, got {first} and {last}"
            )

    @property
    def is_radial(self) -> bool:
        """Whether it is a sum over neighbours, not over pairs of neighbours."""
        return self.type in RADIAL_TYPES

    @property
    def is_narrow(self) -> bool:
        """Whether it depends on the distance between both neighbours."""
        return self.type in NARROW_TYPES

    @property
    def is_compact(self) -> bool:
        """Whether it is made of functions of compact support, without a cutoff function."""
        return self.type in COMPACT_TYPES


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

    By element, type, cutoff, eta, shift, zeta, lambda, and the neighbours' elements; those of compact support by
    element, type, subtype, the neighbours' elements, cutoff, start, and angles.

    Args:
        functions: in any order.
        elements: in the order of their atomic numbers.

    Returns:
        The sorted list.
    """
    place = {symbol: k for k, symbol in enumerate(elements)}

    def key(f: SymmetryFunction) -> tuple[object, ...]:
        neighbors = sorted(place[symbol] for symbol in f.neighbors)
        if f.is_compact:
            return place[f.center], f.type, f.subtype, *neighbors, f.cutoff, f.start, f.angle_start, f.angle_end
        return place[f.center], f.type, f.cutoff, f.eta, f.shift, f.kappa, f.zeta, f.sign, *neighbors

    return sorted(functions, key=key)
