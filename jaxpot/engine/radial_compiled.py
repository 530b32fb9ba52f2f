"""Evaluation of radial potentials, and its reverse pass, by loops over pairs that numba compiles from the formula."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine import compiled
from jaxpot.engine.radial_formula import RadialFormula, virial_tensor
from jaxpot.engine.species import PairSpecies
from jaxpot.evaluation import Evaluation, Params
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.native_choice import native_or_traced
from jaxpot.system import System

__all__ = ["evaluation", "reverse"]

Given = tuple[Params, System, Neighbors]

MOST_PARAMETERS = 16  # numbers whose derivatives a loop computes; each needs one sum


def evaluation(
    formula: RadialFormula, params: Params, system: System, neighbors: Neighbors, virial: bool = True
) -> Evaluation:
    """Energies, forces and virial; NaN in place of the virial where it is not wanted.

    Raises:
        UnsupportedError: the formula has no scalar code.
    """
    dtype = system.positions.dtype
    added_only = formula.added_sums(params, dtype)
    inner = [k for k, b in enumerate(added_only) if not b]

    def inner_terms(p: Params, r: jax.Array, own: jax.Array, other: jax.Array) -> tuple[Any, None]:
        terms = formula.contributions(p, r, PairSpecies(own, other, formula.species))
        return [terms[k] for k in inner], None

    def added_terms_and_pull(
        p: Params, r: jax.Array, own: jax.Array, other: jax.Array, *weights: jax.Array
    ) -> tuple[Any, jax.Array]:
        here, there = formula.both_ends(p, r, PairSpecies(own, other, formula.species))
        terms = here[0]
        mine, theirs = (dict(zip(inner, w, strict=True)) for w in (weights[: len(inner)], weights[len(inner) :]))
        pull = jnp.zeros_like(r)
        for k, b in enumerate(added_only):
            pull += here[1][k] + there[1][k] if b else mine[k] * here[1][k] + theirs[k] * there[1][k]
        return [terms[k] for k, b in enumerate(added_only) if b], pull

    def loop(terms: Any, weights: Any = ()) -> Any:
        return compiled.pair_loop(terms, params, system, neighbors, formula.cutoff, weights, virial=virial)

    # first the sums that G is a nonlinear function of, for dG/dS; then the forces and the sums that are only added
    value = jnp.zeros(system.real.shape, dtype)
    weights: list[jax.Array] = []
    if inner:
        found, _ = loop(inner_terms)
        sums = [jnp.zeros_like(value)] * len(added_only)
        for k, each in zip(inner, found, strict=True):
            sums[k] = each
        value, by_sums = formula.embedded(params, tuple(sums), jnp.maximum(system.species, 0), system.real)
        weights = [by_sums[k] for k in inner]
    added, (forces, *virials) = loop(added_terms_and_pull, weights)
    value = sum(added, value)
    energies = jnp.where(system.real, value, jnp.zeros((), value.dtype))
    forces = jnp.where(system.real[:, None], forces, jnp.zeros((), forces.dtype))
    return Evaluation(energies, forces, virial_tensor(*virials[0]) if virial else jnp.full((3, 3), jnp.nan, dtype))


def reverse(
    formula: RadialFormula,
    evaluate: Callable[[Params, System, Neighbors], Evaluation],
    given: Given,
    by: Evaluation,
    wanted: tuple[Any, Any, Any],
) -> tuple[Any, Any, Any] | None:
    """Cotangents of ``given`` from those of its evaluation, by compiled loops.

    Args:
        formula: of the potential.
        evaluate: the same evaluation in JAX's operations, from which higher derivatives are computed.
        given: params, system and neighbours.
        by: cotangents of the results, None where they are known to be 0.
        wanted: a pytree like ``given``, with True where a cotangent is wanted.

    Returns:
        The cotangents, None for leaves that are not wanted. None altogether where no loop computes them: from
        cotangents of virials, with respect to cells, and with respect to many parameters.
    """
    leaves = jax.tree.leaves(wanted[0])
    others = jax.tree.leaves((wanted[1].replace(positions=False), wanted[2]))
    numbers = sum(np.size(leaf) for leaf, want in zip(jax.tree.leaves(given[0]), leaves, strict=True) if want)
    if by.forces is None or by.virial is not None or any(others) or numbers > MOST_PARAMETERS:
        return None

    static = (formula, evaluate, tuple(leaves))

    @jax.custom_jvp
    def pulled(params: Params, system: System, neighbors: Neighbors, *cotangents: jax.Array) -> Any:
        some = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in _wanted(params, leaves)]
        like = some, jax.ShapeDtypeStruct(system.positions.shape, system.positions.dtype)
        given = (params, system, neighbors, *cotangents)
        return native_or_traced(_pulled_by_loops, _derived, like, *given, static=static)

    pulled.defjvp(lambda primals, tangents: jax.jvp(functools.partial(_derived, *static), primals, tangents))
    some, positions = pulled(*given, by.forces, *(() if by.energies is None else (by.energies,)))
    _, none, nowhere = jax.tree.map(lambda _: None, given)
    found = iter(some)
    by_params = jax.tree.unflatten(jax.tree.structure(given[0]), [next(found) if want else None for want in leaves])
    return by_params, none.replace(positions=positions), nowhere


def _pulled_by_loops(formula: RadialFormula, evaluate: Any, wanted: Sequence[bool], *given: Any) -> Any:
    params, system, neighbors, *cotangents = given
    return pulled_back(formula, params, system, neighbors, wanted, *cotangents)


def _derived(
    formula: RadialFormula,
    evaluate: Callable[[Params, System, Neighbors], Evaluation],
    wanted: Sequence[bool],
    params: Params,
    system: System,
    neighbors: Neighbors,
    by_forces: jax.Array,
    by_energies: jax.Array | None = None,
) -> tuple[list[jax.Array], jax.Array]:
    """The results of :func:`pulled_back`, derived by JAX."""
    places = [k for k, want in enumerate(wanted) if want]

    def moved(some: list[jax.Array], positions: jax.Array) -> tuple[jax.Array, ...]:
        result = evaluate(_replaced(params, places, some), system.replace(positions=positions), neighbors)
        return (result.forces,) if by_energies is None else (result.forces, result.energies)

    cotangents = (by_forces,) if by_energies is None else (by_forces, by_energies)
    found: tuple[list[jax.Array], jax.Array] = jax.vjp(moved, _wanted(params, wanted), system.positions)[1](cotangents)
    return found


def _wanted(params: Params, wanted: Sequence[bool]) -> list[jax.Array]:
    """The leaves of the params that are wanted."""
    return [leaf for leaf, want in zip(jax.tree.leaves(params), wanted, strict=True) if want]


def _replaced(params: Params, places: Sequence[int], values: Sequence[jax.Array]) -> Params:
    """Params with other leaves at some places."""
    leaves, tree = jax.tree.flatten(params)
    for k, value in zip(places, values, strict=True):
        leaves[k] = value
    return jax.tree.unflatten(tree, leaves)


def pulled_back(
    formula: RadialFormula,
    params: Params,
    system: System,
    neighbors: Neighbors,
    wanted: Sequence[bool],
    by_forces: jax.Array,
    by_energies: jax.Array | None = None,
) -> tuple[list[jax.Array], jax.Array]:
    """Cotangents of some leaves of the params, and of the positions, from those of forces and energies.

    With by_energies e_i and by_forces f_i, the cotangents are the derivatives of
    L = sum_i e_i E_i + f_i F_i = sum_i e_i G(S_i) + dG(S_i)/dt, where d/dt is along u = -f, since F_i = -dE/dr_i. With
    dS_i/dt = sum_j h'(r_ij) dr_ij/dt, a_i = dL/dS_i and b_i = dL/d(dS_i/dt), L depends on each edge through
    a_i h + b_i h' dr/dt. So its derivatives are again sums over neighbours.

    Args:
        formula: of the potential.
        params: of the potential.
        system: atoms and cell.
        neighbors: made by the compiled cell list.
        wanted: for each leaf of the params, whether its cotangent is wanted.
        by_forces: [atoms, 3].
        by_energies: [atoms], or None where they are 0.

    Returns:
        The cotangents of the wanted leaves, and [atoms, 3].

    Raises:
        UnsupportedError: the formula has no scalar code.
    """
    places = [k for k, want in enumerate(wanted) if want]
    real = system.real
    directions = -jnp.where(real[:, None], by_forces, jnp.zeros((), by_forces.dtype))
    by_energies = None if by_energies is None else jnp.where(real, by_energies, jnp.zeros((), by_energies.dtype))

    def loop(terms: Any, weights: Any = ()) -> Any:
        return compiled.pair_loop(terms, params, system, neighbors, formula.cutoff, weights, directions)

    def sums_and_rates(p: Params, r: jax.Array, rate: jax.Array, own: jax.Array, other: jax.Array) -> tuple[Any, None]:
        terms, slopes = formula.derivative(p, r, PairSpecies(own, other, formula.species))
        return (*terms, *[rate * s for s in slopes]), None

    def energy_along(some: Any, sums: tuple[jax.Array, ...], rates: tuple[jax.Array, ...]) -> jax.Array:
        p, own = _replaced(params, places, some), jnp.maximum(system.species, 0)
        each, along = jax.jvp(lambda s: formula.embed(p, s, own, real), (sums,), (rates,))
        each = along if by_energies is None else along + by_energies * each
        return jnp.where(real, each, jnp.zeros((), each.dtype)).sum()

    # for a pair potential, E = S: a = by_energies, b = 1
    some = [jax.tree.leaves(params)[k] for k in places]
    direct = [jnp.zeros_like(leaf) for leaf in some]
    weights: tuple[jax.Array, ...] = () if by_energies is None else (by_energies,)
    if formula.atom_energy is not None:
        found, _ = loop(sums_and_rates)
        sums, rates = tuple(found[: len(found) // 2]), tuple(found[len(found) // 2 :])
        rates = tuple(jnp.where(real, rate, jnp.zeros((), rate.dtype)) for rate in rates)
        direct, a, b = jax.grad(energy_along, (0, 1, 2))(some, sums, rates)
        weights = (*a, *b)

    def of_pair(
        p: Params, r: jax.Array, rate: jax.Array, own: jax.Array, other: jax.Array, *ends: jax.Array
    ) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        pair = PairSpecies(own, other, formula.species)
        mine, theirs = ends[: len(weights)], ends[len(weights) :]
        none, one = jnp.zeros_like(r), jnp.ones_like(r)

        def split(w: tuple[jax.Array, ...]) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
            return (w, (one,)) if formula.atom_energy is None else (w[: len(w) // 2], w[len(w) // 2 :])

        (a, b), (a_other, b_other) = split(mine), split(theirs)
        (here, there), (curved_here, curved_there) = jax.jvp(
            lambda x: tuple(end[1] for end in formula.both_ends(p, x, pair)), (r,), (one,)
        )
        along, across = none, none
        for k in range(len(a)):
            along += a[k] * here[k] + a_other[k] * there[k]
        for k in range(len(b)):
            along += (b[k] * curved_here[k] + b_other[k] * curved_there[k]) * rate
            across += b[k] * here[k] + b_other[k] * there[k]

        def share(place: int, value: Any) -> jax.Array:
            terms, slopes = formula.derivative(_replaced(p, [place], [value]), r, pair)
            total = sum((w * s * rate for w, s in zip(b, slopes, strict=True)), none)
            return total + sum((w * h for w, h in zip(a, terms, strict=bool(a))), none)

        addends = []
        for k in places:
            leaf = jax.tree.leaves(p)[k]
            addends += [jax.jvp(functools.partial(share, k), (leaf,), (unit,))[1] for unit in _units(leaf)]
        return addends, (along, across)

    addends, (forces,) = loop(of_pair, weights)
    totals = iter([jnp.where(real, each, jnp.zeros((), each.dtype)).sum() for each in addends])
    by_params = [start + jnp.stack([next(totals) for _ in range(start.size)]).reshape(start.shape) for start in direct]
    return by_params, -jnp.where(real[:, None], forces, jnp.zeros((), forces.dtype))


def _units(value: jax.Array) -> list[np.ndarray]:
    """One unit array for each number of an array, in their order."""
    found = []
    for place in np.ndindex(value.shape):
        unit = np.zeros(value.shape, value.dtype)
        unit[place] = 1.0
        found.append(unit)
    return found
