"""The loop over bonds and angles around the scalar code of the formulas, as Python source for numba.

A call has three phases, each divided among threads: coordinates of all atoms and images are collected; each center
finds its edges within the cutoff, and from them its energy and the energy's gradient by each edge; each atom collects
the gradients of the edges that lead to it from the edges' other ends. No thread writes what another one writes, and the
order of all sums is fixed. Where a center has more edges than there is room for, all is done again with more room.
"""

from __future__ import annotations

from jaxpot.engine.compiled.angles.center import center_of
from jaxpot.engine.compiled.angles.loop import AngleLoop
from jaxpot.engine.compiled.loop import VIRIAL, indented, input_arrays, place_of_row

__all__ = ["CENTERS_PER_TASK", "source_of"]

CENTERS_PER_TASK = 64
ATOMS_PER_TASK = 1024

# of the arguments of a call, of its results, and of the words of a job
POSITIONS, SPECIES, CELL, ROWS, SOURCE, OFFSET, ROW_OF_ATOM, WIDTH, FIRST_INPUT = range(9)
ENERGIES, FORCES, VIRIALS, POINTS, SPECIES_OF, GRADIENTS, PARTNERS, COUNTS = range(8)
FRAME, PHASE, ROOM, GRADIENTS_AT, PARTNERS_AT, WORDS = range(6)


def source_of(loop: AngleLoop) -> str:
    """Source of ``gather_rows``, ``work`` and ``collect``, the phases, of ``task``, a piece of one, and of ``body``.

    The arguments of the call are positions [atoms, 3], species [atoms] and cell [3, 3], the list's rows [centers,
    capacity], source [rows], offset [rows, 3] and row_of_atom [atoms], the room for the edges of an atom [1], and the
    inputs. The results are energies [atoms], forces [atoms, 3] and virials [tasks, 6], and a scratch: coordinates and
    species of atoms and images; gradients [atoms, room, 3] and ends [atoms, room] of edges, and their numbers [atoms].
    """
    text = [*_gather_rows(), *_work(loop), *_collect()]
    text += [
        "def task(job, chunk):",
        f"    phase = word(job, {PHASE})",
        "    if phase == 0:",
        "        gather_rows(job, chunk)",
    ]
    text += ["    elif phase == 1:", "        work(job, chunk)", "    else:", "        collect(job, chunk)"]
    return "\n".join([*text, *_body(8 if loop.dtype == "float64" else 4)]) + "\n"


def _arrays() -> list[str]:
    """Statements for the arrays of a call that several phases read."""
    text = [f"frame = word(job, {FRAME})", f"atoms, total = size(frame, {POSITIONS}, 0), size(frame, {SOURCE}, 0)"]
    text += [f"source = carray(argument(frame, {SOURCE}), (total,), np.int32)"]
    text += [f"offset = carray(argument(frame, {OFFSET}), (total, 3), np.int32)"]
    text += [f"positions = carray(argument(frame, {POSITIONS}), (atoms, 3), F)"]
    return [*text, f"cell = carray(argument(frame, {CELL}), (3, 3), F)"]


def _rows() -> list[str]:
    text = [f"points = carray(result(frame, {POINTS}), (total * 4,), F)"]
    return [*text, f"species_of = carray(result(frame, {SPECIES_OF}), (total,), np.int32)"]


def _edges() -> list[str]:
    """Statements for the arrays of edges."""
    text = [f"width = word(job, {ROOM})"]
    text += [f"gradients = carray(as_pointer(word(job, {GRADIENTS_AT})), (atoms * width * 3,), F)"]
    text += [f"partners = carray(as_pointer(word(job, {PARTNERS_AT})), (atoms * width,), np.int32)"]
    text += [f"counts = carray(result(frame, {COUNTS}), (atoms,), np.int32)"]
    text += [f"row_of_atom = carray(argument(frame, {ROW_OF_ATOM}), (atoms,), np.int32)"]
    return [*text, f"forces = carray(result(frame, {FORCES}), (atoms, 3), F)"]


def _gather_rows() -> list[str]:
    """The phase that collects coordinates and species of atoms and images."""
    body = [*_arrays(), *_rows(), f"species = carray(argument(frame, {SPECIES}), (atoms,), np.int32)"]
    body += [f"for row in range(chunk * {ATOMS_PER_TASK}, min(total, (chunk + 1) * {ATOMS_PER_TASK})):"]
    one = [*place_of_row(4), "species_of[row] = max(species[i], np.int32(0))"]
    return ["def gather_rows(job, chunk):", *indented(body), *indented(one, 2)]


def _work(loop: AngleLoop) -> list[str]:
    """The phase that computes the energy of some centers, and the gradient of each of their edges."""
    body = [*_arrays(), *_rows(), *_edges(), f"centers, capacity = size(frame, {ROWS}, 0), size(frame, {ROWS}, 1)"]
    body += [f"rows = carray(argument(frame, {ROWS}), (centers, capacity), np.int32)"]
    body += [f"energies = carray(result(frame, {ENERGIES}), (atoms,), F)"]
    body += [f"virial = carray(result(frame, {VIRIALS}), (chunk + 1, 6), F)"]
    body += input_arrays(loop.inputs, FIRST_INPUT)
    body += [f"c{k} = p{k}[0]" for k in loop.scalar_inputs()]
    body += [f"limit = F({loop.cutoff!r}) * F({loop.cutoff!r})", "loose = limit * F(1.0001)"]
    body += [f"b{u}{v} = F(0.0)" for u, v in VIRIAL]
    scratch, center = center_of(loop)
    body += scratch
    body += [f"for i in range(chunk * {CENTERS_PER_TASK}, min(atoms, (chunk + 1) * {CENTERS_PER_TASK})):"]
    body += indented(center)
    body += [f"virial[chunk, {k}] = b{u}{v}" for k, (u, v) in enumerate(VIRIAL)]
    return ["def work(job, chunk):", *indented(body)]


def _collect() -> list[str]:
    """The phase that adds, for each edge of an atom, the gradient of the same edge seen from its other end."""
    body = [*_arrays(), *_edges()]
    body += [f"for i in range(chunk * {ATOMS_PER_TASK}, min(atoms, (chunk + 1) * {ATOMS_PER_TASK})):"]
    add = [f"    a{d} += gradients[U(at + q) * U(3) + U({e})]" for e, d in enumerate("xyz")]
    center = [
        "atom = source[i]",
        "if row_of_atom[atom] != i:",
        "    continue",
        "ax = F(0.0)",
        "ay = F(0.0)",
        "az = F(0.0)",
    ]
    center += ["for k in range(counts[i]):", *indented(["row = partners[U(i * width + k)]", "if row < atoms:"])]
    center += indented(["at = row * width", "for q in range(counts[row]):", "    if partners[U(at + q)] == i:"], 2)
    center += [*indented(add, 3), *indented(["        break"], 2), "    else:"]
    image = ["other = row_of_atom[source[row]]", "at = other * width"]
    image += [f"t{d} = offset[row, {d}] - offset[i, {d}]" for d in range(3)]
    back = ["back = partners[U(at + q)]", "if back >= atoms and source[back] == atom:"]
    opposite = " and ".join(f"offset[back, {d}] - offset[other, {d}] == -t{d}" for d in range(3))
    image += ["for q in range(counts[other]):", *indented(back), f"        if {opposite}:", *indented(add, 2)]
    center += indented([*image, "            break"], 2)
    center += [f"forces[atom, {e}] -= a{d}" for e, d in enumerate("xyz")]
    return ["def collect(job, chunk):", *indented(body), *indented(center, 2)]


def _body(bytes_of_float: int) -> list[str]:
    """The whole call; where a center has more edges than there is room for, the second phase is repeated."""

    def phase(number: int, count: str, each: int) -> list[str]:
        run = f"run_tasks(frame, task_at, job, ({count} + {each - 1}) // {each})"
        return [f"set_word(job, {PHASE}, {number})", run]

    body = [f"atoms, total = size(frame, {POSITIONS}, 0), size(frame, {SOURCE}, 0)"]
    body += [f"counts = carray(result(frame, {COUNTS}), (atoms,), np.int32)"]
    body += [f"width = np.int64(carray(argument(frame, {WIDTH}), (1,), np.int32)[0])"]
    body += [f"job = allocate({8 * WORDS})", f"set_word(job, {FRAME}, frame)", f"set_word(job, {ROOM}, width)"]
    results = "word(word(word(frame, 14), {}), 3)"
    body += [f"set_word(job, {GRADIENTS_AT}, {results.format(GRADIENTS)})"]
    body += [f"set_word(job, {PARTNERS_AT}, {results.format(PARTNERS)})", "spare = 0"]
    body += [*phase(0, "total", ATOMS_PER_TASK), *phase(1, "atoms", CENTERS_PER_TASK)]
    body += [
        "most = np.int64(0)",
        "for i in range(atoms):",
        "    most = max(most, np.int64(counts[i]))",
        "if most > width:",
    ]
    more = [f"spare = allocate(atoms * most * {3 * bytes_of_float + 4})", "if spare == 0:", "    raise MemoryError"]
    more += [f"set_word(job, {ROOM}, most)", f"set_word(job, {GRADIENTS_AT}, spare)"]
    more += [f"set_word(job, {PARTNERS_AT}, spare + atoms * most * {3 * bytes_of_float})"]
    body += indented([*more, *phase(1, "atoms", CENTERS_PER_TASK)])
    body += [*phase(2, "atoms", ATOMS_PER_TASK), "if spare != 0:", "    free(spare)", "free(job)"]
    return ["def body(frame, task_at):", *indented(body)]
