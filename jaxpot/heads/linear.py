"""Heads that are linear in their coefficients."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.descriptors.environment import Environment
from jaxpot.heads.head import Head, Params
from jaxpot.numerics.named import named_parameters
from jaxpot.spec import plain_data

__all__ = ["DesignHead", "LinearHead"]


class DesignHead(Head):
    """A head that is linear in ``params["coefficients"]`` [species, 1 + features], so that least squares can fit it.

    E_i = c_0 + sum_f c_f phi_f(values of i), with coefficients c of the species of atom i. A subclass defines
    :meth:`feature_names` and :meth:`features`, the phi_f.
    """

    def feature_names(self, descriptor: Descriptor) -> tuple[str, ...]:
        """Names of the features, without the constant.

        Args:
            descriptor: whose values the head takes.
        """
        raise NotImplementedError(f"{type(self).__name__} needs feature_names(descriptor)")

    def features(self, descriptor: Descriptor, params: Params, values: jax.Array) -> jax.Array:
        """The features of many atoms, without the constant.

        Args:
            descriptor: whose values the head takes.
            params: of the head; the features may depend on all of them except the coefficients.
            values: [atoms, number] of the descriptor.

        Returns:
            [atoms, features].
        """
        raise NotImplementedError(f"{type(self).__name__} needs features(descriptor, params, values)")

    @property
    def plain(self) -> bool:
        """Whether the features are the values themselves."""
        return False

    def push(
        self, descriptor: Descriptor, params: Params, values: jax.Array, slopes: jax.Array, belongs: jax.Array
    ) -> jax.Array:
        """Derivatives of the features, summed over the atoms of each species, from those of the values.

        Args:
            descriptor: whose values the head takes.
            params: as for :meth:`features`.
            values: [atoms, number].
            slopes: [atoms, targets, number], derivatives of the values with respect to some targets, such as positions.
            belongs: [species, atoms], 1 where an atom is of a species, otherwise 0.

        Returns:
            [targets, species, features].
        """

        def of_one(one: jax.Array) -> jax.Array:
            return self.features(descriptor, params, one[None])[0]

        each = jnp.einsum("afn,atn->atf", jax.vmap(jax.jacfwd(of_one))(values), slopes)
        return jnp.einsum("sa,atf->tsf", belongs, each)

    def size(self, descriptor: Descriptor) -> int:
        """Number of coefficients of a species.

        Args:
            descriptor: whose values the head takes.
        """
        return 1 + len(self.feature_names(descriptor))

    def names(self, descriptor: Descriptor) -> tuple[str, ...]:
        """Names of the coefficients of a species; that of the constant is ``"1"``.

        Args:
            descriptor: whose values the head takes.
        """
        return ("1", *self.feature_names(descriptor))

    def init(self, descriptor: Descriptor, *given: Any, **named: Any) -> Params:
        """Coefficients 0.

        Args:
            descriptor: whose values the head takes.
            given: not used; a random key may be given.
            named: must be empty.
        """
        if named:
            raise TypeError(f"{type(self).__name__}: init takes no {next(iter(named))}")
        return {"coefficients": jnp.zeros((descriptor.species, self.size(descriptor)))}

    def start(self, descriptor: Descriptor, key: jax.Array, values: Any, atom_energies: Any) -> Params:
        """Coefficients 0, except the constants, which are the energies of the atoms.

        Args:
            descriptor: whose values the head takes.
            key: not used.
            values: not used.
            atom_energies: eV, by species.
        """
        del key, values
        energies = jnp.asarray([atom_energies.get(symbol, 0.0) for symbol in descriptor.symbols])
        found = self.init(descriptor)
        return {**found, "coefficients": found["coefficients"].at[:, 0].set(energies)}

    def check(self, descriptor: Descriptor, params: Params) -> None:
        """Raise ValueError where the coefficients have a wrong shape.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
        """
        name = type(self).__name__
        given = params.get("coefficients") if isinstance(params, Mapping) else None
        dtype = jnp.result_type(float if given is None else given)
        found = named_parameters(name, params, dtype, ("coefficients",))["coefficients"]
        wanted = (descriptor.species, self.size(descriptor))
        if found.shape != wanted:
            raise ValueError(f"coefficients must have shape {list(wanted)}, got {list(found.shape)}")

    def energies(self, descriptor: Descriptor, params: Params, values: jax.Array, own_species: jax.Array) -> jax.Array:
        """The energies of many atoms, [atoms] eV.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
            values: [atoms, number].
            own_species: [atoms] int32.
        """
        own = self.own(descriptor, params, own_species)
        return own[:, 0] + jnp.sum(own[:, 1:] * self.features(descriptor, params, values), axis=1)

    def own(self, descriptor: Descriptor, params: Params, own_species: jax.Array) -> jax.Array:
        """The coefficients of each atom, [atoms, 1 + features]; [1, 1 + features] if there is one species.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
            own_species: [atoms] int32.
        """
        coefficients = params["coefficients"]
        return coefficients[:1] if descriptor.species == 1 else coefficients[own_species]


@plain_data
@dataclasses.dataclass(frozen=True)
class LinearHead(DesignHead):
    """Energies linear in the values B of a descriptor, or in these and their products.

    The features of an atom are

        1, B_1, ..., B_n                                                            (``expand=None``)
        1, B_1, ..., B_n, B_1^2/2, B_1 B_2, ..., B_1 B_n, B_2^2/2, ..., B_n^2/2     (``expand="quadratic"``)

    and the params ``{"coefficients": [species, features]}``, eV.

    Attributes:
        expand: as above.

    Raises:
        ValueError: another ``expand``; at evaluation, coefficients of another shape.

    Example:
        >>> import jaxpot
        >>> from jaxpot.descriptors.bispectrum import Bispectrum
        >>> bispectrum = Bispectrum(("W",), twojmax=1, radii=(2.3,), weights=(1.0,))
        >>> jaxpot.LinearHead("quadratic").names(bispectrum)[:4]
        ('1', 'B[0,0,0]', 'B[1,0,1]', 'B[0,0,0]*B[0,0,0]')
    """

    expand: Literal["quadratic"] | None = None

    def __post_init__(self) -> None:
        if self.expand not in (None, "quadratic"):
            raise ValueError(f"expand is {self.expand!r}; use None or 'quadratic'")

    @property
    def plain(self) -> bool:
        """Whether the features are the values themselves."""
        return self.expand is None

    def feature_names(self, descriptor: Descriptor) -> tuple[str, ...]:
        """Names of the values and of their products.

        Args:
            descriptor: whose values the head takes.
        """
        names = tuple(descriptor.names)
        if self.plain:
            return names
        return names + tuple(f"{names[i]}*{names[j]}" for i, j in zip(*_pairs(descriptor), strict=True))

    def features(self, descriptor: Descriptor, params: Params, values: jax.Array) -> jax.Array:
        """The values and, with ``expand="quadratic"``, their products.

        Args:
            descriptor: whose values the head takes.
            params: not used.
            values: [atoms, number].
        """
        del params
        if self.plain:
            return values
        first, second = _pairs(descriptor)
        half = jnp.where(first == second, 0.5, 1.0).astype(values.dtype)
        return jnp.concatenate([values, half[None] * values[:, first] * values[:, second]], axis=1)

    def push(
        self, descriptor: Descriptor, params: Params, values: jax.Array, slopes: jax.Array, belongs: jax.Array
    ) -> jax.Array:
        """Derivatives of the features, summed over the atoms of each species: d(B_i B_j) = B_j dB_i + B_i dB_j.

        Args:
            descriptor: whose values the head takes.
            params: not used.
            values: [atoms, number].
            slopes: [atoms, targets, number].
            belongs: [species, atoms].
        """
        direct = jnp.einsum("sa,atn->tsn", belongs, slopes)
        if self.plain:
            return direct
        first, second = _pairs(descriptor)
        # sum over atoms first, then symmetrise
        product = jnp.einsum("sam,atn->tsnm", belongs[:, :, None] * values[None], slopes)
        both = product[..., first, second] + product[..., second, first]
        half = jnp.where(first == second, 0.5, 1.0).astype(values.dtype)
        return jnp.concatenate([direct, half[None, None] * both], axis=-1)

    def energies(self, descriptor: Descriptor, params: Params, values: jax.Array, own_species: jax.Array) -> jax.Array:
        """The energies of many atoms, [atoms] eV.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
            values: [atoms, number].
            own_species: [atoms] int32.
        """
        own, number = self.own(descriptor, params, own_species), descriptor.number
        found = own[:, 0] + jnp.sum(own[:, 1 : number + 1] * values, axis=1)
        if self.plain:
            return found
        # B alpha B / 2, where the coefficients are the upper triangle of the symmetric matrix alpha
        first, second = _pairs(descriptor)
        upper = jnp.zeros((len(own), number, number), own.dtype).at[:, first, second].set(own[:, number + 1 :])
        upper = jnp.where(jnp.eye(number, dtype=bool)[None], 0.5 * upper, upper)
        products = values @ upper[0] if len(own) == 1 else jnp.einsum("ai,aij->aj", values, upper)
        return found + jnp.sum(products * values, axis=1)

    def energies_around(self, descriptor: Descriptor, params: Params, environment: Environment) -> jax.Array:
        """The energies of many atoms, [atoms] eV, by the descriptor's :meth:`Descriptor.contract` where possible.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
            environment: arrays [atoms, neighbors].
        """
        if not self.plain:
            return super().energies_around(descriptor, params, environment)
        own = self.own(descriptor, params, environment.own_species)
        return own[:, 0] + descriptor.contract(environment, own[:, 1:])


def _pairs(descriptor: Descriptor) -> tuple[np.ndarray, np.ndarray]:
    """i and j of all products B_i B_j with i <= j, row by row of the upper triangle."""
    first, second = np.triu_indices(descriptor.number)
    return first, second
