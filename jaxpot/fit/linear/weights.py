"""Weights of energies, forces and stresses in a fit, and their choice by cross-validation."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxpot.batch.progress import Tick, silent
from jaxpot.fit.linear.factor import Factor
from jaxpot.fit.linear.left_out import EnergyRows, Fold, left_out

__all__ = ["Validation", "Weights", "choose_weights", "first_factors", "merged", "warn_of_groups"]

FACTORS = (2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0, 50.0)
STRENGTHS = (1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)  # then also half a decade around the best
FIRST_FACTOR = 10.0  # factor of the energies in the first fit
STRESS_FACTOR = 3.0  # ratio of weights of a stress and a force component, each in units of its own error
ENERGY_RATIO = 3.0  # largest ratio of the weights of the energies of two groups
FORCE_RATIO = 10.0  # likewise of forces
LEAST_SHARE = 0.2  # the stress error of a group counts as at least this part of that of all groups
FORCE_BOUND = 1.12  # largest ratio of the error of forces to the least that any choice reaches
GIVEN_UP = 2.0  # a hard group is named whose error is this many times the least that any choice reaches
NEGLIGIBLE = 1e-3  # eV per atom, an error of energies that no warning names
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


class _Choice(NamedTuple):
    """A combination that was tried: its errors, and the weights [energies] that it gives."""

    factor: float
    strength: float
    energy_error: float
    force_error: float
    groups: np.ndarray  # root mean square error of each group
    weight: np.ndarray

    @property
    def score(self) -> float:
        of_groups = float(np.sqrt((self.groups**2).mean())) if len(self.groups) else 1.0
        return float(0.5 * np.log(self.energy_error * of_groups) + np.log(self.force_error))


class Validation(NamedTuple):
    """The result of a cross-validation.

    Attributes:
        factor: ratio of weights of an energy and a force component, each in units of its own error.
        strength: strength of the ridge, chosen together with the factor.
        energy_error: mean absolute error of left-out energies, eV per atom.
        force_error: root mean square error of left-out force components, eV/Å.
        groups: by group of frames, the root mean square error of its left-out energies, and the least that any
            combination reached, eV per atom.
        table: (factor, strength, energy error, force error) of every combination that was tried.
        complete: False where the time was over before all of them were.
    """

    factor: float
    strength: float
    energy_error: float
    force_error: float
    groups: dict[str, tuple[float, float]]
    table: tuple[tuple[float, float, float, float], ...]
    complete: bool = True


def choose_weights(
    energies: EnergyRows,
    forces: Sequence[Factor],
    constant: np.ndarray,
    weights: Weights,
    factors: Sequence[float] = FACTORS,
    strengths: Sequence[float] = STRENGTHS,
    stresses: Sequence[Factor] = (),
    tick: Tick = silent,
    limit: float = math.inf,
) -> tuple[Weights, Validation, np.ndarray]:
    """Chooses weights of the energies and the strength of the ridge, by cross-validation on the training data.

    Energies of different kinds of structure can be fitted with very different accuracy. The energies of group g have
    the weight

        w_g = factor * s_forces / s_g.

    s_g is the root mean square error of the group's left-out energies, found by iteration, and kept between m / sqrt(3)
    and sqrt(3) m, with m the geometric mean of all groups. Without these bounds a group that is hard to fit would lose
    weight, be fitted worse, and lose more weight.

    The factor and the strength of the ridge are those of the least E * F, which no choice of units changes. F is the
    root mean square error of left-out forces. E is the geometric mean of the mean absolute error of all left-out
    energies and of the root mean square of the errors s_g, in which a group of few frames counts as much as any other.
    Only choices whose F is at most 12 % above the least are considered.

    Args:
        energies: the rows of all energies.
        forces: weighted force rows, one factor a fold.
        constant: [columns] bool, columns without a penalty.
        weights: weights of forces and stresses and their factors by group, which are kept.
        factors: the factors to try.
        strengths: the strengths to try.
        stresses: weighted stress rows, one factor a fold; they are fitted, but do not influence the choice.
        tick: called after each strength.
        limit: value of ``time.perf_counter`` at which to try no more; at least one combination is tried.

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
    tried: list[_Choice] = []

    def over() -> bool:
        return bool(tried) and time.perf_counter() > limit

    def add(strength: float) -> None:
        if over():
            return
        penalty = strength * number * scale[free] ** 2
        folds = [Fold(energies, normals, forces[k], k, free, penalty) for k in range(len(forces))]
        for choice in _tried(folds, energies, strength, factors):
            tried.append(choice)
            if over():
                break
        tick()

    for strength in strengths:
        add(strength)
    if len(strengths) > 1:
        add(_best(tried).strength * 10**0.5)
        add(_best(tried).strength * 10**-0.5)
    best = _best(tried)
    names = [str(group) for group in dict.fromkeys(energies.group)]
    groups = {}
    for group in names:
        own = weights.groups.get(group, (1.0, 1.0, 1.0))
        groups[group] = (float(best.weight[energies.group == group][0]), own[1], own[2])
    kept = {name: factors for name, factors in weights.groups.items() if name not in groups}
    full = np.where(constant, 0.0, best.strength * number * scale**2)
    result = Weights(1.0, weights.forces, weights.stress, {**kept, **groups})
    least = np.min([choice.groups for choice in tried], axis=0)
    of_groups = dict(zip(names, zip(best.groups.tolist(), least.tolist(), strict=True), strict=True))
    return result, Validation(*best[:4], of_groups, tuple(choice[:4] for choice in tried), not over()), full


def _tried(folds: Sequence[Fold], energies: EnergyRows, strength: float, factors: Sequence[float]) -> Iterator[_Choice]:
    """All factors with one strength of the ridge."""
    count = sum(fold.forces.rows for fold in folds)
    spread, force_error = np.full(len(energies.b), 1.0 / 300.0), 1.0
    for factor in factors:
        for _ in range(ROUNDS):
            weight = factor * force_error / spread
            errors, squares = left_out(folds, energies, weight)
            force_error = float(np.sqrt(squares / count)) if count else 1.0
            groups = np.sqrt([(errors[energies.group == g] ** 2).mean() for g in dict.fromkeys(energies.group)])
            spread = _bounded(groups, energies.group)
        mean = float(np.abs(errors).mean()) if len(errors) else 1.0
        yield _Choice(factor, strength, mean, force_error, groups, weight)
        if not count or not len(errors):
            return  # energies or forces alone: all factors give the same fit


def _best(tried: Sequence[_Choice]) -> _Choice:
    """The choice of the best score among those that do not give up the forces."""
    least = min(choice.force_error for choice in tried)
    return min((choice for choice in tried if choice.force_error <= FORCE_BOUND * least), key=lambda one: one.score)


def warn_of_groups(validation: Validation) -> None:
    """Warns of groups whose energies the chosen weights give up for the others; not of those with small errors.

    Args:
        validation: with the errors of all groups.
    """
    texts = [
        f"{group!r} ({1e3 * error:.3g} meV/atom; other weights reach {1e3 * least:.3g})"
        for group, (error, least) in validation.groups.items()
        if error > max(GIVEN_UP * least, validation.energy_error, NEGLIGIBLE)
    ]
    if texts:
        warnings.warn(
            f"the weights that cross-validation chose give up the energies of {', '.join(texts)}; choose weights "
            "by group yourself if they matter",
            stacklevel=3,
        )


def first_factors(
    energies: EnergyRows,
    forces: Mapping[tuple[int, str], Factor],
    stresses: Mapping[tuple[int, str], Factor],
    constant: np.ndarray,
) -> tuple[dict[str, float], dict[str, float]]:
    """Factors of forces and stresses by group: the error of all forces over that of the group's forces or stresses.

    The errors are those of a first fit without stresses in which all forces have the same weight. Forces of slightly
    strained crystals can be fitted ten times more accurately than those of a melt. Equal weights would lose this
    accuracy, and elastic constants would suffer. No group's forces have a factor below 1 or above 10. Some elastic
    constants appear in stresses only: in a crystal strained along one axis, the stresses along the other axes have no
    effect on forces.

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
    of_forces = {g: max(1.0, force_error / max(e, force_error / FORCE_RATIO)) for g, e in by_group.items()}
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


def _bounded(errors: np.ndarray, group: np.ndarray) -> np.ndarray:
    """[energies] error of the group that each belongs to, within the bounds around the geometric mean of all groups."""
    if not len(errors):
        return errors
    errors = np.maximum(errors, np.finfo(float).tiny)
    middle, bound = np.exp(np.log(errors).mean()), ENERGY_RATIO**0.5
    known = dict(zip(dict.fromkeys(group), np.clip(errors, middle / bound, middle * bound), strict=True))
    return np.array([known[g] for g in group])
