"""jaxpot's own directories: ``potential.json`` with the factory and its arguments, ``params.safetensors``.

Neither can hold code. Any potential that a factory of the library made of plain arguments can be stored so.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.symmetry_functions import SymmetryFunction
from jaxpot.io.errors import FileFormatError
from jaxpot.potential import Params, Potential
from jaxpot.recipe import Recipe

__all__ = ["NATIVE_STYLES", "is_native", "load_native", "save_native"]

NATIVE_STYLES = ("safetensors",)
JSON, TENSORS = "potential.json", "params.safetensors"
FORMAT = "jaxpot potential, version 1"
# where each factory is; nothing else is ever called
FACTORIES = {
    name: f"jaxpot.potentials.{name}"
    for name in (
        "adp", "buckingham", "committee", "dtnn", "eam", "finnis_sinclair", "hdnnp", "lennard_jones", "morse", "schnet",
        "snap", "sutton_chen", "wang_frenkel", "zbl",
    )
}  # fmt: skip


def is_native(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a directory with a ``potential.json``."""
    return os.path.isfile(os.path.join(path, JSON))


def save_native(path: str | os.PathLike[str], potential: Potential, params: Params) -> None:
    """What :func:`jaxpot.save` calls where no other program's format holds a potential.

    Raises:
        FileFormatError: the files cannot be written.
        ValueError: the potential was not made by a factory of plain arguments, or params are not arrays in dicts and
            sequences.
    """
    from safetensors.numpy import save_file

    if potential.recipe is None:
        raise ValueError(f"{potential.name} was not made by a factory of the library; it cannot be saved")
    arrays: dict[str, np.ndarray] = {}
    described = {"format": FORMAT, "potential": _plain(potential.recipe), "params": _skeleton(params, "", arrays)}
    text = json.dumps(described, indent=1) + "\n"
    try:
        os.makedirs(path, exist_ok=True)
        parts = [os.path.join(path, name + ".part") for name in (TENSORS, JSON)]
        save_file(arrays, parts[0])
        Path(parts[1]).write_text(text, encoding="utf-8")
        for part in parts:
            os.replace(part, part.removesuffix(".part"))
    except OSError as error:
        raise FileFormatError(path, None, f"cannot be written: {error}", "check the directory") from error


def load_native(
    paths: Sequence[str | os.PathLike[str]], elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """What :func:`jaxpot.load` calls for a directory with a ``potential.json``.

    Raises:
        FileFormatError: a file is missing or faulty, or made by a later version.
        ValueError: several directories, or elements or a cutoff, which are those that were saved.
    """
    del style
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if len(paths) != 1:
        raise ValueError(f"{len(paths)} directories given; a potential is one")
    if elements is not None or cutoff is not None:
        raise ValueError("a saved potential has its own elements and cutoff; leave out elements= and cutoff=")
    folder = Path(paths[0])
    file = folder / JSON
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise FileFormatError(file, error.lineno, f"is no JSON: {error.msg}", "save the potential again") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(file, None, f"cannot be read: {error}", "save the potential again") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        said = found.get("format") if isinstance(found, dict) else None
        raise FileFormatError(file, None, f"format is {said!r}, not {FORMAT!r}", "use the version that saved it")
    try:
        arrays = load_file(folder / TENSORS)
    except (OSError, SafetensorError) as error:
        raise FileFormatError(folder / TENSORS, None, f"cannot be read: {error}", "save the potential again") from error
    try:
        potential = _made(found["potential"])
        params = _filled(found["params"], arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(
            file, None, f"does not describe a potential: {error}", "save the potential again"
        ) from error
    return potential, params


def _plain(value: Any) -> Any:
    """A factory's argument as JSON."""
    if isinstance(value, Recipe):
        if value.factory not in FACTORIES:
            raise ValueError(f"{value.factory} is no factory that can be saved; known are {', '.join(FACTORIES)}")
        return {"factory": value.factory, "arguments": {name: _plain(v) for name, v in value.arguments.items()}}
    if isinstance(value, Potential):
        if value.recipe is None:
            raise ValueError(f"{value.name} was not made by a factory of the library; it cannot be saved")
        return _plain(value.recipe)
    if isinstance(value, SymmetryFunction):
        return {"symmetry_function": _plain(dataclasses.astuple(value))}
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        return np.asarray(value).tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {"mapping": [[_plain(key), _plain(v)] for key, v in value.items()]}
    if isinstance(value, Sequence):
        return [_plain(v) for v in value]
    raise ValueError(f"an argument of the potential is a {type(value).__name__}, which cannot be saved")


def _argument(value: Any) -> Any:
    """A factory's argument from JSON."""
    if isinstance(value, list):
        return [_argument(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "factory" in value:
        return _made(value)
    if "symmetry_function" in value:
        kind, center, neighbors, *numbers = value["symmetry_function"]
        return SymmetryFunction(kind, center, tuple(neighbors), *numbers)
    return {_argument(key): _argument(v) for key, v in value["mapping"]}


def _made(recipe: Any) -> Potential:
    name = recipe["factory"]
    if name not in FACTORIES:
        raise ValueError(f"unknown factory {name!r}")
    factory = getattr(importlib.import_module(FACTORIES[name]), name)
    arguments = {key: _argument(value) for key, value in recipe["arguments"].items()}
    kinds = {p.name: p.kind for p in inspect.signature(factory).parameters.values()}
    spread = [v for key, v in arguments.items() if kinds.get(key) == inspect.Parameter.VAR_POSITIONAL]
    named = {key: v for key, v in arguments.items() if kinds.get(key) != inspect.Parameter.VAR_POSITIONAL}
    made = factory(*(spread[0] if spread else ()), **named)
    assert isinstance(made, Potential)
    return made


def _skeleton(params: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """The shape of a pytree; its leaves go to ``arrays``, and their names stand in their places."""
    if isinstance(params, Mapping):
        return {"mapping": [[key, _skeleton(v, f"{name}.{key}", arrays)] for key, v in params.items()]}
    if isinstance(params, tuple | list) and not hasattr(params, "_fields"):
        kind = "tuple" if isinstance(params, tuple) else "list"
        return {kind: [_skeleton(v, f"{name}.{k}", arrays) for k, v in enumerate(params)]}
    if params is None:
        return None
    if not isinstance(params, np.generic | np.ndarray | jax.Array | bool | int | float):
        raise ValueError(f"params{name} is a {type(params).__name__}; only arrays in dicts, lists and tuples are saved")
    key = name.lstrip(".") or "params"
    if key in arrays:
        raise ValueError(f"two of the params are called {key}")
    arrays[key] = np.asarray(params, order="C")  # np.ascontiguousarray would make a vector of a number
    return {"array": key}


def _filled(skeleton: Any, arrays: Mapping[str, np.ndarray]) -> Params:
    if skeleton is None:
        return None
    ((kind, inside),) = skeleton.items()
    if kind == "array":
        array = arrays[inside]
        return jnp.asarray(array, jnp.result_type(float) if array.dtype.kind == "f" else None)
    if kind == "mapping":
        return {key: _filled(v, arrays) for key, v in inside}
    if kind not in ("tuple", "list"):
        raise ValueError(f"unknown kind {kind!r} of params")
    parts = [_filled(v, arrays) for v in inside]
    return tuple(parts) if kind == "tuple" else parts
