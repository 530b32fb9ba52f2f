"""The report of ``jaxpot fit`` on a trained network: errors on test structures, and calibration of its spread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from jaxpot.fit import Dataset
    from jaxpot.potential import Params, Potential

__all__ = ["member_errors", "test_errors"]


def member_errors(potential: Potential, params: Params, test: Dataset, members: int) -> dict[str, Any]:
    """Mean and standard deviation, over the members of an ensemble, of the errors of each member alone.

    Args:
        potential: the potential of one member.
        params: params of all members, with a leading axis.
        test: structures that no member has seen.
        members: how many there are.
    """
    import jax
    import numpy as np

    from jaxpot.uncertainty import assess

    each = [assess(potential, jax.tree.map(lambda x, k=k: x[k], params), test).summary() for k in range(members)]
    found = {}
    for name in each[0]:
        values = [one[name] for one in each]
        found[name] = {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}
        click.echo(f"single {name.replace('_', ' ', 2):32s} {found[name]['mean']:10.4f} +- {found[name]['std']:.4f}")
    return found


def test_errors(
    final: Potential, params: Params, test: Dataset, held_back: Dataset, pictures: Path | None
) -> dict[str, Any]:
    """Errors on test structures; for an ensemble, also how well its spread predicts them.

    Args:
        final: the trained potential.
        params: its parameters.
        test: structures that played no part in the training.
        held_back: structures that the spread is rescaled with.
        pictures: folder for the pictures; None draws none.
    """
    from jaxpot.plot import plot_parity, plot_reliability, plot_spread
    from jaxpot.uncertainty import assess, reliability, rescaling, sharpness

    found = assess(final, params, test)
    report: dict[str, Any] = {"test": found.summary()}
    for name, value in report["test"].items():
        click.echo(f"test {name.replace('_', ' ', 2):34s} {value:10.4f}")
    if pictures is not None:
        known = {
            "energy (eV/atom)": (found.energies, found.predicted_energies),
            "force (eV/Å)": (found.forces, found.predicted_forces),
        }
        references, predictions = ({name: pair[k] for name, pair in known.items()} for k in (0, 1))
        plot_parity(references, predictions, title="Test structures").savefig(pictures / "parity.png")
    if found.force_spreads is None or not found.forces.size:
        return report
    import numpy as np
    from scipy.stats import spearmanr

    calibration = assess(final, params, held_back)
    scale = rescaling(calibration.force_errors, calibration.force_spreads)
    rescaled = scale(found.force_spreads)
    before, after = reliability(found.force_errors, found.force_spreads), reliability(found.force_errors, rescaled)
    lengths = (np.linalg.norm(v.reshape(-1, 3), axis=1) for v in (found.force_errors, found.force_spreads))
    report["uncertainty"] = {
        "spearman_force_components": float(spearmanr(abs(found.force_errors), found.force_spreads).statistic),
        "spearman_forces": float(spearmanr(*lengths).statistic),
        "rescaling": scale._asdict(),
        "miscalibration_area_before": before.area,
        "miscalibration_area": after.area,
        "sharpness_eV_per_A": sharpness(rescaled),
    }
    for name, value in report["uncertainty"].items():
        click.echo(f"test {name.replace('_', ' '):34s} {value}")
    if pictures is not None:
        plot_reliability({"as trained": before, "rescaled": after}).savefig(pictures / "reliability.png")
        plot_spread(found.force_errors, rescaled).savefig(pictures / "spread.png")
    return report
