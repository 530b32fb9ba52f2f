"""``jaxpot fit``: potentials from files of labelled structures. Each kind of potential has its own command."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.options import DataOptions, gather, label_options
from jaxpot.cli.progress import minutes_left, progress
from jaxpot.cli.structures import output_folder
from jaxpot.cli.train import REPORTING, network_commands

if TYPE_CHECKING:
    from jaxpot.batch import Result
    from jaxpot.fit import Dataset, Errors, LinearFit, Weights

__all__ = ["fit", "fit_snap", "write_report"]


@click.group()
def fit() -> None:
    """Fit a potential to labelled structures."""


for network in network_commands():
    fit.add_command(network)


file = click.Path(path_type=Path)
SLICE = 64  # structures that are evaluated between two looks at the clock


@dataclasses.dataclass(frozen=True)
class SnapOptions:
    """The options of ``jaxpot fit snap``, as its help describes them."""

    train_files: Sequence[Path]
    test_files: Sequence[Path]
    twojmax: int
    cutoff: str
    elements: str | None
    element_weights: str | None
    quadratic: bool
    chem: bool
    weights: str
    zbl: str | None
    atom_energies: str | None
    folds: int
    seed: int
    minutes: float | None
    data: DataOptions
    precision: str
    output: Path
    plots: bool


@fit.command("snap")
@click.option("--train", "train_files", required=True, multiple=True, type=file, help="Structures to fit to.")
@click.option("--test", "test_files", multiple=True, type=file, help="Structures to test on; never seen in the fit.")
@click.option("--twojmax", type=int, default=6, show_default=True, help="2J, the degree of the bispectrum.")
@click.option("--cutoff", default="4.7", show_default=True, help="Å; one number, or one an element, with commas.")
@click.option("--elements", help="Order of the elements, with commas; by default alphabetical.")
@click.option("--element-weights", help="Weights of the elements in the density, with commas; 1 by default.")
@click.option("--quadratic", is_flag=True, help="Also use products of components as features.")
@click.option("--chem", is_flag=True, help="A density for every element (LAMMPS's chemflag).")
@click.option(
    "--weights",
    default="cv",
    show_default=True,
    help="cv chooses them by cross-validation on the training structures; or ENERGY,FORCES[,STRESS], or a JSON file "
    'such as {"energy": 100, "forces": 1, "stress": 0, "groups": {"surface": [0.5, 1, 0]}}.',
)
@click.option("--zbl", metavar="INNER,OUTER", help="Fit on top of a ZBL core that is switched off between these, Å.")
@click.option("--atom-energies", metavar="MO=E,...", help="Energies of isolated atoms, eV; they fix the constants.")
@click.option("--folds", type=int, default=10, show_default=True, help="Number of parts for cross-validation.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the division into folds.")
@click.option("--minutes", type=float, help="Time limit of everything, compilation included.")
@label_options
@click.option("--precision", type=click.Choice(["float32", "float64"]), default="float64", show_default=True)
@click.option("--output", "-o", required=True, type=file, help="Folder for everything written.")
@click.option("--plots/--no-plots", default=True, show_default=True, help="Draw parity plots.")
@gather(SnapOptions)
def fit_snap(options: SnapOptions) -> None:
    """Fit a spectral neighbor analysis potential (SNAP) by linear least squares, and write it as LAMMPS reads it."""
    with output_folder(options.output):
        _fit_snap(options)


def _fit_snap(options: SnapOptions) -> None:
    import jax

    output = options.output
    if options.precision == "float64":
        jax.config.update("jax_enable_x64", True)
    from jaxpot.fit import errors, fit_linear
    from jaxpot.io.load import save
    from jaxpot.potentials.snap import snap

    start = time.perf_counter()
    clock: dict[str, float] = {}

    def lap(name: str) -> None:
        clock[name] = time.perf_counter() - start - sum(clock.values())

    train = options.data.read(options.train_files)
    symbols = tuple(options.elements.replace(" ", "").split(",")) if options.elements else train.elements
    train.checked(symbols)
    test = options.data.read(options.test_files).checked(symbols) if options.test_files else None
    lap("reading and checks")
    lengths = _numbers("--cutoff", options.cutoff)
    potential = snap(
        symbols, options.twojmax, lengths[0] if len(lengths) == 1 else lengths,
        quadratic=options.quadratic, by_elements=options.chem,
        weights=None if options.element_weights is None else _numbers("--element-weights", options.element_weights),
        subtract_isolated=options.atom_energies is not None or options.chem,
    )  # fmt: skip
    core = None if options.zbl is None else _core(options.zbl, symbols)
    size = len(potential.init()["coefficients"][0])
    click.echo(f"{potential.name} of {', '.join(symbols)}: {size} coefficients an element")
    click.echo(str(train.statistics()))
    fitted = fit_linear(
        potential, train, _weights(options.weights), reference=core,
        atom_energies=None if options.atom_energies is None else _energies(options.atom_energies),
        folds=options.folds, seed=options.seed, minutes=minutes_left(options.minutes, 1 - REPORTING),
        progress=progress(),
    )  # fmt: skip
    lap("fit, compilation included")
    stem = output / "".join(symbols)
    save(f"{stem}.snapcoeff", potential, fitted.params)
    _write_script(stem, symbols, options.zbl)
    click.echo(f"written: {stem.name}.snapcoeff, .snapparam and .snap in {output}")
    parts = ({} if test is None else {"test": test}) | {"train": train}
    found = _evaluated(fitted, parts, options.minutes)
    parts = {name: parts[name][: len(found[name])] for name in ("train", "test") if name in found}
    lap("evaluation of all structures")
    tables = {name: errors(part, found[name]) for name, part in parts.items()}
    if options.plots:
        for name, part in parts.items():
            draw_parity(part, found[name], output / f"parity_{name}.png", f"{potential.name}, {name}")
        lap("pictures")
    facts = {"potential": potential.name, "elements": symbols, "twojmax": options.twojmax, "cutoff_A": lengths,
             "quadratic": options.quadratic, "coefficients": len(fitted.coefficients),
             "precision": options.precision}  # fmt: skip
    write_report(output, facts, fitted, tables, clock)


def _evaluated(fitted: LinearFit, parts: dict[str, Dataset], minutes: float | None) -> dict[str, list[Result]]:
    """Results for the structures of all parts, or of as many as the time suffices for, in the order of the parts."""
    from jaxpot.batch import evaluate

    atoms = [(name, atoms) for name, part in parts.items() for atoms in part.atoms]
    size = len(atoms) if minutes is None else SLICE  # all in one call, for the fewest compilations
    found: dict[str, list[Result]] = {}
    for begin in range(0, len(atoms), size):
        left = minutes_left(minutes)
        if left is not None and left <= 0:
            click.echo(f"out of time: errors are those of {begin} of {len(atoms)} structures")
            break
        some = atoms[begin : begin + size]
        for (name, _), one in zip(some, evaluate(*fitted.total, [atoms for _, atoms in some]), strict=True):
            found.setdefault(name, []).append(one)
    return found


def write_report(
    output: Path, facts: dict[str, Any], fitted: LinearFit, tables: dict[str, Errors], clock: dict[str, float]
) -> None:
    """Writes ``report.txt`` and ``report.json`` of a linear fit, and prints the text.

    Args:
        output: the folder to write to.
        facts: entries about the potential, for the JSON file.
        fitted: the fit.
        tables: errors for each part of the data, such as ``"train"``.
        clock: seconds spent in each stage.
    """
    lines = []
    if fitted.validation is not None:
        chosen = fitted.validation
        lines += [
            "weights chosen by cross-validation on the training structures",
            f"  factor {chosen.factor:g}, ridge {chosen.strength:.1e}",
            f"  left-out energies: MAE {1e3 * chosen.energy_error:.2f} meV/atom",
            f"  left-out forces: RMSE {chosen.force_error:.4f} eV/Å",
        ]
        if not chosen.complete:
            lines.append(f"  out of time after {len(chosen.table)} combinations; others might be better")
    groups = dict.fromkeys(group for table in tables.values() for group in table.groups) or fitted.weights.groups
    weighted = {group: fitted.weights.of(group) for group in groups}
    lines += [
        f"  {group or 'all'}: energy {e:.4g}, forces {f:.4g}, stress {s:.4g}" for group, (e, f, s) in weighted.items()
    ]
    for name, table in tables.items():
        lines += ["", f"errors on the {name} structures", str(table)]
    lines += ["", "seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in clock.items())]
    (output / "report.txt").write_text("\n".join(lines) + "\n")
    document = {
        **facts,
        "weights": dataclasses.asdict(fitted.weights),
        "ridge": fitted.strength,
        "cross_validation": None if fitted.validation is None else fitted.validation._asdict(),
        "errors": {name: table.as_dict() for name, table in tables.items()},
        "units": {"energy": "meV/atom", "forces": "eV/A", "stress": "GPa"},
        "seconds": clock,
    }
    (output / "report.json").write_text(json.dumps(document, indent=1) + "\n")
    click.echo("\n" + "\n".join(lines))
    click.echo(f"written: {', '.join(sorted(path.name for path in output.iterdir()))} in {output}")


def draw_parity(dataset: Dataset, results: Sequence[Result], path: Path, title: str) -> None:
    """The parity plot of energies per atom and force components.

    Args:
        dataset: frames with labels.
        results: the evaluation of each frame.
        path: where the picture is written.
        title: the title of the picture.
    """
    import numpy as np

    from jaxpot.plot import plot_parity

    pairs = list(zip(dataset, results, strict=True))
    with_energy = [(frame, found) for frame, found in pairs if frame.energy is not None]
    with_forces = [(frame, found) for frame, found in pairs if frame.forces is not None]
    energy, forces = "energy (eV/atom)", "force (eV/Å)"
    plot_parity(
        {
            energy: np.array([frame.energy / len(frame.atoms) for frame, _ in with_energy]),  # type: ignore[operator]
            forces: np.concatenate([np.zeros(0), *(frame.forces.ravel() for frame, _ in with_forces)]),  # type: ignore[union-attr]
        },
        {
            energy: np.array([found.energy / len(frame.atoms) for frame, found in with_energy]),
            forces: np.concatenate([np.zeros(0), *(found.forces.ravel() for _, found in with_forces)]),
        },
        {
            energy: [frame.group for frame, _ in with_energy],
            forces: [frame.group for frame, _ in with_forces for _ in range(3 * len(frame.atoms))],
        },
        title,
    ).savefig(path)


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be numbers with commas between them, got {text!r}") from None


def _weights(text: str) -> Weights | None:
    from jaxpot.fit import Weights

    if text == "cv":
        return None
    if Path(text).is_file():
        try:
            found = json.loads(Path(text).read_text())
            groups = {name: tuple(values) for name, values in found.pop("groups", {}).items()}
            return Weights(**found, groups=groups)
        except (TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"{text}: no weights ({error}); write energy, forces, stress and groups") from error
    numbers = _numbers("--weights", text)
    if len(numbers) not in (2, 3):
        raise ValueError(f"--weights must be cv, a JSON file, or ENERGY,FORCES[,STRESS]; got {text!r}")
    return Weights(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 0.0)


def _energies(text: str) -> dict[str, float]:
    try:
        return {symbol: float(value) for symbol, value in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise ValueError(f"--atom-energies must be such as Mo=-4.6,Si=-0.8; got {text!r}") from None


def _core(text: str, symbols: Sequence[str]) -> Any:
    from jaxpot.potentials.zbl import zbl

    numbers = _numbers("--zbl", text)
    if len(numbers) != 2:
        raise ValueError(f"--zbl must be INNER,OUTER in Å, got {text!r}")
    core = zbl(numbers[0], numbers[1], symbols)
    return core, core.init()


def _write_script(stem: Path, symbols: Sequence[str], zbl: str | None) -> None:
    """Writes the LAMMPS commands that use the files, like the ``.snap`` files that come with LAMMPS."""
    from ase.data import atomic_numbers

    names = " ".join(symbols)
    files = f"{stem.name}.snapcoeff {stem.name}.snapparam {names}"
    if zbl is None:
        lines = ["pair_style snap", f"pair_coeff * * {files}"]
    else:
        inner, outer = zbl.split(",")
        numbers = [atomic_numbers[symbol] for symbol in symbols]
        lines = [f"pair_style hybrid/overlay snap zbl {inner} {outer}", f"pair_coeff * * snap {files}"]
        lines += [
            f"pair_coeff {i + 1} {j + 1} zbl {numbers[i]} {numbers[j]}"
            for i in range(len(numbers))
            for j in range(i, len(numbers))
        ]
    Path(f"{stem}.snap").write_text("\n".join([f"# {names}, metal units", *lines]) + "\n")
