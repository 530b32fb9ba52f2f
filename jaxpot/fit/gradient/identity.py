"""The identity of a training: everything that must be the same when it resumes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.fit.gradient.data import TrainingData
from jaxpot.fit.gradient.settings import TrainSettings, weight_at
from jaxpot.fit.gradient.step import Parts
from jaxpot.io.fingerprint import fingerprint
from jaxpot.potential import Potential

__all__ = ["identity_of"]

DIGITS = 16  # digits of a hash


def identity_of(
    potential: Potential,
    parts: Parts,
    training: TrainingData,
    held_back: TrainingData | None,
    settings: TrainSettings,
    members: int | None,
    steps: int,
    transform: Callable[[Params], Params] | None,
) -> dict[str, Any]:
    """The identity of a training: its settings, and hashes of everything larger.

    Functions are compared by their results: a schedule by its values, an optimiser by its first step, a transform by
    its result for the first params.

    Args:
        potential: the potential that is trained.
        parts: the params that it starts from.
        training: training data.
        held_back: validation data, or None.
        settings: settings of the training.
        members: number of members of an ensemble, or None.
        steps: number of steps of the whole training.
        transform: function applied to the params, or None.

    Returns:
        A dict that survives writing and reading as JSON.
    """
    begin = parts.merge(list(parts.trained), list(parts.fixed))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(begin)]
    found: dict[str, Any] = {
        **settings.identity(),
        "members": members,
        "potential": [potential.name, _hash((potential.cutoff, potential.elements, potential.spec))],
        "params": _hash((paths, list(parts.trained), list(parts.fixed))),
        "data": [_data(training), None if held_back is None else _data(held_back)],
    }
    if transform is not None:
        one = begin if members is None else parts.merge([t[0] for t in parts.trained], _first(parts))
        found["transform"] = _hash(jax.tree.leaves(transform(one)))
    at = np.unique(np.linspace(0, max(steps - 1, 0), 9).astype(int))
    for name in ("energy_weight", "forces_weight", "stress_weight"):
        if callable(getattr(settings, name)):
            found[name] = _hash([float(weight_at(getattr(settings, name), k, steps)) for k in at])
    if callable(settings.learning_rate):
        found["learning_rate"] = _hash([float(settings.learning_rate(k)) for k in at])
    if not isinstance(settings.optimizer, str):
        leaves = list(parts.trained)
        gradient = [jax.numpy.cos(jax.numpy.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape) for leaf in leaves]
        update, _ = settings.optimizer.update(gradient, settings.optimizer.init(leaves), leaves)
        found["optimizer"] = _hash(update)
    return found


def _first(parts: Parts) -> list[Any]:
    """The fixed leaves of the first member."""
    return [leaf if axis is None else leaf[0] for leaf, axis in zip(parts.fixed, parts.fixed_axes, strict=True)]


def _hash(value: Any) -> str:
    return fingerprint(value)[:DIGITS]


def _data(data: TrainingData) -> str:
    """Hash of structures and labels; neighbours and stored values follow from these."""
    labels = [
        field.name for field in dataclasses.fields(data.buckets[0]) if field.name not in ("neighbors", "features")
    ]
    return _hash([[jax.tree.leaves(getattr(bucket, name)) for name in labels] for bucket in data.buckets])
