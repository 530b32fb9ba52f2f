"""Source code that evaluates the edges of a center in vector instructions alone, where the processor can collect edges.

The edges shorter than the cutoff are collected first, several at a time, in a scratch that stays in cache
(:mod:`jaxpot.numerics.native_edges`). Its last places are filled up with edges as long as the cutoff, which count as
outside. Lines of tables are looked up for several edges at a time too, before the lines that read them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from jaxpot.engine.compiled.lines import names_in
from jaxpot.engine.compiled.loop import (
    Loop,
    add_to,
    assignment,
    calls_functions,
    change_of_edge,
    forces,
    indented,
    names_read,
    rate_of_edge,
)
from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["Vectors", "vectors_of"]

BATCH = 128  # edges of a center that are in the scratch at once
PITCH = BATCH + 16  # between columns of the scratch: room for the vector that fills up the last edges
LINE = re.compile(r"U\((?P<place>.*)\) \* U\((?P<count>\d+)\) \+ U\((?P<column>\d+)\)")


class Lookup(NamedTuple):
    """A place in a table that several lines read.

    Attributes:
        table: number of the input.
        place: expression of the line's number.
        numbers: of a line.
        floats: column of the scratch that holds the line's first numbers.
        integers: column that holds the places.
    """

    table: int
    place: str
    numbers: int
    floats: int
    integers: int


class Vectors(NamedTuple):
    """The scratch of a loop, and its lines in two parts.

    Attributes:
        loop: the computation.
        kept: columns of the values that are collected, with their names.
        row: whether the rows of the neighbours are collected, for the species.
        early: lines on which places in tables depend.
        late: all other lines.
        passed: names of early values that late lines read, with their columns in ``floats`` or ``integers``.
        lookups: lines of tables.
        floats: number of columns of floats.
        integers: number of columns of integers.
    """

    loop: Loop
    kept: tuple[tuple[str, int], ...]
    row: bool
    early: tuple[Line, ...]
    late: tuple[Line, ...]
    passed: tuple[tuple[str, str, int], ...]
    lookups: tuple[Lookup, ...]
    floats: int
    integers: int

    @property
    def lanes(self) -> int:
        """Edges that are handled at once."""
        return 64 // np.dtype(self.loop.dtype).itemsize

    def preamble(self) -> list[str]:
        """Statements that make the operations with which edges are collected and lines of tables looked up."""
        columns = tuple((name, column * PITCH) for name, column in self.kept)
        text = [f"collect = collector(F, {self.loop.stride}, {columns!r}, {0 if self.row else None})"]
        return text + [f"fetch{n} = fetcher(F, {n})" for n in sorted({one.numbers for one in self.lookups})]

    def allocation(self) -> list[str]:
        """Statements that allocate the scratch; no place of it is without a number."""
        return [
            f"floats, integers = np.zeros({self.floats * PITCH}, F), np.zeros({self.integers * PITCH}, np.int32)",
            f"last = np.zeros({self.lanes}, np.int32)",
            "slots = carray(argument(frame, 3), (centers * capacity,), np.int32)",
        ]

    def batches(self) -> list[str]:
        """The loop over the edges of a center, one batch after another."""
        batch = self._collected()
        if self.lookups:
            batch += ["for k in range(up):", *indented(self._early())]
            batch += [f"for k in range(0, up, {self.lanes}):"]
            batch += [
                f"    fetch{one.numbers}(p{one.table}, integers, k + {one.integers * PITCH}, floats, "
                f"k + {one.floats * PITCH}, {PITCH})"
                for one in self.lookups
            ]
        batch += ["for k in range(up):", *indented(self._late())]
        # an empty slot holds the number of the row that is far away from all
        text = ["begin = 0", "while begin < capacity and slots[i * capacity + begin] < total:", *indented(batch)]
        return [*text, f"    begin += {BATCH}"]

    def _collected(self) -> list[str]:
        lanes = self.lanes
        call = "m = collect({}, points, xi, yi, zi, limit, floats, integers, m)"
        text = [f"m, k, end = 0, i * capacity + begin, i * capacity + min(capacity, begin + {BATCH})"]
        text += [f"while k + {lanes} <= end and slots[k] < total:"]
        text += ["    " + call.format(f"slots, k, {lanes}"), f"    k += {lanes}"]
        text += [f"if k < end and k + {lanes} > end and slots[k] < total:", "    for n in range(end - k):"]
        text += ["        last[n] = slots[k + n]", "    " + call.format("last, 0, end - k")]
        text += [
            f"filler(floats, m + {column * PITCH}, {'limit' if name == 'squared' else 'F(0.0)'})"
            for name, column in self.kept
        ]
        if self.row:
            text += ["filler(integers, m, np.int32(0))"]
        return [*text, f"up = (m + {lanes - 1}) // {lanes} * {lanes}"]

    def _edge(self) -> list[str]:
        """Statements for what all lines may read."""
        loop = self.loop
        read = names_read(loop.lines, loop.outputs)
        text = [f"{name} = floats[U(k) + U({column * PITCH})]" for name, column in self.kept]
        text += ["inside = not (squared >= limit)", "r = math.sqrt(squared)", "inverse = ratio(F(1.0), r)"]
        text += ["other = species_of[U(integers[U(k)])]"] if "other" in read else []
        return [*text, *change_of_edge(loop), *rate_of_edge(loop)]

    def _early(self) -> list[str]:
        text = [*self._edge(), *[assignment(line) for line in self.early]]
        text += [f"integers[U(k) + U({one.integers * PITCH})] = np.int32({one.place})" for one in self.lookups]
        return text + [f"{array}[U(k) + U({column * PITCH})] = {name}" for name, array, column in self.passed]

    def _late(self) -> list[str]:
        loop, text = self.loop, self._edge()
        text += [f"{name} = {array}[U(k) + U({column * PITCH})]" for name, array, column in self.passed]
        columns = {(one.table, one.place): one.floats for one in self.lookups}
        for line in self.late:
            found = LINE.fullmatch(line.text) if line.table is not None else None
            if found is not None:
                column = columns[line.table or 0, found["place"]] + int(found["column"])
                text += [f"{line.name} = floats[U(k) + U({column * PITCH})]"]
            else:
                text += [assignment(line)]
        text += [add_to(f"a{k}", f"choose(inside, {loop.outputs[k]}, F(0.0))") for k in range(loop.sums)]
        for name, output in zip(loop.coefficients, loop.outputs[loop.sums :], strict=True):
            text += [f"{name} = choose(inside, product({output}, inverse), F(0.0))"]
        return text + (forces(loop) if loop.forces else [])


def vectors_of(loop: Loop) -> Vectors | None:
    """How a loop is evaluated in vector instructions alone; None where it cannot be."""
    tables = [line for line in loop.lines if line.table is not None and LINE.fullmatch(line.text)]
    if calls_functions(loop.lines):
        return None
    names, needed = {line.name for line in tables}, set[str]()
    for line in tables:
        needed |= names_in(line.text)
    early: list[Line] = []
    for line in reversed(loop.lines):
        if line.name in needed:
            early.append(line)
            needed |= names_in(line.text)
    if names & needed:  # a table's place depends on what is found in a table
        return None
    early.reverse()
    late = [line for line in loop.lines if line not in early]
    vector = ("dx", "dy", "dz") if loop.forces or loop.directions else ()
    kept = ("squared", *vector, *[f"wj{k}" for k in range(loop.weights)])
    row = "other" in names_read(loop.lines, loop.outputs)
    floats, integers, passed = len(kept), int(row), []
    read = names_read(late, loop.outputs)
    for line in early:
        if line.name in read and line.name not in names:
            if line.dtype == loop.dtype:
                passed.append((line.name, "floats", floats))
                floats += 1
            elif line.dtype == "int32":
                passed.append((line.name, "integers", integers))
                integers += 1
            else:
                return None
    lookups: dict[tuple[int, str], Lookup] = {}
    for line in tables:
        found = LINE.fullmatch(line.text)
        assert found is not None and line.table is not None
        count, key = int(found["count"]), (line.table, found["place"])
        if count % 4 or loop.inputs[line.table][0] != loop.dtype:
            return None
        if key not in lookups:
            lookups[key] = Lookup(*key, count, floats, integers)
            floats, integers = floats + count, integers + 1
    columns = tuple((name, k) for k, name in enumerate(kept))
    return Vectors(
        loop, columns, row, tuple(early), tuple(late), tuple(passed), tuple(lookups.values()), floats, max(integers, 1)
    )
