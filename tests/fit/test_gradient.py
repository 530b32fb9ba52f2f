"""Training by gradients: what is minimised, how it stops, goes on and is told."""

from __future__ import annotations

import csv
import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxpot
from jaxpot.fit import Frame, TrainingError, TrainSettings, open_data, prepare_data, train
from jaxpot.fit.gradient.loader import Loader
from jaxpot.fit.gradient.loss import batch_loss
from jaxpot.fit.gradient.settings import weight_at
from jaxpot.fit.gradient.step import compiled_steps, split_params
from jaxpot.io.folders import FolderInUseError
from tests.fit.gradient_examples import crystals, labelled, wang_frenkel

START = {"epsilon": 0.0120, "sigma": 3.35}
FAST = TrainSettings(epochs=6, batch_size=4, learning_rate=3e-3, precision="float64", max_shapes=1, stress_weight=50.0)


def predict(params: Any, system: jaxpot.System, neighbors: jaxpot.Neighbors, _: Any) -> jaxpot.Evaluation:
    return wang_frenkel()[0].evaluate(params, system, neighbors)


def some_unlabelled(frames: list[Frame]) -> list[Frame]:
    """The same frames, some without one label or another."""
    missing: list[dict[str, None]] = [{}, {"energy": None}, {"forces": None}, {"stress": None}]
    return [frame._replace(**missing[k % 4]) for k, frame in enumerate(frames)]


def same(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True))


def test_refits_wang_frenkel() -> None:
    potential, truth, frames = wang_frenkel()
    settings = dataclasses.replace(FAST, epochs=150, learning_rate=1e-2)
    result = train(potential, START, frames, settings, validation=0.25)
    for name, value in truth.items():
        assert float(result.params[name]) == pytest.approx(value, rel=2e-3)
    errors = result.history["validation_forces_rmse"]
    assert errors[-1] < 0.02 * errors[0]
    assert result.reason == "finished" and result.epochs == 150


@pytest.mark.slow
def test_refits_finnis_sinclair() -> None:
    potential, truth = jaxpot.load("finnis_sinclair_1984:Fe")
    frames = labelled(potential, truth, crystals("Fe", 2.87, "bcc", 8))
    start = {name: value if name in ("c", "d") else 1.03 * value for name, value in truth.items()}
    settings = TrainSettings(epochs=300, batch_size=4, learning_rate=2e-2, precision="float64", max_shapes=1)
    result = train(potential, start, frames, settings, trainable=lambda name: name not in ("['c']", "['d']"))
    assert result.params["c"] == truth["c"] and result.params["d"] == truth["d"]
    for kind in ("train_energy_rmse", "train_forces_rmse"):
        assert result.history[kind][-1] < 0.05 * result.history[kind][0]


@pytest.mark.slow
def test_refits_tables_of_eam() -> None:
    knots, r = 41, 0.15 * np.arange(41)
    potential = jaxpot.eam(["Cu"], cutoff=6.0, n_rho=31, d_rho=0.1, n_r=knots, d_r=0.15)
    fade = np.clip(1 - r / 5.8, 0, None) ** 2
    truth = potential.init(
        -np.sqrt(0.1 * np.arange(31.0))[None], (fade * np.exp(-0.5 * r))[None], (3 * fade * np.exp(-r))[None, None]
    )
    frames = labelled(potential, truth, crystals("Cu", 3.6, "fcc", 8))
    start = {**truth, "embedding": 1.1 * truth["embedding"], "pair": 0.8 * truth["pair"]}
    settings = TrainSettings(epochs=250, batch_size=4, learning_rate=1e-2, precision="float64", max_shapes=1)
    history = train(potential, start, frames, settings).history
    for kind in ("train_energy_rmse", "train_forces_rmse"):
        assert history[kind][-1] < 0.1 * history[kind][0]


def test_the_loss_is_that_of_the_errors() -> None:
    # against plain sums over structures that were evaluated one by one
    potential, _, frames = wang_frenkel()
    frames = some_unlabelled(frames)
    results = jaxpot.evaluate(potential, START, [frame.atoms for frame in frames])
    energy, forces, stress = [], [], []
    for frame, found in zip(frames, results, strict=True):
        if frame.energy is not None:
            energy.append((found.energy - frame.energy) / len(frame.atoms))
        if frame.forces is not None:
            forces += (found.forces - frame.forces).ravel().tolist()
        if frame.stress is not None:
            stress += (found.stress - frame.stress).ravel().tolist()
    parts = [np.mean(np.square(residual)) for residual in (energy, forces, stress)]
    expected = 2.0 * parts[0] + 0.5 * parts[1] + 30.0 * parts[2]
    settings = dataclasses.replace(FAST, energy_weight=2.0, forces_weight=0.5, stress_weight=30.0)
    for shapes, batch_size in ((1, 4), (3, 3)):
        data = prepare_data(frames, potential, "float64", max_shapes=shapes)
        loss = batch_loss(predict, dataclasses.replace(settings, batch_size=batch_size), data.counts, 10)
        jitted = jax.jit(lambda batch, loss=loss: loss(START, batch, None, jnp.asarray(0)))
        losses, sums = zip(*[jitted(batch) for batch in Loader(data, batch_size).batches(seed=3)], strict=True)
        assert float(sum(losses)) * batch_size / len(frames) == pytest.approx(expected, rel=1e-10)
        assert sum(float(s.forces_squared) for s in sums) == pytest.approx(np.square(forces).sum(), rel=1e-10)
        assert sum(float(s.energy_absolute) for s in sums) == pytest.approx(np.abs(energy).sum(), rel=1e-10)
        assert [sum(float(s[k]) for s in sums) for k in (3, 6, 9)] == [len(energy), len(forces), len(stress)]


@pytest.mark.parametrize("kind", ["squared", "huber"])
def test_gradient_of_the_loss_equals_differences(kind: str) -> None:
    # forces and stress in the loss: second derivatives of the energy
    potential, _, frames = wang_frenkel()
    data = prepare_data(some_unlabelled(frames), potential, "float64", max_shapes=1)
    settings = dataclasses.replace(FAST, loss=kind, huber_delta=2e-3)
    loss = batch_loss(predict, settings, data.counts, 10)
    (batch,) = Loader(data, len(frames)).batches()
    value = jax.jit(lambda params: loss(params, batch, None, jnp.asarray(0))[0])
    gradient = jax.jit(jax.grad(value))({name: jnp.asarray(x) for name, x in START.items()})
    for name, x in START.items():
        step = 1e-5 * x
        ends = [float(value({**START, name: x + sign * step})) for sign in (1, -1)]
        assert float(gradient[name]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_each_shape_is_compiled_once() -> None:
    potential, truth, frames = wang_frenkel()
    assert len(prepare_data(frames, potential, "float64", max_shapes=2).buckets) == 1  # another would not pay
    large = labelled(potential, truth, crystals("Ar", 5.3, "fcc", 8, repeat=3))
    data = prepare_data([*frames, *large], potential, "float64", max_shapes=2)
    assert len(data.buckets) == 2
    parts = split_params(START, None, None, np.dtype("float64"))
    traces = []

    def counted(*arguments: Any) -> jaxpot.Evaluation:
        traces.append(1)
        return predict(*arguments)

    steps = compiled_steps(counted, parts, FAST, data.counts, None, 20, None)
    state = steps.start(parts.trained)
    for epoch in range(3):
        for batch in Loader(data, 3).batches(seed=0, epoch=epoch):
            state, _, ok = steps.step(state, parts.fixed, batch, None)
    assert bool(ok) and len(traces) == 2


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_goes_on_bit_for_bit(optimizer: str, tmp_path: Path) -> None:
    potential, _, frames = wang_frenkel()
    start: Any = START
    if optimizer == "muon":  # which has a state of its own for matrices
        potential = jaxpot.schnet(["Ar"], cutoff=4.5, features=4, interactions=1, gaussians=4)
        start = potential.init(jax.random.key(0))
    settings = dataclasses.replace(
        FAST, ema=0.9, patience=50, checkpoint_every=3, precision="float32", optimizer=optimizer
    )

    class StopHereError(Exception):
        pass

    def stop_in_fifth(row: dict[str, float]) -> None:
        if row["epoch"] == 5:
            raise StopHereError

    run = functools.partial(train, potential, start, frames, settings, validation=0.25)
    whole = run(output=tmp_path / "whole")
    with pytest.raises(StopHereError):
        run(output=tmp_path / "parts", on_epoch=stop_in_fifth)
    again = run(output=tmp_path / "parts", resume=True)
    assert same(again.params, whole.params)
    tables = [
        list(csv.DictReader((tmp_path / name / "metrics.csv").read_text().splitlines())) for name in ("whole", "parts")
    ]
    for row in (row for table in tables for row in table):
        row.pop("seconds")
    assert tables[0] == tables[1] and len(tables[0]) == 6
    for kind in ("train_loss", "validation_energy_mae"):
        assert np.array_equal(again.history[kind], whole.history[kind])
    with pytest.raises(ValueError, match="learning_rate"):
        train(
            potential, start, frames, dataclasses.replace(settings, learning_rate=0.1), validation=0.25,
            output=tmp_path / "parts", resume=True,
        )  # fmt: skip
    with pytest.raises(ValueError, match="no checkpoint"):
        run(output=tmp_path / "nothing", resume=True)


def test_goes_on_with_nothing_else(tmp_path: Path) -> None:
    """Another potential, other params, data or settings: refused, by hashes of what is too large to be written down."""
    potential, _, frames = wang_frenkel()
    settings = dataclasses.replace(
        FAST, epochs=2, checkpoint_every=1, energy_weight=lambda step: 1.0 / (1 + step), optimizer=optax.sgd(1e-6)
    )
    begun: dict[str, Any] = {"potential": potential, "params": START, "data": frames, "settings": settings}
    train(**begun, output=tmp_path, progress=False)
    turned = [frames[0]._replace(atoms=frames[0].atoms.copy()), *frames[1:]]
    turned[0].atoms.positions[0, 0] += 1e-4
    others: dict[str, dict[str, Any]] = {
        "potential": {"potential": jaxpot.wang_frenkel(6.0, mu=2.0)},
        "params": {"params": {**START, "sigma": 1.0001 * START["sigma"]}},
        "data": {"data": [frames[0]._replace(energy=(frames[0].energy or 0) + 1e-3), *frames[1:]]},
        "data ": {"data": turned},
        "energy_weight": {"settings": dataclasses.replace(settings, energy_weight=lambda step: 2.0 / (1 + step))},
        "optimizer": {"settings": dataclasses.replace(settings, optimizer=optax.sgd(2e-6))},
        "transform": {"transform": lambda params: params},
    }
    for name, changes in others.items():
        with pytest.raises(ValueError, match=f"started with other.*{name.strip()}"):
            train(**{**begun, **changes}, output=tmp_path, resume=True, progress=False)
    # another function of equal values
    more = dataclasses.replace(settings, energy_weight=lambda step: 1.0 / (step + 1), optimizer=optax.sgd(1e-6))
    again = train(**{**begun, "settings": more}, output=tmp_path, resume=True, progress=False)
    assert again.epochs == 2


def test_two_trainings_do_not_write_into_one_folder(tmp_path: Path) -> None:
    potential, _, frames = wang_frenkel()

    def second(row: dict[str, float]) -> None:
        train(potential, START, frames, FAST, output=tmp_path, progress=False)

    with pytest.raises(FolderInUseError, match="is being written to by another"):
        train(potential, START, frames, FAST, output=tmp_path, progress=False, on_epoch=second)
    train(potential, START, frames, dataclasses.replace(FAST, epochs=1), output=tmp_path, progress=False)


def test_stops_where_a_loss_is_not_finite(tmp_path: Path) -> None:
    potential, _, frames = wang_frenkel()
    touching = frames[0].atoms.copy()
    touching.positions[1] = touching.positions[0] + [0, 0, 1e-30]
    broken = [*frames, Frame(touching, energy=0.0)]
    with pytest.raises(TrainingError, match=r"not finite in epoch 1, batch \d.*\b8\b.*learning_rate") as caught:
        train(potential, START, broken, FAST, output=tmp_path)
    assert all(np.isfinite(value) for value in caught.value.params.values())
    assert (tmp_path / "metrics.csv").is_file()
    assert any((tmp_path / "checkpoint").glob("epoch_*"))


def test_stops_early_and_keeps_the_best() -> None:
    potential, truth, frames = wang_frenkel()
    # begins at the truth: no epoch is better than the first few
    settings = dataclasses.replace(FAST, epochs=40, patience=4, learning_rate=1e-2, schedule="constant")
    result = train(potential, truth, frames, settings, validation=frames)
    assert result.reason == "no better validation loss" and result.epochs < 40
    losses = result.history["validation_loss"]
    assert result.best_epoch[0] == 1 + np.argmin(losses) == result.epochs - 4
    data = prepare_data(frames, potential, "float64", max_shapes=1)
    loss = batch_loss(predict, dataclasses.replace(settings, batch_size=len(frames)), data.counts, 1)
    value = sum(float(loss(result.params, b, None, jnp.asarray(0))[0]) for b in Loader(data, 4).batches())
    assert value == pytest.approx(losses.min(), rel=1e-9)


def test_running_mean_of_parameters() -> None:
    potential, _, frames = wang_frenkel()
    one_batch = dataclasses.replace(FAST, batch_size=8, schedule="constant")
    after = [train(potential, START, frames, dataclasses.replace(one_batch, epochs=n)).params for n in (1, 2, 3)]
    mean = {name: np.float64(x) for name, x in START.items()}
    for step, params in enumerate(after):
        decay = min(0.9, (1 + step) / (10 + step))
        mean = {name: decay * x + (1 - decay) * float(params[name]) for name, x in mean.items()}
    found = train(potential, START, frames, dataclasses.replace(one_batch, epochs=3, ema=0.9)).params
    for name, x in mean.items():
        assert float(found[name]) == pytest.approx(x, rel=1e-12)


def test_precisions() -> None:
    potential, _, frames = wang_frenkel()
    found = {}
    for name in ("float32", "float64", "mixed"):
        settings = dataclasses.replace(FAST, precision=name)
        result = train(potential, START, frames, settings)
        found[name] = result.params["sigma"]
    assert {name: x.dtype.name for name, x in found.items()} == {
        "float32": "float32", "float64": "float64", "mixed": "float64"
    }  # fmt: skip
    assert float(found["mixed"]) == pytest.approx(float(found["float64"]), rel=1e-5)
    assert float(found["mixed"]) != float(found["float64"])  # the evaluation was in float32
    moved = abs(float(found["float64"]) - START["sigma"])
    assert abs(float(found["float32"]) - float(found["float64"])) < 0.01 * moved


def test_weights_that_change() -> None:
    assert float(weight_at((100.0, 1.0), jnp.asarray(0), 101)) == pytest.approx(100.0)
    assert float(weight_at((100.0, 1.0), jnp.asarray(50), 101)) == pytest.approx(10.0)
    assert float(weight_at((100.0, 1.0), jnp.asarray(100), 101)) == pytest.approx(1.0)
    assert float(weight_at((0.0, 2.0), jnp.asarray(50), 101)) == pytest.approx(1.0)
    assert float(weight_at(lambda step: 3.0 * step, jnp.asarray(2), 101)) == 6.0
    rate = TrainSettings(learning_rate=0.1, warmup=0.1, final_learning_rate=0.01).rate(1000)
    assert [float(rate(step)) for step in (0, 50, 100, 1000)] == pytest.approx([0.0, 0.05, 0.1, 0.001], rel=1e-4)


def test_data_on_disk_is_data_in_memory(tmp_path: Path) -> None:
    potential, _, frames = wang_frenkel()
    begun = []

    def stream() -> Any:
        begun.append(1)
        yield from frames

    written = prepare_data(stream, potential, "float64", max_shapes=1, folder=tmp_path / "store")
    assert written.on_disk and len(begun) == 2
    opened = open_data(tmp_path / "store", potential)
    memory = prepare_data(frames, potential, "float64", max_shapes=1)
    results = [train(potential, START, data, FAST) for data in (memory, written, opened)]
    assert same(results[0].params, results[1].params) and same(results[0].params, results[2].params)
    assert np.array_equal(results[0].history["train_loss"], results[2].history["train_loss"])
    with pytest.raises(ValueError, match="cutoff"):
        open_data(tmp_path / "store", jaxpot.wang_frenkel(5.0))
    with pytest.raises(ValueError, match="no prepared data"):
        open_data(tmp_path, potential)


def test_each_part_of_a_sum_trains_on_its_own_list(tmp_path: Path) -> None:
    potential, params, frames = wang_frenkel()
    both = potential + jaxpot.morse(4.0)
    start = (params, {"D0": 0.01, "alpha": 1.2, "r0": 3.9})
    prepare_data(frames, both, "float64", max_shapes=1, folder=tmp_path / "store")
    data = open_data(tmp_path / "store", both)
    (bucket,) = data.buckets
    assert [one.cutoff for one in bucket.neighbors.plan.ranges] == [6.0, 4.0]
    narrow = bucket.neighbors.narrower[0]
    assert narrow.shape[-1] < bucket.neighbors.rows.shape[-1]
    one = jax.tree.map(lambda leaf: leaf[0], (bucket.system, bucket.neighbors))
    (wanted,) = jaxpot.evaluate(both, start, [frames[int(bucket.index[0])].atoms], dtype="float64")
    np.testing.assert_allclose(jaxpot.energy(both)(start, *one), wanted.energy, rtol=1e-12)
    with pytest.raises(ValueError, match=r"cutoff 6, 4 Å .* has 6 Å"):
        open_data(tmp_path / "store", potential)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"schedule": "linear"}, "schedule 'linear' is unknown"),
        ({"optimizer": "adma"}, "optimizer 'adma'"),
        ({"forces_weight": (1.0, -1.0)}, "forces_weight"),
        ({"precision": "float16"}, "precision"),
        ({"ema": 1.0}, "ema"),
        ({"batch_size": 6, "devices": 4}, "batch_size 6"),
    ],
)
def test_settings_without_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainSettings(**changes)


def test_data_without_sense_is_refused() -> None:
    potential, _, frames = wang_frenkel()
    atoms = frames[0].atoms
    for wrong, said in (
        (frames[0]._replace(energy=np.nan), "frame 1: energy is not finite"),
        (frames[0]._replace(forces=np.zeros((3, 2))), r"frame 1: forces must have shape \[4, 3\]"),
        (Frame(atoms), "frame 1: has no energy"),
        (frames[-1]._replace(stress=np.eye(3)), "frame 1: has a stress, but its cell"),
        ("Ar", "number 1: expected a jaxpot.fit.Frame or ASE Atoms, got str"),
    ):
        with pytest.raises(ValueError, match=said):
            train(potential, START, [frames[0], wrong], FAST)
    with pytest.raises(ValueError, match="no structures"):
        train(potential, START, [], FAST)
    with pytest.raises(ValueError, match="not finite; repair"):
        train(potential, {**START, "sigma": np.nan}, frames, FAST)
    with pytest.raises(ValueError, match="nothing to train"):
        train(potential, START, frames, FAST, trainable=lambda name: False)
