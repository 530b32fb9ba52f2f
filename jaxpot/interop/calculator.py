"""The public door to ASE, which is imported when a calculator is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jaxpot.potential import Params, Potential

if TYPE_CHECKING:
    from jaxpot.interop.ase import Calculator

__all__ = ["calculator"]


def calculator(
    potential: Potential,
    params: Params,
    skin: float | None = None,
    dtype: Any = None,
    extras: Mapping[str, Any] | None = None,
) -> Calculator:
    """An ASE calculator of a potential: energy, free_energy, energies, forces, and stress where the cell has a volume.

    All of ASE works with it: optimisers, filters of the cell, NEB, phonons, molecular dynamics. Cell, positions,
    species, periodicity and number of atoms may change between calls; structures of different sizes are padded to a few
    shapes, each of which is compiled once for all calculators of the potential.

    Args:
        potential: any potential.
        params: its parameters; floats are cast to ``dtype``.
        skin: Å, extra radius of the neighbour list; a tenth of the cutoff by default.
        dtype: float type of the evaluation; JAX's default (float32 unless x64 is enabled) if None. Phonons and tight
            tolerances of forces need float64.
        extras: named data that the potential needs, such as ``system.extras`` of a molecule with its topology; see
            :mod:`jaxpot.extras`. Those that are not given are taken from the structure, such as its initial charges.

    Returns:
        The calculator, in eV, Å, eV/Å and eV/Å^3.

    Raises:
        TypeError: arguments of other types, or in another order.
        ValueError: the params do not fit the potential or hold NaN; at a calculation, an element is unknown, or a
            structure makes no sense.
        FloatingPointError: at a calculation, an energy or force is not finite; the message names the atom.

    Example:
        >>> import jaxpot
        >>> from ase.build import bulk
        >>> from ase.filters import FrechetCellFilter
        >>> from ase.optimize import BFGS
        >>> argon = bulk("Ar", a=5.0)
        >>> argon.calc = jaxpot.calculator(jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4})
        >>> bool(BFGS(FrechetCellFilter(argon), logfile=None).run(fmax=0.001))
        True
        >>> f"{argon.cell.cellpar()[0] * 2**0.5:.2f} Å"
        '5.27 Å'
    """
    from jaxpot.interop.ase import Calculator

    return Calculator(potential, params, skin, dtype, extras)
