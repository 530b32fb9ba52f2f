"""The choice of shapes: as few as possible, more where they save more padding than it takes to compile a program."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from jaxpot.batch.padding import Sizes

__all__ = ["COMPILING", "Shapes", "group"]

COMPILING = 1 << 20  # slots of neighbours that are evaluated in the time in which a program is compiled
DISTINCT = 64  # largest number of sizes that are merged pair by pair; more are first merged with adjacent ones
ROOM = 1.1  # ratio of the size of a new list to what it needs, so that the next lists fit too
GROWTH = 4  # ratio of the atoms of a new shape to those needed, where structures grow and padding costs little
UNNOTICED = 1 / 16  # part of a compilation that padding may cost in one evaluation, where structures grow


def group(sizes: Sequence[Sizes], max_shapes: int, evaluations: float = 1) -> list[tuple[Sizes, list[int]]]:
    """At most ``max_shapes`` shapes, smallest first, with the indices of their members.

    Work in slots of neighbours is counted for the padded structures, and as ``COMPILING`` slots for each shape. From
    all sizes on, the two shapes whose union wastes least are joined; the best of what comes by is chosen.

    Args:
        sizes: of the structures.
        max_shapes: the most shapes.
        evaluations: how often each structure will be evaluated.

    Returns:
        Each shape with its members.
    """
    by_size: dict[Sizes, list[int]] = {}
    for k, size in enumerate(sizes):
        by_size.setdefault(size, []).append(k)
    order = sorted(by_size)
    together = -(-len(order) // DISTINCT)
    groups = [order[k : k + together] for k in range(0, len(order), together)] if order else []
    members = [[m for size in some for m in by_size[size]] for some in groups]
    shapes = [Sizes(*np.max(some, axis=0).tolist()) for some in groups]
    alive = list(range(len(shapes)))
    waste = {(a, b): _waste(shapes, members, a, b) for a in alive for b in alive[:a]}
    best, least = alive, math.inf
    while alive:
        work = sum(shapes[k].cost * len(members[k]) for k in alive)
        cost = evaluations * work + COMPILING * len(alive)
        if len(alive) <= max_shapes and cost <= least:
            best, least = alive, cost
        if len(alive) == 1:
            break
        a, b = min(waste, key=waste.__getitem__)
        alive = [*(k for k in alive if k not in (a, b)), len(shapes)]
        shapes.append(_union(shapes[a], shapes[b]))
        members.append(members[b] + members[a])
        waste = {pair: lost for pair, lost in waste.items() if not {a, b} & set(pair)}
        waste |= {(alive[-1], k): _waste(shapes, members, alive[-1], k) for k in alive[:-1]}
    return sorted((shapes[k], sorted(members[k])) for k in best)


def _waste(shapes: Sequence[Sizes], members: Sequence[Sequence[int]], a: int, b: int) -> int:
    """The padding, in slots, that joining two shapes adds."""
    whole = _union(shapes[a], shapes[b]).cost
    return len(members[a]) * (whole - shapes[a].cost) + len(members[b]) * (whole - shapes[b].cost)


class Shapes:
    """The shapes of structures that come one after the other, such as those that a calculator is given.

    A structure takes the cheapest of the earlier shapes that it fits. It gets one of its own where the padding of
    all structures of its size so far has cost as much as a compilation; so at most twice the least is paid. Where no
    earlier shape is large enough, the new one has room for larger structures, unless padding is costly.

    Example:
        >>> from jaxpot.batch.padding import Sizes
        >>> shapes = Shapes()
        >>> found = {shapes.fitting(Sizes(atoms, 40, 0)) for atoms in range(2, 200)}
        >>> len(found)
        5
    """

    def __init__(self) -> None:
        self.known: list[Sizes] = []
        self._wasted: dict[Sizes, int] = {}

    def fitting(self, need: Sizes, evaluations: int = 1) -> Sizes:
        """A shape for a structure.

        Args:
            need: the sizes that it needs.
            evaluations: how often it will be evaluated, at least.

        Returns:
            The shape, which is at least as large.
        """
        own = Sizes(need.atoms, *(math.ceil(number * ROOM) for number in need[1:])).rounded()
        fitting = [shape for shape in self.known if _holds(shape, need)]
        if fitting:
            best = min(fitting, key=lambda shape: shape.cost)
            self._wasted[own] = self._wasted.get(own, 0) + evaluations * max(best.cost - own.cost, 0)
            return best if self._wasted[own] <= COMPILING else self._new(own)
        if self.known:
            before, whole = (functools.reduce(_union, known) for known in (self.known, (own, *self.known)))
            more = Sizes(GROWTH * whole.atoms, *(2 * n for n in whole[1:]))
            where_needed = Sizes(*(b if a == b else 2 * b for a, b in zip(before, whole, strict=True)))
            for larger in (more.rounded(), where_needed.rounded(), whole):
                if evaluations * (larger.cost - own.cost) <= UNNOTICED * COMPILING:
                    return self._new(larger)
        return self._new(own)

    def _new(self, shape: Sizes) -> Sizes:
        if shape not in self.known:
            self.known.append(shape)
        return shape


def _holds(shape: Sizes, need: Sizes) -> bool:
    return len(shape) == len(need) and all(have >= want for have, want in zip(shape, need, strict=True))


def _union(a: Sizes, b: Sizes) -> Sizes:
    return Sizes(*(max(pair) for pair in zip(a, b, strict=True)))
