"""What a compiled loop over pairs computes, as static data, and the bits of source code that its parts share."""

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
    "edge",
    "forces",
    "indented",
    "names_read",
    "rate_of_edge",
    "scalar_inputs",
    "table_inputs",
]

CENTERS_PER_TASK = 64
VIRIAL = (("x", "x"), ("y", "y"), ("z", "z"), ("y", "z"), ("x", "z"), ("x", "y"))
CALLS = re.compile(r"math\.(?!sqrt|nan|inf)|\*\*|np\.fmod")  # what is not a vector instruction


class Loop(NamedTuple):
    """What a loop does.

    Attributes:
        lines: scalar code of a pair, of its distance ``r``, ``squared`` and ``inverse``, the species ``own`` and
            ``other``, and the weights ``wi0``, ``wj0`` ... of both atoms.
        outputs: expressions of what a pair adds to each sum. With forces, then the coefficient of the edge's unit
            vector in the centre's force, and with directions also that of the unit vector's change.
        forces: whether forces are summed.
        directions: whether the last three weights are a direction in which each atom moves; the formula may then read
            ``rate``, the derivative of the distance along it, and there are no virials.
        weights: how many numbers of both atoms of a pair the formula reads.
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
    def coefficients(self) -> tuple[str, ...]:
        """Names of the force's coefficients: of the edge's vector, and of its change."""
        return ("along", "across")[: len(self.outputs) - self.sums]

    @property
    def stride(self) -> int:
        """Numbers kept of an atom or image: its coordinates and weights, rounded up to a power of two."""
        return 1 << (3 + self.weights - 1).bit_length()


def indented(lines: Sequence[str], levels: int = 1) -> list[str]:
    """Lines of source code some levels further in."""
    return ["    " * levels + line for line in lines]


def assignment(line: Line) -> str:
    """The statement of a line."""
    return f"{line.name} = {line.text}" if line.table is None else f"{line.name} = p{line.table}[{line.text}]"


def names_read(lines: Sequence[Line], outputs: Sequence[str]) -> set[str]:
    """Variables that lines and outputs read."""
    return set().union(*(names_in(line.text) for line in lines), *map(names_in, outputs))


def calls_functions(lines: Sequence[Line]) -> bool:
    """Whether some line is not made of vector instructions alone."""
    return any(CALLS.search(line.text) for line in lines)


def table_inputs(loop: Loop) -> list[int]:
    """Inputs in which lines look numbers up."""
    return sorted({line.table for line in loop.lines if line.table is not None})


def scalar_inputs(loop: Loop) -> list[int]:
    """Inputs that are one number."""
    return [k for k in range(len(loop.inputs)) if k not in table_inputs(loop)]


def add_to(total: str, value: str) -> str:
    """The statement that adds to a sum, in any order."""
    return f"{total} = accumulate({total}, {value})"


def edge(loop: Loop) -> list[str]:
    """The neighbour in slot k of centre i, and the vector to it."""
    text = ["row = U(rows[i, k])", f"at = row * U({loop.stride})"]
    text += [f"d{d} = points[at + U({e})] - {d}i" for e, d in enumerate("xyz")]
    return [*text, "squared = dx * dx + dy * dy + dz * dz"]


def change_of_edge(loop: Loop) -> list[str]:
    """How an edge changes along the directions of its atoms; ``wj`` are known."""
    first = loop.weights - 3
    return [f"u{d} = wj{first + e} - wi{first + e}" for e, d in enumerate("xyz")] if loop.directions else []


def rate_of_edge(loop: Loop) -> list[str]:
    """The derivative of the distance along the directions."""
    return ["rate = (ux * dx + uy * dy + uz * dz) * inverse"] if loop.directions else []


def forces(loop: Loop) -> list[str]:
    """What a pair adds to the force of its centre and to the virial."""
    force = "product(along, d{0}) + product(across, u{0})" if loop.directions else "product(along, d{0})"
    text = [f"g{d} = {force.format(d)}" for d in "xyz"] + [add_to(f"a{d}", f"g{d}") for d in "xyz"]
    return text + [add_to(f"b{u}{v}", f"product(g{u}, d{v})") for u, v in loop.virial]
