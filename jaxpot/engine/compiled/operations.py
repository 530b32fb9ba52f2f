"""Python expressions for JAX's primitives on scalars, with the same results as XLA's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

__all__ = ["text_of", "type_name"]

COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
FLOATS = {
    "add": "({} + {})", "add_any": "({} + {})", "sub": "({} - {})", "mul": "product({}, {})", "div": "ratio({}, {})",
    "max": "maximum({}, {})", "min": "minimum({}, {})", "rem": "np.fmod({}, {})", "atan2": "math.atan2({}, {})",
    "neg": "(-{})", "abs": "abs({})", "sign": "sign({})", "square": "product({0}, {0})", "sqrt": "math.sqrt({})",
    "rsqrt": "ratio(F(1.0), math.sqrt({}))", "exp": "math.exp({})", "log": "math.log({})", "log1p": "math.log1p({})",
    "expm1": "math.expm1({})", "logistic": "ratio(F(1.0), F(1.0) + math.exp(-{}))", "sin": "math.sin({})",
    "cos": "math.cos({})", "tan": "math.tan({})", "asin": "math.asin({})", "acos": "math.acos({})",
    "atan": "math.atan({})", "sinh": "math.sinh({})", "cosh": "math.cosh({})", "tanh": "math.tanh({})",
    "erf": "math.erf({})", "erfc": "math.erfc({})", "floor": "np.floor({})", "ceil": "np.ceil({})",
    "clamp": "minimum(maximum({1}, {0}), {2})",
}  # fmt: skip
# numba widens sums and products of integers, so each result is converted back to its own type
INTEGERS = {
    "add": "{} + {}", "add_any": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "max": "max({}, {})",
    "min": "min({}, {})", "div": "quotient({}, {})", "rem": "remainder({}, {})", "neg": "-{}", "square": "{0} * {0}",
    "and": "{} & {}", "or": "{} | {}", "xor": "{} ^ {}", "not": "~{}", "clamp": "min(max({1}, {0}), {2})",
}  # fmt: skip
SIGNED = {"abs": "abs({})", "sign": "({0} > 0) - ({0} < 0)"}
TRUTHS = {"and": "({} & {})", "or": "({} | {})", "xor": "({} ^ {})", "not": "(not {})"}
COMMUTATIVE = ("add", "add_any", "mul", "and", "or", "xor")
SAME = ("copy", "copy_p", "stop_gradient", "optimization_barrier")


def type_name(dtype: Any) -> str:
    """The type of a value in source code; ``F`` is that of the loop's floats."""
    dtype = np.dtype(dtype)
    return "F" if dtype.kind == "f" else "bool" if dtype.kind == "b" else f"np.{dtype.name}"


def text_of(
    name: str, operands: Sequence[str], dtypes: Sequence[np.dtype[Any]], out: np.dtype[Any], params: Mapping[str, Any]
) -> str | None:
    """The expression of a primitive of scalars.

    Args:
        name: of the primitive.
        operands: expressions.
        dtypes: of the operands.
        out: dtype of the result.
        params: of the equation.

    Returns:
        The expression; None if there is no expression with XLA's results.
    """
    first = dtypes[0]
    if name in COMMUTATIVE:  # one fixed order, so that equal values have equal expressions
        operands = sorted(operands)
    if name in SAME:
        return operands[0]
    if name == "convert_element_type":
        return converted(operands[0], first, out)
    if name == "select_n":
        chosen = operands[0] if first.kind == "b" else f"({operands[0]} != 0)"
        return f"choose({chosen}, {operands[2]}, {operands[1]})" if len(operands) == 3 else None
    if any(other != first for other in dtypes):
        # the only operation of mixed types: a float to an integer power
        return f"({operands[0]} ** F({operands[1]}))" if name == "pow" and dtypes[1].kind in "iu" else None
    if name in COMPARISONS:
        return f"({operands[0]} {COMPARISONS[name]} {operands[1]})"
    if name == "is_finite":
        return f"(abs({operands[0]}) < F(math.inf))"
    if first.kind == "f":
        if name == "pow":
            return f"({operands[0]} ** {operands[1]})"
        if name == "round":
            nearest_even = params["rounding_method"] == jax.lax.RoundingMethod.TO_NEAREST_EVEN
            return f"np.rint({operands[0]})" if nearest_even else None
        return FLOATS[name].format(*operands) if name in FLOATS else None
    if first.kind == "b":
        return TRUTHS[name].format(*operands) if name in TRUTHS else None
    known = INTEGERS | (SIGNED if first.kind == "i" else {})
    return f"{type_name(out)}({known[name].format(*operands)})" if name in known else None


def converted(operand: str, dtype: np.dtype[Any], out: np.dtype[Any]) -> str:
    """A value in another type."""
    if dtype == out:
        return operand
    if out.kind == "b":
        return f"({operand} != 0)"
    if dtype.kind == "f" and out.kind in "iu":
        return f"to_integer({operand}, {type_name(out)})"
    return f"{type_name(out)}({operand})"
