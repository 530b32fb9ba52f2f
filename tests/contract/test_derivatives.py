"""Forces, stress, parameter gradients and Hessians against central differences; padding, precision, vmap."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.potential import evaluate_by_autodiff
from tests.conftest import FLOAT32, needs_float64
from tests.contract.bench import Bench, bench, every_example, inner
from tests.contract.registry import EXAMPLES, Example


def differences(function: Callable[[float], Any], step: float) -> Any:
    """(f(h) - f(-h)) / 2h."""
    return (function(step) - function(-step)) / (2 * step)


@needs_float64
@every_example
def test_forces_are_the_slope_of_the_energy(example: Example) -> None:
    b = bench(example)
    system, neighbors = b.padded(b.atoms)
    numbers = np.zeros((len(b.atoms), 3))
    for i, d in np.ndindex(*numbers.shape):
        direction = jnp.zeros_like(system.positions).at[i, d].set(1.0)
        numbers[i, d] = -differences(
            lambda h, v=direction: float(
                b.energy(b.params, system.replace(positions=system.positions + h * v), neighbors)
            ),
            1e-5,
        )
    np.testing.assert_allclose(b.reference.forces, numbers, rtol=0, atol=1e-7 * b.scale + 1e-9)


@needs_float64
@every_example
def test_stress_is_the_slope_with_strain(example: Example) -> None:
    b = bench(example)
    slab = b.atoms.copy()
    slab.pbc = (True, False, True)
    for atoms in (b.atoms, slab):
        system, neighbors = b.padded(atoms)
        numbers = np.zeros((3, 3))

        def strained(h: float, i: int, j: int, system: Any = system, neighbors: Any = neighbors) -> float:
            factor = jnp.eye(3).at[i, j].add(h)
            moved = system.replace(positions=system.positions @ factor, cell=system.cell @ factor)
            return float(b.energy(b.params, moved, neighbors))

        for i, j in np.ndindex(3, 3):
            numbers[i, j] = differences(functools.partial(strained, i=i, j=j), 1e-6)
        scale = np.abs(numbers).max()
        assert scale > 1e-3
        np.testing.assert_allclose(b.of(atoms).virial, numbers, rtol=0, atol=1e-7 * scale + 1e-8)
        stress = jaxpot.stress(b.potential)(b.params, system, neighbors) if example is EXAMPLES[0] else None
        if stress is not None:
            np.testing.assert_allclose(stress, numbers / atoms.get_volume(), rtol=0, atol=1e-7 * scale)


@every_example
def test_evaluate_is_the_derivative_of_the_energies(example: Example) -> None:
    """The fast way and automatic differentiation give the same."""
    b = bench(example)
    slow = jax.jit(functools.partial(evaluate_by_autodiff, b.potential.atomic_energies))
    found = slow(b.params, *b.padded(b.atoms))
    count = len(b.atoms)
    allowance = 1e-4 if FLOAT32 else 1e-11
    np.testing.assert_allclose(found.energies[:count], b.reference.energies, rtol=allowance, atol=allowance)
    np.testing.assert_allclose(found.forces[:count], b.reference.forces, rtol=0, atol=allowance * b.scale)
    scale = np.abs(b.reference.virial).max()
    np.testing.assert_allclose(found.virial, b.reference.virial, rtol=0, atol=10 * allowance * scale)
    assert not found.energies[count:].any()
    assert not found.forces[count:].any()


@every_example
def test_padding_changes_nothing(example: Example) -> None:
    """Atoms, slots and images to spare: energies, forces, virial and the gradient with respect to the params."""
    b = bench(example)
    gradient = jax.jit(jax.grad(jaxpot.energy(b.potential)))
    allowance = 1e-4 if FLOAT32 else 1e-12
    exact, padded = b.exact(b.atoms), b.padded(b.atoms)
    plain = b.potential.evaluate if example is EXAMPLES[0] else b.evaluate
    for found, wanted in zip(plain(b.params, *exact), b.reference, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=allowance * max(b.scale, float(np.abs(wanted).max())))
    without, with_padding = gradient(b.params, *exact), gradient(b.params, *padded)
    for name, direction in b.smooth_params:
        slope = inner(without, direction)
        assert np.isfinite(slope), name
        assert inner(with_padding, direction) == pytest.approx(slope, rel=100 * allowance, abs=allowance), name
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(with_padding))


@needs_float64
@every_example
def test_gradients_with_respect_to_params(example: Example) -> None:
    b = bench(example)
    system, neighbors = b.padded(b.atoms)
    gradient = jax.jit(jax.grad(jaxpot.energy(b.potential)))(b.params, system, neighbors)
    seen = 0.0
    for name, direction in b.smooth_params:
        slope = inner(gradient, direction)
        numbers = differences(lambda h, v=direction: float(b.energy(b.moved(v, h), system, neighbors)), 1e-6)
        assert slope == pytest.approx(numbers, rel=1e-6, abs=1e-7 * b.scale), name
        seen += abs(slope)
    assert seen > 0


@needs_float64
@every_example
def test_gradients_of_forces_with_respect_to_params(example: Example) -> None:
    """What training on forces needs, with padding present."""
    b = bench(example)
    system, neighbors = b.padded(b.atoms)
    weights = jnp.asarray(np.random.default_rng(0).normal(size=system.positions.shape))

    def projected(params: Any) -> jax.Array:
        found = b.potential.evaluate(params, system, neighbors)
        return (weights * found.forces).sum() + (weights[:3] * found.virial).sum()

    def numbers_at(params: Any) -> float:
        found = b.evaluate(params, system, neighbors)
        return float((weights * found.forces).sum() + (weights[:3] * found.virial).sum())

    gradient = jax.jit(jax.grad(projected))(b.params)
    for name, direction in b.smooth_params:
        numbers = differences(lambda h, v=direction: numbers_at(b.moved(v, h)), 1e-6)
        assert inner(gradient, direction) == pytest.approx(numbers, rel=1e-5, abs=1e-6 * b.scale), name


@every_example
def test_isolated_atoms_and_empty_structures_have_finite_gradients(example: Example) -> None:
    b = bench(example)
    gradient = jax.jit(jax.grad(jaxpot.energy(b.potential)))
    pair = Atoms(example.elements[0] + example.elements[-1], positions=[[0, 0, 0], [0, 0, b.potential.cutoff + 0.5]])
    for atoms in (Atoms(example.elements[0]), pair):
        for leaf in jax.tree.leaves(gradient(b.params, *b.padded(atoms))):
            assert bool(jnp.isfinite(leaf).all())
    system, _ = b.padded(b.atoms)
    nothing = system.replace(species=jnp.full_like(system.species, -1))
    empty = b.list.allocate(nothing)
    empty = jaxpot.pad_neighbors(empty, b.sizes.atoms, b.sizes.capacity, b.sizes.atoms + b.sizes.ghosts)
    found = b.evaluate(b.params, nothing, empty)
    assert not any(leaf.any() for leaf in jax.tree.leaves(found))
    for leaf in jax.tree.leaves(gradient(b.params, nothing, empty)):
        assert not leaf.any()


@needs_float64
@every_example
def test_hessian(example: Example) -> None:
    b = bench(example)
    system, neighbors = b.padded(b.atoms)
    count = len(b.atoms)
    hessian = np.asarray(jax.jit(jaxpot.hessian(b.potential))(b.params, system, neighbors))
    assert not hessian[count:].any()
    assert not hessian[:, :, count:].any()
    matrix = hessian[:count, :, :count].reshape(3 * count, 3 * count)
    scale = np.abs(matrix).max()
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-10 * scale)
    np.testing.assert_allclose(hessian.sum(axis=2), 0.0, atol=1e-10 * scale * count)  # moving all atoms costs nothing
    for i, d in ((0, 0), (3, 1), (count - 1, 2)):
        direction = jnp.zeros_like(system.positions).at[i, d].set(1.0)
        numbers = -differences(
            lambda h, v=direction: np.asarray(
                b.evaluate(b.params, system.replace(positions=system.positions + h * v), neighbors).forces
            ),
            1e-5,
        )
        np.testing.assert_allclose(hessian[:, :, i, d], numbers, rtol=0, atol=1e-6 * scale)


@needs_float64
@every_example
def test_continuity_at_the_cutoff(example: Example) -> None:
    """A third atom passes the cutoff of one of two bonded ones: the energy, and the force if promised, do not jump."""
    b = bench(example)
    if example.continuity == 0:
        pytest.skip("jumps at its cutoff by definition")
    cutoff, near = b.potential.cutoff, 0.7 * example.a
    symbols = [example.elements[0], example.elements[-1], example.elements[-1]]

    def at(distance: float) -> jaxpot.Evaluation:
        positions = [[0, 0, 0], [near, 0, 0], [distance * 0.8, distance * 0.6, 0]]
        return b.of(Atoms(symbols, positions=positions))

    inside, outside = at(cutoff - 1e-6), at(cutoff + 1e-6)
    assert np.abs(inside.energies - outside.energies).max() < 1e-5 * b.scale
    if example.continuity > 1:
        assert np.abs(inside.forces - outside.forces).max() < 1e-4 * b.scale
        assert np.abs(inside.virial - outside.virial).max() < 1e-3 * b.scale


@every_example
def test_vmap_over_params_is_a_loop(example: Example) -> None:
    b = bench(example)
    members = [b.params] + [b.moved(direction, 0.01) for _, direction in b.smooth_params[:2]]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    system, neighbors = b.padded(b.atoms)
    together = jax.jit(jax.vmap(b.potential.evaluate, (0, None, None)))(stacked, system, neighbors)
    allowance = 1e-4 if FLOAT32 else 1e-11
    for k, params in enumerate(members):
        alone = b.evaluate(params, system, neighbors)
        for many, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(many[k], one, rtol=0, atol=allowance * max(b.scale, float(jnp.abs(one).max())))
    different = np.abs(np.asarray(together.energies[0].sum() - together.energies[1].sum()))
    assert len(members) == 1 or different > 0


@pytest.mark.skipif(FLOAT32, reason="compares float32 with float64")
@every_example
def test_float32_is_close_and_stays_float32(example: Example) -> None:
    b = bench(example)
    # as a user has them: params as they come, be they float64 or Python numbers, and positions in float32
    single_params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), b.params)
    system, neighbors = b.padded(b.atoms, "float32")
    for params in (single_params, example.build()[1]):
        found = b.evaluate(params, system, neighbors)
        assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32")}
    found = b.evaluate(single_params, system, neighbors)
    count = len(b.atoms)
    np.testing.assert_allclose(found.forces[:count], b.reference.forces, rtol=0, atol=1e-4 * b.scale)
    energies = b.reference.energies
    np.testing.assert_allclose(
        found.energies[:count], energies, rtol=0, atol=1e-5 * max(b.scale, np.abs(energies).max())
    )
    scale = np.abs(b.reference.virial).max()
    np.testing.assert_allclose(found.virial, b.reference.virial, rtol=0, atol=2e-4 * scale)
    wide = list(wide_arrays(b, single_params, system, neighbors))
    assert wide == [], "float64 arrays in a float32 program"


def wide_arrays(b: Bench, params: Any, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> Iterator[str]:
    """Primitives of the traced program whose result is an array of float64."""

    def visit(jaxpr: Any) -> Iterator[str]:
        for equation in jaxpr.eqns:
            for variable in equation.outvars:
                aval = variable.aval
                if getattr(aval, "dtype", None) == np.float64 and aval.ndim > 0:
                    yield f"{equation.primitive.name}: {aval}"
            for value in equation.params.values():
                for inner_value in value if isinstance(value, tuple | list) else [value]:
                    inside = getattr(inner_value, "jaxpr", inner_value)
                    if hasattr(inside, "eqns"):
                        yield from visit(inside)

    yield from visit(jax.make_jaxpr(b.potential.evaluate)(params, system, neighbors).jaxpr)
