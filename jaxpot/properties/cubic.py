"""Lattice constant, cohesive energy and elastic constants of cubic crystals without internal freedom."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.neighbors import neighbor_list
from jaxpot.potential import Potential
from jaxpot.system import System
from jaxpot.units import GPA

__all__ = ["Crystal", "Cubic", "cubic_crystal"]

PRIMITIVE = {
    "sc": np.eye(3),
    "fcc": 0.5 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]),
    "bcc": 0.5 * np.array([[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]),
}


class Cubic(NamedTuple):
    """A cubic crystal at rest.

    Attributes:
        a: Å, lattice constant.
        energy: eV per atom.
        c11: GPa.
        c12: GPa.
        c44: GPa.
    """

    a: float
    energy: float
    c11: float
    c12: float
    c44: float

    @property
    def bulk_modulus(self) -> float:
        """GPa."""
        return (self.c11 + 2 * self.c12) / 3


class Crystal:
    """A cubic crystal of one potential with one atom a cell, compiled once for any params and lattice constant.

    The list of a dense lattice contains all pairs of a wider one, so one list is used for all lattice constants from
    ``least`` on. Elastic constants are exact second derivatives of the energy with respect to strain, because such a
    crystal has no internal degrees of freedom.

    Args:
        potential: any potential.
        structure: ``"fcc"``, ``"bcc"`` or ``"sc"``.
        least: Å, smallest lattice constant that is allowed.
        species: species of the atom, its place among the elements.

    Raises:
        ValueError: the structure is unknown.
    """

    def __init__(self, potential: Potential, structure: str, least: float, species: int = 0) -> None:
        if structure not in PRIMITIVE:
            raise ValueError(f"structure is {structure!r}; use one of {', '.join(PRIMITIVE)}, or elastic_constants")
        vectors = PRIMITIVE[structure]
        system = System.create([[0.0, 0.0, 0.0]], species, least * vectors)
        neighbors = neighbor_list(potential, skin=0.0).allocate(system)
        self.least = least

        def strained(params: Params, a: jax.Array, voigt: jax.Array) -> jax.Array:
            e1, e2, e3, e4, e5, e6 = voigt
            strain = jnp.stack([e1, e6 / 2, e5 / 2, e6 / 2, e2, e4 / 2, e5 / 2, e4 / 2, e3]).reshape(3, 3)
            cell = a * jnp.asarray(vectors, system.cell.dtype) @ (jnp.eye(3, dtype=system.cell.dtype) + strain)
            # the list of the smallest cell holds the pairs of all larger ones
            return potential.unchecked.energies(params, system.replace(cell=cell), neighbors).sum()

        def derivatives(params: Params, a: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            at_rest = jnp.zeros(6, system.cell.dtype)
            return (
                strained(params, a, at_rest),
                jax.grad(strained, 2)(params, a, at_rest),
                jax.hessian(strained, 2)(params, a, at_rest),
            )

        self.energy = jax.jit(lambda params, a: strained(params, a, jnp.zeros(6, system.cell.dtype)))
        self.derivatives = jax.jit(derivatives)
        self.volume = abs(float(np.linalg.det(vectors)))

    def relaxed(self, params: Any, guess: float) -> tuple[float, float, np.ndarray]:
        """Finds the minimum of the energy near a guess.

        Args:
            params: params of the potential.
            guess: Å, lattice constant to start from.

        Returns:
            Lattice constant (Å), energy (eV), and [3] C11, C12, C44 (eV/Å^3).

        Raises:
            ValueError: there is no minimum near the guess, or it is below ``least``.
        """
        a, pressure = guess, np.inf
        for _ in range(20):
            if not a > self.least:
                raise ValueError(f"the lattice constant went to {a:.3f} Å, below the least of {self.least} Å")
            found, stress, second = self.derivatives(params, a)
            pressure, stiffness = float(stress[:3].sum()), float(second[:3, :3].sum())
            if not stiffness > 0:
                raise ValueError(f"at a lattice constant of {a:.3f} Å the crystal is not stable; give another guess")
            if abs(pressure) < 1e-9:
                break
            a *= 1 - pressure / stiffness
        if not abs(pressure) < (1e-7 if np.asarray(found).dtype == np.float64 else 1e-3):
            raise ValueError(f"no minimum of the energy near a lattice constant of {guess} Å")
        constants = np.array([second[0, 0], second[0, 1], second[3, 3]]) / (self.volume * a**3)
        return a, float(found), constants


def cubic_crystal(potential: Potential, params: Params, structure: str, guess: float, species: int = 0) -> Cubic:
    """Lattice constant, energy and elastic constants of a cubic crystal with one atom a cell.

    Args:
        potential: any potential.
        params: its parameters.
        structure: ``"fcc"``, ``"bcc"`` or ``"sc"``.
        guess: Å, lattice constant to start from.
        species: species of the atom.

    Returns:
        The :class:`Cubic`.

    Raises:
        ValueError: as in :class:`Crystal`.

    Example:
        >>> import jaxpot
        >>> from jaxpot.properties import cubic_crystal
        >>> iron = cubic_crystal(*jaxpot.published("finnis_sinclair_1984:Fe"), "bcc", 2.9)
        >>> f"{iron.a:.4f} Å, {iron.c11:.0f} GPa"
        '2.8665 Å, 243 GPa'
    """
    a, each, constants = Crystal(potential, structure, 0.85 * guess, species).relaxed(params, guess)
    return Cubic(a, each, *(float(c) / GPA for c in constants))
