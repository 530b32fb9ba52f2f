"""A positive approximation of the second derivatives, by which a minimiser makes stiff and soft motions alike."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxpot import units
from jaxpot.potentials.mmff94.coordinates import edge_vectors
from jaxpot.potentials.mmff94.electrostatics import VACUUM, Dielectric, coulomb_and_slope
from jaxpot.potentials.mmff94.geometry import angle, dihedral_angle, dot, length, ratio, wilson_angle
from jaxpot.potentials.mmff94.nonbonded import Line, pair_lines
from jaxpot.potentials.mmff94.parameters import MDYNE_ANGSTROM, Params, rows_of
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.potentials.mmff94.van_der_waals import well_and_slope

__all__ = ["stiffness"]

Blocks = tuple[jax.Array, jax.Array, jax.Array]  # atoms, atoms, [blocks, 3, 3, structures]

SOFTEST = 1.0  # kcal/mol/Å^2, for every motion of an atom
TWIST = 1.0  # kcal/mol, for every torsion
STEEPEST = 300.0  # kcal/mol/Å^2, of a pair of atoms


def stiffness(params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric = VACUUM) -> jax.Array:
    """The stiffness matrix: sum of k dq/dx dq/dx over internal coordinates and distances q with curvatures k > 0.

    The second derivatives of the coordinates are left out, and whatever could make the matrix less than positive.

    Args:
        params: the tables of parameters.
        topology: of the molecule.
        positions: [atoms, 3, structures], Å.
        dielectric: of the electrostatic term.

    Returns:
        [structures, 3 atoms, 3 atoms] eV/Å^2.

    Reference:
        L. Mones, C. Ortner, G. Csányi, Sci. Rep. 8, 13991 (2018).
    """
    t, dtype = topology, positions.dtype
    atoms, structures = positions.shape[0], positions.shape[2]
    edges = edge_vectors(t.bonds, positions)
    start = jnp.concatenate([t.bonds[:, 0], t.bonds[:, 1]])
    end = jnp.concatenate([t.bonds[:, 1], t.bonds[:, 0]])

    def row(term: str, rows: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(k[:, None] for k in rows_of(term, params[term], rows, 1, dtype))

    def blocks(q: Callable[..., jax.Array], which: jax.Array, curvature: jax.Array) -> Blocks:
        value, pull = jax.vjp(q, *(edges[which[:, k]] for k in range(which.shape[1])))
        forward = jnp.stack(pull(jnp.ones_like(value)), axis=1)  # [interactions, edges, 3, ...]
        slopes = jnp.concatenate([forward, -forward], axis=1)
        ends = jnp.concatenate([end[which], start[which]], axis=1)
        outer = curvature[:, None, None, None, None] * slopes[:, :, None, :, None] * slopes[:, None, :, None, :]
        first = jnp.broadcast_to(ends[:, :, None], outer.shape[:3])
        return first.ravel(), first.swapaxes(1, 2).ravel(), outer.reshape(-1, *outer.shape[3:])

    (kb, _), (ka, _), (kl, _) = (
        row("bond_stretching", t.bond_rows),
        row("angle_bending", t.angle_rows),
        row("angle_bending", t.linear_rows),
    )
    (koop,), (V1, V2, V3) = row("out_of_plane", t.plane_rows), row("torsion", t.torsion_rows)
    twist = jnp.where(t.torsion_rows[:, None] < len(params["torsion"]["V1"]), TWIST, 0.0)
    # a torsion about an axis with an atom nearly on it has no stiffness to speak of
    barrier = 0.5 * (jnp.abs(V1) + 4.0 * jnp.abs(V2) + 9.0 * jnp.abs(V3)) + twist
    bent = _squared_sines(*(edges[t.torsion_edges[:, k]] for k in range(3)))

    parts = [
        blocks(length, jnp.arange(t.bonds.shape[0])[:, None], MDYNE_ANGSTROM * kb),
        blocks(angle, t.angle_edges, MDYNE_ANGSTROM * ka),
        *(
            blocks(lambda u, v, axis=axis: _opening(u, v)[:, axis], t.linear_edges, MDYNE_ANGSTROM * kl)
            for axis in range(3)
        ),
        blocks(wilson_angle, t.plane_edges, MDYNE_ANGSTROM * koop),
        blocks(dihedral_angle, t.torsion_edges, barrier * bent),
    ]
    first, second, values = (jnp.concatenate(leaves) for leaves in zip(*parts, strict=True))
    total = jnp.zeros((atoms, atoms, 3, 3, structures), dtype).at[first, second].add(values)
    total = _add_pairs(total, pair_lines(params, t, positions, dielectric), positions, dielectric)
    matrix = total.transpose(4, 0, 2, 1, 3).reshape(structures, 3 * atoms, 3 * atoms)
    return units.KCAL_PER_MOL * (matrix + SOFTEST * jnp.eye(3 * atoms, dtype=dtype)[None])


def _add_pairs(total: jax.Array, lines: Line, positions: jax.Array, dielectric: Dielectric) -> jax.Array:
    here = jnp.arange(positions.shape[0])

    def step(total: jax.Array, line: Line) -> tuple[jax.Array, None]:
        there = (here + line.shift) % positions.shape[0]
        d = positions - positions[there]

        def slope(r: jax.Array) -> jax.Array:
            return well_and_slope(r, line.minimum, line.depth)[1] + coulomb_and_slope(r, line.product, dielectric)[1]

        r = length(d)
        _, curvature = jax.jvp(slope, (r,), (jnp.ones_like(r),))
        unit = ratio(jnp.ones_like(r), r)[:, None] * d
        block = jnp.clip(curvature, 0.0, STEEPEST)[:, None, None] * unit[:, :, None] * unit[:, None]
        first = jnp.concatenate([here, there, here, there])
        second = jnp.concatenate([here, there, there, here])
        return total.at[first, second].add(jnp.concatenate([block, block, -block, -block])), None

    return jax.lax.scan(step, total, lines)[0]


def _opening(u: jax.Array, v: jax.Array) -> jax.Array:
    """[angles, 3, ...] w = u/|u| + v/|v|, with which 1 + cos theta = |w|^2 / 2."""
    return ratio(jnp.ones_like(u), length(u)[:, None]) * u + ratio(jnp.ones_like(v), length(v)[:, None]) * v


def _squared_sines(a: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
    """sin^2 of the angle at the second atom times sin^2 of that at the third."""

    def squared_sine(u: jax.Array, v: jax.Array) -> jax.Array:
        return 1.0 - ratio(dot(u, v) ** 2, dot(u, u) * dot(v, v))

    return squared_sine(a, b) * squared_sine(b, c)
