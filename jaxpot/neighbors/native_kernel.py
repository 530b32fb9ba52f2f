"""The compiled cell list behind :mod:`jaxpot.neighbors.native`; importing this module imports numba.

Bins are about half as wide as the list's radius and contiguous along the third direction, so that each centre scans a
few contiguous stretches of coordinates sorted by bin. All loops are O(atoms); the search is shared among threads.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from jaxpot.numerics.native_calls import argument, as_pointer, handler_of, result, size, word
from jaxpot.numerics.native_code import njit_kept
from jaxpot.numerics.native_threads import run_tasks, task_of

__all__ = ["target_of"]

CHUNK = 64  # centres handled by one task

compiled = numba.njit(nogil=True, error_model="numpy")


def kept(function: Any, dtype: Any) -> Any:
    """Compile a function whose machine code numba keeps on disk, where there is a place for it."""
    function.__qualname__ = f"{function.__name__}_{np.dtype(dtype).name}"
    return njit_kept(function, nogil=True, error_model="numpy")


@compiled
def grid_of(fractional, real, margin, pbc, total, low, per_unit, number, steps):  # type: ignore[no-untyped-def]
    """Lower end, bins per unit, number of bins and reach in bins, for each direction; returns the number of bins."""
    width = np.zeros(3)
    for d in range(3):
        low[d], width[d] = -margin[d], 1.0 + 2.0 * margin[d]
        if not pbc[d]:
            least, most = np.inf, -np.inf
            for i in range(fractional.shape[0]):
                if real[i]:
                    least = min(least, fractional[i, d])
                    most = max(most, fractional[i, d])
            if most < least:
                least, most = 0.0, 0.0
            low[d], width[d] = least, most - least
        number[d] = max(1, min(1024, int(width[d] / (0.5 * margin[d]))))
    # a dilute system gets wider bins instead of more bins than atoms
    while number[0] * number[1] * number[2] > 2 * total + 64:
        d = 0
        for e in range(1, 3):
            if number[e] > number[d]:
                d = e
        number[d] = (number[d] + 1) // 2
    for d in range(3):
        per_unit[d] = number[d] / width[d] if width[d] > 0 else 0.0
        steps[d] = math.ceil(margin[d] * per_unit[d] * (1.0 + 1e-6))
    return number[0] * number[1] * number[2]


@compiled
def bin_keys(coordinates, count, low, per_unit, number, keys):  # type: ignore[no-untyped-def]
    """The bin of each row."""
    for r in range(count):
        key = 0
        for d in range(3):
            place = math.floor((coordinates[r, d] - low[d]) * per_unit[d])
            key = key * number[d] + min(max(place, 0), number[d] - 1)
        keys[r] = key


@compiled
def counting_sort(keys, count, starts, order):  # type: ignore[no-untyped-def]
    """Start of each bin and the rows in the order of their bins; a negative key is left out."""
    starts[:] = 0
    for i in range(count):
        if keys[i] >= 0:
            starts[keys[i] + 2] += 1
    for b in range(2, starts.shape[0]):
        starts[b] += starts[b - 1]
    # one place ahead, so that counting up the rows of a bin leaves its start where it belongs
    for i in range(count):
        if keys[i] >= 0:
            order[starts[keys[i] + 1]] = i
            starts[keys[i] + 1] += 1
    return starts[starts.shape[0] - 1]


@compiled
def order_atoms(real, sort, keys, starts, order, source):  # type: ignore[no-untyped-def]
    """The atom that each central row shows: sorted by bins, padded atoms last."""
    atoms = real.shape[0]
    if not sort:
        for i in range(atoms):
            source[i] = i
        return
    for i in range(atoms):
        if not real[i]:
            keys[i] = -1
    place = counting_sort(keys, atoms, starts, order)
    for r in range(place):
        source[r] = order[r]
    for i in range(atoms):
        if not real[i]:
            source[place] = i
            place += 1


@compiled
def add_ghosts(real, margin, pbc, centers, source, offset, coordinates):  # type: ignore[no-untyped-def]
    """The images within the margin around the cell, behind the centres, one direction after the other; returns the rows
    needed."""
    atoms, rows = real.shape[0], source.shape[0]
    needed = centers
    for d in range(3):
        if not pbc[d]:
            continue
        last = math.ceil(margin[d])
        present = min(needed, rows)
        for s in range(-last, last + 1):
            if s == 0:
                continue
            for r in range(present):
                f = coordinates[r, d] + s
                if f < -margin[d] or f > 1.0 + margin[d]:
                    continue
                if r < centers and (r >= atoms or not real[source[r]]):
                    continue
                if needed < rows:
                    source[needed] = source[r]
                    for e in range(3):
                        coordinates[needed, e] = coordinates[r, e]
                        offset[needed, e] = offset[r, e]
                    coordinates[needed, d] = f
                    offset[needed, d] += s
                needed += 1
    return needed


@compiled
def sorted_positions(positions, cell, source, offset, order, points, place, centers):  # type: ignore[no-untyped-def]
    """Coordinates [3, rows] in the order of the bins, and where each centre stands among them."""
    for k in range(order.shape[0]):
        r = order[k]
        i = source[r]
        for e in range(3):
            shift = offset[r, 0] * cell[0, e] + offset[r, 1] * cell[1, e] + offset[r, 2] * cell[2, e]
            points[e, k] = positions[i, e] + shift
        if r < centers:
            place[r] = k


@compiled
def candidates(  # type: ignore[no-untyped-def]
    key, points, order, starts, number, steps, edge, squared, near, near_row, write
):
    """Coordinates and numbers of the rows in the bins around a bin, one after another; returns how many there are."""
    orthogonal = edge[3] == 0.0
    bc = key % number[2]
    bb = key // number[2] % number[1]
    ba = key // (number[2] * number[1])
    count = 0
    for a in range(max(ba - steps[0], 0), min(ba + steps[0], number[0] - 1) + 1):
        gap_a = max(abs(a - ba) - 1, 0) * edge[0]
        for b in range(max(bb - steps[1], 0), min(bb + steps[1], number[1] - 1) + 1):
            first, last = max(bc - steps[2], 0), min(bc + steps[2], number[2] - 1)
            if orthogonal:
                gap_b = max(abs(b - bb) - 1, 0) * edge[1]
                left = squared - 0.999 * (gap_a * gap_a + gap_b * gap_b)
                if left <= 0.0:
                    continue
                if edge[2] > 0.0:
                    depth = int(math.sqrt(left) / edge[2]) + 1
                    first, last = max(bc - depth, first), min(bc + depth, last)
            column = (a * number[1] + b) * number[2]
            begin, length = starts[column + first], starts[column + last + 1] - starts[column + first]
            if write > 0:
                for k in range(length):
                    near[0, count + k] = points[0, begin + k]
                    near[1, count + k] = points[1, begin + k]
                    near[2, count + k] = points[2, begin + k]
                    near_row[count + k] = order[begin + k]
            count += length
    return count


@compiled
def search(  # type: ignore[no-untyped-def]
    chunk, points, order, place, keys, starts, number, steps, edge, squared, atoms, total, rows
):
    """Fill the neighbours of a chunk of centres; returns the largest number found.

    Centres of one bin, which follow one another, share their candidates.
    """
    centers, capacity = rows.shape
    most, count, bin_before = 0, 0, -1
    near, near_row = np.empty((3, 512), points.dtype), np.empty(512, np.int32)
    hit, found = np.empty(512, np.int32), np.empty(513, np.int32)
    for r in range(chunk * CHUNK, min(centers, (chunk + 1) * CHUNK)):
        n = 0
        if r < atoms and keys[r] >= 0:
            key = keys[r]
            if key != bin_before:
                for turn in range(2):  # counted, then written; a constant would be compiled twice
                    count = candidates(key, points, order, starts, number, steps, edge, squared, near, near_row, turn)
                    if count > near_row.shape[0]:
                        near, near_row = np.empty((3, 2 * count), points.dtype), np.empty(2 * count, np.int32)
                        hit, found = np.empty(2 * count, np.int32), np.empty(2 * count + 1, np.int32)
                bin_before = key
            own = place[r]
            xi, yi, zi = points[0, own], points[1, own], points[2, own]
            x, y, z = near[0], near[1], near[2]
            for k in range(count):  # vector instructions
                dx, dy, dz = x[k] - xi, y[k] - yi, z[k] - zi
                hit[k] = (dx * dx + dy * dy + dz * dz < squared) & (near_row[k] != r)
            for k in range(count):  # without a branch
                found[np.uint64(n)] = near_row[k]
                n += hit[k]
        most = max(most, n)
        n = min(n, capacity)
        for k in range(n):
            rows[r, k] = found[k]
        for k in range(n, capacity):
            rows[r, k] = total
    return most


def target_of(dtype: Any) -> Any:
    """The function that XLA calls for positions of a dtype; arguments as in :func:`jaxpot.neighbors.native.search`."""
    carray = numba.carray
    integer, index = np.int32, np.int64

    def work(payload, chunk):  # type: ignore[no-untyped-def]
        """Search the neighbours of one chunk, with what ``body`` has prepared."""
        frame = word(payload, 0)
        count, bins, atoms = word(payload, 1), word(payload, 2), size(frame, 0, 0)
        total, centers, capacity = size(frame, 8, 0), size(frame, 9, 0), size(frame, 10, 0)
        floats = carray(as_pointer(word(payload, 3)), (8,), np.float64)
        most = search(
            chunk,
            carray(as_pointer(word(payload, 4)), (3, count), dtype),
            carray(as_pointer(word(payload, 5)), (count,), integer),
            carray(as_pointer(word(payload, 6)), (centers,), index),
            carray(as_pointer(word(payload, 7)), (total,), index),
            carray(as_pointer(word(payload, 8)), (bins + 2,), index),
            carray(as_pointer(word(payload, 9)), (3,), index),
            carray(as_pointer(word(payload, 10)), (3,), index),
            floats,
            dtype(floats[4]),
            atoms,
            integer(total),
            carray(result(frame, 0), (centers, capacity), integer),
        )
        carray(as_pointer(word(payload, 11)), (chunk + 1,), index)[chunk] = most

    def body(frame, task):  # type: ignore[no-untyped-def]
        atoms, total, centers, capacity = size(frame, 0, 0), size(frame, 8, 0), size(frame, 9, 0), size(frame, 10, 0)
        fractional = carray(argument(frame, 1), (atoms, 3), dtype)
        wraps = carray(argument(frame, 2), (atoms, 3), integer)
        real = carray(argument(frame, 3), (atoms,), np.bool_)
        cell = carray(argument(frame, 4), (3, 3), dtype)
        margin = carray(argument(frame, 5), (3,), dtype)
        pbc = carray(argument(frame, 6), (3,), np.bool_)
        reach = carray(argument(frame, 7), (1,), dtype)
        source = carray(result(frame, 1), (total,), integer)
        offset = carray(result(frame, 2), (total, 3), integer)
        row_of_atom = carray(result(frame, 3), (atoms,), integer)
        report = carray(result(frame, 4), (3,), integer)

        low, per_unit = np.zeros(3), np.zeros(3)
        number, steps = np.ones(3, index), np.zeros(3, index)
        bins = grid_of(fractional, real, margin, pbc, total, low, per_unit, number, steps)
        keys, starts, order = np.empty(total, index), np.empty(bins + 2, index), np.empty(total, integer)
        bin_keys(fractional, atoms, low, per_unit, number, keys)
        order_atoms(real, size(frame, 11, 0) > 0, keys, starts, order, source)
        source[atoms:] = 0
        offset[atoms:] = 0
        coordinates = np.empty((total, 3), dtype)
        for r in range(atoms):
            i = source[r]
            row_of_atom[i] = r
            for d in range(3):
                coordinates[r, d] = fractional[i, d]
                offset[r, d] = -wraps[i, d]
        needed = add_ghosts(real, margin, pbc, centers, source, offset, coordinates)
        count = min(needed, total)
        bin_keys(coordinates, count, low, per_unit, number, keys)
        for r in range(centers):
            if r >= atoms or not real[source[r]]:
                keys[r] = -1
        present = counting_sort(keys, count, starts, order)
        points, place = np.empty((3, present), dtype), np.empty(centers, index)
        sorted_positions(
            carray(argument(frame, 0), (atoms, 3), dtype), cell, source, offset, order[:present], points, place, centers
        )
        # the edges of a bin; orthogonal ones, so that gaps between bins add up as squares; the squared reach
        floats = np.zeros(8)
        for d in range(3):
            if per_unit[d] > 0.0:
                floats[d] = math.sqrt(cell[d, 0] ** 2 + cell[d, 1] ** 2 + cell[d, 2] ** 2) / per_unit[d]
            e = (d + 1) % 3
            floats[3] += abs(cell[d, 0] * cell[e, 0] + cell[d, 1] * cell[e, 1] + cell[d, 2] * cell[e, 2])
        floats[4] = reach[0] * reach[0]
        chunks = (centers + CHUNK - 1) // CHUNK
        most = np.zeros(chunks, index)
        payload = np.empty(12, index)
        payload[0], payload[1], payload[2], payload[3] = frame, present, bins, floats.ctypes.data
        payload[4], payload[5], payload[6] = points.ctypes.data, order.ctypes.data, place.ctypes.data
        payload[7], payload[8], payload[9] = keys.ctypes.data, starts.ctypes.data, number.ctypes.data
        payload[10], payload[11] = steps.ctypes.data, most.ctypes.data
        run_tasks(frame, task, payload.ctypes.data, chunks)
        largest = 0
        for chunk in range(chunks):
            largest = max(largest, most[chunk])
        report[0], report[1], report[2] = largest > capacity or needed > total, largest, needed

    return handler_of(kept(body, dtype), task_of(kept(work, dtype)))
