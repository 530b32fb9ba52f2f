"""Relaxation of many conformers, of one molecule or of several, with MMFF94."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from jaxpot.batch.checks import checked_dtype, checked_params
from jaxpot.batch.progress import Progress, counted
from jaxpot.io.molecules import MoleculeLike, molecules
from jaxpot.potentials.mmff94 import (
    ELEMENTS,
    TERMS,
    Dielectric,
    DielectricModel,
    EmpiricalBonds,
    Topology,
    Variant,
    alike,
    assign,
    mmff94_potential,
    pad_topology,
)
from jaxpot.potentials.mmff94.parameters import Params
from jaxpot.potentials.mmff94.stiffness import stiffness
from jaxpot.simulate.relaxation import check_limits
from jaxpot.simulate.relaxation_batch import Aim, Stiffness
from jaxpot.simulate.relaxation_queue import Ended, Group, relax_group
from jaxpot.system import System

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["Relaxation", "relax_conformers", "with_conformers"]

WIDTH = {"cpu": 32}  # conformers at a time: those whose arrays stay in cache, and on an accelerator many
ACCELERATOR_WIDTH = 1024
MANY = 64  # conformers of a single molecule from which it is worth a program of its own size
USUAL = 64  # atoms that molecules are padded to, at least
SMALLEST = 16  # where there are very many conformers
VERY_MANY = 500  # conformers from which it is worth a program of a size of their own
FEWEST_ROWS = 1 << 14  # of a table of parameters: enough for hundreds of molecules, and costs nothing


class Relaxation(NamedTuple):
    """The relaxed conformers of one molecule.

    Attributes:
        positions: [conformers, atoms, 3] Å.
        energies: [conformers] eV.
        force_norms: [conformers] norm of the largest force on an atom, eV/Å.
        converged: [conformers] bool, whether that is within the tolerance.
        steps: [conformers] int, evaluations of energy and gradient; 0 where the time was over before, then energies and
            forces are NaN.
    """

    positions: np.ndarray
    energies: np.ndarray
    force_norms: np.ndarray
    converged: np.ndarray
    steps: np.ndarray


def relax_conformers(
    mol_or_mols: MoleculeLike | Sequence[MoleculeLike],
    variant: Variant = "MMFF94",
    *,
    force_tolerance: float = 1e-3,
    max_steps: int = 2000,
    params: Params | None = None,
    dielectric_constant: float = 1.0,
    dielectric_model: DielectricModel = "constant",
    empirical_bonds: EmpiricalBonds = "rdkit",
    batch_size: int | None = None,
    dtype: Any = None,
    minutes: float | None = None,
    progress: Progress = True,
) -> Relaxation | list[Relaxation]:
    """Relaxes all conformers of one molecule or of several with MMFF94, many at a time.

    Each conformer is minimised by L-BFGS, preconditioned by the stiffness of its internal coordinates, until the
    largest force on an atom is within the tolerance. ``batch_size`` conformers are relaxed at once; one that has
    converged is replaced by the next. Molecules are padded to few sizes, with one compiled program for each size, which
    later calls use again.

    Args:
        mol_or_mols: an RDKit ``Mol`` with conformers, a SMILES string, the path of an SDF file; or a sequence of these.
        variant: ``"MMFF94"`` or ``"MMFF94s"``.
        force_tolerance: tolerance of the largest force on an atom, eV/Å.
        max_steps: most evaluations of a conformer.
        params: tables of parameters to use in place of the published ones, as :func:`assign` makes them of the same
            molecules in the same order.
        dielectric_constant: D of the electrostatic term.
        dielectric_model: ``"constant"`` or ``"distance"``.
        empirical_bonds: the rule for bonds that the tables lack, ``"rdkit"`` or ``"published"``, as of
            :func:`jaxpot.mmff94`.
        batch_size: conformers at a time; 32 on a CPU and 1024 on an accelerator if None.
        dtype: float type of the calculation; JAX's default if None.
        minutes: time after which the conformers are returned as they are, preparation and compilation included. A
            compilation is not interrupted.
        progress: whether to show a bar on a terminal; or a function, which is called with a text now and then.

    Returns:
        A :class:`Relaxation`; a list of them for a sequence, or a file, of molecules. The molecules are left as they
        are; :func:`with_conformers` puts the positions into a copy.

    Raises:
        ValueError: an atom has no MMFF94 type, a molecule has no conformer, or an option makes no sense.
        ImportError: RDKit is not installed.

    Example:
        >>> import jaxpot
        >>> from jaxpot.io.molecules import from_smiles
        >>> relaxed = jaxpot.relax_conformers(from_smiles("CCCC", conformers=4), force_tolerance=0.01, progress=False)
        >>> relaxed.positions.shape, bool(relaxed.converged.all())
        ((4, 14, 3), True)
    """
    limit = time.perf_counter() + (math.inf if minutes is None else 60.0 * minutes)
    check_limits(force_tolerance, max_steps, batch_size)
    mols = molecules(mol_or_mols)
    assigned = assign(mols, variant, empirical_bonds=empirical_bonds)
    kind = checked_dtype(dtype)
    counts = [mol.GetNumConformers() for mol in mols]
    if 0 in counts:
        raise ValueError(
            f"molecule {counts.index(0)} has no conformer; embed some with rdkit.Chem.AllChem.EmbedMultipleConfs"
        )
    dielectric = Dielectric(dielectric_constant, dielectric_model).checked()
    potential = mmff94_potential(variant, dielectric_constant, dielectric_model)
    tables = checked_params(_in_few_sizes(assigned.params if params is None else params), kind)
    aim = Aim(force_tolerance, 1.0, 0.0, max_steps)
    width = batch_size or WIDTH.get(jax.default_backend(), ACCELERATOR_WIDTH)
    alone = len(mols) == 1 and counts[0] >= MANY
    rooms = {mols[0].GetNumAtoms(): [0]} if alone else _rooms([mol.GetNumAtoms() for mol in mols], counts)
    found: dict[int, Relaxation] = {}
    with counted(sum(counts), progress, "conformer", "relaxing") as tick:
        for atoms, members in rooms.items():
            few = [assigned.topologies[k] for k in members]
            padded = few if alone else alike([pad_topology(topology, atoms) for topology in few])
            group, owner = _group([mols[k] for k in members], padded, kind)
            ended = relax_group(
                potential,
                tables,
                group,
                aim=aim,
                cell="fixed",
                width=width,
                stiffness=_stiffness(dielectric),
                tick=tick,
                limit=limit,
            )
            for place, k in enumerate(members):
                found[k] = _relaxation(ended, owner == place, mols[k].GetNumAtoms())
    several = len(mols) != 1 or (isinstance(mol_or_mols, Sequence) and not isinstance(mol_or_mols, str))
    ordered = [found[n] for n in range(len(mols))]
    return ordered if several else ordered[0]


def with_conformers(mol: Mol, relaxation: Relaxation) -> Mol:
    """A copy of a molecule with relaxed conformers in place of its own.

    Args:
        mol: the RDKit molecule.
        relaxation: the relaxation of this molecule.

    Returns:
        The copy; its conformers are in the order of the relaxation, with energies in eV as the property ``energy``.
    """
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    copy = Chem.Mol(mol)
    copy.RemoveAllConformers()
    for positions, energy in zip(relaxation.positions, relaxation.energies, strict=True):
        conformer = Chem.Conformer(copy.GetNumAtoms())
        for index, position in enumerate(positions):
            conformer.SetAtomPosition(index, Point3D(*map(float, position)))
        conformer.SetDoubleProp("energy", float(energy))
        copy.AddConformer(conformer, assignId=True)
    return copy


def _rooms(atoms: Sequence[int], counts: Sequence[int]) -> dict[int, list[int]]:
    """Numbers of atoms to pad to, and which molecules to each: 64, 128 ..., and for very many conformers 16, 24 ...

    Compiling a program takes as long as relaxing hundreds of conformers with some more atoms. And what does not depend
    on the other molecules of a set is found again by the next one.
    """
    close = [_at_least(size, SMALLEST, halves=True) for size in atoms]
    conformers = {room: sum(n for n, own in zip(counts, close, strict=True) if own == room) for room in close}
    rooms: dict[int, list[int]] = {}
    for number, (size, room) in enumerate(zip(atoms, close, strict=True)):
        chosen = room if conformers[room] >= VERY_MANY else _at_least(size, USUAL, halves=False)
        rooms.setdefault(chosen, []).append(number)
    return rooms


def _at_least(size: int, smallest: int, halves: bool) -> int:
    """The next power of two, or, with halves, one and a half times one."""
    room = max(smallest, 1 << (size - 1).bit_length())
    return room * 3 // 4 if halves and room > smallest and 4 * size <= 3 * room else room


def _group(mols: Sequence[Mol], topologies: Sequence[Topology], dtype: np.dtype) -> tuple[Group, np.ndarray]:
    """All conformers of molecules whose topologies have one shape, and which molecule each is of."""
    room = topologies[0].atoms
    counts = [mol.GetNumConformers() for mol in mols]
    owner = np.repeat(np.arange(len(mols)), counts)
    positions = np.zeros((len(owner), room, 3), dtype)
    species = np.full((len(mols), room), -1, np.int32)
    for number, mol in enumerate(mols):
        atoms = mol.GetNumAtoms()
        positions[owner == number, :atoms] = [conformer.GetPositions() for conformer in mol.GetConformers()]
        species[number, :atoms] = [ELEMENTS.index(atom.GetSymbol()) for atom in mol.GetAtoms()]

    def of_each(*leaves: Any) -> Any:
        # views of one molecule's arrays where there is one: conformers may be very many
        if len(mols) == 1:
            return np.broadcast_to(leaves[0], (len(owner), *np.shape(leaves[0])))
        return np.stack(leaves)[owner]

    systems: Any = System(
        positions,  # type: ignore[arg-type]
        of_each(*species),
        np.zeros((len(owner), 3, 3), dtype),  # type: ignore[arg-type]
        np.zeros((len(owner), 3), bool),  # type: ignore[arg-type]
        {"topology": jax.tree.map(of_each, *topologies)},
    )
    nothing: Any = np.zeros((len(owner), 3, 3), dtype)
    return Group(systems, np.asarray(systems.species) >= 0, nothing, None, lambda empty, systems: None), owner


def _relaxation(ended: Ended, own: np.ndarray, atoms: int) -> Relaxation:
    forces = np.linalg.norm(ended.forces[own], axis=2).max(axis=1)
    energies = ended.energies[own].sum(axis=1)
    return Relaxation(ended.positions[own, :atoms], energies, forces, ended.converged[own], ended.steps[own])


@functools.cache
def _stiffness(dielectric: Dielectric) -> Stiffness:
    """The preconditioner; one function for equal arguments, by which compiled programs are found again."""

    def of_system(params: Params, system: System) -> jax.Array:
        return stiffness(params, system.extras["topology"], system.positions, dielectric)

    return of_system


def _in_few_sizes(params: Params) -> dict[str, dict[str, np.ndarray]]:
    """Tables lengthened by rows that nothing refers to, so that programs compiled for one set serve others."""

    def longer(table: Any) -> np.ndarray:
        rows = np.shape(table)[0]
        return np.pad(np.asarray(table), (0, max(FEWEST_ROWS, 1 << (rows - 1).bit_length() if rows else 0) - rows))

    return {term: {name: longer(params[term][name]) for name in names} for term, names in TERMS.items()}
