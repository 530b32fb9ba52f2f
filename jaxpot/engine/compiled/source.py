"""The loop over pairs around the scalar code of a formula, as Python source for numba.

Where the processor can collect edges, :mod:`jaxpot.engine.compiled.vectors` evaluates arithmetic and look-ups.
Elsewhere a formula of plain arithmetic is evaluated for all slots of a center in vector instructions; a mask removes
the edges beyond the cutoff. Other formulas use :mod:`jaxpot.engine.compiled.batches`.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxpot.engine.compiled.batches import Scratch, batches, lookup_function, lookup_lines
from jaxpot.engine.compiled.loop import (
    CENTERS_PER_TASK,
    Loop,
    add_to,
    assignment,
    calls_functions,
    change_of_edge,
    count_slots,
    edge,
    forces,
    indented,
    input_arrays,
    names_read,
    place_of_row,
    rate_of_edge,
    scalar_inputs,
)
from jaxpot.engine.compiled.scalar_code import Line
from jaxpot.engine.compiled.vectors import Vectors, vectors_of

__all__ = ["source_of"]

ROWS_PER_TASK = 1024  # atoms and images
FAR = 1e18  # Å; its square is a float32


def collects() -> bool:
    """Whether edges are collected and evaluated in vectors of 64 bytes."""
    from jaxpot.numerics.native_llvm import can_compress

    return can_compress()


def source_of(loop: Loop) -> str:
    """Source of ``gather_rows`` and ``work``, the pieces of a call, and of ``body``, which divides them among threads.

    The first arguments of the call are positions [atoms, 3], species [atoms] and cell [3, 3], then the list's rows
    [centers, capacity], source [rows], offset [rows, 3] and row_of_atom [atoms], then the weights, [atoms] each, and
    the inputs. The results are the sums, [atoms] each; with forces, the forces [atoms, 3] and virials [tasks, 6]; a
    scratch for the coordinates and weights of atoms and images, and one for their species.
    """
    lookups = lookup_lines(loop.lines)
    scratch = Scratch(loop, lookups)
    vectors = vectors_of(loop) if collects() else None
    with_species = bool(names_read(loop.lines, loop.outputs) & {"own", "other"})
    text = [] if vectors is None else vectors.preamble()
    text += _gather_rows(loop, with_species)
    if lookups and vectors is None:
        text += lookup_function(loop, lookups, scratch)
    text += _work(loop, lookups, scratch, vectors, with_species)
    text += [
        "def body(frame, gather_task, task):",
        f"    run_tasks(frame, gather_task, frame, (size(frame, 4, 0) + {ROWS_PER_TASK - 1}) // {ROWS_PER_TASK})",
        f"    run_tasks(frame, task, frame, (size(frame, 0, 0) + {CENTERS_PER_TASK - 1}) // {CENTERS_PER_TASK})",
    ]
    return "\n".join(text) + "\n"


def _arrays(loop: Loop) -> list[str]:
    """Statements for the arrays of a call that both pieces read."""
    text = ["atoms, total = size(frame, 0, 0), size(frame, 4, 0)"]
    text += ["source = carray(argument(frame, 4), (total,), np.int32)"]
    text += [f"points = carray(result(frame, {loop.results}), (total * {loop.stride} + {loop.stride},), F)"]
    text += [f"species_of = carray(result(frame, {loop.results + 1}), (total,), np.int32)"]
    return text


def _gather_rows(loop: Loop, with_species: bool) -> list[str]:
    """The piece of a call that collects coordinates, weights and species of some atoms and images."""
    body = ["frame = payload", *_arrays(loop)]
    body += ["positions = carray(argument(frame, 0), (atoms, 3), F)"]
    body += ["species = carray(argument(frame, 1), (atoms,), np.int32)"]
    body += ["cell = carray(argument(frame, 2), (3, 3), F)"]
    body += ["offset = carray(argument(frame, 5), (total, 3), np.int32)"]
    body += [f"w{k} = carray(argument(frame, {7 + k}), (atoms,), F)" for k in range(loop.weights)]
    # one more row, for empty slots, farther away than any atom may be, but not infinite
    body += ["if chunk == 0:", f"    points[total * {loop.stride} :] = F({FAR})"]
    body += [f"for row in range(chunk * {ROWS_PER_TASK}, min(total, (chunk + 1) * {ROWS_PER_TASK})):"]
    one = place_of_row(loop.stride)
    one += [f"points[at + U({3 + k})] = w{k}[i]" for k in range(loop.weights)]
    if with_species:
        one += ["species_of[row] = max(species[i], np.int32(0))"]
    return ["def gather_rows(payload, chunk):", *indented(body), *indented(one, 2)]


def _work(
    loop: Loop, lookups: Sequence[Line], scratch: Scratch, vectors: Vectors | None, with_species: bool
) -> list[str]:
    """The piece of a call that computes all edges of some centers."""
    sums, stride = range(loop.sums), loop.stride
    masked = not lookups and not calls_functions(loop.lines)
    body = ["frame = payload", *_arrays(loop)]
    body += ["centers, capacity = size(frame, 3, 0), size(frame, 3, 1)"]
    body += ["rows = carray(argument(frame, 3), (centers, capacity), np.int32)"]
    body += ["row_of_atom = carray(argument(frame, 6), (atoms,), np.int32)"]
    body += input_arrays(loop.inputs, 7 + loop.weights)
    body += [f"c{k} = p{k}[0]" for k in scalar_inputs(loop)]
    body += [f"s{k} = carray(result(frame, {k}), (atoms,), F)" for k in sums]
    if loop.forces:
        body += [f"forces = carray(result(frame, {loop.sums}), (atoms, 3), F)"]
    if loop.virial:
        body += [f"virial = carray(result(frame, {loop.sums + 1}), (chunk + 1, 6), F)"]
    if vectors is not None:
        body += vectors.allocation()
    elif not masked:
        body += [scratch.allocation()]
    body += [f"limit = F({loop.cutoff!r}) * F({loop.cutoff!r})", "own = np.int32(0)"]
    body += [f"b{u}{v} = F(0.0)" for u, v in loop.virial]
    body += [f"for i in range(chunk * {CENTERS_PER_TASK}, min(atoms, (chunk + 1) * {CENTERS_PER_TASK})):"]
    center = ["atom = source[i]", "if row_of_atom[atom] != i:", "    continue"]
    center += count_slots() if vectors is None else []
    center += [f"{name} = points[i * {stride} + {k}]" for k, name in enumerate(("xi", "yi", "zi"))]
    center += [f"wi{k} = points[i * {stride} + {3 + k}]" for k in range(loop.weights)]
    center += ["own = species_of[i]"] if with_species else []
    center += [f"a{k} = F(0.0)" for k in sums] + (["ax = F(0.0)", "ay = F(0.0)", "az = F(0.0)"] if loop.forces else [])
    if vectors is not None:
        center += vectors.batches()
    else:
        center += _masked(loop) if masked else batches(loop, lookups, scratch, with_species)
    center += [f"s{k}[atom] = a{k}" for k in sums]
    center += [f"forces[atom, {e}] = a{d}" for e, d in enumerate("xyz") if loop.forces]
    body += indented(center)
    body += [f"virial[chunk, {k}] = F(0.5) * b{u}{v}" for k, (u, v) in enumerate(loop.virial)]
    return ["def work(payload, chunk):", *indented(body)]


def _masked(loop: Loop) -> list[str]:
    """One loop over the slots of a center; an edge of length NaN counts as within the cutoff."""
    read = names_read(loop.lines, loop.outputs)
    pair = [*edge(loop), "inside = not (squared >= limit)", "squared = choose(inside, squared, limit)"]
    pair += ["r = math.sqrt(squared)", "inverse = ratio(F(1.0), r)"]
    pair += [f"wj{k} = points[at + U({3 + k})]" for k in range(loop.weights)]
    pair += ["other = species_of[row]"] if "other" in read else []
    pair += [*change_of_edge(loop), *rate_of_edge(loop), *[assignment(line) for line in loop.lines]]
    pair += [add_to(f"a{k}", f"choose(inside, {loop.outputs[k]}, F(0.0))") for k in range(loop.sums)]
    for name, text in zip(loop.coefficients, loop.outputs[loop.sums :], strict=True):
        pair += [f"{name} = choose(inside, product({text}, inverse), F(0.0))"]
    pair += forces(loop) if loop.forces else []
    return ["for k in range(filled):", *indented(pair)]
