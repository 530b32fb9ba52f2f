"""The formula of one pair, traced by JAX, as a few lines of scalar code.

A jaxpr is walked once. What does not depend on the pair is left to XLA and becomes an input of the loop; what does
becomes a line of code. So the physics is written once, in JAX, and compiled twice.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core as jex_core

__all__ = ["Code", "Line", "Translation", "UnsupportedError", "translate"]


class UnsupportedError(Exception):
    """The formula uses something that has no line of code here; XLA evaluates it instead."""


class Code(NamedTuple):
    """A value that depends on the pair: names of the scalars that make it up, and its shape."""

    names: tuple[str, ...]
    shape: tuple[int, ...]


class Line(NamedTuple):
    """``name = text``, or with a table ``name = p<table>[text]``; kind is that of the value's dtype."""

    name: str
    text: str
    kind: str
    table: int | None = None


class Translation:
    """Lines of scalar code, and the values that XLA has to pass to them.

    A scalar input is called c<number>, an array p<number>, flattened. What has been said is not said again: derivatives
    by several numbers repeat most of a formula, which compilers would take minutes to find out.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.inputs: list[Any] = []
        self._input_of: dict[int, int] = {}
        self._name_of: dict[tuple[str, str, int | None], str] = {}
        self._known: dict[Any, tuple[Any, Any]] = {}

    def emit(self, expression: str, kind: str, table: int | None = None) -> str:
        """The name of the value of an expression, or of the number at this place of a table."""
        key = (expression, kind, table)
        if key not in self._name_of:
            self._name_of[key] = f"v{len(self.lines)}"
            self.lines.append(Line(self._name_of[key], expression, kind, table))
        return self._name_of[key]

    def before(self, equation: Any, inputs: list[Any]) -> Any:
        """Results of an equation without a value of the pair, left to XLA."""
        same = tuple(id(v) if np.ndim(v) or isinstance(v, jax.Array) else repr(np.asarray(v).item()) for v in inputs)
        key = (equation.primitive, same, str(equation.params), str([v.aval for v in equation.invars]))
        if key not in self._known:
            results = equation.primitive.bind(*inputs, **equation.params)
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

    def lookup(self, value: Any, index: str, kind: str) -> str:
        """The name of the number at a place of a flattened array that does not depend on the pair."""
        return self.emit(index, kind, self.input(value))

    def scalar(self, value: Any, aval: Any) -> str:
        """The expression of a scalar, be it code, a literal or an input."""
        if isinstance(value, Code):
            if len(value.names) != 1:
                raise UnsupportedError(f"a value of shape {value.shape} for each pair")
            return value.names[0]
        if isinstance(value, int | float | bool | np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
            return literal(value, aval.dtype)
        if math.prod(aval.shape) != 1:
            raise UnsupportedError("an array combined with a value of the pair")
        return f"c{self.input(value)}"


def literal(value: Any, dtype: Any) -> str:
    """A number as source code, in its own precision."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return str(bool(value))
    if kind in "iu":
        return f"I({int(value)})"
    if not math.isfinite(float(value)):
        return (
            f"F(math.{'nan' if math.isnan(float(value)) else 'inf'})"
            if float(value) > 0 or math.isnan(float(value))
            else "F(-math.inf)"
        )
    return f"F({float(value)!r})"


BINARY = {
    "add": "({} + {})", "add_any": "({} + {})", "sub": "({} - {})", "mul": "({} * {})", "div": "({} / {})",
    "max": "max({}, {})", "min": "min({}, {})", "pow": "({} ** {})", "eq": "({} == {})", "ne": "({} != {})",
    "lt": "({} < {})", "le": "({} <= {})", "gt": "({} > {})", "ge": "({} >= {})", "and": "({} & {})",
    "or": "({} | {})", "rem": "math.fmod({}, {})",
}  # fmt: skip
UNARY = {
    "neg": "(-{})", "abs": "abs({})", "exp": "math.exp({})", "log": "math.log({})", "sqrt": "math.sqrt({})",
    "rsqrt": "(F(1.0) / math.sqrt({}))", "sin": "math.sin({})", "cos": "math.cos({})", "tan": "math.tan({})",
    "tanh": "math.tanh({})", "log1p": "math.log1p({})", "expm1": "math.expm1({})", "erf": "math.erf({})",
    "erfc": "math.erfc({})", "floor": "F(math.floor({}))", "ceil": "F(math.ceil({}))", "not": "(not {})",
    "square": "({0} * {0})", "logistic": "(F(1.0) / (F(1.0) + math.exp(-{})))", "copy": "{}", "copy_p": "{}",
    "sign": "F(({0} > 0) - ({0} < 0))", "stop_gradient": "{}", "optimization_barrier": "{}",
}  # fmt: skip
NESTED = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "remat2": "jaxpr",
    "checkpoint": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
}  # fmt: skip


def translate(closed: Any, arguments: list[Any], translation: Translation) -> list[Any]:
    """Results of a closed jaxpr: :class:`Code` where they depend on the pair, values of JAX where not.

    Args:
        closed: from ``jax.make_jaxpr``.
        arguments: one a flat argument, :class:`Code` or a JAX value.
        translation: collects lines and inputs.

    Raises:
        UnsupportedError: a primitive that has no line of code.
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
    name = equation.primitive.name
    avals = [a.aval for a in equation.invars]
    out = equation.outvars[0].aval
    if name in ("broadcast_in_dim", "reshape", "squeeze", "expand_dims"):
        if len(inputs[0].names) != math.prod(out.shape):
            raise UnsupportedError(f"a value of shape {out.shape} for each pair")
        return Code(inputs[0].names, out.shape)
    if name == "concatenate":
        names = [n for v, a in zip(inputs, avals, strict=True) for n in pieces(v, a, t)]
        return Code(tuple(names), out.shape)
    if name == "gather":
        return Code((gather(equation, inputs, t),), out.shape)
    if name in ("dynamic_slice", "dynamic_index_in_dim"):
        if math.prod(out.shape) != 1 or isinstance(inputs[0], Code):
            raise UnsupportedError("a slice of more than one number for each pair")
        shape = avals[0].shape
        index = [t.scalar(v, a) for v, a in zip(inputs[1:], avals[1:], strict=True)]
        clamped = [f"min(max({i}, I(0)), I({n - 1}))" for i, n in zip(index, shape, strict=True)]
        return Code((t.lookup(inputs[0], flat(clamped, shape), out.dtype.kind),), out.shape)
    if math.prod(out.shape) != 1:
        raise UnsupportedError(f"{name} of shape {out.shape} for each pair")
    operands = [t.scalar(v, a) for v, a in zip(inputs, avals, strict=True)]
    if name in BINARY:
        text = BINARY[name].format(*operands)
        if name == "div" and out.dtype.kind in "iu":
            raise UnsupportedError("division of integers")
    elif name in UNARY:
        text = UNARY[name].format(*operands)
    elif name == "select_n":
        if len(operands) != 3:
            raise UnsupportedError("a choice of more than two")
        chosen = operands[0] if avals[0].dtype == bool else f"({operands[0]} != 0)"
        text = f"({operands[2]} if {chosen} else {operands[1]})"
    elif name == "clamp":
        text = f"min(max({operands[1]}, {operands[0]}), {operands[2]})"
    elif name == "integer_pow":
        return Code((power(operands[0], equation.params["y"], t),), out.shape)
    elif name == "convert_element_type":
        kind = out.dtype.kind
        text = f"{'F' if kind == 'f' else 'bool' if kind == 'b' else 'I'}({operands[0]})"
    else:
        raise UnsupportedError(name)
    return Code((t.emit(text, out.dtype.kind),), out.shape)


def pieces(value: Any, aval: Any, t: Translation) -> list[str]:
    """Names of the entries of a small vector."""
    return list(value.names) if isinstance(value, Code) else [t.scalar(value, aval)]


def power(base: str, exponent: int, t: Translation) -> str:
    """An integer power by repeated squaring."""
    if exponent < 0:
        return t.emit(f"F(1.0) / {power(base, -exponent, t)}", "f")
    if exponent == 0:
        return "F(1.0)"
    if exponent == 1:
        return base
    half = power(base, exponent // 2, t)
    square = t.emit(f"{half} * {half}", "f")
    return t.emit(f"{square} * {base}", "f") if exponent % 2 else square


def gather(equation: Any, inputs: list[Any], t: Translation) -> str:
    """One number taken from an array that does not depend on the pair."""
    operand, shape = inputs[0], equation.invars[0].aval.shape
    numbers = equation.params["dimension_numbers"]
    if (
        isinstance(operand, Code)
        or math.prod(equation.outvars[0].aval.shape) != 1
        or any(size != 1 for size in equation.params["slice_sizes"])
    ):
        raise UnsupportedError("a gather of more than one number for each pair")
    names = pieces(inputs[1], equation.invars[1].aval, t)
    index = ["I(0)"] * len(shape)
    for dimension, text in zip(numbers.start_index_map, names, strict=True):
        index[dimension] = text
    kind = equation.outvars[0].aval.dtype.kind
    if equation.params["mode"] == jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS:
        return t.lookup(operand, flat(index, shape), kind)
    clamped = [f"min(max({i}, I(0)), I({n - 1}))" for i, n in zip(index, shape, strict=True)]
    value = t.lookup(operand, flat(clamped, shape), kind)
    if equation.params["mode"] == jax.lax.GatherScatterMode.CLIP:
        return value
    if equation.params["fill_value"] is not None or kind != "f":
        raise UnsupportedError("a gather with a fill value")
    inside = " and ".join(f"({i} >= 0) and ({i} < {n})" for i, n in zip(index, shape, strict=True))
    return t.emit(f"({value} if {inside} else F(math.nan))", kind)


def flat(index: list[str], shape: tuple[int, ...]) -> str:
    """The place of an entry in the flattened array."""
    text = index[0]
    for i, n in zip(index[1:], shape[1:], strict=True):
        text = f"({text}) * I({n}) + {i}"
    return text
