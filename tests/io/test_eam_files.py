"""Spellings of EAM files, their styles, writing, and the tables themselves."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from jaxpot.io.eam_files import merge_funcfl, read_eam, read_setfl, write_adp, write_funcfl, write_setfl
from jaxpot.io.errors import FileFormatError
from tests.io.eam_examples import EXTENSIONS, READERS, example, example_file, in_file_order


@pytest.mark.parametrize("style", EXTENSIONS)
def test_write_and_read_give_every_bit_back(style: str, tmp_path: Path) -> None:
    elements = ("Ni", "Al", "H", "Pd")
    path = example_file(tmp_path, style, elements=elements)
    assert READERS[style](path).identical(example(style, elements))
    assert read_eam(path).identical(example(style, elements))
    assert np.array_equal(np.array(re.findall(r"\S+e[+-]\d+", path.read_text()), float), in_file_order(read_eam(path)))


def respell(text: str, how: str, head: int) -> bytes:
    """The same numbers, written differently."""
    lines = text.split("\n")
    if how == "one number a line":
        lines = [w for line in lines[head:] for w in (line.split() if "e" in line[-5:] else [line])]
        return "\n".join(text.split("\n")[:head] + lines).encode()
    if how == "Fortran exponents":
        lines[head:] = [re.sub(r"(\d)e([+-]\d)", r"\1D\2", line) for line in lines[head:]]
    if how == "Windows":
        return "\r\n".join(lines).encode()
    if how == "old Macintosh":
        return "\r".join(lines).encode()
    if how == "blank lines and comments":
        lines[head:] = [part for line in lines[head:] for part in ("", line + " # 1.0 2.0", "# 7.0", " \t ")]
    if how == "no line end":
        return text.rstrip("\n").encode()
    return "\n".join([*lines, "", " \t", ""]).encode()


@pytest.mark.parametrize(
    "how",
    [
        "one number a line",
        "Fortran exponents",
        "Windows",
        "old Macintosh",
        "blank lines and comments",
        "no line end",
        "blank lines at the end",
    ],
)
@pytest.mark.parametrize("style", EXTENSIONS)
def test_the_same_numbers_in_another_spelling(style: str, how: str, tmp_path: Path) -> None:
    path = example_file(tmp_path, style)
    respelled = respell(path.read_text(), how, head=3 if style == "funcfl" else 5)
    assert respelled != path.read_bytes()
    path.write_bytes(respelled)
    assert READERS[style](path).identical(example(style))


def test_tables_may_begin_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = example_file(tmp_path, "setfl", elements=("Ni",))
    lines = path.read_text().splitlines()
    words = " ".join(lines[6:]).split()
    rows = [words[i : i + 4] for i in range(0, len(words), 4)]
    path.write_text("\n".join([*lines[:6], *map(" ".join, rows)]))
    assert read_setfl(path).identical(example("setfl", ("Ni",)))
    path.write_text("\n".join([*lines[:6], " ".join(words)]))
    assert read_setfl(path).identical(example("setfl", ("Ni",)))


def test_element_lines_may_be_short(tmp_path: Path) -> None:
    path = example_file(tmp_path, "setfl")
    text = path.read_text()
    expected = dataclasses.replace(example("setfl"), lattice_constants=[0.0, 4.05], structures=("", "L1 2"))
    path.write_text(text.replace("28 58.6934 3.52 fcc", "28\n58.6934").replace("4.05 FCC", "4.05 L1  2"))
    assert read_setfl(path).identical(expected)
    path.write_text(text.replace("28 58.6934 3.52 fcc", "28 58.6934 fcc"))
    assert (read_setfl(path).lattice_constants[0], read_setfl(path).structures[0]) == (0.0, "fcc")


def test_comments_may_hold_anything(tmp_path: Path) -> None:
    path = example_file(tmp_path, "setfl")
    body = path.read_bytes().split(b"\n", 3)[3]
    path.write_bytes(b"\xef\xbb\xbf## \xc3\x85ngstr\xc3\xb6m\n2 Al Cu\n\xff\xfe 10 0.1 10 0.1 5.0\t\n" + body)
    tables = read_setfl(path)
    assert tables.comments == ("\ufeff## Ångström", "2 Al Cu", "ÿþ 10 0.1 10 0.1 5.0\t")
    write_setfl(path, tables)
    assert read_setfl(path).identical(tables)


@pytest.mark.parametrize("style", EXTENSIONS)
@pytest.mark.parametrize("name", ["potential", "potential.eam", "Cu.v2.txt"])
def test_the_content_tells_the_style(style: str, name: str, tmp_path: Path) -> None:
    path = example_file(tmp_path, style).rename(tmp_path / name)
    assert read_eam(path).identical(example(style))


def test_the_style_given_wins(tmp_path: Path) -> None:
    path = example_file(tmp_path, "fs", elements=("Ni",))
    assert read_eam(path, style="setfl").style == "setfl"
    assert read_eam(path, style="eam/alloy").style == "setfl"
    assert read_eam(path).style == "fs"
    with pytest.raises(ValueError, match="style is 'eam/he'"):
        read_eam(path, style="eam/he")


def test_a_misleading_name_is_explained(tmp_path: Path) -> None:
    path = example_file(tmp_path, "fs").rename(tmp_path / "NiAl.eam.alloy")
    with pytest.raises(FileFormatError, match=r"not a complete setfl file: .*give style='fs'"):
        read_eam(path)


def test_funcfl_elements_can_be_named(tmp_path: Path) -> None:
    one, two = tmp_path / "1.eam", tmp_path / "2.eam"
    write_funcfl(one, example("funcfl"))
    write_funcfl(two, dataclasses.replace(example("funcfl"), atomic_numbers=(0,)))
    assert read_eam(one).elements == ("Ni",)
    assert read_eam([one, two], elements=["Ni", "Xx"]).elements == ("Ni", "Xx")
    assert read_eam(two, elements="Fe").elements == ("Fe",)
    with pytest.raises(FileFormatError, match=r"2.eam:2: atomic number 0 is no element; name the element"):
        read_eam(two)
    with pytest.raises(FileFormatError, match=r"1.eam:2: is another file of Ni"):
        read_eam([one, one])
    with pytest.raises(ValueError, match=r"1 element\(s\) for 2 funcfl file"):
        read_eam([one, two], elements="Fe")
    with pytest.raises(ValueError, match="2 files"):
        read_eam([one, two], style="setfl")
    with pytest.raises(ValueError, match="leave elements out"):
        read_eam(example_file(tmp_path, "setfl"), elements=["Cu"])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = example_file(tmp_path, "setfl")
    before = path.read_bytes()

    def full_disk(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(FileFormatError, match="cannot be written: No space left on device"):
        write_setfl(path, example("setfl", ("Pd",)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "x.eam.alloy"
    tables = example("setfl")
    for change, reason in (
        ({"comments": ("a\nb",)}, "is not one line"),
        ({"comments": ("x" * 1023,)}, "is not one line of at most 1022 bytes"),
        ({"comments": ("",) * 4}, "4 comment lines where the format has 3"),
        ({"elements": ("Ni", "A l")}, "the element 'A l' is not a plain name"),
        ({"elements": ("Ni", "7")}, "'7' is not the name of an element"),
        ({"structures": ("fcc", "#")}, "the structure '#' is not a plain name"),
    ):
        with pytest.raises(FileFormatError, match=reason):
            write_setfl(path, dataclasses.replace(tables, **change))
    with pytest.raises(FileFormatError, match="of style 'setfl', not 'adp'"):
        write_adp(path, tables)
    with pytest.raises(FileFormatError, match="of style 'setfl', not 'funcfl'; write them with write_setfl"):
        write_funcfl(path, tables)
    with pytest.raises(FileFormatError, match="cannot be written: No such file or directory"):
        write_setfl(tmp_path / "no folder" / "x.eam.alloy", tables)
    with pytest.raises(FileFormatError, match="cannot be written"):
        write_setfl(tmp_path, tables)
    funcfl = example("funcfl")
    with pytest.raises(FileFormatError, match=r"r_phi is not 27\.2"):
        write_funcfl(path, dataclasses.replace(funcfl, r_phi=funcfl.r_phi * 1.1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"style": "eam"}, "style is 'eam'"),
        ({"elements": ("Ni", "Ni")}, "name at least one, and each once"),
        ({"elements": ()}, "name at least one"),
        ({"structures": ("fcc",)}, "structures has 1 entries for 2 elements"),
        ({"d_r": 0.0}, "d_r is 0.0"),
        ({"cutoff": np.inf}, "cutoff is inf"),
        ({"masses": (1.0, -1.0)}, "they must be positive"),
        ({"masses": (1.0,)}, r"masses has the shape \(1,\)"),
        ({"n_r": 8}, r"density has the shape \(2, 9\); \(2, 8\) belongs"),
        ({"n_rho": 2}, "n_rho is 2; a table takes 3 points"),
        ({"embedding": np.full((2, 7), np.nan)}, "embedding holds nan"),
        ({"r_phi": np.arange(36.0).reshape(2, 2, 9)}, "r_phi is not symmetric"),
        ({"dipole": np.zeros((2, 2, 9))}, "belong to style 'adp'"),
    ],
)
def test_tables_that_do_not_fit(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        dataclasses.replace(example("setfl"), **change)


def test_tables_are_read_only_copies() -> None:
    embedding = np.ones((2, 7))
    tables = dataclasses.replace(example("setfl"), embedding=embedding)
    embedding[0, 0] = 5.0
    assert tables.embedding[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        tables.embedding[0, 0] = 5.0
    with pytest.raises(ValueError, match="cannot be merged"):
        merge_funcfl([tables])


def test_the_error_is_one_line_and_can_be_pickled() -> None:
    error = FileFormatError("a\nb.eam", 3, "is 'x\ny'", "correct it")
    assert str(error) == "a b.eam:3: is 'x y'; correct it"
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.line, copy.path) == (str(error), 3, "a\nb.eam")
    assert str(FileFormatError("b.eam", None, "is empty", "get it")) == "b.eam: is empty; get it"
