"""Kumagai's modification of Tersoff's potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import Edge, Lookup, angular_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters
from jaxpot.potential import Potential
from jaxpot.potentials.angular.bond_order import Powers, checked_powers, competition, in_step, order, with_range
from jaxpot.spec import potential_kind

__all__ = ["tersoff_mod"]

NAMES = (
    *("alpha", "cos0", "eta", "lambda2", "B", "R", "D", "lambda1", "A", "n"),
    *("c1", "c2", "c3", "c4", "c5"),
)


@potential_kind
def tersoff_mod(cutoff: float, elements: Sequence[str] | None = None, power: Powers = 1) -> Potential:
    """The modified Tersoff potential, with another function of the angle and a smoother cutoff.

    E = 1/2 sum_i sum_j f(r_ij) [A exp(-lambda1 r_ij) - b_ij B exp(-lambda2 r_ij) + c0] with the bond order
    b_ij = (1 + zeta_ij^eta)^(-1/2n), zeta_ij = sum_{k not j} f(r_ik) g(theta_jik) exp{[alpha (r_ij - r_ik)]^m},
    g = c1 + c2 h / (c3 + h) [1 + c4 exp(-c5 h)], h = (cos0 - cos theta)^2, and f, which goes from 1 at R - D to 0 at
    R + D as 1/2 - 9/16 sin(pi x/2) - 1/16 sin(3 pi x/2), x = (r - R)/D.

    The params are ``{"alpha": 1/Å, "cos0": 1, "eta": 1, "lambda2": 1/Å, "B": eV, "R": Å, "D": Å, "lambda1": 1/Å, "A":
    eV, "n": 1, "c1": 1, "c2": 1, "c3": 1, "c4": 1, "c5": 1}``, and ``"c0": eV`` or not, each one number or a table over
    species. For pairs (eta, n, lambda2, B, lambda1, A, c0) it is [i, j], for angles (the others) [i, j, k], where i is
    the center and k competes with j; of R and D, a pair takes [i, j, j].

    Args:
        cutoff: Å, at least the largest R + D, which is the true range.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        power: m, 1 or 3, or a table [i, j, k] of these.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length, or a power is neither 1 nor 3; at evaluation, params that are
            not named as above, tables of another shape, or a range beyond the cutoff (under jit, where values are not
            known: a NaN energy).

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> potential, params = jaxpot.load("kumagai_2007:Si")
        >>> cell = 0.5 * 5.429 * (1.0 - jnp.eye(3))  # the primitive cell of silicon
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [1.35725, 1.35725, 1.35725]], cell=cell)
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(params, system, neighbors) / 2:.2f}"
        '-4.63'

    Reference: T. Kumagai, S. Izumi, S. Hara and S. Sakai, Comput. Mater. Sci. 39, 457 (2007), with delta = 1/2n; c0:
    G. P. Purja Pun and Y. Mishin, Phys. Rev. B 95, 224103 (2017). The exponent is [alpha (r_ij - r_ik)]^m as LAMMPS
    computes it, where the paper and LAMMPS's manual print alpha (r_ij - r_ik)^m.
    """
    name = "tersoff_mod"
    cutoff = float(cutoff)
    power = checked_powers(name, power)

    def prepare(params: Params, dtype: Any) -> dict[str, Any]:
        p: dict[str, Any] = named_parameters(name, params, dtype, NAMES, ("c0",))
        return with_range(name, p, params, "R + D", cutoff, power)

    def smooth(r: jax.Array, R: jax.Array, D: jax.Array) -> jax.Array:
        x, wide, step = in_step(r, R, D)
        y = 0.5 * jnp.pi * x
        return jnp.where(wide, 0.5 - 0.5625 * jnp.sin(y) - 0.0625 * jnp.sin(3.0 * y), step)

    def around(p: Lookup, ij: Edge, ik: Edge, cos: jax.Array, S: Any) -> jax.Array:
        h = (p["cos0"] - cos) ** 2
        g = p["c1"] + p["c2"] * h / (p["c3"] + h) * (1.0 + p["c4"] * jnp.exp(-p["c5"] * h))
        return smooth(ik.r, p["R"], p["D"]) * g * competition(p, p["alpha"], ij, ik, power)

    def bond(p: Lookup, r: jax.Array, zeta: Any, S: Any) -> jax.Array:
        b = order(zeta, p["eta"], 0.5 / p["n"])
        V = p["A"] * jnp.exp(-p["lambda1"] * r) - b * p["B"] * jnp.exp(-p["lambda2"] * r)
        return 0.5 * smooth(r, p["R"], p["D"]) * (V + p["c0"] if "c0" in p else V)

    return angular_potential(cutoff, elements, bond=bond, around=around, name=name, prepare=prepare)
