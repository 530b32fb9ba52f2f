"""What the first call costs, in a new process and with empty caches: ``python -m benchmarks first_call``."""

from __future__ import annotations

import json
import sys
import tempfile
import time

from benchmarks.common import Row, in_process, save, summary

WORKS = (("lj", 256), ("lj", 4000), ("lj", 32000), ("eam_cu", 256), ("eam_cu", 32000))


def main(repeats: int = 2) -> None:
    """Import, list and forces of a new process, each turn with caches of its own."""
    rows: list[Row] = []
    for work, atoms in WORKS:
        turns = []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                variables = {"NUMBA_CACHE_DIR": folder, "JAX_ENABLE_COMPILATION_CACHE": "false", "JAX_PLATFORMS": "cpu"}
                turns.append(in_process("benchmarks.first_call", work, atoms, environment=variables))
        print(work, atoms, turns, flush=True)
        for part in ("import_s", "allocate_s", "forces_s"):
            seconds = [t[part] for t in turns if "error" not in t]
            if seconds:
                rows.append(summary(f"{work}, {part.removesuffix('_s')}", atoms, "jaxpot", seconds))
    save("first_call", rows, "python -m benchmarks first_call")


def one(work: str, atoms: int) -> dict[str, float]:
    """The times of this process."""
    begin = time.perf_counter()
    import jax

    import jaxpot
    from benchmarks import engines, systems

    imported = time.perf_counter()
    positions, box, *_ = engines.initial(systems.WORKS[work], atoms)
    potential, params = engines.potential_of(systems.WORKS[work])
    system = jax.block_until_ready(jaxpot.System.create(positions, cell=box))
    ready = time.perf_counter()
    neighbors = jax.block_until_ready(jaxpot.neighbor_list(potential, systems.WORKS[work].skin).allocate(system))
    allocated = time.perf_counter()
    jax.block_until_ready(jax.jit(jaxpot.forces(potential))(params, system, neighbors))
    end = time.perf_counter()
    return {"import_s": imported - begin, "allocate_s": allocated - ready, "forces_s": end - allocated}


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1], int(sys.argv[2]))))
