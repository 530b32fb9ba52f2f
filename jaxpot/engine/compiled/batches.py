"""Source code that evaluates the edges of a center in batches, for formulas with function calls or table look-ups.

The edges shorter than the cutoff are first collected in a scratch that stays in cache. Look-ups do not gain from vector
instructions, so they, and all lines that depend on them, are in a separate scalar loop, the function ``lookups``.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxpot.engine.compiled.lines import names_in
from jaxpot.engine.compiled.loop import (
    Loop,
    add_to,
    assignment,
    calls_functions,
    change_of_edge,
    edge,
    forces,
    indented,
    names_read,
    rate_of_edge,
    scalar_inputs,
    table_inputs,
)
from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["Scratch", "batches", "lookup_function", "lookup_lines"]

BATCH = 128  # edges of a center that are in the scratch at once


def lookup_lines(lines: Sequence[Line]) -> list[Line]:
    """Lines that look something up in a table, and those that depend on them."""
    found: list[Line] = []
    names: set[str] = set()
    for line in lines:
        if line.table is not None or calls_functions([line]) or names_in(line.text) & names:
            found.append(line)
            names.add(line.name)
    return found


class Scratch:
    """The arrays for the numbers of edges: columns of ``floats`` and of ``integers`` (also for booleans).

    Attributes:
        place: array and column of each name.
        floats: how many columns of floats there are.
        integers: how many columns of integers.
        wide: whether an integer needs 64 bits.
        passed: lines before the look-ups whose values the look-ups read; each has a column.
    """

    def __init__(self, loop: Loop, lookups: Sequence[Line]) -> None:
        self.place: dict[str, tuple[str, int]] = {}
        self.floats, self.integers, self.wide = 0, 0, False
        vector = ["dx", "dy", "dz"] if loop.forces or loop.directions else []
        for name in ["squared", *vector, *[f"wj{k}" for k in range(loop.weights)]]:
            self.add(name, loop.dtype)
        self.add("other", "int32")
        self.passed: list[Line] = []
        if not lookups:
            return
        names, read = {line.name for line in lookups}, names_read(lookups, loop.outputs)
        for name in ("r", "inverse", "rate"):
            if name in read or (name == "inverse" and loop.forces):
                self.add(name, loop.dtype)
        self.passed = [line for line in loop.lines if line.name in read and line.name not in names]
        for line in self.passed:
            self.add(line.name, line.dtype)
        for name in loop.coefficients:
            self.add(name, loop.dtype)

    def add(self, name: str, dtype: str) -> None:
        """Add a column for a value."""
        if dtype.startswith("float"):
            self.place[name] = ("floats", self.floats)
            self.floats += 1
        else:
            self.place[name] = ("integers", self.integers)
            self.integers += 1
            self.wide |= dtype in ("int64", "uint32")

    def at(self, name: str, index: str = "k") -> str:
        """The expression for a value of the edge ``index``."""
        array, column = self.place[name]
        return f"{array}[U({index}) + U({column * BATCH})]"

    def allocation(self) -> str:
        """The statement that allocates the arrays."""
        integer = "np.int64" if self.wide else "np.int32"
        return f"floats, integers = np.empty({self.floats * BATCH}, F), np.empty({self.integers * BATCH}, {integer})"


def lookup_function(loop: Loop, lookups: Sequence[Line], scratch: Scratch) -> list[str]:
    """The scalar loop over a batch of edges; it returns the sums and stores coefficients of forces in the scratch."""
    read = names_read(lookups, loop.outputs)
    dtypes = {line.name: line.dtype for line in loop.lines} | {"other": "int32"}
    body = [f"a{k} = F(0.0)" for k in range(loop.sums)] + ["for k in range(m):"]
    one = []
    for name in scratch.place:
        if name in read:
            value, dtype = scratch.at(name), dtypes.get(name, loop.dtype)
            exact = dtype.startswith("float") or (dtype == "int32" and not scratch.wide)
            one.append(f"{name} = {value if exact else value + ' != 0' if dtype == 'bool' else f'np.{dtype}({value})'}")
    one += [assignment(line) for line in lookups]
    one += [f"a{k} += {loop.outputs[k]}" for k in range(loop.sums)]
    one += [f"{scratch.at(n)} = {text}" for n, text in zip(loop.coefficients, loop.outputs[loop.sums :], strict=True)]
    found = ", ".join(f"a{k}" for k in range(loop.sums))
    body += [*indented(one), f"return ({found},)" if found else "return 0"]
    return [f"def lookups({', '.join(_arguments(loop))}):", *indented(body)]


def _arguments(loop: Loop) -> list[str]:
    names = ["m", "floats", "integers", "own", *[f"wi{k}" for k in range(loop.weights)]]
    return [*names, *[f"c{k}" for k in scalar_inputs(loop)], *[f"p{k}" for k in table_inputs(loop.lines)]]


def batches(loop: Loop, lookups: Sequence[Line], scratch: Scratch, with_species: bool) -> list[str]:
    """The loop over the edges of a center, one batch after another."""
    early = [line for line in loop.lines if line.name not in {line.name for line in lookups}]
    # collect the edges within the cutoff; an edge of length NaN is included, so that results become NaN
    one = edge(loop)
    one += [f"{scratch.at(name, 'm')} = {name}" for name in ("squared", "dx", "dy", "dz") if name in scratch.place]
    one += [f"{scratch.at(f'wj{k}', 'm')} = points[at + U({3 + k})]" for k in range(loop.weights)]
    one += [f"{scratch.at('other', 'm')} = species_of[row]"] if with_species else []
    one += ["m += not (squared >= limit)"]
    batch = ["m = 0", f"for k in range(begin, min(filled, begin + {BATCH})):", *indented(one)]

    vector = [f"d{d} = {scratch.at(f'd{d}')}" for d in "xyz" if f"d{d}" in scratch.place]
    moving = range(loop.weights - 3 * loop.directions, loop.weights)
    change = [*[f"wj{k} = {scratch.at(f'wj{k}')}" for k in moving], *change_of_edge(loop)]
    read = names_read(early, loop.outputs)
    pair = [f"squared = {scratch.at('squared')}", "r = math.sqrt(squared)", "inverse = ratio(F(1.0), r)"]
    pair += [f"wj{k} = {scratch.at(f'wj{k}')}" for k in range(moving.start) if f"wj{k}" in read]
    pair += [f"other = np.int32({scratch.at('other')})"] if "other" in read else []
    pair += [*vector, *change, *rate_of_edge(loop)] if loop.directions else []
    pair += [assignment(line) for line in early]
    if not lookups:
        pair += [add_to(f"a{k}", loop.outputs[k]) for k in range(loop.sums)]
        pair += [
            f"{n} = product({text}, inverse)"
            for n, text in zip(loop.coefficients, loop.outputs[loop.sums :], strict=True)
        ]
        pair += ([] if loop.directions else vector) + forces(loop) if loop.forces else []
        batch += ["for k in range(m):", *indented(pair)]
    else:
        pair += [f"{scratch.at(name)} = {name}" for name in ("r", "inverse", "rate") if name in scratch.place]
        pair += [f"{scratch.at(line.name)} = {line.name}" for line in scratch.passed]
        batch += ["for k in range(m):", *indented(pair)]
        batch += [f"partial = lookups({', '.join(_arguments(loop))})"]
        batch += [f"a{k} += partial[{k}]" for k in range(loop.sums)]
        if loop.forces:
            pair = [f"{n} = {scratch.at(n)} * {scratch.at('inverse')}" for n in loop.coefficients]
            batch += ["for k in range(m):", *indented([*pair, *vector, *change, *forces(loop)])]
    return [f"for begin in range(0, filled, {BATCH}):", *indented(batch)]
