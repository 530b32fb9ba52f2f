"""What is fixed when a MEAM potential is made, and the checks of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxpot.potentials.angular.meam.functions import GAMMA_FORMS
from jaxpot.potentials.angular.meam.lattices import ALLOYS, ELEMENTS

__all__ = ["MeamSettings", "checked_settings"]


@dataclasses.dataclass(frozen=True)
class MeamSettings:
    """The arguments of :func:`jaxpot.meam`, one entry an element or a pair of elements."""

    lattices: tuple[tuple[str, ...], ...]
    second: tuple[tuple[bool, ...], ...]
    cores: tuple[tuple[bool, ...], ...]
    forms: tuple[int, ...]
    rose: int
    augmented: bool
    mixing: int
    reference_mixing: bool
    plain_background: bool
    linear_below: bool

    @property
    def count(self) -> int:
        """The number of elements."""
        return len(self.forms)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of different elements."""
        return [(i, j) for i in range(self.count) for j in range(i + 1, self.count)]


def checked_settings(count: int, given: dict[str, Any]) -> MeamSettings:
    """Settings from the arguments of :func:`jaxpot.meam`; ValueError where one has no meaning."""
    lattices = _table("lattices", given["lattices"], count)
    for i in range(count):
        for j in range(i, count):
            known = ELEMENTS if i == j else ALLOYS
            if lattices[i][j] not in known:
                raise ValueError(
                    f"meam: lattices[{i}][{j}] is {lattices[i][j]!r}; use one of {', '.join(known)} for "
                    f"{'an element' if i == j else 'two elements'}"
                )
    forms = _list("gamma_form", given["gamma_form"], count, int)
    wrong = [form for form in forms if form not in GAMMA_FORMS]
    if wrong:
        raise ValueError(f"meam: gamma_form is {wrong[0]}; use one of {', '.join(map(str, GAMMA_FORMS))}")
    if given["rose_form"] not in (0, 1, 2):
        raise ValueError(f"meam: rose_form is {given['rose_form']}; use 0, 1 or 2")
    if given["mixing"] not in (0, 1, 2):
        raise ValueError(f"meam: mixing is {given['mixing']}; use 0, 1 or 2")
    second = _table("second_neighbors", given["second_neighbors"], count, bool)
    _check_verified(lattices, second, given)
    return MeamSettings(
        lattices,
        second,
        _table("cores", given["cores"], count, bool),
        forms,
        int(given["rose_form"]),
        bool(given["augmented_t1"]),
        int(given["mixing"]),
        bool(given["mixed_reference"]),
        bool(given["plain_background"]),
        bool(given["linear_below_zero"]),
    )


def _check_verified(lattices: Any, second: Any, given: dict[str, Any]) -> None:
    """Refuse what differs from LAMMPS in a way that is not understood."""
    if given["mixed_reference"] and (given["mixing"] == 2 or any(map(any, second))):
        raise ValueError("meam: mixed_reference is supported without second neighbors, and with mixing 0 or 1")
    for i, row in enumerate(lattices):
        for j in range(i + 1, len(row)):
            if second[i][j] and (row[j] == "dia" or (row[j] == "l12" and given["mixing"] != 2)):
                remedy = "use second_neighbors=False" + (", or mixing=2" if row[j] == "l12" else "")
                raise ValueError(f"meam: lattices[{i}][{j}] is {row[j]!r}, with second neighbors; {remedy} there")


def _list(name: str, values: Any, count: int, kind: type) -> tuple[Any, ...]:
    listed = [values] * count if np.ndim(values) == 0 else list(values)
    if len(listed) != count:
        raise ValueError(f"meam: {name} has {len(listed)} values for {count} elements")
    return tuple(kind(value) for value in listed)


def _table(name: str, values: Any, count: int, kind: type = str) -> tuple[tuple[Any, ...], ...]:
    """[i][j] of a table, of which only i <= j counts."""
    full: Sequence[Sequence[Any]] = [[values] * count] * count if np.ndim(values) == 0 else values
    if np.shape(full) != (count, count):
        raise ValueError(f"meam: {name} has shape {list(np.shape(full))} for {count} elements")
    return tuple(tuple(kind(full[min(i, j)][max(i, j)]) for j in range(count)) for i in range(count))
