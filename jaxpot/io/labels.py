"""Recognition of reference energies, forces and stresses among the properties of ASE ``Atoms``.

Data sets, training and the command line all use this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxpot.io.label_names import FREE, KINDS, UNITS, kind_of_name, our_unit

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "AUTO", "VOIGT", "Choice", "LabelError", "LabelKeys", "Labels", "carried", "choose", "labels_of", "names_of",
    "unknown_units",
]  # fmt: skip

AUTO = "auto"
VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])  # where ASE's xx, yy, zz, yz, xz, xy go


class LabelKeys(NamedTuple):
    """The names of the labels: a name, ``"auto"`` to recognise it, or None to leave the label out.

    Attributes:
        energy: eV.
        forces: eV/Å.
        stress: eV/Å^3 in ASE's sign, positive under tension.
        virial: eV, minus the stress times the volume; used where there is no stress.
        group: the kind of structure; None for one group.
    """

    energy: str | None = AUTO
    forces: str | None = AUTO
    stress: str | None = AUTO
    virial: str | None = AUTO
    group: str | None = "config_type"


class Labels(NamedTuple):
    """The labels of one structure.

    Attributes:
        energy: eV, or None.
        forces: [atoms, 3] eV/Å, or None.
        stress: [3, 3] eV/Å^3, symmetric, positive under tension, or None.
        group: "" where there is none.
    """

    energy: float | None
    forces: np.ndarray | None
    stress: np.ndarray | None
    group: str


class Choice(NamedTuple):
    """The names under which a set of structures has its labels.

    Attributes:
        names: the names of energy, forces, stress and virial; None where there is no such label.
        group: the name of the group.
        explicit: labels whose name the caller gave.
        unused: names that look like labels but are not used, with the number of structures that have them.
    """

    names: dict[str, str | None]
    group: str | None
    explicit: frozenset[str]
    unused: dict[str, int]

    def says(self) -> str:
        """One line about unusual names; "" if all names are usual."""
        unusual = [f"{kind} from {name} ({UNITS[kind]})" for kind, name in self.names.items()
                   if name is not None and (name != kind or kind == "virial")]  # fmt: skip
        return "; ".join(unusual)


class LabelError(ValueError):
    """A label that cannot be used. It holds the structure, counted from 0, the fault and the remedy."""

    def __init__(self, number: int | None, message: str, remedy: str) -> None:
        super().__init__(number, message, remedy)
        self.number, self.message, self.remedy = number, message, remedy

    def __str__(self) -> str:
        place = "" if self.number is None else f"frame {self.number}: "
        return f"{place}{self.message}; {self.remedy}"


def carried(atoms: Atoms) -> dict[str, Any]:
    """All properties of a structure by name: results of its calculator, ``info`` and ``arrays``.

    Nothing is computed. Three columns fx, fy and fz are joined to one array "fx,fy,fz".

    Args:
        atoms: ASE ``Atoms``.
    """
    results = {} if atoms.calc is None else {k: v for k, v in atoms.calc.results.items() if v is not None}
    found = {**atoms.arrays, **atoms.info, **results}
    columns = [name for name in sorted(atoms.arrays) if name.lower() in ("fx", "fy", "fz")]
    if len(columns) == 3 and all(np.ndim(atoms.arrays[name]) == 1 for name in columns):
        found[",".join(columns)] = np.column_stack([found.pop(name) for name in columns])
    return found


def choose(structures: Sequence[Atoms], keys: LabelKeys | None = None) -> Choice:
    """Finds the names under which a set of structures, such as those of one file, has its labels.

    A label is recognised by its usual name (energy, forces, stress) or by a variant of it: upper or lower case,
    singular or plural, or with a word for its origin (``REF_energy``, ``dft_forces``, ``force``, ``virials``). A virial
    is understood as QUIP, GPUMD, MACE and dpdata write it, minus the stress times the volume.

    Args:
        structures: ASE ``Atoms``.
        keys: names that the caller gives.

    Raises:
        LabelError: several variants of a name exist, but not the usual name.

    Example:
        >>> from ase.build import bulk
        >>> copper = bulk("Cu")
        >>> copper.info["REF_energy"] = -3.7
        >>> choose([copper]).names["energy"]
        'REF_energy'
    """
    keys = keys or LabelKeys()
    counts: dict[str, int] = {}
    kinds: dict[str, tuple[str, bool]] = {}
    for atoms in structures:
        for name, value in carried(atoms).items():
            found = kind_of_name(name)
            if found is None or name == keys.group:
                continue
            fits = _fits(found[0], value, len(atoms))
            if fits or found[1]:
                counts[name] = counts.get(name, 0) + 1
                sure = (found[1] and fits) or (name in kinds and kinds[name][1])
                kinds[name] = found[0], sure
    names: dict[str, str | None] = {}
    explicit = set()
    for kind in KINDS:
        given = getattr(keys, kind)
        if given != AUTO:
            names[kind] = given
            explicit |= {kind} if given is not None else set()
            continue
        certain = [name for name, (own, sure) in kinds.items() if own == kind and sure]
        rest = [name for name in certain if name != FREE] or certain
        if kind in rest or any(kind in carried(atoms) for atoms in structures):
            names[kind] = kind
        elif len(rest) > 1:
            raise LabelError(
                None, f"there are several names for {kind}: {', '.join(rest)}",
                f"say which is meant by {kind}=... (--{kind}-key)",
            )  # fmt: skip
        else:
            names[kind] = rest[0] if rest else None
    if keys.stress is None and keys.virial == AUTO:
        names["virial"] = None  # stresses are not wanted
    if "virial" in explicit and "stress" not in explicit:
        names["stress"] = None
    elif "stress" in explicit and "virial" not in explicit:
        names["virial"] = None
    left_out = {kind for kind in KINDS if getattr(keys, kind) != AUTO}
    left_out |= {"virial"} if keys.stress is None and keys.virial == AUTO else set()
    left_out |= {"stress", "virial"} if explicit & {"stress", "virial"} else set()
    used = {name for name in names.values() if name is not None}
    unused = {
        name: count for name, count in counts.items()
        if name not in used and kinds[name][0] not in left_out and name != FREE
        and not _same(structures, name, names[kinds[name][0]])
    }  # fmt: skip
    return Choice(names, keys.group, frozenset(explicit), unused)


def labels_of(atoms: Atoms, choice: Choice, number: int = 0) -> Labels:
    """Reads the labels of one structure.

    Args:
        atoms: ASE ``Atoms``.
        choice: the names, from :func:`choose`.
        number: number of the structure, for messages.

    Raises:
        LabelError: a label has the wrong shape, is not a number or not finite; a virial is given, but the cell has no
            volume; or stress and virial contradict each other.
    """
    known = carried(atoms)
    count = len(atoms)

    def find(kind: str, *shapes: tuple[int, ...]) -> np.ndarray | None:
        name = choice.names[kind]
        value = known.get(name or "")
        if value is None:
            return None
        try:
            values = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape not in shapes or isinstance(value, bool | np.bool_):
            shape = " or ".join(str(list(s)) if s else "one number" for s in shapes)
            message = f"{name} must be {shape}, got {' '.join(str(value).split())[:60]!r}"
            raise LabelError(number, message, "repair the frame, or name another key")
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            where = f" of atom {int(bad[0][0])}" if kind == "forces" else ""
            message = f"{name}{where} is {values[tuple(bad[0])]}"
            raise LabelError(number, message, f"delete the frame, or leave out {kind} (--{kind}-key none)")
        return values

    energy, forces = find("energy", ()), find("forces", (count, 3))
    stress, virial = find("stress", (3, 3), (6,), (9,)), find("virial", (3, 3), (6,), (9,))
    tensor = None if stress is None else _tensor(stress)
    if virial is not None:
        if not atoms.cell.volume > 0:
            message = f"{choice.names['virial']} is given, but the cell has no volume"
            raise LabelError(number, message, "give the frame a cell, or leave virial out")
        from_virial = -_tensor(virial) / atoms.cell.volume
        if tensor is not None and np.abs(tensor - from_virial).max() > 1e-3 + 0.05 * np.abs(from_virial).max():
            k = np.unravel_index(np.abs(tensor - from_virial).argmax(), (3, 3))
            message = (
                f"{choice.names['stress']} and {choice.names['virial']} contradict each other: {tensor[k]:.4g} eV/Å^3 "
                f"against {from_virial[k]:.4g} from minus the virial over the volume"
            )
            raise LabelError(number, message, "say which is meant: stress=None or virial=None (--stress-key none)")
        tensor = from_virial if tensor is None else tensor
    return Labels(None if energy is None else float(energy), forces, tensor, str(known.get(choice.group or "", "")))


def names_of(structures: Iterable[Atoms]) -> list[str]:
    """Names of all properties of structures besides positions and elements, for messages.

    Args:
        structures: ASE ``Atoms``.
    """
    return sorted({key for atoms in structures for key in carried(atoms)} - {"numbers", "positions"})


def unknown_units(structures: Iterable[Atoms]) -> dict[str, str]:
    """Entries of ``info`` that name units other than eV and Å.

    Args:
        structures: ASE ``Atoms``.
    """
    found = {}
    for atoms in structures:
        for name, value in atoms.info.items():
            if "unit" in name.lower() and isinstance(value, str) and not our_unit(value):
                found[name] = value
    return found


def _fits(kind: str, value: Any, count: int) -> bool:
    try:
        values = np.asarray(value)
    except ValueError:
        return False
    if values.dtype.kind not in "fiu":
        return False
    usual: dict[str, list[tuple[int, ...]]] = {"energy": [()], "forces": [(count, 3), (count,)]}
    shapes = usual.get(kind, [(3, 3), (6,), (9,)])
    return values.shape in shapes


def _same(structures: Sequence[Atoms], one: str, other: str | None) -> bool:
    """Whether two names have the same values in all structures."""
    if other is None:
        return False
    for atoms in structures:
        known = carried(atoms)
        if (one in known) != (other in known):
            return False
        if one in known and not np.array_equal(np.asarray(known[one]), np.asarray(known[other])):
            return False
    return True


def _tensor(values: np.ndarray) -> np.ndarray:
    """[3, 3] symmetric tensor from six numbers in ASE's order, nine numbers, or [3, 3]."""
    if values.shape == (6,):
        return values[VOIGT]
    matrix = values.reshape(3, 3)
    return 0.5 * (matrix + matrix.T)
