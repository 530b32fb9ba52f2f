"""All components of the SO(4) bispectrum with their derivatives, for the design rows of fits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.bispectrum.settings import BispectrumSettings
from jaxpot.descriptors.bispectrum.values import (
    Key,
    by_rule,
    density_weights,
    factor_keys,
    isolated,
    keys_of,
    norms,
    on_points,
    point_of,
    with_pole,
)
from jaxpot.descriptors.environment import Environment
from jaxpot.numerics.hyperspherical import Ingredients, harmonics, ingredients, of_degree

__all__ = ["bispectrum_jacobian"]


def bispectrum_jacobian(
    settings: BispectrumSettings, environment: Environment
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    """All components of many environments and their derivatives with respect to all edges.

    The chain rule goes through the moments of the densities, u = sum_k w_k Y_j(q_k), which are far fewer than the
    components times the neighbours. dB/du consists of products of two f_j at the points of the rule; du/dr_k is a
    forward derivative.

    Args:
        settings: the static settings.
        environment: of the atoms, which are along the first axis of every array.

    Returns:
        [atoms, components], as :func:`jaxpot.descriptors.bispectrum.values.bispectrum` gives them, and d/dx, d/dy,
        d/dz, each [atoms, components, neighbors].
    """
    twojmax, own_species = settings.twojmax, environment.own_species
    x, y, z = environment.x, environment.y, environment.z

    def weighted(x: jax.Array, y: jax.Array, z: jax.Array) -> list[Ingredients]:
        """The ingredients of the harmonics that each neighbour adds to the moments of each density."""
        moved = environment.moved(x, y, z)
        return ingredients(twojmax, density_weights(settings, moved), point_of(settings, moved))

    def added(made_of: list[Ingredients]) -> list[jax.Array]:
        return [harmonics(twojmax, one) for one in made_of]

    # differentiate the ingredients first; each harmonic is a product of a few of them
    made_of, push = jax.linearize(weighted, x, y, z)
    unit = jnp.broadcast_to(jnp.eye(3, dtype=x.dtype)[:, :, None, None], (3, 3, *x.shape))
    along = jax.vmap(push)(*unit)
    each = added(made_of)
    slopes = jnp.concatenate(jax.vmap(lambda change: jax.jvp(added, (made_of,), (change,))[1])(along), axis=1)
    sums = [one.sum(axis=-1).T for one in each]
    keys = [(element, j) for element in range(settings.densities) for j in range(twojmax + 1)]
    moments = {key: with_pole(settings, key, sums[key[0]][:, of_degree(key[1])], own_species) for key in keys}

    # dB_t/du is a sum of products of the two other factors, one for each place of the density among the three factors.
    # For each key and each pair of other factors: integrals [atoms, moments], and the components with multiplicities.
    integrals: dict[Key, list[jax.Array]] = {key: [] for key in keys}
    times: dict[Key, list[np.ndarray]] = {key: [] for key in keys}
    last: dict[Key, list[np.ndarray]] = {key: [] for key in keys}
    scale = norms(settings)
    for chosen, components in by_rule(settings, most=3):  # more rules take more time to compile than they save
        f = on_points(moments, chosen, keys_of(settings, components))
        terms: dict[Key, dict[tuple[Key, Key], list[tuple[int, int]]]] = {}
        for t in components:
            three = factor_keys(settings)[t]
            for place, key in enumerate(three):
                first, second = sorted(three[:place] + three[place + 1 :])
                terms.setdefault(key, {}).setdefault((first, second), []).append((t, place))
        pairs = sorted({pair for by_pair in terms.values() for pair in by_pair})
        products = jnp.stack([f[a] * f[b] for a, b in pairs], axis=1)  # [atoms, pairs, points]
        for key, by_pair in terms.items():
            back = jnp.asarray((chosen.values[key[1]] * chosen.weights).T, x.dtype)
            integrals[key].append(products[:, np.array([pairs.index(pair) for pair in by_pair])] @ back)
            for found in by_pair.values():
                column = np.zeros((2, settings.number))
                for t, place in found:
                    column[:, t] += scale[t], scale[t] * (place == 2)
                times[key].append(column[0])
                last[key].append(column[1])
    by_moments = []
    values = jnp.zeros((len(x), settings.number), x.dtype)
    for key in keys:
        joined = jnp.concatenate(integrals[key], axis=1)  # [atoms, pairs, moments of this j]
        by_moments.append(jnp.einsum("ut,aum->atm", jnp.asarray(np.array(times[key]), x.dtype), joined))
        here = jnp.einsum("aum,am->au", joined, moments[key])
        values += here @ jnp.asarray(np.array(last[key]), x.dtype)
    by_moment = jnp.concatenate(by_moments, axis=-1)
    dx, dy, dz = (jnp.einsum("atm,mak->atk", by_moment, slope) for slope in slopes)
    return values - isolated(settings, own_species, values), (dx, dy, dz)
