"""Structures with reference energies, forces and stresses, for fitting, training and testing."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from jaxpot.io.errors import FileFormatError

if TYPE_CHECKING:
    from ase import Atoms

    from jaxpot.fit.dataset_checks import Finding
    from jaxpot.fit.dataset_statistics import Statistics

__all__ = ["Dataset", "Frame", "read_dataset"]

VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])  # where ASE's xx, yy, zz, yz, xz, xy go


class Frame(NamedTuple):
    """One structure with what is known about it. Labels that were not given are None, never zero.

    Attributes:
        atoms: ASE ``Atoms``: positions, elements, cell and pbc.
        energy: eV, of the whole structure.
        forces: [atoms, 3] eV/Å.
        stress: [3, 3] eV/Å^3 in ASE's sign, positive under tension.
        group: what kind of structure this is, "" where the file does not say; weights and errors go by it.
        source: file and frame, counted from 0, for messages.
    """

    atoms: Atoms
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    group: str = ""
    source: str = "frame"


@dataclass(frozen=True)
class Dataset:
    """Frames in a fixed order: a sequence of :class:`Frame` that can be sliced, added, split, checked and summarised.

    Attributes:
        frames: the structures with their labels.

    Example:
        >>> from ase.build import bulk
        >>> from jaxpot.fit import Dataset, Frame
        >>> data = Dataset(tuple(Frame(bulk("Cu", a=3.5 + 0.1 * k), energy=-3.5, group="fcc") for k in range(10)))
        >>> train, test = data.split(0.2, seed=1)
        >>> len(train), len(test), data.elements, data.groups
        (8, 2, ('Cu',), ('fcc',))
    """

    frames: tuple[Frame, ...]

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
        return Dataset(self.frames + other.frames)

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
        """Two parts drawn at random: the same parts for the same frames, fraction and seed, whatever else ran before.

        Args:
            fraction: of the frames that the second part gets, between 0 and 1.
            seed: of the draw.
            by_group: draw from every group alike, so that both parts have the same kinds of structure in the same
                proportions; a group of several frames has at least one in either part.

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
        """Places of the frames shared out among the folds of a cross-validation.

        Args:
            number: of folds, at least 2 and at most that of the frames.
            seed: of the draw.
            by_group: share every group out alike.

        Returns:
            [frames] int arrays, one a fold, that hold every frame once between them.

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
        """What looks wrong: duplicates, net forces, missing labels, atoms too close, unknown elements, NaNs.

        Args:
            elements: those that the potential knows; None to allow all.
            closest: warn of distances shorter than this times the sum of the two covalent radii.
            net_force: eV/Å; warn where the sum of the forces over the number of atoms is larger.

        Returns:
            :class:`Finding` for each trouble; those of severity ``"error"`` make a fit meaningless.
        """
        from jaxpot.fit.dataset_checks import check

        return check(self, elements, closest, net_force)

    def checked(self, elements: Sequence[str] | None = None) -> Dataset:
        """This data set, if :meth:`check` finds no errors in it.

        Args:
            elements: those that the potential knows; None to allow all.

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


def read_dataset(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    energy: str | None = "energy",
    forces: str | None = "forces",
    stress: str | None = "stress",
    virial: str | None = None,
    group: str | None = "config_type",
) -> Dataset:
    """A data set from files of any kind that ASE reads.

    A key is looked up among the results of the frame's calculator, where ASE puts ``energy``, ``forces`` and
    ``stress``, then among ``atoms.info`` and ``atoms.arrays``. A frame without the key has no such label.

    Args:
        path: a file, or several whose frames follow one another.
        energy: key of the energies, eV; None to leave them out.
        forces: key of the forces, eV/Å; None to leave them out.
        stress: key of the stresses, eV/Å^3 in ASE's sign, 6 numbers in ASE's order, 9 or [3, 3]; None to leave
            them out.
        virial: key of virials as QUIP writes them, eV, minus the stress times the volume; instead of ``stress``, which
            such a frame may lack.
        group: key of the kind of structure; None for one group.

    Returns:
        The :class:`Dataset`.

    Raises:
        FileFormatError: (a ValueError) a file is missing, ASE cannot read it, or a label is of the wrong shape or no
            number; it names file and frame.
        ValueError: no file has any label under these keys.

    Example:
        >>> import ase.io
        >>> from ase.build import bulk
        >>> from jaxpot.fit import read_dataset
        >>> atoms = bulk("Cu", a=3.6)
        >>> atoms.info |= {"dft_energy": -3.7, "config_type": "fcc"}
        >>> ase.io.write("copper.extxyz", atoms)
        >>> data = read_dataset("copper.extxyz", energy="dft_energy")
        >>> data[0].energy, data[0].forces, data[0].group
        (-3.7, None, 'fcc')
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not paths:
        raise ValueError("no files given; name at least one")
    keys = {"energy": energy, "forces": forces, "stress": stress, "virial": virial, "group": group}
    frames: list[Frame] = []
    for one in paths:
        for number, atoms in enumerate(_frames(one)):
            frames.append(_labelled(atoms, one, number, keys))
    if all(frame.energy is None and frame.forces is None and frame.stress is None for frame in frames):
        given = ", ".join(f"{name}={key!r}" for name, key in keys.items() if key is not None and name != "group")
        known = sorted({key for atoms in _frames(paths[0]) for key in _known(atoms)})
        raise ValueError(
            f"{os.fspath(paths[0])} has no label called {given}; there are {', '.join(known) or 'none at all'}"
        )
    return Dataset(tuple(frames))


def _frames(path: str | os.PathLike[str]) -> Iterator[Atoms]:
    from ase.io import iread

    if not Path(path).is_file():
        raise FileFormatError(path, None, "no such file", "name a file that ASE reads")
    number = 0
    try:
        for atoms in iread(path, index=":"):
            yield atoms
            number += 1
    except GeneratorExit:
        raise
    except Exception as error:  # ASE's readers raise whatever their parsers do
        reason = " ".join(str(error).split())[:200] or "no message"
        message = f"ASE cannot read frame {number} or one after it ({type(error).__name__}: {reason})"
        raise FileFormatError(
            path, None, message, "check that the file is whole and its ending tells its kind"
        ) from error
    if number == 0:
        raise FileFormatError(path, None, "there is no frame in this file", "give a file with structures")


def _known(atoms: Atoms) -> dict[str, Any]:
    """Everything that a frame carries, by name."""
    results = {} if atoms.calc is None else {k: v for k, v in atoms.calc.results.items() if v is not None}
    return {**atoms.arrays, **atoms.info, **results}


def _labelled(atoms: Atoms, path: str | os.PathLike[str], number: int, keys: dict[str, str | None]) -> Frame:
    known = _known(atoms)
    count = len(atoms)

    def find(name: str, *shapes: tuple[int, ...]) -> np.ndarray | None:
        value = known.get(keys[name] or "")
        if value is None:
            return None
        try:
            values = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape not in shapes:
            shape = " or ".join(str(list(s)) if s else "one number" for s in shapes)
            message = f"frame {number}: {keys[name]} must be {shape}, got {str(value)[:60]!r}"
            raise FileFormatError(path, None, message, "repair the frame, or name another key")
        return values

    if count == 0:
        raise FileFormatError(path, None, f"frame {number} has no atoms", "delete the frame")
    energy = find("energy", ())
    forces = find("forces", (count, 3))
    stress = find("stress", (3, 3), (6,), (9,))
    virial = find("virial", (3, 3), (6,), (9,))
    if virial is not None:
        if not atoms.cell.volume > 0:
            message = f"frame {number} has a virial but its cell has no volume"
            raise FileFormatError(path, None, message, "give the frame a cell, or leave virial out")
        stress = -virial / atoms.cell.volume
    plain = atoms.copy()
    plain.calc = None
    return Frame(
        atoms=plain,
        energy=None if energy is None else float(energy),
        forces=forces,
        stress=None if stress is None else _tensor(stress),
        group=str(known.get(keys["group"] or "", "")),
        source=f"{os.fspath(path)}, frame {number}",
    )


def _tensor(values: np.ndarray) -> np.ndarray:
    """[3, 3] symmetric from ASE's six, nine, or [3, 3]."""
    if values.shape == (6,):
        return values[VOIGT]
    matrix = values.reshape(3, 3)
    return 0.5 * (matrix + matrix.T)


def is_bad(value: float | np.ndarray | None) -> bool:
    """Whether a label is there and not finite."""
    if value is None:
        return False
    return not math.isfinite(value) if isinstance(value, float) else not bool(np.isfinite(value).all())
