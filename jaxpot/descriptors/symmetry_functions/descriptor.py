"""A set of symmetry functions as a descriptor."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import jax

from jaxpot.descriptors.descriptor import Descriptor
from jaxpot.descriptors.environment import Environment
from jaxpot.descriptors.symmetry_functions.evaluation import Evaluator, evaluator
from jaxpot.descriptors.symmetry_functions.functions import SymmetryFunction, in_order
from jaxpot.spec import plain_data

__all__ = ["SymmetryFunctions", "symmetry_functions"]


@plain_data
@dataclasses.dataclass(frozen=True)
class SymmetryFunctions(Descriptor):
    """Behler's symmetry functions, a set for each element, as a descriptor; :func:`symmetry_functions` makes one.

    The values of an atom are the functions of its element, in their order, followed by zeros up to the largest number
    of functions of an element. The trainable numbers are eta and shift of the distinct Gaussians, ``{"radial": {"eta",
    "shift"}, "angular": {"eta", "shift"}}``, 1/Å^2 and Å. Zeta and lambda are fixed, because they are exponents and
    signs.

    Attributes:
        elements: chemical symbols whose order gives the species.
        functions: of all elements, those of each in the order of its values.
        cutoff_function: see :func:`jaxpot.descriptors.symmetry_functions.cutoff_function`.
        inner: inner cutoff as a fraction of the cutoff.
    """

    block: ClassVar[int] = 128  # atoms are the last axis, so pairs of neighbours are gathered in rows of this length

    elements: tuple[str, ...]
    functions: tuple[SymmetryFunction, ...]
    cutoff_function: str = "cos"
    inner: float = 0.0

    def __post_init__(self) -> None:
        self.evaluator  # noqa: B018  # raises where the functions are invalid

    @property
    def evaluator(self) -> Evaluator:
        """All functions, combined in one function of arrays."""
        return _evaluator(self.elements, self.functions, self.cutoff_function, self.inner)

    @property
    def cutoff(self) -> float:
        """Å, the largest cutoff of a function."""
        return self.evaluator.cutoff

    @property
    def names(self) -> tuple[str, ...]:
        """G1, G2 ... up to the largest number of functions of an element; :meth:`names_of` names those of one."""
        return tuple(f"G{k + 1}" for k in range(max(map(len, self.evaluator.functions.values()))))

    def functions_of(self, symbol: str) -> tuple[SymmetryFunction, ...]:
        """The functions of one element, in the order of its values.

        Args:
            symbol: of the element.
        """
        return self.evaluator.functions[symbol]

    def names_of(self, species: int) -> tuple[str, ...]:
        """Names of the functions of one element, with their types and the neighbours' elements.

        Args:
            species: index into ``elements``.
        """
        return tuple(
            f"G{f.type}[{'-'.join(f.neighbors) or 'all'}, {k + 1}]"
            for k, f in enumerate(self.functions_of(self.elements[species]))
        )

    def values(self, environment: Environment) -> jax.Array:
        """The functions of many atoms, [atoms, number].

        Args:
            environment: arrays [atoms, neighbors].
        """
        return self.values_by(None, environment)

    def values_by(self, numbers: Any, env: Environment) -> jax.Array:
        """The functions of many atoms with given numbers, [atoms, number].

        Args:
            numbers: shaped as :meth:`numbers`; None for the descriptor's own.
            env: arrays [atoms, neighbors].
        """
        # the evaluator takes neighbours along the first axis and atoms along the last
        x, y, z, distances, species, mask = (
            leaf.T for leaf in (env.x, env.y, env.z, env.distances, env.species, env.mask)
        )
        return self.evaluator.values(numbers, x, y, z, distances, species, env.own_species, mask).T

    def numbers(self) -> Any:
        """Eta and shift of the distinct Gaussians."""
        return self.evaluator.numbers

    def with_numbers(self, numbers: Any) -> SymmetryFunctions:
        """The same functions with other Gaussians.

        Args:
            numbers: shaped as :meth:`numbers`.
        """
        return _WithNumbers(self.elements, self.functions, self.cutoff_function, self.inner, numbers)

    def select(self, columns: Sequence[Sequence[int]]) -> SymmetryFunctions:
        """The set of some of the functions; the others are not evaluated.

        Args:
            columns: for each element, places of the functions to keep.
        """
        kept = [self.functions_of(s)[k] for s, chosen in zip(self.elements, columns, strict=True) for k in chosen]
        return dataclasses.replace(self, functions=tuple(kept))


@dataclasses.dataclass(frozen=True, eq=False)
class _WithNumbers(SymmetryFunctions):
    given: Any = None

    def values(self, environment: Environment) -> jax.Array:
        return self.values_by(self.given, environment)


_evaluator = functools.cache(evaluator)


def symmetry_functions(
    elements: Sequence[str],
    functions: Iterable[SymmetryFunction],
    cutoff_function: str = "cos",
    inner: float = 0.0,
) -> SymmetryFunctions:
    """A set of symmetry functions in the order of n2p2 and RuNNer.

    Args:
        elements: chemical symbols whose order gives the species.
        functions: of all elements, in any order.
        cutoff_function: "cos", "tanh", "poly2" ..., see :func:`jaxpot.descriptors.symmetry_functions.cutoff_function`.
        inner: inner cutoff as a fraction of the cutoff.

    Returns:
        The descriptor.

    Raises:
        ValueError: no or unknown elements, an element without functions, or invalid functions.

    Example:
        >>> from jaxpot.descriptors.symmetry_functions import radial, symmetry_functions
        >>> symmetry_functions(["Ar"], [radial("Ar", "Ar", 6.0, eta) for eta in (0.5, 0.1)]).names_of(0)
        ('G2[Ar, 1]', 'G2[Ar, 2]')
    """
    from ase.data import atomic_numbers

    elements = tuple(elements)
    if not elements or len(set(elements)) < len(elements):
        raise ValueError(f"symmetry functions need distinct elements, got {elements}")
    strange = [symbol for symbol in elements if symbol not in atomic_numbers]
    if strange:
        raise ValueError(f"{strange[0]!r} is no chemical symbol")
    functions = list(functions)
    for one in functions:
        if not {one.center, *one.neighbors} <= set(elements):
            raise ValueError(f"a symmetry function is for none of the elements {elements}: {one}")
    ordered = in_order(functions, sorted(elements, key=atomic_numbers.__getitem__))
    bare = [symbol for symbol in elements if not any(f.center == symbol for f in ordered)]
    if bare:
        raise ValueError(f"{bare[0]} has no symmetry functions; give each element some")
    return SymmetryFunctions(elements, tuple(ordered), cutoff_function, float(inner))
