"""What a training gives, and how it breaks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from jaxpot.evaluation import Params

__all__ = ["TrainResult", "TrainingError"]


class TrainingError(RuntimeError):
    """A training broke: a loss or gradient was not finite.

    Args:
        message: with epoch, batch and remedy.
        params: the last that were finite.
    """

    def __init__(self, message: str, params: Params) -> None:
        super().__init__(message)
        self.params = params


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a training gives.

    Attributes:
        params: the best by validation loss, or the last where nothing was held back; stacked for an ensemble.
        history: columns of ``metrics.csv`` by name, [epochs] or [epochs, members].
        epochs: passes through the data.
        best_epoch: [members] of which the params are.
        reason: why it ended: "finished", "no better validation loss", "asked to stop" or "out of time".
        folder: of everything written, or None.
    """

    params: Params
    history: dict[str, np.ndarray]
    epochs: int
    best_epoch: np.ndarray
    reason: str
    folder: Path | None
