"""The functions that MEAM is made of."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

__all__ = [
    "GAMMA_FORMS",
    "embedding",
    "gamma_function",
    "screened_product",
    "screening_factor",
    "smooth_step",
    "universal_energy",
    "universal_repulsion",
]

GAMMA_FORMS = (0, 1, 3, 4, -5)
# of the nuclear repulsion, LAMMPS's
COULOMB = 14.3997  # eV Å
LENGTH = 0.4685  # Å
WEIGHTS = (0.028171, 0.28022, 0.50986, 0.18175)
RATES = (0.20162, 0.40290, 0.94229, 3.1998)


def smooth_step(x: jax.Array) -> jax.Array:
    """f(x) = [1 - (1 - x)^4]^2 between 0 and 1, 0 below and 1 above."""
    y = 1.0 - jnp.clip(x, 0.0, 1.0)
    y = y * y
    return (1.0 - y * y) ** 2


def screening_factor(C: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """f[(C - Cmin)/(Cmax - Cmin)]: what one atom between two others leaves of their interaction."""
    between = (low < C) & (high > C)
    x = jnp.where(between, C - low, 0.0) / jnp.where(between, high - low, 1.0)
    return jnp.where(high <= C, 1.0, smooth_step(x))


@jax.custom_jvp
def screened_product(factors: jax.Array) -> jax.Array:
    """The product along the last axis, with derivatives that are finite and cheap where factors are 0.

    A factor f(x) is 0 together with its slope, so that a product with such a factor has derivative 0.
    """
    return jax.lax.reduce_prod(factors, (factors.ndim - 1,))


@screened_product.defjvp
def _(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (factors,), (moved,) = primals, tangents
    product = screened_product(factors)
    each = jnp.where(factors > 0, moved / jnp.where(factors > 0, factors, 1.0), 0.0)
    return product, product * each.sum(axis=-1)


def gamma_function(gamma: jax.Array, form: int, smoothing: jax.Array) -> jax.Array:
    """G(Gamma) in one of five forms.

    0 and 4: (1 + Gamma)^(1/2), which a power law continues below -s/(1 + s); 1: exp(Gamma/2);
    3: 2/[1 + exp(-Gamma)]; -5: +-|1 + Gamma|^(1/2).

    Args:
        gamma: any shape.
        form: the library's ``ibar``.
        smoothing: s, the file's ``gsmooth_factor``.

    Returns:
        Values, of the same shape.
    """
    if form == 1:
        return jnp.exp(0.5 * jnp.minimum(gamma, 0.9 * math.log(float(jnp.finfo(gamma.dtype).max))))
    if form == 3:
        return 2.0 * jax.nn.sigmoid(gamma)
    inside = 1.0 + gamma
    if form == -5:
        positive = jnp.abs(inside)
        return jnp.sign(inside) * jnp.sqrt(jnp.where(positive > 0, positive, 1.0))
    start = -smoothing / (1.0 + smoothing)
    low = gamma < start
    power = (start / jnp.where(low, gamma, -1.0)) ** smoothing / (1.0 + smoothing)
    return jnp.sqrt(jnp.where(low, power, jnp.where(low, 1.0, inside)))


def embedding(density: jax.Array, depth: jax.Array, linear: bool) -> jax.Array:
    """F = A E rho ln rho for rho > 0, else 0, or -A E rho.

    Args:
        density: rho over its value in the reference structure.
        depth: A E, eV.
        linear: whether F is -A E rho below 0.

    Returns:
        eV.
    """
    positive = density > 0
    logarithm = jnp.log(jnp.where(positive, density, 1.0))
    return depth * jnp.where(positive, density * logarithm, -density if linear else 0.0)


def universal_energy(p: Any, r: jax.Array, form: int) -> jax.Array:
    """The energy of one atom of a reference structure, by Rose's universal function.

    E = -Ec (1 + a + c a^3) exp(-a) with a = alpha (r/re - 1); with A = attrac, R = repuls and B = R for a < 0, else A,
    c is B re/r (form 0), -A + R/r (form 1) or B (form 2).

    Args:
        p: ``Ec``, ``re``, ``alpha``, ``attrac`` and ``repuls``, of shapes that fit ``r``.
        r: Å, distances of nearest neighbours.
        form: the file's ``erose_form``.

    Returns:
        eV, of the shape of ``r``.
    """
    a = p["alpha"] * (r / p["re"] - 1.0)
    if form == 1:
        c = p["repuls"] / r - p["attrac"]
    else:
        c = jnp.where(a < 0, p["repuls"], p["attrac"]) * (p["re"] / r if form == 0 else 1.0)
    return -p["Ec"] * (1.0 + a + c * a**3) * jnp.exp(-a)


def universal_repulsion(charges: tuple[Any, Any], r: jax.Array) -> jax.Array:
    """The repulsion of two screened nuclei of the given charges (e), eV."""
    x = r * (charges[0] ** 0.23 + charges[1] ** 0.23) / LENGTH
    screening = sum((w * jnp.exp(-d * x) for w, d in zip(WEIGHTS, RATES, strict=True)), jnp.zeros_like(x))
    return COULOMB * charges[0] * charges[1] / r * screening
