"""The compiled cell list behind :mod:`jaxpot.neighbors.native`; importing this module imports numba.

Bins are about half as wide as the list's radius and contiguous along the third direction, so that each centre scans a
few contiguous stretches of coordinates sorted by bin. All loops are O(atoms).
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from jaxpot.numerics.native_calls import HANDLER, answers_metadata, argument, result

__all__ = ["build_list", "handler_of"]

CHUNK = 128  # centres handled by one task


@numba.njit(cache=True, nogil=True, error_model="numpy")
def grid_of(fractional, real, margin, pbc, total):  # type: ignore[no-untyped-def]
    """Lower end, bins per unit, number of bins and reach in bins, for each direction."""
    low = np.zeros(3)
    per_unit = np.zeros(3)
    number = np.ones(3, np.int64)
    steps = np.zeros(3, np.int64)
    width = np.zeros(3)
    for d in range(3):
        if pbc[d]:
            low[d], width[d] = -margin[d], 1.0 + 2.0 * margin[d]
        else:
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
    return low, per_unit, number, steps


@numba.njit(cache=True, nogil=True, error_model="numpy")
def bin_of(f0, f1, f2, low, per_unit, number):  # type: ignore[no-untyped-def]
    a = min(max(math.floor((f0 - low[0]) * per_unit[0]), 0), number[0] - 1)
    b = min(max(math.floor((f1 - low[1]) * per_unit[1]), 0), number[1] - 1)
    c = min(max(math.floor((f2 - low[2]) * per_unit[2]), 0), number[2] - 1)
    return (a * number[1] + b) * number[2] + c


@numba.njit(cache=True, nogil=True, error_model="numpy")
def counting_sort(keys, count, bins):  # type: ignore[no-untyped-def]
    """Start of each bin and the items in the order of their bins; a negative key is left out."""
    starts = np.zeros(bins + 1, np.int64)
    for i in range(count):
        if keys[i] >= 0:
            starts[keys[i] + 1] += 1
    for b in range(bins):
        starts[b + 1] += starts[b]
    place = starts[:-1].copy()
    order = np.empty(starts[bins], np.int32)
    for i in range(count):
        if keys[i] >= 0:
            order[place[keys[i]]] = i
            place[keys[i]] += 1
    return starts, order


@numba.njit(cache=True, nogil=True, error_model="numpy")
def make_rows(fractional, wraps, real, margin, pbc, sizes, source, offset, row_of_atom, low, per_unit, number):  # type: ignore[no-untyped-def]
    """Centres and ghosts: fills source, offset and row_of_atom; returns fractional coordinates and the rows needed."""
    atoms, centers, rows = sizes[0], sizes[1], sizes[3]
    keys = np.empty(atoms, np.int64)
    for i in range(atoms):
        keys[i] = bin_of(fractional[i, 0], fractional[i, 1], fractional[i, 2], low, per_unit, number) if real[i] else -1
    source[:] = 0
    offset[:] = 0
    if sizes[4]:
        order = counting_sort(keys, atoms, number[0] * number[1] * number[2])[1]
        place = order.shape[0]
        for r in range(place):
            source[r] = order[r]
        for i in range(atoms):
            if not real[i]:
                source[place] = i
                place += 1
    else:
        for i in range(atoms):
            source[i] = i
    coordinates = np.empty((rows, 3))
    for r in range(atoms):
        i = source[r]
        row_of_atom[i] = r
        for d in range(3):
            coordinates[r, d] = fractional[i, d]
            offset[r, d] = -wraps[i, d]
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
                if r < centers and (r >= atoms or not real[source[r]]):
                    continue
                f = coordinates[r, d] + s
                if f < -margin[d] or f > 1.0 + margin[d]:
                    continue
                if needed < rows:
                    source[needed] = source[r]
                    for e in range(3):
                        coordinates[needed, e] = coordinates[r, e]
                        offset[needed, e] = offset[r, e]
                    coordinates[needed, d] = f
                    offset[needed, d] += s
                needed += 1
    return coordinates, needed


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def search_rows(  # type: ignore[no-untyped-def]
    x, y, z, order, place, keys, starts, number, steps, low, per_unit, full, sizes, reach, rows
):
    """Fill the neighbours of every centre; returns the largest number found.

    ``x, y, z`` are the rows sorted by bins and ``order`` their numbers; ``place`` is where a centre stands among them.
    """
    atoms, centers, capacity, total = sizes[0], sizes[1], sizes[2], sizes[3]
    squared = reach[0] * reach[0]
    # the edges of a bin, and whether they are orthogonal, so that gaps between bins add up as squares
    edge = np.zeros(3)
    for d in range(3):
        if per_unit[d] > 0.0:
            edge[d] = math.sqrt(full[d, 0] ** 2 + full[d, 1] ** 2 + full[d, 2] ** 2) / per_unit[d]
    skew = 0.0
    for d in range(3):
        e = (d + 1) % 3
        skew += abs(full[d, 0] * full[e, 0] + full[d, 1] * full[e, 1] + full[d, 2] * full[e, 2])
    orthogonal = skew == 0.0
    chunks = (centers + CHUNK - 1) // CHUNK
    most = np.zeros(chunks, np.int64)
    for chunk in numba.prange(chunks):
        found = np.empty(capacity + 1, np.int32)
        for r in range(chunk * CHUNK, min(centers, (chunk + 1) * CHUNK)):
            n = 0
            if r < atoms and keys[r] >= 0:
                own = place[r]
                xi, yi, zi = x[own], y[own], z[own]
                bc = keys[r] % number[2]
                bb = keys[r] // number[2] % number[1]
                ba = keys[r] // (number[2] * number[1])
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
                        begin, end = starts[column + first], starts[column + last + 1]
                        for k in range(begin, end):
                            dx, dy, dz = x[k] - xi, y[k] - yi, z[k] - zi
                            found[min(n, capacity)] = order[k]
                            n += (dx * dx + dy * dy + dz * dz < squared) & (k != own)
            most[chunk] = max(most[chunk], n)
            n = min(n, capacity)
            for k in range(n):
                rows[r, k] = found[k]
            for k in range(n, capacity):
                rows[r, k] = total
    largest = 0
    for chunk in range(chunks):
        largest = max(largest, most[chunk])
    return largest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def build_list(  # type: ignore[no-untyped-def]
    positions,
    fractional,
    wraps,
    real,
    full,
    margin,
    pbc,
    sizes,
    reach,
    rows,
    source,
    offset,
    row_of_atom,
    report,
):
    """Fill the arrays of a list. ``report``: whether it overflowed, neighbours needed, rows needed."""
    atoms, centers, capacity, total = sizes[0], sizes[1], sizes[2], sizes[3]
    low, per_unit, number, steps = grid_of(fractional, real, margin, pbc, total)
    coordinates, needed = make_rows(
        fractional, wraps, real, margin, pbc, sizes, source, offset, row_of_atom, low, per_unit, number
    )
    count = min(needed, total)
    bins = number[0] * number[1] * number[2]
    keys = np.empty(count, np.int64)
    for r in range(count):
        if r < centers and (r >= atoms or not real[source[r]]):
            keys[r] = -1
        else:
            keys[r] = bin_of(coordinates[r, 0], coordinates[r, 1], coordinates[r, 2], low, per_unit, number)
    starts, order = counting_sort(keys, count, bins)
    x = np.empty(order.shape[0], positions.dtype)
    y = np.empty(order.shape[0], positions.dtype)
    z = np.empty(order.shape[0], positions.dtype)
    place = np.empty(centers, np.int64)
    for k in range(order.shape[0]):
        r = order[k]
        i = source[r]
        a, b, c = offset[r, 0], offset[r, 1], offset[r, 2]
        x[k] = positions[i, 0] + (a * full[0, 0] + b * full[1, 0] + c * full[2, 0])
        y[k] = positions[i, 1] + (a * full[0, 1] + b * full[1, 1] + c * full[2, 1])
        z[k] = positions[i, 2] + (a * full[0, 2] + b * full[1, 2] + c * full[2, 2])
        if r < centers:
            place[r] = k
    most = search_rows(x, y, z, order, place, keys, starts, number, steps, low, per_unit, full, sizes, reach, rows)
    report[1] = most
    report[2] = needed
    report[0] = (most > capacity) or (needed > total)


def handler_of(dtype: Any) -> Any:
    """The function that XLA calls for positions of a dtype."""

    @numba.cfunc(HANDLER, cache=True)
    def handler(frame):  # type: ignore[no-untyped-def]
        if answers_metadata(frame):
            return 0
        sizes = numba.carray(argument(frame, 7), (5,), np.int32)
        atoms, centers, capacity, total = sizes[0], sizes[1], sizes[2], sizes[3]
        build_list(
            numba.carray(argument(frame, 0), (atoms, 3), dtype),
            numba.carray(argument(frame, 1), (atoms, 3), dtype),
            numba.carray(argument(frame, 2), (atoms, 3), np.int32),
            numba.carray(argument(frame, 3), (atoms,), np.int32),
            numba.carray(argument(frame, 4), (3, 3), dtype),
            numba.carray(argument(frame, 5), (3,), dtype),
            numba.carray(argument(frame, 6), (3,), np.int32),
            sizes,
            numba.carray(argument(frame, 8), (1,), dtype),
            numba.carray(result(frame, 0), (centers, capacity), np.int32),
            numba.carray(result(frame, 1), (total,), np.int32),
            numba.carray(result(frame, 2), (total, 3), np.int32),
            numba.carray(result(frame, 3), (atoms,), np.int32),
            numba.carray(result(frame, 4), (3,), np.int32),
        )
        return 0

    return handler
