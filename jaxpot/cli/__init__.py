"""The command line: ``jaxpot md | relax | evaluate | properties | fit | verify | list``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """The program ``jaxpot``.

    Args:
        arguments: arguments of the command line; those of the process if None.

    Raises:
        SystemExit: always; status 2 for bad input, 3 for a run that broke, 130 when interrupted.
    """
    try:
        from jaxpot.cli.commands import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit('jaxpot: the command line needs click; install it with: pip install "jaxpot[md]"')
    sys.exit(run(arguments))
