"""JSON files of FitSNAP: one or a few structures with labels and their units."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxpot import units
from jaxpot.io.errors import FileFormatError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["is_fitsnap", "read_fitsnap"]

# Units that a file names in "EnergyStyle" and the like, lower case, in eV and Å; bars are FitSNAP's default.
STYLES: dict[str, dict[str, float]] = {
    "Positions": {"angstrom": 1.0, "bohr": units.BOHR},
    "Lattice": {"angstrom": 1.0, "bohr": units.BOHR},
    "Energy": {"electronvolt": 1.0, "ev": 1.0, "hartree": units.HARTREE, "kcalpermole": units.KCAL_PER_MOL},
    "Forces": {"electronvoltperangstrom": 1.0, "evperangstrom": 1.0, "kcalpermoleangstrom": units.KCAL_PER_MOL},
    "Stress": {"bar": units.BAR, "kb": 1e3 * units.BAR, "kbar": 1e3 * units.BAR, "kilobar": 1e3 * units.BAR,
               "gpa": units.GPA, "pa": 1e-9 * units.GPA, "pascal": 1e-9 * units.GPA},
}  # fmt: skip
DEFAULTS = {"Positions": "angstrom", "Lattice": "angstrom", "Energy": "electronvolt",
            "Forces": "electronvoltperangstrom", "Stress": "bar"}  # fmt: skip


def is_fitsnap(head: bytes) -> bool:
    """Whether a file is one of FitSNAP's: an optional comment line, then a JSON object with "Dataset".

    Args:
        head: the first kilobytes of the file.
    """
    text = head.lstrip()
    if text.startswith(b"#"):
        text = text.partition(b"\n")[2].lstrip()
    return text.startswith(b"{") and b'"Dataset"' in text[:2000]


def read_fitsnap(path: Path) -> Iterator[Atoms]:
    """Reads the structures in a JSON file of FitSNAP, with energy, forces and stress.

    The stress in the file is positive under compression; its sign is changed to ASE's.

    Args:
        path: the file.

    Yields:
        ASE ``Atoms``; further entries of a structure are in ``info``.

    Raises:
        FileFormatError: the file is no JSON, lacks what a structure needs, or names an unknown unit.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    first = 1
    if text.lstrip().startswith("#"):
        text, first = text.lstrip().partition("\n")[2], 2
    try:
        found = json.loads(text)
        dataset = found["Dataset"]
        structures = list(dataset["Data"])
    except json.JSONDecodeError as error:
        raise FileFormatError(
            path, first + error.lineno - 1, f"is no JSON: {error.msg}", "get a complete copy"
        ) from error
    except (TypeError, KeyError) as error:
        raise FileFormatError(path, None, 'holds no "Dataset" with "Data"', "give a file of FitSNAP's") from error
    factors = {name: _factor(path, dataset, name) for name in STYLES}
    for structure in structures:
        yield _structure(path, structure, factors)


def _factor(path: Path, dataset: Mapping[str, Any], name: str) -> float:
    said = str(dataset.get(f"{name}Style", DEFAULTS[name]))
    known = STYLES[name]
    if said.lower() not in known:
        message = f"{name}Style is {said!r}, not known"
        raise FileFormatError(path, None, message, f"convert to one of {', '.join(known)}")
    return known[said.lower()]


def _structure(path: Path, structure: Mapping[str, Any], factors: Mapping[str, float]) -> Atoms:
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    def array(name: str, *shapes: tuple[int, ...]) -> np.ndarray:
        try:
            values = np.asarray(structure[name], np.float64)
        except KeyError:
            raise FileFormatError(path, None, f"has no {name}", "get a complete copy") from None
        except (TypeError, ValueError):
            raise FileFormatError(path, None, f"{name} is not of numbers", "correct the file") from None
        if values.shape not in shapes:
            want = " or ".join(str(list(shape)) for shape in shapes)
            raise FileFormatError(
                path, None, f"{name} has the shape {list(values.shape)}, must be {want}", "correct it"
            )
        return values * factors.get(name, 1.0)

    symbols = list(structure.get("AtomTypes", ()))
    if not symbols:
        raise FileFormatError(path, None, "has no AtomTypes", "get a complete copy")
    count = len(symbols)
    if structure.get("NumAtoms", count) != count:
        message = f"NumAtoms is {structure['NumAtoms']}, and there are {count} AtomTypes"
        raise FileFormatError(path, None, message, "correct the file")
    try:
        atoms = Atoms(symbols, array("Positions", (count, 3)), cell=array("Lattice", (3, 3)), pbc=True)
    except KeyError as error:
        raise FileFormatError(path, None, f"{error} is no chemical symbol", "correct the file") from None
    results: dict[str, Any] = {}
    if "Energy" in structure:
        results["energy"] = float(array("Energy", ()))
    if "Forces" in structure:
        results["forces"] = array("Forces", (count, 3))
    if "Stress" in structure:
        results["stress"] = -array("Stress", (3, 3))
    atoms.calc = SinglePointCalculator(atoms, **results)
    used = {"AtomTypes", "NumAtoms", *STYLES}
    atoms.info |= {name: value for name, value in structure.items() if name not in used}
    return atoms
