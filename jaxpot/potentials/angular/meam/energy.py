"""The energies of atoms in MEAM, from their environments and the prepared tables."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.environment import Environment
from jaxpot.numerics.splines import cubics_at
from jaxpot.potentials.angular.meam.functions import embedding, screened_product, screening_factor, smooth_step
from jaxpot.potentials.angular.meam.reference import averaged, background, by_form, gamma_weights
from jaxpot.potentials.angular.meam.settings import MeamSettings

__all__ = ["KNOTS", "energies"]

KNOTS = 1000  # of phi, LAMMPS's number


def energies(p: Any, settings: MeamSettings, around: Environment) -> jax.Array:
    """[atoms] eV, from environments [atoms, neighbors]."""
    own, other, r = around.own_species, around.species, around.distances
    near = around.mask & (r < p["rc"])
    left = screening(p, settings, around, near) * smooth_step((p["rc"] - r) / p["delr"])
    left = jnp.where(near, left, 0.0)
    pair = jnp.where(near, _pair(p, settings, own, other, r), 0.0)
    return _embedded(p, settings, around, left) + 0.5 * (left * pair).sum(axis=1)


def screening(p: Any, settings: MeamSettings, around: Environment, near: jax.Array) -> jax.Array:
    """[atoms, neighbors] the product over other atoms k of f[(C_ikj - Cmin)/(Cmax - Cmin)]."""
    x, y, z = around.x, around.y, around.z
    squares = x * x + y * y + z * z
    dots = sum(d[:, :, None] * d[:, None, :] for d in (x, y, z))
    inverse = 1.0 / squares[:, :, None]
    to_i = squares[:, None, :] * inverse  # r_ik^2 / r_ij^2
    cross = 2.0 * dots * inverse
    to_j = 1.0 + to_i - cross  # r_jk^2 / r_ij^2
    width = 1.0 - (to_i - to_j) ** 2
    low, high = (_of_triples(p[name], settings, around) for name in ("Cmin", "Cmax"))
    excess = 2.0 * (to_i + to_j - 1.0)
    between = (excess < (high - 1.0) * width) & (width > 0)
    different = ~jnp.eye(squares.shape[1], dtype=bool)[None]
    between &= near[:, :, None] & around.mask[:, None, :] & different
    C = 1.0 + jnp.where(between, excess, 1.0) / jnp.where(between, width, 1.0)
    return screened_product(jnp.where(between, screening_factor(C, low, high), 1.0))


def _of_triples(table: jax.Array, settings: MeamSettings, around: Environment) -> jax.Array:
    """A table [i, j, k] for each neighbour j and other atom k of each atom i."""
    count = settings.count
    if count == 1:
        return table.reshape(())
    index = (around.own_species[:, None] * count + around.species)[:, :, None] * count + around.species[:, None, :]
    return table.reshape(-1).at[index].get(mode="promise_in_bounds")


def _pair(p: Any, settings: MeamSettings, own: jax.Array, other: jax.Array, r: jax.Array) -> jax.Array:
    """[atoms, neighbors] phi from its table."""
    place = np.zeros((settings.count, settings.count), np.int32)
    for k, (i, j) in enumerate([(i, i) for i in range(settings.count)] + settings.pairs):
        place[i, j] = place[j, i] = k
    steps = jnp.minimum(r / p["rc"], 1.0) * (KNOTS / 1.1)
    interval = jnp.clip(steps.astype(jnp.int32), 0, KNOTS - 2)
    table = jnp.asarray(place)[own[:, None], other] if settings.count > 1 else jnp.zeros_like(interval)
    return cubics_at(p["phi"], table * KNOTS + interval, steps - interval.astype(r.dtype))


def _embedded(p: Any, settings: MeamSettings, around: Environment, left: jax.Array) -> jax.Array:
    """[atoms] F of the densities of neighbours, ``left`` of which are not screened."""
    own, other, r = around.own_species, around.species, around.distances

    def of_neighbor(name: str) -> jax.Array:
        return p[name][other] if settings.count > 1 else p[name].reshape(())

    stretch = r / of_neighbor("re_own") - 1.0
    start = of_neighbor("rho0") * left
    each = [start * jnp.exp(-of_neighbor(f"b{k}") * stretch) for k in range(4)]
    total = each[0].sum(axis=1)
    alive = total > jnp.finfo(total.dtype).tiny ** 0.45  # of less, the square underflows
    share = jnp.where(alive, 1.0 / jnp.where(alive, total, 1.0), 0.0)
    t = [of_neighbor(f"t{k}") for k in (1, 2, 3)]
    weights = gamma_weights(
        settings,
        [p[f"t{k}"][own] for k in (1, 2, 3)],
        [(t[k] * each[0]).sum(axis=1) * share for k in range(3)],
        [(t[k] ** 2 * each[0]).sum(axis=1) * share for k in range(3)],
    )
    f = [each[k] * (t[k - 1] if settings.mixing == 1 else 1.0) * share[:, None] for k in (1, 2, 3)]
    squared = _angular_densities(f, around.x / r, around.y / r, around.z / r)
    gamma = sum((weights[k] * squared[k] for k in range(3)), jnp.zeros_like(total))
    G = by_form(gamma, settings.forms, own, p["gsmooth_factor"])
    density = total * G / background(p, settings, averaged(p, settings, weights, own), own)
    return embedding(density, (p["asub"] * jnp.diagonal(p["Ec"]))[own], settings.linear_below)


def _angular_densities(f: list[jax.Array], x: jax.Array, y: jax.Array, z: jax.Array) -> list[jax.Array]:
    """[atoms] the squared densities of three orders, from weights f of the unit vectors to neighbours."""
    xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, x * y, x * z, y * z
    cubes = [xx * x, yy * y, zz * z, xy * z, xx * y, xx * z, xy * y, yy * z, xz * z, yz * z]

    def moments(weight: jax.Array, of: list[jax.Array]) -> jax.Array:
        return (weight[None] * jnp.stack(of)).sum(axis=-1) ** 2

    def total(squares: jax.Array, times: tuple[float, ...]) -> jax.Array:
        return (squares * np.array(times, squares.dtype)[:, None]).sum(axis=0)

    return [
        total(moments(f[0], [x, y, z]), (1, 1, 1)),
        total(moments(f[1], [xx, yy, zz, xy, xz, yz, jnp.ones_like(x)]), (1, 1, 1, 2, 2, 2, -1 / 3)),
        total(moments(f[2], [*cubes, x, y, z]), (1, 1, 1, 6, *(3,) * 6, -0.6, -0.6, -0.6)),
    ]
