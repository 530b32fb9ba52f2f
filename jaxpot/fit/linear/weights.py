"""Weights of energies, forces and stresses in a fit, and their choice by cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg

from jaxpot.batch.progress import Tick, silent
from jaxpot.fit.linear.factor import Factor

__all__ = ["EnergyRows", "Validation", "Weights", "choose_weights"]

FACTORS = (2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0, 50.0)
STRENGTHS = (1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)  # then also half a decade around the best
FIRST_FACTOR = 10.0  # factor of the energies in the first fit
STRESS_FACTOR = 3.0  # ratio of weights of a stress and a force component, each in units of its own error
LEAST_FORCE_SHARE = 0.05  # the force error of a group counts as at least this part of that of all groups
LEAST_SHARE = 0.2  # likewise for energies and stresses, of which a group may have only a few
ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Weights:
    """The weights of the residuals in a linear fit.

    The fit minimises the sum of (weight * residual)^2 over energies per atom, force components and stress components.

    Attributes:
        energy: weight of the energies, whose residuals are in eV per atom.
        forces: weight of the force components, in eV/Å.
        stress: weight of the stress components, in eV/Å^3; 0 leaves them out.
        groups: further factors (energy, forces, stress) by group of frames; 1 for groups that are not named.

    Example:
        >>> from jaxpot.fit import Weights
        >>> Weights(energy=300.0, groups={"surface": (0.1, 1.0, 0.0)}).of("surface")
        (30.0, 1.0, 0.0)
    """

    energy: float = 100.0
    forces: float = 1.0
    stress: float = 0.0
    groups: Mapping[str, tuple[float, float, float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, factors in {"all": (self.energy, self.forces, self.stress), **self.groups}.items():
            if len(factors) != 3 or not all(np.isfinite(f) and f >= 0 for f in factors):
                raise ValueError(f"weights of {name} must be three numbers that are not negative, got {factors}")

    def of(self, group: str) -> tuple[float, float, float]:
        """The weights of energies, forces and stresses of a group.

        Args:
            group: name of the group of frames.
        """
        factors = self.groups.get(group, (1.0, 1.0, 1.0))
        return self.energy * factors[0], self.forces * factors[1], self.stress * factors[2]


class EnergyRows(NamedTuple):
    """The rows of the energies, unweighted.

    Attributes:
        a: [energies, columns].
        b: [energies] targets, eV per atom.
        fold: [energies] int, the fold of each frame.
        group: [energies] name of the group of each frame.
    """

    a: np.ndarray
    b: np.ndarray
    fold: np.ndarray
    group: np.ndarray


class Validation(NamedTuple):
    """The result of a cross-validation.

    Attributes:
        factor: ratio of weights of an energy and a force component, each in units of its own error.
        strength: strength of the ridge, chosen together with the factor.
        energy_error: mean absolute error of left-out energies, eV per atom.
        force_error: root mean square error of left-out force components, eV/Å.
        table: (factor, strength, energy error, force error) of every combination that was tried.
    """

    factor: float
    strength: float
    energy_error: float
    force_error: float
    table: tuple[tuple[float, float, float, float], ...]


def choose_weights(
    energies: EnergyRows,
    forces: Sequence[Factor],
    constant: np.ndarray,
    weights: Weights,
    factors: Sequence[float] = FACTORS,
    strengths: Sequence[float] = STRENGTHS,
    stresses: Sequence[Factor] = (),
    tick: Tick = silent,
) -> tuple[Weights, Validation, np.ndarray]:
    """Chooses weights of the energies and the strength of the ridge, by cross-validation on the training data.

    Energies of different kinds of structure can be fitted with very different accuracy. As in maximum likelihood, the
    energies of each group are weighted by the inverse of the error s_g of this group:

        w_g = factor * s_forces / s_g.

    s_g is a root mean square over left-out frames, found by iteration, and at least a fifth of that of all energies.

    Likelihood does not give the weight of energies relative to forces: forces are far more numerous, and their errors
    in one structure are correlated. So the factor and the strength of the ridge are chosen to minimise the product of
    the two errors of left-out frames, which does not depend on units.

    Args:
        energies: the rows of all energies.
        forces: weighted force rows, one factor a fold.
        constant: [columns] bool, columns without a penalty.
        weights: weights of forces and stresses and their factors by group, which are kept.
        factors: the factors to try.
        strengths: the strengths to try.
        stresses: weighted stress rows, one factor a fold; they are fitted, but do not influence the choice.
        tick: called after each strength.

    Returns:
        The weights, the result of the cross-validation, and the penalty [columns] of squared coefficients.
    """
    scale = _column_scale(energies, forces, constant)
    free = ~constant
    number = max(sum(f.rows for f in forces), len(energies.b))
    normals = [f.normal() for f in forces]
    for k, f in enumerate(stresses):
        if f.rows:
            normals[k] = tuple(x + y for x, y in zip(normals[k], f.normal(), strict=True))
    best: tuple[float, np.ndarray, float, float, float, float] | None = None
    table = []
    count = sum(f.rows for f in forces)
    tried: list[float] = []
    while len(tried) < len(strengths) + 2:
        if len(tried) < len(strengths):
            strength = strengths[len(tried)]
        else:
            assert best is not None
            strength = best[3] * (10**0.5 if len(tried) == len(strengths) else 10**-0.5)
            if len(strengths) == 1:
                break
        tried.append(strength)
        penalty = strength * number * scale[free] ** 2
        folds = [_Fold(energies, normals, forces[k], k, free, penalty) for k in range(len(forces))]
        spread, force_error = np.full(len(energies.b), 1.0 / 300.0), 1.0
        for factor in factors:
            for _ in range(ROUNDS):
                errors, squares = _left_out(folds, energies, factor * force_error / spread)
                force_error = float(np.sqrt(squares / count)) if count else 1.0
                spread = _spread(errors, energies.group)
            found = float(np.abs(errors).mean()) if len(errors) else 1.0
            table.append((factor, strength, found, force_error))
            score = np.log(found) + np.log(force_error)
            if best is None or score < best[0]:
                best = (score, factor * force_error / spread, factor, strength, found, force_error)
            if not count or not len(errors):
                break  # energies or forces alone: all factors give the same fit
        tick()
    assert best is not None
    chosen = best[1]
    groups = {}
    for group in dict.fromkeys(energies.group):
        own = weights.groups.get(group, (1.0, 1.0, 1.0))
        groups[str(group)] = (float(chosen[energies.group == group][0]), own[1], own[2])
    kept = {name: factors for name, factors in weights.groups.items() if name not in groups}
    full = np.where(constant, 0.0, best[3] * number * scale**2)
    result = Weights(1.0, weights.forces, weights.stress, {**kept, **groups})
    return result, Validation(*best[2:], tuple(table)), full


def first_factors(
    energies: EnergyRows,
    forces: Mapping[tuple[int, str], Factor],
    stresses: Mapping[tuple[int, str], Factor],
    constant: np.ndarray,
) -> tuple[dict[str, float], dict[str, float]]:
    """Factors of forces and stresses by group: the error of all forces over that of the group's forces or stresses.

    The errors are those of a first fit without stresses in which all forces have the same weight. Forces of slightly
    strained crystals can be fitted ten times more accurately than those of a melt. Equal weights would lose this
    accuracy, and elastic constants would suffer. Some elastic constants appear in stresses only: in a crystal strained
    along one axis, the stresses along the other axes have no effect on forces.

    Args:
        energies: the rows of all energies.
        forces: unweighted rows by fold and group.
        stresses: unweighted rows by fold and group.
        constant: [columns] bool, columns without a penalty.

    Returns:
        {group: factor} for forces, and for stresses.
    """
    number = 1 + max([fold for fold, _ in forces] + energies.fold.tolist())
    together = [[f for (k, _), f in forces.items() if k == fold] for fold in range(number)]
    whole = [merged(len(constant), some, [1.0] * len(some)) for some in together]
    weights, _, penalty = choose_weights(energies, whole, constant, Weights(), (FIRST_FACTOR,), (1e-6,))
    weight = np.array([weights.of(group)[0] for group in energies.group])
    matrix = np.diag(penalty) + (energies.a * weight[:, None] ** 2).T @ energies.a
    vector = energies.a.T @ (weight**2 * energies.b)
    for factor in whole:
        a, b = factor.normal()
        matrix, vector = matrix + a, vector + b
    unit = np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    found = np.linalg.lstsq(matrix / np.outer(unit, unit), vector / unit, rcond=1e-14)[0] / unit

    def errors(kept: Mapping[tuple[int, str], Factor]) -> tuple[float, dict[str, float]]:
        """Root mean square residuals of all and of each group."""
        losses: dict[str, float] = {}
        counts: dict[str, int] = {}
        for (_, group), factor in kept.items():
            losses[group] = losses.get(group, 0.0) + factor.loss(found)
            counts[group] = counts.get(group, 0) + factor.rows
        overall = np.sqrt(sum(losses.values()) / max(sum(counts.values()), 1))
        return float(overall), {g: float(np.sqrt(losses[g] / counts[g])) for g in losses if counts[g]}

    force_error, by_group = errors(forces)
    stress_error, stress_by_group = errors(stresses)
    of_forces = {g: force_error / max(e, LEAST_FORCE_SHARE * force_error) for g, e in by_group.items()}
    of_stresses = {
        g: STRESS_FACTOR * force_error / max(e, LEAST_SHARE * stress_error) for g, e in stress_by_group.items()
    }
    return of_forces, of_stresses


def merged(columns: int, factors: Sequence[Factor], weights: Sequence[float]) -> Factor:
    """One factor with the rows of several, each multiplied by its weight."""
    whole = Factor(columns)
    for factor, weight in zip(factors, weights, strict=True):
        a, b = factor.problem()
        whole.add(a * weight, b * weight)
    whole.rows = sum(f.rows for f in factors)
    return whole


def _column_scale(energies: EnergyRows, forces: Sequence[Factor], constant: np.ndarray) -> np.ndarray:
    """[columns] root mean square of each column; relative to it the strength of a ridge has no unit."""
    squares = sum((f.problem()[0] ** 2).sum(axis=0) for f in forces)
    count = sum(f.rows for f in forces)
    if not count:
        squares, count = ((energies.a - energies.a.mean(axis=0)) ** 2).sum(axis=0), len(energies.a)
    scale = np.sqrt(squares / count)
    return np.where(constant | (scale == 0), 1.0, scale)


def _spread(errors: np.ndarray, group: np.ndarray) -> np.ndarray:
    """[energies] root mean square error of the group that each energy belongs to."""
    if not len(errors):
        return errors
    least = LEAST_SHARE * np.sqrt((errors**2).mean())
    each = {g: max(np.sqrt((errors[group == g] ** 2).mean()), least) for g in dict.fromkeys(group)}
    return np.array([each[g] for g in group])


class _Fold:
    """The problem without one fold, factorised so that any weights of the energies are solved quickly.

    With K = forces' normal matrix + penalty, b their right-hand side, energies y = C c0 + E c1 and weights w, the least
    squares solution is

        c1 = K^-1 (b + E^T V^-1 (y - E K^-1 b - C c0)),   V = E K^-1 E^T + w^-2,

    with c0 from generalised least squares (columns C have no penalty, columns E have one). The weights enter only a
    matrix whose size is the number of energies. Where there are more energies than coefficients, the normal equations
    are smaller and are used instead.
    """

    def __init__(
        self,
        energies: EnergyRows,
        normals: Sequence[tuple[np.ndarray, np.ndarray]],
        forces: Factor,
        k: int,
        free: np.ndarray,
        penalty: np.ndarray,
    ) -> None:
        self.out = energies.fold == k
        self.rows, self.target = energies.a[~self.out], energies.b[~self.out]
        self.inside, self.free, self.forces = ~self.out, free, forces
        self.left_rows, self.left_target = energies.a[self.out], energies.b[self.out]
        others = [normal for i, normal in enumerate(normals) if i != k]
        self.matrix = sum((a[np.ix_(free, free)] for a, _ in others), np.diag(penalty))
        self.vector = sum((b[free] for _, b in others), np.zeros(int(free.sum())))
        self.dual = len(self.target) < int(free.sum())
        if self.dual:
            factor = scipy.linalg.cho_factor(self.matrix, check_finite=False)
            self.base = scipy.linalg.cho_solve(factor, self.vector)
            self.response = scipy.linalg.cho_solve(factor, self.rows[:, free].T)  # K^-1 E^T, [free, energies]
            self.cross = self.rows[:, free] @ self.response

    def coefficients(self, weight: np.ndarray) -> np.ndarray:
        """[columns] the solution for given weights of the energies that are not left out."""
        free, rows = self.free, self.rows
        found = np.zeros(len(free))
        if self.dual:
            matrix = self.cross + np.diag(weight**-2.0)
            left = np.column_stack([self.target - rows[:, free] @ self.base, rows[:, ~free]])
            solved = _solved(matrix, left)
            found[~free] = np.linalg.lstsq(rows[:, ~free].T @ solved[:, 1:], rows[:, ~free].T @ solved[:, 0])[0]
            found[free] = self.base + self.response @ (solved[:, 0] - solved[:, 1:] @ found[~free])
            return found
        weighted = rows * weight[:, None] ** 2
        matrix = weighted.T @ rows
        matrix[np.ix_(free, free)] += self.matrix
        vector = weighted.T @ self.target
        vector[free] += self.vector
        return np.linalg.lstsq(matrix, vector, rcond=1e-14)[0]

    def solve(self, weight: np.ndarray) -> tuple[np.ndarray, float]:
        """Residuals of the left-out energies, and the sum of squared residuals of the left-out forces."""
        found = self.coefficients(weight[self.inside])
        return self.left_rows @ found - self.left_target, self.forces.loss(found) if self.forces.rows else 0.0


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x of matrix x = right for a positive definite matrix; the x of least norm where it is singular."""
    try:
        return scipy.linalg.cho_solve(scipy.linalg.cho_factor(matrix, check_finite=False), right, check_finite=False)
    except np.linalg.LinAlgError:  # for example the same structure twice, with a large weight
        return np.linalg.lstsq(matrix, right, rcond=None)[0]


def _left_out(folds: Sequence[_Fold], energies: EnergyRows, weight: np.ndarray) -> tuple[np.ndarray, float]:
    errors, squares = np.zeros(len(energies.b)), 0.0
    for fold in folds:
        errors[fold.out], more = fold.solve(weight)
        squares += more
    return errors, squares
