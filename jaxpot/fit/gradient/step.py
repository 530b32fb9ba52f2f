"""The compiled step of a training and its validation, for one set of parameters or for an ensemble."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.fit.gradient.data import Counts, Examples
from jaxpot.fit.gradient.loss import Predict, Sums, batch_loss
from jaxpot.fit.gradient.settings import TrainSettings

__all__ = ["Parts", "State", "Steps", "compiled_steps", "split_params"]

Leaves = list[Any]


class State(NamedTuple):
    """Everything that the next step depends on, a pytree.

    For an ensemble, params, optimizer and ema have a leading axis.

    Attributes:
        params: the trained leaves.
        optimizer: optax's state.
        ema: running mean of the trained leaves; equal to ``params`` if the settings ask for none.
        step: int32, number of steps done.
        ok: bool, False once a loss or gradient was not finite; then later steps change nothing.
    """

    params: Leaves
    optimizer: Any
    ema: Leaves
    step: jax.Array
    ok: jax.Array


class Parts(NamedTuple):
    """Params separated into trained and fixed leaves.

    Attributes:
        trained: the trained leaves.
        fixed: the fixed leaves; in an ensemble without the leading axis where all members have the same.
        fixed_axes: 0 or None for each fixed leaf, for ``jax.vmap``.
        merge: ``(trained, fixed) -> params``.
    """

    trained: Leaves
    fixed: Leaves
    fixed_axes: list[int | None]
    merge: Callable[[Leaves, Leaves], Params]


def split_params(
    params: Params, members: int | None, trainable: Callable[[str], bool] | None, dtype: np.dtype
) -> Parts:
    """Separates params into trained and fixed leaves, and casts floats to the given type.

    Args:
        params: pytree; for an ensemble, every leaf has a leading axis [members].
        members: number of members, None for a single set.
        trainable: function that tells whether the leaf of a name such as "['sigma']" is trained; by default every
            float is.
        dtype: float type of the leaves and of the state.

    Raises:
        ValueError: no leaf is trained, a leaf is not a number or not finite, or the axis of the members is missing.
    """
    paths, tree = jax.tree_util.tree_flatten_with_path(params)
    chosen = []
    values = []
    for path, leaf in paths:
        name = jax.tree_util.keystr(path)
        value = np.asarray(leaf)
        if not (np.issubdtype(value.dtype, np.number) or value.dtype == bool):
            raise ValueError(f"params{name} must be numbers, got {leaf!r}")
        if members is not None and value.shape[:1] != (members,):
            raise ValueError(
                f"params{name} of an ensemble of {members} must have a leading axis of that length, got shape "
                f"{list(value.shape)}; stack the members, or make them with jax.vmap(potential.init)(keys)"
            )
        floating = np.issubdtype(value.dtype, np.floating)
        if floating and not np.isfinite(value).all():
            raise ValueError(f"params{name} holds numbers that are not finite; repair the parameters")
        chosen.append(floating and (trainable is None or trainable(name)))
        values.append(value.astype(dtype) if floating else value)
    if not any(chosen):
        raise ValueError("there is nothing to train: no leaf of the params is a float that `trainable` accepts")
    trained = [jnp.asarray(v) for v, c in zip(values, chosen, strict=True) if c]
    rest = [v for v, c in zip(values, chosen, strict=True) if not c]
    alike = [members is None or bool((v == v[:1]).all()) for v in rest]
    fixed = [jnp.asarray(v[0] if members is not None and a else v) for v, a in zip(rest, alike, strict=True)]

    def merge(trained: Leaves, fixed: Leaves) -> Params:
        first, second = iter(trained), iter(fixed)
        return jax.tree.unflatten(tree, [next(first) if c else next(second) for c in chosen])

    return Parts(trained, fixed, [None if a else 0 for a in alike], merge)


class Steps(NamedTuple):
    """The compiled operations.

    Attributes:
        start: ``(trained) -> State``.
        step: ``(state, fixed, batch, multiplicity) -> (state, Sums, ok)``; the given state is donated.
        validate: ``(trained, fixed, batch) -> Sums`` with the loss weights of the last step.
    """

    start: Callable[[Leaves], State]
    step: Callable[[State, Leaves, Examples, Any], tuple[State, Sums, jax.Array]]
    validate: Callable[[Leaves, Leaves, Examples], Sums]


def compiled_steps(
    predict: Predict,
    parts: Parts,
    settings: TrainSettings,
    counts: Counts,
    validation_counts: Counts | None,
    steps: int,
    members: int | None,
) -> Steps:
    """Makes the compiled operations of a training.

    Args:
        predict: the model.
        parts: the separated params.
        settings: settings of the training.
        counts: numbers of labels in the training data.
        validation_counts: numbers of labels in the validation data.
        steps: number of steps of the whole training.
        members: number of members of an ensemble; None for a single set.
    """
    import optax

    model, optimizer = settings.types().model, settings.transformation(steps)
    loss = batch_loss(predict, settings, counts, steps)
    whole = dataclasses.replace(settings, batch_size=(validation_counts or counts).structures, devices=None)
    validation_loss = batch_loss(predict, whole, validation_counts or counts, steps)

    def params_of(trained: Leaves, fixed: Leaves) -> Params:
        def cast(leaf: jax.Array) -> jax.Array:
            return leaf.astype(model) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

        return parts.merge([cast(leaf) for leaf in trained], [cast(leaf) for leaf in fixed])

    def each(function: Callable[..., Any], *axes: Any) -> Callable[..., Any]:
        return function if members is None else jax.vmap(function, axes)

    def one_step(
        trained: Leaves, state: Any, ema: Leaves, fixed: Leaves, batch: Examples, multiplicity: Any, step: jax.Array
    ) -> tuple[Leaves, Any, Leaves, jax.Array, Sums]:
        def objective(leaves: Leaves) -> tuple[jax.Array, Sums]:
            return loss(params_of(leaves, fixed), batch, multiplicity, step)

        gradient, sums = jax.grad(objective, has_aux=True)(trained)
        finite = jnp.stack([jnp.isfinite(sums.loss), *[jnp.isfinite(g).all() for g in gradient]]).all()
        updates, state = optimizer.update(gradient, state, trained)
        trained = optax.apply_updates(trained, updates)
        if settings.ema is not None:
            # a smaller decay at the beginning, so that the mean forgets the first steps
            decay = jnp.minimum(settings.ema, (1.0 + step) / (10.0 + step))
            ema = [(decay * old + (1.0 - decay) * new).astype(new.dtype) for old, new in zip(ema, trained, strict=True)]
        return trained, state, ema, finite, sums

    stepped = each(one_step, 0, 0, 0, parts.fixed_axes, None, 0 if settings.bootstrap and members else None, None)

    def step(state: State, fixed: Leaves, batch: Examples, multiplicity: Any) -> tuple[State, Sums, jax.Array]:
        trained, optimizer_state, ema, finite, sums = stepped(
            state.params, state.optimizer, state.ema, fixed, batch, multiplicity, state.step
        )
        ok = state.ok & finite.all()
        new = State(trained, optimizer_state, ema if settings.ema is not None else trained, state.step + 1, ok)
        kept = jax.tree.map(lambda fresh, old: jnp.where(ok, fresh, old), new._replace(ok=ok), state._replace(ok=ok))
        return kept, sums, ok

    def validate(trained: Leaves, fixed: Leaves, batch: Examples) -> Sums:
        def one(trained: Leaves, fixed: Leaves) -> Sums:
            return validation_loss(params_of(trained, fixed), batch, None, jnp.asarray(steps))[1]

        return each(one, 0, parts.fixed_axes)(trained, fixed)

    def start(trained: Leaves) -> State:
        state = each(optimizer.init, 0)(trained)
        # a step donates its state, which must not share arrays with the parameters that the caller keeps
        copy = [jnp.array(leaf) for leaf in trained]
        ema = [jnp.array(leaf) for leaf in trained]
        return State(copy, state, ema, jnp.zeros((), jnp.int32), jnp.ones((), bool))

    return Steps(start, jax.jit(step, donate_argnums=0), jax.jit(validate))
