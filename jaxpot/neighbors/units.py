"""A warning where lengths seem to be in a unit other than Å."""

from __future__ import annotations

import warnings

import numpy as np

from jaxpot.neighbors.plan import Built, Plan

__all__ = ["warn_of_other_units"]

TOO_SHORT = 0.5  # Å; the shortest bond, of H2, has 0.74
SAMPLE = 256  # centers whose nearest neighbours are examined


def warn_of_other_units(plan: Plan, built: Built, positions: np.ndarray, real: np.ndarray, full: np.ndarray) -> None:
    """Warn where most atoms have a neighbour closer than two nuclei ever are; usually the lengths are in nm then.

    A system of two atoms gives no warning: they may be close on purpose, as in the energy curve of a dimer. The
    distances are also compared with the cutoff, because of models in reduced units.

    Args:
        plan: the plan of the list.
        built: the list, on the host.
        positions: [atoms, 3].
        real: [atoms] bool, False for padded atoms.
        full: [3, 3], the cell, completed.
    """
    if real.sum() == 2:
        return
    central = built.row_of_atom[real & (built.row_of_atom < plan.centers)]
    sample = central[np.linspace(0, len(central) - 1, min(len(central), SAMPLE)).astype(int)]
    places = positions[built.source] + built.offset @ full
    slots = built.rows[sample]
    edges = places[np.minimum(slots, plan.rows - 1)] - places[sample][:, None]
    distances = np.where(slots < plan.rows, np.linalg.norm(edges, axis=-1), np.inf)
    nearest = distances.min(axis=1, initial=np.inf)
    if nearest.size and np.median(nearest) < min(TOO_SHORT, 0.1 * plan.cutoff):
        warnings.warn(
            f"most atoms have a neighbour closer than {TOO_SHORT} Å: are the lengths in nm? jaxpot takes Å; multiply "
            "positions and cell by 10",
            stacklevel=2,
        )
