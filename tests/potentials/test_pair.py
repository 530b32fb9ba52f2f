"""Pair potentials: gradients, how they end, mixing, and what they refuse."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.numerics.switching import switch
from tests.potentials.agreement import assert_parameter_gradient, pair_sum, shaped
from tests.potentials.test_pair_lammps import CUTOFFS, GASES, LJ, MORSE, MU, NU, STARTS

GRADIENTS: dict[str, tuple[jaxpot.Potential, Any]] = {
    "lj": (jaxpot.lennard_jones(CUTOFFS, GASES, "force_shifted"), LJ),
    "lj-switched": (jaxpot.lennard_jones(CUTOFFS, GASES, "switched", STARTS), LJ),
    "wang-frenkel": (
        jaxpot.wang_frenkel(7.5, GASES, mu=None, nu=None),
        {**LJ, "mu": 0.7 + MU / 3, "nu": 0.9 + NU / 4, "rc": CUTOFFS},
    ),
    "morse": (jaxpot.morse(7.0, GASES, "shifted"), MORSE),
    "buckingham": (jaxpot.buckingham(7.0, GASES, "shifted"), {"A": 3000.0, "rho": 0.3, "C": 60.0}),
    "zbl": (jaxpot.zbl(4.0, 5.5, GASES), jaxpot.zbl(4.0, 5.5, GASES).init()),
}


def dimer(potential: jaxpot.Potential, params: Any, distances: Any) -> tuple[jax.Array, jax.Array]:
    """Energies of two atoms at distances (Å), and their slopes."""
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    # a skin within which the second atom may be anywhere
    neighbors = jaxpot.neighbor_list(potential, skin=3.0 * potential.cutoff).allocate(system)

    def energy(distance: jax.Array) -> jax.Array:
        moved = system.replace(positions=system.positions.at[1, 2].set(distance))
        return jaxpot.energy(potential)(params, moved, neighbors)

    return jax.jit(jax.vmap(jax.value_and_grad(energy)))(jnp.asarray(distances))


@pytest.mark.parametrize("kind", [0, 2], ids=["crystal", "skewed-with-padding"])
@pytest.mark.parametrize("name", GRADIENTS)
def test_parameter_gradients(name: str, kind: int) -> None:
    potential, params = GRADIENTS[name]
    _, systems, neighbors = shaped(GASES, 5.3, "fcc", potential.cutoff)
    assert bool(jnp.any(~systems[2].real)), "the skewed cell is there for its padding"
    assert_parameter_gradient(potential, params, systems[kind], neighbors[kind])


@pytest.mark.parametrize("name", ["lj-switched", "wang-frenkel"])
def test_forces_and_stress_are_derivatives_in_one_pass_or_two(name: str) -> None:
    # the engine's own forces against autodiff of the energy through positions and cell
    potential, params = GRADIENTS[name]
    _, systems, neighbors = shaped(GASES, 5.3, "fcc", potential.cutoff)
    plain = jaxpot.Potential(potential.name, potential.cutoff, potential.elements, potential.atomic_energies)
    fast = jax.jit(potential.evaluate)(params, systems[0], neighbors[0])
    slow = jax.jit(plain.evaluate)(params, systems[0], neighbors[0])
    for a, b in zip(fast[:3], slow[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * np.abs(b).max())


def test_vmap_over_parameters_equals_a_loop() -> None:
    potential = jaxpot.lennard_jones(7.0, GASES, "shifted")
    _, systems, neighbors = shaped(GASES, 5.3, "fcc", 7.0)
    scales = jnp.asarray([0.9, 1.0, 1.1])
    ensemble = {name: jnp.stack([scale * table for scale in scales]) for name, table in LJ.items()}
    together = jax.jit(jax.vmap(jaxpot.energy(potential), (0, None, None)))(ensemble, systems[0], neighbors[0])
    energy = jax.jit(jaxpot.energy(potential))
    each = [energy(jax.tree.map(lambda x, k=k: x[k], ensemble), systems[0], neighbors[0]) for k in range(3)]
    np.testing.assert_allclose(together, each, rtol=1e-12)


@pytest.mark.parametrize("mode", ["truncated", "shifted", "force_shifted", "switched"])
def test_how_each_mode_ends(mode: str) -> None:
    params = {"A": 3000.0, "rho": 0.3, "C": 60.0}
    potential = jaxpot.buckingham(7.0, mode=mode, switch_from=5.0 if mode == "switched" else None)
    (inner, last, beyond), (_, slope, _) = dimer(potential, params, [4.5, 7.0 - 1e-7, 7.0])
    bare = {r: 3000.0 * np.exp(-r / 0.3) - 60.0 / r**6 for r in (4.5, 7.0)}
    steepness = -3000.0 / 0.3 * np.exp(-7.0 / 0.3) + 360.0 / 7.0**7
    ends = {"truncated": (bare[7.0], steepness), "shifted": (0.0, steepness)}
    np.testing.assert_allclose((last, slope), ends.get(mode, (0.0, 0.0)), rtol=1e-5, atol=1e-9)
    assert beyond == 0.0
    added = {"shifted": -bare[7.0], "force_shifted": -bare[7.0] - (4.5 - 7.0) * steepness}
    np.testing.assert_allclose(inner, bare[4.5] + added.get(mode, 0.0), rtol=1e-12)


def test_the_switching_function() -> None:
    at = jnp.asarray([1.0, 4.0, 4.0 + 1e-9, 4.4, 5.0 - 1e-9, 5.0, 9.0])
    values = switch(at, 4.0, 5.0)
    np.testing.assert_allclose(values[jnp.asarray([0, 1, 5, 6])], [1.0, 1.0, 0.0, 0.0], atol=0)
    r2, s2, e2 = 4.4**2, 16.0, 25.0
    np.testing.assert_allclose(values[3], (e2 - r2) ** 2 * (e2 + 2 * r2 - 3 * s2) / (e2 - s2) ** 3, rtol=1e-14)
    derivatives = [jax.grad(switch)]
    derivatives += [jax.grad(derivatives[0]), jax.grad(jax.grad(derivatives[0]))]
    ranges = jnp.full_like(at, 4.0), jnp.full_like(at, 5.0)
    first, *higher = jax.jit(lambda *x: [jax.vmap(derivative)(*x) for derivative in derivatives])(at, *ranges)
    np.testing.assert_allclose(first[jnp.asarray([0, 1, 2, 4, 5, 6])], 0.0, atol=1e-7)
    assert np.all(np.isfinite(higher))


def test_a_cutoff_of_zero_switches_a_pair_off() -> None:
    cutoffs = np.array([[7.0, 0.0, 5.1], [0.0, 6.8, 0.0], [5.1, 0.0, 4.4]])
    atoms, systems, neighbors = shaped(GASES, 5.3, "fcc", 7.0)

    def phi(first: str, second: str, r: float) -> tuple[float, float]:
        i, j = GASES.index(first), GASES.index(second)
        x, reach, depth = (LJ["sigma"][i, j] / r) ** 6, cutoffs[i, j], LJ["epsilon"][i, j]
        at_end = (LJ["sigma"][i, j] / reach) ** 6 if reach else 0.0
        if r >= reach:
            return 0.0, 0.0
        return 4 * depth * (x * x - x - at_end * at_end + at_end), 4 * depth * (6 * x - 12 * x * x) / r

    energy, forces, _ = pair_sum(atoms[0], 7.0, phi)
    potential = jaxpot.lennard_jones(cutoffs, GASES, "shifted")
    result = jax.jit(potential.evaluate)(LJ, systems[0], neighbors[0])
    np.testing.assert_allclose(result.energies.sum(), energy, rtol=1e-12)
    np.testing.assert_allclose(result.forces, forces, rtol=0, atol=1e-12)
    for other in (
        jaxpot.lennard_jones(cutoffs, GASES, "switched", 0.8 * cutoffs),
        jaxpot.wang_frenkel(cutoffs, GASES, mu=1.3, nu=0.8),
    ):
        gradient = jax.jit(jax.grad(jaxpot.energy(other)))(LJ, systems[0], neighbors[0])
        for leaf in gradient.values():
            assert np.all(np.isfinite(leaf))
            assert leaf[0, 1] == leaf[1, 2] == 0.0
            assert leaf[0, 0] != 0.0


@pytest.mark.parametrize("name", ["lj-switched", "wang-frenkel"])
def test_isolated_atoms_and_atoms_at_the_cutoff(name: str) -> None:
    potential, params = GRADIENTS[name]
    edge = potential.cutoff
    positions = [[0.0, 0.0, 0.0], [0.0, 0.0, edge], [30.0, 0.0, 0.0], [30.0, np.nextafter(edge, 0), 0.0], [90.0] * 3]
    system = jaxpot.System.create(positions, species=[0, 1, 0, 1, 2]).pad(7)
    neighbors = jaxpot.neighbor_list(edge).allocate(system)
    result = jax.jit(potential.evaluate)(params, system, neighbors)
    gradient = jax.jit(jax.grad(jaxpot.energy(potential)))(params, system, neighbors)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((result, gradient)))
    assert not np.any(result.energies[4:])
    assert not np.any(result.forces[4:])


def test_zbl_vanishes_with_slope_and_curvature() -> None:
    potential = jaxpot.zbl(1.0, 2.0, ["Si"])
    (near, far), _ = dimer(potential, potential.init(), [2.0 - 1e-3, 2.0 - 2e-3])
    assert near > 0
    np.testing.assert_allclose(far / near, 8.0, rtol=0.01)  # the third derivative alone is left


@pytest.mark.parametrize(("mu", "nu"), [(1, 1), (2, 3), (1.5, 0.75)])
def test_wang_frenkel_has_its_depth_zero_and_range(mu: float, nu: float) -> None:
    ratio = (6.0 / 3.0) ** (2 * mu)
    minimum = 6.0 * ((1 + 2 * nu) / (1 + 2 * nu * ratio)) ** (1 / (2 * mu))  # as the paper gives it
    energies, slopes = dimer(
        jaxpot.wang_frenkel(6.0, mu=mu, nu=nu), {"epsilon": 0.3, "sigma": 3.0}, [3.0, minimum, 6.0]
    )
    np.testing.assert_allclose(energies, [0.0, -0.3, 0.0], atol=1e-13)
    np.testing.assert_allclose(slopes[1:], 0.0, atol=1e-13)


def test_mixing_tables_and_their_gradients() -> None:
    epsilon, sigma = jnp.asarray([0.01, 0.0, 0.02]), jnp.asarray([3.0, 1.0, 3.5])
    for rule in ("lorentz_berthelot", "geometric", "waldman_hagler"):
        table = jaxpot.lennard_jones_mixing(epsilon, sigma, rule)
        np.testing.assert_array_equal(jnp.diagonal(table["epsilon"]), epsilon)
        np.testing.assert_array_equal(jnp.diagonal(table["sigma"]), sigma)
        np.testing.assert_array_equal(table["sigma"], table["sigma"].T)

        def total(epsilon: jax.Array, sigma: jax.Array, rule: str = rule) -> jax.Array:
            mixed = jaxpot.lennard_jones_mixing(epsilon, sigma, rule)
            return jnp.sum(jnp.cos(100 * mixed["epsilon"]) + mixed["sigma"] ** 3)

        by_epsilon, by_sigma = jax.grad(total, (0, 1))(epsilon, sigma)
        assert np.all(np.isfinite(by_epsilon))
        step = 1e-6
        for k in (0, 2):
            moved = [total(epsilon.at[k].add(s * step), sigma) for s in (1, -1)]
            np.testing.assert_allclose(by_epsilon[k], (moved[0] - moved[1]) / (2 * step), rtol=1e-5)
            moved = [total(epsilon, sigma.at[k].add(s * step)) for s in (1, -1)]
            np.testing.assert_allclose(by_sigma[k], (moved[0] - moved[1]) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jaxpot.lennard_jones(0.0), r"cutoff must be a positive length in Å, got 0\.0"),
        (lambda: jaxpot.morse(float("nan")), r"cutoff must be a positive length in Å, got nan"),
        (
            lambda: jaxpot.lennard_jones([[7.0, 6.0], [6.0, 7.0]], GASES),
            r"one number or a table \[3, 3\], got.*\[2, 2\]",
        ),
        (lambda: jaxpot.lennard_jones([[7.0, 6.0], [5.0, 7.0]], GASES[:2]), "must be symmetric"),
        (lambda: jaxpot.lennard_jones(7.0, mode="smooth"), "must be one of truncated, shifted.*got 'smooth'"),
        (lambda: jaxpot.lennard_jones(7.0, mode="switched"), "give switch_from, in Å"),
        (lambda: jaxpot.lennard_jones(7.0, switch_from=5.0), "leave out switch_from"),
        (lambda: jaxpot.buckingham(7.0, mode="switched", switch_from=7.5), "between 0 and the cutoff"),
        (lambda: jaxpot.wang_frenkel(7.0, mu=0), "mu must be a positive number.*got 0"),
        (lambda: jaxpot.zbl(5.0, 4.0, ["Si"]), "inner 5.0 and outer 4.0"),
        (lambda: jaxpot.zbl(1.0, 4.0, ["Xx"]), "'Xx' is none"),
        (lambda: jaxpot.lennard_jones_mixing([1.0], [1.0], "mean"), "must be one of lorentz_berthelot.*got 'mean'"),
        (lambda: jaxpot.lennard_jones_mixing([1.0, 2.0], [1.0]), r"got shapes \[2\] and \[1\]"),
    ],
)
def test_what_factories_refuse(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("potential", "params", "message"),
    [
        (
            jaxpot.lennard_jones(7.0),
            {"epsilon": 1.0, "sgima": 3.0},
            "takes params with epsilon, sigma; got epsilon, sgima",
        ),
        (jaxpot.lennard_jones(7.0), {"epsilon": 1.0, "sigma": 3.0, "extra": 0.0}, "got epsilon, sigma, extra"),
        (jaxpot.morse(7.0), (1.0, 2.0, 3.0), "as a dict with D0, alpha, r0; got tuple"),
        (jaxpot.lennard_jones(7.0), {"epsilon": [1.0, 2.0], "sigma": 3.0}, r"a table \[1, 1\], got shape \[2\]"),
        (
            jaxpot.wang_frenkel(7.0),
            {"epsilon": 1.0, "sigma": 3.0, "rc": 7.1},
            r"rc = 7.1 Å reaches beyond the cutoff 7 Å",
        ),
        (jaxpot.zbl(1.0, 4.0, ["Si"]), {"Z": [14.0, 8.0]}, r"one a species, \[1\]; got \(2,\)"),
    ],
)
def test_what_params_are_refused(potential: jaxpot.Potential, params: Any, message: str) -> None:
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    with pytest.raises(ValueError, match=message):
        jaxpot.energy(potential)(params, system, neighbors)


def test_a_range_fitted_beyond_the_cutoff_is_never_a_number() -> None:
    potential = jaxpot.wang_frenkel(7.0)
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    energy = jax.jit(jaxpot.energy(potential))
    values = [float(energy({"epsilon": 1.0, "sigma": 3.0, "rc": rc}, system, neighbors)) for rc in (7.0, 7.1, 2.9)]
    assert values[0] < 0
    assert np.isnan(values[1:]).all()
