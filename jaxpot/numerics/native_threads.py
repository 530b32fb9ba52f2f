"""Divides work among XLA's threads, from inside a function that XLA has called.

There is no second pool of threads. So a process that limits XLA's threads limits these too, and there is no state that
a fork could break. Importing this module imports numba.
"""

from __future__ import annotations

from typing import Any

import numba

from jaxpot.numerics.native_calls import (
    FUNCTION,
    allocate,
    call,
    destroy_error,
    fetch_add,
    free,
    set_word,
    word,
    yield_processor,
)

__all__ = ["run_tasks", "task_of"]

INTERFACE_WORDS = 19  # of XLA_FFI_Api, as far as the thread pool's functions
SCHEDULE, THREADS = 17, 18  # XLA_FFI_ThreadPool_Schedule, XLA_FFI_ThreadPool_NumThreads

# the words of a job: the next piece of work, the number of finished pieces, the number of all pieces, the number of
# threads that still need the job's memory, the payload, and the number of pieces that raised an exception
NEXT, DONE, COUNT, USERS, PAYLOAD, FAILED, WORDS = range(7)

_kept: list[Any] = []  # functions that XLA's threads call must never be freed


@numba.njit
def threads_of(frame):  # type: ignore[no-untyped-def]
    """The number of XLA's threads; 1 if XLA does not tell it."""
    interface = word(frame, 2)
    if word(interface, 0) < 8 * INTERFACE_WORDS:
        return 1
    request = allocate(40)  # XLA_FFI_ThreadPool_NumThreads_Args, followed by the answer
    set_word(request, 0, 32)
    set_word(request, 1, 0)
    set_word(request, 2, word(frame, 3))
    set_word(request, 3, request + 32)
    set_word(request, 4, 1)
    error = call(word(interface, THREADS), request)
    if error != 0:
        destroy_error(interface, error)
    threads = word(request, 4) if error == 0 else 1
    free(request)
    return threads


@numba.njit
def leave_job(job):  # type: ignore[no-untyped-def]
    """Record that this thread no longer needs the job; the last thread frees its memory."""
    if fetch_add(job, USERS, -1) == 1:
        free(job)


@numba.njit
def run_tasks(frame, task, payload, count):  # type: ignore[no-untyped-def]
    """Do the pieces 0 ... count - 1 of some work, on XLA's threads and this one; returns when all are done.

    Nothing waits for a thread that has not started, because it may never start while every thread of the pool waits
    here. A thread that starts late finds no piece left; the job's memory is kept until it has checked.

    Args:
        frame: of the call.
        task: address from :func:`task_of`.
        payload: address or number that is passed to the work.
        count: number of pieces.

    Raises:
        RuntimeError: a piece has raised an exception; the other pieces are done nevertheless.
    """
    job = allocate(8 * WORDS)
    set_word(job, NEXT, 0)
    set_word(job, DONE, 0)
    set_word(job, COUNT, count)
    set_word(job, USERS, 2)  # the task of this thread, and this thread as it waits
    set_word(job, PAYLOAD, payload)
    set_word(job, FAILED, 0)
    others = min(threads_of(frame), count) - 1 if count > 1 else 0
    if others > 0:
        interface = word(frame, 2)
        request = allocate(40)  # XLA_FFI_ThreadPool_Schedule_Args
        set_word(request, 0, 40)
        set_word(request, 1, 0)
        set_word(request, 2, word(frame, 3))
        set_word(request, 3, task)
        set_word(request, 4, job)
        for _ in range(others):
            fetch_add(job, USERS, 1)
            error = call(word(interface, SCHEDULE), request)
            if error != 0:
                destroy_error(interface, error)
                leave_job(job)
                break
        free(request)
    call(task, job)
    while fetch_add(job, DONE, 0) < count:
        yield_processor()
    failed = word(job, FAILED)
    leave_job(job)
    if failed > 0:
        raise RuntimeError("a piece of the work has failed")


def task_of(work: Any) -> int:
    """Address of the function with which a thread takes part in a job.

    Args:
        work: numba function ``(payload, k)``, the k-th piece of the work. A piece that raises counts as done, and
            makes :func:`run_tasks` raise.
    """

    @numba.cfunc(FUNCTION)
    def task(job):  # type: ignore[no-untyped-def]
        payload, count = word(job, PAYLOAD), word(job, COUNT)
        k = fetch_add(job, NEXT, 1)
        while k < count:
            try:
                work(payload, k)
            except Exception:
                fetch_add(job, FAILED, 1)
            fetch_add(job, DONE, 1)
            k = fetch_add(job, NEXT, 1)
        leave_job(job)
        return 0

    _kept.append(task)
    return int(task.address)
