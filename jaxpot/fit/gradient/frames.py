"""What a training may be given as data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxpot.fit.dataset import VOIGT, Dataset, Frame, read_dataset

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Frames", "as_dataset"]

Frames = Dataset | Sequence[Any] | str | os.PathLike[str]


def as_dataset(frames: Frames, what: str = "training data") -> Dataset:
    """A data set from one, from frames, from ASE ``Atoms`` that carry results, or from a file.

    Args:
        frames: any of them.
        what: they are, for messages.

    Raises:
        ValueError: something else is in the sequence, or nothing.
    """
    if isinstance(frames, Dataset):
        found = frames
    elif isinstance(frames, str | os.PathLike):
        found = read_dataset(Path(frames))
    else:
        found = Dataset(tuple(_frame(k, one, what) for k, one in enumerate(frames)))
    if not len(found):
        raise ValueError(f"the {what} hold no structures; give at least one")
    return found


def _frame(place: int, one: Any, what: str) -> Frame:
    if isinstance(one, Frame):
        return one
    if not hasattr(one, "get_chemical_symbols"):
        raise ValueError(f"{what}, number {place}: expected a jaxpot.fit.Frame or ASE Atoms, got {type(one).__name__}")
    return _labelled(one)


def _labelled(atoms: Atoms) -> Frame:
    """Energy, forces and stress that the calculator of these atoms holds; nothing is computed."""
    results = {} if atoms.calc is None else atoms.calc.results
    stress = results.get("stress")
    if stress is not None:
        stress = np.asarray(stress, np.float64)
        stress = stress[VOIGT] if stress.shape == (6,) else stress.reshape(3, 3)
    energy, forces = results.get("energy"), results.get("forces")
    plain = atoms.copy()
    plain.calc = None
    return Frame(
        plain,
        None if energy is None else float(energy),
        None if forces is None else np.asarray(forces, np.float64),
        stress,
        str(atoms.info.get("config_type", "")),
    )
