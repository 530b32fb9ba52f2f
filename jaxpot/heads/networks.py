"""Feed-forward networks as n2p2 and RuNNer have them, one an element."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.heads.by_element import ElementHead
from jaxpot.heads.head import Params
from jaxpot.heads.scaling import factors, scaling_of, whitening
from jaxpot.spec import plain_data

__all__ = ["ACTIVATIONS", "DecorrelatingHead", "NetworkHead"]

QUIET = 0.1  # factor for the last weights at the start of a training, so that the first forces are small

# n2p2's letters
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "l": lambda x: x,
    "t": jnp.tanh,
    "s": jax.nn.sigmoid,
    "p": jax.nn.softplus,
    "r": jax.nn.relu,
    "g": lambda x: jnp.exp(-0.5 * x * x),
    "c": jnp.cos,
    "S": lambda x: 1.0 - jax.nn.sigmoid(x),
    "e": lambda x: jnp.exp(-x),
    "h": lambda x: x * x,
}


@runtime_checkable
class DecorrelatingHead(Protocol):
    """A head whose first layer can be trained in coordinates for which its inputs are uncorrelated."""

    def decorrelation(
        self, descriptor: Descriptor, values: Mapping[str, np.ndarray], smallest: float
    ) -> Callable[[Params], Params]:
        """See :meth:`NetworkHead.decorrelation`."""


@plain_data
@dataclasses.dataclass(frozen=True)
class NetworkHead(ElementHead):
    """One feed-forward network for each element, with layers y = f(y W + b), as in n2p2 and RuNNer.

    Activations f are named by n2p2's letters: l linear, t tanh, s logistic, p softplus, r rectified linear,
    g exp(-x^2/2), c cosine, S 1 - logistic, e exp(-x), h x^2. The params of a network are ``[{"weights": [in, out],
    "biases": [out]}, ...]``; :class:`ElementHead` describes the others.

    Attributes:
        hidden: number of nodes in each hidden layer, for all elements, or a tuple with one such entry per element.
        activations: one letter for all hidden layers (the output is linear), or a letter for each hidden layer and the
            output; for all elements, or a tuple with one such string per element.
        normalize_nodes: divide the sums in a node by the number of nodes of the previous layer, as n2p2 can do.
        scaling: as in :class:`ElementHead`.
        scale_range: as in :class:`ElementHead`.
        energy_unit: as in :class:`ElementHead`.

    Raises:
        ValueError: a layer without nodes, an unknown letter, or letters that do not fit the layers.

    Example:
        >>> import jax, jaxpot
        >>> from jaxpot.descriptors.bispectrum import Bispectrum
        >>> bispectrum = Bispectrum(("W",), twojmax=2, radii=(2.3,), weights=(1.0,))
        >>> potential = jaxpot.descriptor_potential(bispectrum, jaxpot.NetworkHead((8, 8)), name="NN-SNAP")
        >>> params = potential.init(jax.random.key(0))
        >>> [layer["weights"].shape for layer in params["networks"]["W"]]
        [(5, 8), (8, 8), (8, 1)]
    """

    hidden: tuple[int, ...] | tuple[tuple[int, ...], ...] = (20, 20)
    activations: str | tuple[str, ...] = "t"
    normalize_nodes: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "hidden", _tuple(self.hidden))
        for nodes in self.hidden:
            if any(n < 1 for n in (nodes if isinstance(nodes, tuple) else (nodes,))):
                raise ValueError(f"a hidden layer needs at least one node, got {self.hidden}")
        several = [self.hidden] if not _each(self.hidden) else list(self.hidden)
        for species in range(max(len(several), 1 if isinstance(self.activations, str) else len(self.activations))):
            letters, word = self.letters_of(species), _of(self.activations, species, str)
            unknown = [letter for letter in letters if letter not in ACTIVATIONS]
            if unknown or len(letters) != len(self.hidden_of(species)) + 1:
                raise ValueError(
                    f"activations {word!r}: give one letter, or {len(self.hidden_of(species))} for the hidden layers "
                    f"and one for the output, of {''.join(ACTIVATIONS)}"
                )

    def hidden_of(self, species: int) -> tuple[int, ...]:
        """Nodes in each hidden layer of the network of one element.

        Args:
            species: index of the element.
        """
        return tuple(self.hidden[species]) if _each(self.hidden) else self.hidden  # type: ignore[return-value,arg-type]

    def letters_of(self, species: int) -> str:
        """A letter for each hidden layer and one for the output of the network of one element.

        Args:
            species: index of the element.
        """
        word = self.activations if isinstance(self.activations, str) else self.activations[species]
        return word * len(self.hidden_of(species)) + "l" if len(word) == 1 else word

    def layer_sizes(self, descriptor: Descriptor, species: int) -> list[tuple[int, int]]:
        """Numbers of inputs and of nodes of each layer of the network of one element.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
        """
        return list(itertools.pairwise([len(descriptor.names_of(species)), *self.hidden_of(species), 1]))

    def init_function(self, descriptor: Descriptor, species: int, key: jax.Array) -> list[dict[str, jax.Array]]:
        """Random layers: normal weights of variance 2/(in + out), biases 0.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            key: of random numbers.
        """
        dtype, layers = jnp.result_type(float), []
        for rows, columns in self.layer_sizes(descriptor, species):
            key, part = jax.random.split(key)
            spread = (rows if self.normalize_nodes else 1.0) * (2.0 / (rows + columns)) ** 0.5
            weights = spread * jax.random.normal(part, (rows, columns), dtype)
            layers.append({"weights": weights, "biases": jnp.zeros(columns, dtype)})
        return layers

    def start(
        self,
        descriptor: Descriptor,
        key: jax.Array,
        values: Mapping[str, np.ndarray] | None,
        atom_energies: Mapping[str, float],
    ) -> Params:
        """Random networks with small weights in the last layers, scaled for a training set.

        Args:
            descriptor: whose values the head takes.
            key: of random numbers.
            values: {element: [atoms, values]} of the training set.
            atom_energies: eV, by element.
        """
        params = super().start(descriptor, key, values, atom_energies)
        networks = {
            symbol: [*rest, {**last, "weights": QUIET * last["weights"]}]
            for symbol, (*rest, last) in params["networks"].items()
        }
        return {**params, "networks": networks}

    def check_function(self, descriptor: Descriptor, species: int, params: Sequence[Any]) -> None:
        """Raise ValueError where layers have wrong names or shapes.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            params: layers.
        """
        wanted = self.layer_sizes(descriptor, species)
        found = [jnp.shape(layer["weights"]) for layer in params]
        biases = [jnp.shape(layer["biases"]) for layer in params]
        if found != wanted or biases != [(columns,) for _, columns in wanted]:
            symbol = descriptor.symbols[species]
            raise ValueError(f"the layers of {symbol} must have weights {wanted} and their biases, got {found}")

    def function(
        self, descriptor: Descriptor, species: int, params: Sequence[Mapping[str, Any]], values: jax.Array
    ) -> jax.Array:
        """The network of one element.

        Args:
            descriptor: whose values the head takes.
            species: index of the element.
            params: layers.
            values: [atoms, values], scaled.
        """
        del descriptor
        for layer, letter in zip(params, self.letters_of(species), strict=True):
            weights, biases = (jnp.asarray(layer[name], values.dtype) for name in ("weights", "biases"))
            total = values @ weights + biases[None]
            if self.normalize_nodes:
                total = total / weights.shape[0]
            values = ACTIVATIONS[letter](total)
        return values[:, 0]

    def decorrelation(
        self, descriptor: Descriptor, values: Mapping[str, np.ndarray], smallest: float
    ) -> Callable[[Params], Params]:
        """A transformation to coordinates in which training is fast, see :func:`jaxpot.fit.decorrelation`.

        Args:
            descriptor: whose values the head takes.
            values: {element: [atoms, values]} of the training set.
            smallest: as of :func:`jaxpot.heads.scaling.whitening`.

        Returns:
            ``params -> params``, which replaces the weights W of the first layer by P W.
        """
        del descriptor
        matrices = {}
        for symbol, statistics in scaling_of(values).items():
            factor = factors(self.scaling, self.scale_range, statistics)
            matrices[symbol] = whitening(factor * values[symbol].astype(np.float64), smallest)

        def transform(params: Params) -> Params:
            networks = {}
            for symbol, (first, *rest) in params["networks"].items():
                weights = jnp.asarray(matrices[symbol], first["weights"].dtype) @ first["weights"]
                networks[symbol] = [{**first, "weights": weights}, *rest]
            return {**params, "networks": networks}

        return transform


def _tuple(value: Any) -> Any:
    return tuple(_tuple(v) for v in value) if isinstance(value, Sequence) else int(value)


def _each(hidden: Any) -> bool:
    """Whether there is an entry for each element, not one for all elements."""
    return bool(hidden) and isinstance(hidden[0], tuple)


def _of(value: Any, species: int, one: type) -> Any:
    return value if isinstance(value, one) else value[species]
