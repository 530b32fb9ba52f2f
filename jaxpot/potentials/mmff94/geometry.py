"""Internal coordinates of molecules, with derivatives that stay finite for degenerate geometries.

Vectors are arrays [interactions, 3, ...]. Further axes, such as conformers, come last, so that operations on a CPU run
along contiguous memory. The derivative of every function is written by hand. It is exact where automatic
differentiation would give infinity times zero (an angle of 180 degrees, three atoms on a line, coincident atoms). It is
also several times faster, because each derivative is a few scalars times the given vectors.

Where a quantity has no derivative (a length at 0, an angle at 0 and 180 degrees), the derivative is set to 0, the mean
over directions. The vectors of padded interactions are 0, and so are their coordinates and derivatives.

Each scalar is computed with its division last: XLA's CPU compiler stores the result of a division, but recomputes
cheaper operations wherever they are used.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxpot.numerics.safe import safe_sqrt

__all__ = ["angle", "cosine", "dihedral_angle", "dihedral_cosine", "dot", "length", "wilson_angle"]


def dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Scalar products.

    Args:
        a: [interactions, 3, ...].
        b: [interactions, 3, ...].

    Returns:
        [interactions, ...].
    """
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


def cross(a: jax.Array, b: jax.Array) -> jax.Array:
    x, y, z = a[:, 0], a[:, 1], a[:, 2]
    u, v, w = b[:, 0], b[:, 1], b[:, 2]
    return jnp.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """numerator / denominator, and 0 with derivative 0 where the denominator is 0."""
    zero = denominator == 0
    return jnp.where(zero, 0.0, numerator) / jnp.where(zero, 1.0, denominator)


def along(factor: jax.Array, vector: jax.Array) -> jax.Array:
    return factor[:, None] * vector


def contract(*pairs: tuple[jax.Array, jax.Array]) -> jax.Array:
    """The tangent: the sum of gradient . change over the vectors that a function depends on."""
    terms = [jnp.sum(gradient * change, axis=1) for gradient, change in pairs]
    return sum(terms[1:], terms[0])


@jax.custom_jvp
def length(v: jax.Array) -> jax.Array:
    """Lengths |v|, with derivative 0 at 0.

    Args:
        v: [interactions, 3, ...].

    Returns:
        [interactions, ...], the unit of ``v``.
    """
    return safe_sqrt(dot(v, v))


@length.defjvp
def _length_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    ((v,), (dv,)) = primals, tangents
    r = length(v)
    return r, contract((along(ratio(jnp.ones_like(r), r), v), dv))


@jax.custom_jvp
def angle(u: jax.Array, v: jax.Array) -> jax.Array:
    """Angles between vectors, atan2(|u x v|, u . v), accurate at all angles; derivative 0 at 0 and pi.

    Args:
        u: [interactions, 3, ...], from the apex to one end.
        v: [interactions, 3, ...], from the apex to the other.

    Returns:
        [interactions, ...], radians.
    """
    return jnp.arctan2(length(cross(u, v)), dot(u, v))


@angle.defjvp
def _angle_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (u, v), (du, dv) = primals, tangents
    sine, scalar = length(cross(u, v)), dot(u, v)
    inverse = ratio(jnp.ones_like(sine), sine)
    along_u, along_v = ratio(scalar, sine * dot(u, u)), ratio(scalar, sine * dot(v, v))
    gradients = along(along_u, u) - along(inverse, v), along(along_v, v) - along(inverse, u)
    return jnp.arctan2(sine, scalar), contract((gradients[0], du), (gradients[1], dv))


@jax.custom_jvp
def cosine(u: jax.Array, v: jax.Array) -> jax.Array:
    """Cosines of the angles between vectors; 0 where a vector is 0.

    Args:
        u: [interactions, 3, ...].
        v: [interactions, 3, ...].

    Returns:
        [interactions, ...].
    """
    return ratio(dot(u, v), length(u) * length(v))


@cosine.defjvp
def _cosine_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (u, v), (du, dv) = primals, tangents
    product = length(u) * length(v)
    value, inverse = ratio(dot(u, v), product), ratio(jnp.ones_like(product), product)
    along_u, along_v = ratio(dot(u, v), product * dot(u, u)), ratio(dot(u, v), product * dot(v, v))
    gradients = along(inverse, v) - along(along_u, u), along(inverse, u) - along(along_v, v)
    return value, contract((gradients[0], du), (gradients[1], dv))


@jax.custom_jvp
def dihedral_cosine(a: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
    """Cosines of torsion angles, (a x b) . (b x c) / |a x b| |b x c|; 0 where three atoms lie on a line.

    Its derivative is along the normals of the two planes (Blondel and Karplus, J. Comput. Chem. 17, 1132 (1996)), and
    regular at 0 and 180 degrees.

    Args:
        a: [interactions, 3, ...], from the first atom to the second.
        b: [interactions, 3, ...], from the second to the third.
        c: [interactions, 3, ...], from the third to the fourth.

    Returns:
        [interactions, ...].
    """
    first, second = cross(a, b), cross(b, c)
    return ratio(dot(first, second), safe_sqrt(dot(first, first) * dot(second, second)))


@dihedral_cosine.defjvp
def _dihedral_cosine_jvp(
    primals: tuple[jax.Array, jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (a, b, c), (da, db, dc) = primals, tangents
    first, second = cross(a, b), cross(b, c)
    one, two = dot(first, first), dot(second, second)
    product = safe_sqrt(one * two)
    twist = dot(a, second)  # |a x b| |b x c| sin(phi) / |b|
    toward_a = along(ratio(-dot(b, b) * twist, product * one), first)
    toward_c = along(ratio(-dot(b, b) * twist, product * two), second)
    toward_b = along(ratio(dot(a, b) * twist, product * one), first) + along(
        ratio(dot(c, b) * twist, product * two), second
    )
    value = ratio(dot(first, second), product)
    return value, contract((toward_a, da), (toward_b, db), (toward_c, dc))


def dihedral_angle(a: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
    """Torsion angles; their derivatives are finite unless three atoms lie on a line.

    Args:
        a: [interactions, 3, ...], from the first atom to the second.
        b: [interactions, 3, ...], from the second to the third.
        c: [interactions, 3, ...], from the third to the fourth.

    Returns:
        [interactions, ...], radians, between -pi and pi; 0 is cis.
    """
    first, second = cross(a, b), cross(b, c)
    sine, cosine_ = dot(a, second) * length(b), dot(first, second)
    nowhere = (sine == 0) & (cosine_ == 0)
    return jnp.arctan2(sine, jnp.where(nowhere, 1.0, cosine_))


@jax.custom_jvp
def wilson_angle(u: jax.Array, v: jax.Array, w: jax.Array) -> jax.Array:
    """Wilson's out-of-plane angles: of w with the plane of u and v; derivative 0 at +-90 degrees.

    Args:
        u: [interactions, 3, ...], from the centre to one atom of the plane.
        v: [interactions, 3, ...], from the centre to the other.
        w: [interactions, 3, ...], from the centre to the atom out of the plane.

    Returns:
        [interactions, ...], radians, between -pi/2 and pi/2.
    """
    normal = cross(u, v)
    return jnp.arctan2(dot(normal, w), length(cross(normal, w)))


@wilson_angle.defjvp
def _wilson_angle_jvp(
    primals: tuple[jax.Array, jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (u, v, w), (du, dv, dw) = primals, tangents
    normal = cross(u, v)
    height, base = dot(normal, w), length(cross(normal, w))
    inverse = ratio(jnp.ones_like(base), base)
    tilt, lean = ratio(height, base * dot(normal, normal)), ratio(height, base * dot(w, w))
    toward_u = along(inverse, cross(v, w)) - along(tilt, cross(v, normal))
    toward_v = along(inverse, cross(w, u)) - along(tilt, cross(normal, u))
    toward_w = along(inverse, normal) - along(lean, w)
    return jnp.arctan2(height, base), contract((toward_u, du), (toward_v, dv), (toward_w, dw))
