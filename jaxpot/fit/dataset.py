"""Structures with reference energies, forces and stresses, for fitting, training and testing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from jaxpot.fit.frame import Frame

if TYPE_CHECKING:
    from ase import Atoms

    from jaxpot.fit.dataset_checks import Finding
    from jaxpot.fit.dataset_statistics import Statistics

__all__ = ["Dataset"]


@dataclass(frozen=True)
class Dataset:
    """Frames in a fixed order: a sequence of :class:`Frame` that can be sliced, added, split, checked and summarised.

    Attributes:
        frames: the structures with their labels.
        notes: one line for each label whose name is unusual, with its file.

    Example:
        >>> from ase.build import bulk
        >>> from jaxpot.fit import Dataset, Frame
        >>> data = Dataset(tuple(Frame(bulk("Cu", a=3.5 + 0.1 * k), energy=-3.5, group="fcc") for k in range(10)))
        >>> train, test = data.split(0.2, seed=1)
        >>> len(train), len(test), data.elements, data.groups
        (8, 2, ('Cu',), ('fcc',))
    """

    frames: tuple[Frame, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> Dataset: ...
    def __getitem__(self, index: Any) -> Frame | Dataset:
        if isinstance(index, int | np.integer):
            return self.frames[int(index)]
        if isinstance(index, slice):
            return Dataset(self.frames[index])
        index = np.asarray(index)
        chosen = np.flatnonzero(index) if index.dtype == bool else index
        return Dataset(tuple(self.frames[int(k)] for k in chosen))

    def __add__(self, other: Dataset) -> Dataset:
        return Dataset(self.frames + other.frames, self.notes + other.notes)

    @property
    def atoms(self) -> list[Atoms]:
        """The structures without their labels."""
        return [frame.atoms for frame in self.frames]

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols that occur, in alphabetical order."""
        return tuple(sorted({symbol for frame in self.frames for symbol in frame.atoms.get_chemical_symbols()}))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that occur, in the order of their first frames."""
        return tuple(dict.fromkeys(frame.group for frame in self.frames))

    def split(self, fraction: float, seed: int = 0, by_group: bool = True) -> tuple[Dataset, Dataset]:
        """Splits the frames at random into two parts; frames, fraction and seed alone decide the result.

        Args:
            fraction: share of the frames that the second part gets, between 0 and 1.
            seed: seed of the draw.
            by_group: whether to draw the same fraction from every group, so that both parts hold the same kinds of
                structure; a group of several frames then has at least one in each part.

        Returns:
            The first and the second part, such as training and test set; both keep the order of the frames.

        Raises:
            ValueError: the fraction is not between 0 and 1, or one part would be empty.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"the fraction must lie between 0 and 1, got {fraction}")
        random = np.random.default_rng(seed)
        second: list[int] = []
        for members in self._strata(by_group):
            number = round(fraction * len(members))
            if by_group and len(members) > 1:
                number = min(max(number, 1), len(members) - 1)
            second += random.permutation(members)[:number].tolist()
        if not 0 < len(second) < len(self):
            raise ValueError(f"a fraction of {fraction} of {len(self)} frames leaves one part empty; give more frames")
        chosen = set(second)
        return self[[k for k in range(len(self)) if k not in chosen]], self[sorted(chosen)]

    def folds(self, number: int, seed: int = 0, by_group: bool = True) -> list[np.ndarray]:
        """Distributes the frames over the folds of a cross-validation.

        Args:
            number: number of folds, at least 2 and at most the number of frames.
            seed: seed of the draw.
            by_group: whether every group is spread evenly over the folds.

        Returns:
            One int array a fold with the places of its frames; every frame is in exactly one fold.

        Raises:
            ValueError: fewer than 2 folds, or more than frames.
        """
        if not 2 <= number <= len(self):
            raise ValueError(f"{number} folds of {len(self)} frames make no sense; give 2 to {len(self)}")
        random = np.random.default_rng(seed)
        order = np.concatenate([random.permutation(members) for members in self._strata(by_group)])
        return [np.sort(order[k::number]) for k in range(number)]

    def check(
        self,
        elements: Sequence[str] | None = None,
        closest: float = 0.5,
        net_force: float = 0.01,
    ) -> list[Finding]:
        """Looks for faults: duplicates, net forces, missing labels, atoms too close, unknown elements, NaNs.

        Args:
            elements: chemical symbols that the potential knows; None to allow all.
            closest: warn of distances shorter than this times the sum of the two covalent radii.
            net_force: eV/Å; warn where the sum of the forces over the number of atoms is larger.

        Returns:
            One :class:`Finding` a fault; those of severity ``"error"`` make a fit meaningless.
        """
        from jaxpot.fit.dataset_checks import check

        return check(self, elements, closest, net_force)

    def checked(self, elements: Sequence[str] | None = None) -> Dataset:
        """This data set, if :meth:`check` finds no errors in it.

        Args:
            elements: chemical symbols that the potential knows; None to allow all.

        Returns:
            The same data set.

        Raises:
            ValueError: the first errors, with file and frame.
        """
        errors = [finding for finding in self.check(elements) if finding.severity == "error"]
        if errors:
            more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
            raise ValueError("; ".join(str(finding) for finding in errors[:3]) + more)
        return self

    def statistics(self) -> Statistics:
        """Counts, ranges and spreads of structures and labels, in all and by group.

        Returns:
            :class:`Statistics`; ``print`` shows it as a table.
        """
        from jaxpot.fit.dataset_statistics import statistics

        return statistics(self)

    def _strata(self, by_group: bool) -> list[list[int]]:
        if not by_group:
            return [list(range(len(self)))]
        return [[k for k, frame in enumerate(self.frames) if frame.group == group] for group in self.groups]
