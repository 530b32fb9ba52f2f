"""Errors of an epoch, and the table of all epochs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpot.fit.gradient.loss import Sums

__all__ = ["COLUMNS", "History", "Metrics", "add_sums", "errors_of"]

KINDS = ("loss", "energy_mae", "energy_rmse", "forces_mae", "forces_rmse", "stress_mae", "stress_rmse")
COLUMNS = (
    "epoch", "member", "step", "learning_rate", "seconds",
    *[f"train_{kind}" for kind in KINDS], *[f"validation_{kind}" for kind in KINDS],
)  # fmt: skip

Metrics = dict[str, np.ndarray]


def add_sums(parts: Sequence[Sums]) -> Sums:
    """Adds the sums of several batches on the host in float64; leaves are [members]."""
    host: Any = jax.device_get(list(parts))
    totals: Any = [
        np.sum([np.atleast_1d(np.asarray(leaf, np.float64)) for leaf in leaves], axis=0)
        for leaves in zip(*host, strict=True)
    ]
    return Sums(*totals)


def errors_of(sums: Sums, loss_scale: float) -> Metrics:
    """Mean absolute and root mean square errors [members]; NaN where there are no labels.

    Args:
        sums: sums over an epoch.
        loss_scale: factor that makes the summed losses a mean.
    """

    def mean(total: Any, number: Any) -> Any:
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)

    found: dict[str, Any] = {"loss": sums.loss * loss_scale}
    for name, absolute, squared, number in (
        ("energy", sums.energy_absolute, sums.energy_squared, sums.energies),
        ("forces", sums.forces_absolute, sums.forces_squared, sums.components),
        ("stress", sums.stress_absolute, sums.stress_squared, sums.stresses),
    ):
        found[f"{name}_mae"] = mean(absolute, number)
        found[f"{name}_rmse"] = np.sqrt(mean(squared, number))
    return found


class History:
    """The table of all epochs, one row for each epoch and member, written to a CSV file as it grows.

    Args:
        path: path of the file; None keeps the rows in memory only.
        keep_until: the last epoch whose rows in an existing file are kept; None starts a new file.
    """

    def __init__(self, path: Path | None, keep_until: int | None = None) -> None:
        self.rows: list[dict[str, float]] = []
        self._path = path
        if path is not None:
            if keep_until is not None and path.is_file():
                with open(path, newline="") as file:
                    self.rows = [
                        {k: float(v) if v else np.nan for k, v in row.items()}
                        for row in csv.DictReader(file)
                        if int(float(row["epoch"])) <= keep_until
                    ]
            with open(path, "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(COLUMNS)
                self._write(file, self.rows)

    def add(self, facts: dict[str, float], train: Metrics, validation: Metrics | None) -> None:
        """Adds the rows of one epoch, one for each member.

        Args:
            facts: epoch, step, learning rate, seconds.
            train: errors on the training data, collected during the epoch.
            validation: errors on the validation data.
        """
        members = len(train["loss"])
        new = []
        for m in range(members):
            row = {**facts, "member": float(m)}
            for name, metrics in (("train", train), ("validation", validation)):
                for kind in KINDS:
                    row[f"{name}_{kind}"] = np.nan if metrics is None else float(metrics[kind][m])
            new.append(row)
        self.rows += new
        if self._path is not None:
            with open(self._path, "a", newline="") as file:
                self._write(file, new)

    def columns(self) -> dict[str, np.ndarray]:
        """Every column by name, [epochs] or, with an ensemble, [epochs, members]."""
        if not self.rows:
            return {name: np.empty(0) for name in COLUMNS}
        members = int(max(row["member"] for row in self.rows)) + 1
        table: dict[str, Any] = {name: np.array([row[name] for row in self.rows]) for name in COLUMNS}
        if members == 1:
            return table
        return {name: values.reshape(-1, members) for name, values in table.items()}

    @staticmethod
    def _write(file: Any, rows: Sequence[dict[str, float]]) -> None:
        def text(name: str, value: float) -> str:
            if np.isnan(value):
                return ""
            return str(int(value)) if name in ("epoch", "member", "step") else repr(float(value))

        csv.writer(file, lineterminator="\n").writerows([text(name, row[name]) for name in COLUMNS] for row in rows)
