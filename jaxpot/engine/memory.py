"""How many atoms are evaluated at once, from the memory that a formula of environments needs for one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

__all__ = ["BUDGET", "atoms_at_once", "numbers_of_one_atom"]

BUDGET = 2**29  # bytes for the intermediate arrays of the atoms that are evaluated at once


def atoms_at_once(formula: Callable[[Any], Any], like: Any, most: int) -> int:
    """The number of atoms whose intermediate arrays fit in the budget, at least 1.

    For example, a set of symmetry functions makes one array over all pairs of neighbours for each of its sums, so the
    memory grows with pairs x sums.

    Args:
        formula: of many environments, as it is evaluated for a block of atoms.
        like: the environments of all atoms of a list, or their shapes, [atoms, neighbors]; or several such.
        most: number of atoms of a block where memory does not matter.

    Returns:
        The number of atoms, at most ``most``.
    """
    needed = numbers_of_one_atom(formula, like) * jnp.dtype(jax.tree.leaves(like)[0].dtype).itemsize
    return max(min(most, BUDGET // max(needed, 1)), 1)


def numbers_of_one_atom(formula: Callable[[Any], Any], like: Any) -> int:
    """The numbers in all results of all operations on the environment of one atom.

    A reverse pass keeps about these numbers. XLA merges operations and then keeps fewer, so it is an upper bound for
    simple formulas.

    Args:
        formula: of many environments; it may use traced params.
        like: environments, or their shapes, [atoms, neighbors].

    Returns:
        The count; what does not depend on the environment is left out.
    """
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), like)
    jaxpr = jax.make_jaxpr(formula)(one).jaxpr
    moving = set(jaxpr.invars)
    total = 0
    for equation in jaxpr.eqns:
        if any(not isinstance(v, Literal) and v in moving for v in equation.invars):
            moving.update(equation.outvars)
            total += _size(equation)
    return total


def _size(equation: Any) -> int:
    """Numbers in the results of an operation, or of those that it consists of."""
    inner = [_size(one) for jaxpr in _parts(equation.params.values()) for one in jaxpr.eqns]
    return sum(inner) if inner else sum(v.aval.size for v in equation.outvars)


def _parts(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, Jaxpr | ClosedJaxpr):
            yield value
        elif isinstance(value, tuple | list):
            yield from _parts(value)
