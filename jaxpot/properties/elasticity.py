"""Elastic constants of any crystal, with atoms relaxed in every strained cell, and the moduli that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxpot.evaluation import Params
from jaxpot.potential import Potential
from jaxpot.properties.relaxed import all_relaxed, relaxed
from jaxpot.units import GPA

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["ElasticModuli", "elastic_constants", "elastic_moduli", "youngs_modulus"]


def elastic_constants(
    potential: Potential, params: Params, atoms: Atoms, strain: float = 2e-3, force: float = 1e-4
) -> np.ndarray:
    """The elastic constants C_ij of a crystal, by central differences of the stress.

    C_ij = d sigma_i / d e_j in Voigt's notation (xx, yy, zz, yz, xz, xy; shears are twice the tensor's), symmetrised.

    Args:
        potential: any potential.
        params: its parameters.
        atoms: the crystal; it is first relaxed together with its cell.
        strain: strain of the differences.
        force: eV/Å, largest force after relaxation.

    Returns:
        [6, 6] GPa.

    Raises:
        ValueError: a relaxation does not converge.
    """
    start = relaxed(potential, params, atoms, cell=True, force=force)
    rows, columns = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
    strained = []
    for j in range(6):
        for sign in (1.0, -1.0):
            tensor = np.zeros((3, 3))
            tensor[rows[j], columns[j]] += 0.5 * sign * strain
            tensor[columns[j], rows[j]] += 0.5 * sign * strain
            moved = start.copy()
            moved.set_cell(start.cell.array @ (np.eye(3) + tensor), scale_atoms=True)
            strained.append(moved)
    found = all_relaxed(potential, params, strained, force=force)
    stresses = np.array([np.asarray(one.stress)[rows, columns] for one in found]).reshape(6, 2, 6)
    constants = (stresses[:, 0] - stresses[:, 1]).T / (2 * strain) / GPA
    return 0.5 * (constants + constants.T)


class ElasticModuli(NamedTuple):
    """Moduli of a polycrystal, and how far a crystal is from being isotropic.

    Attributes:
        bulk: GPa, Hill's mean of Voigt's and Reuss's bounds.
        shear: GPa, likewise.
        young: GPa, 9 K G / (3 K + G).
        poisson: (3 K - 2 G) / (6 K + 2 G).
        anisotropy: the universal index 5 G_V / G_R + K_V / K_R - 6, 0 for an isotropic crystal.
        stable: whether every strain costs energy (Born's criterion): all eigenvalues of C are positive.
    """

    bulk: float
    shear: float
    young: float
    poisson: float
    anisotropy: float
    stable: bool


def elastic_moduli(constants: Any) -> ElasticModuli:
    """Moduli of a polycrystal from the elastic constants of the crystal::

        9 K_V = C11 + C22 + C33 + 2 (C12 + C13 + C23)     1 / K_R = S11 + S22 + S33 + 2 (S12 + S13 + S23)
        15 G_V = C11 + C22 + C33 - (C12 + C13 + C23) + 3 (C44 + C55 + C66)
        15 / G_R = 4 (S11 + S22 + S33) - 4 (S12 + S13 + S23) + 3 (S44 + S55 + S66)

    with S = C^-1.

    Args:
        constants: [6, 6] GPa, as :func:`elastic_constants` gives them.

    Returns:
        The :class:`ElasticModuli`.

    Raises:
        ValueError: the constants are not a symmetric matrix [6, 6] that can be inverted.

    Example:
        >>> import numpy as np
        >>> isotropic = np.diag([70.0] * 3 + [30.0] * 3)
        >>> isotropic[:3, :3] += 40.0 - 10.0 * np.eye(3)
        >>> f"{elastic_moduli(isotropic).bulk:.1f} GPa, {elastic_moduli(isotropic).shear:.1f} GPa"
        '60.0 GPa, 30.0 GPa'

    Reference:
        R. Hill, Proc. Phys. Soc. A 65, 349 (1952); S. I. Ranganathan, M. Ostoja-Starzewski, Phys. Rev. Lett. 101,
        055504 (2008).
    """
    c, s = _checked(constants)
    bulk_voigt = c[:3, :3].sum() / 9
    bulk_reuss = 1 / s[:3, :3].sum()
    shears = np.trace(c[3:, 3:]), np.trace(s[3:, 3:])
    diagonal, rest = np.trace(c[:3, :3]), np.triu(c[:3, :3], 1).sum()
    shear_voigt = (diagonal - rest + 3 * shears[0]) / 15
    shear_reuss = 15 / (4 * np.trace(s[:3, :3]) - 4 * np.triu(s[:3, :3], 1).sum() + 3 * shears[1])
    bulk, shear = 0.5 * (bulk_voigt + bulk_reuss), 0.5 * (shear_voigt + shear_reuss)
    return ElasticModuli(
        float(bulk),
        float(shear),
        float(9 * bulk * shear / (3 * bulk + shear)),
        float((3 * bulk - 2 * shear) / (6 * bulk + 2 * shear)),
        float(5 * shear_voigt / shear_reuss + bulk_voigt / bulk_reuss - 6),
        bool(np.linalg.eigvalsh(c).min() > 0),
    )


def youngs_modulus(constants: Any, directions: Any) -> np.ndarray:
    """Young's modulus of a crystal that is pulled along a direction, 1 / E = S_ijkl n_i n_j n_k n_l.

    Args:
        constants: [6, 6] GPa, as :func:`elastic_constants` gives them.
        directions: [..., 3], of any length.

    Returns:
        [...] GPa.

    Raises:
        ValueError: as in :func:`elastic_moduli`.

    Example:
        >>> import numpy as np
        >>> cubic = np.diag([170.0] * 3 + [76.0] * 3)
        >>> cubic[:3, :3] += 123.0 * (1 - np.eye(3))
        >>> youngs_modulus(cubic, [[1, 0, 0], [1, 1, 1]]).round()
        array([ 67., 193.])

    Reference:
        J. F. Nye, Physical Properties of Crystals (1957), chapter VIII.
    """
    _, s = _checked(constants)
    n = np.asarray(directions, np.float64)
    x, y, z = np.moveaxis(n / np.linalg.norm(n, axis=-1, keepdims=True), -1, 0)
    v = np.stack([x * x, y * y, z * z, y * z, x * z, x * y], axis=-1)
    return np.asarray(1.0 / np.einsum("...i,ij,...j", v, s, v))


def _checked(constants: Any) -> tuple[np.ndarray, np.ndarray]:
    """The constants and their inverse."""
    c = np.asarray(constants, np.float64)
    if c.shape != (6, 6) or not np.allclose(c, c.T, atol=1e-6 * np.abs(c).max()):
        raise ValueError(f"elastic constants are a symmetric matrix [6, 6] in GPa; got shape {list(c.shape)}")
    try:
        return c, np.linalg.inv(c)
    except np.linalg.LinAlgError:
        raise ValueError("a strain costs no energy by these elastic constants; look at the crystal") from None
