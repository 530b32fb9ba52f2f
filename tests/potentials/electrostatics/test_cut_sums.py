"""Coulomb sums that end at a cutoff: beside LAMMPS, and beside their formulas summed pair by pair."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax
import numpy as np
import pytest
from ase import Atoms
from scipy.special import erfc

import jaxpot
from jaxpot.units import COULOMB_LAMMPS_METAL as K
from tests import structures
from tests.oracles import lammps
from tests.potentials.agreement import assert_parameter_gradient

ELEMENTS = ("Na", "Cl")
CUTOFF, ALPHA, KAPPA, EPSILON = 7.0, 0.25, 0.3, 20.0
ES = math.erfc(ALPHA * CUTOFF) / CUTOFF
FS = ES / CUTOFF + 2 * ALPHA / math.sqrt(math.pi) * math.exp(-((ALPHA * CUTOFF) ** 2)) / CUTOFF
K_RF = (EPSILON - 1) / (2 * EPSILON + 1) / CUTOFF**3
C_RF = 1 / CUTOFF + K_RF * CUTOFF**2
SELF = ALPHA / math.sqrt(math.pi)
ATOMS = {kind: structures.make(kind, ELEMENTS, 5.2, seed=3) for kind in ("skewed", "cluster")}
ROOM = 16, 400, 3000  # atoms, slots and rows of all systems here, so that they share compiled programs

# potential, params, g(r), the atoms' own c q^2, LAMMPS's style, and how well its erfc lets it agree
FORMS: dict[str, tuple[jaxpot.Potential, dict[str, float], Callable, float, str | None, float]] = {
    "cut": (jaxpot.coulomb_cut(CUTOFF, constant=K), {}, lambda r: 1 / r, 0.0, f"coul/cut {CUTOFF}", 1e-11),
    "debye": (
        jaxpot.coulomb_debye(CUTOFF, constant=K), {"kappa": KAPPA}, lambda r: np.exp(-KAPPA * r) / r, 0.0,
        f"coul/debye {KAPPA} {CUTOFF}", 1e-11,
    ),
    "dsf": (
        jaxpot.coulomb_dsf(CUTOFF, constant=K), {"alpha": ALPHA},
        lambda r: erfc(ALPHA * r) / r - ES + FS * (r - CUTOFF), -((ES + FS * CUTOFF) / 2 + SELF),
        f"coul/dsf {ALPHA} {CUTOFF}", 3e-6,
    ),
    "wolf": (
        jaxpot.coulomb_wolf(CUTOFF, constant=K), {"alpha": ALPHA}, lambda r: erfc(ALPHA * r) / r - ES,
        -(ES / 2 + SELF), f"coul/wolf {ALPHA} {CUTOFF}", 1e-10,
    ),
    "reaction field": (
        jaxpot.reaction_field(CUTOFF, constant=K), {"epsilon": EPSILON}, lambda r: 1 / r + K_RF * r**2 - C_RF, 0.0,
        None, 0.0,
    ),
    "reaction field with own terms": (
        jaxpot.reaction_field(CUTOFF, own_terms=True, constant=K), {"epsilon": EPSILON},
        lambda r: 1 / r + K_RF * r**2 - C_RF, -C_RF / 2, None, 0.0,
    ),
}  # fmt: skip


def charges_of(atoms: Atoms) -> np.ndarray:
    """Charges that differ from atom to atom and do not add up to 0."""
    return np.where(atoms.numbers == 11, 1.0, -0.9) + 0.05 * np.arange(len(atoms))


def system_of(atoms: Atoms) -> jaxpot.System:
    return jaxpot.System.from_ase(atoms, ELEMENTS, extras={"charges": charges_of(atoms)}).pad(ROOM[0])


@functools.cache
def evaluated(form: str, kind: str) -> jaxpot.Evaluation:
    potential, params = FORMS[form][:2]
    system = system_of(ATOMS[kind])
    neighbors = jaxpot.pad_neighbors(jaxpot.neighbor_list(CUTOFF).allocate(system), *ROOM)
    found = potential.evaluate(params, system, neighbors)
    return found._replace(energies=found.energies[: len(ATOMS[kind])], forces=found.forces[: len(ATOMS[kind])])


@pytest.mark.parametrize("kind", ATOMS)
@pytest.mark.parametrize("form", FORMS)
def test_energy_equals_the_sum_over_pairs(form: str, kind: str) -> None:
    _, _, g, own, _, _ = FORMS[form]
    atoms = ATOMS[kind]
    q = charges_of(atoms)
    i, j, _, vectors = structures.brute_force_pairs(atoms, CUTOFF)
    expected = K * (0.5 * (q[i] * q[j] * g(np.linalg.norm(vectors, axis=1))).sum() + own * (q**2).sum())
    np.testing.assert_allclose(evaluated(form, kind).energies.sum(), expected, rtol=1e-11)


@pytest.mark.parametrize("kind", ATOMS)
@pytest.mark.parametrize("form", [form for form in FORMS if FORMS[form][4]])
def test_equals_lammps(form: str, kind: str) -> None:
    *_, style, tolerance = FORMS[form]
    atoms = ATOMS[kind]
    commands = [f"pair_style {style}", "pair_coeff * *"]
    expected = lammps.single_point(atoms, commands, ELEMENTS, charges=charges_of(atoms), per_atom=False)
    found = evaluated(form, kind)
    np.testing.assert_allclose(found.energies.sum(), expected.energy, rtol=tolerance)
    if form == "wolf":  # its forces in LAMMPS are not the derivative of its energy, but of the energy of dsf
        found, tolerance = evaluated("dsf", kind), 1e-9
    np.testing.assert_allclose(found.forces, expected.forces, rtol=0, atol=tolerance * np.abs(expected.forces).max())
    np.testing.assert_allclose(found.virial, expected.virial, rtol=0, atol=tolerance * np.abs(expected.virial).max())


def test_charges_by_species_equal_those_of_the_system() -> None:
    """Also in the loops that numba compiles, and with gradients with respect to the charges."""
    atoms = ATOMS["skewed"]
    coulomb, params = FORMS["dsf"][:2]
    both = jaxpot.chain(jaxpot.fixed_charges(ELEMENTS), coulomb)
    table = np.array([1.2, -0.9])
    q = np.where(atoms.numbers == 11, *table)
    for native_from in (0, 10**9):
        lists = jaxpot.neighbor_list(both, native_from=native_from)
        system = jaxpot.System.from_ase(atoms, ELEMENTS)
        neighbors = lists.allocate(system)
        found = both.evaluate(({"charges": table}, params), system, neighbors)
        expected = coulomb.evaluate(params, system.with_extras(charges=q), neighbors)
        for one, other in zip(found[:3], expected[:3], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
        if native_from == 0:
            forces = found.forces
    np.testing.assert_allclose(forces, found.forces, atol=1e-12)
    np.testing.assert_allclose(found.extras["charges"], q)
    assert_parameter_gradient(both, ({"charges": table}, params), system, neighbors)


def test_slope_with_respect_to_charges() -> None:
    """dE/dq, also through compiled loops, is what differences of the energy say."""
    potential, params = FORMS["dsf"][:2]
    atoms = ATOMS["skewed"]
    system = jaxpot.System.from_ase(atoms, ELEMENTS, extras={"charges": charges_of(atoms)})
    neighbors = jaxpot.neighbor_list(potential, native_from=0).allocate(system)

    @jax.jit
    def energy(charges: jax.Array) -> jax.Array:
        found = potential.evaluate(params, system.with_extras(charges=charges), neighbors)
        return found.energies.sum() + 0.3 * found.forces[0, 1]

    slope = jax.jit(jax.grad(energy))(system.extras["charges"])
    for k in (0, 3):
        step = 1e-3 * np.eye(len(atoms))[k]
        difference = (energy(system.extras["charges"] + step) - energy(system.extras["charges"] - step)) / 2e-3
        np.testing.assert_allclose(slope[k], difference, rtol=1e-9)


def test_missing_charges_are_named() -> None:
    system = jaxpot.System.from_ase(ATOMS["cluster"], ELEMENTS)
    potential = jaxpot.coulomb_cut(CUTOFF)
    with pytest.raises(ValueError, match="coulomb_cut needs charges, which the system does not have"):
        potential.evaluate({}, system, jaxpot.neighbor_list(potential).allocate(system))
    with pytest.raises(ValueError, match=r"one charge for each of Na, Cl, got shape \[3\]"):
        jaxpot.fixed_charges(ELEMENTS).evaluate({"charges": [1.0, -1.0, 0.0]}, system, None)
