"""Ewald's sum beside sums of textbook formulas in numpy, LAMMPS and differences, periodic in 3, 2 and 0 directions."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.special import erf, erfc

import jaxpot
from jaxpot.batch.padding import Sizes, resized, sizes_used, to_device
from jaxpot.units import COULOMB_LAMMPS_METAL as K
from tests import structures
from tests.oracles import lammps

ELEMENTS = ("Na", "Cl")
CUTOFF, TIGHT = 6.0, 1e-13
WIDTHS = {"Na": 0.4, "Cl": 0.55}
THREE = ("crystal", "skewed", "two atoms", "one ion")
TWO = ("slab", "slab_periodic_in_first_and_last")
POINTS = jaxpot.ewald(CUTOFF, ELEMENTS, TIGHT, "waves", constant=K)
GAUSSIANS = jaxpot.ewald(CUTOFF, ELEMENTS, TIGHT, "waves", gaussian=True, constant=K)


@functools.cache
def ions(kind: str) -> tuple[Atoms, np.ndarray]:
    """Structures, and charges that differ from atom to atom and do not add up to 0."""
    if kind == "two atoms":
        atoms = bulk("NaCl", "rocksalt", 5.64)
        atoms.rattle(0.2, seed=1)
    elif kind == "one ion":
        atoms = bulk("Na", "bcc", 4.2)
    else:
        atoms = structures.make(kind, ELEMENTS, 5.2, seed=3)
    return atoms, np.where(atoms.numbers == 11, 1.0, -0.9) + 0.03 * np.arange(len(atoms))


def pair_shape(alpha: float, gaussian: bool, atoms: Atoms) -> Callable:
    """g(r) of the short-ranged part for atoms i and j."""
    widths = np.array([WIDTHS[s] for s in atoms.symbols])

    def shape(i: np.ndarray, j: np.ndarray, r: np.ndarray) -> np.ndarray:
        near = erf(r / np.sqrt(2 * (widths[i] ** 2 + widths[j] ** 2))) if gaussian else 1.0
        return (near - erf(alpha * r)) / r

    return shape


def in_three(atoms: Atoms, q: np.ndarray, gaussian: bool) -> np.ndarray:
    """The potential at each atom over k, by Ewald's formulas with a background."""
    alpha, limit = 0.6, 6.2
    i, j, _, vectors = structures.brute_force_pairs(atoms, limit / alpha)
    r = np.linalg.norm(vectors, axis=1)
    potential = np.bincount(i, q[j] * pair_shape(alpha, gaussian, atoms)(i, j, r), len(atoms))
    volume, reciprocal = atoms.cell.volume, 2 * np.pi * atoms.cell.reciprocal().array
    most = np.ceil(2 * alpha * limit / (2 * np.pi) * atoms.cell.lengths()).astype(int)
    m = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in most], indexing="ij"), axis=-1).reshape(-1, 3)
    k = m[m.any(axis=1)] @ reciprocal
    phases, k2 = np.exp(1j * k @ atoms.positions.T), (k**2).sum(axis=1)
    weights = 4 * np.pi / volume * np.exp(-k2 / 4 / alpha**2) / k2
    potential += (np.conj(phases).T @ (weights * (phases @ q))).real
    return potential - 2 * alpha / np.sqrt(np.pi) * q - np.pi / (volume * alpha**2) * q.sum()


def in_two(atoms: Atoms, q: np.ndarray, gaussian: bool) -> np.ndarray:
    """The same for a slab, by Parry's sum over wave vectors in the plane and pairs of heights."""
    alpha, limit = 0.6, 6.2
    i, j, _, vectors = structures.brute_force_pairs(atoms, limit / alpha)
    r = np.linalg.norm(vectors, axis=1)
    potential = np.bincount(i, q[j] * pair_shape(alpha, gaussian, atoms)(i, j, r), len(atoms))
    a, b = atoms.cell.array[atoms.pbc]
    area_vector = np.cross(a, b)
    area = np.linalg.norm(area_vector)
    unit = area_vector / area
    d = atoms.positions[:, None] - atoms.positions[None]
    z = d @ unit
    flat = erf(alpha * z) * z + np.exp(-((alpha * z) ** 2)) / (alpha * np.sqrt(np.pi))
    potential += -2 * np.pi / area * flat @ q
    most = [int(np.ceil(2 * alpha * limit / (2 * np.pi) * np.linalg.norm(v))) for v in (a, b)]
    reciprocal = 2 * np.pi * np.array([np.cross(b, unit), np.cross(unit, a)]) / area
    for m in itertools.product(*[range(-n, n + 1) for n in most]):
        if m != (0, 0):
            k = np.array(m) @ reciprocal
            size = np.linalg.norm(k)
            # exp(kz) erfc(k/2a + az), without overflow
            each = sum(np.exp(sign * size * z) * erfc(size / (2 * alpha) + sign * alpha * z) for sign in (1, -1))
            potential += np.pi / (area * size) * (np.cos(d @ k) * each) @ q
    return potential - 2 * alpha / np.sqrt(np.pi) * q


def in_none(atoms: Atoms, q: np.ndarray, gaussian: bool) -> np.ndarray:
    """The same for a molecule, by the sum over all pairs."""
    i, j = np.nonzero(~np.eye(len(atoms), dtype=bool))
    r = np.linalg.norm(atoms.positions[i] - atoms.positions[j], axis=1)
    return np.bincount(i, q[j] * pair_shape(0.0, gaussian, atoms)(i, j, r), len(atoms))


def energy_by_formula(atoms: Atoms, q: np.ndarray, gaussian: bool) -> float:
    potential = (in_none, None, in_two, in_three)[int(atoms.pbc.sum())]
    return 0.5 * K * float(q @ potential(atoms, q, gaussian))


@functools.cache
def sizes() -> Sizes:
    """Room for all structures, so that they share compiled programs."""
    lists = jaxpot.neighbor_list(POINTS, 0.0)
    used = [sizes_used(lists.allocate(system_of(*ions(kind)))) for kind in (*THREE, *TWO, "cluster")]
    return Sizes(*np.max(used, axis=0).tolist())


def system_of(atoms: Atoms, q: np.ndarray) -> jaxpot.System:
    return jaxpot.System.from_ase(atoms, ELEMENTS, extras={"charges": q})


def allocated(atoms: Atoms, q: np.ndarray) -> tuple[jaxpot.System, jaxpot.Neighbors]:
    system = system_of(atoms, q)
    neighbors = jaxpot.neighbor_list(POINTS, 0.0).allocate(system)
    return system.pad(sizes().atoms), to_device(resized(neighbors, sizes()))


@pytest.mark.parametrize("gaussian", [False, True], ids=["points", "Gaussians"])
@pytest.mark.parametrize("kind", [*THREE, *TWO, "cluster"])
def test_equals_formulas(kind: str, gaussian: bool) -> None:
    """Energy of each atom 1e-9 beside the potential by formula; forces and virial beside differences of it."""
    atoms, q = ions(kind)
    potential = GAUSSIANS if gaussian else POINTS
    params = {"width": np.array([WIDTHS[s] for s in ELEMENTS])} if gaussian else {}
    found = potential.evaluate(params, *allocated(atoms, q))
    by_formula = (in_none, None, in_two, in_three)[int(atoms.pbc.sum())](atoms, q, gaussian)
    expected = 0.5 * K * q * by_formula
    atol = 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(found.energies[: len(atoms)], expected, rtol=0, atol=atol)
    assert not np.any(found.energies[len(atoms) :])
    assert not np.any(found.forces[len(atoms) :])

    def slope(change: Callable[[Atoms, float], None], step: float = 1e-3) -> float:
        values = []
        for factor in (-2, -1, 1, 2):
            moved = atoms.copy()
            change(moved, factor * step)
            values.append(energy_by_formula(moved, q, gaussian))
        return (8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * step)

    last, axis = len(atoms) - 1, 1

    def push(moved: Atoms, step: float) -> None:
        moved.positions[last, axis] += step

    def strain(direction: np.ndarray) -> Callable[[Atoms, float], None]:
        def change(moved: Atoms, step: float) -> None:
            turn = np.eye(3) + step * direction
            moved.set_cell(moved.cell.array @ turn)
            moved.positions = moved.positions @ turn

        return change

    direction = np.array([[0.7, 0.2, -0.4], [0.2, -0.5, 0.3], [-0.4, 0.3, 0.9]])
    scale = max(np.abs(found.forces).max(), 0.1)
    np.testing.assert_allclose(found.forces[last, axis], -slope(push), rtol=0, atol=1e-8 * scale)
    virial = float((found.virial * direction).sum())
    np.testing.assert_allclose(virial, slope(strain(direction), 3e-4), rtol=1e-7)


def test_energy_and_evaluation_agree() -> None:
    """The energy's own derivatives are the forces, and its slope with respect to charges the potential."""
    for kind in ("skewed", "slab", "cluster"):
        atoms, q = ions(kind)
        system, neighbors = allocated(atoms, q)
        value, (by_positions, by_charges) = slopes_of(system, neighbors)
        found = POINTS.evaluate({}, system, neighbors)
        np.testing.assert_allclose(value, found.energies.sum(), rtol=1e-12)
        np.testing.assert_allclose(by_positions, -found.forces, atol=1e-11 * np.abs(found.forces).max())
        potential = 2 * np.asarray(found.energies[: len(q)]) / q
        np.testing.assert_allclose(by_charges[: len(q)], potential, rtol=1e-10)


@jax.jit
def slopes_of(system: jaxpot.System, neighbors: jaxpot.Neighbors) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    def energy(positions: jax.Array, charges: jax.Array) -> jax.Array:
        moved = system.replace(positions=positions).with_extras(charges=charges)
        return POINTS.unchecked.energies({}, moved, neighbors).sum()

    return jax.value_and_grad(energy, (0, 1))(system.positions, system.extras["charges"])


def random_ions(seed: int) -> tuple[Atoms, np.ndarray]:
    """36 ions about random places, with random charges, in a skewed cell whose vectors have always the same lengths."""
    rng = np.random.default_rng(seed)
    cell = np.linalg.qr(rng.normal(size=(3, 3)))[0] + rng.uniform(-0.25, 0.25, (3, 3))
    cell *= (np.array([9.0, 10.0, 11.0]) / np.linalg.norm(cell, axis=1))[:, None]
    places = np.stack(np.meshgrid(*[np.arange(n) for n in (3, 3, 4)], indexing="ij"), axis=-1).reshape(-1, 3)
    places = (places + rng.uniform(-0.3, 0.3, places.shape)) / (3, 3, 4)
    atoms = Atoms("NaCl" * 18, positions=places @ cell, cell=cell, pbc=True)
    charges = rng.uniform(0.5, 1.5, 36) * np.where(atoms.numbers == 11, 1, -1)
    return atoms, charges - charges.mean()


@pytest.mark.parametrize(("accuracy", "order"), [(1e-3, 4), (1e-4, 5), (1e-6, 6)])
def test_mesh_keeps_the_accuracy_asked_for(accuracy: float, order: int) -> None:
    mesh = jaxpot.ewald(CUTOFF, ELEMENTS, accuracy, "mesh", order, constant=K)
    ratios = []
    for seed in range(20):
        _, q = random_ions(seed)
        error = one_of_shape(mesh, seed).forces - exact_forces(seed)
        ratios.append(np.sqrt((error**2).sum(axis=1).mean()) / (accuracy * K * np.mean(q**2)))
    assert max(ratios) < 1
    assert max(ratios) > 0.05  # the mesh is not finer by far than it must be


@functools.cache
def exact_forces(seed: int) -> jax.Array:
    return one_of_shape(POINTS, seed).forces


def one_of_shape(potential: jaxpot.Potential, seed: int) -> jaxpot.Evaluation:
    atoms, q = random_ions(seed)
    system = system_of(atoms, q)
    neighbors = jaxpot.neighbor_list(potential, 0.0).allocate(system)
    room = Sizes(len(atoms), 120, 1200, *neighbors.plan.waves)
    return potential.evaluate({}, system, to_device(resized(neighbors, room)))


def test_buckingham_and_ewald_equal_lammps() -> None:
    """Magnesium oxide by `buck/coul/long`, with energy, forces and virial."""
    atoms = structures.crystal(("Mg", "O"), 2.3, "sc", 2, seed=5)
    charges = np.where(atoms.numbers == 8, -2.0, 2.0)
    commands = [
        "pair_style buck/coul/long 5.0", "pair_coeff 1 1 0.0 0.3 0.0", "pair_coeff 1 2 1428.5 0.2945 0.0",
        "pair_coeff 2 2 22764.3 0.149 27.88", "pair_modify table 0", "kspace_style ewald 1e-10",
    ]  # fmt: skip
    expected = lammps.single_point(atoms, commands, ("Mg", "O"), charges=charges, per_atom=False)
    table = {
        "A": np.array([[0.0, 1428.5], [1428.5, 22764.3]]),
        "rho": np.array([[0.3, 0.2945], [0.2945, 0.149]]),
        "C": np.array([[0.0, 0.0], [0.0, 27.88]]),
    }
    electrostatics = jaxpot.chain(
        jaxpot.fixed_charges(("Mg", "O")), jaxpot.ewald(5.0, ("Mg", "O"), 1e-9, "waves", constant=K)
    )
    potential = jaxpot.buckingham(5.0, ("Mg", "O")) + electrostatics
    system = jaxpot.System.from_ase(atoms, ("Mg", "O"))
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    found = potential.evaluate((table, ({"charges": [2.0, -2.0]}, {})), system, neighbors)
    # LAMMPS's erfc is a polynomial
    np.testing.assert_allclose(found.energies.sum(), expected.energy, rtol=3e-7)
    np.testing.assert_allclose(found.forces, expected.forces, atol=3e-6 * np.abs(expected.forces).max())
    np.testing.assert_allclose(found.virial, expected.virial, atol=3e-6 * np.abs(expected.virial).max())


def test_a_list_without_waves_and_a_cell_that_has_outgrown_them() -> None:
    atoms, q = ions("skewed")
    system = system_of(atoms, q)
    with pytest.raises(ValueError, match="no waves for sums in reciprocal space"):
        POINTS.evaluate({}, system, jaxpot.neighbor_list(CUTOFF).allocate(system))
    lists = jaxpot.neighbor_list(POINTS, 3.0)
    neighbors = lists.allocate(system)
    larger = system.replace(cell=system.cell * 1.15, positions=system.positions * 1.15)
    with pytest.raises(jaxpot.UnusableListError, match="has outgrown the"):
        POINTS.evaluate({}, larger, neighbors)
    updated = lists.update(larger, neighbors)
    assert updated.overflow
    again = lists.reallocate(larger, updated)
    assert min(np.subtract(again.plan.waves, neighbors.plan.waves)) > 0
    assert not again.overflow
    with pytest.raises(ValueError, match="periodic in 3, 2 or 0 directions"):
        lists.allocate(system_of(*ions("wire")))


def test_widths_beyond_the_cutoff_give_nan() -> None:
    atoms, q = ions("skewed")
    found = GAUSSIANS.unchecked.energies({"width": np.array([0.4, 3.0])}, *allocated(atoms, q))
    assert np.isnan(found).any()


@pytest.mark.parametrize("wrong", [{"accuracy": 0.0}, {"method": "pme"}, {"order": 3}, {"cutoff": -1.0}])
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="ewald"):
        jaxpot.ewald(**{"cutoff": 8.0, **wrong})
