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
    columns_around,
    compiled,
    counting_sort,
    grid_of,
    order_atoms,
    place_atoms,
    sorted_positions,
)
from jaxpot.neighbors.native_vector import LANES, PIECE, closer, write_chosen
from jaxpot.numerics.native_calls import allocate, argument, as_pointer, free, handler_of, result, size, word
from jaxpot.numerics.native_code import njit_kept
from jaxpot.numerics.native_threads import run_tasks, task_of

__all__ = ["target_of"]

CHUNK = 128  # centers handled by one task
GROUP = 2  # bins, one behind the other in the third direction, whose atoms share their candidates
SPACING = 16  # integers between results of different tasks, so that no two threads write to the same line of cache
CAPACITY, ROWS = 13, 4  # the first argument, and the first result, of those that exist once for each range


carray = numba.carray


def kept(function: Any, dtype: Any) -> Any:
    """Compile a function and keep its machine code on disk, where there is a cache folder."""
    function.__qualname__ = f"{function.__name__}_{np.dtype(dtype).name}_{GRID_FINGERPRINT}"
    return njit_kept(function, nogil=True, error_model="numpy")


@compiled
def narrow(n, near, room, found, x, y, z, squared):  # type: ignore[no-untyped-def]
    """Keep the candidates in ``found`` that are closer to a point than a shorter radius; returns their number."""
    kept = 0
    for k in range(n):
        c = np.uint64(found[k])
        dx, dy, dz = near[c] - x, near[c + np.uint64(room)] - y, near[c + np.uint64(2 * room)] - z
        found[np.uint64(kept)] = found[k]
        kept += dx * dx + dy * dy + dz * dz < squared
    return kept


@compiled
def hold(*arrays):  # type: ignore[no-untyped-def]
    """Does nothing; numba frees an array after its last use, and does not count its address as one."""


@compiled
def new_memory(count):  # type: ignore[no-untyped-def]
    """Memory outside of numba's own, which counts references at every turn, for all threads together."""
    memory = allocate(count)
    if memory == 0:
        raise MemoryError("no memory is left for the candidates of a list")
    return memory


@compiled
def search(  # type: ignore[no-untyped-def]
    chunk, points, order, place, keys, starts, number, columns, reach, total, frame, most
):
    """Fill the neighbours of a chunk of centers within each range; ``most`` becomes the largest number in each range.

    The centers of a few bins in a row share their candidates.
    """
    centers, stride, ranges = place.shape[0], points.shape[0] // 3, reach.shape[0]
    count, home, first, last, room, wanted = 0, 0, 0, -1, 0, 512
    memory = new_memory(8)
    near, near_row = carray(as_pointer(memory), (0,), points.dtype), carray(as_pointer(memory), (0,), np.int32)
    labels, found = near_row, near_row
    x, y, z, far = points[0], points[0], points[0], points.dtype.type(np.inf)
    for r in range(chunk * CHUNK, min(centers, (chunk + 1) * CHUNK)):
        n, key = 0, keys[r]
        if key >= 0:
            while key < first or key > last:
                if wanted > room:
                    room = wanted
                    free(memory)
                    memory = new_memory(room * (3 * points.itemsize + 12) + 4 * PIECE)
                    near = carray(as_pointer(memory), (3 * room,), points.dtype)
                    integers = memory + room * 3 * points.itemsize
                    near_row = carray(as_pointer(integers), (room,), np.int32)
                    # with several ranges, a candidate's place is found first, and its row afterwards
                    labels = near_row
                    if ranges > 1:
                        labels = carray(as_pointer(integers + 4 * room), (room,), np.int32)
                        for k in range(room):
                            labels[k] = k
                    found = carray(as_pointer(integers + 8 * room), (room + PIECE,), np.int32)
                first = key - key % number[2] % GROUP
                last = min(first + GROUP, key - key % number[2] + number[2]) - 1
                count, home = candidates(first, last, points, order, starts, number, columns, near, near_row)
                if count + LANES <= room:
                    near[count : count + LANES] = far
                else:
                    last, wanted = first - 1, 2 * (count + LANES)
            at = place[r]
            x, y, z = points[at], points[stride + at], points[2 * stride + at]
            near[home + at] = far  # an atom is not its own neighbour
            for k in range(0, count, LANES):
                n = write_chosen(closer(near, room, k, x, y, z, reach[0] * reach[0]), labels, k, found, n)
            near[home + at] = x
        for one in range(ranges):
            if one > 0:
                n = narrow(n, near, room, found, x, y, z, reach[one] * reach[one])
            most[one] = max(most[one], n)
            capacity = size(frame, CAPACITY + one, 0)
            slots = carray(result(frame, ROWS + one), (centers, capacity), np.int32)[r]
            held = min(n, capacity)
            for k in range(held):
                slots[k] = found[k] if ranges == 1 else near_row[np.uint64(found[k])]
            slots[held:] = total
    free(memory)


def target_of(dtype: Any) -> Any:
    """The function that XLA calls for positions of a dtype; :func:`jaxpot.neighbors.native.search` calls it."""
    integer, index = np.int32, np.int64

    def work(payload, chunk):  # type: ignore[no-untyped-def]
        """Search the neighbours of one chunk; ``body`` has prepared the payload."""
        frame = word(payload, 0)
        count, bins = word(payload, 1), word(payload, 2)
        total, centers, ranges = size(frame, 9, 0), size(frame, 10, 0), size(frame, 8, 0)
        search(
            chunk,
            carray(as_pointer(word(payload, 4)), (3 * (count + PIECE),), dtype),
            carray(as_pointer(word(payload, 5)), (count + PIECE,), integer),
            carray(as_pointer(word(payload, 6)), (centers,), index),
            carray(as_pointer(word(payload, 7)), (total,), index),
            carray(as_pointer(word(payload, 8)), (bins + 2,), index),
            carray(as_pointer(word(payload, 9)), (3,), index),
            carray(as_pointer(word(payload, 10)), (word(payload, 3), 3), index),
            carray(argument(frame, 8), (ranges,), dtype),
            integer(total),
            frame,
            carray(as_pointer(word(payload, 11)), (chunk + 1, ranges, SPACING), index)[chunk, :, 0],
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
        keys, starts, order = np.empty(total, index), np.empty(bins + 2, index), np.empty(total + PIECE, integer)
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
        points, place = np.empty(3 * (present + PIECE), dtype), np.empty(centers, index)
        sorted_positions(
            carray(argument(frame, 0), (atoms, 3), dtype), cell, source, offset, order, present, points, place, centers
        )
        # the lengths of a bin's sides; then 0 if the sides are orthogonal, so that squares of gaps between bins add up
        floats = np.zeros(4)
        for d in range(3):
            if per_unit[d] > 0.0:
                floats[d] = math.sqrt(cell[d, 0] ** 2 + cell[d, 1] ** 2 + cell[d, 2] ** 2) / per_unit[d]
            e = (d + 1) % 3
            floats[3] += abs(cell[d, 0] * cell[e, 0] + cell[d, 1] * cell[e, 1] + cell[d, 2] * cell[e, 2])
        columns = np.empty(((2 * steps[0] + 1) * (2 * steps[1] + 1), 3), index)
        reach = carray(argument(frame, 8), (ranges,), dtype)[0]
        count = columns_around(number, steps, floats, reach * reach, columns)
        chunks = (centers + CHUNK - 1) // CHUNK
        most = np.zeros((chunks, ranges, SPACING), index)
        payload = np.empty(12, index)
        payload[0], payload[1], payload[2], payload[3] = frame, present, bins, count
        payload[4], payload[5], payload[6] = points.ctypes.data, order.ctypes.data, place.ctypes.data
        payload[7], payload[8], payload[9] = keys.ctypes.data, starts.ctypes.data, number.ctypes.data
        payload[10], payload[11] = columns.ctypes.data, most.ctypes.data
        run_tasks(frame, task, payload.ctypes.data, chunks)
        hold(points, order, place, keys, starts, number, columns, payload)
        overflow = needed > total or not enough
        for one in range(ranges):
            largest = 0
            for chunk in range(chunks):
                largest = max(largest, most[chunk, one, 0])
            overflow = overflow or largest > size(frame, CAPACITY + one, 0)
            report[1 + one] = largest
        report[0] = overflow

    return handler_of(kept(body, dtype), task_of(kept(work, dtype)))
