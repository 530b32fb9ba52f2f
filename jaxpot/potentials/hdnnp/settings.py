"""The static choices of an HDNNP."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxpot.descriptors.symmetry_functions import SymmetryFunction, in_order

__all__ = ["ACTIVATIONS", "STATISTICS", "HDNNPSettings", "Scaling", "layer_sizes", "make_settings"]

Scaling = Literal["none", "scale", "center", "scale_center", "scale_sigma"]
SCALINGS = ("none", "scale", "center", "scale_center", "scale_sigma")
STATISTICS = ("min", "max", "mean", "sigma")

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


@dataclasses.dataclass(frozen=True, eq=False)
class HDNNPSettings:
    """The static choices of an HDNNP, as ``Potential.source`` keeps them.

    Attributes:
        elements: in the order of the species.
        functions: of each element, in the order of its network's inputs.
        hidden: number of nodes in each hidden layer, of each element.
        activations: a letter for each hidden layer and one for the output, of each element.
        cutoff_function: see :func:`jaxpot.descriptors.symmetry_functions.cutoff_function`.
        inner: inner cutoff as a fraction of the cutoff.
        scaling: of the symmetry functions.
        scale_range: where "scale" puts the least and the largest value.
        normalize_nodes: whether the input of a node is divided by the number of nodes before it.
        energy_unit: eV, of the networks' outputs.
        file: what a file said besides; None where there is none.
    """

    elements: tuple[str, ...]
    functions: dict[str, tuple[SymmetryFunction, ...]]
    hidden: dict[str, tuple[int, ...]]
    activations: dict[str, str]
    cutoff_function: str
    inner: float
    scaling: Scaling
    scale_range: tuple[float, float]
    normalize_nodes: bool
    energy_unit: float
    file: Any = None


def make_settings(
    elements: tuple[str, ...],
    functions: Iterable[SymmetryFunction],
    hidden: Sequence[int] | Mapping[str, Sequence[int]],
    activations: str | Mapping[str, str],
    cutoff_function: str,
    inner: float,
    scaling: Scaling,
    scale_range: tuple[float, float],
    normalize_nodes: bool,
    energy_unit: float,
) -> HDNNPSettings:
    """The settings of a potential from the arguments of its factory, checked."""
    from ase.data import atomic_numbers

    if not elements or len(set(elements)) < len(elements):
        raise ValueError(f"hdnnp needs distinct elements, got {elements}")
    strange = [symbol for symbol in elements if symbol not in atomic_numbers]
    if strange:
        raise ValueError(f"hdnnp: {strange[0]!r} is no chemical symbol")
    functions = list(functions)
    for one in functions:
        if not {one.center, *one.neighbors} <= set(elements):
            raise ValueError(f"hdnnp: a symmetry function is for none of the elements {elements}: {one}")
    ordered = in_order(functions, sorted(elements, key=atomic_numbers.__getitem__))
    of = {symbol: tuple(f for f in ordered if f.center == symbol) for symbol in elements}
    bare = [symbol for symbol in elements if not of[symbol]]
    if bare:
        raise ValueError(f"hdnnp: {bare[0]} has no symmetry functions; give each element some")
    if scaling not in SCALINGS:
        raise ValueError(f"hdnnp: scaling must be one of {', '.join(SCALINGS)}, got {scaling!r}")
    nodes, letters = {}, {}
    for symbol in elements:
        sizes = hidden[symbol] if isinstance(hidden, Mapping) else hidden
        nodes[symbol] = tuple(int(n) for n in sizes)
        if any(n < 1 for n in nodes[symbol]):
            raise ValueError(f"hdnnp: a hidden layer needs at least one node, got {nodes[symbol]} for {symbol}")
        word = activations[symbol] if isinstance(activations, Mapping) else activations
        letters[symbol] = word * len(nodes[symbol]) + "l" if len(word) == 1 else word
        unknown = [letter for letter in letters[symbol] if letter not in ACTIVATIONS]
        if unknown or len(letters[symbol]) != len(nodes[symbol]) + 1:
            raise ValueError(
                f"hdnnp: activations {word!r} for {symbol}: give one letter, or {len(nodes[symbol])} for the hidden "
                f"layers and one for the output, of {''.join(ACTIVATIONS)}"
            )
    low, high = (float(s) for s in scale_range)
    return HDNNPSettings(
        elements, of, nodes, letters, cutoff_function, float(inner), scaling, (low, high), bool(normalize_nodes),
        float(energy_unit),
    )  # fmt: skip


def layer_sizes(settings: HDNNPSettings, symbol: str) -> list[tuple[int, int]]:
    """Nodes before and in each layer of an element's network."""
    sizes = [len(settings.functions[symbol]), *settings.hidden[symbol], 1]
    return list(itertools.pairwise(sizes))
