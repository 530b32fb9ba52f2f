"""Relaxation of many conformers, of one molecule or of several, to the minima nearest to them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.batch.molecules import Sizes, bucket, own_tables, pad_topology, sizes_of
from jaxpot.io.molecules import MoleculeLike, molecules
from jaxpot.numerics.inverse import inverse_of_positive
from jaxpot.potentials.mmff94 import Dielectric, DielectricModel, Topology, Variant, assign, energies_and_gradients
from jaxpot.potentials.mmff94.parameters import Params
from jaxpot.potentials.mmff94.stiffness import stiffness
from jaxpot.simulate.lbfgs import FIRST, Evaluate, Minimization, advance, largest_force, start

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["Relaxation", "relax_conformers", "with_conformers"]

CHUNK = 25  # evaluations between two looks at what has converged, and for which a stiffness matrix serves
WIDTH = {"cpu": 64}  # structures at a time: those whose arrays stay in cache, and on an accelerator many
ACCELERATOR_WIDTH = 1024


class Relaxation(NamedTuple):
    """The relaxed conformers of one molecule.

    Attributes:
        positions: [conformers, atoms, 3] Å.
        energies: [conformers] eV.
        force_norms: [conformers] norm of the largest force on an atom, eV/Å.
        converged: [conformers] bool, whether that is within the tolerance.
        steps: [conformers] int, evaluations of energy and gradient.
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
    batch_size: int | None = None,
    dtype: Any = None,
    progress: bool = True,
) -> Relaxation | list[Relaxation]:
    """Relaxes all conformers of one molecule or of several with MMFF94, many at a time.

    Each conformer is minimised by L-BFGS, preconditioned by the stiffness of its internal coordinates, until the
    largest force on an atom is within the tolerance. As many as ``batch_size`` are worked on at once; one that has
    converged makes room for the next. Molecules of similar size share a compiled program.

    Args:
        mol_or_mols: an RDKit ``Mol`` with conformers, a SMILES string, the path of an SDF file; or a sequence of these.
        variant: ``"MMFF94"`` or ``"MMFF94s"``.
        force_tolerance: of the norm of the largest force on an atom, eV/Å.
        max_steps: evaluations that a conformer is given.
        params: tables of parameters to use in place of the published ones, as :func:`assign` makes them of the same
            molecules in the same order.
        dielectric_constant: D of the electrostatic term.
        dielectric_model: ``"constant"`` or ``"distance"``.
        batch_size: conformers at a time; 64 on a CPU and 1024 on an accelerator if None.
        dtype: of the calculation; JAX's default float type if None.
        progress: whether to show a progress bar, where tqdm is installed.

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
    if not 0 < force_tolerance < float("inf"):
        raise ValueError(f"force_tolerance must be a positive number of eV/Å, got {force_tolerance}")
    if max_steps < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(f"max_steps and batch_size must be at least 1, got {max_steps} and {batch_size}")
    mols = molecules(mol_or_mols)
    assigned = assign(mols, variant)
    tables = assigned.params if params is None else params
    dielectric = Dielectric(dielectric_constant, dielectric_model).checked()
    dtype = jnp.dtype(dtype) if dtype is not None else jnp.result_type(float)
    starts = [np.array([c.GetPositions() for c in mol.GetConformers()], dtype) for mol in mols]
    for number, conformers in enumerate(starts):
        if len(conformers) == 0:
            raise ValueError(
                f"molecule {number} has no conformer; embed some with rdkit.Chem.AllChem.EmbedMultipleConfs"
            )

    groups: dict[Sizes, list[int]] = {}
    for number, topology in enumerate(assigned.topologies):
        size = sizes_of(topology) if len(mols) == 1 else bucket(sizes_of(topology))
        groups.setdefault(size, []).append(number)
    found: dict[int, Relaxation] = {}
    with _bar(sum(map(len, starts)), progress) as tick:
        for size, numbers in groups.items():
            own = [own_tables(tables, pad_topology(assigned.topologies[n], size)) for n in numbers]
            own = jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, own)
            width = batch_size or WIDTH.get(jax.default_backend(), ACCELERATOR_WIDTH)
            relaxed = _relax_group(
                own, [starts[n] for n in numbers], size, width, force_tolerance, max_steps, dielectric, tick
            )
            found.update(zip(numbers, relaxed, strict=True))
    several = len(mols) != 1 or (isinstance(mol_or_mols, Sequence) and not isinstance(mol_or_mols, str))
    ordered = [found[n] for n in range(len(mols))]
    return ordered if several else ordered[0]


def with_conformers(mol: Mol, relaxation: Relaxation) -> Mol:
    """A copy of a molecule with relaxed conformers in place of its own.

    Args:
        mol: the RDKit molecule.
        relaxation: of this molecule.

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


def _relax_group(
    own: list[tuple[Mapping[str, Any], Topology]],
    starts: list[np.ndarray],
    sizes: Sizes,
    width: int,
    tolerance: float,
    limit: int,
    dielectric: Dielectric,
    tick: Any,
) -> list[Relaxation]:
    """Relax the conformers of molecules padded to one size: a queue that feeds a batch of fixed width."""
    owner = np.repeat(np.arange(len(starts)), [len(s) for s in starts])
    queue = np.zeros((len(owner), sizes.atoms, 3), starts[0].dtype)
    for number, conformers in enumerate(starts):
        queue[owner == number, : conformers.shape[1]] = conformers
    width = min(width, 1 << (len(owner) - 1).bit_length())
    shared = len(own) == 1
    slots = np.full(width, -1)
    waiting = iter(range(len(owner)))
    state: Minimization | None = None
    result = Relaxation(
        np.zeros_like(queue),
        np.zeros(len(owner), queue.dtype),
        np.zeros(len(owner), queue.dtype),
        np.zeros(len(owner), bool),
        np.zeros(len(owner), int),
    )
    while True:
        free = np.flatnonzero(slots < 0)
        fresh = dict(zip(free, waiting, strict=False))
        slots[list(fresh)] = list(fresh.values())
        if (slots < 0).all():
            break
        # a slot without work shows a structure that has some; it is not worked on
        shown = np.where(slots < 0, slots.max(), slots)
        params, topology = own[0] if shared else jax.tree.map(lambda *a: np.stack(a), *(own[owner[s]] for s in shown))
        task = _Task(params, topology, jnp.asarray(tolerance, queue.dtype), jnp.asarray(limit, jnp.int32))
        if fresh:
            positions = np.moveaxis(queue[shown], 0, -1)
            new = np.isin(np.arange(width), list(fresh)) | (slots < 0)
            begun = _begin(task, positions, slots < 0, shared, dielectric)
            state = begun if state is None else _merged(begun, state, new)
        assert state is not None
        state = _run(task, state, shared, dielectric)
        ended = ~np.asarray(state.going(task.limit)) & (slots >= 0)
        if ended.any():
            which = slots[ended]
            result.positions[which] = np.moveaxis(np.asarray(state.positions)[..., ended], -1, 0)
            result.energies[which] = np.asarray(state.energies)[ended]
            result.force_norms[which] = np.asarray(largest_force(state.gradients))[ended]
            result.converged[which] = np.asarray(state.converged)[ended]
            result.steps[which] = np.asarray(state.steps)[ended]
            slots[ended] = -1
            tick(int(ended.sum()))
    return [
        Relaxation(*(leaf[owner == number] for leaf in result._replace(positions=result.positions[:, : s.shape[1]])))
        for number, s in enumerate(starts)
    ]


class _Task(NamedTuple):
    params: Any
    topology: Topology
    tolerance: jax.Array
    limit: jax.Array


def _evaluator(task: _Task, shared: bool, dielectric: Dielectric) -> Evaluate:
    if shared:
        return lambda positions: energies_and_gradients(task.params, task.topology, positions, dielectric)
    each = jax.vmap(functools.partial(energies_and_gradients, dielectric=dielectric), (0, 0, -1), (0, -1))
    return lambda positions: each(task.params, task.topology, positions)


def _inverse_stiffness(task: _Task, positions: jax.Array, shared: bool, dielectric: Dielectric) -> jax.Array:
    """[structures, 3 atoms, 3 atoms] Å^2/eV."""
    if shared:
        matrix = stiffness(task.params, task.topology, positions, dielectric)
    else:
        each = jax.vmap(functools.partial(stiffness, dielectric=dielectric), (0, 0, -1))
        matrix = each(task.params, task.topology, positions[:, :, None])[:, 0]
    unit = jnp.eye(matrix.shape[-1], dtype=matrix.dtype)
    inverse = inverse_of_positive(matrix)
    # beyond the precision where atoms coincide, say: then without a preconditioner
    good = jnp.isfinite(inverse).all(axis=(1, 2), keepdims=True)
    return jnp.where(good, inverse, FIRST * unit[None])


@functools.partial(jax.jit, static_argnames=("shared", "dielectric"))
def _begin(task: _Task, positions: jax.Array, idle: jax.Array, shared: bool, dielectric: Dielectric) -> Minimization:
    """All slots at their beginning; those without work have ended."""
    begun = start(_evaluator(task, shared, dielectric), positions, task.tolerance)
    return begun._replace(stuck=begun.stuck | idle)


@functools.partial(jax.jit, donate_argnums=1)
def _merged(begun: Minimization, state: Minimization, new: jax.Array) -> Minimization:
    """New structures put into their slots."""
    merged = jax.tree.map(
        lambda a, b: jnp.where(new.reshape((1,) * (a.ndim - 1) + (-1,)), a, b) if a.ndim else b, begun, state
    )
    return Minimization(*merged)


@functools.partial(jax.jit, static_argnames=("shared", "dielectric"), donate_argnames="state")
def _run(task: _Task, state: Minimization, shared: bool, dielectric: Dielectric) -> Minimization:
    """Some steps for all structures, fewer where all of them end before."""
    evaluate = _evaluator(task, shared, dielectric)
    inverse = _inverse_stiffness(task, state.positions, shared, dielectric)

    def unfinished(carry: tuple[jax.Array, Minimization]) -> jax.Array:
        count, state = carry
        return (count < CHUNK) & jnp.any(state.going(task.limit))

    def step(carry: tuple[jax.Array, Minimization]) -> tuple[jax.Array, Minimization]:
        count, state = carry
        return count + 1, advance(evaluate, state, inverse, task.tolerance, task.limit)

    return jax.lax.while_loop(unfinished, step, (jnp.zeros((), jnp.int32), state))[1]


@contextmanager
def _bar(total: int, progress: bool) -> Iterator[Any]:
    """A function that counts conformers as they end, with a bar if one is wanted and tqdm is installed."""
    if progress:
        try:
            from tqdm import tqdm
        except ImportError:
            progress = False
    if not progress:
        yield lambda count: None
        return
    with tqdm(total=total, desc="relaxing", unit="conformer") as bar:
        yield bar.update
