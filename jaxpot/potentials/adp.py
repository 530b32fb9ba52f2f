"""The angular-dependent potential with tabulated functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxpot.engine import Environment, environment_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.splines import Cubics, cubics_at, cubics_extended_at, held_at_end, locate
from jaxpot.numerics.tables import TableGrid, table_cubics, table_params
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["adp"]

Tables = dict[str, Cubics]
PAIRS = ("pair", "dipole", "quadrupole")


@potential_kind
def adp(elements: Sequence[str], cutoff: float, n_rho: int, d_rho: float, n_r: int, d_r: float) -> Potential:
    """The angular-dependent potential: the embedded atom method with dipole and quadrupole distortions.

    E_i = F_a(rho_i) + 1/2 sum_j phi_ab(r_ij) + 1/2 sum_s mu_s^2 + 1/2 sum_st lambda_st^2 - 1/6 (sum_s lambda_ss)^2,
    rho_i = sum_j rho_b(r_ij),  mu_s = sum_j u_ab(r_ij) r_ij,s,  lambda_st = sum_j w_ab(r_ij) r_ij,s r_ij,t,

    for an atom i of element a with neighbours j of element b; s and t are x, y and z. All functions are tabulated on
    uniform grids that begin at 0 and are interpolated as in :func:`jaxpot.eam`. The knots are the parameters.

    ``params`` is that of :func:`jaxpot.eam` with density "alloy", and two more: ``dipole``, u in eV^(1/2)/Å, and
    ``quadrupole``, w in eV^(1/2)/Å^2, both [elements, elements, n_r]; the mean of [a, b] and [b, a] is used.
    ``potential.init(embedding, density, pair, dipole, quadrupole)`` makes the dict from float64 tables.

    Args:
        elements: chemical symbols, whose order gives the species.
        cutoff: Å. For a cutoff beyond the last knot see :func:`jaxpot.eam`.
        n_rho: number of knots of F.
        d_rho: their spacing, in the unit of rho.
        n_r: number of knots of rho, r phi, u and w.
        d_r: their spacing, Å.

    Returns:
        The :class:`jaxpot.Potential`; :func:`jaxpot.load` makes one from a file.

    Raises:
        ValueError: no elements, a cutoff or spacing that is not positive, or less than three knots.

    Example:
        >>> import jaxpot, numpy as np
        >>> potential = jaxpot.adp(["Ni"], cutoff=4.0, n_rho=5, d_rho=1.0, n_r=401, d_r=0.01)
        >>> zero = np.zeros((1, 1, 401))
        >>> u = (1 - np.arange(401) / 400)[None, None]
        >>> params = potential.init(np.zeros((1, 5)), np.zeros((1, 401)), zero, u, zero)
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> print(f"{jaxpot.energy(potential)(params, system, neighbors):.4f}")  # two atoms, mu = 1/2 * 2
        1.0000

    Reference:
        Y. Mishin, M. J. Mehl and D. A. Papaconstantopoulos, Acta Mater. 53, 4029 (2005), eqs. 1 to 4.
        Beyond the last density LAMMPS's forces are those of the linear F, as here, but its energy holds F constant.
    """
    elements = tuple(elements)
    count = len(elements)
    if count == 0:
        raise ValueError("adp needs at least one element, got none")
    grid = TableGrid(n_rho, d_rho, n_r, d_r)
    grid.check("adp")
    shapes: dict[str, tuple[int, ...]] = {"embedding": (count, n_rho), "density": (count, n_r)}
    shapes |= dict.fromkeys(PAIRS, (count, count, n_r))

    def energy(tables: Tables, env: Environment) -> jax.Array:
        k, t = locate(env.distances, d_r, n_r)
        t = held_at_end(t)
        pair_at = k + (env.own_species * count + env.species) * n_r
        phi, u, w = (cubics_at(tables[name], pair_at, t) for name in PAIRS)
        rho = env.sum(cubics_at(tables["density"], k + env.species * n_r, t))
        phi = env.sum(phi / env.distances)
        x, y, z = env.x, env.y, env.z
        mu = [env.sum(u * s) for s in (x, y, z)]
        xx, yy, zz, yz, xz, xy = (env.sum(w * s) for s in (x * x, y * y, z * z, y * z, x * z, x * y))
        dipoles = sum(m * m for m in mu)
        quadrupoles = xx * xx + yy * yy + zz * zz + 2.0 * (yz * yz + xz * xz + xy * xy)
        trace = xx + yy + zz
        embedding = cubics_extended_at(tables["embedding"], rho, d_rho, n_rho, env.own_species)
        return embedding + 0.5 * (phi + dipoles + quadrupoles) - trace * trace / 6.0

    def tabulated(params: Params, dtype: Any) -> Tables:
        return table_cubics("adp", shapes, params, dtype, symmetric=PAIRS)

    def init(embedding: Any, density: Any, pair: Any, dipole: Any, quadrupole: Any) -> Params:
        pairs = dict(zip(PAIRS, (pair, dipole, quadrupole), strict=True))
        return table_params("adp", shapes, {"embedding": embedding, "density": density, **pairs})

    return environment_potential(energy, cutoff, elements, "adp", init, prepare=tabulated)
