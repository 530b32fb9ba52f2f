"""How far a calculation is: a bar on a terminal, or texts for a function, such as one that prints them now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Progress", "Tick", "check_time", "counted", "silent"]

Progress = bool | Callable[[str], None]  # whether a bar is wanted on a terminal, or what is called with a text


class Tick(Protocol):
    """Counts what has ended."""

    def __call__(self, count: int = 1, text: str = "") -> None:
        """Counts ``count`` more, and shows a text such as the errors so far."""


def silent(count: int = 1, text: str = "") -> None:
    """A :class:`Tick` that tells nobody.

    Args:
        count: how many have ended.
        text: how far the others are.
    """


def check_time(limit: float, done: int, total: int, what: str) -> None:
    """Raise TimeoutError where the time for preparations is over.

    Args:
        limit: value of ``time.perf_counter`` at which to give up.
        done: how many are prepared.
        total: of how many.
        what: these are, such as ``"structures"``.
    """
    if time.perf_counter() > limit:
        raise TimeoutError(f"out of time when {done} of {total} {what} were prepared; allow more minutes")


@contextmanager
def counted(total: int, progress: Progress, unit: str, what: str, start: int = 0) -> Iterator[Tick]:
    """A function that counts what ends, and tells it.

    Args:
        total: how many there are.
        progress: True shows a bar where there is a terminal and tqdm is installed, False nothing; a function is called
            with a text whenever the count is told.
        unit: what is counted, such as ``"structure"``.
        what: what is done, such as ``"relaxing"``.
        start: how many have ended before.

    Yields:
        The :class:`Tick`.

    Example:
        >>> with counted(2, print, "structure", "relaxing") as tick:
        ...     tick(1, "50 evaluations")
        relaxing: 1 of 2 structures, 50 evaluations
    """
    if callable(progress):
        done = start

        def tell(count: int = 1, text: str = "") -> None:
            nonlocal done
            done += count
            progress(f"{what}: {done} of {total} {unit}s" + (f", {text}" if text else ""))

        yield tell
        return
    bar = None
    if progress:
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            bar = tqdm(total=total, initial=start, desc=what, unit=f" {unit}s", disable=None)

    def update(count: int = 1, text: str = "") -> None:
        if bar is not None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(count)

    try:
        yield update
    finally:
        if bar is not None:
            bar.close()
