"""Whether scalar code stays the same when the two edges of an angle are exchanged."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence

from jaxpot.engine.compiled.scalar_code import Line

__all__ = ["symmetric"]

PRIME = (1 << 61) - 1
EXCHANGED = {"rj": "rk", "rk": "rj", "oj": "ok", "ok": "oj"}


def symmetric(lines: Sequence[Line], output: str) -> bool:
    """Whether an output has the same value for exchanged edges, whatever the order of its sums and products.

    Sums, products and ratios are computed with random numbers modulo a prime in place of the variables, and all other
    operations are random functions. Formulas that differ give the same numbers with a probability below 1e-15.
    """
    return _fingerprint(lines, output, {}) == _fingerprint(lines, output, EXCHANGED)


def _fingerprint(lines: Sequence[Line], output: str, exchanged: Mapping[str, str]) -> int:
    values: dict[str, int] = {}
    for line in lines:
        value = _value(ast.parse(line.text, mode="eval").body, values, exchanged)
        values[line.name] = value if line.table is None else _random("table", line.table, value)
    return _value(ast.parse(output, mode="eval").body, values, exchanged)


def _value(node: ast.expr, values: Mapping[str, int], exchanged: Mapping[str, str]) -> int:
    """The number that stands for an expression."""
    match node:
        case ast.Name(name):
            name = exchanged.get(name, name)
            return values[name] if name in values else _random("name", name)
        case ast.BinOp(left, ast.Add() | ast.Sub() as operation, right):
            sign = 1 if isinstance(operation, ast.Add) else -1
            return (_value(left, values, exchanged) + sign * _value(right, values, exchanged)) % PRIME
        case ast.UnaryOp(ast.USub(), inner):
            return -_value(inner, values, exchanged) % PRIME
        case ast.Call(ast.Name("product"), [left, right]):
            return _value(left, values, exchanged) * _value(right, values, exchanged) % PRIME
        case ast.Call(ast.Name("ratio"), [left, right]):
            under = _value(right, values, exchanged)
            return _value(left, values, exchanged) * pow(under, PRIME - 2, PRIME) % PRIME
    parts = [_value(child, values, exchanged) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    shape = type(node).__name__ + _operators(node) if parts else ast.dump(node)
    return _random(shape, *parts)


def _operators(node: ast.expr) -> str:
    """What distinguishes operations of one kind, such as the comparisons."""
    parts = [type(child).__name__ for child in ast.walk(node) if isinstance(child, ast.operator | ast.cmpop)]
    parts += [type(child).__name__ for child in ast.walk(node) if isinstance(child, ast.boolop | ast.unaryop)]
    return " ".join(parts) + (node.attr if isinstance(node, ast.Attribute) else "")


def _random(*what: object) -> int:
    digest = hashlib.sha256(repr(what).encode()).digest()
    return int.from_bytes(digest[:8], "little") % PRIME
