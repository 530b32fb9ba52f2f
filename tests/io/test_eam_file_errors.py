"""EAM files that are damaged, cut off or something else: one line that says where, and never a wrong number."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest

from jaxpot.io.eam_files import read_eam, read_eam_fs, read_setfl, write_setfl
from jaxpot.io.errors import FileFormatError
from tests.io.eam_examples import EXTENSIONS, READERS, WRITERS, example, example_file, in_file_order


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.eam").touch()
    (tmp_path / "blank.eam").write_text(" \n\n")
    (tmp_path / "binary.eam").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "text.eam").write_text("This is not the file that you are looking for.\n" * 9)
    (tmp_path / "one line.eam").write_text("DATE: today")
    os.mkfifo(tmp_path / "pipe.eam")
    for name, reason in {
        "none.eam": "there is no such file",
        "none.eam.fs": "there is no such file",
        "": "is a folder",
        "nul\0l.eam.alloy": "no such file",
        "empty.eam": "the file is empty",
        "blank.eam": "the file is empty",
        "binary.eam": "not a text file",
        "text.eam": r":4: the number of elements is 'This', must be a whole number",
        "one line.eam": ":1: has no more than its",
        "pipe.eam": "not a regular file",
    }.items():
        with pytest.raises(FileFormatError, match=reason) as caught:
            read_eam(tmp_path / name if name else str(tmp_path))
        assert len(str(caught.value).splitlines()) == 1
        assert "; " in str(caught.value)


# The example's lines: 4 elements, 5 grid, 6 Ni, 7-8 F, 9-10 rho, 11 Al, 12-13 F, 14-15 rho, 16-21 r phi.
@pytest.mark.parametrize(
    ("line", "old", "new", "reason"),
    [
        (1, "one", "UNITS: real", ":1: is in 'real' units; convert"),
        (4, "2", "3", ":4: says 3 element.s. and names 2; write"),
        (4, "2", "-1", ":4: the number of elements is '-1', must be a whole number, 1 or more"),
        (4, "2", "9" * 5000, ":4: the number of elements is '999"),
        (4, "Al", "", ":4: says 2 element.s. and names 1"),
        (4, "Al", "Ni", ":4: names an element twice: Ni Ni"),
        (4, "Al", "13", ":4: '13' is not the name of an element"),
        (5, "7", "7.5", ":5: n_rho is '7.5', must be a whole number, 3 or more"),
        (5, "7", "0", ":5: n_rho is '0'"),
        (5, " 9 ", " -9 ", ":5: n_r is '-9'"),
        (5, " 9 ", " 1_0 ", ":5: n_r is '1_0'"),
        (5, " 0.7", " -0.7", ":5: d_r is '-0.7', must be positive"),
        (5, "0.43", "-0.43", ":5: d_rho is '-0.43"),
        (5, "5.5", "0.0", ":5: the cutoff is '0.0', must be positive"),
        (5, "5.5", "nan", ":5: the cutoff is 'nan', not a finite number"),
        (5, "5.5", "6.4", ":5: the cutoff 6.4 is beyond the tables, which end at 5.6"),
        (5, "5.5", "", ":7: the atomic number of Ni is"),  # LAMMPS too takes the next word
        (5, " 0.7", " 1e308", ":5: spacings .* too large"),
        (6, "28", "Ni", ":6: the atomic number of Ni is 'Ni'"),
        (6, "58.6934", "0.0", ":6: the mass of Ni is '0.0', must be positive"),
        (6, "58.6934", "58,6934", ":6: the mass of Ni is '58,6934', not a finite number"),
        (8, r"^\S+", "nan", ":8: number 6 of the 7 of F.rho. of Ni is 'nan', not a finite number"),
        (8, r"^\S+", "-INF", ":8: number 6 of the 7 of F.rho. of Ni is '-INF'"),
        (8, r"^\S+", "1e999", ":8: number 6 of the 7 of F.rho. of Ni is '1e999', too large"),
        (8, r"^\S+", "1_0", ":8: number 6 of the 7 of F.rho. of Ni is '1_0'"),
        (8, r"^\S+", "1.0-100", ":8: number 6 of the 7 of F.rho. of Ni is '1.0-100'"),
        (8, r"^\S+", "0x1p3", ":8: number 6 of the 7 of F.rho. of Ni is '0x1p3'"),
        (8, r"^\S+", "1.0D+00 x", ":8: number 7 of the 7 of F.rho. of Ni is 'x'"),
        (8, "$", " 1.0", ":11: number 8 of the 9 .*|:10: 1 more value.s. from"),
        (8, r"^\S+", "", ":11: number 9 of the 9 of rho.r. of Ni|:11: .* more value"),
        (10, "$", " 1.0 2.0", ":10: 2 more value.s. from '1.0' on after the last one of rho.r. of Ni; start"),
        (21, "$", " 1.0", ":21: 1 more word.s., '1.0' the first, after the last number of r.phi.r. of Al-Al"),
        (21, "$", "\n\nEND", ":23: 1 more word.s., 'END' the first"),
        (21, r"\S+$", "", ":21: the file ends after 8 of the 9 numbers of r.phi.r. of Al-Al; get a complete"),
    ],
)
def test_faults_are_located(line: int, old: str, new: str, reason: str, tmp_path: Path) -> None:
    path = example_file(tmp_path, "setfl")
    lines = path.read_text().splitlines()
    lines[line - 1], changes = re.subn(old, new, lines[line - 1], count=1)
    assert changes == 1
    path.write_text("\n".join(lines))
    with pytest.raises(FileFormatError, match=rf"example\.eam\.alloy({reason})"):
        read_setfl(path)


def test_cut_off_files_tell_what_is_missing(tmp_path: Path) -> None:
    path = example_file(tmp_path, "fs")
    lines = path.read_text().splitlines()
    for kept, reason in {
        3: ":3: has no more than its 3 comment line",
        4: ":4: the file ends where the line 'n_rho d_rho n_r d_r cutoff' should follow",
        5: ":5: the file ends where the line 'atomic number, mass ...' of Ni should follow",
        7: ":7: the file ends after 5 of the 7 numbers of F.rho. of Ni",
        11: ":11: the file ends after 5 of the 9 numbers of rho.r. of Ni at Al",
        12: ":12: the file ends where the line 'atomic number, mass ...' of Al should follow rho.r. of Ni at Al",
        24: ":24: the file ends after 5 of the 9 numbers of r.phi.r. of Al-Al"
    }.items():  # fmt: skip
        path.write_text("\n".join(lines[:kept]))
        with pytest.raises(FileFormatError, match=reason):
            read_eam_fs(path)


def test_a_cutoff_past_the_end_is_harmless_where_the_functions_are_zero(tmp_path: Path) -> None:
    tables = example("setfl")
    density, r_phi = np.array(tables.density), np.array(tables.r_phi)
    density[:, -1], r_phi[:, :, -1] = 0.0, 1e-12 * np.abs(r_phi).max()
    vanishing = dataclasses.replace(tables, density=density, r_phi=r_phi, cutoff=6.9)
    write_setfl(tmp_path / "vanishing.eam.alloy", vanishing)
    assert read_eam(tmp_path / "vanishing.eam.alloy").identical(vanishing)
    # One step past the last point is how half of LAMMPS's files are written.
    for cutoff in (5.6, 6.3):
        write_setfl(tmp_path / "cutoff.eam.alloy", dataclasses.replace(tables, cutoff=cutoff))
        assert read_eam(tmp_path / "cutoff.eam.alloy").cutoff == cutoff


@pytest.mark.parametrize("style", EXTENSIONS)
def test_damaged_files_give_an_error_or_numbers_that_they_hold(style: str, tmp_path: Path) -> None:
    path = example_file(tmp_path, style)
    original = path.read_bytes()
    rng = np.random.default_rng([7, *style.encode()])
    start, read, refused = time.process_time(), 0, 0
    for _ in range(300):
        damaged = damage(original, rng)
        path.write_bytes(damaged)
        for chosen in (None, style):
            try:
                tables = read_eam(path, style=chosen)
            except FileFormatError as error:
                refused += 1
                message = str(error)
                assert message.startswith(os.fspath(path)) and len(message.splitlines()) == 1
                assert error.line is None or 1 <= error.line <= damaged.count(b"\n") + damaged.count(b"\r") + 1
                continue
            read += 1
            assert tables.style == style or chosen is None
            assert holds_in_order(damaged, in_file_order(tables))
            WRITERS[tables.style](path, tables)
            assert READERS[tables.style](path).identical(tables)
            path.write_bytes(damaged)
    assert read > 15 and refused > 150  # both outcomes are tested
    assert time.process_time() - start < 10


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three faults of the kinds that files suffer."""
    for _ in range(rng.integers(1, 4)):
        lines = content.split(b"\n")
        words = re.split(rb"(\s+)", content)
        match rng.integers(8):
            case 0:
                content = content[: rng.integers(len(content))]
            case 1:
                del words[rng.integers(len(words))]
                content = b"".join(words)
            case 2:
                i = rng.integers(len(content))
                content = content[:i] + rng.bytes(1) + content[i + 1 :]
            case 3:
                i, j = rng.integers(len(lines), size=2)
                lines[i], lines[j] = lines[j], lines[i]
                content = b"\n".join(lines)
            case 4:
                i, j = rng.integers(len(words), size=2)
                words[i], words[j] = words[j], words[i]
                content = b"".join(words)
            case 5:
                lines.insert(rng.integers(len(lines)), lines[rng.integers(len(lines))])
                content = b"\n".join(lines)
            case 6:
                i = rng.integers(len(content))
                content = content[:i] + rng.choice([b"9", b"-", b"e", b".", b" ", b"\n", b"#", b"_"]) + content[i:]
            case 7:
                del lines[rng.integers(len(lines))]
                content = b"\n".join(lines)
        content = content or b"x"
    return content


def holds_in_order(content: bytes, numbers: np.ndarray) -> bool:
    """Whether the words of the text include these numbers, one after the other (others may be between)."""
    text = re.sub(rb"#[^\n\r]*", b"", content).replace(b"D", b"e").replace(b"d", b"e")
    words = iter([float(w) for w in text.split() if re.fullmatch(rb"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", w.lower())])
    return all(any(word == number for word in words) for number in numbers)


def test_the_fuzz_oracle_sees_wrong_numbers() -> None:
    assert holds_in_order(b"a 1.0 2D0 3 # 4", np.array([1.0, 2.0, 3.0]))
    assert not holds_in_order(b"1.0 2 3 # 4", np.array([1.0, 4.0]))
    assert not holds_in_order(b"1.0 2 3", np.array([2.0, 1.0]))
