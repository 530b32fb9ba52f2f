"""Modules of flax, linen or nnx, as heads."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.heads.by_element import ElementHead
from jaxpot.heads.scaling import Scaling

__all__ = ["FlaxHead", "ModuleFunctions", "module_functions"]


class ModuleFunctions(NamedTuple):
    """A flax module as pure functions.

    Attributes:
        init: ``(key) -> params``, a pytree of dicts and arrays.
        apply: ``(params, x) -> y``.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, jax.Array], jax.Array]


def module_functions(make: Callable[[jax.Array], Any], inputs: int) -> ModuleFunctions:
    """The pure functions of a module of flax.linen or flax.nnx.

    Args:
        make: ``(key) -> module``; a module of linen needs no key.
        inputs: length of the last axis of the module's input.

    Returns:
        The :class:`ModuleFunctions`.

    Raises:
        TypeError: the result of ``make`` is not a flax module.
        ValueError: the module has state besides its parameters, such as running means or random keys of a dropout.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from flax import nnx
        >>> from jaxpot.heads.flax_modules import module_functions
        >>> functions = module_functions(lambda key: nnx.Linear(3, 1, rngs=nnx.Rngs(params=key)), 3)
        >>> params = functions.init(jax.random.key(0))
        >>> sorted(params), functions.apply(params, jnp.ones((2, 3))).shape
        (['bias', 'kernel'], (2, 1))
    """
    from flax import linen, nnx

    example = jax.eval_shape(lambda: jnp.zeros((1, inputs)))
    kind = type(nnx.eval_shape(lambda: make(jax.random.key(0)))) if _makes_nnx(make) else None
    if kind is None:
        module = make(jax.random.key(0))
        if not isinstance(module, linen.Module):
            raise TypeError(f"a {type(module).__name__} is no module of flax; give one of flax.linen or flax.nnx")
        variables = jax.eval_shape(module.init, jax.random.key(0), example)
        _check_state(type(module).__name__, [name for name in variables if name != "params"])
        return ModuleFunctions(
            lambda key: module.init(key, jnp.zeros((1, inputs))).get("params", {}),
            lambda params, x: jnp.asarray(module.apply({"params": params}, x)),
        )

    whole: Any = nnx.split(nnx.eval_shape(lambda: make(jax.random.key(0))), nnx.Param, ...)
    graph, parameters, rest = whole
    _check_state(kind.__name__, [".".join(map(str, path)) for path, _ in nnx.to_flat_state(rest)])

    names = nnx.to_pure_dict(parameters)

    def init(key: jax.Array) -> Any:
        return _with_texts(nnx.to_pure_dict(nnx.state(make(key), nnx.Param)))

    def apply(params: Any, x: jax.Array) -> jax.Array:
        state = jax.tree.map(lambda leaf: leaf, parameters)  # a copy, to be filled
        nnx.replace_by_pure_dict(state, _with_keys_of(names, params))
        return nnx.merge(graph, state, rest)(x)

    return ModuleFunctions(init, apply)


def _makes_nnx(make: Callable[[jax.Array], Any]) -> bool:
    """Whether ``make`` makes a module of nnx; it is traced only, and nothing is computed."""
    from flax import nnx

    found: list[bool] = []

    def tried() -> None:
        found.append(isinstance(make(jax.random.key(0)), nnx.Module))

    jax.eval_shape(tried)
    return found[0]


def _with_texts(tree: Any) -> Any:
    """Nested dicts with strings as keys; nnx numbers layers in lists by integers, which files cannot store."""
    return {str(key): _with_texts(v) for key, v in tree.items()} if isinstance(tree, Mapping) else tree


def _with_keys_of(names: Any, tree: Any) -> Any:
    """The same tree with the keys of the module's own nested dicts."""
    return {key: _with_keys_of(v, tree[str(key)]) for key, v in names.items()} if isinstance(names, Mapping) else tree


def _check_state(name: str, state: list[str]) -> None:
    if state:
        raise ValueError(
            f"{name} has state beside its parameters ({', '.join(state)}), which a potential cannot have; "
            "leave out what keeps it, such as BatchNorm or Dropout"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlaxHead(ElementHead):
    """A flax module (linen or nnx) of the scaled values of a descriptor, one for each element.

    Your own head is a frozen dataclass of the module's settings with a method :meth:`module`. If it is marked with
    :func:`jaxpot.plain_data`, it is saved and loaded by its name and settings, like heads of the library; the Python
    module that defines it must be imported before loading. The params of each network are those of the flax module;
    :class:`ElementHead` describes the others.

    Attributes:
        scaling: of the values; by default they are made uncorrelated and of equal size.
        scale_range: as in :class:`ElementHead`.
        energy_unit: as in :class:`ElementHead`.

    Raises:
        TypeError: the result of :meth:`module` is not a flax module.
        ValueError: the module has state besides its parameters, or params have other shapes.

    Example:
        >>> import dataclasses
        >>> import jax, jaxpot
        >>> from flax import linen
        >>> from jaxpot.descriptors.bispectrum import Bispectrum
        >>> class Gated(linen.Module):
        ...     width: int
        ...
        ...     @linen.compact
        ...     def __call__(self, x):
        ...         return linen.Dense(1)(linen.Dense(self.width)(x) * linen.sigmoid(linen.Dense(self.width)(x)))
        >>> @jaxpot.plain_data
        ... @dataclasses.dataclass(frozen=True)
        ... class GatedUnitHead(jaxpot.FlaxHead):
        ...     width: int = 8
        ...
        ...     def module(self, inputs, key):
        ...         return Gated(self.width)
        >>> bispectrum = Bispectrum(("W",), twojmax=2, radii=(2.3,), weights=(1.0,))
        >>> potential = jaxpot.descriptor_potential(bispectrum, GatedUnitHead(width=4), name="gated")
        >>> sorted(potential.init(jax.random.key(0))["networks"]["W"])
        ['Dense_0', 'Dense_1', 'Dense_2']
    """

    scaling: Scaling = "decorrelate"

    def module(self, inputs: int, key: jax.Array) -> Any:
        """The module of one element.

        Args:
            inputs: number of values in its input.
            key: of random numbers, for modules of nnx: ``rngs=nnx.Rngs(params=key)``.

        Returns:
            A module that maps [atoms, inputs] to [atoms, 1] or [atoms].
        """
        raise NotImplementedError(f"{type(self).__name__} needs module(inputs, key)")

    def functions(self, descriptor: Descriptor, species: int) -> ModuleFunctions:
        """The pure functions of the module of one element.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
        """
        return _functions(self, len(descriptor.names_of(species)))

    def init_function(self, descriptor: Descriptor, species: int, key: jax.Array) -> Any:
        """Random params of the module.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            key: of random numbers.
        """
        return self.functions(descriptor, species).init(key)

    def check_function(self, descriptor: Descriptor, species: int, params: Any) -> None:
        """Raise ValueError where params are not those of the module.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            params: of the module.
        """
        wanted = jax.eval_shape(self.functions(descriptor, species).init, jax.random.key(0))
        shapes = [jax.tree_util.tree_map(jnp.shape, tree) for tree in (wanted, params)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the network of {descriptor.symbols[species]} must have params of shapes {shapes[0]}, got {shapes[1]}"
            )

    def function(self, descriptor: Descriptor, species: int, params: Any, values: jax.Array) -> jax.Array:
        """The module of one element.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            params: of the module.
            values: [atoms, values], scaled.
        """
        return self.functions(descriptor, species).apply(params, values).reshape(len(values))


@functools.cache
def _functions(head: FlaxHead, inputs: int) -> ModuleFunctions:
    return module_functions(lambda key: head.module(inputs, key), inputs)
