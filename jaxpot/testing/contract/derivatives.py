"""Forces, virial, Hessians and gradients with respect to params, against central differences."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

from jaxpot.evaluation import Evaluation, Params, evaluate_by_autodiff
from jaxpot.testing.bench import Bench
from jaxpot.testing.calculus import differences, inner
from jaxpot.testing.findings import Finding, close, holds
from jaxpot.testing.suite import check

__all__: list[str] = []

TWO_FORMULAS = "forces and energies that come from two formulas, or a derivative rule of your own"
PARAMS = "rounding of params to another type, stop_gradient, or a derivative rule of your own"


def slope(what: str, found: float, wanted: float, relative: float, absolute: float) -> Finding:
    """A derivative along a direction, and the difference it should be."""
    return close(what, found, wanted, max(relative * abs(wanted), absolute))


@check(TWO_FORMULAS, ("float64",))
def forces(b: Bench) -> Iterator[Finding]:
    """Forces are the negative slope of the energy."""
    system, neighbors = b.padded(b.atoms)
    numbers = np.zeros((len(b.atoms), 3))

    def energy(positions: jax.Array) -> float:
        return b.energy(b.params, system.replace(positions=positions), neighbors)

    for i, d in np.ndindex(*numbers.shape):
        direction = jnp.zeros_like(system.positions).at[i, d].set(1.0)
        numbers[i, d] = -differences(energy, system.positions, direction, 1e-5)
    yield close("forces", b.reference.forces, numbers, 1e-7 * b.scale + 1e-9)


def strained(b: Bench, atoms: Atoms) -> Callable[[jax.Array], float]:
    """The energy as a function of a strain of positions and cell, [3, 3]."""
    system, neighbors = b.padded(atoms)

    def energy(strain: jax.Array) -> float:
        factor = jnp.eye(3) + strain
        moved = system.replace(positions=system.positions @ factor, cell=system.cell @ factor)
        return b.energy(b.params, moved, neighbors)

    return energy


@check(f"{TWO_FORMULAS}; the cell must take part in the strain", ("float64",))
def virial(b: Bench) -> Iterator[Finding]:
    """The virial is the slope of the energy with a strain of positions and cell."""
    structures = {"as it is": b.atoms}
    if all(b.atoms.pbc) and b.lacks("free") is None:
        structures["slab"] = b.atoms.copy()
        structures["slab"].pbc = (True, False, True)
    for what, atoms in structures.items():
        numbers = np.zeros((3, 3))
        for i, j in np.ndindex(3, 3):
            direction = jnp.zeros((3, 3)).at[i, j].set(1.0)
            numbers[i, j] = differences(strained(b, atoms), jnp.zeros((3, 3)), direction, 1e-6)
        scale = np.abs(numbers).max()
        yield holds(f"{what}: there is a virial", scale > 1e-3, f"it is {scale:.3g} eV")
        yield close(f"{what}: virial", b.of(atoms).virial, numbers, 1e-7 * scale + 1e-8)


@check(TWO_FORMULAS)
def autodiff(b: Bench) -> Iterator[Finding]:
    """What evaluate gives is what automatic differentiation of the energies gives."""
    slow = jax.jit(functools.partial(evaluate_by_autodiff, b.potential.unchecked.outputs))
    found = b.stripped(slow(b.params, *b.padded(b.atoms)), len(b.atoms))
    allowance = 1e-11 if b.double else 1e-4
    energies, forces, virial, _ = b.reference
    yield close("energies", found.energies, energies, allowance * (1.0 + float(np.abs(energies).min())))
    yield close("forces", found.forces, forces, allowance * b.scale)
    yield close("virial", found.virial, virial, 10 * allowance * float(np.abs(virial).max()))


@check(PARAMS, ("float64", "params"))
def parameter_gradient(b: Bench) -> Iterator[Finding]:
    """The gradient of the energy with respect to each of the params is its slope."""
    system, neighbors = b.padded(b.atoms)
    gradient = b.gradient(b.params, system, neighbors)
    seen = 0.0
    for name, direction in b.directions:
        found = inner(gradient, direction)
        numbers = differences(lambda params: b.energy(params, system, neighbors), b.params, direction, 1e-6)
        yield slope(f"params{name}", found, numbers, 1e-6, 1e-7 * b.scale)
        seen += abs(found)
    yield holds("the energy depends on the params", seen > 0, "all gradients are 0")


@check(f"{PARAMS}; training on forces needs this", ("float64", "params"))
def parameter_gradient_of_forces(b: Bench) -> Iterator[Finding]:
    """The gradient of forces and virial with respect to each of the params is their slope."""
    system, neighbors = b.padded(b.atoms)
    weights = jnp.asarray(np.random.default_rng(0).normal(size=system.positions.shape))

    def projection(found: Evaluation) -> jax.Array:
        return (weights * found.forces).sum() + (weights[:3] * found.virial).sum()

    def projected(params: Params) -> float:
        return float(projection(b.evaluate(params, system, neighbors)))

    gradient = jax.jit(jax.grad(lambda params: projection(b.potential.evaluate(params, system, neighbors))))(b.params)
    for name, direction in b.directions:
        numbers = differences(projected, b.params, direction, 1e-6)
        yield slope(f"params{name}", inner(gradient, direction), numbers, 1e-5, 1e-6 * b.scale)


@check(f"{PARAMS} of the system's extras", ("float64",))
def data_gradient(b: Bench) -> Iterator[Finding]:
    """The gradient of the energy with respect to data of the system, such as charges, is its slope."""
    system, neighbors = b.padded(b.atoms)
    names = [name for name in sorted(b.potential.needs) if hasattr(system.extras[name], "dtype")]
    smooth = [name for name in names if jnp.issubdtype(system.extras[name].dtype, jnp.floating)]
    if not smooth:
        return

    def energy(extras: dict[str, jax.Array]) -> jax.Array:
        return b.evaluate(b.params, system.with_extras(**extras), neighbors).energies.sum()

    gradient = jax.grad(energy)({name: system.extras[name] for name in smooth})
    for name in smooth:
        value = system.extras[name]
        direction = jnp.asarray(np.random.default_rng(6).normal(size=value.shape))
        numbers = differences(energy, {name: value}, {name: direction}, 1e-6)
        yield slope(name, inner(gradient[name], direction), numbers, 1e-6, 1e-7 * b.scale)


@check("derivatives of the masked slots, and derivative rules of your own, which must allow a second derivative",
       ("float64",))  # fmt: skip
def hessian(b: Bench) -> Iterator[Finding]:
    """The Hessian is symmetric, does not feel translations, and is the slope of the forces."""
    system, neighbors = b.padded(b.atoms)
    count = len(b.atoms)
    found = np.asarray(b.hessian(b.params, system, neighbors))
    yield holds("padded atoms have none", not found[count:].any() and not found[:, :, count:].any(), "they are not 0")
    matrix = found[:count, :, :count].reshape(3 * count, 3 * count)
    scale = float(np.abs(matrix).max())
    yield close("transposed", matrix, matrix.T, 1e-10 * scale)
    yield close("all atoms moved", found.sum(axis=2), 0.0, 1e-10 * scale * count)

    def forces_at(positions: jax.Array) -> np.ndarray:
        return np.asarray(b.evaluate(b.params, system.replace(positions=positions), neighbors).forces)

    for i, d in ((0, 0), (min(3, count - 1), 1), (count - 1, 2)):
        direction = jnp.zeros_like(system.positions).at[i, d].set(1.0)
        numbers = -differences(forces_at, system.positions, direction, 1e-5)
        yield close(f"column {i}, {d}", found[:, :, i, d], numbers, 1e-6 * scale)


@check("what the formula gives at the cutoff; continuity= of validate says what goes to zero there: 0 nothing, "
       "1 the energy, 2 also the force", ("float64", "cutoff", "continuous", "free"))  # fmt: skip
def continuity(b: Bench) -> Iterator[Finding]:
    """A third atom passes the cutoff of one of two bonded ones: the energy, and the force if promised, do not jump."""
    near = 0.7 * (b.lattice_constant or b.potential.cutoff / 2)
    symbols = b.atoms.get_chemical_symbols()
    chosen = [symbols.index(b.elements[0]), symbols.index(b.elements[-1]), symbols.index(b.elements[-1])]
    for cutoff in b.potential.ranges:
        sides = []
        for distance in (cutoff - 1e-6, cutoff + 1e-6):
            three = b.cluster()[chosen]
            three.positions = [[0, 0, 0], [near, 0, 0], [distance * 0.8, distance * 0.6, 0]]
            sides.append(b.of(three))
        inside, outside = sides
        at = f"at {cutoff:g} Å, "
        yield close(f"{at}energies", inside.energies, outside.energies, 1e-5 * b.scale)
        if b.continuity > 1:
            yield close(f"{at}forces", inside.forces, outside.forces, 1e-4 * b.scale)
            yield close(f"{at}virial", inside.virial, outside.virial, 1e-3 * b.scale)
