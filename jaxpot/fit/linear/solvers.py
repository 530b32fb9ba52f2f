"""Ways to solve a weighted linear least-squares problem, each by numpy, SciPy (LAPACK) or scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

__all__ = [
    "Solution",
    "Solver",
    "Stack",
    "automatic_relevance",
    "bayesian_ridge",
    "elastic_net",
    "lasso",
    "least_squares",
    "penalised",
    "ridge",
]

STRENGTHS = tuple(10.0**k for k in range(-10, 1))


class Stack(NamedTuple):
    """A weighted least-squares problem, whose rows may be the reduced form of many more (see :class:`Factor`).

    Attributes:
        a: [rows, columns].
        b: [rows].
        fold: [rows] int, the fold of the cross-validation that each row belongs to.
        constant: [columns] bool, columns that no solver penalises.
        number: number of rows before the reduction.
    """

    a: np.ndarray
    b: np.ndarray
    fold: np.ndarray
    constant: np.ndarray
    number: int


class Solution(NamedTuple):
    """The result of a solver.

    Attributes:
        coefficients: [columns].
        covariance: [columns, columns] covariance of the coefficients, for the noise estimated from the residuals; None
            if the solver computes none.
        strength: factor of the penalty, number * (rms of the column * coefficient)^2; None without a penalty.
    """

    coefficients: np.ndarray
    covariance: np.ndarray | None
    strength: float | None = None


Solver = Callable[[Stack], Solution]


def least_squares(rcond: float | None = None) -> Solver:
    """Plain least squares; the solution of least norm where columns depend on each other (LAPACK's SVD, ``gelsd``).

    Args:
        rcond: singular values below this fraction of the largest count as zero, for columns scaled to length 1; by
            default the precision of the numbers times the size of the problem.

    Returns:
        The solver.

    Example:
        >>> from jaxpot.fit import linear
        >>> solver = linear.least_squares()
    """

    def solve(stack: Stack) -> Solution:
        scale = _scale(stack.a, stack.constant, None)
        scaled = stack.a / scale
        limit = rcond if rcond is not None else np.finfo(float).eps * max(scaled.shape)
        found, _, rank, _ = scipy.linalg.lstsq(scaled, stack.b, cond=limit, check_finite=False)
        noise = _noise(stack, scaled @ found, int(rank))
        inverse = np.linalg.pinv(scaled.T @ scaled, rcond=limit, hermitian=True)
        return Solution(found / scale, noise * inverse / np.outer(scale, scale))

    return solve


def penalised(penalty: np.ndarray, strength: float | None = None) -> Solver:
    """Least squares with given penalties, min |A x - b|^2 + sum penalty x^2, by QR.

    Args:
        penalty: [columns], 0 for columns without a penalty.
        strength: the factor that the penalties were computed with; it is only passed on to the solution.

    Returns:
        The solver.
    """

    def solve(stack: Stack) -> Solution:
        kept = np.asarray(stack.a.any(axis=0))  # a column of zeros belongs to an element that does not occur
        root = np.sqrt(penalty[kept])
        scale = np.linalg.norm(np.concatenate([stack.a[:, kept], root[None]]), axis=0)
        a = np.concatenate([stack.a[:, kept], np.diag(root)]) / scale
        b = np.concatenate([stack.b, np.zeros(len(root))])
        q, r = scipy.linalg.qr(a, mode="economic", check_finite=False)
        inverse: Any
        if np.abs(np.diag(r)).min() > 1e-13 * np.abs(np.diag(r)).max():
            found = scipy.linalg.solve_triangular(r, q.T @ b, check_finite=False)
            inverse = scipy.linalg.solve_triangular(r, np.eye(len(r)), check_finite=False)
        else:  # dependent columns: the constants, where all compounds have the same composition
            inverse = np.linalg.pinv(r, rcond=1e-13)
            found = inverse @ (q.T @ b)
        # effective number of coefficients that the data determine, not the penalty
        used = float(((stack.a[:, kept] / scale @ inverse) ** 2).sum())
        noise = _noise(stack, stack.a[:, kept] @ (found / scale), used)
        coefficients = np.zeros(len(kept))
        coefficients[kept] = found / scale
        covariance = np.zeros((len(kept), len(kept)))
        covariance[np.ix_(kept, kept)] = noise * (inverse @ inverse.T) / np.outer(scale, scale)
        return Solution(coefficients, covariance, strength)

    return solve


def ridge(strength: float | None = None, strengths: Sequence[float] = STRENGTHS) -> Solver:
    """Least squares with a penalty strength * number * sum (rms of the column * coefficient)^2.

    Args:
        strength: factor of the penalty; by default the one with the least squared error in cross-validation.
        strengths: the factors to choose from.

    Returns:
        The solver.
    """

    def solve(stack: Stack) -> Solution:
        chosen = strength
        scale = np.where(stack.constant, 0.0, _scale(stack.a, stack.constant, stack.number))
        if chosen is None:
            errors = [_left_out(stack, one * stack.number * scale**2) for one in strengths]
            chosen = strengths[int(np.argmin(errors))]
        return penalised(chosen * stack.number * scale**2, chosen)(stack)

    return solve


def lasso(strength: float | None = None, **options: Any) -> Solver:
    """Least squares with a penalty on absolute values, which makes many coefficients zero (scikit-learn's ``Lasso``).

    Args:
        strength: scikit-learn's alpha for columns of rms 1; by default chosen by cross-validation (``LassoCV``).
        options: further options of the scikit-learn estimator.

    Returns:
        The solver; it knows no covariance.
    """
    return _sparse("Lasso", strength, options)


def elastic_net(strength: float | None = None, l1_ratio: float = 0.5, **options: Any) -> Solver:
    """Least squares with penalties on absolute values and on squares (scikit-learn's ``ElasticNet``).

    Args:
        strength: scikit-learn's alpha for columns of rms 1; by default chosen by cross-validation (``ElasticNetCV``).
        l1_ratio: share of the penalty that is on absolute values.
        options: further options of the scikit-learn estimator.

    Returns:
        The solver; it knows no covariance.
    """
    return _sparse("ElasticNet", strength, {"l1_ratio": l1_ratio, **options})


def bayesian_ridge(**options: Any) -> Solver:
    """Ridge regression whose strength and noise maximise the evidence (scikit-learn's ``BayesianRidge``).

    Args:
        options: further options of the scikit-learn estimator.

    Returns:
        The solver.
    """
    return _bayesian("BayesianRidge", options)


def automatic_relevance(**options: Any) -> Solver:
    """Ridge regression with one strength a coefficient, found by evidence, which makes many zero (``ARDRegression``).

    Args:
        options: further options of the scikit-learn estimator.

    Returns:
        The solver.
    """
    return _bayesian("ARDRegression", options)


def _sparse(name: str, strength: float | None, options: dict[str, Any]) -> Solver:
    def solve(stack: Stack) -> Solution:
        from sklearn import linear_model

        a, b, scale, back = _without_constants(stack)
        common = {"fit_intercept": False, "max_iter": 100_000, "precompute": True, **options}
        if strength is None:
            folds = [(np.flatnonzero(stack.fold != k), np.flatnonzero(stack.fold == k)) for k in np.unique(stack.fold)]
            # data from electronic structure have little noise: the best strength is far below the usual range
            model = getattr(linear_model, f"{name}CV")(cv=folds, **{"eps": 1e-6, **common})
        else:
            # scikit-learn divides by the number of rows it sees
            model = getattr(linear_model, name)(alpha=strength * stack.number / len(b), **common)
        model.fit(a, b)
        found = strength if strength is not None else float(model.alpha_) * len(b) / stack.number
        return Solution(back(model.coef_ / scale), None, found)

    return solve


def _bayesian(name: str, options: dict[str, Any]) -> Solver:
    def solve(stack: Stack) -> Solution:
        from sklearn import linear_model

        a, b, scale, back = _without_constants(stack)
        # the rows are a reduced form of more: the prior on the noise accounts for the number of missing ones
        unseen = 0.5 * (stack.number - len(b))
        model = getattr(linear_model, name)(fit_intercept=False, alpha_1=1e-6 + unseen, **options)
        model.fit(a, b)
        coefficients = back(model.coef_ / scale)
        prior = np.zeros(len(stack.constant))
        active = stack.constant.copy()
        precision = np.broadcast_to(model.lambda_, scale.shape) * scale**2
        prior[~stack.constant] = precision
        active[~stack.constant] = model.coef_ != 0
        unit = _scale(stack.a, stack.constant, None)[active]
        scaled = stack.a[:, active] / unit
        inverse = np.linalg.pinv(model.alpha_ * scaled.T @ scaled + np.diag(prior[active] / unit**2), hermitian=True)
        covariance = np.zeros((len(active), len(active)))
        covariance[np.ix_(active, active)] = inverse / np.outer(unit, unit)
        return Solution(coefficients, covariance, float(np.mean(model.lambda_) / model.alpha_) / stack.number)

    return solve


def _scale(a: np.ndarray, constant: np.ndarray, count: int | None) -> np.ndarray:
    """[columns] length of each column, or its root mean square over ``count`` rows; 1 for a column of zeros."""
    length = np.linalg.norm(a, axis=0)
    return np.where(length > 0, length if count is None else length / np.sqrt(count), 1.0)


def _without_constants(
    stack: Stack,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """A and b with the constants eliminated and columns of rms 1, the scale, and the function back to all columns."""
    fixed, free = stack.a[:, stack.constant], stack.a[:, ~stack.constant]
    basis = scipy.linalg.orth(fixed) if fixed.size else np.zeros((len(fixed), 0))
    a, b = free - basis @ (basis.T @ free), stack.b - basis @ (basis.T @ stack.b)
    scale = _scale(a, stack.constant[~stack.constant], stack.number)

    def back(found: np.ndarray) -> np.ndarray:
        coefficients = np.zeros(len(stack.constant))
        coefficients[~stack.constant] = found
        if fixed.size:
            coefficients[stack.constant] = np.linalg.lstsq(fixed, stack.b - free @ found)[0]
        return coefficients

    return a / scale, b, scale, back


def _noise(stack: Stack, found: np.ndarray, used: float) -> float:
    """The variance of a weighted residual."""
    return float(((found - stack.b) ** 2).sum()) / max(stack.number - used, 1.0)


def _left_out(stack: Stack, penalty: np.ndarray) -> float:
    """Sum of squared errors of all folds, each predicted from the others."""
    total = 0.0
    for k in np.unique(stack.fold):
        out = stack.fold == k
        rest = stack._replace(a=stack.a[~out], b=stack.b[~out], fold=stack.fold[~out])
        matrix = rest.a.T @ rest.a + np.diag(penalty)
        unit = np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
        found = np.linalg.lstsq(matrix / np.outer(unit, unit), rest.a.T @ rest.b / unit, rcond=1e-14)[0] / unit
        total += float(((stack.a[out] @ found - stack.b[out]) ** 2).sum())
    return total
