"""Functions compiled by numba that XLA calls: access to XLA's structures, and reports of errors.

XLA hands such a function one pointer, to an ``XLA_FFI_CallFrame`` (``xla/ffi/api/c_api.h``, installed with jaxlib; the
version that this file follows is in :mod:`jaxpot.numerics.native_interface`). Offsets here are in 64-bit words:

- ``XLA_FFI_CallFrame``: 1 extension, 2 ``XLA_FFI_Api``, 3 context, 9 arguments, 14 results;
- ``XLA_FFI_Buffer``: 3 data, 5 sizes;
- ``XLA_FFI_Api``: 0 its size, 4 version, 6 ``Error_Create``, 8 ``Error_Destroy``, 17 and 18 those of the thread pool;
- the metadata extension: 1 its type, 3 ``XLA_FFI_Metadata``, of which 3 is the version and 4 the traits.

Importing this module imports numba.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from jaxpot.numerics.native_interface import MAJOR, MINOR

__all__ = [
    "FUNCTION",
    "allocate",
    "argument",
    "as_pointer",
    "call",
    "destroy_error",
    "fetch_add",
    "free",
    "handler_of",
    "result",
    "set_word",
    "size",
    "word",
    "yield_processor",
]

FUNCTION = types.int64(types.int64)  # the signature of what XLA calls: a pointer in, a pointer or 0 out

VERSION = MAJOR | MINOR << 32
ERROR_CREATE, ERROR_DESTROY = 6, 8
INTERNAL = 13  # XLA_FFI_Error_Code_INTERNAL


def _place(builder: Any, address: Any, index: Any) -> Any:
    """Pointer to the index-th 64-bit word at an address."""
    word = ir.IntType(64)
    return builder.gep(builder.inttoptr(address, word.as_pointer()), [index])


def _load(builder: Any, address: Any, *path: Any) -> Any:
    """The word found by following a path of indices."""
    for index in path:
        index = ir.Constant(ir.IntType(64), index) if isinstance(index, int) else index
        address = builder.load(_place(builder, address, index))
    return address


# These are intrinsics, because numba compiles a function again for every constant that it is called with.
@intrinsic
def word(typing_context, address, index):  # type: ignore[no-untyped-def]
    """The index-th 64-bit word at an address."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return _load(builder, *arguments)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def set_word(typing_context, address, index, value):  # type: ignore[no-untyped-def]
    """Write the index-th 64-bit word at an address."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        builder.store(arguments[2], _place(builder, arguments[0], arguments[1]))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), codegen


@intrinsic
def fetch_add(typing_context, address, index, value):  # type: ignore[no-untyped-def]
    """Add to the index-th word at an address, atomically; returns the previous value."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.atomic_rmw("add", _place(builder, arguments[0], arguments[1]), arguments[2], "seq_cst")

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def call(typing_context, function, argument):  # type: ignore[no-untyped-def]
    """Call a C function, given by its address, of one word that returns a word."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        integer = ir.IntType(64)
        pointer = builder.inttoptr(arguments[0], ir.FunctionType(integer, [integer]).as_pointer())
        return builder.call(pointer, [arguments[1]])

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def allocate(typing_context, bytes_wanted):  # type: ignore[no-untyped-def]
    """Address of new memory."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "malloc"), arguments)

    return types.int64(types.int64), codegen


@intrinsic
def free(typing_context, address):  # type: ignore[no-untyped-def]
    """Free memory."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "free"), arguments)
        return context.get_dummy_value()

    return types.none(types.int64), codegen


@intrinsic
def yield_processor(typing_context):  # type: ignore[no-untyped-def]
    """Yield the processor."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def as_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """An integer as a pointer."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen


@intrinsic
def argument(typing_context, frame, k):  # type: ignore[no-untyped-def]
    """The data of the k-th argument."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(_load(builder, arguments[0], 9, arguments[1], 3), cgutils.voidptr_t)

    return types.voidptr(types.int64, types.int64), codegen


@intrinsic
def result(typing_context, frame, k):  # type: ignore[no-untyped-def]
    """The data of the k-th result."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(_load(builder, arguments[0], 14, arguments[1], 3), cgutils.voidptr_t)

    return types.voidptr(types.int64, types.int64), codegen


@intrinsic
def size(typing_context, frame, k, axis):  # type: ignore[no-untyped-def]
    """The size of the k-th argument along an axis."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return _load(builder, arguments[0], 9, arguments[1], 5, arguments[2])

    return types.int64(types.int64, types.int64, types.int64), codegen


@numba.njit
def answers_metadata(frame):  # type: ignore[no-untyped-def]
    """Return whether XLA asks only for metadata; if so, answer with the version that this file was written for."""
    extension = word(frame, 1)
    if extension == 0 or (word(extension, 1) & 0xFFFFFFFF) != 1:
        return False
    metadata = word(extension, 3)
    set_word(metadata, 3, VERSION)
    set_word(metadata, 4, 0)
    return True


@numba.njit
def create_error(interface, message):  # type: ignore[no-untyped-def]
    """A new ``XLA_FFI_Error`` with a message, given by the address of a C string; XLA raises it."""
    request = allocate(32)
    set_word(request, 0, 28)
    set_word(request, 1, 0)
    set_word(request, 2, message)
    set_word(request, 3, INTERNAL)
    error = call(word(interface, ERROR_CREATE), request)
    free(request)
    return error


@numba.njit
def destroy_error(interface, error):  # type: ignore[no-untyped-def]
    """Free an error that a function of XLA returned."""
    request = allocate(24)
    set_word(request, 0, 24)
    set_word(request, 1, 0)
    set_word(request, 2, error)
    call(word(interface, ERROR_DESTROY), request)
    free(request)


_FAILED = ctypes.create_string_buffer(b"a compiled function of jaxpot failed, probably for want of memory")


def handler_of(body: Any, *tasks: int) -> Any:
    """The function that XLA calls.

    Args:
        body: numba function ``(frame, *tasks)`` that computes the results. Its exceptions become errors of XLA.
        tasks: one or two addresses, from :func:`jaxpot.numerics.native_threads.task_of`.

    Returns:
        A numba ``cfunc``, to be registered with :func:`jaxpot.numerics.native_interface.register_once`.
    """
    # int64 variables, since numba would compile the body again for constants
    first, last, message = tasks[0], tasks[-1], ctypes.addressof(_FAILED)
    if len(tasks) == 1:

        @numba.njit
        def run(frame):  # type: ignore[no-untyped-def]
            body(frame, types.int64(first))
    else:

        @numba.njit
        def run(frame):  # type: ignore[no-untyped-def]
            body(frame, types.int64(first), types.int64(last))

    @numba.cfunc(FUNCTION)
    def handler(frame):  # type: ignore[no-untyped-def]
        if answers_metadata(frame):
            return 0
        failed = False
        try:
            run(frame)
        except Exception:
            failed = True
        return create_error(word(frame, 2), types.int64(message)) if failed else 0

    return handler
