"""Errors of a potential on labelled structures, and predicted uncertainties for an ensemble."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpot.batch import batch
from jaxpot.batch.checks import checked_dtype, checked_params
from jaxpot.batch.named_data import system_of
from jaxpot.evaluation import Params
from jaxpot.fit.dataset import Dataset
from jaxpot.potential import Potential
from jaxpot.potentials.committee import Committee
from jaxpot.spec import once_for_each
from jaxpot.uncertainty.ensemble import with_spread

__all__ = ["Assessment", "assess"]

MAX_SLOTS = 200_000


class Assessment(NamedTuple):
    """References and predictions of all labels of a data set, in its order.

    Attributes:
        energies: [structures with an energy] eV/atom, references.
        predicted_energies: [structures] eV/atom.
        energy_spreads: [structures] eV/atom, standard deviation over the members; None for a single potential.
        forces: [components] eV/Å, references.
        predicted_forces: [components] eV/Å.
        force_spreads: [components] eV/Å; None for a single potential.
    """

    energies: np.ndarray
    predicted_energies: np.ndarray
    energy_spreads: np.ndarray | None
    forces: np.ndarray
    predicted_forces: np.ndarray
    force_spreads: np.ndarray | None

    @property
    def energy_errors(self) -> np.ndarray:
        """[structures] eV/atom."""
        return self.predicted_energies - self.energies

    @property
    def force_errors(self) -> np.ndarray:
        """[components] eV/Å."""
        return self.predicted_forces - self.forces

    def summary(self) -> dict[str, float]:
        """Mean absolute and root mean square errors, meV/atom and eV/Å."""

        def both(name: str, unit: str, errors: np.ndarray, factor: float) -> dict[str, float]:
            if not errors.size:
                return {}
            return {
                f"{name}_mae_{unit}": factor * float(np.abs(errors).mean()),
                f"{name}_rmse_{unit}": factor * float(np.sqrt(np.square(errors).mean())),
            }

        return both("energy", "meV_per_atom", self.energy_errors, 1e3) | both(
            "forces", "eV_per_A", self.force_errors, 1.0
        )


@once_for_each
def _compiled(potential: Potential) -> Any:
    """The compiled evaluation of a potential, shared by all calls of `assess`."""
    function: Any = with_spread(potential) if isinstance(potential, Committee) else potential.evaluate
    return jax.jit(jax.vmap(function, (None, 0, 0)))


def assess(potential: Potential, params: Params, data: Dataset, dtype: Any = None, max_shapes: int = 4) -> Assessment:
    """Evaluates a potential on labelled structures.

    Args:
        potential: any potential; for a :func:`jaxpot.committee`, uncertainties are computed too.
        params: its parameters.
        data: structures with energies, forces or both.
        dtype: float type of the evaluation; JAX's default if None.
        max_shapes: the most shapes, and so compilations.

    Returns:
        The :class:`Assessment`.

    Raises:
        ValueError: an unknown element, or parameters that are no numbers.

    Example:
        >>> import jaxpot
        >>> from ase import Atoms
        >>> from jaxpot.fit import Dataset, Frame
        >>> from jaxpot.uncertainty import assess
        >>> data = Dataset((Frame(Atoms("Ar2", [[0, 0, 0], [0, 0, 3.816]]), energy=-0.0108),))
        >>> found = assess(jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}, data)
        >>> f"{found.summary()['energy_mae_meV_per_atom']:.2f}"
        '0.20'
    """
    kind = checked_dtype(dtype)
    params = checked_params(params, kind)
    several = isinstance(potential, Committee)
    compiled = _compiled(potential)
    systems = [system_of(frame.atoms, potential, kind) for frame in data]
    energies: list[Any] = [None] * len(systems)
    forces: list[Any] = [None] * len(systems)
    for part in batch(systems, potential, max_shapes=max_shapes, max_slots=MAX_SLOTS):
        found = jax.device_get(compiled(params, part.system, part.neighbors))
        for place, k in enumerate(np.asarray(part.indices)):
            if k == len(systems):
                continue
            count = len(data[int(k)].atoms)
            total = found.energy[place] if several else found.energies[place].sum(dtype=np.float64)
            spread = found.energy_spread[place] if several else np.nan
            energies[k] = (total / count, spread / count)
            each = found.forces[place, :count]
            forces[k] = (each, found.forces_spread[place, :count] if several else np.full_like(each, np.nan))
    with_energy = [k for k, frame in enumerate(data) if frame.energy is not None]
    with_forces = [k for k, frame in enumerate(data) if frame.forces is not None]
    known = np.array([(data[k].energy or 0.0) / len(data[k].atoms) for k in with_energy])
    table = np.array([energies[k] for k in with_energy], np.float64).reshape(-1, 2)
    reference = np.concatenate([np.zeros(0), *(np.asarray(data[k].forces, np.float64).ravel() for k in with_forces)])
    parts = [np.concatenate([np.zeros(0), *(np.ravel(forces[k][n]) for k in with_forces)]) for n in (0, 1)]
    return Assessment(
        known, table[:, 0], table[:, 1] if several else None, reference, parts[0], parts[1] if several else None
    )
