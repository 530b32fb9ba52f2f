"""Divides the scalar code of an angular potential into stages, so that each line is computed as rarely as possible.

What depends on one edge alone is computed once an edge, whichever of the two edges of an angle a formula calls it: a
line of edge ``k`` becomes the same line of edge ``j``, and ``u3`` is the name of the value ``v3`` of the other edge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jaxpot.engine.compiled.lines import names_in
from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["CENTER", "CENTER_LATE", "EDGE", "EDGE_LATE", "INNER", "OUTER", "Stages", "stages_of"]

# how often a line is computed: for each center, before and after its sums S are known; for each edge, before and after;
# for each edge j, once its sums z, or the derivatives y by them, are known; for each angle
CENTER, CENTER_LATE, EDGE, EDGE_LATE, OUTER, INNER = range(6)
COMMUTATIVE = re.compile(r"(product\(|\()([\w.]+(?:\([^()]*\))?)(, | [+&|^] )([\w.]+(?:\([^()]*\))?)\)")


class Stages(NamedTuple):
    """Lines by name, with their stage.

    Attributes:
        lines: all of them, in an order in which they can be computed.
        stage: of each name.
        outputs: expressions of each part.
    """

    lines: tuple[Line, ...]
    stage: Mapping[str, int]
    outputs: Mapping[str, tuple[str, ...]]

    def needed(self, outputs: Iterable[str], stages: Sequence[int]) -> list[Line]:
        """The lines of some stages on which outputs depend, in order."""
        wanted = set().union(*map(names_in, outputs))
        wanted |= {f"v{name[1:]}" for name in wanted if name.startswith("u")}
        found = []
        for line in reversed(self.lines):
            if line.name in wanted:
                more = names_in(line.text)
                wanted |= more | {f"v{name[1:]}" for name in more if name.startswith("u")}
                found += [line] if self.stage[line.name] in stages else []
        return found[::-1]

    def read(self, lines: Sequence[Line], outputs: Iterable[str]) -> set[str]:
        """The names that lines and outputs read and the lines do not define."""
        names = set().union(*map(names_in, outputs), *(names_in(line.text) for line in lines))
        return names - {line.name for line in lines}


def stages_of(lines: Sequence[Line], outputs: Mapping[str, Sequence[str]]) -> Stages:
    """The stages of lines that read ``rj``, ``rk``, ``cosine``, the species ``own``, ``oj``, ``ok``, and sums."""
    depends: dict[str, frozenset[str]] = {}
    renamed: dict[str, str] = {}  # how the lines that follow read a value
    known: dict[tuple[str, str, int | None], str] = {}
    stage: dict[str, int] = {}
    found: list[Line] = []
    for line in lines:
        names = names_in(line.text)
        base = frozenset().union(*(depends.get(name, frozenset([name])) for name in names))
        base = frozenset(name for name in base if name[0] not in "cp" or name == "cosine")
        depends[line.name] = base
        level = _stage(base)
        if level in (EDGE, EDGE_LATE):
            other = bool(base & {"rk", "ok"})
            text = _sorted(_substituted(line.text, {n: _of_first(renamed.get(n, n)) for n in names}))
            name = known.setdefault((text, line.dtype, line.table), line.name)
            if name == line.name:
                found.append(line._replace(text=text))
                stage[name] = level
            renamed[line.name] = f"u{name[1:]}" if other else name
        else:
            found.append(line._replace(text=_substituted(line.text, renamed)))
            stage[line.name] = level
    rewritten = {key: tuple(_substituted(text, renamed) for text in texts) for key, texts in outputs.items()}
    return Stages(tuple(found), stage, rewritten)


def _stage(base: frozenset[str]) -> int:
    first, second = bool(base & {"rj", "oj"}), bool(base & {"rk", "ok"})
    late = any(name[0] == "s" for name in base)
    if "cosine" in base or (first and second):
        return INNER
    if any(name[0] in "zy" for name in base):
        return INNER if second else OUTER
    if first or second:
        return EDGE_LATE if late else EDGE
    return CENTER_LATE if late else CENTER


def _of_first(name: str) -> str:
    """A value of edge k as that of edge j."""
    return {"rk": "rj", "ok": "oj"}.get(name, f"v{name[1:]}" if name.startswith("u") else name)


def _substituted(text: str, names: Mapping[str, str]) -> str:
    return re.sub(r"\b[a-z]+\d*\b", lambda m: names.get(m[0], m[0]), text)


def _sorted(text: str) -> str:
    """Operands of a commutative operation in one fixed order, so that equal values have equal expressions."""
    match = COMMUTATIVE.fullmatch(text)
    if match is None:
        return text
    first, second = sorted((match[2], match[4]))
    return f"{match[1]}{first}{match[3]}{second})"
