"""The embedded atom method with tabulated functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.splines import Cubics, cubics_at, cubics_extended_at, held_at_end, locate
from jaxpot.numerics.tables import TableGrid, table_cubics, table_params
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["eam"]

Tables = dict[str, Cubics]


@potential_kind
def eam(
    elements: Sequence[str],
    cutoff: float,
    n_rho: int,
    d_rho: float,
    n_r: int,
    d_r: float,
    density: Literal["alloy", "fs"] = "alloy",
    rho_max: float | None = None,
) -> Potential:
    """The embedded atom method, or its Finnis-Sinclair form, with tabulated functions.

    E_i = F_a(rho_i) + 1/2 sum_j phi_ab(r_ij),  rho_i = sum_j rho_b(r_ij) for "alloy", rho_ab(r_ij) for "fs",

    for an atom i of element a with neighbours j of element b. All functions are tabulated on uniform grids that begin
    at 0, and are interpolated as LAMMPS does (:func:`jaxpot.numerics.splines.cubics`): the pair potential as r phi(r);
    F linearly beyond the last density, with the slope at its end. The knots are the parameters: they can be
    differentiated and trained.

    ``params`` is a dict of ``embedding`` [elements, n_rho], F in eV; ``density`` [elements, n_r], of the neighbour's
    element, or for "fs" [elements, elements, n_r], of the own and the neighbour's; ``pair`` [elements, elements, n_r],
    r phi(r) in eV Å, of which the mean of both halves counts. In float32 ``rounding`` is a dict of the same three: the
    digits that the knots lost, without which slopes of fine tables have three digits only. It may be left out.
    ``potential.init(embedding, density, pair)`` makes the dict from float64 tables.

    Args:
        elements: chemical symbols, whose order gives the species.
        cutoff: Å. Between the last knot and a cutoff beyond it, usually one step, rho and r phi are constant, and their
            derivatives the slopes of the last knot: there the force is not the derivative of the energy, but LAMMPS's.
        n_rho: number of knots of F.
        d_rho: their spacing, in the unit of rho.
        n_r: number of knots of rho and r phi.
        d_r: their spacing, Å.
        density: whether the density depends on the neighbour's element alone ("alloy"), or on both ("fs").
        rho_max: density from which F is linear, in the unit of rho: the last knot by default. With funcfl files LAMMPS
            puts it one step further on; F is constant in between.

    Returns:
        The :class:`jaxpot.Potential`; :func:`jaxpot.load` makes one from a file.

    Raises:
        ValueError: no elements, a cutoff or spacing that is not positive, less than three knots, another ``density``,
            or a ``rho_max`` before the last knot.

    Example:
        >>> import jaxpot, numpy as np
        >>> potential = jaxpot.eam(["Cu"], cutoff=4.0, n_rho=201, d_rho=0.05, n_r=401, d_r=0.01)
        >>> rho, r = np.arange(201) * 0.05, np.arange(401) * 0.01
        >>> bond = (1 - r / 4) ** 2
        >>> params = potential.init(-np.sqrt(rho)[None], bond[None], (0.5 * r * bond)[None, None])
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> print(f"{jaxpot.energy(potential)(params, system, neighbors):.4f}")  # 2 (-sqrt(1/4)) + 1/8
        -0.8750

    Reference:
        M. S. Daw and M. I. Baskes, Phys. Rev. B 29, 6443 (1984), eq. 15; M. W. Finnis and J. E. Sinclair, Philos.
        Mag. A 50, 45 (1984).
    """
    elements = tuple(elements)
    count = len(elements)
    if count == 0:
        raise ValueError("eam needs at least one element, got none")
    if density not in ("alloy", "fs"):
        raise ValueError(f'eam: density must be "alloy" or "fs", got {density!r}')
    grid = TableGrid(n_rho, d_rho, n_r, d_r)
    grid.check("eam")
    if rho_max is not None and not (n_rho - 1) * d_rho * (1 - 1e-9) <= rho_max < float("inf"):
        raise ValueError(f"eam: rho_max must not be before the last knot, {(n_rho - 1) * d_rho:g}, got {rho_max}")
    name = "eam" if density == "alloy" else "eam_fs"
    shapes: dict[str, tuple[int, ...]] = {
        "embedding": (count, n_rho),
        "density": (count, count, n_r) if density == "fs" else (count, n_r),
        "pair": (count, count, n_r),
    }

    def contributions(tables: Tables, r: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        k, t = locate(r, d_r, n_r)
        t = held_at_end(t)
        density_at = pair_at = k
        if count > 1:
            own, other = species.own, species.other
            density_at = k + (own * count + other if density == "fs" else other) * n_r
            # the same index from both ends of an edge, so that the compiler sees that it is the same number
            pair_at = k + (jnp.maximum(own, other) * count + jnp.minimum(own, other)) * n_r
        return cubics_at(tables["density"], density_at, t), 0.5 * cubics_at(tables["pair"], pair_at, t) / r

    def atom_energy(tables: Tables, sums: tuple[jax.Array, ...], species: jax.Array) -> jax.Array:
        rho, pairs = sums
        number = species if count > 1 else 0
        return cubics_extended_at(tables["embedding"], rho, d_rho, n_rho, number, rho_max) + pairs

    def tabulated(params: Params, dtype: Any) -> Tables:
        return table_cubics(name, shapes, params, dtype, symmetric=("pair",))

    def init(embedding: Any, density: Any, pair: Any) -> Params:
        return table_params(name, shapes, {"embedding": embedding, "density": density, "pair": pair})

    return radial_potential(contributions, atom_energy, cutoff, elements, name, init, prepare=tabulated)
