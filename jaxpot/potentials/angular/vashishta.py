"""Vashishta's potential of ceramics, for any number of elements."""

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
from jaxpot.units import COULOMB_LAMMPS_METAL

__all__ = ["vashishta"]

NAMES = ("H", "eta", "Z_i", "Z_j", "lambda1", "D", "lambda4", "W", "rc", "B", "gamma", "r0", "C", "cos0")


@potential_kind
def vashishta(cutoff: float, elements: Sequence[str] | None = None, triple_cutoff: float | None = None) -> Potential:
    """Vashishta's potential: screened charges, dipoles and repulsion in pairs, and angles of near neighbours.

    E = sum_{pairs} [V(r) - V(rc) - (r - rc) V'(rc)] + sum_i sum_{j<k} B d^2 / (1 + C d^2) exp[gamma / (r_ij - r0_ij)]
    exp[gamma / (r_ik - r0_ik)] with V = H/r^eta + e^2 Z_i Z_j/r exp(-r/lambda1) - D/r^4 exp(-r/lambda4) - W/r^6 and
    d = cos theta_jik - cos0. Pairs end at rc, and exponentials at r0.

    The params are ``{"H": eV Å^eta, "eta": 1, "Z_i": e, "Z_j": e, "lambda1": Å, "D": eV Å^4, "lambda4": Å, "W": eV Å^6,
    "rc": Å, "B": eV, "gamma": Å, "r0": Å, "C": 1, "cos0": 1}``, each one number or a table over species. For pairs it
    is [i, j], of which the mean of both ends counts; gamma and r0 are those of the edge from the center i of an angle.
    For angles (B, C, cos0) it is [i, j, k], where i is the center; the mean of both orders counts. Pairs with rc = 0 do
    not act.

    Args:
        cutoff: Å, at least the largest rc, which is the true range of pairs.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        triple_cutoff: Å, at least the largest r0, which is the true range of angles; by default the cutoff.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: a cutoff is not a positive length, or ``triple_cutoff`` is beyond the cutoff; at evaluation, params
            that are not named as above, tables of another shape, or a range beyond its cutoff (under jit, where values
            are not known: a NaN energy).

    Example:
        >>> import jax.numpy as jnp, jaxpot, numpy as np
        >>> pairs = {"H": 447.09, "eta": 9.0, "Z_i": -1.201, "Z_j": 1.201, "lambda1": 5.0, "D": 7.7874, "lambda4": 3.0}
        >>> angles = {"B": 9.003, "gamma": 1.0, "r0": 2.9, "C": 5.0, "cos0": -1 / 3}
        >>> potential = jaxpot.vashishta(7.35, triple_cutoff=2.9)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.89]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> params = {**pairs, "W": 61.4694, "rc": 7.35, **angles}
        >>> f"{jaxpot.energy(potential)(params, system, neighbors):.1f}"
        '-5.9'

    Reference: P. Vashishta, R. K. Kalia, J. P. Rino and I. Ebbsjö, Phys. Rev. B 41, 12197 (1990); with C: P. Vashishta,
    R. K. Kalia, A. Nakano and J. P. Rino, J. Appl. Phys. 101, 103515 (2007). e^2 = 14.399645 eV Å, LAMMPS's value.
    """
    name = "vashishta"
    cutoff = float(cutoff)
    angles = cutoff if triple_cutoff is None else float(triple_cutoff)

    def prepare(params: Params, dtype: Any) -> dict[str, jax.Array]:
        p = named_parameters(name, params, dtype, NAMES)
        p["rc"] = within_cutoff(name, "rc", p["rc"], params["rc"], cutoff)
        p["r0"] = within_cutoff(name, "r0", p["r0"], params["r0"], angles)
        return p

    def bond(p: Lookup, r: jax.Array, z: Any, S: Any) -> jax.Array:
        rc = jnp.where(p["rc"] <= 0, cutoff, p["rc"])  # of a pair that does not act, V(0) would be infinite
        scale = [jnp.where(p[n] > 0, p[n], 1.0) for n in ("lambda1", "lambda4")]

        def V(x: jax.Array) -> jax.Array:
            charges = COULOMB_LAMMPS_METAL * p["Z_i"] * p["Z_j"] / x * jnp.exp(-x / scale[0])
            return p["H"] * x ** -p["eta"] + charges - p["D"] / x**4 * jnp.exp(-x / scale[1]) - p["W"] / x**6

        end, slope = jax.jvp(V, (rc,), (jnp.ones_like(rc),))
        return 0.5 * jnp.where(r >= p["rc"], 0.0, V(r) - end - (r - rc) * slope)

    def triple(p: Lookup, ij: Edge, ik: Edge, cos: jax.Array, S: Any) -> jax.Array:
        d2 = (cos - p["cos0"]) ** 2
        return p["B"] * d2 / (1.0 + p["C"] * d2) * leg(ij) * leg(ik)

    def leg(edge: Edge) -> jax.Array:
        return safe_exp_to_cutoff(edge.p["gamma"], edge.r, edge.p["r0"])

    return angular_potential(
        cutoff, elements, bond=bond, triple=triple, triple_cutoff=triple_cutoff, name=name, prepare=prepare
    )
