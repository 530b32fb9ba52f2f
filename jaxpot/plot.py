"""Pictures of runs: energy, temperature and pressure in time, and the radial distribution function.

matplotlib is imported when a picture is drawn, and draws into files without any display.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure

__all__ = ["plot_parity", "plot_radial_distribution", "plot_thermo", "radial_distribution"]

BLUE, ORANGE, GREY, RED = "#2a6fbb", "#d9822b", "#7a7a7a", "#b5342a"


def radial_distribution(
    frames: Sequence[Atoms], r_max: float = 8.0, bins: int = 200
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The radial distribution function g(r), averaged over frames.

    g(r) = n(r) / (4 pi r^2 dr N/V), with n(r) the mean number of atoms in the shell around an atom: 1 for an ideal gas.

    Args:
        frames: ASE ``Atoms``, periodic in all directions; images count, so r_max may exceed the cell.
        r_max: Å.
        bins: number of shells.

    Returns:
        Middles of the shells [bins] Å, g [bins], and the mean number of neighbours up to the outer edge of each shell
        [bins].

    Raises:
        ValueError: no frames, or a frame that is not periodic in all directions.

    Example:
        >>> from ase.build import bulk
        >>> r, g, coordination = radial_distribution([bulk("Fe", "bcc", a=2.87, cubic=True)], r_max=3.5, bins=35)
        >>> f"{r[g > 0][0]:.2f}, {coordination[-1]:.0f} neighbours"
        '2.45, 14 neighbours'
    """
    from vesin import NeighborList

    if not frames:
        raise ValueError("a radial distribution function needs at least one frame")
    edges = np.linspace(0.0, r_max, bins + 1)
    g, neighbors = np.zeros(bins), np.zeros(bins)
    for atoms in frames:
        if not atoms.pbc.all():
            raise ValueError(f"g(r) needs a system that repeats in all directions, got pbc={atoms.pbc.tolist()}")
        distances = NeighborList(cutoff=r_max, full_list=True).compute(
            points=atoms.positions, box=atoms.cell.array, periodic=True, quantities="d"
        )[0]
        counts = np.histogram(distances, edges)[0] / len(atoms)
        shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
        g += counts / (shells * len(atoms) / atoms.cell.volume) / len(frames)
        neighbors += np.cumsum(counts) / len(frames)
    return 0.5 * (edges[1:] + edges[:-1]), g, neighbors


def plot_radial_distribution(
    frames: Sequence[Atoms], path: str | os.PathLike[str], r_max: float = 8.0, title: str = ""
) -> Path:
    """A picture of the radial distribution function of frames.

    Args:
        frames: as for :func:`radial_distribution`.
        path: of the picture; its ending chooses the format.
        r_max: Å.
        title: over the picture.

    Returns:
        The path.
    """
    r, g, neighbors = radial_distribution(frames, r_max)
    figure = _figure(7.0, 4.2)
    axes = figure.add_subplot()
    axes.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(r, g, color=BLUE, linewidth=1.6)
    axes.set(xlabel="distance r (Å)", ylabel="g(r)", xlim=(0, r_max), ylim=(0, None))
    axes.set_title(title or f"Radial distribution function, mean of {len(frames)} frames", fontsize=11)
    other = axes.twinx()
    other.plot(r, neighbors, color=ORANGE, linewidth=1.0, linestyle="--")
    other.set_ylabel("neighbours within r", color=ORANGE)
    other.set_ylim(0, 2.0 * float(np.interp(0.6 * r_max, r, neighbors)) or 1.0)
    return _saved(figure, path)


def plot_thermo(columns: dict[str, Any], path: str | os.PathLike[str], title: str = "", atoms: int = 1) -> Path:
    """A picture of energies, temperature and pressure in time.

    Args:
        columns: those of a ``thermo.csv``, as :func:`jaxpot.simulate.output.read_thermo` gives them.
        path: of the picture; its ending chooses the format.
        title: over the picture.
        atoms: their number; energies are shown per atom.

    Returns:
        The path.
    """
    time = columns["time_ps"]
    pressure = columns["pressure_bar"]
    rows = 3 if np.isfinite(pressure).any() else 2
    figure = _figure(7.5, 2.4 * rows)
    panels = figure.subplots(rows, 1, sharex=True)
    for name, label, color in (("potential_eV", "potential", BLUE), ("kinetic_eV", "kinetic", ORANGE)):
        panels[0].plot(time, 1e3 * (columns[name] - columns[name][0]) / atoms, color=color, linewidth=1.2, label=label)
    conserved = columns["conserved_eV"] if np.isfinite(columns["conserved_eV"]).any() else columns["total_eV"]
    label = "conserved" if conserved is columns["conserved_eV"] else "total"
    panels[0].plot(time, 1e3 * (conserved - conserved[0]) / atoms, color="black", linewidth=1.2, label=label)
    panels[0].set_ylabel("energy change\n(meV/atom)")
    panels[0].legend(loc="upper left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize=8, frameon=False)
    panels[0].margins(y=0.25)
    panels[1].plot(time, columns["temperature_K"], color=RED, linewidth=1.2)
    panels[1].set_ylabel("temperature (K)")
    panels[1].set_ylim(0, None)
    if rows == 3:
        panels[2].plot(time, 1e-4 * pressure, color=GREY, linewidth=1.2)
        panels[2].set_ylabel("pressure (GPa)")
    panels[-1].set_xlabel("time (ps)")
    panels[0].set_title(title, fontsize=11)
    return _saved(figure, path)


def plot_parity(
    reference: dict[str, Any],
    found: dict[str, Any],
    groups: dict[str, Any],
    path: str | os.PathLike[str],
    title: str = "",
) -> Path:
    """A picture of predictions against labels, one panel a quantity, one colour a group.

    Args:
        reference: labels by quantity, such as ``"energy (eV/atom)"``, [values].
        found: predictions likewise.
        groups: name of the group of each value likewise, [values].
        path: of the picture; its ending chooses the format.
        title: over the picture.

    Returns:
        The path.
    """
    names = [name for name, values in reference.items() if len(values)]
    figure = _figure(4.4 * len(names), 4.4)
    kinds = list(dict.fromkeys(group for name in names for group in groups[name]))
    colors = [BLUE, ORANGE, "#4a9d5b", RED, "#8560a8", GREY]
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        own = np.asarray(groups[name])
        x, y = np.asarray(reference[name]), np.asarray(found[name])
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color="black", linewidth=0.8)
        for k, kind in enumerate(kinds):
            some = own == kind
            axes.plot(x[some], y[some], ".", markersize=3, color=colors[k % len(colors)], label=kind or None)
        error = np.abs(x - y)
        axes.set(xlabel=f"reference {name}", ylabel=f"potential {name}", aspect="equal")
        axes.set_title(f"MAE {error.mean():.4g}, RMSE {np.sqrt((error**2).mean()):.4g}", fontsize=10)
    if any(kinds):
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    return _saved(figure, path)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _saved(figure: Figure, path: str | os.PathLike[str]) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=130)
    return Path(path)
