"""The settings of a training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.batch.checks import checked_dtype

__all__ = ["Precision", "TrainSettings", "Weight", "weight_at"]

Schedule = Callable[[jax.Array], jax.Array]
Weight = float | tuple[float, float] | Schedule

OPTIMIZERS = ("adam", "adamw", "adabelief", "amsgrad", "muon", "sgd")
MUON_RMS = 0.2  # rms of the updates of a matrix, about that of Adam, so that one learning rate serves both
SCHEDULES = ("cosine", "exponential", "constant")
PRECISIONS = ("float32", "float64", "mixed")
LOSSES = ("squared", "huber")


@dataclasses.dataclass(frozen=True)
class Precision:
    """Float types: ``model`` for the evaluation of the potential, ``state`` for parameters, optimiser and sums."""

    model: np.dtype
    state: np.dtype


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Settings of a training: the loss, the optimiser, and the number of epochs.

    The loss is the mean over structures, atoms and components of

    w_E ((E - E_ref) / N)^2 + w_F (F - F_ref)^2 + w_S (s - s_ref)^2, in eV/atom, eV/Å and eV/Å^3.

    Attributes:
        epochs: passes through the training data.
        batch_size: structures in one step.
        learning_rate: highest learning rate of the optimiser, or an optax schedule of the step.
        schedule: how the learning rate falls: "cosine", "exponential" or "constant".
        warmup: share of all steps in which the learning rate rises from 0.
        final_learning_rate: the learning rate at the end, as a share of ``learning_rate``.
        energy_weight: w_E: a number, a pair (at the beginning, at the end), or a function of the step.
        forces_weight: w_F, likewise.
        stress_weight: w_S, likewise.
        loss: "squared", or "huber": linear beyond ``huber_delta`` (in the units of each residual).
        huber_delta: residual beyond which "huber" is linear.
        optimizer: "adam", "adamw", "adabelief", "amsgrad", "sgd", "muon" (orthogonal steps for matrices, Adam's steps
            for other leaves: Liu et al., arXiv:2502.16982 (2025); for networks of many dense layers), or an optax
            ``GradientTransformation``, which then includes learning rate and clipping.
        weight_decay: weight decay of "adamw" and "muon".
        clip: largest global norm of a gradient; None does not clip.
        ema: decay of the running mean of the parameters. If given, the mean is validated and returned.
        patience: epochs without a better validation loss after which training stops; None does not stop early.
        validate_every: epochs between validations.
        precision: "float32", "float64", or "mixed": the potential in float32, parameters and optimiser in float64.
        max_shapes: the most shapes of batches, and so of compilations.
        seed: seed of shuffling, splitting and resampling.
        bootstrap: whether each member of an ensemble is trained on its own resample (with replacement).
        checkpoint_every: epochs between checkpoints.
        devices: number of devices that a batch is split over; None uses one.
        store_descriptors: whether to compute the values of a descriptor and their derivatives only once, where they fit
            into memory (4 GB) and the descriptor is not trained. The results are the same, many times faster.

    Raises:
        ValueError: a value makes no sense; the message names it.

    Example:
        >>> from jaxpot.fit import TrainSettings
        >>> TrainSettings(epochs=10, learning_rate=1e-2, forces_weight=(100.0, 1.0)).batch_size
        8
    """

    epochs: int = 200
    batch_size: int = 8
    learning_rate: float | Schedule = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.0
    final_learning_rate: float = 0.01
    energy_weight: Weight = 1.0
    forces_weight: Weight = 1.0
    stress_weight: Weight = 0.0
    loss: str = "squared"
    huber_delta: float = 0.1
    optimizer: Any = "adam"
    weight_decay: float = 0.0
    clip: float | None = None
    ema: float | None = None
    patience: int | None = None
    validate_every: int = 1
    precision: str = "float32"
    max_shapes: int = 3
    seed: int = 0
    bootstrap: bool = False
    checkpoint_every: int = 10
    devices: int | None = None
    store_descriptors: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "validate_every", "max_shapes", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS), ("loss", LOSSES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; choose one of {', '.join(known)}")
        if isinstance(self.optimizer, str) and self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.optimizer!r} is unknown; choose one of {', '.join(OPTIMIZERS)}")
        if not callable(self.learning_rate) and not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be a positive number, got {self.learning_rate}")
        for name in ("energy_weight", "forces_weight", "stress_weight"):
            value = getattr(self, name)
            ends = () if callable(value) else value if isinstance(value, tuple) else (value,)
            if not all(math.isfinite(end) and end >= 0 for end in ends) or len(ends) > 2:
                raise ValueError(f"{name} must be a number, not negative, or a pair of them, got {value}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of all steps, from 0 to below 1; got {self.warmup}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema is a decay between 0 and 1, such as 0.999; got {self.ema}")
        if self.devices is not None and self.batch_size % self.devices:
            raise ValueError(f"batch_size {self.batch_size} cannot be shared evenly among {self.devices} devices")

    def types(self) -> Precision:
        """The float types of ``precision``; ValueError where JAX would silently use others."""
        model = checked_dtype("float64" if self.precision == "float64" else "float32")
        return Precision(model, checked_dtype("float32" if self.precision == "float32" else "float64"))

    def rate(self, steps: int) -> Schedule:
        """The learning rate as a function of the step.

        Args:
            steps: number of steps of the whole training.
        """
        import optax

        if callable(self.learning_rate):
            return self.learning_rate
        peak, rise = self.learning_rate, round(self.warmup * steps)
        fall, last = max(steps - rise, 1), self.final_learning_rate
        falling: Schedule = {
            "constant": lambda: optax.constant_schedule(peak),
            "cosine": lambda: optax.cosine_decay_schedule(peak, fall, last),
            "exponential": lambda: optax.exponential_decay(peak, fall, last),
        }[self.schedule]()
        return optax.join_schedules([optax.linear_schedule(0.0, peak, rise), falling], [rise]) if rise else falling

    def transformation(self, steps: int) -> Any:
        """The optax transformation.

        Args:
            steps: number of steps of the whole training.
        """
        import optax

        if not isinstance(self.optimizer, str):
            return self.optimizer
        rate = self.rate(steps)
        chosen = {
            "adam": lambda: optax.adam(rate),
            "adamw": lambda: optax.adamw(rate, weight_decay=self.weight_decay),
            "adabelief": lambda: optax.adabelief(rate),
            "amsgrad": lambda: optax.amsgrad(rate),
            "muon": lambda: optax.contrib.muon(rate, weight_decay=self.weight_decay, consistent_rms=MUON_RMS),
            "sgd": lambda: optax.sgd(rate, momentum=0.9),
        }[self.optimizer]()
        return chosen if self.clip is None else optax.chain(optax.clip_by_global_norm(self.clip), chosen)

    def identity(self) -> dict[str, Any]:
        """The settings as plain data for JSON. They must be the same when a training resumes."""
        plain = (bool, int, float, str, type(None))

        def text(value: Any) -> Any:
            if isinstance(value, tuple | list):
                return [text(part) for part in value]
            return value if isinstance(value, plain) else getattr(value, "__qualname__", type(value).__name__)

        return {field.name: text(getattr(self, field.name)) for field in dataclasses.fields(self)}


def weight_at(weight: Weight, step: jax.Array, steps: int) -> jax.Array:
    """The loss weight at a step. A pair is interpolated: geometrically where both are positive, otherwise linearly."""
    if callable(weight):
        return weight(step)
    if not isinstance(weight, tuple):
        return jnp.asarray(weight)
    first, last = weight
    done = jnp.clip(step / max(steps - 1, 1), 0.0, 1.0)
    if first > 0 and last > 0:
        return first * (last / first) ** done
    return first + (last - first) * done
