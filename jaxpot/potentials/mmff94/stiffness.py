"""A positive approximation of the second derivatives, which preconditions the minimisation of a molecule."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot import units
from jaxpot.potentials.mmff94.coordinates import edge_vectors
from jaxpot.potentials.mmff94.electrostatics import VACUUM, Dielectric, coulomb_and_slope
from jaxpot.potentials.mmff94.geometry import angle, dihedral_angle, dot, length, ratio, wilson_angle
from jaxpot.potentials.mmff94.nonbonded import pair_lines
from jaxpot.potentials.mmff94.parameters import MDYNE_ANGSTROM, Params, rows_of
from jaxpot.potentials.mmff94.topology import Topology
from jaxpot.potentials.mmff94.van_der_waals import well_and_slope

__all__ = ["stiffness"]

Blocks = tuple[jax.Array, jax.Array, jax.Array]  # atoms, atoms, [blocks, 3, 3]

SOFTEST = 1.0  # kcal/mol/Å^2, for every motion of an atom
TWIST = 1.0  # kcal/mol, for every torsion
STEEPEST = 300.0  # kcal/mol/Å^2, of a pair of atoms


def stiffness(params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric = VACUUM) -> jax.Array:
    """The stiffness matrix: sum of k dq/dx dq/dx over internal coordinates and distances q with curvatures k > 0.

    Second derivatives of the coordinates, and all terms that are not positive, are left out.

    Args:
        params: the tables of parameters.
        topology: topology of the molecule.
        positions: [atoms, 3], Å.
        dielectric: dielectric response in the electrostatic term.

    Returns:
        [3 atoms, 3 atoms] eV/Å^2.

    Reference:
        L. Mones, C. Ortner, G. Csányi, Sci. Rep. 8, 13991 (2018).
    """
    t, dtype, atoms = topology, positions.dtype, positions.shape[0]
    edges = edge_vectors(t.bonds, positions)

    def row(term: str, rows: jax.Array) -> tuple[jax.Array, ...]:
        return rows_of(term, params[term], rows, 1, dtype)

    def slopes(q: Callable[..., jax.Array], which: jax.Array) -> list[jax.Array]:
        value, pull = jax.vjp(q, *(edges[which[:, k]] for k in range(which.shape[1])))
        return list(pull(jnp.ones_like(value)))

    def star(q: Callable[..., jax.Array], which: jax.Array, curvature: jax.Array) -> Blocks:
        """Of a coordinate whose edges start at one atom."""
        ends = slopes(q, which)
        return _outer(t.atoms_of(which), [-sum(ends[1:], ends[0]), *ends], curvature)

    def chain(q: Callable[..., jax.Array], which: jax.Array, curvature: jax.Array) -> Blocks:
        """Of a coordinate whose edges follow each other."""
        a, b, c = slopes(q, which)
        return _outer(t.atoms_of(which), [-a, a - b, b - c, c], curvature)

    (kb, _), (ka, _), (kl, _) = (
        row("bond_stretching", t.bond_rows),
        row("angle_bending", t.angle_rows),
        row("angle_bending", t.linear_rows),
    )
    (koop,), (V1, V2, V3) = row("out_of_plane", t.plane_rows), row("torsion", t.torsion_rows)
    twist = jnp.where(t.torsion_rows < len(params["torsion"]["V1"]), TWIST, 0.0)
    # a torsion about an axis with an atom nearly on it has no stiffness to speak of
    barrier = 0.5 * (jnp.abs(V1) + 4.0 * jnp.abs(V2) + 9.0 * jnp.abs(V3)) + twist
    bent = _squared_sines(*(edges[t.torsion_edges[:, k]] for k in range(3)))

    parts = [
        star(length, jnp.arange(t.bonds.shape[0])[:, None], MDYNE_ANGSTROM * kb),
        star(angle, t.angle_edges, MDYNE_ANGSTROM * ka),
        *(
            star(lambda u, v, axis=axis: _opening(u, v)[:, axis], t.linear_edges, MDYNE_ANGSTROM * kl)
            for axis in range(3)
        ),
        star(wilson_angle, t.plane_edges, MDYNE_ANGSTROM * koop),
        chain(dihedral_angle, t.torsion_edges, barrier * bent),
    ]
    first, second, values = (jnp.concatenate(leaves) for leaves in zip(*parts, strict=True))
    total = _of_pairs(params, t, positions, dielectric).at[first, second].add(values)
    matrix = total.transpose(0, 2, 1, 3).reshape(3 * atoms, 3 * atoms)
    return units.KCAL_PER_MOL * (matrix + SOFTEST * jnp.eye(3 * atoms, dtype=dtype))


def _outer(atoms: jax.Array, slopes: list[jax.Array], curvature: jax.Array) -> Blocks:
    """k dq/dx_a dq/dx_b for all pairs of the atoms [interactions, n] of each coordinate."""
    slope = jnp.stack(slopes, axis=1)
    outer = curvature[:, None, None, None, None] * slope[:, :, None, :, None] * slope[:, None, :, None, :]
    first = jnp.broadcast_to(atoms[:, :, None], outer.shape[:3])
    return first.ravel(), first.swapaxes(1, 2).ravel(), outer.reshape(-1, 3, 3)


def _of_pairs(params: Params, topology: Topology, positions: jax.Array, dielectric: Dielectric) -> jax.Array:
    """[atoms, atoms, 3, 3] the stiffness of the distances of all pairs."""
    atoms = positions.shape[0]
    line, column = _places(atoms)
    lines = pair_lines(params, topology, positions, dielectric)
    minimum, depth, product = (leaf[line, column] for leaf in (lines.minimum, lines.depth, lines.product))

    def slope(r: jax.Array) -> jax.Array:
        return well_and_slope(r, minimum, depth)[1] + coulomb_and_slope(r, product, dielectric)[1]

    d = [positions[:, None, k] - positions[None, :, k] for k in range(3)]
    r = jnp.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    _, curvature = jax.jvp(slope, (r,), (jnp.ones_like(r),))
    over = jnp.where(r > 0, jnp.clip(curvature, 0.0, STEEPEST) / jnp.where(r > 0, r * r, 1.0), 0.0)
    block = jnp.stack([jnp.stack([over * a * b for b in d], axis=-1) for a in d], axis=-2)
    here = np.arange(atoms)
    return (-block).at[here, here].set(block.sum(axis=1))


def _places(atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """[atoms, atoms] where each pair stands in the arrangement of :class:`Topology`; anywhere on the diagonal."""
    i, j = np.meshgrid(np.arange(atoms), np.arange(atoms), indexing="ij")
    ahead = (j - i) % max(atoms, 1)
    forward = ahead <= atoms // 2
    # where both ways round are equally long, the pair stands at its first atom
    forward &= ~((2 * ahead == atoms) & (i > j))
    line = np.where(forward, ahead, atoms - ahead) - 1
    return np.maximum(np.where(ahead == 0, 0, line), 0), np.where(forward, i, j)


def _opening(u: jax.Array, v: jax.Array) -> jax.Array:
    """[angles, 3] w = u/|u| + v/|v|, with which 1 + cos theta = |w|^2 / 2."""
    return ratio(jnp.ones_like(u), length(u)[:, None]) * u + ratio(jnp.ones_like(v), length(v)[:, None]) * v


def _squared_sines(a: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
    """sin^2 of the angle at the second atom times sin^2 of that at the third."""

    def squared_sine(u: jax.Array, v: jax.Array) -> jax.Array:
        return 1.0 - ratio(dot(u, v) ** 2, dot(u, u) * dot(v, v))

    return squared_sine(a, b) * squared_sine(b, c)
