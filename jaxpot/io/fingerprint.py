"""Hashes of data, by which a run recognises whether it is resumed with the same data."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

__all__ = ["fingerprint"]


def fingerprint(value: Any) -> str:
    """The SHA-256 hash of a value, the same in every process.

    Arrays are hashed by type, shape and bytes, dataclasses by the fields that they compare, and mappings without
    regard to the order of keys. Functions and other objects are hashed by the name of their type only.

    Args:
        value: numbers, strings, arrays, and tuples, mappings and dataclasses of these.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> import numpy as np
        >>> fingerprint({"a": 1, "b": np.arange(3)}) == fingerprint({"b": np.arange(3), "a": 1})
        True
        >>> fingerprint(np.zeros(2)) == fingerprint(np.zeros((2, 1)))
        False
    """
    return _digest(value).hex()


def _digest(value: Any) -> bytes:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return _hashed(type(value).__name__, repr(value).encode())
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        if array.dtype.hasobject:
            return _digest(array.tolist())
        return _hashed("array", array.dtype.str.encode(), repr(array.shape).encode(), array.tobytes())
    if isinstance(value, Mapping):
        return _hashed("mapping", *sorted(_digest(key) + _digest(item) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return _hashed(type(value).__name__, *map(_digest, value))
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if dataclasses.is_dataclass(value):
        fields = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare]
        return _hashed(name, *(_hashed(field, _digest(item)) for field, item in fields))
    return _hashed(name)


def _hashed(kind: str, *parts: bytes) -> bytes:
    whole = hashlib.sha256(kind.encode())
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return whole.digest()
