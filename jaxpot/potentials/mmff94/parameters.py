"""Lookup of the parameters of interactions in tables, where interactions of the same types share a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.numerics.named import named_parameters

__all__ = ["DEGREE", "MDYNE_ANGSTROM", "NO_ROW", "TERMS", "Params", "RowParams", "check_terms", "rows_of"]

RowParams = Mapping[str, Any]
Params = Mapping[str, RowParams]

# The terms and their parameters, in the order in which files and programs list them.
TERMS = {
    "bond_stretching": ("kb", "r0"),
    "angle_bending": ("ka", "theta0"),
    "stretch_bending": ("kba_ijk", "kba_kji"),
    "out_of_plane": ("koop",),
    "torsion": ("V1", "V2", "V3"),
    "van_der_waals": ("alpha", "N", "A", "G"),
    "electrostatics": ("charge",),
}

NO_ROW = np.iinfo(np.int32).max  # row of a padded interaction, beyond every table; its parameters are 0

MDYNE_ANGSTROM = 143.9325  # kcal/mol in one md Å, Halgren's value
DEGREE = np.pi / 180.0


def rows_of(
    term: str, params: RowParams, rows: jax.Array, axes: int, dtype: Any, filler: float = 0.0
) -> tuple[jax.Array, ...]:
    """The parameters of each interaction, shaped so that they multiply [interactions, ...].

    Args:
        term: a key of ``TERMS``.
        params: name -> [rows], the table of this term.
        rows: [interactions] int32, the row of each; beyond the table for a padded one.
        axes: number of axes of the arrays that they multiply.
        dtype: float type of the positions.
        filler: value of the parameters of padded interactions.

    Returns:
        One array [interactions, 1, ...] for each parameter, in the order of ``TERMS``.

    Raises:
        ValueError: a parameter is missing or misspelt.
    """
    tables = named_parameters(f"MMFF94's {term}", params, dtype, TERMS[term])
    shape = rows.shape + (1,) * (axes - rows.ndim)

    def looked_up(table: jax.Array) -> jax.Array:
        if table.shape[0] == 0:  # nothing but padded interactions
            return jnp.full(shape, filler, dtype)
        return table.at[rows].get(mode="fill", fill_value=filler).reshape(shape)

    return tuple(looked_up(table) for table in tables.values())


def check_terms(params: Params) -> None:
    """Raise ValueError unless the tables of parameters are those of the seven terms."""
    if not isinstance(params, Mapping) or set(params) != set(TERMS):
        got = ", ".join(map(str, params)) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"MMFF94 takes params as a dict with {', '.join(TERMS)}; got {got or 'none'}")
