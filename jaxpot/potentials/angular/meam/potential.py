"""The modified embedded atom method, for any number of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine import Environment, environment_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters, within_cutoff
from jaxpot.numerics.splines import cubics
from jaxpot.potential import Potential
from jaxpot.potentials.angular.meam.energy import KNOTS, energies
from jaxpot.potentials.angular.meam.reference import pair_energies, reference_densities
from jaxpot.potentials.angular.meam.settings import MeamSettings, checked_settings
from jaxpot.spec import potential_kind

__all__ = ["meam"]

OF_PAIRS = ("Ec", "re", "alpha", "attrac", "repuls")
OF_ATOMS = ("Z", "asub", "rho0", "b0", "b1", "b2", "b3", "t1", "t2", "t3")
OF_TRIPLES = ("Cmin", "Cmax")
NUMBERS = ("rc", "delr", "gsmooth_factor")
BLOCK = 32  # atoms at once, whose pairs of neighbours stay in cache

Several = Sequence[Any]


@potential_kind
def meam(
    cutoff: float,
    elements: Sequence[str] | None = None,
    lattices: str | Several = "fcc",
    second_neighbors: bool | Several = False,
    cores: bool | Several = True,
    gamma_form: int | Several = 0,
    rose_form: int = 0,
    augmented_t1: bool = True,
    mixing: int = 0,
    mixed_reference: bool = False,
    plain_background: bool = False,
    linear_below_zero: bool = False,
) -> Potential:
    """The modified embedded atom method: angular densities, and pairs that atoms in between screen."""
    name = "meam"
    count = 1 if elements is None else len(elements)
    given = dict(
        lattices=lattices, second_neighbors=second_neighbors, cores=cores, gamma_form=gamma_form,
        rose_form=rose_form, augmented_t1=augmented_t1, mixing=mixing,
        mixed_reference=mixed_reference, plain_background=plain_background, linear_below_zero=linear_below_zero,
    )  # fmt: skip
    settings = checked_settings(count, given)

    def prepare(params: Params, dtype: Any) -> dict[str, Any]:
        p = _tables(params, settings, float(cutoff))
        r = jnp.arange(KNOTS, dtype=p["rc"].dtype).at[0].set(0.1) * (1.1 * p["rc"] / KNOTS)
        phi = pair_energies(p, settings, r)
        p["phi"] = cubics(phi, dtype=dtype)
        return jax.tree.map(lambda leaf: leaf.astype(dtype), p)

    def energy(p: Any, around: Environment) -> jax.Array:
        return energies(p, settings, around)

    return environment_potential(
        energy, cutoff, None if elements is None else tuple(elements), name, together=True, block=BLOCK, prepare=prepare
    )


def _tables(params: Params, settings: MeamSettings, cutoff: float) -> dict[str, Any]:
    """Params as full tables over species, symmetric in pairs, and what follows from them."""
    names = (*OF_PAIRS, *OF_ATOMS, *OF_TRIPLES, *NUMBERS)
    dtype = jnp.result_type(float, *(value for value in params.values())) if isinstance(params, dict) else float
    given = named_parameters("meam", params, dtype, names)
    count = settings.count
    rank = {**dict.fromkeys(OF_PAIRS, 2), **dict.fromkeys(OF_ATOMS, 1), **dict.fromkeys(OF_TRIPLES, 3)}
    p: dict[str, Any] = {}
    for name, value in given.items():
        wanted = (count,) * rank.get(name, 0)
        if value.shape not in ((), wanted):
            raise ValueError(f"meam: {name} has shape {list(value.shape)}; give one number or {list(wanted)}")
        table = jnp.broadcast_to(value, wanted)
        p[name] = 0.5 * (table + table.swapaxes(0, 1)) if len(wanted) > 1 else table
    high = jnp.maximum(p["Cmax"], 2.0)
    reach = p["rc"] * jnp.sqrt((high**2 / (4.0 * (high - 1.0))).max())
    known = params["rc"] if isinstance(params["rc"], jax.core.Tracer) else reach
    p["rc"] = within_cutoff("meam", "rc times the reach of screening", reach, known, cutoff) / reach * p["rc"]
    p["re_own"] = jnp.diagonal(p["re"])
    if settings.augmented:
        p["t1"] = p["t1"] + 0.6 * p["t3"]
    return p | reference_densities(p, settings)
