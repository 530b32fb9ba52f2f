"""``jaxpot fit hdnnp | schnet | dtnn``: networks, single or in ensembles, from files of labelled structures."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.network_report import member_errors, test_errors
from jaxpot.cli.options import DataOptions, gather, label_options
from jaxpot.cli.progress import minutes_left, progress
from jaxpot.cli.structures import output_folder
from jaxpot.io.folders import MARKERS, give_up, kinds_in

if TYPE_CHECKING:
    from jaxpot.descriptors.symmetry_functions import SymmetryFunction
    from jaxpot.fit import Dataset
    from jaxpot.potential import Potential

__all__ = ["REPORTING", "network_commands"]

REPORT = "errors.json"
REPORTING = 0.1  # of --minutes is kept for the report
GRAPHS = {
    "epochs": 60, "batch_size": 2, "learning_rate": 2e-3, "optimizer": "muon", "energy_weight": 10.0,
    "forces_weight": 1.0,
}  # fmt: skip
NOT_TRAINED = ("scaling", "atom_energies", "gaussians")

Build = Callable[[Sequence[str], "Dataset"], "Potential"]  # from the elements and the training structures


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """The options that all networks share, as their help describes them. None leaves a value to the kind of network."""

    train_files: Sequence[Path]
    test_files: Sequence[Path]
    validation: float
    output: Path
    members: int | None
    bootstrap: bool
    epochs: int | None
    minutes: float | None
    batch_size: int | None
    learning_rate: float | None
    optimizer: str | None
    energy_weight: float | None
    forces_weight: float | None
    stress_weight: float
    patience: int | None
    seed: int
    precision: str
    data: DataOptions
    resume: bool
    force: bool
    plots: bool


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that all networks share; the command gets them as ``options``, :class:`NetworkOptions`."""
    command = gather(NetworkOptions)(command)
    file = click.Path(path_type=Path)
    decorators: list[Callable[..., Any]] = [
        click.option("--train", "train_files", required=True, multiple=True, type=file,
                     help="Structures to learn from; give the option again for more files."),
        click.option("--test", "test_files", multiple=True, type=file,
                     help="Structures to test on; never seen in training."),
        click.option("--validation", default=0.1, show_default=True,
                     help="Share of the training structures held back to choose the best epoch and to calibrate."),
        click.option("--output", "-o", required=True, type=file, help="Folder for everything written."),
        click.option("--ensemble", "members", type=int, help="Number of networks trained together."),
        click.option("--bootstrap", is_flag=True, help="Train each member on a resample of the structures."),
        click.option("--epochs", type=int, help="Passes through the data."),
        click.option("--minutes", type=float,
                     help="Time limit of all but the report on test structures; a tenth is kept for that. The learning "
                     "rate still follows the epochs."),
        click.option("--batch-size", type=int, help="Structures in one step."),
        click.option("--learning-rate", type=float, help="The highest learning rate."),
        click.option("--optimizer", help="adam, adamw, adabelief, amsgrad, muon or sgd."),
        click.option("--energy-weight", type=float, help="Weight of squared errors in eV/atom."),
        click.option("--forces-weight", type=float, help="Weight of squared errors in eV/Å."),
        click.option("--stress-weight", default=0.0, show_default=True, help="Weight of squared errors in eV/Å^3."),
        click.option("--patience", type=int, help="Stop after so many epochs without a better validation error."),
        click.option("--seed", default=0, show_default=True, help="Seed of initial weights, split and order."),
        click.option("--precision", type=click.Choice(["float32", "float64", "mixed"]), default="float32",
                     show_default=True, help="Float type of the training."),
        label_options,
        click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder."),
        click.option("--force", is_flag=True, help="Replace an earlier training in the output folder."),
        click.option("--plots/--no-plots", default=True, show_default=True, help="Draw pictures at the end."),
    ]  # fmt: skip
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command()
@click.option("--cutoff", default=5.5, show_default=True, help="Å.")
@click.option("--hidden", default="24,24", show_default=True, help="Nodes of the hidden layers.")
@click.option("--like", type=click.Path(path_type=Path),
              help="Take symmetry functions and layers from this folder of n2p2 or RuNNer.")  # fmt: skip
@training_options
def hdnnp(cutoff: float, hidden: str, like: Path | None, options: NetworkOptions) -> None:
    """A Behler-Parrinello network; the result is a folder of n2p2, which jaxpot and LAMMPS read."""
    defaults = {
        "epochs": 1000, "batch_size": 8, "learning_rate": 3e-3, "optimizer": "adam", "energy_weight": 100.0,
        "forces_weight": 1.0,
    }  # fmt: skip

    def build(elements: Sequence[str], learned: Dataset) -> Potential:
        from jaxpot.descriptors.symmetry_functions import symmetry_functions
        from jaxpot.fit import varying_values
        from jaxpot.io.load import load
        from jaxpot.potentials.hdnnp import hdnnp as factory

        layers = _whole_numbers("--hidden", hidden)
        if like is None:
            kept = varying_values(symmetry_functions(elements, _usual_set(elements, cutoff)), learned)
            return factory(elements, kept.functions, layers, scaling="scale_center")
        found = load(like)[0]
        if found.elements != tuple(elements):
            raise ValueError(f"--like {like}: has elements {found.elements}, the structures {tuple(elements)}")
        return _remade(found)

    _fit(build, options, defaults)


@click.command()
@click.option("--cutoff", default=5.0, show_default=True, help="Å.")
@click.option("--features", default=64, show_default=True, help="Features of an atom.")
@click.option("--interactions", default=3, show_default=True, help="How often atoms exchange messages.")
@training_options
def schnet(cutoff: float, features: int, interactions: int, options: NetworkOptions) -> None:
    """SchNet; the result is a folder of JSON and safetensors."""

    def build(elements: Sequence[str], learned: Dataset) -> Potential:
        from jaxpot.potentials.schnet import schnet as factory

        return factory(elements, cutoff, features, interactions)

    _fit(build, options, GRAPHS)


@click.command()
@click.option("--cutoff", default=5.0, show_default=True, help="Å.")
@click.option("--features", default=30, show_default=True, help="Features of an atom.")
@click.option("--interactions", default=2, show_default=True, help="How often atoms exchange messages.")
@training_options
def dtnn(cutoff: float, features: int, interactions: int, options: NetworkOptions) -> None:
    """The deep tensor network; the result is a folder of JSON and safetensors."""

    def build(elements: Sequence[str], learned: Dataset) -> Potential:
        from jaxpot.potentials.dtnn import dtnn as factory

        return factory(elements, cutoff=cutoff, features=features, interactions=interactions)

    _fit(build, options, GRAPHS)


def _usual_set(elements: Sequence[str], cutoff: float) -> list[SymmetryFunction]:
    """A usual set: radial functions for each element of neighbours, and angular ones for each two elements."""
    from jaxpot.descriptors.symmetry_functions import angular, radial

    shifts = [cutoff * share for share in (0.30, 0.38, 0.46, 0.54, 0.62, 0.70, 0.78, 0.86)]
    narrow = 1.0 / (0.08 * cutoff) ** 2
    found = []
    for center in elements:
        for k, first in enumerate(elements):
            found += [radial(center, first, cutoff, eta) for eta in (0.01, 0.5 / (0.25 * cutoff) ** 2)]
            found += [radial(center, first, cutoff, narrow, shift) for shift in shifts]
            for second in elements[k:]:
                found += [
                    angular(center, (first, second), cutoff, eta / cutoff**2, zeta, sign)
                    for eta in (0.3, 3.0) for zeta in (1, 2, 4, 16) for sign in (-1, 1)
                ]  # fmt: skip
    return found


def _remade(found: Potential) -> Potential:
    """A potential with the symmetry functions and layers of the given one, in eV and Å, scaled around the mean."""
    from jaxpot.descriptors.symmetry_functions import SymmetryFunctions
    from jaxpot.engine import DescriptorPotential
    from jaxpot.heads import NetworkHead
    from jaxpot.potentials.hdnnp import hdnnp as factory

    if isinstance(found, DescriptorPotential):
        functions, head = found.descriptor, found.head
        if isinstance(functions, SymmetryFunctions) and isinstance(head, NetworkHead):
            elements = functions.elements
            return factory(
                elements, functions.functions, {s: head.hidden_of(k) for k, s in enumerate(elements)},
                {s: head.letters_of(k) for k, s in enumerate(elements)}, functions.cutoff_function, functions.inner,
                "scale_center", head.scale_range, head.normalize_nodes,
            )  # fmt: skip
    raise ValueError(f"--like names a {found.name}; name a folder with input.nn")


def network_commands() -> list[click.Command]:
    """The commands for ``jaxpot fit``."""
    return [hdnnp, schnet, dtnn]


def _whole_numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} takes whole numbers separated by commas, got {text!r}") from None


def _fit(build: Build, options: NetworkOptions, defaults: dict[str, Any]) -> None:
    """Reads the data, trains the network, writes it, and tests it."""
    output, members = options.output, options.members
    if members is not None and members < 2:
        raise ValueError(f"--ensemble takes at least 2 members, got {members}; leave it out for a single network")
    held = "a training" if (output / "metrics.csv").exists() else ", ".join(MARKERS[name] for name in kinds_in(output))
    if held and not (options.resume or options.force):
        raise ValueError(f"{output} holds {held} already; --resume goes on with a training, --force replaces it")
    with output_folder(output):
        _fit_into(build, options, defaults)


def _fit_into(build: Build, options: NetworkOptions, defaults: dict[str, Any]) -> None:
    import jax

    if options.precision != "float32":
        jax.config.update("jax_enable_x64", True)
    from jaxpot.fit import TrainSettings, can_decorrelate, decorrelation, network_start, train
    from jaxpot.io.load import save
    from jaxpot.potentials.committee import committee

    output, members = options.output, options.members
    data = _read(options.train_files, options)
    test = _read(options.test_files, options) if options.test_files else None
    typed = vars(options)
    given = {name: typed[name] for name in ("stress_weight", "seed", "precision", "patience", "bootstrap")}
    chosen = {name: value if typed[name] is None else typed[name] for name, value in defaults.items()}
    settings = TrainSettings(**given, **chosen, ema=0.999 if chosen["epochs"] > 50 else None, checkpoint_every=50)
    learned, held_back = data.split(options.validation, options.seed)
    click.echo(f"preparing: {len(learned)} structures to learn from, {len(held_back)} held back", err=True)
    potential = build(data.elements, learned)
    start = network_start(potential, learned, options.seed, members)
    click.echo(f"{len(learned)} structures to learn from, {len(held_back)} held back; {potential}")
    if not options.resume:
        give_up(output)  # so that nobody loads the old potential while the new one is trained
    began, left = time.perf_counter(), minutes_left(options.minutes, 1 - REPORTING)
    result = train(
        potential, start, learned, settings, validation=held_back, members=members, output=output,
        trainable=lambda name: not any(word in name for word in NOT_TRAINED),
        resume=options.resume, minutes=left,
        progress=progress(),
        transform=decorrelation(potential, learned) if can_decorrelate(potential) else None,
    )  # fmt: skip
    minutes = (time.perf_counter() - began) / 60
    click.echo(f"{result.reason} after {result.epochs} epochs and {minutes:.1f} minutes")
    final = potential if members is None else committee(potential)
    save(output, final, result.params)
    report = {"minutes": minutes, "epochs": result.epochs, "best_epoch": result.best_epoch.tolist()}
    report["settings"] = settings.identity()
    if test is not None:
        if members is not None:
            report["members"] = member_errors(potential, result.params, test, members)
        report |= test_errors(final, result.params, test, held_back, output if options.plots else None)
    if options.plots:
        from jaxpot.plot import plot_learning_curve

        picture = output / "learning_curve.png"
        plot_learning_curve(result.history, "Learning curve").savefig(picture)
        click.echo(f"picture: {picture}")
    (output / REPORT).write_text(json.dumps(report, indent=1) + "\n")
    click.echo(f"written: {output}, which jaxpot.load reads")


def _read(files: Sequence[Path], options: NetworkOptions) -> Dataset:
    """Reads a data set, and drops the stresses where their weight is 0."""
    from jaxpot.fit import Dataset

    data = options.data.read(files)
    known = sum(frame.stress is not None for frame in data)
    if options.stress_weight or not known:
        return data
    click.echo(f"stresses of {known} frames are not used; --stress-weight gives them a weight")
    return Dataset(tuple(frame._replace(stress=None) for frame in data), data.notes)
