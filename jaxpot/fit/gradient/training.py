"""Training of any potential with gradients: the function ``train``."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from jaxpot.batch.progress import Progress
from jaxpot.engine import DescriptorPotential
from jaxpot.evaluation import Params
from jaxpot.fit.dataset import Dataset
from jaxpot.fit.gradient.data import Features, TrainingData, prepare_data
from jaxpot.fit.gradient.frames import Frames, as_dataset
from jaxpot.fit.gradient.identity import identity_of
from jaxpot.fit.gradient.loop import Training
from jaxpot.fit.gradient.loss import Predict
from jaxpot.fit.gradient.result import TrainResult
from jaxpot.fit.gradient.settings import TrainSettings
from jaxpot.fit.gradient.step import split_params
from jaxpot.fit.gradient.stored import stored_bytes, stored_values
from jaxpot.io.folders import locked
from jaxpot.potential import Potential

__all__ = ["train"]

MOST_STORED = 4_000_000_000  # bytes; limit for stored values
LIKELY_NEIGHBORS = 60


def train(
    potential: Potential,
    params: Params,
    data: Frames | TrainingData,
    settings: TrainSettings | None = None,
    *,
    validation: float | Frames | TrainingData | None = None,
    members: int | None = None,
    trainable: Callable[[str], bool] | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    minutes: float | None = None,
    progress: Progress = True,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    model: tuple[Predict, Features | None] | None = None,
    transform: Callable[[Params], Params] | None = None,
) -> TrainResult:
    """Fits the parameters of any potential to energies, forces and stresses, by gradient descent.

    Args:
        potential: any potential.
        params: params to start from. For an ensemble, every leaf has a leading axis [members], as made by
            ``jax.vmap(potential.init)(jax.random.split(key, members))``.
        data: a :class:`jaxpot.fit.Dataset`, frames, ASE ``Atoms`` with results, a file, or prepared data.
        settings: loss, optimiser and number of epochs.
        validation: data to choose the best epoch and to stop early: a share of ``data``, or other data.
        members: number of members of an ensemble, all trained in one compiled step; None for a single set of params.
        trainable: function that tells whether the leaf with a name such as ``"['sigma']"`` is trained; by default all
            floats are.
        output: folder for ``metrics.csv`` and checkpoints; None writes nothing.
        resume: whether to go on from the checkpoint in ``output``, bit for bit.
        minutes: time after which training ends, the preparation of the data and compilation included: no epoch begins
            that would end later. It can be resumed.
        progress: whether to show a bar on a terminal; or a function, which is called with a text now and then.
        on_epoch: function called after every epoch with the row of ``metrics.csv`` of the first member.
        model: ``(predict, features)``, another way to compute the same results, such as from stored values.
        transform: function from trained params to the potential's params, for coordinates in which the optimiser is
            faster, such as :func:`jaxpot.fit.decorrelation`; the returned params are transformed.

    Returns:
        The :class:`TrainResult`.

    Raises:
        ValueError: data, params or settings make no sense; there is nothing to resume; or the training to resume had
            another potential, other params, data or settings.
        FolderInUseError: another training is writing to ``output``.
        TimeoutError: ``minutes`` have passed before the data were prepared.
        TrainingError: a loss is not finite; the error holds the parameters before that step, and files are kept.

    Example:
        >>> import jaxpot
        >>> from ase.build import bulk
        >>> from jaxpot.fit import Frame, TrainSettings, train
        >>> lj, truth = jaxpot.lennard_jones(cutoff=6.0), {"epsilon": 0.010, "sigma": 3.4}
        >>> crystals = [bulk("Ar", a=a, cubic=True) for a in (5.0, 5.2, 5.4, 5.6)]
        >>> found = jaxpot.evaluate(lj, truth, crystals)
        >>> frames = [Frame(atoms, energy=one.energy) for atoms, one in zip(crystals, found)]
        >>> settings = TrainSettings(epochs=150, learning_rate=0.01, batch_size=4)
        >>> result = train(lj, {"epsilon": 0.012, "sigma": 3.3}, frames, settings)
        >>> f"{result.params['sigma']:.2f}"
        '3.40'
    """
    limit = time.perf_counter() + (math.inf if minutes is None else 60.0 * minutes)
    settings = settings or TrainSettings()
    types = settings.types()
    if isinstance(data, TrainingData):
        frames: Any = data
    else:
        frames = as_dataset(data)
        model = model or _stored(potential, params, frames, settings, trainable, members)
    predict, features = model or (_evaluate(potential), None)
    if transform is not None:
        predict = _transformed(predict, transform)

    def prepared(frames: Any) -> TrainingData:
        if isinstance(frames, TrainingData):
            return frames
        kept = list(as_dataset(frames))
        return prepare_data(
            kept, potential, types.model, settings.max_shapes, None, features, types.state, progress, limit
        )

    if isinstance(validation, int | float) and not isinstance(validation, bool):
        if isinstance(data, TrainingData):
            raise ValueError("a share of prepared data cannot be held back; prepare the validation data too")
        frames, validation = frames.split(float(validation), settings.seed)
    training = prepared(frames)
    held_back = None if validation is None else prepared(validation)
    parts = split_params(params, members, trainable, types.state)

    def identity(steps: int) -> dict[str, Any]:
        return identity_of(potential, parts, training, held_back, settings, members, steps, transform)

    folder = None if output is None else Path(output)
    run = Training(predict, parts, training, held_back, settings, members, folder, identity)
    with contextlib.nullcontext() if folder is None else locked(folder):
        result = run.go(resume, limit, progress, on_epoch)
    if transform is None:
        return result
    whole = transform if members is None else jax.vmap(transform)
    return dataclasses.replace(result, params=whole(result.params))


def _transformed(predict: Predict, transform: Callable[[Params], Params]) -> Predict:
    return lambda params, system, neighbors, features: predict(transform(params), system, neighbors, features)


def _stored(
    potential: Potential,
    params: Params,
    data: Dataset,
    settings: TrainSettings,
    trainable: Callable[[str], bool] | None,
    members: int | None,
) -> tuple[Predict, Features | None] | None:
    """The model from stored values; None where the descriptor is trained or its values do not fit into memory."""
    if not settings.store_descriptors or not isinstance(potential, DescriptorPotential):
        return None
    numbers = params.get("descriptor") if isinstance(params, Mapping) else None
    if numbers is not None:
        names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path({"descriptor": numbers})]
        if members is not None or trainable is None or any(map(trainable, names)):
            return None
    itemsize = settings.types().model.itemsize
    number = potential.descriptor.number
    needed = sum(stored_bytes(len(frame.atoms), LIKELY_NEIGHBORS, number, itemsize) for frame in data)
    return stored_values(potential, numbers) if needed <= MOST_STORED else None


def _evaluate(potential: Potential) -> Predict:
    return lambda params, system, neighbors, _: potential.unchecked.evaluate(params, system, neighbors)  # type: ignore[arg-type]
