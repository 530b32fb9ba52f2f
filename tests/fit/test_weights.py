"""The choice of weights by cross-validation gives up no group for being hard to fit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from jaxpot.fit.linear import Factor
from jaxpot.fit.linear.left_out import EnergyRows
from jaxpot.fit.linear.weights import (
    ENERGY_RATIO,
    FORCE_BOUND,
    FORCE_RATIO,
    Validation,
    Weights,
    choose_weights,
    first_factors,
    warn_of_groups,
)

COLUMNS, FOLDS = 9, 5
CONSTANT = np.array([True] + [False] * (COLUMNS - 1))


def problem(hard: float, seed: int = 0) -> tuple[EnergyRows, dict[tuple[int, str], Factor]]:
    """Energies of 120 easy and 12 hard frames, and forces of both.

    The energies of hard frames have other coefficients, by ``hard``, so that no fit serves both groups.
    """
    random = np.random.default_rng(seed)
    group = np.array(["easy"] * 120 + ["hard"] * 12)
    fold = np.arange(len(group)) % FOLDS
    truth, other = random.normal(size=(2, COLUMNS))
    rows = random.normal(size=(len(group), COLUMNS))
    rows[:, 0] = 1.0
    target = (
        rows @ truth + np.where(group == "hard", hard * (rows @ other), 0.0) + 1e-3 * random.normal(size=len(group))
    )
    forces: dict[tuple[int, str], Factor] = {}
    for k in range(FOLDS):
        for name, noise in (("easy", 1e-3), ("hard", 0.05)):
            a = random.normal(size=(60, COLUMNS)) * ~CONSTANT
            forces[k, name] = Factor(COLUMNS)
            forces[k, name].add(a, a @ truth + noise * random.normal(size=60))
    return EnergyRows(rows, target, fold, group), forces


def chosen(energies: EnergyRows, forces: dict[tuple[int, str], Factor]) -> tuple[Weights, Validation]:
    whole = []
    for k in range(FOLDS):
        whole.append(Factor(COLUMNS))
        for name in ("easy", "hard"):
            whole[k].add(*forces[k, name].problem())
    return choose_weights(energies, whole, CONSTANT, Weights())[:2]


@pytest.mark.parametrize("hard", [0.0, 0.01, 0.3])
def test_the_ratio_of_weights_is_bounded(hard: float) -> None:
    weights, validation = chosen(*problem(hard))
    easy, difficult = (weights.of(name)[0] for name in ("easy", "hard"))
    assert difficult > 0 and easy / difficult <= ENERGY_RATIO * (1 + 1e-9)
    if hard > 0.1:  # a hundred times the error, and still the same bound
        assert validation.groups["hard"][0] > 20 * validation.groups["easy"][0]
        assert easy / difficult == pytest.approx(ENERGY_RATIO)


def test_forces_are_not_given_up_for_energies() -> None:
    _, validation = chosen(*problem(0.05))
    assert validation.force_error <= FORCE_BOUND * min(row[3] for row in validation.table)
    assert all(error >= least > 0 for error, least in validation.groups.values())


def test_no_forces_count_less_than_others_for_being_hard() -> None:
    energies, forces = problem(0.0)
    of_forces, of_stresses = first_factors(energies, forces, {}, CONSTANT)
    assert of_forces["hard"] == 1.0
    assert 1.0 < of_forces["easy"] <= FORCE_RATIO
    assert of_stresses == {}


def test_groups_that_are_given_up_are_named() -> None:
    groups = {"bulk": (0.002, 0.001), "surface": (0.060, 0.024), "tiny": (0.0009, 0.0001), "liquid": (0.02, 0.018)}
    found = Validation(10.0, 1e-6, 0.003, 0.1, groups, ())
    with pytest.warns(UserWarning, match=r"give up the energies of 'surface' \(60 meV/atom; other weights reach 24\);"):
        warn_of_groups(found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_groups(found._replace(groups={name: groups[name] for name in ("bulk", "tiny", "liquid")}))


def test_time_ends_the_choice() -> None:
    energies, forces = problem(0.05)
    whole = [forces[k, "easy"] for k in range(FOLDS)]
    _, validation, _ = choose_weights(energies, whole, CONSTANT, Weights(), limit=0.0)
    assert len(validation.table) == 1 and not validation.complete
    _, validation, _ = choose_weights(energies, whole, CONSTANT, Weights(), factors=(2.0,), strengths=(1e-7, 1e-5))
    assert len(validation.table) == 4 and validation.complete
