"""Potentials that are functions of one atom's environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.descriptors.environment import Environment
from jaxpot.engine.environment_blocks import (
    Blocks,
    blocks_of_lists,
    collected,
    environments_of,
    in_few_slots,
    map_environments,
)
from jaxpot.engine.rows import Rows, checked_range, checked_result, preparation, ready, rows_of, to_atoms
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential, no_init
from jaxpot.system import System

__all__ = ["environment_functions", "environment_potential"]

Formula = Callable[[tuple[Environment, ...]], jax.Array]  # of many atoms

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

    functions = environment_functions(lambda params, around: many(params, *around), (cutoff,), block, prepare, needs)
    init, wanted = init or no_init, frozenset(needs)
    return Potential(name, cutoff, elements, functions, init, prepare=preparation(prepare), needs=wanted)


def environment_functions(
    energy: Callable[[Params, tuple[Environment, ...]], jax.Array],
    cutoffs: tuple[float, ...],
    block: int = BLOCK,
    prepare: Callable[[Params, Any], Any] | None = None,
    needs: Sequence[str] = (),
) -> Functions:
    """The functions of a potential E = sum_i e(environments of i), where parts of e may have cutoffs of their own.

    Args:
        energy: ``(params, environments) -> [atoms]`` energies of a block of atoms, from one environment for each
            cutoff, whose arrays are [atoms, neighbors].
        cutoffs: Å, in descending order. Slots that only the skin fills are left out for the last one.
        block: largest number of atoms of a block.
        prepare: as in :func:`environment_potential`.
        needs: as in :func:`environment_potential`.

    Returns:
        The :class:`Functions`.
    """
    last = len(cutoffs) - 1

    def gathered(
        params: Params, system: System, neighbors: Neighbors
    ) -> tuple[Formula, Rows, list[Neighbors], tuple[Blocks, ...]]:
        rows = rows_of(system, neighbors, needs)
        params = ready(prepare, params, system.positions.dtype)
        lists = [neighbors.within(cutoff) for cutoff in cutoffs]

        def formula(environments: tuple[Environment, ...]) -> jax.Array:
            return energy(params, environments)

        return formula, rows, lists, blocks_of_lists(formula, rows, system, lists, block)

    def environments(rows: Rows, blocks: tuple[Blocks, ...]) -> tuple[Environment, ...]:
        return tuple(environments_of(rows, one, cutoff) for one, cutoff in zip(blocks, cutoffs, strict=True))

    def mapped(function: Any, rows: Rows, narrowest: Neighbors, blocks: tuple[Blocks, ...], by_slot: Any = ()) -> Any:
        def few(several: tuple[Blocks, ...]) -> tuple[jax.Array, ...]:
            *wide, block = several
            return in_few_slots(lambda one: function((*wide, one)), rows, cutoffs[-1], narrowest, by_slot)(block)

        return map_environments(few, blocks)

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        formula, rows, lists, blocks = gathered(params, system, neighbors)

        def of_block(several: tuple[Blocks, ...]) -> tuple[jax.Array]:
            return (formula(environments(rows, several)),)

        return Outputs(to_atoms(mapped(of_block, rows, lists[-1], blocks)[0], system, neighbors))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        formula, rows, lists, blocks = gathered(params, system, neighbors)

        def of_block(several: tuple[Blocks, ...]) -> tuple[jax.Array, ...]:
            around = environments(rows, several)

            def of_edges(edges: list[tuple[jax.Array, ...]]) -> jax.Array:
                return formula(tuple(one.moved(*edge) for one, edge in zip(around, edges, strict=True)))

            each, pull = jax.vjp(of_edges, [(one.x, one.y, one.z) for one in around])
            found, virial = [], jnp.zeros((3, 3), each.dtype)
            for one, slopes in zip(around, pull(jnp.ones_like(each))[0], strict=True):
                # dE/d(edge), [3, atoms, neighbors]; padding has no energy
                gradient = jnp.where(one.mask[None], jnp.stack(slopes), 0.0)
                edges = jnp.stack([one.x, one.y, one.z])
                # as a product of matrices, since XLA would otherwise compute the gradient again for each component
                virial += gradient.reshape(3, -1) @ edges.reshape(3, -1).T
                found += list(gradient)
            return (each, virial[None], *found)

        by_slot = tuple(2 + 3 * last + d for d in range(3))
        each, virials, *found = mapped(of_block, rows, lists[-1], blocks, by_slot)
        virial, forces = virials.sum(axis=0), jnp.zeros_like(system.positions)
        for k, one in enumerate(lists):
            forces += jnp.stack([collected(g, system, one) for g in found[3 * k : 3 * k + 3]], axis=1)
        return Evaluation(to_atoms(each, system, neighbors), forces, 0.5 * (virial + virial.T))

    return Functions(outputs, evaluate)
