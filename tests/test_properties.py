"""Properties of crystals: what the authors of Mishin's copper (2001) published of it, and one way against another."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

import jaxpot
from jaxpot.properties import (
    cubic_crystal,
    elastic_constants,
    equation_of_state,
    phonon_frequencies,
    relaxed,
    vacancy_formation_energy,
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


def test_what_does_not_come_to_rest_says_so() -> None:
    atoms = bulk("Cu", a=A, cubic=True)
    atoms.rattle(0.2, seed=1)
    with pytest.raises(ValueError, match="does not come to rest within 1e-09"):
        relaxed(*copper(), atoms, force=1e-9, steps=2)
    with pytest.raises(ValueError, match="structure is 'diamond'"):
        cubic_crystal(*copper(), "diamond", 5.0)
