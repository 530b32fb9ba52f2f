"""Potentials of bonds whose strength depends on the bonds around them, and of angles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.descriptors.environment import Environment
from jaxpot.engine import angular_compiled, compiled
from jaxpot.engine.angular_formula import AngularFormulas, Around, Bond, Edge, Lookup, Triple
from jaxpot.engine.environment import environment_functions
from jaxpot.engine.rows import checked_range, preparation, ready
from jaxpot.evaluation import Evaluation, Functions, Params, Prepared
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.native_choice import native_or_traced
from jaxpot.potential import Potential, no_init
from jaxpot.system import System

__all__ = ["Edge", "Lookup", "angular_potential"]


def angular_potential(
    cutoff: float,
    elements: Sequence[str] | None = None,
    *,
    bond: Bond | None = None,
    around: Around | None = None,
    triple: Triple | None = None,
    coordination: Callable[[Lookup, jax.Array], Any] | None = None,
    atom: Callable[[Lookup, Any], jax.Array] | None = None,
    triple_cutoff: float | None = None,
    name: str = "angular",
    init: Callable[..., Params] | None = None,
    prepare: Callable[[Params, Any], Any] | None = None,
) -> Potential:
    """A potential of bonds, of the bonds around them, and of angles, such as those of Tersoff and Stillinger-Weber.

    E = sum_i F(S_i) + sum_i sum_j V(r_ij, z_ij, S_i) + sum_i sum_{j<k} T(r_ij, r_ik, cos theta_jik, S_i) with
    z_ij = sum_{k not j} g(r_ij, r_ik, cos theta_jik, S_i) and S_i = sum_j f(r_ij). Each part may be left out.

    The params are a dict of numbers and of tables over species; ``p["A"]`` in a formula is the number for the atom,
    pair or angle at hand: ``A[i]``, ``A[i, j]`` or ``A[i, j, k]``, where pairs take [i, j, j] of the last kind.
    Formulas work element by element on arrays that broadcast, so that what depends on one edge of an angle is computed
    once an edge. They and their derivatives must be finite for all distances up to the cutoff, all angles, and for sums
    z and S that are 0; slots without a neighbour are made safe before a formula sees them. In large systems on the CPU,
    numba compiles the formulas into a loop, in which they see scalars.

    Args:
        cutoff: Å, of bonds and of sums S.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        bond: ``(p, r, z, S) -> V`` in eV; every pair comes twice, once from each end. ``z`` is what ``around`` gave,
            summed; None without it.
        around: ``(p, ij, ik, cos, S) -> g``, an array or a pytree of arrays; ``ij.r`` is the length of an edge in Å and
            ``ij.p["A"]`` the parameter of its pair.
        triple: ``(p, ij, ik, cos, S) -> T`` in eV. Where T is not symmetric in j and k, the mean of both orders counts.
        coordination: ``(p, r) -> f``, an array or a pytree of arrays. ``S`` is what it gave, summed; None without it.
        atom: ``(p, S) -> F`` in eV.
        triple_cutoff: Å, of angles, if shorter than that of bonds; not with ``around``.
        name: of the potential.
        init: makes default parameters.
        prepare: ``(params, dtype) -> params``, what the formulas take in place of params; a dict too.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: there is no formula, a cutoff is not a positive length, or ``triple_cutoff`` does not fit.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> def bond(p, r, z, S):  # a bond is weaker, the more neighbours its first atom has on the same side
        ...     return -p["D"] * (1 - (r / 3) ** 2) ** 2 / jnp.sqrt(1 + z)
        >>> def around(p, ij, ik, cos, S):
        ...     return (1 + cos) ** 2 * (1 - (ik.r / 3) ** 2) ** 2
        >>> potential = jaxpot.angular_potential(3.0, bond=bond, around=around)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [1.5, 0.0, 0.0], [0.0, 1.5, 0.0]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> round(float(jaxpot.energy(potential)({"D": 2.0}, system, neighbors)), 4)
        -4.1269

    Reference: J. Tersoff, Phys. Rev. B 37, 6991 (1988), eqs. 1 to 5, for bonds; F. H. Stillinger and T. A. Weber, Phys.
    Rev. B 31, 5262 (1985), for angles; J. F. Justo et al., Phys. Rev. B 58, 2539 (1998), for coordination.
    """
    cutoff, elements = checked_range(name, cutoff, elements)
    count = 1 if elements is None else len(elements)
    if bond is None and triple is None and atom is None:
        raise ValueError(f"{name} has no energy; give bond=, triple= or atom=")
    if around is not None and bond is None:
        raise ValueError(f"{name}: around= gives sums for bonds, and there is no bond=")
    cutoffs: tuple[float, ...] = (cutoff,)
    if triple_cutoff is not None and triple_cutoff != cutoff:
        if triple is None or around is not None or not 0 < triple_cutoff < cutoff:
            raise ValueError(
                f"{name}: triple_cutoff is {triple_cutoff:g} Å beside a cutoff of {cutoff:g} Å; it must be shorter, "
                "and needs triple= without around=, whose sums are over all neighbours of a bond"
            )
        cutoffs = (cutoff, float(triple_cutoff))

    def energy(params: Any, environments: tuple[Environment, ...]) -> jax.Array:
        pairs, angles = environments[0], environments[-1]
        own, r = pairs.own_species, pairs.distances
        p = Lookup(params, (own[:, None], pairs.species), count)
        sums, z = None, None
        if coordination is not None:
            sums = jax.tree.map(lambda f: _masked(pairs.mask, f).sum(axis=1), coordination(p, r))
        total = jnp.zeros(r.shape[0], r.dtype)
        if around is not None:
            each = _of_angles(around, params, angles, sums, count)
            z = jax.tree.map(lambda g: g.sum(axis=2), each)
        if bond is not None:
            total += _masked(pairs.mask, bond(p, r, z, _spread(sums, 2))).sum(axis=1)
        if triple is not None:
            total += 0.5 * _of_angles(triple, params, angles, sums, count).sum(axis=(1, 2))
        return total if atom is None else total + atom(Lookup(params, (own,), count), sums)

    formulas = AngularFormulas(bond, around, triple, coordination, atom, cutoff, cutoffs[-1], count)
    return Potential(
        name,
        cutoff,
        elements,
        _with_loop(formulas, environment_functions(energy, cutoffs, prepare=prepare), prepare),
        init or no_init,
        prepare=preparation(prepare),
        ranges=cutoffs,
    )


def _with_loop(formulas: AngularFormulas, plain: Functions, prepare: Any) -> Functions:
    """The same functions, evaluated by a compiled loop where the formulas, the list and the platform allow it."""

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        params = ready(prepare, params, system.positions.dtype)
        if compiled.available(neighbors, system.positions.dtype):
            return by_loop(params, system, neighbors)
        return traced(params, system, neighbors)

    @jax.custom_jvp
    def by_loop(params: Any, system: System, neighbors: Neighbors) -> Evaluation:
        like = jax.eval_shape(traced, params, system, neighbors)
        return native_or_traced(native, traced, like, params, system, neighbors)

    @by_loop.defjvp
    def _(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Evaluation, Evaluation]:
        return by_loop(*primals), jax.jvp(traced, primals, tangents)[1]

    def native(params: Any, system: System, neighbors: Neighbors) -> Evaluation:
        return angular_compiled.evaluation(formulas, params, system, neighbors)

    def traced(params: Any, system: System, neighbors: Neighbors) -> Evaluation:
        return plain.evaluate(Prepared(params), system, neighbors)

    return Functions(plain.outputs, evaluate)


def _of_angles(formula: Any, params: Any, around: Environment, sums: Any, count: int) -> Any:
    """A formula of angles, [atoms, neighbors, neighbors]; 0 where there is no angle."""
    own, other, r, mask = around.own_species[:, None, None], around.species, around.distances, around.mask
    first, second = other[:, :, None], other[:, None, :]

    def edge(length: jax.Array, species: jax.Array) -> Edge:
        return Edge(length, Lookup(params, (own, species), count))

    ij, ik = edge(r[:, :, None], first), edge(r[:, None, :], second)
    x, y, z = (d / r for d in (around.x, around.y, around.z))
    cos = sum(d[:, :, None] * d[:, None, :] for d in (x, y, z))
    found = formula(Lookup(params, (own, first, second), count), ij, ik, cos, _spread(sums, 3))
    angle = mask[:, :, None] & mask[:, None, :] & ~jnp.eye(r.shape[1], dtype=bool)[None]
    return jax.tree.map(lambda value: _masked(angle, value), found)


def _masked(mask: jax.Array, values: jax.Array) -> jax.Array:
    return jnp.where(mask, values, jnp.zeros((), values.dtype))


def _spread(sums: Any, rank: int) -> Any:
    """Sums of atoms, [atoms], with further axes for edges or angles."""
    return jax.tree.map(lambda one: one.reshape(one.shape + (1,) * (rank - 1)), sums)
