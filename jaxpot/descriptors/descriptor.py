"""The base class of descriptors, and descriptors made of functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.environment import Environment
from jaxpot.spec import plain_data

__all__ = ["Descriptor", "FunctionDescriptor", "Jacobian", "SelectedDescriptor", "descriptor"]

Jacobian = tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]


class Descriptor:
    """A map from the environment of an atom to numbers, which a head turns into an energy.

    A descriptor is plain data: a frozen dataclass whose fields are numbers, strings and tuples of them, so that it can
    be compared, hashed, saved and made again. A subclass defines ``cutoff``, ``elements`` and ``names``, each as a
    field or a property, and :meth:`values_of_one`, or :meth:`values` for many atoms at once. All other methods have
    defaults that use these; a subclass may replace them by faster methods with the same results.

    Attributes:
        cutoff: Å, the distance beyond which neighbours have no influence.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        names: of the values.
        block: most atoms evaluated at once, fewer where values need much memory: temporaries of a small block stay in
            cache, a large block has larger products of matrices.

    Example:
        >>> import dataclasses
        >>> import jax, jax.numpy as jnp, jaxpot
        >>> @dataclasses.dataclass(frozen=True)
        ... class Shells(jaxpot.Descriptor):  # how many neighbours there are in some shells
        ...     cutoff: float
        ...     centers: tuple[float, ...]
        ...     elements = None
        ...
        ...     @property
        ...     def names(self):
        ...         return tuple(f"shell {center:g}" for center in self.centers)
        ...
        ...     def values_of_one(self, environment):
        ...         end = (1 - (environment.distances / self.cutoff) ** 2) ** 2
        ...         shells = [jnp.exp(-2 * (environment.distances - center) ** 2) for center in self.centers]
        ...         return jnp.stack([environment.sum(end * shell) for shell in shells])
        >>> potential = jaxpot.descriptor_potential(Shells(5.0, (2.0, 3.5)), jaxpot.LinearHead())
        >>> potential.init()["coefficients"].shape  # of one kind of atom: a constant and two shells
        (1, 3)
    """

    if TYPE_CHECKING:  # a class attribute here would be taken for the default of a field

        @property
        def cutoff(self) -> float: ...

        @property
        def elements(self) -> tuple[str, ...] | None: ...

        @property
        def names(self) -> tuple[str, ...]: ...

    block: ClassVar[int] = 64

    @property
    def number(self) -> int:
        """Number of values of an atom; for elements with fewer values, the last ones are 0."""
        return len(self.names)

    @property
    def species(self) -> int:
        """Number of kinds of atoms."""
        return 1 if self.elements is None else len(self.elements)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The name of each species in params: its element, or ``"X"`` if elements are not distinguished."""
        return ("X",) if self.elements is None else self.elements

    def names_of(self, species: int) -> tuple[str, ...]:
        """Names of the values of atoms of one species; species may differ in the names and number of values.

        Args:
            species: index into ``elements``.
        """
        del species
        return self.names

    def values_of_one(self, environment: Environment) -> jax.Array:
        """The values of one atom.

        Args:
            environment: of the atom, arrays [neighbors].

        Returns:
            [number].
        """
        raise NotImplementedError(f"{type(self).__name__} needs values_of_one, or values of many atoms at once")

    def values(self, environment: Environment) -> jax.Array:
        """The values of many atoms.

        Args:
            environment: of the atoms, arrays [atoms, neighbors].

        Returns:
            [atoms, number].
        """
        return jax.vmap(self.values_of_one)(environment)

    def contract(self, environment: Environment, coefficients: jax.Array) -> jax.Array:
        """The sum of values times coefficients; a subclass may compute it faster than from the values.

        Args:
            environment: of many atoms.
            coefficients: [atoms, number], or [1, number] if they are the same for all atoms.

        Returns:
            [atoms].
        """
        return jnp.sum(coefficients * self.values(environment), axis=1)

    def jacobian(self, environment: Environment) -> Jacobian:
        """The values of many atoms and their derivatives with respect to all edges; one reverse pass for each value.

        Args:
            environment: of many atoms.

        Returns:
            [atoms, number], and d/dx, d/dy, d/dz, each [atoms, number, neighbors]; slots without a neighbour may hold
            anything finite.
        """

        def of_edges(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
            return self.values(environment.moved(x, y, z))

        values, pull = jax.vjp(of_edges, environment.x, environment.y, environment.z)

        def of_value(k: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            # an atom's values depend only on its own edges, so one reverse pass gives the derivatives for all atoms
            chosen = (jnp.arange(values.shape[1]) == k).astype(values.dtype)
            return pull(jnp.broadcast_to(chosen[None], values.shape))

        slopes = jax.lax.map(of_value, jnp.arange(values.shape[1]))  # one after another, to save memory
        dx, dy, dz = (jnp.moveaxis(slope, 0, 1) for slope in slopes)
        return values, (dx, dy, dz)

    def numbers(self) -> Any:
        """The trainable numbers, a pytree of arrays like ``params["descriptor"]``; None if there are none."""
        return None

    def with_numbers(self, numbers: Any) -> Descriptor:
        """The descriptor with other numbers than its own, which may be traced.

        Args:
            numbers: shaped as :meth:`numbers`.
        """
        del numbers
        raise ValueError(f"{type(self).__name__} has no numbers to train; leave 'descriptor' out of the params")

    def select(self, columns: Sequence[Sequence[int]]) -> Descriptor:
        """A descriptor with some of the values.

        Args:
            columns: for each species, places of the values to keep.

        Returns:
            A descriptor that can be saved if this one can.
        """
        return SelectedDescriptor(self, tuple(tuple(int(k) for k in each) for each in columns))


@plain_data
@dataclasses.dataclass(frozen=True)
class SelectedDescriptor(Descriptor):
    """Some of the values of another descriptor.

    Attributes:
        whole: the other descriptor.
        columns: for each species, places of the values that are kept.

    Raises:
        ValueError: columns for another number of species, or a place that does not exist.
    """

    whole: Descriptor
    columns: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if len(self.columns) != self.whole.species:
            raise ValueError(f"columns of {len(self.columns)} species were selected for {self.whole.species}")
        for species, chosen in enumerate(self.columns):
            known = len(self.whole.names_of(species))
            if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= k < known for k in chosen):
                raise ValueError(
                    f"columns of {self.whole.symbols[species]} are {chosen}; name distinct places below {known}"
                )

    @property
    def cutoff(self) -> float:
        """Å."""
        return self.whole.cutoff

    @property
    def elements(self) -> tuple[str, ...] | None:
        """Those of the whole descriptor."""
        return self.whole.elements

    @property
    def block(self) -> int:  # type: ignore[override]
        """Most atoms at once in an evaluation."""
        return self.whole.block

    @property
    def names(self) -> tuple[str, ...]:
        """Of the first species with the most values."""
        return max((self.names_of(k) for k in range(self.species)), key=len)

    def names_of(self, species: int) -> tuple[str, ...]:
        """Names of the values kept of atoms of one species.

        Args:
            species: index into ``elements``.
        """
        known = self.whole.names_of(species)
        return tuple(known[k] for k in self.columns[species])

    def _place(self, own_species: jax.Array) -> tuple[jax.Array, jax.Array]:
        """[atoms, number] places of the kept values in the whole descriptor, and a mask of those that an atom has."""
        table = np.zeros((self.species, self.number), int)
        there = np.zeros(table.shape, bool)
        for species, chosen in enumerate(self.columns):
            table[species, : len(chosen)], there[species, : len(chosen)] = chosen, True
        return jnp.asarray(table)[own_species], jnp.asarray(there)[own_species]

    def values(self, environment: Environment) -> jax.Array:
        """The values of many atoms.

        Args:
            environment: arrays [atoms, neighbors].
        """
        place, there = self._place(environment.own_species)
        found = jnp.take_along_axis(self.whole.values(environment), place, axis=1)
        return jnp.where(there, found, 0.0)

    def contract(self, environment: Environment, coefficients: jax.Array) -> jax.Array:
        """The sum of kept values times coefficients, by the method of the whole descriptor.

        Args:
            environment: arrays [atoms, neighbors].
            coefficients: [atoms or 1, number].
        """
        place, there = self._place(environment.own_species)
        whole = jnp.zeros((len(place), self.whole.number), coefficients.dtype)
        whole = whole.at[jnp.arange(len(place))[:, None], place].add(jnp.where(there, coefficients, 0.0))
        return self.whole.contract(environment, whole)

    def jacobian(self, environment: Environment) -> Jacobian:
        """The values of many atoms and their derivatives.

        Args:
            environment: arrays [atoms, neighbors].
        """
        place, there = self._place(environment.own_species)
        values, slopes = self.whole.jacobian(environment)
        kept = jnp.where(there, jnp.take_along_axis(values, place, axis=1), 0.0)
        dx, dy, dz = (
            jnp.where(there[:, :, None], jnp.take_along_axis(slope, place[:, :, None], axis=1), 0.0) for slope in slopes
        )
        return kept, (dx, dy, dz)

    def numbers(self) -> Any:
        """Those of the whole descriptor."""
        return self.whole.numbers()

    def with_numbers(self, numbers: Any) -> Descriptor:
        """The same values of the whole descriptor with other numbers.

        Args:
            numbers: of the whole descriptor.
        """
        return dataclasses.replace(self, whole=self.whole.with_numbers(numbers))


@dataclasses.dataclass(frozen=True, eq=False)
class FunctionDescriptor(Descriptor):
    """A descriptor made of a function, which cannot be saved; :func:`descriptor` makes one.

    Attributes:
        function: ``(environment) -> values``, of one atom [number], or of many [atoms, number].
        names: of the values.
        cutoff: Å.
        elements: chemical symbols, or None.
        together: whether the function takes many atoms at once.
        block: most atoms at once in an evaluation.
    """

    function: Callable[[Environment], jax.Array]
    names: tuple[str, ...]
    cutoff: float
    elements: tuple[str, ...] | None = None
    together: bool = False
    block: int = Descriptor.block  # type: ignore[misc]

    def values(self, environment: Environment) -> jax.Array:
        """The values of many atoms.

        Args:
            environment: arrays [atoms, neighbors].
        """
        return (self.function if self.together else jax.vmap(self.function))(environment)


def descriptor(
    function: Callable[[Environment], jax.Array],
    names: int | Sequence[str],
    cutoff: float,
    elements: Sequence[str] | None = None,
    together: bool = False,
) -> FunctionDescriptor:
    """A descriptor from a function of one atom's environment, for notebooks.

    It can be used in fits and runs like any other, but not saved; a descriptor that can be saved is a class (see
    :class:`Descriptor`).

    Args:
        function: ``(environment) -> [number]``; ``environment`` is a :class:`jaxpot.Environment`. With ``together``, it
            takes many environments at once and returns ``[atoms, number]``.
        names: of the values, or their number; they are then called ``B1``, ``B2`` ...
        cutoff: Å.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        together: whether the function takes many environments at once.

    Returns:
        The descriptor.

    Raises:
        ValueError: no names, or the cutoff is not a positive length.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> def moments(environment):  # how many neighbours there are, and how far away
        ...     near = (1 - environment.distances / 3.0) ** 2
        ...     return jnp.stack([environment.sum(near), environment.sum(near * environment.distances)])
        >>> potential = jaxpot.descriptor_potential(jaxpot.descriptor(moments, 2, cutoff=3.0), jaxpot.LinearHead())
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(3.0).allocate(system)
        >>> potential.values(system, neighbors).tolist()
        [[0.25, 0.375], [0.25, 0.375]]
    """
    given = tuple(f"B{k + 1}" for k in range(names)) if isinstance(names, int) else tuple(names)
    if not given:
        raise ValueError("a descriptor needs at least one value; give its name")
    if not 0 < cutoff < float("inf"):
        raise ValueError(f"the cutoff of a descriptor must be a positive length in Å, got {cutoff}")
    return FunctionDescriptor(function, given, float(cutoff), None if elements is None else tuple(elements), together)
