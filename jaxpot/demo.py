"""``make demo``: molecular dynamics of bcc iron, first with a thermostat, then at constant energy.

2,000 atoms, Finnis-Sinclair 1984, 1 fs steps: 1 ps with a thermostat at 300 K, then 1 ps without, which shows how well
energy is conserved.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import click

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the demonstration.

    Args:
        arguments: of the command line; those of the process if None.
    """
    parser = argparse.ArgumentParser(prog="python -m jaxpot.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for what is written")
    parser.add_argument("--cells", type=int, default=10, help="cubic cells along each edge")
    parser.add_argument("--steps", type=int, default=1000, help="steps of either part")
    options = parser.parse_args(arguments)

    from jaxpot.cli.md import simulate
    from jaxpot.cli.structures import read_structures
    from jaxpot.io.load import load
    from jaxpot.simulate import Ensemble, RunSettings

    name, temperature = "finnis_sinclair_1984:Fe", 300.0
    potential, params = load(name)
    atoms = read_structures("bcc:Fe:2.8665:" + "x".join(3 * [str(options.cells)]))[0]
    click.echo(f"{len(atoms)} atoms of bcc iron, {name}, float32")
    parts = [
        # in a perfect crystal half of the initial kinetic energy becomes potential energy, so start at twice 300 K
        ("equilibration at 300 K", Ensemble("nvt", timestep=1.0, temperature=temperature), 2 * temperature),
        ("constant energy", Ensemble("nve", timestep=1.0), None),
    ]
    for k, (title, ensemble, velocities) in enumerate(parts, start=1):
        click.echo(f"\n{title}: {options.steps} steps of {ensemble.timestep:g} fs, {ensemble.name}")
        settings = RunSettings(ensemble, options.steps, initial_temperature=velocities)
        folder = options.output / f"{k}_{ensemble.name}"
        atoms = simulate(atoms, potential, params, settings, folder, force=True).atoms


if __name__ == "__main__":
    main()
