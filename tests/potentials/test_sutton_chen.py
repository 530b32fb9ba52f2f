"""Sutton-Chen: the paper's equation for metals and alloys, and its crystals."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.parameters.sutton_chen import METALS
from jaxpot.properties import Crystal
from tests import structures
from tests.conftest import Precision
from tests.potentials.agreement import assert_agrees, assert_parameter_gradient, density_sum, shaped

# Cohesive energies (eV), measured: C. Kittel, Introduction to Solid State Physics, 8th ed., ch. 3, table 1.
COHESIVE = {
    "Ni": 4.44, "Cu": 3.49, "Rh": 5.75, "Pd": 3.89, "Ag": 2.95,
    "Ir": 6.94, "Pt": 5.84, "Au": 3.81, "Pb": 2.03, "Al": 3.39,
}  # fmt: skip
ALLOY = ("Cu", "Au", "Pd")
CUTOFF = 7.0
POTENTIALS: dict[str, tuple[jaxpot.Potential, Any]] = {
    "metal": jaxpot.published("sutton_chen_1990:Cu", cutoff=CUTOFF, mode="truncated"),
    "alloy": jaxpot.published("rafii_tabar_sutton_1991:Cu-Au-Pd", cutoff=CUTOFF, mode="truncated"),
    "alloy-switched": jaxpot.published("rafii_tabar_sutton_1991:Cu-Au-Pd", cutoff=CUTOFF),
}
COMPILED = {name: jax.jit(potential.evaluate) for name, (potential, _) in POTENTIALS.items()}


def paper(elements: tuple[str, ...], switched: bool, atoms: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and virial from the equations of Sutton and Chen, and of Rafii-Tabar and Sutton for alloys."""

    def power(height: float, a: float, exponent: float, r: float) -> tuple[float, float]:
        value = height * (a / r) ** exponent
        slope = -exponent * value / r
        start, end = 0.9 * CUTOFF, CUTOFF
        if not switched or r < start:
            return value, slope
        width = (end**2 - start**2) ** 3
        s = (end**2 - r**2) ** 2 * (end**2 + 2 * r**2 - 3 * start**2) / width
        ds = 12 * r * (end**2 - r**2) * (start**2 - r**2) / width
        return value * s, slope * s + value * ds

    def repulsion(first: str, second: str, r: float) -> tuple[float, float]:
        (n1, _, e1, _, a1), (n2, _, e2, _, a2) = METALS[first], METALS[second]
        return power(np.sqrt(e1 * e2), np.sqrt(a1 * a2), (n1 + n2) / 2, r)

    def density(first: str, second: str, r: float) -> tuple[float, float]:
        (_, m1, _, _, a1), (_, m2, _, _, a2) = METALS[first], METALS[second]
        return power(1.0, np.sqrt(a1 * a2), (m1 + m2) / 2, r)

    def embedding(symbol: str, rho: float) -> tuple[float, float]:
        _, _, epsilon, c, _ = METALS[symbol]
        return -epsilon * c * np.sqrt(rho), -0.5 * epsilon * c / np.sqrt(rho)

    assert set(atoms.get_chemical_symbols()) <= set(elements)
    return density_sum(atoms, CUTOFF, repulsion, density, embedding)


@pytest.mark.parametrize("kind", structures.KINDS)
@pytest.mark.parametrize("name", POTENTIALS)
def test_equals_the_papers_equations(name: str, kind: str, precision: Precision) -> None:
    potential, params = POTENTIALS[name]
    assert potential.elements is not None
    at = structures.KINDS.index(kind)
    atoms, systems, neighbors = shaped(potential.elements, 3.9, "fcc", CUTOFF)
    result = COMPILED[name](params, systems[at], neighbors[at])
    assert_agrees(result, *paper(potential.elements, name == "alloy-switched", atoms[at]), precision)


@pytest.fixture(scope="module")
def crystal() -> Crystal:
    """In units of a, the ten metals differ only in n, m and c."""
    return Crystal(jaxpot.sutton_chen(2.5, mode="switched", switch_from=0.9 * 2.5), "fcc", 0.97)


@pytest.mark.parametrize("symbol", METALS)
def test_lattice_constants_and_cohesive_energies(symbol: str, crystal: Crystal) -> None:
    n, m, epsilon, c, a = METALS[symbol]
    found, energy, constants = crystal.relaxed({"epsilon": epsilon, "a": 1.0, "c": c, "n": n, "m": m}, 1.0)
    # a is the lattice constant when the sums go to infinity; the docstring says what the cutoff costs
    np.testing.assert_allclose(found * a, a, rtol=0, atol=8e-4)
    exact = epsilon * infinite_sum(n) * (1 / 2 - n / m)  # with c at equilibrium, c = n S_n / (m S_m^(1/2))
    np.testing.assert_allclose(energy, exact, rtol=9e-3)
    np.testing.assert_allclose(-energy, COHESIVE[symbol], rtol=0.025)
    c11, c12, c44 = constants
    assert c11 > c12 > 0 < c44, "the crystal is stable"


@pytest.mark.parametrize("symbol", METALS)
def test_published_c_is_that_of_equilibrium(symbol: str) -> None:
    # three digits are published of c; the relation makes a the lattice constant
    n, m, _, c, _ = METALS[symbol]
    np.testing.assert_allclose(c, n * infinite_sum(n) / (m * np.sqrt(infinite_sum(m))), rtol=5e-4)


def infinite_sum(power: int) -> float:
    """sum (a/r)^power over an fcc lattice: shells within 8 a, and an integral beyond."""
    axis = np.arange(-16, 17)
    x, y, z = np.meshgrid(axis, axis, axis)
    squared = (x * x + y * y + z * z)[(x + y + z) % 2 == 0] / 4
    squared = squared[(squared > 0) & (squared < 64)]
    # 4 atoms in a^3; the shells within R stand for a sphere of their number
    radius = (3 * (len(squared) + 1) / (16 * np.pi)) ** (1 / 3)
    return float((squared ** (-power / 2)).sum() + 16 * np.pi / ((power - 3) * radius ** (power - 3)))


@pytest.mark.parametrize("kind", [0, 2], ids=["crystal", "skewed-with-padding"])
def test_parameter_gradients(kind: int) -> None:
    potential, params = POTENTIALS["alloy-switched"]
    _, systems, neighbors = shaped(ALLOY, 3.9, "fcc", CUTOFF)
    assert bool(jnp.any(~systems[2].real)), "the skewed cell is there for its padding"
    assert_parameter_gradient(potential, params, systems[kind], neighbors[kind])


def test_float32_is_close_and_stays_float32() -> None:
    _, params = POTENTIALS["alloy-switched"]
    double, single = (shaped(ALLOY, 3.9, "fcc", CUTOFF, dtype=dtype) for dtype in (None, "float32"))
    expected = COMPILED["alloy-switched"](params, double.systems[0], double.neighbors[0])
    result = COMPILED["alloy-switched"](params, single.systems[0], single.neighbors[0])
    assert {leaf.dtype.name for leaf in result[:3]} == {"float32"}
    np.testing.assert_allclose(result.forces, expected.forces, rtol=0, atol=1e-4 * np.abs(expected.forces).max())


def test_a_lone_atom_has_no_energy() -> None:
    potential, params = POTENTIALS["metal"]
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]).pad(3)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    result = jax.jit(potential.evaluate)(params, system, neighbors)
    gradient = jax.jit(jax.grad(jaxpot.energy(potential)))(params, system, neighbors)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves((result, gradient)))


def test_what_is_refused() -> None:
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.5]])
    neighbors = jaxpot.neighbor_list(7.0).allocate(system)
    energy = jaxpot.energy(jaxpot.sutton_chen(7.0, n=9, m=6))
    with pytest.raises(ValueError, match="takes params with epsilon, a, c; got epsilon, a, c, n"):
        energy({"epsilon": 0.01, "a": 3.6, "c": 39.0, "n": 9.0}, system, neighbors)
    with pytest.raises(ValueError, match=r"c must be one number or one a species, \[1\]; got \[2\]"):
        energy({"epsilon": 0.01, "a": 3.6, "c": np.ones(2)}, system, neighbors)
    with pytest.raises(ValueError, match=r"n must be a positive number.*got -1"):
        jaxpot.sutton_chen(7.0, n=-1)
    with pytest.raises(ValueError, match=r"all of shape \[species\]; got shapes \[2\], \[2\], \[2\], \[2\], \[1\]"):
        jaxpot.sutton_chen_mixing([1.0, 1.0], [3.0, 3.0], [9.0, 9.0], [9, 9], [6])
