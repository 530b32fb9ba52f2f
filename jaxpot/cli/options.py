"""Options that several commands share: what files of structures do not say themselves, and what labels are called."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from jaxpot.io.label_names import UNITS as LABEL_UNITS
from jaxpot.io.structure_files import UNITS, FileKind

if TYPE_CHECKING:
    from jaxpot.fit import Dataset

__all__ = ["DataOptions", "file_options", "label_options", "structure_options"]

Command = Callable[..., None]


class DataOptions(NamedTuple):
    """How labelled structures are read.

    Attributes:
        keys: names of labels and groups, by keyword of :func:`jaxpot.fit.read_dataset`.
        kind: what the files do not say themselves.
    """

    keys: dict[str, str | None]
    kind: FileKind

    def read(self, files: Sequence[Path], **changed: str | None) -> Dataset:
        """The data set in some files; says which labels have unusual names.

        Args:
            files: of it.
            changed: names that replace those of the options.
        """
        from jaxpot.fit import read_dataset

        data = read_dataset(list(files), **{**self.keys, **changed}, **self.kind._asdict())
        for note in data.notes:
            click.echo(f"labels of {note}")
        return data


def file_options(command: Command) -> Command:
    """Adds the options of a file of structures; the command gets them as ``kind``."""

    @click.option(
        "--structure-format",
        metavar="FORMAT",
        help="Format of the structures where the files do not tell: ASE's name of it, lammps-data, lammps-data/STYLE "
        "(of atoms, such as full), lammps-dump, runner or fitsnap.",
    )
    @click.option("--types", metavar="ELEMENTS", help="Elements of numbered atom types, with commas, such as Cu,Ni.")
    @click.option(
        "--units",
        type=click.Choice(list(UNITS)),
        help=f"Of an input.data (RuNNer, n2p2) or of forces in a dump: {_listed(UNITS)}.",
    )
    @functools.wraps(command)
    def with_kind(structure_format: str | None, types: str | None, units: str | None, **rest: Any) -> None:
        symbols = None if types is None else tuple(word for word in types.replace(" ", ",").split(",") if word)
        command(kind=FileKind(structure_format, symbols, units).checked(), **rest)

    return with_kind


def structure_options(command: Command) -> Command:
    """Adds ``--structure`` and the options of its file; the command gets ``structure`` and ``kind``."""
    return click.option(
        "--structure", "-s", required=True, metavar="FILE|CRYSTAL",
        help="Anything that ASE reads, LAMMPS's data files and dumps, or a crystal such as bcc:Fe:2.87:10x10x10.",
    )(file_options(command))  # fmt: skip


def label_options(command: Command) -> Command:
    """Adds the options of labelled structures; the command gets them as ``data``, a :class:`DataOptions`."""

    @functools.wraps(command)
    def with_data(kind: FileKind, **rest: Any) -> None:
        given = {name: rest.pop(f"{name}_key") for name in (*LABEL_UNITS, "group")}
        keys = {name: None if key.lower() == "none" else key for name, key in given.items()}
        command(data=DataOptions(keys, kind), **rest)

    found = file_options(with_data)
    found = click.option(
        "--group-key", default="config_type", show_default=True,
        help="Name of the kinds of structure in the files; none for one kind.",
    )(found)  # fmt: skip
    for name, unit in reversed(LABEL_UNITS.items()):
        found = click.option(
            f"--{name}-key", default="auto", show_default=True, metavar="NAME",
            help=f"Name of the {name} in the files ({unit}); auto recognises usual names, none leaves the {name} out.",
        )(found)  # fmt: skip
    return found


def _listed(known: dict[str, str]) -> str:
    return ", ".join(f"{name} ({what})" for name, what in known.items())
