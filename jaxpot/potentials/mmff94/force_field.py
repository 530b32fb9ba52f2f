"""MMFF94 as a potential: the topology comes with the system, all numbers that can be fitted are params."""

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
from jaxpot.potentials.mmff94.parameters import Params, check_terms
from jaxpot.potentials.mmff94.tables import Tables
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.spec import potential_kind
from jaxpot.system import System

__all__ = ["ELEMENTS", "mmff94_potential"]

NUMBERS = {
    "H": 1, "Li": 3, "C": 6, "N": 7, "O": 8, "F": 9, "Na": 11, "Mg": 12, "Si": 14, "P": 15, "S": 16, "Cl": 17, "K": 19,
    "Ca": 20, "Fe": 26, "Cu": 29, "Zn": 30, "Br": 35, "I": 53,
}  # fmt: skip
ELEMENTS = tuple(NUMBERS)


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
        tables: what the rows of the params are for; a system whose topology is of other tables is refused. None
            believes any topology.

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
        # without images the strain only moves the atoms
        strained = positions.T @ gradient
        return Evaluation(each, -gradient, 0.5 * (strained + strained.T))

    def init(*_: Any) -> Params:
        if tables is None:
            raise ValueError(f"the params of {name} come with its molecules: potential, params, system = jaxpot.mmff94(...)")
        return jax.tree.map(jnp.asarray, tables.params)

    return Potential(
        name, 0.0, symbols, Functions(outputs, evaluate), init=init, needs=frozenset({"topology"})
    )


def _topology_of(name: str, system: System) -> Topology:
    topology = system.extras.get("topology")
    if not isinstance(topology, Topology):
        raise ValueError(
            f'{name} takes the bonds of its molecule from system.extras["topology"], which is '
            f"{'missing' if topology is None else 'a ' + type(topology).__name__}; jaxpot.mmff94 makes such systems"
        )
    if topology.vdw_rows.ndim == 1 and topology.atoms != system.positions.shape[0]:
        raise ValueError(
            f"the system has {system.positions.shape[0]} atoms, but its topology {topology.atoms}; pad both by "
            "system.pad, and make a topology for another molecule with jaxpot.mmff94"
        )
    return topology


def _check_params(params: Params, tables: Tables | None) -> None:
    check_terms(params)
    if tables is not None:
        tables.check_rows(params)


def _positions_of(
    name: str, system: System, topology: Topology, symbols: tuple[str, ...], tables: Tables | None
) -> jax.Array:
    """The positions; where the system is not what its topology is of, an error, or NaN where nothing can be raised."""
    number_of: Any = np.array([NUMBERS.get(symbol, -1) for symbol in symbols], np.int32)
    leaves = system.species, system.pbc, topology.numbers, topology.tables
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        _check(name, system, topology, number_of, symbols, tables)
        return system.positions
    numbers = jnp.where(system.species >= 0, jnp.asarray(number_of)[system.species], 0)
    right = jnp.all(numbers == topology.numbers) & ~jnp.any(system.pbc)
    if tables is not None:
        right &= topology.tables == tables.checksum
    return jnp.where(right, system.positions, jnp.nan)


def _check(
    name: str, system: System, topology: Topology, number_of: np.ndarray, symbols: tuple[str, ...], tables: Tables | None
) -> None:
    if np.any(np.asarray(system.pbc)):
        raise ValueError(f"{name} has no periodic images; give a system with pbc=False, unwrapped positions")
    species, wanted = np.asarray(system.species), np.asarray(topology.numbers)
    wrong = np.flatnonzero(np.where(species >= 0, number_of[species], 0) != wanted)
    if wrong.size:
        atom = int(wrong[0])
        known = {number: symbol for symbol, number in NUMBERS.items()}
        there = known.get(int(wanted[atom]), "padding")
        here = symbols[species[atom]] if species[atom] >= 0 else "padding"
        raise ValueError(
            f"the system is not the molecule of its topology: atom {atom} is {here}, not {there}; its atoms keep their "
            "order, and jaxpot.mmff94 makes a topology for another molecule"
        )
    if tables is not None and int(topology.tables) != tables.checksum:
        raise ValueError(
            f"the system's topology was made with other tables of parameters than this {name}: use the potential, params "
            "and system of one call of jaxpot.mmff94, or make the system with like=(potential, params)"
        )
