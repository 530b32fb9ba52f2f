"""Watching a simulation: it stops, or writes structures, where a number such as an ensemble's spread is large."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.potential import Params
from jaxpot.system import System

__all__ = ["MOST_LOOKS", "Looks", "Watch"]

ACTIONS = ("stop", "record")
MOST_LOOKS = 1024  # in one compiled call


@dataclasses.dataclass(frozen=True)
class Watch:
    """A number that is measured during a run, and the action where it exceeds a threshold.

    Attributes:
        measure: ``(params, system, neighbors) -> scalar``, pure, such as
            :func:`jaxpot.uncertainty.largest_force_spread`; it is compiled into the loop over time steps.
        threshold: value above which the action is taken, in the unit of the measure.
        action: "stop" ends the run properly; "record" writes the frame to ``watched.extxyz`` and continues.
        every: steps between measurements.

    Raises:
        ValueError: the action is unknown, ``every`` is below 1, or the threshold is NaN.

    Example:
        >>> import jaxpot
        >>> from jaxpot.simulate import Watch
        >>> from jaxpot.uncertainty import largest_force_spread
        >>> potential = jaxpot.committee(jaxpot.lennard_jones(cutoff=8.5))
        >>> Watch(largest_force_spread(potential), threshold=0.3, action="record", every=20).every
        20
    """

    measure: Callable[[Params, System, Any], jax.Array]
    threshold: float
    action: str = "stop"
    every: int = 10

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"action {self.action!r} is unknown; choose one of {', '.join(ACTIONS)}")
        if self.every < 1:
            raise ValueError(f"a watch looks after at least 1 step, got every={self.every}")
        if math.isnan(self.threshold):
            raise ValueError("the threshold of a watch must be a number, got NaN")


class Looks(NamedTuple):
    """The values that a watch measured since the time loop was entered; jittable.

    Attributes:
        steps: [MOST_LOOKS] int32, the steps of the measurements; only the first ``taken`` are valid.
        values: [MOST_LOOKS], the measured values.
        taken: [] int32, number of measurements.
        last: [] int32, step of the last measurement; -1 before the first.
    """

    steps: jax.Array
    values: jax.Array
    taken: jax.Array
    last: jax.Array

    @classmethod
    def none_since(cls, last: Any, dtype: Any) -> Looks:
        """Nothing seen since a step.

        Args:
            last: the step of the last look.
            dtype: float type of the values.

        Returns:
            The :class:`Looks`.
        """
        steps, values = jnp.zeros(MOST_LOOKS, jnp.int32), jnp.zeros(MOST_LOOKS, dtype)
        return cls(steps, values, jnp.zeros((), jnp.int32), jnp.array(last, jnp.int32, copy=True))

    def due(self, watch: Watch, step: jax.Array) -> jax.Array:
        """Whether it is time for a look that has not been taken."""
        return (step % watch.every == 0) & (step > self.last)

    def with_one(self, step: jax.Array, value: jax.Array) -> Looks:
        """One look more."""
        values = self.values.at[self.taken].set(value.astype(self.values.dtype))
        return Looks(self.steps.at[self.taken].set(step), values, self.taken + 1, step)

    def listed(self) -> list[tuple[int, float]]:
        """(step, value) of every look, on the host."""
        return [(int(s), float(v)) for s, v in zip(self.steps[: self.taken], self.values[: self.taken], strict=True)]
