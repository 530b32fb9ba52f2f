"""Functions compiled by numba as targets of XLA's foreign function interface; importing this module imports numba.

XLA hands such a function one pointer, to an ``XLA_FFI_CallFrame``. What is read of it here, in 64-bit words: 1 the
extension, 2 the interface, 9 the arguments, 14 the results; the data of an argument is word 3 of its
``XLA_FFI_Buffer``. The interface is stable C (``xla/ffi/api/c_api.h``, installed with jaxlib).
"""

from __future__ import annotations

import ctypes
from typing import Any

import jax
import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["HANDLER", "answers_metadata", "argument", "register", "result"]

HANDLER = types.int64(types.int64)  # the signature of a target

# Starts numba's threads and makes them known to its linker: code loaded from numba's cache does neither by itself, and
# would crash.
numba.get_num_threads()

_alive: list[Any] = []  # the machine code lives as long as its function does


def register(name: str, handler: Any) -> None:
    """Hand a numba ``cfunc`` of signature ``HANDLER`` to XLA as the target ``name`` on the CPU."""
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype = ctypes.py_object
    new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    _alive.append(handler)
    jax.ffi.register_ffi_target(name, new_capsule(handler.address, None, None), platform="cpu")


@intrinsic
def as_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """An integer as a pointer."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), codegen


@numba.njit
def words(address, count):  # type: ignore[no-untyped-def]
    """``count`` 64-bit words at an address."""
    return numba.carray(as_pointer(address), (count,), np.int64)


@numba.njit
def answers_metadata(frame):  # type: ignore[no-untyped-def]
    """Whether XLA only asks for which version of its interface the target was made; if so, answers with XLA's own.

    Of the metadata extension: word 1 its type (1), 3 the metadata; of ``XLA_FFI_Metadata``: 3 the version, 4 traits;
    of ``XLA_FFI_Api``: 4 the version.
    """
    extension = words(frame, 3)[1]
    if extension == 0 or (words(extension, 2)[1] & 0xFFFFFFFF) != 1:
        return False
    metadata = words(words(extension, 4)[3], 5)
    metadata[3] = words(words(frame, 3)[2], 5)[4]
    metadata[4] = 0
    return True


@numba.njit
def argument(frame, k):  # type: ignore[no-untyped-def]
    """Address of the data of an argument."""
    return as_pointer(words(words(words(frame, 10)[9], k + 1)[k], 6)[3])


@numba.njit
def result(frame, k):  # type: ignore[no-untyped-def]
    """Address of the data of a result."""
    return as_pointer(words(words(words(frame, 15)[14], k + 1)[k], 6)[3])
