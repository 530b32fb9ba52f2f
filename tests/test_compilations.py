"""How often XLA compiles: few times for structures of many sizes, and once where a function is called again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import jaxpot
from jaxpot.fit import Frame, TrainSettings, train
from jaxpot.interop import jax_md as interop
from jaxpot.io.molecules import from_smiles
from tests import structures

PARAMS = {"epsilon": 0.0104, "sigma": 3.4}
MOST = 4


@functools.cache
def of_many_sizes() -> list[Atoms]:
    """200 structures of 92 sizes from 4 to 95 atoms: clusters and crystals with a missing corner."""
    rng = np.random.default_rng(0)
    sizes = rng.permutation(np.concatenate([np.arange(4, 96), rng.integers(4, 96, 108)]))
    made = []
    for seed, size in enumerate(sizes.tolist()):
        atoms = (bulk("Ar", a=5.4, cubic=True) * (1, 2, -(-size // 8)))[:size]
        atoms.rattle(0.05, seed=seed)
        atoms.pbc = seed % 2 == 0
        made.append(atoms)
    assert len(made) == 200 and len({len(atoms) for atoms in made}) == 92
    return made


def potential(cutoff: float) -> jaxpot.Potential:
    """Each test has a cutoff of its own, since programs are shared by all potentials that are alike."""
    return jaxpot.lennard_jones(cutoff)


def one_by_one(lj: jaxpot.Potential) -> None:
    for atoms in of_many_sizes():
        jaxpot.evaluate(lj, PARAMS, [atoms])


def with_a_calculator(lj: jaxpot.Potential) -> None:
    calc = jaxpot.calculator(lj, PARAMS)
    for atoms in of_many_sizes():
        calc.get_potential_energy(atoms)


def with_many_calculators(lj: jaxpot.Potential) -> None:
    for atoms in sorted(of_many_sizes(), key=len):
        jaxpot.calculator(lj, PARAMS).get_forces(atoms)


def in_batches(lj: jaxpot.Potential) -> None:
    batches = jaxpot.batch([jaxpot.System.from_ase(atoms) for atoms in of_many_sizes()], lj)
    energies = jax.jit(jax.vmap(jaxpot.energy(lj), (None, 0, 0)))
    for b in batches:
        energies(PARAMS, b.system, b.neighbors)


def trained(lj: jaxpot.Potential) -> None:
    frames = [Frame(atoms, energy=0.0, forces=np.zeros((len(atoms), 3))) for atoms in of_many_sizes()]
    train(lj, PARAMS, frames, TrainSettings(epochs=1, batch_size=50), validation=0.2, progress=False)


@pytest.mark.parametrize(
    ("use", "cutoff"),
    [
        (lambda lj: jaxpot.evaluate(lj, PARAMS, of_many_sizes()), 6.01),
        (one_by_one, 6.02),
        (with_a_calculator, 6.03),
        (with_many_calculators, 6.04),
        (in_batches, 6.05),
        (lambda lj: jaxpot.relax(lj, PARAMS, of_many_sizes(), max_steps=3), 6.06),
    ],
    ids=["evaluate", "one by one", "calculator", "calculators", "batch", "relax"],
)
def test_structures_of_many_sizes_need_few_programs(
    use: Callable[[jaxpot.Potential], Any], cutoff: float, compilations: list[str]
) -> None:
    use(potential(cutoff))
    large = [name for name in compilations if name != "jit(convert_element_type)"]  # of a single number
    assert 1 <= len(large) <= MOST


def test_training_on_many_sizes_compiles_each_of_its_programs_few_times(compilations: list[str]) -> None:
    trained(potential(6.07))
    for program in ("jit(step)", "jit(validate)"):
        assert 1 <= compilations.count(program) <= MOST
    assert "jit(_filled)" not in compilations  # batches are gathered without XLA
    assert len(compilations) < 30  # nothing is compiled for each size


@pytest.mark.slow
def test_other_sets_of_molecules_find_the_compiled_relaxation(compilations: list[str]) -> None:
    def relaxed(*smiles: str) -> None:
        found = jaxpot.relax_conformers([from_smiles(text) for text in smiles], force_tolerance=0.05, progress=False)
        assert all(one.converged.all() for one in found)

    relaxed("CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C")  # aspirin and caffeine
    compilations.clear()
    relaxed("CCO", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "OCC1OC(O)C(O)C(O)C1O")
    relaxed("C", "CN1CCC23C4C1CC5=C2C(=C(C=C5)O)OC3C(C=C4)O")
    relaxed("CCCCCCCCCCCCCCCCCC(=O)O", "O", "CC#N", "CC#N", "CC#N")
    assert compilations == []


def test_making_and_padding_systems_and_lists_compiles_nothing(compilations: list[str]) -> None:
    lists = jaxpot.neighbor_list(6.0)
    jaxpot.System.create(np.zeros((1, 3)))
    compilations.clear()
    systems = [jaxpot.System.from_ase(atoms) for atoms in of_many_sizes()]
    for system in systems:
        lists.allocate(system.pad(100))
    stacked = jaxpot.stack_systems(systems)
    assert stacked.positions.shape == (200, 95, 3)
    assert compilations == []


def test_six_equal_structures_compile_once(compilations: list[str]) -> None:
    copper = [structures.crystal(["Cu"], 3.6, seed=seed) for seed in range(6)]
    params = {"epsilon": 0.4, "sigma": 2.3}
    jaxpot.evaluate(potential(5.01), params, copper)
    assert compilations.count("jit(evaluate)") == 1
    jaxpot.evaluate(potential(5.01), params, copper[:5])
    jaxpot.evaluate(potential(5.01), params, [*copper, *copper])
    counts = compilations.count("jit(evaluate)")
    jaxpot.evaluate(potential(5.01), params, [atoms.copy() for atoms in copper])
    assert compilations.count("jit(evaluate)") == counts <= 3  # a program for each number of structures


def environment(cutoff: float) -> jaxpot.Potential:
    """Bonds with a factor for each atom; the engine evaluates such formulas in branches and loops."""

    def energy(params: Any, env: jaxpot.Environment) -> jax.Array:
        bonds = jnp.where(env.mask, params * (1 - env.distances / cutoff) ** 2, 0.0)
        return bonds.sum() + 0.1 * bonds.sum() ** 2

    return jaxpot.environment_potential(energy, cutoff)


@pytest.mark.parametrize("make", [environment, potential], ids=["environment", "pairs"])
def test_derivatives_of_forces_outside_of_jit_do_not_compile_again(
    make: Callable[[float], jaxpot.Potential], compilations: list[str]
) -> None:
    kind, params = (make(4.5), 0.3) if make is environment else (make(4.6), PARAMS)
    system = jaxpot.System.from_ase(structures.crystal(["Ar"], 5.3, seed=1))
    neighbors = jaxpot.neighbor_list(kind).allocate(system)
    calls: list[Callable[[float], Any]] = [
        lambda f: jaxpot.energy(kind)(jax.tree.map(lambda p: p * f, params), system, neighbors),
        lambda f: jax.grad(lambda p: (jaxpot.forces(kind)(p, system, neighbors) ** 2).sum())(
            jax.tree.map(lambda p: p * f, params)
        ),
        lambda f: jax.vmap(lambda p: jaxpot.forces(kind)(p, system, neighbors))(
            jax.tree.map(lambda p: p * f * jnp.ones(2), params)
        ),
        lambda f: jaxpot.neighbor_list(kind).update(
            system.replace(positions=np.asarray(system.positions) + 0.01 * f), neighbors
        ),
    ]
    for call in calls:
        first = call(1.0)
        assert compilations
        compilations.clear()
        again = call(1.0 + 1e-9)
        assert compilations == []
        for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:scatter inputs have incompatible types:FutureWarning")  # jax-md's
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype:UserWarning")
@pytest.mark.parametrize("form", ["jaxpot", "Dense", "Sparse", "OrderedSparse"])
def test_an_energy_of_jax_md_outside_of_jit_compiles_once(form: str, compilations: list[str]) -> None:
    from jax_md import partition, space

    lj = potential(5.02)
    atoms = structures.crystal(["Ar"], 5.3, repeat=(2, 2, 2), seed=1)
    box = np.diag(atoms.cell.array).copy() if form != "jaxpot" else atoms.cell.array.T
    box = jnp.asarray(box + 1.0 if box.ndim == 1 else box)
    positions = jnp.asarray(atoms.positions)
    if form == "jaxpot":
        neighbor = interop.neighbor_fn(lj, box).allocate(positions)
    else:
        lists = partition.neighbor_list(
            space.periodic(box)[0], box, 5.02, 0.3, format=partition.NeighborListFormat[form]
        )
        neighbor = lists.allocate(positions)
    energy = interop.energy_fn(lj, PARAMS, box)
    compilations.clear()
    first = energy(positions, neighbor=neighbor)
    assert 1 <= len(compilations) <= 12
    assert max(compilations.count(name) for name in compilations) <= 3
    jax.grad(energy)(positions, neighbor=neighbor)
    compilations.clear()
    for shift in (0.0, 1e-3):
        value = energy(positions + shift, neighbor=neighbor)
        slope = jax.grad(energy)(positions + shift, neighbor=neighbor)
        assert np.isfinite(slope).all()
        np.testing.assert_allclose(value, first, rtol=1e-6)
    assert [name for name in compilations if name != "jit(add)"] == []
