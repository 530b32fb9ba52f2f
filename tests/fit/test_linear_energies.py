"""Linear fits of data sets that hold energies alone, few or many, some of them twice."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

import jaxpot
from jaxpot.batch import evaluate
from jaxpot.fit import Dataset, Frame, fit_linear
from tests.conftest import FLOAT32

pytestmark = pytest.mark.skipif(FLOAT32, reason="fits are in float64")


def frames(number: int) -> Dataset:
    potential, params = jaxpot.load("sutton_chen_1990:Cu")
    structures = []
    for k in range(number):
        atoms = bulk("Cu", cubic=True, a=3.5 + 0.02 * (k % 10))
        atoms.rattle(0.05, seed=k)
        structures.append(atoms)
    found = evaluate(potential, params, structures, dtype="float64", max_shapes=1)
    return Dataset(
        tuple(
            Frame(a, energy=r.energy, group="ab"[k % 2]) for k, (a, r) in enumerate(zip(structures, found, strict=True))
        )
    )


@pytest.mark.parametrize("number", [14, 5])  # more rows than the 6 columns, and fewer
def test_energies_alone_are_fitted(number: int) -> None:
    data = frames(number)
    fitted = fit_linear(jaxpot.snap(["Cu"], 2, 4.7), data)
    found = evaluate(*fitted.total, data.atoms, dtype="float64", max_shapes=1)
    errors = np.array([r.energy - frame.energy for r, frame in zip(found, data, strict=True)]) / 4
    energies = np.array([frame.energy for frame in data]) / 4
    assert np.sqrt((errors**2).mean()) < 0.5 * energies.std()
    assert all(np.isfinite(fitted.weights.of(group)[0]) for group in "ab")


def test_structures_that_come_twice_are_fitted() -> None:
    data = frames(4)
    fitted = fit_linear(jaxpot.snap(["Cu"], 2, 4.7), data + data + data)
    assert np.isfinite(fitted.coefficients).all()
