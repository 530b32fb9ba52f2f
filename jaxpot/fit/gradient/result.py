"""The result of a training, and the error of one that breaks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from jaxpot.evaluation import Params

__all__ = ["TrainResult", "TrainingError"]


class TrainingError(RuntimeError):
    """A training broke: a loss or gradient was not finite.

    Args:
        message: names epoch, batch and remedy.
        params: the last params that were finite.
    """

    def __init__(self, message: str, params: Params) -> None:
        super().__init__(message)
        self.params = params


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """The result of a training.

    Attributes:
        params: the params of the lowest validation loss, or the last ones without validation data; stacked for an
            ensemble.
        history: columns of ``metrics.csv`` by name, [epochs] or [epochs, members].
        epochs: number of passes through the data.
        best_epoch: [members], the epoch that the params are from.
        reason: why it ended: "finished", "no better validation loss", "asked to stop" or "out of time".
        folder: the folder that was written to, or None.
    """

    params: Params
    history: dict[str, np.ndarray]
    epochs: int
    best_epoch: np.ndarray
    reason: str
    folder: Path | None
