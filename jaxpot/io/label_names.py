"""Names of labels in files: which label a name means, and whether that is certain."""

from __future__ import annotations

import re

__all__ = ["FREE", "KINDS", "UNITS", "kind_of", "kind_of_name", "our_unit"]

KINDS = ("energy", "forces", "stress", "virial")
UNITS = {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å^3, positive under tension",
         "virial": "eV, minus the stress times the volume"}  # fmt: skip

# Words that may be added to the name of a label and tell its origin, such as REF_energy. The words of ORIGINS are not
# accepted for stresses, because stresses of these programs may have other units and signs.
ANY_UNIT = {"ref", "reference", "target", "label", "true", "dft", "qm"}
ORIGINS = ANY_UNIT | {
    "abinitio", "pbe", "pbesol", "pbe0", "rpbe", "lda",
    "scan", "r2scan", "hse", "hse06", "b3lyp", "wb97x", "mp2", "ccsd", "vasp", "qe", "espresso", "castep", "cp2k",
    "aims", "abinit", "gpaw", "orca",
}  # fmt: skip
NAMES = {"energy": ("energy",), "forces": ("forces", "force"), "stress": ("stress",), "virial": ("virial", "virials")}
# Names with one of the first parts look like labels, unless they also have one of the second parts.
LOOKS = re.compile(r"energ|force|stress|virial", re.IGNORECASE)
NOT_LABELS = re.compile(
    r"weight|sigma|mask|err(or)?\b|error|std|var(iance)?|uncert|rmse|mae\b|thresh|cutoff|\bmax|\bmin|tol|unit|kinetic|"
    r"scale|factor|shift|offset|constrain|convergence|field|constant",
    re.IGNORECASE,
)
BARE = {"e", "e0", "etot", "toten", "epot", "f", "fx", "fy", "fz", "fx,fy,fz"}
ASE_OTHERS = ("energies", "stresses")  # results for each atom
FREE = "free_energy"  # with smeared electrons the forces are its derivatives; ASE's energy is extrapolated


def kind_of(name: str) -> str | None:
    """Which label a name looks like: ``"energy"``, ``"forces"``, ``"stress"`` or ``"virial"``; None for other names.

    Args:
        name: name of a property in a structure.

    Example:
        >>> kind_of("REF_forces"), kind_of("config_energy_weight")
        ('forces', None)
    """
    found = kind_of_name(name)
    return None if found is None else found[0]


def kind_of_name(name: str) -> tuple[str, bool] | None:
    """Which label a name looks like, and whether that is certain; None for other names.

    Args:
        name: name of a property in a structure.
    """
    if name in ASE_OTHERS:
        return None
    lower = name.lower()
    if lower == FREE:
        return "energy", True
    words = [word for word in re.split(r"[_\-.\s]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]
    for kind, usual in NAMES.items():
        origins = ANY_UNIT if kind in ("stress", "virial") else ORIGINS
        rest = [word for word in words if word not in origins]
        if len(rest) == 1 and rest[0] in usual:
            return kind, True
    if NOT_LABELS.search(name):
        return None
    for bare in (lower, *_bare(words)):
        if bare in BARE:
            return ("energy" if bare[0] in "et" else "forces"), False
    if LOOKS.search(name) is None:
        return None
    for kind, part in (("virial", "virial"), ("stress", "stress"), ("forces", "force"), ("energy", "energ")):
        if part in lower:
            return kind, False
    return None


def _bare(words: list[str]) -> list[str]:
    """The one word that is left of a name such as E_dft or E_pot without its origin, joined."""
    rest = [word for word in words if word not in ORIGINS]
    return ["".join(rest)] if rest and (len(rest) < len(words) or len(words) == 2) else []


_OURS = re.compile(r"(ev|metal|ase|å|angstrom|ang|a)([ */]*(å|angstrom|ang|a|atom)([*^]*3)?)?", re.IGNORECASE)


def our_unit(text: str) -> bool:
    """Whether a text names a unit made of eV and Å.

    Args:
        text: name of a unit, such as ``"eV/Å"``.
    """
    return _OURS.fullmatch(text.strip()) is not None
