"""The Finnis-Sinclair potential in its analytic form."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters, within_cutoff
from jaxpot.numerics.safe import safe_sqrt
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["finnis_sinclair"]

NAMES = ("A", "d", "beta", "c", "c0", "c1", "c2")
CORE = ("B", "alpha", "b0")


@potential_kind
def finnis_sinclair(cutoff: float, elements: Sequence[str] | None = None) -> Potential:
    """The Finnis-Sinclair N-body potential for bcc transition metals.

    E_i = 1/2 sum_j V(r_ij) - A rho_i^(1/2), rho_i = sum_j phi(r_ij), with

    - V(r) = (r - c)^2 (c0 + c1 r + c2 r^2) for r < c, else 0,
    - phi(r) = (r - d)^2 + beta (r - d)^3 / d for r < d, else 0,
    - and, where the params hold B, alpha and b0, Ackland and Thetford's stiffer core:
      V(r) + B (b0 - r)^3 exp(-alpha r) for r < b0.

    The params are ``{"A": eV/Å, "d": Å, "beta": 1, "c": Å, "c0": eV/Å^2, "c1": eV/Å^3, "c2": eV/Å^4}``, optionally with
    ``{"B": eV/Å^3, "alpha": 1/Å, "b0": Å}``. Each is one number or, for alloys, a symmetric table [species, species]
    (pair functions of unlike atoms); A is one number or [species]. :func:`jaxpot.load` gives published sets.

    With beta > 1, phi is negative at distances below d (1 - 1/beta), 1.6 Å for iron; where that makes rho negative the
    model has no energy, and the result is NaN.

    Args:
        cutoff: Å, at least the largest of c, d and b0, which define the true ranges.
        elements: chemical symbols whose order gives the species; None for one kind of atom.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length; at evaluation, params that are not named as above, or a range
            c, d or b0 beyond the cutoff (under jit, where values are not known: a NaN energy).

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> iron = {"A": 1.828905, "d": 3.569745, "beta": 1.8, "c": 3.4}
        >>> iron |= {"c0": 1.2371147, "c1": -0.3592185, "c2": -0.0385607}
        >>> potential = jaxpot.finnis_sinclair(cutoff=3.569745, elements=["Fe"])
        >>> cell = 0.5 * 2.8665 * (1.0 - 2.0 * jnp.eye(3))  # the primitive cell of a bcc crystal
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=cell)
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(iron, system, neighbors):.2f}"  # minus the cohesive energy
        '-4.28'

    Reference: M. W. Finnis and J. E. Sinclair, Phil. Mag. A 50, 45 (1984), with the erratum in 53, 161 (1986); core:
    G. J. Ackland and R. Thetford, Phil. Mag. A 56, 15 (1987).
    """
    name = "finnis_sinclair"
    cutoff = float(cutoff)

    def checked(params: Params, dtype: jnp.dtype) -> dict[str, jax.Array]:
        core = CORE if any(n in params for n in CORE) else ()
        p = named_parameters(name, params, dtype, (*NAMES, *core))
        for n in ("c", "d", *core[2:]):
            p[n] = within_cutoff(name, n, p[n], params[n], cutoff)
        return p

    def contributions(params: Params, r: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        tables = checked(params, r.dtype)
        p = {n: species.pair(t) for n, t in tables.items() if n != "A"}
        x = jnp.minimum(r - p["d"], 0.0)
        density = x * x * (1.0 + p["beta"] / p["d"] * x)
        y = jnp.minimum(r - p["c"], 0.0)
        repulsion = y * y * (p["c0"] + r * (p["c1"] + r * p["c2"]))
        if "B" in p:
            z = jnp.maximum(p["b0"] - r, 0.0)
            repulsion = repulsion + p["B"] * (z * z * z) * jnp.exp(-p["alpha"] * r)
        return 0.5 * repulsion, density

    def atom_energy(params: Params, sums: tuple[jax.Array, ...], species: jax.Array) -> jax.Array:
        repulsion, density = sums
        strength = jnp.asarray(params["A"], density.dtype)
        if strength.ndim:
            count = 1 if elements is None else len(elements)
            if strength.shape != (count,):
                raise ValueError(
                    f"{name}: A must be one number or one a species, [{count}]; got {list(strength.shape)}"
                )
            strength = strength[species]
        return repulsion - strength * safe_sqrt(density)

    return radial_potential(contributions, atom_energy, cutoff, None if elements is None else tuple(elements), name)
