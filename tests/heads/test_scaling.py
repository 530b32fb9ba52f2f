"""Scaling of values whose range is so narrow that a float type cannot resolve it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.descriptors.symmetry_functions import radial
from jaxpot.fit import Dataset, Frame, network_start, values_by_element, varying_values
from jaxpot.heads.scaling import representable, scaled
from tests import structures
from tests.conftest import needs_float64
from tests.io.test_n2p2 import SETTINGS, evaluate, write_directory


def test_values_that_do_not_vary_are_constants_and_named() -> None:
    far, near = (radial("W", "W", 4.5, eta) for eta in (1000.0, 0.1))
    potential = jaxpot.hdnnp(["W"], [far, near], [3], scaling="scale")
    frames = tuple(Frame(structures.crystal(["W"], 3.2, "bcc", seed=seed), energy=float(seed)) for seed in range(4))
    place = [f.eta for f in potential.descriptor.functions].index(1000.0)
    with pytest.warns(UserWarning, match=rf"training structures: the range of G{place + 1} of W is too narrow"):
        params = network_start(potential, Dataset(frames))
    values = values_by_element(potential, Dataset(frames))["W"]
    statistics = params["scaling"]["W"]
    found = scaled("scale", (0.0, 1.0), statistics, jnp.asarray(values))
    np.testing.assert_allclose(found[:, place], 0.0, atol=1e-6)
    assert float(found[:, 1 - place].min()) == pytest.approx(0.0, abs=1e-5)
    assert float(found[:, 1 - place].max()) == pytest.approx(1.0, abs=1e-5)
    kept = varying_values(potential.descriptor, Dataset(frames))
    assert [f.eta for f in kept.functions] == [0.1]
    for result in jaxpot.evaluate(potential, params, [frame.atoms for frame in frames]):
        assert np.isfinite(result.forces).all()


@needs_float64
@pytest.mark.parametrize("scaling", ["scale", "scale_center", "scale_sigma"])
def test_statistics_that_a_float_type_cannot_hold(scaling: Any) -> None:
    """Wide ranges stay as they are; narrow ones keep the scaled value of the mean, wherever the mean is."""
    low = np.array([0.0, 0.0, 1e6, -3.0, 5.0])
    width = np.array([1.0, 1e-134, 1e-3, 1e-7, 1e-3])
    statistics = {"min": low, "max": low + width, "mean": low + 0.25 * width, "sigma": 0.1 * width}
    exact = np.array([0.25 if scaling == "scale" else 0.0] * 5)
    for dtype, lost in (("float32", [False, True, True, True, False]), ("float64", [False] * 5)):
        new, found = representable(scaling, statistics, dtype)
        assert found.tolist() == lost
        cast = {name: jnp.asarray(np.asarray(new[name], dtype)) for name in new}
        values = jnp.asarray(np.asarray(statistics["mean"], dtype))[None]
        np.testing.assert_allclose(scaled(scaling, (0.0, 1.0), cast, values)[0], exact, atol=2e-3)


def test_functions_of_a_tiny_range_are_constants_where_the_float_type_cannot_resolve_it(tmp_path: Path) -> None:
    """As in published networks: a Gaussian that ends far before any neighbour has the range 1e-134."""
    setting, letters = SETTINGS["scale"], "tsl"
    write_directory(tmp_path, setting, letters)
    lines = (tmp_path / "scaling.data").read_text().splitlines()
    narrow = {"1 3": "0.0 1e-134 2.5e-135 1e-135", "2 5": "7.0 7.000001 7.0000004 1e-7"}
    narrow = {key: f"{key} {numbers}" for key, numbers in narrow.items()}
    lines = [next((new for key, new in narrow.items() if line.startswith(f"{key} ")), line) for line in lines]
    (tmp_path / "scaling.data").write_text("\n".join(lines) + "\n")
    atoms = structures.make("primitive", ["Li"], 4.2, "fcc", seed=2) + Atoms("O", positions=[[2.0, 1.9, 1.3]])
    if jax.config.read("jax_enable_x64"):
        potential, params = jaxpot.load(tmp_path, style="n2p2/metal")
        assert float(params["scaling"]["Li"]["max"][2]) == 1e-134
        (found,) = jaxpot.evaluate(potential, params, [atoms], dtype="float32")
        assert np.isfinite(found.energy) and np.isfinite(found.forces).all()
    with jax.enable_x64(False):
        with pytest.warns(UserWarning, match=r"the range of G\d+\[.*, 3\] of Li; G\d+\[.*, 5\] of O is too narrow"):
            single, numbers = jaxpot.load(tmp_path, style="n2p2/metal")
        assert numbers["scaling"]["Li"]["max"].dtype == np.float32
        energy, forces, virial = evaluate(single, numbers, atoms)
        assert np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(virial).all()
        # what enters the network is the mean of the training set
        given = scaled("scale", (-1.0, 2.0), numbers["scaling"]["Li"], np.zeros((1, 8), np.float32))
        assert float(given[0, 2]) == pytest.approx(-1.0 + 3.0 * 0.25, abs=1e-6)
        if jax.config.read("jax_enable_x64"):
            assert energy == pytest.approx(found.energy, abs=1e-5)
        again = tmp_path / "again"
        jaxpot.save(again, single, numbers)
        assert (again / "scaling.data").read_text() == (tmp_path / "scaling.data").read_text()
