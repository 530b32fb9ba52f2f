"""The choice of shapes: little padding, few compilations, and never more than a limit."""

from __future__ import annotations

import itertools

import numpy as np

from jaxpot.batch.padding import Sizes, round_up
from jaxpot.batch.shapes import COMPILING, Shapes, group


def test_sizes_are_rounded_by_at_most_an_eighth_to_few_values() -> None:
    values = [round_up(n) for n in range(1, 5000)]
    assert all(n <= v <= 1.125 * n for n, v in enumerate(values, start=1))
    assert values[:16] == list(range(1, 17))
    assert len(set(values)) < 90
    assert all(round_up(v) == v for v in values)
    assert round_up(0) == 0


def test_grouping_wastes_little_and_keeps_to_the_limit() -> None:
    rng = np.random.default_rng(0)
    sizes = [Sizes(*(int(round_up(n)) for n in row)) for row in rng.integers(1, 200, size=(400, 3))]
    for limit in (1, 2, 5):
        shapes = group(sizes, limit)
        assert len(shapes) <= limit
        assert sorted(k for _, members in shapes for k in members) == list(range(400))
        for shape, members in shapes:
            for k in members:
                assert all(have >= need for have, need in zip(shape, sizes[k], strict=True))
    clusters = [Sizes(8, 20, 0)] * 50 + [Sizes(9, 22, 0)] * 50 + [Sizes(100, 60, 0)] * 3
    assert [len(members) for _, members in group(clusters, 2, evaluations=100)] == [100, 3]
    few = [Sizes(*row) for row in itertools.product((4, 40), (10, 30), (0,))]
    assert group(few, 4, evaluations=1e6) == [(size, [k]) for k, size in enumerate(few)]


def test_another_shape_pays_where_it_saves_more_padding_than_it_takes_to_compile() -> None:
    small, large = Sizes(10, 50, 0), Sizes(100, 50, 0)
    members = 2 * COMPILING // (large.cost - small.cost)
    assert len(group([small] * members + [large], 4)) == 2
    assert len(group([small] * (members // 4) + [large], 4)) == 1
    assert len(group([small] * (members // 4) + [large], 4, evaluations=4)) == 2
    assert len(group([small] * members + [large], 1)) == 1
    assert group([], 4) == []


def test_shapes_of_a_sequence_cost_at_most_a_compilation_more_than_they_save() -> None:
    shapes, small, large = Shapes(), Sizes(10, 50, 0), Sizes(100, 50, 0)
    first = shapes.fitting(large)
    assert all(have >= need for have, need in zip(first, large, strict=True))
    padded = 0
    while (found := shapes.fitting(small)) == first:
        padded += first.cost - small.cost
    assert COMPILING < padded < 1.1 * COMPILING
    assert found.cost < 1.3 * small.cost
    assert shapes.fitting(small) == found
    assert shapes.fitting(large) == first
    assert len({shapes.fitting(Sizes(atoms, 40, 0)) for atoms in range(2, 200)} - {first, found}) <= 2
