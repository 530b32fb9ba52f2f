"""Linear fits: any potential that is linear in coefficients, to energies, forces and stresses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.fit.dataset import Dataset
from jaxpot.fit.linear.factor import Factor
from jaxpot.fit.linear.rows import LinearProblem, linear_problem, rows_of, targets_of
from jaxpot.fit.linear.solvers import Solver, Stack, least_squares, penalised
from jaxpot.fit.linear.weights import EnergyRows, Validation, Weights, choose_weights, first_factors, merged
from jaxpot.potential import Potential, add

__all__ = ["LinearFit", "fit_linear"]

FOLDS = 10


@dataclasses.dataclass(frozen=True)
class LinearFit:
    """A fitted potential.

    Attributes:
        potential: as given, without the reference.
        params: fitted.
        reference: the (potential, params) that was subtracted, or None.
        names: of the coefficients.
        coefficients: [columns].
        covariance: [columns, columns] of the coefficients, or None where the solver knows none. Errors of the forces of
            one structure are correlated, which it does not know: it is too small rather than too large.
        weights: of energies, forces and stresses by group.
        strength: of the penalty, if any.
        validation: of the choice of the weights, where they were chosen.
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
        """Params drawn from the normal distribution of the covariance, with a leading axis [members].

        Args:
            members: how many.
            seed: of the draw.

        Returns:
            Params of :attr:`potential` for ``jax.vmap``.

        Raises:
            ValueError: the solver knows no covariance.
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
        """Params fitted to the data with the folds weighted at random (the Bayesian bootstrap), [members] of them.

        Args:
            members: how many.
            seed: of the weights, exponentially distributed with mean 1, one a fold; fit with many ``folds`` for this.

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
    progress: bool = False,
) -> LinearFit:
    """Coefficients of least weighted squares of energies per atom, forces and stresses.

    Structures come in batches; of their rows only a triangle is kept for each fold (:class:`Factor`), so that memory
    does not grow with the data; nothing but the order of the additions differs from one large least-squares problem.

    Args:
        potential: a descriptor with a head that is linear in its coefficients, such as :func:`jaxpot.snap`; or any that
            is linear in one leaf of its params, then with ``params`` and ``leaf``.
        dataset: the frames. Labels that a frame lacks are left out.
        weights: of energies, forces and stresses; by default chosen by cross-validation, see :func:`choose_weights`,
            together with the strength of a ridge.
        solver: by default that ridge; where weights are given, :func:`least_squares`.
        reference: a potential and its params, such as ZBL, that are subtracted from the data before the fit.
        atom_energies: eV, energy of an isolated atom of every element, subtracted likewise; it goes into the constant
            of a potential that has one, and is not fitted then.
        params: of a potential that does not say that it is linear: all leaves. Of one that does: what its features
            depend on besides, such as numbers of the descriptor.
        leaf: of such a potential: which of them is fitted.
        folds: number of parts of the data for cross-validation and bootstrap.
        seed: of the folds.
        dtype: float type of the rows; JAX's default if None. They are added up in float64.
        batch_size: most structures at once; by default what fits in 256 MB.
        progress: whether a bar shows how far it is.

    Returns:
        The :class:`LinearFit`.

    Raises:
        ValueError: the potential is not linear, the data hold an unknown element or nothing to fit, or weights leave
            nothing.

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
    # where weights are chosen, forces of every group are kept apart until theirs are known
    apart: dict[tuple[int, str], Factor] = {}
    pressed: dict[tuple[int, str], Factor] = {}
    energies: list[tuple[np.ndarray, float, int, str]] = []
    stress = weights is None or any(base.of(group)[2] > 0 for group in dataset.groups)
    stress = stress and any(frame.stress is not None for frame in dataset)
    for rows in rows_of(problem, dataset, alone, known, stress, dtype, batch_size, progress):
        group, fold = dataset[rows.frame].group, int(of_frame[rows.frame])
        used_here = (1.0, 1.0) if weights is None else base.of(group)[1:]
        for part, weight, kept in zip((rows.forces, rows.stress), used_here, (apart, pressed), strict=True):
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
        apart, pressed = ({key: _columns(f, free) for key, f in kept.items()} for kept in (apart, pressed))
    columns = np.array([row for row, *_ in energies]).reshape(len(energies), problem.columns)[:, free]
    table = EnergyRows(
        columns,
        np.array([target for _, target, *_ in energies]),
        np.array([fold for *_, fold, _ in energies], int),
        np.array([group for *_, group in energies], str),
    )
    if not len(table.b) and not any(f.rows for f in (*apart.values(), *pressed.values())):
        raise ValueError("there is nothing to fit to: no frame has a label that has a weight")
    constant, validation, used = problem.constant[free], None, base
    choosing = weights is None and folds > 1
    if choosing and apart:
        each, of_stress = first_factors(table, apart, pressed, constant)
        groups = {g: (1.0, each.get(g, 1.0), of_stress.get(g, 1.0)) for g in {**each, **of_stress}}
        base = Weights(stress=1.0 if pressed else 0.0, groups=groups)
    elif weights is None:
        pressed = {}

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

    forces, stresses = of_folds(apart, 1), of_folds(pressed, 2)
    if choosing:
        used, validation, penalty = choose_weights(table, forces, constant, base, stresses=stresses)
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
    """The same rows without some columns."""
    fewer = Factor(int(kept.sum()))
    a, b = factor.problem()
    fewer.add(a[:, kept], b)
    fewer.rows = factor.rows
    return fewer


def _stack(energies: EnergyRows, rest: list[tuple[int, Factor]], constant: np.ndarray, weights: Weights) -> Stack:
    """All weighted rows; those of others than energies come with their fold."""
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
    """A solver whose coefficients stand in their places among all columns."""

    def solve(stack: Stack) -> Any:
        found = solver(stack)
        coefficients = np.zeros(len(free))
        coefficients[free] = found.coefficients
        return found._replace(coefficients=coefficients)

    return solve
