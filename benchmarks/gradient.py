"""Gradients with respect to parameters through a trajectory: ``python -m benchmarks gradient``.

The forward run and its gradient are timed in turn; memory is what XLA sets aside for a compiled program beyond its
arguments and results.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common import Row, failed, save, table, timed
from benchmarks.engines import initial, potential_of
from benchmarks.systems import WORKS

ATOMS = 864
STEPS = 100
MEMORY_STEPS = (25, 100, 400)


def main(repeats: int = 5) -> None:
    """Time 100 steps of 864 Lennard-Jones atoms, and how memory grows with the number of steps."""
    import jax
    import jax.numpy as jnp

    import jaxpot
    from jaxpot.neighbors import native
    from jaxpot.simulate.differentiable import initial_state, trajectory
    from jaxpot.simulate.ensembles import Ensemble
    from jaxpot.units import FEMTOSECOND

    work = WORKS["lj"]
    positions, box, velocities, mass, step = initial(work, ATOMS)
    potential, params = potential_of(work)
    params = {name: jnp.asarray(value) for name, value in params.items()}
    system = jaxpot.System.create(positions, cell=box)
    masses = jnp.full(len(positions), mass)
    state = initial_state(potential, system, velocities, masses, skin=work.skin)
    ensemble = Ensemble("nve", timestep=step / FEMTOSECOND)

    def spread(steps: int, checkpoint: bool) -> Any:
        run = trajectory(potential, ensemble, steps, checkpoint=checkpoint)

        def value(params: Any, state: Any) -> Any:
            end = run(params, state)[0]
            return jnp.mean((end.system.positions - state.system.positions) ** 2), end.overflow

        return value

    def compiled(function: Any, state: Any = state) -> Any:
        return jax.jit(function).lower(params, state).compile()

    available, native.available = native.available, lambda: False
    try:
        slow = initial_state(potential, system, velocities, masses, skin=work.skin)
        by_xla = compiled(spread(STEPS, True), slow)
    finally:
        native.available = available

    programs = {
        "forward": compiled(spread(STEPS, True)),
        "gradient, checkpointed": compiled(jax.grad(spread(STEPS, True), has_aux=True)),
        "gradient, everything kept": compiled(jax.grad(spread(STEPS, False), has_aux=True)),
    }
    notes = {name: {"temporary_MiB": memory(p), "precision": "float32"} for name, p in programs.items()}
    calls = {name: (lambda p=p: jax.block_until_ready(p(params, state))) for name, p in programs.items()}
    calls["forward, XLA alone"] = lambda: jax.block_until_ready(by_xla(params, slow))
    assert not bool(calls["forward"]()[1])  # the list was large enough
    rows = timed(f"{STEPS} steps", len(positions), calls, repeats, "forward", notes=notes)
    print(table(rows), flush=True)
    grown: list[Row] = []
    for steps in MEMORY_STEPS:
        for name, checkpoint in (("gradient, checkpointed", True), ("gradient, everything kept", False)):
            program = compiled(jax.grad(spread(steps, checkpoint), has_aux=True))
            row = failed(f"{steps} steps", len(positions), name, f"{memory(program):.1f} MiB of temporaries")
            grown.append(row | {"steps": steps, "temporary_MiB": memory(program)})
            print(f"{steps} steps, {name}: {memory(program):.1f} MiB", flush=True)
    save("gradient", rows, "python -m benchmarks gradient", memory=grown)


def memory(program: Any) -> float:
    """MiB that a compiled program needs for temporaries."""
    return float(program.memory_analysis().temp_size_in_bytes) / 2**20
