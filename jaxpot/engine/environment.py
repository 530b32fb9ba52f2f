"""Potentials that are functions of one atom's environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.descriptors.environment import Environment
from jaxpot.engine.memory import atoms_at_once
from jaxpot.engine.rows import (
    Rows,
    checked_range,
    checked_result,
    edges_of,
    preparation,
    ready,
    real_centers,
    rows_of,
    take,
    to_atoms,
    vectors_of,
)
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential, no_init
from jaxpot.system import System

__all__ = ["Blocks", "blocks_of", "environment_potential", "environments_of", "map_environments"]

Formula = Callable[[Environment], Any]  # of many atoms

BLOCK = 64  # atoms whose environments are in memory at once, so that temporaries of most formulas stay in cache


def environment_potential(
    energy: Callable[[Params, Environment], jax.Array],
    cutoff: float,
    elements: tuple[str, ...] | None = None,
    name: str = "environment",
    init: Callable[..., Params] | None = None,
    together: bool = False,
    block: int = BLOCK,
    prepare: Callable[[Params, Any], Any] | None = None,
    needs: Sequence[str] = (),
) -> Potential:
    """A potential E = sum_i e(environment of i) from the function e of one environment.

    Args:
        energy: ``(params, environment) -> scalar`` energy in eV of one atom; ``environment`` is a
            :class:`jaxpot.Environment`.
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        name: of the potential.
        init: makes default parameters.
        together: whether ``energy`` takes the environments of many atoms at once, along the first axis of every array,
            and returns energies ``[atoms]``; some formulas are faster this way.
        block: largest number of atoms whose environments are in memory at once; fewer where a formula needs much memory
            for each. The temporaries of a small block stay in cache; for a large block, XLA divides more of the
            operations among threads.
        prepare: ``(params, dtype) -> prepared``, which the formula takes in place of params, such as splines made of
            knots; computed once per evaluation, or once per run by :func:`jaxpot.prepare`.
        needs: names of the system's data [atoms] that the formula depends on, such as ``"charges"``;
            ``environment.data`` and ``environment.own_data`` hold them.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> def dipole(params, env):  # squared sum of smoothed bond vectors
        ...     weight = (1 - (env.distances / 3.0) ** 2) ** 2
        ...     return params["k"] * sum(env.sum(weight * d) ** 2 for d in (env.x, env.y, env.z))
        >>> potential = jaxpot.environment_potential(dipole, cutoff=3.0)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(3.0).allocate(system)
        >>> round(float(jaxpot.energy(potential)({"k": 1.0}, system, neighbors)), 4)
        1.4238
    """
    cutoff, elements = checked_range(name, cutoff, elements)
    where = f"{name}: energy(params, environment)"

    def many(params: Params, environment: Environment) -> jax.Array:
        if together:
            return checked_result(where, energy(params, environment), environment.own_species.shape)
        return jax.vmap(lambda p, one: checked_result(where, energy(p, one), ()), (None, 0))(params, environment)

    def gathered(params: Params, system: System, neighbors: Neighbors) -> tuple[Formula, Rows, Blocks]:
        rows = rows_of(system, neighbors, needs)
        params = ready(prepare, params, system.positions.dtype)

        def formula(environment: Environment) -> jax.Array:
            return many(params, environment)

        return formula, rows, blocks_of(formula, rows, system, neighbors, block)

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        formula, rows, blocks = gathered(params, system, neighbors)

        def of_block(one: Blocks) -> tuple[jax.Array]:
            return (formula(environments_of(rows, one, cutoff)),)

        found = map_environments(in_few_slots(of_block, rows, cutoff, neighbors), blocks)
        return Outputs(to_atoms(found[0], system, neighbors))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        formula, rows, blocks = gathered(params, system, neighbors)

        def of_block(one: Blocks) -> tuple[jax.Array, ...]:
            environment = environments_of(rows, one, cutoff)

            def of_edges(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
                return formula(environment.moved(x, y, z))

            each, pull = jax.vjp(of_edges, environment.x, environment.y, environment.z)
            # dE/d(edge), [3, atoms, neighbors]; padding has no energy
            gradient = jnp.where(environment.mask[None], jnp.stack(pull(jnp.ones_like(each))), 0.0)
            edges = jnp.stack([environment.x, environment.y, environment.z])
            # as a product of matrices, since XLA would otherwise compute the gradient again for each component
            virial = gradient.reshape(3, -1) @ edges.reshape(3, -1).T
            return (each, *gradient, virial[None])

        few = in_few_slots(of_block, rows, cutoff, neighbors, by_slot=(1, 2, 3))
        each, gx, gy, gz, virials = map_environments(few, blocks)
        virial = virials.sum(axis=0)
        return Evaluation(
            to_atoms(each, system, neighbors),
            jnp.stack([_collect(g, system, neighbors) for g in (gx, gy, gz)], axis=1),
            0.5 * (virial + virial.T),
        )

    return Potential(
        name,
        cutoff,
        elements,
        Functions(outputs, evaluate),
        init or no_init,
        prepare=preparation(prepare),
        needs=frozenset(needs),
    )


class Blocks(NamedTuple):
    """Centers in blocks, all [blocks, atoms of a block, ...]; without the first axis, one block of them."""

    slots: jax.Array
    x: jax.Array
    y: jax.Array
    z: jax.Array
    species: jax.Array
    real: jax.Array
    data: dict[str, jax.Array]


def blocks_of(formula: Formula, rows: Rows, system: System, neighbors: Neighbors, most: int) -> Blocks:
    """The centers of a list in blocks for a formula: as many at once as fit in the memory, but at most ``most``.

    The last block is padded.
    """
    number = neighbors.rows.shape[0]
    fit = atoms_at_once(formula, _shapes(rows, neighbors), most)
    size = -(-number // -(-number // fit))  # blocks of equal size need the least padding
    missing = -number % size
    real = real_centers(system, neighbors)

    def split(values: jax.Array, fill: Any) -> jax.Array:
        padding = [(0, missing)] + [(0, 0)] * (values.ndim - 1)
        return jnp.pad(values, padding, constant_values=fill).reshape(-1, size, *values.shape[1:])

    return Blocks(
        slots=split(neighbors.rows, neighbors.source.shape[0]),
        x=split(rows.x[:number], 0),
        y=split(rows.y[:number], 0),
        z=split(rows.z[:number], 0),
        species=split(rows.species[:number], 0),
        real=split(real, False),
        data={name: split(values[:number], 0) for name, values in rows.data.items()},
    )


def _shapes(rows: Rows, neighbors: Neighbors) -> Environment:
    """The shapes of the environments of all centers of a list."""
    edges, centers = neighbors.rows.shape, neighbors.rows.shape[:1]

    def like(values: jax.Array, shape: tuple[int, ...], dtype: Any = None) -> Any:
        return jax.ShapeDtypeStruct((*shape, *values.shape[1:]), dtype or values.dtype)

    lengths, species = like(rows.x, edges), like(rows.species, edges)
    data = {name: like(values, edges) for name, values in rows.data.items()}
    own_data = {name: like(values, centers) for name, values in rows.data.items()}
    mask, own_species = like(rows.x, edges, bool), like(rows.species, centers)
    return Environment(lengths, lengths, lengths, lengths, species, own_species, mask, data, own_data)


def environments_of(rows: Rows, block: Blocks, cutoff: float) -> Environment:
    """The environments of a block of atoms, [atoms, neighbors]; slots without a neighbour have a substitute edge."""
    x, y, z, distances, mask = edges_of(rows, (block.x, block.y, block.z), block.slots, cutoff, block.real)
    data = {name: take(values, block.slots) for name, values in rows.data.items()}
    return Environment(x, y, z, distances, take(rows.species, block.slots), block.species, mask, data, block.data)


def in_few_slots(
    function: Callable[[Blocks], tuple[jax.Array, ...]],
    rows: Rows,
    cutoff: float,
    neighbors: Neighbors,
    by_slot: tuple[int, ...] = (),
) -> Callable[[Blocks], tuple[jax.Array, ...]]:
    """``function`` of blocks, evaluated without the slots whose neighbours are only within the skin.

    The neighbours within the cutoff are moved to the first ``neighbors.plan.inside`` slots, and only these slots are
    evaluated. Where an atom of a block has more neighbours within the cutoff, all slots are evaluated.

    Args:
        function: of a block; its results have the atoms along the first axis, or no such axis.
        rows: of the list.
        cutoff: Å, of the formula.
        neighbors: the list.
        by_slot: places of the results that are [atoms, slots]; they are 0 in slots that are not evaluated.

    Returns:
        The function with the same results.
    """
    capacity, width = neighbors.rows.shape[1], neighbors.plan.inside
    if not 0 < width < capacity:
        return function

    def narrowed(block: Blocks) -> tuple[jax.Array, ...]:
        near = vectors_of(rows, (block.x, block.y, block.z), block.slots, cutoff)[3]
        mask = jax.lax.stop_gradient(near & block.real[:, None])
        place = jnp.cumsum(mask, axis=1, dtype=jnp.int32) - 1
        atom = jnp.arange(len(mask))[:, None]
        empty = jnp.full((len(mask), width), rows.x.shape[0] - 1, block.slots.dtype)
        slots = empty.at[atom, jnp.where(mask, place, width)].set(block.slots, mode="drop")

        def few() -> tuple[jax.Array, ...]:
            found = list(function(block._replace(slots=slots)))
            for k in by_slot:
                wide = jnp.take_along_axis(found[k], jnp.clip(place, 0, width - 1), axis=1)
                found[k] = jnp.where(mask, wide, 0.0)
            return tuple(found)

        return jax.lax.cond(_for_all(jnp.all(place[:, -1] < width)), few, lambda: function(block))

    return narrowed


@jax.custom_batching.custom_vmap
def _for_all(fits: jax.Array) -> jax.Array:
    """A condition that under vmap is common to the batch, so that ``lax.cond`` does not evaluate both branches."""
    return fits


@_for_all.def_vmap
def _(size: int, batched: list[bool], fits: jax.Array) -> tuple[jax.Array, bool]:
    return _for_all(jnp.all(fits, axis=0) if batched[0] else fits), False


def map_environments(function: Callable[[Blocks], Any], blocks: Blocks) -> Any:
    """``function`` of each block, with the results joined along the first axis.

    Reverse passes recompute a block instead of storing its temporaries, so the size of a block bounds the memory.
    """
    if blocks.slots.shape[0] == 1:
        return function(jax.tree.map(lambda leaf: leaf[0], blocks))
    found = jax.lax.map(jax.checkpoint(function), blocks)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)


def _collect(gradient: jax.Array, system: System, neighbors: Neighbors) -> jax.Array:
    """[atoms] one component of the forces from dE/d(edge) [centers, capacity]; an edge acts on both its atoms."""
    gradient = gradient[: neighbors.rows.shape[0]]
    pushed = jnp.zeros(neighbors.source.shape[0], gradient.dtype).at[neighbors.rows].add(gradient, mode="drop")
    pulled = to_atoms(gradient.sum(axis=1), system, neighbors)
    return pulled.at[neighbors.source].add(-pushed)
