"""Bins, images and candidates of the compiled cell list; importing this module imports numba."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numba
import numpy as np

from jaxpot.neighbors.native_vector import LANES, VECTOR_FINGERPRINT, copy_lanes

__all__ = [
    "GRID_FINGERPRINT",
    "add_images",
    "bin_keys",
    "candidates",
    "columns_around",
    "compiled",
    "counting_sort",
    "grid_of",
    "order_atoms",
    "place_atoms",
    "sorted_positions",
]

# numba caches these functions as part of callers in other files, and does not notice when this file changes
GRID_FINGERPRINT = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8] + VECTOR_FINGERPRINT

compiled = numba.njit(nogil=True, error_model="numpy")


@compiled
def grid_of(fractional, real, margin, pbc, total, low, per_unit, number, steps):  # type: ignore[no-untyped-def]
    """Set the lower end, bins per unit, number of bins and reach in bins of each direction; returns the total bins."""
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
    # in a dilute system, widen the bins, so that they do not outnumber the atoms
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
    """Set ``keys`` to the bin of each row."""
    for r in range(count):
        key = 0
        for d in range(3):
            place = math.floor((coordinates[r, d] - low[d]) * per_unit[d])
            key = key * number[d] + min(max(place, 0), number[d] - 1)
        keys[r] = key


@compiled
def counting_sort(keys, count, starts, order):  # type: ignore[no-untyped-def]
    """Set the start of each bin and the rows in the order of their bins; rows with a negative key are left out.

    Returns the number of sorted rows.
    """
    starts[:] = 0
    for i in range(count):
        if keys[i] >= 0:
            starts[keys[i] + 2] += 1
    for b in range(2, starts.shape[0]):
        starts[b] += starts[b - 1]
    # starts[b + 1] counts up through the rows of bin b, and ends as the start of bin b + 1
    for i in range(count):
        if keys[i] >= 0:
            order[starts[keys[i] + 1]] = i
            starts[keys[i] + 1] += 1
    return starts[starts.shape[0] - 1]


@compiled
def order_atoms(real, sort, keys, starts, order):  # type: ignore[no-untyped-def]
    """Set ``order`` to the atoms sorted by bin, padded atoms last; without ``sort``, to the atoms in given order."""
    atoms = real.shape[0]
    if not sort:
        for i in range(atoms):
            order[i] = i
        return
    for i in range(atoms):
        if not real[i]:
            keys[i] = -1
    place = counting_sort(keys, atoms, starts, order)
    for i in range(atoms):
        if not real[i]:
            order[place] = i
            place += 1


@compiled
def place_atoms(  # type: ignore[no-untyped-def]
    real, is_center, fractional, wraps, order, centers, others, source, offset, row_of_atom, coordinates, held
):
    """Set the rows of the centers and, after them, of the other atoms; returns whether there was room for all."""
    center, other = 0, centers
    for k in range(real.shape[0]):
        i = order[k]
        if is_center[i]:
            r = min(center, centers - 1)
            center += 1
        else:
            r = min(other, centers + others - 1)
            other += 1
        source[r], row_of_atom[i], held[r] = i, r, real[i]
        for d in range(3):
            coordinates[r, d] = fractional[i, d]
            offset[r, d] = -wraps[i, d]
    return center <= centers and other <= centers + others


@compiled
def add_images(margin, pbc, atom_rows, source, offset, coordinates, held):  # type: ignore[no-untyped-def]
    """Add rows for the images within the margin around the cell, one direction after the other.

    Returns the number of rows that are needed, which may be more than there is room for.
    """
    rows = source.shape[0]
    needed = atom_rows
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
                if r < atom_rows and not held[r]:
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
def sorted_positions(positions, cell, source, offset, order, count, points, place, centers):  # type: ignore[no-untyped-def]
    """Set all x, all y and all z of the rows in the order of the bins, and the place of each center in that order."""
    stride = points.shape[0] // 3
    for k in range(count):
        r = order[k]
        i = source[r]
        for e in range(3):
            shift = offset[r, 0] * cell[0, e] + offset[r, 1] * cell[1, e] + offset[r, 2] * cell[2, e]
            points[e * stride + k] = positions[i, e] + shift
        if r < centers:
            place[r] = k


@compiled
def columns_around(number, steps, edge, squared, columns):  # type: ignore[no-untyped-def]
    """Set the columns of bins, along the third direction, that hold neighbours of a bin's atoms; returns their number.

    A column is given by its steps in the first two directions, and by how many bins of it are within reach on either
    side.
    """
    count = 0
    for a in range(-steps[0], steps[0] + 1):
        for b in range(-steps[1], steps[1] + 1):
            depth = steps[2]
            if edge[3] == 0.0:
                gap_a, gap_b = max(abs(a) - 1, 0) * edge[0], max(abs(b) - 1, 0) * edge[1]
                left = squared - 0.999 * (gap_a * gap_a + gap_b * gap_b)
                if left <= 0.0:
                    continue
                if edge[2] > 0.0:
                    depth = min(depth, int(math.sqrt(left) / edge[2]) + 1)
            columns[count, 0], columns[count, 1], columns[count, 2] = a, b, depth
            count += 1
    return count


@compiled
def candidates(first, last, points, order, starts, number, columns, near, near_row):  # type: ignore[no-untyped-def]
    """Write the coordinates and numbers of the rows near the bins first ... last of a column, as far as there is room.

    Returns how many there are, and where the first of all sorted rows would be, if those of the bins themselves are at
    their places.
    """
    room, stride = near_row.shape[0], points.shape[0] // 3
    column, low = first // number[2], first % number[2]
    high = low + last - first
    own_a, own_b = column // number[1], column % number[1]
    count, home = 0, 0
    for c in range(columns.shape[0]):
        a, b, depth = own_a + columns[c, 0], own_b + columns[c, 1], columns[c, 2]
        if a < 0 or a >= number[0] or b < 0 or b >= number[1]:
            continue
        bin_before = (a * number[1] + b) * number[2]
        begin = starts[bin_before + max(low - depth, 0)]
        length = starts[bin_before + min(high + depth, number[2] - 1) + 1] - begin
        if a == own_a and b == own_b:
            home = count - begin
        if count + length + LANES <= room:
            for d in range(3):
                copy_lanes(points, d * stride + begin, near, d * room + count, length)
            copy_lanes(order, begin, near_row, count, length)
        count += length
    return count, home
