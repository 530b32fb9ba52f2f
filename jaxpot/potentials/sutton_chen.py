"""The Sutton-Chen potential and its rules for alloys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters
from jaxpot.numerics.safe import safe_sqrt
from jaxpot.numerics.switching import CutPair, Range, cut_off, largest_cutoff
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["sutton_chen", "sutton_chen_mixing"]


@potential_kind
def sutton_chen(
    cutoff: Range,
    elements: Sequence[str] | None = None,
    n: float | None = None,
    m: float | None = None,
    mode: str = "truncated",
    switch_from: Range | None = None,
) -> Potential:
    """The Sutton-Chen potential for fcc metals, a Finnis-Sinclair form with power laws of long range.

    E_i = sum_j 1/2 epsilon (a/r_ij)^n - epsilon c rho_i^(1/2), rho_i = sum_j (a/r_ij)^m.

    The params are ``{"epsilon": eV, "a": Å, "c": 1}``, and n and m where the factory does not fix them. epsilon, a, n
    and m are each one number or, for alloys, a symmetric table [species, species] whose diagonal belongs to the pure
    metals; c is one number or [species]. :func:`jaxpot.sutton_chen_mixing` makes the tables.

    The paper sums to infinity, and its parameters belong to these sums. Cut off at 2.5 a and switched off from 0.9 of
    that on, the ten metals keep their lattice constants to 8e-4 Å and their cohesive energies to 0.8 %; merely
    truncated there, to 0.004 Å (see ``tests/potentials/test_sutton_chen.py``).

    Args:
        cutoff: Å, one number or a symmetric table [species, species].
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        n: exponent of the repulsion; whole numbers are fastest. None: params hold ``"n"``, a number or a table.
        m: exponent of the density, likewise.
        mode: how (a/r)^n and (a/r)^m end at the cutoff: ``"truncated"``, ``"shifted"``, ``"force_shifted"`` or
            ``"switched"``, as in :func:`jaxpot.lennard_jones`. Shifts change rho so much that published parameters no
            longer hold.
        switch_from: Å, one number or a table; with ``mode="switched"`` only.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length or not a fitting table; an exponent is not positive; an unknown
            mode; ``switch_from`` is missing, superfluous or beyond the cutoff; at evaluation, params that are not named
            as above.

    Example:
        >>> import jaxpot, jax.numpy as jnp
        >>> potential = jaxpot.sutton_chen(cutoff=9.0, elements=["Cu"], n=9, m=6)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=3.61 / 2 * (1.0 - jnp.eye(3)))
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> copper = {"epsilon": 1.2382e-2, "a": 3.61, "c": 39.432}
        >>> f"{jaxpot.energy(potential)(copper, system, neighbors):.2f}"  # -3.50 with the infinite sums
        '-3.47'

    Reference: A. P. Sutton and J. Chen, Phil. Mag. Lett. 61, 139 (1990); alloys: H. Rafii-Tabar and A. P. Sutton, Phil.
    Mag. Lett. 63, 217 (1991).
    """
    name = "sutton_chen"
    largest = largest_cutoff(name, cutoff, elements)
    count = 1 if elements is None else len(elements)
    for symbol, value in (("n", n), ("m", m)):
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{name}: {symbol} must be a positive number, or None to take it from params; got {value}")
    free = tuple(symbol for symbol, value in (("n", n), ("m", m)) if value is None)

    def power_law(exponent: float | None) -> CutPair:
        fixed = int(exponent) if exponent is not None and float(exponent).is_integer() else exponent

        def phi(p: dict[str, jax.Array], r: jax.Array) -> jax.Array:
            return p["height"] * (p["a"] / r) ** (p["exponent"] if fixed is None else fixed)

        return cut_off(name, phi, cutoff, mode, switch_from)

    repulsion, density = power_law(n), power_law(m)

    def contributions(params: Params, r: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        p = named_parameters(name, params, r.dtype, ("epsilon", "a", "c", *free))
        one = jnp.ones((), r.dtype)
        first = {"height": 0.5 * p["epsilon"], "a": p["a"], "exponent": p.get("n", one)}
        second = {"height": one, "a": p["a"], "exponent": p.get("m", one)}
        return repulsion(first, r, species.pair), density(second, r, species.pair)

    def atom_energy(params: Params, sums: tuple[jax.Array, ...], species: jax.Array) -> jax.Array:
        pair, rho = sums
        epsilon, c = jnp.asarray(params["epsilon"], rho.dtype), jnp.asarray(params["c"], rho.dtype)
        if c.shape not in ((), (count,)):
            raise ValueError(f"{name}: c must be one number or one a species, [{count}]; got {list(c.shape)}")
        strength = c * (epsilon if epsilon.ndim == 0 else jnp.diagonal(epsilon))
        return pair - (strength[species] if strength.ndim else strength) * safe_sqrt(rho)

    return radial_potential(contributions, atom_energy, largest, None if elements is None else tuple(elements), name)


def sutton_chen_mixing(epsilon: Any, a: Any, c: Any, n: Any, m: Any) -> dict[str, jax.Array]:
    """Sutton-Chen params of an alloy from those of its metals, by the rules of Rafii-Tabar and Sutton.

    epsilon_ij = (epsilon_i epsilon_j)^(1/2), a_ij = (a_i a_j)^(1/2), n_ij = (n_i + n_j)/2, m_ij = (m_i + m_j)/2, c_i.

    Args:
        epsilon: [species] eV.
        a: [species] Å.
        c: [species].
        n: [species] exponents of the repulsion.
        m: [species] exponents of the density.

    Returns:
        Params for :func:`jaxpot.sutton_chen` with n and m left to them: tables [species, species], c as given.

    Raises:
        ValueError: the five are not all of the same shape [species].

    Example:
        >>> import jaxpot
        >>> params = jaxpot.sutton_chen_mixing([1.2382e-2, 1.2793e-2], [3.61, 4.08], [39.432, 34.408], [9, 10], [6, 8])
        >>> float(params["n"][0, 1]), round(float(params["a"][0, 1]), 4)
        (9.5, 3.8378)

    Reference: H. Rafii-Tabar and A. P. Sutton, Phil. Mag. Lett. 63, 217 (1991).
    """
    dtype = jnp.result_type(float, *(jnp.asarray(v).dtype for v in (epsilon, a, c)))
    values = [jnp.asarray(v, dtype) for v in (epsilon, a, c, n, m)]
    if values[0].ndim != 1 or len({v.shape for v in values}) > 1:
        raise ValueError(
            "mixing takes one epsilon, a, c, n and m a species, all of shape [species]; "
            f"got shapes {', '.join(str(list(v.shape)) for v in values)}"
        )
    depths, lengths, strengths, repulsive, attractive = values
    geometric = [jnp.sqrt(v[:, None] * v[None, :]) for v in (depths, lengths)]
    arithmetic = [0.5 * (v[:, None] + v[None, :]) for v in (repulsive, attractive)]
    return {
        "epsilon": geometric[0],
        "a": geometric[1],
        "c": strengths,
        "n": arithmetic[0],
        "m": arithmetic[1],
    }
