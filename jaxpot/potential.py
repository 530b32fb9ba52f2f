"""The class of all potentials, and sums of potentials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.errors import misplaced
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params, cast_params
from jaxpot.extras import add_results
from jaxpot.guard import guarded
from jaxpot.neighbors import Neighbors
from jaxpot.spec import Spec, potential_kind
from jaxpot.system import System

__all__ = [
    "Potential",
    "add",
    "add_evaluations",
    "all_ranges",
    "check_potential",
    "common_elements",
    "no_init",
    "part_of_sum",
    "prepare",
    "with_params",
]


def no_init(*_: Any) -> Params:
    """``init`` of a potential without default parameters."""
    raise ValueError(
        "this potential has no default parameters; "
        "take a published set (jaxpot.available()), read a file (jaxpot.load), or pass a pytree"
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Potential:
    """A potential: pure functions of (params, system, neighbors), and their static properties.

    Build one with a factory such as :func:`jaxpot.lennard_jones`; write a new one with
    :func:`jaxpot.pair_potential`, :func:`jaxpot.radial_potential` or :func:`jaxpot.environment_potential`.

    Attributes:
        name: of the kind of potential.
        cutoff: Å, the distance within which it needs neighbours; 0 if it needs none.
        elements: chemical symbols whose order gives the species; None if it does not distinguish elements.
        unchecked: the pure :class:`Functions`, for drivers that have checked the list themselves. A single function
            ``(params, system, neighbors) -> [atoms]`` of the energies may be given instead.
        init: makes default parameters, if the potential has any.
        spec: the factory and its arguments, from which the potential can be made again; None for a potential that is
            made of functions.
        prepare: ``(params, dtype) -> params or Prepared``, which computes once per run all that depends only on params.
        needs: names of the system's data that the energy depends on, such as ``charges``.
        gives: names of the results in ``Evaluation.extras``.
        ranges: Å, the cutoffs of the parts of a sum in descending order; by default the cutoff alone.
        resolution: 1/Å, the largest wave number of its sums in reciprocal space, for which lists then choose numbers of
            waves; 0 without such sums.
        constant: names of the results that do not depend on positions and cell, such as charges by species.
    """

    name: str
    cutoff: float
    elements: tuple[str, ...] | None
    unchecked: Functions
    init: Callable[..., Params] = no_init
    spec: Spec | None = None
    prepare: Callable[[Params, Any], Any] = cast_params
    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    ranges: tuple[float, ...] = ()
    resolution: float = 0.0
    constant: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.unchecked, Functions):
            energies: Any = self.unchecked
            object.__setattr__(self, "unchecked", Functions(lambda *given: Outputs(energies(*given))))
        if not self.ranges and self.cutoff > 0:
            object.__setattr__(self, "ranges", (self.cutoff,))

    def atomic_energies(self, params: Params, system: System, neighbors: Neighbors | None) -> jax.Array:
        """Per-atom energies; their sum is the energy.

        Args:
            params: pytree.
            system: atoms and cell.
            neighbors: list of the system; None for a potential without a cutoff.

        Returns:
            [atoms] eV; NaN under ``jax.jit`` where the list is not usable.

        Raises:
            UnusableListError: the list has overflowed or is out of date, or a number is not finite.
            ValueError: a list, species or data that do not fit the potential.
        """
        return guarded(_energies, self, params, system, neighbors)

    def evaluate(self, params: Params, system: System, neighbors: Neighbors | None) -> Evaluation:
        """Energies, forces and virial in one pass.

        Args:
            params: pytree.
            system: atoms and cell.
            neighbors: list of the system; None for a potential without a cutoff.

        Returns:
            The :class:`Evaluation`; NaN under ``jax.jit`` where the list is not usable.

        Raises:
            UnusableListError: the list has overflowed or is out of date, or a number is not finite.
            ValueError: a list, species or data that do not fit the potential.
        """
        return guarded(_evaluation, self, params, system, neighbors)

    def with_file(self, file: Any) -> Potential:
        """The same potential with additional content of its file, such as comments, in ``spec.file``.

        Args:
            file: plain data, which has no influence on any number; :func:`jaxpot.save` writes it back.

        Returns:
            The :class:`Potential`.
        """
        if self.spec is None:
            raise ValueError(f"{self.name} has no spec that could hold the content of a file")
        return dataclasses.replace(self, spec=dataclasses.replace(self.spec, file=file))

    def __add__(self, other: Potential) -> Potential:
        return add(self, other)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.spec is None:
            raise ValueError(
                f"{self.name} is made of functions and cannot be pickled; make it by a factory decorated with "
                "jaxpot.potential_kind"
            )
        return _made, (self.spec,)

    def __repr__(self) -> str:
        return f"Potential({self.name!r}, cutoff={self.cutoff:g}, elements={self.elements})"


def _energies(potential: Potential, params: Params, system: System, neighbors: Neighbors) -> jax.Array:
    return potential.unchecked.energies(params, system, neighbors)


def _evaluation(potential: Potential, params: Params, system: System, neighbors: Neighbors) -> Evaluation:
    return potential.unchecked.evaluate(params, system, neighbors)


def _made(spec: Spec) -> Potential:
    return spec.build()


def prepare(potential: Potential, params: Params, dtype: Any = None) -> Any:
    """Params prepared for many evaluations: all that depends only on params, such as splines from knots, is computed.

    Args:
        potential: whose params they are.
        params: pytree.
        dtype: of the positions; JAX's default float type if None.

    Returns:
        A pytree that every evaluation of the potential takes in place of params.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5)
        >>> ready = jaxpot.prepare(potential, {"epsilon": 0.0104, "sigma": 3.4})
        >>> ready["sigma"].dtype == jnp.result_type(float)
        True
    """
    check_potential("prepare", potential, "the order is (potential, params)")
    return potential.prepare(params, jnp.dtype(jnp.result_type(float) if dtype is None else dtype))


@potential_kind
def add(*potentials: Potential) -> Potential:
    """The sum of potentials; its params are the tuple of the parts' params.

    A list made by ``jaxpot.neighbor_list(sum)`` stores the neighbours within the cutoff of each part separately, so
    that no part computes pairs beyond its own cutoff. Results that several parts give are combined by the rules that
    :mod:`jaxpot.extras` declares.

    Args:
        potentials: at least one; their ``elements`` agree, or are None.

    Returns:
        A :class:`Potential` with the largest cutoff of the parts.

    Raises:
        ValueError: no potential given, or the parts order their elements differently.

    Example:
        >>> import jaxpot
        >>> both = jaxpot.lennard_jones(cutoff=8.0) + jaxpot.morse(cutoff=6.0)
        >>> both.ranges, both.name
        ((8.0, 6.0), 'lennard_jones + morse')
    """
    elements = common_elements("add", potentials)

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        parts = [part_of_sum(p, neighbors).outputs(q, system, neighbors) for p, q in with_params(potentials, params)]
        return Outputs(sum(p.energies for p in parts), add_results([p.extras for p in parts]))  # type: ignore[arg-type]

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        parts = [part_of_sum(p, neighbors).evaluate(q, system, neighbors) for p, q in with_params(potentials, params)]
        return add_evaluations(parts)

    return Potential(
        name=" + ".join(p.name for p in potentials),
        cutoff=max(p.cutoff for p in potentials),
        elements=elements,
        unchecked=Functions(outputs, evaluate),
        init=lambda *args: tuple(p.init(*args) for p in potentials),
        prepare=lambda params, dtype: tuple(p.prepare(q, dtype) for p, q in with_params(potentials, params)),
        needs=frozenset().union(*[p.needs for p in potentials]),
        gives=frozenset().union(*[p.gives for p in potentials]),
        ranges=all_ranges(potentials),
        resolution=max(p.resolution for p in potentials),
        constant=frozenset().union(*[p.constant for p in potentials]),
    )


def add_evaluations(parts: Sequence[Evaluation]) -> Evaluation:
    """The evaluation of a sum of potentials from those of its parts."""
    energies, forces, virial = (sum(terms[1:], terms[0]) for terms in zip(*[p[:3] for p in parts], strict=True))
    return Evaluation(energies, forces, virial, add_results([p.extras for p in parts]))


def check_potential(owner: str, potential: Any, order: str) -> None:
    """Raise TypeError where something else stands in the place of a potential.

    Args:
        owner: the function that was called.
        potential: what was given.
        order: the order of its arguments.
    """
    if not isinstance(potential, Potential):
        raise misplaced(owner, potential, "a potential", order)


def all_ranges(potentials: tuple[Potential, ...]) -> tuple[float, ...]:
    """The distinct cutoffs of all parts, in descending order."""
    return tuple(sorted({r for p in potentials for r in p.ranges}, reverse=True))


def part_of_sum(potential: Potential, neighbors: Neighbors | None) -> Functions:
    """A part's functions of the list of the whole sum: the part sees its own cutoff, and has energies of centers only.

    A part without a cutoff computes the energies of all atoms. Where the list has the neighbours of some centers only,
    those of the other atoms are set to 0, as in every other part.
    """
    part = potential.unchecked
    if neighbors is None:
        return part
    mine: Any = neighbors.within(potential.cutoff) if potential.cutoff > 0 else None
    evaluate: Any = lambda q, s, _: part.evaluate(q, s, mine)  # noqa: E731
    if mine is None and neighbors.plan.other_atoms:
        evaluate = None  # the forces are the derivative of the energies that are left
    return Functions(lambda q, s, _: part.outputs(q, s, mine), evaluate)


def common_elements(name: str, potentials: tuple[Potential, ...]) -> tuple[str, ...] | None:
    """The elements that potentials agree on; ValueError where they do not."""
    if not potentials:
        raise ValueError(f"{name} needs at least one potential")
    for p in potentials:
        check_potential(name, p, "pass potentials one after the other")
    known = {p.elements for p in potentials if p.elements is not None}
    if len(known) > 1:
        raise ValueError(
            f"the parts order their elements differently: {sorted(known)}; build each with the same elements=..."
        )
    return known.pop() if known else None


def with_params(potentials: tuple[Potential, ...], params: Params) -> list[tuple[Potential, Params]]:
    """Each potential with its params; ValueError where the numbers of potentials and params differ."""
    if not isinstance(params, tuple | list) or len(params) != len(potentials):
        names = ", ".join(p.name for p in potentials)
        raise ValueError(f"params of {len(potentials)} potentials must be a tuple, one each for {names}")
    return list(zip(potentials, params, strict=True))
