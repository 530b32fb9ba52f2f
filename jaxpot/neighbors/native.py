"""Rebuilds the list by a compiled cell list (numba) that XLA calls directly on the CPU.

Input and output are those of :mod:`jaxpot.neighbors.rebuild`, which needs only JAX and runs anywhere. The compiled cell
list is chosen for large systems on CPUs where numba is installed (extra ``fast``). No Python code runs in the call:
numba compiles the function that XLA's foreign function interface calls.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors.plan import Built, Plan
from jaxpot.numerics.native_interface import interface_problem, register_once

__all__ = ["available", "fill", "search"]


def available() -> bool:
    """Whether numba is installed and XLA runs on the CPU of a Linux or macOS machine."""
    found = importlib.util.find_spec("numba") is not None
    usable = found and sys.platform in ("linux", "darwin") and jax.default_backend() == "cpu"
    return usable and interface_problem() is None


def search(
    plan: Plan,
    positions: jax.Array,
    fractional: jax.Array,
    wraps: jax.Array,
    real: jax.Array,
    is_center: jax.Array,
    full: jax.Array,
    margin: jax.Array,
    pbc: jax.Array,
) -> tuple[Built, jax.Array]:
    """The list of the wrapped atoms in ``plan``'s sizes, and the largest number of neighbours within each range.

    For jit on the CPU.
    """
    dtype = positions.dtype
    _register(dtype.name)

    def extent(size: int) -> jax.Array:
        """An argument that passes a number as its size; its values are not read."""
        return jnp.zeros((size,), bool)

    def integers(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, jnp.int32)

    ranges = plan.ranges
    source, offset, row_of_atom, report, rows, *narrower = jax.ffi.ffi_call(
        f"jaxpot_neighbors_{dtype.name}",
        [
            integers(plan.rows),
            integers(plan.rows, 3),
            integers(plan.atoms),
            integers(1 + len(ranges)),
            *[integers(plan.centers, one.capacity) for one in ranges],
        ],
        vmap_method="sequential",
    )(
        positions,
        fractional,
        wraps,
        real,
        is_center,
        full,
        margin,
        pbc,
        jnp.asarray([one.cutoff + plan.skin for one in ranges], dtype),
        extent(plan.rows),
        extent(plan.centers),
        extent(plan.other_atoms),
        extent(int(plan.sort)),
        *[extent(one.capacity) for one in ranges],
    )
    return Built(rows, source, offset, row_of_atom, report[0] > 0, tuple(narrower)), report[1:]


def fill(
    plan: Plan,
    positions: np.ndarray,
    fractional: np.ndarray,
    wraps: np.ndarray,
    real: np.ndarray,
    is_center: np.ndarray,
    full: np.ndarray,
    margin: np.ndarray,
    pbc: np.ndarray,
) -> tuple[Built, np.ndarray]:
    """:func:`search` for numpy arrays, on the host."""
    arrays = (positions, fractional, np.asarray(wraps, np.int32), real, is_center, full, margin, pbc)
    built, needed = jax.jit(search, static_argnums=0)(plan, *map(jnp.asarray, arrays))
    return jax.tree.map(np.asarray, built), np.asarray(needed)


def _register(dtype: str) -> None:
    """Register the compiled function for a dtype with XLA, once per process."""

    def make() -> Any:
        from jaxpot.neighbors.native_kernel import target_of

        return target_of(np.dtype(dtype).type)

    register_once(f"jaxpot_neighbors_{dtype}", make)
