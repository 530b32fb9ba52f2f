"""The record of one published parameter set."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from jaxpot.evaluation import Params
from jaxpot.potential import Potential

__all__ = ["PublishedSet"]


@dataclasses.dataclass(frozen=True)
class PublishedSet:
    """One published parameter set, and how to make its potential.

    Attributes:
        name: ``family_year:elements``; what :func:`jaxpot.published` and :func:`jaxpot.load` take.
        elements: chemical symbols that the set knows.
        reference: authors, journal, volume, page and year.
        doi: of the reference, where known; else empty.
        note: one sentence that a user of the set should know; else empty.
        build: ``(elements, **options) -> (potential, params)``.
        mixes: whether any selection of ``elements`` can be asked for, as in ``"rafii_tabar_sutton_1991:Cu-Au"``.

    Example:
        >>> import jaxpot
        >>> jaxpot.available("W")[0].reference
        'G. J. Ackland and R. Thetford, Phil. Mag. A 56, 15 (1987)'
    """

    name: str
    elements: tuple[str, ...]
    reference: str
    doi: str
    note: str
    build: Callable[..., tuple[Potential, Params]] = dataclasses.field(repr=False)
    mixes: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that :func:`jaxpot.published` passes on."""
        return tuple(inspect.signature(self.build).parameters)[1:]

    def make(self, elements: tuple[str, ...] | None = None, **options: Any) -> tuple[Potential, Params]:
        """The potential and its params.

        Args:
            elements: a selection of the set's elements, in the order that species shall have; all by default.
            options: of the set, see :attr:`options`.

        Returns:
            ``(potential, params)``.

        Raises:
            ValueError: elements or options that the set does not have.
        """
        wanted = self.elements if elements is None else elements
        unknown = [symbol for symbol in wanted if symbol not in self.elements]
        if unknown or not wanted or len(set(wanted)) < len(wanted):
            raise ValueError(
                f"{self.name} has parameters for {', '.join(self.elements)}; got {', '.join(wanted) or 'no element'}"
                + ("" if unknown or not wanted else ", one of them twice")
            )
        if not self.mixes and wanted != self.elements:
            raise ValueError(f"{self.name} holds {', '.join(self.elements)} and no part of it; got {', '.join(wanted)}")
        for option in options:
            if option not in self.options:
                raise ValueError(
                    f"{self.name} takes {'the options ' + ', '.join(self.options) if self.options else 'no options'}; "
                    f"got {option!r}"
                )
        return self.build(wanted, **options)

    def __str__(self) -> str:
        doi = f", doi:{self.doi}" if self.doi else ""
        return f"{self.name}: {self.reference}{doi}" + (f". {self.note}" if self.note else "")
