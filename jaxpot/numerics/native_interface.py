"""The version of XLA's foreign function interface (FFI), and the registration of compiled functions with XLA.

Functions compiled by numba read XLA's C structures word by word (:mod:`jaxpot.numerics.native_calls`). The layout is
that of version ``MAJOR.MINOR`` of ``xla/ffi/api/c_api.h``. XLA promises that later minor versions only add members, so
those are accepted; another major version is not. This module does not import numba.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from typing import Any

import jax

__all__ = ["MAJOR", "MINOR", "interface_problem", "register_once"]

MAJOR, MINOR = 0, 3

_lock = threading.RLock()
_kept: list[Any] = []  # functions that XLA calls must never be freed
_registered: dict[str, Exception | None] = {}  # by name of the target; the error where it could not be made


def register_once(name: str, make: Callable[[], Any]) -> None:
    """Register a function with XLA for the CPU under a name, at the first call in this process; safe from any thread.

    Args:
        name: of the target, as in ``jax.ffi.ffi_call(name, ...)``.
        make: returns an object whose ``address`` is that of a C function ``XLA_FFI_Error *(XLA_FFI_CallFrame *)``.

    Raises:
        Exception: whatever ``make`` or XLA raised at the first call, again at each later one.
    """
    with _lock:
        if name not in _registered:
            try:
                handler = make()
                _register(name, handler, handler.address)
                _registered[name] = None
            except Exception as error:
                _registered[name] = error
        failure = _registered[name]
        if failure is not None:
            raise failure


def _register(name: str, handler: Any, address: int) -> None:
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype = ctypes.py_object
    new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    _kept.append(handler)
    jax.ffi.register_ffi_target(name, new_capsule(address, None, None), platform="cpu")


def interface_problem() -> str | None:
    """Why compiled functions cannot be called by the installed XLA; None where they can.

    Example:
        >>> from jaxpot.numerics.native_interface import interface_problem
        >>> interface_problem() is None
        True
    """
    try:
        major, minor = _interface_version()
    except Exception as error:  # XLA refuses targets of this version, or does not ask for the version
        return (
            f"XLA does not take functions made for version {MAJOR}.{MINOR} of its foreign function interface: {error}"
        )
    if major != MAJOR or minor < MINOR:
        return (
            f"this jaxlib has version {major}.{minor} of XLA's foreign function interface, and jaxpot's compiled loops "
            f"need version {MAJOR}.x with x >= {MINOR}"
        )
    return None


@functools.cache
def _interface_version() -> tuple[int, int]:
    """The version that XLA tells a target when it is registered."""
    versions: list[tuple[int, int]] = []

    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def probe(frame: int) -> None:
        def word(address: int, index: int) -> int:
            return ctypes.c_int64.from_address(address + 8 * index).value

        extension, interface = word(frame, 1), word(frame, 2)
        if extension and word(extension, 1) & 0xFFFFFFFF == 1:  # XLA asks for the version the target was made for
            version = word(interface, 4)
            versions.append((version & 0xFFFFFFFF, version >> 32))
            metadata = word(extension, 3)
            ctypes.c_int64.from_address(metadata + 8 * 3).value = MAJOR | MINOR << 32
            ctypes.c_int64.from_address(metadata + 8 * 4).value = 0

    jax.devices("cpu")  # XLA looks at targets when its CPU client is there
    with _lock:
        _register("jaxpot_interface_version", probe, ctypes.cast(probe, ctypes.c_void_p).value or 0)
    if not versions:
        raise RuntimeError("XLA does not tell its version")
    return versions[0]
