"""The SO(4) bispectrum of one atom's environment."""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Bispectrum", "bispectrum", "bispectrum_energy", "bispectrum_triples"]


class Bispectrum(NamedTuple):
    """The static choices of a bispectrum, named as LAMMPS names them in brackets.

    Attributes:
        twojmax: 2J, the largest degree of the hyperspherical harmonics.
        radii: one an element, Å; atoms of elements a and b see each other up to radii[a] + radii[b] (``rcutfac`` times
            the ``R`` of ``.snapcoeff``).
        weights: one an element, of its atoms in the density.
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
        return 2.0 * max(self.radii)

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
    """The bispectrum components of an environment, or of many along leading axes.

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
        x: [..., neighbors] Å, displacements from the atom.
        y: [..., neighbors] Å.
        z: [..., neighbors] Å.
        distances: [..., neighbors] Å, not 0.
        species: [..., neighbors] int32.
        own_species: [...] int32.
        mask: [..., neighbors] bool, which slots hold a neighbour.

    Returns:
        [..., components] in LAMMPS's order: triples of elements first where every element has its own density, then
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
    densities = density_on_points(settings, x, y, z, distances, species, own_species, mask)
    weights = jnp.asarray(rule(settings.twojmax).weights, x.dtype)
    found = jnp.stack([(f * g * h) @ weights for f, g, h in factors(settings, densities)], axis=-1)
    return found * spread(norms(settings), found) - isolated(settings, own_species, found)


def bispectrum_energy(
    settings: Bispectrum,
    coefficients: jax.Array,
    x: jax.Array,
    y: jax.Array,
    z: jax.Array,
    distances: jax.Array,
    species: jax.Array,
    own_species: jax.Array,
    mask: jax.Array,
) -> jax.Array:
    """sum_t coefficients_t B_t, without the components one by one, which take longer.

    Args:
        settings: the static choices.
        coefficients: [components], or [..., components] of each environment.
        x: [..., neighbors] Å, and so on as in :func:`bispectrum`.
        y: [..., neighbors] Å.
        z: [..., neighbors] Å.
        distances: [..., neighbors] Å.
        species: [..., neighbors] int32.
        own_species: [...] int32.
        mask: [..., neighbors] bool.

    Returns:
        [...] of the dtype of the positions.
    """
    densities = density_on_points(settings, x, y, z, distances, species, own_species, mask)
    weights = jnp.asarray(rule(settings.twojmax).weights, x.dtype)
    scaled = coefficients * spread(norms(settings), coefficients)
    by_pair: dict[tuple[int, int], jax.Array] = {}  # f_j1 f_j2 is computed once for all j
    pairs = {}
    for k, (f, g, h) in enumerate(factors(settings, densities)):
        term = scaled[..., k, None] * h
        key = id(f), id(g)
        by_pair[key] = by_pair[key] + term if key in by_pair else term
        pairs[key] = f, g
    density = sum(f * g * by_pair[key] for key, (f, g) in pairs.items())
    constant = isolated(settings, own_species, coefficients)
    return density @ weights - jnp.sum(coefficients * constant, axis=-1)


def factors(settings: Bispectrum, densities: list[list[jax.Array]]) -> list[tuple[jax.Array, jax.Array, jax.Array]]:
    """f_j1, f_j2, f_j of each component."""
    triples, elements = bispectrum_triples(settings.twojmax), range(settings.densities)
    return [
        (densities[a][j1], densities[b][j2], densities[c][j])
        for a, b, c in itertools.product(elements, repeat=3)
        for j1, j2, j in triples
    ]


def norms(settings: Bispectrum) -> np.ndarray:
    """[components] what the mean of the three densities is multiplied by."""
    each = [1.0 if settings.normalize else j + 1.0 for *_, j in bispectrum_triples(settings.twojmax)]
    return np.tile(each, settings.densities**3)


def isolated(settings: Bispectrum, own_species: jax.Array, like: jax.Array) -> jax.Array:
    """[..., components] the components of an isolated atom, or zeros where they are not subtracted."""
    if not settings.subtract_isolated:
        return spread(np.zeros(settings.number), like)
    number = settings.densities
    if number == 1:
        return spread(norms(settings), like)
    own = np.ones((number, number)) if settings.self_in_all else np.eye(number)  # [species, density]
    triples = np.einsum("sa,sb,sc->sabc", own, own, own).reshape(number, -1)
    table = np.repeat(triples, settings.number // number**3, axis=1) * norms(settings)
    return jnp.asarray(table, like.dtype)[own_species]


def spread(values: np.ndarray, like: jax.Array) -> jax.Array:
    """[components] as an array that broadcasts against ``like`` [..., components]."""
    return jnp.asarray(values, like.dtype).reshape((1,) * (like.ndim - 1) + (-1,))


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
    """f_j at the points of the quadrature rule, for each density and each j: [..., points]."""
    dtype = x.dtype
    radii = jnp.asarray(settings.radii, dtype)
    own = own_species[..., None]
    width = radii[own] + radii[species] - settings.rmin0
    fraction = (distances - settings.rmin0) / width
    weight = jnp.asarray(settings.weights, dtype)[species]
    if settings.switch:
        weight = weight * 0.5 * (jnp.cos(jnp.pi * jnp.clip(fraction, 0.0, 1.0)) + 1.0)
    if settings.inner is not None:
        center, half = (jnp.asarray(v, dtype) for v in settings.inner)
        center, half = (0.5 * (v[own] + v[species]) for v in (center, half))
        weight = weight * 0.5 * (1.0 + jnp.sin(0.5 * jnp.pi * jnp.clip((distances - center) / half, -1.0, 1.0)))
    weight = jnp.where(mask & (fraction < 1.0), weight, 0.0)
    around = solid_harmonics(settings.twojmax, x / distances, y / distances, z / distances)
    along = radial_functions(settings.twojmax, settings.rfac0 * jnp.pi * fraction)
    values = rule(settings.twojmax).values
    found = []
    for element in range(settings.densities):
        here = jnp.where(species == element, weight, 0.0) if settings.by_elements else weight
        # sum_k w_k Y_jlm(q_k), [..., rows of radial functions, rows of solid harmonics] for even and for odd l
        moments = [
            jnp.einsum("j...k,m...k->...jm", radial * here[None], solid)
            for radial, solid in zip(along, around, strict=True)
        ]
        alone = jnp.ones((*own_species.shape, 1), dtype)
        if settings.by_elements and not settings.self_in_all:
            alone = (own_species == element).astype(dtype)[..., None]
        each = []
        for j, at_points in enumerate(values):
            row = [
                moments[order % 2][..., rows_before(settings.twojmax, order) + j - order, columns(order)]
                for order in range(j + 1)
            ]
            row[0] = row[0] + math.sqrt(j + 1) * alone  # the atom itself, at the pole
            each.append(jnp.concatenate(row, axis=-1) @ jnp.asarray(at_points, dtype))
        found.append(each)
    return found


def rows_before(twojmax: int, order: int) -> int:
    """How many radial functions come before those of l, among those of the l that are even, or odd."""
    return sum(twojmax + 1 - lower for lower in range(order % 2, order, 2))


def columns(order: int) -> slice:
    """Where the solid harmonics of l lie among those of the l that are even, or odd."""
    start = sum(2 * lower + 1 for lower in range(order % 2, order, 2))
    return slice(start, start + 2 * order + 1)


def radial_functions(twojmax: int, angle: jax.Array) -> list[jax.Array]:
    """N_jl sin^l(t) C^{l+1}_{j-l}(cos t) with Gegenbauer's polynomials, [rows, ...] for all even l, and for all odd.

    The rows go over l and then over j = l ... 2J. Y_jlm(q) is this times S_lm(r/|r|), normalised such that
    sum_lm Y_jlm(q) Y_jlm(p) = U_j(q . p).
    """
    n = jnp.arange(twojmax + 1, dtype=angle.dtype).reshape(-1, *[1] * angle.ndim)
    waves = jnp.cos(n * angle[None]), jnp.sin(n * angle[None])
    return [
        jnp.tensordot(jnp.asarray(t, angle.dtype), w, 1) for t, w in zip(radial_tables(twojmax), waves, strict=True)
    ]


def solid_harmonics(degree: int, x: jax.Array, y: jax.Array, z: jax.Array) -> list[jax.Array]:
    """Real spherical harmonics S_lm of a unit vector, [rows, ...] for all even l, and for all odd.

    The rows go over l and then over m: cosines for m = 0 ... l, then sines. They are normalised such that
    sum_m S_lm(a) S_lm(b) is Legendre's polynomial P_l(a . b).
    """
    polar, circle = chebyshev(degree, z), circular(degree, x, y)
    return [
        jnp.tensordot(jnp.asarray(legendre, x.dtype), polar, 1) * jnp.tensordot(jnp.asarray(choice, x.dtype), circle, 1)
        for legendre, choice in harmonic_tables(degree)
    ]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def chebyshev(degree: int, x: jax.Array) -> jax.Array:
    """[degree + 1, ...] Chebyshev's polynomials T_n(x), by T_{a+b} = 2 T_a T_b - T_{a-b}."""
    values = [jnp.ones_like(x), x]
    for n in range(2, degree + 1):
        values.append(2.0 * values[n // 2] * values[n - n // 2] - values[n % 2])
    return jnp.stack(values[: degree + 1])


@chebyshev.defjvp
def _(degree: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    # the derivative of each is a sum of those of lower degree
    slopes = np.zeros((degree + 1, degree + 1))
    for n in range(1, degree + 1):
        slopes[n, :n] = np.polynomial.chebyshev.chebder(np.eye(degree + 1)[n])[:n]
    values = chebyshev(degree, *primals)
    return values, jnp.tensordot(jnp.asarray(slopes, values.dtype), values, 1) * tangents[0][None]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def circular(degree: int, x: jax.Array, y: jax.Array) -> jax.Array:
    """[2 (degree + 1), ...] real parts of (x + i y)^m, m = 0 ... degree, then imaginary parts."""
    real, imaginary = [jnp.ones_like(x), x], [jnp.zeros_like(x), y]
    for m in range(2, degree + 1):
        a, b = m // 2, m - m // 2
        real.append(real[a] * real[b] - imaginary[a] * imaginary[b])
        imaginary.append(real[a] * imaginary[b] + imaginary[a] * real[b])
    return jnp.stack(real[: degree + 1] + imaginary[: degree + 1])


@circular.defjvp
def _(degree: int, primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    values = circular(degree, *primals)
    # d (x + i y)^m = m (x + i y)^(m-1) (dx + i dy)
    lower = np.diag(np.arange(1.0, degree + 1), -1)
    by_x = np.kron(np.eye(2), lower)
    by_y = np.kron(np.array([[0.0, -1.0], [1.0, 0.0]]), lower)
    slopes = [jnp.tensordot(jnp.asarray(by, values.dtype), values, 1) for by in (by_x, by_y)]
    return values, slopes[0] * tangents[0][None] + slopes[1] * tangents[1][None]


@functools.cache
def radial_tables(twojmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients [rows, n] of the radial functions in cos(nt) for even l, and in sin(nt) for odd l."""
    from scipy.special import eval_gegenbauer

    count = 2 * twojmax + 2
    t = 2 * np.pi * np.arange(count) / count
    n = np.arange(twojmax + 1)
    waves = [np.cos(np.outer(n, t)), np.sin(np.outer(n, t))]
    rows: list[list[np.ndarray]] = [[], []]
    for order in range(twojmax + 1):
        for j in range(order, twojmax + 1):
            norm = (
                2**order
                * math.factorial(order)
                * math.sqrt((2 * order + 1) * math.factorial(j - order) / math.factorial(j + order + 1))
            )
            values = norm * np.sin(t) ** order * eval_gegenbauer(j - order, order + 1, np.cos(t))
            row = waves[order % 2] @ values * np.where(n == 0, 1, 2) / count
            rows[order % 2].append(np.where(n % 2 == j % 2, row, 0.0))
    even, odd = (np.array(r).reshape(-1, twojmax + 1) for r in rows)
    return even, odd


@functools.cache
def harmonic_tables(degree: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For even and for odd l: coefficients [rows, n] of S_lm in T_n(z), and which row [rows, 2 (degree + 1)] of
    :func:`circular` multiplies it."""
    from numpy.polynomial import chebyshev as series
    from numpy.polynomial import legendre

    tables = []
    for parity in (0, 1):
        polar, choice = [], []
        for order in range(parity, degree + 1, 2):
            for sine, m in [(0, m) for m in range(order + 1)] + [(1, m) for m in range(1, order + 1)]:
                derived = series.poly2cheb(legendre.leg2poly(legendre.legder([0] * order + [1], m)))
                norm = math.sqrt((2 - (m == 0)) * math.factorial(order - m) / math.factorial(order + m))
                polar.append(np.pad(norm * derived, (0, degree + 1 - len(derived))))
                choice.append(np.eye(2 * (degree + 1))[sine * (degree + 1) + m])
        tables.append((np.array(polar).reshape(-1, degree + 1), np.array(choice).reshape(-1, 2 * (degree + 1))))
    return tables


class Rule(NamedTuple):
    """A quadrature rule for means over the sphere.

    Attributes:
        values: for each j, the harmonics Y_jlm [(j + 1)^2, points] at the points.
        weights: [points], of sum 1.
    """

    values: tuple[np.ndarray, ...]
    weights: np.ndarray


@functools.cache
def rule(twojmax: int) -> Rule:
    """The rule for <f_j1 f_j2 f_j>.

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
        radial = [np.asarray(v) for v in radial_functions(twojmax, jnp.asarray(angle))]
    values = [
        np.concatenate([
            radial[order % 2][rows_before(twojmax, order) + j - order] * solid[order % 2][columns(order)]
            for order in range(j + 1)
        ])
        for j in range(twojmax + 1)
    ]  # fmt: skip
    return Rule(tuple(values), np.repeat(weights / (4 * np.pi * turns), turns))
