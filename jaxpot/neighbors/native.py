"""The list rebuilt by a compiled cell list (numba) that XLA calls directly on the CPU.

Same input, same output as :mod:`jaxpot.neighbors.rebuild`, which needs nothing but JAX and runs anywhere; this one is
chosen for large systems on CPUs where numba is installed (extra ``fast``). No Python runs inside: numba compiles the
function that XLA's foreign function interface calls.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.neighbors.plan import Built, Plan

__all__ = ["available", "fill", "search"]

# slots of the int32 array of sizes that the compiled function reads
ATOMS, CENTERS, CAPACITY, ROWS, SORT = range(5)


def available() -> bool:
    """Whether numba is installed and XLA runs on the CPU."""
    return importlib.util.find_spec("numba") is not None and jax.default_backend() == "cpu"


def sizes_of(plan: Plan) -> np.ndarray:
    """[5] int32, what the compiled function must know of a plan."""
    return np.array([plan.atoms, plan.centers, plan.capacity, plan.rows, plan.sort], np.int32)


def search(
    positions: jax.Array,
    fractional: jax.Array,
    wraps: jax.Array,
    real: jax.Array,
    full: jax.Array,
    margin: jax.Array,
    pbc: jax.Array,
    plan: Plan,
) -> Built:
    """The list of wrapped atoms within ``plan``'s sizes; to be called under jit on the CPU."""
    dtype = positions.dtype
    _register(dtype.name)
    rows, source, offset, row_of_atom, overflow = jax.ffi.ffi_call(
        f"jaxpot_neighbors_{dtype.name}",
        [
            jax.ShapeDtypeStruct((plan.centers, plan.capacity), jnp.int32),
            jax.ShapeDtypeStruct((plan.rows,), jnp.int32),
            jax.ShapeDtypeStruct((plan.rows, 3), jnp.int32),
            jax.ShapeDtypeStruct((plan.atoms,), jnp.int32),
            jax.ShapeDtypeStruct((3,), jnp.int32),
        ],
        vmap_method="sequential",
    )(
        positions,
        fractional,
        wraps,
        real.astype(jnp.int32),
        full,
        margin,
        pbc.astype(jnp.int32),
        jnp.asarray(sizes_of(plan)),
        jnp.asarray([plan.reach], dtype),
    )
    return Built(rows, source, offset, row_of_atom, overflow[0] > 0)


def fill(
    positions: np.ndarray,
    fractional: np.ndarray,
    wraps: np.ndarray,
    real: np.ndarray,
    full: np.ndarray,
    margin: np.ndarray,
    pbc: np.ndarray,
    plan: Plan,
) -> tuple[Built, int, int]:
    """The same on the host, with how many neighbours and rows the list would have needed."""
    rows = np.empty((plan.centers, plan.capacity), np.int32)
    source = np.empty(plan.rows, np.int32)
    offset = np.empty((plan.rows, 3), np.int32)
    row_of_atom = np.empty(plan.atoms, np.int32)
    report = np.zeros(3, np.int32)
    _kernel()(
        np.ascontiguousarray(positions),
        np.ascontiguousarray(fractional),
        np.ascontiguousarray(wraps, dtype=np.int32),
        real.astype(np.int32),
        np.ascontiguousarray(full),
        np.ascontiguousarray(margin),
        pbc.astype(np.int32),
        sizes_of(plan),
        np.array([plan.reach], positions.dtype),
        rows,
        source,
        offset,
        row_of_atom,
        report,
    )
    return Built(rows, source, offset, row_of_atom, bool(report[0])), int(report[1]), int(report[2])


@functools.cache
def _kernel() -> Any:
    from jaxpot.neighbors.native_kernel import build_list

    return build_list


@functools.cache
def _register(dtype: str) -> None:
    """Hand the compiled function for a dtype to XLA, once a process."""
    from jaxpot.neighbors.native_kernel import handler_of
    from jaxpot.numerics.native_calls import register

    register(f"jaxpot_neighbors_{dtype}", handler_of(np.dtype(dtype).type))
