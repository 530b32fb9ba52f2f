"""The two terms between all pairs, computed together and arranged for speed, because they take most of the time.

For k = 1 ... atoms/2, all pairs of atoms i and i + k are computed at once, from the positions and their copy shifted by
k. Each step is a few element-wise operations on arrays as large as the positions, which stay in cache; no pair is
gathered or stored.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.numerics.safe import safe_sqrt
from jaxpot.potentials.mmff94.electrostatics import Dielectric, charge_products, coulomb_and_slope
from jaxpot.potentials.mmff94.geometry import dot
from jaxpot.potentials.mmff94.parameters import Params
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.potentials.mmff94.van_der_waals import minima_and_depths, well_and_slope

__all__ = ["Line", "nonbonded_atomic_energies", "nonbonded_energies_and_gradients", "pair_lines"]


Carry = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


class Line(NamedTuple):
    """The pairs of all atoms i and i + k: the shift k, and the parameters of the pairs, each [atoms, 1, ...]."""

    shift: jax.Array
    minimum: jax.Array
    depth: jax.Array
    product: jax.Array


def nonbonded_atomic_energies(
    params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric
) -> jax.Array:
    """Van der Waals and electrostatic energy of each atom: half the energy of its pairs.

    Args:
        params: the tables of parameters.
        topology: topology of the molecule.
        positions: [atoms, 3, ...], Å.
        dielectric: dielectric response in the electrostatic term.

    Returns:
        [atoms, ...] kcal/mol.
    """
    twice = jnp.concatenate([positions, positions])

    def step(carry: tuple[jax.Array, jax.Array], line: Line) -> tuple[tuple[jax.Array, jax.Array], None]:
        near, far = carry
        d = positions - _shifted(twice, line.shift)
        r = safe_sqrt(dot(d, d))
        well, coulomb = (
            well_and_slope(r, line.minimum, line.depth)[0],
            coulomb_and_slope(r, line.product, dielectric)[0],
        )
        half = 0.5 * (well + coulomb)
        return (near + half, _add_shifted(far, half, line.shift)), None

    zero = jnp.zeros_like(positions[:, 0])
    # a reverse pass computes the steps again, because their stored intermediates would fill the memory
    (near, far), _ = jax.lax.scan(
        jax.checkpoint(step), (zero, jnp.concatenate([zero, zero])), pair_lines(params, topology, positions, dielectric)
    )
    return near + _folded(far)


def nonbonded_energies_and_gradients(
    params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric, by_atom: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Van der Waals and electrostatic energy, and its gradient.

    Args:
        params: the tables of parameters.
        topology: topology of the molecule.
        positions: [atoms, 3, ...], Å.
        dielectric: dielectric response in the electrostatic term.
        by_atom: whether to return the energy of each atom, half the energy of its pairs.

    Returns:
        [...], or [atoms, ...] by atom, kcal/mol; and [atoms, 3, ...] kcal/mol/Å.
    """
    twice = jnp.concatenate([positions, positions])

    def step(carry: Carry, line: Line) -> tuple[Carry, None]:
        energy, gradient, far_energy, far_gradient = carry
        d = positions - _shifted(twice, line.shift)
        squared = dot(d, d)
        r = safe_sqrt(squared)
        well, steep = well_and_slope(r, line.minimum, line.depth)
        coulomb, slope = coulomb_and_slope(r, line.product, dielectric)
        # with the division last, XLA stores this factor; otherwise it would compute it again for each use
        pull = ((steep + slope) / jnp.where(squared == 0, 1.0, r))[:, None] * d
        value = well + coulomb
        if by_atom:
            value = 0.5 * value
            far_energy = _add_shifted(far_energy, value, line.shift)
        return (energy + value, gradient + pull, far_energy, _add_shifted(far_gradient, -pull, line.shift)), None

    zero = jnp.zeros_like(positions[:, 0])
    start = zero, jnp.zeros_like(positions), jnp.concatenate([zero, zero]), jnp.zeros_like(twice)
    (energy, gradient, far_energy, far_gradient), _ = jax.lax.scan(
        step, start, pair_lines(params, topology, positions, dielectric)
    )
    energy = energy + _folded(far_energy) if by_atom else energy.sum(axis=0)
    return energy, gradient + _folded(far_gradient)


def pair_lines(params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric) -> Line:
    """All lines of pairs, with a leading axis [atoms // 2].

    Args:
        params: the tables of parameters.
        topology: topology of the molecule.
        positions: [atoms, 3, ...], Å.
        dielectric: dielectric response in the electrostatic term.

    Returns:
        The :class:`Line` to scan over.
    """
    t, dtype = topology, positions.dtype
    minima, depths = minima_and_depths(params["van_der_waals"], t.vdw_rows, t.donor_acceptor, t.pair_kinds, dtype)
    products = charge_products(params["electrostatics"], t.charge_rows, t.pair_kinds, dtype, dielectric)
    shape = minima.shape + (1,) * (positions.ndim - 2)
    shifts = jnp.arange(1, t.atoms // 2 + 1)
    return Line(shifts, minima.reshape(shape), depths.reshape(shape), products.reshape(shape))


def _shifted(twice: jax.Array, shift: jax.Array) -> jax.Array:
    """The array shifted by ``shift``: entry i is entry i + shift of the original."""
    return jax.lax.dynamic_slice_in_dim(twice, shift, twice.shape[0] // 2)


def _add_shifted(total: jax.Array, part: jax.Array, shift: jax.Array) -> jax.Array:
    """Add entry i of ``part`` to entry i + shift of ``total``."""
    return jax.lax.dynamic_update_slice_in_dim(total, _shifted(total, shift) + part, shift, 0)


def _folded(total: jax.Array) -> jax.Array:
    """The sum of entries i and i + atoms, which belong to the same atom."""
    atoms = total.shape[0] // 2
    return total[:atoms] + total[atoms:]
