"""Heads with one function per element of the scaled values; the common part of all network heads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.heads.head import Head, Params
from jaxpot.heads.scaling import (
    SCALINGS,
    STATISTICS,
    Scaling,
    representable,
    scaled,
    scaling_of,
    statistics_of,
    whitening,
)

__all__ = ["ElementHead"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElementHead(Head):
    """One function, such as a network, for each element, of the scaled values of a descriptor.

    E_i = energy_unit f_a(G'_i) + E0_a for atoms i of element a. G' are the values G of the descriptor, scaled with
    statistics of a training set (see the table at :func:`jaxpot.heads.scaling.scaled`). A subclass defines
    :meth:`init_function` and :meth:`function`.

    The params are ``{"networks": {element: params from init_function}, "scaling": {element: {"min", "max", "mean",
    "sigma": [values]}}, "atom_energies": {element: eV}}``; the atom energies are E0. Without scaling there is no
    ``"scaling"``; with ``"decorrelate"`` its entries are ``{"mean": [values], "matrix": [values, values]}``. Training
    changes only the networks; scaling and atom energies come from the training set. A descriptor that does not
    distinguish elements has the single element ``"X"``.

    Attributes:
        scaling: of the values.
        scale_range: S of the scaling.
        energy_unit: eV, the unit of the functions' results.

    Raises:
        ValueError: an unknown scaling; at evaluation, params of other names or shapes.
    """

    scaling: Scaling = "scale_center"
    scale_range: tuple[float, float] = (0.0, 1.0)
    energy_unit: float = 1.0

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, got {self.scaling!r}")

    @property
    def wants_values(self) -> bool:
        """Whether the scaling must be determined from a training set."""
        return self.scaling != "none"

    def init_function(self, descriptor: Descriptor, species: int, key: jax.Array) -> Any:
        """Random params of the function of one element.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            key: of random numbers.
        """
        raise NotImplementedError(f"{type(self).__name__} needs init_function(descriptor, species, key)")

    def function(self, descriptor: Descriptor, species: int, params: Any, values: jax.Array) -> jax.Array:
        """The function of one element.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            params: of this function.
            values: [atoms, values of this element], scaled.

        Returns:
            [atoms] in ``energy_unit``.
        """
        raise NotImplementedError(f"{type(self).__name__} needs function(descriptor, species, params, values)")

    def check_function(self, descriptor: Descriptor, species: int, params: Any) -> None:
        """Raise ValueError where params of the function of one element have wrong shapes.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            params: of this function.
        """

    def init(
        self,
        descriptor: Descriptor,
        key: jax.Array,
        scaling: Mapping[str, Mapping[str, Any]] | None = None,
        atom_energies: Mapping[str, float] | None = None,
    ) -> Params:
        """Random functions, with the given scaling and energies of atoms.

        Args:
            descriptor: whose values the head takes.
            key: of random numbers.
            scaling: from :func:`jaxpot.fit.scaling_of` and a training set; by default one for which G' is near G.
            atom_energies: eV, by element; 0 for elements that are not named.
        """
        for given in (scaling or {}, atom_energies or {}):
            strange = [symbol for symbol in given if symbol not in descriptor.symbols]
            if strange:
                raise ValueError(f"init was given {strange[0]}, which is not among the elements {descriptor.symbols}")
        dtype = jnp.result_type(float)
        keys = jax.random.split(key, descriptor.species)
        known = atom_energies or {}
        params: dict[str, Any] = {
            "networks": {s: self.init_function(descriptor, k, keys[k]) for k, s in enumerate(descriptor.symbols)},
            "atom_energies": {symbol: jnp.asarray(known.get(symbol, 0.0), dtype) for symbol in descriptor.symbols},
        }
        if self.scaling == "none":
            return params
        params["scaling"] = {}
        for species, symbol in enumerate(descriptor.symbols):
            count = len(descriptor.names_of(species))
            usual = {**dict(zip(STATISTICS, (0.0, 1.0, 0.0, 1.0), strict=True)), "matrix": np.eye(count)}
            values = usual if scaling is None else scaling[symbol]
            params["scaling"][symbol] = {
                name: jnp.broadcast_to(jnp.asarray(values[name], dtype), _shape(name, count))
                for name in statistics_of(self.scaling)
            }
        return params

    def start(
        self,
        descriptor: Descriptor,
        key: jax.Array,
        values: Mapping[str, np.ndarray] | None,
        atom_energies: Mapping[str, float],
    ) -> Params:
        """Random functions, with the scaling and the energies of atoms from a training set.

        Args:
            descriptor: whose values the head takes.
            key: of random numbers.
            values: {element: [atoms, values]} of the training set.
            atom_energies: eV, by element.
        """
        scaling = None
        if self.wants_values and values is not None:
            scaling = scaling_of(values)
            if self.scaling == "decorrelate":
                scaling = {s: {"mean": scaling[s]["mean"], "matrix": whitening(values[s])} for s in scaling}
        return self.init(descriptor, key, scaling, atom_energies)

    def check(self, descriptor: Descriptor, params: Params) -> None:
        """Raise ValueError where params have wrong names or shapes.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
        """
        needed = {"networks", "atom_energies"} | ({"scaling"} if self.scaling != "none" else set())
        if not isinstance(params, Mapping) or set(params) != needed:
            got = ", ".join(map(str, params)) if isinstance(params, Mapping) else type(params).__name__
            raise ValueError(f"params must have {', '.join(sorted(needed))}; got {got}")
        for name in needed:
            if set(params[name]) != set(descriptor.symbols):
                raise ValueError(f"params[{name!r}] must have {descriptor.symbols}, got {[*params[name]]}")
        for species, symbol in enumerate(descriptor.symbols):
            self.check_function(descriptor, species, params["networks"][symbol])
            if "scaling" in params:
                count, given = len(descriptor.names_of(species)), params["scaling"][symbol]
                wanted = {name: _shape(name, count) for name in statistics_of(self.scaling)}
                found = {name: jnp.shape(given[name]) if name in given else "nothing" for name in wanted}
                if found != wanted:
                    raise ValueError(f"scaling of {symbol} must have shapes {wanted}, got {found}")

    def representable(self, params: Params, dtype: Any) -> Params:
        """Params in which values are constants where a float type cannot resolve their range in the training set.

        Args:
            params: of the head, in their own float type.
            dtype: of the positions.
        """
        if self.scaling in ("none", "center", "decorrelate"):
            return params
        scaling = {s: representable(self.scaling, each, dtype)[0] for s, each in params["scaling"].items()}
        return {**params, "scaling": scaling}

    def energies(self, descriptor: Descriptor, params: Params, values: jax.Array, own_species: jax.Array) -> jax.Array:
        """The energies of many atoms, [atoms] eV.

        Args:
            descriptor: whose values the head takes.
            params: of the head.
            values: [atoms, number].
            own_species: [atoms] int32.
        """
        total = jnp.zeros(len(values), values.dtype)
        for species, symbol in enumerate(descriptor.symbols):
            # for atoms of other elements the function gets zeros, since NaN from strange values would spoil derivatives
            own = own_species == species
            used = values[:, : len(descriptor.names_of(species))]
            seen = scaled(self.scaling, self.scale_range, params.get("scaling", {}).get(symbol, {}), used)
            if descriptor.species > 1:
                seen = jnp.where(own[:, None], seen, 0.0)
            each = self.function(descriptor, species, params["networks"][symbol], seen)
            each = self.energy_unit * each + jnp.asarray(params["atom_energies"][symbol], values.dtype)
            total = total + (jnp.where(own, each, 0.0) if descriptor.species > 1 else each)
        return total


def _shape(name: str, count: int) -> tuple[int, ...]:
    return (count, count) if name == "matrix" else (count,)
