"""Unequal molecules in arrays of equal shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpot.potentials.mmff94.parameters import NO_ROW, TERMS, Params
from jaxpot.potentials.mmff94.topology import Topology, arrange_pairs, listed_pairs

__all__ = ["Sizes", "bucket", "own_tables", "pad_topology", "sizes_of", "stack_molecules"]


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


def bucket(sizes: Sizes) -> Sizes:
    """The sizes to pad a molecule to, so that molecules of all kinds share a few shapes.

    Atoms are rounded up to 16, 24, 32, 48, 64 ..., which adds a sixth on average to all but the smallest. Room for
    interactions follows from that number alone, enough for most organic molecules; one with more of some kind gets a
    shape of its own.

    Args:
        sizes: of the molecule.

    Returns:
        The :class:`Sizes` of its bucket.
    """
    atoms = 16
    while atoms < sizes.atoms:
        atoms = atoms * 3 // 2 if atoms & (atoms - 1) == 0 else atoms // 3 * 4
    usual = Sizes(atoms, atoms + atoms // 8, 2 * atoms, max(atoms // 8, 4), atoms + atoms // 2, 3 * atoms)
    return Sizes(*(_fit(size, room) for size, room in zip(sizes, usual, strict=True)))


def _fit(size: int, room: int) -> int:
    while room < size:
        room *= 2
    return room


def pad_topology(topology: Topology, sizes: Sizes) -> Topology:
    """A molecule with atoms and interactions appended that have no energy, no force and no influence on others.

    Args:
        topology: of one molecule, with NumPy leaves.
        sizes: to pad to.

    Returns:
        The padded :class:`Topology`.

    Raises:
        ValueError: the molecule is larger than ``sizes``.
    """
    t, old = topology, sizes_of(topology)
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
    )


def _extend(values: Any, room: int, filler: int) -> Any:
    values = np.asarray(values)
    return np.pad(values, [(0, room - len(values))] + [(0, 0)] * (values.ndim - 1), constant_values=filler)


def own_tables(params: Params, topology: Topology) -> tuple[dict[str, dict[str, np.ndarray]], Topology]:
    """A molecule with tables of its own, one row an interaction, whose shapes follow from its sizes alone.

    Args:
        params: tables that may serve many molecules.
        topology: of one molecule, perhaps padded.

    Returns:
        Its params, and its topology with the rows of these.
    """
    t = topology
    angles, linear = len(t.angle_rows), len(t.linear_rows)
    rows = {
        "bond_stretching": t.bond_rows,
        "angle_bending": np.concatenate([t.angle_rows, t.linear_rows]),
        "stretch_bending": t.stretch_bend_rows,
        "out_of_plane": t.plane_rows,
        "torsion": t.torsion_rows,
        "van_der_waals": t.vdw_rows,
        "electrostatics": t.charge_rows,
    }

    def gathered(term: str, table: np.ndarray) -> np.ndarray:
        # padded interactions: no force constant, no charge; of a padded atom's size any finite value will do
        filler = 1.0 if term == "van_der_waals" else 0.0
        row = np.asarray(rows[term])
        return np.append(table, filler)[np.minimum(row, len(table))]

    own = {term: {name: gathered(term, np.asarray(params[term][name])) for name in TERMS[term]} for term in TERMS}

    def count(start: int, number: int) -> Any:
        return np.arange(start, start + number, dtype=np.int32)

    return own, Topology(
        t.bonds,
        count(0, len(t.bond_rows)),
        t.angle_edges,
        count(0, angles),
        count(0, angles),
        t.linear_edges,
        count(angles, linear),
        t.plane_edges,
        count(0, len(t.plane_rows)),
        t.torsion_edges,
        count(0, len(t.torsion_rows)),
        count(0, t.atoms),
        t.donor_acceptor,
        count(0, t.atoms),
        t.pair_kinds,
    )


def stack_molecules(
    params: Params, topologies: Sequence[Topology], sizes: Sizes | None = None
) -> tuple[dict[str, dict[str, np.ndarray]], Topology]:
    """Molecules side by side, for ``jax.vmap`` over the first axis of params, topology and positions.

    Args:
        params: the tables of parameters of all of them.
        topologies: of the molecules.
        sizes: to pad to; the least that holds all of them if None.

    Returns:
        Params and :class:`Topology` whose leaves have a leading axis [molecules]. Positions are padded with zeros.

    Raises:
        ValueError: a molecule is larger than ``sizes``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxpot.batch.molecules import stack_molecules
        >>> from jaxpot.io.molecules import molecules
        >>> from jaxpot.potentials.mmff94 import assign, energies_and_gradients
        >>> mols = molecules(["CCO", "O"])
        >>> typed = assign(mols)
        >>> params, topologies = stack_molecules(typed.params, typed.topologies)
        >>> positions = jnp.stack([jnp.zeros((9, 3)).at[: mol.GetNumAtoms()].set(mol.GetConformer().GetPositions())
        ...     for mol in mols])
        >>> energies, gradients = jax.vmap(energies_and_gradients)(params, topologies, positions)
        >>> energies.shape, gradients.shape
        ((2,), (2, 9, 3))
    """
    if sizes is None:
        sizes = Sizes(*map(max, zip(*map(sizes_of, topologies), strict=True)))
    padded = [own_tables(params, pad_topology(topology, sizes)) for topology in topologies]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
