"""The static settings of a bispectrum."""

from __future__ import annotations

import dataclasses

__all__ = ["BispectrumSettings", "bispectrum_triples"]


@dataclasses.dataclass(frozen=True)
class BispectrumSettings:
    """The static settings of a bispectrum; LAMMPS's names are in brackets.

    Attributes:
        elements: chemical symbols whose order gives the species.
        twojmax: 2J, the largest degree of the hyperspherical harmonics, even or odd.
        radii: one per element, Å; atoms of elements a and b are neighbours up to a distance of radii[a] + radii[b]
            (``rcutfac`` times the ``R`` of ``.snapcoeff``).
        weights: one per element, the weight of its atoms in the density.
        rfac0: fraction of the half circle that distances up to the cutoff are mapped to, above 0 and up to 1.
        rmin0: Å, the distance that is mapped to the pole.
        switch: whether the weight of a neighbour decreases to 0 between ``rmin0`` and the cutoff (``switchflag``).
        inner: None, or (centers, half widths), Å, each one per element, of an inner switch that decreases the weight of
            a neighbour to 0 at short distances (``switchinnerflag``, ``sinner``, ``dinner``).
        subtract_isolated: whether the components of an isolated atom are subtracted (``bzeroflag``).
        normalize: whether components are divided by j + 1 (``bnormflag``).
        by_elements: whether every element has its own density (``chemflag``).
        self_in_all: whether the atom itself is in the density of every element, not only of its own
            (``wselfallflag``).

    Raises:
        ValueError: no elements, an invalid degree, length, fraction or weight, or lists whose length is not the number
            of elements.
    """

    elements: tuple[str, ...]
    twojmax: int
    radii: tuple[float, ...]
    weights: tuple[float, ...]
    rfac0: float = 0.99363
    rmin0: float = 0.0
    switch: bool = True
    inner: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    subtract_isolated: bool = True
    normalize: bool = False
    by_elements: bool = False
    self_in_all: bool = False

    def __post_init__(self) -> None:
        number = len(self.elements)
        if number == 0:
            raise ValueError("snap: no elements; give at least one chemical symbol")
        if not isinstance(self.twojmax, int) or self.twojmax < 0:
            raise ValueError(f"snap: twojmax is {self.twojmax!r}; it must be an integer, not negative")
        lengths = [("cutoff", self.radii), ("weights", self.weights)]
        if self.inner is not None:
            lengths += [("the centers of inner", self.inner[0]), ("the half widths of inner", self.inner[1])]
        for name, values in lengths:
            if len(values) != number:
                raise ValueError(f"snap: {name} has {len(values)} numbers for {number} elements; give one an element")
        for name, values in [lengths[0], *lengths[3:]]:
            if not all(0 < v < float("inf") for v in values):
                raise ValueError(f"snap: {name} must be positive lengths in Å, got {values}")
        if not 0 <= self.rmin0 < 2 * min(self.radii):
            raise ValueError(f"snap: rmin0 is {self.rmin0} Å; it must be between 0 and the cutoff")
        if not 0 < self.rfac0 <= 1:
            raise ValueError(f"snap: rfac0 is {self.rfac0}; it must be a fraction between 0 and 1")

    @property
    def cutoff(self) -> float:
        """Å, the largest distance at which two atoms are neighbours."""
        return 2.0 * max(self.radii)

    @property
    def densities(self) -> int:
        """Number of densities: one, or one per element."""
        return len(self.radii) if self.by_elements else 1

    @property
    def number(self) -> int:
        """Number of components."""
        return len(bispectrum_triples(self.twojmax)) * self.densities**3


def bispectrum_triples(twojmax: int) -> tuple[tuple[int, int, int], ...]:
    """The triples (j1, j2, j) of degrees of the distinct components, in LAMMPS's order; j2 <= j1 <= j.

    Args:
        twojmax: 2J, the largest degree.

    Returns:
        The triples, of doubled angular momenta, so that all are integers.

    Example:
        >>> from jaxpot.descriptors.bispectrum import bispectrum_triples
        >>> bispectrum_triples(2)
        ((0, 0, 0), (1, 0, 1), (1, 1, 2), (2, 0, 2), (2, 2, 2))
    """
    return tuple(
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(twojmax, j1 + j2) + 1, 2)
        if j >= j1
    )
