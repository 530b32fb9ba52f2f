"""Potentials from directories of n2p2 and RuNNer (`input.nn`, `scaling.data`, `weights.*.data`), and back."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.io.folders import write_together
from jaxpot.io.n2p2_files.scaling import read_scaling, scaling_text
from jaxpot.io.n2p2_files.settings import InputFile, read_settings
from jaxpot.io.n2p2_files.settings_text import new_settings_text, with_atom_energies
from jaxpot.io.n2p2_files.weights import read_weights, weights_name, weights_text
from jaxpot.potential import Params, Potential
from jaxpot.potentials.hdnnp import HDNNPSettings, check_params, hdnnp

__all__ = ["N2P2_STYLES", "is_n2p2", "load_n2p2", "save_n2p2"]

MARKER = "input.nn"
N2P2_STYLES = ("n2p2", "n2p2/metal", "n2p2/atomic")


@dataclasses.dataclass(frozen=True, eq=False)
class N2P2Source:
    """What a directory said: its files as they stand, and the numbers that were made of them.

    Attributes:
        input: of ``input.nn``.
        params: as they were loaded; what has not changed is written as it was read.
        exact: the same in float64, from which they were rounded.
        texts: of ``scaling.data`` and the files of weights, by name.
    """

    input: InputFile
    params: Params
    exact: Params
    texts: dict[str, str]


def is_n2p2(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a directory with an ``input.nn``, or that file."""
    return os.path.isfile(os.path.join(path, MARKER)) or _is_settings(path)


def _is_settings(path: str | os.PathLike[str]) -> bool:
    return os.path.basename(path) == MARKER and os.path.isfile(path)


def load_n2p2(
    paths: Sequence[str | os.PathLike[str]], elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """What :func:`jaxpot.load` calls for a directory with an ``input.nn``.

    Args:
        paths: one directory, or the ``input.nn`` in it.
        elements: of the file, in the order of the species; all of them by default.
        style: the units: those that comments of ``input.nn`` name ("Length unit", "Energy unit"), else Bohr and
            Hartree ("n2p2"); Å and eV ("n2p2/metal"); Bohr and Hartree ("n2p2/atomic").
        cutoff: must be None: that of the symmetry functions cannot be changed.

    Returns:
        The potential and its params.

    Raises:
        FileFormatError: a file is missing or faulty, or asks for what is not supported.
        ValueError: several directories, elements that are not those of the file, or a cutoff.
    """
    if len(paths) != 1:
        raise ValueError(f"n2p2: {len(paths)} directories given; a potential is one directory")
    if cutoff is not None:
        raise ValueError(f"n2p2: the cutoff is that of the symmetry functions; leave out cutoff={cutoff}")
    folder = Path(paths[0]).parent if _is_settings(paths[0]) else Path(paths[0])
    file = read_settings(folder / MARKER, style or "n2p2")
    order = file.elements if elements is None else tuple(elements)
    if set(order) != set(file.elements) or len(order) != len(file.elements):
        raise ValueError(f"n2p2: {folder} is for {file.elements}, not for {order}; a network needs all its elements")
    made = hdnnp(order, **file.arguments)
    settings = made.source
    assert isinstance(settings, HDNNPSettings)
    names = {symbol: weights_name(symbol) for symbol in file.elements}
    exact: dict[str, Any] = {
        "networks": {symbol: read_weights(folder / names[symbol], settings, symbol) for symbol in order},
        "atom_energies": {symbol: np.float64(file.atom_energies.get(symbol, 0.0)) for symbol in order},
    }
    kept = list(names.values())
    if settings.scaling != "none":
        exact["scaling"] = read_scaling(folder / "scaling.data", settings, file.elements)
        kept.append("scaling.data")
    params = _rounded(exact)
    source = N2P2Source(file, _rounded(exact), exact, {name: (folder / name).read_text() for name in kept})
    potential = dataclasses.replace(made, source=dataclasses.replace(settings, file=source))
    return potential, params


def save_n2p2(path: str | os.PathLike[str], potential: Potential, params: Params, style: str | None) -> None:
    """What :func:`jaxpot.save` calls for a potential made by :func:`jaxpot.hdnnp`.

    Args:
        path: the directory, made if it is not there; files of the same names in it are replaced, together.
        potential: an HDNNP.
        params: of it.
        style: units of the new files: those of the file that it was loaded from, else Å and eV ("n2p2/metal"), or Bohr
            and Hartree ("n2p2/atomic").

    Raises:
        FileFormatError: the files cannot be written.
        ValueError: the params are not those of the potential, or n2p2 cannot express it.
    """
    settings = potential.source
    assert isinstance(settings, HDNNPSettings)
    if style is not None and style not in N2P2_STYLES:
        raise ValueError(f"n2p2: style is {style!r}; use one of {', '.join(N2P2_STYLES)}")
    texts = _texts(settings, params, style)
    write_together(path, texts, MARKER)


def _rounded(exact: Params) -> Params:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(float)), exact)


def _same(one: Any, other: Any) -> bool:
    """Whether two pytrees hold the same numbers."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def _texts(settings: HDNNPSettings, params: Params, style: str | None) -> dict[str, str]:
    """The text of each file."""
    from ase.data import atomic_numbers

    check_params(settings, params)
    if "functions" in params:
        raise ValueError(
            "n2p2: trained symmetry functions would change the order of its files; save with style='safetensors'"
        )
    source = settings.file if isinstance(settings.file, N2P2Source) and style in (None, "n2p2") else None
    elements = tuple(sorted(settings.elements, key=atomic_numbers.__getitem__))
    exact = {name: params[name] for name in params}
    old = {}
    if source is not None:
        # numbers that have not changed since they were read are those of the file, not those rounded to float32
        exact = jax.tree.map(
            lambda new, read, full: np.where(np.asarray(new) == np.asarray(read), full, np.asarray(new, float)),
            exact, {name: source.params[name] for name in params}, {name: source.exact[name] for name in params},
        )  # fmt: skip
        old = source.texts
    energies = {symbol: float(exact["atom_energies"][symbol]) for symbol in elements}
    texts = {}
    if source is None:
        default = "n2p2/metal" if style in (None, "n2p2") else style
        assert default is not None
        texts[MARKER] = new_settings_text(settings, elements, energies, default)
    elif _same(exact["atom_energies"], source.exact["atom_energies"]):
        texts[MARKER] = source.input.text
    else:
        changed = {s: e for s, e in energies.items() if e != source.exact["atom_energies"][s]}
        texts[MARKER] = with_atom_energies(source.input, changed)
    if "scaling" in exact:
        unchanged = source is not None and _same(exact["scaling"], source.exact["scaling"])
        texts["scaling.data"] = old["scaling.data"] if unchanged else scaling_text(exact["scaling"], elements)
    for symbol in elements:
        name, layers = weights_name(symbol), exact["networks"][symbol]
        unchanged = source is not None and _same(layers, source.exact["networks"][symbol])
        texts[name] = old[name] if unchanged else weights_text(layers)
    return texts
