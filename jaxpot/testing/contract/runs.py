"""Short runs of molecular dynamics, and gradients through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.simulate import Ensemble, initial_state, trajectory
from jaxpot.testing.bench import Bench
from jaxpot.testing.calculus import differences, inner
from jaxpot.testing.findings import Finding, close, holds
from jaxpot.testing.suite import check
from jaxpot.units import FEMTOSECOND

__all__: list[str] = []

STEPS = 20
GRADIENT_STEPS = 4


class Run:
    """Plain velocity Verlet with the compiled evaluation, from random velocities.

    Attributes:
        step: a thirtieth of the period of the fastest vibration, in internal units.
        velocities: [atoms, 3], at which an atom moves by some 0.03 Å in a sixth of that period.
        masses: [atoms], amu.
    """

    def __init__(self, b: Bench) -> None:
        self.bench = b
        self.masses = b.atoms.get_masses()
        count = len(b.atoms)
        matrix = np.asarray(b.hessian(b.params, *b.padded(b.atoms)))[:count, :, :count].reshape(3 * count, -1)
        root = np.sqrt(np.repeat(self.masses, 3))
        fastest = np.sqrt(np.abs(np.linalg.eigvalsh(matrix / np.outer(root, root))).max())
        self.step = 2.0 * np.pi / fastest / 30.0
        velocities = np.random.default_rng(1).normal(size=(count, 3)) * 0.03 * fastest
        self.velocities = velocities - np.average(velocities, axis=0, weights=self.masses)

    def states(self, params: Any, step: float, steps: int) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
        """Total energy, positions and velocities at the beginning and after every step."""
        b, atoms, velocities = self.bench, self.bench.atoms.copy(), self.velocities.copy()
        masses = self.masses[:, None]

        def now() -> Any:
            return b.stripped(b.evaluate(params, *b.padded(atoms)), len(atoms))

        found = now()
        for k in range(steps + 1):
            if k:
                velocities = velocities + 0.5 * step * found.forces / masses
                atoms.positions += step * velocities
                found = now()
                velocities = velocities + 0.5 * step * found.forces / masses
            yield found.energies.sum() + 0.5 * (masses * velocities**2).sum(), atoms.positions.copy(), velocities


@check("forces that are not the derivative of the energy somewhere along the way, or jumps; continuity= of validate",
       ("float64", "smooth"))  # fmt: skip
def energy_conserved(b: Bench) -> Iterator[Finding]:
    """In a short run without a thermostat the energy's error falls as the square of the time step."""
    run = Run(b)
    errors = []
    for parts in (1, 2):
        totals = np.array([total for total, _, _ in run.states(b.params, run.step / parts, parts * STEPS)])[::parts]
        errors.append(float(np.abs(totals - totals[0]).max()))
    yield holds("atoms move", errors[0] > 0, "nothing happens")
    rounding = 1e-11 * max(1.0, abs(float(b.reference.energies.sum())))
    detail = f"{errors[0]:.3g} eV, and {errors[1]:.3g} eV with half the time step; a quarter is expected"
    yield Finding("error of the energy", errors[1], max(errors[0] / 3.0, rounding), detail)


@check("operations without a reverse derivative, such as while loops, and gradients that are NaN in padded slots",
       ("float64", "params"))  # fmt: skip
def gradient_through_a_run(b: Bench) -> Iterator[Finding]:
    """The end of a short run, and its gradient with respect to each of the params, are those of plain steps."""
    run = Run(b)
    shape = run.velocities.shape
    weights = np.random.default_rng(2).normal(size=(2, *shape))
    end_of_run = trajectory(
        b.potential, Ensemble("nve", timestep=run.step / FEMTOSECOND), GRADIENT_STEPS, checkpoint=False
    )
    start = initial_state(b.potential, b.system(b.atoms), run.velocities, run.masses)

    def end(params: Any) -> tuple[jax.Array, Any]:
        state, _ = end_of_run(params, start)
        moved = state.system.positions - b.atoms.positions
        return (jnp.asarray(weights[0]) * moved + jnp.asarray(weights[1]) * run.step * state.velocities).sum(), state

    def plain(params: Any) -> float:
        *_, (_, positions, velocities) = run.states(params, run.step, GRADIENT_STEPS)
        return float((weights[0] * (positions - b.atoms.positions) + weights[1] * run.step * velocities).sum())

    (_, state), gradient = jax.jit(jax.value_and_grad(end, has_aux=True))(b.params)
    yield holds("the list is large enough", not state.overflow, "it has overflowed")
    *_, (_, positions, velocities) = run.states(b.params, run.step, GRADIENT_STEPS)
    yield close("positions at the end", state.system.positions, positions, 1e-10)
    yield close("velocities at the end", state.velocities, velocities, 1e-10)
    for name, direction in b.directions:
        # params that are knots of tables bend the run strongly: a difference without an error of the second order
        once, twice = (differences(plain, b.params, direction, step) for step in (1e-6, 2e-6))
        numbers = (4.0 * once - twice) / 3.0
        yield close(f"params{name}", inner(gradient, direction), numbers, max(1e-5 * abs(numbers), 1e-8))
