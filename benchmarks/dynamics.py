"""Whole steps of molecular dynamics beside other programs: ``python -m benchmarks md``, ``... angles``, ``... growth``.

Each program has a process of its own that waits while the others run; they take turns.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks.common import Row, failed, save, summary, table, with_ratios

# work, atoms, steps of a turn, engines besides those of every size
SIZES = (
    ("lj", 864, 5000, ("matscipy", "ase")),
    ("lj", 32000, 1000, ("matscipy",)),
    ("eam_cu", 864, 2000, ("matscipy", "ase")),
    ("eam_cu", 32000, 200, ("matscipy",)),
    ("eam_fe", 16000, 200, ("matscipy",)),
)
ANGLES = ("sw", "tersoff", "edip", "vashishta")
BESIDE = ("jaxpot", "jaxpot-float64", "lammps-serial", "lammps-omp2", "lammps-mpi2", "jax-md")
ALWAYS = ("jaxpot", "jaxpot-xla", "lammps-serial", "lammps-opt", "lammps-omp2", "lammps-mpi2", "jax-md", "kups")
GROWTH = (500, 864, 4000, 10976, 32000, 108000, 340736, 1000188)
MOST = {"ase": 1000, "jax-md": 32000, "jaxpot-xla": 32000}  # atoms beyond which a program takes too long or too much
TURN = 10.0  # s, of the slower programs' turns, which take fewer steps


class Worker:
    """A program in a process of its own, see :mod:`benchmarks.engines`."""

    def __init__(self, engine: str, work: str, atoms: int, gpu: bool = False) -> None:
        self.engine, self.work, self.atoms = engine, work, atoms
        self.turns: list[Row] = []
        self.info: Row = {}
        self.error: str | None = None
        self.variables = dict(os.environ)
        if not engine.startswith("jax"):
            self.variables["OMP_NUM_THREADS"] = "2" if engine == "lammps-omp2" else "1"
        if not gpu:
            self.variables["JAX_PLATFORMS"] = "cpu"
        self.command = [sys.executable, "-m", "benchmarks.engines", engine, work, str(atoms)]
        self.process: subprocess.Popen[str] | None = None
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the worker
        if engine != "lammps-mpi2":
            self.process = self._start(self.command)
            self.info = self._read() or {}

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self.errors, text=True, env=self.variables)

    def _read(self) -> Row | None:
        assert self.process is not None and self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                found: Row = json.loads(line)
                return found
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        self.error = lines[-1] if lines else f"ended with status {self.process.returncode}"
        return None

    def turn(self, steps: int) -> None:
        """Run so many steps."""
        if self.error:
            return
        if self.engine == "lammps-mpi2":
            self._turn_of_ranks(steps)
            return
        if self.turns:  # not many more steps than fit into a turn
            steps = max(1, min(steps, int(TURN / self.turns[-1]["seconds_per_step"])))
        elif self.engine in ("ase", "matscipy"):
            steps = 1
        elif self.engine in ("jax-md", "jaxpot-xla"):
            steps = max(1, steps // 10)
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        found = self._read()
        if found:
            self.turns.append({**found, "steps": steps})

    def _turn_of_ranks(self, steps: int) -> None:
        """Ranks that wait for each other keep their cores busy, so that they must not stay for the turns of others."""
        mpiexec = shutil.which("mpiexec", path=os.path.dirname(sys.executable)) or shutil.which("mpiexec")
        if mpiexec is None:
            self.error = "mpiexec is not installed"
            return
        self.process = self._start([mpiexec, "-n", "2", *self.command, str(steps)])
        self.info = self._read() or {}
        found = None if self.error else self._read()
        self.process.wait()
        if found:
            self.turns.append({**found, "steps": steps})

    def close(self) -> None:
        """End the process."""
        if self.process is not None and self.process.poll() is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait()
        self.errors.close()

    def row(self) -> Row:
        """Its figures."""
        if self.error or not self.turns:
            return failed(self.work, self.atoms, self.engine, self.error or "no turn")
        seconds = [t["seconds_per_step"] for t in self.turns]
        row = summary(self.work, self.info["atoms"], self.engine, seconds, self.info.get("first_s"))
        last = self.turns[-1]
        more = {k: v for k, v in self.info.items() if k in ("precision", "device")}
        atom_steps = row["atoms"] / row["min_s"]
        return row | more | {"peak_MiB": last["peak_MiB"], "steps": last["steps"], "atom_steps_per_s": atom_steps}


def run(work: str, atoms: int, steps: int, engines: Sequence[str], repeats: int, gpu: bool = False) -> list[Row]:
    """The rows of one work and size."""
    workers = [Worker(e, work, atoms, gpu) for e in engines if atoms <= MOST.get(e, atoms)]
    for _ in range(repeats):
        for worker in workers:
            worker.turn(steps)
    for worker in workers:
        worker.close()
    rows = with_ratios([w.row() for w in workers], "jaxpot")
    print(table(rows), flush=True)
    return rows


def gpu_at_hand() -> bool:
    """Whether JAX finds a GPU; asked in another process, as a GPU belongs to whoever asks first."""
    ask = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() in ("gpu", "cuda", "rocm")


def md(repeats: int = 2) -> None:
    """The main table."""
    rows: list[Row] = []
    for work, atoms, steps, more in SIZES:
        rows += run(work, atoms, steps, (*ALWAYS, *more), repeats)
        save("md", rows, "python -m benchmarks md")
    if gpu_at_hand():
        gpu = run("lj", 64000, 1000, ("jaxpot", "jax-md"), repeats, gpu=True)
        save("md_gpu", gpu, "python -m benchmarks md")


def angles(repeats: int = 3) -> None:
    """Potentials of angles and bond orders, 8,000 atoms; an error where one of LAMMPS's ways did not run."""
    rows: list[Row] = []
    for work in ANGLES:
        found = run(work, 8000, 200, BESIDE, repeats)
        missing = [r["engine"] for r in found if r["engine"].startswith("lammps") and "error" in r]
        if missing:
            raise RuntimeError(f"{work}: {', '.join(missing)} did not run: {found}")
        rows += found
        save("angles", rows, "python -m benchmarks angles")


def growth(repeats: int = 2) -> None:
    """From 500 to 1,000,000 Lennard-Jones atoms."""
    rows: list[Row] = []
    for atoms in GROWTH:
        steps = max(20, min(2000, 6_400_000 // atoms))
        rows += run("lj", atoms, steps, ("jaxpot", "lammps-omp2", "jax-md"), repeats)
        save("growth", rows, "python -m benchmarks growth")


def exponent(rows: Sequence[Row], engine: str, least: int = 4000) -> float | None:
    """The power of the number of atoms with which the time of a step grows, by least squares of the logarithms."""
    import numpy as np

    points = [(r["atoms"], r["min_s"]) for r in rows if r["engine"] == engine and "min_s" in r and r["atoms"] >= least]
    if len(points) < 3:
        return None
    x, y = np.log(np.array(points, float)).T
    return float(np.polyfit(x, y, 1)[0])


def bytes_per_atom(rows: Sequence[Row], engine: str) -> float | None:
    """Peak memory that each further atom takes, from the largest size and the one of about 32,000 atoms."""
    found: list[Any] = [r for r in rows if r["engine"] == engine and "peak_MiB" in r and r["atoms"] >= 30000]
    if len(found) < 2:
        return None
    first, last = found[0], found[-1]
    return float((last["peak_MiB"] - first["peak_MiB"]) * 2**20 / (last["atoms"] - first["atoms"]))
