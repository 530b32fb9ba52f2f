"""Batches of labelled structures, from memory or from memory-mapped files."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.fit.gradient.data import Examples, TrainingData

__all__ = ["Loader"]


class Loader:
    """Batches of one shape each, in an order that the seed and the epoch alone decide.

    Args:
        data: the structures.
        batch_size: structures of a batch; smaller where a shape has fewer.
        divisor: number that every batch must be divisible by, that of the devices.
        place: puts a batch onto the devices.
        resident: whether all structures are kept on the device; else each batch is copied there.
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
        self._kept = [jax.tree.map(jnp.asarray, b) for b in data.buckets] if self.resident else data.buckets
        self._take = jax.jit(_filled)

    def __len__(self) -> int:
        return sum(math.ceil(len(b) / size) for b, size in zip(self.data.buckets, self.sizes, strict=True))

    def plan(self, seed: int | None, epoch: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(bucket, places, which of them are no filling) of each batch; in the given order where ``seed`` is None."""
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
        """The batches of an epoch, one after another; the next is fetched while the last is computed with.

        Args:
            seed: of the order; None keeps that of the data.
            epoch: counts the passes; each has an order of its own.
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
