"""Nose-Hoover chains: extra variables with which deterministic dynamics samples a temperature.

G. J. Martyna, M. L. Klein and M. Tuckerman, J. Chem. Phys. 97, 2635 (1992); integrated as in G. J. Martyna,
M. E. Tuckerman, D. J. Tobias and M. L. Klein, Mol. Phys. 87, 1117 (1996).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Chain", "chain_energy", "half_step", "new_chain"]

LENGTH = 3  # variables of a chain


class Chain(NamedTuple):
    """The variables of a chain.

    Attributes:
        positions: [length], no unit.
        rates: [length], their time derivatives in 1/TIME; the first is the friction that the atoms feel.
    """

    positions: jax.Array
    rates: jax.Array


def new_chain(dtype: Any) -> Chain:
    """A chain at rest.

    Args:
        dtype: float type of its numbers.

    Returns:
        The :class:`Chain`.
    """
    return Chain(jnp.zeros(LENGTH, dtype), jnp.zeros(LENGTH, dtype))


def half_step(chain: Chain, twice_kinetic: jax.Array, freedom: Any, kT: Any, tau: Any, dt: Any) -> tuple[Chain, Any]:
    """Half a time step of a chain.

    With masses Q_1 = n kT tau^2 and Q_k = kT tau^2 the rates follow Q_1 v_1' = 2K - n kT - Q_1 v_1 v_2 and
    Q_k v_k' = Q_{k-1} v_{k-1}^2 - kT - Q_k v_k v_{k+1}, and velocities x' = -v_1 x.

    Args:
        chain: the chain before.
        twice_kinetic: eV, 2K of the motion that the chain is coupled to.
        freedom: number of degrees of freedom n of this motion.
        kT: eV.
        tau: period of the thermostat, in internal units.
        dt: the whole time step, in internal units.

    Returns:
        The chain, and the factor of the velocities.
    """
    last = LENGTH - 1
    # everything over kT tau^2: the mass of the first variable is n then, and of the others 1
    unit = kT * tau**2
    v = list(chain.rates)
    factor: Any = 1.0

    def kick(k: int) -> None:
        """A quarter of a step of variable k, between the frictions of the next one."""
        if k == 0:
            push = (twice_kinetic * factor**2 / unit - freedom / tau**2) / freedom
        else:
            push = (freedom if k == 1 else 1.0) * v[k - 1] ** 2 - 1.0 / tau**2
        friction = jnp.exp(-0.125 * dt * v[k + 1]) if k < last else 1.0
        v[k] = (v[k] * friction + 0.25 * dt * push) * friction

    for k in reversed(range(LENGTH)):
        kick(k)
    factor = jnp.exp(-0.5 * dt * v[0])
    x = [position + 0.5 * dt * rate for position, rate in zip(chain.positions, v, strict=True)]
    for k in range(LENGTH):
        kick(k)
    dtype = chain.rates.dtype
    return Chain(jnp.stack(x).astype(dtype), jnp.stack(v).astype(dtype)), factor.astype(dtype)


def chain_energy(chain: Chain, freedom: Any, kT: Any, tau: Any) -> jax.Array:
    """The energy of a chain in the conserved energy: sum Q_k v_k^2 / 2 + n kT x_1 + kT (x_2 + ...).

    Args:
        chain: the chain.
        freedom: number of degrees of freedom n of the motion that it is coupled to.
        kT: eV.
        tau: period of the thermostat, in internal units.

    Returns:
        eV.
    """
    kinetic = freedom * chain.rates[0] ** 2 + jnp.sum(chain.rates[1:] ** 2)
    return kT * (0.5 * tau**2 * kinetic + freedom * chain.positions[0] + jnp.sum(chain.positions[1:]))
