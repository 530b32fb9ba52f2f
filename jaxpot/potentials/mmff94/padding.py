"""Topologies of unequal molecules in arrays of equal shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpot.extras import Extra, declare
from jaxpot.potentials.mmff94.parameters import NO_ROW
from jaxpot.potentials.mmff94.topology import Topology, arrange_pairs, listed_pairs

__all__ = ["TOPOLOGY", "Sizes", "alike", "bucket", "pad_topology", "padded", "sizes_of"]


class Sizes(NamedTuple):
    """Numbers of atoms and of interactions of a molecule, or those it is padded to."""

    atoms: int
    bonds: int
    angles: int
    linear: int
    planes: int
    torsions: int


def sizes_of(topology: Topology) -> Sizes:
    """The sizes of a molecule.

    Args:
        topology: of the molecule.

    Returns:
        Its :class:`Sizes`.
    """
    t = topology
    counted = t.vdw_rows, t.bond_rows, t.angle_rows, t.linear_rows, t.plane_rows, t.torsion_rows
    return Sizes(*(rows.shape[0] for rows in counted))


def bucket(atoms: int) -> int:
    """The number of atoms to pad a molecule to, so that molecules of all kinds share a few shapes.

    Args:
        atoms: of the molecule.

    Returns:
        The next of 16, 32, 48, 64, 96, 128 ...
    """
    room = 16
    while room < atoms:
        room = room * 3 // 2 if room & (room - 1) == 0 and room > 16 else (room // 3 * 4 if room % 3 == 0 else 2 * room)
    return room


def pad_topology(topology: Topology, atoms: int) -> Topology:
    """A molecule with atoms and interactions appended that have no energy, no force and no influence on others.

    Room for interactions follows from the number of atoms alone, enough for most organic molecules, so that molecules
    with equal numbers of atoms can be stacked; :func:`alike` is for those with more interactions of some kind.

    Args:
        topology: of one molecule.
        atoms: to pad to.

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
    """Topologies padded to the least sizes that hold each of them.

    Args:
        topologies: of molecules.

    Returns:
        Topologies that can be stacked.
    """
    sizes = Sizes(*map(max, zip(*map(sizes_of, topologies), strict=True)))
    return [padded(topology, sizes) for topology in topologies]


TOPOLOGY = declare(Extra("topology", "bonds, angles ... of a molecule", "structured", pad=pad_topology, alike=alike))


def _fit(size: int, room: int) -> int:
    while room < size:
        room *= 2
    return room


def padded(topology: Topology, sizes: Sizes) -> Topology:
    """A molecule padded to given sizes.

    Args:
        topology: of one molecule.
        sizes: to pad to.

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
        # backward edges come after the padded bonds; a padded interaction takes one edge, any, for all of its edges
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


