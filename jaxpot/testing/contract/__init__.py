"""The checks, a file for each kind of them: symmetries, derivatives, shapes, lists, files and runs."""

from __future__ import annotations

from jaxpot.testing.contract import derivatives, files, lists, runs, shapes, symmetries
from jaxpot.testing.suite import Check, registered

__all__ = ["checks", "derivatives", "files", "lists", "runs", "shapes", "symmetries"]


def checks() -> tuple[Check, ...]:
    """All that :func:`jaxpot.testing.validate` looks at.

    Returns:
        The checks in the order in which they run; names for its ``skip`` are theirs.

    Example:
        >>> from jaxpot.testing import checks
        >>> next(check.meaning for check in checks() if check.name == "permutation")
        'The order of the atoms does not matter.'
    """
    return registered()
