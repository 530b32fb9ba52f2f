"""Comparisons of many candidates at once, for the compiled cell list; importing this module imports numba.

The instructions are written for vectors of 64 candidates, which LLVM divides into what the processor has, so that
nothing depends on what an optimiser recognises. A comparison leaves one bit for each candidate; the candidates whose
bits are set are then written one after another, on processors with AVX-512 by an instruction of their own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from jaxpot.numerics.native_llvm import address, as_vector, call, can_compress, everywhere

__all__ = [
    "LANES",
    "PIECE",
    "VECTOR_FINGERPRINT",
    "closer",
    "copy_lanes",
    "write_chosen",
    "write_compressed",
    "write_one_by_one",
]

VECTOR_FINGERPRINT = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]

LANES = 64  # candidates that one comparison looks at
PIECE = 16  # numbers that are copied, or chosen from, at once
INTEGER = ir.IntType(64)


def _bytes(kind: Any) -> int:
    return int(np.dtype(str(kind.dtype)).itemsize)


@intrinsic
def closer(typing_context, near, room, k, x, y, z, squared):  # type: ignore[no-untyped-def]
    """The bits of the candidates k ... k + 63 that are closer to a point than a radius, the first the lowest.

    Args:
        near: [3 * room], all x, all y and all z of the candidates; infinite where there is none.
        room: int64.
        k: int64.
        x: coordinate of the point.
        y: coordinate of the point.
        z: coordinate of the point.
        squared: square of the radius.
    """

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array, room, k, *point, limit = arguments
        kind, total = ir.VectorType(limit.type, LANES), None
        for d, own in enumerate(point):
            start = builder.mul(room, ir.Constant(INTEGER, d))
            place = as_vector(builder, address(context, builder, signature.args[0], array, start, k), kind)
            candidates = builder.load(place, align=_bytes(signature.args[0]))
            difference = builder.fsub(candidates, everywhere(builder, own, LANES))
            square = builder.fmul(difference, difference, flags=("contract",))
            total = square if total is None else builder.fadd(total, square, flags=("contract",))
        bits = builder.fcmp_ordered("<", total, everywhere(builder, limit, LANES))
        return builder.bitcast(bits, INTEGER)

    if not isinstance(near, types.Array) or near.ndim != 1 or any(a != near.dtype for a in (x, y, z, squared)):
        return None
    return types.uint64(near, types.int64, types.int64, x, y, z, squared), codegen


@intrinsic
def copy_lanes(typing_context, source, i, target, j, count):  # type: ignore[no-untyped-def]
    """Copy ``count`` numbers from ``source[i]`` on to ``target[j]`` on, in pieces; 15 numbers more may be copied."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source, i, target, j, count = arguments
        element = context.get_value_type(signature.args[0].dtype)
        kind, align = ir.VectorType(element, PIECE), _bytes(signature.args[0])
        step = ir.Constant(INTEGER, PIECE)
        with cgutils.for_range_slice(builder, ir.Constant(INTEGER, 0), count, step, INTEGER) as (k, _):
            start = as_vector(builder, address(context, builder, signature.args[0], source, i, k), kind)
            end = as_vector(builder, address(context, builder, signature.args[2], target, j, k), kind)
            builder.store(builder.load(start, align=align), end, align=align)
        return context.get_dummy_value()

    if not isinstance(source, types.Array) or source != target:
        return None
    return types.none(source, types.int64, target, types.int64, types.int64), codegen


@intrinsic
def _lowest(typing_context, bits):  # type: ignore[no-untyped-def]
    """The place of the lowest bit that is set."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return call(builder, "llvm.cttz.i64", INTEGER, arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


@intrinsic
def write_compressed(typing_context, bits, labels, k, found, n):  # type: ignore[no-untyped-def]
    """:func:`write_chosen` with the processor's own instruction."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        bits, labels, k, found, n = arguments
        short, truth = ir.IntType(PIECE), ir.VectorType(ir.IntType(1), PIECE)
        kind = ir.VectorType(ir.IntType(32), PIECE)
        for first in range(0, LANES, PIECE):
            some = builder.trunc(builder.lshr(bits, ir.Constant(INTEGER, first)), short)
            place = address(context, builder, signature.args[1], labels, k, ir.Constant(INTEGER, first))
            all_of = builder.load(as_vector(builder, place, kind), align=4)
            chosen = call(
                builder, f"llvm.experimental.vector.compress.v{PIECE}i32", kind, all_of, builder.bitcast(some, truth),
                ir.Constant(kind, ir.Undefined),
            )  # fmt: skip
            end = as_vector(builder, address(context, builder, signature.args[3], found, n), kind)
            builder.store(chosen, end, align=4)
            count = call(builder, f"llvm.ctpop.i{PIECE}", short, some)
            n = builder.add(n, builder.zext(count, INTEGER))
        return n

    return types.int64(types.uint64, labels, types.int64, found, types.int64), codegen


@numba.njit(nogil=True)
def write_one_by_one(bits, labels, k, found, n):  # type: ignore[no-untyped-def]
    """:func:`write_chosen` for any processor."""
    while bits != np.uint64(0):
        found[np.uint64(n)] = labels[np.uint64(k) + _lowest(bits)]
        n += 1
        bits &= bits - np.uint64(1)
    return n


# (bits, labels, k, found, n): write the int32 labels k ... k + 63 whose bits are set to ``found[n]`` on; returns n plus
# their number. ``found`` needs room for 15 numbers more.
write_chosen = write_compressed if can_compress() else write_one_by_one
