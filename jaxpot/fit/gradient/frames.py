"""Conversion of whatever a training accepts as data to a data set."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxpot.fit.dataset import Dataset
from jaxpot.fit.dataset_reading import labelled, read_dataset
from jaxpot.fit.frame import Frame
from jaxpot.io.errors import FileWarning

__all__ = ["Frames", "as_dataset"]

Frames = Dataset | Sequence[Any] | str | os.PathLike[str]


def as_dataset(frames: Frames, what: str = "training data") -> Dataset:
    """Makes a data set from frames, from ASE ``Atoms`` that carry results, or from a file.

    Args:
        frames: any of these, or already a data set.
        what: a name for the data, for messages.

    Raises:
        ValueError: the sequence is empty or holds other objects.
    """
    if isinstance(frames, Dataset):
        found = frames
    elif isinstance(frames, str | os.PathLike):
        found = read_dataset(Path(frames))
    else:
        found = _from_sequence(frames, what)
    if not len(found):
        raise ValueError(f"the {what} hold no structures; give at least one")
    return found


def _from_sequence(given: Sequence[Any], what: str) -> Dataset:
    for k, one in enumerate(given):
        if not isinstance(one, Frame) and not hasattr(one, "get_chemical_symbols"):
            raise ValueError(f"{what}, number {k}: expected a jaxpot.fit.Frame or ASE Atoms, got {type(one).__name__}")
    found = labelled([one for one in given if not isinstance(one, Frame)], where=what)
    for message in found.warnings:
        warnings.warn(f"{what}: {message}", FileWarning, stacklevel=4)
    rest = iter(found.frames)
    return Dataset(tuple(one if isinstance(one, Frame) else next(rest) for one in given), found.notes)
