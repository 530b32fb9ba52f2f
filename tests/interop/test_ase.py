"""ASE's own programs on the calculator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.lj import LennardJones
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.io import read
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, FIRE

import jaxpot
from jaxpot.interop.ase import Calculator
from tests import structures
from tests.conftest import FLOAT32, Precision

EPSILON, SIGMA, CUTOFF = 0.0104, 3.4, 8.5
PARAMS = {"epsilon": EPSILON, "sigma": SIGMA}
SHIFTED = jaxpot.lennard_jones(CUTOFF, mode="shifted")  # what ASE's calculator is
SMOOTH = jaxpot.lennard_jones(6.0, mode="force_shifted")
ALLOY = jaxpot.lennard_jones(5.0, ("Al", "Cu"), mode="force_shifted")
ALLOY_PARAMS = {"epsilon": np.array([[0.2, 0.25], [0.25, 0.35]]), "sigma": np.array([[2.6, 2.5], [2.5, 2.3]])}

one_calculator = Calculator(SHIFTED, PARAMS)


def counting(cutoff: float, elements: tuple[str, ...] | None = None) -> tuple[jaxpot.Potential, list[int]]:
    """A potential that counts how often it is traced."""
    traces = [0]

    def contributions(params: Any, r: jax.Array, species: jaxpot.PairSpecies) -> tuple[jax.Array, ...]:
        traces[0] += 1
        return (params * (1 - r / cutoff) ** 3,)

    return jaxpot.radial_potential(contributions, None, cutoff, elements), traces


@pytest.mark.parametrize("kind", ["crystal", "primitive", "left_handed", "slab", "wire", "cluster"])
def test_agrees_with_ases_lennard_jones(kind: str, precision: Precision) -> None:
    atoms = structures.make(kind, ["Ar"], 5.3)
    theirs = atoms.copy()
    theirs.calc = LennardJones(epsilon=EPSILON, sigma=SIGMA, rc=CUTOFF, ro=CUTOFF, smooth=False)
    atoms.calc = one_calculator
    scale = np.abs(theirs.get_forces()).max() + 1e-3  # the forces of a primitive cell vanish
    np.testing.assert_allclose(atoms.get_potential_energy(), theirs.get_potential_energy(), rtol=precision.energy)
    each = theirs.get_potential_energies()
    np.testing.assert_allclose(atoms.get_potential_energies(), each, atol=10 * precision.energy * np.abs(each).max())
    np.testing.assert_allclose(atoms.get_forces(), theirs.get_forces(), atol=10 * precision.forces * scale)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    if atoms.pbc.all():
        scale = np.abs(theirs.get_stress()).max()
        np.testing.assert_allclose(atoms.get_stress(), theirs.get_stress(), atol=10 * precision.forces * scale)


@pytest.mark.skipif(FLOAT32, reason="differences need float64")
def test_stress_has_ases_order_and_sign() -> None:
    atoms = structures.crystal(["Cu", "Al"], 3.9, repeat=(1, 1, 2))
    atoms.calc = Calculator(ALLOY, ALLOY_PARAMS)
    stress = atoms.get_stress()
    assert len(set(np.round(np.abs(stress), 4))) == 6  # six different numbers, so that an exchange would show
    numbers = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(stress, numbers, atol=1e-7)
    np.testing.assert_allclose(atoms.get_stress(voigt=False)[0, 1], stress[5])
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, eps=1e-5), atol=1e-6)


def test_one_calculator_for_changing_structures_compiles_per_bucket() -> None:
    potential, traces = counting(6.0, ("Ar", "Xe"))
    calc = Calculator(potential, 1.0)
    atoms = structures.crystal(["Ar"], 5.3, seed=1)
    atoms.calc = calc
    atoms.get_forces()
    once = traces[0]
    rng = np.random.default_rng(0)
    for step in range(12):
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        if step % 3 == 0:
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.004, size=(3, 3))), scale_atoms=True)
        if step % 4 == 0:
            atoms.symbols[step] = "Xe"
        atoms.get_forces()
    assert traces[0] == once
    del atoms[5]
    atoms.get_forces()
    assert traces[0] == once
    atoms.extend(Atoms("Ar", positions=[[2.0, 2.0, 2.0]]))
    atoms.get_forces()
    assert traces[0] == once
    # a smaller structure takes the same program, a larger one another; the first one is still there
    primitive = structures.primitive(["Ar"], 5.3)
    primitive.calc = calc
    primitive.get_forces()
    assert traces[0] == once
    larger = structures.crystal(["Ar"], 5.3, repeat=(3, 3, 3), seed=1)
    larger.calc = calc
    larger.get_forces()
    assert once < traces[0] <= 2 * once + 4
    twice = traces[0]
    for other in (atoms, primitive, larger, atoms):
        other.positions += 0.01
        other.get_forces()
    assert traces[0] == twice


def test_two_calculators_of_a_potential_share_the_compiled_program() -> None:
    potential, traces = counting(6.0)
    for strength in (1.0, 2.0):
        atoms = structures.crystal(["Ar"], 5.3, seed=1)
        atoms.calc = Calculator(potential, strength)
        atoms.get_forces()
        if strength == 1.0:
            once = traces[0]
    assert traces[0] <= once + 4  # the check of the params traces too, but compiles nothing


def test_the_list_is_kept_while_it_is_good_and_made_anew_when_not(monkeypatch: pytest.MonkeyPatch) -> None:
    calc = Calculator(SMOOTH, PARAMS, skin=0.6)
    made = 0
    assert calc._list is not None
    allocate = calc._list.allocate

    def count(system: jaxpot.System) -> jaxpot.Neighbors:
        nonlocal made
        made += 1
        return allocate(system)

    monkeypatch.setattr(calc, "_list", calc._list._replace(allocate=count))
    atoms = structures.crystal(["Ar"], 5.3)
    atoms.calc = calc

    def fresh() -> np.ndarray:
        return jaxpot.evaluate(SMOOTH, PARAMS, [atoms])[0].forces

    rng = np.random.default_rng(0)
    for _ in range(5):  # together at most 0.25 Å
        atoms.positions += rng.uniform(-0.028, 0.028, size=atoms.positions.shape)
        np.testing.assert_allclose(atoms.get_forces(), fresh(), atol=1e-5 if FLOAT32 else 1e-13)
    assert made == 1
    atoms.positions[4] += [0.0, 0.4, 0.0]
    np.testing.assert_allclose(atoms.get_forces(), fresh(), atol=1e-5 if FLOAT32 else 1e-13)
    assert made == 2
    atoms.set_cell(atoms.cell.array * 0.9, scale_atoms=True)
    np.testing.assert_allclose(atoms.get_forces(), fresh(), atol=1e-5 if FLOAT32 else 1e-13)
    assert made == 3
    atoms.pbc = (True, False, True)
    np.testing.assert_allclose(atoms.get_forces(), fresh(), atol=1e-5 if FLOAT32 else 1e-13)
    assert made == 4


def test_relaxation_of_a_molecule_and_a_cluster() -> None:
    dimer = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.5]])
    dimer.calc = Calculator(SHIFTED, PARAMS)
    with BFGS(dimer, logfile=None) as optimizer:
        assert optimizer.run(fmax=1e-5, steps=100)
    assert dimer.get_distance(0, 1) == pytest.approx(2 ** (1 / 6) * SIGMA, abs=1e-3)
    # energies of the global minima of 4 and 5 atoms (M. R. Hoare and P. Pal, Adv. Phys. 20, 161 (1971)) in units of
    # epsilon, without any cutoff: the tetrahedron has six bonds of one length, the trigonal bipyramid nine near ones
    free = jaxpot.lennard_jones(30.0)
    for number, minimum in ((4, -6.0), (5, -9.103852)):
        cluster = Atoms(f"Ar{number}", positions=np.random.default_rng(3).normal(size=(number, 3)) * 2.2)
        cluster.calc = Calculator(free, PARAMS)
        with FIRE(cluster, logfile=None) as optimizer:
            assert optimizer.run(fmax=2e-5, steps=1000)
        assert cluster.get_potential_energy() / EPSILON == pytest.approx(minimum, abs=2e-4)


def test_relaxation_of_cell_and_atoms() -> None:
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.04 * np.array([[0.2, 0.9, 0], [-0.3, 0, 0.5], [0.4, 0, 0]])))
    atoms.rattle(0.1, seed=0)
    atoms.calc = Calculator(SHIFTED, PARAMS)
    with BFGS(FrechetCellFilter(atoms), logfile=None) as optimizer:
        assert optimizer.run(fmax=1e-4, steps=200)
    assert np.abs(atoms.get_stress()).max() < 1e-5
    # all twelve nearest neighbours are at one distance again
    i, _, _, vectors = structures.brute_force_pairs(atoms, 4.5)
    lengths = np.linalg.norm(vectors, axis=1)
    assert (np.bincount(i) == 12).all()
    np.testing.assert_allclose(lengths, lengths.mean(), atol=2e-3)


def test_equation_of_state() -> None:
    volumes, energies = [], []
    calc = Calculator(SHIFTED, PARAMS)
    for a in np.linspace(5.1, 5.4, 7):
        atoms = bulk("Ar", "fcc", a=a)
        atoms.calc = calc
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
        stress = atoms.get_stress()
        np.testing.assert_allclose(stress[:3], stress[0], atol=1e-6)
    volume, _, modulus = EquationOfState(volumes, energies).fit()
    atoms.set_cell(atoms.cell.array * (volume / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    assert abs(atoms.get_stress()[0]) < 0.01 * modulus


def test_molecular_dynamics_conserves_energy(precision: Precision) -> None:
    atoms = structures.crystal(["Ar"], 5.3, rattle=0.02, shear=0.0)
    atoms.calc = Calculator(SMOOTH, PARAMS)
    speeds = np.sqrt(units.kB * 30 / atoms.get_masses())[:, None]
    atoms.set_velocities(np.random.default_rng(0).normal(size=(len(atoms), 3)) * speeds)
    before = atoms.get_total_energy()
    VelocityVerlet(atoms, timestep=2 * units.fs).run(200)
    assert abs(atoms.get_total_energy() - before) < 1e-3 * atoms.get_kinetic_energy()


@pytest.mark.skipif(FLOAT32, reason="differences of forces need float64")
def test_displaced_copies_give_a_hessian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ase.phonons does: the same calculator on copies of a supercell, one atom displaced in each."""
    from ase.phonons import Phonons

    monkeypatch.chdir(tmp_path)
    primitive = bulk("Ar", "fcc", a=5.25)
    phonons = Phonons(primitive, Calculator(SMOOTH, PARAMS), supercell=(3, 3, 3), delta=0.01)
    phonons.run()
    phonons.read(acoustic=True)
    force_constants = phonons.get_force_constant()
    assert force_constants.shape == (27, 3, 3)
    supercell = primitive * (3, 3, 3)
    system = jaxpot.System.from_ase(supercell)
    exact = jaxpot.hessian(SMOOTH)(PARAMS, system, jaxpot.neighbor_list(SMOOTH.cutoff).allocate(system))
    np.testing.assert_allclose(force_constants[0], exact[0, :, 0, :], rtol=1e-3, atol=1e-5)
    frequencies = phonons.band_structure([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5]], verbose=False)
    np.testing.assert_allclose(frequencies[0], 0.0, atol=1e-5)
    assert (frequencies[1] > 1e-3).all()


def test_what_is_written_to_a_file_can_be_read_again(tmp_path: Path) -> None:
    atoms = structures.crystal(["Ar"], 5.3)
    atoms.calc = Calculator(SMOOTH, PARAMS)
    forces, energy, stress = atoms.get_forces(), atoms.get_potential_energy(), atoms.get_stress()
    for name in ("frame.traj", "frame.extxyz"):
        atoms.write(tmp_path / name)
        again = read(tmp_path / name)
        np.testing.assert_allclose(again.get_potential_energy(), energy, rtol=1e-6)
        np.testing.assert_allclose(again.get_forces(), forces, atol=1e-6)
        np.testing.assert_allclose(again.get_stress(), stress, atol=1e-6)
    assert read(tmp_path / "frame.traj").calc.name == "jaxpot"


def test_no_stress_without_a_volume() -> None:
    atoms = molecule("H2O")
    atoms.calc = Calculator(jaxpot.lennard_jones(4.0, ("O", "H")), {"epsilon": 0.01, "sigma": 1.0})
    atoms.get_forces()
    with pytest.raises(PropertyNotImplementedError, match="no stress: the cell has no volume"):
        atoms.get_stress()
    boxed = molecule("H2O", vacuum=5.0)
    boxed.calc = atoms.calc
    assert boxed.get_stress().shape == (6,)


def test_no_atoms_and_one_atom() -> None:
    for atoms in (Atoms(), Atoms("Ar"), Atoms("Ar", cell=[40, 40, 40], pbc=True)):
        atoms.calc = Calculator(SMOOTH, PARAMS)
        assert atoms.get_potential_energy() == 0.0
        assert not atoms.get_forces().any()


def test_a_potential_without_cutoff() -> None:
    springs = jaxpot.Potential("springs", 0.0, None, lambda params, s, n: params * (s.positions**2).sum(axis=1))
    atoms = Atoms("Ar3", positions=np.arange(9).reshape(3, 3))
    atoms.calc = Calculator(springs, 0.5)
    np.testing.assert_allclose(atoms.get_forces(), -atoms.positions, rtol=1e-6)


def test_float_types() -> None:
    atoms = structures.crystal(["Cu", "Al"], 3.9)
    atoms.calc = Calculator(ALLOY, ALLOY_PARAMS)
    default = atoms.get_forces()
    assert default.dtype == np.dtype("float32" if FLOAT32 else "float64")
    atoms.calc = Calculator(ALLOY, ALLOY_PARAMS, dtype="float32")
    single = atoms.get_forces()
    assert single.dtype == atoms.calc.results["stress"].dtype == np.float32
    np.testing.assert_allclose(single, default, atol=1e-4 * np.abs(default).max())
    with pytest.raises(ValueError, match="dtype must be a float type"):
        Calculator(ALLOY, ALLOY_PARAMS, dtype=int)
    if FLOAT32:
        with pytest.raises(ValueError, match="dtype float64 needs jax"):
            Calculator(ALLOY, ALLOY_PARAMS, dtype="float64")


def test_an_unknown_element_is_named() -> None:
    atoms = structures.crystal(["Cu", "Al"], 3.9)
    atoms.symbols[9] = "Fe"
    atoms.calc = Calculator(ALLOY, ALLOY_PARAMS)
    with pytest.raises(ValueError, match="atom 9 is Fe, but the potential knows only Al, Cu"):
        atoms.get_potential_energy()


def test_atoms_at_one_place_are_named() -> None:
    atoms = structures.crystal(["Cu", "Al"], 3.9)
    atoms.positions[20] = atoms.positions[7]
    atoms.calc = Calculator(ALLOY, ALLOY_PARAMS)
    first, second = (f"atom {k} \\({atoms.symbols[k]}\\)" for k in (7, 20))
    message = f"force of {first} is not finite: it is 0 Å from {second}; move them apart"
    with pytest.raises(FloatingPointError, match=message):
        atoms.get_potential_energy()
    atoms.positions[20] += 1.9  # and the calculator goes on
    assert np.isfinite(atoms.get_potential_energy())


@pytest.mark.filterwarnings("ignore:most atoms have a neighbour closer")
def test_a_cell_that_meets_itself_is_named() -> None:
    atoms = Atoms("Cu", cell=np.diag([0.25, 9.0, 9.0]), pbc=(True, False, False))
    atoms.calc = Calculator(ALLOY, {"epsilon": np.inf, "sigma": 2.5})
    with pytest.raises(FloatingPointError, match=r"atom 0 \(Cu\) is not finite: it is 0.25 Å from its own image"):
        atoms.get_potential_energy()


def test_positions_that_are_not_finite_are_named() -> None:
    atoms = structures.crystal(["Cu", "Al"], 3.9)
    atoms.positions[3, 1] = np.inf
    atoms.calc = Calculator(ALLOY, ALLOY_PARAMS)
    with pytest.raises(ValueError, match="position of atom 3 is not finite"):
        atoms.get_potential_energy()


def test_params_that_do_not_fit_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="sigma"):
        Calculator(ALLOY, {"epsilon": 1.0})
    with pytest.raises(ValueError, match=r"params\['sigma'\] holds NaN"):
        Calculator(ALLOY, {"epsilon": 1.0, "sigma": float("nan")})
    bare = jaxpot.pair_potential(lambda p, r: p["k"] / r, 5.0, name="bare")
    with pytest.raises(ValueError, match="the params do not fit bare: KeyError 'k'"):
        Calculator(bare, {"K": 1.0})
