"""Lattice constant, cohesive energy and elastic constants of cubic crystals with one atom in the primitive cell."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxpot

PRIMITIVE = {
    "fcc": 0.5 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]),
    "bcc": 0.5 * np.array([[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]),
}


class Crystal:
    """A cubic crystal of one potential, compiled once for any params and lattice constant from `least` on.

    The neighbours of a dense lattice contain those of a wider one, so one list serves all.
    """

    def __init__(self, potential: jaxpot.Potential, structure: str, least: float) -> None:
        system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=least * PRIMITIVE[structure])
        neighbors = jaxpot.neighbor_list(potential.cutoff, skin=0.0).allocate(system)
        self.least = least

        def energy(params: Any, a: jax.Array, voigt: jax.Array) -> jax.Array:
            e1, e2, e3, e4, e5, e6 = voigt
            strain = jnp.stack([e1, e6 / 2, e5 / 2, e6 / 2, e2, e4 / 2, e5 / 2, e4 / 2, e3]).reshape(3, 3)
            cell = a * jnp.asarray(PRIMITIVE[structure]) @ (jnp.eye(3) + strain)
            return jaxpot.energy(potential)(params, system.replace(cell=cell), neighbors)

        def derivatives(params: Any, a: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            at_rest = jnp.zeros(6)
            return (
                energy(params, a, at_rest),
                jax.grad(energy, 2)(params, a, at_rest),
                jax.hessian(energy, 2)(params, a, at_rest),
            )

        self.energy = jax.jit(lambda params, a: energy(params, a, jnp.zeros(6)))
        self.derivatives = jax.jit(derivatives)
        self.volume = abs(np.linalg.det(PRIMITIVE[structure]))

    def relaxed(self, params: Any, guess: float) -> tuple[float, float, np.ndarray]:
        """Where the energy is least near `guess`: lattice constant (Å), energy (eV), and C11, C12, C44 (eV/Å^3)."""
        a = guess
        for _ in range(20):
            assert a > self.least, "beyond what the list of neighbours serves"
            energy, stress, second = self.derivatives(params, a)
            pressure, stiffness = float(stress[:3].sum()), float(second[:3, :3].sum())
            assert stiffness > 0
            if abs(pressure) < 1e-9:
                break
            a *= 1 - pressure / stiffness
        assert abs(pressure) < 1e-7
        constants = np.array([second[0, 0], second[0, 1], second[3, 3]]) / (self.volume * a**3)
        return a, float(energy), constants
