"""Linear fits of potentials that are linear in coefficients to energies, forces and stresses."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.batch.progress import Progress, counted
from jaxpot.evaluation import Params
from jaxpot.fit.dataset import Dataset
from jaxpot.fit.linear.factor import Factor
from jaxpot.fit.linear.left_out import EnergyRows
from jaxpot.fit.linear.rows import LinearProblem, linear_problem, rows_of, targets_of
from jaxpot.fit.linear.solvers import Solver, Stack, least_squares, penalised
from jaxpot.fit.linear.weights import (
    STRENGTHS,
    Validation,
    Weights,
    choose_weights,
    first_factors,
    merged,
    warn_of_groups,
)
from jaxpot.potential import Potential, add

__all__ = ["LinearFit", "fit_linear"]

FOLDS = 10


@dataclasses.dataclass(frozen=True)
class LinearFit:
    """A fitted potential.

    Attributes:
        potential: the given potential, without the reference.
        params: the fitted params.
        reference: the (potential, params) that was subtracted, or None.
        names: names of the coefficients.
        coefficients: [columns].
        covariance: [columns, columns] covariance of the coefficients, or None if the solver computes none. It ignores
            that the errors of forces in one structure are correlated, so it is too small rather than too large.
        weights: weights of energies, forces and stresses by group.
        strength: strength of the penalty, if any.
        validation: the cross-validation that chose the weights; None if they were given.
        problem: the potential as a linear problem.
        stack: the weighted rows that were solved.
        solver: the solver, for :meth:`bootstrap`.
        level: [columns] coefficients that ``atom_energies`` fix; 0 elsewhere.
    """

    potential: Potential
    params: Params
    reference: tuple[Potential, Params] | None
    names: tuple[str, ...]
    coefficients: np.ndarray
    covariance: np.ndarray | None
    weights: Weights
    strength: float | None
    validation: Validation | None
    problem: LinearProblem = dataclasses.field(repr=False)
    stack: Stack = dataclasses.field(repr=False)
    solver: Solver = dataclasses.field(repr=False)
    level: np.ndarray = dataclasses.field(repr=False)

    @property
    def total(self) -> tuple[Potential, Params]:
        """The potential and params that predict the data: with the reference, where one was subtracted."""
        if self.reference is None:
            return self.potential, self.params
        return add(self.potential, self.reference[0]), (self.params, self.reference[1])

    def posterior(self, members: int, seed: int = 0) -> Params:
        """Draws params from the normal distribution with this covariance, with a leading axis [members].

        Args:
            members: number of draws.
            seed: seed of the draws.

        Returns:
            Params of :attr:`potential` for ``jax.vmap``.

        Raises:
            ValueError: the solver gives no covariance.
        """
        if self.covariance is None:
            raise ValueError(
                "this solver gives no covariance; take least_squares, ridge or bayesian_ridge, or bootstrap"
            )
        scale = np.sqrt(np.maximum(np.diag(self.covariance), np.finfo(float).tiny))
        values, vectors = np.linalg.eigh(self.covariance / np.outer(scale, scale))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        draws = np.random.default_rng(seed).normal(size=(members, len(scale)))
        return self._stacked(self.coefficients + (draws @ root.T) * scale)

    def bootstrap(self, members: int, seed: int = 0) -> Params:
        """Fits params to the data with random weights of the folds (the Bayesian bootstrap), with an axis [members].

        Args:
            members: number of fits.
            seed: seed of the weights, which are Dirichlet distributed with mean 1, one a fold. The fit should have been
                made with many ``folds``.

        Returns:
            Params of :attr:`potential` for ``jax.vmap``.
        """
        random = np.random.default_rng(seed)
        folds = np.unique(self.stack.fold)
        found = []
        for _ in range(members):
            weight = np.sqrt(random.dirichlet(np.ones(len(folds))) * len(folds))[
                np.searchsorted(folds, self.stack.fold)
            ]
            again = self.stack._replace(a=self.stack.a * weight[:, None], b=self.stack.b * weight)
            found.append(self.solver(again).coefficients + self.level)
        return self._stacked(np.array(found))

    def _stacked(self, coefficients: np.ndarray) -> Params:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *[self.problem.params(row) for row in coefficients])


def fit_linear(
    potential: Potential,
    dataset: Dataset,
    weights: Weights | None = None,
    solver: Solver | None = None,
    reference: tuple[Potential, Params] | None = None,
    atom_energies: Mapping[str, float] | None = None,
    params: Params = None,
    leaf: str | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    dtype: Any = None,
    batch_size: int | None = None,
    minutes: float | None = None,
    progress: Progress = False,
) -> LinearFit:
    """Fits coefficients to energies per atom, forces and stresses by weighted linear least squares.

    Structures are evaluated in batches, and their rows are reduced to one triangle for each fold (:class:`Factor`), so
    memory does not grow with the data. The result is that of one large least-squares problem, apart from rounding.

    Args:
        potential: a descriptor with a head that is linear in its coefficients, such as :func:`jaxpot.snap`; or any
            potential that is linear in one leaf of its params, then with ``params`` and ``leaf``.
        dataset: the frames. Labels that a frame lacks are left out.
        weights: weights of energies, forces and stresses; by default chosen by cross-validation, together with the
            strength of a ridge (:func:`choose_weights`).
        solver: by default that ridge; :func:`least_squares` where weights are given.
        reference: a potential and its params, such as ZBL, whose energies, forces and stresses are subtracted from the
            data before the fit.
        atom_energies: eV, energy of an isolated atom of every element, subtracted likewise. A potential with constants
            takes them as its constants, which are not fitted then.
        params: for a linear head, only numbers of the descriptor that replace its own; for any other potential, all
            leaves.
        leaf: the key of the fitted leaf; None for a linear head.
        folds: number of parts of the data for cross-validation and bootstrap.
        seed: seed of the division into folds.
        dtype: float type of the rows; JAX's default if None. They are always added up in float64.
        batch_size: most structures at once; by default as many as fit in 256 MB.
        minutes: time after which no further weights are tried; those that were tried decide.
        progress: whether to show a bar on a terminal; or a function, which is called with a text now and then.

    Returns:
        The :class:`LinearFit`.

    Raises:
        ValueError: the potential is not linear, the data hold an unknown element, or there is nothing to fit because
            labels are missing or all weights are 0.
        TimeoutError: ``minutes`` have passed before there were rows of all frames, or any choice of weights.

    Example:
        >>> import jaxpot, numpy as np
        >>> from ase.build import bulk
        >>> from jaxpot.fit import Dataset, Frame, fit_linear
        >>> truth = jaxpot.morse(cutoff=5.0), {"D0": 0.35, "alpha": 1.36, "r0": 2.87}
        >>> crystals = [bulk("Cu", a=3.6, cubic=True) for k in range(4)]
        >>> for k, atoms in enumerate(crystals):
        ...     atoms.rattle(0.1, seed=k)
        >>> found = jaxpot.evaluate(*truth, crystals)
        >>> data = Dataset(tuple(Frame(a, f.energy, f.forces) for a, f in zip(crystals, found)))
        >>> guess = {**truth[1], "D0": 1.0}
        >>> fit = fit_linear(truth[0], data, jaxpot.fit.Weights(), params=guess, leaf="D0")
        >>> f"{fit.params['D0']:.4f}"
        '0.3500'
    """
    limit = time.perf_counter() + (math.inf if minutes is None else 60.0 * minutes)
    problem = linear_problem(potential, params, leaf)
    if not len(dataset):
        raise ValueError("the data set is empty; give frames to fit to")
    folds = max(min(folds, len(dataset)), 1)
    of_frame = np.zeros(len(dataset), int)
    if folds > 1:
        for k, members in enumerate(dataset.folds(folds, seed)):
            of_frame[members] = k
    base = Weights() if weights is None else weights
    alone, known = targets_of(dataset, reference, atom_energies, dtype)
    # while weights are chosen, forces and stresses of every group are kept separately until their weights are known
    force_factors: dict[tuple[int, str], Factor] = {}
    stress_factors: dict[tuple[int, str], Factor] = {}
    energies: list[tuple[np.ndarray, float, int, str]] = []
    stress = weights is None or any(base.of(group)[2] > 0 for group in dataset.groups)
    stress = stress and any(frame.stress is not None for frame in dataset)
    for rows in rows_of(problem, dataset, alone, known, stress, dtype, batch_size, progress, limit):
        group, fold = dataset[rows.frame].group, int(of_frame[rows.frame])
        used_here = (1.0, 1.0) if weights is None else base.of(group)[1:]
        for part, weight, kept in zip(
            (rows.forces, rows.stress), used_here, (force_factors, stress_factors), strict=True
        ):
            if part is not None and weight > 0:
                key = (fold, group if weights is None else "")
                kept.setdefault(key, Factor(problem.columns)).add(part[0] * weight, part[1] * weight)
        if rows.energy is not None:
            energies.append((*rows.energy, fold, group))
    level, held = np.zeros(problem.columns), np.zeros(problem.columns, bool)
    if atom_energies is not None:
        held = problem.constant
        level[held] = _levels(potential, atom_energies)[: int(held.sum())]
    free = ~held
    if held.any():
        force_factors, stress_factors = (
            {key: _columns(f, free) for key, f in kept.items()} for kept in (force_factors, stress_factors)
        )
    columns = np.array([row for row, *_ in energies]).reshape(len(energies), problem.columns)[:, free]
    table = EnergyRows(
        columns,
        np.array([target for _, target, *_ in energies]),
        np.array([fold for *_, fold, _ in energies], int),
        np.array([group for *_, group in energies], str),
    )
    if not len(table.b) and not any(f.rows for f in (*force_factors.values(), *stress_factors.values())):
        raise ValueError("there is nothing to fit to: no frame has a label that has a weight")
    constant, validation, used = problem.constant[free], None, base
    choosing = weights is None and folds > 1
    if choosing and force_factors:
        each, of_stress = first_factors(table, force_factors, stress_factors, constant)
        groups = {g: (1.0, each.get(g, 1.0), of_stress.get(g, 1.0)) for g in {**each, **of_stress}}
        base = Weights(stress=1.0 if stress_factors else 0.0, groups=groups)
    elif weights is None:
        stress_factors = {}

    def of_folds(kept: dict[tuple[int, str], Factor], quantity: int) -> list[Factor]:
        """The rows of each fold with the weights of their groups."""
        return [
            merged(
                len(constant),
                [f for (k, _), f in kept.items() if k == fold],
                [base.of(g)[quantity] if weights is None else 1.0 for k, g in kept if k == fold],
            )
            for fold in range(folds)
        ]

    forces, stresses = of_folds(force_factors, 1), of_folds(stress_factors, 2)
    if choosing:
        with counted(len(STRENGTHS) + 2, progress, "ridge", "choosing weights") as tick:
            used, validation, penalty = choose_weights(
                table, forces, constant, base, stresses=stresses, tick=tick, limit=limit
            )
        warn_of_groups(validation)
        solver = penalised(penalty, validation.strength) if solver is None else solver
    solver = least_squares() if solver is None else solver
    stack = _stack(table, [*enumerate(forces), *enumerate(stresses)], constant, used)
    solution = solver(stack)
    coefficients = level.copy()
    coefficients[free] = solution.coefficients
    covariance = None
    if solution.covariance is not None:
        covariance = np.zeros((problem.columns, problem.columns))
        covariance[np.ix_(free, free)] = solution.covariance

    return LinearFit(
        potential, problem.params(coefficients), reference, problem.names, coefficients, covariance, used,
        solution.strength, validation, problem, stack, _padded(solver, free), level,
    )  # fmt: skip


def _levels(potential: Potential, atom_energies: Mapping[str, float]) -> list[float]:
    """Energies of isolated atoms in the order of the species."""
    if potential.elements is not None:
        return [float(atom_energies[symbol]) for symbol in potential.elements]
    if len(set(atom_energies.values())) > 1:
        raise ValueError(f"{potential.name} tells no elements apart; give one energy of an isolated atom")
    return [float(next(iter(atom_energies.values())))]


def _columns(factor: Factor, kept: np.ndarray) -> Factor:
    """A factor with the same rows and only the kept columns."""
    fewer = Factor(int(kept.sum()))
    a, b = factor.problem()
    fewer.add(a[:, kept], b)
    fewer.rows = factor.rows
    return fewer


def _stack(energies: EnergyRows, rest: list[tuple[int, Factor]], constant: np.ndarray, weights: Weights) -> Stack:
    """All weighted rows: those of the energies, and the (fold, factor) pairs of forces and stresses."""
    weight = np.array([weights.of(group)[0] for group in energies.group])
    parts = [(k, *f.problem()) for k, f in rest]
    return Stack(
        np.concatenate([energies.a * weight[:, None], *(a for _, a, _ in parts)]),
        np.concatenate([energies.b * weight, *(b for *_, b in parts)]),
        np.concatenate([energies.fold, *(np.full(len(b), k) for k, _, b in parts)]).astype(int),
        constant,
        int((weight > 0).sum()) + sum(f.rows for _, f in rest),
    )


def _padded(solver: Solver, free: np.ndarray) -> Solver:
    """A solver that returns coefficients for all columns, 0 for those that are not free."""

    def solve(stack: Stack) -> Any:
        found = solver(stack)
        coefficients = np.zeros(len(free))
        coefficients[free] = found.coefficients
        return found._replace(coefficients=coefficients)

    return solve
