"""The mean of an ensemble of parameter sets, as a potential."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind
from jaxpot.system import System

__all__ = ["Committee", "committee"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Committee(Potential):
    """The mean of an ensemble, see :func:`committee`.

    Attributes:
        member: the potential of one member.
    """

    member: Potential = dataclasses.field(kw_only=True)


@potential_kind
def committee(potential: Potential) -> Committee:
    """The mean of an ensemble: one potential, several sets of parameters.

    E = 1/M sum_m E(params_m); forces and virial likewise.

    The params are those of the potential with a leading axis [members] on every leaf, as training an ensemble gives
    them; ``init(keys)`` makes one member for each key. :func:`jaxpot.uncertainty.with_spread` also gives the standard
    deviation over the members.

    Args:
        potential: any potential.

    Returns:
        The :class:`Committee`, a :class:`jaxpot.Potential`.

    Raises:
        ValueError: at evaluation, leaves whose leading axes differ.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> both = jaxpot.committee(jaxpot.lennard_jones(cutoff=8.5))
        >>> params = {"epsilon": jnp.array([0.010, 0.012]), "sigma": jnp.array([3.4, 3.4])}
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 3.4 * 2 ** (1 / 6)]])
        >>> neighbors = jaxpot.neighbor_list(both).allocate(system)
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

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        return mean(jax.vmap(potential.unchecked.outputs, (0, None, None))(checked(params), system, neighbors))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        return mean(jax.vmap(potential.unchecked.evaluate, (0, None, None))(checked(params), system, neighbors))

    return Committee(
        name=f"committee of {potential.name}",
        cutoff=potential.cutoff,
        elements=potential.elements,
        unchecked=Functions(outputs, evaluate),
        init=jax.vmap(potential.init),
        prepare=lambda params, dtype: jax.vmap(lambda one: potential.prepare(one, dtype))(checked(params)),
        needs=potential.needs,
        gives=potential.gives,
        ranges=potential.ranges,
        resolution=potential.resolution,
        member=potential,
    )
