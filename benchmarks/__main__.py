"""``python -m benchmarks``: jaxpot beside LAMMPS and jax-md, each in a process of its own, taken in turn."""

from __future__ import annotations

import argparse

from benchmarks.common import Row, failed, in_process, save, summary, table, with_ratios
from benchmarks.engines import ENGINES
from benchmarks.systems import WORKS


def measure(engine: str, work: str, atoms: int, steps: int) -> Row:
    """One measurement; what went wrong instead of figures, if something did."""
    threads = None if engine.startswith("jax") else "2" if engine == "lammps-omp2" else "1"
    environment = {"OMP_NUM_THREADS": threads, "JAX_PLATFORMS": "cpu"}
    return in_process("benchmarks.engines", engine, work, atoms, steps, environment=environment)


def main() -> None:
    """Run, print a table and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--works", nargs="+", default=["lj"], choices=list(WORKS))
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--atoms", nargs="+", type=int, default=[864, 32000])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default="md", help="name of the file under benchmarks/results")
    options = parser.parse_args()

    rows: list[Row] = []
    for work in options.works:
        for atoms in options.atoms:
            engines = [e for e in options.engines if e != "jax-md" or WORKS[work].file is None]
            found: dict[str, list[Row]] = {e: [] for e in engines}
            for _ in range(options.repeats):
                for engine in engines:
                    found[engine].append(measure(engine, work, atoms, options.steps))
            new = [row_of(work, atoms, e, results) for e, results in found.items()]
            rows += with_ratios(new, "jaxpot")
            print(table(rows[-len(new) :]), flush=True)
    save(options.output, rows, f"python -m benchmarks --steps {options.steps}")


def row_of(work: str, atoms: int, engine: str, results: list[Row]) -> Row:
    """The row of one engine, from its turns."""
    good = [r for r in results if "error" not in r]
    if not good:
        return failed(work, atoms, engine, results[0]["error"])
    row = summary(work, good[0]["atoms"], engine, [r["seconds_per_step"] for r in good], good[0].get("first_call_s"))
    return row | {"peak_MiB": good[0]["peak_memory_MiB"], "steps": good[0]["steps"]}


if __name__ == "__main__":
    main()
