"""The universal screened nuclear repulsion of Ziegler, Biersack and Littmark."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind
from jaxpot.units import COULOMB_LAMMPS_METAL

__all__ = ["zbl"]

SCREENING_LENGTH = 0.46850  # Å; LAMMPS's value of 0.8854 Bohr
SCREENING_POWER = 0.23
WEIGHTS = (0.02817, 0.28022, 0.50986, 0.18175)  # LAMMPS's; the book gives 0.1818 for the last
RATES = (0.20162, 0.40290, 0.94229, 3.19980)


@potential_kind
def zbl(inner: float, outer: float, elements: Sequence[str]) -> Potential:
    """The Ziegler-Biersack-Littmark repulsion of atoms at short distance, switched off as LAMMPS does it.

    phi(r) = E(r) + S(r) for r < outer, with E(r) = e^2 Z_i Z_j / r sum_k w_k exp(-d_k r / a),
    a = 0.4685 Å / (Z_i^0.23 + Z_j^0.23), and the switch S(r) = C for r < inner, beyond C + A/3 (r - inner)^3 +
    B/4 (r - inner)^4. A, B and C make phi, its slope and its curvature vanish at ``outer``. They follow from E, E' and
    E'' there and from t = outer - inner: A = (-3 E' + t E'') / t^2, B = (2 E' - t E'') / t^3,
    C = -E + t E'/2 - t^2 E''/12.

    The params are ``{"Z": [species]}``, the nuclear charges in e, or one number for all; ``potential.init()`` gives
    those of the elements. As an overlay: ``jaxpot.zbl(...) + other`` with params ``(zbl.init(), other_params)``.

    Args:
        inner: Å, where switching starts.
        outer: Å, the cutoff.
        elements: chemical symbols whose order gives the species.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: not 0 <= inner < outer, or an element without atomic number; at evaluation, params that are not as
            above.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.zbl(inner=4.0, outer=4.8, elements=["Si"])
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(potential.init(), system, neighbors):.1f}"
        '51.0'

    Reference: J. F. Ziegler, J. P. Biersack and U. Littmark, The Stopping and Range of Ions in Matter, vol. 1, Pergamon
    (1985). Constants, e^2 = 14.399645 eV Å and S are those of LAMMPS's ``pair_style zbl``, which differ from the book's
    in the last digit; S also shifts the energy inside of ``inner``.
    """
    name = "zbl"
    inner, outer = float(inner), float(outer)
    if not 0 <= inner < outer < float("inf"):
        raise ValueError(f"{name}: 0 <= inner < outer is needed, in Å; got inner {inner} and outer {outer}")
    elements = tuple(elements)
    width = outer - inner

    def init() -> Params:
        return {"Z": jnp.asarray([float(_atomic_number(symbol)) for symbol in elements])}

    for symbol in elements:
        _atomic_number(symbol)

    def contributions(params: Params, r: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        charges = named_parameters(name, params, r.dtype, ("Z",))["Z"]
        if charges.shape not in ((), (len(elements),)):
            raise ValueError(f"{name}: Z must be one number or one a species, [{len(elements)}]; got {charges.shape}")
        charges = jnp.broadcast_to(charges, (len(elements),))
        powers = charges**SCREENING_POWER
        strength = COULOMB_LAMMPS_METAL * charges[:, None] * charges[None, :]
        rate = (powers[:, None] + powers[None, :]) / SCREENING_LENGTH

        energy, slope, curvature = _at(strength, rate, outer)
        cubic = (-3.0 * slope + width * curvature) / (3.0 * width**2)
        quartic = (2.0 * slope - width * curvature) / (4.0 * width**3)
        shift = -energy + 0.5 * width * slope - width**2 / 12.0 * curvature

        scaled = species.pair(rate) * r
        if scaled.ndim:
            screened = _screening(scaled)[0].sum(axis=0)
        else:  # one pair: the engine compiles such formulas into loops that know numbers only
            screened = jnp.zeros_like(scaled)
            for weight, d in zip(WEIGHTS, RATES, strict=True):
                screened += weight * jnp.exp(-d * scaled)
        t = jnp.maximum(r - inner, 0.0)
        switch = species.pair(shift) + t * t * t * (species.pair(cubic) + species.pair(quartic) * t)
        return (0.5 * (species.pair(strength) / r * screened + switch),)

    return radial_potential(contributions, None, outer, elements, name, init)


def _screening(scaled: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The four terms of the screening function at r/a, and their rates, along a new first axis.

    One array of exponentials instead of four: most of the compile time of this potential is code for exponentials.
    """
    column = (4,) + (1,) * scaled.ndim
    rates = jnp.asarray(RATES, scaled.dtype).reshape(column)
    return jnp.asarray(WEIGHTS, scaled.dtype).reshape(column) * jnp.exp(-rates * scaled[None]), rates


def _at(strength: jax.Array, rate: jax.Array, r: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """E(r), E'(r) and E''(r) of every pair of species."""
    terms, rates = _screening(rate * r)
    terms, k = terms * (strength / r)[None], rates * rate[None]
    slopes = -terms * (k + 1.0 / r)
    curvatures = terms * (k * k + 2.0 * k / r + 2.0 / r**2)
    return terms.sum(axis=0), slopes.sum(axis=0), curvatures.sum(axis=0)


def _atomic_number(symbol: str) -> int:
    from ase.data import atomic_numbers

    if atomic_numbers.get(symbol, 0) == 0:
        raise ValueError(f"zbl needs the nuclear charge of every element, and {symbol!r} is none; name real elements")
    return atomic_numbers[symbol]
