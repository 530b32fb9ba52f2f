"""Source code for one center: its edges within the cutoff, its energy, and the gradient of each edge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jaxpot.engine.compiled.angles.loop import AngleLoop
from jaxpot.engine.compiled.angles.stages import (
    CENTER,
    CENTER_LATE,
    EDGE,
    EDGE_LATE,
    INNER,
    OUTER,
    Stages,
    stages_of,
)
from jaxpot.engine.compiled.lines import names_in
from jaxpot.engine.compiled.loop import VIRIAL, assignment, count_slots, indented
from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["center_of"]

# columns of an edge: its unit vector, length and inverse length; then E's derivative by its length, and the vector
# whose multiple by the inverse length is the rest of the gradient
FIRST = ("ux", "uy", "uz", "rj", "inverse", "along", "tx", "ty", "tz")
COSTLY = re.compile(r"\b(?:exponential|math\.|np\.fmod|ratio)|\*\*")  # worth a place in the scratch
TO_ROW = ("at = U(row) * U(4)", *[f"d{d} = points[at + U({e})] - {d}i" for e, d in enumerate("xyz")])
COLUMNS = {name: k for k, name in enumerate(FIRST)}


def center_of(loop: AngleLoop) -> tuple[list[str], list[str]]:
    """Statements that allocate the scratch of a thread, and those for center ``i``."""
    return _Center(loop).source()


class _Center:
    """The source of one center, and the columns of values that are kept for each edge."""

    def __init__(self, loop: AngleLoop) -> None:
        self.loop = loop
        self.stages: Stages = stages_of(loop.lines, loop.outputs_of())
        self.of = {line.name: line for line in self.stages.lines}
        self.columns = dict(COLUMNS)
        self.kept: dict[str, int] = {}
        out = self.stages.outputs
        self.coordination, self.atom = out.get("coordination", ()), out.get("atom", ())
        self.around, self.pulled = out.get("around", ()), out.get("pulled", ())
        self.bond, self.triple = out.get("bond", ()), out.get("triple", ())
        self.bond_is_outer = bool(loop.bond_sums)
        self.bond_is_early = not loop.bond_sums and not loop.sums  # computed when the edge is found

    def at(self, name: str, edge: str) -> str:
        """The expression for a value that is kept for edge ``j`` or ``k``."""
        column = self.columns.setdefault(name, len(self.columns))
        return f"st[b{edge} + U({column})]"

    def lines(self, outputs: Iterable[str], stages: Sequence[int]) -> list[Line]:
        """The lines of some stages on which outputs depend."""
        return self.stages.needed(outputs, stages)

    def available(self, lines: Sequence[Line], outputs: Iterable[str], edge: str) -> list[str]:
        """Statements that give lines and outputs what they read of edge ``j`` or ``k``.

        Floats that were computed once an edge are read from the scratch. Integers and truth values are computed again.
        """
        prefix = "v" if edge == "j" else "u"
        basic = {"j": {"rj", "oj"}, "k": {"rk", "ok"}}[edge]
        todo = [n for n in sorted(self.stages.read(lines, outputs)) if n in basic or self._of_edge(n, prefix)]
        again, loads, seen = [], [], set()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name == f"r{edge}":
                loads.append(f"r{edge} = {self.at('rj', edge)}")
            elif name == f"o{edge}":
                loads.append(f"o{edge} = ends[U({edge}) * U(2) + U(1)]")
            else:
                line = self.of[f"v{name[1:]}"]
                if line.dtype.startswith("float"):
                    loads.append(f"{name} = {self.at(line.name, edge)}")
                else:
                    again.append(line)
                    read = sorted(names_in(line.text))
                    todo += [self._renamed(n, edge) for n in read if n in ("rj", "oj") or self._of_edge(n, "v")]
        order = {line.name: k for k, line in enumerate(self.stages.lines)}
        again.sort(key=lambda line: order[line.name])
        return [*sorted(loads), *(assignment(self._line_for(line, edge)) for line in again)]

    def _of_edge(self, name: str, prefix: str) -> bool:
        own = f"v{name[1:]}"
        return name.startswith(prefix) and own in self.of and self.stages.stage[own] in (EDGE, EDGE_LATE)

    def _renamed(self, name: str, edge: str) -> str:
        """A name of edge j for an edge."""
        if edge == "j":
            return name
        return {"rj": "rk", "oj": "ok"}.get(name, f"u{name[1:]}" if self._of_edge(name, "v") else name)

    def _line_for(self, line: Line, edge: str) -> Line:
        text = re.sub(r"\b[a-z]+\d*\b", lambda m: self._renamed(m[0], edge), line.text)
        return line._replace(name=self._renamed(line.name, edge), text=text)

    def source(self) -> tuple[list[str], list[str]]:
        sums = range(self.loop.sums)
        # what comes late is written first, since it decides what is kept for each edge
        angles = [*self._bonds(), *self._triples()]
        end = self._end()
        late = self._late_edges()
        text = self._edges()
        late_center = [assignment(line) for line in self._center_lines((CENTER_LATE,))]
        text += [*late_center, *[f"d{k} = F(0.0)" for k in sums]]
        if self.atom:
            text += [f"e += {self.atom[0]}", *[f"d{k} += {self.atom[1 + k]}" for k in sums]]
        text += [*late, *angles, *end]
        scratch = [f"st = np.empty(capacity * {len(self.columns)}, F)", "ends = np.empty(capacity * 2, np.int32)"]
        scratch += ["near = np.empty(capacity, np.int32)", "candidates = np.empty(capacity, np.int32)"]
        scratch += [f"kept = np.empty(capacity * {max(1, len(self.kept))}, F)"]
        stride = len(self.columns)
        return scratch, [line.replace("STRIDE", str(stride)) for line in text]

    def _center_lines(self, stages: tuple[int, ...]) -> list[Line]:
        outputs = [text for texts in self.stages.outputs.values() for text in texts]
        return self.lines(outputs, stages)

    def _edges(self) -> list[str]:
        """Find the edges within the cutoff, and compute what depends on one of them alone."""
        text = ["atom = source[i]", "counts[i] = 0", "if row_of_atom[atom] != i:", "    continue"]
        text += count_slots()
        text += [f"{d}i = points[U(i) * U(4) + U({e})]" for e, d in enumerate("xyz")]
        text += ["own = species_of[i]", "m = 0", "for k in range(filled):"]
        one = ["row = rows[i, k]", *TO_ROW, "candidates[m] = row", "m += not (dx * dx + dy * dy + dz * dz >= loose)"]
        text += indented(one)
        text += [assignment(line) for line in self._center_lines((CENTER,))]
        text += [
            "n = 0",
            "near_edges = 0",
            "e = F(0.0)",
            *[f"s{k} = F(0.0)" for k in range(self.loop.sums)],
            "for k in range(m):",
        ]
        text += indented(self._edge())
        return text

    def _edge(self) -> list[str]:
        one = ["row = candidates[k]", *TO_ROW]
        # from both ends, an edge to an image must have the same length to the last digit
        image = ["other = source[row]", *[f"h{d} = F(offset[row, {d}] - offset[i, {d}])" for d in range(3)]]
        image += [
            f"d{d} = (positions[other, {e}] - positions[atom, {e}])"
            f" + (h0 * cell[0, {e}] + h1 * cell[1, {e}] + h2 * cell[2, {e}])"
            for e, d in enumerate("xyz")
        ]
        one += ["if row >= atoms:", *indented(image), "squared = dx * dx + dy * dy + dz * dz"]
        one += ["if squared >= limit:", "    continue"]  # not so for an edge of length NaN
        one += ["bj = U(n) * U(STRIDE)", "rj = math.sqrt(squared)", "inverse = F(1.0) / rj", "oj = species_of[row]"]
        one += [f"{self.at(f'u{d}', 'j')} = d{d} * inverse" for d in "xyz"]
        one += [f"{self.at('rj', 'j')} = rj", f"{self.at('inverse', 'j')} = inverse"]
        one += [f"{self.at(n, 'j')} = F(0.0)" for n in ("along", "tx", "ty", "tz")]
        one += ["ends[U(n) * U(2)] = row", "ends[U(n) * U(2) + U(1)] = oj"]
        early = self.coordination[: self.loop.sums]
        kept = [name for name in self.columns if name in self.of and self.stages.stage[name] == EDGE]
        direct = self.bond if self.bond_is_early else ()
        one += [assignment(line) for line in self.lines([*early, *kept, *direct], (EDGE,))]
        one += [f"{self.at(name, 'j')} = {name}" for name in kept]
        one += [f"e += {direct[0]}", f"{self.at('along', 'j')} = {direct[1]}"] if direct else []
        one += [f"s{k} += {text}" for k, text in enumerate(early)]
        if self.loop.triple_cutoff < self.loop.cutoff and self.triple:
            one += ["near[near_edges] = n", f"near_edges += not (rj >= F({self.loop.triple_cutoff!r}))"]
        return [*one, "n += 1"]

    def _late_edges(self) -> list[str]:
        """What depends on one edge and on the sums S; the energies of bonds without sums z."""
        kept = [name for name in self.columns if name in self.of and self.stages.stage[name] == EDGE_LATE]
        bond = () if self.bond_is_outer or self.bond_is_early else self.bond
        if not kept and not bond:
            return []
        lines = self.lines([*kept, *bond], (EDGE_LATE,))
        text = [*self.available(lines, bond, "j"), *[assignment(line) for line in lines]]
        text += [f"{self.at(name, 'j')} = {name}" for name in kept]
        if bond:
            text += [f"e += {bond[0]}", f"{self.at('along', 'j')} = {bond[1]}"]
            text += [f"d{k} += {value}" for k, value in enumerate(bond[2:])]
        return ["for j in range(n):", "    bj = U(j) * U(STRIDE)", *indented(text)]

    def _angle(self, lines: Sequence[Line], outputs: Sequence[str]) -> list[str]:
        """Statements of the inner loop that give the cosine and all lines of an angle."""
        text = ["bk = U(k) * U(STRIDE)"]
        text += [f"k{d} = {self.at(f'u{d}', 'k')}" for d in "xyz"]
        text += ["cosine = jx * kx + jy * ky + jz * kz", *self.available(lines, outputs, "k")]
        return [*text, *[assignment(line) for line in lines]]

    def _outer_edge(self) -> list[str]:
        return [
            "bj = U(j) * U(STRIDE)",
            *[f"j{d} = {self.at(f'u{d}', 'j')}" for d in "xyz"],
            f"ij = {self.at('inverse', 'j')}",
        ]

    def _bonds(self) -> list[str]:
        """Bonds that know the sums z of the bonds around them."""
        if not self.bond_is_outer:
            return []
        S, z = range(self.loop.sums), range(self.loop.bond_sums)
        first, second = self.lines(self.around, (INNER,)), self.lines(self.pulled, (INNER,))
        # costly values of the first loop over k that the second needs too are kept
        names = {line.name for line in second}
        shared = [line for line in first if line.name in names and COSTLY.search(line.text)]
        self.kept = {line.name: k for k, line in enumerate(shared)}
        second = self._without(second, self.pulled, set(self.kept))
        outer = self.lines([*self.bond, *self.pulled, *self.around], (OUTER,))
        after: list[Line] = []  # lines that depend on the derivatives y
        for line in outer:
            names = names_in(line.text)
            after += [line] if any(n[0] == "y" for n in names) or names & {one.name for one in after} else []
        before = [line for line in outer if line not in after]
        everything = [*first, *second, *outer]
        text = [*self._outer_edge()]
        text += self.available(everything, [*self.bond, *self.around, *self.pulled], "j")
        text += [f"z{k} = F(0.0)" for k in z]
        if self.around:
            one = self._angle(first, self.around)
            one += [f"kept[U(k) * U({len(self.kept)}) + U({at})] = {name}" for name, at in self.kept.items()]
            one += [f"z{k} += {value}" for k, value in enumerate(self.around)]
            text += ["for k in range(n):", "    if k == j:", "        continue", *indented(one)]
        text += [assignment(line) for line in before]
        text += [f"e += {self.bond[0]}", f"{self.at('along', 'j')} += {self.bond[1]}"]
        text += [f"y{k} = {self.bond[2 + k]}" for k in z]
        text += [f"d{k} += {self.bond[2 + len(z) + k]}" for k in S]
        if self.around:
            loads = [f"{name} = kept[U(k) * U({len(self.kept)}) + U({at})]" for name, at in self.kept.items()]
            one = [*loads, *self._angle(second, self.pulled), *self._pull(*self.pulled)]
            text += [assignment(line) for line in after]
            text += [*self._begin_pull(), "for k in range(n):", "    if k == j:", "        continue", *indented(one)]
            text += self._end_pull()
        return ["for j in range(n):", *indented(text)]

    def _without(self, lines: Sequence[Line], outputs: Sequence[str], known: set[str]) -> list[Line]:
        """The lines that outputs need where some values are known."""
        wanted = set().union(*map(names_in, outputs))
        found = []
        for line in reversed(lines):
            if line.name in wanted and line.name not in known:
                wanted |= names_in(line.text)
                found.append(line)
        return found[::-1]

    def _triples(self) -> list[str]:
        """Energies of angles; where both edges are equivalent, each angle is computed once."""
        if not self.triple:
            return []
        short, ordered = self.loop.triple_cutoff < self.loop.cutoff, self.loop.ordered
        lines = self.lines(self.triple, (INNER,))
        number = "near_edges" if short else "n"
        value, *slopes = self.triple
        if ordered:
            value, slopes = f"F(0.5) * {value}", [f"F(0.5) * {s}" for s in slopes]
        one = [
            *(["k = near[q]"] if short else []),
            *self._angle(lines, self.triple),
            f"e += {value}",
            *self._pull(*slopes),
        ]
        inner, outer = ("q", "o") if short else ("k", "j")
        head = [f"for {inner} in range({number}):", f"    if {inner} == {outer}:", "        continue"]
        if not ordered:
            head = [f"for {inner} in range({outer} + 1, {number}):"]
        text = [*(["j = near[o]"] if short else []), *self._outer_edge(), *self.available(lines, self.triple, "j")]
        text += [*self._begin_pull(), *head, *indented(one), *self._end_pull()]
        return [f"for {outer} in range({number}):", *indented(text)]

    def _begin_pull(self) -> list[str]:
        return [f"{name} = F(0.0)" for name in ("sum_j", "hx", "hy", "hz")]

    def _pull(self, by_j: str, by_k: str, by_cosine: str, *by_sums: str) -> list[str]:
        """Add the gradient of an angle's energy to both its edges.

        The derivative of the cosine by edge j is (u_k - cosine u_j) / r_j.
        """
        text = [f"g = {by_cosine}", f"ik = {self.at('inverse', 'k')}"]
        text += [f"sum_j += {by_j} - g * cosine * ij", *[f"h{d} += g * k{d}" for d in "xyz"]]
        text += [f"{self.at('along', 'k')} += {by_k} - g * cosine * ik"]
        text += [f"{self.at(f't{d}', 'k')} += g * j{d}" for d in "xyz"]
        return text + [f"d{k} += {value}" for k, value in enumerate(by_sums)]

    def _end_pull(self) -> list[str]:
        text = [f"{self.at('along', 'j')} += sum_j"]
        return text + [f"{self.at(f't{d}', 'j')} += h{d}" for d in "xyz"]

    def _end(self) -> list[str]:
        """The gradient of each edge, and their sums."""
        change = self.coordination[self.loop.sums :]
        one = ["bj = U(j) * U(STRIDE)", f"along = {self.at('along', 'j')}", f"rj = {self.at('rj', 'j')}"]
        for name in sorted({n for text in change for n in names_in(text) if n in self.of}):
            one += [f"{name} = {self.at(name, 'j')}"] if self.stages.stage[name] == EDGE else []
        one += [f"along += d{k} * {text}" for k, text in enumerate(change)]
        one += [f"inverse = {self.at('inverse', 'j')}"]
        one += [f"u{d} = {self.at(f'u{d}', 'j')}" for d in "xyz"]
        one += [f"g{d} = along * u{d} + inverse * {self.at(f't{d}', 'j')}" for d in "xyz"]
        one += [f"f{d} += g{d}" for d in "xyz"]
        one += [f"b{u}{v} += g{u} * u{v} * rj" for u, v in VIRIAL]
        keep = [f"gradients[U(i * width + j) * U(3) + U({e})] = g{d}" for e, d in enumerate("xyz")]
        keep += ["partners[U(i * width + j)] = ends[U(j) * U(2)]"]
        one += ["if n <= width:", *indented(keep)]
        text = [*[f"f{d} = F(0.0)" for d in "xyz"], "for j in range(n):", *indented(one)]
        text += ["counts[i] = n", "energies[atom] = e", *[f"forces[atom, {e}] = f{d}" for e, d in enumerate("xyz")]]
        return text
