"""jax-md's integrators and minimisers on jaxpot's potentials, with jaxpot's lists and with jax-md's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.interop import jax_md as interop
from tests import structures

CUTOFF = 6.0
PARAMS = {"epsilon": 0.0104, "sigma": 3.2}
BOLTZMANN = 8.617333262e-5  # eV/K
MASS = 39.948
FEMTOSECOND = 1 / 10.1805  # in units of Å (amu/eV)^(1/2)
FORMATS = ("Dense", "Sparse", "OrderedSparse")


@pytest.fixture(autouse=True)
def jax_md_as_it_is() -> Iterator[None]:
    """jax-md broadcasts between ranks and mixes integer types; that is its business."""
    with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):
        warnings.filterwarnings("ignore", message="scatter inputs have incompatible types", category=FutureWarning)
        warnings.filterwarnings("ignore", message="Explicitly requested dtype", category=UserWarning)
        yield


def potential(mode: str = "force_shifted") -> jaxpot.Potential:
    return jaxpot.lennard_jones(cutoff=CUTOFF, mode=mode)


def argon(repeat: int = 3, shear: float = 0.06, rattle: float = 0.1) -> Atoms:
    """A triclinic crystal whose atoms lie in many cells."""
    atoms = structures.crystal(["Ar"], 5.0, repeat=repeat, shear=shear, rattle=rattle)
    atoms.positions += np.random.default_rng(0).integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    return atoms


def reference(atoms: Atoms) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Energy, forces and virial by jaxpot's own list, which other tests compare with LAMMPS."""
    system = jaxpot.System.from_ase(atoms)
    neighbors = jaxpot.neighbor_list(CUTOFF).allocate(system)
    result = potential().evaluate(PARAMS, system, neighbors)
    return result.energies.sum(), result.forces, result.virial


def positions_and_box(atoms: Atoms, fractional: bool) -> tuple[jax.Array, jax.Array]:
    positions = atoms.get_scaled_positions(wrap=False) if fractional else atoms.positions
    return jnp.asarray(positions), jnp.asarray(atoms.cell.array.T)


def jax_md_list(atoms: Atoms, fractional: bool, form: str, skin: float = 0.3, cell_list: bool = False) -> Any:
    from jax_md import partition, space

    positions, box = positions_and_box(atoms, fractional)
    displacement, _ = space.periodic_general(box, fractional_coordinates=fractional)
    return partition.neighbor_list(
        displacement,
        box,
        CUTOFF,
        skin,
        fractional_coordinates=fractional,
        format=partition.NeighborListFormat[form],
        disable_cell_list=not cell_list,
    ).allocate(positions)


def momenta(atoms: Atoms, temperature: float) -> jax.Array:
    drawn = np.random.default_rng(1).normal(size=(len(atoms), 3)) * np.sqrt(MASS * BOLTZMANN * temperature)
    return jnp.asarray(drawn - drawn.mean(axis=0))


def run(
    init: Callable[..., Any],
    step: Callable[..., Any],
    update: Callable[..., Any],
    positions: jax.Array,
    neighbor: Any,
    steps: int,
    record: Callable[[Any, Any], Any],
    **start: Any,
) -> tuple[Any, Any, Any]:
    """jax-md's own pattern: update the list, then step, under scan."""

    def body(carry: Any, _: None) -> Any:
        state, neighbor = carry
        neighbor = update(state, neighbor)
        state = step(state, neighbor=neighbor)
        return (state, neighbor), record(state, neighbor)

    state = init(jax.random.PRNGKey(0), positions, neighbor=neighbor, **start)
    (state, neighbor), records = jax.jit(lambda c: jax.lax.scan(body, c, None, length=steps))((state, neighbor))
    assert not bool(neighbor.did_buffer_overflow)
    return state, neighbor, records


@pytest.mark.parametrize("fractional", [True, False])
@pytest.mark.parametrize("form", ["ours", *FORMATS])
def test_energy_and_forces_do_not_depend_on_whose_list_it_is(form: str, fractional: bool) -> None:
    atoms = argon()
    positions, box = positions_and_box(atoms, fractional)
    energy, forces, _ = reference(atoms)
    if form == "ours":
        neighbor = interop.neighbor_fn(CUTOFF, box, fractional_coordinates=fractional).allocate(positions)
    else:
        neighbor = jax_md_list(atoms, fractional, form)
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=fractional)
    force_fn = interop.force_fn(potential(), PARAMS, box, fractional_coordinates=fractional)
    value, gradient = jax.jit(jax.value_and_grad(energy_fn))(positions, neighbor=neighbor)
    assert value == pytest.approx(float(energy), rel=1e-12)
    # also in fractional coordinates the gradient is in eV/Å: jax-md's convention
    np.testing.assert_allclose(-gradient, forces, atol=1e-12)
    np.testing.assert_allclose(jax.jit(force_fn)(positions, neighbor=neighbor), forces, atol=1e-12)


@pytest.mark.parametrize("form", FORMATS)
def test_lists_from_jax_mds_cell_list(form: str) -> None:
    atoms = structures.crystal(["Ar"], 5.0, repeat=5, shear=0.0)
    atoms.wrap()
    positions, box = positions_and_box(atoms, True)
    neighbor = jax_md_list(atoms, True, form, skin=0.2, cell_list=True)
    assert neighbor.cell_list_capacity is not None
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=True)
    assert float(energy_fn(positions, neighbor=neighbor)) == pytest.approx(float(reference(atoms)[0]), rel=1e-12)


@pytest.mark.parametrize("form", FORMATS)
def test_images_follow_the_present_positions(form: str) -> None:
    # Atoms that have crossed a boundary since the list was made, and were put back into the cell or not.
    atoms = argon()
    positions, box = positions_and_box(atoms, True)
    neighbor = jax_md_list(atoms, True, form, skin=0.0)
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=True)
    energy = float(reference(atoms)[0])
    moved = positions + jnp.asarray([0.37, -0.41, 0.53])[None, :]
    assert float(energy_fn(moved, neighbor=neighbor)) == pytest.approx(energy, rel=1e-12)
    assert float(energy_fn(moved % 1.0, neighbor=neighbor)) == pytest.approx(energy, rel=1e-12)


def test_more_atoms_than_one_block_of_the_engine() -> None:
    atoms = structures.crystal(["Ar"], 5.0, repeat=11, shear=0.0)
    from jax_md import partition, space

    length = float(atoms.cell[0, 0])
    displacement, _ = space.periodic(length)
    atoms.wrap()
    positions = jnp.asarray(atoms.positions)
    neighbor = partition.neighbor_list(displacement, length, CUTOFF, 0.1, format=partition.Dense).allocate(positions)
    value = jax.jit(interop.energy_fn(potential(), PARAMS, length))(positions, neighbor=neighbor)
    assert float(value) == pytest.approx(float(reference(atoms)[0]), rel=1e-12)


def test_free_space_with_either_list() -> None:
    from jax_md import partition, space

    atoms = structures.make("cluster", ["Ar"], 5.0)
    displacement, _ = space.free()
    positions = jnp.asarray(atoms.positions)
    energy_fn = interop.energy_fn(potential(), PARAMS)
    theirs = partition.neighbor_list(displacement, 100.0, CUTOFF, 0.3, disable_cell_list=True).allocate(positions)
    ours = interop.neighbor_fn(CUTOFF).allocate(positions)
    expected = float(reference(atoms)[0])
    assert float(energy_fn(positions, neighbor=theirs)) == pytest.approx(expected, rel=1e-12)
    assert float(energy_fn(positions, neighbor=ours)) == pytest.approx(expected, rel=1e-12)


def test_species_reach_the_potential() -> None:
    atoms = structures.crystal(["Ar", "Ne"], 5.0, repeat=3)
    elements = ("Ar", "Ne")
    two = jaxpot.lennard_jones(cutoff=CUTOFF, elements=elements)
    params = {"epsilon": jnp.array([[0.0104, 0.006], [0.006, 0.003]]), "sigma": jnp.array([[3.3, 3.0], [3.0, 2.7]])}
    system = jaxpot.System.from_ase(atoms, elements)
    expected = jaxpot.energy(two)(params, system, jaxpot.neighbor_list(CUTOFF).allocate(system))
    positions, box = positions_and_box(atoms, True)
    energy_fn = interop.energy_fn(two, params, box, species=system.species, fractional_coordinates=True)
    assert float(energy_fn(positions, neighbor=jax_md_list(atoms, True, "Sparse"))) == pytest.approx(float(expected))
    neighbor = interop.neighbor_fn(two, box, fractional_coordinates=True).allocate(positions)
    assert float(energy_fn(positions, neighbor=neighbor)) == pytest.approx(float(expected))
    gradient = jax.grad(lambda p: energy_fn(positions, neighbor=neighbor, params=p))(params)
    assert all(bool(jnp.isfinite(g).all()) and float(jnp.abs(g).max()) > 0 for g in jax.tree.leaves(gradient))


@pytest.mark.parametrize("fractional", [True, False])
def test_pressure_and_stress_as_jax_md_computes_them(fractional: bool) -> None:
    from jax_md import quantity

    atoms = argon()
    positions, box = positions_and_box(atoms, fractional)
    _, _, virial = reference(atoms)
    neighbor = interop.neighbor_fn(CUTOFF, box, fractional_coordinates=fractional).allocate(positions)
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=fractional)
    pressure = quantity.pressure(energy_fn, positions, box, neighbor=neighbor)
    assert float(pressure) == pytest.approx(-float(jnp.trace(virial)) / 3 / atoms.cell.volume, rel=1e-10)
    stress = quantity.stress(energy_fn, positions, box, neighbor=neighbor)  # jax-md's sign: minus dE/dstrain
    np.testing.assert_allclose(-stress * atoms.cell.volume, virial, atol=1e-10)


def test_nve_conserves_energy_with_both_lists() -> None:
    from jax_md import simulate, space

    atoms = structures.crystal(["Ar"], 5.3, repeat=3, shear=0.03, rattle=0.05)
    positions, box = positions_and_box(atoms, True)
    _, shift = space.periodic_general(box)
    force_fn = interop.force_fn(potential(), PARAMS, box, fractional_coordinates=True)
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=True)
    init, step = simulate.nve(force_fn, shift, dt=2.0 * FEMTOSECOND)

    def total(state: Any, neighbor: Any) -> jax.Array:
        return energy_fn(state.position, neighbor=neighbor) + simulate.kinetic_energy(state)

    ends = []
    for form in ("ours", "Dense"):
        if form == "ours":
            fns = interop.neighbor_fn(CUTOFF, box, fractional_coordinates=True)
            neighbor = fns.allocate(positions)
        else:
            neighbor = jax_md_list(atoms, True, "Dense", skin=0.6)
        state, _, energies = run(
            init, step, lambda s, n: n.update(s.position), positions, neighbor, 150, total,
            kT=0.0, mass=MASS, momenta=momenta(atoms, 60.0),
        )  # fmt: skip
        assert np.ptp(np.asarray(energies)) / len(atoms) < 2e-6
        ends.append(np.asarray(state.position))
    # same physics, other list: the trajectories agree until rounding errors have grown
    difference = (ends[0] - ends[1] + 0.5) % 1.0 - 0.5
    assert np.abs(difference).max() < 1e-9


@pytest.mark.parametrize("thermostat", ["nose_hoover", "langevin"])
def test_nvt_reaches_the_temperature(thermostat: str) -> None:
    from jax_md import simulate, space

    atoms = structures.crystal(["Ar"], 5.3, repeat=2, shear=0.0, rattle=0.05)
    kT = 60.0 * BOLTZMANN
    _, shift = space.periodic(float(atoms.cell[0, 0]))
    positions, box = positions_and_box(atoms, False)  # twice the cutoff does not fit into this box: ours only
    fns = interop.neighbor_fn(CUTOFF, box)
    force_fn = interop.force_fn(potential(), PARAMS, box)
    energy_fn = interop.energy_fn(potential(), PARAMS, box)
    dt = 4.0 * FEMTOSECOND
    if thermostat == "nose_hoover":
        init, step = simulate.nvt_nose_hoover(force_fn, shift, dt, kT, tau=20 * dt)
    else:
        init, step = simulate.nvt_langevin(force_fn, shift, dt, kT, gamma=0.05 / dt)

    def record(state: Any, neighbor: Any) -> Any:
        conserved = jnp.zeros(())
        if thermostat == "nose_hoover":
            conserved = simulate.nvt_nose_hoover_invariant(energy_fn, state, kT, neighbor=neighbor)
        return simulate.temperature(state), conserved

    _, _, (temperatures, conserved) = run(
        init, step, lambda s, n: n.update(s.position), positions, fns.allocate(positions), 1500,
        record, mass=MASS, momenta=momenta(atoms, 120.0),
    )  # fmt: skip
    # 96 degrees of freedom fluctuate by kT sqrt(2/96), and the run holds some tens of independent samples
    assert float(jnp.mean(temperatures[300:])) == pytest.approx(kT, rel=0.08)
    assert np.ptp(np.asarray(conserved)) / len(atoms) < 5e-5


def test_npt_drives_the_pressure_to_its_target() -> None:
    from jax_md import quantity, simulate, space

    atoms = structures.crystal(["Ar"], 5.3, repeat=2, shear=0.02, rattle=0.05)
    positions, box = positions_and_box(atoms, True)
    _, shift = space.periodic_general(box)
    kT, target, dt = 40.0 * BOLTZMANN, 1000 * 6.2415e-7, 4.0 * FEMTOSECOND  # 1000 bar in eV/Å^3
    fns = interop.neighbor_fn(CUTOFF, box, fractional_coordinates=True, skin=1.0)
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=True)
    init, step = simulate.npt_nose_hoover(
        energy_fn, shift, dt, target, kT, barostat_kwargs={"tau": 100 * dt}, thermostat_kwargs={"tau": 20 * dt}
    )

    def record(state: Any, neighbor: Any) -> Any:
        box = simulate.npt_box(state)
        kinetic = simulate.kinetic_energy(state)
        return quantity.pressure(energy_fn, state.position, box, kinetic, neighbor=neighbor), jnp.linalg.det(box)

    _, neighbor, (pressures, volumes) = run(
        init, step, lambda s, n: n.update(s.position, box=simulate.npt_box(s)), positions, fns.allocate(positions),
        2000, record, box=box, mass=MASS, momenta=momenta(atoms, 60.0),
    )  # fmt: skip
    assert abs(float(jnp.mean(pressures[:20])) - target) > 0.5 * target  # it starts elsewhere
    assert float(jnp.mean(pressures[500:])) == pytest.approx(target, rel=0.15)
    assert float(jnp.ptp(volumes)) > 0.02 * float(volumes[0])
    assert int(neighbor.neighbors.rebuilds) > 0


def test_fire_finds_the_minimum() -> None:
    from jax_md import minimize, space

    atoms = structures.crystal(["Ar"], 4.9, repeat=2, shear=0.0, rattle=0.2)
    positions, box = positions_and_box(atoms, False)
    _, shift = space.periodic(float(atoms.cell[0, 0]))
    fns = interop.neighbor_fn(CUTOFF, box)
    energy_fn = interop.energy_fn(potential(), PARAMS, box)
    init, step = minimize.fire_descent(energy_fn, shift, dt_start=0.1, dt_max=0.4)
    neighbor = fns.allocate(positions)
    state = init(positions, mass=1.0, neighbor=neighbor)

    def body(carry: Any, _: None) -> Any:
        state, neighbor = carry
        neighbor = neighbor.update(state.position)
        return (step(state, neighbor=neighbor), neighbor), None

    (state, neighbor), _ = jax.lax.scan(body, (state, neighbor), None, length=400)
    perfect = structures.crystal(["Ar"], 4.9, repeat=2, shear=0.0, rattle=0.0)
    assert float(jnp.abs(state.force).max()) < 1e-4
    assert float(energy_fn(state.position, neighbor=neighbor)) == pytest.approx(float(reference(perfect)[0]), abs=1e-4)


def test_fire_for_atoms_and_box_removes_the_stress() -> None:
    from jax_md import minimize, space

    atoms = structures.crystal(["Ar"], 4.9, repeat=2, shear=0.05, rattle=0.1)
    positions, box = positions_and_box(atoms, True)
    _, shift = space.periodic_general(box)
    fns = interop.neighbor_fn(CUTOFF, box, fractional_coordinates=True, skin=1.0)
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=True)
    init, step = minimize.fire_descent_box(energy_fn, shift, dt_start=0.1, dt_max=0.3)
    neighbor = fns.allocate(positions)
    state = init(positions, box, mass=1.0, neighbor=neighbor)

    def body(carry: Any, _: None) -> Any:
        state, neighbor = carry
        neighbor = neighbor.update(state.position, box=state.box)
        return (step(state, neighbor=neighbor), neighbor), None

    (state, neighbor), _ = jax.lax.scan(body, (state, neighbor), None, length=600)
    assert not bool(neighbor.did_buffer_overflow)
    relaxed = Atoms("Ar32", cell=np.asarray(state.box).T, scaled_positions=np.asarray(state.position), pbc=True)
    _, forces, virial = reference(relaxed)
    assert float(jnp.abs(forces).max()) < 1e-3
    assert float(jnp.abs(virial).max()) / relaxed.cell.volume < 1e-5  # eV/Å^3; it was 0.01


@pytest.mark.parametrize("form", FORMATS)
def test_a_box_too_small_for_jax_mds_list_is_refused(form: str) -> None:
    atoms = argon(repeat=2)
    positions, box = positions_and_box(atoms, True)
    neighbor = jax_md_list(atoms, True, form)
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=True)
    with pytest.raises(ValueError, match="less than twice the cutoff of 6 Å"):
        energy_fn(positions, neighbor=neighbor)
    # a traced box cannot raise: there the answer is no number
    value, gradient = jax.jit(jax.value_and_grad(lambda R, b: energy_fn(R, neighbor=neighbor, box=b)))(positions, box)
    assert bool(jnp.isnan(value)) and bool(jnp.isnan(gradient).all())
    # ours is right in any box
    neighbor = interop.neighbor_fn(CUTOFF, box, fractional_coordinates=True).allocate(positions)
    assert float(energy_fn(positions, neighbor=neighbor)) == pytest.approx(float(reference(atoms)[0]), rel=1e-12)


@pytest.mark.parametrize("fractional", [True, False])
def test_an_atom_put_back_into_the_box_does_not_outdate_the_list(fractional: bool) -> None:
    atoms = argon(repeat=2)
    positions, box = positions_and_box(atoms, fractional)
    fns = interop.neighbor_fn(CUTOFF, box, fractional_coordinates=fractional)
    neighbor = fns.allocate(positions)
    atoms.wrap()
    wrapped, _ = positions_and_box(atoms, fractional)
    assert float(jnp.abs(wrapped - positions).max()) > 0.9  # some have moved by whole cells
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=fractional)
    assert float(energy_fn(wrapped, neighbor=neighbor)) == pytest.approx(float(reference(atoms)[0]), rel=1e-12)
    gradient = jax.grad(energy_fn)(wrapped, neighbor=neighbor)
    np.testing.assert_allclose(-gradient, reference(atoms)[1], atol=1e-12)
    assert int(fns.update(wrapped, neighbor).neighbors.rebuilds) == 0


def test_overflow_gives_no_number() -> None:
    atoms = structures.crystal(["Ar"], 5.3, repeat=3, shear=0.0, rattle=0.0)
    positions, box = positions_and_box(atoms, False)
    fns = interop.neighbor_fn(CUTOFF, box, capacity_multiplier=1.0, skin=0.1)
    energy_fn = interop.energy_fn(potential(), PARAMS, box)
    neighbor = fns.allocate(positions)
    crowded = positions * 0.7
    neighbor = jax.jit(lambda R, n: n.update(R))(crowded, neighbor)
    assert bool(neighbor.did_buffer_overflow)
    value, gradient = jax.jit(jax.value_and_grad(energy_fn))(crowded, neighbor=neighbor)
    assert bool(jnp.isnan(value)) and bool(jnp.isnan(gradient).all())
    larger = fns.allocate(positions, extra_capacity=40)
    assert larger.neighbors.capacity >= neighbor.neighbors.capacity + 40


def test_a_list_that_is_out_of_date_gives_no_number() -> None:
    atoms = argon()
    positions, box = positions_and_box(atoms, False)
    neighbor = interop.neighbor_fn(CUTOFF, box, skin=0.5).allocate(positions)
    energy_fn = interop.energy_fn(potential(), PARAMS, box)
    force_fn = interop.force_fn(potential(), PARAMS, box)
    for moved, finite in ((positions.at[3, 0].add(0.24), True), (positions.at[3, 0].add(0.26), False)):
        value, gradient = jax.jit(jax.value_and_grad(energy_fn))(moved, neighbor=neighbor)
        for number in (value, gradient, jax.jit(force_fn)(moved, neighbor=neighbor)):
            assert bool(jnp.isfinite(number).all()) == finite
    assert bool(jnp.isfinite(energy_fn(moved, neighbor=neighbor.update(moved))))
    # compressed by 20 %, the same atoms have neighbours that the list does not know
    assert bool(jnp.isnan(jax.jit(energy_fn)(0.8 * positions, neighbor=neighbor, box=0.8 * box)))


def test_a_sparse_list_that_does_not_fit_is_refused() -> None:
    atoms = argon()
    positions, box = positions_and_box(atoms, True)
    neighbor = jax_md_list(atoms, True, "Sparse")
    energy_fn = interop.energy_fn(potential(), PARAMS, box, fractional_coordinates=True, sparse_capacity=4)
    with pytest.raises(ValueError, match="pass sparse_capacity="):
        energy_fn(positions, neighbor=neighbor)
    assert bool(jnp.isnan(jax.jit(energy_fn)(positions, neighbor=neighbor)))


def test_what_is_wrong_with_a_call_is_said() -> None:
    positions, box = positions_and_box(argon(), False)
    energy_fn = interop.energy_fn(potential(), PARAMS, box)
    neighbor = interop.neighbor_fn(CUTOFF, box).allocate(positions)
    with pytest.raises(TypeError, match="unknown argument 'neighbour'"):
        energy_fn(positions, neighbour=neighbor)
    with pytest.raises(ValueError, match="needs neighbours"):
        energy_fn(positions)
    with pytest.raises(ValueError, match=r"positions must have shape \[atoms, 3\]"):
        energy_fn(positions[0], neighbor=neighbor)
    with pytest.raises(ValueError, match="neighbor must come from"):
        energy_fn(positions, neighbor=3)
    with pytest.raises(ValueError, match="atoms"):
        energy_fn(positions[:-1], neighbor=jax_md_list(argon(), False, "Dense"))
    with pytest.raises(ValueError, match="fractional coordinates need a box"):
        interop.neighbor_fn(CUTOFF, fractional_coordinates=True).allocate(positions)
    with pytest.raises(ValueError, match=r"box must be a number, \[3\] or \[3, 3\]"):
        interop.neighbor_fn(CUTOFF, jnp.ones(2)).allocate(positions)
    slab = interop.energy_fn(potential(), PARAMS, box, pbc=(True, True, False))
    with pytest.raises(ValueError, match="in all directions or in none"):
        slab(positions, neighbor=jax_md_list(argon(), False, "Dense"))
