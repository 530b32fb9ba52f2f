"""All components of the SO(4) bispectrum with their derivatives, as design rows of fits need them."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.bispectrum import Bispectrum, factor_places, isolated, norms, poles, radial_waves
from jaxpot.numerics.hyperspherical import columns, rows_before, rule, solid_harmonics

__all__ = ["bispectrum_jacobian"]


def bispectrum_jacobian(
    settings: Bispectrum,
    x: jax.Array,
    y: jax.Array,
    z: jax.Array,
    species: jax.Array,
    own_species: jax.Array,
    mask: jax.Array,
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    """All components of many environments and their derivatives with respect to all edges.

    By the chain rule through the moments of the densities, u = sum_k w_k Y_jlm(q_k), which are far fewer than the
    components times the neighbours: dB/du takes products of two f_j at the points of the rule, du/dr_k is a forward
    derivative.

    Args:
        settings: the static choices.
        x: [atoms, neighbors] Å, displacements from the atoms.
        y: [atoms, neighbors] Å.
        z: [atoms, neighbors] Å.
        species: [atoms, neighbors] int32.
        own_species: [atoms] int32.
        mask: [atoms, neighbors] bool, which slots hold a neighbour.

    Returns:
        [atoms, components], as :func:`jaxpot.descriptors.bispectrum.bispectrum` gives them, and d/dx, d/dy, d/dz, each
        [atoms, components, neighbors].
    """
    twojmax = settings.twojmax
    which_radial, which_solid, degrees = moment_places(twojmax)

    # what a neighbour adds to moments is R(|r|) S(r/|r|)
    distances = jnp.sqrt(x * x + y * y + z * z)
    unit = x / distances, y / distances, z / distances

    def radial(distances: jax.Array) -> list[jax.Array]:
        weights, along = radial_waves(settings, distances, species, own_species, mask)
        return [weight[None] * jnp.concatenate(along) for weight in weights]

    def solid(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
        r = jnp.sqrt(x * x + y * y + z * z)
        return jnp.concatenate(solid_harmonics(twojmax, x / r, y / r, z / r))

    along, along_slopes = jax.jvp(radial, (distances,), (jnp.ones_like(distances),))
    around, push = jax.linearize(solid, x, y, z)
    zero = jnp.zeros_like(x)
    turned = [push(*(jnp.ones_like(x) if d == e else zero for e in range(3))) for d in range(3)]
    each, slopes = [], []
    for density, slope in zip(along, along_slopes, strict=True):
        here, there = density[which_radial], around[which_solid]
        each.append(here * there)
        outward = slope[which_radial] * there
        slopes.append([outward * u[None] + here * t[which_solid] for u, t in zip(unit, turned, strict=True)])
    chosen, places = rule(twojmax), factor_places(settings)
    keys = [(element, j) for element in range(settings.densities) for j in range(twojmax + 1)]
    moments, values = [], []
    for element, j in keys:
        moment = each[element][degrees == j].sum(axis=-1).T
        moments.append(moment.at[:, :1].add(math.sqrt(j + 1) * poles(settings, element, own_species, x.dtype)))
        values.append(moments[-1] @ jnp.asarray(chosen.values[j], x.dtype))
    number = {key: n for n, key in enumerate(keys)}
    pairs = sorted({tuple(sorted((number[a], number[b]))) for t in places for a, b in itertools.combinations(t, 2)})
    first, second = np.array(pairs).T
    points = jnp.stack(values, axis=1)
    products = points[:, first] * points[:, second]  # [atoms, pairs, points]
    scale = norms(settings)
    components = jnp.zeros((len(x), settings.number), x.dtype)
    by_moments = []
    for n, (_, j) in enumerate(keys):
        # dB_t/du of these moments: the products of the two other factors, as often as the density stands in it
        terms = [
            (t, pairs.index(tuple(sorted(number[k] for k in (*three[:place], *three[place + 1 :])))), place)
            for t, three in enumerate(places)
            for place in range(3)
            if three[place] == keys[n]
        ]
        used = sorted({pair for _, pair, _ in terms})
        back = jnp.asarray((chosen.values[j] * chosen.weights).T, x.dtype)
        integrals = products[:, np.array(used)] @ back  # [atoms, used, moments of this j]
        times, last = np.zeros((settings.number, len(used))), np.zeros((settings.number, len(used)))
        for t, pair, place in terms:
            times[t, used.index(pair)] += scale[t]
            last[t, used.index(pair)] += scale[t] * (place == 2)
        by_moments.append(jnp.einsum("tu,aum->atm", jnp.asarray(times, x.dtype), integrals))
        here = jnp.einsum("aum,am->au", integrals, moments[n])
        components += here @ jnp.asarray(last.T, x.dtype)
    joined = jnp.concatenate(by_moments, axis=-1)
    by_edges = [jnp.einsum("atm,mak->atk", joined, jnp.concatenate([s[d] for s in slopes])) for d in range(3)]
    return components - isolated(settings, own_species, components), (by_edges[0], by_edges[1], by_edges[2])


def moment_places(twojmax: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each moment: its place among all radial functions, even l before odd ones, and among all solid harmonics, and
    its degree j, in ascending order."""
    radial_even = sum(twojmax + 1 - order for order in range(0, twojmax + 1, 2))
    solid_even = sum(2 * order + 1 for order in range(0, twojmax + 1, 2))
    rows = [
        (order % 2 * radial_even + rows_before(twojmax, order) + j - order, order % 2 * solid_even + column, j)
        for j in range(twojmax + 1)
        for order in range(j + 1)
        for column in range(columns(order).start, columns(order).stop)
    ]
    radial, solid, degrees = np.array(rows).T
    return radial, solid, degrees
