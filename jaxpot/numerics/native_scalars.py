"""Arithmetic for numba functions with XLA's results for NaN, infinity and numbers out of range.

Python's ``max`` keeps or drops NaN depending on the order of its arguments, and C's conversion of a large float to an
integer is undefined. Importing this module imports numba.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from jaxpot.numerics.native_llvm import call

__all__ = [
    "accumulate",
    "choose",
    "exponential",
    "maximum",
    "minimum",
    "product",
    "quotient",
    "ratio",
    "remainder",
    "sign",
    "to_integer",
]


def _bits(kind: Any) -> str:
    return f"f{kind.bitwidth}"


def _same_floats(a: Any, b: Any) -> None:
    if a != b or not isinstance(a, types.Float):
        raise TypingError(f"two floats of one type are needed, got {a} and {b}")


@intrinsic
def maximum(typing_context, a, b):  # type: ignore[no-untyped-def]
    """The larger of two floats; NaN if one of them is."""
    _same_floats(a, b)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return call(builder, f"llvm.maximum.{_bits(a)}", arguments[0].type, *arguments)

    return a(a, b), codegen


@intrinsic
def minimum(typing_context, a, b):  # type: ignore[no-untyped-def]
    """The smaller of two floats; NaN if one of them is."""
    _same_floats(a, b)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return call(builder, f"llvm.minimum.{_bits(a)}", arguments[0].type, *arguments)

    return a(a, b), codegen


@intrinsic
def sign(typing_context, a):  # type: ignore[no-untyped-def]
    """-1.0, 0.0 or 1.0; NaN for NaN."""
    _same_floats(a, a)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        (value,) = arguments
        zero, one = ir.Constant(value.type, 0.0), ir.Constant(value.type, 1.0)
        unit = call(builder, f"llvm.copysign.{_bits(a)}", value.type, one, value)
        # "not equal, and ordered": neither 0 nor NaN
        return builder.select(builder.fcmp_ordered("!=", value, zero), unit, value)

    return a(a), codegen


@intrinsic
def accumulate(typing_context, total, value):  # type: ignore[no-untyped-def]
    """``total + value`` in a sum whose order does not matter, so that vector instructions may compute it."""
    _same_floats(total, value)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fadd(*arguments, flags=("reassoc", "contract", "nsz"))

    return total(total, value), codegen


@intrinsic
def product(typing_context, a, b):  # type: ignore[no-untyped-def]
    """``a * b``, which the compiler may reorder with other products and ratios; NaN stays NaN in any order."""
    _same_floats(a, b)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fmul(*arguments, flags=("reassoc", "contract", "nsz", "arcp"))

    return a(a, b), codegen


@intrinsic
def ratio(typing_context, a, b):  # type: ignore[no-untyped-def]
    """``a / b``, which the compiler may reorder with products and other ratios."""
    _same_floats(a, b)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fdiv(*arguments, flags=("reassoc", "contract", "nsz", "arcp"))

    return a(a, b), codegen


# for exp of float32 and float64: bits of the mantissa, terms of the series, where results are 0 and infinity, and log 2
# as a number with few digits, whose multiples are exact, and the rest
EXPONENTIALS = {
    32: (23, 8, -110.0, 95.0, 0.693359375, -2.12194440e-4),
    64: (52, 14, -760.0, 720.0, 6.93147180369123816490e-01, 1.90821492927058770002e-10),
}


@intrinsic
def exponential(typing_context, a):  # type: ignore[no-untyped-def]
    """exp(a) from a power series, to 1.5 units of the last digit, without a call that would interrupt a loop."""
    _same_floats(a, a)
    mantissa, terms, least, most, large, small = EXPONENTIALS[a.bitwidth]

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        (given,) = arguments
        kind, integer = given.type, ir.IntType(a.bitwidth)

        def number(value: float) -> Any:
            return ir.Constant(kind, value)

        def times_plus(x: Any, y: Any, z: Any) -> Any:
            return builder.fadd(builder.fmul(x, y, flags=("contract",)), z, flags=("contract",))

        x = builder.select(builder.fcmp_ordered("<", given, number(least)), number(least), given)
        x = builder.select(builder.fcmp_ordered(">", x, number(most)), number(most), x)
        # exp(x) = 2^k exp(rest), where |rest| is at most log(2) / 2
        whole = call(builder, f"llvm.rint.{_bits(a)}", kind, builder.fmul(x, number(1.0 / math.log(2.0))))
        rest = times_plus(whole, number(-small), times_plus(whole, number(-large), x))
        square = builder.fmul(rest, rest)
        sums = []
        for first in (terms - 2, terms - 1):  # the even and the odd terms of the series
            total = number(1.0 / math.factorial(first))
            for power in range(first - 2, -1, -2):
                total = times_plus(total, square, number(1.0 / math.factorial(power)))
            sums.append(total)
        series = times_plus(sums[1], rest, sums[0])
        known = builder.fcmp_ordered("==", given, given)
        k = builder.fptosi(builder.select(known, whole, number(0.0)), integer)
        half = builder.ashr(k, ir.Constant(integer, 1))
        for exponent in (half, builder.sub(k, half)):  # in two steps, as 2^k itself may be out of range
            biased = builder.add(exponent, ir.Constant(integer, (1 << (a.bitwidth - mantissa - 2)) - 1))
            power_of_two = builder.bitcast(builder.shl(biased, ir.Constant(integer, mantissa)), kind)
            series = builder.fmul(series, power_of_two)
        return series

    return a(a), codegen


@intrinsic
def to_integer(typing_context, value, kind):  # type: ignore[no-untyped-def]
    """A float without its fraction as an integer type; the nearest one where it is out of range, 0 for NaN.

    Args:
        value: float.
        kind: the integer type, such as ``np.int32``.
    """
    integer = kind.dtype
    least, most = float(integer.minval), float(integer.maxval)
    float_type = np.dtype(f"float{value.bitwidth}").type
    last = float_type(most)  # the largest float that fits
    if float(last) > integer.maxval:
        last = np.nextafter(last, float_type(0))

    # LLVM's saturating conversion is not used, because it is not a vector instruction
    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        x = arguments[0]
        low, high = ir.Constant(x.type, least), ir.Constant(x.type, float(last))
        width = ir.IntType(integer.bitwidth)
        inside = builder.select(builder.fcmp_ordered(">=", x, low), x, low)  # also for NaN
        inside = builder.select(builder.fcmp_ordered("<=", inside, high), inside, high)
        number = builder.fptosi(inside, width) if integer.signed else builder.fptoui(inside, width)
        number = builder.select(builder.fcmp_ordered(">", x, high), ir.Constant(width, integer.maxval), number)
        return builder.select(builder.fcmp_ordered("==", x, x), number, ir.Constant(width, 0))

    return integer(value, kind), codegen


@intrinsic
def choose(typing_context, condition, a, b):  # type: ignore[no-untyped-def]
    """``a if condition else b``, both of one type and both computed: a vector instruction, never a branch."""
    if a != b:
        raise TypingError(f"two values of one type are needed, got {a} and {b}")

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        truth = builder.icmp_unsigned("!=", arguments[0], ir.Constant(arguments[0].type, 0))
        return builder.select(truth, *arguments[1:])

    return a(condition, a, b), codegen


@intrinsic
def quotient(typing_context, a, b):  # type: ignore[no-untyped-def]
    """a / b of integers, towards zero; -1 (all bits set) for b = 0, and the lowest integer for itself / -1."""
    return a(a, b), _divided(a, b, lambda builder, signed: builder.sdiv if signed else builder.udiv, False)


@intrinsic
def remainder(typing_context, a, b):  # type: ignore[no-untyped-def]
    """a - b * quotient(a, b) of integers; a for b = 0, and 0 for the lowest integer by -1."""
    return a(a, b), _divided(a, b, lambda builder, signed: builder.srem if signed else builder.urem, True)


def _divided(a: Any, b: Any, operation: Any, is_remainder: bool) -> Any:
    if a != b or not isinstance(a, types.Integer):
        raise TypingError(f"two integers of one type are needed, got {a} and {b}")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        over, under = arguments
        minus_one = ir.Constant(under.type, -1)
        by_zero = builder.icmp_unsigned("==", under, ir.Constant(under.type, 0))
        unsafe = by_zero
        if a.signed:
            lowest = builder.icmp_unsigned("==", over, ir.Constant(over.type, a.minval))
            unsafe = builder.or_(by_zero, builder.and_(lowest, builder.icmp_unsigned("==", under, minus_one)))
        safe = builder.select(unsafe, ir.Constant(under.type, 1), under)
        return builder.select(by_zero, over if is_remainder else minus_one, operation(builder, a.signed)(over, safe))

    return codegen
