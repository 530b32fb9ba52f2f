"""``jaxpot fit hdnnp | schnet | dtnn``: networks, single or in ensembles, from files of labelled structures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.options import label_options

if TYPE_CHECKING:
    from jaxpot.descriptors.symmetry_functions import SymmetryFunction
    from jaxpot.fit import Dataset
    from jaxpot.potential import Params, Potential

__all__ = ["network_commands"]

REPORT = "errors.json"
GRAPHS = {
    "epochs": 60, "batch_size": 2, "learning_rate": 2e-3, "optimizer": "muon", "energy_weight": 10.0,
    "forces_weight": 1.0,
}  # fmt: skip
NOT_TRAINED = ("scaling", "atom_energies", "gaussians")

Build = Callable[[Sequence[str], "Dataset"], "Potential"]  # of elements and of what is learned from


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that all networks share."""
    file = click.Path(path_type=Path)
    decorators: list[Callable[..., Any]] = [
        click.option("--train", "train_files", required=True, multiple=True, type=file,
                     help="Structures to learn from; give the option again for more files."),
        click.option("--test", "test_files", multiple=True, type=file,
                     help="Structures to test on; never seen in training."),
        click.option("--validation", default=0.1, show_default=True,
                     help="Share of the training structures held back to choose the best epoch and to calibrate."),
        click.option("--output", "-o", required=True, type=file, help="Folder for everything written."),
        click.option("--ensemble", "members", type=int, help="Train so many networks together."),
        click.option("--bootstrap", is_flag=True, help="Each member sees a resample of the structures."),
        click.option("--epochs", type=int, help="Passes through the data."),
        click.option("--minutes", type=float, help="Most minutes; the learning rate falls by the epochs all the same."),
        click.option("--batch-size", type=int, help="Structures in one step."),
        click.option("--learning-rate", type=float, help="At its highest."),
        click.option("--optimizer", help="adam, adamw, adabelief, amsgrad, muon or sgd."),
        click.option("--energy-weight", type=float, help="Of squared errors in eV/atom."),
        click.option("--forces-weight", type=float, help="Of squared errors in eV/Å."),
        click.option("--stress-weight", default=0.0, show_default=True, help="Of squared errors in eV/Å^3."),
        click.option("--patience", type=int, help="Stop after so many epochs without a better validation error."),
        click.option("--seed", default=0, show_default=True, help="Of weights, split and order."),
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
def hdnnp(cutoff: float, hidden: str, like: Path | None, **options: Any) -> None:
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
def schnet(cutoff: float, features: int, interactions: int, **options: Any) -> None:
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
def dtnn(cutoff: float, features: int, interactions: int, **options: Any) -> None:
    """The deep tensor network; the result is a folder of JSON and safetensors."""

    def build(elements: Sequence[str], learned: Dataset) -> Potential:
        from jaxpot.potentials.dtnn import dtnn as factory

        return factory(elements, cutoff=cutoff, features=features, interactions=interactions)

    _fit(build, options, GRAPHS)


def _usual_set(elements: Sequence[str], cutoff: float) -> list[SymmetryFunction]:
    """Shells of neighbours of each element, and angles between each two of them, short and long ranged."""
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
    """The same symmetry functions and layers, in eV and Å, with scaling around the mean."""
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


def _fit(build: Build, options: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Read, train, write, test."""
    import jax

    if options["precision"] != "float32":
        jax.config.update("jax_enable_x64", True)
    from jaxpot.fit import TrainSettings, can_decorrelate, decorrelation, network_start, train
    from jaxpot.io.folders import MARKERS, give_up, kinds_in
    from jaxpot.io.load import save
    from jaxpot.potentials.committee import committee

    output, members = options["output"], options["members"]
    if members is not None and members < 2:
        raise ValueError(f"--ensemble takes at least 2 members, got {members}; leave it out for a single network")
    held = "a training" if (output / "metrics.csv").exists() else ", ".join(MARKERS[name] for name in kinds_in(output))
    if held and not (options["resume"] or options["force"]):
        raise ValueError(f"{output} holds {held} already; --resume goes on with a training, --force replaces it")
    data = _read(options["train_files"], options)
    test = _read(options["test_files"], options) if options["test_files"] else None
    given = {name: options[name] for name in ("stress_weight", "seed", "precision", "patience", "bootstrap")}
    chosen = {name: value if options[name] is None else options[name] for name, value in defaults.items()}
    settings = TrainSettings(**given, **chosen, ema=0.999 if chosen["epochs"] > 50 else None, checkpoint_every=50)
    learned, held_back = data.split(options["validation"], options["seed"])
    potential = build(data.elements, learned)
    start = network_start(potential, learned, options["seed"], members)
    click.echo(f"{len(learned)} structures to learn from, {len(held_back)} held back; {potential}")
    if not options["resume"]:
        give_up(output)  # nobody loads the old potential in place of the one to come
    began = time.perf_counter()
    result = train(
        potential, start, learned, settings, validation=held_back, members=members, output=output,
        trainable=lambda name: not any(word in name for word in NOT_TRAINED),
        resume=options["resume"], minutes=options["minutes"],
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
            report["members"] = _tested_one_by_one(potential, result.params, test, members)
        report |= _tested(final, result.params, test, held_back, output if options["plots"] else None)
    if options["plots"]:
        from jaxpot.plot import plot_learning_curve

        click.echo(f"picture: {plot_learning_curve(result.history, output / 'learning_curve.png')}")
    (output / REPORT).write_text(json.dumps(report, indent=1) + "\n")
    click.echo(f"written: {output}, which jaxpot.load reads")


def _read(files: Sequence[Path], options: dict[str, Any]) -> Dataset:
    """The data set in some files, without stresses where these have no weight."""
    from jaxpot.fit import Dataset

    data: Dataset = options["data"].read(files)
    known = sum(frame.stress is not None for frame in data)
    if options["stress_weight"] or not known:
        return data
    click.echo(f"stresses of {known} frames are not used; --stress-weight gives them a weight")
    return Dataset(tuple(frame._replace(stress=None) for frame in data), data.notes)


def _tested_one_by_one(potential: Potential, params: Params, test: Dataset, members: int) -> dict[str, Any]:
    """Mean and standard deviation over the members of what each of them is wrong by."""
    import jax
    import numpy as np

    from jaxpot.uncertainty import assess

    each = [assess(potential, jax.tree.map(lambda x, k=k: x[k], params), test).summary() for k in range(members)]
    found = {}
    for name in each[0]:
        values = [one[name] for one in each]
        found[name] = {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}
        click.echo(f"single {name.replace('_', ' ', 2):32s} {found[name]['mean']:10.4f} +- {found[name]['std']:.4f}")
    return found


def _tested(
    final: Potential, params: Params, test: Dataset, held_back: Dataset, pictures: Path | None
) -> dict[str, Any]:
    """Errors on structures that nothing was chosen by; of an ensemble, how far its spread can be believed."""
    from jaxpot.plot import plot_parity, plot_reliability, plot_spread
    from jaxpot.uncertainty import assess, reliability, rescaling, sharpness

    found = assess(final, params, test)
    report: dict[str, Any] = {"test": found.summary()}
    for name, value in report["test"].items():
        click.echo(f"test {name.replace('_', ' ', 2):34s} {value:10.4f}")
    if pictures is not None:
        known = {
            "energy (eV/atom)": (found.energies, found.predicted_energies),
            "force (eV/Å)": (found.forces, found.predicted_forces),
        }
        references, predictions = ({name: pair[k] for name, pair in known.items()} for k in (0, 1))
        groups = {name: [""] * len(values) for name, values in references.items()}
        plot_parity(references, predictions, groups, pictures / "parity.png", "Test structures")
    if found.force_spreads is None or not found.forces.size:
        return report
    import numpy as np
    from scipy.stats import spearmanr

    calibration = assess(final, params, held_back)
    scale = rescaling(calibration.force_errors, calibration.force_spreads)
    honest = scale(found.force_spreads)
    before, after = reliability(found.force_errors, found.force_spreads), reliability(found.force_errors, honest)
    lengths = (np.linalg.norm(v.reshape(-1, 3), axis=1) for v in (found.force_errors, found.force_spreads))
    report["uncertainty"] = {
        "spearman_force_components": float(spearmanr(abs(found.force_errors), found.force_spreads).statistic),
        "spearman_forces": float(spearmanr(*lengths).statistic),
        "rescaling": scale._asdict(),
        "miscalibration_area_before": before.area,
        "miscalibration_area": after.area,
        "sharpness_eV_per_A": sharpness(honest),
    }
    for name, value in report["uncertainty"].items():
        click.echo(f"test {name.replace('_', ' '):34s} {value}")
    if pictures is not None:
        plot_reliability({"as trained": before, "rescaled": after}, pictures / "reliability.png")
        plot_spread(found.force_errors, honest, pictures / "spread.png")
    return report
