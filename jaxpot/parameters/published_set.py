"""One published parameter set."""

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
    """One published parameter set, with the function that makes its potential.

    Attributes:
        name: ``family_year:elements``, for :func:`jaxpot.published` and :func:`jaxpot.load`.
        elements: chemical symbols in the set.
        reference: authors, journal, volume, page and year.
        doi: DOI of the reference; empty if unknown.
        note: one sentence that a user of the set should know; may be empty.
        build: ``(elements, **options) -> (potential, params)``.
        mixes: whether any selection of ``elements`` can be chosen, as in ``"rafii_tabar_sutton_1991:Cu-Au"``.

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
            elements: a selection of the set's elements, in the order of the species; all by default.
            options: options of the set, see :attr:`options`.

        Returns:
            ``(potential, params)``.

        Raises:
            ValueError: the set does not have these elements or options.
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
