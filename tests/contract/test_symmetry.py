"""What must not change the numbers, or must change them in a known way."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from tests import structures
from tests.conftest import FLOAT32
from tests.contract.bench import Bench, bench, every_example
from tests.contract.registry import EXAMPLES, Example

# rounding of sums in another order, relative to the forces' size
TOLERANCE = 3e-4 if FLOAT32 else 1e-10


def assert_same(b: Bench, found: jaxpot.Evaluation, wanted: jaxpot.Evaluation, allowance: float = TOLERANCE) -> None:
    energy = allowance * max(float(np.abs(wanted.energies).max()), b.scale)
    np.testing.assert_allclose(found.energies, wanted.energies, rtol=0, atol=energy)
    np.testing.assert_allclose(found.forces, wanted.forces, rtol=0, atol=allowance * b.scale)
    size = max(float(np.abs(wanted.virial).max()), b.scale)
    np.testing.assert_allclose(found.virial, wanted.virial, rtol=0, atol=10 * allowance * size)


def rotation(seed: int) -> np.ndarray:
    matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return matrix * np.sign(np.linalg.det(matrix))


@every_example
def test_translation_and_atoms_in_other_cells(example: Example) -> None:
    b = bench(example)
    atoms = b.atoms.copy()
    atoms.positions += [0.31, -1.7, 2.2]
    atoms.positions += np.random.default_rng(0).integers(-2, 3, size=(len(atoms), 3)) @ atoms.cell.array
    assert_same(b, b.of(atoms), b.reference)


@every_example
@pytest.mark.parametrize("mirror", [1, -1], ids=["rotation", "reflection"])
def test_rotation(example: Example, mirror: int) -> None:
    b = bench(example)
    turn = mirror * rotation(1)
    atoms = b.atoms.copy()
    atoms.set_cell(atoms.cell.array @ turn)
    atoms.positions = atoms.positions @ turn
    energies, forces, virial = b.reference
    assert_same(b, b.of(atoms), jaxpot.Evaluation(energies, forces @ turn, turn.T @ virial @ turn))


@every_example
def test_permutation(example: Example) -> None:
    b = bench(example)
    order = np.random.default_rng(2).permutation(len(b.atoms))
    energies, forces, virial = b.reference
    assert_same(b, b.of(b.atoms[order]), jaxpot.Evaluation(energies[order], forces[order], virial))


@every_example
def test_another_description_of_the_lattice(example: Example) -> None:
    b = bench(example)
    atoms = b.atoms.copy()
    atoms.set_cell(np.array([[1, 0, 0], [1, 1, 0], [-1, 1, -1]]) @ atoms.cell.array)  # left-handed, too
    assert_same(b, b.of(atoms), b.reference)


@every_example
def test_a_supercell_is_so_many_cells(example: Example) -> None:
    b = bench(example)
    energies, forces, virial = b.reference
    assert_same(
        b, b.of(b.atoms * (1, 2, 1)), jaxpot.Evaluation(np.tile(energies, 2), np.tile(forces, (2, 1)), 2 * virial)
    )


@every_example
def test_a_cell_smaller_than_the_cutoff(example: Example) -> None:
    b = bench(example)
    tiny = b.tiny()
    assert np.linalg.norm(tiny.cell.array, axis=1).min() < b.potential.cutoff
    energies, forces, virial = b.of(tiny)
    assert np.abs(forces).max() < TOLERANCE * b.scale
    assert np.abs(virial).max() > 0 or not energies.any()
    assert_same(b, b.of(tiny * 2), jaxpot.Evaluation(np.tile(energies, 8), np.tile(forces, (8, 1)), 8 * virial))


@every_example
def test_forces_sum_to_zero_and_so_do_torques(example: Example) -> None:
    b = bench(example)
    for atoms in (b.atoms, b.cluster()):
        _, forces, virial = b.of(atoms)
        scale = float(np.abs(forces).max())
        assert scale > 0
        assert np.abs(forces.sum(axis=0)).max() < TOLERANCE * scale * len(atoms)
        assert np.abs(virial - virial.T).max() < TOLERANCE * scale * len(atoms)
    torques = np.cross(atoms.positions, forces)
    assert np.abs(torques.sum(axis=0)).max() < 10 * TOLERANCE * scale * len(atoms)


@every_example
def test_virial_of_a_cluster_is_that_of_its_forces(example: Example) -> None:
    b = bench(example)
    atoms = b.cluster()
    _, forces, virial = b.of(atoms)
    wanted = -atoms.positions.T @ forces  # dE/dstrain = sum of dE/dR times R
    np.testing.assert_allclose(virial, wanted, rtol=0, atol=10 * TOLERANCE * float(np.abs(virial).max()))


@every_example
def test_an_atom_alone(example: Example) -> None:
    b = bench(example)
    far = 3 * b.potential.cutoff
    for cell, pbc in ((np.zeros((3, 3)), False), (np.diag([far, far, far]), True)):
        alone = Atoms(example.elements[-1], cell=cell, pbc=pbc)
        energies, forces, virial = b.of(alone)
        np.testing.assert_allclose(energies, example.isolated, atol=1e-5 if FLOAT32 else 1e-12)
        assert not forces.any()
        assert not virial.any()


@every_example
def test_parts_out_of_reach_of_each_other_add_up(example: Example) -> None:
    b = bench(example)
    cluster = b.cluster()[:4]
    other = cluster.copy()
    other.positions += [0.0, np.ptp(cluster.positions[:, 1]) + 1.01 * b.potential.cutoff, 0.0]
    energies, forces, virial = b.of(cluster)
    assert_same(b, b.of(cluster + other), jaxpot.Evaluation(np.tile(energies, 2), np.tile(forces, (2, 1)), 2 * virial))


@every_example
def test_elements_are_told_apart(example: Example) -> None:
    b = bench(example)
    if len(example.elements) == 1:
        assert b.potential.elements in (None, example.elements)
        return
    swapped = b.atoms.copy()
    exchange = dict(zip(example.elements, reversed(example.elements), strict=True))
    swapped.set_chemical_symbols([exchange[symbol] for symbol in swapped.symbols])
    assert abs(b.of(swapped).energies.sum() - b.reference.energies.sum()) > 1e-3 * b.scale


@every_example
@pytest.mark.parametrize("pbc", [(True, True, False), (False, False, True)], ids=["slab", "wire"])
def test_partial_periodicity_is_a_long_vector(example: Example, pbc: tuple[bool, bool, bool]) -> None:
    b = bench(example)
    partial = b.atoms.copy()
    partial.pbc = pbc
    bare = partial.copy()
    bare.set_cell(np.where(np.array(pbc)[:, None], partial.cell.array, 0.0))
    # the same with cell vectors so long that no image is in reach
    normal = structures.complete_cell(partial.cell.array, pbc)
    far = np.ptp(partial.positions, axis=0).sum() + 2 * b.potential.cutoff
    long = partial.copy()
    long.set_cell(np.where(np.array(pbc)[:, None], partial.cell.array, far * normal))
    long.pbc = True
    wanted = b.of(long)
    assert_same(b, b.of(partial), wanted)
    assert_same(b, b.of(bare), wanted)


def test_every_potential_has_an_example() -> None:
    """A factory that the package exports is in the registry, at least once."""
    names = {bench(example).potential.name for example in EXAMPLES}
    factories = [
        name
        for name in jaxpot.__all__
        if getattr(getattr(jaxpot, name), "__module__", "").startswith("jaxpot.potentials.")
        and not name.endswith("_mixing")
    ]
    assert factories
    assert [name for name in factories if not any(name in known for known in names)] == []


def test_one_program_serves_all_structures_of_an_example() -> None:
    """The suite is quick only as long as this holds."""
    b = bench(EXAMPLES[0])
    for atoms in (b.atoms, b.tiny(), b.cluster(), b.atoms * (1, 2, 1)):
        b.of(atoms)
    assert b.evaluate._cache_size() == 1
    assert isinstance(jax.tree.leaves(b.params)[0], jax.Array)
