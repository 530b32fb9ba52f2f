"""The compiled cell list behind :mod:`jaxpot.neighbors.native`; importing this module imports numba.

Bins are about half as wide as the reach. The coordinates are sorted by bin, and bins along the third direction follow
one another, so each center scans a few contiguous stretches of coordinates. All loops are O(atoms); the search is
shared among threads.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from jaxpot.neighbors.native_grid import (
    GRID_FINGERPRINT,
    add_images,
    bin_keys,
    candidates,
    compiled,
    counting_sort,
    grid_of,
    order_atoms,
    place_atoms,
    sorted_positions,
)
from jaxpot.numerics.native_calls import argument, as_pointer, handler_of, result, size, word
from jaxpot.numerics.native_code import njit_kept
from jaxpot.numerics.native_threads import run_tasks, task_of

__all__ = ["target_of"]

CHUNK = 64  # centers handled by one task
CAPACITY, ROWS = 13, 4  # the first argument, and the first result, of those that exist once for each range


def kept(function: Any, dtype: Any) -> Any:
    """Compile a function and keep its machine code on disk, where there is a cache folder."""
    function.__qualname__ = f"{function.__name__}_{np.dtype(dtype).name}_{GRID_FINGERPRINT}"
    return njit_kept(function, nogil=True, error_model="numpy")


@compiled
def narrow(n, near, found, own, squared):  # type: ignore[no-untyped-def]
    """Keep the candidates in ``found`` that are closer than a shorter radius; returns how many there are."""
    x, y, z = near[0], near[1], near[2]
    kept = 0
    for k in range(n):
        c = np.uint64(found[k])
        dx, dy, dz = x[c] - own[0], y[c] - own[1], z[c] - own[2]
        found[np.uint64(kept)] = found[k]
        kept += dx * dx + dy * dy + dz * dz < squared
    return kept


@compiled
def search(  # type: ignore[no-untyped-def]
    chunk, points, order, place, keys, starts, number, steps, edge, reach, total, frame, most
):
    """Fill the neighbours of a chunk of centers within each range; ``most`` becomes the largest number in each range.

    The centers of one bin follow one another and share their candidates.
    """
    centers = place.shape[0]
    count, bin_before = 0, -1
    near, near_row = np.empty((3, 512), points.dtype), np.empty(512, np.int32)
    hit, found = np.empty(512, np.int32), np.empty(513, np.int32)
    squared = reach[0] * reach[0]
    for r in range(chunk * CHUNK, min(centers, (chunk + 1) * CHUNK)):
        n = 0
        own = points[:, 0]
        if keys[r] >= 0:
            key = keys[r]
            if key != bin_before:
                # count the candidates, then write them; with a constant, numba would compile `candidates` twice
                for write in range(2):
                    count = candidates(key, points, order, starts, number, steps, edge, squared, near, near_row, write)
                    if count > near_row.shape[0]:
                        near, near_row = np.empty((3, 2 * count), points.dtype), np.empty(2 * count, np.int32)
                        hit, found = np.empty(2 * count, np.int32), np.empty(2 * count + 1, np.int32)
                bin_before = key
            own = points[:, place[r]]
            xi, yi, zi = own[0], own[1], own[2]
            x, y, z = near[0], near[1], near[2]
            for k in range(count):  # compiles to vector instructions
                dx, dy, dz = x[k] - xi, y[k] - yi, z[k] - zi
                hit[k] = (dx * dx + dy * dy + dz * dz < squared) & (near_row[k] != r)
            for k in range(count):  # has no branch
                found[np.uint64(n)] = k
                n += hit[k]
        for one in range(reach.shape[0]):
            if one > 0:
                n = narrow(n, near, found, own, reach[one] * reach[one])
            most[one] = max(most[one], n)
            capacity = size(frame, CAPACITY + one, 0)
            slots = numba.carray(result(frame, ROWS + one), (centers, capacity), np.int32)[r]
            held = min(n, capacity)
            for k in range(held):
                slots[k] = near_row[np.uint64(found[k])]
            slots[held:] = total


def target_of(dtype: Any) -> Any:
    """The function that XLA calls for positions of a dtype; :func:`jaxpot.neighbors.native.search` calls it."""
    carray = numba.carray
    integer, index = np.int32, np.int64

    def work(payload, chunk):  # type: ignore[no-untyped-def]
        """Search the neighbours of one chunk; ``body`` has prepared the payload."""
        frame = word(payload, 0)
        count, bins = word(payload, 1), word(payload, 2)
        total, centers, ranges = size(frame, 9, 0), size(frame, 10, 0), size(frame, 8, 0)
        search(
            chunk,
            carray(as_pointer(word(payload, 4)), (3, count), dtype),
            carray(as_pointer(word(payload, 5)), (count,), integer),
            carray(as_pointer(word(payload, 6)), (centers,), index),
            carray(as_pointer(word(payload, 7)), (total,), index),
            carray(as_pointer(word(payload, 8)), (bins + 2,), index),
            carray(as_pointer(word(payload, 9)), (3,), index),
            carray(as_pointer(word(payload, 10)), (3,), index),
            carray(as_pointer(word(payload, 3)), (4,), np.float64),
            carray(argument(frame, 8), (ranges,), dtype),
            integer(total),
            frame,
            carray(as_pointer(word(payload, 11)), (chunk + 1, ranges), index)[chunk],
        )

    def body(frame, task):  # type: ignore[no-untyped-def]
        atoms, ranges, total = size(frame, 0, 0), size(frame, 8, 0), size(frame, 9, 0)
        centers, others = size(frame, 10, 0), size(frame, 11, 0)
        fractional = carray(argument(frame, 1), (atoms, 3), dtype)
        wraps = carray(argument(frame, 2), (atoms, 3), integer)
        real = carray(argument(frame, 3), (atoms,), np.bool_)
        is_center = carray(argument(frame, 4), (atoms,), np.bool_)
        cell = carray(argument(frame, 5), (3, 3), dtype)
        margin = carray(argument(frame, 6), (3,), dtype)
        pbc = carray(argument(frame, 7), (3,), np.bool_)
        source = carray(result(frame, 0), (total,), integer)
        offset = carray(result(frame, 1), (total, 3), integer)
        row_of_atom = carray(result(frame, 2), (atoms,), integer)
        report = carray(result(frame, 3), (1 + ranges,), integer)

        low, per_unit = np.zeros(3), np.zeros(3)
        number, steps = np.ones(3, index), np.zeros(3, index)
        bins = grid_of(fractional, real, margin, pbc, total, low, per_unit, number, steps)
        keys, starts, order = np.empty(total, index), np.empty(bins + 2, index), np.empty(total, integer)
        bin_keys(fractional, atoms, low, per_unit, number, keys)
        order_atoms(real, size(frame, 12, 0) > 0, keys, starts, order)
        source[:] = 0
        offset[:] = 0
        coordinates, held = np.zeros((total, 3), dtype), np.zeros(centers + others, np.bool_)
        enough = place_atoms(
            real, is_center, fractional, wraps, order, centers, others, source, offset, row_of_atom, coordinates, held
        )
        needed = add_images(margin, pbc, centers + others, source, offset, coordinates, held)
        count = min(needed, total)
        bin_keys(coordinates, count, low, per_unit, number, keys)
        for r in range(centers + others):
            if not held[r]:
                keys[r] = -1
        present = counting_sort(keys, count, starts, order)
        points, place = np.empty((3, present), dtype), np.empty(centers, index)
        sorted_positions(
            carray(argument(frame, 0), (atoms, 3), dtype), cell, source, offset, order[:present], points, place, centers
        )
        # the lengths of a bin's sides; then 0 if the sides are orthogonal, so that squares of gaps between bins add up
        floats = np.zeros(4)
        for d in range(3):
            if per_unit[d] > 0.0:
                floats[d] = math.sqrt(cell[d, 0] ** 2 + cell[d, 1] ** 2 + cell[d, 2] ** 2) / per_unit[d]
            e = (d + 1) % 3
            floats[3] += abs(cell[d, 0] * cell[e, 0] + cell[d, 1] * cell[e, 1] + cell[d, 2] * cell[e, 2])
        chunks = (centers + CHUNK - 1) // CHUNK
        most = np.zeros((chunks, ranges), index)
        payload = np.empty(12, index)
        payload[0], payload[1], payload[2], payload[3] = frame, present, bins, floats.ctypes.data
        payload[4], payload[5], payload[6] = points.ctypes.data, order.ctypes.data, place.ctypes.data
        payload[7], payload[8], payload[9] = keys.ctypes.data, starts.ctypes.data, number.ctypes.data
        payload[10], payload[11] = steps.ctypes.data, most.ctypes.data
        run_tasks(frame, task, payload.ctypes.data, chunks)
        overflow = needed > total or not enough
        for one in range(ranges):
            largest = 0
            for chunk in range(chunks):
                largest = max(largest, most[chunk, one])
            overflow = overflow or largest > size(frame, CAPACITY + one, 0)
            report[1 + one] = largest
        report[0] = overflow

    return handler_of(kept(body, dtype), task_of(kept(work, dtype)))
