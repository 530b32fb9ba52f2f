"""The static description of a compiled loop over pairs, and source code that the parts of the loop share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from jaxpot.engine.compiled.lines import names_in
from jaxpot.engine.compiled.scalar_code import Line

__all__ = [
    "CENTERS_PER_TASK",
    "VIRIAL",
    "Loop",
    "add_to",
    "assignment",
    "calls_functions",
    "change_of_edge",
    "count_slots",
    "edge",
    "forces",
    "indented",
    "input_arrays",
    "names_read",
    "place_of_row",
    "rate_of_edge",
    "scalar_inputs",
    "table_inputs",
]

CENTERS_PER_TASK = 64
VIRIAL = (("x", "x"), ("y", "y"), ("z", "z"), ("y", "z"), ("x", "z"), ("x", "y"))
CALLS = re.compile(r"math\.(?!sqrt|nan|inf)|\*\*|np\.fmod")  # operations that are not vector instructions


class Loop(NamedTuple):
    """The computation of a loop.

    Attributes:
        lines: scalar code for an edge. It reads the distance ``r``, its square ``squared`` and its inverse ``inverse``,
            the species ``own`` and ``other``, and the weights ``wi0``, ``wj0`` ... of both atoms.
        outputs: expressions for the term of an edge in each sum. With forces, the coefficient of the edge's unit vector
            in the center's force follows, and with directions also the coefficient of that vector's derivative.
        forces: whether forces are summed.
        directions: whether the last three weights are the displacement of each atom; the formula may then read
            ``rate``, the derivative of the distance along the displacements, and there are no virials.
        weights: number of weights of each atom that the formula reads.
        inputs: dtype, size and columns of each array that XLA passes.
        dtype: of positions and results.
        cutoff: Å.
        with_virial: whether the virial is summed beside the forces.
    """

    lines: tuple[Line, ...]
    outputs: tuple[str, ...]
    forces: bool
    directions: bool
    weights: int
    inputs: tuple[tuple[str, int, int], ...]
    dtype: str
    cutoff: float
    with_virial: bool = True

    @property
    def sums(self) -> int:
        """How many sums over neighbours there are."""
        return len(self.outputs) - self.forces * (1 + self.directions)

    @property
    def virial(self) -> tuple[tuple[str, str], ...]:
        """Components of the virial that are summed."""
        return VIRIAL if self.forces and self.with_virial and not self.directions else ()

    @property
    def results(self) -> int:
        """Number of results before the scratch."""
        return self.sums + self.forces + bool(self.virial)

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the force's coefficients: of the edge's unit vector, and of its derivative along the directions."""
        return ("along", "across")[: len(self.outputs) - self.sums]

    @property
    def stride(self) -> int:
        """Numbers stored per atom or image: its coordinates and weights, rounded up to a power of two."""
        return 1 << (3 + self.weights - 1).bit_length()


def indented(lines: Sequence[str], levels: int = 1) -> list[str]:
    """Lines of source code, indented by some levels."""
    return ["    " * levels + line for line in lines]


def assignment(line: Line) -> str:
    """The statement of a line."""
    return f"{line.name} = {line.text}" if line.table is None else f"{line.name} = p{line.table}[{line.text}]"


def names_read(lines: Sequence[Line], outputs: Sequence[str]) -> set[str]:
    """Variables that lines and outputs read."""
    return set().union(*(names_in(line.text) for line in lines), *map(names_in, outputs))


def calls_functions(lines: Sequence[Line]) -> bool:
    """Whether some line contains more than vector instructions."""
    return any(CALLS.search(line.text) for line in lines)


def table_inputs(lines: Sequence[Line]) -> list[int]:
    """Inputs that are tables for look-ups."""
    return sorted({line.table for line in lines if line.table is not None})


def scalar_inputs(loop: Loop) -> list[int]:
    """Inputs that are single numbers."""
    return [k for k in range(len(loop.inputs)) if k not in table_inputs(loop.lines)]


def input_arrays(inputs: Sequence[tuple[str, int, int]], first: int) -> list[str]:
    """Statements for the arrays of the inputs, which are the arguments of a call from number ``first`` on."""
    text = []
    for k, (dtype, _, columns) in enumerate(inputs):
        at, kind = first + k, "np.bool_" if dtype == "bool" else f"np.{dtype}"
        text.append(f"p{k} = carray(argument(frame, {at}), (size(frame, {at}, 0) * {columns},), {kind})")
    return text


def place_of_row(stride: int) -> list[str]:
    """Statements that find the atom ``i`` of a row, and write the row's coordinates to ``points`` from ``at`` on."""
    text = ["i = U(source[row])", "a, b, c = F(offset[row, 0]), F(offset[row, 1]), F(offset[row, 2])"]
    text += [f"at = U(row) * U({stride})"]
    return text + [
        f"points[at + U({d})] = positions[i, {d}] + (a * cell[0, {d}] + b * cell[1, {d}] + c * cell[2, {d}])"
        for d in range(3)
    ]


def count_slots() -> list[str]:
    """Statements for ``filled``, the slots of center i that hold neighbours: the first ones, counted by bisection."""
    text = ["filled, high = 0, capacity", "while filled < high:", "    middle = (filled + high) // 2"]
    text += ["    if rows[i, middle] < total:", "        filled = middle + 1"]
    return [*text, "    else:", "        high = middle"]


def add_to(total: str, value: str) -> str:
    """The statement that adds to a sum whose order does not matter."""
    return f"{total} = accumulate({total}, {value})"


def edge(loop: Loop) -> list[str]:
    """Statements for the neighbour in slot k of center i, and the vector to it."""
    text = ["row = U(rows[i, k])", f"at = row * U({loop.stride})"]
    text += [f"d{d} = points[at + U({e})] - {d}i" for e, d in enumerate("xyz")]
    return [*text, "squared = dx * dx + dy * dy + dz * dz"]


def change_of_edge(loop: Loop) -> list[str]:
    """Statements for the derivative of an edge along the directions; ``wj`` are already set."""
    first = loop.weights - 3
    return [f"u{d} = wj{first + e} - wi{first + e}" for e, d in enumerate("xyz")] if loop.directions else []


def rate_of_edge(loop: Loop) -> list[str]:
    """The statement for the derivative of the distance along the directions."""
    return ["rate = (ux * dx + uy * dy + uz * dz) * inverse"] if loop.directions else []


def forces(loop: Loop) -> list[str]:
    """Statements that add an edge to the force of its center and to the virial."""
    force = "product(along, d{0}) + product(across, u{0})" if loop.directions else "product(along, d{0})"
    text = [f"g{d} = {force.format(d)}" for d in "xyz"] + [add_to(f"a{d}", f"g{d}") for d in "xyz"]
    return text + [add_to(f"b{u}{v}", f"product(g{u}, d{v})") for u, v in loop.virial]
