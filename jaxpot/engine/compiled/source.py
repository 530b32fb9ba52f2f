"""The loop over pairs around the scalar code of a formula, as Python source for numba.

A formula that is plain arithmetic runs over all slots of a centre in vector instructions, with factors for masks. For
one that calls functions or reads tables, the edges shorter than the cutoff are first brought together in a scratch
that stays in cache. Look-ups in tables cannot be vectorised with profit: they, and what depends on them, come in a loop
of their own, from tables whose columns that are read together lie together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from jaxpot.engine.compiled.lines import names_in
from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["CENTERS", "ROWS", "Loop", "source_of"]

CENTERS = 64  # centres of one task
ROWS = 1024  # rows of one task
EDGES = 128  # edges of a centre that are in the scratch at once
VIRIAL = (("x", "x"), ("y", "y"), ("z", "z"), ("y", "z"), ("x", "z"), ("x", "y"))
DEAR = re.compile(r"math\.(?!sqrt|nan|inf)|\*\*")  # calls that are not a vector instruction


class Loop(NamedTuple):
    """What a loop does; all of it is static.

    Attributes:
        lines: scalar code of a pair.
        outputs: expressions of what a pair adds to each sum; then, if there are forces, of what times the edge's unit
            vector they are, and with directions of what times the unit vector's change.
        forces: whether there are.
        directions: whether the last three weights are a direction in which each atom moves; the formula may then read
            ``rate``, by which the edge grows, and there are no virials.
        weights: how many numbers of both atoms of a pair the formula needs.
        inputs: dtype, size and columns of each array that XLA passes.
        dtype: of positions and results.
        cutoff: Å.
    """

    lines: tuple[Line, ...]
    outputs: tuple[str, ...]
    forces: bool
    directions: bool
    weights: int
    inputs: tuple[tuple[str, int, int], ...]
    dtype: str
    cutoff: float

    @property
    def sums(self) -> int:
        """How many sums over neighbours there are."""
        return len(self.outputs) - self.forces * (1 + self.directions)

    @property
    def virial(self) -> tuple[tuple[str, str], ...]:
        """Components of the virial that are summed."""
        return VIRIAL if self.forces and not self.directions else ()

    @property
    def results(self) -> int:
        """How many results come before the scratch."""
        return self.sums + self.forces + bool(self.virial)

    @property
    def pulls(self) -> tuple[str, ...]:
        """Names of what forces are made of."""
        return ("pull", "swing")[: len(self.outputs) - self.sums]

    @property
    def stride(self) -> int:
        """Numbers kept of a row: its coordinates and weights, rounded up to a power of two."""
        return 1 << (3 + self.weights - 1).bit_length()


def source_of(loop: Loop) -> str:
    """Source of ``gather_rows`` and ``work``, the pieces of a call, and of ``body`` that shares them among threads.

    The first arguments of the call are positions [atoms, 3], species [atoms], cell [3, 3], and of the list rows
    [centers, capacity], source [rows], offset [rows, 3] and row_of_atom [atoms]; then weights [atoms] each and inputs.
    The results: sums [atoms] each; with forces those [atoms, 3] and virials [tasks, 6]; a scratch of the coordinates
    and weights of the rows, and one of their species.
    """
    late = _late(loop.lines)
    needed = set().union(*(names_in(line.text) for line in loop.lines), *map(names_in, loop.outputs))
    with_species = bool(needed & {"own", "other"})
    text = _gather_rows(loop, with_species)
    if late:
        text += _late_loop(loop, late, needed)
    text += _work(loop, late, with_species)
    text += [
        "def body(frame, gather_task, task):",
        f"    share(frame, gather_task, frame, (size(frame, 4, 0) + {ROWS - 1}) // {ROWS})",
        f"    share(frame, task, frame, (size(frame, 0, 0) + {CENTERS - 1}) // {CENTERS})",
    ]
    return "\n".join(text) + "\n"


def _late(lines: Sequence[Line]) -> list[Line]:
    """Lines that look something up in a table, and those that depend on them."""
    found: dict[str, Line] = {}
    for line in lines:
        if line.table is not None or names_in(line.text) & found.keys():
            # a division is what a scalar loop waits for
            found[line.name] = line._replace(text=re.sub(r"/ r\)", "* inverse)", line.text))
    return list(found.values())


def _inputs(loop: Loop) -> list[str]:
    """The arrays of a call that both pieces read."""
    text = ["atoms, total = size(frame, 0, 0), size(frame, 4, 0)"]
    text += ["source = carray(argument(frame, 4), (total,), np.int32)"]
    text += [f"rec = carray(result(frame, {loop.results}), (total * {loop.stride},), F)"]
    text += [f"species_of = carray(result(frame, {loop.results + 1}), (total,), np.int32)"]
    return text


def _gather_rows(loop: Loop, with_species: bool) -> list[str]:
    body = ["frame = payload", *_inputs(loop)]
    body += ["positions = carray(argument(frame, 0), (atoms, 3), F)"]
    body += ["species = carray(argument(frame, 1), (atoms,), np.int32)"]
    body += ["cell = carray(argument(frame, 2), (3, 3), F)"]
    body += ["offset = carray(argument(frame, 5), (total, 3), np.int32)"]
    body += [f"w{k} = carray(argument(frame, {7 + k}), (atoms,), F)" for k in range(loop.weights)]
    body += [f"for row in range(chunk * {ROWS}, min(total, (chunk + 1) * {ROWS})):"]
    one = ["i = U(source[row])", "a, b, c = F(offset[row, 0]), F(offset[row, 1]), F(offset[row, 2])"]
    one += [f"at = U(row) * U({loop.stride})"]
    one += [
        f"rec[at + U({d})] = positions[i, {d}] + (a * cell[0, {d}] + b * cell[1, {d}] + c * cell[2, {d}])"
        for d in range(3)
    ]
    one += [f"rec[at + U({3 + k})] = w{k}[i]" for k in range(loop.weights)]
    if with_species:
        one += ["species_of[row] = max(species[i], 0)"]
    return ["def gather_rows(payload, chunk):", *_indented(body), *_indented(one, 2)]


def _indented(lines: Sequence[str], levels: int = 1) -> list[str]:
    return ["    " * levels + line for line in lines]


class _Scratch:
    """Where the numbers of an edge are: columns of ``s`` (floats) and ``n`` (integers and truth values)."""

    def __init__(self, loop: Loop) -> None:
        self.place: dict[str, tuple[str, int]] = {}
        self.floats, self.integers = 0, 0
        vector = ["dx", "dy", "dz"] if loop.forces or loop.directions else []
        for name in ["squared", *vector, *[f"wj{k}" for k in range(loop.weights)]]:
            self.add(name, "f")
        self.add("other", "i")

    def add(self, name: str, kind: str) -> None:
        """Give a value its column."""
        if kind == "f":
            self.place[name] = ("s", self.floats)
            self.floats += 1
        else:
            self.place[name] = ("n", self.integers)
            self.integers += 1

    def at(self, name: str, index: str = "k") -> str:
        """The element of an edge."""
        array, column = self.place[name]
        return f"{array}[U({index}) + U({column * EDGES})]"


def _columns(loop: Loop, late: Sequence[Line]) -> tuple[_Scratch, list[Line]]:
    """The scratch of a loop, and the early lines whose values late ones read, in columns of their own."""
    scratch = _Scratch(loop)
    names = {line.name for line in late}
    read = set().union(*(names_in(line.text) for line in late)) if late else set()
    if late:
        read |= set().union(*map(names_in, loop.outputs))
        scratch.add("r", "f")
        scratch.add("inverse", "f")
        if loop.directions:
            scratch.add("rate", "f")
    passed = [line for line in loop.lines if late and line.name in read and line.name not in names]
    for line in passed:
        scratch.add(line.name, line.kind)
    for name in loop.pulls if late else ():
        scratch.add(name, "f")
    return scratch, passed


def _assignment(line: Line) -> str:
    return f"{line.name} = {line.text}" if line.table is None else f"{line.name} = p{line.table}[{line.text}]"


def _scalars(loop: Loop) -> list[int]:
    """Inputs that are one number."""
    tables = {line.table for line in loop.lines}
    return [k for k in range(len(loop.inputs)) if k not in tables]


def _tables(loop: Loop) -> list[int]:
    return sorted({line.table for line in loop.lines if line.table is not None})


def _late_loop(loop: Loop, late: Sequence[Line], needed: set[str]) -> list[str]:
    """The scalar loop over the edges of a centre: sums are returned, pulls left in the scratch."""
    scratch, _ = _columns(loop, late)
    arguments = ["m", "s", "n", "own", *[f"wi{k}" for k in range(loop.weights)]]
    arguments += [f"c{k}" for k in _scalars(loop)] + [f"p{k}" for k in _tables(loop)]
    read = set().union(*(names_in(line.text) for line in late), *map(names_in, loop.outputs))
    body = [f"a{k} = F(0.0)" for k in range(loop.sums)] + ["for k in range(m):"]
    one = []
    for name in scratch.place:
        if name in read:
            value = scratch.at(name)
            kind = next((line.kind for line in loop.lines if line.name == name), "i")
            one.append(f"{name} = {value} != 0" if kind == "b" else f"{name} = {value}")
    one += [_assignment(line) for line in late]
    one += [f"a{k} += {loop.outputs[k]}" for k in range(loop.sums)]
    one += [f"{scratch.at(n)} = {text}" for n, text in zip(loop.pulls, loop.outputs[loop.sums :], strict=True)]
    found = ", ".join(f"a{k}" for k in range(loop.sums))
    body += [*_indented(one), f"return ({found},)" if found else "return 0"]
    return [f"def late({', '.join(arguments)}):", *_indented(body)]


def _work(loop: Loop, late: Sequence[Line], with_species: bool) -> list[str]:
    """The piece of a call: all edges of some centres."""
    scratch, passed = _columns(loop, late)
    late_names = {line.name for line in late}
    early = [line for line in loop.lines if line.name not in late_names]
    sums, stride = range(loop.sums), loop.stride
    body = ["frame = payload", *_inputs(loop)]
    body += ["centers, capacity = size(frame, 3, 0), size(frame, 3, 1)"]
    body += ["rows = carray(argument(frame, 3), (centers, capacity), np.int32)"]
    body += ["row_of_atom = carray(argument(frame, 6), (atoms,), np.int32)"]
    for k, (dtype, _, columns) in enumerate(loop.inputs):
        at, kind = 7 + loop.weights + k, "np.bool_" if dtype == "bool" else f"np.{dtype}"
        body += [f"p{k} = carray(argument(frame, {at}), (size(frame, {at}, 0) * {columns},), {kind})"]
    body += [f"c{k} = p{k}[0]" for k in _scalars(loop)]
    body += [f"s{k} = carray(result(frame, {k}), (atoms,), F)" for k in sums]
    if loop.forces:
        body += [f"forces = carray(result(frame, {loop.sums}), (atoms, 3), F)"]
    if loop.virial:
        body += [f"virial = carray(result(frame, {loop.sums + 1}), (chunk + 1, 6), F)"]
    body += [f"s, n = np.empty({scratch.floats * EDGES}, F), np.empty({scratch.integers * EDGES}, np.int32)"]
    body += [f"limit = F({loop.cutoff!r}) * F({loop.cutoff!r})", "own = I(0)"]
    body += [f"b{u}{v} = F(0.0)" for u, v in loop.virial]
    body += [f"for i in range(chunk * {CENTERS}, min(atoms, (chunk + 1) * {CENTERS})):"]
    center = ["atom = source[i]", "if row_of_atom[atom] != i:", "    continue", "low, high = 0, capacity"]
    center += ["while low < high:", "    middle = (low + high) // 2", "    if rows[i, middle] < total:"]
    center += ["        low = middle + 1", "    else:", "        high = middle"]
    center += [f"{name} = rec[i * {stride} + {k}]" for k, name in enumerate(("xi", "yi", "zi"))]
    center += [f"wi{k} = rec[i * {stride} + {3 + k}]" for k in range(loop.weights)]
    center += ["own = species_of[i]"] if with_species else []
    center += [f"a{k} = F(0.0)" for k in sums] + (["ax = F(0.0)", "ay = F(0.0)", "az = F(0.0)"] if loop.forces else [])
    if not late and not any(DEAR.search(line.text) for line in loop.lines):
        center += _masked(loop)
    else:
        center += _batches(loop, late, early, scratch, passed, with_species)
    center += [f"s{k}[atom] = a{k}" for k in sums]
    center += [f"forces[atom, {e}] = a{d}" for e, d in enumerate("xyz") if loop.forces]
    body += _indented(center)
    body += [f"virial[chunk, {k}] = F(0.5) * b{u}{v}" for k, (u, v) in enumerate(loop.virial)]
    return ["def work(payload, chunk):", *_indented(body)]


def _edge(loop: Loop) -> list[str]:
    """Row and vector of an edge."""
    text = ["row = U(rows[i, k])", f"at = row * U({loop.stride})"]
    text += [f"d{d} = rec[at + U({e})] - {d}i" for e, d in enumerate("xyz")]
    return [*text, "squared = dx * dx + dy * dy + dz * dz"]


def _change(loop: Loop) -> list[str]:
    """How an edge changes along the directions of its atoms; ``wj`` are known."""
    first = loop.weights - 3
    return [f"u{d} = wj{first + e} - wi{first + e}" for e, d in enumerate("xyz")] if loop.directions else []


def _rate(loop: Loop) -> list[str]:
    return ["rate = (ux * dx + uy * dy + uz * dz) / r"] if loop.directions else []


def _forces(loop: Loop) -> list[str]:
    """What a pair adds to the force of its centre and to the virial."""
    along = "pull * d{0} + swing * u{0}" if loop.directions else "pull * d{0}"
    text = [f"g{d} = {along.format(d)}" for d in "xyz"] + [f"a{d} += g{d}" for d in "xyz"]
    return text + [f"b{u}{v} += g{u} * d{v}" for u, v in loop.virial]


def _masked(loop: Loop) -> list[str]:
    """One loop over the slots of a centre; a length that is not a number is no pair beyond the cutoff."""
    pair = [*_edge(loop), "mask = F(1.0) - F(squared >= limit)", "r = math.sqrt(min(squared, limit))"]
    read = set().union(*(names_in(line.text) for line in loop.lines), *map(names_in, loop.outputs))
    pair += [f"wj{k} = rec[at + U({3 + k})]" for k in range(loop.weights)]
    pair += ["other = species_of[row]"] if "other" in read else []
    pair += [*_change(loop), *_rate(loop), *[_assignment(line) for line in loop.lines]]
    pair += [f"a{k} += {loop.outputs[k]} * mask" for k in range(loop.sums)]
    pair += [f"{n} = {text} / r * mask" for n, text in zip(loop.pulls, loop.outputs[loop.sums :], strict=True)]
    pair += _forces(loop) if loop.forces else []
    return ["for k in range(low):", *_indented(pair)]


def _batches(
    loop: Loop, late: Sequence[Line], early: Sequence[Line], scratch: _Scratch, passed: Sequence[Line], species: bool
) -> list[str]:
    """The edges of a centre through the scratch, so many at a time."""
    sums = range(loop.sums)
    # the edges within the cutoff; one whose length is not a number stays, and shows in the results
    batch = ["m = 0", f"for k in range(begin, min(low, begin + {EDGES})):"]
    edge = _edge(loop)
    edge += [f"{scratch.at(name, 'm')} = {name}" for name in ("squared", "dx", "dy", "dz") if name in scratch.place]
    edge += [f"{scratch.at(f'wj{k}', 'm')} = rec[at + U({3 + k})]" for k in range(loop.weights)]
    edge += [f"{scratch.at('other', 'm')} = species_of[row]"] if species else []
    edge += ["m += not (squared >= limit)"]
    batch += _indented(edge)
    batch += ["for k in range(m):"]
    pair = [f"r = math.sqrt({scratch.at('squared')})"]
    vector = [f"d{d} = {scratch.at(f'd{d}')}" for d in "xyz" if f"d{d}" in scratch.place]
    read = set().union(*(names_in(line.text) for line in early), *map(names_in, loop.outputs))
    moving = range(loop.weights - 3 * loop.directions, loop.weights)
    change = [*[f"wj{k} = {scratch.at(f'wj{k}')}" for k in moving], *_change(loop)]
    pair += [f"wj{k} = {scratch.at(f'wj{k}')}" for k in range(moving.start) if f"wj{k}" in read]
    pair += [f"other = {scratch.at('other')}"] if "other" in read else []
    pair += [*vector, *change, *_rate(loop)] if loop.directions else []
    pair += [_assignment(line) for line in early]
    if late:
        pair += [f"{scratch.at('r')} = r", f"{scratch.at('inverse')} = F(1.0) / r"]
        pair += [f"{scratch.at('rate')} = rate"] if loop.directions else []
        pair += [*[f"{scratch.at(line.name)} = {line.name}" for line in passed]]
        batch += _indented(pair)
        arguments = ["m", "s", "n", "own", *[f"wi{k}" for k in range(loop.weights)]]
        arguments += [f"c{k}" for k in _scalars(loop)] + [f"p{k}" for k in _tables(loop)]
        batch += [f"found = late({', '.join(arguments)})", *[f"a{k} += found[{k}]" for k in sums]]
        if loop.forces:
            batch += ["for k in range(m):"]
            pair = [f"{n} = {scratch.at(n)} * {scratch.at('inverse')}" for n in loop.pulls]
            pair += [*vector, *change]
    else:
        pair += [f"a{k} += {loop.outputs[k]}" for k in sums]
        pair += [f"{n} = ({text}) / r" for n, text in zip(loop.pulls, loop.outputs[loop.sums :], strict=True)]
        pair += [] if loop.directions else vector
    if loop.forces:
        pair += _forces(loop)
    if loop.forces or not late:
        batch += _indented(pair)
    return [f"for begin in range(0, low, {EDGES}):", *_indented(batch)]
