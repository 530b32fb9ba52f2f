"""A molecular dynamics run on disk: records, trajectory, restart files, and going on where it stopped."""

from __future__ import annotations

import dataclasses
import io
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.batch.checks import checked_dtype, checked_params
from jaxpot.potential import Params, Potential
from jaxpot.simulate.dynamics import Carry, Model, Status, dynamics
from jaxpot.simulate.errors import SimulationError
from jaxpot.simulate.failure import explain
from jaxpot.simulate.output import ThermoFile, open_trajectory
from jaxpot.simulate.restart import Restart, RestartError, load_restart, save_restart, write_atomically
from jaxpot.simulate.settings import RunFiles, RunSettings
from jaxpot.simulate.stop import asked_to_stop
from jaxpot.simulate.thermo import Thermo, thermo_of
from jaxpot.simulate.velocities import maxwell_boltzmann
from jaxpot.simulate.watch import Lookout, Watch
from jaxpot.system import System

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["RunResult", "run_md"]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        step: steps taken in all.
        finished: False where it was asked to stop before the last step.
        atoms: the last structure, with velocities, energy and forces.
        steps_per_second: median over the run, without compilation; NaN where too little ran.
        files: where everything is.
        watched: what the watch saw, each time it looked: (step, value).
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
    resume: bool = False,
    on_progress: Callable[[Thermo, float], None] | None = None,
    watch: Watch | None = None,
) -> RunResult:
    """Molecular dynamics with records, trajectory and restart files.

    Everything up to the last restart file survives whatever happens, and a run that is resumed writes exactly what it
    would have written uninterrupted: files are cut back to that restart, and the state goes on bit for bit (on the same
    machine, with the same versions). SIGINT and SIGTERM stop it at the next record, after writing a restart file.

    Args:
        atoms: ASE ``Atoms``; masses are taken from it, and velocities unless ``settings`` asks for new ones. With
            ``resume``, None or the same structure as at the beginning.
        potential: any potential.
        params: its parameters.
        settings: what to run and what to write.
        output: folder for the files; made if need be. Files of an earlier run in it are replaced, unless ``resume``.
        resume: go on from the restart file in ``output``.
        on_progress: called after every record with it and with the steps taken a second.
        watch: stops the run, or keeps structures, where a number such as the spread of an ensemble is large.

    Returns:
        The :class:`RunResult`.

    Raises:
        ValueError: the structure or the settings make no sense.
        RestartError: there is nothing to resume, or it belongs to another simulation.
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
    files = RunFiles(Path(output), settings.trajectory_format)
    restart = load_restart(files.restart) if resume else None
    if restart is not None:
        if atoms is not None and atoms.get_chemical_symbols() != restart.atoms.get_chemical_symbols():
            raise RestartError(
                f"{files.restart}: holds {restart.atoms.get_chemical_formula()}, not the given structure "
                f"{atoms.get_chemical_formula()}; start anew with --force"
            )
        atoms = restart.atoms
    if atoms is None:
        raise ValueError("a new run needs a structure; pass atoms, or resume=True")
    return _Run(atoms, potential, params, settings, files, watch).go(restart, on_progress)


class _Run:
    """One run: the model, the compiled operations and the open files."""

    def __init__(
        self,
        atoms: Atoms,
        potential: Potential,
        params: Params,
        settings: RunSettings,
        files: RunFiles,
        watch: Watch | None = None,
    ) -> None:
        if len(atoms) == 0:
            raise ValueError("the structure has no atoms")
        if settings.ensemble.name == "npt" and not atoms.pbc.all():
            raise ValueError(f"npt needs a cell that repeats in all directions, got pbc={atoms.pbc.tolist()}; use nvt")
        dtype = checked_dtype(settings.precision)
        self.atoms, self.settings, self.files = atoms, settings, files
        self.masses = atoms.get_masses()
        if not (self.masses > 0).all():
            atom = int(np.argmin(self.masses))
            raise ValueError(f"atom {atom} has mass {self.masses[atom]} amu; give every atom a positive mass")
        if settings.initial_temperature is None and not np.isfinite(atoms.get_momenta()).all():
            atom = int(np.flatnonzero(~np.isfinite(atoms.get_momenta()).all(axis=1))[0])
            raise ValueError(f"the velocity of atom {atom} is not finite; repair it, or ask for a temperature")
        system = System.from_ase(atoms, potential.elements, dtype)
        self.model = Model(checked_params(params, dtype), jnp.asarray(self.masses, dtype), system)
        self.dynamics = dynamics(potential, settings.ensemble, settings.skin)
        self.watch = watch

    def go(self, restart: Restart | None, on_progress: Callable[[Thermo, float], None] | None) -> RunResult:
        marks: dict[str, int] = {}
        if restart is not None:
            carry, marks = self._restored(restart)
        else:
            self.files.folder.mkdir(parents=True, exist_ok=True)
            self.files.remove()
            carry = self._started()
        self.thermo = ThermoFile(self.files.thermo, marks.get("thermo"))
        self.trajectory = open_trajectory(self.files.trajectory, marks.get("trajectory"))
        self.lookout = Lookout(self.watch, self.files.watched, marks.get("watched"))
        try:
            with asked_to_stop() as stop:
                return self._loop(carry, restart is None, stop, on_progress)
        finally:
            self.thermo.close()
            self.trajectory.close()
            self.lookout.close()

    def _started(self) -> Carry:
        temperature = self.settings.initial_temperature
        if temperature is None:
            momenta = self.atoms.get_momenta()
        else:
            momenta = self.masses[:, None] * maxwell_boltzmann(self.settings.seed, self.masses, temperature)
        key = jax.random.PRNGKey(self.settings.seed)
        return self.dynamics.start(self.model, jnp.asarray(momenta, self.model.masses.dtype), key)

    def _restored(self, restart: Restart) -> tuple[Carry, dict[str, int]]:
        before, now = restart.facts["settings"], self._identity()
        if before != now:
            changed = [key.replace("_", " ") for key, value in now.items() if before.get(key) != value]
            raise RestartError(
                f"{self.files.restart}: the run was started with another {', '.join(changed)}; "
                "resume with the same settings (more steps are fine), or start anew with --force"
            )
        carry = restart.carry(lambda neighbors: self.dynamics.shapes(self.model, neighbors))
        if int(carry.step) > self.settings.steps:
            raise RestartError(
                f"{self.files.restart}: the run is at step {int(carry.step)} already, beyond the {self.settings.steps} "
                "steps asked for; ask for more"
            )
        return carry, restart.facts["marks"]

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on as if never interrupted; as JSON gives it back."""
        settings = dataclasses.asdict(self.settings)
        settings.pop("steps")
        return settings | settings.pop("ensemble")

    def _loop(
        self, carry: Carry, fresh: bool, stop: threading.Event, on_progress: Callable[[Thermo, float], None] | None
    ) -> RunResult:
        settings = self.settings
        step, rates = int(carry.step), _Rates()
        if fresh:
            self._record(carry, step, on_progress, float("nan"))
        halted = fresh and self._look(carry, step)
        if fresh:
            self._save(carry)
        every = [settings.thermo_every, settings.trajectory_every, settings.restart_every, *self.lookout.every()]
        while step < settings.steps and not stop.is_set() and not halted:
            target = min(settings.steps, *((step // n + 1) * n for n in every))
            start = time.perf_counter()
            carry = self.dynamics.advance(self.model, carry, target)
            if int(carry.status) != Status.DONE:
                self._fail(carry)
            rates.add(target - step, time.perf_counter() - start)
            step = target
            self._record(carry, step, on_progress, rates.median())
            halted = self._look(carry, step)
            if step % settings.restart_every == 0 or step == settings.steps:
                self._save(carry)
        if step < settings.steps:
            self._save(carry)
        final = self._frame(carry, step)
        return RunResult(
            step, step >= settings.steps, final, rates.median(), self.files, tuple(self.lookout.seen), halted
        )

    def _look(self, carry: Carry, step: int) -> bool:
        """Whether the watch ends the run here."""
        system = self.dynamics.system(self.model, carry)
        return self.lookout.ends(step, self.model.params, system, carry.neighbors, lambda: self._frame(carry, step))

    def _record(
        self, carry: Carry, step: int, on_progress: Callable[[Thermo, float], None] | None, rate: float
    ) -> None:
        if step % self.settings.thermo_every == 0:
            row = thermo_of(
                self.dynamics.measure(self.model, carry),
                step,
                self.settings.ensemble,
                self.masses,
                bool(self.atoms.pbc.all()),
            )
            if not math.isfinite(row.total_eV):
                self._fail(carry._replace(status=jnp.asarray(Status.NOT_FINITE, jnp.int32)))
            self.thermo.write(row)
            if on_progress is not None:
                on_progress(row, rate)
        if step % self.settings.trajectory_every == 0:
            self.trajectory.write(self._frame(carry, step))

    def _save(self, carry: Carry) -> None:
        marks = {"thermo": self.thermo.mark(), "trajectory": self.trajectory.mark(), **self.lookout.marks()}
        save_restart(self.files.restart, carry, self.atoms, {"settings": self._identity(), "marks": marks})
        from ase.io.extxyz import write_extxyz

        text = io.StringIO()
        write_extxyz(text, [self._frame(carry, int(carry.step))])
        write_atomically(self.files.final, text.getvalue().encode())

    def _frame(self, carry: Carry, step: int) -> Atoms:
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        system = self.dynamics.system(self.model, carry)
        energy = np.sum(np.asarray(self.dynamics.measure(self.model, carry).potential, np.float64))
        frame = Atoms(
            self.atoms.numbers,
            positions=np.asarray(system.positions, np.float64),
            cell=np.asarray(system.cell, np.float64),
            pbc=self.atoms.pbc,
            info={"step": step, "time_fs": step * self.settings.ensemble.timestep},
        )
        if not np.array_equal(frame.get_masses(), self.masses):
            frame.set_masses(self.masses)
        frame.set_momenta(np.asarray(carry.state.momentum, np.float64))
        frame.calc = SinglePointCalculator(
            frame, energy=float(energy), forces=np.asarray(carry.state.force, np.float64)
        )
        return frame

    def _fail(self, carry: Carry) -> None:
        system = self.dynamics.system(self.model, carry)
        energies = np.asarray(self.dynamics.evaluate(self.model, carry).energies, np.float64)

        def predicted() -> np.ndarray:
            return np.asarray(self.dynamics.ahead(self.model, carry).positions, np.float64)

        raise SimulationError(explain(carry, system, energies, predicted, self.atoms, self.files.restart))


class _Rates:
    """Steps a second of the parts of a run; their median leaves out those in which something was compiled."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def add(self, steps: int, seconds: float) -> None:
        self._seconds.append(seconds / max(steps, 1))

    def median(self) -> float:
        return 1.0 / float(np.median(self._seconds[-1001:])) if len(self._seconds) > 1 else float("nan")
