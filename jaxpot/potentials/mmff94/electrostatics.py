"""Electrostatic interaction: the buffered Coulomb law between fixed charges."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from jaxpot.potentials.mmff94.parameters import RowParams, rows_of
from jaxpot.potentials.mmff94.topology import EXCLUDED, ONE_FOUR, both

__all__ = ["VACUUM", "Dielectric", "DielectricModel", "charge_products", "coulomb_and_slope", "electrostatics"]

COULOMB = 332.0716  # kcal/mol Å / e^2, Halgren's value
BUFFER = 0.05  # Å
ONE_FOUR_SCALE = 0.75

DielectricModel = Literal["constant", "distance"]


class Dielectric(NamedTuple):
    """The dielectric response between the charges: a constant D, or D times the distance in Å.

    Attributes:
        constant: D, 1 in vacuum.
        model: ``"constant"`` for the Coulomb law, ``"distance"`` for one whose screening grows with the distance.
    """

    constant: float = 1.0
    model: DielectricModel = "constant"

    def checked(self) -> Dielectric:
        """Returns the object itself; ValueError where the constant is not positive or the model is unknown."""
        if self.model not in get_args(DielectricModel):
            raise ValueError(
                f"the dielectric model must be one of {', '.join(get_args(DielectricModel))}, got {self.model!r}"
            )
        if not 0 < self.constant < float("inf"):
            raise ValueError(f"the dielectric constant must be a positive number, got {self.constant}")
        return self


VACUUM = Dielectric()


def electrostatics(
    params: RowParams,
    distances: jax.Array,
    rows: jax.Array,
    pair_kinds: jax.Array,
    dielectric: Dielectric = VACUUM,
) -> jax.Array:
    """Energy of each pair of charges that are three or more bonds apart.

    With n = 1, or n = 2 where the dielectric constant grows with the distance::

        E = 332.0716 q_i q_j / (D (r + 0.05 Å)^n)               times 0.75 for 1-4 pairs

    Args:
        params: ``charge`` [rows] e.
        distances: [atoms // 2, atoms, ...] r, Å, in the arrangement of :class:`Topology`.
        rows: [atoms] int32, row of each atom in the parameters; beyond them for a padded one.
        pair_kinds: [atoms // 2, atoms] int8; 0 where a pair does not interact, 1 for 1-4 pairs.
        dielectric: constant and model.

    Returns:
        [atoms // 2, atoms, ...], kcal/mol; 0 where a pair does not interact.

    Raises:
        ValueError: a parameter is missing or misspelt, or the dielectric makes no sense.

    Reference:
        T. A. Halgren, J. Comput. Chem. 17, 490 (1996), eq. 13.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.potentials.mmff94 import Dielectric, electrostatics
        >>> r, rows, kinds = jnp.array([[1.95, 1.95]]), jnp.array([0, 1]), jnp.array([[2, 0]])
        >>> for dielectric in Dielectric(), Dielectric(4.0, "distance"):
        ...     print(f"{electrostatics({'charge': [1.0, -1.0]}, r, rows, kinds, dielectric)[0, 0]:.4f}")
        -166.0358
        -20.7545
    """
    products = charge_products(params, rows, pair_kinds, distances.dtype, dielectric)
    return coulomb_and_slope(distances, products.reshape(products.shape + (1,) * (distances.ndim - 2)), dielectric)[0]


def coulomb_and_slope(r: jax.Array, product: jax.Array, dielectric: Dielectric) -> tuple[jax.Array, jax.Array]:
    """The buffered Coulomb law, Halgren's eq. 13, and its derivative with respect to r; finite at r = 0."""
    inverse = 1.0 / (r + BUFFER)
    if dielectric.model == "distance":
        energy = product * inverse * inverse
        return energy, -2.0 * energy * inverse
    energy = product * inverse
    return energy, -energy * inverse


def charge_products(
    params: RowParams, rows: jax.Array, pair_kinds: jax.Array, dtype: Any, dielectric: Dielectric
) -> jax.Array:
    """332.0716 q_i q_j / D, scaled by the kind of the pair.

    Args:
        params: ``charge`` [rows] e.
        rows: [atoms] int32.
        pair_kinds: [atoms // 2, atoms] int8.
        dtype: float type of the result.
        dielectric: constant and model.

    Returns:
        [atoms // 2, atoms], kcal/mol Å^n.
    """
    (q,) = rows_of("electrostatics", params, rows, 1, dtype)
    none, near, full = (jnp.asarray(number, dtype) for number in (0.0, ONE_FOUR_SCALE, 1.0))
    scale = jnp.where(pair_kinds == EXCLUDED, none, jnp.where(pair_kinds == ONE_FOUR, near, full))
    q_i, q_j = both(q)
    return (COULOMB / dielectric.checked().constant) * scale * q_i * q_j
