"""How much energies, forces and stresses count in a fit, and the choice of it by cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg

from jaxpot.fit.linear.factor import Factor

__all__ = ["EnergyRows", "Validation", "Weights", "choose_weights"]

FACTORS = (2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0, 50.0)
STRENGTHS = (1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)  # and half a decade around the best
FIRST_FACTOR = 10.0  # of the energies in a first fit
STRESS_FACTOR = 3.0  # by which a stress component over its error counts more than a force component over its own
LEAST_FORCE_SHARE = 0.05  # and likewise for forces, of which every group has many
LEAST_SHARE = 0.2  # a group's energy error counts as at least this part of that of all
ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Weights:
    """What residuals are multiplied with before they are squared.

    The fit minimises the sum of (weight * residual)^2 over energies per atom, force components and stress components.

    Attributes:
        energy: of the energies, a residual being in eV per atom.
        forces: of force components, in eV/Å.
        stress: of stress components, in eV/Å^3; 0 leaves them out.
        groups: by group of frames, factors (energy, forces, stress) on top of these; 1 for groups not named.

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
            group: of frames.
        """
        factors = self.groups.get(group, (1.0, 1.0, 1.0))
        return self.energy * factors[0], self.forces * factors[1], self.stress * factors[2]


class EnergyRows(NamedTuple):
    """The rows of the energies, unweighted.

    Attributes:
        a: [energies, columns].
        b: [energies] eV per atom.
        fold: [energies] int.
        group: [energies] names.
    """

    a: np.ndarray
    b: np.ndarray
    fold: np.ndarray
    group: np.ndarray


class Validation(NamedTuple):
    """What cross-validation found.

    Attributes:
        factor: by which an energy, over its group's error, counts more than a force component over the force error.
        strength: of the ridge, chosen along with it.
        energy_error: mean absolute error of left-out energies, eV per atom.
        force_error: root mean square error of left-out force components, eV/Å.
        table: (factor, strength, energy error, force error) of everything that was tried.
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
) -> tuple[Weights, Validation, np.ndarray]:
    """Weights of the energies and the strength of the ridge, by cross-validation on the training data alone.

    Energies of different kinds of structure can be fitted to very different accuracy. The energies of each group are
    weighted by the inverse of that group's own error s_g (root mean square over left-out frames, iterated, and not less
    than a fifth of that of all energies), as maximum likelihood would:

        w_g = factor * s_forces / s_g.

    Force errors of one structure are correlated and by far more than energies, so that likelihood does not tell what
    energies should count against them. The one factor, and the strength of the ridge, are those of the least product of
    the two errors of left-out frames, which no choice of units changes.

    Args:
        energies: the rows of all energies.
        forces: of each fold, force rows with their weights.
        constant: [columns] bool, columns that are not shrunk.
        weights: whose factors by group, on forces, and whose forces and stress weights stay.
        factors: to try.
        strengths: to try.
        stresses: of each fold, stress rows with their weights; they are fitted, but choose nothing.

    Returns:
        The weights, what cross-validation found, and the penalty [columns] of squared coefficients.
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
                break  # nothing to balance
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
    """By group, the error of all forces over that of the group's forces, and over that of its stresses.

    The errors are those of a first fit that weights all forces alike and has no stresses. Crystals that are hardly
    strained have forces that a fit can reach ten times closer than those of a melt; alike weights would give away that
    accuracy, and with it elastic constants. Of these, some show in stresses alone: a crystal that is strained along one
    axis has no other sign of how hard it pulls along the others.

    Args:
        energies: the rows of all energies.
        forces: unweighted rows by fold and group.
        stresses: unweighted rows by fold and group.
        constant: [columns] bool, columns that are not shrunk.
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
    """The rows of several factors, each times its weight."""
    whole = Factor(columns)
    for factor, weight in zip(factors, weights, strict=True):
        a, b = factor.problem()
        whole.add(a * weight, b * weight)
    whole.rows = sum(f.rows for f in factors)
    return whole


def _column_scale(energies: EnergyRows, forces: Sequence[Factor], constant: np.ndarray) -> np.ndarray:
    """[columns] root mean square of each column, by which a ridge has no unit."""
    squares = sum((f.problem()[0] ** 2).sum(axis=0) for f in forces)
    count = sum(f.rows for f in forces)
    if not count:
        squares, count = ((energies.a - energies.a.mean(axis=0)) ** 2).sum(axis=0), len(energies.a)
    scale = np.sqrt(squares / count)
    return np.where(constant | (scale == 0), 1.0, scale)


def _spread(errors: np.ndarray, group: np.ndarray) -> np.ndarray:
    """[energies] root mean square error of the group of each."""
    if not len(errors):
        return errors
    least = LEAST_SHARE * np.sqrt((errors**2).mean())
    each = {g: max(np.sqrt((errors[group == g] ** 2).mean()), least) for g in dict.fromkeys(group)}
    return np.array([each[g] for g in group])


class _Fold:
    """All but one fold, ready to be solved for any weights of the energies, and what is left out.

    With K = forces' normal matrix + penalty, b their right-hand side, energies y = C c0 + E c1 and weights w, the least
    squares solution is

        c1 = K^-1 (b + E^T V^-1 (y - E K^-1 b - C c0)),   V = E K^-1 E^T + w^-2,

    with c0 that of generalised least squares: weights enter in a matrix of the size of the energies alone. Where there
    are more energies than coefficients, the normal equations are smaller.
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
            self.reach = scipy.linalg.cho_solve(factor, self.rows[:, free].T)  # [free, energies]
            self.cross = self.rows[:, free] @ self.reach

    def coefficients(self, weight: np.ndarray) -> np.ndarray:
        """[columns] the solution, given weights of the energies that are not left out."""
        free, rows = self.free, self.rows
        found = np.zeros(len(free))
        if self.dual:
            matrix = self.cross + np.diag(weight**-2.0)
            left = np.column_stack([self.target - rows[:, free] @ self.base, rows[:, ~free]])
            solved = _solved(matrix, left)
            found[~free] = np.linalg.lstsq(rows[:, ~free].T @ solved[:, 1:], rows[:, ~free].T @ solved[:, 0])[0]
            found[free] = self.base + self.reach @ (solved[:, 0] - solved[:, 1:] @ found[~free])
            return found
        weighted = rows * weight[:, None] ** 2
        matrix = weighted.T @ rows
        matrix[np.ix_(free, free)] += self.matrix
        vector = weighted.T @ self.target
        vector[free] += self.vector
        return np.linalg.lstsq(matrix, vector, rcond=1e-14)[0]

    def solve(self, weight: np.ndarray) -> tuple[np.ndarray, float]:
        """Residuals of the energies left out, and the sum of squares of the forces left out."""
        found = self.coefficients(weight[self.inside])
        return self.left_rows @ found - self.left_target, self.forces.loss(found) if self.forces.rows else 0.0


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x of matrix x = right for a positive definite matrix, the shortest x where rows depend on each other."""
    try:
        return scipy.linalg.cho_solve(scipy.linalg.cho_factor(matrix, check_finite=False), right, check_finite=False)
    except np.linalg.LinAlgError:  # the same structure twice, with a large weight
        return np.linalg.lstsq(matrix, right, rcond=None)[0]


def _left_out(folds: Sequence[_Fold], energies: EnergyRows, weight: np.ndarray) -> tuple[np.ndarray, float]:
    errors, squares = np.zeros(len(energies.b)), 0.0
    for fold in folds:
        errors[fold.out], more = fold.solve(weight)
        squares += more
    return errors, squares
