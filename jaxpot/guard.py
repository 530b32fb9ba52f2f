"""Checks that a system and its list fit a potential: an error where values are known, NaN results under jit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.errors import UnusableListError, misplaced
from jaxpot.extras import check_needed
from jaxpot.neighbors import Neighbors, problem, usable
from jaxpot.neighbors.validity import check_system_type
from jaxpot.system import System

if TYPE_CHECKING:
    from jaxpot.potential import Potential

__all__ = ["check", "check_list", "guarded", "nan_unless"]

T = TypeVar("T")


def check(potential: Potential, system: System, neighbors: Neighbors | None) -> None:
    """Raise where system and list do not fit a potential or each other; traced values are not checked.

    Args:
        potential: to be evaluated.
        system: atoms and cell; may be traced.
        neighbors: list of the system; may be traced.

    Raises:
        TypeError: arguments of other types, or in another order.
        ValueError: a list that is too short or for another number of atoms, a species without an element, or data that
            the potential needs and the system lacks.
        UnusableListError: the list has overflowed or is out of date, or a number is not finite.
    """
    check_system_type(system, potential.name, "the order is (params, system, neighbors)")
    if neighbors is not None and not isinstance(neighbors, Neighbors):
        remedy = "pass jaxpot.neighbor_list(potential).allocate(system)"
        raise misplaced(potential.name, neighbors, "a list of neighbours", remedy)
    species = system.species if _known((system.species, system.extras)) and system.species.ndim == 1 else None
    check_needed(potential.name, potential.needs, system.extras, species, potential.elements)
    if potential.cutoff > 0:
        check_list(potential.name, potential.cutoff, system, neighbors)
    if not _known((_geometry(system), neighbors)):
        return
    if potential.elements is not None and system.species.ndim == 1:
        wrong = np.flatnonzero(np.asarray(system.species) >= len(potential.elements))
        if wrong.size:
            raise ValueError(
                f"atom {wrong[0]} has species {system.species[wrong[0]]}, but {potential.name} has "
                f"{len(potential.elements)} elements; species go from 0 to {len(potential.elements) - 1}, and -1 marks "
                "a padded atom"
            )
    with jax.ensure_compile_time_eval():  # evaluates concrete arrays at once, also while a function is traced
        found = _problem(potential, system, neighbors)
    if found is not None:
        raise UnusableListError(f"{potential.name}: {found}")


def _problem(potential: Potential, system: System, neighbors: Neighbors | None) -> str | None:
    """A sentence about what is wrong with a system and its list, both concrete; None if nothing is."""
    if neighbors is None:
        wrong = np.flatnonzero(~np.isfinite(np.asarray(system.positions)).all(axis=-1))
        return f"the position of atom {wrong[0]} is not finite; repair the structure" if wrong.size else None
    # data such as charges may be traced where positions are known
    return problem(system.replace(extras={}), neighbors, potential.ranges)


def check_list(name: str, cutoff: float, system: System, neighbors: Neighbors | None) -> None:
    """Raise where a list is missing, too short, or for another number of atoms; all of these are static.

    Args:
        name: of the potential.
        cutoff: Å, of the potential.
        system: atoms and cell.
        neighbors: the list.

    Raises:
        ValueError: the list does not fit; the message says what to do.
    """
    if neighbors is None:
        raise ValueError(f"{name} needs neighbours: pass jaxpot.neighbor_list({cutoff:g}).allocate(system)")
    if neighbors.cutoff < cutoff * (1 - 1e-9):
        raise ValueError(
            f"{name} has cutoff {cutoff:g} Å, but the neighbour list was made for {neighbors.cutoff:g} Å; "
            "allocate one with jaxpot.neighbor_list(potential)"
        )
    if system.positions.shape[-2] != neighbors.row_of_atom.shape[-1]:
        raise ValueError(
            f"the system has {system.positions.shape[-2]} atoms, but the neighbour list was made for "
            f"{neighbors.row_of_atom.shape[-1]}; allocate a new list"
        )


def guarded(
    function: Callable[[Any, Any, System, Any], T],
    potential: Any,
    params: Any,
    system: System,
    neighbors: Neighbors | None,
) -> T:
    """``function(potential, params, system, neighbors)``, with an error or NaN where system and list cannot be used.

    It is one compiled program for each shape, also outside of ``jax.jit``, where the loops and branches of a formula
    would otherwise be compiled again in every call.

    Args:
        function: defined at the top level of a module, since the program is kept under this function.
        potential: to be evaluated.
        params: of the potential.
        system: atoms and cell.
        neighbors: the list.

    Returns:
        The result; under ``jax.jit`` it and all its derivatives are NaN where a number is not finite, a species has no
        element, or the list is not usable.

    Raises:
        TypeError: see :func:`check`.
        ValueError: see :func:`check`; or params that the formula refuses.
        UnusableListError: see :func:`check`.
    """
    check(potential, system, neighbors)
    _check_numbers(potential.name, params)
    found = _program(function, potential)(params, system, neighbors)
    if _known((params, system, neighbors, found)) and any(np.isnan(leaf).any() for leaf in _floats(found)):
        # step by step, where the formula's own checks know the numbers of params and say what is wrong with them
        function(potential, params, system, neighbors)
    return found


def _check_numbers(name: str, params: Any) -> None:
    """Raise where params hold what is no number, such as arguments in another order."""
    if isinstance(params, System | Neighbors):
        raise misplaced(name, params, "a pytree of params", "the order is (params, system, neighbors)")
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | bool | int | float | complex):
            where = f"params{jax.tree_util.keystr(path)}"
            raise misplaced(name, leaf, f"a number of {where}", "the order is (params, system, neighbors)")


def _program(function: Callable[..., T], potential: Any) -> Callable[..., T]:
    """The compiled function of one potential, kept with the potential."""
    kept: dict[Any, Any] = potential.__dict__.setdefault("_programs", {})
    if function not in kept:
        kept[function] = jax.jit(functools.partial(_or_nan, function, potential))
    program: Callable[..., T] = kept[function]
    return program


def _or_nan(function: Callable[..., T], potential: Any, params: Any, system: System, neighbors: Neighbors | None) -> T:
    fixed: Any = jax.lax.stop_gradient((system, neighbors))
    if neighbors is None:
        right = jnp.isfinite(fixed[0].positions).all()
    else:
        right = usable(fixed[0], fixed[1], potential.ranges)
    if potential.elements is not None:
        right &= jnp.all(fixed[0].species < len(potential.elements))
    # what goes in is multiplied too: a pair that is left out has no derivative that a factor on the result could change
    return nan_unless(right, function(potential, nan_unless(right, params), nan_unless(right, system), neighbors))


def _known(tree: Any) -> bool:
    """Whether no number of a pytree is traced."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def _floats(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]


def nan_unless(right: jax.Array, tree: T) -> T:
    """A pytree whose floating-point leaves, and all derivatives through them, are NaN where ``right`` is False.

    Args:
        right: scalar bool.
        tree: any pytree.

    Returns:
        The pytree, of the same types.
    """
    factor = jnp.where(right, 1.0, jnp.nan)

    def times(leaf: Any) -> Any:
        # the factor has a weak type, so results keep their type
        return leaf * factor if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf

    return jax.tree.map(times, tree)


def _geometry(system: System) -> tuple[Any, ...]:
    return system.positions, system.species, system.cell, system.pbc
