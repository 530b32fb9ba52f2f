"""`weights.*.data`: the weights and biases of the network of one element."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxpot.io.errors import FileFormatError
from jaxpot.io.n2p2_files.lines import words_of

__all__ = ["read_weights", "weights_name", "weights_text"]

HEADER = """\
################################################################################
# Neural network connection values (weights and biases).
################################################################################
# Col  Name       Description
################################################################################
# 1    connection Neural network connection value.
# 2    t          Connection type (a = weight, b = bias).
# 3    index      Index enumerating weights.
# 4    l_s        Starting point layer (end point layer for biases).
# 5    n_s        Starting point neuron in starting layer (end point neuron for biases).
# 6    l_e        End point layer.
# 7    n_e        End point neuron in end layer.
################################################################################
"""


def weights_name(symbol: str) -> str:
    """The name of the weights file of an element."""
    from ase.data import atomic_numbers

    return f"weights.{atomic_numbers[symbol]:03d}.data"


def read_weights(
    path: str | os.PathLike[str], text: str, layer_sizes: Sequence[tuple[int, int]], symbol: str
) -> list[dict[str, np.ndarray]]:
    """Reads the layers of a network.

    Args:
        path: the file, for messages.
        text: the text of the file.
        layer_sizes: numbers of inputs and of nodes of each layer.
        symbol: the element.

    Raises:
        FileFormatError: a connection is missing, given twice, or does not fit the sizes in ``input.nn``.
    """
    sizes = [layer_sizes[0][0], *(after for _, after in layer_sizes)]
    layers = [{"weights": np.full((a, b), np.nan), "biases": np.full(b, np.nan)} for a, b in layer_sizes]
    for line in words_of(path, text):
        value = line.number(0, "the value")
        kind = line.word(1, "the kind of connection")
        layer, node = line.whole(3, "the layer"), line.whole(4, "the node", 1)
        if kind == "a":
            into, to = line.whole(5, "the next layer"), line.whole(6, "the node in it", 1)
            fits = layer < len(layers) and into == layer + 1 and node <= sizes[layer] and to <= sizes[into]
            index: tuple[int, ...] = (node - 1, to - 1)
            line.ends_before(7)
        elif kind == "b":
            fits = 1 <= layer <= len(layers) and node <= sizes[layer]
            layer, index = layer - 1, (node - 1,)
            line.ends_before(5)
        else:
            raise line.error(f"the kind of connection is {kind!r}, must be a (weight) or b (bias)")
        if not fits:
            raise line.error(
                f"no such connection in the network of {'-'.join(map(str, sizes))} nodes of {symbol} in input.nn",
                "use files of one potential",
            )
        array = layers[layer]["weights" if kind == "a" else "biases"]
        if not np.isnan(array[index]):
            raise line.error("this connection is here a second time", "remove one of the lines")
        array[index] = value
    for k, arrays in enumerate(layers, 1):
        for name, array in arrays.items():
            missing = np.argwhere(np.isnan(array))
            if missing.size:
                at = "-".join(str(n + 1) for n in missing[0])
                kind = "weight" if name == "weights" else "bias"
                raise FileFormatError(path, None, f"{kind} {at} of layer {k} is missing", "complete the file")
    return layers


def weights_text(layers: Sequence[Mapping[str, Any]]) -> str:
    """The text of a weights file."""
    lines: list[str] = []
    for k, layer in enumerate(layers):
        weights, biases = np.asarray(layer["weights"], float), np.asarray(layer["biases"], float)
        for (a, b), value in np.ndenumerate(weights):
            lines.append(f"{value:24.16E} a {len(lines) + 1:9d} {k:5d} {a + 1:5d} {k + 1:5d} {b + 1:5d}")
        for b, value in enumerate(biases):
            lines.append(f"{value:24.16E} b {len(lines) + 1:9d} {k + 1:5d} {b + 1:5d}")
    return HEADER + "\n".join(lines) + "\n"
