"""The Stillinger-Weber potential, for any number of elements."""

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

__all__ = ["stillinger_weber"]

NAMES = ("epsilon", "sigma", "a", "lambda", "gamma", "cos0", "A", "B", "p", "q")


@potential_kind
def stillinger_weber(
    cutoff: float, elements: Sequence[str] | None = None, angle_switch: tuple[float, float] | None = None
) -> Potential:
    """The Stillinger-Weber potential: pairs, and angles that cost energy where they are not tetrahedral.

    E = sum_{pairs} A epsilon [B (sigma/r)^p - (sigma/r)^q] exp[sigma / (r - a sigma)]
    + sum_i sum_{j<k} lambda epsilon (cos theta_jik - cos0)^2 exp[gamma sigma_ij / (r_ij - a_ij sigma_ij)]
    exp[gamma sigma_ik / (r_ik - a_ik sigma_ik)], where every exponential is 0 from r = a sigma on.

    The params are ``{"epsilon": eV, "sigma": Å, "a": 1, "lambda": 1, "gamma": 1, "cos0": 1, "A": 1, "B": 1, "p": 1,
    "q": 1}``, each one number or a table over species. For pairs (sigma, a, gamma, A, B, p, q) it is [i, j], where i is
    the center of an angle; where the two ends of a pair differ, its energy is the mean. For angles (epsilon, lambda,
    cos0) it is [i, j, k], where i is the center; pairs take epsilon[i, j, j], and [i, j, k] and [i, k, j] have their
    mean.

    Args:
        cutoff: Å, at least the largest a sigma, which is the true range.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        angle_switch: None, or two bounds of |cos theta - cos0| between which this deviation is multiplied by half a
            cosine that falls from 1 to 0: (0.25, 0.35) is LAMMPS's ``sw/mod``, for layered crystals, which have angles
            of other kinds too.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length, or not 0 <= lower < upper in ``angle_switch``; at evaluation,
            params that are not named as above, tables of another shape, or a range a sigma beyond the cutoff (under
            jit, where values are not known: a NaN energy).

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> potential, params = jaxpot.load("stillinger_weber_1985:Si")
        >>> cell = 0.5 * 5.431 * (1.0 - jnp.eye(3))  # the primitive cell of silicon
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [1.35775, 1.35775, 1.35775]], cell=cell)
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(params, system, neighbors) / 2:.3f}"
        '-4.337'

    Reference: F. H. Stillinger and T. A. Weber, Phys. Rev. B 31, 5262 (1985), eqs. 2.3 to 2.6; with ``angle_switch``:
    J.-W. Jiang, Acta Mech. Solida Sin. 32, 17 (2019). LAMMPS takes one end's numbers for a pair and one order's for an
    angle, which ones depends on the order of the atoms. Between the bounds of ``angle_switch``, the forces of LAMMPS's
    ``sw/mod`` leave out the slope of the switch and are not those of its energy, with which this energy agrees.
    """
    name = "stillinger_weber"
    cutoff = float(cutoff)
    if angle_switch is not None and not 0 <= angle_switch[0] < angle_switch[1]:
        raise ValueError(f"{name}: angle_switch must be two bounds 0 <= lower < upper, got {angle_switch}")

    def prepare(params: Params, dtype: Any) -> dict[str, jax.Array]:
        p = named_parameters(name, params, dtype, NAMES)
        given = jnp.asarray(params["a"]) * jnp.asarray(params["sigma"])
        return p | {"end": within_cutoff(name, "a sigma", p["a"] * p["sigma"], given, cutoff)}

    def bond(p: Lookup, r: jax.Array, z: Any, S: Any) -> jax.Array:
        # of a pair without reach, whose sigma is 0, s^q has no slope
        log_s = jnp.log(jnp.where(p["end"] > 0, p["sigma"], 1.0) / r)
        core = p["B"] * jnp.exp(p["p"] * log_s) - jnp.exp(p["q"] * log_s)
        return 0.5 * p["A"] * p["epsilon"] * core * safe_exp_to_cutoff(p["sigma"], r, p["end"])

    def triple(p: Lookup, ij: Edge, ik: Edge, cos: jax.Array, S: Any) -> jax.Array:
        d = switched(cos - p["cos0"])
        return p["lambda"] * p["epsilon"] * d * d * leg(ij) * leg(ik)

    def leg(edge: Edge) -> jax.Array:
        return safe_exp_to_cutoff(edge.p["gamma"] * edge.p["sigma"], edge.r, edge.p["end"])

    def switched(d: jax.Array) -> jax.Array:
        if angle_switch is None:
            return d
        lower, upper = angle_switch
        return d * (0.5 + 0.5 * jnp.cos(jnp.pi * jnp.clip((jnp.abs(d) - lower) / (upper - lower), 0.0, 1.0)))

    return angular_potential(cutoff, elements, bond=bond, triple=triple, name=name, prepare=prepare)
