"""Data sets: what files say, how they are split, and that each kind of trouble is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from jaxpot.fit import Dataset, Frame, read_dataset
from jaxpot.io.errors import FileFormatError, FileWarning
from tests import structures

STRESS = np.array([[1.0, 0.6, 0.5], [0.6, 2.0, 0.4], [0.5, 0.4, 3.0]]) * 1e-2  # eV/Å^3
VOIGT = STRESS[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]


def labelled(seed: int, **results: Any) -> Atoms:
    atoms = structures.crystal(["Cu", "Al"], 3.9, repeat=(1, 1, 1), seed=seed)
    forces = np.random.default_rng(seed).normal(size=(len(atoms), 3))
    forces -= forces.mean(axis=0)
    atoms.calc = SinglePointCalculator(atoms, **{"energy": -3.0 - seed, "forces": forces, "stress": VOIGT, **results})
    return atoms


def frames(number: int = 20) -> Dataset:
    return Dataset(
        tuple(
            Frame(
                structures.crystal(["Cu"], 3.6, repeat=1, seed=k),
                -3.0 * 4,
                np.zeros((4, 3)),
                None,
                "ab"[k % 2],
                f"f {k}",
            )
            for k in range(number)
        )
    )


def test_reads_what_ase_wrote(tmp_path: Path) -> None:
    written = [labelled(seed) for seed in range(3)]
    for k, atoms in enumerate(written):
        atoms.info["config_type"] = "even" if k % 2 == 0 else "odd"
    for name in ("a.extxyz", "a.traj"):
        ase.io.write(tmp_path / name, written)
        data = read_dataset(tmp_path / name)
        assert data.groups == ("even", "odd") and data.elements == ("Al", "Cu")
        for k, (frame, atoms) in enumerate(zip(data, written, strict=True)):
            assert frame.energy == atoms.get_potential_energy()
            np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-7)
            np.testing.assert_allclose(frame.stress, STRESS, atol=1e-9)
            np.testing.assert_allclose(frame.atoms.positions, atoms.positions, atol=1e-7)
            assert frame.source.endswith(f"{name}, frame {k}") and frame.atoms.calc is None


def test_keys_of_other_names_and_virials(tmp_path: Path) -> None:
    atoms = structures.crystal(["Cu"], 3.6, repeat=1, seed=1)
    atoms.info |= {"dft_energy": -14.0, "dft_virial": (-STRESS * atoms.cell.volume).ravel(), "kind": "bulk"}
    atoms.arrays["dft_force"] = np.ones((4, 3))
    ase.io.write(tmp_path / "a.extxyz", [atoms, structures.crystal(["Cu"], 3.6, repeat=1)])
    data = read_dataset(
        tmp_path / "a.extxyz", energy="dft_energy", forces="dft_force", virial="dft_virial", group="kind"
    )
    assert data[0].energy == -14.0 and data[0].group == "bulk"
    np.testing.assert_allclose(data[0].forces, 1.0)
    np.testing.assert_allclose(data[0].stress, STRESS, rtol=1e-6)
    assert data[1][1:5] == (None, None, None, "")
    only = read_dataset([tmp_path / "a.extxyz"] * 2, energy="dft_energy", forces=None, stress=None)
    assert len(only) == 4 and only[2].energy == -14.0 and only[2].forces is None


def test_the_reference_data(shared_data: Path) -> None:
    molybdenum = read_dataset(shared_data / "mlearn" / "Mo" / "train.extxyz")
    assert len(molybdenum) == 194
    assert set(molybdenum.groups) == {"Vacancy", "AIMD-NVT", "Surface", "Elastic"}
    first = molybdenum[0]
    assert first.energy == -569.56177802  # as the file says
    assert first.forces is not None
    np.testing.assert_allclose(first.forces[0], [0.62737967, 0.61553514, 0.50337361])
    assert molybdenum.check(["Mo"]) == []
    with pytest.warns(FileWarning, match="energy_corrected looks like a label and is not used"):
        ethanol = read_dataset(shared_data / "ethanol" / "all.extxyz")[:5]
    assert ethanol.elements == ("C", "H", "O") and ethanol[0].stress is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad.extxyz: the file is empty"),
        ("2\nenergy=-1.0\nCu 0 0 0\n", "ASE cannot read frame 0"),
        ('1\nProperties=species:S:1:pos:R:3 energy="a b"\nCu 0 0 0\n', "frame 0: energy must be one number"),
        ('1\nProperties=species:S:1:pos:R:3 energy=-1.0 stress="1 2 3"\nCu 0 0 0\n', "read frame 0.*stress"),
        (
            "1\nProperties=species:S:1:pos:R:3:forces:R:2 energy=-1.0\nCu 0 0 0 1 2\n",
            r"frame 0: forces must be \[1, 3\]",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.extxyz"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_dataset(path)
    with pytest.raises(FileFormatError, match=r"none\.extxyz: no such file"):
        read_dataset(tmp_path / "none.extxyz")


def test_a_file_without_the_labels_asked_for_is_refused(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.extxyz", labelled(0))
    with pytest.raises(ValueError, match=r"no label called energy='dft'.*there are .*energy.*forces"):
        read_dataset(tmp_path / "a.extxyz", energy="dft", forces=None, stress=None)


def test_splits_are_reproducible_and_hold_every_frame_once() -> None:
    data = frames()
    train, test = data.split(0.2, seed=3)
    again, _ = data.split(0.2, seed=3)
    assert [f.source for f in train] == [f.source for f in again]
    assert sorted(f.source for f in train + test) == sorted(f.source for f in data)
    assert [sum(f.group == g for f in test) for g in "ab"] == [2, 2]
    assert [f.source for f in data.split(0.2, seed=4)[0]] != [f.source for f in train]
    folds = data.folds(4, seed=1)
    assert np.sort(np.concatenate(folds)).tolist() == list(range(20))
    assert all(len(fold) == 5 for fold in folds)
    assert len(data[folds[0]]) == 5 and len(data[np.arange(20) < 3]) == 3
    for fraction in (0.0, 1.0, 1.3):
        with pytest.raises(ValueError, match="between 0 and 1"):
            data.split(fraction)
    with pytest.raises(ValueError, match="21 folds of 20 frames"):
        data.folds(21)


def test_each_kind_of_trouble_is_found() -> None:
    data = frames(8)
    assert data.check(["Cu"]) == []
    turned = data[1].atoms.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.positions += 0.3
    turned = turned[[2, 0, 3, 1]]
    wrong = {
        "duplicate": data[1]._replace(atoms=turned),
        "contradiction": data[1]._replace(atoms=turned, energy=-11.0),
        "net force": data[1]._replace(forces=np.full((4, 3), 0.1)),
        "not finite": data[1]._replace(energy=float("nan")),
        "missing label": data[1]._replace(energy=None),
    }
    for kind, frame in wrong.items():
        frame = frame._replace(source="wrong")
        found = Dataset((data[0], frame) if "du" not in kind and "con" not in kind else (*data.frames, frame)).check()
        assert [(f.kind, f.source) for f in found] == [(kind, "wrong")]
    near = data[1].atoms.copy()
    near.positions[1] = near.positions[0] + [0.0, 0.0, 0.9]
    (found,) = Dataset((data[0], data[1]._replace(atoms=near, source="near"))).check()
    assert found.kind == "too close" and "0.900 Å" in found.message and found.severity == "warning"
    (found,) = data[:1].check(["Al"])
    assert found.kind == "unknown element" and found.severity == "error"
    with pytest.raises(ValueError, match="f 0: Cu is not among Al"):
        data.checked(["Al"])
    with pytest.raises(ValueError, match="a force is not finite"):
        Dataset((data[0]._replace(forces=np.full((4, 3), np.inf)),)).checked()
    assert data.checked(["Cu"]) is data
    for size, severity in ((5.0, "warning"), (25.0, "error")):  # 25 kbar, taken for eV/Å^3
        (found,) = Dataset((data[0]._replace(stress=size * np.eye(3)),)).check()
        assert (found.kind, found.severity) == ("unit", severity) and "GPa" in found.message


def test_statistics_are_those_of_numpy() -> None:
    data = Dataset(
        tuple(
            Frame(a, a.get_potential_energy(), a.get_forces(), None, group, str(k))
            for k, (a, group) in enumerate(zip([labelled(s) for s in range(4)], "xxyy", strict=True))
        )
    )
    found = data.statistics()
    forces = np.concatenate([f.forces for f in data if f.forces is not None])
    assert found.total.frames == 4 and found.total.atoms == 16 and found.elements == {"Al": 8, "Cu": 8}
    np.testing.assert_allclose(found.total.force_rms, np.sqrt(np.mean(forces**2)))
    assert found.groups["y"].energy_range == (-6 / 4, -5 / 4)
    shortest = min(a.get_all_distances(mic=True)[~np.eye(4, dtype=bool)].min() for a in data.atoms)
    np.testing.assert_allclose(found.total.shortest_distance, shortest)
    assert "x" in str(found) and "8 Al, 8 Cu" in str(found)
