"""Linear fits: rows against evaluations, solvers against numpy and scikit-learn on all rows, truths recovered."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.fit import Dataset, Frame, Weights, fit_linear, linear
from jaxpot.fit.linear.rows import rows_of, targets_of
from jaxpot.uncertainty import with_spread
from tests import structures
from tests.conftest import FLOAT32

ELEMENTS = ("Cu", "Al")
CENTERS = (1.8, 2.6, 3.4)
TRUTH = np.array([[-3.5, 0.30, -0.42, 0.11], [-3.1, 0.25, -0.31, 0.17]])

pytestmark = pytest.mark.skipif(FLOAT32, reason="fits are in float64")


def features(env: jaxpot.Environment) -> jax.Array:
    """Three bumps of the distance, the last with a square in it."""
    fade = (1 - (env.distances / 4.2) ** 2) ** 2
    sums = [env.sum(fade * jnp.exp(-(((env.distances - r) / 0.6) ** 2))) for r in CENTERS]
    return jnp.stack([sums[0], sums[1], 3 * sums[2] ** 2])


@functools.cache
def declared() -> jaxpot.Potential:
    """Linear in coefficients [species, 4], and says so."""
    return jaxpot.descriptor_potential(jaxpot.descriptor(features, 3, 4.2, ELEMENTS), jaxpot.LinearHead(), "bumps")


@functools.cache
def radial() -> jaxpot.Potential:
    """The same, and does not say so."""

    def energy(params: Any, env: jaxpot.Environment) -> jax.Array:
        return params["coefficients"][env.own_species] @ jnp.append(jnp.ones(1), features(env))

    return jaxpot.environment_potential(energy, 4.2, ELEMENTS, "bumps")


def crystals(number: int) -> list[Atoms]:
    made = [
        structures.crystal(ELEMENTS, 3.9 + 0.03 * (k % 5), repeat=(1, 1, 1 + k % 2), seed=k, shear=0.02 * k / number)
        for k in range(number)
    ]
    for k, atoms in enumerate(made):  # compositions of all kinds, without which constants depend on each other
        atoms.symbols[: k % 4] = "Cu"
    return made


@functools.cache
def data(noise: float = 0.0, number: int = 24) -> Dataset:
    random = np.random.default_rng(1)
    atoms = crystals(number)
    found = jaxpot.evaluate(declared(), {"coefficients": TRUTH}, atoms)
    return Dataset(
        tuple(
            Frame(
                a,
                f.energy + noise * len(a) * random.normal(),
                f.forces + 10 * noise * random.normal(size=f.forces.shape),
                f.stress,
                "abc"[k % 3],
                f"frame {k}",
            )
            for k, (a, f) in enumerate(zip(atoms, found, strict=True))
        )
    )


def dense(dataset: Dataset, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """All weighted rows at once, of rows tested on their own."""
    problem = linear.linear_problem(declared())
    alone, known = targets_of(dataset, None, None)
    a, b = [], []
    for rows in rows_of(problem, dataset, alone, known, stress=True):
        energy, forces, stress = weights.of(dataset[rows.frame].group)
        for part, weight in ((rows.energy, energy), (rows.forces, forces), (rows.stress, stress)):
            if part is not None:
                a.append(np.atleast_2d(part[0]) * weight)
                b.append(np.atleast_1d(part[1]) * weight)
    return np.concatenate(a), np.concatenate(b)


def test_rows_times_coefficients_are_the_energies_forces_and_stresses() -> None:
    problem, dataset = linear.linear_problem(declared()), data()
    for rows in rows_of(problem, dataset, np.zeros(len(dataset)), None, stress=True, batch_size=24):
        frame = dataset[rows.frame]
        assert rows.energy is not None and rows.forces is not None and rows.stress is not None
        np.testing.assert_allclose(rows.energy[0] @ TRUTH.ravel() * len(frame.atoms), frame.energy, rtol=1e-12)
        np.testing.assert_allclose(rows.forces[0] @ TRUTH.ravel(), rows.forces[1], atol=1e-12)
        np.testing.assert_allclose(rows.stress[0] @ TRUTH.ravel(), rows.stress[1], atol=1e-13)
        assert frame.forces is not None and frame.stress is not None
        np.testing.assert_allclose(rows.forces[1].reshape(-1, 3), frame.forces)
        np.testing.assert_allclose(rows.stress[1][[0, 1, 2, 3]], frame.stress[(0, 1, 2, 1), (0, 1, 2, 2)])


@pytest.mark.parametrize("solver", [None, linear.ridge(1e-14), linear.bayesian_ridge()], ids=["svd", "ridge", "bayes"])
def test_the_truth_is_recovered(solver: Any) -> None:
    fit = fit_linear(declared(), data(), Weights(stress=10.0), solver)
    np.testing.assert_allclose(fit.params["coefficients"], TRUTH, rtol=1e-6)
    assert fit.names[:5] == ("Cu 1", "Cu B1", "Cu B2", "Cu B3", "Al 1")


def test_the_truth_is_recovered_by_differentiation() -> None:
    fit = fit_linear(radial(), data()[:12], Weights(), params={"coefficients": np.ones((2, 4))}, leaf="coefficients")
    np.testing.assert_allclose(fit.params["coefficients"], TRUTH, rtol=1e-6)


def test_streaming_equals_the_dense_solution() -> None:
    weights = Weights(50.0, 2.0, 30.0, {"b": (0.5, 1.5, 0.0), "c": (2.0, 0.1, 1.0)})
    dataset = data(0.01)
    a, b = dense(dataset, weights)
    expected = np.linalg.lstsq(a, b)[0]
    for batch_size, folds in ((3, 1), (24, 7)):
        fit = fit_linear(declared(), dataset, weights, batch_size=batch_size, folds=folds)
        np.testing.assert_allclose(fit.coefficients, expected, rtol=1e-10)
        assert fit.stack.number == np.count_nonzero(b)
        assert len(fit.stack.b) < 0.3 * len(b)
    # the covariance is that of the textbook
    noise = ((a @ expected - b) ** 2).sum() / (np.count_nonzero(b) - 8)
    np.testing.assert_allclose(fit.covariance, noise * np.linalg.inv(a.T @ a), rtol=1e-6)


def test_a_factor_keeps_small_singular_values() -> None:
    random = np.random.default_rng(2)
    a = random.normal(size=(400, 6)) @ np.diag([1, 1, 1, 1, 1, 1e-9]) @ random.normal(size=(6, 6))
    x = random.normal(size=6)
    factor = linear.Factor(6)
    for rows in np.array_split(np.arange(400), 23):
        factor.add(a[rows], a[rows] @ x)
    # normal equations would have lost this: the square of the condition number is beyond float64
    np.testing.assert_allclose(np.linalg.lstsq(*factor.problem(), rcond=1e-14)[0], x, rtol=1e-5)
    assert np.linalg.cond(factor.normal()[0]) > 1e15


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "BayesianRidge", "ARDRegression"])
def test_scikit_learn_on_triangles_is_scikit_learn_on_all_rows(name: str) -> None:
    from sklearn import linear_model

    dataset, weights = data(0.02), Weights(50.0, 1.0)
    a, b = dense(dataset, weights)
    used = np.abs(b) > 0
    a, b = a[used], b[used]
    constant = np.array([True, False, False, False] * 2)
    basis = np.linalg.qr(a[:, constant])[0]
    free, rest = a[:, ~constant] - basis @ (basis.T @ a[:, ~constant]), b - basis @ (basis.T @ b)
    scale = np.sqrt((free**2).mean(axis=0))
    options = {"fit_intercept": False, "tol": 1e-12} | ({"max_iter": 10000} if name != "BayesianRidge" else {})
    if name in ("Lasso", "ElasticNet"):
        model: Any = getattr(linear_model, name)(alpha=0.02, **options)
        solver: Any = {"Lasso": linear.lasso, "ElasticNet": linear.elastic_net}[name](0.02, tol=1e-12)
    else:
        model = getattr(linear_model, name)(**options)
        solver = {"BayesianRidge": linear.bayesian_ridge, "ARDRegression": linear.automatic_relevance}[name](tol=1e-12)
    expected = model.fit(free / scale, rest).coef_ / scale
    fit = fit_linear(declared(), dataset, weights, solver, folds=4)
    np.testing.assert_allclose(fit.coefficients[~constant], expected, rtol=1e-5, atol=1e-8)
    assert np.abs(fit.coefficients - TRUTH.ravel()).max() < 1.0
    assert (fit.covariance is None) == (name in ("Lasso", "ElasticNet"))


@pytest.mark.parametrize(
    "solver", [linear.lasso(), linear.elastic_net(), linear.ridge()], ids=["lasso", "net", "ridge"]
)
def test_strengths_are_chosen_by_cross_validation(solver: Any) -> None:
    fit = fit_linear(declared(), data(0.0005), Weights(100.0), solver, folds=5)
    np.testing.assert_allclose(fit.coefficients, TRUTH.ravel(), rtol=0.1, atol=0.02)
    assert fit.strength is not None and 0 < fit.strength < 0.1


def test_ridge_is_the_solution_of_its_normal_equations() -> None:
    dataset, weights, strength = data(0.02), Weights(50.0, 1.0), 3e-3
    a, b = dense(dataset, weights)
    used = np.abs(b) > 0
    a, b = a[used], b[used]
    penalty = strength * (a**2).sum(axis=0) * np.array([0.0, 1.0, 1.0, 1.0] * 2)
    expected = np.linalg.solve(a.T @ a + np.diag(penalty), a.T @ b)
    fit = fit_linear(declared(), dataset, weights, linear.ridge(strength))
    np.testing.assert_allclose(fit.coefficients, expected, rtol=1e-9)


def test_weights_are_chosen_where_none_are_given() -> None:
    dataset = data(0.002)
    # energies of group b are ten times noisier than those of the others
    random = np.random.default_rng(5)
    noisy = Dataset(
        tuple(
            f._replace(energy=f.energy + 0.05 * len(f.atoms) * random.normal()) if f.group == "b" else f
            for f in dataset
        )
    )
    fit = fit_linear(declared(), noisy, folds=6)
    assert fit.validation is not None and len(fit.validation.table) > 20
    assert fit.weights.of("b")[0] < 0.4 * min(fit.weights.of("a")[0], fit.weights.of("c")[0])
    assert all(0.8 < fit.weights.of(group)[1] < 1.25 for group in "abc")  # forces are alike noisy in all
    np.testing.assert_allclose(fit.params["coefficients"], TRUTH, rtol=0.05, atol=0.01)
    assert 1e-3 < fit.validation.energy_error < 0.04 and 0.01 < fit.validation.force_error < 0.03


def test_stresses_are_fitted_where_weights_are_chosen_and_frames_have_them() -> None:
    frames = [f._replace(stress=1.1 * f.stress) for f in data(0.01)]
    with_stress = fit_linear(declared(), Dataset(tuple(frames)), folds=4)
    without = fit_linear(declared(), Dataset(tuple(f._replace(stress=None) for f in frames)), folds=4)
    group = frames[0].group
    assert with_stress.weights.of(group)[2] > 0 and without.weights.of(group)[2] == 0
    wanted = np.array([f.stress for f in frames])
    errors = [
        np.square(
            np.array([r.stress for r in jaxpot.evaluate(declared(), f.params, [x.atoms for x in frames])]) - wanted
        ).mean()
        for f in (with_stress, without)
    ]
    assert errors[0] < 0.9 * errors[1]
    explicit = fit_linear(declared(), Dataset(tuple(frames)), Weights(stress=0.0))
    assert explicit.weights.of(group)[2] == 0


def left_out_by_hand(table: linear.left_out.EnergyRows, factors: Any, k: int, weight: Any, penalty: Any) -> np.ndarray:
    inside = table.fold != k
    parts = [f.problem() for i, f in enumerate(factors) if i != k]
    a = np.concatenate([table.a[inside] * weight[inside, None], *(p[0] for p in parts), np.diag(np.sqrt(penalty))])
    b = np.concatenate([table.b[inside] * weight[inside], *(p[1] for p in parts), np.zeros(len(penalty))])
    return np.linalg.lstsq(a, b)[0]


@pytest.mark.parametrize("energies", [6, 60], ids=["fewer energies than columns", "more"])
def test_left_out_folds_are_solved_as_by_hand(energies: int) -> None:
    random = np.random.default_rng(3)
    columns, constant = 9, np.array([True] + [False] * 8)
    factors = [linear.Factor(columns) for _ in range(3)]
    for factor in factors:
        a = random.normal(size=(40, columns)) * ~constant
        factor.add(a, random.normal(size=40))
    rows = random.normal(size=(energies, columns))
    rows[:, 0] = 1.0
    table = linear.left_out.EnergyRows(
        rows, random.normal(size=energies), np.arange(energies) % 3, np.array(["a", "b"])[np.arange(energies) % 2]
    )
    weight, penalty = random.uniform(1, 30, energies), random.uniform(0.1, 1.0, 8)
    for k in range(3):
        fold = linear.left_out.Fold(table, [f.normal() for f in factors], factors[k], k, ~constant, penalty)
        expected = left_out_by_hand(table, factors, k, weight, np.concatenate([[0.0], penalty]))
        errors, squares = fold.solve(weight)
        out = table.fold == k
        np.testing.assert_allclose(errors, table.a[out] @ expected - table.b[out], atol=1e-9)
        np.testing.assert_allclose(squares, factors[k].loss(expected), rtol=1e-8)


def test_references_and_isolated_atoms_are_subtracted() -> None:
    overlay = jaxpot.lennard_jones(4.0, ELEMENTS)
    params = {"epsilon": 0.02, "sigma": 2.3}
    added = jaxpot.evaluate(overlay, params, data().atoms)
    total = Dataset(
        tuple(
            f._replace(energy=f.energy + r.energy, forces=f.forces + r.forces, stress=None)
            for f, r in zip(data(), added, strict=True)
        )
    )
    fit = fit_linear(declared(), total, Weights(), reference=(overlay, params))
    np.testing.assert_allclose(fit.params["coefficients"], TRUTH, rtol=1e-8)
    (found,) = jaxpot.evaluate(*fit.total, total.atoms[:1])
    np.testing.assert_allclose(found.energy, total[0].energy, rtol=1e-10)
    alone = dict(zip(ELEMENTS, TRUTH[:, 0].tolist(), strict=True))
    fixed = fit_linear(declared(), data(), atom_energies=alone)
    np.testing.assert_allclose(fixed.params["coefficients"], TRUTH, rtol=1e-6)
    np.testing.assert_array_equal(fixed.coefficients[[0, 4]], TRUTH[:, 0])
    with pytest.raises(ValueError, match="no energy of an isolated atom of Al"):
        fit_linear(declared(), data(), atom_energies={"Cu": -3.0})


@pytest.mark.parametrize("kind", ["posterior", "bootstrap"])
def test_ensembles_spread_as_the_noise_demands(kind: str) -> None:
    dataset = data(0.01)
    fit = fit_linear(declared(), dataset, Weights(100.0), folds=12)
    members = getattr(fit, kind)(60, seed=1)
    assert members["coefficients"].shape == (60, 2, 4)
    assert fit.covariance is not None
    expected = np.sqrt(np.diag(fit.covariance)).reshape(2, 4)
    spread = np.std(np.asarray(members["coefficients"]), axis=0)
    low, high = (0.7, 1.4) if kind == "posterior" else (0.3, 3.0)
    assert np.all(spread > low * expected) and np.all(spread < high * expected)
    system = jaxpot.System.from_ase(dataset[0].atoms, ELEMENTS)
    neighbors = jaxpot.neighbor_list(4.2).allocate(system)
    found = jax.jit(with_spread(declared()))(members, system, neighbors)
    if kind == "posterior":  # linear: the spread of the energy is that of the covariance
        row = dense(dataset[:1], Weights(1.0, 0.0))[0][0]
        np.testing.assert_allclose(found.energy_spread, 4 * np.sqrt(row @ fit.covariance @ row), rtol=0.3)
    assert found.energies_spread.shape == (4,)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="does not say that it is linear"):
        fit_linear(radial(), data())
    with pytest.raises(ValueError, match="no params called 'weights', but coefficients"):
        fit_linear(radial(), data(), params={"coefficients": TRUTH}, leaf="weights")
    guess = {"epsilon": 0.02, "sigma": 2.3}
    with pytest.raises(ValueError, match=r"lennard_jones is not linear in sigma"):
        fit_linear(jaxpot.lennard_jones(4.0, ELEMENTS), data(), Weights(), params=guess, leaf="sigma")
    with pytest.raises(ValueError, match="nothing to fit to"):
        fit_linear(declared(), Dataset((Frame(data()[0].atoms, None, None, None),)))
    with pytest.raises(ValueError, match="frame 0: atom 0 is"):
        fit_linear(jaxpot.sutton_chen(4.0, ["Ni"]), data(), params={"epsilon": 1.0}, leaf="epsilon")
    with pytest.raises(ValueError, match="not negative"):
        Weights(forces=-1.0)
