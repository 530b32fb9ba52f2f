"""Folders of two potentials, folders half replaced, arrays that are damaged or claim more than they hold."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.io.arrays import open_npy, read_npz
from jaxpot.io.errors import FileFormatError
from jaxpot.io.folders import kinds_in, write_together
from tests.oracles.lammps import POTENTIALS


def hdnnp(elements: tuple[str, ...] = ("Cu",)) -> tuple[jaxpot.Potential, Any]:
    from jaxpot.descriptors.symmetry_functions import radial

    functions = [radial(a, b, 5.0, 0.5) for a in elements for b in elements]
    potential = jaxpot.hdnnp(elements, functions, [3])
    return potential, potential.init(jax.random.key(0))


def ensemble() -> tuple[jaxpot.Potential, Any]:
    potential, params = hdnnp()
    return jaxpot.committee(potential), jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params)


SAVERS: dict[str, Callable[[], tuple[jaxpot.Potential, Any]]] = {"input.nn": hdnnp, "ensemble.json": ensemble}


@pytest.mark.parametrize("old", SAVERS)
@pytest.mark.parametrize("new", SAVERS)
def test_a_folder_holds_one_kind_of_potential(old: str, new: str, tmp_path: Path) -> None:
    jaxpot.save(tmp_path / "a", *SAVERS[old]())
    before = (tmp_path / "a" / old).read_text()
    if old == new:
        jaxpot.save(tmp_path / "a", *SAVERS[new]())
    else:
        with pytest.raises(FileFormatError, match="holds a potential of another kind"):
            jaxpot.save(tmp_path / "a", *SAVERS[new]())
    assert (tmp_path / "a" / old).read_text() == before and kinds_in(tmp_path / "a") == [old]
    jaxpot.load(tmp_path / "a")


def test_a_folder_of_two_potentials_is_no_potential(tmp_path: Path) -> None:
    jaxpot.save(tmp_path / "a", *hdnnp())
    (tmp_path / "a" / "ensemble.json").write_text(json.dumps({"members": ["member_0"]}))
    with pytest.raises(FileFormatError, match="holds potentials of several kinds"):
        jaxpot.load(tmp_path / "a")


@pytest.mark.parametrize("name", ["Ta06A.snapcoeff", "Cu_mishin1.eam.alloy"])
def test_ensembles_of_files_are_saved_again_and_again(name: str, tmp_path: Path) -> None:
    potential, params = jaxpot.load(POTENTIALS / name)
    for factors in ((1.0, 2.0, 3.0), (4.0, 5.0)):  # fewer members the second time
        stacked = jax.tree.map(lambda leaf, f=factors: jnp.stack([leaf * factor for factor in f]), params)
        jaxpot.save(tmp_path / "a", jaxpot.committee(potential), stacked)
        again, read = jaxpot.load(tmp_path / "a")
        assert again.name == jaxpot.committee(potential).name
        for key in set(stacked) - {"rounding"}:  # what float32 has left of the tables is rounded anew
            np.testing.assert_allclose(read[key], stacked[key], rtol=1e-6)
    with pytest.raises(ValueError, match=r"cannot|style"):  # a save that is refused leaves the old ensemble alone
        jaxpot.save(tmp_path / "a", jaxpot.committee(potential), stacked, style="nonsense")
    assert jax.tree.leaves(jaxpot.load(tmp_path / "a")[1])[0].shape[0] == 2
    assert not [path for path in (tmp_path / "a").iterdir() if path.name.endswith(".part")]


def test_a_replacement_that_stops_half_way_leaves_no_potential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    folder = tmp_path / "a"
    jaxpot.save(folder, *hdnnp())
    replace, done = os.replace, []

    def stops(source: Any, target: Any) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", stops)
    with pytest.raises(FileFormatError, match="cannot be written: No space left"):
        jaxpot.save(folder, *hdnnp(("Cu", "Ni")))
    monkeypatch.undo()
    assert kinds_in(folder) == []
    with pytest.raises(FileFormatError, match="not recognised"):
        jaxpot.load(folder)


def test_writing_together(tmp_path: Path) -> None:
    write_together(tmp_path / "a", {"potential.json": "{}", "params.safetensors": b"\0"}, "potential.json")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["params.safetensors", "potential.json"]
    (tmp_path / "file").write_text("")
    with pytest.raises(FileFormatError, match="cannot be written"):
        write_together(tmp_path / "file", {"potential.json": "{}"}, "potential.json")


def test_snap_files_of_two_potentials_never_stand_together(tmp_path: Path) -> None:
    potential, params = jaxpot.load(POTENTIALS / "Ta06A.snapcoeff")
    jaxpot.save(tmp_path / "Ta.snapcoeff", potential, params)
    (tmp_path / "Ta.snapparam").chmod(0o644)
    again, _ = jaxpot.load(tmp_path)
    assert again.name == potential.name and again.elements == potential.elements
    for name in ("Ta06A.snap", "Ta06A.snapcoeff", "Ta06A.snapparam"):
        shutil.copy(POTENTIALS / name, tmp_path / name)
    assert jaxpot.load(tmp_path)[0].elements == ("Ta",)  # the one script, ZBL and all
    shutil.copy(POTENTIALS / "Ta06A.snap", tmp_path / "other.snap")
    with pytest.raises(FileFormatError, match=r"holds Ta06A.snap, other.snap, not one .snap file or one .snapcoeff"):
        jaxpot.load(tmp_path)


def test_the_number_of_coefficients_is_checked_before_anything_of_that_size_is_made(tmp_path: Path) -> None:
    for ending in ("snapcoeff", "snapparam"):
        shutil.copy(POTENTIALS / f"Ta06A.{ending}", tmp_path / f"a.{ending}")
    parameters = tmp_path / "a.snapparam"
    parameters.write_text(re.sub(r"twojmax\s+6", "twojmax 98", parameters.read_text()))
    with pytest.raises(FileFormatError, match=r"has 31 coefficients an element, but .* asks for 42926 \(twojmax 98\)"):
        jaxpot.load(tmp_path / "a.snapcoeff")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("diagonalstyle 3", None),
        ("diagonalstyle 0", "a.snapparam:.*diagonalstyle is '0', which means another set of components; only.*3"),
        ("diagonalstyle", "diagonalstyle is ''"),
        ("gamma 1.0", None),
        ("gamma 2.0", "only gamma 1 is supported"),
    ],
)
def test_keywords_of_older_versions_of_snap(line: str, message: str | None, tmp_path: Path) -> None:
    for ending in ("snapcoeff", "snapparam"):
        shutil.copy(POTENTIALS / f"Ta06A.{ending}", tmp_path / f"a.{ending}")
    with open(tmp_path / "a.snapparam", "a") as stream:
        stream.write(f"\n{line}\n")
    if message is not None:
        with pytest.raises(FileFormatError, match=message):
            jaxpot.load(tmp_path)
        return
    plain = jaxpot.load(POTENTIALS / "Ta06A.snapcoeff")[1]
    np.testing.assert_array_equal(jaxpot.load(tmp_path)[1]["coefficients"], plain["coefficients"])


def archive(header: str | None = None, keep: int | None = None, flip: int | None = None) -> bytes:
    """An ``.npz`` of one array of SchNet's name, with another header, cut off, or with a byte changed."""
    member = io.BytesIO()
    np.save(member, np.arange(1000.0))
    content = member.getvalue()
    if header is not None:
        text = header.ljust(117) + "\n"
        content = content[:8] + len(text).to_bytes(2, "little") + text.encode() + content[128:]
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("representation.embedding.weight.npy", content)
    damaged = bytearray(whole.getvalue())
    if flip is not None:
        damaged[flip] ^= 0xFF
    return bytes(damaged[:keep])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no .npz|not recognised"),
        (b"no archive at all", "no .npz"),
        (archive(keep=500), "no .npz"),
        (archive(flip=300), "no .npz"),
        (archive("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"), "no room for"),
        (archive("{'descr': '<f8', 'fortran_order': False, 'shape': (-5,)}"), "no room for|no .npz"),
        (archive("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}"), "holds Python objects"),
        (archive("{'descr': '<f8'"), "no .npz"),
        (archive("nonsense("), "no .npz"),
        (archive(), "the read-out has not two layers|not of the shapes"),
    ],
)
def test_a_damaged_archive_is_one_clear_error(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "schnet.npz"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        jaxpot.load(path)


def test_an_archive_that_claims_more_than_deflate_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, a=np.zeros(10))
    read_npz(path)
    raw = bytearray(path.read_bytes())
    where = raw.rindex(b"PK\x01\x02")
    raw[where + 24 : where + 28] = (2**31).to_bytes(4, "little")  # the unpacked size in the directory
    path.write_bytes(raw)
    with pytest.raises(FileFormatError, match=r"claims 2.15e\+09 bytes, packed in"):
        read_npz(path)
    np.savez(path, a=np.zeros(1000))
    with pytest.raises(FileFormatError, match="more than 100"):
        read_npz(path, most=100)


def test_arrays_on_disk_are_as_long_as_they_claim(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(100.0))
    np.testing.assert_array_equal(open_npy(path), np.arange(100.0))
    whole = path.read_bytes()
    for damaged in (whole[:-8], whole[:20], b"", whole.replace(b"(100,)", b"(10000000000000,)"[:6]), b"text"):
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError, match=r"a.npy: .*(no room for|is no .npy)"):
            open_npy(path)
    with pytest.raises(FileFormatError, match=r"is no .npy of a plain array"):
        open_npy(tmp_path / "missing.npy")
