"""Cutoff functions of symmetry functions, as in n2p2 and in its order, and functions of compact support."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["COMPACT_FUNCTIONS", "CUTOFF_FUNCTIONS", "compact_function", "cutoff_function"]


def _hard(x: jax.Array) -> jax.Array:
    return jnp.ones_like(x)


def _cos(x: jax.Array) -> jax.Array:
    return 0.5 * (jnp.cos(np.pi * x) + 1.0)


def _tanhu(x: jax.Array) -> jax.Array:
    t = jnp.tanh(1.0 - x)
    return t * t * t


def _tanh(x: jax.Array) -> jax.Array:
    return float(np.tanh(1.0) ** -3) * _tanhu(x)


def _exp(x: jax.Array) -> jax.Array:
    inside = x < 1.0
    x = jnp.where(inside, x, 0.0)
    return jnp.where(inside, jnp.exp(1.0 - 1.0 / (1.0 - x * x)), 0.0)


def _poly1(x: jax.Array) -> jax.Array:
    return 1.0 + x * x * (2.0 * x - 3.0)


def _poly2(x: jax.Array) -> jax.Array:
    return 1.0 + x**3 * (x * (15.0 - 6.0 * x) - 10.0)


def _poly3(x: jax.Array) -> jax.Array:
    return 1.0 + x**4 * (x * (x * (20.0 * x - 70.0) + 84.0) - 35.0)


def _poly4(x: jax.Array) -> jax.Array:
    return 1.0 + x**5 * (x * (x * (x * (315.0 - 70.0 * x) - 540.0) + 420.0) - 126.0)


# The place of a name in this dict is its number in n2p2's `cutoff_type`.
CUTOFF_FUNCTIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "hard": _hard,
    "cos": _cos,
    "tanhu": _tanhu,
    "tanh": _tanh,
    "exp": _exp,
    "poly1": _poly1,
    "poly2": _poly2,
    "poly3": _poly3,
    "poly4": _poly4,
}


def _sooner(f: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    return lambda x: f((2.0 - x) * x)


_POLYNOMIALS = {"p1": _poly1, "p2": _poly2, "p3": _poly3, "p4": _poly4}
# n2p2's subtypes
COMPACT_FUNCTIONS = {**_POLYNOMIALS, "e": _exp, **{f"{name}a": _sooner(f) for name, f in _POLYNOMIALS.items()}}


def cutoff_function(kind: str, inner: float = 0.0) -> Callable[[jax.Array, float], jax.Array]:
    """A cutoff function f(r, cutoff).

    With x = (r - inner cutoff) / (cutoff - inner cutoff), and 1 where x < 0:

    ========== === ==============================================
    kind       n2p2 f
    ========== === ==============================================
    ``hard``   0   1
    ``cos``    1   (cos(pi x) + 1) / 2
    ``tanhu``  2   tanh^3(1 - r / cutoff)
    ``tanh``   3   tanh^3(1 - r / cutoff) / tanh^3(1)
    ``exp``    4   exp(1 - 1 / (1 - x^2))
    ``poly1``  5   (2 x - 3) x^2 + 1
    ``poly2``  6   ((15 - 6 x) x - 10) x^3 + 1
    ``poly3``  7   (x (x (20 x - 70) + 84) - 35) x^4 + 1
    ``poly4``  8   (x (x (x (315 - 70 x) - 540) + 420) - 126) x^5 + 1
    ========== === ==============================================

    Args:
        kind: as in the table.
        inner: alpha, the inner cutoff as a fraction of the cutoff; it has no effect on ``tanhu`` and ``tanh``.

    Returns:
        ``(distances, cutoff) -> values``, element by element, 0 from the cutoff on.

    Raises:
        ValueError: another kind, or ``inner`` is not from 0 to below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.descriptors.symmetry_functions import cutoff_function
        >>> [round(float(v), 3) for v in cutoff_function("poly1", 0.5)(jnp.array([2.0, 4.5, 6.0]), 6.0)]
        [1.0, 0.5, 0.0]

    Reference:
        J. Behler and M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007) ("cos"); A. Singraber, J. Behler and C. Dellago,
        J. Chem. Theory Comput. 15, 1827 (2019) (the others).
    """
    if kind not in CUTOFF_FUNCTIONS:
        raise ValueError(f"cutoff function {kind!r} is not known; use one of {', '.join(CUTOFF_FUNCTIONS)}")
    if not 0.0 <= inner < 1.0:
        raise ValueError(f"the inner cutoff must be a fraction of the cutoff from 0 to below 1, got {inner}")
    f = CUTOFF_FUNCTIONS[kind]
    fraction = 0.0 if kind in ("tanhu", "tanh") else float(inner)

    def function(distances: jax.Array, cutoff: float) -> jax.Array:
        x = distances * (1.0 / cutoff)
        if fraction:
            x = jnp.maximum((x - fraction) / (1.0 - fraction), 0.0)
        return jnp.where(distances < cutoff, f(x), 0.0)

    return function


def compact_function(subtype: str) -> Callable[[jax.Array, float, float], jax.Array]:
    """A function of compact support, f(value, start, end): 1 in the middle between both ends, 0 at and beyond them.

    With x = |value - middle| / half the width, "p1" ... "p4" are the polynomials "poly1" ... "poly4" of
    :func:`cutoff_function` in x, and "e" its "exp"; "p1a" ... "p4a" are the polynomials in (2 - x) x.

    Args:
        subtype: as above.

    Returns:
        ``(values, start, end) -> values``, element by element.

    Raises:
        ValueError: another subtype.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.descriptors.symmetry_functions import compact_function
        >>> [round(float(v), 3) for v in compact_function("p2")(jnp.array([1.0, 2.0, 3.0, 5.0]), 1.0, 5.0)]
        [0.0, 0.5, 1.0, 0.0]

    Reference:
        M. P. Bircher, A. Singraber and C. Dellago, Mach. Learn.: Sci. Technol. 2, 035026 (2021).
    """
    if subtype not in COMPACT_FUNCTIONS:
        raise ValueError(f"compact function {subtype!r} is not known; use one of {', '.join(COMPACT_FUNCTIONS)}")
    f = COMPACT_FUNCTIONS[subtype]

    def function(values: jax.Array, start: float, end: float) -> jax.Array:
        x = jnp.abs(values - 0.5 * (start + end)) * (2.0 / (end - start))
        inside = x < 1.0
        x = jnp.where(inside, x, 0.0)
        return jnp.where(inside, f(x), 0.0)

    return function
