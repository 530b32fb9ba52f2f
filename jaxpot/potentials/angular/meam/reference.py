"""The pair energy phi of MEAM, from the energies and densities of reference structures."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.potentials.angular.meam.functions import (
    embedding,
    gamma_function,
    screening_factor,
    smooth_step,
    universal_energy,
    universal_repulsion,
)
from jaxpot.potentials.angular.meam.lattices import COORDINATION, Lattice, lattice
from jaxpot.potentials.angular.meam.settings import MeamSettings

__all__ = ["TERMS", "averaged", "background", "by_form", "gamma_weights", "pair_energies", "reference_densities"]

TERMS = 10  # of the sum over second neighbours of second neighbours, after which LAMMPS stops
PAIR = ("Ec", "re", "alpha", "attrac", "repuls")
Tables = dict[str, jax.Array]


class Sites(NamedTuple):
    """Atoms of reference structures and their neighbours by group.

    Attributes:
        own: [sites] species of the atom.
        others: [sites, groups] species of its neighbours.
        factors: [sites, groups] their distance over that of nearest neighbours.
        numbers: [sites, groups].
        dots: [3, sites, groups, groups].
        averaged: [sites, groups].
        screening: [sites, groups].
    """

    own: np.ndarray
    others: np.ndarray
    factors: np.ndarray
    numbers: np.ndarray
    dots: np.ndarray
    averaged: np.ndarray
    screening: jax.Array


def background(p: Tables, settings: MeamSettings, angular: jax.Array, species: Any) -> jax.Array:
    """The density of the reference structure, by which an atom's density is divided.

    Args:
        p: prepared tables; ``"density"`` [species] is the spherical density.
        settings: of the potential.
        angular: Gamma of the reference structure, of the shape of ``species``.
        species: of the atoms.

    Returns:
        One value an atom.
    """
    if settings.plain_background:
        numbers = [COORDINATION[settings.lattices[i][i]] for i in range(settings.count)]
        return (p["rho0"] * np.array(numbers, p["rho0"].dtype))[species]
    forms = [form if form > 0 else None for form in settings.forms]
    return p["density"][species] * by_form(angular, forms, species, p["gsmooth_factor"])


def by_form(gamma: jax.Array, forms: Any, species: Any, smoothing: jax.Array) -> jax.Array:
    """G(Gamma) of atoms whose species have different forms; 1 where the form is None."""
    kinds = list(dict.fromkeys(forms))
    values = [jnp.ones_like(gamma) if kind is None else gamma_function(gamma, kind, smoothing) for kind in kinds]
    place = np.array([kinds.index(form) for form in forms])
    if len(kinds) == 1:
        return values[0]
    return jax.lax.select_n(jnp.broadcast_to(jnp.asarray(place, jnp.int32)[species], gamma.shape), *values)


def gamma_weights(settings: MeamSettings, own: list[jax.Array], sums: Any, squares: Any) -> list[jax.Array]:
    """The factors t_1, t_2, t_3 of an atom.

    Args:
        settings: of the potential.
        own: t of the atom's species.
        sums: of t rho_0 over neighbours, over rho_0 of the atom.
        squares: of t^2 rho_0, likewise.

    Returns:
        One array for each t.
    """
    if settings.mixing == 2:
        return own
    if settings.mixing == 0:
        return list(sums)
    return [
        jnp.where(square > 0, t / jnp.where(square > 0, square, 1.0), 0.0)
        for t, square in zip(sums, squares, strict=True)
    ]


def averaged(p: Tables, settings: MeamSettings, weights: list[jax.Array], species: Any) -> jax.Array:
    """Gamma of the reference structure for the factors t of an atom (``mixture_ref_t``) or of its element."""
    t = weights if settings.reference_mixing else [p[f"t{k}"][species] for k in (1, 2, 3)]
    shape = p["shape"]
    return sum((t[k] * shape[k][species] for k in range(3)), jnp.zeros_like(t[0]))


def _constant(p: Tables, values: Any) -> np.ndarray:
    """Numbers in the float type of the params; otherwise they would turn float32 into float64."""
    return np.asarray(values, p["rc"].dtype)


def reference_densities(p: Tables, settings: MeamSettings) -> Tables:
    """The spherical density of each element's reference structure, and its squared angular densities over that."""
    species = list(range(settings.count))
    lattices = [lattice(settings.lattices[i][i], True) for i in species]
    numbers = _constant(p, [one.numbers[0] for one in lattices])
    second = numbers[:, 2] * _constant(p, [settings.second[i][i] for i in species])
    far = jnp.exp(-p["b0"] * _constant(p, [one.ratio - 1.0 for one in lattices]))
    density = p["rho0"] * (numbers[:, 0] + second * far * _second_screening(p, lattices, species, species))
    shape = np.array([one.dots[:, 0, 0, 0] / one.numbers[0, 0] ** 2 for one in lattices]).T
    return {"density": density, "shape": jnp.asarray(shape, density.dtype)}


def _second_screening(p: Tables, structures: list[Lattice], own: Any, other: Any, site: int = 0) -> jax.Array:
    """[structures] how much of second neighbours of one kind is left by the atoms between them."""
    own, other = np.array(own), np.array(other)
    C = jnp.asarray([one.screened_at for one in structures], p["rc"].dtype)
    powers = np.array([one.screeners[site] for one in structures])
    product = jnp.ones_like(C)
    for kind, power in zip((own, other), powers.T, strict=True):
        x = screening_factor(C, p["Cmin"][own, own, kind], p["Cmax"][own, own, kind])
        for number in sorted(set(power) - {0}):
            product *= jnp.where(power == number, jax.lax.integer_pow(x, int(number)), 1.0)
    return product


def _sites(p: Tables, settings: MeamSettings, wanted: list[tuple[int, int]]) -> Sites:
    """The sites of reference structures of elements, one each, or of pairs of elements, two each."""
    structures = [lattice(settings.lattices[i][j], i == j) for i, j in wanted]
    kinds = len(structures[0].numbers)
    groups = [0, 2] if kinds == 1 else [0, 1, 2, 3]
    rows: list[tuple[Any, ...]] = []
    for (i, j), one in zip(wanted, structures, strict=True):
        for site, (own, other) in enumerate(((i, j), (j, i))[:kinds]):
            near = [(own, other)[group % 2] for group in groups]
            factors = [1.0 if group < 2 else one.ratio for group in groups]
            dots = one.dots[:, site][:, groups][:, :, groups]
            rows.append((own, near, factors, one.numbers[site, groups], dots, one.averaged[groups]))
    own_of, others, ratios, numbers, scalars, mean = (np.array(column) for column in zip(*rows, strict=True))
    ratios, numbers, scalars, mean = (_constant(p, values) for values in (ratios, numbers, scalars, mean))
    with_second = _constant(p, [settings.second[i][j] for i, j in wanted])
    left = _left_of_second(p, structures, wanted, kinds) * with_second[:, None]
    screening = jnp.where(np.array(groups)[None] < 2, 1.0, left.reshape(-1, 1))
    return Sites(own_of, others, ratios, numbers, np.moveaxis(scalars, 1, 0), mean, screening)


def _left_of_second(p: Tables, structures: list[Lattice], pairs: list[tuple[int, int]], kinds: int) -> jax.Array:
    """[pairs, kinds] the screening of second neighbours of each kind of atom."""
    ends = np.array(pairs).T
    return jnp.stack([_second_screening(p, structures, ends[k], ends[1 - k], k) for k in range(kinds)], axis=1)


def _embedding(p: Tables, settings: MeamSettings, sites: Sites, r: jax.Array) -> jax.Array:
    """[sites, points] F of the atoms of reference structures whose nearest neighbours have distances r."""
    x = r[:, None, :] * sites.factors[..., None] / p["re_own"][sites.others][..., None] - 1.0
    left = (p["rho0"][sites.others] * sites.screening)[..., None]
    each = [left * jnp.exp(-p[f"b{k}"][sites.others][..., None] * x) for k in range(4)]
    number, mean = sites.numbers[..., None], (sites.numbers * sites.averaged)[..., None]
    total = (number * each[0]).sum(axis=1)
    alive = total > jnp.finfo(total.dtype).tiny ** 0.45
    whole = jnp.where(alive, total, 1.0)
    t = [p[f"t{k}"][sites.others][..., None] for k in (1, 2, 3)]
    gamma = jnp.zeros_like(total)
    own = [jnp.broadcast_to(p[f"t{k}"][sites.own][:, None], total.shape) for k in (1, 2, 3)]
    sums = [(mean * t[k] * each[0]).sum(axis=1) / whole for k in range(3)]
    squares = [(mean * t[k] ** 2 * each[0]).sum(axis=1) / whole for k in range(3)]
    weights = gamma_weights(settings, own, sums, squares)
    for k in range(3):
        if sites.dots[k].any():
            f = each[k + 1] * (t[k] if settings.mixing == 1 else 1.0)
            f = jnp.where(alive[:, None], f / whole[:, None], 0.0)
            gamma += weights[k] * jnp.einsum("sgh,sgm,shm->sm", sites.dots[k], f, f)
    species = np.broadcast_to(sites.own[:, None], total.shape)
    G = by_form(gamma, settings.forms, species, p["gsmooth_factor"])
    rho = jnp.where(alive, total, 0.0) * G / background(p, settings, averaged(p, settings, sums, species), species)
    depth = p["asub"] * jnp.diagonal(p["Ec"])
    return embedding(rho, depth[sites.own][:, None], settings.linear_below)


def _psi(p: Tables, settings: MeamSettings, species: list[int], r: jax.Array) -> jax.Array:
    """[elements, points] the pair energy of elements, with that of second neighbours in it."""
    sites = _sites(p, settings, [(i, i) for i in species])
    own = {name: p[name][sites.own, sites.own][:, None] for name in PAIR}
    factor = _constant(p, [lattice(settings.lattices[i][i], True).energy for i in species])[:, None]
    return (universal_energy(own, r, settings.rose) - _embedding(p, settings, sites, r)) * factor


def _of_elements(p: Tables, settings: MeamSettings, species: list[int], r: jax.Array) -> jax.Array:
    """[elements, points] phi of elements: sum_n (-b)^n psi(a^n r), which takes second neighbours out of psi."""
    found = _psi(p, settings, species, r)
    with_second = [k for k, i in enumerate(species) if settings.second[i][i]]
    if not with_second:
        return found
    chosen = [species[k] for k in with_second]
    structures = [lattice(settings.lattices[i][i], True) for i in chosen]
    n = np.arange(1, TERMS + 1)
    powers = _constant(p, np.array([one.ratio for one in structures])[:, None] ** n)
    share: Any = _constant(p, [one.numbers[0, 2] / one.numbers[0, 0] for one in structures])
    share = share * _second_screening(p, structures, chosen, chosen)
    farther = (r[np.array(with_second), None, :] * powers[..., None]).reshape(len(chosen), -1)
    values = _psi(p, settings, chosen, farther).reshape(len(chosen), TERMS, -1)
    factors = jnp.cumprod(jnp.broadcast_to(-share[:, None], (len(chosen), TERMS)), axis=1)
    return found.at[np.array(with_second)].add((factors[..., None] * values).sum(axis=1))


def pair_energies(p: Tables, settings: MeamSettings, r: jax.Array) -> jax.Array:
    """[pairs, points] phi at distances r, for the elements and then for ``settings.pairs``."""
    count, pairs = settings.count, settings.pairs
    with_second = [k for k, (i, j) in enumerate(pairs) if settings.second[i][j]]
    structures = [lattice(settings.lattices[i][j], False) for i, j in pairs]
    wanted = list(range(count)) + [species for k in with_second for species in pairs[k]]
    factors = [1.0] * count + [structures[k].ratio for k in with_second for _ in (0, 1)]
    elemental = _of_elements(p, settings, wanted, r[None] * _constant(p, factors)[:, None])
    if not pairs:
        return _with_cores(p, settings, elemental, r)
    index = tuple(np.array(pairs).T)
    sites = _sites(p, settings, pairs)
    E = universal_energy({name: p[name][index][:, None] for name in PAIR}, r[None], settings.rose)
    F = _embedding(p, settings, sites, jnp.broadcast_to(r, (2 * len(pairs), r.shape[0]))).reshape(len(pairs), 2, -1)
    phi = E * _constant(p, [one.energy for one in structures])[:, None]
    phi -= (_constant(p, [one.embedding for one in structures])[..., None] * F).sum(axis=1)
    phi -= _constant(p, [one.own_pairs for one in structures])[:, None] * elemental[index[0]]
    if with_second:
        chosen = [structures[k] for k in with_second]
        left = _left_of_second(p, chosen, [pairs[k] for k in with_second], 2)
        left *= _constant(p, [one.second for one in chosen])
        farther = elemental[count:].reshape(len(with_second), 2, -1)
        phi = phi.at[np.array(with_second)].add(-(left[..., None] * farther).sum(axis=1))
    return _with_cores(p, settings, jnp.concatenate([elemental[:count], phi]), r)


def _with_cores(p: Tables, settings: MeamSettings, phi: jax.Array, r: jax.Array) -> jax.Array:
    """phi with the repulsion of the nuclei at short distances, for the pairs that have it."""
    pairs = [(i, i) for i in range(settings.count)] + settings.pairs
    chosen = np.array([settings.cores[i][j] for i, j in pairs])
    if not chosen.any():
        return phi
    first, second = np.array(pairs).T
    a = p["alpha"][first, second][:, None] * (r[None] / p["re"][first, second][:, None] - 1.0)
    mixed = smooth_step(0.5 * a + 1.5)  # 0 at a = -3, 1 at a = -1
    charges = p["Z"]
    core = universal_repulsion((charges[first][:, None], charges[second][:, None]), r[None])
    # where the core alone counts, phi may overflow
    with_core = jnp.where(mixed > 0, mixed * jnp.where(mixed > 0, phi, 0.0), 0.0) + (1.0 - mixed) * core
    return jnp.where(chosen[:, None], with_core, phi)
