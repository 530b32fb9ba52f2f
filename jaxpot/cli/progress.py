"""What the commands say while they work: a bar on a terminal; otherwise, as in a batch job, a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import click

from jaxpot.batch.progress import Progress

__all__ = ["Lines", "minutes_left", "on_terminal", "progress", "say_what_is_left"]

SECONDS = 10.0  # between two lines, at first
SHARE = 0.01  # of the time so far, which is longer after a quarter of an hour


def on_terminal() -> bool:
    """Whether somebody looks on, so that there is a bar."""
    return sys.stderr.isatty()


def progress() -> Progress:
    """The argument ``progress`` of functions of the library: a bar on a terminal, otherwise lines."""
    return on_terminal() or Lines()


def minutes_left(minutes: float | None, share: float = 1.0) -> float | None:
    """What is left of ``--minutes``, which count from the beginning of the program.

    Args:
        minutes: as given; None for no limit.
        share: of the minutes that may be used.

    Raises:
        ValueError: the time is not positive.
    """
    if minutes is None:
        return None
    if not minutes > 0:
        raise ValueError(f"--minutes must be positive, got {minutes}")
    return share * minutes - (time.perf_counter() - float(click.get_current_context().find_root().obj)) / 60


def say_what_is_left(done: Sequence[bool], limit: float) -> None:
    """Says that the time was over, where it was.

    Args:
        done: whether a structure is relaxed, or has had its evaluations.
        limit: value of ``time.perf_counter`` at which it was.
    """
    if time.perf_counter() >= limit and not all(done):
        click.echo(f"out of time: {sum(done)} of {len(done)} are relaxed; go on from what is written")


class Lines:
    """Prints the first text, and then at most one in ten seconds or in a hundredth of the time so far.

    A text that begins, up to its colon, with other words than the last one (``"training: ..."`` after
    ``"preparing: ..."``) is printed in any case.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begin, self._last, self._stage = clock, clock(), -float("inf"), ""

    def __call__(self, text: str, always: bool = False) -> None:
        """Prints a text if it is time.

        Args:
            text: one line.
            always: print it in any case.
        """
        stage, now = text.partition(": ")[0] if ": " in text else "", self._clock()
        if always or stage != self._stage or now - self._last >= max(SECONDS, SHARE * (now - self._begin)):
            click.echo(text, err=True)
            self._last, self._stage = now, stage
