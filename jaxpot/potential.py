"""The one shape of every potential, sums and multiples."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.neighbors import Neighbors
from jaxpot.recipe import Recipe
from jaxpot.system import System

__all__ = [
    "DesignRows",
    "Evaluation",
    "LinearForm",
    "Potential",
    "add",
    "scale",
]

Params = Any


class Evaluation(NamedTuple):
    """What one evaluation of a potential gives.

    Attributes:
        energies: [atoms] eV.
        forces: [atoms, 3] eV/Å.
        virial: [3, 3] eV, the derivative of the energy with respect to a homogeneous strain of positions and cell,
            symmetric; divided by the volume it is the stress in ASE's sign.
    """

    energies: jax.Array
    forces: jax.Array
    virial: jax.Array


class DesignRows(NamedTuple):
    """How energy, forces and virial of a structure depend on the coefficients of a potential that is linear in them.

    The energy is ``sum(energies * coefficients)``, and likewise along the last two axes for forces and virial.

    Attributes:
        energies: [species, features].
        forces: [atoms, 3, species, features] 1/Å.
        virial: [3, 3, species, features].
    """

    energies: jax.Array
    forces: jax.Array
    virial: jax.Array


class LinearForm(NamedTuple):
    """That a potential is linear in ``params["coefficients"]`` [species, features].

    Attributes:
        features: how many coefficients a species has.
        names: of the features.
        rows: ``(system, neighbors) -> DesignRows``, a pure function.
    """

    features: int
    names: tuple[str, ...]
    rows: Callable[[System, Neighbors], DesignRows]


def _no_init(*_: Any) -> Params:
    raise ValueError(
        "this potential has no default parameters; "
        "take a published set (jaxpot.available()), read a file (jaxpot.load), or pass a pytree"
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Potential:
    """A potential: a pure function of (params, system, neighbors) with its static facts.

    Build one with a factory such as :func:`jaxpot.lennard_jones`; write a new one with
    :func:`jaxpot.pair_potential`, :func:`jaxpot.radial_potential` or :func:`jaxpot.environment_potential`.

    Attributes:
        name: of the kind of potential.
        cutoff: Å, the range within which it needs neighbours; 0 where it needs none.
        elements: chemical symbols whose order gives the species; None if it does not tell elements apart.
        atomic_energies: ``(params, system, neighbors) -> [atoms]`` eV; the sum is the energy.
        init: makes default parameters, where the potential has any.
        evaluate: ``(params, system, neighbors) -> Evaluation``; by default by automatic differentiation of
            ``atomic_energies``, while the engine gives its potentials a faster way to the same numbers.
        source: what the file said besides the numbers that are fitted, or the grid of its tables; :func:`jaxpot.save`
            writes it back. None for potentials that no file format holds, and for sums of potentials.
        linear: for potentials that are linear in their coefficients, how they depend on them; None for others.
        recipe: the factory and its arguments, from which :func:`jaxpot.load` makes the potential again; None for
            potentials that are not made by a factory of the library.
        molecule: for a potential that is bound to one molecule, the species of its atoms in their order; None for one
            that takes any atoms.
    """

    name: str
    cutoff: float
    elements: tuple[str, ...] | None
    atomic_energies: Callable[[Params, System, Neighbors], jax.Array]
    init: Callable[..., Params] = _no_init
    evaluate: Callable[[Params, System, Neighbors], Evaluation] = None  # type: ignore[assignment]
    source: Any = None
    linear: LinearForm | None = None
    recipe: Recipe | None = None
    molecule: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.evaluate is None:
            object.__setattr__(self, "evaluate", functools.partial(evaluate_by_autodiff, self.atomic_energies))

    def __add__(self, other: Potential) -> Potential:
        return add(self, other)

    def __repr__(self) -> str:
        return f"Potential({self.name!r}, cutoff={self.cutoff:g}, elements={self.elements})"


def evaluate_by_autodiff(
    energies: Callable[[Params, System, Neighbors], jax.Array], params: Params, system: System, neighbors: Neighbors
) -> Evaluation:
    """Energies, forces and virial of any potential by one reverse pass through positions and strain."""

    def strained(positions: jax.Array, strain: jax.Array) -> tuple[jax.Array, jax.Array]:
        symmetric = 0.5 * (strain + strain.T)
        moved = system.replace(positions=positions + positions @ symmetric, cell=system.cell + system.cell @ symmetric)
        each = energies(params, moved, neighbors)
        return each.sum(), each

    zero = jnp.zeros((3, 3), system.positions.dtype)
    (gradient, virial_), each = jax.grad(strained, (0, 1), has_aux=True)(system.positions, zero)
    return Evaluation(each, -gradient, virial_)


def add(*potentials: Potential) -> Potential:
    """The sum of potentials; its params are the tuple of the parts' params.

    Args:
        potentials: at least one; their ``elements`` agree, or are None.

    Returns:
        A :class:`Potential` with the largest cutoff of the parts.

    Raises:
        ValueError: no potential given, the parts order their elements differently, or are bound to different molecules.

    Example:
        >>> import jaxpot
        >>> both = jaxpot.lennard_jones(cutoff=8.0) + jaxpot.morse(cutoff=6.0)
        >>> both.cutoff, both.name
        (8.0, 'lennard_jones + morse')
    """
    if not potentials:
        raise ValueError("add needs at least one potential")
    known = {p.elements for p in potentials if p.elements is not None}
    if len(known) > 1:
        raise ValueError(
            f"the parts order their elements differently: {sorted(known)}; build each with the same elements=..."
        )

    molecules = {p.molecule for p in potentials if p.molecule is not None}
    if len(molecules) > 1:
        raise ValueError("the parts are bound to different molecules, or to one with its atoms in different orders")

    def energies(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        parts = [p.atomic_energies(q, system, neighbors) for p, q in _zip(potentials, params)]
        return sum(parts[1:], parts[0])

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        parts = [p.evaluate(q, system, neighbors) for p, q in _zip(potentials, params)]
        return jax.tree.map(lambda *terms: sum(terms[1:], terms[0]), *parts)

    def init(*args: Any) -> Params:
        return tuple(p.init(*args) for p in potentials)

    return Potential(
        name=" + ".join(p.name for p in potentials),
        cutoff=max(p.cutoff for p in potentials),
        elements=known.pop() if known else None,
        atomic_energies=energies,
        init=init,
        evaluate=evaluate,
        molecule=molecules.pop() if molecules else None,
    )


def _zip(potentials: tuple[Potential, ...], params: Params) -> list[tuple[Potential, Params]]:
    if not isinstance(params, tuple | list) or len(params) != len(potentials):
        names = ", ".join(p.name for p in potentials)
        raise ValueError(f"params of this sum must be a tuple of {len(potentials)}, one each for {names}")
    return list(zip(potentials, params, strict=True))


def scale(potential: Potential, factor: float) -> Potential:
    """A potential times a number; its params stay those of the potential.

    Args:
        potential: any potential.
        factor: multiplies energies, forces and stress.

    Returns:
        The scaled :class:`Potential`.

    Example:
        >>> import jaxpot
        >>> jaxpot.scale(jaxpot.lennard_jones(cutoff=8.0), 0.5).name
        '0.5 * lennard_jones'
    """

    def energies(params: Params, system: System, neighbors: Neighbors) -> jax.Array:
        return factor * potential.atomic_energies(params, system, neighbors)

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        return jax.tree.map(lambda x: factor * x, potential.evaluate(params, system, neighbors))

    return dataclasses.replace(
        potential,
        name=f"{factor:g} * {potential.name}",
        atomic_energies=energies,
        evaluate=evaluate,
        source=None,
        linear=None,
        recipe=None,
    )
