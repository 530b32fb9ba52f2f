"""The environment-dependent interatomic potential, for any number of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import Edge, Lookup, angular_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters, within_cutoff
from jaxpot.numerics.safe import safe_exp_to_cutoff
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["edip"]

NAMES = (
    *("A", "B", "a", "c", "alpha", "beta", "eta", "gamma", "lambda", "mu", "rho", "sigma", "Q0"),
    *("u1", "u2", "u3", "u4"),
)


@potential_kind
def edip(cutoff: float, elements: Sequence[str] | None = None) -> Potential:
    """The environment-dependent potential: bonds and angles that depend on an atom's coordination Z.

    E = sum_i sum_j A [(B/r_ij)^rho - exp(-beta Z_i^2)] exp[sigma / (r_ij - a)]
    + sum_i sum_{j<k} exp[gamma / (r_ij - a)] exp[gamma / (r_ik - a)] h(cos theta_jik, Z_i) with the coordination
    Z_i = sum_j f(r_ij), f = 1 up to c, exp[alpha / (1 - x^-3)] with x = (r - c)/(a - c) from there to a, 0 beyond;
    h = lambda {1 - exp[-Q l] + eta Q l}, l = (cos theta + tau)^2, Q = Q0 exp(-mu Z) and
    tau = u1 + u2 [u3 exp(-u4 Z) - exp(-2 u4 Z)].

    The params are ``{"A": eV, "B": Å, "a": Å, "c": Å, "alpha": 1, "beta": 1, "eta": 1, "gamma": Å, "lambda": eV, "mu":
    1, "rho": 1, "sigma": Å, "Q0": 1, "u1": 1, "u2": 1, "u3": 1, "u4": 1}``, each one number or a table over species.
    For pairs (A, B, a, c, alpha, beta, gamma, rho, sigma) it is [i, j], where i is the atom whose coordination counts.
    For angles (the others) it is [i, j, k], where i is the center; the mean of both orders counts.

    Args:
        cutoff: Å, at least the largest a, which is the true range.
        elements: chemical symbols whose order gives the species; None for one kind of atom.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length; at evaluation, params that are not named as above, tables of
            another shape, or a range a beyond the cutoff (under jit, where values are not known: a NaN energy).

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> potential, params = jaxpot.load("justo_1998:Si")
        >>> cell = 0.5 * 5.430 * (1.0 - jnp.eye(3))  # the primitive cell of silicon
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [1.3575, 1.3575, 1.3575]], cell=cell)
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(params, system, neighbors) / 2:.2f}"
        '-4.65'

    Reference: J. F. Justo, M. Z. Bazant, E. Kaxiras, V. V. Bulatov and S. Yip, Phys. Rev. B 58, 2539 (1998), eqs. 2 to
    11. LAMMPS's ``edip/multi`` agrees; its ``edip`` interpolates tables and is off by up to 1e-5.
    """
    name = "edip"
    cutoff = float(cutoff)

    def prepare(params: Params, dtype: Any) -> dict[str, jax.Array]:
        p = named_parameters(name, params, dtype, NAMES)
        p["a"] = within_cutoff(name, "a", p["a"], params["a"], cutoff)
        return p

    def coordination(p: Lookup, r: jax.Array) -> jax.Array:
        a, c = p["a"], p["c"]
        x = (r - c) / (a - c)
        between = (r > c) & (x < 1.0)
        x = jnp.where(between, x, 0.5)
        # 1/(1 - x^-3) as x^3/(x^3 - 1), whose derivatives do not overflow at x = 0
        f = jnp.exp(p["alpha"] * x**3 / (x**3 - 1.0))
        return jnp.where(between, f, (r <= c).astype(r.dtype))

    def bond(p: Lookup, r: jax.Array, z: Any, Z: jax.Array) -> jax.Array:
        strength = jnp.exp(p["rho"] * jnp.log(p["B"] / r)) - jnp.exp(-p["beta"] * Z**2)
        return p["A"] * strength * safe_exp_to_cutoff(p["sigma"], r, p["a"])

    def triple(p: Lookup, ij: Edge, ik: Edge, cos: jax.Array, Z: jax.Array) -> jax.Array:
        Q = p["Q0"] * jnp.exp(-p["mu"] * Z)
        tau = p["u1"] + p["u2"] * (p["u3"] * jnp.exp(-p["u4"] * Z) - jnp.exp(-2.0 * p["u4"] * Z))
        x = Q * (cos + tau) ** 2
        return p["lambda"] * (1.0 - jnp.exp(-x) + p["eta"] * x) * leg(ij) * leg(ik)

    def leg(edge: Edge) -> jax.Array:
        return safe_exp_to_cutoff(edge.p["gamma"], edge.r, edge.p["a"])

    return angular_potential(
        cutoff, elements, bond=bond, triple=triple, coordination=coordination, name=name, prepare=prepare
    )
