"""All published sets, by name."""

from __future__ import annotations

import difflib
from typing import Any

from jaxpot.evaluation import Params
from jaxpot.parameters import angular, argon, finnis_sinclair, sutton_chen
from jaxpot.parameters.published_set import PublishedSet
from jaxpot.potential import Potential

__all__ = ["PublishedSet", "available", "published"]

_ALL = [record for module in (angular, argon, finnis_sinclair, sutton_chen) for record in module.SETS]
_SETS = {record.name: record for record in sorted(_ALL, key=lambda record: record.name)}


class _Listing(list[PublishedSet]):
    """A list of sets that shows one set a line."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self))

    __str__ = __repr__


def available(element: str | None = None) -> list[PublishedSet]:
    """The published parameter sets that come with jaxpot, with their references.

    Args:
        element: a chemical symbol; only sets that know it. None: all sets.

    Returns:
        A list of :class:`jaxpot.PublishedSet`, sorted by name, which prints as one set a line.

    Example:
        >>> import jaxpot
        >>> print(jaxpot.available("Nb")[1].name)
        finnis_sinclair_1984:Nb
        >>> sorted(record.name for record in jaxpot.available("Au"))
        ['rafii_tabar_sutton_1991', 'sutton_chen_1990:Au']
    """
    return _Listing(record for record in _SETS.values() if element is None or element in record.elements)


def published(name: str, **options: Any) -> tuple[Potential, Params]:
    """The potential and parameters of a published set.

    Args:
        name: as :func:`jaxpot.available` lists it, such as ``"finnis_sinclair_1984:Fe"``; where a set mixes elements,
            with any selection of them, as in ``"rafii_tabar_sutton_1991:Cu-Au"``, whose order is that of the species.
        options: those that the set takes, if any: ``cutoff`` (Å), ``mode`` and ``switch_from`` (Å) where the paper
            leaves the end of the potential open.

    Returns:
        ``(potential, params)``.

    Raises:
        ValueError: there is no such set (the message names similar ones), or it lacks an element or an option.

    Example:
        >>> import jaxpot
        >>> potential, params = jaxpot.published("sutton_chen_1990:Cu", cutoff=7.22)
        >>> potential, params["a"]
        (Potential('sutton_chen', cutoff=7.22, elements=('Cu',)), 3.61)
    """
    record, elements = _SETS.get(name), None
    if record is None:
        family, _, chosen = name.partition(":")
        record, elements = _SETS.get(family), tuple(chosen.split("-"))
    if record is None or not (elements is None or record.mixes):
        raise ValueError(f"no published set is called {name!r}; {_suggestion(name)}")
    return record.make(elements, **options)


def _suggestion(name: str) -> str:
    """Suggestions for a wrong name: sets of the same family, or with a similar name."""
    family = name.partition(":")[0]
    same = [known for known in _SETS if known.partition(":")[0] == family]
    close = same or difflib.get_close_matches(name, _SETS, n=5, cutoff=0.5)
    return f"close ones are {', '.join(close)}" if close else "jaxpot.available() lists them all"
