"""Evaluation of angular potentials by a loop over bonds and angles that numba compiles from their formulas."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import compiled
from jaxpot.engine.angular_formula import AngularFormulas, Edge, Lookup
from jaxpot.engine.radial_formula import virial_tensor
from jaxpot.evaluation import Evaluation
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["evaluation"]


def evaluation(given: AngularFormulas, params: Any, system: System, neighbors: Neighbors) -> Evaluation:
    """Energies, forces and virial.

    Raises:
        NotNativeError: a formula has no scalar code.
    """
    dtype = system.positions.dtype
    apart = given.triple_cutoff < given.cutoff and given.coordination is None and given.bond is not None
    formulas = _of_scalars(given, params, dtype)
    cutoff = given.triple_cutoff if apart else given.cutoff
    if apart:  # bonds are pairs, which a loop over their longer list computes without angles
        formulas = formulas._replace(bond=None)
    energies, forces, virial = compiled.angle_loop(
        formulas, params, system, neighbors.within(cutoff), cutoff, given.triple_cutoff
    )
    if apart:
        (each,), (pulls, more) = compiled.pair_loop(
            _pairs(given, dtype), params, system, neighbors.within(given.cutoff), given.cutoff
        )
        energies, forces, virial = energies + each, forces + pulls, virial + more
    energies = jnp.where(system.real, energies, jnp.zeros((), dtype))
    forces = jnp.where(system.real[:, None], forces, jnp.zeros((), dtype))
    return Evaluation(energies, forces, virial_tensor(*virial))


def _pairs(given: AngularFormulas, dtype: Any) -> Any:
    """The energy of a pair from one end, and its derivative from both, for a loop over pairs."""
    assert given.bond is not None
    bond, count = given.bond, given.species

    def terms(p: Any, r: jax.Array, own: jax.Array, other: jax.Array) -> tuple[list[jax.Array], jax.Array]:
        def from_end(own: jax.Array, other: jax.Array) -> tuple[jax.Array, jax.Array]:
            pair = Lookup(p, (own, other), count)
            return jax.jvp(lambda r: jnp.asarray(bond(pair, r, None, None), dtype), (r,), (jnp.ones_like(r),))

        value, slope = from_end(own, other)
        return [value], slope + (slope if count == 1 else from_end(other, own)[1])

    return terms


def _of_scalars(given: AngularFormulas, params: Any, dtype: Any) -> compiled.Formulas:
    """The formulas as functions of scalars, with sums as tuples."""
    count = given.species

    def flat(trees: Any) -> tuple[jax.Array, ...]:
        return tuple(jax.tree.leaves(trees))

    def shape_of(function: Any) -> Any:
        return jax.tree.structure(jax.eval_shape(function, jnp.zeros((), dtype), jnp.zeros((), jnp.int32)))

    formulas = compiled.Formulas(None, None, None, None, None, 0, 0)
    S_tree = z_tree = jax.tree.structure(None)
    if (coordination := given.coordination) is not None:

        def f(p: Any, r: Any, own: Any, other: Any) -> tuple[jax.Array, ...]:
            return flat(coordination(Lookup(p, (own, other), count), r))

        S_tree = shape_of(lambda r, s: coordination(Lookup(params, (s, s), count), r))
        formulas = formulas._replace(coordination=f, sums=S_tree.num_leaves)

    def unflat_S(S: Any) -> Any:
        return None if given.coordination is None else jax.tree.unflatten(S_tree, S)

    def angle(formula: Any) -> Any:
        def of(p: Any, rj: Any, rk: Any, cosine: Any, S: Any, own: Any, oj: Any, ok: Any) -> Any:
            edges = (Edge(r, Lookup(p, (own, other), count)) for r, other in ((rj, oj), (rk, ok)))
            return formula(Lookup(p, (own, oj, ok), count), *edges, cosine, unflat_S(S))

        return of

    if given.around is not None:
        of_around = angle(given.around)

        def probe(r: Any, s: Any) -> Any:
            S = tuple(jnp.zeros((), dtype) for _ in range(formulas.sums))
            return of_around(params, r, r, r, S, s, s, s)

        z_tree = shape_of(probe)

        def g(*values: Any) -> tuple[jax.Array, ...]:
            return flat(of_around(*values))

        formulas = formulas._replace(around=g, bond_sums=z_tree.num_leaves)
    if (bond := given.bond) is not None:

        def V(p: Any, r: Any, z: Any, S: Any, own: Any, other: Any) -> Any:
            sums = None if given.around is None else jax.tree.unflatten(z_tree, z)
            return bond(Lookup(p, (own, other), count), r, sums, unflat_S(S))

        formulas = formulas._replace(bond=V)
    if given.triple is not None:
        formulas = formulas._replace(triple=angle(given.triple))
    if (atom := given.atom) is not None:

        def F(p: Any, S: Any, own: Any) -> Any:
            return atom(Lookup(p, (own,), count), unflat_S(S))

        formulas = formulas._replace(atom=F)
    return formulas
