"""The loss of a batch, and sums of its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.evaluation import Evaluation, Params
from jaxpot.fit.gradient.data import Counts, Examples
from jaxpot.fit.gradient.settings import TrainSettings, weight_at
from jaxpot.neighbors import Neighbors
from jaxpot.system import System

__all__ = ["Predict", "Sums", "batch_loss"]

# (params, system, neighbors, features) -> Evaluation; features is what a model stores with each structure
Predict = Callable[[Params, System, Neighbors | None, Any], Evaluation]


class Sums(NamedTuple):
    """Sums over the labelled structures of a batch: absolute and squared errors, and their numbers.

    Energies in eV/atom, force components in eV/Å, stress components in eV/Å^3.
    """

    loss: jax.Array
    energy_absolute: jax.Array
    energy_squared: jax.Array
    energies: jax.Array
    forces_absolute: jax.Array
    forces_squared: jax.Array
    components: jax.Array
    stress_absolute: jax.Array
    stress_squared: jax.Array
    stresses: jax.Array


class Residuals(NamedTuple):
    """Model minus reference, 0 where there is no label."""

    energy: jax.Array  # [structures] eV/atom
    forces: jax.Array  # [structures, atoms, 3]
    stress: jax.Array  # [structures, 3, 3]


def residuals(predict: Predict, params: Params, batch: Examples, with_stress: bool) -> Residuals:
    """Computes the residuals of a batch; those of the stress are 0 unless ``with_stress``."""
    result = jax.vmap(predict, (None, 0, 0, 0))(params, batch.system, batch.neighbors, batch.features)
    dtype = batch.energy.dtype
    atoms = (batch.system.species >= 0).sum(axis=1).astype(dtype)
    energy = (result.energies.astype(dtype).sum(axis=1) - batch.energy) / jnp.maximum(atoms, 1)
    forces = result.forces.astype(dtype) - batch.forces
    stress = jnp.zeros_like(batch.stress)
    if with_stress:
        volume = jnp.abs(jnp.linalg.det(batch.system.cell.astype(dtype)))
        safe = jnp.where(batch.stress_known, volume, 1.0)[:, None, None]
        stress = result.virial.astype(dtype) / safe - batch.stress
    return Residuals(
        jnp.where(batch.energy_known, energy, 0.0),
        jnp.where(batch.forces_known[:, :, None], forces, 0.0),
        jnp.where(batch.stress_known[:, None, None], stress, 0.0),
    )


def batch_loss(
    predict: Predict, settings: TrainSettings, counts: Counts, steps: int
) -> Callable[[Params, Examples, jax.Array | None, jax.Array], tuple[jax.Array, Sums]]:
    """The function ``(params, batch, multiplicity, step) -> (loss, Sums)``.

    The loss of a batch is its share of the mean over all training data. The losses of all batches of an epoch add up to
    the loss of the whole data times (number of structures / batch size), for any shapes and any filling of batches.

    Args:
        predict: the model.
        settings: weights and kind of loss.
        counts: numbers of labels in the training data.
        steps: number of steps of the whole training, for weights that change.
    """

    def weighs(weight: Any) -> bool:
        return callable(weight) or weight not in (0, (0, 0))

    with_stress = counts.stresses > 0 and weighs(settings.stress_weight)

    def rho(residual: jax.Array) -> jax.Array:
        if settings.loss == "squared":
            return residual * residual
        size, delta = jnp.abs(residual), settings.huber_delta
        return jnp.where(size < delta, residual * residual, delta * (2.0 * size - delta))

    def function(
        params: Params, batch: Examples, multiplicity: jax.Array | None, step: jax.Array
    ) -> tuple[jax.Array, Sums]:
        found = residuals(predict, params, batch, with_stress)
        if not weighs(settings.forces_weight):
            # errors of forces are still reported; their derivatives would be the largest cost
            found = found._replace(forces=jax.lax.stop_gradient(found.forces))
        dtype = batch.energy.dtype
        weights = batch.weight if multiplicity is None else batch.weight * multiplicity[batch.index].astype(dtype)
        real = batch.weight > 0
        share = counts.structures / settings.batch_size

        def term(weight: Any, each: jax.Array, number: int) -> jax.Array:
            value = weight_at(weight, step, steps).astype(dtype)
            return value * share / max(number, 1) * (weights * each).sum()

        each_force = rho(found.forces).sum(axis=(1, 2))
        loss = term(settings.energy_weight, rho(found.energy), counts.energies)
        loss += term(settings.forces_weight, each_force, counts.force_components)
        loss += term(settings.stress_weight, rho(found.stress).sum(axis=(1, 2)), 9 * counts.stresses)

        def sums(residual: jax.Array, known: jax.Array, parts: int) -> tuple[jax.Array, jax.Array, jax.Array]:
            mask = real.reshape(-1, *[1] * (residual.ndim - 1))
            kept = jnp.where(mask, residual, 0.0)
            number = jnp.where(real.reshape(-1, *[1] * (known.ndim - 1)), known, False).sum() * parts
            return jnp.abs(kept).sum(), (kept * kept).sum(), number.astype(dtype)

        return loss, Sums(
            loss,
            *sums(found.energy, batch.energy_known, 1),
            *sums(found.forces, batch.forces_known, 3),
            *sums(found.stress, batch.stress_known, 9 if with_stress else 0),
        )

    return function
