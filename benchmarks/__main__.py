"""``python -m benchmarks [WHAT ...]``: jaxpot beside other programs; figures go to benchmarks/results.

Without a name: md, lists, gradient and first_call, in about ten minutes on two cores; then the tables of
docs/performance.md are made anew. ``angles`` takes about five minutes, and ``growth``, up to
1,000,000 atoms, about ten.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks import dynamics, first_call, gradient, lists, report

PARTS: dict[str, Callable[[int], None]] = {
    "md": dynamics.md,
    "lists": lists.main,
    "gradient": gradient.main,
    "first_call": first_call.main,
    "angles": dynamics.angles,
    "growth": dynamics.growth,
}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*PARTS, "report", []], help="what to measure")
    parser.add_argument("--repeats", type=int, help="turns of each program")
    options = parser.parse_args()
    for name in options.what or [n for n in PARTS if n not in ("angles", "growth")]:
        if name == "report":
            continue
        print(f"\n## {name}\n", flush=True)
        part = PARTS[name]
        part(options.repeats) if options.repeats else part()  # type: ignore[call-arg]
    report.main()


if __name__ == "__main__":
    main()
