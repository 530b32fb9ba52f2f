"""EDIP and Vashishta's potential against LAMMPS, the papers and differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from tests.conftest import needs_float64
from tests.oracles.lammps import POTENTIALS
from tests.potentials.agreement import assert_parameter_gradient
from tests.potentials.angular import against_lammps
from tests.potentials.angular.against_lammps import assert_equals_lammps, crystal_of, listed, load, structures_of

pytestmark = needs_float64
EDIP_CUTOFF = 3.2  # Å
LONG = (20, 400, 4000)  # atoms, slots and rows, for Vashishta's pairs


@pytest.mark.parametrize("kind", ["crystal", "skewed", "cluster", "dense", "stretched", "close-packed", "dimer"])
def test_edip_equals_lammps(kind: str) -> None:
    potential, params = load("SiC.edip", ["Si", "C"], cutoff=EDIP_CUTOFF)
    # LAMMPS's edip interpolates tables; edip/multi is exact
    atoms = structures_of(("Si", "C"), 4.6)[kind]
    assert_equals_lammps(potential, params, atoms, "edip/multi", POTENTIALS / "SiC.edip", ["Si", "C"])


@pytest.mark.parametrize("kind", ["crystal", "dense"])
def test_edip_of_silicon_equals_lammps(kind: str) -> None:
    potential, params = load("Si.edip", cutoff=EDIP_CUTOFF)
    atoms = structures_of(("Si",), 5.43, seed=2)[kind]
    assert_equals_lammps(potential, params, atoms, "edip/multi", POTENTIALS / "Si.edip", ["Si"])


def test_edip_of_the_paper() -> None:
    potential, params = jaxpot.load("justo_1998:Si", cutoff=EDIP_CUTOFF)
    a, energy, gpa = crystal_of(potential, params, "diamond", ["Si"], 5.430)
    # lattice constant, cohesive energy and elastic constants (Mbar) of the paper's table II
    assert a == pytest.approx(5.430, abs=2e-3)
    assert energy == pytest.approx(-4.650, abs=2e-3)
    np.testing.assert_allclose(gpa, [175.0, 62.0, 71.0], atol=3.0)
    _, of_file = load("Si.edip")
    assert {name: float(value) for name, value in of_file.items()} == pytest.approx(params, rel=1e-12)


def test_parameter_gradients_of_edip() -> None:
    potential, params = load("SiC.edip", ["Si", "C"], cutoff=EDIP_CUTOFF)
    assert_parameter_gradient(potential, params, *listed(potential, structures_of(("Si", "C"), 4.6)["crystal"]))


@pytest.mark.parametrize(
    ("name", "a"), [("SiC.vashishta", 4.36), ("InP.vashishta", 5.87), ("SiO.1990.vashishta", 5.2),
                    ("SiO.1994.vashishta", 5.2), ("SiO.1997.vashishta", 5.2)]
)  # fmt: skip
@pytest.mark.parametrize("kind", ["crystal", "cluster"])
def test_vashishta_equals_lammps(name: str, a: float, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_lammps, "SIZES", LONG)
    potential, params = load(name)
    assert len(potential.ranges) == 2
    atoms = structures_of(potential.elements or (), a, seed=3)[kind]
    assert_equals_lammps(potential, params, atoms, path=POTENTIALS / name)


def test_gradients_of_vashishta_where_pairs_do_not_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_lammps, "SIZES", LONG)
    potential, params = load("SiC.vashishta", ["Si", "C"])
    silent = {**params, "rc": params["rc"].at[0, 0].set(0.0), "lambda4": params["lambda4"].at[0, 0].set(0.0)}
    gradient = jax.jit(jax.grad(jaxpot.energy(potential)))
    given = listed(potential, structures_of(("Si", "C"), 4.36)["crystal"])
    for some in (params, silent):
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradient(some, *given)))
    assert float(gradient(silent, *given)["H"][0, 0]) == 0.0
