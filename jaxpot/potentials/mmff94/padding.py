"""Padding of topologies, so that different molecules have arrays of equal shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.extras import Extra, declare
from jaxpot.potentials.mmff94.parameters import NO_ROW
from jaxpot.potentials.mmff94.topology import Topology, arrange_pairs, listed_pairs

__all__ = [
    "ELEMENTS",
    "TOPOLOGY",
    "Sizes",
    "alike",
    "check_molecule",
    "numbers_of",
    "pad_topology",
    "padded",
    "sizes_of",
]


NUMBERS = {
    "H": 1, "Li": 3, "C": 6, "N": 7, "O": 8, "F": 9, "Na": 11, "Mg": 12, "Si": 14, "P": 15, "S": 16, "Cl": 17, "K": 19,
    "Ca": 20, "Fe": 26, "Cu": 29, "Zn": 30, "Br": 35, "I": 53,
}  # fmt: skip
ELEMENTS = tuple(NUMBERS)
REMEDY = "atoms keep their order, and jaxpot.mmff94 makes the topology of another molecule"


class Sizes(NamedTuple):
    """Numbers of atoms and interactions of a molecule, or the numbers that it is padded to."""

    atoms: int
    bonds: int
    angles: int
    linear: int
    planes: int
    torsions: int


def sizes_of(topology: Topology) -> Sizes:
    """The sizes of a molecule.

    Args:
        topology: topology of the molecule.

    Returns:
        Its :class:`Sizes`.
    """
    t = topology
    counted = t.vdw_rows, t.bond_rows, t.angle_rows, t.linear_rows, t.plane_rows, t.torsion_rows
    return Sizes(*(rows.shape[0] for rows in counted))


def pad_topology(topology: Topology, atoms: int) -> Topology:
    """Pads a molecule with atoms and interactions that have no energy and no force, and do not influence others.

    The number of atoms determines the numbers of interactions, which are enough for most organic molecules. So
    molecules padded to the same number of atoms can be stacked; :func:`alike` is for molecules with more interactions.

    Args:
        topology: topology of one molecule.
        atoms: number of atoms to pad to.

    Returns:
        The padded :class:`Topology`, with numpy leaves.

    Raises:
        ValueError: the molecule is larger.
    """
    usual = Sizes(atoms, atoms + atoms // 8, 2 * atoms, max(atoms // 8, 4), atoms + atoms // 2, 3 * atoms)
    old = sizes_of(topology)
    if old.atoms > atoms:
        raise ValueError(f"cannot pad a molecule with {old.atoms} atoms to {atoms}")
    return padded(topology, Sizes(*(_fit(size, room) for size, room in zip(old, usual, strict=True))))


def alike(topologies: Sequence[Topology]) -> list[Topology]:
    """Pads topologies to the smallest common sizes.

    Args:
        topologies: topologies of molecules.

    Returns:
        Topologies that can be stacked.
    """
    sizes = Sizes(*map(max, zip(*map(sizes_of, topologies), strict=True)))
    return [padded(topology, sizes) for topology in topologies]


def no_molecule(topology: Topology) -> Topology:
    """A topology of the same shape without atoms and interactions.

    Args:
        topology: topology of one molecule.

    Returns:
        The :class:`Topology`, with numpy leaves.
    """
    parts: dict[str, Any] = {}
    for field in dataclasses.fields(topology):
        value = np.asarray(getattr(topology, field.name))
        parts[field.name] = np.full_like(value, NO_ROW if field.name.endswith("_rows") else 0)
    return Topology(**parts | {"tables": np.asarray(topology.tables)})


def check_molecule(topology: Topology, species: np.ndarray, elements: tuple[str, ...] | None) -> None:
    """Raise ValueError where a topology does not belong to the atoms of a system.

    Args:
        topology: topology of one molecule.
        species: [atoms] of the system.
        elements: chemical symbols whose order gives the species.
    """
    atoms = len(species)
    if topology.atoms != atoms:
        raise ValueError(f"the system's topology is of a molecule of {topology.atoms} atoms, not {atoms}; {REMEDY}")
    found, wanted = numbers_of(species, elements), np.asarray(topology.numbers)
    wrong = np.flatnonzero(found != wanted)
    if wrong.size:
        atom = int(wrong[0])
        known = {number: symbol for symbol, number in NUMBERS.items()} | {0: "padding"}
        here = "padding" if species[atom] < 0 else (elements or ("of no element",))[species[atom]]
        raise ValueError(
            f"the system's topology is of another molecule, whose atom {atom} is {known[int(wanted[atom])]}, not "
            f"{here}; {REMEDY}"
        )


def numbers_of(species: Any, elements: tuple[str, ...] | None) -> Any:
    """Atomic numbers of species, 0 for padded atoms.

    Args:
        species: [atoms].
        elements: chemical symbols whose order gives the species.

    Returns:
        [atoms] int32, a NumPy array where the species are one.
    """
    numpy = np if isinstance(species, np.ndarray) else jnp
    known: Any = np.array([NUMBERS.get(symbol, -1) for symbol in elements or ("",)], np.int32)
    return numpy.where(species >= 0, numpy.asarray(known)[species], 0)


TOPOLOGY = declare(
    Extra(
        "topology",
        "bonds, angles ... of a molecule",
        "structured",
        pad=pad_topology,
        alike=alike,
        blank=no_molecule,
        check=check_molecule,
    )
)


def _fit(size: int, room: int) -> int:
    while room < size:
        room *= 2
    return room


def padded(topology: Topology, sizes: Sizes) -> Topology:
    """A molecule padded to given sizes.

    Args:
        topology: topology of one molecule.
        sizes: sizes to pad to.

    Returns:
        The padded :class:`Topology`.

    Raises:
        ValueError: the molecule is larger than ``sizes``.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(topology)):
        raise ValueError("molecules are padded on the host, outside of jit, vmap and grad: pad the system before")
    t, old = topology, sizes_of(topology)
    if old == sizes:
        return topology
    for name, size, room in zip(Sizes._fields, old, sizes, strict=True):
        if size > room:
            raise ValueError(f"cannot pad a molecule with {size} {name} to {room}")

    def edges(values: Any, room: int) -> Any:
        values = np.asarray(values)
        # backward edges come after the padded bonds; a padded interaction has the same arbitrary edge several times
        moved = np.where(values < old.bonds, values, values + (sizes.bonds - old.bonds))
        return _extend(moved, room, 0)

    i, j, kinds = listed_pairs(np.asarray(t.pair_kinds))
    pair_kinds: Any = arrange_pairs(i, j, kinds, sizes.atoms)
    return Topology(
        _extend(t.bonds, sizes.bonds, 0),
        _extend(t.bond_rows, sizes.bonds, NO_ROW),
        edges(t.angle_edges, sizes.angles),
        _extend(t.angle_rows, sizes.angles, NO_ROW),
        _extend(t.stretch_bend_rows, sizes.angles, NO_ROW),
        edges(t.linear_edges, sizes.linear),
        _extend(t.linear_rows, sizes.linear, NO_ROW),
        edges(t.plane_edges, sizes.planes),
        _extend(t.plane_rows, sizes.planes, NO_ROW),
        edges(t.torsion_edges, sizes.torsions),
        _extend(t.torsion_rows, sizes.torsions, NO_ROW),
        _extend(t.vdw_rows, sizes.atoms, NO_ROW),
        _extend(t.donor_acceptor, sizes.atoms, 0),
        _extend(t.charge_rows, sizes.atoms, NO_ROW),
        pair_kinds,
        _extend(t.numbers, sizes.atoms, 0),
        np.asarray(t.tables),  # type: ignore[arg-type]
    )


def _extend(values: Any, room: int, filler: int) -> Any:
    values = np.asarray(values)
    return np.pad(values, [(0, room - len(values))] + [(0, 0)] * (values.ndim - 1), constant_values=filler)
