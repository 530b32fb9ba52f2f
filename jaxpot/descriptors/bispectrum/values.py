"""The components of the SO(4) bispectrum, and sums of them times coefficients."""

from __future__ import annotations

import functools
import itertools
import operator

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.bispectrum.settings import BispectrumSettings, bispectrum_triples
from jaxpot.descriptors.environment import Environment
from jaxpot.numerics.hyperspherical import Rule, at_pole, moments, rule, rule_degrees

__all__ = [
    "Key", "bispectrum", "bispectrum_energy", "by_rule", "density_weights", "factor_keys", "isolated", "keys_of",
    "norms", "on_points", "point_of", "with_pole",
]  # fmt: skip

Key = tuple[int, int]  # the element of a density, and a degree j


def bispectrum(settings: BispectrumSettings, environment: Environment) -> jax.Array:
    """The bispectrum components of an environment, or of many along leading axes.

    A neighbour at r is mapped to the point q = (cos t, sin t r/|r|) of the unit sphere in four dimensions, with
    t = rfac0 pi (|r| - rmin0)/(R - rmin0), R the cutoff of the pair; the atom itself is at the pole (1, 0, 0, 0). The
    part of degree j of the density of weights w_k at q_k is

        f_j(p) = sum_k w_k U_j(q_k . p),    w_k = weight (1 + cos(pi (|r| - rmin0)/(R - rmin0)))/2,

    with Chebyshev's polynomials U_j of the second kind: sum_mm' u^j_mm' D^j_mm'(p)^* in the notation of the papers,
    whose u^j_mm' are the coefficients in Wigner's functions. The bispectrum is

        B_{j1 j2 j} = sum (u^j_mm')^* C^{jm}_{j1m1j2m2} C^{jm'}_{j1m1'j2m2'} u^{j1}_{m1m1'} u^{j2}_{m2m2'}
                    = (j + 1) <f_j1 f_j2 f_j>,

    where <> is the mean over the sphere (the integral of three Wigner functions is a product of two Clebsch-Gordan
    coefficients). A quadrature rule gives this mean exactly and replaces the sums over Clebsch-Gordan coefficients. All
    degrees are doubled angular momenta: 0, 1, ..., 2J.

    Args:
        settings: the static settings.
        environment: of one atom, or of many along leading axes. No distance may be 0.

    Returns:
        [..., components] in LAMMPS's order: triples of elements first where every element has its own density, then
        :func:`bispectrum_triples`.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxpot
        >>> from jaxpot.descriptors.bispectrum import Bispectrum
        >>> one = jnp.ones(1)
        >>> environment = jaxpot.Environment(
        ...     one, 0 * one, one, 2**0.5 * one, species=jnp.zeros(1, int), own_species=jnp.int32(0), mask=one > 0
        ... )
        >>> found = Bispectrum(("W",), twojmax=2, radii=(2.0,), weights=(1.0,)).values(environment)
        >>> found.shape
        (5,)

    Reference: A. P. Bartók, M. C. Payne, R. Kondor and G. Csányi, Phys. Rev. Lett. 104, 136403 (2010); A. P. Bartók,
    R. Kondor and G. Csányi, Phys. Rev. B 87, 184115 (2013), eqs. 42 to 53; A. P. Thompson, L. P. Swiler, C. R. Trott,
    S. M. Foiles and G. J. Tucker, J. Comput. Phys. 285, 316 (2015), eqs. 2 to 10; several elements: M. A. Cusentino,
    M. A. Wood and A. P. Thompson, J. Phys. Chem. A 124, 5456 (2020). Conventions are those of LAMMPS.
    """
    moments = all_moments(settings, environment)
    found: dict[int, jax.Array] = {}
    for chosen, components in by_rule(settings):
        f = on_points(moments, chosen, keys_of(settings, components))
        weights = jnp.asarray(chosen.weights, environment.x.dtype)
        for k in components:
            a, b, c = factor_keys(settings)[k]
            found[k] = (f[a] * f[b] * f[c]) @ weights
    means = jnp.stack([found[k] for k in range(settings.number)], axis=-1)
    return means * spread(norms(settings), means) - isolated(settings, environment.own_species, means)


def bispectrum_energy(settings: BispectrumSettings, coefficients: jax.Array, environment: Environment) -> jax.Array:
    """sum_t coefficients_t B_t, computed without the single components, which would take longer.

    Args:
        settings: the static settings.
        coefficients: [components], or [..., components] of each environment.
        environment: as in :func:`bispectrum`.

    Returns:
        [...] of the dtype of the positions.
    """
    moments = all_moments(settings, environment)
    scaled = coefficients * spread(norms(settings), coefficients)
    constant = isolated(settings, environment.own_species, coefficients)
    energy = -jnp.sum(coefficients * constant, axis=-1)
    # more than two rules cost more in calls than they save in points
    for chosen, components in by_rule(settings, most=2):
        f = on_points(moments, chosen, keys_of(settings, components))
        times: dict[tuple[Key, Key], jax.Array] = {}  # f_j1 f_j2 is computed once for all j
        for k in components:
            a, b, c = factor_keys(settings)[k]
            times[a, b] = times.get((a, b), 0.0) + scaled[..., k, None] * f[c]
        density = functools.reduce(operator.add, (f[a] * f[b] * other for (a, b), other in times.items()))
        energy += density @ jnp.asarray(chosen.weights, density.dtype)
    return energy


@functools.cache
def factor_keys(settings: BispectrumSettings) -> list[tuple[Key, Key, Key]]:
    """The three factors of each component."""
    triples, elements = bispectrum_triples(settings.twojmax), range(settings.densities)
    return [((a, j1), (b, j2), (c, j)) for a, b, c in itertools.product(elements, repeat=3) for j1, j2, j in triples]


def keys_of(settings: BispectrumSettings, components: list[int]) -> list[Key]:
    """All factors of some components."""
    return sorted({key for k in components for key in factor_keys(settings)[k]})


def by_rule(settings: BispectrumSettings, most: int | None = None) -> list[tuple[Rule, list[int]]]:
    """Quadrature rules, and the components that each is used for: means of low degrees need fewer points.

    Args:
        settings: the static settings.
        most: largest number of rules.
    """
    largest = 3 * settings.twojmax // 2
    degrees = rule_degrees(largest)
    if most is not None:
        degrees = degrees[-most:]
    found: dict[int, list[int]] = {}
    for k, factors in enumerate(factor_keys(settings)):
        needed = sum(j for _, j in factors) // 2
        found.setdefault(next(d for d in degrees if d >= needed), []).append(k)
    return [(rule(settings.twojmax, degree), found[degree]) for degree in sorted(found)]


def norms(settings: BispectrumSettings) -> np.ndarray:
    """[components] factors of the mean of the three densities."""
    each = [1.0 if settings.normalize else j + 1.0 for *_, j in bispectrum_triples(settings.twojmax)]
    return np.tile(each, settings.densities**3)


def isolated(settings: BispectrumSettings, own_species: jax.Array, like: jax.Array) -> jax.Array:
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


def all_moments(settings: BispectrumSettings, environment: Environment) -> dict[Key, jax.Array]:
    """sum_k w_k Y_j(q_k), [..., (j + 1)^2], for each density and each j."""
    weights = density_weights(settings, environment)
    each = moments(settings.twojmax, weights, point_of(settings, environment))
    return {
        (element, j): with_pole(settings, (element, j), moment, environment.own_species)
        for element, by_degree in enumerate(each)
        for j, moment in enumerate(by_degree)
    }


def with_pole(settings: BispectrumSettings, key: Key, moment: jax.Array, own_species: jax.Array) -> jax.Array:
    """[..., (j + 1)^2] moments of a density, to which the atom itself, at the pole, is added where it contributes."""
    element, j = key
    pole = jnp.asarray(at_pole(settings.twojmax)[j], moment.dtype).reshape((1,) * own_species.ndim + (-1,))
    if settings.by_elements and not settings.self_in_all:
        pole = (own_species == element).astype(moment.dtype)[..., None] * pole
    return moment + pole


def on_points(moments: dict[Key, jax.Array], chosen: Rule, keys: list[Key]) -> dict[Key, jax.Array]:
    """f_j at the points of a rule, [..., points], for some densities and degrees."""
    return {key: moments[key] @ jnp.asarray(chosen.values[key[1]], moments[key].dtype) for key in keys}


def fraction_of(settings: BispectrumSettings, environment: Environment) -> jax.Array:
    """[..., neighbors] distances as fractions of the interval from rmin0 to the cutoff."""
    radii = jnp.asarray(settings.radii, environment.distances.dtype)
    cutoff = radii[environment.own_species[..., None]] + radii[environment.species]
    return (environment.distances - settings.rmin0) / (cutoff - settings.rmin0)


def point_of(
    settings: BispectrumSettings, environment: Environment
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The points of the sphere that neighbours are mapped to."""
    angle = settings.rfac0 * jnp.pi * fraction_of(settings, environment)
    outward = jnp.sin(angle) / environment.distances
    return jnp.cos(angle), outward * environment.x, outward * environment.y, outward * environment.z


def density_weights(settings: BispectrumSettings, environment: Environment) -> list[jax.Array]:
    """[..., neighbors] the weights of neighbours in each density; 0 for slots without a neighbour."""
    distances, species = environment.distances, environment.species
    dtype = distances.dtype
    fraction = fraction_of(settings, environment)
    weight = jnp.asarray(settings.weights, dtype)[species]
    if settings.switch:
        weight = weight * 0.5 * (jnp.cos(jnp.pi * jnp.clip(fraction, 0.0, 1.0)) + 1.0)
    if settings.inner is not None:
        own = environment.own_species[..., None]
        center, half = (jnp.asarray(v, dtype) for v in settings.inner)
        center, half = (0.5 * (v[own] + v[species]) for v in (center, half))
        weight = weight * 0.5 * (1.0 + jnp.sin(0.5 * jnp.pi * jnp.clip((distances - center) / half, -1.0, 1.0)))
    weight = jnp.where(environment.mask & (fraction < 1.0), weight, 0.0)
    if not settings.by_elements:
        return [weight]
    return [jnp.where(species == element, weight, 0.0) for element in range(settings.densities)]
