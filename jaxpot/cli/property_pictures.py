"""Pictures of the properties of a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxpot.plot import BLUE, GREEN, GREY, ORANGE, RED
from jaxpot.properties import Bands, EquationOfState, Surface, youngs_modulus
from jaxpot.units import GPA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_bands", "draw_elasticity", "draw_equation_of_state", "draw_surfaces", "miller"]

PLANES = (("xy", (0, 1), BLUE), ("xz", (0, 2), ORANGE), ("yz", (1, 2), GREEN))


def draw_equation_of_state(found: EquationOfState, title: str) -> Figure:
    """Draws energies at several volumes, and Birch and Murnaghan's equation through them.

    Args:
        found: from :func:`jaxpot.properties.equation_of_state`.
        title: title of the picture.

    Returns:
        The figure.
    """
    from ase.eos import birchmurnaghan

    figure = _figure(6.0, 4.2)
    axes = figure.add_subplot()
    fine = np.linspace(found.volumes.min(), found.volumes.max(), 200)
    parameters = found.energy, found.bulk_modulus * GPA, found.bulk_modulus_slope, found.volume
    axes.plot(fine, 1e3 * (birchmurnaghan(fine, *parameters) - found.energy), color=BLUE, linewidth=1.4,
              label="Birch-Murnaghan")  # fmt: skip
    axes.plot(found.volumes, 1e3 * (found.energies - found.energy), "o", color=ORANGE, markersize=4.5, label="computed")
    axes.axvline(found.volume, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="volume (Å$^3$/atom)", ylabel="energy above the minimum (meV/atom)")
    axes.legend(frameon=False, fontsize=9, loc="upper center")
    modulus = f"B = {found.bulk_modulus:.1f} GPa, B' = {found.bulk_modulus_slope:.2f}"
    numbers = f"V = {found.volume:.3f} Å$^3$/atom, {modulus}"
    axes.set_title(f"{title}: equation of state\n{numbers}", fontsize=11)
    return figure


def draw_elasticity(constants: np.ndarray, title: str) -> Figure:
    """Draws Young's modulus along all directions of three planes.

    Args:
        constants: [6, 6] GPa.
        title: title of the picture.

    Returns:
        The figure.
    """
    angles = np.linspace(0, 2 * np.pi, 361)
    figure = _figure(5.6, 5.4)
    axes: Any = figure.add_subplot(projection="polar")
    for k, (name, (i, j), color) in enumerate(PLANES):
        directions = np.zeros((len(angles), 3))
        directions[:, i], directions[:, j] = np.cos(angles), np.sin(angles)
        style = {"linewidth": 4.2 - 1.4 * k, "linestyle": "-" if k < 2 else "--"}  # curves may lie upon each other
        axes.plot(angles, youngs_modulus(constants, directions), color=color, label=f"plane {name}", **style)
    axes.set_ylim(0, None)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(-0.12, -0.12))
    axes.set_title(f"{title}: Young's modulus along directions of a plane (GPa)", fontsize=11, pad=16)
    return figure


def draw_bands(found: Bands, title: str) -> Figure:
    """Draws phonon bands and the density of states beside them.

    Args:
        found: from :func:`jaxpot.properties.phonon_bands`.
        title: title of the picture.

    Returns:
        The figure.
    """
    figure = _figure(8.0, 4.4)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3.2, 1])
    left.plot(found.distances, found.frequencies, color=BLUE, linewidth=1.2)
    for at, _ in found.labels:
        left.axvline(at, color=GREY, linewidth=0.6)
    left.axhline(0, color=GREY, linewidth=0.6)
    left.set_xticks([at for at, _ in found.labels], [name for _, name in found.labels])
    left.set(ylabel="frequency (THz)", xlim=(0, found.distances[-1]))
    least = float(np.nanmin(found.frequencies))
    if least < -0.05:
        left.axhspan(1.1 * least, 0, color=RED, alpha=0.08, linewidth=0)
        left.text(0.02, 0.02, "imaginary frequencies: unstable", transform=left.transAxes, color=RED, fontsize=9)
    else:
        left.set_ylim(0, None)
    right.fill_betweenx(found.dos_frequencies, found.dos, color=ORANGE, alpha=0.35, linewidth=0)
    right.plot(found.dos, found.dos_frequencies, color=ORANGE, linewidth=1.2)
    right.set(xlabel="density of states\n(1/THz per cell)", xlim=(0, None))
    figure.suptitle(f"{title}: phonons", fontsize=11)
    return figure


def draw_surfaces(found: Sequence[Surface], title: str) -> Figure:
    """Draws the energies of surfaces.

    Args:
        found: from :func:`jaxpot.properties.surface_energies`.
        title: title of the picture.

    Returns:
        The figure.
    """
    figure = _figure(max(4.5, 1.1 * len(found) + 2.0), 4.0)
    axes = figure.add_subplot()
    for k, (label, color) in enumerate((("unrelaxed", GREY), ("relaxed", BLUE))):
        energies = [one.unrelaxed if k == 0 else one.energy for one in found]
        bars = axes.bar(np.arange(len(found)) + 0.38 * (k - 0.5), energies, 0.36, color=color, label=label)
        axes.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
    axes.set_xticks(range(len(found)), [f"({miller(one.indices)})" for one in found])
    axes.set(ylabel="surface energy (J/m$^2$)")
    axes.margins(y=0.2)
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper center")
    axes.set_title(f"{title}: surfaces", fontsize=11)
    return figure


def miller(indices: Sequence[int]) -> str:
    """Miller indices as people write them, such as 110, or 1 -1 0 where one is negative.

    Args:
        indices: [3].
    """
    return ("" if all(0 <= k < 10 for k in indices) else " ").join(map(str, indices))


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=130, layout="constrained")
