"""Data of structures beside positions, such as charges and bonds, reach every way of using a potential alike."""

from __future__ import annotations

from pathlib import Path

import ase.io
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

import jaxpot
from jaxpot.fit import Frame, TrainSettings, Weights, fit_linear, read_dataset, train
from jaxpot.fit.gradient.data import open_data, prepare_data
from jaxpot.uncertainty import assess

SPRING = {"k": 2.0}


@jaxpot.potential_kind
def charged_springs() -> jaxpot.Potential:
    """Atoms on springs of stiffness k to the origin, pulled by a field of 1 V/Å along z."""

    def energies(params: dict[str, jnp.ndarray], system: jaxpot.System, neighbors: object) -> jnp.ndarray:
        x = system.positions
        return 0.5 * params["k"] * jnp.sum(x**2, axis=1) - system.extras["charges"] * x[:, 2]

    return jaxpot.Potential("springs", 0.0, ("Na", "Cl"), energies, needs=frozenset({"charges"}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Pairs and a single atom with charges (of a calculator, as DFT codes give them), energies and forces."""
    random = np.random.default_rng(0)
    frames = []
    for symbols in ("NaCl", "NaCl", "Na", "NaCl", "Na"):
        atoms = Atoms(symbols, random.normal(size=(len(symbols) // 2, 3)))
        charges = random.normal(size=len(atoms))
        forces = -2.0 * atoms.positions + charges[:, None] * np.eye(3)[2]
        energy = float((atoms.positions**2).sum() - charges @ atoms.positions[:, 2])
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, charges=charges)
        frames.append(atoms)
    ase.io.write(tmp_path / "frames.extxyz", frames)
    return tmp_path / "frames.extxyz"


def test_charges_reach_fits_and_the_calculator(file: Path, tmp_path: Path, precision: object) -> None:
    springs, data = charged_springs(), read_dataset(file)
    expected = [frame.energy for frame in data]
    for structures in (ase.io.read(file, ":"), data.atoms):
        found = jaxpot.evaluate(springs, SPRING, structures)
        np.testing.assert_allclose([one.energy for one in found], expected, rtol=1e-5, atol=1e-6)
    assert np.abs(assess(springs, SPRING, data).energy_errors).max() < 1e-5
    fit = fit_linear(springs, data, Weights(), params={"k": 0.0}, leaf="k")
    np.testing.assert_allclose(fit.params["k"], 2.0, rtol=1e-5)
    settings = TrainSettings(epochs=200, learning_rate=0.05, batch_size=2, optimizer="adam")
    np.testing.assert_allclose(train(springs, {"k": 1.5}, data, settings).params["k"], 2.0, rtol=1e-2)
    kept = prepare_data(data.frames, springs, np.float32, folder=tmp_path / "kept")
    again = open_data(tmp_path / "kept", springs)
    for one, other in zip(kept.buckets, again.buckets, strict=True):
        np.testing.assert_array_equal(one.system.extras["charges"], other.system.extras["charges"])
        assert np.abs(one.system.extras["charges"]).max() > 0

    atoms = data.atoms[0].copy()
    atoms.calc = jaxpot.calculator(springs, SPRING)
    assert atoms.get_potential_energy() == pytest.approx(expected[0], rel=1e-5)
    atoms.set_initial_charges([0.0, 0.0])  # other charges are another structure
    assert atoms.get_potential_energy() == pytest.approx((atoms.positions**2).sum(), rel=1e-5)
    given = jaxpot.calculator(springs, SPRING, extras={"charges": [1.0, 0.0]})
    assert given.get_potential_energy(atoms) == pytest.approx(
        (atoms.positions**2).sum() - atoms.positions[0, 2], rel=1e-5
    )
    del atoms.arrays["initial_charges"]
    for use in (lambda: atoms.get_potential_energy(), lambda: train(springs, SPRING, [with_energy(atoms)])):
        with pytest.raises(ValueError, match="springs needs charges"):
            use()


def with_energy(atoms: Atoms) -> Atoms:
    labelled = atoms.copy()
    labelled.calc = SinglePointCalculator(labelled, energy=0.0)
    return labelled


def test_bonds_reach_training_and_the_calculator() -> None:
    potential, params, systems = jaxpot.mmff94(["CO", "CCO"])
    found = jaxpot.evaluate(potential, params, systems)
    frames = []
    for system, one in zip(systems, found, strict=True):
        atoms = Atoms([potential.elements[k] for k in np.asarray(system.species)], np.asarray(system.positions))
        atoms.info["topology"] = system.extras["topology"]
        frames.append(Frame(atoms, one.energy))
    (bucket,) = prepare_data(frames, potential, np.float32).buckets  # topologies of two molecules in one shape
    alike = [jax.tree.map(lambda leaf, k=k: jnp.asarray(leaf[k]), bucket.system) for k in range(2)]
    for structures in ([frame.atoms for frame in frames], alike):
        again = jaxpot.evaluate(potential, params, structures)
        np.testing.assert_allclose([one.energy for one in again], [one.energy for one in found], rtol=1e-5)
    atoms = frames[1].atoms
    atoms.calc = jaxpot.calculator(potential, params)
    assert atoms.get_potential_energy() == pytest.approx(found[1].energy, rel=1e-5)
    with pytest.raises(ValueError, match="topology, which mmff94 needs, is not kept in files"):
        prepare_data(frames, potential, np.float32, folder="nowhere")
