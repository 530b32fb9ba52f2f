"""jaxpot's own directories: ``potential.json`` with the spec and the shape of the params, ``params.safetensors``.

Neither file can hold code: kinds of potentials and of plain data are looked up by name among the registered ones. Any
potential with a spec can be stored like this.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.io.errors import FileFormatError
from jaxpot.io.folders import write_together
from jaxpot.potential import Potential
from jaxpot.spec import LEFT_OUT, Settings, Spec, kind_of, plain_data_type

__all__ = ["NATIVE_STYLES", "is_native", "load_native", "save_native"]

NATIVE_STYLES = ("safetensors",)
JSON, TENSORS = "potential.json", "params.safetensors"
FORMAT = "jaxpot potential, version 2"
AGAIN = "save the potential again"

Arrays = dict[str, np.ndarray]


def is_native(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a directory with a ``potential.json``."""
    return os.path.isfile(os.path.join(path, JSON))


def save_native(path: str | os.PathLike[str], potential: Potential, params: Params) -> None:
    """Writes a potential of any kind; :func:`jaxpot.save` calls it where no other format can hold the potential.

    Raises:
        FileFormatError: the files cannot be written.
        ValueError: the potential has no spec, or params are not arrays in dicts and sequences, or hold NaN.
    """
    from safetensors.numpy import save

    if potential.spec is None:
        raise ValueError(
            f"{potential.name} is made of functions and cannot be saved; make it by a factory decorated with "
            "jaxpot.potential_kind"
        )
    arrays: Arrays = {}
    described = _described(potential.spec, "file", arrays)
    skeleton = _skeleton(params, "", arrays)
    tensors = save(arrays)
    found = {
        "format": FORMAT,
        "potential": described,
        "params": skeleton,
        "sha256": hashlib.sha256(tensors).hexdigest(),
    }
    text = json.dumps(found, indent=1) + "\n"
    write_together(path, {TENSORS: tensors, JSON: text}, JSON)


def load_native(
    paths: Sequence[str | os.PathLike[str]], elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """Reads a directory with a ``potential.json``, for :func:`jaxpot.load`.

    Raises:
        FileFormatError: a file is missing or faulty, made by another version, or one of the two was replaced by itself.
        ValueError: several directories, or elements or a cutoff, which are those that were saved.
    """
    del style
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if len(paths) != 1:
        raise ValueError(f"{len(paths)} directories given; a potential is one")
    if elements is not None or cutoff is not None:
        raise ValueError("a saved potential has its own elements and cutoff; leave out elements= and cutoff=")
    file, tensors = Path(paths[0]) / JSON, Path(paths[0]) / TENSORS
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise FileFormatError(file, error.lineno, f"is no JSON: {error.msg}", AGAIN) from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise FileFormatError(file, None, f"cannot be read: {error}", AGAIN) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        said = found.get("format") if isinstance(found, dict) else None
        raise FileFormatError(file, None, f"format is {said!r}, not {FORMAT!r}", "use the version that saved it")
    try:
        data = tensors.read_bytes()
        arrays = load(data)
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise FileFormatError(tensors, None, f"cannot be read: {error}", AGAIN) from error
    if hashlib.sha256(data).hexdigest() != found.get("sha256"):
        raise FileFormatError(tensors, None, f"does not belong to {JSON} beside it", AGAIN)
    try:
        spec = _read(found["potential"], arrays)
        if not isinstance(spec, Spec):
            raise TypeError(f"a {type(spec).__name__} stands where a kind of potential belongs")
        potential = spec.build()
        params = _filled(found["params"], arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise FileFormatError(file, None, f"does not describe a potential: {error}", AGAIN) from error
    return potential, params


def _described(value: Any, name: str, arrays: Arrays) -> Any:
    """Turns plain data into JSON; arrays are moved to ``arrays`` and replaced by their names."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Spec):
        settings = {k: _described(v, f"{name}.{k}", arrays) for k, v in value.arguments().items() if v is not LEFT_OUT}
        file = {} if value.file is None else {"file": _described(value.file, name, arrays)}
        return {"kind": type(value).kind, "settings": settings} | file
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        key = _free(name, arrays)
        arrays[key] = np.asarray(value, order="C")
        return {"array": key}
    if isinstance(value, Mapping):
        return {
            "mapping": [[_described(k, name, arrays), _described(v, f"{name}.{k}", arrays)] for k, v in value.items()]
        }
    fields = _fields(value)
    if fields is not None:
        plain_data_type(type(value).__name__)
        return {
            "data": type(value).__name__,
            "fields": {k: _described(getattr(value, k), f"{name}.{k}", arrays) for k in fields},
        }
    if isinstance(value, Sequence):
        return [_described(v, f"{name}.{k}", arrays) for k, v in enumerate(value)]
    raise ValueError(f"a {type(value).__name__} is no plain data and cannot be saved")


def _fields(value: Any) -> tuple[str, ...] | None:
    """Names of the fields of a dataclass or NamedTuple; None for anything else."""
    if dataclasses.is_dataclass(value):
        return tuple(f.name for f in dataclasses.fields(value) if f.init)
    return getattr(value, "_fields", None)


def _read(value: Any, arrays: Arrays) -> Any:
    """Makes plain data from JSON, the inverse of ``_described``."""
    if isinstance(value, list):
        return tuple(_read(v, arrays) for v in value)
    if not isinstance(value, dict):
        return value
    if "kind" in value:
        settings = {k: _read(v, arrays) for k, v in value["settings"].items()}
        return kind_of(value["kind"])(**settings, file=_read(value.get("file"), arrays))
    if "data" in value:
        return plain_data_type(value["data"])(**{k: _read(v, arrays) for k, v in value["fields"].items()})
    if "array" in value:
        return arrays[value["array"]]
    return Settings({_read(k, arrays): _read(v, arrays) for k, v in value["mapping"]})


def _free(name: str, arrays: Arrays) -> str:
    number, key = 1, name
    while key in arrays:
        number, key = number + 1, f"{name} {number + 1}"
    return key


def _skeleton(params: Any, name: str, arrays: Arrays) -> Any:
    """The structure of a pytree as JSON; leaves are moved to ``arrays`` and replaced by name, shape and type."""
    if isinstance(params, Mapping):
        strange = [key for key in params if not isinstance(key, str)]
        if strange:
            raise ValueError(f"params{name} has the key {strange[0]!r}; only texts are keys of saved params")
        return {"mapping": [[key, _skeleton(v, f"{name}.{key}", arrays)] for key, v in params.items()]}
    if isinstance(params, tuple | list) and not hasattr(params, "_fields"):
        kind = "tuple" if isinstance(params, tuple) else "list"
        return {kind: [_skeleton(v, f"{name}.{k}", arrays) for k, v in enumerate(params)]}
    if params is None:
        return None
    if not isinstance(params, np.generic | np.ndarray | jax.Array | bool | int | float):
        raise ValueError(f"params{name} is a {type(params).__name__}; only arrays in dicts, lists and tuples are saved")
    array = np.asarray(params, order="C")  # np.ascontiguousarray would turn a number into a vector
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError(f"params{name} holds NaN; repair the parameters before they are saved")
    key = _free(name.lstrip(".") or "params", arrays)
    arrays[key] = array
    return {"array": key, "shape": list(array.shape), "dtype": array.dtype.name}


def _filled(skeleton: Any, arrays: Arrays) -> Params:
    """Makes the pytree from a skeleton and its arrays."""
    if skeleton is None:
        return None
    if "array" in skeleton:
        array, key = arrays[skeleton["array"]], skeleton["array"]
        if list(array.shape) != skeleton["shape"] or array.dtype.name != skeleton["dtype"]:
            raise ValueError(
                f"{key} is {array.dtype.name} of shape {list(array.shape)}, "
                f"not {skeleton['dtype']} of shape {skeleton['shape']}"
            )
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ValueError(f"{key} holds NaN")
        return jnp.asarray(array, jnp.result_type(float) if array.dtype.kind == "f" else None)
    ((kind, inside),) = skeleton.items()
    if kind == "mapping":
        return {key: _filled(v, arrays) for key, v in inside}
    if kind not in ("tuple", "list"):
        raise ValueError(f"unknown kind {kind!r} of params")
    parts = [_filled(v, arrays) for v in inside]
    return tuple(parts) if kind == "tuple" else parts
