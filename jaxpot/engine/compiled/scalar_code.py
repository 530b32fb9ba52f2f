"""Translates the formula of one pair, traced by JAX, into lines of scalar code with the same results as XLA's.

The equations of the jaxpr are translated one after another. A value that does not depend on the pair is computed by XLA
and becomes an input of the loop; a value that depends on the pair becomes a line of code. So the physics is written
once, in JAX, and compiled twice.

Every line has the type that JAX gives it: sums and products of integers wrap in their own width, ``maximum``, ``clip``
and ``sign`` propagate NaN, and conversions saturate (:mod:`jaxpot.numerics.native_scalars`). A primitive for which
there is no code with these results raises :class:`UnsupportedError`, and XLA evaluates the formula.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core as jex_core

from jaxpot.engine.compiled.operations import text_of, type_name
from jaxpot.numerics.manual_axes import vary_alike
from jaxpot.numerics.native_choice import NotNativeError

__all__ = ["Code", "Line", "Translation", "UnsupportedError", "translate"]


class UnsupportedError(NotNativeError):
    """The formula uses a primitive for which there is no scalar code; XLA evaluates the formula instead.

    Args:
        primitive: of JAX.
        detail: which use of the primitive is not supported.
    """

    def __init__(self, primitive: str, detail: str = "") -> None:
        super().__init__(f"the primitive `{primitive}` {detail}".rstrip() + " cannot be compiled")
        self.primitive = primitive


class Code(NamedTuple):
    """A value that depends on the pair: the names of its scalar entries, and its shape."""

    names: tuple[str, ...]
    shape: tuple[int, ...]


class Line(NamedTuple):
    """``name = text``, or with a table ``name = p<table>[text]``.

    Attributes:
        name: of the value.
        text: an expression in Python.
        dtype: of the value, as numpy names it.
        table: number of the input in which a number is looked up, or None.
        primitive: the JAX primitive that the line translates; for messages.
    """

    name: str
    text: str
    dtype: str
    table: int | None = None
    primitive: str = ""


class Translation:
    """Lines of scalar code, and the values that XLA has to pass to them.

    A scalar input is called c<number>; an array is flattened and called p<number>. An expression that occurs several
    times is written once: derivatives with respect to several numbers repeat most of a formula, and compilers would
    take minutes to find the repetitions.

    Args:
        dtype: of the loop's floats; formulas with floats of another type for the pair are not supported.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.lines: list[Line] = []
        self.inputs: list[Any] = []
        self.primitive = ""  # the one that is being translated
        self._bounds: dict[str, tuple[int, int]] = {}  # between which an integer is known to lie
        self._input_of: dict[int, int] = {}
        self._name_of: dict[tuple[str, str, int | None], str] = {}
        self._known: dict[Any, tuple[Any, Any]] = {}

    def checked(self, dtype: Any) -> np.dtype[Any]:
        """The dtype of a value of the pair, if loops can hold it."""
        if str(dtype) not in (*INTEGERS, "bool", self.dtype.name):
            raise UnsupportedError(self.primitive, f"values of type {dtype} in a system of {self.dtype}")
        return np.dtype(dtype)

    def emit(self, expression: str, dtype: Any, table: int | None = None) -> str:
        """The name of the value of an expression, or of the number at this place of a table."""
        if table is None and (known := self._of_distance(expression)) is not None:
            return known
        key = (expression, self.checked(dtype).name, table)
        if key not in self._name_of:
            self._name_of[key] = f"v{len(self.lines)}"
            self.lines.append(Line(self._name_of[key], *key, self.primitive))
        return self._name_of[key]

    def _of_distance(self, expression: str) -> str | None:
        """The name of r * r or x / r from the loop's r^2 and 1/r, since divisions are slow; None for others."""
        if expression == "product(r, r)":
            return "squared"
        match = re.fullmatch(r"ratio\(([^,()]+(?:\([\d.]+\))?), (r|squared)\)", expression)
        if match is None:
            return None
        inverse = "inverse" if match[2] == "r" else self.emit("product(inverse, inverse)", self.dtype)
        return inverse if match[1] == "F(1.0)" else self.emit(f"product({match[1]}, {inverse})", self.dtype)

    def before(self, equation: Any, inputs: list[Any]) -> Any:
        """Results of an equation without a value of the pair, left to XLA."""
        same = tuple(id(v) if np.ndim(v) or isinstance(v, jax.Array) else repr(np.asarray(v).item()) for v in inputs)
        key = (equation.primitive, same, str(equation.params), str([v.aval for v in equation.invars]))
        if key not in self._known:
            results = equation.primitive.bind(*vary_alike(inputs), **equation.params)
            # the inputs are kept with the results: no other value may get their identity
            self._known[key] = (results if equation.primitive.multiple_results else [results], inputs)
        return self._known[key][0]

    def input(self, value: Any) -> int:
        """The number of the input that holds a value known before the loop."""
        key = id(value)
        if key not in self._input_of:
            self._input_of[key] = len(self.inputs)
            self.inputs.append(value)
        return self._input_of[key]

    def lookup(self, value: Any, index: list[str], shape: tuple[int, ...], dtype: Any) -> str:
        """The name of an entry of an array that does not depend on the pair, the nearest one to an index outside."""
        nearest = [self._inside(i, n) for i, n in zip(index, shape, strict=True)]
        place = nearest[0]
        for i, n in zip(nearest[1:], shape[1:], strict=True):
            place = f"({place}) * {n} + {i}"
        return self.emit(place, dtype, self.input(value))

    def _inside(self, index: str, size: int) -> str:
        low, high = self._bounds.get(index, (-1, size))
        return index if low >= 0 and high < size else f"min(max({index}, 0), {size - 1})"

    def bound(self, name: str, low: Any, high: Any) -> None:
        """Record that a value lies between two numbers, if these are constants."""
        if all(isinstance(limit, int | np.integer | np.ndarray) for limit in (low, high)):
            self._bounds[name] = int(low), int(high)

    def scalar(self, value: Any, aval: Any) -> str:
        """The expression for a scalar, which may be code, a literal or an input."""
        self.checked(aval.dtype)
        if isinstance(value, Code):
            if len(value.names) != 1:
                raise UnsupportedError(self.primitive, f"of shape {value.shape} for each pair")
            return value.names[0]
        if isinstance(value, int | float | bool | np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
            return literal(value, aval.dtype)
        if math.prod(aval.shape) != 1:
            raise UnsupportedError(self.primitive, "of an array and a value of the pair")
        return f"c{self.input(value)}"


def literal(value: Any, dtype: Any) -> str:
    """A number as source code, in its own type."""
    name = type_name(dtype)
    if np.dtype(dtype).kind != "f":
        return f"{name}({value.item() if hasattr(value, 'item') else value!r})"
    text = repr(float(value))
    return f"{name}({text.replace('inf', 'math.inf').replace('nan', 'math.nan')})"


INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
NESTED = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "remat2": "jaxpr",
    "checkpoint": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
}  # fmt: skip


def translate(closed: Any, arguments: list[Any], translation: Translation) -> list[Any]:
    """Results of a closed jaxpr: :class:`Code` where they depend on the pair, JAX values otherwise.

    Args:
        closed: from ``jax.make_jaxpr``.
        arguments: one for each flat argument, :class:`Code` or a JAX value.
        translation: collects lines and inputs.

    Raises:
        UnsupportedError: there is no scalar code for a primitive.
    """
    jaxpr = closed.jaxpr
    values: dict[Any, Any] = {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, jex_core.Literal) else values[atom]

    values.update(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        inputs = [read(a) for a in equation.invars]
        name = equation.primitive.name
        if name in NESTED:
            inner = equation.params[NESTED[name]]
            if not hasattr(inner, "consts"):
                inner = jex_core.ClosedJaxpr(inner, ())
            results = translate(inner, inputs, translation)
        elif not any(isinstance(v, Code) for v in inputs):
            results = translation.before(equation, inputs)
        else:
            results = [line_of(equation, inputs, translation)]
        values.update(zip(equation.outvars, results, strict=True))
    return [read(a) for a in jaxpr.outvars]


def line_of(equation: Any, inputs: list[Any], t: Translation) -> Code:
    """Code of one equation with at least one input that depends on the pair."""
    t.primitive = name = equation.primitive.name
    avals = [a.aval for a in equation.invars]
    out = equation.outvars[0].aval
    if len(equation.outvars) != 1:
        raise UnsupportedError(name)
    if name in ("broadcast_in_dim", "reshape", "squeeze", "expand_dims"):
        if not isinstance(inputs[0], Code) or len(inputs[0].names) != math.prod(out.shape):
            raise UnsupportedError(name, f"to shape {out.shape} for each pair")
        return Code(inputs[0].names, out.shape)
    if name == "concatenate":
        names = [n for v, a in zip(inputs, avals, strict=True) for n in pieces(v, a, t)]
        return Code(tuple(names), out.shape)
    if math.prod(out.shape) != 1:
        raise UnsupportedError(name, f"to shape {out.shape} for each pair")
    if name == "gather":
        return Code((gather(equation, inputs, t),), out.shape)
    if name in ("dynamic_slice", "dynamic_index_in_dim"):
        if isinstance(inputs[0], Code):
            raise UnsupportedError(name, "from values of the pair")
        index = [t.scalar(v, a) for v, a in zip(inputs[1:], avals[1:], strict=True)]
        return Code((t.lookup(inputs[0], index, avals[0].shape, out.dtype),), out.shape)
    operands = [t.scalar(v, a) for v, a in zip(inputs, avals, strict=True)]
    dtype = t.checked(out.dtype)
    if name == "integer_pow":
        return Code((power(operands[0], equation.params["y"], dtype, t),), out.shape)
    text = text_of(name, operands, [np.dtype(a.dtype) for a in avals], dtype, equation.params)
    if text is None:
        raise UnsupportedError(name, f"of {', '.join(str(a.dtype) for a in avals)}")
    result = t.emit(text, dtype)
    if name == "clamp" and dtype.kind in "iu":
        t.bound(result, inputs[0], inputs[2])
    return Code((result,), out.shape)


def pieces(value: Any, aval: Any, t: Translation) -> list[str]:
    """Names of the entries of a small vector."""
    return list(value.names) if isinstance(value, Code) else [t.scalar(value, aval)]


def power(base: str, exponent: int, dtype: np.dtype[Any], t: Translation) -> str:
    """An integer power by repeated squaring."""
    kind = type_name(dtype)
    if exponent < 0:
        if dtype.kind != "f":
            raise UnsupportedError("integer_pow", f"of {dtype} to {exponent}")
        if base == "r":
            return power("inverse", -exponent, dtype, t)
        return t.emit(f"ratio({kind}(1.0), {power(base, -exponent, dtype, t)})", dtype)
    if exponent == 0:
        return f"{kind}(1)"
    if exponent == 1:
        return base
    half = power(base, exponent // 2, dtype, t)
    product = "product({}, {})" if dtype.kind == "f" else f"{kind}({{}} * {{}})"
    square = t.emit(product.format(half, half), dtype)
    return t.emit(product.format(square, base), dtype) if exponent % 2 else square


def gather(equation: Any, inputs: list[Any], t: Translation) -> str:
    """One number taken from an array that does not depend on the pair."""
    operand, shape = inputs[0], equation.invars[0].aval.shape
    numbers = equation.params["dimension_numbers"]
    if isinstance(operand, Code) or any(size != 1 for size in equation.params["slice_sizes"]):
        raise UnsupportedError("gather", "of more than one number for each pair")
    names = pieces(inputs[1], equation.invars[1].aval, t)
    if len(names) != len(numbers.start_index_map) or numbers.operand_batching_dims:
        raise UnsupportedError("gather", f"with {numbers}")
    index = ["0"] * len(shape)
    for dimension, text in zip(numbers.start_index_map, names, strict=True):
        index[dimension] = text
    dtype = equation.outvars[0].aval.dtype
    value = t.lookup(operand, index, shape, dtype)
    if equation.params["mode"] in (jax.lax.GatherScatterMode.CLIP, jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS):
        return value
    if equation.params["fill_value"] is not None or dtype != t.dtype:
        raise UnsupportedError("gather", f"of {dtype} with a fill value for indices out of range")
    inside = " and ".join(f"({i} >= 0) and ({i} < {n})" for i, n in zip(index, shape, strict=True))
    return t.emit(f"({value} if {inside} else {type_name(dtype)}(math.nan))", dtype)
