"""Labels of files from the wild: recognised where one name is meant, and otherwise named, never dropped or guessed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from jaxpot.fit import Dataset, Frame, read_dataset
from jaxpot.fit.gradient.frames import as_dataset
from jaxpot.io.errors import FileFormatError, FileWarning

LATTICE = 'Lattice="4 0 0 0 4 0 0 0 4"'
ROWS = "Cu 0 0 0 0.1 0 0\nCu 2 2 1.9 -0.1 0 0\n"
NINE = "0.64 0 0 0 0.32 0 0 0 0.16"


def xyz(info: str, forces: str = "forces") -> str:
    return f"2\n{LATTICE} {info} Properties=species:S:1:pos:R:3:{forces}:R:3\n{ROWS}"


def read(folder: Path, text: str, **keys: Any) -> Dataset:
    path = folder / "train.extxyz"
    path.write_text(text)
    return read_dataset(path, **keys)


@pytest.mark.parametrize(
    ("info", "forces"),
    [
        (f'energy=-5.0 virial="{NINE}"', "force"),  # GPUMD, dpdata
        (f'energy=-5.0 virials="{NINE}"', "forces"),  # MACE's old names
        (f'Energy=-5.0 Virial="{NINE}"', "forces"),
        (f'dft_energy=-5.0 dft_virial="{NINE}"', "dft_force"),  # QUIP
        (f'energy_ref=-5.0 virial_ref="{NINE}"', "forces_ref"),
        (f'REF_energy=-5.0 REF_virials="{NINE}"', "REF_forces"),
        (f'DFT-Energy=-5.0 DFT-Virial="{NINE}"', "DFT_Forces"),
        (f'free_energy=-5.0 virial="{NINE}"', "Forces"),
        (f'refEnergy=-5.0 refVirial="{NINE}"', "refForces"),
    ],
)
def test_labels_of_other_programs_are_recognised(info: str, forces: str, tmp_path: Path) -> None:
    (frame,) = read(tmp_path, xyz(info, forces))
    assert frame.energy == -5.0 and frame.forces is not None and frame.stress is not None
    np.testing.assert_allclose(frame.forces, [[0.1, 0, 0], [-0.1, 0, 0]])
    # a virial is minus the stress times the volume of 64 Å^3
    np.testing.assert_allclose(frame.stress, np.diag([-0.01, -0.005, -0.0025]), atol=1e-12)


def test_a_stress_keeps_its_sign_and_unit(tmp_path: Path) -> None:
    data = read(tmp_path, xyz(f'REF_energy=-5.0 REF_stress="{NINE}"', "REF_forces"))
    np.testing.assert_allclose(data[0].stress, np.diag([0.64, 0.32, 0.16]))
    assert "REF_stress (eV/Å^3, positive under tension)" in data.notes[0] and "REF_forces (eV/Å)" in data.notes[0]


@pytest.mark.parametrize(
    ("info", "forces", "names"),
    [
        ("energy=-5.0", "mace_forces", ["mace_forces"]),  # a prediction, perhaps
        ("energy=-5.0 energy_corrected=-4.0", "forces", ["energy_corrected"]),
        ("energy_per_atom=-2.5", "forces", ["energy_per_atom"]),
        ("E=-5.0", "forces", ["E"]),
        ("energy=-5.0 dft_energy=-4.0", "forces", ["dft_energy"]),
        (f'energy=-5.0 stress_GPa="{NINE}"', "forces", ["stress_GPa"]),
        ('energy=-5.0 dft_virial="1 2 3"', "forces", ["dft_virial"]),
        (f'energy=-5.0 vasp_stress="{NINE}"', "forces", ["vasp_stress"]),  # kbar, and a pressure
        ("formation_energy=-5.0 atomization_energy=3.0", "forces", ["formation_energy", "atomization_energy"]),
    ],
)
def test_what_only_looks_like_a_label_is_named(info: str, forces: str, names: list[str], tmp_path: Path) -> None:
    with pytest.warns(FileWarning) as record:
        read(tmp_path, xyz(info, forces))
    said = [str(one.message) for one in record]
    for name in names:
        assert any(f"{name} looks like a label and is not used" in message for message in said)
    assert len(said) == len(names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is said of what the caller has decided about
        read(tmp_path, xyz(info, "forces"), energy=names[0] if "nerg" in names[0] else None, stress=None)


def test_what_is_about_labels_is_no_label(tmp_path: Path) -> None:
    info = "energy=-5.0 config_energy_weight=1.0 energy_sigma=0.1 max_force=0.1 kinetic_energy=0.3 force_tolerance=1.0"
    assert read(tmp_path, xyz(info))[0].energy == -5.0
    same = read(tmp_path, xyz("energy=-5.0 REF_energy=-5.0"))  # twice the same number is no question
    assert same[0].energy == -5.0


@pytest.mark.parametrize(
    ("info", "forces", "message"),
    [
        (
            "dft_energy=-5.0 REF_energy=-4.0",
            "forces",
            r"several names for energy: dft_energy, REF_energy; .*energy-key",
        ),
        (f'energy=-5.0 stress="{NINE}" virial="{NINE}"', "forces", r"frame 0: stress and virial contradict each other"),
        ("energy=nan", "forces", r"train.extxyz:1: frame 0: energy is nan; delete the frame, or leave out energy"),
        ('energy=-5.0 virial="0 0 inf 0 0 0 0 0 0"', "forces", r"frame 0: virial is inf"),
        ('energy=-5.0 virial="1 2 3"', "forces", r"train.extxyz:1: .* frame 0.*virial"),
        ("energy=unknown", "forces", r"frame 0: energy must be one number, got 'unknown'"),
        ("energy=T", "forces", r"frame 0: energy must be one number"),
    ],
)
def test_what_cannot_be_used_names_frame_and_key(info: str, forces: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path, xyz(info, forces))


def test_a_bad_force_names_line_frame_and_atom(tmp_path: Path) -> None:
    bad = xyz("energy=-5.0").replace("-0.1 0 0", "nan 0 0")
    with pytest.raises(FileFormatError, match=r"train.extxyz:5: frame 1: forces of atom 1 is nan"):
        read(tmp_path, xyz("energy=-5.0") + bad)
    assert read(tmp_path, bad, forces=None)[0].energy == -5.0


def test_forces_in_three_columns(tmp_path: Path) -> None:
    text = xyz("energy=-5.0").replace("forces:R:3", "fx:R:1:fy:R:1:fz:R:1")
    with pytest.warns(FileWarning, match=r"fx,fy,fz looks like a label and is not used; forces='fx,fy,fz'"):
        read(tmp_path, text)
    np.testing.assert_allclose(read(tmp_path, text, forces="fx,fy,fz")[0].forces, [[0.1, 0, 0], [-0.1, 0, 0]])


def test_a_virial_without_a_volume_is_refused(tmp_path: Path) -> None:
    text = xyz(f'energy=-5.0 virial="{NINE}"').replace(LATTICE, "")
    with pytest.raises(FileFormatError, match="virial is given, but the cell has no volume"):
        read(tmp_path, text)
    assert read(tmp_path, text, virial=None)[0].stress is None
    assert read(tmp_path, text, stress=None)[0].stress is None  # stresses are not wanted


def test_names_that_are_given_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no label called forces='dft_forces'; there are energy, forces"):
        read(tmp_path, xyz("energy=-5.0"), forces="dft_forces")
    data = read(tmp_path, xyz("energy=-5.0 other=-4.0"), energy="other", forces=None)
    assert data[0].energy == -4.0 and data[0].forces is None


def test_units_that_are_not_ours_are_named(tmp_path: Path) -> None:
    with pytest.warns(FileWarning, match="energy_unit is 'Hartree', but labels are taken as eV"):
        read(tmp_path, xyz("energy=-5.0 energy_unit=Hartree"))
    read(tmp_path, xyz('energy=-5.0 energy_unit=eV force_unit="eV/Å"'))


def test_training_reads_labels_by_the_same_rules() -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.info["REF_energy"] = -14.0
    atoms.arrays["force"] = np.full((4, 3), 0.1)
    frame = Frame(bulk("Cu"), energy=-3.5)
    data = as_dataset([atoms, frame, atoms])
    assert [one.energy for one in data] == [-14.0, -3.5, -14.0] and data[1] is frame
    np.testing.assert_allclose(data[2].forces, 0.1)
    bad: Atoms = bulk("Cu")
    bad.calc = SinglePointCalculator(bad, energy=float("nan"))
    with pytest.raises(ValueError, match="frame 0: energy is nan"):
        as_dataset([bad])
    atoms.info["mlip_energy"] = -13.0
    with pytest.warns(FileWarning, match="mlip_energy looks like a label"):
        as_dataset([atoms])
