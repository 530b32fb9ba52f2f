"""Data sets from files, and from ASE ``Atoms`` that carry labels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxpot.batch.named_data import without_calculator
from jaxpot.fit.dataset import Dataset
from jaxpot.fit.frame import Frame
from jaxpot.io.errors import FileFormatError, FileWarning
from jaxpot.io.label_names import kind_of
from jaxpot.io.labels import AUTO, LabelError, LabelKeys, choose, labels_of, names_of, unknown_units
from jaxpot.io.structure_files import FileKind, files_in, line_of_frame, read_frames

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Labelled", "labelled", "read_dataset"]


def read_dataset(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    energy: str | None = AUTO,
    forces: str | None = AUTO,
    stress: str | None = AUTO,
    virial: str | None = AUTO,
    group: str | None = "config_type",
    format: str | None = None,
    types: Sequence[str] | None = None,
    units: str | None = None,
) -> Dataset:
    """Reads a data set from files of LAMMPS, RuNNer, n2p2 or FitSNAP, or of any kind that ASE reads.

    A name is looked up among the results of the frame's calculator, where ASE puts ``energy``, ``forces`` and
    ``stress``, then among ``atoms.info`` and ``atoms.arrays``. A frame without that name has no such label. By default
    the labels are recognised by their names, as :func:`jaxpot.io.labels.choose` describes. A warning names whatever
    looks like a label but is not used.

    Args:
        path: a file, a folder of FitSNAP (one subfolder of JSON files or one ``.xyz`` file a group), or several of
            these, whose frames are joined in this order.
        energy: name of the energies, eV; ``"auto"`` to recognise them, None to leave them out.
        forces: name of the forces, eV/Å; likewise.
        stress: name of the stresses, eV/Å^3 in ASE's sign, positive under tension, 6 numbers in ASE's order, 9 or
            [3, 3]; likewise.
        virial: name of virials as QUIP, GPUMD, MACE and dpdata write them, eV, minus the stress times the volume.
            A virial replaces the stress of a frame that has none.
        group: name of the kind of structure; None for one group. Frames without it have the group of their file, if
            the file is in a folder of groups, or "".
        format: as in :class:`jaxpot.io.structure_files.FileKind`; by default recognised from the files.
        types: chemical symbols of numbered atom types.
        units: ``"metal"`` or ``"atomic"`` for ``input.data`` of RuNNer and n2p2, ``"metal"`` or ``"real"`` for dumps.

    Returns:
        The :class:`Dataset`, whose ``notes`` say which labels have unusual names.

    Raises:
        FileFormatError: (a ValueError) a file is missing or cannot be read; a label has the wrong shape, is not a
            number or not finite; or several names are possible. The message names file and frame.
        ValueError: no file has any label under these names.

    Example:
        >>> import ase.io
        >>> from ase.build import bulk
        >>> from jaxpot.fit import read_dataset
        >>> atoms = bulk("Cu", a=3.6)
        >>> atoms.info |= {"dft_energy": -3.7, "config_type": "fcc"}
        >>> ase.io.write("copper.extxyz", atoms)
        >>> data = read_dataset("copper.extxyz")
        >>> data[0].energy, data[0].forces, data[0].group, data.notes
        (-3.7, None, 'fcc', ('copper.extxyz: energy from dft_energy (eV)',))
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not paths:
        raise ValueError("no files given; name at least one")
    keys = LabelKeys(energy, forces, stress, virial, group)
    kind = FileKind(format, None if types is None else tuple(types), units)
    found: list[Labelled] = []
    for one in paths:
        files = files_in(one) if os.path.isdir(one) else [(Path(one), "")]
        found += [labelled(list(read_frames(file, kind)), keys, file, of_file) for file, of_file in files]
    dataset = Dataset(tuple(frame for part in found for frame in part.frames), _once(found, "notes"))
    known = sorted(set().union(*(part.names for part in found)))
    have = f"there are {', '.join(known) or 'none at all'}"
    for name, key in keys._asdict().items():
        if name != "group" and key not in (None, AUTO) and key not in known:
            raise ValueError(f"{os.fspath(paths[0])} has no label called {name}={key!r}; {have}")
    if all(frame.energy is None and frame.forces is None and frame.stress is None for frame in dataset):
        raise ValueError(f"{os.fspath(paths[0])} has no label that is wanted and recognised; {have}")
    for message in _once(found, "warnings"):
        warnings.warn(message, FileWarning, stacklevel=2)
    return dataset


class Labelled(NamedTuple):
    """Frames of structures that belong together, such as those of one file.

    Attributes:
        where: the place that the structures come from.
        frames: the structures with their labels.
        notes: lines about labels with unusual names.
        warnings: lines about data that look like labels but are not used.
        names: the names of all data that the structures carry.
    """

    where: str
    frames: list[Frame]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    names: list[str]


def labelled(
    structures: Sequence[Atoms],
    keys: LabelKeys | None = None,
    where: str | os.PathLike[str] = "frames",
    group: str = "",
) -> Labelled:
    """Collects the labels of structures that belong together; nothing is computed.

    Args:
        structures: ASE ``Atoms``, with results of a calculator or labels in ``info`` and ``arrays``.
        keys: names of the labels.
        where: the place that the structures come from, for messages.
        group: the group of structures that name none.

    Raises:
        FileFormatError: a label cannot be used, or several names are possible.
    """
    place = os.fspath(where)
    try:
        choice = choose(structures, keys)
        labels = [labels_of(atoms, choice, k) for k, atoms in enumerate(structures)]
    except LabelError as error:
        line = None if error.number is None else line_of_frame(Path(where), error.number)
        frame = "" if error.number is None else f"frame {error.number}: "
        raise FileFormatError(where, line, frame + error.message, error.remedy) from error
    said = [
        f"{name} looks like a label and is not used; {(kind := kind_of(name))}={name!r} (--{kind}-key {name}) uses it, "
        f"and {kind}=None (--{kind}-key none) does without"
        for name in choice.unused
    ]
    said += [
        f"{name} is {value!r}, but labels are taken as eV and Å; convert the file if they are not"
        for name, value in unknown_units(structures).items()
    ]
    frames = []
    for number, (atoms, found) in enumerate(zip(structures, labels, strict=True)):
        frames.append(Frame(without_calculator(atoms), *found[:3], found.group or group, f"{place}, frame {number}"))
    note = choice.says()
    return Labelled(place, frames, (note,) if note else (), tuple(said), names_of(structures))


def _once(found: Sequence[Labelled], what: str) -> tuple[str, ...]:
    """The messages of several files, each once, with its file and the number of further files."""
    places: dict[str, list[str]] = {}
    for part in found:
        for message in getattr(part, what):
            places.setdefault(message, []).append(part.where)
    return tuple(
        f"{where[0]}{f' and {len(where) - 1} more files' if len(where) > 1 else ''}: {message}"
        for message, where in places.items()
    )
