"""Pieces of LLVM's code that intrinsics for numba are made of; this module imports numba's compiler."""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from llvmlite import ir

__all__ = ["address", "as_vector", "call", "can_compress", "everywhere"]


def can_compress() -> bool:
    """Whether this processor writes chosen numbers of a vector one after another by one instruction (AVX-512)."""
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512f", False))


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an intrinsic of LLVM.

    Args:
        builder: of the code.
        name: such as ``"llvm.ctpop.i64"``.
        result: its type.
        arguments: its values.
    """
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(builder.module.globals.get(name) or ir.Function(builder.module, kind, name), arguments)


def address(context: Any, builder: Any, kind: Any, array: Any, *places: Any) -> Any:
    """The address of an entry of a contiguous array [n].

    Args:
        context: of numba.
        builder: of the code.
        kind: numba's type of the array.
        array: its value.
        places: int64, which are added up.
    """
    index = places[0]
    for other in places[1:]:
        index = builder.add(index, other)
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def as_vector(builder: Any, pointer: Any, kind: Any) -> Any:
    """An address as that of a vector."""
    return builder.bitcast(pointer, kind.as_pointer())


def everywhere(builder: Any, value: Any, number: int) -> Any:
    """A vector of equal numbers."""
    none = ir.Constant(ir.VectorType(value.type, number), ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), number), [0] * number)
    return builder.shuffle_vector(first, none, zeros)
