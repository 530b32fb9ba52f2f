"""Properties of crystals: what the authors of Mishin's copper (2001) published of it, and one way against another."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

import jaxpot
from jaxpot.properties import (
    conventional_cell,
    cubic_crystal,
    elastic_constants,
    elastic_moduli,
    equation_of_state,
    phonon_bands,
    phonon_frequencies,
    relaxed,
    surface_energies,
    vacancy_formation_energy,
    youngs_modulus,
)
from tests.conftest import FLOAT32
from tests.oracles import lammps

pytestmark = pytest.mark.skipif(FLOAT32, reason="differences and relaxations are in float64")

# Y. Mishin, M. J. Mehl, D. A. Papaconstantopoulos, A. F. Voter and J. D. Kress, Phys. Rev. B 63, 224106 (2001), EAM1:
# a (Å), cohesive energy (eV), C11, C12, C44 (GPa), vacancy formation energy (eV)
A, COHESION, C11, C12, C44, VACANCY = 3.615, 3.54, 169.9, 122.6, 76.2, 1.272


@functools.cache
def copper() -> tuple[jaxpot.Potential, Any]:
    return jaxpot.load(lammps.POTENTIALS / "Cu_mishin1.eam.alloy")


def test_lattice_constant_and_elastic_constants_of_copper() -> None:
    found = cubic_crystal(*copper(), "fcc", 3.7)
    np.testing.assert_allclose(found.a, A, atol=1e-3)
    np.testing.assert_allclose(found.energy, -COHESION, atol=1e-3)
    np.testing.assert_allclose([found.c11, found.c12, found.c44], [C11, C12, C44], atol=0.5)


@pytest.mark.slow
def test_elastic_constants_by_differences_are_the_second_derivatives() -> None:
    constants = elastic_constants(*copper(), bulk("Cu", a=3.6, cubic=True))
    exact = cubic_crystal(*copper(), "fcc", A)
    expected = np.zeros((6, 6))
    expected[:3, :3] = exact.c12
    np.fill_diagonal(expected, [exact.c11] * 3 + [exact.c44] * 3)
    np.testing.assert_allclose(constants, expected, atol=0.2)


def test_equation_of_state_has_the_bulk_modulus_of_the_elastic_constants() -> None:
    found = equation_of_state(*copper(), bulk("Cu", a=3.6))
    np.testing.assert_allclose(found.volume, A**3 / 4, rtol=1e-3)
    np.testing.assert_allclose(found.energy, -COHESION, atol=1e-3)
    np.testing.assert_allclose(found.bulk_modulus, (C11 + 2 * C12) / 3, rtol=0.02)
    with pytest.raises(ValueError, match="at the end of the range"):
        equation_of_state(*copper(), bulk("Cu", a=4.0))


@pytest.mark.slow
def test_vacancy_of_copper() -> None:
    found = vacancy_formation_energy(*copper(), bulk("Cu", a=A, cubic=True) * (4, 4, 4))
    np.testing.assert_allclose(found, VACANCY, atol=0.01)
    with pytest.raises(ValueError, match="give one element"):
        vacancy_formation_energy(*copper(), bulk("NaCl", "rocksalt", a=5.0))


def test_phonons_of_copper() -> None:
    found = phonon_frequencies(*copper(), bulk("Cu", a=A), [[0, 0, 0], [0.5, 0.0, 0.5], [0.5, 0.5, 0.5]])
    np.testing.assert_allclose(found[0], 0.0, atol=1e-2)
    # the same paper, table II: X_T, X_L, L_T, L_L (THz)
    np.testing.assert_allclose(found[1], [5.20, 5.20, 7.82], atol=0.03)
    np.testing.assert_allclose(found[2], [3.32, 3.32, 7.78], atol=0.03)


def test_phonon_bands_are_the_frequencies_at_their_points() -> None:
    # of the conventional cell, and of a primitive one with its axes elsewhere
    found = phonon_bands(*copper(), bulk("Cu", a=A, cubic=True), supercell=(3, 3, 3))
    rotated = bulk("Cu", a=A)
    rotated.rotate(30.0, (1, 2, 3), rotate_cell=True)
    other = phonon_bands(*copper(), rotated, supercell=(6, 6, 6))
    names = [name for _, name in found.labels]
    assert names[:3] == ["Γ", "X", "W"] and names == [name for _, name in other.labels]
    place = {name: found.frequencies[np.nanargmin(np.abs(found.distances - at))] for at, name in found.labels}
    np.testing.assert_allclose(place["Γ"], 0.0, atol=1e-2)
    np.testing.assert_allclose(place["X"], [5.20, 5.20, 7.82], atol=0.03)  # the paper, as below
    np.testing.assert_allclose(place["L"], [3.32, 3.32, 7.78], atol=0.03)
    np.testing.assert_allclose(found.labels[1][0], 1 / A, rtol=1e-9)  # from Γ to X
    np.testing.assert_allclose(np.trapezoid(found.dos, found.dos_frequencies), 3.0, rtol=0.01)
    assert np.isnan(found.frequencies).all(axis=1).sum() == sum("|" in name for name in names) == 1
    for name, at in [(name, at) for at, name in other.labels if "|" not in name]:
        k = int(np.nanargmin(np.abs(other.distances - at)))
        np.testing.assert_allclose(other.frequencies[k], place[name], atol=0.05)  # supercells of other shapes


def test_moduli_of_a_cubic_crystal_are_those_of_the_textbook() -> None:
    constants = np.diag([C11] * 3 + [C44] * 3) + np.pad(C12 * (1 - np.eye(3)), (0, 3))
    found = elastic_moduli(constants)
    voigt = (C11 - C12 + 3 * C44) / 5
    reuss = 5 * (C11 - C12) * C44 / (4 * C44 + 3 * (C11 - C12))
    np.testing.assert_allclose(found.bulk, (C11 + 2 * C12) / 3)
    np.testing.assert_allclose(found.shear, (voigt + reuss) / 2)
    np.testing.assert_allclose(found.anisotropy, 5 * voigt / reuss - 5)
    np.testing.assert_allclose(found.young, 2 * found.shear * (1 + found.poisson))
    assert found.stable and not elastic_moduli(constants - np.diag([0, 0, 0, 100.0, 0, 0])).stable
    # Nye: 1/E = S11 - 2 (S11 - S12 - S44 / 2) (l1^2 l2^2 + l2^2 l3^2 + l3^2 l1^2)
    s11 = (C11 + C12) / ((C11 - C12) * (C11 + 2 * C12))
    s12 = -C12 / ((C11 - C12) * (C11 + 2 * C12))
    for direction, products in (((1, 0, 0), 0.0), ((2, -2, 0), 0.25), ((1, 1, -1), 1 / 3)):
        expected = 1 / (s11 - 2 * (s11 - s12 - 0.5 / C44) * products)
        np.testing.assert_allclose(youngs_modulus(constants, direction), expected)
    with pytest.raises(ValueError, match=r"symmetric matrix \[6, 6\]"):
        elastic_moduli(np.triu(constants))
    with pytest.raises(ValueError, match="costs no energy"):
        youngs_modulus(np.zeros((6, 6)), (1, 0, 0))


@pytest.mark.slow
def test_surfaces_of_copper() -> None:
    atoms, group = conventional_cell(bulk("Cu", a=A))
    np.testing.assert_allclose(atoms.cell.array, A * np.eye(3), atol=1e-9)
    assert group == 225 and len(atoms) == 4
    found = surface_energies(*copper(), atoms, [(1, 1, 1), (1, 1, 0), (1, 0, 0)])
    # the same paper, table III: 1239, 1475 and 1345 mJ/m^2
    np.testing.assert_allclose([one.energy for one in found], [1.239, 1.475, 1.345], rtol=0.005)
    assert all(one.energy < one.unrelaxed < 1.03 * one.energy for one in found)
    assert [one.indices for one in found] == [(1, 1, 1), (1, 1, 0), (1, 0, 0)]


def test_what_does_not_come_to_rest_says_so() -> None:
    atoms = bulk("Cu", a=A, cubic=True)
    atoms.rattle(0.2, seed=1)
    with pytest.raises(ValueError, match="does not come to rest within 1e-09"):
        relaxed(*copper(), atoms, force=1e-9, steps=2)
    with pytest.raises(ValueError, match="structure is 'diamond'"):
        cubic_crystal(*copper(), "diamond", 5.0)
