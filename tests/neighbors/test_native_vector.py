"""The vector instructions of the compiled cell list against numpy."""

from __future__ import annotations

import numpy as np
import pytest

numba = pytest.importorskip("numba")
from jaxpot.neighbors import native_vector  # noqa: E402


@pytest.mark.parametrize("writer", [native_vector.write_compressed, native_vector.write_one_by_one])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_candidates_within_the_radius_are_written_in_their_order(writer, dtype):
    lanes, room, count = native_vector.LANES, 512, 300
    random = np.random.default_rng(0)

    @numba.njit
    def chosen(near, point, squared, labels, found):
        n = 0
        for k in range(0, count, lanes):
            n = writer(native_vector.closer(near, room, k, point[0], point[1], point[2], squared), labels, k, found, n)
        return n

    labels = random.permutation(room).astype(np.int32)
    for radius in (0.0, 0.4, 3.0):  # none, some, all
        near = random.random((3, room)).astype(dtype)
        near[:, 7] = np.nan
        near[0, count:] = np.inf
        point, found = random.random(3).astype(dtype), np.empty(room + 16, np.int32)
        distances = np.linalg.norm(near[:, :count].astype(float) - point.astype(float)[:, None], axis=0)
        n = chosen(near.ravel(), point, dtype(radius**2), labels, found)
        assert found[:n].tolist() == labels[:count][distances < radius].tolist()
