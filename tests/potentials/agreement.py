"""What the tests of single potentials share: structures of one shape, and comparisons with an oracle."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

import jaxpot
from jaxpot.batch import batch
from tests import structures
from tests.conftest import Precision


class Shaped(NamedTuple):
    """Structures of every kind, padded to one shape, so that one compilation serves them all."""

    atoms: list[Atoms]
    systems: list[jaxpot.System]
    neighbors: list[jaxpot.Neighbors]


@functools.cache
def shaped(
    elements: tuple[str, ...], a: float, structure: str, cutoff: float, dtype: str | None = None, seed: int = 1
) -> Shaped:
    """One structure of every kind in `structures.KINDS`."""
    atoms = [structures.make(kind, elements, a, structure, seed=seed) for kind in structures.KINDS]
    return one_shape(atoms, elements, cutoff, dtype)


def one_shape(atoms: Sequence[Atoms], elements: Sequence[str], cutoff: float, dtype: str | None = None) -> Shaped:
    systems = [jaxpot.System.from_ase(one, elements, dtype=dtype) for one in atoms]
    (stacked,) = batch(systems, cutoff, max_shapes=1)
    parts = [jax.tree.map(lambda leaf, k=k: leaf[k], stacked) for k in np.argsort(stacked.indices)]
    return Shaped(list(atoms), [part.system for part in parts], [part.neighbors for part in parts])


def assert_agrees(
    result: jaxpot.Evaluation, energy: float, forces: np.ndarray, virial: np.ndarray, precision: Precision
) -> None:
    """Energy relative to itself, forces and virial relative to their largest component; padded atoms are left out."""
    count = len(forces)
    np.testing.assert_allclose(float(result.energies.sum()), energy, rtol=precision.energy)
    # one atom in a cell feels no force, whatever the potential: there the virial (over 1 Å) sets the scale
    scale = np.abs(virial if count == 1 else forces).max()
    assert scale > 0, "a structure without forces proves nothing"
    np.testing.assert_allclose(result.forces[:count], forces, rtol=0, atol=precision.forces * scale)
    np.testing.assert_allclose(result.virial, virial, rtol=0, atol=precision.forces * np.abs(virial).max())
    assert not np.any(result.forces[count:])
    assert not np.any(result.energies[count:])


def evaluate_one(potential: jaxpot.Potential, params: Any, atoms: Atoms, dtype: str | None = None) -> jaxpot.Evaluation:
    """One structure as it is, without padding."""
    system = jaxpot.System.from_ase(atoms, potential.elements, dtype=dtype)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    return jax.jit(potential.evaluate)(params, system, neighbors)


def pair_sum(
    atoms: Atoms, cutoff: float, phi: Callable[[str, str, float], tuple[float, float]]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and virial of a pair potential, one pair after another; phi gives value and slope."""
    return density_sum(atoms, cutoff, phi, lambda *_: (0.0, 0.0), lambda *_: (0.0, 0.0))


def density_sum(
    atoms: Atoms,
    cutoff: float,
    phi: Callable[[str, str, float], tuple[float, float]],
    density: Callable[[str, str, float], tuple[float, float]],
    embedding: Callable[[str, float], tuple[float, float]],
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and virial of E = sum of phi over pairs + sum_i F(rho_i), one pair after another.

    Each function gives its value and its slope.
    """
    symbols = atoms.get_chemical_symbols()
    pairs = list(zip(*structures.brute_force_pairs(atoms, cutoff), strict=True))
    rho = np.zeros(len(atoms))
    for i, j, _, vector in pairs:
        rho[i] += density(symbols[i], symbols[j], float(np.linalg.norm(vector)))[0]
    embedded = [embedding(symbol, value) for symbol, value in zip(symbols, rho, strict=True)]
    energy = sum(value for value, _ in embedded)
    forces, virial = np.zeros((len(atoms), 3)), np.zeros((3, 3))
    for i, j, _, vector in pairs:
        distance = float(np.linalg.norm(vector))
        value, slope = phi(symbols[i], symbols[j], distance)
        energy += 0.5 * value
        pull = 0.5 * slope + embedded[i][1] * density(symbols[i], symbols[j], distance)[1]
        forces[i] += pull * vector / distance
        forces[j] -= pull * vector / distance
        virial += pull * np.outer(vector, vector) / distance
    return energy, forces, virial


@functools.cache
def compiled(potential: jaxpot.Potential) -> Callable[..., tuple[jax.Array, Any]]:
    """Energy and its gradient with respect to the parameters."""
    return jax.jit(jax.value_and_grad(jaxpot.energy(potential)))


def assert_parameter_gradient(
    potential: jaxpot.Potential,
    params: Any,
    system: jaxpot.System,
    neighbors: jaxpot.Neighbors,
    tolerance: float = 1e-6,
) -> None:
    """dE/dparams against central differences, every number of every leaf on its own."""
    energy = compiled(potential)
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)
    _, gradient = energy(params, system, neighbors)
    leaves, tree = jax.tree.flatten(params)
    for k, (leaf, slope) in enumerate(zip(leaves, jax.tree.leaves(gradient), strict=True)):
        assert np.all(np.isfinite(slope))
        for index in np.ndindex(leaf.shape):
            step = 1e-5 * max(abs(float(leaf[index])), 0.1)
            ends = []
            for sign in (1, -1):
                moved = [leaf.at[index].add(sign * step) if m == k else other for m, other in enumerate(leaves)]
                ends.append(float(energy(tree.unflatten(moved), system, neighbors)[0]))
            expected = (ends[0] - ends[1]) / (2 * step)
            scale = max(float(np.abs(slope).max()), 1e-3)
            np.testing.assert_allclose(float(slope[index]), expected, rtol=tolerance, atol=tolerance * scale)
