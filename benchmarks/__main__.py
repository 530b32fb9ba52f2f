"""``python -m benchmarks``: jaxpot beside LAMMPS and jax-md, each in a process of its own, taken in turn."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES
from benchmarks.systems import WORKS

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    names = ("jax", "jaxlib", "numba", "lammps", "jax-md", "numpy")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {n: metadata.version(n) for n in names},
    }


def measure(engine: str, work: str, atoms: int, steps: int) -> dict[str, Any]:
    """One measurement; what went wrong instead of figures, if something did."""
    environment = os.environ | {"OMP_NUM_THREADS": "2" if engine == "lammps-omp2" else "1", "JAX_PLATFORMS": "cpu"}
    if engine.startswith("jax"):
        environment.pop("OMP_NUM_THREADS")
    command = [sys.executable, "-m", "benchmarks.engines", engine, work, str(atoms), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        return {"engine": engine, "work": work, "error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Run, print a table and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--works", nargs="+", default=["lj"], choices=list(WORKS))
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--atoms", nargs="+", type=int, default=[864, 32000])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default="md.json", help="file under benchmarks/results")
    options = parser.parse_args()

    rows: list[dict[str, Any]] = []
    for work in options.works:
        for atoms in options.atoms:
            found: dict[str, list[dict[str, Any]]] = {e: [] for e in options.engines}
            for _ in range(options.repeats):
                for engine in options.engines:
                    if engine == "jax-md" and WORKS[work].file is not None:
                        continue
                    found[engine].append(measure(engine, work, atoms, options.steps))
            for engine, results in found.items():
                good = [r for r in results if "error" not in r]
                if not good:
                    rows += [{"engine": engine, "work": work, "error": r["error"]} for r in results[:1]]
                    continue
                times = [r["seconds_per_step"] for r in good]
                rows.append({**good[0], "seconds_per_step": min(times), "median_s": statistics.median(times)})
            report(rows, work, atoms)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), "options": vars(options), "rows": rows}, indent=1)
    (RESULTS / options.output).write_text(text + "\n")


def report(rows: list[dict[str, Any]], work: str, atoms: int) -> None:
    """Print the rows of a work and size, with ratios to jaxpot's time."""
    own = next((r for r in rows if r["work"] == work and r["engine"] == "jaxpot" and near(r, atoms)), None)
    print(f"\n{work}, {atoms} atoms\n{'engine':15s} {'ms/step':>9s} {'median':>9s} {'x jaxpot':>9s} {'MiB':>7s}")
    for row in rows:
        if row["work"] != work or not (near(row, atoms) or "error" in row):
            continue
        if "error" in row:
            print(f"{row['engine']:15s} {row['error']}")
            continue
        ratio = row["seconds_per_step"] / own["seconds_per_step"] if own else float("nan")
        print(
            f"{row['engine']:15s} {row['seconds_per_step'] * 1e3:9.3f} {row['median_s'] * 1e3:9.3f} {ratio:9.2f} "
            f"{row['peak_memory_MiB']:7.0f}"
        )


def near(row: dict[str, Any], atoms: int) -> bool:
    """Whether a row is of a size: crystals have only about as many atoms as were asked for."""
    return "atoms" in row and 0.6 < row["atoms"] / atoms < 1.6


if __name__ == "__main__":
    main()
