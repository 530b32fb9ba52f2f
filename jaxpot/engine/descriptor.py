"""Potentials made of a descriptor and a head."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.descriptors.environment import Environment
from jaxpot.engine.design import DesignRows, design_rows
from jaxpot.engine.environment import environment_potential
from jaxpot.engine.environment_blocks import (
    Blocks,
    blocks_of,
    environments_of,
    in_few_slots,
    map_environments,
)
from jaxpot.engine.rows import ready, rows_of, to_atoms
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params, cast_params
from jaxpot.guard import guarded
from jaxpot.heads.head import Head
from jaxpot.heads.linear import DesignHead
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind
from jaxpot.system import System

__all__ = ["DescriptorPotential", "Slopes", "descriptor_potential", "descriptor_slopes", "descriptor_values"]

BLOCK_OF_SLOPES = 64  # most atoms whose derivatives of all values are computed at once


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DescriptorPotential(Potential):
    """A potential that consists of a descriptor and a head.

    Stored values in training, design rows of linear fits, scaling and selection of values use only these two parts, so
    they work for every such potential. Sums and multiples of such potentials are plain potentials.

    Attributes:
        descriptor: turns the environment of an atom into numbers.
        head: turns these numbers into the energy of the atom.

    The other attributes (``name``, ``cutoff``, ``elements``, ``unchecked``, ``init``, ``spec``, ``prepare``, ``needs``,
    ``gives``, ``ranges``, ``resolution`` and ``constant``) are those of every :class:`jaxpot.Potential`.
    """

    descriptor: Descriptor = None  # type: ignore[assignment]
    head: Head = None  # type: ignore[assignment]

    def values(self, system: System, neighbors: Neighbors, params: Params = None) -> jax.Array:
        """The values of the descriptor.

        Args:
            system: atoms and cell.
            neighbors: list of the system.
            params: of the potential, where they hold numbers of the descriptor; otherwise its own numbers are used.

        Returns:
            [atoms, number], 0 for padded atoms.

        Raises:
            UnusableListError: the list has overflowed or is out of date, or a number is not finite.
        """
        return guarded(_values, self, params, system, neighbors)

    def design(self, system: System, neighbors: Neighbors, params: Params = None) -> DesignRows:
        """The design rows of a structure: energy, forces and virial as linear functions of the head's coefficients.

        Args:
            system: atoms and cell.
            neighbors: list of the system.
            params: those that the features depend on, such as numbers of the descriptor; coefficients are not needed.

        Returns:
            The :class:`DesignRows`.

        Raises:
            ValueError: the head is not linear in coefficients.
            UnusableListError: the list has overflowed or is out of date, or a number is not finite.
        """
        if not isinstance(self.head, DesignHead):
            raise ValueError(
                f"{self.name}: a {type(self.head).__name__} is not linear in coefficients and has no design rows; "
                "train it by gradients"
            )
        return guarded(_design, self, params, system, neighbors)


def _values(potential: DescriptorPotential, params: Params, system: System, neighbors: Neighbors) -> jax.Array:
    return descriptor_values(potential.descriptor, system, neighbors, split(params)[0])


def _design(potential: DescriptorPotential, params: Params, system: System, neighbors: Neighbors) -> DesignRows:
    numbers, rest = split(cast_params(params, system.positions.dtype))
    head: Any = potential.head  # a DesignHead
    return design_rows(potential.descriptor, head, system, neighbors, numbers, rest)


def split(params: Params) -> tuple[Any, Params]:
    """The numbers of the descriptor in the params (None if there are none), and the params of the head."""
    if not isinstance(params, Mapping):
        return None, params
    return params.get("descriptor"), {name: value for name, value in params.items() if name != "descriptor"}


@potential_kind
def descriptor_potential(descriptor: Descriptor, head: Head, name: str | None = None) -> DescriptorPotential:
    """A potential E = sum_i head(descriptor(environment of i), species of i).

    The params are those of the head. Where numbers of the descriptor are trained, the params also hold them as
    ``"descriptor"``. ``potential.init`` takes the arguments of the head's ``init``, and ``train_descriptor=True`` to
    include the descriptor's own numbers in the params.

    Args:
        descriptor: a :class:`jaxpot.Descriptor`.
        head: a :class:`jaxpot.Head`.
        name: of the potential; by default made of the names of both parts.

    Returns:
        The :class:`DescriptorPotential`.

    Raises:
        TypeError: the arguments are not a descriptor and a head, in this order.
        ValueError: at evaluation, params that are not those of the head.

    Example:
        >>> import jax, jaxpot
        >>> from jaxpot.descriptors.symmetry_functions import radial, symmetry_functions
        >>> functions = symmetry_functions(["Ar"], [radial("Ar", "Ar", 6.0, eta) for eta in (0.1, 0.5)])
        >>> potential = jaxpot.descriptor_potential(functions, jaxpot.LinearHead())
        >>> potential.name, potential.init()["coefficients"].shape
        ('SymmetryFunctions x LinearHead', (1, 3))
    """
    if not isinstance(descriptor, Descriptor) or not isinstance(head, Head):
        raise TypeError(
            f"descriptor_potential takes a Descriptor and a Head, got a {type(descriptor).__name__} and a "
            f"{type(head).__name__}; make a descriptor of a function with jaxpot.descriptor(...)"
        )
    name = name or f"{type(descriptor).__name__} x {type(head).__name__}"

    def checked(params: Params) -> tuple[Any, Params]:
        numbers, rest = split(params)
        try:
            head.check(descriptor, rest)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        return numbers, rest

    def prepare(params: Params, dtype: Any) -> tuple[Any, Any]:
        numbers, rest = checked(params)
        rest = cast_params(head.representable(rest, dtype), dtype)
        return cast_params(numbers, dtype), head.prepare(descriptor, rest)

    def bound(numbers: Any) -> Descriptor:
        return descriptor if numbers is None else descriptor.with_numbers(numbers)

    def energy(prepared: tuple[Any, Any], environment: Environment) -> jax.Array:
        numbers, rest = prepared
        return head.energies_around(bound(numbers), rest, environment)

    def init(*given: Any, train_descriptor: bool = False, **named: Any) -> Params:
        params = head.init(descriptor, *given, **named)
        if train_descriptor:
            params = {**params, "descriptor": cast_params(descriptor.numbers(), jnp.result_type(float))}
        return params

    plain = environment_potential(
        energy, descriptor.cutoff, descriptor.elements, name, init, together=True, block=descriptor.block,
        prepare=prepare,
    )  # fmt: skip
    functions = plain.unchecked
    if head.gives:

        def results(params: Params, system: System, neighbors: Neighbors) -> dict[str, jax.Array]:
            numbers, rest = ready(prepare, params, system.positions.dtype)
            values = descriptor_values(descriptor, system, neighbors, numbers)
            species = jnp.maximum(system.species, 0)
            each = head.results(descriptor, rest, values, species)
            return {key: jnp.where(system.real, value, 0.0) for key, value in each.items()}

        def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
            found = plain.unchecked.outputs(params, system, neighbors)
            return found._replace(extras=results(params, system, neighbors))

        def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
            found = plain.unchecked.evaluate(params, system, neighbors)
            return found._replace(extras=results(params, system, neighbors))

        functions = Functions(outputs, evaluate)
    fields = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
    return DescriptorPotential(**(
        fields | {"unchecked": functions, "gives": frozenset(head.gives), "descriptor": descriptor, "head": head}
    ))  # fmt: skip


def descriptor_values(descriptor: Descriptor, system: System, neighbors: Neighbors, numbers: Any = None) -> jax.Array:
    """The values of a descriptor for all atoms, a pure function of the system; the list is not checked.

    Args:
        descriptor: any.
        system: atoms and cell.
        neighbors: a list that is complete for the system.
        numbers: of the descriptor; None for its own.

    Returns:
        [atoms, number], 0 for atoms that are not centers.
    """
    bound = descriptor if numbers is None else descriptor.with_numbers(numbers)
    rows = rows_of(system, neighbors)

    def of_block(one: Blocks) -> tuple[jax.Array]:
        return (bound.values(environments_of(rows, one, descriptor.cutoff)),)

    function = in_few_slots(of_block, rows, descriptor.cutoff, neighbors)
    (found,) = map_environments(function, blocks_of(bound.values, rows, system, neighbors, descriptor.block))
    return to_atoms(found, system, neighbors)


class Slopes(NamedTuple):
    """The values of a descriptor and their derivatives with respect to the edges of each atom.

    Attributes:
        values: [atoms, number].
        x: [atoms, number, capacity], d/dx of the edge to each neighbour; 0 in empty slots.
        y: [atoms, number, capacity].
        z: [atoms, number, capacity].
        vectors: [atoms, 3, capacity] Å, the edges.
    """

    values: jax.Array
    x: jax.Array
    y: jax.Array
    z: jax.Array
    vectors: jax.Array


def descriptor_slopes(descriptor: Descriptor, system: System, neighbors: Neighbors, numbers: Any = None) -> Slopes:
    """The values of a descriptor and their derivatives for all atoms; the list is not checked.

    Args:
        descriptor: any.
        system: atoms and cell.
        neighbors: a list that is complete for the system; the slots are those of ``neighbors.others``.
        numbers: of the descriptor; None for its own.

    Returns:
        The :class:`Slopes`, all 0 for atoms that are not centers.
    """
    bound = descriptor if numbers is None else descriptor.with_numbers(numbers)
    rows = rows_of(system, neighbors)

    def of_block(one: Blocks) -> tuple[jax.Array, ...]:
        environment = environments_of(rows, one, descriptor.cutoff)
        values, slopes = bound.jacobian(environment)
        vectors = jnp.stack([environment.x, environment.y, environment.z], axis=1)
        mask = environment.mask[:, None, :]
        return (values, *(jnp.where(mask, slope, 0.0) for slope in slopes), jnp.where(mask, vectors, 0.0))

    found = map_environments(of_block, blocks_of(bound.jacobian, rows, system, neighbors, BLOCK_OF_SLOPES))
    return Slopes(*(to_atoms(part, system, neighbors) for part in found))
