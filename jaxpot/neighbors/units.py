"""Whether lengths look as if they were in another unit than Å."""

from __future__ import annotations

import warnings

import numpy as np

from jaxpot.neighbors.plan import Built, Plan

__all__ = ["warn_of_other_units"]

TOO_SHORT = 0.5  # Å; the shortest bond, of H2, has 0.74
SAMPLE = 256  # centres whose nearest neighbours are looked at


def warn_of_other_units(plan: Plan, built: Built, positions: np.ndarray, real: np.ndarray, full: np.ndarray) -> None:
    """Warn where most atoms have a neighbour at a distance at which no two nuclei are: lengths in nm, as a rule.

    A pair of atoms on top of each other is something else, and may be meant, as in the curve of a dimer's energy. The
    distances are compared with the cutoff too, for models in reduced units.

    Args:
        plan: of a list.
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
