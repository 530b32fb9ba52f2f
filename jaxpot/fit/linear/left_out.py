"""The solutions without one fold of the data, for many weights of the energies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg

from jaxpot.fit.linear.factor import Factor

__all__ = ["EnergyRows", "Fold", "left_out"]


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


class Fold:
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


def left_out(folds: Sequence[Fold], energies: EnergyRows, weight: np.ndarray) -> tuple[np.ndarray, float]:
    errors, squares = np.zeros(len(energies.b)), 0.0
    for fold in folds:
        errors[fold.out], more = fold.solve(weight)
        squares += more
    return errors, squares
