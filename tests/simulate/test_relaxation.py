"""Relaxation of any structures: against ASE's optimisers, by differences, and what happens to lists on the way."""

from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms, FixedPlane
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

import jaxpot
from jaxpot.interop.ase import Calculator
from jaxpot.simulate import relaxation_groups, relaxation_queue
from tests.conftest import FLOAT32, needs_float64

ARGON = {"epsilon": 0.0104, "sigma": 3.4}
LJ = jaxpot.lennard_jones(7.0, mode="force_shifted")


def rattled(atoms: Atoms, scale: float, seed: int = 0) -> Atoms:
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(scale=scale, size=atoms.positions.shape)
    return atoms


def crystals() -> list[Atoms]:
    sheared = bulk("Ar", a=5.2) * (2, 2, 1)
    sheared.set_cell(sheared.cell.array @ np.array([[1, 0.05, 0], [0, 0.98, 0.02], [0, 0, 1.03]]), scale_atoms=True)
    return [rattled(bulk("Ar", a=5.5, cubic=True), 0.15), rattled(sheared, 0.1), rattled(bulk("Ar", a=5.3), 0.0)]


def programs(potential: jaxpot.Potential) -> int:
    return relaxation_queue._programs(potential)[0]._cache_size()


def test_two_atoms_come_to_rest_at_the_minimum() -> None:
    pair = Atoms("Ar2", [[0, 0, 0], [0, 0, 4.4]])
    found: Any = jaxpot.relax(jaxpot.lennard_jones(12.0, mode="force_shifted"), ARGON, pair, force_tolerance=1e-5)
    distance = float(np.linalg.norm(found.system.positions[1] - found.system.positions[0]))
    assert distance == pytest.approx(3.4 * 2 ** (1 / 6), abs=2e-3)  # the shift of the force moves it a little
    assert found.converged and np.abs(found.forces).max() <= 1e-5 and found.stress is None


@needs_float64
@pytest.mark.parametrize("cell", ["fixed", "flexible"])
def test_the_minima_are_those_of_ase(cell: Any) -> None:
    found: Any = jaxpot.relax(LJ, ARGON, crystals(), cell, force_tolerance=1e-5, stress_tolerance=1e-7)
    for one, atoms in zip(found, crystals(), strict=True):
        atoms.calc = Calculator(LJ, ARGON)
        assert BFGS(FrechetCellFilter(atoms) if cell == "flexible" else atoms, logfile=None).run(fmax=1e-5, steps=300)
        assert one.converged
        assert one.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        volume = abs(np.linalg.det(np.asarray(one.system.cell)))
        assert volume == pytest.approx(atoms.get_volume(), rel=1e-4)
        there = Atoms(atoms.symbols, one.system.positions, cell=np.asarray(one.system.cell), pbc=True)
        there.calc = Calculator(LJ, ARGON)
        np.testing.assert_allclose(one.forces, there.get_forces(), atol=1e-9)
        np.testing.assert_allclose(one.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]], there.get_stress(), atol=1e-9)


@needs_float64
def test_what_may_relax_of_a_cell() -> None:
    start = crystals()[1]
    shape = {}
    for mode in ("isotropic", "anisotropic", "flexible"):
        found: Any = jaxpot.relax(LJ, ARGON, start, mode, stress_tolerance=1e-7)
        assert found.converged
        shape[mode] = np.linalg.solve(start.cell.array, np.asarray(found.system.cell))
        stress = found.stress
        left = {"isotropic": np.trace(stress) / 3, "anisotropic": np.diag(stress), "flexible": stress}[mode]
        assert np.abs(left).max() <= 1e-7
    np.testing.assert_allclose(shape["isotropic"], shape["isotropic"][0, 0] * np.eye(3), atol=1e-12)
    np.testing.assert_allclose(shape["anisotropic"], np.diag(np.diag(shape["anisotropic"])), atol=1e-12)
    assert np.ptp(np.diag(shape["anisotropic"])) > 1e-3
    np.testing.assert_allclose(shape["flexible"], shape["flexible"].T, atol=1e-12)  # it does not turn
    assert np.abs(shape["flexible"] - np.diag(np.diag(shape["flexible"]))).max() > 1e-3


@needs_float64
def test_pressure_is_minus_the_slope_of_the_energy() -> None:
    pressure = 0.002
    found: Any = jaxpot.relax(LJ, ARGON, bulk("Ar", a=5.3), "isotropic", pressure=pressure, stress_tolerance=1e-8)
    np.testing.assert_allclose(found.stress, -pressure * np.eye(3), atol=2e-8)
    volume, ends = float(found.system.volume), []
    for factor in (1 + 1e-4, 1 - 1e-4):
        atoms = bulk("Ar", a=(4 * volume * factor) ** (1 / 3))
        ends.append(jaxpot.evaluate(LJ, ARGON, [atoms])[0].energy)
    assert -(ends[0] - ends[1]) / (2e-4 * volume) == pytest.approx(pressure, rel=1e-5)


@needs_float64
def test_a_slab_keeps_its_vacuum_and_fixed_atoms_their_places() -> None:
    slab = rattled(fcc111("Ar", (2, 2, 3), a=5.4, vacuum=8.0), 0.05)
    slab.set_constraint(FixAtoms([0, 1]))
    found: Any = jaxpot.relax(LJ, ARGON, slab, "fixed")
    np.testing.assert_array_equal(found.system.positions[:2], slab.positions[:2])
    assert found.converged and np.linalg.norm(found.forces[2:], axis=1).max() <= 1e-3
    assert np.linalg.norm(found.forces[:2], axis=1).max() > 1e-3
    slab.set_constraint()
    found = jaxpot.relax(LJ, ARGON, slab, "flexible", stress_tolerance=1e-6)
    cell = np.asarray(found.system.cell)
    np.testing.assert_allclose(cell[2], slab.cell[2], atol=1e-12)
    assert np.abs(cell[:2] - slab.cell[:2]).max() > 1e-3
    assert found.converged and np.abs(found.stress[:2, :2]).max() <= 1e-6


@needs_float64
def test_unequal_structures_share_a_program() -> None:
    potential = jaxpot.lennard_jones(6.0, mode="force_shifted")
    lengths = (1, 2, 3, 2, 1, 3, 2)
    many = [rattled(bulk("Ar", a=5.4, cubic=True) * (n, 1, 1), 0.1, seed=k) for k, n in enumerate(lengths)]
    before = programs(potential)
    found: Any = jaxpot.relax(potential, ARGON, many, batch_size=3)
    assert programs(potential) - before == 1
    for one, atoms in zip(found, many, strict=True):
        alone: Any = jaxpot.relax(potential, ARGON, atoms)
        assert one.converged and one.forces.shape == (len(atoms), 3)
        assert one.energy == pytest.approx(alone.energy, abs=1e-5)
    again: Any = jaxpot.relax(potential, ARGON, many, batch_size=3, force_tolerance=1e-2)
    assert all(one.steps <= other.steps for one, other in zip(again, found, strict=True))


@needs_float64
def test_lists_are_rebuilt_and_grow_on_the_way() -> None:
    """From a dilute crystal to a dense one: many times the skin, and more neighbours than there was room for."""
    dilute = rattled(bulk("Ar", a=7.4, cubic=True) * (2, 2, 2), 0.05)
    assert relaxation_groups.ROOM < (7.4 / 5.3) ** 3 / 1.5
    found: Any = jaxpot.relax(LJ, ARGON, dilute, "isotropic", skin=0.1, stress_tolerance=1e-7, force_tolerance=1e-4)
    dense: Any = jaxpot.relax(LJ, ARGON, bulk("Ar", a=5.2, cubic=True), "isotropic", stress_tolerance=1e-7)
    assert found.converged and dense.converged
    assert found.energy / 32 == pytest.approx(dense.energy / 4, abs=1e-6)
    result = jaxpot.evaluate(LJ, ARGON, [found.system])[0]
    assert found.energy == pytest.approx(result.energy, abs=1e-9)


def test_where_it_goes_no_further() -> None:
    two = [Atoms("Ar2", [[0, 0, 0], [0, 0, 0]]), Atoms("Ar2", [[0, 0, 0], [0, 0, 4.0]])]
    lost, found = jaxpot.relax(LJ, ARGON, two)  # type: ignore[misc]
    assert not lost.converged and found.converged
    limited: Any = jaxpot.relax(LJ, ARGON, crystals()[0], max_steps=2)
    assert limited.steps == 2 and not limited.converged


def test_what_makes_no_sense_is_said() -> None:
    crystal = bulk("Ar", a=5.3)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("cell must be one of", {"cell": "cubic"}),
        ("force_tolerance", {"force_tolerance": 0.0}),
        ("stress_tolerance", {"stress_tolerance": -1.0}),
        ("does not go with", {"pressure": 0.1}),
        ("at least 1", {"batch_size": 0}),
    ]
    for match, options in cases:
        with pytest.raises(ValueError, match=match):
            jaxpot.relax(LJ, ARGON, crystal, **options)
    with pytest.raises(ValueError, match="structure 1: there is no cell to relax"):
        jaxpot.relax(LJ, ARGON, [crystal, Atoms("Ar")], "flexible")
    held = crystal * (2, 1, 1)
    held.set_constraint(FixedPlane(0, (0, 0, 1)))
    with pytest.raises(ValueError, match="FixedPlane cannot be kept"):
        jaxpot.relax(LJ, ARGON, held)
    slab = fcc111("Ar", (1, 1, 2), a=5.4, vacuum=8.0)
    with pytest.raises(ValueError, match="all three directions"):
        jaxpot.relax(LJ, ARGON, slab, "flexible", pressure=0.1)


@pytest.mark.slow
@needs_float64
def test_a_large_structure_is_relaxed_by_itself() -> None:
    large = rattled(bulk("Ar", a=5.3, cubic=True) * (7, 6, 6), 0.1)
    assert len(large) > relaxation_groups.ALONE
    found: Any = jaxpot.relax(LJ, ARGON, [large, bulk("Ar", a=5.3)], force_tolerance=1e-3)
    assert all(one.converged for one in found)
    assert found[0].energy / len(large) == pytest.approx(found[1].energy, abs=1e-5)


def test_molecules_are_relaxed_by_their_topology() -> None:
    potential, params, systems = jaxpot.mmff94(["CCO", "CC(=O)N"])
    found: Any = jaxpot.relax(potential, params, systems, force_tolerance=1e-2)
    other: Any = jaxpot.relax_conformers(["CCO", "CC(=O)N"], force_tolerance=1e-2, progress=False)
    for one, conformers in zip(found, other, strict=True):
        assert one.converged
        assert one.energy == pytest.approx(float(conformers.energies[0]), abs=5e-3)
    assert jax.tree.structure(found[0].system) == jax.tree.structure(systems[0])


@pytest.mark.skipif(not FLOAT32, reason="in single precision")
def test_in_single_precision() -> None:
    found: Any = jaxpot.relax(LJ, ARGON, crystals(), "flexible", force_tolerance=1e-3, stress_tolerance=1e-5)
    assert all(one.converged for one in found)
    assert np.ptp([one.energy / len(one.forces) for one in found]) < 1e-4


@needs_float64
def test_a_vacuum_in_a_cell_that_repeats_stays() -> None:
    open_slab = rattled(fcc111("Ar", (1, 1, 4), a=5.4, vacuum=4.0), 0.1)
    slab = open_slab.copy()
    slab.pbc = True
    slab.positions += 0.5 * slab.cell[2]  # cut in two by the edge of the cell
    slab.wrap()
    options: Any = {"force_tolerance": 1e-5, "stress_tolerance": 1e-7}
    found: Any = jaxpot.relax(LJ, ARGON, [slab, open_slab], "flexible", **options)
    cell, moved = np.asarray(found[0].system.cell), found[0].system.positions - slab.positions
    np.testing.assert_allclose(cell[2], slab.cell[2], atol=1e-12)
    np.testing.assert_allclose(cell, found[1].system.cell, atol=1e-4)
    assert found[0].energy == pytest.approx(found[1].energy, abs=1e-7) and found[0].converged
    assert np.asarray(found[0].system.pbc).all() and np.abs(moved).max() < 0.5  # no atom has gone to the other side
    with pytest.raises(ValueError, match="a pressure acts on cells that repeat in all three directions"):
        jaxpot.relax(LJ, ARGON, slab, "flexible", pressure=0.1)
    with pytest.raises(ValueError, match="no atoms are within the cutoff of 7 Å across it"):
        jaxpot.relax(LJ, ARGON, Atoms("Ar", cell=[9, 9, 9], pbc=True), "isotropic")


def test_what_relaxes_can_be_told() -> None:
    said: list[str] = []
    jaxpot.relax(LJ, ARGON, crystals(), force_tolerance=1e-2, batch_size=1, progress=said.append)
    assert re.fullmatch(r"relaxing: 3 of 3 structures", said[-1])
    assert all(re.match(r"relaxing: \d of 3 structures", text) for text in said)
