"""The SO(4) bispectrum of one atom's environment."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Bispectrum", "bispectrum", "bispectrum_triples"]


class Bispectrum(NamedTuple):
    """The static choices of a bispectrum, named as LAMMPS names them in brackets.

    Attributes:
        twojmax: 2J, the largest degree of the hyperspherical harmonics.
        radii: one an element, such that atoms of elements a and b see each other up to
            cutoff_factor (radii[a] + radii[b]) Å (the ``R`` of ``.snapcoeff``, in Å where cutoff_factor is 1).
        weights: one an element, of its atoms in the density.
        cutoff_factor: multiplies sums of radii (``rcutfac``).
        rfac0: fraction of the half circle that distances up to the cutoff are mapped to.
        rmin0: Å, the distance that is mapped to the pole.
        switch: whether atoms fade out between ``rmin0`` and the cutoff (``switchflag``).
        inner: None, or (centres, half widths), Å, one of each an element, of an inner switch that fades atoms out as
            they come close (``switchinnerflag``, ``sinner``, ``dinner``).
        subtract_isolated: whether that of an isolated atom is subtracted (``bzeroflag``).
        normalize: whether components are divided by j + 1 (``bnormflag``).
        by_elements: whether every element has its own density (``chemflag``).
        self_in_all: whether the atom itself is in the density of every element rather than only its own
            (``wselfallflag``).
    """

    twojmax: int
    radii: tuple[float, ...]
    weights: tuple[float, ...]
    cutoff_factor: float = 1.0
    rfac0: float = 0.99363
    rmin0: float = 0.0
    switch: bool = True
    inner: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    subtract_isolated: bool = True
    normalize: bool = False
    by_elements: bool = False
    self_in_all: bool = False

    @property
    def cutoff(self) -> float:
        """Å, the largest distance at which two atoms see each other."""
        return 2.0 * self.cutoff_factor * max(self.radii)

    @property
    def densities(self) -> int:
        """How many densities there are: one, or one an element."""
        return len(self.radii) if self.by_elements else 1

    @property
    def number(self) -> int:
        """How many components there are."""
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


def bispectrum(
    settings: Bispectrum,
    x: jax.Array,
    y: jax.Array,
    z: jax.Array,
    distances: jax.Array,
    species: jax.Array,
    own_species: jax.Array,
    mask: jax.Array,
) -> jax.Array:
    """The bispectrum components of an environment, or of many along trailing axes.

    A neighbour at r is mapped to the point q = (cos t, sin t r/|r|) of the unit sphere in four dimensions, with
    t = rfac0 pi (|r| - rmin0)/(R - rmin0), R the cutoff of the pair; the atom itself is at the pole (1, 0, 0, 0). The
    part of degree j of the density of weights w_k at q_k is

        f_j(p) = sum_k w_k U_j(q_k . p),    w_k = weight (1 + cos(pi (|r| - rmin0)/(R - rmin0)))/2,

    with Chebyshev's polynomials U_j of the second kind: sum_mm' u^j_mm' D^j_mm'(p)^* in the notation of the papers,
    whose u^j_mm' are the coefficients in Wigner's functions. The bispectrum is

        B_{j1 j2 j} = sum (u^j_mm')^* C^{jm}_{j1m1j2m2} C^{jm'}_{j1m1'j2m2'} u^{j1}_{m1m1'} u^{j2}_{m2m2'}
                    = (j + 1) <f_j1 f_j2 f_j>,

    the mean being that over the sphere (the integral of three Wigner functions is a product of two Clebsch-Gordan
    coefficients). It is taken exactly by a quadrature rule, in place of the sums over Clebsch-Gordan coefficients. All
    degrees are doubled angular momenta: 0, 1, ..., 2J.

    Args:
        settings: the static choices.
        x: [neighbors, ...] Å, displacements from the atom.
        y: [neighbors, ...] Å.
        z: [neighbors, ...] Å.
        distances: [neighbors, ...] Å, not 0.
        species: [neighbors, ...] int32.
        own_species: [...] int32.
        mask: [neighbors, ...] bool, which slots hold a neighbour.

    Returns:
        [components, ...] in LAMMPS's order: triples of elements first where every element has its own density, then
        :func:`bispectrum_triples`.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.descriptors.bispectrum import Bispectrum, bispectrum
        >>> one = jnp.ones(1)
        >>> settings = Bispectrum(2, radii=(2.0,), weights=(1.0,))
        >>> found = bispectrum(settings, one, 0 * one, one, 2**0.5 * one, jnp.zeros(1, int), jnp.int32(0), one > 0)
        >>> found.shape
        (5,)

    Reference: A. P. Bartók, M. C. Payne, R. Kondor and G. Csányi, Phys. Rev. Lett. 104, 136403 (2010); A. P. Bartók,
    R. Kondor and G. Csányi, Phys. Rev. B 87, 184115 (2013), eqs. 42 to 53; A. P. Thompson, L. P. Swiler, C. R. Trott,
    S. M. Foiles and G. J. Tucker, J. Comput. Phys. 285, 316 (2015), eqs. 2 to 10; several elements: M. A. Cusentino,
    M. A. Wood and A. P. Thompson, J. Phys. Chem. A 124, 5456 (2020). Conventions are those of LAMMPS.
    """
    parts = density_on_points(settings, x, y, z, distances, species, own_species, mask)
    weights = jnp.asarray(rule(settings.twojmax)[1], x.dtype).reshape(-1, *[1] * own_species.ndim)
    components = []
    elements = range(settings.densities)
    for a in elements:
        for b in elements:
            for c in elements:
                for j1, j2, j in bispectrum_triples(settings.twojmax):
                    mean = jnp.sum(weights * parts[a][j1] * parts[b][j2] * parts[c][j], axis=0)
                    components.append(mean if settings.normalize else (j + 1) * mean)
    found = jnp.stack(components)
    if settings.subtract_isolated:
        table = jnp.asarray(isolated(settings), x.dtype)
        found = found - (table[:, own_species] if settings.by_elements else table.reshape(-1, *[1] * own_species.ndim))
    return found


def isolated(settings: Bispectrum) -> np.ndarray:
    """[components, species] the components of an isolated atom; one column where species do not matter."""
    each = np.array([1.0 if settings.normalize else j + 1.0 for *_, j in bispectrum_triples(settings.twojmax)])
    number = settings.densities
    own = np.ones((number, number)) if settings.self_in_all else np.eye(number)  # [density, species]
    return np.einsum("as,bs,cs,t->abcts", own, own, own, each).reshape(-1, number)


def density_on_points(
    settings: Bispectrum,
    x: jax.Array,
    y: jax.Array,
    z: jax.Array,
    distances: jax.Array,
    species: jax.Array,
    own_species: jax.Array,
    mask: jax.Array,
) -> list[list[jax.Array]]:
    """f_j at the points of the quadrature rule, for each density and each j: [points, ...]."""
    dtype = x.dtype
    radii = jnp.asarray(settings.radii, dtype)
    cutoff = settings.cutoff_factor * (radii[own_species][None] + radii[species])
    width = cutoff - settings.rmin0
    fraction = (distances - settings.rmin0) / width
    weight = jnp.asarray(settings.weights, dtype)[species]
    if settings.switch:
        weight = weight * 0.5 * (jnp.cos(jnp.pi * jnp.clip(fraction, 0.0, 1.0)) + 1.0)
    if settings.inner is not None:
        center, half = (jnp.asarray(v, dtype) for v in settings.inner)
        center, half = (0.5 * (v[own_species][None] + v[species]) for v in (center, half))
        weight = weight * 0.5 * (1.0 + jnp.sin(0.5 * jnp.pi * jnp.clip((distances - center) / half, -1.0, 1.0)))
    weight = jnp.where(mask & (fraction < 1.0), weight, 0.0)
    angle = settings.rfac0 * jnp.pi * fraction
    around = solid_harmonics(settings.twojmax, x / distances, y / distances, z / distances)
    along = radial_functions(settings.twojmax, angle, weight)
    number = settings.twojmax + 1
    parts = []
    for element in range(settings.densities):
        here = species == element if settings.by_elements else None
        moments = []  # sum_k w_k Y_jlm(q_k) for each l, [j - l, m, ...]
        for radial, solid in zip(along, around, strict=True):
            chosen = radial if here is None else jnp.where(here[None], radial, 0.0)
            moments.append(jnp.sum(chosen[:, None] * solid[None], axis=2))
        own = jnp.ones_like(distances[0])
        if settings.by_elements and not settings.self_in_all:
            own = (own_species == element).astype(dtype)
        each = []
        for j in range(number):
            rows = [moments[degree][j - degree] for degree in range(j + 1)]
            rows[0] = rows[0] + math.sqrt(j + 1) * own[None]  # the atom itself, at the pole
            at_points = jnp.asarray(rule(settings.twojmax)[0][j], dtype)
            each.append(jnp.tensordot(at_points, jnp.concatenate(rows), 1))
        parts.append(each)
    return parts


def radial_functions(twojmax: int, angle: jax.Array, weight: jax.Array) -> list[jax.Array]:
    """weight N_jl sin^l(t) C^{l+1}_{j-l}(cos t) with Gegenbauer's polynomials, for each l: [j - l, ...], j = l ... 2J.

    Y_jlm(q) is this times S_lm(r/|r|), normalised such that sum_lm Y_jlm(q) Y_jlm(p) = U_j(q . p). They are sums of
    cos(nt) for even l, and of sin(nt) for odd l.
    """
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    even, odd = [weight, weight * cosine], [jnp.zeros_like(weight), weight * sine]
    for waves in (even, odd):
        for _ in range(2, twojmax + 1):
            waves.append(2.0 * cosine * waves[-1] - waves[-2])
    waves_of = [jnp.stack(waves[: twojmax + 1]) for waves in (even, odd)]
    return [
        jnp.tensordot(jnp.asarray(table, angle.dtype), waves_of[degree % 2], 1)
        for degree, table in enumerate(radial_tables(twojmax))
    ]


def solid_harmonics(degree: int, x: jax.Array, y: jax.Array, z: jax.Array) -> list[jax.Array]:
    """Real spherical harmonics S_lm of a unit vector for each l, [2 l + 1, ...]: cosines for m = 0 ... l, then sines.

    They are normalised such that sum_m S_lm(a) S_lm(b) is Legendre's polynomial P_l(a . b).
    """
    cosine, sine, chebyshev = [jnp.ones_like(x)], [jnp.zeros_like(x)], [jnp.ones_like(x), z]
    for _ in range(degree):  # real and imaginary part of (x + i y)^m
        cosine.append(x * cosine[-1] - y * sine[-1])
        sine.append(x * sine[-1] + y * cosine[-2])
    for _ in range(2, degree + 1):
        chebyshev.append(2.0 * z * chebyshev[-1] - chebyshev[-2])
    cosines, sines, powers = jnp.stack(cosine), jnp.stack(sine), jnp.stack(chebyshev[: degree + 1])
    result = []
    for order, table in enumerate(legendre_tables(degree)):
        polar = jnp.tensordot(jnp.asarray(table, x.dtype), powers, 1)
        result.append(jnp.concatenate([polar * cosines[: order + 1], polar[1:] * sines[1 : order + 1]]))
    return result


@functools.cache
def radial_tables(twojmax: int) -> tuple[np.ndarray, ...]:
    """Fourier coefficients of N_jl sin^l(t) C^{l+1}_{j-l}(cos t) for each l, [j - l, n]."""
    from scipy.special import eval_gegenbauer

    count = 2 * twojmax + 2
    t = 2 * np.pi * np.arange(count) / count
    tables = []
    for order in range(twojmax + 1):
        wave = np.sin if order % 2 else np.cos
        rows = []
        for j in range(order, twojmax + 1):
            norm = (
                2**order
                * math.factorial(order)
                * math.sqrt((2 * order + 1) * math.factorial(j - order) / math.factorial(j + order + 1))
            )
            values = norm * np.sin(t) ** order * eval_gegenbauer(j - order, order + 1, np.cos(t))
            row = [(1 if n == 0 else 2) / count * np.sum(values * wave(n * t)) for n in range(twojmax + 1)]
            rows.append(np.where(np.arange(twojmax + 1) % 2 == j % 2, row, 0.0))
        tables.append(np.array(rows))
    return tuple(tables)


@functools.cache
def legendre_tables(degree: int) -> tuple[np.ndarray, ...]:
    """Coefficients [m, n] in Chebyshev polynomials of z of S_lm without its factor (x + i y)^m, for each l."""
    from numpy.polynomial import chebyshev, legendre

    tables = []
    for order in range(degree + 1):
        rows = np.zeros((order + 1, degree + 1))
        for m in range(order + 1):
            # (-1)^m is left out: the m-th derivative of P_l
            derived = chebyshev.poly2cheb(legendre.leg2poly(legendre.legder([0] * order + [1], m)))
            norm = math.sqrt((2 - (m == 0)) * math.factorial(order - m) / math.factorial(order + m))
            rows[m, : len(derived)] = norm * derived
        tables.append(rows)
    return tuple(tables)


@functools.cache
def rule(twojmax: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Harmonics [points, (j + 1)^2] for each j at the points, and weights [points], of a rule for <f_j1 f_j2 f_j>.

    The products are even in p, hence functions of the rotation p, with angular momenta up to L = (j1 + j2 + j)/2. A
    mean over L + 1 turns around the axis leaves spherical harmonics of the axis up to L, for which Lebedev's rules are
    exact (M. Gräf and D. Potts, Numer. Funct. Anal. Optim. 30, 665 (2009)).
    """
    from scipy.integrate import lebedev_rule

    largest = 3 * twojmax // 2
    degrees = [*range(3, 32, 2), *range(35, 132, 6)]
    (nx, ny, nz), weights = lebedev_rule(next(d for d in degrees if d >= largest))
    turns = largest + 1
    polar, azimuth = np.arccos(np.clip(nz, -1, 1))[:, None], np.arctan2(ny, nx)[:, None]
    turn = 2 * np.pi * np.arange(turns)[None, :] / turns
    plus, minus = 0.5 * (azimuth + turn), 0.5 * (azimuth - turn)
    c, s = np.cos(0.5 * polar), np.sin(0.5 * polar)
    # the angle of rotation 2 t and its axis
    axis = [-s * np.sin(minus), s * np.cos(minus), c * np.sin(plus)]
    sine = np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
    angle = np.arctan2(sine, c * np.cos(plus)).ravel()
    axis = [np.where(sine > 0, v / np.where(sine > 0, sine, 1.0), k == 2).ravel() for k, v in enumerate(axis)]
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        solid = [np.asarray(v) for v in solid_harmonics(twojmax, *map(jnp.asarray, axis))]
        radial = [np.asarray(v) for v in radial_functions(twojmax, jnp.asarray(angle), jnp.ones(angle.shape))]
    values = [
        np.concatenate([radial[order][j - order] * solid[order] for order in range(j + 1)]).T
        for j in range(twojmax + 1)
    ]
    return tuple(values), np.repeat(weights / (4 * np.pi * turns), turns)
