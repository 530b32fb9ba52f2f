"""Potentials made of potentials: multiples and chains. Sums are in ``potential.py``."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from jaxpot.errors import misplaced
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.extras import add_results, multiply_results
from jaxpot.neighbors import Neighbors
from jaxpot.potential import (
    Potential,
    add_evaluations,
    all_ranges,
    check_potential,
    common_elements,
    part_of_sum,
    with_params,
)
from jaxpot.spec import potential_kind
from jaxpot.system import System

__all__ = ["chain", "scale"]


@potential_kind
def scale(potential: Potential, factor: float) -> Potential:
    """A potential times a number; its params stay those of the potential.

    Args:
        potential: any potential.
        factor: multiplies energies, forces and stress; :mod:`jaxpot.extras` declares how it acts on named results.

    Returns:
        The scaled :class:`Potential`.

    Example:
        >>> import jaxpot
        >>> jaxpot.scale(jaxpot.lennard_jones(cutoff=8.0), 0.5).name
        '0.5 * lennard_jones'
    """

    check_potential("scale", potential, "the order is (potential, factor)")
    if not isinstance(factor, int | float | np.number):
        raise misplaced("scale", factor, "a factor", "pass a number, and add potentials with +")

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        found = potential.unchecked.outputs(params, system, neighbors)
        return Outputs(factor * found.energies, multiply_results(found.extras, factor))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        energies, forces, virial, extras = potential.unchecked.evaluate(params, system, neighbors)
        return Evaluation(factor * energies, factor * forces, factor * virial, multiply_results(extras, factor))

    return _like(potential, f"{factor:g} * {potential.name}", Functions(outputs, evaluate))


@potential_kind
def chain(*potentials: Potential) -> Potential:
    """A sequence of potentials, each of which may use results of those before it, such as charges.

    The energy is the sum of the parts' energies. A result that an earlier part gives and a later part needs becomes
    data of the system for the later part, and replaces data of that name. Forces, stress and gradients with respect to
    params include the derivatives of these results: with charges q(x) from the first part, the energy E(x, q(x)) of the
    second contributes dE/dx + dE/dq dq/dx to the gradient.

    Args:
        potentials: at least two, in their order; their ``elements`` agree, or are None.

    Returns:
        A :class:`Potential`, whose params are the tuple of the parts' params.

    Raises:
        ValueError: fewer than two potentials, elements in different orders, or a chain in which no part uses a result
            of an earlier one.

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> from jaxpot.evaluation import Functions, Outputs
        >>> def outputs(params, system, neighbors):  # charges that depend on the height
        ...     charges = params["slope"] * system.positions[:, 2]
        ...     return Outputs(jnp.zeros_like(charges), {"charges": charges})
        >>> charges = jaxpot.Potential("by height", 0.0, None, Functions(outputs), gives=frozenset({"charges"}))
        >>> def outputs(params, system, neighbors):
        ...     return Outputs(params["U"] * system.extras["charges"] ** 2)
        >>> hubbard = jaxpot.Potential("hubbard", 0.0, None, Functions(outputs), needs=frozenset({"charges"}))
        >>> both = jaxpot.chain(charges, hubbard)
        >>> system = jaxpot.System.create([[0.0, 0.0, 3.0]])
        >>> jaxpot.forces(both)(({"slope": 2.0}, {"U": 1.0}), system, None).tolist()  # of (2 z)^2
        [[-0.0, -0.0, -24.0]]
    """
    if len(potentials) < 2:
        raise ValueError(f"chain needs at least two potentials, got {len(potentials)}")
    elements = common_elements("chain", potentials)
    given: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    constant: frozenset[str] = frozenset()
    moving = False  # whether what is passed on depends on positions
    for p in potentials:
        needed |= p.needs - given
        used |= p.needs & given
        moving |= bool(p.needs & given - constant)
        given |= p.gives
        constant = constant - p.gives | p.constant
    if not used:
        raise ValueError(
            f"chain: no part needs what an earlier one gives ({', '.join(sorted(given)) or 'nothing'}); "
            "put the giving potential first, or use jaxpot.add"
        )

    def results(of: str, params: Params, system: System, neighbors: Neighbors) -> list[Any]:
        """What the functions ``of`` this name find, of each part."""
        if neighbors is not None and any(p.gives and p.cutoff > 0 for p in potentials):
            neighbors.check_all_centers("a chain needs the charges, or what else it passes on, of all atoms")
        found: list[Any] = []
        extras: dict[str, Any] = {}
        for p, q in with_params(potentials, params):
            passed = {name: extras[name] for name in sorted(p.needs & set(extras))}
            found.append(getattr(part_of_sum(p, neighbors), of)(q, system.with_extras(**passed), neighbors))
            extras |= found[-1].extras
        return found

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        parts = results("outputs", params, system, neighbors)
        return Outputs(sum(p.energies for p in parts), add_results([p.extras for p in parts]))

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        return add_evaluations(results("evaluate", params, system, neighbors))

    return Potential(
        name=" > ".join(p.name for p in potentials),
        cutoff=max(p.cutoff for p in potentials),
        elements=elements,
        # where nothing that is passed on moves with the atoms, forces and virials are the sums of the parts' own
        unchecked=Functions(outputs) if moving else Functions(outputs, evaluate),
        init=lambda *args: tuple(p.init(*args) for p in potentials),
        prepare=lambda params, dtype: tuple(p.prepare(q, dtype) for p, q in with_params(potentials, params)),
        needs=needed,
        gives=given,
        ranges=all_ranges(potentials),
        resolution=max(p.resolution for p in potentials),
        constant=constant,
    )


def _like(potential: Potential, name: str, functions: Functions) -> Potential:
    """A potential with other functions, which takes the same params, lists and data."""
    fields = {f.name: getattr(potential, f.name) for f in dataclasses.fields(Potential)}
    return Potential(**(fields | {"name": name, "unchecked": functions, "spec": None}))
