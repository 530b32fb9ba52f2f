"""What Tersoff's potential and its modification share."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine.angular import Edge, Lookup
from jaxpot.numerics.named import within_cutoff

__all__ = ["Powers", "checked_powers", "competition", "in_step", "order", "with_range"]

Powers = Any  # 1 or 3, or a nested sequence of these, [species, species, species]

LARGEST_EXPONENT = 69.0776  # of exponentials, LAMMPS's: e^69.0776 = 1e30


def order(x: jax.Array, n: jax.Array, delta: jax.Array) -> jax.Array:
    """The bond order (1 + x^n)^(-delta), which overflows for no x >= 0, and has finite derivatives at x = 0."""
    zero = x < jnp.finfo(x.dtype).tiny ** 0.5  # where x^n is lost beside 1, and 1/x^2 would overflow in derivatives
    u = n * jnp.log(jnp.where(zero, 1.0, x))
    # log(1 + x^n) = max(u, 0) + log(1 + exp(-|u|)) with x^n = exp(u); at x = 0, only x^1 has a slope
    large = u > 0
    rest = jnp.where(zero, jnp.where(n == 1, x, 0.0), jnp.exp(jnp.where(large, -u, u)))
    return jnp.exp(-delta * (jnp.where(large, u, 0.0) + jnp.log(1.0 + rest)))


def in_step(r: jax.Array, middle: jax.Array, half: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """For functions that go from 1 to 0 between middle - half and middle + half.

    Returns:
        The place in between, from -1 to 1; whether there is such a place, which is not so where half is 0; and the step
        function, for that case.
    """
    wide = half > 0
    x = jnp.clip((r - middle) / jnp.where(wide, half, 1.0), -1.0, 1.0)
    return x, wide, (r < middle).astype(r.dtype)


def _odd_power(x: jax.Array, power: jax.Array | int) -> jax.Array:
    """x or x^3, for powers 1 and 3."""
    if isinstance(power, int):
        return x if power == 1 else x * x * x
    return jnp.where(power == 1, x, x * x * x)


def with_range(
    owner: str, p: dict[str, Any], params: Any, what: str, cutoff: float, power: Powers, shift: float = 0.0
) -> dict[str, Any]:
    """Prepared params whose R is NaN where R + D - shift is beyond the cutoff, with the powers if they are a table.

    Raises:
        ValueError: the range is beyond the cutoff, where values are known.
    """
    given = jnp.asarray(params["R"]) + jnp.asarray(params["D"]) - shift
    end = within_cutoff(owner, what, p["R"] + p["D"] - shift, given, cutoff)
    p["R"] = jnp.where(jnp.isnan(end), end, p["R"])
    return p | ({} if isinstance(power, int) else {"m": jnp.asarray(power)})


def competition(p: Lookup, rate: jax.Array, ij: Edge, ik: Edge, power: Powers) -> jax.Array:
    """exp{[rate (r_ij - r_ik)]^m}: how much a nearer or farther neighbour k weakens the bond i-j."""
    return _bounded_exp(_odd_power(rate * (ij.r - ik.r), power if isinstance(power, int) else p["m"]))


def _bounded_exp(x: jax.Array) -> jax.Array:
    """exp(x) between 1e-30 and 1e30."""
    return jnp.exp(jnp.clip(x, -LARGEST_EXPONENT, LARGEST_EXPONENT))


def checked_powers(owner: str, power: Powers) -> Powers:
    """Powers as a number, or as an int32 table [species, species, species]; ValueError where one is not 1 or 3."""
    table = np.asarray(power)
    if not np.isin(table, (1, 3)).all():
        raise ValueError(f"{owner}: power must be 1 or 3, or a table of these; got {power}")
    return int(table) if table.ndim == 0 else table.astype(np.int32)
