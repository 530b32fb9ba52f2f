"""The modified embedded atom method, for any number of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import Environment, environment_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.named import named_parameters, within_cutoff
from jaxpot.numerics.splines import cubics
from jaxpot.potential import Potential
from jaxpot.potentials.angular.meam.energy import KNOTS, energies
from jaxpot.potentials.angular.meam.reference import pair_energies, reference_densities
from jaxpot.potentials.angular.meam.settings import MeamSettings, checked_settings
from jaxpot.spec import potential_kind

__all__ = ["meam"]

OF_PAIRS = ("Ec", "re", "alpha", "attrac", "repuls")
OF_ATOMS = ("Z", "asub", "rho0", "b0", "b1", "b2", "b3", "t1", "t2", "t3")
OF_TRIPLES = ("Cmin", "Cmax")
NUMBERS = ("rc", "delr", "gsmooth_factor")
BLOCK = 32  # atoms at once, whose pairs of neighbours stay in cache

Several = Sequence[Any]


@potential_kind
def meam(
    cutoff: float,
    elements: Sequence[str] | None = None,
    lattices: str | Several = "fcc",
    second_neighbors: bool | Several = False,
    cores: bool | Several = True,
    gamma_form: int | Several = 0,
    rose_form: int = 0,
    augmented_t1: bool = True,
    mixing: int = 0,
    mixed_reference: bool = False,
    plain_background: bool = False,
    linear_below_zero: bool = False,
) -> Potential:
    """The modified embedded atom method: angular densities, and pairs that atoms in between screen.

    E = sum_i F_i(rho_i) + 1/2 sum_ij S_ij phi_ij(r_ij) with F = asub Ec rho ln rho, the density
    rho = rho_0 G(Gamma) / rho_ref, Gamma = sum_k t_k rho_k^2 / rho_0^2 of angular densities rho_k, k = 1 to 3, whose
    terms are S_ij rho0 exp[-b_k (r/re - 1)], S_ij = f[(rc - r)/delr] prod_k f[(C_ikj - Cmin)/(Cmax - Cmin)], and
    f(x) = [1 - (1 - x)^4]^2, where C_ikj tells how far the atom k is beside the bond. phi follows from Rose's universal
    energy E(r) of reference structures, with distances of 1000 knots as in LAMMPS.

    The params are ``{"Ec": eV, "re": Å, "alpha": 1, "attrac": 1, "repuls": 1}``, symmetric tables [species, species]
    for reference structures; ``{"Z": e, "asub": 1, "rho0": 1, "b0": 1, "b1": 1, "b2": 1, "b3": 1, "t1": 1, "t2": 1,
    "t3": 1}`` [species]; ``{"Cmin": 1, "Cmax": 1}`` [i, j, k] for k between i and j; ``{"rc": Å, "delr": Å,
    "gsmooth_factor": 1}``. One number stands for a table of equal ones.

    Args:
        cutoff: Å, at least rc Cmax / [2 (Cmax - 1)^(1/2)] for the largest Cmax, and rc: atoms that screen a bond can be
            farther than its ends.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        lattices: reference structures, one name or a table [species, species] of which the upper half counts: fcc, bcc,
            hcp, dia, sc or dim for elements; b1, b2, dia (without second
            neighbors), l12 (three of the first element; with second neighbors only for mixing 2) or dim for two.
        second_neighbors: whether the reference structures' second neighbours count, one or a table.
        cores: whether nuclei repel at short distances, one or a table.
        gamma_form: which G, the library's ibar: 0, 1, 3, 4 or -5, one or [species].
        rose_form: which universal energy, 0, 1 or 2.
        augmented_t1: whether 3/5 t3 is added to t1.
        mixing: how t of several elements are averaged: 0, 1 or 2, as LAMMPS's ``ialloy``.
        mixed_reference: whether rho_ref depends on the averaged t, as LAMMPS's ``mixture_ref_t``;
            only without second neighbors, and with mixing 0 or 1.
        plain_background: whether rho_ref is rho0 times the number of neighbours, as LAMMPS's ``bkgd_dyn``.
        linear_below_zero: whether F is -asub Ec rho for negative rho, not 0, as LAMMPS's ``emb_lin_neg``.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: an unknown lattice or form, a list or table of another length; at evaluation, params that are not
            named as above, of another shape, or with a reach beyond the cutoff (under jit: a NaN energy).

    Example:
        >>> import jax.numpy as jnp, jaxpot
        >>> nickel = {"Ec": 4.45, "re": 2.489, "alpha": 4.99, "attrac": 0.0, "repuls": 0.0, "Z": 28.0, "asub": 1.1}
        >>> nickel |= {"rho0": 1.0, "b0": 2.45, "b1": 2.2, "b2": 6.0, "b3": 2.2, "t1": 3.57, "t2": 1.6, "t3": 3.7}
        >>> nickel |= {"Cmin": 2.0, "Cmax": 2.8, "rc": 4.0, "delr": 0.1, "gsmooth_factor": 99.0}
        >>> potential = jaxpot.meam(4.2)
        >>> cell = 0.5 * 3.52 * (1.0 - jnp.eye(3))  # the primitive cell of fcc
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0]], cell=cell)
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> f"{jaxpot.energy(potential)(nickel, system, neighbors):.2f}"
        '-4.45'

    Reference: M. I. Baskes, Phys. Rev. B 46, 2727 (1992); screening: Modelling Simul. Mater. Sci. Eng. 5, 149 (1997);
    second neighbours: B.-J. Lee and M. I. Baskes, Phys. Rev. B 62, 8564 (2000). Conventions are LAMMPS's.
    """
    name = "meam"
    count = 1 if elements is None else len(elements)
    given = {
        "lattices": lattices,
        "second_neighbors": second_neighbors,
        "cores": cores,
        "gamma_form": gamma_form,
        "rose_form": rose_form,
        "augmented_t1": augmented_t1,
        "mixing": mixing,
        "mixed_reference": mixed_reference,
        "plain_background": plain_background,
        "linear_below_zero": linear_below_zero,
    }
    settings = checked_settings(count, given)

    def prepare(params: Params, dtype: Any) -> dict[str, Any]:
        p = _tables(params, settings, float(cutoff))
        r = jnp.arange(KNOTS, dtype=p["rc"].dtype).at[0].set(0.1) * (1.1 * p["rc"] / KNOTS)
        phi = pair_energies(p, settings, r)
        p["phi"] = cubics(phi, dtype=dtype)
        return jax.tree.map(lambda leaf: leaf.astype(dtype), p)

    def energy(p: Any, around: Environment) -> jax.Array:
        return energies(p, settings, around)

    return environment_potential(
        energy, cutoff, None if elements is None else tuple(elements), name, together=True, block=BLOCK, prepare=prepare
    )


def _tables(params: Params, settings: MeamSettings, cutoff: float) -> dict[str, Any]:
    """Params as full tables over species, symmetric in pairs, and what follows from them."""
    names = (*OF_PAIRS, *OF_ATOMS, *OF_TRIPLES, *NUMBERS)
    dtype = jnp.result_type(float, *(value for value in params.values())) if isinstance(params, dict) else float
    given = named_parameters("meam", params, dtype, names)
    count = settings.count
    rank = {**dict.fromkeys(OF_PAIRS, 2), **dict.fromkeys(OF_ATOMS, 1), **dict.fromkeys(OF_TRIPLES, 3)}
    p: dict[str, Any] = {}
    for name, value in given.items():
        wanted = (count,) * rank.get(name, 0)
        if value.shape not in ((), wanted):
            raise ValueError(f"meam: {name} has shape {list(value.shape)}; give one number or {list(wanted)}")
        table = jnp.broadcast_to(value, wanted)
        p[name] = 0.5 * (table + table.swapaxes(0, 1)) if len(wanted) > 1 else table
    high = jnp.maximum(p["Cmax"], 2.0)
    reach = p["rc"] * jnp.sqrt((high**2 / (4.0 * (high - 1.0))).max())
    known = params["rc"] if isinstance(params["rc"], jax.core.Tracer) else reach
    p["rc"] = within_cutoff("meam", "rc times the reach of screening", reach, known, cutoff) / reach * p["rc"]
    p["re_own"] = jnp.diagonal(p["re"])
    if settings.augmented:
        p["t1"] = p["t1"] + 0.6 * p["t3"]
    return p | reference_densities(p, settings)
