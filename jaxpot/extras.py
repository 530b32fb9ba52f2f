"""Named data and results: charges, total charge, an external field, a dipole, a variance ...

A system carries named data that some potentials need; an evaluation carries named results that some potentials give.
Each name is declared once, with its unit and its rules for padding, and for sums and multiples of potentials.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "Extra",
    "add_results",
    "alike_data",
    "blank_data",
    "check_data",
    "check_needed",
    "declare",
    "declared",
    "multiply_results",
    "pad_data",
]


@dataclasses.dataclass(frozen=True)
class Extra:
    """The declaration of one name.

    Attributes:
        name: in ``System.extras`` and ``Evaluation.extras``.
        unit: for the reader, such as ``"e"``.
        per: ``"atom"`` for arrays with a leading axis [atoms], ``"system"`` for one value per structure,
            ``"structured"`` for data with their own ``pad``.
        fill: value for padded atoms.
        in_sum: rule for a sum of potentials: ``"add"`` adds the results of the parts, ``"largest"`` takes the largest,
            ``"one"`` refuses results of more than one part.
        in_multiple: rule for a potential times a number: ``"times"`` multiplies the result by the number, ``"square"``
            by its square, ``"keep"`` leaves the result as it is.
        pad: ``(value, atoms) -> value`` for ``"structured"`` data: pads them to a number of atoms.
        alike: ``values -> values`` for ``"structured"`` data of several systems: gives them one shape, so that they can
            be stacked; None if they already have one.
        blank: ``value -> value`` for ``"structured"`` data: the data, of equal shape, of a system without atoms.
        check: ``(value, species, elements) -> None`` for ``"structured"`` data: raises ValueError where they do not
            belong to a system with these species (an array) of these elements.
        dtype: type of the numbers; None for the type of the positions.

    Example:
        >>> from jaxpot.extras import Extra, declare
        >>> spin = declare(Extra("magnetic_moments", "Bohr magneton", "atom"))
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], extras={"magnetic_moments": [2.2]})
        >>> system.pad(2).extras["magnetic_moments"].shape
        (2,)
    """

    name: str
    unit: str
    per: Literal["atom", "system", "structured"]
    fill: float = 0.0
    in_sum: Literal["add", "largest", "one"] = "one"
    in_multiple: Literal["times", "square", "keep"] = "keep"
    pad: Callable[[Any, int], Any] | None = None
    alike: Callable[[Sequence[Any]], Sequence[Any]] | None = None
    blank: Callable[[Any], Any] | None = None
    check: Callable[[Any, np.ndarray, tuple[str, ...] | None], None] | None = None
    dtype: Any = None

    def __post_init__(self) -> None:
        if (self.per == "structured") != (self.pad is not None):
            raise ValueError(f'{self.name}: structured data, and only these, have a rule pad=; per is "{self.per}"')


_DECLARED: dict[str, Extra] = {}


def declare(extra: Extra) -> Extra:
    """Register a name, so that systems may carry it and evaluations may give it.

    Args:
        extra: the declaration.

    Returns:
        The same.

    Raises:
        ValueError: the name is declared already, and differently.
    """
    known = _DECLARED.get(extra.name)
    if known is not None and known != extra:
        raise ValueError(f"{extra.name!r} is declared already, as {known}; choose another name")
    _DECLARED[extra.name] = extra
    return extra


def declared(name: str) -> Extra:
    """The declaration of a name.

    Args:
        name: of data or of a result.

    Returns:
        Its :class:`Extra`.

    Raises:
        ValueError: the name is not declared.
    """
    if name not in _DECLARED:
        raise ValueError(
            f"{name!r} is not a declared name of data; known are {', '.join(sorted(_DECLARED))}. "
            "Declare it with jaxpot.extras.declare(Extra(...))"
        )
    return _DECLARED[name]


declare(Extra("charges", "e", "atom"))
declare(Extra("total_charge", "e", "system", in_sum="one"))
declare(Extra("field", "V/Å", "system"))
declare(Extra("dipole", "e Å", "system", in_sum="add", in_multiple="times"))
declare(Extra("variance", "eV^2", "atom", in_sum="add", in_multiple="square"))
declare(Extra("grade", "1", "atom", in_sum="largest"))


def check_data(extras: Mapping[str, Any], atoms: int, dtype: Any) -> dict[str, Any]:
    """Data of a system as arrays, checked against their declarations.

    Args:
        extras: by name.
        atoms: number of atoms of the system.
        dtype: of the positions; real numbers are cast to it.

    Returns:
        The data in the order of their names.

    Raises:
        ValueError: an undeclared name, a shape that does not fit, or a number that is not finite.
    """
    found = {}
    for name in sorted(extras):
        extra, value = declared(name), extras[name]
        if extra.per == "structured":
            found[name] = value
            continue
        array = np.asarray(value)
        if extra.per == "atom" and array.shape[:1] != (atoms,):
            raise ValueError(f"{name} must have one entry per atom, [{atoms}, ...]; got shape {list(array.shape)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds a number that is not finite; repair it")
        kind = extra.dtype or (dtype if array.dtype.kind in "fiu" else array.dtype)
        found[name] = jax.device_put(array.astype(kind))  # numpy converts: nothing is compiled for each number of atoms
    return found


def pad_data(extras: Mapping[str, Any], old: int, atoms: int) -> dict[str, Any]:
    """Data of a system padded to more atoms.

    Args:
        extras: by name.
        old: number of atoms so far.
        atoms: number of atoms after padding.

    Returns:
        The padded data: NumPy arrays stay NumPy arrays.
    """
    found = {}
    for name, value in extras.items():
        extra = declared(name)
        if extra.pad is not None:
            found[name] = extra.pad(value, atoms)
        elif extra.per == "atom":
            numpy = np if isinstance(value, np.ndarray) else jnp
            width = [(0, atoms - old)] + [(0, 0)] * (value.ndim - 1)
            found[name] = numpy.pad(value, width, constant_values=extra.fill)
        else:
            found[name] = value
    return found


def alike_data(several: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Data of several systems with equal numbers of atoms, in one shape.

    Args:
        several: by name, for each system.

    Returns:
        The data, which can be stacked.

    Raises:
        ValueError: the systems do not have the same names.
    """
    names = sorted({name for extras in several for name in extras})
    for k, extras in enumerate(several):
        if sorted(extras) != names:
            missing = ", ".join(sorted(set(names) - set(extras)))
            raise ValueError(f"structure {k} lacks {missing}, which others have; give all of them the same data")
    found: list[dict[str, Any]] = [{} for _ in several]
    for name in names:
        extra, values = declared(name), [extras[name] for extras in several]
        for one, value in zip(found, values if extra.alike is None else extra.alike(values), strict=True):
            one[name] = value
    return found


def blank_data(extras: Mapping[str, Any]) -> dict[str, Any]:
    """Data of a system without atoms, in the shapes of another system's data.

    Args:
        extras: by name, NumPy arrays.

    Returns:
        By name.
    """
    found = {}
    for name, value in extras.items():
        extra = declared(name)
        found[name] = extra.blank(value) if extra.blank is not None else jax.tree.map(np.zeros_like, value)
    return found


def check_needed(name: str, needs: Iterable[str], extras: Mapping[str, Any], species: Any, elements: Any) -> None:
    """Raise ValueError where data that a potential needs are missing or do not fit the system.

    Args:
        name: of the potential.
        needs: names of the data.
        extras: of the system, on the host.
        species: [atoms] of the system; None where they are not known, as under jit.
        elements: of the potential.
    """
    missing = sorted(set(needs) - set(extras))
    if missing:
        raise ValueError(
            f"{name} needs {', '.join(missing)}, which the system does not have; give it as "
            f"System.create(..., extras={{{missing[0]!r}: ...}}), or by a potential in jaxpot.chain"
        )
    for need in needs:
        check = declared(need).check
        if check is not None and species is not None:
            check(extras[need], np.asarray(species), elements)


def add_results(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The named results of a sum of potentials from those of its parts.

    Args:
        results: of each part, by name.

    Returns:
        By name.

    Raises:
        ValueError: two parts give a result that only one may give.
    """
    found: dict[str, Any] = {}
    for part in results:
        for name, value in part.items():
            rule = declared(name).in_sum
            if name not in found:
                found[name] = value
            elif rule == "add":
                found[name] = found[name] + value
            elif rule == "largest":
                found[name] = jnp.maximum(found[name], value)
            else:
                raise ValueError(
                    f"two parts of a sum give {name}, of which there is only one; "
                    "leave one of the parts out, or evaluate them separately"
                )
    return found


def multiply_results(results: Mapping[str, Any], factor: Any) -> dict[str, Any]:
    """The named results of a potential times a number.

    Args:
        results: of the potential, by name.
        factor: the number.

    Returns:
        By name.
    """
    by_rule = {"times": lambda x: factor * x, "square": lambda x: factor * factor * x, "keep": lambda x: x}
    return {name: by_rule[declared(name).in_multiple](value) for name, value in results.items()}
