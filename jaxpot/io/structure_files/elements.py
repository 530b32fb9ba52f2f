"""Chemical elements by name and by mass."""

from __future__ import annotations

__all__ = ["REMEDY_TYPES", "element_of_mass", "is_element"]

REMEDY_TYPES = "name the elements of the types, such as types=['Cu', 'Ni'] (--types Cu,Ni)"
NEAR = 0.004  # relative difference between tables of masses, rounding included


def is_element(text: str) -> bool:
    """Whether a text is a chemical symbol, with the usual upper and lower case.

    Args:
        text: a word such as ``"Cu"``.
    """
    from ase.data import atomic_numbers

    return text in atomic_numbers and text != "X"


def element_of_mass(mass: float) -> str | None:
    """The element with a mass; None where no element has it or two are similarly near.

    A mass of exactly 1 gives None, because it may mean reduced units rather than hydrogen.

    Args:
        mass: amu.

    Example:
        >>> element_of_mass(63.55), element_of_mass(58.8), element_of_mass(1.0)
        ('Cu', None, None)
    """
    from ase.data import atomic_masses, chemical_symbols

    if mass == 1.0:
        return None
    away = [abs(own - mass) for own in atomic_masses[1:]]
    first, second = sorted(range(len(away)), key=away.__getitem__)[:2]
    if not away[first] <= max(NEAR * mass, 0.02) or away[second] < 3 * away[first]:
        return None
    return str(chemical_symbols[1 + first])
