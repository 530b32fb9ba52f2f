"""Errors of predictions against the labels of a data set, in all and by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxpot.batch import Result
from jaxpot.fit.dataset import Dataset
from jaxpot.units import GPA

__all__ = ["Errors", "GroupErrors", "errors"]


class GroupErrors(NamedTuple):
    """Mean absolute and root mean square errors of one group of frames; NaN where there are no labels.

    Attributes:
        frames: number of structures.
        energy_mae: meV per atom.
        energy_rmse: meV per atom.
        forces_mae: eV/Å, of components.
        forces_rmse: eV/Å.
        stress_mae: GPa, of the six components.
        stress_rmse: GPa.
    """

    frames: int
    energy_mae: float
    energy_rmse: float
    forces_mae: float
    forces_rmse: float
    stress_mae: float
    stress_rmse: float


class Errors(NamedTuple):
    """Errors over all frames and by group; ``print`` shows a table.

    Attributes:
        total: errors over all frames.
        groups: errors by group.
    """

    total: GroupErrors
    groups: dict[str, GroupErrors]

    def __str__(self) -> str:
        width = max(5, *(len(name) for name in self.groups))
        head = (
            f"{'group':{width}s} {'frames':>7s} {'energy (meV/atom)':>19s} {'forces (eV/Å)':>17s} {'stress (GPa)':>15s}"
        )
        lines = [
            head,
            f"{'':{width}s} {'':7s} {'MAE':>9s} {'RMSE':>9s} {'MAE':>8s} {'RMSE':>8s} {'MAE':>7s} {'RMSE':>7s}",
        ]
        for name, own in [*self.groups.items(), ("all", self.total)]:
            lines.append(
                f"{name:{width}s} {own.frames:7d} {own.energy_mae:9.2f} {own.energy_rmse:9.2f} "
                f"{own.forces_mae:8.4f} {own.forces_rmse:8.4f} {own.stress_mae:7.3f} {own.stress_rmse:7.3f}"
            )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers by group and "all", for JSON; None where there are no labels."""

        def plain(one: GroupErrors) -> dict[str, Any]:
            return {key: None if np.isnan(value) else value for key, value in one._asdict().items()}

        return {**{name: plain(one) for name, one in self.groups.items()}, "all": plain(self.total)}


def errors(dataset: Dataset, results: Sequence[Result]) -> Errors:
    """Computes the errors of predictions.

    Args:
        dataset: frames with labels.
        results: the predictions, one a frame, as :func:`jaxpot.evaluate` gives them.

    Returns:
        The :class:`Errors`.

    Example:
        >>> import jaxpot, numpy as np
        >>> from ase import Atoms
        >>> from jaxpot.fit import Dataset, Frame, errors
        >>> pair = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.8]])
        >>> found = jaxpot.evaluate(jaxpot.lennard_jones(8.5), {"epsilon": 0.0104, "sigma": 3.4}, [pair])
        >>> f"{errors(Dataset((Frame(pair, -0.0124),)), found).total.energy_mae:.2f} meV"
        '1.00 meV'
    """
    members = {group: [k for k, frame in enumerate(dataset) if frame.group == group] for group in dataset.groups}
    return Errors(
        _of(dataset, results, range(len(dataset))),
        {group: _of(dataset, results, some) for group, some in members.items()},
    )


def _of(dataset: Dataset, results: Sequence[Result], chosen: Sequence[int]) -> GroupErrors:
    energy, forces, stress = [], [], []
    for k in chosen:
        frame, found = dataset[k], results[k]
        if frame.energy is not None:
            energy.append(1e3 * (found.energy - frame.energy) / len(frame.atoms))
        if frame.forces is not None:
            forces.append((found.forces - frame.forces).ravel())
        if frame.stress is not None and found.stress is not None:
            stress.append((found.stress - frame.stress)[np.triu_indices(3)] / GPA)
    parts = [np.array(energy), *(np.concatenate([np.zeros(0), *some]) for some in (forces, stress))]
    pairs = [(float(np.abs(p).mean()), float(np.sqrt((p**2).mean()))) if len(p) else 2 * (np.nan,) for p in parts]
    return GroupErrors(len(chosen), *pairs[0], *pairs[1], *pairs[2])
