"""MMFF94 as a potential: the system holds the topology, and the params hold all numbers that can be fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Evaluation, Functions, Outputs
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.potentials.mmff94.assignment import Variant
from jaxpot.potentials.mmff94.electrostatics import Dielectric, DielectricModel
from jaxpot.potentials.mmff94.energies import atomic_energies, energies_and_gradients
from jaxpot.potentials.mmff94.padding import ELEMENTS, check_molecule, numbers_of
from jaxpot.potentials.mmff94.parameters import Params, check_terms
from jaxpot.potentials.mmff94.tables import Tables
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.spec import potential_kind
from jaxpot.system import System

__all__ = ["mmff94_potential"]


@potential_kind
def mmff94_potential(
    variant: Variant = "MMFF94",
    dielectric_constant: float = 1.0,
    dielectric_model: DielectricModel = "constant",
    elements: Sequence[str] = ELEMENTS,
    tables: Tables | None = None,
) -> Potential:
    """MMFF94 for systems that carry a topology; :func:`jaxpot.mmff94` makes both from molecules.

    Args:
        variant: ``"MMFF94"`` or ``"MMFF94s"``, which differ in their parameters alone.
        dielectric_constant: D of the electrostatic term.
        dielectric_model: ``"constant"``, or ``"distance"`` where D grows with the distance.
        elements: chemical symbols whose order gives the species.
        tables: the meaning of the rows of the params; a system whose topology belongs to other tables is refused. With
            None any topology is accepted.

    Returns:
        A :class:`jaxpot.Potential` that needs ``topology`` and no neighbours. ``init()`` gives the published params
        where ``tables`` are known.

    Raises:
        ValueError: an option has no such value.

    Example:
        >>> import jaxpot
        >>> from jaxpot.potentials.mmff94 import mmff94_potential
        >>> mmff94_potential("MMFF94s").needs
        frozenset({'topology'})
    """
    if variant not in get_args(Variant):
        raise ValueError(f"the variant must be one of {', '.join(get_args(Variant))}, got {variant!r}")
    dielectric = Dielectric(dielectric_constant, dielectric_model).checked()
    symbols = tuple(elements)
    name = variant.lower()

    def outputs(params: Params, system: System, neighbors: Neighbors | None) -> Outputs:
        del neighbors
        topology = _topology_of(name, system)
        _check_params(params, tables)
        positions = _positions_of(name, system, topology, symbols, tables)
        return Outputs(atomic_energies(params, topology, positions, dielectric))

    def evaluate(params: Params, system: System, neighbors: Neighbors | None) -> Evaluation:
        del neighbors
        topology = _topology_of(name, system)
        _check_params(params, tables)
        positions = _positions_of(name, system, topology, symbols, tables)
        each, gradient = energies_and_gradients(params, topology, positions, dielectric, by_atom=True)
        # without periodic images a strain only moves the atoms
        strained = positions.T @ gradient
        return Evaluation(each, -gradient, 0.5 * (strained + strained.T))

    def init(*_: Any) -> Params:
        if tables is None:
            raise ValueError(
                f"the params of {name} come with its molecules: potential, params, system = jaxpot.mmff94(...)"
            )
        return jax.tree.map(jnp.asarray, tables.params)

    return Potential(name, 0.0, symbols, Functions(outputs, evaluate), init=init, needs=frozenset({"topology"}))


def _topology_of(name: str, system: System) -> Topology:
    topology = system.extras.get("topology")
    if not isinstance(topology, Topology):
        raise ValueError(
            f'{name} takes the bonds of its molecule from system.extras["topology"], which is '
            f"{'missing' if topology is None else 'a ' + type(topology).__name__}; jaxpot.mmff94 makes such systems"
        )
    return topology


def _check_params(params: Params, tables: Tables | None) -> None:
    check_terms(params)
    if tables is not None:
        tables.check_rows(params)


def _positions_of(
    name: str, system: System, topology: Topology, symbols: tuple[str, ...], tables: Tables | None
) -> jax.Array:
    """The positions, after a check that system and topology fit: if not, an error, or NaN positions under jit."""
    if topology.atoms != system.positions.shape[0] or not any(
        isinstance(leaf, jax.core.Tracer) for leaf in (system.species, system.pbc, topology.numbers, topology.tables)
    ):
        check_molecule(topology, np.asarray(system.species), symbols)
        if np.any(np.asarray(system.pbc)):
            raise ValueError(f"{name} has no periodic images; give a system with pbc=False, unwrapped positions")
        if tables is not None and int(topology.tables) != tables.checksum:
            raise ValueError(
                f"the system's topology was made with other tables of parameters than this {name}: use potential, "
                "params and system of one call of jaxpot.mmff94, or make the system with like=(potential, params)"
            )
        return system.positions
    right = jnp.all(numbers_of(system.species, symbols) == topology.numbers) & ~jnp.any(system.pbc)
    if tables is not None:
        right &= topology.tables == tables.checksum
    return jnp.where(right, system.positions, jnp.nan)
