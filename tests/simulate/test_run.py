"""Runs on disk: interrupted in every way they go on as if nothing had been; what is written can be read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.io.folders import FolderInUseError, write_atomically
from jaxpot.plot import radial_distribution
from jaxpot.simulate import RestartError, SimulationError, Thermo, run_md
from jaxpot.simulate.output import read_thermo
from tests.conftest import FLOAT32, REPOSITORY
from tests.simulate import argon

pytestmark = pytest.mark.skipif(FLOAT32, reason="runs choose their precision themselves, and float64 needs x64")

SIGINT_AT = 45


def interrupted(step: int, number: int) -> Callable[[Thermo, float], None]:
    """A signal that arrives while a step is being recorded."""

    def on_progress(row: Thermo, rate: float) -> None:
        if row.step == step:
            os.kill(os.getpid(), number)

    return on_progress


# NVT is the case of the run that is killed, below
@pytest.mark.slow
@pytest.mark.parametrize(("ensemble", "trajectory_format"), [("langevin", "extxyz"), ("npt", "traj")])
def test_a_run_that_was_interrupted_goes_on_bit_for_bit(ensemble: str, trajectory_format: str, tmp_path: Path) -> None:
    model, atoms = argon.potential(), argon.crystal()
    settings = argon.settings(ensemble, 80, trajectory_format=trajectory_format)
    whole = run_md(atoms, *model, settings, tmp_path / "whole")
    stop = interrupted(SIGINT_AT, signal.SIGINT)
    first = run_md(atoms, *model, settings, tmp_path / "parts", on_progress=stop)
    assert (first.step, first.finished) == (SIGINT_AT, False)
    # None: everything is in the restart file
    second = run_md(None, *model, settings, tmp_path / "parts", resume=True)
    assert (second.step, second.finished) == (80, True)
    assert argon.written(tmp_path / "parts") == argon.written(tmp_path / "whole")
    with np.load(tmp_path / "whole" / "restart.npz") as one, np.load(tmp_path / "parts" / "restart.npz") as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])

    thermo = read_thermo(whole.files.thermo)
    assert thermo["step"].tolist() == list(range(0, 81, 5))
    total, conserved = thermo["total_eV"], thermo["conserved_eV"]
    if ensemble == "langevin":
        assert np.isnan(conserved).all()
    else:
        assert np.ptp(conserved) < 0.02 * np.ptp(thermo["kinetic_eV"]) < np.ptp(total)

    frames = ase.io.read(whole.files.trajectory, index=":")
    assert [frame.info.get("step", 15 * k) for k, frame in enumerate(frames)] == list(range(0, 76, 15))
    expected = jaxpot.evaluate(*model, frames)
    for frame, row, result in zip(frames, thermo["potential_eV"][::3], expected, strict=False):
        assert frame.get_potential_energy() == pytest.approx(row, rel=1e-12)
        # extended XYZ rounds positions to eight decimals
        np.testing.assert_allclose(frame.get_forces(), result.forces, atol=1e-6)
        assert frame.get_potential_energy() == pytest.approx(result.energy, abs=1e-6)
        if ensemble != "langevin":
            assert np.abs(frame.get_momenta().sum(axis=0)).max() < 1e-4


KILLED = """
import os, signal, sys, jax
jax.config.update("jax_enable_x64", True)
from jaxpot.simulate import run_md
from tests.simulate import argon
from tests.simulate.test_run import interrupted
run_md(argon.crystal(), *argon.potential(), argon.settings("nvt", 80), sys.argv[1],
       on_progress=interrupted(55, signal.SIGKILL))
"""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_bit_for_bit(tmp_path: Path) -> None:
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(parts)], check=False, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}
    )
    assert done.returncode == -signal.SIGKILL
    # beyond the restart file at step 40, which is what the run has to fall back on
    assert read_thermo(parts / "thermo.csv")["step"][-1] >= 50
    model, settings = argon.potential(), argon.settings("nvt", 80)
    run_md(argon.crystal(), *model, settings, parts, resume=True)
    run_md(argon.crystal(), *model, settings, whole)
    assert argon.written(parts) == argon.written(whole)


def test_what_cannot_be_resumed(tmp_path: Path) -> None:
    model, atoms = argon.potential(), argon.crystal()
    settings = argon.settings("nve", 10)
    run_md(atoms, *model, settings, tmp_path)
    for other, said in (
        (argon.settings("nve", 10, thermo_every=10), "another thermo every"),
        (argon.settings("nvt", 10), "another name, temperature"),
        (argon.settings("nve", 5), "beyond the 5"),
    ):
        with pytest.raises(RestartError, match=said):
            run_md(atoms, *model, other, tmp_path, resume=True)
    with pytest.raises(RestartError, match="not the given structure"):
        run_md(Atoms("Ar", cell=[9, 9, 9], pbc=True), *model, settings, tmp_path, resume=True)
    restart = tmp_path / "restart.npz"
    for size in (0, 10, len(restart.read_bytes()) // 2, len(restart.read_bytes()) - 1):
        whole = restart.read_bytes()
        restart.write_bytes(whole[:size])
        with pytest.raises(RestartError, match="not a complete restart file"):
            run_md(atoms, *model, settings, tmp_path, resume=True)
        restart.write_bytes(whole)
    (tmp_path / "thermo.csv").write_text("")
    with pytest.raises(RestartError, match=r"thermo\.csv: shorter"):
        run_md(atoms, *model, settings, tmp_path, resume=True)


def test_a_run_goes_on_only_with_what_it_was_started_with(tmp_path: Path) -> None:
    (potential, params), atoms, settings = argon.potential(), argon.crystal(1), argon.settings("nve", 10)
    run_md(atoms, potential, params, settings, tmp_path)
    before = argon.written(tmp_path)

    def refused(said: str, atoms: Any = None, potential: Any = potential, params: Any = params) -> None:
        with pytest.raises(RestartError, match=said):
            run_md(atoms, potential, params, argon.settings("nve", 20), tmp_path, resume=True)
        assert argon.written(tmp_path) == before

    refused("another params", params=params | {"epsilon": params["epsilon"] * (1 + 1e-12)})
    refused("another potential", potential=jaxpot.lennard_jones(6.4, ("Ar",), mode="force_shifted"))
    refused(
        "another potential, params", potential=jaxpot.morse(6.5, ("Ar",)), params={"D0": 0.01, "alpha": 1.0, "r0": 3.0}
    )
    heavier, wider, moved = atoms.copy(), atoms.copy(), atoms.copy()
    heavier.set_masses(atoms.get_masses() + np.eye(4)[2])
    wider.cell[0, 1] += 1e-9
    moved.positions[1, 2] += 1e-9
    refused("structure of other masses;", heavier)
    refused("structure of other cell;", wider)
    refused("structure of other positions;", moved)
    result = run_md(atoms, potential, dict(reversed(params.items())), argon.settings("nve", 20), tmp_path, resume=True)
    assert result.finished


def test_potentials_of_functions_are_told_apart_by_their_forces(tmp_path: Path) -> None:
    def of(depth: float) -> Any:
        return jaxpot.pair_potential(lambda params, r: depth * (r - 3.0) ** 2 * (r - 6.0) ** 2, 6.0)

    atoms = argon.crystal(1)
    run_md(atoms, of(0.001), {}, argon.settings("nve", 10), tmp_path)
    with pytest.raises(RestartError, match=r"gives other forces than the run was started with, by .* eV/Å on atom"):
        run_md(None, of(0.0011), {}, argon.settings("nve", 20), tmp_path, resume=True)
    assert run_md(None, of(0.001), {}, argon.settings("nve", 20), tmp_path, resume=True).finished


def test_named_data_travel_with_a_run(tmp_path: Path) -> None:
    def energies(params: Any, system: Any, neighbors: Any) -> Any:
        x = system.positions
        return 0.05 * jnp.sum(x**2, axis=1) - system.extras["charges"] * (x @ system.extras["field"])

    potential = jaxpot.Potential("charges in a field", 0.0, ("Ar",), energies, needs=frozenset({"charges", "field"}))
    atoms = argon.crystal(1)
    extras = {"charges": [0.5, -0.5, 0.25, 0.0], "field": [0.1, 0.0, -0.2]}
    with pytest.raises(ValueError, match="needs field, which the system does not have"):
        run_md(
            atoms, potential, {}, argon.settings("nvt", 10), tmp_path / "none", extras={"charges": extras["charges"]}
        )

    def run(steps: int, name: str, extras: Any = extras, **options: Any) -> Any:
        return run_md(atoms, potential, {}, argon.settings("nvt", steps), tmp_path / name, extras=extras, **options)

    run(40, "whole")
    run(20, "parts")
    for other in (extras | {"field": [0.1, 0.0, 0.2]}, extras | {"charges": [0.5, -0.5, 0.0, 0.25]}):
        with pytest.raises(RestartError, match="another data"):
            run(40, "parts", other, resume=True)
    last = run(40, "parts", resume=True).atoms
    assert argon.written(tmp_path / "parts") == argon.written(tmp_path / "whole")
    forces = -0.1 * last.positions + np.outer(extras["charges"], extras["field"])
    np.testing.assert_allclose(last.get_forces(), forces, atol=1e-12)
    frame = ase.io.read(tmp_path / "parts" / "trajectory.extxyz", index=-1)
    np.testing.assert_array_equal(frame.get_initial_charges(), extras["charges"])
    np.testing.assert_array_equal(frame.info["field"], extras["field"])


KILLED_WITH_LOCK = """
import os, signal, sys
from pathlib import Path
from jaxpot.io.folders import locked
with locked(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_takes_one_run_at_a_time(tmp_path: Path) -> None:
    model, atoms, settings = argon.potential(), argon.crystal(1), argon.settings("nve", 10)
    folder = tmp_path / "run"
    refusals = []

    def another(row: Thermo, rate: float) -> None:
        for resume in (False, True):
            if resume and not (folder / "restart.npz").exists():
                continue
            with pytest.raises(FolderInUseError, match=f"another run .process {os.getpid()}.") as error:
                run_md(atoms, *model, settings, folder, resume=resume)
            refusals.append(error)

    run_md(atoms, *model, settings, folder, on_progress=another)
    assert len(refusals) > 3
    run_md(atoms, *model, settings, tmp_path / "alone")
    assert argon.written(folder) == argon.written(tmp_path / "alone")
    # a lock ends with its process
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", KILLED_WITH_LOCK, str(folder)], check=False, env=environment)
    assert done.returncode == -signal.SIGKILL and (folder / ".lock").exists()
    assert run_md(atoms, *model, argon.settings("nve", 15), folder, resume=True).step == 15


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "restart.npz"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("no space left on device")))
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_energy_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    def phi(params: Any, r: Any) -> Any:
        return jnp.where(r > 2.0, 0.0 * r, jnp.nan)

    model = jaxpot.pair_potential(phi, 3.0), {}
    atoms = Atoms("Ar3", positions=[[0, 0, 0], [0, 0, 2.5], [9.0, 0, 0]])
    atoms.set_velocities([[0, 0, 0], [0, 0, -0.05], [0, 0, 0]])  # meets the first atom's wall within a few steps
    settings = argon.settings("nve", 100, thermo_every=1, trajectory_every=1, restart_every=4)
    settings = type(settings)(**(vars(settings) | {"initial_temperature": None}))
    with pytest.raises(SimulationError) as error:
        run_md(atoms, *model, settings, tmp_path)
    thermo = read_thermo(tmp_path / "thermo.csv")
    last = int(thermo["step"][-1])
    said = re.search(
        r"stopped at step (\d+): the energy or force of atom ([01]) \(Ar\) is not finite", str(error.value)
    )
    assert said and int(said[1]) == last + 1
    assert "--timestep" in str(error.value) and "restart.npz" in str(error.value)
    # everything until then is kept, and is right
    assert last >= 4 and np.isfinite(thermo["total_eV"]).all()
    frames = ase.io.read(tmp_path / "trajectory.extxyz", index=":")
    assert len(frames) == last + 1
    assert all(np.isfinite(frame.positions).all() and frame.get_distance(0, 1) > 2.0 for frame in frames)
    with np.load(tmp_path / "restart.npz") as restart:
        assert int(restart["state.step"]) == last - last % 4


def test_the_radial_distribution_of_an_ideal_gas_is_one() -> None:
    rng = np.random.default_rng(0)
    gas = [Atoms("Ar400", positions=rng.uniform(size=(400, 3)) * 20.0, cell=[20.0] * 3, pbc=True) for _ in range(5)]
    _, g, coordination = radial_distribution(gas, r_max=9.0, bins=18)
    np.testing.assert_allclose(g[4:], 1.0, atol=0.05)
    assert coordination[-1] == pytest.approx(399 / 8000 * 4 / 3 * np.pi * 9.0**3, rel=0.02)
