"""Stillinger-Weber and sw/mod against LAMMPS, the paper and differences."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import mx2

import jaxpot
from tests.conftest import Precision, needs_float64
from tests.oracles import lammps
from tests.oracles.lammps import POTENTIALS
from tests.potentials.agreement import assert_parameter_gradient
from tests.potentials.angular.against_lammps import (
    assert_equals_lammps,
    commands,
    crystal_of,
    evaluation,
    listed,
    load,
    structures_of,
)

pytestmark = needs_float64
CUTOFF = 4.6  # Å, for all files of two elements, so that one program serves them


@pytest.mark.parametrize("kind", structures_of(("Cd", "Te"), 6.4))
def test_equals_lammps_in_every_kind_of_structure(kind: str) -> None:
    potential, params = load("CdTe.sw", cutoff=CUTOFF)
    assert_equals_lammps(potential, params, structures_of(("Cd", "Te"), 6.4)[kind], path=POTENTIALS / "CdTe.sw")


@pytest.mark.parametrize(
    ("name", "a", "cutoff"), [("GaN.sw", 5.2, CUTOFF), ("Si.sw", 5.43, None), ("CdTeZnSeHgS0.sw", 6.1, None)]
)
def test_every_other_file_equals_lammps(name: str, a: float, cutoff: float | None) -> None:
    six = name.startswith("CdTeZn")
    potential, params = load(name, cutoff=cutoff, warns=six)
    assert potential.elements is not None
    # six elements: entries of both orders differ in the eighth digit, and LAMMPS takes one of them
    precision = Precision("float64", 1e-7, 1e-6) if six else Precision("float64", 1e-9, 1e-8)
    several = structures_of(potential.elements, a, seed=5)
    for kind in ("crystal", "dense"):
        assert_equals_lammps(potential, params, several[kind], path=POTENTIALS / name, precision=precision)


def layer(seed: int) -> Atoms:
    """A layer of dichalcogenides, whose angles are clear of the switch."""
    rng = np.random.default_rng(seed)
    atoms = mx2("MoS2", kind="2H", a=3.18, thickness=3.19, size=(2, 2, 1), vacuum=8.0)
    chosen = {"Mo": ["Mo", "W"], "S": ["S", "Se", "Te"]}
    atoms.set_chemical_symbols([str(rng.choice(chosen[symbol])) for symbol in atoms.get_chemical_symbols()])
    atoms.positions += rng.normal(0, 0.06, atoms.positions.shape)
    return atoms


def test_layers_equal_lammps() -> None:
    potential, params = load("tmd.sw.mod", ["Mo", "W", "S", "Se", "Te"])
    assert_equals_lammps(potential, params, layer(1), path=POTENTIALS / "tmd.sw.mod")


def test_switched_angles_have_the_energy_of_lammps_and_forces_of_their_own() -> None:
    potential, params = load("tmd.sw.mod", ["Mo", "W", "S", "Se", "Te"])
    command = commands("sw/mod", POTENTIALS / "tmd.sw.mod", potential.elements or ())
    differ = []
    for cos in (0.2, 0.40, 0.42, 0.46, 0.51, -0.13, -0.17, -0.3):
        atoms = Atoms("MoS2", positions=[[0, 0, 0], [2.4, 0, 0], [2.4 * cos, 2.4 * np.sqrt(1 - cos**2), 0]])
        expected = lammps.single_point(atoms, command, potential.elements or (), per_atom=False)
        found = evaluation(potential)(params, *listed(potential, atoms))
        np.testing.assert_allclose(found.energies.sum(), expected.energy, rtol=0, atol=1e-11)
        differ.append(bool(np.abs(found.forces[:3] - expected.forces).max() > 1e-3))
    assert differ == [False, True, True, True, False, True, True, False]


def test_silicon_of_the_paper() -> None:
    potential, params = jaxpot.load("stillinger_weber_1985:Si")
    a, energy, gpa = crystal_of(potential, params, "diamond", ["Si"], 5.431)
    # lattice constant and cohesive energy by construction; elastic constants of E. R. Cowley, Phys. Rev. Lett. 60, 2379
    # (1988), in 100 GPa: 1.51, 0.76 and 0.56
    assert a == pytest.approx(5.431, abs=5e-4)
    assert energy == pytest.approx(-4.336, abs=1e-3)
    np.testing.assert_allclose(gpa, [151.0, 76.0, 56.0], atol=0.6)


def test_the_published_set_is_that_of_the_file() -> None:
    _, params = jaxpot.load("stillinger_weber_1985:Si")
    _, of_file = load("Si.sw")
    assert set(params) == set(of_file)
    for name, value in params.items():
        assert float(of_file[name]) == pytest.approx(value, rel=1e-11)


def test_parameter_gradients() -> None:
    potential, params = load("CdTe.sw", cutoff=CUTOFF)
    system, neighbors = listed(potential, structures_of(("Cd", "Te"), 6.4)["crystal"])
    assert_parameter_gradient(potential, params, system, neighbors)


def test_parameter_gradients_where_pairs_have_no_reach() -> None:
    potential, params = load("CdTe.sw", cutoff=CUTOFF)
    silent = {**params, "sigma": params["sigma"].at[0, 0].set(0.0), "lambda": params["lambda"].at[0, 0, 0].set(0.0)}
    system, neighbors = listed(potential, structures_of(("Cd", "Te"), 6.4)["crystal"])
    gradient = jax.jit(jax.grad(jaxpot.energy(potential)))(silent, system, neighbors)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradient))
    assert float(gradient["A"][0, 0]) == 0.0 and float(jnp.abs(gradient["A"][0, 1])) > 1e-3


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two bounds"):
        jaxpot.stillinger_weber(3.0, angle_switch=(0.4, 0.3))
    _, params = jaxpot.load("stillinger_weber_1985:Si")
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]])
    short = jaxpot.stillinger_weber(3.0)
    with pytest.raises(ValueError, match="beyond the cutoff 3 Å"):
        short.evaluate(params, system, jaxpot.neighbor_list(short).allocate(system))
    neighbors = jaxpot.neighbor_list(short).allocate(system)
    assert jnp.isnan(evaluation(short)(params, system, neighbors).energies).all()
    two = jaxpot.stillinger_weber(4.0, ["Si", "Ge"])
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]], species=[0, 1])
    neighbors = jaxpot.neighbor_list(two).allocate(system)
    with pytest.raises(ValueError, match=r"A has shape \[3, 3\], which gives no number for a pair of 2 species"):
        two.evaluate({**params, "A": jnp.ones((3, 3))}, system, neighbors)
    with pytest.raises(ValueError, match=r"cos0 has shape \[2, 2\], which gives no number for an angle"):
        two.evaluate({**params, "cos0": jnp.ones((2, 2))}, system, neighbors)
