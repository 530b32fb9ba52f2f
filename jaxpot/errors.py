"""jaxpot's own errors, which have one base class."""

from __future__ import annotations

__all__ = ["JaxpotError", "UnusableListError"]


class JaxpotError(Exception):
    """Base class of jaxpot's own errors: faulty files, unusable lists, failed runs.

    A wrong argument raises ``ValueError`` and an object of a wrong type raises ``TypeError``, as elsewhere in Python.
    """


class UnusableListError(JaxpotError, ValueError):
    """A neighbour list or system with which an evaluation would give wrong numbers.

    The list has overflowed, or does not hold all pairs of these positions, or a number is not finite. Under
    ``jax.jit``, where no error can be raised, results are NaN instead.
    """
