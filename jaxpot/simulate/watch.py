"""Watching a simulation: stop it, or keep its structures, where a number such as the spread of an ensemble is large."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxpot.potential import Params
from jaxpot.simulate.output import Extxyz
from jaxpot.system import System

__all__ = ["Lookout", "Watch"]

ACTIONS = ("stop", "record")


@dataclasses.dataclass(frozen=True)
class Watch:
    """What is looked at during a run, and what happens when it passes a threshold.

    Attributes:
        measure: ``(params, system, neighbors) -> scalar``, pure, such as
            :func:`jaxpot.uncertainty.largest_force_spread`; it is compiled together with nothing else.
        threshold: above which something happens, in the unit of the measure.
        action: "stop" ends the run there in good order; "record" writes the frame to ``watched.extxyz`` and goes on.
        every: steps between looks.

    Raises:
        ValueError: an unknown action, no positive number of steps, or a threshold that is no number.

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


class Lookout:
    """A watch at work: its compiled measure, what it has seen, and the file of the frames that it keeps.

    Args:
        watch: what to look at; None looks at nothing.
        path: of the file of kept frames.
        mark: where to cut an existing file off; None starts anew.
    """

    def __init__(self, watch: Watch | None, path: Path, mark: int | None = None) -> None:
        self.watch = watch
        self.seen: list[tuple[int, float]] = []
        self.measured = None if watch is None else jax.jit(watch.measure)
        self.kept = Extxyz(path, mark) if watch is not None and watch.action == "record" else None

    def every(self) -> list[int]:
        """Steps between looks, if there are any."""
        return [] if self.watch is None else [self.watch.every]

    def ends(self, step: int, params: Params, system: System, neighbors: Any, frame: Callable[[], Any]) -> bool:
        """Look, if it is time to; whether the run ends here.

        Args:
            step: steps taken.
            params: of the potential.
            system: as it is.
            neighbors: its list.
            frame: makes the ASE ``Atoms`` to keep.
        """
        if self.watch is None or self.measured is None or step % self.watch.every:
            return False
        value = float(self.measured(params, system, neighbors))
        self.seen.append((step, value))
        if value <= self.watch.threshold:
            return False
        if self.kept is None:
            return True
        atoms = frame()
        atoms.info["watched"] = value
        self.kept.write(atoms)
        return False

    def marks(self) -> dict[str, int]:
        """How long the file of kept frames is, once it is safely on the disk."""
        return {} if self.kept is None else {"watched": self.kept.mark()}

    def close(self) -> None:
        """Close the file."""
        if self.kept is not None:
            self.kept.close()
