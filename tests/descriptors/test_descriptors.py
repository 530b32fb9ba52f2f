"""What every descriptor promises: derivatives, sums and selections are those of its values."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.descriptors import Bispectrum, Descriptor
from jaxpot.descriptors.descriptor import SelectedDescriptor
from jaxpot.descriptors.symmetry_functions import SymmetryFunctions, angular, radial, symmetry_functions
from jaxpot.engine import descriptor_slopes, descriptor_values
from jaxpot.fit import select_values, values_by_element
from tests import structures
from tests.conftest import needs_float64

ELEMENTS = ("W", "Be")


@dataclasses.dataclass(frozen=True)
class Dipoles(Descriptor):
    """Squared sums of smooth bond vectors, for each kind of neighbour."""

    cutoff: float
    elements: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"dipole of {symbol}" for symbol in self.elements)

    def values_of_one(self, environment: jaxpot.Environment) -> jax.Array:
        end = (1 - (environment.distances / self.cutoff) ** 2) ** 3
        found = []
        for k in range(len(self.elements)):
            weight = jnp.where(environment.species == k, end, 0.0)
            found.append(sum(environment.sum(weight * d) ** 2 for d in (environment.x, environment.y, environment.z)))
        return jnp.stack(found)


def sets() -> SymmetryFunctions:
    """Three functions of tungsten, two of beryllium."""
    functions = [radial("W", "W", 4.5, 0.3), radial("W", "Be", 4.2, 0.5), radial("Be", "W", 4.5, 0.3)]
    functions += [angular("W", ("W", "Be"), 4.5, 0.05, 2.0, 1.0), angular("Be", ("W", "W"), 4.0, 0.05, 1.0, -1.0)]
    return symmetry_functions(ELEMENTS, functions)


DESCRIPTORS: dict[str, Descriptor] = {
    "bispectrum": Bispectrum(ELEMENTS, 3, (2.3, 1.9), (1.0, 0.8), rmin0=0.3),
    "two densities": Bispectrum(ELEMENTS, 2, (2.3, 1.9), (1.0, 0.8), by_elements=True),
    "symmetry functions": sets(),
    "dipoles": Dipoles(4.5, ELEMENTS),
    "selected": SelectedDescriptor(Bispectrum(ELEMENTS, 3, (2.3, 1.9), (1.0, 0.8)), ((1, 4), (0, 2, 3))),
}


def case(kind: str, descriptor: Descriptor) -> tuple[jaxpot.System, jaxpot.Neighbors]:
    system = jaxpot.System.from_ase(structures.make(kind, ELEMENTS, 3.1, "bcc", seed=3), ELEMENTS)
    return system, jaxpot.neighbor_list(descriptor.cutoff).allocate(system)


def environment(descriptor: Descriptor) -> jaxpot.Environment:
    """Five atoms that see six slots, of which the last is empty."""
    random = np.random.default_rng(4)
    x, y, z = random.normal(size=(3, 5, 6)) + np.sign(random.normal(size=(3, 5, 6)))
    mask = np.arange(6)[None] < 5
    x, y, z = (jnp.asarray(np.where(mask, d, descriptor.cutoff / 3**0.5)) for d in (x, y, z))
    distances = jnp.sqrt(x * x + y * y + z * z)
    species = jnp.asarray(random.integers(0, 2, (5, 6)))
    own = jnp.asarray(random.integers(0, 2, 5))
    return jaxpot.Environment(x, y, z, distances, species, own, mask & (distances < descriptor.cutoff))


@needs_float64
@pytest.mark.parametrize("descriptor", DESCRIPTORS.values(), ids=DESCRIPTORS)
def test_the_jacobian_is_the_slope_of_the_values(descriptor: Descriptor) -> None:
    env, step = environment(descriptor), 1e-6
    values, slopes = descriptor.jacobian(env)
    assert values.shape == (5, descriptor.number)
    np.testing.assert_allclose(values, descriptor.values(env), rtol=1e-11, atol=1e-12)
    for axis, slope in zip("xyz", slopes, strict=True):
        for k in (0, 3):
            shift = step * (np.arange(6) == k)[None]
            ends = []
            for sign in (1, -1):
                moved = {name: getattr(env, name) + (sign * shift if name == axis else 0) for name in "xyz"}
                ends.append(descriptor.values(env.moved(**moved)))
            expected = np.where(env.mask[:, None, k], (ends[0] - ends[1]) / (2 * step), 0.0)
            found = np.where(env.mask[:, None, k], slope[:, :, k], 0.0)
            np.testing.assert_allclose(found, expected, atol=2e-7)


@needs_float64
@pytest.mark.parametrize("descriptor", DESCRIPTORS.values(), ids=DESCRIPTORS)
def test_contracted_values_are_values_times_coefficients(descriptor: Descriptor) -> None:
    env = environment(descriptor)
    for rows in (1, 5):
        coefficients = jnp.asarray(np.random.default_rng(5).normal(size=(rows, descriptor.number)))
        expected = np.sum(np.asarray(coefficients) * np.asarray(descriptor.values(env)), axis=1)
        np.testing.assert_allclose(descriptor.contract(env, coefficients), expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["two densities", "symmetry functions", "dipoles"])
def test_selected_values_are_those_of_the_whole(name: str) -> None:
    descriptor = DESCRIPTORS[name]
    columns = ((0, 1), (1,))
    chosen = descriptor.select(columns)
    env = environment(descriptor)
    whole, found = np.asarray(descriptor.values(env)), np.asarray(chosen.values(env))
    for atom, species in enumerate(np.asarray(env.own_species)):
        kept = list(columns[species])
        np.testing.assert_allclose(found[atom, : len(kept)], whole[atom, kept], rtol=1e-12)
        assert not found[atom, len(kept) :].any()
        assert len(chosen.names_of(species)) == len(kept)
    with pytest.raises((ValueError, IndexError)):
        descriptor.select(((0, 99), (0,)))


def test_a_selection_that_makes_no_sense_is_refused() -> None:
    bispectrum = DESCRIPTORS["bispectrum"]
    with pytest.raises(ValueError, match="columns of 1 species were selected for 2"):
        bispectrum.select([[0]])
    with pytest.raises(ValueError, match=r"columns of Be are \(1, 1\)"):
        bispectrum.select([[0], [1, 1]])


@needs_float64
@pytest.mark.parametrize("name", ["bispectrum", "symmetry functions"])
@pytest.mark.parametrize("kind", ["primitive", "slab"])
def test_slopes_of_a_structure_are_those_of_its_positions(name: str, kind: str) -> None:
    descriptor = DESCRIPTORS[name]
    system, neighbors = case(kind, descriptor)
    slopes = descriptor_slopes(descriptor, system, neighbors)
    values = descriptor_values(descriptor, system, neighbors)
    np.testing.assert_allclose(slopes.values, values, rtol=1e-10, atol=1e-12)
    atoms = len(system.positions)
    step = np.random.default_rng(6).normal(size=(atoms, 3))
    # edges between images of one atom do not change with it
    others = np.append(np.arange(atoms), 0)[np.asarray(neighbors.others)]
    moved = step[others] - step[:, None]
    expected = sum(np.einsum("ank,ak->an", d, moved[:, :, a]) for a, d in enumerate(slopes[1:4]))
    ends = [
        descriptor_values(descriptor, system.replace(positions=system.positions + sign * 1e-6 * step), neighbors)
        for sign in (1, -1)
    ]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-6, expected, atol=2e-6)


def test_values_are_collected_by_element() -> None:
    descriptor = DESCRIPTORS["symmetry functions"]
    systems = [case(kind, descriptor)[0] for kind in ("cluster", "slab")]
    found = values_by_element(descriptor, systems)
    for k, (symbol, count) in enumerate((("W", 3), ("Be", 2))):
        expected = []
        for system in systems:
            neighbors = jaxpot.neighbor_list(descriptor.cutoff).allocate(system)
            values = np.asarray(descriptor_values(descriptor, system, neighbors))
            expected.append(values[np.asarray(system.species) == k][:, :count])
        assert found[symbol].shape[1] == count
        np.testing.assert_allclose(np.sort(found[symbol], axis=0), np.sort(np.concatenate(expected), axis=0), rtol=1e-9)
    chosen = select_values(descriptor, systems, 2)
    assert [len(chosen.names_of(k)) for k in (0, 1)] == [2, 2] and isinstance(chosen, SymmetryFunctions)
    with pytest.raises(TypeError, match="lennard_jones is not made of a descriptor"):
        values_by_element(jaxpot.lennard_jones(4.0), systems)  # type: ignore[arg-type]
