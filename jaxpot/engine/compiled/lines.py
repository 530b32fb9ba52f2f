"""Selection of the needed lines of scalar code, and packing of the tables that they read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["names_in", "packed", "padded", "used"]

NAME = re.compile(r"\b(?:[vcp]\d+|w[ij]\d+|r|squared|rate|inverse|own|other|[ro][jk]|cosine|[szyu]\d+)\b")


def names_in(text: str) -> set[str]:
    """The variables that an expression reads."""
    return set(NAME.findall(text))


def used(lines: Sequence[Line], outputs: Sequence[str]) -> list[Line]:
    """The lines on which the outputs depend."""
    needed = set().union(*map(names_in, outputs))
    kept = []
    for line in reversed(lines):
        if line.name in needed:
            needed |= names_in(line.text)
            kept.append(line)
    return kept[::-1]


def padded(columns: int) -> int:
    """Numbers of a table's line: one, or a multiple of four, as many as are loaded at once."""
    return columns if columns == 1 else -(-columns // 4) * 4


def packed(
    lines: Sequence[Line], outputs: Sequence[str], sizes: Sequence[int], dtypes: Sequence[str]
) -> tuple[list[Line], list[str], list[list[int]]]:
    """Lines and outputs rewritten for packed tables, and for each new input the old inputs that are its columns.

    Tables of equal size that are always read at the same places become the columns of one table. Inputs that no line
    reads are left out.
    """
    places: dict[int, list[str]] = {}
    read = set().union(*(names_in(text) for text in (*outputs, *(line.text for line in lines))))
    for line in lines:
        if line.table is not None and line.text not in places.setdefault(line.table, []):
            places[line.table].append(line.text)
    groups: dict[tuple[object, ...], list[int]] = {}
    for k, size in enumerate(sizes):
        if k not in places and f"c{k}" not in read:
            continue
        key = (size, dtypes[k], *sorted(places[k])) if k in places else (k,)
        groups.setdefault(key, []).append(k)
    columns = list(groups.values())
    where = {old: (new, column) for new, group in enumerate(columns) for column, old in enumerate(group)}

    def renamed(text: str) -> str:
        return re.sub(r"\bc(\d+)\b", lambda m: f"c{where[int(m[1])][0]}", text)

    found = []
    for line in lines:
        text, table = renamed(line.text), None
        if line.table is not None:
            table, column = where[line.table]
            count = padded(len(columns[table]))
            text = f"U({text}) * U({count}) + U({column})" if count > 1 else f"U({text})"
        found.append(line._replace(text=text, table=table))
    return found, [renamed(text) for text in outputs], columns
