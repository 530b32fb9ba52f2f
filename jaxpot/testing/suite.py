"""What a check is, and how one is run."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator

from jaxpot.testing.bench import Bench
from jaxpot.testing.findings import Finding

__all__ = ["Check", "Outcome", "check", "registered", "run"]


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that every potential must do.

    Attributes:
        name: of the check.
        function: ``(bench) -> findings``.
        look_at: where the fault is likely to be, for a potential that fails.
        needs: what the potential and the structure must have for it, see :meth:`Bench.lacks`.
    """

    name: str
    function: Callable[[Bench], Iterator[Finding]]
    look_at: str
    needs: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What must be true, in a sentence."""
        return (inspect.getdoc(self.function) or "").split("\n")[0]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a check has found.

    Attributes:
        check: which one.
        findings: all comparisons.
        skipped: why it does not apply; empty if it does.
        error: the exception that ended it; empty if none did.
    """

    check: Check
    findings: tuple[Finding, ...] = ()
    skipped: str = ""
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.error and all(finding.passed for finding in self.findings)

    def __str__(self) -> str:
        if self.skipped:
            return f"{self.check.name}: left out, {self.skipped}"
        if self.passed:
            return f"{self.check.name}: passed"
        lines = [f"{self.check.name}: {self.check.meaning}"]
        lines += [f"    {finding}" for finding in self.findings if not finding.passed]
        lines += [f"    {self.error}"] if self.error else []
        return "\n".join([*lines, f"    Look at {self.check.look_at}"])


_CHECKS: dict[str, Check] = {}


def check(
    look_at: str, needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Bench], Iterator[Finding]]], Callable[[Bench], Iterator[Finding]]]:
    """Decorator that enters a function among the checks, under its own name.

    Args:
        look_at: where the fault is likely to be.
        needs: what the check needs, see :meth:`Bench.lacks`.

    Returns:
        The decorator, which gives the function back.
    """

    def entered(function: Callable[[Bench], Iterator[Finding]]) -> Callable[[Bench], Iterator[Finding]]:
        name = function.__name__
        _CHECKS[name] = Check(name, function, look_at, needs)
        return function

    return entered


def registered() -> tuple[Check, ...]:
    """The checks that have been entered so far, in their order."""
    return tuple(_CHECKS.values())


def run(check: Check, bench: Bench) -> Outcome:
    """One check of one potential.

    Args:
        check: one of :func:`jaxpot.testing.checks`.
        bench: the potential on its structures.

    Returns:
        The :class:`Outcome`; an exception of the potential is part of it.
    """
    findings: list[Finding] = []
    try:
        for need in check.needs:
            reason = bench.lacks(need)
            if reason is not None:
                return Outcome(check, skipped=reason)
        for finding in check.function(bench):
            findings.append(finding)
    except Exception as error:  # whatever a faulty potential raises belongs into the report
        return Outcome(check, tuple(findings), error=f"{type(error).__name__}: {error}")
    return Outcome(check, tuple(findings))
