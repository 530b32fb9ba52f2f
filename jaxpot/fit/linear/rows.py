"""The design matrix of a linear fit: derivatives of energies, forces and stresses by the coefficients, row by row."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.batch import Result, batch, evaluate
from jaxpot.batch.checks import checked_dtype, checked_params
from jaxpot.batch.named_data import system_of
from jaxpot.batch.progress import Progress, check_time, counted
from jaxpot.engine import DescriptorPotential, DesignRows
from jaxpot.evaluation import Evaluation, Params, cast_params
from jaxpot.fit.dataset import Dataset
from jaxpot.heads import DesignHead
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.spec import once_for_each
from jaxpot.system import System

__all__ = ["LinearProblem", "Rows", "linear_problem", "rows_of", "targets_of"]

BUDGET = 256_000_000  # bytes; limit for the rows in memory at once


class LinearProblem(NamedTuple):
    """A potential as a linear function of its coefficients, one column each, plus a fixed offset.

    Attributes:
        potential: the potential.
        names: names of the columns.
        constant: [columns] bool, columns whose feature is 1 for every atom of one element; no penalty applies to them.
        leaf: key of the fitted leaf of the params, whose rows come from differentiation; None for a linear head.
        fixed: params that are not fitted, in the form that rows and offset take.
        params: function that makes the potential's params from the coefficients [columns].
    """

    potential: Potential
    names: tuple[str, ...]
    constant: np.ndarray
    leaf: str | None
    fixed: Params
    params: Callable[[np.ndarray], Params]

    @property
    def columns(self) -> int:
        """The number of coefficients."""
        return len(self.names)

    def rows(self, stress: bool = True) -> Callable[[System, Neighbors | None], DesignRows]:
        """The compiled function ``(systems, neighbors) -> DesignRows`` of a batch, whose last two axes are the columns.

        Args:
            stress: whether to compute virials; otherwise they are 0.
        """
        return functools.partial(_programs(self.potential)(self.leaf, "rows", stress), self.fixed)

    def offset(self) -> Callable[[System, Neighbors | None], Evaluation] | None:
        """The compiled function ``(systems, neighbors) -> Evaluation`` at zero coefficients; None if that is zero."""
        if self.leaf is None:
            return None
        return functools.partial(_programs(self.potential)(self.leaf, "offset", True), self.fixed)


class Rows(NamedTuple):
    """The rows of the design matrix that belong to one frame, unweighted. None where the frame has no such label.

    Attributes:
        frame: place of the frame in the data set.
        energy: [columns] and the target, eV per atom.
        forces: [3 atoms, columns] and the targets, eV/Å.
        stress: [6, columns] and the targets, eV/Å^3, in ASE's order.
    """

    frame: int
    energy: tuple[np.ndarray, float] | None
    forces: tuple[np.ndarray, np.ndarray] | None
    stress: tuple[np.ndarray, np.ndarray] | None


def linear_problem(potential: Potential, params: Params = None, leaf: str | None = None) -> LinearProblem:
    """Describes a potential for a linear fit.

    Args:
        potential: a descriptor with a head that is linear in coefficients, such as :func:`jaxpot.snap`; or any other
            potential that is linear (with or without an offset) in one leaf of its params, whose rows then come from
            forward-mode differentiation.
        params: for a linear head, only numbers of the descriptor that replace its own. For any other potential, all
            leaves; of the fitted one only the shape counts.
        leaf: the key of the fitted leaf, such as ``"epsilon"``; None for a linear head.

    Returns:
        The :class:`LinearProblem`.

    Raises:
        ValueError: the potential has no linear head and no leaf is named, or there is no such leaf.
    """
    if leaf is None and isinstance(potential, DescriptorPotential) and isinstance(potential.head, DesignHead):
        descriptor, form = potential.descriptor, potential.head.names(potential.descriptor)
        species = descriptor.species
        symbols = ("",) if species == 1 else tuple(f"{symbol} " for symbol in descriptor.symbols)
        shape = (species, len(form))
        fixed = {name: value for name, value in (params or {}).items() if name != "coefficients"}

        def whole(coefficients: Any) -> Params:
            return {**fixed, "coefficients": jnp.asarray(coefficients.reshape(shape), jnp.result_type(float))}

        names = tuple(f"{symbol}{name}" for symbol in symbols for name in form)
        constant = np.tile(np.array([name == "1" for name in form]), species)
        return LinearProblem(potential, names, constant, None, fixed, whole)
    if leaf is None or params is None:
        raise ValueError(
            f"{potential.name} does not say that it is linear in coefficients; name the leaf of its params in which it "
            "is, leaf=..., and give all params, of which the others stay as they are"
        )
    if not isinstance(params, Mapping) or leaf not in params:
        known = ", ".join(params) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"{potential.name} has no params called {leaf!r}, but {known}; name one of them")
    shape = np.shape(params[leaf])

    def filled(coefficients: Any) -> Params:
        return {**params, leaf: jnp.reshape(jnp.asarray(coefficients, jnp.result_type(float)), shape)}

    names = tuple(f"{leaf}{list(map(int, at)) if shape else ''}" for at in np.ndindex(*shape))
    return LinearProblem(potential, names, np.zeros(len(names), bool), leaf, dict(params), filled)


@once_for_each
def _programs(potential: Potential) -> Callable[..., Callable[..., Any]]:
    """The compiled functions of a potential, made once and shared by all of its fits."""

    def evaluation(
        leaf: str, coefficients: jax.Array, params: Params, system: System, neighbors: Neighbors
    ) -> Evaluation:
        cast = cast_params(params, system.positions.dtype)
        return potential.evaluate({**cast, leaf: coefficients.reshape(jnp.shape(cast[leaf]))}, system, neighbors)

    def design(leaf: str | None, params: Params, system: System, neighbors: Neighbors) -> DesignRows:
        if leaf is None:
            assert isinstance(potential, DescriptorPotential)
            return potential.design(system, neighbors, params)
        zero = jnp.zeros(jnp.size(params[leaf]), system.positions.dtype)
        slope = jax.jacfwd(evaluation, 1)(leaf, zero, params, system, neighbors)
        return DesignRows(slope.energies.sum(axis=0)[None], slope.forces[:, :, None], slope.virial[:, :, None])

    def offset(leaf: str, params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        zero = jnp.zeros(jnp.size(params[leaf]), system.positions.dtype)
        return evaluation(leaf, zero, params, system, neighbors)

    @functools.cache
    def program(leaf: str | None, what: str, stress: bool) -> Callable[..., Any]:
        function: Callable[..., Any] = {"rows": design, "offset": offset}[what]

        def one(params: Params, leaves: Any) -> Any:
            found = function(leaf, params, *leaves)
            return found if stress else found._replace(virial=jnp.zeros_like(found.virial))

        return jax.jit(lambda params, *batch: jax.lax.map(functools.partial(one, params), batch))

    return program


def targets_of(
    dataset: Dataset,
    reference: tuple[Potential, Params] | None,
    atom_energies: Mapping[str, float] | None,
    dtype: Any = None,
) -> tuple[np.ndarray, list[Result] | None]:
    """Energies of isolated atoms [frames], eV, and results of the reference: both are subtracted before the fit."""
    alone = np.zeros(len(dataset))
    if atom_energies is not None:
        missing = sorted(set(dataset.elements) - set(atom_energies))
        if missing:
            raise ValueError(f"no energy of an isolated atom of {', '.join(missing)}; give one for every element")
        alone = np.array([sum(atom_energies[s] for s in frame.atoms.get_chemical_symbols()) for frame in dataset])
    return alone, None if reference is None else evaluate(*reference, dataset.atoms, dtype)


def rows_of(
    problem: LinearProblem,
    dataset: Dataset,
    alone: np.ndarray,
    reference: Sequence[Result] | None,
    stress: bool = False,
    dtype: Any = None,
    batch_size: int | None = None,
    progress: Progress = False,
    limit: float = math.inf,
) -> Iterator[Rows]:
    """Computes the rows of all frames in batches of equal shape, not in the order of the data set.

    Args:
        problem: the potential as a linear problem.
        dataset: the frames.
        alone: [frames] eV, energies of isolated atoms, which are subtracted.
        reference: one result a frame, which is subtracted; None for no reference.
        stress: whether to make rows for the stress.
        dtype: float type of the evaluation; JAX's default if None.
        batch_size: most structures at once; by default as many as fit in 256 MB.
        progress: whether to show a bar on a terminal; or a function, which is called with a text now and then.
        limit: value of ``time.perf_counter`` at which to give up.

    Yields:
        :class:`Rows`, one frame after another.

    Raises:
        TimeoutError: the limit has passed.
    """
    dtype = checked_dtype(dtype)
    potential = problem.potential
    systems = []
    for frame in dataset:
        try:
            systems.append(system_of(frame.atoms, potential, dtype))
        except ValueError as error:
            raise ValueError(f"{frame.source}: {error}") from None
    largest = max(len(s.positions) for s in systems)
    if batch_size is None:
        batch_size = max(BUDGET // (largest * 3 * problem.columns * dtype.itemsize * 4), 1)
    batches = batch(systems, potential, batch_size=batch_size)
    compute, offset = problem.rows(stress), problem.offset()
    if offset is not None:
        _check_linear(problem, batches[0], stress)
    done = 0
    with counted(len(dataset), progress, "structure", "rows of the fit") as tick:
        for one in batches:
            check_time(limit, done, len(dataset), "structures")
            found: Any = jax.device_get(compute(one.system, one.neighbors))
            fixed: Any = None if offset is None else jax.device_get(offset(one.system, one.neighbors))
            for place, index in enumerate(np.asarray(one.indices).tolist()):
                if index < len(dataset):
                    own, rest = jax.tree.map(lambda x, k=place: np.asarray(x[k], np.float64), (found, fixed))
                    yield _rows(dataset, index, own, rest, alone[index], reference, stress)
                    tick()
                    done += 1


def _rows(
    dataset: Dataset,
    index: int,
    rows: Any,
    fixed: Any,
    alone: float,
    reference: Sequence[Result] | None,
    stress: bool,
) -> Rows:
    frame = dataset[index]
    atoms = len(frame.atoms)
    energies, forces = rows.energies.ravel(), rows.forces[:atoms].reshape(3 * atoms, -1)
    virial = rows.virial.reshape(3, 3, -1)
    if not (np.isfinite(energies).all() and np.isfinite(forces).all()):
        raise FloatingPointError(f"{frame.source}: the features are not finite; look for atoms on top of each other")
    known = None if reference is None else reference[index]

    def rest(label: Any, ours: Any, of_reference: Any) -> Any:
        return label - (0.0 if fixed is None else ours) - (0.0 if known is None else of_reference)

    energy_rows = force_rows = stress_rows = None
    if frame.energy is not None:
        left = rest(
            frame.energy, None if fixed is None else fixed.energies.sum(), None if known is None else known.energy
        )
        energy_rows = (energies / atoms, float(left - alone) / atoms)
    if frame.forces is not None:
        left = rest(
            frame.forces, None if fixed is None else fixed.forces[:atoms], None if known is None else known.forces
        )
        force_rows = (forces, left.ravel())
    if stress and frame.stress is not None and frame.atoms.cell.rank == 3:  # without a cell there is no stress
        volume = frame.atoms.cell.volume
        left = rest(
            frame.stress, None if fixed is None else fixed.virial / volume, None if known is None else known.stress
        )
        voigt = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
        stress_rows = (virial[voigt] / volume, left[voigt])
    return Rows(index, energy_rows, force_rows, stress_rows)


def _check_linear(problem: LinearProblem, one: Any, stress: bool) -> None:
    """Raise ValueError unless the rows reproduce energies and forces of a batch, for random coefficients."""
    random = np.random.default_rng(0).normal(size=problem.columns) + 0.5
    dtype = one.system.positions.dtype
    params = checked_params(problem.params(random), np.dtype(dtype))
    rows = problem.rows(stress)(one.system, one.neighbors)
    offset = problem.offset()
    assert offset is not None
    start = offset(one.system, one.neighbors)
    found = jax.jit(jax.vmap(problem.potential.evaluate, (None, 0, 0)))(params, one.system, one.neighbors)
    tolerance = 1e-3 if dtype == jnp.float32 else 1e-9
    pairs = (
        (found.energies.sum(axis=1), start.energies.sum(axis=1), rows.energies[:, 0]),
        (found.forces, start.forces, rows.forces[:, :, :, 0]),
    )
    for value, base, slope in pairs:
        parts = np.asarray(slope) * random
        scale = np.abs(parts).sum(axis=-1).max() + np.abs(base).max()
        if not np.allclose(value, base + parts.sum(axis=-1), rtol=0, atol=tolerance * float(scale)):
            raise ValueError(
                f"{problem.potential.name} is not linear in {problem.names[0]} ...; fit it by gradients instead"
            )
