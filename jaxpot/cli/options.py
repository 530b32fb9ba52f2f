"""Options that several commands share: the potential, what files of structures leave open, and names of labels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from jaxpot.io.label_names import UNITS as LABEL_UNITS
from jaxpot.io.structure_files import UNITS, FileKind

if TYPE_CHECKING:
    from jaxpot.fit import Dataset

__all__ = [
    "DataOptions", "Molecular", "file_options", "gather", "label_options", "model_options", "structure_options",
]  # fmt: skip

Command = Callable[..., None]

MOLECULAR = {"mmff94": "MMFF94", "mmff94s": "MMFF94s"}
RULES = ("rdkit", "published")


class Molecular(NamedTuple):
    """A force field of molecules, whose params come from the molecules themselves.

    Attributes:
        variant: ``"MMFF94"`` or ``"MMFF94s"``.
        empirical_bonds: the rule for bonds that its tables lack.
    """

    variant: Any
    empirical_bonds: Any


def gather(kind: type, name: str = "options") -> Callable[[Command], Command]:
    """Makes one object of many options, so that a command has few arguments. It stands below the options.

    Args:
        kind: a dataclass, whose fields have the names of the options.
        name: the keyword by which the command gets the object.
    """
    fields = [field.name for field in dataclasses.fields(kind)]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def gathered(**given: Any) -> None:
            values = {field: given.pop(field) for field in fields}
            command(**{name: kind(**values)}, **given)

        return gathered

    return decorate


class DataOptions(NamedTuple):
    """The options for reading labelled structures.

    Attributes:
        keys: names of labels and groups, by keyword argument of :func:`jaxpot.fit.read_dataset`.
        kind: what the files themselves leave open.
    """

    keys: dict[str, str | None]
    kind: FileKind

    def read(self, files: Sequence[Path], **changed: str | None) -> Dataset:
        """Reads a data set from files, and prints which labels have unusual names.

        Args:
            files: the files of the data set.
            changed: label names that replace those of the options.
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


def model_options(command: Command, molecules: bool = False, precision: str = "float32") -> Command:
    """Adds the options that name a potential and its precision; the command gets the loaded potential and its params.

    Args:
        command: the function.
        molecules: whether MMFF94 is allowed, which reads bonds from an SDF file. The command then gets a
            :class:`Molecular` as ``potential``, and None as ``params``.
        precision: the float type by default.
    """
    decorators = [
        click.option(
            "--potential", "-p", "potential_names", multiple=True, required=True, metavar="NAME|FILE",
            help="A published set (jaxpot list) or the files of a potential; several files: give the option again.",
        ),
        click.option("--elements", help="Elements of the potential to use, separated by commas, such as Cu,Al."),
        click.option("--style", help="Kind of the files, such as eam/alloy, where their names do not tell."),
        click.option(
            "--precision", type=click.Choice(["float32", "float64"]), default=precision, show_default=True,
            help="Float type of the calculation.",
        ),
    ]  # fmt: skip

    if molecules:
        decorators[0] = click.option(
            "--potential", "-p", "potential_names", multiple=True, required=True, metavar="NAME|FILE",
            help="A published set (jaxpot list), the files of a potential (several: give the option again), or mmff94 "
            "or mmff94s for the molecules of an SDF file.",
        )  # fmt: skip
        decorators.append(
            click.option(
                "--empirical-bonds", type=click.Choice(RULES), help="With mmff94, the rule for bonds that its tables "
                "lack: RDKit's, the default, or the published one, which knows that multiple bonds are shorter.",
            )
        )  # fmt: skip

    @functools.wraps(command)
    def with_model(
        potential_names: tuple[str, ...], elements: str | None, style: str | None, precision: str,
        empirical_bonds: str | None = None, **rest: Any,
    ) -> None:  # fmt: skip
        import jax

        if precision == "float64":
            jax.config.update("jax_enable_x64", True)
        from jaxpot.io.load import load

        symbols = [e for e in elements.replace(" ", ",").split(",") if e] if elements is not None else None
        names: Any = potential_names[0] if len(potential_names) == 1 else list(potential_names)
        if names in MOLECULAR:
            # needs the bonds of a molecule, which only the structure file holds
            if symbols is not None or style is not None:
                raise ValueError(f"--elements and --style do not go with {names}, whose types come from the molecule")
            if not molecules:
                raise ValueError(f"{names} is not for this command; jaxpot relax takes it")
            model = Molecular(MOLECULAR[names], empirical_bonds or RULES[0])
            command(potential=model, params=None, precision=precision, **rest)
            return
        if empirical_bonds is not None:
            raise ValueError(f"--empirical-bonds goes with {' and '.join(MOLECULAR)} alone; leave it out")
        potential, params = load(names, elements=symbols, style=style)
        command(potential=potential, params=params, precision=precision, **rest)

    for decorator in reversed(decorators):
        with_model = decorator(with_model)
    return with_model


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
