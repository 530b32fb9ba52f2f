"""The potential of Wang, Ramírez-Hinestrosa, Dobnikar and Frenkel."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters, within_cutoff
from jaxpot.numerics.switching import Range, largest_cutoff
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["wang_frenkel"]


@potential_kind
def wang_frenkel(
    cutoff: Range,
    elements: Sequence[str] | None = None,
    mu: float | None = 1,
    nu: float | None = 1,
) -> Potential:
    """The Wang-Frenkel potential, "Lennard-Jones for when one wants a true finite range".

    phi(r) = epsilon alpha [(sigma/r)^(2 mu) - 1] [(rc/r)^(2 mu) - 1]^(2 nu) for r < rc, else 0, with

    alpha = 2 nu (rc/sigma)^(2 mu) {(1 + 2 nu) / (2 nu [(rc/sigma)^(2 mu) - 1])}^(2 nu + 1).

    The depth of the well is epsilon, phi(sigma) = 0, and phi goes to zero at rc with its first 2 nu - 1 derivatives: no
    shift and no switching function are needed.

    The params are ``{"epsilon": eV, "sigma": Å}``, each one number or a symmetric table [species, species], and
    optionally ``"rc"``, Å, likewise, where the range is to be fitted, between sigma and ``cutoff``.

    Args:
        cutoff: rc in Å, one number or a symmetric table [species, species]; where the params hold ``"rc"``, only the
            largest range to ask neighbours for.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        mu: exponent, a positive number; whole numbers are fastest. None: params hold ``"mu"``, a number or a table.
        nu: likewise.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff is not a positive length or not a fitting table; mu or nu is not positive; at evaluation,
            params that are not named as above, or an rc beyond the cutoff (under jit, where values are not known: a NaN
            energy; likewise where rc does not exceed sigma).

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.wang_frenkel(cutoff=6.8)
        >>> minimum = 6.8 * (3 / (1 + 2 * (6.8 / 3.4) ** 2)) ** 0.5  # the paper's r_min for mu = nu = 1
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, minimum]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f'{jaxpot.energy(potential)({"epsilon": 0.0104, "sigma": 3.4}, system, neighbors):.4f}'
        '-0.0104'

    Reference: X. Wang, S. Ramírez-Hinestrosa, J. Dobnikar and D. Frenkel, Phys. Chem. Chem. Phys. 22, 10624 (2020),
    doi:10.1039/C9CP05445F; LAMMPS's ``wf/cut``.
    """
    name = "wang_frenkel"
    largest = largest_cutoff(name, cutoff, elements)
    for symbol, value in (("mu", mu), ("nu", nu)):
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{name}: {symbol} must be a positive number, or None to take it from params; got {value}")
    exponents = tuple(symbol for symbol, value in (("mu", mu), ("nu", nu)) if value is None)

    def contributions(params: Params, r: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        p = named_parameters(name, params, r.dtype, ("epsilon", "sigma", *exponents), ("rc",))
        if "rc" in p:
            rc = within_cutoff(name, "rc", p["rc"], params["rc"], largest)
        else:
            rc = jnp.asarray(cutoff, r.dtype)
        # symmetric before the prefactor is formed, so that it belongs to the values that each pair sees
        tables = {n: t if t.ndim == 0 else 0.5 * (t + t.T) for n, t in {**p, "rc": rc}.items()}
        two_mu = _double(tables["mu"] if mu is None else mu)
        two_nu = _double(tables["nu"] if nu is None else nu)
        # a pair that is switched off by rc = 0 still needs a finite prefactor
        reach = (jnp.where(tables["rc"] == 0, largest, tables["rc"]) / tables["sigma"]) ** two_mu
        gap = jnp.where(reach > 1, reach - 1, jnp.nan)
        alpha = two_nu * reach * ((1 + two_nu) / (two_nu * gap)) ** (two_nu + 1)
        depth = species.pair(tables["epsilon"] * alpha)

        well = (species.pair(tables["sigma"]) / r) ** _of_pairs(two_mu, species) - 1
        tail = (species.pair(tables["rc"]) / r) ** _of_pairs(two_mu, species) - 1
        inside = tail > 0
        # a real power of 0 has no finite derivative with respect to its exponent
        tail = jnp.where(inside, tail, 1.0) ** _of_pairs(two_nu, species)
        return (0.5 * jnp.where(inside, depth * well * tail, 0.0 * depth),)  # 0, but NaN where rc is no answer

    return radial_potential(contributions, None, largest, None if elements is None else tuple(elements), name)


def _double(exponent: jax.Array | float) -> jax.Array | float:
    """Twice the exponent; an int where that is whole, for then powers are products."""
    if isinstance(exponent, jax.Array):
        return 2 * exponent
    return int(2 * exponent) if float(2 * exponent).is_integer() else 2 * exponent


def _of_pairs(exponent: jax.Array | float, species: PairSpecies) -> jax.Array | float:
    return species.pair(exponent) if isinstance(exponent, jax.Array) else exponent
