"""jax-md's integrators behind one shape: NVE, NVT (Nose-Hoover chain or Langevin) and isotropic NPT.

All run in Cartesian coordinates that are never wrapped: jaxpot's list takes atoms anywhere, and with R the Cartesian
position the dilation that jax-md's NPT step writes as R (exp(x) - 1) is exact.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.simulate.jax_md_import import jax_md_simulate
from jaxpot.simulate.velocities import degrees_of_freedom
from jaxpot.units import BAR, BOLTZMANN, FEMTOSECOND

__all__ = ["ENSEMBLES", "Ensemble", "Integrator", "integrator"]

ENSEMBLES = ("nve", "nvt", "langevin", "npt")


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """What is held constant, and how.

    Attributes:
        name: "nve"; "nvt", a Nose-Hoover chain; "langevin", NVT by friction and noise (BAOAB); "npt", isotropic, with
            Nose-Hoover chains on atoms and cell.
        timestep: fs.
        temperature: K; of no meaning in NVE.
        pressure: bar; of meaning in NPT only.
        thermostat_time: fs, period of the thermostat; the inverse of the friction for Langevin.
        barostat_time: fs, period of the barostat.

    Raises:
        ValueError: a value makes no sense; the message says which.

    Example:
        >>> Ensemble("nvt", timestep=1.0, temperature=300.0).name
        'nvt'
    """

    name: str
    timestep: float
    temperature: float | None = None
    pressure: float = 0.0
    thermostat_time: float = 100.0
    barostat_time: float = 1000.0

    def __post_init__(self) -> None:
        if self.name not in ENSEMBLES:
            raise ValueError(f"ensemble {self.name!r} is unknown; choose one of {', '.join(ENSEMBLES)}")
        for what in ("timestep", "thermostat_time", "barostat_time"):
            value = getattr(self, what)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"the {what.replace('_', ' ')} must be a positive time in fs, got {value}")
        if not math.isfinite(self.pressure):
            raise ValueError(f"the pressure must be a finite number of bar, got {self.pressure}")
        if self.name != "nve" and not (
            self.temperature is not None and math.isfinite(self.temperature) and self.temperature > 0
        ):
            raise ValueError(f"{self.name} needs a temperature above 0 K, got {self.temperature}")

    @property
    def step(self) -> float:
        """Time step in internal units, rounded to float32 as jax-md does by itself."""
        return float(np.float32(self.timestep * FEMTOSECOND))

    @property
    def thermal_energy(self) -> float:
        """k T in eV."""
        return BOLTZMANN * (self.temperature or 0.0)

    @property
    def momentum_conserved(self) -> bool:
        """Whether the total momentum stays what it is."""
        return self.name != "langevin"


State = Any  # one of jax-md's: position, momentum, force, mass and what the ensemble adds
ForceFn = Callable[[jax.Array, Any], jax.Array]
EnergyFn = Callable[[jax.Array, jax.Array, jax.Array, Any], jax.Array]


class Integrator(NamedTuple):
    """An ensemble bound to a force field, all functions pure and jittable.

    Attributes:
        init: ``(key, positions, cell, momenta, masses, neighbors) -> state`` with masses [atoms].
        step: ``(state, neighbors) -> state`` one time step; ``neighbors`` has to be complete for :attr:`predict`.
        predict: ``state -> (positions, cell)`` where the next step will evaluate forces: exact in NVE, otherwise up
            to what the thermostat does to the velocities within one step.
        cell: ``state -> [3, 3]``.
        bath: ``state -> scalar`` in eV, what thermostat and barostat hold; the energy of atoms and bath is conserved.
            None where nothing is conserved (Langevin).
    """

    init: Callable[..., State]
    step: Callable[[State, Any], State]
    predict: Callable[[State], tuple[jax.Array, jax.Array]]
    cell: Callable[[State], jax.Array]
    bath: Callable[[State], jax.Array] | None


def integrator(ensemble: Ensemble, force_fn: ForceFn, energy_fn: EnergyFn, cell: jax.Array) -> Integrator:
    """The integrator of an ensemble.

    Args:
        ensemble: what is held constant.
        force_fn: ``(positions, neighbors) -> [atoms, 3]`` eV/Å in the fixed cell.
        energy_fn: ``(positions, cell, strain, neighbors) -> scalar`` eV with positions and cell multiplied by 1 +
            strain; used by NPT only.
        cell: [3, 3] Å, the initial cell.

    Returns:
        The :class:`Integrator`.
    """
    if ensemble.name == "npt":
        return _npt(ensemble, energy_fn)
    simulate = jax_md_simulate()

    dt, kT = ensemble.step, ensemble.thermal_energy

    def force(positions: jax.Array, neighbor: Any, **_: Any) -> jax.Array:
        return force_fn(positions, neighbor)

    if ensemble.name == "nve":
        start, advance = simulate.nve(force, _shift, dt)
    elif ensemble.name == "langevin":
        friction = 1.0 / (ensemble.thermostat_time * FEMTOSECOND)
        start, advance = simulate.nvt_langevin(force, _shift, dt, kT, gamma=friction)
    else:
        start, advance = simulate.nvt_nose_hoover(force, _shift, dt, kT, tau=ensemble.thermostat_time * FEMTOSECOND)

    def init(
        key: jax.Array, positions: jax.Array, cell: jax.Array, momenta: jax.Array, masses: jax.Array, neighbors: Any
    ) -> State:
        with _quiet():
            temperature = {"kT": kT} if ensemble.name == "nve" else {}
            state = start(key, positions, mass=masses, momenta=momenta, neighbor=neighbors, **temperature)
            if ensemble.name == "nvt":
                state = state.set(chain=_count(state.chain, positions.shape[0], kT))
            return state

    def step(state: State, neighbors: Any) -> State:
        with _quiet():
            return advance(state, neighbor=neighbors)

    def predict(state: State) -> tuple[jax.Array, jax.Array]:
        velocity = (state.momentum + 0.5 * dt * state.force) / state.mass
        return state.position + dt * velocity, cell

    def chain_energy(state: State) -> jax.Array:
        return _bath_energy(state.chain, kT)

    nothing = {"nve": lambda state: jnp.zeros((), state.position.dtype), "nvt": chain_energy}
    return Integrator(init, step, predict, lambda state: cell, nothing.get(ensemble.name))


def _npt(ensemble: Ensemble, energy_fn: EnergyFn) -> Integrator:
    simulate = jax_md_simulate()

    dt, kT, pressure = ensemble.step, ensemble.thermal_energy, ensemble.pressure * BAR

    def energy(positions: jax.Array, box: jax.Array, neighbor: Any, perturbation: Any = 1.0, **_: Any) -> jax.Array:
        # jax-md's box has lattice vectors as columns; `perturbation` is 1 + strain, isotropic
        strain = (perturbation - 1.0) * jnp.eye(3, dtype=positions.dtype)
        return energy_fn(positions, box.T, strain, neighbor)

    start, advance = simulate.npt_nose_hoover(
        energy,
        _shift,
        dt,
        pressure,
        kT,
        barostat_kwargs={"tau": ensemble.barostat_time * FEMTOSECOND},
        thermostat_kwargs={"tau": ensemble.thermostat_time * FEMTOSECOND},
    )

    def init(
        key: jax.Array, positions: jax.Array, cell: jax.Array, momenta: jax.Array, masses: jax.Array, neighbors: Any
    ) -> State:
        # jax-md takes det(box) for the volume; minus a left-handed cell spans the same lattice
        box = jnp.where(jnp.linalg.det(cell) < 0, -cell, cell).T
        with _quiet():
            state = start(key, positions, box, mass=masses, momenta=momenta, neighbor=neighbors)
            return state.set(thermostat=_count(state.thermostat, positions.shape[0], kT))

    def step(state: State, neighbors: Any) -> State:
        with _quiet():
            return advance(state, neighbor=neighbors)

    def predict(state: State) -> tuple[jax.Array, jax.Array]:
        rate = state.box_momentum / state.box_mass
        growth = jnp.exp(dt * rate)
        velocity = (state.momentum + 0.5 * dt * state.force) / state.mass
        return growth * state.position + dt * jnp.sqrt(growth) * velocity, growth * state.box.T

    def bath(state: State) -> jax.Array:
        volume = jnp.linalg.det(state.box)
        cell_energy = 0.5 * state.box_momentum**2 / state.box_mass + pressure * volume
        return _bath_energy(state.thermostat, kT) + _bath_energy(state.barostat, kT) + cell_energy

    return Integrator(init, step, predict, lambda state: state.box.T, bath)


def _shift(positions: jax.Array, displacement: jax.Array, **_: Any) -> jax.Array:
    return positions + displacement


def _count(chain: Any, atoms: int, kT: float) -> Any:
    """The chain of a thermostat that knows of the three degrees of freedom that a fixed centre of mass takes away."""
    freedom = degrees_of_freedom(atoms)
    mass = chain.mass.at[0].multiply(freedom / chain.degrees_of_freedom)
    return chain.set(degrees_of_freedom=freedom, mass=mass)


def _bath_energy(chain: Any, kT: float) -> jax.Array:
    """Energy of a Nose-Hoover chain: Martyna, Klein and Tuckerman, J. Chem. Phys. 97, 2635 (1992), eq. 2.8."""
    kinetic = jnp.sum(0.5 * chain.momentum**2 / chain.mass)
    return kinetic + kT * (chain.degrees_of_freedom * chain.position[0] + jnp.sum(chain.position[1:]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """jax-md asks for float64 sums where there are none, and JAX warns of each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Explicitly requested dtype", category=UserWarning)
        yield
