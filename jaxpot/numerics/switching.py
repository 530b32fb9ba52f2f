"""How a pair function ends at its cutoff: truncated, shifted, force-shifted or switched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["MODES", "CutPair", "PairFunction", "cut_off", "largest_cutoff", "switch"]

MODES = ("truncated", "shifted", "force_shifted", "switched")

PairFunction = Callable[[Any, jax.Array], jax.Array]
CutPair = Callable[[Any, jax.Array, Callable[[jax.Array], jax.Array]], jax.Array]
Range = float | Sequence[Sequence[float]] | np.ndarray


def switch(distances: jax.Array, start: jax.Array | float, end: jax.Array | float) -> jax.Array:
    """The switching function of CHARMM and X-PLOR, 1 up to ``start``, 0 from ``end`` on, smooth in between.

    S(r) = (e^2 - r^2)^2 (e^2 + 2 r^2 - 3 s^2) / (e^2 - s^2)^3; its slope is continuous, its curvature is not.

    Args:
        distances: any shape, Å.
        start: s, Å, a number or of the shape of the distances.
        end: e > s, Å, likewise.

    Returns:
        S of every distance, dimensionless.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.numerics.switching import switch
        >>> [round(float(switch(jnp.asarray(r), 4.0, 5.0)), 4) for r in (3.0, 4.5, 5.0)]
        [1.0, 0.5416, 0.0]

    Reference: Steinbach and Brooks, J. Comput. Chem. 15, 667 (1994); Brooks et al., ibid. 4, 187 (1983).
    """
    s2, e2 = start * start, end * end
    r2 = jnp.clip(distances * distances, s2, e2)
    gap = e2 - r2
    width = e2 - s2
    return gap * gap * (width + 2.0 * (r2 - s2)) / (width * width * width)


def largest_cutoff(owner: str, cutoff: Range, elements: Sequence[str] | None) -> float:
    """The cutoff of a potential from one number or a table for pairs of species, checked.

    Args:
        owner: name of the potential, for the message.
        cutoff: Å, one number or a symmetric table [species, species]; 0 in a table switches a pair off.
        elements: chemical symbols whose order gives the species; None for one kind of atom.

    Returns:
        The largest, Å.

    Raises:
        ValueError: not finite, not positive, or a table that is not symmetric or does not fit the elements.

    Example:
        >>> from jaxpot.numerics.switching import largest_cutoff
        >>> largest_cutoff("lennard_jones", [[8.5, 8.0], [8.0, 7.5]], ["Ar", "Ne"])
        8.5
    """
    table = np.asarray(cutoff, dtype=np.float64)
    count = 1 if elements is None else len(elements)
    if table.ndim and table.shape != (count, count):
        raise ValueError(
            f"{owner}: the cutoff must be one number or a table [{count}, {count}], got shape {list(table.shape)}"
        )
    if table.ndim and not np.array_equal(table, table.T):
        raise ValueError(f"{owner}: the table of cutoffs must be symmetric, got {table.tolist()}")
    largest = float(table.max())
    if not (np.isfinite(table).all() and table.min() >= 0 and largest > 0):
        raise ValueError(f"{owner}: the cutoff must be a positive length in Å, got {table.tolist()}")
    return largest


def cut_off(
    owner: str, phi: PairFunction, cutoff: Range, mode: str = "truncated", switch_from: Range | None = None
) -> CutPair:
    """A pair function that ends at its cutoff rc in one of four ways.

    - ``"truncated"``: phi(r)
    - ``"shifted"``: phi(r) - phi(rc)
    - ``"force_shifted"``: phi(r) - phi(rc) - (r - rc) phi'(rc)
    - ``"switched"``: phi(r) S(r), with S of :func:`switch` from ``switch_from`` to rc

    each for r < rc, and 0 beyond. Values at the cutoff are computed once for each pair of species, not for each edge;
    their derivatives with respect to params are included.

    Args:
        owner: name of the potential, for messages.
        phi: ``(p, distances) -> energies``, element by element; leaves of ``p`` are numbers or of the distances' shape.
        cutoff: rc in Å, one number or a symmetric table [species, species] as :func:`largest_cutoff` accepts.
        mode: one of the four.
        switch_from: Å, where switching starts: a number or a table; only for ``"switched"``.

    Returns:
        ``(params, distances, lookup) -> energies``: leaves of ``params`` are arrays, numbers or tables
        [species, species]; ``lookup`` gives the value for each edge from such a leaf.

    Raises:
        ValueError: an unknown mode, or ``switch_from`` is missing, superfluous or not between 0 and the cutoff.
    """
    if mode not in MODES:
        raise ValueError(f"{owner}: mode must be one of {', '.join(MODES)}; got {mode!r}")
    if (mode == "switched") != (switch_from is not None):
        remedy = "give switch_from, in Å" if mode == "switched" else "leave out switch_from or use mode='switched'"
        raise ValueError(f"{owner}: mode {mode!r} with switch_from={switch_from}; {remedy}")
    ends = np.asarray(cutoff, dtype=np.float64)
    starts = np.asarray(0.0 if switch_from is None else switch_from, dtype=np.float64)
    if starts.ndim not in (0, 2) or (starts.ndim and ends.ndim and starts.shape != ends.shape):
        raise ValueError(f"{owner}: switch_from must be one number or a table as large as that of the cutoffs")
    if not (np.all(starts >= 0) and np.all((starts < ends) | (ends == 0))):
        raise ValueError(
            f"{owner}: switch_from must be between 0 and the cutoff {ends.tolist()} Å, got {starts.tolist()}"
        )

    def energies(params: Any, distances: jax.Array, lookup: Callable[[jax.Array], jax.Array]) -> jax.Array:
        def ranges(table: np.ndarray) -> jax.Array:
            return jnp.asarray(table, distances.dtype)

        values = phi(jax.tree.map(lookup, params), distances)
        if mode in ("shifted", "force_shifted"):
            # pairs with cutoff 0 are switched off, but phi must still be evaluated at a length where it is finite
            rc = ranges(np.where(ends > 0, ends, ends.max()))
            tables = jax.tree.map(lambda t: t if t.ndim == 0 else 0.5 * (t + t.T), params)
            if mode == "shifted":
                values = values - lookup(phi(tables, rc))
            else:
                height, slope = jax.jvp(lambda r: phi(tables, r), (rc,), (jnp.ones_like(rc),))
                values = values - lookup(height) - (distances - lookup(rc)) * lookup(slope)
        elif mode == "switched":
            # for pairs with cutoff 0, start and end would both be 0, and S would be 0/0
            end = ranges(np.where(ends > 0, ends, ends.max()))
            values = values * switch(distances, lookup(ranges(starts)), lookup(end))
        if ends.ndim:
            values = jnp.where(distances < lookup(ranges(ends)), values, 0.0)
        return values

    return energies
