"""What all benchmarks share: the machine, contenders timed in turn, tables of ratios, results kept as JSON.

    rows = timed("snap W, energy and forces", 2000, {"jaxpot": ours, "LAMMPS": theirs}, repeats=5)
    print(table(rows))
    save("snap", rows, "python -m benchmarks.snap")

A contender is a function without arguments that does the whole work and returns when it is done (with JAX: it calls
``jax.block_until_ready`` itself). The machine may be busy with something else: contenders take turns, so that all of
them suffer alike, and ratios are of the shortest times.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = [
    "RESULTS",
    "Row",
    "failed",
    "in_process",
    "load",
    "machine",
    "save",
    "summary",
    "table",
    "timed",
    "with_ratios",
]

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "jax", "jaxlib", "numpy", "numba", "lammps", "jax-md", "ase", "matscipy", "vesin", "kups", "rdkit", "dscribe",
)  # fmt: skip

Row = dict[str, Any]


def machine() -> dict[str, Any]:
    """What figures are taken on: processor, cores, memory, JAX's device, versions of what is installed."""
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    model, memory = platform.processor() or platform.machine(), None
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    if meminfo.exists():
        memory = round(int(meminfo.read_text().split()[1]) / 2**20)
    found: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_GiB": memory,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }
    if "jax" in sys.modules:
        import jax

        found["jax_device"] = jax.devices()[0].device_kind
    return found


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def timed(
    work: str,
    atoms: int,
    contenders: Mapping[str, Callable[[], Any]],
    repeats: int = 5,
    base: str | None = None,
    at_least_s: float = 0.05,
    notes: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Row]:
    """Time contenders in turn.

    Args:
        work: what is done, the same for all.
        atoms: how many atoms it is done for.
        contenders: name to a function that does the work once and waits for the end of it.
        repeats: rounds; in each of them every contender has one turn.
        base: the contender that the others' times are divided by; the first if None.
        at_least_s: a turn repeats a quick contender until it has taken so long.
        notes: name to more entries of its row, such as ``{"precision": "float32"}``.

    Returns:
        One row a contender: ``work, atoms, engine, first_s`` (with compilation), ``min_s, median_s`` of a call after
        that, ``ratio`` to the base's ``min_s``, and the notes. A contender that raises has ``error`` instead.
    """
    first: dict[str, float] = {}
    times: dict[str, list[float]] = {}
    calls: dict[str, int] = {}
    errors: dict[str, str] = {}
    for name, call in contenders.items():
        try:
            first[name] = _seconds(call, 1)
            again = _seconds(call, 1)
        except Exception as error:  # the others' figures are still worth having, and the row says what happened
            errors[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            continue
        calls[name] = max(1, round(at_least_s / max(again, 1e-9)))
        times[name] = []
    for _ in range(repeats):
        for name, found in times.items():
            found.append(_seconds(contenders[name], calls[name]))
    rows = []
    for name in contenders:
        extra = dict((notes or {}).get(name, {}))
        if name in errors:
            rows.append(failed(work, atoms, name, errors[name]) | extra)
        else:
            rows.append(summary(work, atoms, name, times[name], first[name]) | extra)
    return with_ratios(rows, base)


def _seconds(call: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def summary(work: str, atoms: int, engine: str, seconds: Sequence[float], first_s: float | None = None) -> Row:
    """The row of one contender, from the times of its turns."""
    row: Row = {"work": work, "atoms": atoms, "engine": engine, "first_s": first_s}
    return row | {"min_s": min(seconds), "median_s": statistics.median(seconds), "turns": len(seconds)}


def failed(work: str, atoms: int, engine: str, why: str) -> Row:
    """The row of a contender that has no figures."""
    return {"work": work, "atoms": atoms, "engine": engine, "error": why}


def with_ratios(rows: Sequence[Row], base: str | None = None) -> list[Row]:
    """The rows with ``ratio``: their shortest time over that of ``base`` (the first row if None) for the same work and
    atoms; above 1 is slower than the base."""
    done = []
    for row in rows:
        same = [r for r in rows if (r["work"], r["atoms"]) == (row["work"], row["atoms"])]
        reference = next((r for r in same if base is None or r["engine"] == base), None)
        if "min_s" in row and reference is not None and "min_s" in reference:
            row = row | {"ratio": row["min_s"] / reference["min_s"]}
        done.append(row)
    return done


def in_process(module: str, *arguments: object, environment: Mapping[str, str | None] | None = None) -> Row:
    """Run ``python -m module arguments`` in a process of its own, whose last line of output is a JSON object.

    For what cannot be measured otherwise: peak memory, numbers of threads, programs that disturb one another.

    Args:
        module: what to run.
        arguments: of the command line.
        environment: variables to set, or with None to remove.

    Returns:
        The object; ``{"error": last line of stderr}`` if the process failed.
    """
    variables = dict(os.environ)
    for name, value in (environment or {}).items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]}
    found: Row = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def table(rows: Sequence[Row]) -> str:
    """Markdown: one line a row; ``ratio`` is the row's time over the base's, above 1 is slower."""
    lines = [
        "| work | atoms | engine | ms (min) | ms (median) | ratio | first call, s | MiB |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        head = f"| {row['work']} | {row['atoms']} | {row['engine']} |"
        if "error" in row:
            lines.append(f"{head} {row['error']} | | | | |")
            continue
        first = "" if row.get("first_s") is None else f"{row['first_s']:.2f}"
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        memory = f"{row['peak_MiB']:.0f}" if "peak_MiB" in row else ""
        times = f"{_short(row['min_s'] * 1e3)} | {_short(row['median_s'] * 1e3)}"
        lines.append(f"{head} {times} | {ratio} | {first} | {memory} |")
    return "\n".join(lines)


def _short(number: float) -> str:
    """Three figures or more, without an exponent."""
    return f"{number:.4f}" if number < 0.1 else f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def save(name: str, rows: Sequence[Row], command: str, **more: Any) -> Path:
    """Keep rows in ``benchmarks/results/NAME.json``, with the machine and the command that takes them again."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    kept = {"command": command, "machine": machine(), **more, "rows": [_rounded(row) for row in rows]}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return path


def _rounded(row: Row) -> Row:
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}


def load(name: str) -> dict[str, Any]:
    """What :func:`save` kept."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found
