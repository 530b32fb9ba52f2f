"""Reading and writing of directories of n2p2 and RuNNer (`input.nn`, `scaling.data`, `weights.*.data`)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.symmetry_functions import SymmetryFunctions
from jaxpot.engine import DescriptorPotential
from jaxpot.evaluation import Params
from jaxpot.heads import NetworkHead
from jaxpot.heads.scaling import representable, warn_of_constants
from jaxpot.io.folders import write_together
from jaxpot.io.n2p2_files.lines import read_text
from jaxpot.io.n2p2_files.scaling import read_scaling, scaling_text
from jaxpot.io.n2p2_files.settings import InputFile, read_settings
from jaxpot.io.n2p2_files.settings_text import new_settings_text, with_atom_energies
from jaxpot.io.n2p2_files.weights import read_weights, weights_name, weights_text
from jaxpot.potential import Potential
from jaxpot.potentials.hdnnp import NetworkFiles, hdnnp

__all__ = ["N2P2_STYLES", "is_n2p2", "load_n2p2", "save_n2p2"]

MARKER = "input.nn"
N2P2_STYLES = ("n2p2", "n2p2/metal", "n2p2/atomic")


def is_n2p2(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a directory with an ``input.nn``, or that file."""
    return os.path.isfile(os.path.join(path, MARKER)) or _is_settings(path)


def _is_settings(path: str | os.PathLike[str]) -> bool:
    return os.path.basename(path) == MARKER and os.path.isfile(path)


def load_n2p2(
    paths: Sequence[str | os.PathLike[str]], elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """Reads a directory with an ``input.nn``, for :func:`jaxpot.load`.

    Args:
        paths: one directory, or the ``input.nn`` in it.
        elements: all elements of the file, in the order of the species; by default in the file's order.
        style: the units: "n2p2" takes those named by comments in ``input.nn`` ("Length unit", "Energy unit"), by
            default Bohr and Hartree; "n2p2/metal" is Å and eV; "n2p2/atomic" is Bohr and Hartree.
        cutoff: must be None: the symmetry functions fix the cutoff.

    Returns:
        The potential and its params.

    Raises:
        FileFormatError: a file is missing or faulty, or uses a feature that is not supported.
        ValueError: several directories, other elements than those of the file, or a cutoff were given.
    """
    if len(paths) != 1:
        raise ValueError(f"n2p2: {len(paths)} directories given; a potential is one directory")
    if cutoff is not None:
        raise ValueError(f"n2p2: the cutoff is that of the symmetry functions; leave out cutoff={cutoff}")
    folder = Path(paths[0]).parent if _is_settings(paths[0]) else Path(paths[0])
    style = style or "n2p2"
    texts = {MARKER: read_text(folder / MARKER)}
    file = read_settings(folder / MARKER, style, texts[MARKER])
    order = file.elements if elements is None else tuple(elements)
    if set(order) != set(file.elements) or len(order) != len(file.elements):
        raise ValueError(f"n2p2: {folder} is for {file.elements}, not for {order}; a network needs all its elements")
    potential = hdnnp(order, **file.arguments)
    names = [weights_name(symbol) for symbol in file.elements]
    names += ["scaling.data"] if _parts(potential)[1].scaling != "none" else []
    texts |= {name: read_text(folder / name) for name in names}
    exact = _numbers(folder, texts, file, potential)
    _warn_of_constants(folder, potential, exact)
    params = jax.tree.map(jnp.asarray, _in_default_type(potential, exact))
    return potential.with_file(NetworkFiles(style, tuple(texts.items()))), params


def _parts(potential: Potential) -> tuple[SymmetryFunctions, NetworkHead]:
    """The symmetry functions and the networks of a potential made by :func:`jaxpot.hdnnp`."""
    assert isinstance(potential, DescriptorPotential)
    functions, head = potential.descriptor, potential.head
    assert isinstance(functions, SymmetryFunctions) and isinstance(head, NetworkHead)
    return functions, head


def _numbers(folder: Path, texts: Mapping[str, str], file: InputFile, potential: Potential) -> dict[str, Any]:
    """Reads the params from the texts of a directory, in float64."""
    functions, head = _parts(potential)
    networks = {}
    for species, symbol in enumerate(functions.elements):
        name, sizes = weights_name(symbol), head.layer_sizes(functions, species)
        networks[symbol] = read_weights(folder / name, texts[name], sizes, symbol)
    exact: dict[str, Any] = {
        "networks": networks,
        "atom_energies": {symbol: np.float64(file.atom_energies.get(symbol, 0.0)) for symbol in functions.elements},
    }
    if head.scaling != "none":
        counts = {symbol: len(functions.functions_of(symbol)) for symbol in file.elements}
        exact["scaling"] = read_scaling(folder / "scaling.data", texts["scaling.data"], head.scaling, counts)
    return exact


def _in_default_type(potential: Potential, exact: Mapping[str, Any]) -> dict[str, Any]:
    """The params as :func:`load_n2p2` gives them, in JAX's default float type."""
    kind = jnp.result_type(float)
    given = _parts(potential)[1].representable(exact, kind)
    return {name: jax.tree.map(lambda leaf: np.asarray(leaf, kind), value) for name, value in given.items()}


def _warn_of_constants(folder: Path, potential: Potential, exact: Mapping[str, Any]) -> None:
    """Names the functions whose range in ``scaling.data`` is too narrow for JAX's default float type."""
    functions, head = _parts(potential)
    lost: dict[str, list[str]] = {}
    for species, symbol in enumerate(functions.elements if "scaling" in exact else ()):
        _, constant = representable(head.scaling, exact["scaling"][symbol], jnp.result_type(float))
        lost[symbol] = [functions.names_of(species)[k] for k in np.flatnonzero(constant)]
    warn_of_constants(str(folder / "scaling.data"), lost, stacklevel=3)


def save_n2p2(path: str | os.PathLike[str], potential: Potential, params: Params, style: str | None) -> None:
    """Writes a potential made by :func:`jaxpot.hdnnp`, for :func:`jaxpot.save`.

    Args:
        path: the directory, created if it does not exist; files of the same names in it are replaced together.
        potential: an HDNNP.
        params: its params.
        style: units of the new files: "n2p2/metal" for Å and eV, "n2p2/atomic" for Bohr and Hartree. The default are
            the units of the files that the potential was loaded from, or Å and eV.

    Raises:
        FileFormatError: the files cannot be written.
        ValueError: the params do not fit the potential, or n2p2 cannot express it.
    """
    if style is not None and style not in N2P2_STYLES:
        raise ValueError(f"n2p2: style is {style!r}; use one of {', '.join(N2P2_STYLES)}")
    write_together(path, _texts(potential, params, style), MARKER)


def _same(one: Any, other: Any) -> bool:
    """Whether two pytrees hold the same numbers."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def _texts(potential: Potential, params: Params, style: str | None) -> dict[str, str]:
    """The text of each file."""
    from ase.data import atomic_numbers

    functions, head = _parts(potential)
    if "descriptor" in params:
        raise ValueError(
            "n2p2: trained symmetry functions would change the order of its files; save with style='safetensors'"
        )
    head.check(functions, params)
    said = potential.spec.file if potential.spec is not None else None
    elements = tuple(sorted(functions.elements, key=atomic_numbers.__getitem__))
    texts: dict[str, str] = {}
    if not isinstance(said, NetworkFiles) or style not in (None, "n2p2"):
        energies = {symbol: float(params["atom_energies"][symbol]) for symbol in elements}
        default = "n2p2/metal" if style in (None, "n2p2") else style
        assert default is not None
        texts[MARKER] = new_settings_text(functions, head, elements, energies, default)
        if "scaling" in params:
            texts["scaling.data"] = scaling_text(params["scaling"], elements)
        return texts | {weights_name(symbol): weights_text(params["networks"][symbol]) for symbol in elements}
    old = dict(said.texts)
    with warnings.catch_warnings(action="ignore"):  # the warnings were already given when the files were loaded
        file = read_settings(MARKER, said.style, old[MARKER])
    read = _numbers(Path(), old, file, potential)
    # numbers that did not change since they were read are written as in the file, not rounded to float32
    known = _in_default_type(potential, read)
    exact = jax.tree.map(
        lambda new, loaded, full: np.where(
            np.asarray(new) == loaded.astype(np.asarray(new).dtype), full, np.asarray(new, float)
        ),
        dict(params), {name: known[name] for name in params}, {name: read[name] for name in params},
    )  # fmt: skip
    changed = {s: float(e) for s, e in exact["atom_energies"].items() if e != read["atom_energies"][s]}
    texts[MARKER] = with_atom_energies(file, changed) if changed else old[MARKER]
    if "scaling" in exact:
        unchanged = _same(exact["scaling"], read["scaling"])
        texts["scaling.data"] = old["scaling.data"] if unchanged else scaling_text(exact["scaling"], elements)
    for symbol in elements:
        name, layers = weights_name(symbol), exact["networks"][symbol]
        texts[name] = old[name] if _same(layers, read["networks"][symbol]) else weights_text(layers)
    return texts
