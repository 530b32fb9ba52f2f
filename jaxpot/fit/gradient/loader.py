"""Batches of labelled structures, from arrays in memory or in memory-mapped files."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxpot.fit.gradient.data import Examples, TrainingData

__all__ = ["Loader"]


class Loader:
    """Yields batches of one shape each, in an order that depends on seed and epoch only.

    Args:
        data: the structures.
        batch_size: structures in a batch; fewer where a shape has fewer.
        divisor: number of devices, by which the size of every batch is divisible.
        place: function that puts a batch onto the devices.
        resident: whether all structures stay on the device; otherwise each batch is copied there. By default they stay
            for a single device and data in memory. NumPy gathers the batches of a CPU, without compiling.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        divisor: int = 1,
        place: Callable[[Examples], Examples] | None = None,
        resident: bool | None = None,
    ) -> None:
        self.data, self.divisor = data, divisor
        self.sizes = [min(batch_size, math.ceil(len(b) / divisor) * divisor) for b in data.buckets]
        self.place = place or (lambda batch: jax.tree.map(jax.device_put, batch))
        self.resident = (divisor == 1 and not data.on_disk) if resident is None else resident
        on_host = not self.resident or jax.default_backend() == "cpu"
        self._kept = data.buckets if on_host else [jax.device_put(b) for b in data.buckets]
        self._take = _filled if on_host else jax.jit(_filled)

    def __len__(self) -> int:
        return sum(math.ceil(len(b) / size) for b, size in zip(self.data.buckets, self.sizes, strict=True))

    def plan(self, seed: int | None, epoch: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(bucket, places, which are real rather than copies) of each batch; in the order of the data for seed None."""
        random = None if seed is None else np.random.default_rng((seed, epoch))
        batches = []
        for b, (bucket, size) in enumerate(zip(self.data.buckets, self.sizes, strict=True)):
            order = np.arange(len(bucket)) if random is None else random.permutation(len(bucket))
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                real = np.arange(size) < len(chosen)
                batches.append((b, np.resize(chosen, size).astype(np.int32), real))
        return batches if random is None else [batches[k] for k in random.permutation(len(batches))]

    def batches(self, seed: int | None = None, epoch: int = 0) -> Iterator[Examples]:
        """Yields the batches of an epoch; the next one is read while the caller computes with the last.

        Args:
            seed: seed of the order; None keeps the order of the data.
            epoch: number of the epoch; each epoch has its own order.
        """
        plan = self.plan(seed, epoch)
        if self.resident:
            yield from (self._take(self._kept[b], chosen, real) for b, chosen, real in plan)
            return
        from concurrent.futures import ThreadPoolExecutor

        def fetch(one: tuple[int, np.ndarray, np.ndarray]) -> Examples:
            b, chosen, real = one
            return self.place(_filled(self._kept[b], chosen, real))

        with ThreadPoolExecutor(1) as reader:
            ahead = None
            for one in plan:
                coming = reader.submit(fetch, one)
                if ahead is not None:
                    yield ahead.result()
                ahead = coming
            if ahead is not None:
                yield ahead.result()


def _filled(bucket: Examples, chosen: Any, real: Any) -> Examples:
    batch = bucket.take(chosen)
    return dataclasses.replace(batch, weight=batch.weight * real.astype(batch.weight.dtype))
