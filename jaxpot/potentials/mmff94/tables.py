"""The rows of the tables of parameters: their labels and their published values."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxpot.potentials.mmff94.parameters import TERMS
from jaxpot.spec import plain_data

__all__ = ["Row", "Tables"]

Row = tuple[str, tuple[float, ...]]  # label, and published values in the order of TERMS


@plain_data
@dataclasses.dataclass(frozen=True)
class Tables:
    """The rows of the seven tables of parameters.

    Interactions of the same atom types share a row in all molecules. A potential keeps its tables, so that another
    molecule can find the rows of its interactions even after the params have been trained.

    Attributes:
        bond_stretching: rows of labels such as ``"1-6 class 0"`` and published values.
        angle_bending: likewise.
        stretch_bending: likewise.
        out_of_plane: likewise.
        torsion: likewise.
        van_der_waals: one row for each atom type.
        electrostatics: one row for each kind of atom of each molecule, by its canonical SMILES.
    """

    bond_stretching: tuple[Row, ...] = ()
    angle_bending: tuple[Row, ...] = ()
    stretch_bending: tuple[Row, ...] = ()
    out_of_plane: tuple[Row, ...] = ()
    torsion: tuple[Row, ...] = ()
    van_der_waals: tuple[Row, ...] = ()
    electrostatics: tuple[Row, ...] = ()

    @functools.cached_property
    def checksum(self) -> int:
        """A hash of the tables, from 1 to 2^31 - 1."""
        return 1 + zlib.crc32(repr([getattr(self, term) for term in TERMS]).encode()) % (2**31 - 1)

    def __hash__(self) -> int:
        return self.checksum

    def __repr__(self) -> str:
        return f"Tables({', '.join(f'{len(getattr(self, term))} {term}' for term in TERMS)})"

    @property
    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """Term -> parameter -> [rows], as published, in MMFF94's units (md/Å, degree, kcal/mol, e)."""
        found: dict[str, dict[str, np.ndarray]] = {}
        for term, names in TERMS.items():
            values: Any = np.array([row[1] for row in getattr(self, term)], float).reshape(-1, len(names))
            found[term] = {name: values[:, k].copy() for k, name in enumerate(names)}
        return found

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Term -> the label of each row."""
        return {term: tuple(row[0] for row in getattr(self, term)) for term in TERMS}

    def check_rows(self, params: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise ValueError where the numbers of rows of params differ from the tables.

        Args:
            params: term -> parameter -> [rows].
        """
        for term, names in TERMS.items():
            for name, table in params[term].items():
                if name not in names:
                    continue  # a wrong name is refused elsewhere
                rows = np.shape(table)[:1]
                if rows != (len(getattr(self, term)),):
                    raise ValueError(
                        f"the params have {rows[0] if rows else 'no'} rows of {term} {name}, but this potential's "
                        f"tables {len(getattr(self, term))}: they are of other molecules; take those that came with it"
                    )
