"""The errors that are jaxpot's own, all of one base class."""

from __future__ import annotations

__all__ = ["JaxpotError", "UnusableListError"]


class JaxpotError(Exception):
    """Base class of the errors that jaxpot raises for reasons of its own: faulty files, unusable lists, failed runs.

    A wrong argument is a ``ValueError``, an object of a wrong kind a ``TypeError``, as elsewhere in Python.
    """


class UnusableListError(JaxpotError, ValueError):
    """A neighbour list or system with which an evaluation would give wrong numbers.

    The list has overflowed, or does not hold all pairs of these positions, or a number is not finite. Under
    ``jax.jit``, where nothing can be raised, results are NaN instead.
    """
