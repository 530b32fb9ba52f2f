"""The LAMMPS oracle checked against a plain image sum and finite differences: who watches the watchman."""

from __future__ import annotations

import ase.units
import numpy as np
import pytest
from ase import Atoms

from tests import structures
from tests.oracles import lammps

CUTOFF = 7.0
EPSILON = {("Ar", "Ar"): 0.0104, ("Ar", "Kr"): 0.0120, ("Kr", "Kr"): 0.0140}
SIGMA = {("Ar", "Ar"): 3.4, ("Ar", "Kr"): 3.5, ("Kr", "Kr"): 3.65}
COMMANDS = [f"pair_style lj/cut {CUTOFF}"] + [
    f"pair_coeff {1 + (a == 'Kr')} {1 + (b == 'Kr')} {EPSILON[a, b]} {SIGMA[a, b]}" for a, b in EPSILON
]
SPECIES = ["Ar", "Kr"]


def image_sum(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lennard-Jones energies [atoms], forces [atoms, 3] and virial [3, 3], one pair after another."""
    energies, forces, virial = np.zeros(len(atoms)), np.zeros((len(atoms), 3)), np.zeros((3, 3))
    symbols = atoms.get_chemical_symbols()
    for i, j, _, vector in zip(*structures.brute_force_pairs(atoms, CUTOFF), strict=True):
        pair = tuple(sorted((symbols[i], symbols[j])))
        epsilon, power, distance = EPSILON[pair], (SIGMA[pair] / np.linalg.norm(vector)) ** 6, np.linalg.norm(vector)
        slope = 4 * epsilon * (-12 * power**2 + 6 * power) / distance
        energies[i] += 0.5 * 4 * epsilon * (power**2 - power)
        forces[i] += slope * vector / distance
        virial += 0.5 * slope * np.outer(vector, vector) / distance
    return energies, forces, virial


def assert_equal_to_image_sum(atoms: Atoms) -> None:
    energies, forces, virial = image_sum(atoms)
    result = lammps.single_point(atoms, COMMANDS, SPECIES)
    np.testing.assert_allclose(result.energy, energies.sum(), rtol=1e-11)
    np.testing.assert_allclose(result.energies, energies, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(result.forces, forces, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(result.virial, virial, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("kind", structures.KINDS)
def test_equals_an_image_sum(kind: str) -> None:
    assert_equal_to_image_sum(structures.make(kind, SPECIES, 5.3, "fcc", seed=1))


@pytest.mark.parametrize("seed", range(12))
def test_equals_an_image_sum_in_random_cells(seed: int) -> None:
    assert_equal_to_image_sum(structures.random_structure(seed, SPECIES, spacing=4.0))


def test_nothing_depends_on_the_order_of_the_atoms() -> None:
    atoms = structures.make("outside", SPECIES, 5.3, seed=2)
    shuffle = np.random.default_rng(0).permutation(len(atoms))
    plain = lammps.single_point(atoms, COMMANDS, SPECIES)
    shuffled = lammps.single_point(atoms[shuffle], COMMANDS, SPECIES)
    np.testing.assert_allclose(shuffled.forces, plain.forces[shuffle], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(shuffled.energies, plain.energies[shuffle], rtol=1e-10)


@pytest.mark.parametrize("kind", ["crystal", "primitive", "left_handed"])
def test_stress_is_the_strain_derivative_of_the_energy(kind: str) -> None:
    # The wf/cut potential is smooth at its cutoff, so the difference quotient sees no pair come or go.
    commands = ["pair_style wf/cut 6.8", "pair_coeff * * 0.0104 3.4 1 1 6.8"]
    atoms = structures.make(kind, SPECIES, 5.3, "fcc", seed=3)
    step, numerical = 1e-4, np.zeros((3, 3))
    for a, b in np.ndindex(3, 3):
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5 * step
        strain[b, a] += 0.5 * step
        energy = []
        for sign in (1, -1):
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + sign * strain), scale_atoms=True)
            energy.append(lammps.single_point(strained, commands, SPECIES).energy)
        numerical[a, b] = (energy[0] - energy[1]) / (2 * step) / atoms.cell.volume
    stress = lammps.single_point(atoms, commands, SPECIES).stress
    assert stress is not None
    np.testing.assert_allclose(stress, numerical, rtol=1e-6, atol=1e-6 * np.abs(stress).max())


def test_no_stress_without_a_volume() -> None:
    atoms = structures.make("cluster", SPECIES, 5.3)
    assert lammps.single_point(atoms, COMMANDS, SPECIES).stress is None


def test_many_body_energy_of_a_cluster_is_that_of_the_cluster_in_a_large_cell() -> None:
    commands = ["pair_style eam/alloy", f"pair_coeff * * {lammps.POTENTIALS / 'AlCu.eam.alloy'} Al Cu"]
    cluster = structures.make("cluster", ["Al", "Cu"], 4.0)
    boxed = cluster.copy()
    boxed.center(vacuum=10.0)
    boxed.pbc = True
    alone, periodic = (lammps.single_point(atoms, commands, ["Al", "Cu"]) for atoms in (cluster, boxed))
    np.testing.assert_allclose(alone.energy, periodic.energy, rtol=1e-12)
    np.testing.assert_allclose(alone.forces, periodic.forces, rtol=1e-9, atol=1e-11)


def test_charges_reach_their_atoms() -> None:
    atoms = Atoms("ArKr", positions=[[0, 0, 0], [0, 0, 3.0]])
    commands = ["pair_style coul/cut 9.0", "pair_coeff * *"]
    result = lammps.single_point(atoms, commands, SPECIES, charges=[0.5, -1.0])
    np.testing.assert_allclose(result.energy, -0.5 * 14.399645 / 3.0, rtol=1e-9)


def test_extracts_what_it_is_asked_for() -> None:
    atoms = structures.make("primitive", ["Ar"], 5.3)
    result = lammps.single_point(atoms, COMMANDS, SPECIES, extract={"atoms": lambda lmp: lmp.get_natoms()})
    assert result.extracted == {"atoms": 1}


@pytest.mark.parametrize("kind", ["outside", "slab", "cluster"])
def test_nve_follows_velocity_verlet(kind: str) -> None:
    atoms = structures.make(kind, SPECIES, 5.3, seed=4)
    atoms.set_velocities(np.random.default_rng(4).normal(scale=0.01, size=(len(atoms), 3)))
    steps, timestep = 5, 2.0 * ase.units.fs
    trajectory = lammps.nve(atoms, COMMANDS, SPECIES, timestep_fs=2.0, steps=steps)

    moving, masses = atoms.copy(), atoms.get_masses()[:, None]
    velocities, potential, kinetic = atoms.get_velocities(), [], []
    energies, forces, _ = image_sum(moving)
    for step in range(steps + 1):
        if step > 0:
            velocities += 0.5 * timestep * forces / masses
            moving.positions += timestep * velocities
            energies, forces, _ = image_sum(moving)
            velocities += 0.5 * timestep * forces / masses
        potential.append(energies.sum())
        kinetic.append(0.5 * np.sum(masses * velocities**2))
    # LAMMPS's conversion of mass, velocity and energy differs from CODATA 2014 in the seventh digit.
    np.testing.assert_allclose(trajectory.potential_energy, potential, rtol=1e-8)
    np.testing.assert_allclose(trajectory.kinetic_energy, kinetic, rtol=1e-6)
    np.testing.assert_allclose(trajectory.positions, moving.positions, rtol=0, atol=1e-7)
    np.testing.assert_allclose(trajectory.velocities, velocities, rtol=0, atol=1e-7 * np.abs(velocities).max() + 1e-9)
