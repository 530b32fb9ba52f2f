"""The angular-dependent potential from the files that LAMMPS ships, against LAMMPS; its knots as parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.io.eam import EAMSource
from jaxpot.io.eam_files import EAMTables
from jaxpot.numerics.tables import table_params
from tests import structures
from tests.conftest import FLOAT32, Precision
from tests.oracles import lammps
from tests.potentials.agreement import Shaped, assert_parameter_gradient, evaluate_one, one_shape

LATTICE = {"AlCu.adp": 3.9, "Ni.adp": 3.52}


@cache
def loaded(name: str) -> tuple[jaxpot.Potential, Any, Callable[..., jaxpot.Evaluation], EAMTables]:
    potential, params = jaxpot.load(lammps.POTENTIALS / name)
    assert isinstance(potential.spec.file, EAMSource)
    return potential, params, jax.jit(potential.evaluate), potential.spec.file.tables


@cache
def every_kind(name: str) -> Shaped:
    """A structure of every kind, and a dense one."""
    potential = loaded(name)[0]
    elements = potential.elements or ()
    atoms = [structures.make(kind, elements, LATTICE[name], "fcc", seed=3) for kind in structures.KINDS]
    dense = structures.crystal(elements, 0.7 * LATTICE[name], repeat=1, rattle=0.05, seed=4)
    return one_shape([*atoms, dense], elements, potential.cutoff)


def check(result: jaxpot.Evaluation, atoms: Atoms, name: str, p: Precision) -> None:
    elements = loaded(name)[3].elements
    lines = ["pair_style adp", f"pair_coeff * * {lammps.POTENTIALS / name} {' '.join(elements)}"]
    expected = lammps.single_point(atoms, lines, elements)
    assert expected.energies is not None
    # In float32 the energies of the atoms are rounded, and may cancel in their sum.
    total = np.abs(expected.energies).sum() if FLOAT32 else abs(expected.energy)
    np.testing.assert_allclose(float(result.energies.sum()), expected.energy, rtol=0, atol=p.energy * total)
    scale = np.abs(expected.energies).max()
    found = np.asarray(result.energies[: len(atoms)])
    np.testing.assert_allclose(found, expected.energies, rtol=0, atol=10 * p.energy * scale)
    virial_scale = np.abs(expected.virial).max()
    np.testing.assert_allclose(result.virial, expected.virial, rtol=0, atol=p.forces * virial_scale)
    # An atom alone in its cell has no force but that of rounding.
    scale = np.abs(expected.forces).max() if len(atoms) > 1 else virial_scale
    np.testing.assert_allclose(result.forces[: len(atoms)], expected.forces, rtol=0, atol=p.forces * scale)
    assert not np.any(result.forces[len(atoms) :])


def test_lammps_ships_these_files() -> None:
    assert sorted(path.name for path in lammps.POTENTIALS.glob("*.adp")) == sorted(LATTICE)


@pytest.mark.parametrize("kind", [*structures.KINDS, "dense"])
@pytest.mark.parametrize("name", LATTICE)
def test_every_kind_of_cell_equals_lammps(name: str, kind: str, precision: Precision) -> None:
    _, params, evaluate, _ = loaded(name)
    shaped, at = every_kind(name), [*structures.KINDS, "dense"].index(kind)
    check(evaluate(params, shaped.systems[at], shaped.neighbors[at]), shaped.atoms[at], name, precision)


def test_beyond_the_table_forces_are_lammps_and_the_energy_is_theirs(precision: Precision) -> None:
    # LAMMPS continues the slope of F beyond its table, but not F: its energy stays behind its forces.
    potential, params, _, tables = loaded("Ni.adp")
    atoms = structures.crystal(["Ni"], 2.0, repeat=1, rattle=0.05, seed=4)
    expected = lammps.single_point(
        atoms, ["pair_style adp", f"pair_coeff * * {lammps.POTENTIALS / 'Ni.adp'} Ni"], ["Ni"]
    )
    result = evaluate_one(potential, params, atoms)
    scale = np.abs(expected.forces).max()
    np.testing.assert_allclose(result.forces, expected.forces, rtol=0, atol=precision.forces * scale)
    gradient = jax.jit(jax.grad(jaxpot.energy(potential)))(params, *system_of(potential, atoms))["embedding"][0]
    # each atom has F_last + s (F_last - F_previous), s steps beyond the table
    beyond = float(gradient[-1]) - len(atoms)
    assert beyond > 1
    np.testing.assert_allclose(float(gradient[-2]), -beyond, rtol=1e-5)
    missing = beyond * (tables.embedding[0, -1] - tables.embedding[0, -2])
    np.testing.assert_allclose(float(result.energies.sum()) - missing, expected.energy, rtol=10 * precision.energy)


def system_of(potential: jaxpot.Potential, atoms: Atoms) -> tuple[jaxpot.System, jaxpot.Neighbors]:
    system = jaxpot.System.from_ase(atoms, potential.elements)
    return system, jaxpot.neighbor_list(potential.cutoff).allocate(system)


def small() -> tuple[jaxpot.Potential, Any, jaxpot.System, jaxpot.Neighbors]:
    """Coarse tables of two elements, and a cluster with an isolated atom and padded ones."""
    rng = np.random.default_rng(7)
    potential = jaxpot.adp(("Ni", "Al"), cutoff=4.0, n_rho=8, d_rho=0.5, n_r=8, d_r=0.6)
    fade = (1 - np.arange(8) / 7) ** 2
    pair, dipole, quadrupole = rng.normal(size=(3, 2, 2, 8)) * fade
    params = potential.init(
        rng.normal(size=(2, 8)), (1 + rng.uniform(size=(2, 8))) * fade, pair, 0.3 * dipole, 0.1 * quadrupole
    )
    positions = [[0, 0, 0], [2.1, 0.3, 0.2], [0.4, 2.3, -0.5], [1.7, 1.8, 2.0], [30, 0, 0]]
    system = jaxpot.System.create(positions, [0, 1, 1, 0, 1]).pad(7)
    return potential, params, system, jaxpot.neighbor_list(4.0).allocate(system)


@pytest.mark.skipif(FLOAT32, reason="central differences need float64")
def test_gradient_with_respect_to_every_knot() -> None:
    assert_parameter_gradient(*small())


def test_without_dipoles_and_quadrupoles_it_is_eam() -> None:
    potential, params, system, neighbors = small()
    eam = jaxpot.eam(("Ni", "Al"), cutoff=4.0, n_rho=8, d_rho=0.5, n_r=8, d_r=0.6)
    plain = {name: params[name] for name in ("embedding", "density", "pair")}
    zero = {name: 0 * params[name] for name in ("dipole", "quadrupole")}
    found = jax.jit(potential.evaluate)({**plain, **zero}, system, neighbors)
    expected = jax.jit(eam.evaluate)(plain, system, neighbors)
    for one, other in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4 if FLOAT32 else 1e-11, atol=1e-5 if FLOAT32 else 1e-12)


@pytest.mark.skipif(FLOAT32, reason="compares with float64")
def test_float32_forces_are_those_of_float64() -> None:
    potential, params, _, tables = loaded("AlCu.adp")
    atoms = structures.crystal(tables.elements, 3.9, repeat=(2, 1, 1), seed=9)
    names = {"embedding": "embedding", "density": "density", "pair": "r_phi", "dipole": "dipole"}
    values = {name: getattr(tables, field) for name, field in {**names, "quadrupole": "quadrupole"}.items()}
    shapes = {name: value.shape for name, value in values.items()}
    expected = evaluate_one(potential, params, atoms)
    result = evaluate_one(potential, table_params("adp", shapes, values, np.float32), atoms, dtype="float32")
    assert {leaf.dtype.name for leaf in result[:3]} == {"float32"}
    scale = np.abs(expected.forces).max()
    np.testing.assert_allclose(result.forces, expected.forces, rtol=0, atol=2e-5 * scale)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="at least one element"):
        jaxpot.adp((), 4.0, 8, 0.5, 8, 0.6)
    with pytest.raises(ValueError, match="n_r must be at least 3, got 2"):
        jaxpot.adp(("Ni",), 4.0, 8, 0.5, 2, 0.6)
    potential, params, system, neighbors = small()
    with pytest.raises(ValueError, match="adp takes params as a dict of embedding"):
        jaxpot.energy(potential)({name: params[name] for name in ("embedding", "density", "pair")}, system, neighbors)
