"""Vector instructions that collect the edges of a center and look up lines of tables; this module imports numba.

Neighbours' coordinates, and the coefficients of a table's interval, stand next to each other in memory. So a neighbour
or an interval is read by one load, and the loads of several are transposed in registers, which is faster than gathers.
Of the edges, those within the cutoff are written one after another by an instruction of AVX-512.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from jaxpot.numerics.native_llvm import address, as_vector, call, everywhere

__all__ = ["collector", "fetcher", "filler", "lanes_of"]

GROUP = 4  # neighbouring numbers that are loaded at once
INTEGER, INT32, TRUTH = ir.IntType(64), ir.IntType(32), ir.IntType(1)


def lanes_of(dtype: Any) -> int:
    """How many numbers are handled at once: 64 bytes."""
    return 64 // np.dtype(dtype).itemsize


def _shuffled(builder: Any, a: Any, b: Any, places: Sequence[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(places)), list(places)))


def _transposed(builder: Any, pieces: Sequence[Any]) -> list[Any]:
    """Four vectors, the k-th of the k-th numbers of all pieces; a piece is a vector of four numbers."""
    lanes, wide = len(pieces), []
    for j in range(GROUP):  # the pieces j, 4 + j, 8 + j ... behind one another
        row = list(pieces[j::GROUP])
        while len(row) > 1:
            both = 2 * row[0].type.count
            row = [_shuffled(builder, a, b, range(both)) for a, b in zip(row[::2], row[1::2], strict=True)]
        wide.append(row[0])
    low: list[Any] = []
    high: list[Any] = []
    for a, b in ((wide[0], wide[1]), (wide[2], wide[3])):
        for found, first in ((low, 0), (high, 2)):
            places = [
                place
                for start in range(0, lanes, GROUP)
                for k in (start + first, start + first + 1)
                for place in (k, lanes + k)
            ]
            found.append(_shuffled(builder, a, b, places))
    result = []
    for first, second in (low, high):
        for half in (0, 2):
            places = [
                place
                for start in range(0, lanes, GROUP)
                for place in (start + half, start + half + 1, lanes + start + half, lanes + start + half + 1)
            ]
            result.append(_shuffled(builder, first, second, places))
    return result


def _element(dtype: Any) -> tuple[Any, str, int]:
    """LLVM's type, its name, and bytes."""
    size = np.dtype(dtype).itemsize
    return (ir.FloatType(), "f32", size) if size == 4 else (ir.DoubleType(), "f64", size)


def collector(dtype: Any, stride: int, columns: Sequence[tuple[str, int]], row_column: int | None) -> Any:
    """An intrinsic that collects the edges within the cutoff.

    ``(slots, start, valid, points, x, y, z, limit, floats, integers, m) -> m`` looks at the rows in ``slots[start]``
    on, of which ``valid`` count, and writes those that are not at least ``limit`` (squared) away to place ``m`` on of
    the columns; returns their end. All slots must be rows.

    Args:
        dtype: of floats.
        stride: numbers of each row in ``points``: x, y, z and weights.
        columns: what is written where in ``floats``: ``("squared", start)``, ``("dx", start)`` ..., ``("wj0", start)``.
        row_column: where in ``integers`` the number of the row is written, if it is.
    """
    lanes = lanes_of(dtype)
    element, suffix, size = _element(dtype)
    kind, piece, masks = ir.VectorType(element, lanes), ir.VectorType(element, GROUP), ir.VectorType(TRUTH, lanes)

    @intrinsic
    def collect(typing_context, slots, start, valid, points, x, y, z, limit, floats, integers, m):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            slots, start, valid, points, x, y, z, limit, floats, integers, m = arguments
            kinds = signature.args
            base = address(context, builder, kinds[0], slots, start)
            rows = [builder.load(builder.gep(base, [ir.Constant(INTEGER, k)]), align=4) for k in range(lanes)]
            groups = 1 if stride <= GROUP else stride // GROUP
            loaded: list[list[Any]] = [[] for _ in range(groups)]
            for row in rows:
                at = builder.mul(builder.zext(row, INTEGER), ir.Constant(INTEGER, stride))
                for g in range(groups):
                    place = builder.add(at, ir.Constant(INTEGER, g * GROUP))
                    pointer = as_vector(builder, address(context, builder, kinds[3], points, place), piece)
                    loaded[g].append(builder.load(pointer, align=size))
            numbers = [vector for one in loaded for vector in _transposed(builder, one)]
            values, squared = {}, None
            for name, own, number in zip("xyz", (x, y, z), numbers, strict=False):
                values[f"d{name}"] = difference = builder.fsub(number, everywhere(builder, own, lanes))
                square = builder.fmul(difference, difference, flags=("contract",))
                squared = square if squared is None else builder.fadd(squared, square, flags=("contract",))
            values["squared"] = squared
            values.update({f"wj{k}": number for k, number in enumerate(numbers[3:])})
            inside = builder.fcmp_unordered("<", squared, everywhere(builder, limit, lanes))
            counting = ir.Constant(ir.VectorType(INTEGER, lanes), list(range(lanes)))
            inside = builder.and_(inside, builder.icmp_signed("<", counting, everywhere(builder, valid, lanes)))
            for name, column in columns:
                nothing = ir.Constant(kind, None)
                chosen = call(
                    builder, f"llvm.experimental.vector.compress.v{lanes}{suffix}", kind, values[name], inside, nothing
                )
                place = builder.add(m, ir.Constant(INTEGER, column))
                pointer = as_vector(builder, address(context, builder, kinds[8], floats, place), kind)
                builder.store(chosen, pointer, align=size)
            if row_column is not None:
                whole = ir.VectorType(INT32, lanes)
                vector = builder.load(as_vector(builder, base, whole), align=4)
                chosen = call(
                    builder, f"llvm.experimental.vector.compress.v{lanes}i32", whole, vector, inside,
                    ir.Constant(whole, None),
                )  # fmt: skip
                place = builder.add(m, ir.Constant(INTEGER, row_column))
                pointer = address(context, builder, kinds[9], integers, place)
                if kinds[9].dtype == types.int64:
                    whole = ir.VectorType(INTEGER, lanes)
                    chosen = builder.zext(chosen, whole)
                builder.store(chosen, as_vector(builder, pointer, whole), align=4)
            bits = builder.bitcast(inside, ir.IntType(lanes))
            count = call(builder, f"llvm.ctpop.i{lanes}", ir.IntType(lanes), bits)
            return builder.add(m, builder.zext(count, INTEGER))

        assert masks.count == lanes
        kinds = (slots, types.int64, types.int64, points, x, y, z, limit, floats, integers, types.int64)
        return types.int64(*kinds), codegen

    return collect


def fetcher(dtype: Any, stride: int) -> Any:
    """An intrinsic ``(table, integers, k, floats, j, pitch)`` that looks up lines of a table.

    The lines ``integers[k]`` on, one for each lane, of ``stride`` numbers each, a multiple of 4, are written to
    ``floats[j]`` on: the c-th numbers to ``floats[j + c * pitch]`` on.
    """
    lanes = lanes_of(dtype)
    element, _, size = _element(dtype)
    kind, piece = ir.VectorType(element, lanes), ir.VectorType(element, GROUP)

    @intrinsic
    def fetch(typing_context, table, integers, k, floats, j, pitch):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            table, integers, k, floats, j, pitch = arguments
            kinds = signature.args
            base = address(context, builder, kinds[1], integers, k)
            loaded: list[list[Any]] = [[] for _ in range(stride // GROUP)]
            for lane in range(lanes):
                line = builder.load(builder.gep(base, [ir.Constant(INTEGER, lane)]))
                if line.type != INTEGER:
                    line = builder.zext(line, INTEGER)
                at = builder.mul(line, ir.Constant(INTEGER, stride))
                for g, pieces in enumerate(loaded):
                    place = builder.add(at, ir.Constant(INTEGER, g * GROUP))
                    pointer = as_vector(builder, address(context, builder, kinds[0], table, place), piece)
                    pieces.append(builder.load(pointer, align=size))
            vectors = [vector for pieces in loaded for vector in _transposed(builder, pieces)]
            for c, vector in enumerate(vectors):
                place = builder.add(j, builder.mul(pitch, ir.Constant(INTEGER, c)))
                pointer = as_vector(builder, address(context, builder, kinds[3], floats, place), kind)
                builder.store(vector, pointer, align=size)
            return context.get_dummy_value()

        return types.none(table, integers, types.int64, floats, types.int64, types.int64), codegen

    return fetch


@intrinsic
def filler(typing_context, array, start, value):  # type: ignore[no-untyped-def]
    """Write a number to 64 bytes of an array from a place on."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array, start, value = arguments
        size = int(np.dtype(str(signature.args[0].dtype)).itemsize)
        vector = everywhere(builder, value, 64 // size)
        pointer = as_vector(builder, address(context, builder, signature.args[0], array, start), vector.type)
        builder.store(vector, pointer, align=size)
        return context.get_dummy_value()

    return types.none(array, types.int64, array.dtype), codegen
