"""Functions compiled by numba as targets of XLA's foreign function interface; importing this module imports numba.

XLA hands such a function one pointer, to an ``XLA_FFI_CallFrame``. What is read of it here, in 64-bit words: 1 the
extension, 2 the interface, 3 the context, 9 the arguments, 14 the results; of an argument's ``XLA_FFI_Buffer``: 3 the
data, 5 the sizes. The interface is stable C (``xla/ffi/api/c_api.h``, installed with jaxlib).

Work is shared among XLA's own threads, those that it computes with: no second pool of threads competes with them, a
process that limits XLA's threads limits these, and nothing is left behind that a fork could break.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "FINGERPRINT",
    "argument",
    "as_pointer",
    "handler_of",
    "njit_kept",
    "register",
    "result",
    "share",
    "size",
    "task_of",
    "word",
]

# of what is compiled into everything that uses this module; numba itself looks at the file of a function alone
FINGERPRINT = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]

TARGET = types.int64(types.int64)  # the signature of a target, and of a task

INTERFACE_WORDS = 19  # what share() reads of XLA_FFI_Api
CREATED, SCHEDULE, THREADS = 8, 17, 18  # its members: XLA_FFI_Error_Destroy, XLA_FFI_ThreadPool_Schedule, _NumThreads

_alive: list[Any] = []  # machine code lives as long as its function does


def njit_kept(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function whose machine code numba keeps on disk, where there is a place for it."""
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the folder of its file nor the user's cache can be written to
        return numba.njit(**options)(function)


def register(name: str, handler: Any) -> None:
    """Hand a numba ``cfunc`` of signature ``TARGET`` to XLA as the target ``name`` on the CPU."""
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype = ctypes.py_object
    new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    _alive.append(handler)
    jax.ffi.register_ffi_target(name, new_capsule(handler.address, None, None), platform="cpu")


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


# Intrinsics rather than functions: numba compiles a function again for every constant that it is called with.
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
    """Add to the index-th word at an address, atomically; what it was before."""

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
def release(typing_context, address):  # type: ignore[no-untyped-def]
    """Give memory back."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "free"), arguments)
        return context.get_dummy_value()

    return types.none(types.int64), codegen


@intrinsic
def let_others_run(typing_context):  # type: ignore[no-untyped-def]
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
    """Whether XLA only asks for which version of its interface the target was made; if so, answers with XLA's own.

    Of the metadata extension: word 1 its type (1), 3 the metadata; of ``XLA_FFI_Metadata``: 3 the version, 4 traits;
    of ``XLA_FFI_Api``: 4 the version.
    """
    extension = word(frame, 1)
    if extension == 0 or (word(extension, 1) & 0xFFFFFFFF) != 1:
        return False
    metadata = word(extension, 3)
    set_word(metadata, 3, word(word(frame, 2), 4))
    set_word(metadata, 4, 0)
    return True


@numba.njit
def threads_of(frame):  # type: ignore[no-untyped-def]
    """How many threads XLA computes with; 1 where it does not say."""
    interface = word(frame, 2)
    if word(interface, 0) < 8 * INTERFACE_WORDS:
        return 1
    request = allocate(40)  # XLA_FFI_ThreadPool_NumThreads_Args, and the answer behind it
    set_word(request, 0, 32)
    set_word(request, 1, 0)
    set_word(request, 2, word(frame, 3))
    set_word(request, 3, request + 32)
    set_word(request, 4, 1)
    error = call(word(interface, THREADS), request)
    if error != 0:
        destroy(interface, error)
    threads = word(request, 4) if error == 0 else 1
    release(request)
    return threads


@numba.njit
def destroy(interface, error):  # type: ignore[no-untyped-def]
    """Give back an error that XLA returned."""
    request = allocate(24)
    set_word(request, 0, 24)
    set_word(request, 1, 0)
    set_word(request, 2, error)
    call(word(interface, CREATED), request)
    release(request)


# words of a job
NEXT, DONE, COUNT, HOLDERS, PAYLOAD, WORDS = range(6)


@numba.njit
def let_go(job):  # type: ignore[no-untyped-def]
    """One thread less needs the job; the last gives its memory back."""
    if fetch_add(job, HOLDERS, -1) == 1:
        release(job)


@numba.njit
def share(frame, task, payload, count):  # type: ignore[no-untyped-def]
    """``task`` for 0 ... count - 1, on XLA's threads and this one; returns when all are done.

    A thread that comes late finds nothing left to do, and is not waited for: it may not come at all while every thread
    of the pool waits here. The job's memory is kept until it has looked.
    """
    job = allocate(8 * WORDS)
    set_word(job, NEXT, 0)
    set_word(job, DONE, 0)
    set_word(job, COUNT, count)
    set_word(job, HOLDERS, 2)  # the task of this thread, and this thread as it waits
    set_word(job, PAYLOAD, payload)
    helpers = min(threads_of(frame), count) - 1 if count > 1 else 0
    if helpers > 0:
        interface = word(frame, 2)
        request = allocate(40)  # XLA_FFI_ThreadPool_Schedule_Args
        set_word(request, 0, 40)
        set_word(request, 1, 0)
        set_word(request, 2, word(frame, 3))
        set_word(request, 3, task)
        set_word(request, 4, job)
        for _ in range(helpers):
            fetch_add(job, HOLDERS, 1)
            error = call(word(interface, SCHEDULE), request)
            if error != 0:
                destroy(interface, error)
                let_go(job)
                break
        release(request)
    call(task, job)
    while fetch_add(job, DONE, 0) < count:
        let_others_run()
    let_go(job)


def task_of(work: Any) -> int:
    """Address of the function with which a thread takes part in a job.

    Args:
        work: numba function ``(payload, k)``, the k-th piece of the work.
    """

    @numba.cfunc(TARGET)
    def task(job):  # type: ignore[no-untyped-def]
        payload, count = word(job, PAYLOAD), word(job, COUNT)
        k = fetch_add(job, NEXT, 1)
        while k < count:
            work(payload, k)
            fetch_add(job, DONE, 1)
            k = fetch_add(job, NEXT, 1)
        let_go(job)
        return 0

    _alive.append(task)
    return int(task.address)


def handler_of(body: Any, *tasks: int) -> Any:
    """The target that XLA calls.

    Args:
        body: numba function ``(frame, *tasks)`` that does everything; it hands a task to :func:`share`.
        tasks: one or two, from :func:`task_of`.
    """
    # types.int64: for a constant, numba would compile the body anew
    first, last = tasks[0], tasks[-1]
    if len(tasks) == 1:

        @numba.cfunc(TARGET)
        def handler(frame):  # type: ignore[no-untyped-def]
            if not answers_metadata(frame):
                body(frame, types.int64(first))
            return 0

        return handler

    @numba.cfunc(TARGET)
    def handler_of_two(frame):  # type: ignore[no-untyped-def]
        if not answers_metadata(frame):
            body(frame, types.int64(first), types.int64(last))
        return 0

    return handler_of_two
