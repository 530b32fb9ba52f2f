"""The mean of an ensemble of parameter sets, as a potential."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.neighbors import Neighbors
from jaxpot.potential import Evaluation, Params, Potential
from jaxpot.recipe import recorded
from jaxpot.system import System

__all__ = ["CommitteeMember", "committee"]


class CommitteeMember(NamedTuple):
    """What ``Potential.source`` of a committee holds: the potential of its members."""

    potential: Potential


@recorded
def committee(potential: Potential) -> Potential:
    """The mean of an ensemble: one potential, several sets of parameters.

    E = 1/M sum_m E(params_m); forces and virial likewise.

    The params are those of the potential with a leading axis [members] on every leaf, as training an ensemble gives
    them; ``init(keys)`` makes one member for each key. :func:`jaxpot.uncertainty.with_spread` also tells how far the
    members are apart.

    Args:
        potential: any potential.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: at evaluation, leaves whose leading axes differ.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> both = jaxpot.committee(jaxpot.lennard_jones(cutoff=8.5))
        >>> params = {"epsilon": jnp.array([0.010, 0.012]), "sigma": jnp.array([3.4, 3.4])}
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 3.4 * 2 ** (1 / 6)]])
        >>> neighbors = jaxpot.neighbor_list(both.cutoff).allocate(system)
        >>> f"{jaxpot.energy(both)(params, system, neighbors):.3f}"
        '-0.011'
    """

    def checked(params: Params) -> Params:
        shapes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(params)}
        if len(shapes) != 1 or () in shapes:
            raise ValueError(
                f"params of a committee need the same leading axis [members] on every leaf, got {sorted(shapes)}; "
                "stack the members' params with jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)"
            )
        return params

    def mean(result: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.mean(axis=0), result)

    def energies(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        return mean(jax.vmap(potential.atomic_energies, (0, None, None))(checked(params), system, neighbors))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        return mean(jax.vmap(potential.evaluate, (0, None, None))(checked(params), system, neighbors))

    def init(keys: jax.Array) -> Params:
        return jax.vmap(potential.init)(keys)

    return dataclasses.replace(
        potential,
        name=f"committee of {potential.name}",
        atomic_energies=energies,
        evaluate=evaluate,
        init=init,
        linear=None,  # a member's form knows nothing of the leading axis
        source=CommitteeMember(potential),
    )
