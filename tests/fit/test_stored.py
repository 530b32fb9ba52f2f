"""Training on stored symmetry functions: the same numbers as without, for several elements and for large cells."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

import jaxpot
from jaxpot.descriptors.symmetry_functions import angular, radial
from jaxpot.fit import Dataset, Frame, TrainSettings, atom_energies, network_start, prepare_data, train
from jaxpot.fit.gradient import stored
from tests import structures
from tests.fit.gradient_examples import labelled

ELEMENTS = ("Cu", "Au")


def network() -> jaxpot.Potential:
    functions = [radial(a, b, 4.0, eta) for a in ELEMENTS for b in ELEMENTS for eta in (0.1, 1.0)]
    functions += [angular("Cu", ("Cu", "Au"), 4.0, 0.05, 2.0, 1.0), angular("Au", ("Au", "Au"), 4.0, 0.05, 1.0, -1.0)]
    return jaxpot.hdnnp(ELEMENTS, functions, [5])


def frames() -> Dataset:
    """Two-element structures of two sizes, one without a cell, labelled by a pair potential."""
    atoms = [structures.crystal(ELEMENTS, 3.9 + 0.05 * k, repeat=1, seed=k) for k in range(3)]
    atoms += [structures.cluster(ELEMENTS, 3.9, seed=1), structures.crystal(ELEMENTS, 4.0, repeat=(1, 1, 3), seed=5)]
    morse = jaxpot.morse(4.0, ELEMENTS, mode="force_shifted")
    return Dataset(tuple(labelled(morse, {"D0": 0.3, "alpha": 1.4, "r0": 2.8}, atoms)))


@pytest.mark.parametrize("sparse", [False, True])
def test_equals_the_potential(sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if sparse:  # as in cells of many atoms, where few centres see each other
        monkeypatch.setattr(stored, "_all_centers", lambda atoms, capacity: False)
    potential, data = network(), frames()
    params = network_start(potential, data, seed=2)
    predict, features = stored.stored_values(potential)
    prepared = prepare_data(list(data), potential, "float64", 1, features=features)
    (bucket,) = prepared.buckets
    assert (bucket.features.centers is not None) == sparse
    expected = jax.jit(jax.vmap(potential.evaluate, (None, 0, 0)))(params, bucket.system, bucket.neighbors)
    found = jax.jit(jax.vmap(predict, (None, 0, 0, 0)))(params, bucket.system, bucket.neighbors, bucket.features)
    assert np.abs(expected.forces).max() > 0.1
    for a, b in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * np.abs(b).max())


@pytest.mark.slow
def test_training_is_the_same() -> None:
    potential, data = network(), frames()
    params = network_start(potential, data, seed=2)
    settings = TrainSettings(epochs=3, batch_size=5, precision="float64", max_shapes=1, stress_weight=1.0)

    def weights_only(name: str) -> bool:
        return "networks" in name

    results: list[Any] = [
        train(potential, params, data, dataclasses.replace(settings, store_descriptors=store), trainable=weights_only)
        for store in (True, False)
    ]
    for a, b in zip(*[jax.tree.leaves(r.params) for r in results], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(results[0].history["train_loss"], results[1].history["train_loss"], rtol=1e-8)
    moved = [np.abs(a - b).max() for a, b in zip(*map(jax.tree.leaves, (results[0].params, params)), strict=True)]
    assert max(moved) > 1e-3


def test_energies_of_lone_atoms() -> None:
    random = np.random.default_rng(0)
    truth = {"Cu": -3.2, "Au": -4.1}
    made = []
    for _ in range(6):
        atoms = structures.random_structure(int(random.integers(100)), ELEMENTS, max_atoms=6)
        made.append(Frame(atoms, energy=sum(truth[s] for s in atoms.get_chemical_symbols())))
    found = atom_energies(Dataset(tuple(made)), ELEMENTS)
    assert found == pytest.approx(truth)
    with pytest.raises(ValueError, match="no structure has an energy"):
        atom_energies(Dataset((Frame(made[0].atoms),)), ELEMENTS)


def test_members_start_apart() -> None:
    potential, data = network(), frames()
    params = network_start(potential, data, members=3)
    weights = params["networks"]["Cu"][0]["weights"]
    assert weights.shape == (3, 5, 5) and not np.allclose(weights[0], weights[1])
    scale = params["scaling"]["Cu"]["max"]
    assert np.array_equal(scale[0], scale[2])
