"""What a head is."""

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
    """What makes an energy of an atom from the values of its descriptor.

    A head is plain data, as a descriptor is: a frozen dataclass of settings. What is fitted travels as params. A head
    is put on a descriptor by :func:`jaxpot.descriptor_potential`; its methods are given the descriptor, for its
    elements and for the number and names of its values. A subclass has :meth:`energies` and :meth:`init`.

    Attributes:
        gives: names of the results that :meth:`results` has, such as ``variance``.

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
        """Whether :meth:`start` needs to know the values of a training set."""
        return False

    def init(self, descriptor: Descriptor, *given: Any, **named: Any) -> Params:
        """Default params.

        Args:
            descriptor: that the head is put on.
            given: what the head takes, such as a random key.
            named: likewise.
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
        """Params that a training by gradients begins with.

        Args:
            descriptor: that the head is put on.
            key: of random numbers.
            values: by species (:attr:`Descriptor.symbols`), of all atoms of the training set, [atoms, values]; where
                ``wants_values``, else None.
            atom_energies: eV, by species, as the training set has them on average.
        """
        del values, atom_energies
        return self.init(descriptor, key)

    def check(self, descriptor: Descriptor, params: Params) -> None:
        """Raise ValueError where params are not named and shaped as they should; all of this is static.

        Args:
            descriptor: that the head is put on.
            params: of the head.
        """

    def prepare(self, descriptor: Descriptor, params: Params) -> Any:
        """What depends on params alone, computed once an evaluation or a run; stands for them in :meth:`energies`.

        Args:
            descriptor: that the head is put on.
            params: of the head, in the float type of the positions.
        """
        del descriptor
        return params

    def energies(self, descriptor: Descriptor, params: Params, values: jax.Array, own_species: jax.Array) -> jax.Array:
        """The energies of many atoms.

        Args:
            descriptor: that the head is put on.
            params: as :meth:`prepare` gives them.
            values: [atoms, number] of the descriptor.
            own_species: [atoms] int32.

        Returns:
            [atoms] eV.
        """
        raise NotImplementedError(f"{type(self).__name__} needs energies(descriptor, params, values, own_species)")

    def energies_around(self, descriptor: Descriptor, params: Params, environment: Environment) -> jax.Array:
        """The energies of many atoms, where there may be a faster way to them than by the values.

        Args:
            descriptor: that the head is put on, with its numbers.
            params: as :meth:`prepare` gives them.
            environment: what the atoms see, arrays [atoms, neighbors].

        Returns:
            [atoms] eV.
        """
        return self.energies(descriptor, params, descriptor.values(environment), environment.own_species)

    def results(
        self, descriptor: Descriptor, params: Params, values: jax.Array, own_species: jax.Array
    ) -> dict[str, jax.Array]:
        """Named results beside the energies, those of ``gives``: a variance, a grade of extrapolation.

        Args:
            descriptor: that the head is put on.
            params: as :meth:`prepare` gives them.
            values: [atoms, number] of the descriptor.
            own_species: [atoms] int32.

        Returns:
            By name, each [atoms].
        """
        del descriptor, params, values, own_species
        return {}
