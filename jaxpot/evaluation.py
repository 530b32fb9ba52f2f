"""Arguments and results of the functions of a potential."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["Evaluation", "Functions", "Outputs", "Params", "Prepared", "cast_params", "evaluate_by_autodiff"]

Params = Any


class Outputs(NamedTuple):
    """The results of a potential without derivatives.

    Attributes:
        energies: [atoms] eV.
        extras: named results, such as ``charges``; :mod:`jaxpot.extras` declares the names.
    """

    energies: jax.Array
    extras: dict[str, Any] = {}  # noqa: RUF012


class Evaluation(NamedTuple):
    """The results of one evaluation of a potential.

    Attributes:
        energies: [atoms] eV.
        forces: [atoms, 3] eV/Å.
        virial: [3, 3] eV, the derivative of the energy with respect to a homogeneous strain of positions and cell,
            symmetric; divided by the volume it is the stress in ASE's sign.
        extras: named results, such as ``charges`` or ``variance``; :mod:`jaxpot.extras` declares the names.
    """

    energies: jax.Array
    forces: jax.Array
    virial: jax.Array
    extras: dict[str, Any] = {}  # noqa: RUF012


@dataclasses.dataclass(frozen=True, eq=False)
class Functions:
    """The pure functions of a potential, which do not check the neighbour list.

    Attributes:
        outputs: ``(params, system, neighbors) -> Outputs``.
        evaluate: ``(params, system, neighbors) -> Evaluation``; by default the automatic derivative of ``outputs``. The
            engines give their potentials a faster function with the same results.
        without_virial: like ``evaluate``, with NaN for the virial, where this takes less time; None where it does not.
    """

    outputs: Callable[[Params, System, Neighbors], Outputs]
    evaluate: Callable[[Params, System, Neighbors], Evaluation] = None  # type: ignore[assignment]
    without_virial: Callable[[Params, System, Neighbors], Evaluation] | None = None

    def __post_init__(self) -> None:
        of_all = self.outputs

        def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
            return _of_centers(of_all(params, system, neighbors), neighbors)

        object.__setattr__(self, "outputs", outputs)
        if self.evaluate is None:
            object.__setattr__(self, "evaluate", lambda *given: evaluate_by_autodiff(self.outputs, *given))

    def energies(self, params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        """The per-atom energies alone.

        Args:
            params: of the potential.
            system: atoms and cell.
            neighbors: a list that is complete for the system.

        Returns:
            [atoms] eV.
        """
        return self.outputs(params, system, neighbors).energies


def _of_centers(found: Outputs, neighbors: Neighbors | None) -> Outputs:
    """Energies of 0 for atoms that are not centers, also where a formula computes those of all atoms."""
    if neighbors is None or neighbors.plan.other_atoms == 0:
        return found
    return found._replace(energies=jnp.where(neighbors.is_center, found.energies, 0.0))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Prepared:
    """Params after a potential's preparation, which needs no positions; every evaluation takes it in place of params.

    Attributes:
        value: pytree, whose form is up to the potential.
    """

    value: Any


def cast_params(params: Params, dtype: Any) -> Params:
    """Params with every float cast to the type of the positions, so that results have that type too.

    Args:
        params: pytree.
        dtype: of the positions.

    Returns:
        The same pytree.
    """

    def cast(leaf: Any) -> Any:
        return jnp.asarray(leaf, dtype) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf

    return jax.tree.map(cast, params)


def evaluate_by_autodiff(
    outputs: Callable[[Params, System, Neighbors], Outputs], params: Params, system: System, neighbors: Neighbors
) -> Evaluation:
    """Energies, forces and virial of any potential by one reverse pass through positions and strain.

    Args:
        outputs: ``(params, system, neighbors) -> Outputs``.
        params: pytree.
        system: atoms and cell.
        neighbors: list of the system.

    Returns:
        The :class:`Evaluation`.
    """

    def strained(positions: jax.Array, strain: jax.Array) -> tuple[jax.Array, Outputs]:
        symmetric = 0.5 * (strain + strain.T)
        moved = system.replace(positions=positions + positions @ symmetric, cell=system.cell + system.cell @ symmetric)
        found = outputs(params, moved, neighbors)
        return found.energies.sum(), found

    zero = jnp.zeros((3, 3), system.positions.dtype)
    (gradient, virial), found = jax.grad(strained, (0, 1), has_aux=True)(system.positions, zero)
    return Evaluation(found.energies, -gradient, virial, found.extras)
