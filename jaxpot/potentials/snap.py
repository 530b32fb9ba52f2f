"""The spectral neighbor analysis potential, linear and quadratic."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from jaxpot.descriptors.bispectrum import Bispectrum
from jaxpot.engine import DescriptorPotential, descriptor_potential
from jaxpot.heads import LinearHead
from jaxpot.spec import plain_data, potential_kind

__all__ = ["SnapFile", "snap"]


@plain_data
@dataclasses.dataclass(frozen=True)
class SnapFile:
    """Further content of the files that a SNAP potential was loaded from.

    Attributes:
        rcutfac: Å, the unit of radii in the file.
        texts: the coefficients of each element, as written in the file.
        coefficient_comments: lines at the head of ``.snapcoeff``.
        parameter_comments: lines at the head of ``.snapparam``.
    """

    rcutfac: float
    texts: tuple[tuple[str, ...], ...]
    coefficient_comments: tuple[str, ...] = ()
    parameter_comments: tuple[str, ...] = ()


@potential_kind
def snap(
    elements: Sequence[str],
    twojmax: int,
    cutoff: float | Sequence[float],
    weights: Sequence[float] | None = None,
    quadratic: bool = False,
    rfac0: float = 0.99363,
    rmin0: float = 0.0,
    switch: bool = True,
    inner: tuple[Sequence[float], Sequence[float]] | None = None,
    subtract_isolated: bool = True,
    normalize: bool = False,
    by_elements: bool = False,
    self_in_all: bool = False,
) -> DescriptorPotential:
    """The spectral neighbor analysis potential (SNAP): a linear head on the bispectrum.

    E = sum_i beta_0 + beta . B_i  (+ B_i . alpha . B_i / 2), with the bispectrum B_i of the neighbours of atom i
    (:func:`jaxpot.descriptors.bispectrum.values.bispectrum`) and coefficients beta, alpha of its element.

    The params are ``{"coefficients": [species, features]}``, eV: beta_0, beta and, if quadratic, the upper triangle of
    alpha row by row, in the order of a ``.snapcoeff`` file.

    Args:
        elements: chemical symbols whose order gives the species.
        twojmax: 2J, the largest degree of the hyperspherical harmonics, even or odd.
        cutoff: Å, one number, or one an element; the cutoff of a pair is the mean of both.
        weights: weights of the elements in the density; by default 1.
        quadratic: whether products of components are features too.
        rfac0: fraction of the half circle that distances up to the cutoff are mapped to, between 0 and 1.
        rmin0: Å, the distance that is mapped to the pole.
        switch: whether atoms fade out between ``rmin0`` and the cutoff.
        inner: None, or an inner switch given by (centres, half widths), Å, one of each an element; a pair has the means
            of both. Neighbours closer than centre - half width do not count.
        subtract_isolated: whether the components of an isolated atom are subtracted (LAMMPS's ``bzeroflag``).
        normalize: whether components are divided by j + 1 (``bnormflag``).
        by_elements: whether every element has its own density (``chemflag``): explicit multi-element SNAP.
        self_in_all: whether the atom itself is in the density of every element (``wselfallflag``).

    Returns:
        The :class:`jaxpot.DescriptorPotential`.

    Raises:
        ValueError: there are no elements; a degree, length, fraction or weight makes no sense; or the length of a list
            is not the number of elements.

    Example:
        >>> import jaxpot, numpy as np
        >>> potential = jaxpot.snap(["Ta"], twojmax=2, cutoff=4.7)
        >>> potential.head.names(potential.descriptor)
        ('1', 'B[0,0,0]', 'B[1,0,1]', 'B[1,1,2]', 'B[2,0,2]', 'B[2,2,2]')
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.5]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> params = {"coefficients": np.array([[-3.0, 0.0, 0.1, 0.0, 0.0, 0.0]])}
        >>> jaxpot.energy(potential)(params, system, neighbors).shape
        ()

    Reference: A. P. Thompson, L. P. Swiler, C. R. Trott, S. M. Foiles and G. J. Tucker, J. Comput. Phys. 285, 316
    (2015); quadratic: M. A. Wood and A. P. Thompson, J. Chem. Phys. 148, 241721 (2018); explicit multi-element:
    M. A. Cusentino, M. A. Wood and A. P. Thompson, J. Phys. Chem. A 124, 5456 (2020); LAMMPS's ``pair_style snap``.
    """
    elements = tuple(elements)
    cutoffs = (cutoff,) * len(elements) if isinstance(cutoff, int | float) else tuple(cutoff)
    bispectrum = Bispectrum(
        elements,
        twojmax,
        radii=tuple(0.5 * float(c) for c in cutoffs),
        weights=tuple(float(w) for w in weights) if weights is not None else (1.0,) * len(elements),
        rfac0=rfac0,
        rmin0=rmin0,
        switch=switch,
        inner=inner if inner is None else (tuple(map(float, inner[0])), tuple(map(float, inner[1]))),
        subtract_isolated=subtract_isolated,
        normalize=normalize,
        by_elements=by_elements,
        self_in_all=self_in_all,
    )
    head = LinearHead("quadratic" if quadratic else None)
    return descriptor_potential(bispectrum, head, "quadratic snap" if quadratic else "snap")
