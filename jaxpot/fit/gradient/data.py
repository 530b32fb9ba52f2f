"""Labelled structures padded to a few shapes, in memory or in memory-mapped files."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpot.batch.named_data import system_of
from jaxpot.batch.padding import Sizes, fixed_plan, pad_system, resized, round_up, sizes_used
from jaxpot.batch.progress import Progress, check_time, counted
from jaxpot.batch.shapes import group
from jaxpot.extras import alike_data, declared
from jaxpot.fit.frame import Frame
from jaxpot.io.arrays import open_npy
from jaxpot.neighbors import Neighbors, blank, neighbor_list
from jaxpot.potential import Potential
from jaxpot.system import System

__all__ = ["Counts", "Examples", "Features", "TrainingData", "open_data", "prepare_data"]

STORE = "store.json"
VERSION = 4
EPOCHS = 100  # evaluations of a structure, by which shapes are chosen; not a setting, so that a training can be resumed

# (system, neighbors) -> pytree of arrays, computed once for each structure and stored with it. The shapes of system and
# neighbors determine the shapes of the arrays.
Features = Callable[[System, Neighbors | None], Any]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Examples:
    """Structures of one shape with their labels; every leaf has a leading axis [structures].

    Attributes:
        system: stacked :class:`jaxpot.System`, padded with atoms of species -1.
        neighbors: stacked :class:`jaxpot.Neighbors`; None for a potential without a cutoff.
        energy: [structures] eV, 0 where not known.
        forces: [structures, atoms, 3] eV/Å.
        stress: [structures, 3, 3] eV/Å^3.
        energy_known: [structures] bool.
        forces_known: [structures, atoms] bool, False for padded atoms.
        stress_known: [structures] bool.
        weight: [structures], factor of this structure's part of the loss; 0 for copies that fill up a batch.
        index: [structures] int32, place in the sequence that the data was made from.
        features: further data that a model stores with each structure.
    """

    system: System
    neighbors: Neighbors | None
    energy: Any
    forces: Any
    stress: Any
    energy_known: Any
    forces_known: Any
    stress_known: Any
    weight: Any
    index: Any
    features: Any = None

    def __len__(self) -> int:
        return self.weight.shape[0]

    def take(self, chosen: Any) -> Examples:
        """The chosen structures, copied.

        Args:
            chosen: [number] places of the structures.
        """
        return jax.tree.map(lambda leaf: leaf[chosen], self)


class Counts(NamedTuple):
    """Numbers of labels, by which sums are divided to give means."""

    structures: int
    energies: int
    force_components: int
    stresses: int


class TrainingData:
    """Labelled structures, prepared for a potential.

    Args:
        buckets: the structures, one bucket for each shape.
        ranges: Å, cutoffs for which the neighbour lists are narrowed, in descending order; () without lists.
        elements: chemical symbols whose order gives the species.
    """

    def __init__(
        self, buckets: Sequence[Examples], ranges: tuple[float, ...], elements: tuple[str, ...] | None
    ) -> None:
        self.buckets, self.ranges, self.elements = list(buckets), ranges, elements
        self.counts = Counts(
            sum(len(b) for b in self.buckets),
            sum(int(np.sum(b.energy_known)) for b in self.buckets),
            sum(3 * int(np.sum(b.forces_known)) for b in self.buckets),
            sum(int(np.sum(b.stress_known)) for b in self.buckets),
        )

    def __len__(self) -> int:
        return self.counts.structures

    @property
    def bytes(self) -> int:
        """Size of all arrays, in memory or on disk."""
        return sum(leaf.nbytes for b in self.buckets for leaf in jax.tree.leaves(b))

    @property
    def on_disk(self) -> bool:
        """Whether the arrays are memory-mapped files."""
        return any(isinstance(leaf, np.memmap) for b in self.buckets for leaf in jax.tree.leaves(b))


def prepare_data(
    frames: Sequence[Frame] | Callable[[], Iterable[Frame]],
    potential: Potential,
    dtype: Any,
    max_shapes: int = 3,
    folder: str | Path | None = None,
    features: Features | None = None,
    labels_dtype: Any = None,
    progress: Progress = False,
    limit: float = math.inf,
) -> TrainingData:
    """Pads structures and makes their neighbour lists and labels, in memory or in files that may exceed it.

    Args:
        frames: structures with labels; or a function that yields all of them each time it is called, for files larger
            than memory: the frames are read twice, and one at a time is in memory.
        potential: the potential, which gives cutoff and elements.
        dtype: float type of positions and cells, and so of the evaluation.
        max_shapes: the most shapes that structures are padded to.
        folder: where to write memory-mapped arrays instead of keeping them in memory; :func:`open_data` opens them.
        features: ``(system, neighbors) -> pytree``, stored with each structure.
        labels_dtype: float type of the labels; that of the positions by default.
        progress: whether to show a bar on a terminal; or a function, which is called with a text now and then.
        limit: value of ``time.perf_counter`` at which to give up.

    Returns:
        The :class:`TrainingData`.

    Raises:
        ValueError: there are no structures, an element is unknown, a label is not finite, or a structure has no label;
            the message names the frame.
        TimeoutError: the limit has passed.
    """

    def iterate() -> Iterable[Frame]:
        return frames() if callable(frames) else frames

    dtype = np.dtype(dtype)
    labels_dtype = dtype if labels_dtype is None else np.dtype(labels_dtype)
    memory: list[tuple[System, Neighbors | None]] = []
    sizes: list[Sizes] = []
    for k, frame in enumerate(iterate()):
        system, neighbors = _structure(k, frame, potential, dtype)
        atoms = system.positions.shape[0]
        sizes.append(Sizes(round_up(atoms), 1, 0) if neighbors is None else sizes_used(neighbors).rounded())
        if folder is None:
            memory.append((system, neighbors))
    if not sizes:
        raise ValueError("there are no structures to train on; give at least one")
    groups = group(sizes, max_shapes, EPOCHS)
    place = {k: (b, at) for b, (_, members) in enumerate(groups) for at, k in enumerate(members)}
    if folder is not None:
        _check_storable(potential)
    alike = _in_one_shape(memory, groups)
    buckets: list[Any] = [None] * len(groups)
    with counted(len(sizes), progress, "structure", "preparing") as tick:
        for k, frame in enumerate(iterate()):
            check_time(limit, k, len(sizes), "structures")
            b, at = place[k]
            shape, members = groups[b]
            system, neighbors = memory[k] if folder is None else _structure(k, frame, potential, dtype)
            padded = alike.get(k) or pad_system(system, shape.atoms)
            one = _example(k, frame, padded, neighbors, shape, labels_dtype, features)
            if buckets[b] is None:
                where = None if folder is None else Path(folder) / f"bucket_{b}"
                buckets[b] = _room(one, len(members), where)
            for room, value in zip(jax.tree.leaves(buckets[b]), jax.tree.leaves(one), strict=True):
                room[at] = value
            tick()
    if folder is not None:
        for leaf in (leaf for b in buckets for leaf in jax.tree.leaves(b)):
            leaf.flush()
        facts = {
            "version": VERSION,
            "ranges": potential.ranges,
            "elements": potential.elements,
            "dtype": dtype.name,
            "features": features is not None,
            "extras": sorted(buckets[0].system.extras),
            "shapes": [list(shape) for shape, _ in groups],
        }
        (Path(folder) / STORE).write_text(json.dumps(facts) + "\n")
    return TrainingData(buckets, potential.ranges, potential.elements)


def open_data(folder: str | Path, potential: Potential) -> TrainingData:
    """Opens data that :func:`prepare_data` wrote to a folder, memory-mapped.

    Args:
        folder: the folder.
        potential: the potential that the data was prepared for.

    Returns:
        The :class:`TrainingData`.

    Raises:
        ValueError: the folder holds no such data, or it was made for another cutoff or other elements.
    """
    path = Path(folder) / STORE
    if not path.is_file():
        raise ValueError(f"{folder} holds no prepared data; make it with jaxpot.fit.prepare_data(..., folder=...)")
    facts = json.loads(path.read_text())
    if facts["version"] != VERSION:
        raise ValueError(f"{folder} was prepared by another version of jaxpot; prepare it anew")
    elements = None if facts["elements"] is None else tuple(facts["elements"])
    ranges, wanted = tuple(facts["ranges"]), potential.ranges
    if ranges != wanted or elements != potential.elements:
        raise ValueError(
            f"{folder} was prepared for cutoff {_in_words(ranges)} and elements {elements}, but the potential has "
            f"{_in_words(wanted)} and {potential.elements}; prepare it anew"
        )
    if facts["features"]:
        raise ValueError(f"{folder} holds features of a model; only data without them can be opened again")
    buckets = []
    for b, sizes in enumerate(facts["shapes"]):
        shape, where = Sizes(*sizes), Path(folder) / f"bucket_{b}"
        neighbors = blank(fixed_plan(wanted, 0.0, shape), np.float32) if wanted else None
        extras = dict.fromkeys(facts["extras"], 0)
        labels = [f.name for f in dataclasses.fields(Examples) if f.name not in ("system", "neighbors", "features")]
        tree: Any = jax.tree.structure(Examples(System(0, 0, 0, 0, extras), neighbors, **dict.fromkeys(labels, 0)))  # type: ignore[arg-type]
        leaves = [open_npy(where / f"{k}.npy") for k in range(tree.num_leaves)]
        buckets.append(jax.tree.unflatten(tree, leaves))
    return TrainingData(buckets, potential.ranges, potential.elements)


def _in_words(ranges: tuple[float, ...]) -> str:
    return f"{', '.join(f'{one:g}' for one in ranges)} Å" if ranges else "0"


def _structure(place: int, frame: Frame, potential: Potential, dtype: np.dtype) -> tuple[System, Neighbors | None]:
    where = f"frame {place}" if frame.source == "frame" else frame.source
    for name in ("energy", "forces", "stress"):
        value = getattr(frame, name)
        if value is not None and not np.isfinite(value).all():
            raise ValueError(f"{where}: {name} is not finite; repair or delete the frame")
    if frame.energy is None and frame.forces is None and frame.stress is None:
        raise ValueError(f"{where}: has no energy, forces or stress to learn from; delete the frame")
    if frame.forces is not None and np.shape(frame.forces) != (len(frame.atoms), 3):
        raise ValueError(
            f"{where}: forces must have shape [{len(frame.atoms)}, 3], got {list(np.shape(frame.forces))}; "
            "repair or delete the frame"
        )
    if frame.stress is not None and not abs(np.linalg.det(frame.atoms.cell.array)) > 0:
        raise ValueError(f"{where}: has a stress, but its cell has no volume; give it a cell or leave the stress out")
    try:
        system = system_of(frame.atoms, potential, dtype)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    system = jax.tree.map(np.asarray, system)
    if not potential.ranges:
        return system, None
    neighbors = neighbor_list(potential, 0.0, capacity_multiplier=1.0).allocate(system)
    return system, jax.tree.map(np.asarray, neighbors)


def _check_storable(potential: Potential) -> None:
    structured = [name for name in sorted(potential.needs) if declared(name).per == "structured"]
    if structured:
        raise ValueError(
            f"{', '.join(structured)}, which {potential.name} needs, is not kept in files; leave out folder"
        )


def _in_one_shape(
    systems: Sequence[tuple[System, Neighbors | None]], groups: Sequence[tuple[Sizes, Sequence[int]]]
) -> dict[int, System]:
    """Padded systems by place, where they hold data such as topologies, which must be alike to be stacked."""
    found: dict[int, System] = {}
    for shape, members in groups:
        if systems and any(declared(name).alike for name in systems[members[0]][0].extras):
            padded = [pad_system(systems[k][0], shape.atoms) for k in members]
            extras = alike_data([system.extras for system in padded])
            found |= {k: one.replace(extras=data) for k, one, data in zip(members, padded, extras, strict=True)}
    return found


def _example(
    place: int,
    frame: Frame,
    system: System,
    neighbors: Neighbors | None,
    shape: Sizes,
    dtype: np.dtype,
    features: Features | None,
) -> Examples:
    count = len(frame.atoms)
    neighbors = None if neighbors is None else resized(neighbors, shape)
    forces = np.zeros((shape.atoms, 3), dtype)
    if frame.forces is not None:
        forces[:count] = frame.forces
    return Examples(
        system=system,
        neighbors=neighbors,
        energy=np.asarray(frame.energy or 0.0, dtype),
        forces=forces,
        stress=np.asarray(np.zeros((3, 3)) if frame.stress is None else frame.stress, dtype),
        energy_known=np.asarray(frame.energy is not None),
        forces_known=(np.arange(shape.atoms) < count) & (frame.forces is not None),
        stress_known=np.asarray(frame.stress is not None),
        weight=np.asarray(1.0, dtype),
        index=np.asarray(place, np.int32),
        features=None if features is None else jax.tree.map(np.asarray, features(system, neighbors)),
    )


def _room(one: Examples, number: int, where: Path | None) -> Examples:
    """Empty arrays for ``number`` structures like the given one."""
    leaves, tree = jax.tree.flatten(one)
    if where is None:
        return jax.tree.unflatten(tree, [np.empty((number, *leaf.shape), leaf.dtype) for leaf in leaves])
    where.mkdir(parents=True, exist_ok=True)
    rooms = [
        np.lib.format.open_memmap(where / f"{k}.npy", "w+", leaf.dtype, (number, *leaf.shape))
        for k, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(tree, rooms)
