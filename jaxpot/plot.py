"""Pictures of runs (energies in time, radial distribution function), fits, trainings and uncertainties.

Every ``plot_`` function draws a new figure, or draws into axes of yours with ``ax=``, and returns the figure; write it
to a file with ``figure.savefig(path)``. matplotlib is imported when a picture is drawn, and needs no display.
:func:`use_style` gives other pictures the same style.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxpot.uncertainty.calibration import Reliability

__all__ = [
    "plot_learning_curve",
    "plot_parity",
    "plot_radial_distribution",
    "plot_reliability",
    "plot_spread",
    "plot_thermo",
    "radial_distribution",
    "use_style",
]

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#2a6fbb", "#d9822b", "#4a9d5b", "#b5342a", "#8560a8", "#7a7a7a"
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)
STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "grid.alpha": 0.3,
    "legend.fontsize": 9,
    "legend.frameon": False,
}


def use_style(dpi: float = 70) -> None:
    """Draws all further pictures of matplotlib's ``pyplot`` in the style of this module, as the notebooks do.

    Args:
        dpi: pixels an inch.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> use_style()
        >>> plt.rcParams["axes.grid"]
        True
    """
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.rcParams.update(STYLE | {"axes.prop_cycle": cycler(color=COLORS), "figure.dpi": dpi})


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
    frames: Sequence[Atoms], r_max: float = 8.0, title: str = "", ax: Axes | None = None
) -> Figure:
    """Draws the radial distribution function of frames.

    Args:
        frames: as for :func:`radial_distribution`.
        r_max: Å.
        title: title of the picture.
        ax: axes to draw into; a new figure by default.

    Returns:
        The figure.
    """
    r, g, neighbors = radial_distribution(frames, r_max)
    [axes] = _panels(7.0, 4.2, ax)
    axes.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(r, g, color=BLUE, linewidth=1.6)
    axes.set(xlabel="distance r (Å)", ylabel="g(r)", xlim=(0, r_max), ylim=(0, None))
    axes.set_title(title or f"Radial distribution function, mean of {len(frames)} frames", fontsize=11)
    other = axes.twinx()
    other.grid(visible=False)
    other.spines["top"].set_visible(False)
    other.plot(r, neighbors, color=ORANGE, linewidth=1.0, linestyle="--")
    other.set_ylabel("neighbours within r", color=ORANGE)
    other.set_ylim(0, 2.0 * float(np.interp(0.6 * r_max, r, neighbors)) or 1.0)
    return _of(axes)


def plot_thermo(columns: dict[str, Any], title: str = "", atoms: int = 1, ax: Sequence[Axes] | None = None) -> Figure:
    """Draws energies, temperature and pressure in time, and volume and density where they change.

    Args:
        columns: columns of a ``thermo.csv``, from :func:`jaxpot.simulate.output.read_thermo`.
        title: title of the picture.
        atoms: number of atoms; energies and volume are shown per atom.
        ax: axes of the panels (energy, temperature, pressure where known, and volume and density where they change) to
            draw into; a new figure by default.

    Returns:
        The figure.
    """
    time, pressure, volume = (columns[name] for name in ("time_ps", "pressure_bar", "volume_A3"))
    periodic = bool(np.isfinite(pressure).any())
    moving = periodic and np.nanmax(volume) - np.nanmin(volume) > 1e-9 * np.nanmax(volume)
    number = 5 if moving else 3 if periodic else 2
    panels = _panels(7.5, (1.9 if moving else 2.4) * number, ax, number, 1)
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
    if periodic:
        panels[2].plot(time, 1e-4 * pressure, color=GREY, linewidth=1.2)
        panels[2].set_ylabel("pressure (GPa)")
    if moving:
        panels[3].plot(time, volume / atoms, color=BLUE, linewidth=1.2)
        panels[3].set_ylabel("volume\n(Å$^3$/atom)")
        panels[4].plot(time, columns["density_g_cm3"], color=ORANGE, linewidth=1.2)
        panels[4].set_ylabel("density (g/cm$^3$)")
        panels[3].ticklabel_format(useOffset=False)
    panels[-1].set_xlabel("time (ps)")
    panels[0].set_title(title, fontsize=11)
    return _of(panels[0])


def plot_parity(
    reference: dict[str, Any],
    found: dict[str, Any],
    groups: dict[str, Any] | None = None,
    title: str = "",
    ax: Sequence[Axes] | None = None,
) -> Figure:
    """Draws predictions against labels, one panel for each quantity and one colour for each group.

    Args:
        reference: labels by quantity, such as ``"energy (eV/atom)"``, [values].
        found: predictions by quantity, [values].
        groups: name of the group of each value, by quantity, [values]; one colour for all if None.
        title: title of the picture.
        ax: axes, one for each quantity to draw into; a new figure by default.

    Returns:
        The figure.
    """
    names = [name for name, values in reference.items() if len(values)]
    groups = {name: [""] * len(reference[name]) for name in names} if groups is None else groups
    panels = _panels(4.4 * len(names), 4.4, ax, 1, len(names))
    kinds = list(dict.fromkeys(group for name in names for group in groups[name]))
    for axes, name in zip(panels, names, strict=True):
        own = np.asarray(groups[name])
        x, y = np.asarray(reference[name]), np.asarray(found[name])
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color="black", linewidth=0.8)
        for k, kind in enumerate(kinds):
            some = own == kind
            axes.plot(x[some], y[some], ".", markersize=3, color=COLORS[k % len(COLORS)], label=kind or None)
        error = np.abs(x - y)
        axes.set(xlabel=f"reference {name}", ylabel=f"potential {name}", aspect="equal")
        unit = " ".join(re.findall(r"\((.*)\)", name))  # of "energy (eV/atom)"
        mean, root = error.mean(), np.sqrt((error**2).mean())
        axes.set_title(f"MAE {mean:.3g}, RMSE {root:.3g} {unit}".rstrip(), fontsize=10)
    figure = _of(panels[0])
    if any(kinds):
        handles, labels = axes.get_legend_handles_labels()
        if ax is None:
            figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
        else:
            axes.legend(handles, labels, fontsize=8, frameon=False)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def plot_learning_curve(history: dict[str, np.ndarray], title: str = "", ax: Sequence[Axes] | None = None) -> Figure:
    """Draws the errors of energies and forces of each epoch, on training and validation data.

    A circle marks the validation minimum of each.

    Args:
        history: the history in a :class:`jaxpot.fit.TrainResult`; each member of an ensemble has its own line.
        title: title of the picture.
        ax: two axes, for energies and for forces to draw into; a new figure by default.

    Returns:
        The figure.
    """
    panels = _panels(8.0, 3.4, ax, 1, 2)
    for axes, kind, factor, label in (
        (panels[0], "energy", 1e3, "energy RMSE (meV/atom)"),
        (panels[1], "forces", 1e3, "force RMSE (meV/Å)"),
    ):
        for part, color in (("train", BLUE), ("validation", ORANGE)):
            epochs, values = (np.asarray(history[name]) for name in ("epoch", f"{part}_{kind}_rmse"))
            epochs, values = epochs.reshape(len(epochs), -1), factor * values.reshape(len(values), -1)
            for m in range(values.shape[1]):
                known = np.isfinite(values[:, m])
                if known.any():
                    axes.plot(epochs[known, m], values[known, m], color=color, linewidth=1.1,
                              alpha=1.0 if values.shape[1] == 1 else 0.5, label=part if m == 0 else None)  # fmt: skip
                if known.any() and part == "validation":
                    least = np.nanargmin(values[:, m])
                    axes.plot(epochs[least, m], values[least, m], "o", color=color, fillstyle="none", clip_on=False)
        axes.set(xlabel="epoch", ylabel=label, yscale="log")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)
    panels[0].set_title(title)
    return _of(panels[0])


def plot_reliability(curves: dict[str, Reliability], title: str = "", ax: Axes | None = None) -> Figure:
    """Draws a reliability diagram: a curve below the diagonal is overconfident, above it underconfident.

    Args:
        curves: {name: :func:`jaxpot.uncertainty.reliability`}.
        title: title of the picture.
        ax: axes to draw into; a new figure by default.

    Returns:
        The figure.
    """
    [axes] = _panels(4.8, 4.6, ax)
    axes.fill_between([0, 1], [0, 1], 0, color=RED, alpha=0.07, linewidth=0)
    axes.fill_between([0, 1], [0, 1], 1, color=BLUE, alpha=0.07, linewidth=0)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle="--")
    axes.text(0.96, 0.06, "overconfident", color=RED, ha="right", fontsize=9)
    axes.text(0.04, 0.92, "underconfident", color=BLUE, fontsize=9)
    for (name, curve), color in zip(curves.items(), (ORANGE, BLUE, "black", RED, GREY) * len(curves), strict=False):
        axes.plot(curve.expected, curve.observed, color=color, linewidth=1.8,
                  label=f"{name}: {curve.verdict}, area {curve.area:.3f}")  # fmt: skip
    axes.set(xlabel="expected share of errors within the interval", ylabel="observed share", xlim=(0, 1), ylim=(0, 1))
    axes.set_aspect("equal")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.0, 0.9), frameon=False)
    axes.set_title(title or "Reliability of the uncertainties", fontsize=11)
    return _of(axes)


def plot_spread(errors: Any, spreads: Any, unit: str = "eV/Å", title: str = "", ax: Axes | None = None) -> Figure:
    """Draws errors against predicted uncertainties on logarithmic axes, with the rank correlation.

    Args:
        errors: prediction minus reference.
        spreads: predicted standard deviations, of the same shape.
        unit: unit of both, for the axes.
        title: title of the picture.
        ax: axes to draw into; a new figure by default.

    Returns:
        The figure.
    """
    from scipy.stats import spearmanr

    x, y = np.ravel(spreads), np.abs(np.ravel(errors))
    [axes] = _panels(4.8, 4.2, ax)
    axes.plot(x, y, ".", color=BLUE, markersize=3, alpha=0.35, markeredgewidth=0)
    ends = np.array([x[x > 0].min(), x.max()])
    for factor, label in ((1.0, "1 spread"), (2.0, "2 spreads")):
        axes.plot(ends, factor * ends, color=GREY, linewidth=0.9, linestyle="--" if factor == 1 else ":", label=label)
    axes.set(xlabel=f"spread of the members ({unit})", ylabel=f"error ({unit})", xscale="log", yscale="log")
    axes.set_ylim(np.quantile(y[y > 0], 0.005), 2.0 * y.max())
    axes.legend(fontsize=8, loc="lower right", frameon=False)
    rank = float(spearmanr(x, y).statistic)
    axes.set_title(title or f"Rank correlation of error and spread {rank:.2f}", fontsize=11)
    return _of(axes)


def _panels(width: float, height: float, ax: Any, rows: int = 1, columns: int = 1) -> list[Axes]:
    """The axes given, or those of a new figure in the style of this module.

    Raises:
        ValueError: there are more or fewer axes than panels.
    """
    number = rows * columns
    if ax is not None:
        given: list[Axes] = list(np.ravel(ax))
        if len(given) != number:
            raise ValueError(
                f"this picture has {number} panel(s), and ax= has {len(given)} axes; "
                f"give plt.subplots({rows}, {columns})"
            )
        return given
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
        made: list[Axes] = list(np.ravel(figure.subplots(rows, columns, sharex=rows > 1)))
    return made


def _of(axes: Axes) -> Figure:
    """The figure of axes."""
    figure: Any = axes.get_figure()
    return figure
