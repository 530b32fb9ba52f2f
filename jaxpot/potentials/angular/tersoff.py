"""Tersoff's bond-order potential, also with a screened nuclear repulsion at short distance."""

from __future__ import annotations

import math
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

__all__ = ["tersoff"]

NAMES = ("gamma", "lambda3", "c", "d", "cos0", "n", "beta", "lambda2", "B", "R", "D", "lambda1", "A")
CORE = ("Z_i", "Z_j", "zbl_cut", "zbl_slope")
# of the nuclear repulsion, those of LAMMPS's tersoff/zbl
COULOMB = 1.0 / (4.0 * math.pi * 0.00552635)  # eV Å
BOHR = 0.529  # Å
WEIGHTS = (0.1818, 0.5099, 0.2802, 0.02817)
RATES = (3.2, 0.9423, 0.4029, 0.2016)


@potential_kind
def tersoff(cutoff: float, elements: Sequence[str] | None = None, power: Powers = 3, shift: float = 0.0) -> Potential:
    """Tersoff's potential: bonds that are the weaker, the more neighbours compete with them.

    E = 1/2 sum_i sum_j f(r_ij) [A exp(-lambda1 r_ij) - b_ij B exp(-lambda2 r_ij)] with the bond order
    b_ij = [1 + (beta zeta_ij)^n]^(-1/2n), zeta_ij = sum_{k not j} f(r_ik) g(theta_jik) exp{[lambda3 (r_ij - r_ik)]^m},
    g = gamma [1 + c^2/d^2 - c^2 / (d^2 + (cos theta - cos0)^2)], and f, which goes from 1 at R - D to 0 at R + D as
    1/2 - 1/2 sin[pi/2 (r - R)/D], or at once for D = 0.

    The params are ``{"gamma": 1, "lambda3": 1/Å, "c": 1, "d": 1, "cos0": 1, "n": 1, "beta": 1, "lambda2": 1/Å, "B": eV,
    "R": Å, "D": Å, "lambda1": 1/Å, "A": eV}``, each one number or a table over species. For pairs (n, beta, lambda2, B,
    lambda1, A) it is [i, j]; where the two ends of a pair differ in A and lambda1, its repulsion is the mean. For
    angles (gamma, lambda3, c, d, cos0) it is [i, j, k], where i is the center and k competes with j; so are R and D, of
    which a pair takes [i, j, j]. With ``{"Z_i": e, "Z_j": e, "zbl_cut": Å, "zbl_slope": 1/Å}`` too, [i, j], the energy
    V of a bond becomes (1 - F) V_ZBL + F V with F = 1 / {1 + exp[-zbl_slope (r - zbl_cut)]} and the universal repulsion
    V_ZBL, which ends at R + D, where it is of the order of 1e-7 eV.

    Args:
        cutoff: Å, at least the largest R + D - shift, which is the true range.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        power: m, 1 or 3, or a table [i, j, k] of these.
        shift: Å, added to all distances before they enter the formula; a parameter of fits to thermal expansion.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length, or a power is neither 1 nor 3; at evaluation, params that are
            not named as above, tables of another shape, or a range beyond the cutoff (under jit, where values are not
            known: a NaN energy).

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> potential, params = jaxpot.load("tersoff_1989:Si")
        >>> cell = 0.5 * 5.432 * (1.0 - jnp.eye(3))  # the primitive cell of silicon
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [1.358, 1.358, 1.358]], cell=cell)
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(params, system, neighbors) / 2:.2f}"
        '-4.63'

    Reference: J. Tersoff, Phys. Rev. B 37, 6991 (1988), and for several elements 39, 5566 (1989), with the erratum in
    41, 3248 (1990); repulsion: R. Devanathan, T. Diaz de la Rubia and W. J. Weber, J. Nucl. Mater. 253, 47 (1998), with
    LAMMPS's constants (e^2 = 14.399644 eV Å, a Bohr of 0.529 Å). As in LAMMPS, exponents of zeta's terms are bounded by
    +-69.0776; LAMMPS takes the repulsion of a pair from one end alone.
    """
    name = "tersoff"
    cutoff, shift = float(cutoff), float(shift)
    power = checked_powers(name, power)

    def prepare(params: Params, dtype: Any) -> dict[str, Any]:
        p: dict[str, Any] = named_parameters(name, params, dtype, NAMES, CORE)
        missing = [n for n in CORE if n not in p]
        if 0 < len(missing) < len(CORE):
            raise ValueError(f"{name} takes all of {', '.join(CORE)} or none; there is no {missing[0]}")
        return with_range(name, p, params, "R + D - shift", cutoff, power, shift)

    def smooth(r: jax.Array, R: jax.Array, D: jax.Array) -> jax.Array:
        x, wide, step = in_step(r, R, D)
        return jnp.where(wide, 0.5 - 0.5 * jnp.sin(0.5 * jnp.pi * x), step)

    def around(p: Lookup, ij: Edge, ik: Edge, cos: jax.Array, S: Any) -> jax.Array:
        c, d, h = p["c"] ** 2, p["d"] ** 2, cos - p["cos0"]
        g = p["gamma"] * (1.0 + c / d - c / (d + h * h))
        return smooth(ik.r + shift, p["R"], p["D"]) * g * competition(p, p["lambda3"], ij, ik, power)

    def bond(p: Lookup, r: jax.Array, zeta: Any, S: Any) -> jax.Array:
        r = r + shift
        b = order(p["beta"] * zeta, p["n"], 0.5 / p["n"])
        V = smooth(r, p["R"], p["D"]) * (p["A"] * jnp.exp(-p["lambda1"] * r) - b * p["B"] * jnp.exp(-p["lambda2"] * r))
        return 0.5 * (V if "Z_i" not in p else with_core(p, r, V))

    def with_core(p: Lookup, r: jax.Array, V: jax.Array) -> jax.Array:
        x = r * (p["Z_i"] ** 0.23 + p["Z_j"] ** 0.23) / (0.8854 * BOHR)
        screening = sum((w * jnp.exp(-d * x) for w, d in zip(WEIGHTS, RATES, strict=True)), jnp.zeros_like(x))
        F = jax.nn.sigmoid(p["zbl_slope"] * (r - p["zbl_cut"]))
        core = jnp.where(r < p["R"] + p["D"], COULOMB * p["Z_i"] * p["Z_j"] / r * screening, 0.0)
        return (1.0 - F) * core + F * V

    return angular_potential(cutoff, elements, bond=bond, around=around, name=name, prepare=prepare)
