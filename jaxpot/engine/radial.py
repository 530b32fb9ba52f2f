"""Potentials of distances alone: pair potentials, and functions of pair sums such as EAM and Finnis-Sinclair.

The formula takes distances and species, never indices. Forces need no scatter: the list holds every pair twice, so each
center computes the derivatives of its neighbours' energies too, with the same formula and the ends exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import compiled, radial_compiled
from jaxpot.engine.radial_formula import AtomEnergy, Contributions, RadialFormula, virial_tensor
from jaxpot.engine.rows import (
    Edges,
    Rows,
    checked_range,
    checked_result,
    edges_of,
    map_blocks,
    preparation,
    ready,
    real_centers,
    returned,
    rows_of,
    take,
    to_atoms,
)
from jaxpot.engine.species import PairSpecies
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params, Prepared, evaluate_by_autodiff
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.linear_map import jvp_with_reverse
from jaxpot.numerics.native_choice import native_or_traced
from jaxpot.potential import Potential, no_init
from jaxpot.system import System

__all__ = ["pair_potential", "radial_potential"]


def pair_potential(
    energy: Callable[[Params, jax.Array], jax.Array],
    cutoff: float,
    elements: tuple[str, ...] | None = None,
    name: str = "pair",
    init: Callable[..., Params] | None = None,
) -> Potential:
    """A pair potential, E = 1/2 sum_i sum_j phi(r_ij), from phi alone.

    Args:
        energy: ``(p, distances) -> energies``, element by element: phi in eV of distances in Å, an array of any shape.
            ``p`` is the params pytree with every leaf looked up for the pair: a leaf is one number, or a symmetric
            table [species, species].
        cutoff: Å; phi is set to 0 beyond it. The formula itself must make phi go smoothly to 0, if that is wanted.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        name: of the potential.
        init: makes default parameters.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> gauss = jaxpot.pair_potential(lambda p, r: p["height"] * jnp.exp(-(r / p["width"]) ** 2), cutoff=6.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> neighbors = jaxpot.neighbor_list(6.0).allocate(system)
        >>> f"{jaxpot.energy(gauss)({'height': 1.0, 'width': 1.0}, system, neighbors):.4f}"
        '0.3679'
    """

    def contributions(params: Params, distances: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        found = energy(jax.tree.map(species.pair, params), distances)
        return (0.5 * checked_result(f"{name}: energy(params, distances)", found, distances.shape),)

    return radial_potential(contributions, None, cutoff, elements, name, init)


def radial_potential(
    contributions: Contributions,
    atom_energy: AtomEnergy | None,
    cutoff: float,
    elements: tuple[str, ...] | None = None,
    name: str = "radial",
    init: Callable[..., Params] | None = None,
    prepare: Callable[[Params, Any], Any] | None = None,
    needs: Sequence[str] = (),
) -> Potential:
    """A potential E = sum_i G(S_i) with pair sums S_i = sum_j h(r_ij), such as EAM.

    Args:
        contributions: ``(params, distances, species) -> tuple of arrays`` of the edges' shape: the terms h of each sum,
            element by element; ``species`` is a :class:`jaxpot.PairSpecies`.
        atom_energy: ``(params, sums, species) -> energies``, element by element: G in eV from the tuple of sums [atoms]
            and the atoms' species [atoms]. None: the energy is the only sum.
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        name: of the potential.
        init: makes default parameters.
        prepare: ``(params, dtype) -> prepared``, which the formula takes in place of params, such as splines made of
            knots; computed once per evaluation, or once per run by :func:`jaxpot.prepare`.
        needs: names of the system's data [atoms] that the terms depend on, such as ``"charges"``; ``species.product``
            and ``species.ends`` give their values.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> bonds = jaxpot.radial_potential(  # the square root of the number of near neighbours, smoothed
        ...     contributions=lambda p, r, species: ((1 - (r / 3.0) ** 2) ** 2,),
        ...     atom_energy=lambda p, sums, species: -p["A"] * jnp.sqrt(sums[0]),
        ...     cutoff=3.0,
        ... )
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(3.0).allocate(system)
        >>> float(jaxpot.energy(bonds)({"A": 1.0}, system, neighbors))
        -1.5
    """
    cutoff, elements = checked_range(name, cutoff, elements)
    count = 1 if elements is None else len(elements)

    def terms_of(params: Params, distances: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        found, where = contributions(params, distances, species), f"{name}: contributions(params, distances, species)"
        if not isinstance(found, tuple | list):
            raise TypeError(f"{where} must return a tuple of arrays, one for each sum, and returned {returned(found)}")
        return tuple(checked_result(f"a term of {where}", one, distances.shape) for one in found)

    def embedded(params: Params, sums: tuple[jax.Array, ...], species: jax.Array) -> jax.Array:
        where = f"{name}: atom_energy(params, sums, species)"
        found: jax.Array = checked_result(where, atom_energy(params, sums, species), sums[0].shape)  # type: ignore
        return found

    formula = RadialFormula(terms_of, None if atom_energy is None else embedded, cutoff, count)

    def species_of(rows: Rows, own: jax.Array, mine: dict[str, jax.Array], slots: jax.Array) -> PairSpecies:
        data = {name: (mine[name][:, None], take(rows.data[name], slots)) for name in needs}
        if count == 1:
            zero = jnp.zeros((), own.dtype)
            return PairSpecies(zero, zero, 1, data)
        return PairSpecies(own[:, None], take(rows.species, slots), count, data)

    def masked_sums(params: Params, edges: Edges, pair: PairSpecies) -> tuple[jax.Array, ...]:
        terms = terms_of(params, edges.distances, pair)
        return tuple(jnp.where(edges.mask, t, 0.0).sum(axis=1) for t in terms)

    def centers(rows: Rows, neighbors: Neighbors) -> tuple[Any, ...]:
        number = neighbors.rows.shape[0]
        mine = {name: values[:number] for name, values in rows.data.items()}
        return rows.x[:number], rows.y[:number], rows.z[:number], rows.species[:number], mine

    def all_sums(params: Params, rows: Rows, neighbors: Neighbors) -> tuple[jax.Array, ...]:
        def block(
            slots: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array, own: jax.Array, mine: dict[str, jax.Array]
        ) -> tuple[jax.Array, ...]:
            edges = edges_of(rows, (x, y, z), slots, cutoff)
            return masked_sums(params, edges, species_of(rows, own, mine, slots))

        return map_blocks(block, neighbors, *centers(rows, neighbors))

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        params = ready(prepare, params, system.positions.dtype)
        rows = rows_of(system, neighbors, needs)
        sums = all_sums(params, rows, neighbors)
        own = rows.species[: neighbors.rows.shape[0]]
        each = formula.embed(params, sums, own, real_centers(system, neighbors))
        return Outputs(to_atoms(each, system, neighbors))

    def evaluated(wanted: Any) -> Callable[[Params, System, Neighbors], Evaluation]:
        """The evaluation by compiled loops where they may be used, which compute what is wanted."""

        def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
            params = ready(prepare, params, system.positions.dtype)
            if neighbors.plan.other_atoms:  # a neighbour may not be a center, so forces need a scatter
                return evaluate_by_autodiff(outputs, Prepared(params), system, neighbors)
            if not needs and compiled.available(neighbors, system.positions.dtype):
                return wanted(params, system, neighbors)
            return evaluate_traced(params, system, neighbors)

        return evaluate

    def by_loops(virial: bool) -> Callable[[Params, System, Neighbors], Evaluation]:
        """The same results from loops compiled by numba, where the formula and the platform allow them."""

        def evaluate_native(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
            return radial_compiled.evaluation(formula, params, system, neighbors, virial)

        def evaluate_other(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
            found = evaluate_traced(params, system, neighbors)
            return found if virial else found._replace(virial=jnp.full_like(found.virial, jnp.nan))

        @jax.custom_jvp
        def evaluate_compiled(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
            atoms, dtype = system.positions.shape[0], system.positions.dtype
            like = jax.eval_shape(
                lambda: Evaluation(jnp.zeros(atoms, dtype), jnp.zeros((atoms, 3), dtype), jnp.zeros((3, 3), dtype))
            )
            return native_or_traced(evaluate_native, evaluate_other, like, params, system, neighbors)

        @evaluate_compiled.defjvp
        def _(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Evaluation, Evaluation]:
            return evaluate_compiled(*primals), jvp_with_reverse(evaluate_traced, reverse, primals, tangents)

        return evaluate_compiled

    def reverse(given: Any, by: Any, wanted: Any) -> Any:
        return radial_compiled.reverse(formula, evaluate_traced, given, by, wanted)

    def of_rows(weights: tuple[jax.Array, ...], neighbors: Neighbors) -> tuple[jax.Array, ...]:
        """Values of all rows from those of the centers, and one more value, 0, for empty slots."""
        center_of_row = neighbors.row_of_atom[neighbors.source]
        return tuple(jnp.append(w[center_of_row], jnp.zeros((), w.dtype)) for w in weights)

    def collect(system: System, neighbors: Neighbors, value: jax.Array, *found: jax.Array) -> Evaluation:
        """Evaluation from the energies, forces and virials (xx, yy, zz, yz, xz, xy) of the centers."""
        fx, fy, fz, *virial = found
        return Evaluation(
            to_atoms(value, system, neighbors),
            to_atoms(jnp.stack([fx, fy, fz], axis=1), system, neighbors),
            virial_tensor(*(v.sum() for v in virial)),
        )

    def evaluate_traced(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        rows = rows_of(system, neighbors, needs)
        own = rows.species[: neighbors.rows.shape[0]]
        weights: tuple[jax.Array, ...] = ()
        rows_weights: tuple[jax.Array, ...] = ()
        if atom_energy is not None:
            sums = all_sums(params, rows, neighbors)
            each, weights = formula.embedded(params, sums, own, real_centers(system, neighbors))
            rows_weights = of_rows(weights, neighbors)

        def block(
            slots: jax.Array,
            x: jax.Array,
            y: jax.Array,
            z: jax.Array,
            own: jax.Array,
            mine: dict[str, jax.Array],
            weights: tuple[jax.Array, ...],
        ) -> tuple[jax.Array, ...]:
            edges = edges_of(rows, (x, y, z), slots, cutoff)
            distance = edges.distances
            (terms, slopes), (_, back) = formula.both_ends(params, distance, species_of(rows, own, mine, slots))
            if atom_energy is None:
                value = jnp.where(edges.mask, terms[0], 0.0).sum(axis=1)
                pull = slopes[0] + back[0]
            else:
                value = jnp.zeros_like(x)
                pull = jnp.zeros_like(distance)
                for w, s, v, b in zip(weights, slopes, rows_weights, back, strict=True):
                    pull += w[:, None] * s + take(v, slots) * b
            pull = jnp.where(edges.mask, pull / distance, 0.0)
            fx, fy, fz = pull * edges.x, pull * edges.y, pull * edges.z
            # each pair contributes twice, once from each end
            virial = [
                0.5 * jnp.where(edges.mask, f * d, 0.0).sum(axis=1)
                for f, d in (
                    (fx, edges.x), (fy, edges.y), (fz, edges.z), (fy, edges.z), (fx, edges.z), (fx, edges.y)
                )
            ]  # fmt: skip
            return (value, fx.sum(axis=1), fy.sum(axis=1), fz.sum(axis=1), *virial)

        value, *found = map_blocks(block, neighbors, *centers(rows, neighbors), weights)
        return collect(system, neighbors, value if atom_energy is None else each, *found)

    return Potential(
        name,
        cutoff,
        elements,
        Functions(outputs, evaluated(by_loops(virial=True)), evaluated(by_loops(virial=False))),
        init or no_init,
        prepare=preparation(prepare),
        needs=frozenset(needs),
    )
