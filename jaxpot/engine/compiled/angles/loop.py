"""The static description of a compiled loop over bonds and angles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jaxpot.engine.compiled.loop import names_read, table_inputs
from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["AngleLoop"]


class AngleLoop(NamedTuple):
    """The computation of a loop.

    The lines read the lengths ``rj``, ``rk`` of two edges and their ``cosine``, the species ``own``, ``oj``, ``ok``,
    the sums over neighbours ``s0``, ``s1`` ..., the sums of a bond ``z0`` ..., and the derivatives ``y0`` ... of its
    energy by them.

    Attributes:
        lines: scalar code of all parts.
        parts: the name of each part and how many outputs it has.
        outputs: expressions, one part after another.
        sums: how many sums S there are.
        bond_sums: how many sums z there are.
        ordered: whether the two edges of an angle are not equivalent in the formula of angles.
        inputs: dtype, size and columns of each array that XLA passes.
        dtype: of positions and results.
        cutoff: Å.
        triple_cutoff: Å, of angles.
    """

    lines: tuple[Line, ...]
    parts: tuple[tuple[str, int], ...]
    outputs: tuple[str, ...]
    sums: int
    bond_sums: int
    ordered: bool
    inputs: tuple[tuple[str, int, int], ...]
    dtype: str
    cutoff: float
    triple_cutoff: float

    def outputs_of(self) -> Mapping[str, tuple[str, ...]]:
        """The outputs of each part."""
        found, begin = {}, 0
        for name, number in self.parts:
            found[name] = self.outputs[begin : begin + number]
            begin += number
        return found

    def scalar_inputs(self) -> list[int]:
        """Inputs that are single numbers and are read."""
        tables, read = table_inputs(self.lines), names_read(self.lines, self.outputs)
        return [k for k in range(len(self.inputs)) if k not in tables and f"c{k}" in read]
