"""The loop over the epochs of a training."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpot.batch.progress import Progress, counted
from jaxpot.fit.gradient.checkpoint import Checkpoints
from jaxpot.fit.gradient.data import Examples, TrainingData
from jaxpot.fit.gradient.loader import Loader
from jaxpot.fit.gradient.loss import Predict, Sums
from jaxpot.fit.gradient.report import History, Metrics, add_sums, errors_of
from jaxpot.fit.gradient.result import TrainingError, TrainResult
from jaxpot.fit.gradient.settings import TrainSettings
from jaxpot.fit.gradient.step import Leaves, State, compiled_steps
from jaxpot.simulate.stop import asked_to_stop

__all__ = ["Training"]


@dataclasses.dataclass
class _Best:
    """The best parameters so far, with their loss and epoch."""

    params: Leaves
    loss: np.ndarray
    epoch: np.ndarray


class Training:
    """One training: data on the devices, compiled steps, files.

    Args:
        predict: the model.
        parts: the separated params.
        training: training data.
        held_back: validation data, which chooses the best epoch, or None.
        settings: settings of the training.
        members: number of members of an ensemble; None for a single set of params.
        folder: folder for all files, or None.
        identity: function of the number of steps that gives the identity of the training for its checkpoints.
    """

    def __init__(
        self,
        predict: Predict,
        parts: Any,
        training: TrainingData,
        held_back: TrainingData | None,
        settings: TrainSettings,
        members: int | None,
        folder: Path | None,
        identity: Callable[[int], dict[str, Any]],
    ) -> None:
        self.parts, self.settings, self.members, self.folder = parts, settings, members, folder
        place, self.replicated, devices = _placement(settings.devices)
        self.loader = Loader(training, settings.batch_size, devices, place)
        self.held_back = None if held_back is None else Loader(held_back, settings.batch_size, devices, place)
        self.batches = len(self.loader)
        self.total = settings.epochs * self.batches
        self.loss_scale = settings.batch_size / training.counts.structures
        self.steps = compiled_steps(
            predict,
            parts,
            settings,
            training.counts,
            None if held_back is None else held_back.counts,
            self.total,
            members,
        )
        self.rate = settings.rate(self.total) if isinstance(settings.optimizer, str) else None
        self.multiplicity = self._resampled(training.counts.structures) if settings.bootstrap and members else None
        self.checkpoints = None if folder is None else Checkpoints(folder / "checkpoint", identity(self.total))

    def _resampled(self, structures: int) -> jax.Array:
        """[members, structures] how often the resample of each member holds each structure."""
        random = np.random.default_rng((self.settings.seed, 1))
        drawn = random.integers(0, structures, (self.members or 1, structures))
        counted = np.stack([np.bincount(own, minlength=structures) for own in drawn])
        return self.replicated(counted.astype(self.settings.types().state))

    def go(
        self,
        resume: bool,
        limit: float,
        progress: Progress,
        on_epoch: Callable[[dict[str, float]], None] | None,
    ) -> TrainResult:
        number = self.members or 1
        state = self.replicated(self.steps.start(self.parts.trained))
        self.fixed = self.replicated(self.parts.fixed)
        best = _Best([np.asarray(p) for p in self.parts.trained], np.full(number, np.inf), np.zeros(number, np.int64))
        first, history = 0, None
        if resume:
            if self.checkpoints is None or self.folder is None:
                raise ValueError("there is nothing to resume without the output folder of a training; give output=...")
            first, kept = self.checkpoints.restore(self._tree(state, best))
            state = State(*kept["state"])
            best = _Best([np.asarray(p) for p in kept["best"]], np.asarray(kept["loss"]), np.asarray(kept["epoch"]))
            history = History(self.folder / "metrics.csv", first)
        elif self.folder is not None and self.checkpoints is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.checkpoints.begin()
            history = History(self.folder / "metrics.csv")
        history = history or History(None)
        longest = 0.0  # seconds of an epoch
        epoch, reason, saved = first, "finished", first if resume else -1
        with asked_to_stop() as stop, counted(self.settings.epochs, progress, "epoch", "training", first) as tick:
            for epoch in range(first + 1, self.settings.epochs + 1):
                if stop.is_set() or time.perf_counter() + longest > limit:
                    epoch, reason = epoch - 1, "asked to stop" if stop.is_set() else "out of time"
                    break
                if self._exhausted(best, epoch - 1):
                    epoch, reason = epoch - 1, "no better validation loss"
                    break
                start = time.perf_counter()
                state, train_errors = self._epoch(state, epoch, best)
                validation_errors = self._validate(state, epoch, best)
                rate = np.nan if self.rate is None else float(self.rate(state.step - 1))
                facts = {"epoch": float(epoch), "step": float(state.step), "learning_rate": rate}
                seconds = time.perf_counter() - start
                longest = max(longest, seconds) if epoch > first + 1 else 0.0  # the first one compiles
                history.add({**facts, "seconds": seconds}, train_errors, validation_errors)
                if epoch % self.settings.checkpoint_every == 0:
                    self._save(epoch, state, best)
                    saved = epoch
                tick(1, _said(train_errors, validation_errors))
                if on_epoch is not None:
                    on_epoch(history.rows[-number])
        if saved != epoch:
            self._save(epoch, state, best)
        return self._result(state, best, history, epoch, reason)

    def _epoch(self, state: State, epoch: int, best: _Best) -> tuple[State, Metrics]:
        sums: list[Sums] = []
        ok = []
        # steps donate the state; a copy is kept to be saved if one of them breaks
        before = jax.tree.map(jax.numpy.copy, state)
        for batch in self.loader.batches(self.settings.seed, epoch):
            state, one, fine = self.steps.step(state, self.fixed, batch, self.multiplicity)
            sums.append(one)
            ok.append(fine)
        finite = np.asarray(jax.device_get(ok))
        if not finite.all():
            self._save(epoch - 1, before, best)
            self._fail(state, epoch, int(np.argmin(finite)), sums)
        return state, errors_of(add_sums(sums), self.loss_scale)

    def _fail(self, state: State, epoch: int, batch: int, sums: Sequence[Sums]) -> None:
        wrong = np.flatnonzero(~np.isfinite(np.atleast_1d(np.asarray(sums[batch].loss))))
        what = "loss" if wrong.size else "gradient of the loss"
        who = f" of member {wrong[0]}" if self.members and wrong.size else ""
        b, chosen, real = self.loader.plan(self.settings.seed, epoch)[batch]
        frames = np.asarray(self.loader.data.buckets[b].index)[chosen[real]].tolist()
        kept = "" if self.folder is None else f" What was written to {self.folder} until then is kept."
        params = self.parts.merge(list(state.ema), self.parts.fixed)
        raise TrainingError(
            f"the {what}{who} is not finite in epoch {epoch}, batch {batch} (structures {frames} of the training "
            "data); "
            f"lower learning_rate or set clip, and check these structures for close atoms or wrong labels.{kept} "
            "The parameters before that step are in this error's `params`.",
            params,
        )

    def _validate(self, state: State, epoch: int, best: _Best) -> Metrics | None:
        if self.held_back is None:
            return None
        if epoch % self.settings.validate_every and epoch != self.settings.epochs:
            return None
        sums = [self.steps.validate(state.ema, self.fixed, batch) for batch in self.held_back.batches()]
        errors = errors_of(add_sums(sums), 1.0)
        better = errors["loss"] < best.loss
        if better.any():
            best.loss = np.where(better, errors["loss"], best.loss)
            best.epoch = np.where(better, epoch, best.epoch)
            best.params = [self._chosen(better, new, old) for new, old in zip(state.ema, best.params, strict=True)]
        return errors

    def _chosen(self, better: np.ndarray, new: Any, old: np.ndarray) -> np.ndarray:
        new = np.asarray(new)
        if self.members is None:
            return new if better[0] else old
        return np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    def _exhausted(self, best: _Best, epoch: int) -> bool:
        patience = self.settings.patience
        return patience is not None and self.held_back is not None and bool((epoch - best.epoch >= patience).all())

    def _tree(self, state: State, best: _Best) -> dict[str, Any]:
        return jax.tree.map(
            jax.numpy.asarray,
            {"state": tuple(state), "best": best.params, "loss": best.loss, "epoch": best.epoch.astype(np.int32)},
        )

    def _save(self, epoch: int, state: State, best: _Best) -> None:
        if self.checkpoints is not None:
            self.checkpoints.save(epoch, self._tree(state, best))

    def _result(self, state: State, best: _Best, history: History, epoch: int, reason: str) -> TrainResult:
        found = self.held_back is not None and bool(np.isfinite(best.loss).all())
        trained = [jax.numpy.asarray(p) for p in (best.params if found else state.ema)]
        fixed = self.parts.fixed
        if self.members is not None:
            fixed = [
                jax.numpy.broadcast_to(leaf, (self.members, *leaf.shape)) if axis is None else leaf
                for leaf, axis in zip(fixed, self.parts.fixed_axes, strict=True)
            ]
        at = best.epoch if found else np.full(self.members or 1, epoch)
        return TrainResult(self.parts.merge(trained, fixed), history.columns(), epoch, at, reason, self.folder)


def _placement(
    devices: int | None,
) -> tuple[Callable[[Examples], Examples] | None, Callable[[Any], Any], int]:
    """The function that splits a batch over devices, the one that copies a tree to all of them, and their number."""
    if devices is None or devices == 1:
        return None, lambda tree: jax.tree.map(jax.numpy.asarray, tree), 1
    there = jax.devices()
    if len(there) < devices:
        raise ValueError(f"{devices} devices were asked for, but JAX sees {len(there)}; ask for fewer")
    mesh = jax.sharding.Mesh(np.array(there[:devices]), ("structures",))
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("structures"))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return lambda batch: jax.device_put(batch, split), lambda tree: jax.device_put(tree, everywhere), devices


def _said(train: Metrics, validation: Metrics | None) -> str:
    """The text of the progress bar: root mean square errors, averaged over the members."""
    name, found = ("train", train) if validation is None else ("validation", validation)
    return f"{name} {1e3 * found['energy_rmse'].mean():.2f} meV/atom, {found['forces_rmse'].mean():.3f} eV/Å"
