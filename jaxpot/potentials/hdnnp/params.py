"""The params of an HDNNP: made, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.descriptors.symmetry_functions import Evaluator
from jaxpot.potential import Params
from jaxpot.potentials.hdnnp.settings import STATISTICS, HDNNPSettings, layer_sizes

__all__ = ["check_params", "init_params"]


def init_params(
    settings: HDNNPSettings,
    describe: Evaluator,
    key: jax.Array,
    scaling: Mapping[str, Mapping[str, Any]] | None,
    atom_energies: Mapping[str, float] | None,
    train_functions: bool,
) -> Params:
    """Random networks; scaling and atom energies as given."""
    dtype = jnp.result_type(float)
    networks = {}
    for symbol in settings.elements:
        layers = []
        for rows, columns in layer_sizes(settings, symbol):
            key, part = jax.random.split(key)
            spread = (rows if settings.normalize_nodes else 1.0) * (2.0 / (rows + columns)) ** 0.5
            weights = spread * jax.random.normal(part, (rows, columns), dtype)
            layers.append({"weights": weights, "biases": jnp.zeros(columns, dtype)})
        networks[symbol] = layers
    for given in (scaling or {}, atom_energies or {}):
        strange = [symbol for symbol in given if symbol not in settings.elements]
        if strange:
            raise ValueError(f"hdnnp: init was given {strange[0]}, which is not among the elements {settings.elements}")
    known = atom_energies or {}
    params: dict[str, Any] = {
        "networks": networks,
        "atom_energies": {symbol: jnp.asarray(known.get(symbol, 0.0), dtype) for symbol in settings.elements},
    }
    if settings.scaling != "none":
        params["scaling"] = {}
        for symbol in settings.elements:
            count = len(settings.functions[symbol])
            values = dict(zip(STATISTICS, (0.0, 1.0, 0.0, 1.0), strict=True)) if scaling is None else scaling[symbol]
            params["scaling"][symbol] = {
                name: jnp.broadcast_to(jnp.asarray(values[name], dtype), (count,)) for name in STATISTICS
            }
    if train_functions:
        params["functions"] = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), describe.numbers)
    return params


def check_params(settings: HDNNPSettings, params: Params) -> None:
    """Raise ValueError where params are not named and shaped as the factory says."""
    needed = {"networks", "atom_energies"} | ({"scaling"} if settings.scaling != "none" else set())
    if not isinstance(params, Mapping) or not needed <= set(params) <= needed | {"functions"}:
        got = ", ".join(map(str, params)) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"hdnnp takes params with {', '.join(sorted(needed))} (and optionally functions); got {got}")
    for name in needed:
        if set(params[name]) != set(settings.elements):
            raise ValueError(
                f"hdnnp: params[{name!r}] must have the elements {settings.elements}, got {[*params[name]]}"
            )
    for symbol in settings.elements:
        wanted = layer_sizes(settings, symbol)
        found = [jnp.shape(layer["weights"]) for layer in params["networks"][symbol]]
        biases = [jnp.shape(layer["biases"]) for layer in params["networks"][symbol]]
        if found != wanted or biases != [(columns,) for _, columns in wanted]:
            raise ValueError(f"hdnnp: the layers of {symbol} must have weights {wanted} and their biases, got {found}")
        if "scaling" in params:
            shapes = {name: jnp.shape(params["scaling"][symbol].get(name)) for name in STATISTICS}
            if set(shapes.values()) != {(wanted[0][0],)}:
                raise ValueError(f"hdnnp: scaling of {symbol} must have {wanted[0][0]} values each, got {shapes}")
