"""The base class of heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import numpy as np

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.descriptors.environment import Environment

__all__ = ["Head"]

Params = Any


class Head:
    """A function that turns the values of a descriptor into the energy of an atom.

    Like a descriptor, a head is plain data: a frozen dataclass of settings. Fitted numbers are passed as params.
    :func:`jaxpot.descriptor_potential` combines a head with a descriptor. The head's methods take the descriptor as an
    argument, for its elements and for the number and names of its values. A subclass defines :meth:`energies` and
    :meth:`init`.

    Attributes:
        gives: names of the results of :meth:`results`, such as ``variance``.

    Example:
        >>> import dataclasses
        >>> import jax.numpy as jnp, jaxpot
        >>> @dataclasses.dataclass(frozen=True)
        ... class Root(jaxpot.Head):  # minus the root of a weighted sum of the values, as in embedded atoms
        ...     def init(self, descriptor):
        ...         return {"weights": jnp.ones(descriptor.number)}
        ...
        ...     def energies(self, descriptor, params, values, own_species):
        ...         total = values @ params["weights"]
        ...         return -jnp.where(total > 0, jnp.sqrt(jnp.where(total > 0, total, 1.0)), 0.0)
        >>> def near(environment):
        ...     return environment.sum((1 - environment.distances / 3.0) ** 2)[None]
        >>> potential = jaxpot.descriptor_potential(jaxpot.descriptor(near, 1, cutoff=3.0), Root())
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> float(jaxpot.energy(potential)(potential.init(), system, neighbors))
        -1.0
    """

    gives: ClassVar[frozenset[str]] = frozenset()

    @property
    def wants_values(self) -> bool:
        """Whether :meth:`start` needs the values of a training set."""
        return False

    def init(self, descriptor: Descriptor, *given: Any, **named: Any) -> Params:
        """Default params.

        Args:
            descriptor: whose values the head takes.
            given: further arguments of the head's own, such as a random key.
            named: the same, by name.
        """
        del given, named
        raise ValueError(
            f"{type(self).__name__} on {type(descriptor).__name__} has no default params; fit or give them"
        )

    def start(
        self,
        descriptor: Descriptor,
        key: jax.Array,
        values: Mapping[str, np.ndarray] | None,
        atom_energies: Mapping[str, float],
    ) -> Params:
        """Params for the start of a training by gradients.

        Args:
            descriptor: whose values the head takes.
            key: of random numbers.
            values: by species (:attr:`Descriptor.symbols`), [atoms, values] of all atoms of the training set; None
                unless ``wants_values``.
            atom_energies: eV, by species, average energies of atoms in the training set.
        """
        del values, atom_energies
        return self.init(descriptor, key)

    def check(self, descriptor: Descriptor, params: Params) -> None:
        """Raise ValueError where params have wrong names or shapes; both are static.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
        """

    def representable(self, params: Params, dtype: Any) -> Params:
        """Params with the same results, whose numbers can be cast to a float type; by default they are as they are.

        Args:
            params: of the head, in their own float type.
            dtype: of the positions, to which the params are cast next.
        """
        del dtype
        return params

    def prepare(self, descriptor: Descriptor, params: Params) -> Any:
        """All that depends only on params, computed once per evaluation or run; :meth:`energies` takes it as params.

        Args:
            descriptor: whose values the head takes.
            params: of the head, in the float type of the positions.
        """
        del descriptor
        return params

    def energies(self, descriptor: Descriptor, params: Params, values: jax.Array, own_species: jax.Array) -> jax.Array:
        """The energies of many atoms.

        Args:
            descriptor: whose values the head takes.
            params: as :meth:`prepare` gives them.
            values: [atoms, number] of the descriptor.
            own_species: [atoms] int32.

        Returns:
            [atoms] eV.
        """
        raise NotImplementedError(f"{type(self).__name__} needs energies(descriptor, params, values, own_species)")

    def energies_around(self, descriptor: Descriptor, params: Params, environment: Environment) -> jax.Array:
        """The energies of many atoms from their environments, for heads that need not compute the values first.

        Args:
            descriptor: whose values the head takes, with its numbers.
            params: as :meth:`prepare` gives them.
            environment: of the atoms, arrays [atoms, neighbors].

        Returns:
            [atoms] eV.
        """
        return self.energies(descriptor, params, descriptor.values(environment), environment.own_species)

    def results(
        self, descriptor: Descriptor, params: Params, values: jax.Array, own_species: jax.Array
    ) -> dict[str, jax.Array]:
        """The named results in ``gives``, such as a variance or a grade of extrapolation.

        Args:
            descriptor: whose values the head takes.
            params: as :meth:`prepare` gives them.
            values: [atoms, number] of the descriptor.
            own_species: [atoms] int32.

        Returns:
            By name, each [atoms].
        """
        del descriptor, params, values, own_species
        return {}
