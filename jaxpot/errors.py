"""jaxpot's own errors, which have one base class."""

from __future__ import annotations

__all__ = ["JaxpotError", "UnusableListError", "misplaced"]


class JaxpotError(Exception):
    """Base class of jaxpot's own errors: faulty files, unusable lists, failed runs.

    A wrong argument raises ``ValueError`` and an object of a wrong type raises ``TypeError``, as elsewhere in Python.
    """


class UnusableListError(JaxpotError, ValueError):
    """A neighbour list or system with which an evaluation would give wrong numbers.

    The list has overflowed, or does not hold all pairs of these positions, or a number is not finite. Under
    ``jax.jit``, where no error can be raised, results are NaN instead.
    """


def misplaced(owner: str, value: object, wanted: str, remedy: str) -> TypeError:
    """The error for an argument of a wrong type, which says what stands where and what to write.

    Args:
        owner: the function that was called.
        value: what was given.
        wanted: what belongs there, with its article.
        remedy: what to do.

    Returns:
        The ``TypeError``, to be raised.

    Example:
        >>> misplaced("relax", 3, "a potential", "the order is (potential, params, structures)")
        TypeError('relax: an int stands where a potential belongs; the order is (potential, params, structures)')
    """
    kind = type(value).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    return TypeError(f"{owner}: {article} {kind} stands where {wanted} belongs; {remedy}")
