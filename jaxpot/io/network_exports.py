"""SchNet and DTNN from the weights of schnetpack and DeepChem, exported to ``.npz`` by ``numpy.savez``."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.io.arrays import read_npz
from jaxpot.io.errors import FileFormatError
from jaxpot.potential import Params, Potential
from jaxpot.potentials.dtnn import dtnn
from jaxpot.potentials.schnet import schnet

__all__ = ["EXPORT_STYLES", "has_export_content", "has_export_name", "load_export"]

EXPORT_STYLES = ("schnetpack", "deepchem")
Path = str | os.PathLike[str]
UNCUT = 100.0  # Å; longer than the molecules, because DeepChem's network has no cutoff


def has_export_name(path: Path) -> bool:
    """Whether a file name ends in ``.npz``."""
    return os.fspath(path).endswith(".npz")


def has_export_content(path: Path) -> bool:
    """Whether a file is an ``.npz`` that holds the weights of SchNet or DTNN."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith(("representation.", "dtnn_")) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def load_export(
    paths: Sequence[Path], elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """Reads ``.npz`` files, for :func:`jaxpot.load`.

    Args:
        paths: one file with the arrays of a ``state_dict``: of a schnetpack 2 ``NeuralNetworkPotential`` with a SchNet,
            Gaussians and the cosine cutoff, or of DeepChem's DTNN with its ``steps`` and ``step_size``.
        elements: elements of the potential; by default all elements of the embedding.
        style: ``"schnetpack"`` or ``"deepchem"``; by default recognised by the names of the arrays.
        cutoff: Å, for DeepChem's networks only, which have none: longer than the molecule, 100 Å by default.

    Returns:
        The potential and its params. The unit of energy in the file is taken as eV.

    Raises:
        FileFormatError: the file holds no such network.
        ValueError: several files, unknown elements, or a cutoff for a SchNet.
    """
    if len(paths) != 1:
        raise ValueError(f"{len(paths)} files given; the weights of a network are one")
    path = paths[0]
    arrays = read_npz(path)
    weights = _Weights(path, arrays)
    is_dtnn = style == "deepchem" or (style is None and any(name.startswith("dtnn_") for name in arrays))
    if cutoff is not None and not is_dtnn:
        raise ValueError(f"the cutoff of a SchNet is in its file; leave out cutoff={cutoff}")
    try:
        if is_dtnn:
            potential, params = _dtnn(weights, elements, UNCUT if cutoff is None else cutoff)
        else:
            potential, params = _schnet(weights, elements)
    except (IndexError, TypeError) as error:
        message = f"its arrays are not of the shapes of such a network ({error})"
        raise FileFormatError(path, None, message, "export the whole state of the model") from error
    return potential, jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(float)), params)


class _Weights:
    """Arrays by name; a missing array raises FileFormatError."""

    def __init__(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        self.path, self.arrays = path, arrays

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise FileFormatError(self.path, None, f"has no array {name}", "export the whole state of the model")
        array = self.arrays[name]
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise FileFormatError(self.path, None, f"the array {name} is not of finite numbers", "export it again")
        return array

    def dense(self, name: str) -> dict[str, np.ndarray]:
        """A dense layer from torch's weights [out, in], with biases if there are any."""
        layer = {"weights": self[f"{name}.weight"].T}
        if f"{name}.bias" in self.arrays:
            layer["biases"] = self[f"{name}.bias"]
        return layer

    def count(self, name: str) -> int:
        """The number of layers called name.0, name.1, ..."""
        return len({n[len(name) + 1 :].split(".")[0] for n in self.arrays if n.startswith(name + ".")})


def _elements(weights: _Weights, name: str, elements: Sequence[str] | None) -> tuple[tuple[str, ...], np.ndarray]:
    """Symbols and their rows of the embedding, whose rows are numbered by atomic number."""
    from ase.data import atomic_numbers, chemical_symbols

    table = weights[name]
    known = chemical_symbols[1 : len(table)]
    chosen = tuple(known if elements is None else elements)
    strange = [symbol for symbol in chosen if symbol not in known]
    if strange:
        raise ValueError(f"{weights.path} has no element {strange[0]}; its embedding ends with {known[-1]}")
    return chosen, table[[atomic_numbers[symbol] for symbol in chosen]]


def _schnet(weights: _Weights, elements: Sequence[str] | None) -> tuple[Potential, Params]:
    base = "representation"
    if any(".interatomic_context_net" in name for name in weights.arrays):
        raise FileFormatError(weights.path, None, "holds a PaiNN", "only SchNet is supported of schnetpack's")
    symbols, embedding = _elements(weights, f"{base}.embedding.weight", elements)
    interactions: list[dict[str, Any]] = []
    for k in range(weights.count(f"{base}.interactions")):
        here = f"{base}.interactions.{k}"
        parts = {name: [weights.dense(f"{here}.{long}.{n}") for n in (0, 1)]
                 for name, long in (("filter", "filter_network"), ("f2out", "f2out"))}  # fmt: skip
        interactions.append({"in2f": weights.dense(f"{here}.in2f"), **parts})
    if weights.count("output_modules.0.outnet") != 2:
        raise FileFormatError(weights.path, None, "the read-out has not two layers", "only Atomwise's default is read")
    centers, widths = weights[f"{base}.radial_basis.offsets"], weights[f"{base}.radial_basis.widths"]
    params = {
        "embedding": embedding,
        "interactions": interactions,
        "out": [weights.dense(f"output_modules.0.outnet.{n}") for n in (0, 1)],
        "gaussians": {"centers": centers, "widths": widths},
        "atom_energies": {symbol: np.float64(0.0) for symbol in symbols},
    }
    filters = interactions[0]["in2f"]["weights"].shape[1] if interactions else embedding.shape[1]
    cutoff = float(weights[f"{base}.cutoff_fn.cutoff"].reshape(-1)[0])
    return schnet(symbols, cutoff, embedding.shape[1], len(interactions), filters, len(centers)), params


def _dtnn(weights: _Weights, elements: Sequence[str] | None, cutoff: float) -> tuple[Potential, Params]:
    symbols, embedding = _elements(weights, "dtnn_embedding.embedding_list", elements)
    interactions: list[dict[str, Any]] = []
    for k in range(weights.count("dtnn_step")):
        here = f"dtnn_step.{k}."
        both = {
            part: {"weights": weights[f"{here}W_{part}"], "biases": weights[f"{here}b_{part}"]} for part in ("cf", "df")
        }
        interactions.append({**both, "fc": {"weights": weights[f"{here}W_fc"]}})
    readout = [
        {"weights": weights[f"dtnn_gather.W_list.{n}"], "biases": weights[f"dtnn_gather.b_list.{n}"]}
        for n in range(weights.count("dtnn_gather.W_list"))
    ]
    linear = weights["linear.weight"]
    if not readout or readout[-1]["weights"].shape[1] != 1 or linear.shape != (1, 1):
        raise FileFormatError(weights.path, None, "the network has not one output", "only n_tasks=1 is supported")
    centers, width = weights["steps"], float(weights["step_size"])
    params = {
        "embedding": embedding,
        "interactions": interactions,
        "readout": readout,
        "gaussians": {"centers": centers, "widths": np.full(len(centers), width)},
        "atom_energies": {symbol: np.float64(0.0) for symbol in symbols},
        "total": {"weights": linear[0, 0], "biases": weights["linear.bias"].reshape(())},
    }
    hidden = interactions[0]["cf"]["weights"].shape[1] if interactions else 1
    sizes = [layer["weights"].shape[1] for layer in readout[:-1]]
    made = dtnn(
        symbols,
        cutoff,
        embedding.shape[1],
        hidden,
        len(interactions),
        len(centers),
        sizes,
        switched=False,
        deepchem=True,
    )
    return made, params
