"""Molecular dynamics runs with records, trajectory and restart files on disk, which can be resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.batch.checks import checked_dtype, checked_params
from jaxpot.batch.named_data import data_of, system_of
from jaxpot.io.folders import locked, write_atomically
from jaxpot.potential import Params, Potential
from jaxpot.simulate.dynamics import Carry, Status, dynamics
from jaxpot.simulate.errors import SimulationError
from jaxpot.simulate.failure import explain
from jaxpot.simulate.frames import frame_of
from jaxpot.simulate.identity import check_forces, check_identity, check_structure, identity
from jaxpot.simulate.output import TextFrames, ThermoFile, extxyz_frame, open_trajectory
from jaxpot.simulate.restart import Restart, RestartError, load_restart, save_restart
from jaxpot.simulate.settings import RunFiles, RunSettings
from jaxpot.simulate.state import MDState
from jaxpot.simulate.stop import asked_to_stop
from jaxpot.simulate.thermo import Thermo, thermo_of
from jaxpot.simulate.velocities import maxwell_boltzmann
from jaxpot.simulate.watch import Watch
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["RunResult", "run_md"]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        step: number of steps done, including those before a restart.
        finished: False where the run was stopped before its last step.
        atoms: the last structure, with velocities, energy and forces.
        steps_per_second: median over the run, without compilation; NaN for very short runs.
        files: paths of all files.
        watched: (step, value) for each measurement of the watch.
        stopped_by_watch: whether the watch ended the run.
    """

    step: int
    finished: bool
    atoms: Atoms
    steps_per_second: float
    files: RunFiles
    watched: tuple[tuple[int, float], ...] = ()
    stopped_by_watch: bool = False


def run_md(
    atoms: Atoms | None,
    potential: Potential,
    params: Params,
    settings: RunSettings,
    output: str | os.PathLike[str],
    *,
    extras: Mapping[str, Any] | None = None,
    resume: bool = False,
    on_progress: Callable[[Thermo, float], None] | None = None,
    minutes: float | None = None,
    watch: Watch | None = None,
) -> RunResult:
    """Molecular dynamics with records, trajectory and restart files.

    Everything up to the last restart file survives a crash. A resumed run writes exactly what it would have written
    without the interruption: files are truncated to that restart, and the state continues bit for bit (on the same
    machine, with the same versions). SIGINT and SIGTERM stop a run at the next record, after writing a restart file.

    Args:
        atoms: ASE ``Atoms``; masses are taken from it, and velocities unless ``settings`` asks for new ones. With
            ``resume``, None or the same structure as at the beginning.
        potential: any potential.
        params: its parameters.
        settings: what to run and what to write.
        output: folder for the files, created if it does not exist. Files of an earlier run are replaced, unless
            ``resume``.
        extras: named data that the potential needs, such as charges, see :mod:`jaxpot.extras`; given again on
            ``resume``. By default they are taken from ``atoms`` (charges, for example, from its initial charges).
            Frames hold those with one value or one entry an atom.
        resume: whether to continue from the restart file in ``output``.
        on_progress: function called after every record, with the record and the steps per second.
        minutes: time after which the run stops at the next record, preparation and compilation included; it can be
            resumed. None for no limit.
        watch: stops the run, or writes structures, where a number such as the spread of an ensemble is large.

    Returns:
        The :class:`RunResult`.

    Raises:
        ValueError: the structure or the settings make no sense.
        RestartError: there is nothing to resume, or it belongs to a run with another potential, other params, another
            structure or other settings.
        FolderInUseError: another run is writing to ``output``.
        SimulationError: a number is not finite, or an atom is too fast; everything written so far is kept.

    Example:
        >>> import jaxpot
        >>> from ase.build import bulk
        >>> from jaxpot.simulate import Ensemble, RunSettings, run_md
        >>> potential, params = jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}
        >>> settings = RunSettings(Ensemble("nve", timestep=2.0), steps=20, initial_temperature=50.0)
        >>> result = run_md(bulk("Ar", a=5.3, cubic=True), potential, params, settings, "argon")
        >>> result.step, result.finished, result.files.thermo.name
        (20, True, 'thermo.csv')
    """
    limit = time.perf_counter() + (math.inf if minutes is None else 60.0 * minutes)
    files = RunFiles(Path(output), settings.trajectory_format)
    restart = load_restart(files.restart) if resume else None
    if restart is not None:
        if atoms is not None:
            extras = data_of(atoms, potential.needs) | dict(extras or {})
            dtype = checked_dtype(settings.precision)
            check_structure(restart, System.from_ase(atoms, potential.elements, dtype), atoms, settings)
        atoms = restart.atoms
    if atoms is None:
        raise ValueError("a new run needs a structure; pass atoms, or resume=True")
    run = _Run(atoms, potential, params, settings, files, extras, watch)
    with locked(files.folder):
        # read again: another run may have written to the folder just before it was locked
        return run.go(load_restart(files.restart) if resume else None, on_progress, limit)


class _Run:
    """One run: the compiled operations and the open files."""

    def __init__(
        self,
        atoms: Atoms,
        potential: Potential,
        params: Params,
        settings: RunSettings,
        files: RunFiles,
        extras: Mapping[str, Any] | None,
        watch: Watch | None,
    ) -> None:
        if len(atoms) == 0:
            raise ValueError("the structure has no atoms")
        if settings.ensemble.name == "npt" and not atoms.pbc.all():
            raise ValueError(f"npt needs a cell that repeats in all directions, got pbc={atoms.pbc.tolist()}; use nvt")
        self.dtype = checked_dtype(settings.precision)
        self.atoms, self.settings, self.files = atoms, settings, files
        self.masses = atoms.get_masses()
        if not (self.masses > 0).all():
            atom = int(np.argmin(self.masses))
            raise ValueError(f"atom {atom} has mass {self.masses[atom]} amu; give every atom a positive mass")
        if settings.initial_temperature is None and not np.isfinite(atoms.get_momenta()).all():
            atom = int(np.flatnonzero(~np.isfinite(atoms.get_momenta()).all(axis=1))[0])
            raise ValueError(f"the velocity of atom {atom} is not finite; repair it, or ask for a temperature")
        self.system = system_of(atoms, potential, self.dtype, extras)
        self.params = checked_params(params, self.dtype)
        self.identity = identity(potential, self.params, self.system, atoms, settings)
        self.dynamics = dynamics(potential, settings.ensemble, settings.skin, watch=watch, steps=settings.steps)
        self.watch = watch

    def go(
        self, restart: Restart | None, on_progress: Callable[[Thermo, float], None] | None, limit: float
    ) -> RunResult:
        marks: dict[str, int] = {}
        if restart is not None:
            carry = self._restored(restart)
            marks = restart.facts["marks"]
        else:
            self.files.remove()
            carry = self._started()
        keeping = self.watch is not None and self.watch.action == "record"
        self.seen: list[tuple[int, float]] = []
        with contextlib.ExitStack() as opened:
            self.thermo = opened.enter_context(closing(ThermoFile(self.files.thermo, marks.get("thermo"))))
            trajectory = open_trajectory(self.files.trajectory, marks.get("trajectory"))
            self.trajectory = opened.enter_context(closing(trajectory))
            kept = TextFrames(self.files.watched, marks.get("watched")) if keeping else None
            self.kept = None if kept is None else opened.enter_context(closing(kept))
            stop = opened.enter_context(asked_to_stop())
            return self._loop(carry, restart is None, lambda: stop.is_set() or time.perf_counter() > limit, on_progress)

    def _started(self) -> Carry:
        temperature = self.settings.initial_temperature
        if temperature is None:
            velocities = self.atoms.get_momenta() / self.masses[:, None]
        else:
            velocities = maxwell_boltzmann(self.settings.seed, self.masses, temperature)
        key = jax.random.PRNGKey(self.settings.seed)
        masses = jnp.asarray(self.masses, self.dtype)
        return self.dynamics.start(self.params, self.system, jnp.asarray(velocities, self.dtype), masses, key)

    def _restored(self, restart: Restart) -> Carry:
        check_identity(restart, self.identity)
        self.identity["structure"] = restart.facts["identity"]["structure"]
        carry = restart.carry(lambda neighbors: self.dynamics.shapes(self.params, self.system, neighbors))
        if int(carry.state.step) > self.settings.steps:
            raise RestartError(
                f"{self.files.restart}: the run is at step {int(carry.state.step)} already, beyond the "
                f"{self.settings.steps} steps asked for; ask for more"
            )
        forces = self.dynamics.evaluate(self.params, carry.state).forces
        check_forces(self.files.restart, carry.state, np.asarray(forces))
        return carry

    def _loop(
        self,
        carry: Carry,
        fresh: bool,
        stopped: Callable[[], bool],
        on_progress: Callable[[Thermo, float], None] | None,
    ) -> RunResult:
        settings = self.settings
        step, rates, halted = int(carry.state.step), _Rates(), False
        every = [settings.thermo_every, settings.trajectory_every, settings.restart_every]
        if fresh:
            self._record(carry.state, on_progress, float("nan"))
            carry, halted = self._advanced(carry, 0)  # for the first look of the watch
            self._save(carry)
        while step < settings.steps and not halted and not stopped():
            target = min(settings.steps, *((step // n + 1) * n for n in every))
            start = time.perf_counter()
            carry, halted = self._advanced(carry, target)
            reached = int(carry.state.step)
            rates.add(reached - step, time.perf_counter() - start)
            step = reached
            self._record(carry.state, on_progress, rates.median())
            if step % settings.restart_every == 0 or step == settings.steps:
                self._save(carry)
        if step < settings.steps:
            self._save(carry)
        final = self._frame(carry.state)
        return RunResult(step, step >= settings.steps, final, rates.median(), self.files, tuple(self.seen), halted)

    def _advanced(self, carry: Carry, target: int) -> tuple[Carry, bool]:
        """Advances the run to ``target``; also returns whether the watch ends it."""
        while True:
            carry = self.dynamics.advance(self.params, carry, target)
            status = Status(int(carry.status))
            if status not in (Status.DONE, Status.WATCHED):
                raise self._failure(carry.state, carry.moved, status)
            self.seen += carry.looks.listed()
            if status == Status.WATCHED:
                if self.kept is None:
                    return carry, True
                frame = self._frame(carry.state)
                frame.info["watched"] = self.seen[-1][1]
                self.kept.write(frame)
            elif int(carry.state.step) >= target:
                return carry, False

    def _record(self, state: MDState, on_progress: Callable[[Thermo, float], None] | None, rate: float) -> None:
        step = int(state.step)
        if step % self.settings.thermo_every == 0:
            measured = self.dynamics.measure(self.params, state)
            row = thermo_of(measured, step, self.settings.ensemble, self.masses, bool(self.atoms.pbc.all()))
            if not math.isfinite(row.total_eV):
                raise self._failure(state, None, Status.NOT_FINITE)
            self.thermo.write(row)
            if on_progress is not None:
                on_progress(row, rate)
        if step % self.settings.trajectory_every == 0:
            self.trajectory.write(self._frame(state))

    def _save(self, carry: Carry) -> None:
        marks = {"thermo": self.thermo.mark(), "trajectory": self.trajectory.mark()}
        if self.kept is not None:
            marks["watched"] = self.kept.mark()
        save_restart(self.files.restart, carry, self.atoms, {"identity": self.identity, "marks": marks})
        write_atomically(self.files.final, extxyz_frame(self._frame(carry.state)).encode())

    def _frame(self, state: MDState) -> Atoms:
        energy = self.dynamics.measure(self.params, state).potential
        return frame_of(state, energy, self.atoms, self.settings.ensemble.timestep)

    def _failure(self, state: MDState, moved: MDState | None, status: Status) -> SimulationError:
        energies = np.asarray(self.dynamics.evaluate(self.params, state).energies, np.float64)
        return SimulationError(explain(state, moved, status, energies, self.atoms, self.files.restart))


class _Rates:
    """Steps per second in the parts of a run; the median is not affected by parts with a compilation."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def add(self, steps: int, seconds: float) -> None:
        self._seconds.append(seconds / max(steps, 1))

    def median(self) -> float:
        return 1.0 / float(np.median(self._seconds[-1001:])) if len(self._seconds) > 1 else float("nan")
