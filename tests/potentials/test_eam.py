"""EAM and Finnis-Sinclair potentials from every file that LAMMPS ships, against LAMMPS; their knots as parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

import jaxpot
from jaxpot.io.eam import EAMSource
from jaxpot.io.eam_files import EAMTables
from jaxpot.numerics.tables import table_params
from tests import structures
from tests.conftest import FLOAT32, Precision
from tests.oracles import lammps
from tests.potentials.agreement import Shaped, assert_parameter_gradient, evaluate_one, one_shape

STYLES = {".eam": "eam", ".eam.alloy": "eam/alloy", ".eam.fs": "eam/fs"}
# Refused by name, see the tests of the readers: eam/cd, eam/he, and one half of a potential with charges.
REFUSED = {"FeCr.cdeam", "PdHHe.eam.he", "NiO.eam.fs"}
FILES = sorted(
    path.name
    for path in lammps.POTENTIALS.iterdir()
    if re.search(r"\.eam(\.alloy|\.fs)?$", path.name) and path.name not in REFUSED
)


def commands(name: str, elements: Sequence[str]) -> list[str]:
    """What makes LAMMPS compute the same."""
    style = STYLES[name[name.index(".") :]]
    path = lammps.POTENTIALS / name
    names = "" if style == "eam" else " ".join(elements)
    return [f"pair_style {style}", f"pair_coeff * * {path} {names}"]


@cache
def loaded(name: str) -> tuple[jaxpot.Potential, Any, Callable[..., jaxpot.Evaluation], EAMTables]:
    potential, params = jaxpot.load(lammps.POTENTIALS / name)
    assert isinstance(potential.spec.file, EAMSource)
    return potential, params, jax.jit(potential.evaluate), potential.spec.file.tables


def crystal_of(tables: EAMTables, scale: float, seed: int) -> Atoms:
    """Rattled, sheared, all elements of the file, near the density of the first one (times scale^-3)."""
    kind, a = tables.structures[0].lower(), float(np.asarray(tables.lattice_constants)[0])
    structure = "bcc" if kind == "bcc" else "fcc"
    a *= np.sqrt(2) if kind == "hcp" else 1.0
    return structures.crystal(tables.elements, scale * a, structure, repeat=(2, 2, 1), rattle=0.1, seed=seed)


def largest_density(tables: EAMTables, atoms: Atoms) -> float:
    """Of an alloy or one-element file, by linear interpolation."""
    i, j, distance = neighbor_list("ijd", atoms, tables.cutoff)
    numbers = np.array([tables.elements.index(symbol) for symbol in atoms.get_chemical_symbols()])
    grid = np.arange(tables.n_r) * tables.d_r
    density = tables.density if tables.density.ndim == 2 else tables.density[0]
    each = np.array([np.interp(r, grid, density[k]) for r, k in zip(distance, numbers[j], strict=True)])
    return float(np.bincount(i, weights=each, minlength=len(atoms)).max())


def check(potential: jaxpot.Potential, result: jaxpot.Evaluation, atoms: Atoms, lines: list[str], p: Precision) -> None:
    assert potential.elements is not None
    expected = lammps.single_point(atoms, lines, potential.elements)
    assert expected.energies is not None
    # In float32 the energies of the atoms are rounded, and may cancel in their sum.
    total = np.abs(expected.energies).sum() if FLOAT32 else abs(expected.energy)
    np.testing.assert_allclose(float(result.energies.sum()), expected.energy, rtol=0, atol=p.energy * total)
    scale = np.abs(expected.energies).max()
    found = np.asarray(result.energies[: len(atoms)])
    np.testing.assert_allclose(found, expected.energies, rtol=0, atol=10 * p.energy * scale)
    virial_scale = np.abs(expected.virial).max()
    np.testing.assert_allclose(result.virial, expected.virial, rtol=0, atol=p.forces * virial_scale)
    # An atom alone in its cell has no force but that of rounding.
    scale = np.abs(expected.forces).max() if len(atoms) > 1 else virial_scale
    np.testing.assert_allclose(result.forces[: len(atoms)], expected.forces, rtol=0, atol=p.forces * scale)
    assert not np.any(result.forces[len(atoms) :])
    assert not np.any(result.energies[len(atoms) :])


def test_lammps_ships_every_style() -> None:
    assert {name[name.index(".") :] for name in FILES} == set(STYLES)
    assert len(FILES) >= 29


@pytest.mark.parametrize("name", FILES)
def test_every_file_equals_lammps(name: str, precision: Precision) -> None:
    potential, params, evaluate, tables = loaded(name)
    # Cells smaller than the cutoff; strongly compressed, where densities leave the table; near equilibrium; stretched.
    atoms = [crystal_of(tables, scale, seed) for seed, scale in enumerate([0.8, 1.0, 1.1])]
    shaped = one_shape(atoms, potential.elements or (), potential.cutoff)
    for at, one in enumerate(atoms):
        result = evaluate(params, shaped.systems[at], shaped.neighbors[at])
        check(potential, result, one, commands(name, tables.elements), precision)


@cache
def every_kind(name: str, a: float) -> Shaped:
    potential = loaded(name)[0]
    atoms = [structures.make(kind, potential.elements or (), a, "fcc", seed=3) for kind in structures.KINDS]
    return one_shape(atoms, potential.elements or (), potential.cutoff)


@pytest.mark.parametrize("kind", structures.KINDS)
@pytest.mark.parametrize(("name", "a"), [("NiAlH_jea.eam.fs", 3.7), ("AlCu.eam.alloy", 3.9)])
def test_every_kind_of_cell_equals_lammps(name: str, a: float, kind: str, precision: Precision) -> None:
    potential, params, evaluate, tables = loaded(name)
    shaped, at = every_kind(name, a), structures.KINDS.index(kind)
    result = evaluate(params, shaped.systems[at], shaped.neighbors[at])
    check(potential, result, shaped.atoms[at], commands(name, tables.elements), precision)


def test_the_fs_file_tells_the_two_ends_of_a_pair_apart() -> None:
    density = loaded("NiAlH_jea.eam.fs")[3].density
    assert np.abs(density - density.swapaxes(0, 1)).max() > 0.1 * np.abs(density).max()


@pytest.mark.parametrize(("name", "a"), [("Cu_mishin1.eam.alloy", 2.9), ("CuNi.eam.alloy", 2.4), ("Cu_u3.eam", 2.3)])
def test_densities_beyond_the_table_equal_lammps(name: str, a: float, precision: Precision) -> None:
    potential, params, _, tables = loaded(name)
    atoms = structures.crystal(tables.elements, a, seed=5)
    assert largest_density(tables, atoms) > 1.01 * tables.n_rho * tables.d_rho
    check(potential, evaluate_one(potential, params, atoms), atoms, commands(name, tables.elements), precision)


@pytest.mark.skipif(FLOAT32, reason="one step of the density cannot be hit in float32")
def test_densities_between_a_funcfl_table_and_its_linear_continuation_equal_lammps(precision: Precision) -> None:
    potential, params, _, tables = loaded("Cu_u3.eam")
    assert tables.rho_max is not None
    end, begin = (tables.n_rho - 1) * tables.d_rho, tables.rho_max
    low, high = 2.0, 4.0
    for _ in range(20):  # all atoms of a perfect crystal have one density, which falls with its lattice constant
        a = 0.5 * (low + high)
        density = largest_density(tables, bulk("Cu", "fcc", a=a))
        low, high = (a, high) if density > 0.5 * (end + begin) else (low, a)
    assert end < largest_density(tables, bulk("Cu", "fcc", a=a)) < begin
    atoms = bulk("Cu", "fcc", a=a)
    check(potential, evaluate_one(potential, params, atoms), atoms, commands("Cu_u3.eam", ["Cu"]), precision)


@pytest.mark.skipif(FLOAT32, reason="the last step of a table cannot be hit in float32")
@pytest.mark.parametrize("name", ["Cu_smf7.eam", "Ni_smf7.eam", "VFe_mm.eam.fs"])
def test_pairs_between_the_last_knot_and_the_cutoff_have_lammps_forces(name: str, precision: Precision) -> None:
    potential, params, _, tables = loaded(name)
    end = (tables.n_r - 1) * tables.d_r
    distance = 0.5 * (end + tables.cutoff)
    assert end < distance < tables.cutoff
    symbol = tables.elements[0]
    # a third atom gives the first two a density
    atoms = Atoms([symbol] * 3, positions=[[0, 0, 0], [0, 0, distance], [0.3, 2.2, 0.5]])
    check(potential, evaluate_one(potential, params, atoms), atoms, commands(name, tables.elements), precision)


@pytest.mark.parametrize(
    ("names", "elements"),
    [
        (("Cu_u3.eam", "Ni_u3.eam"), ("Cu", "Ni")),
        (("Cu_u3.eam", "Ni_u3.eam", "Ag_u3.eam"), ("Ag", "Cu")),  # the grid is that of the files in use
        (("Al_jnp.eam", "Cu_smf7.eam", "Pt_u3.eam"), ("Cu", "Pt", "Al")),
    ],
)
def test_several_funcfl_files_equal_lammps(names: Sequence[str], elements: Sequence[str], precision: Precision) -> None:
    paths = [lammps.POTENTIALS / name for name in names]
    potential, params = jaxpot.load(paths, elements=elements)
    assert potential.elements == tuple(elements)
    of_element = {path.name.split("_")[0]: path for path in paths}
    lines = ["pair_style eam", *(f"pair_coeff {k + 1} {k + 1} {of_element[e]}" for k, e in enumerate(elements))]
    atoms = structures.crystal(elements, 3.9, seed=6)
    check(potential, evaluate_one(potential, params, atoms), atoms, lines, precision)


def small(density: str = "fs") -> tuple[jaxpot.Potential, Any, jaxpot.System, jaxpot.Neighbors]:
    """Coarse tables of two elements, and a cluster with an isolated atom and padded ones."""
    rng = np.random.default_rng(7)
    potential = jaxpot.eam(("Ni", "Al"), cutoff=4.0, n_rho=9, d_rho=0.5, n_r=9, d_r=0.5, density=density)
    fade = (1 - np.arange(9) / 8) ** 2
    params = potential.init(
        rng.normal(size=(2, 9)),
        (1 + rng.uniform(size=(2, 2, 9) if density == "fs" else (2, 9))) * fade,
        rng.normal(size=(2, 2, 9)) * fade,
    )
    positions = [[0, 0, 0], [2.1, 0.3, 0.2], [0.4, 2.3, -0.5], [1.7, 1.8, 2.0], [30, 0, 0]]
    system = jaxpot.System.create(positions, [0, 1, 1, 0, 1]).pad(8)
    return potential, params, system, jaxpot.neighbor_list(4.0).allocate(system)


@pytest.mark.skipif(FLOAT32, reason="central differences need float64")
@pytest.mark.parametrize("density", ["alloy", "fs"])
def test_gradient_with_respect_to_every_knot(density: str) -> None:
    assert_parameter_gradient(*small(density))


@pytest.mark.skipif(FLOAT32, reason="central differences need float64")
def test_hessian_and_forces_are_derivatives() -> None:
    potential, params, system, neighbors = small()
    forces, hessian = jax.jit(jaxpot.forces(potential)), jax.jit(jaxpot.hessian(potential))(params, system, neighbors)
    energy = jax.jit(jaxpot.energy(potential))
    direction = np.random.default_rng(8).normal(size=system.positions.shape)
    step = 1e-6
    moved = [system.replace(positions=system.positions + sign * step * direction) for sign in (1, -1)]
    up, down = (energy(params, one, neighbors) for one in moved)
    slope = -(forces(params, system, neighbors) * direction).sum()
    np.testing.assert_allclose((up - down) / (2 * step), slope, rtol=1e-7)
    up, down = (forces(params, one, neighbors) for one in moved)
    np.testing.assert_allclose(
        -(up - down) / (2 * step), jnp.einsum("iajb,jb->ia", hessian, direction), rtol=1e-6, atol=1e-6
    )


def test_an_ensemble_by_vmap_equals_a_loop() -> None:
    potential, params, system, neighbors = small()
    members = [jax.tree.map(lambda leaf, k=k: leaf * (1 + 0.01 * k), params) for k in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    energy = jaxpot.energy(potential)
    together = jax.jit(jax.vmap(energy, (0, None, None)))(stacked, system, neighbors)
    alone = [jax.jit(energy)(member, system, neighbors) for member in members]
    np.testing.assert_allclose(together, alone, rtol=1e-5 if FLOAT32 else 1e-12)


@pytest.mark.skipif(FLOAT32, reason="compares with float64")
@pytest.mark.parametrize(
    ("name", "a"),
    [("Cu_mishin1.eam.alloy", 3.6), ("AlFe_mm.eam.fs", 3.9), ("Cu_zhou.eam.alloy", 3.6), ("Cu_u3.eam", 3.6)],
)
def test_float32_forces_are_those_of_float64(name: str, a: float) -> None:
    potential, params, evaluate, tables = loaded(name)
    atoms = structures.crystal(tables.elements, a, repeat=(2, 2, 1), seed=9)
    (double, neighbors), (single, single_neighbors) = (
        (shaped.systems[0], shaped.neighbors[0])
        for shaped in (one_shape([atoms], tables.elements, potential.cutoff, dtype) for dtype in ("float64", "float32"))
    )
    expected = evaluate(params, double, neighbors)
    values = {"embedding": tables.embedding, "density": tables.density, "pair": tables.r_phi}
    shapes = {name: value.shape for name, value in values.items()}
    rounded = table_params(potential.name, shapes, values, np.float32)
    errors = {}
    for case, knots in (
        ("whole", params),
        ("rounded", rounded),
        ("without what rounding took", {name: rounded[name] for name in values}),
    ):
        result = evaluate(knots, single, single_neighbors)
        assert {leaf.dtype.name for leaf in result[:3]} == {"float32"}
        errors[case] = np.abs(result.forces - expected.forces).max() / np.abs(expected.forces).max()
        np.testing.assert_allclose(result.energies.sum(), expected.energies.sum(), rtol=1e-5)
    assert max(errors["whole"], errors["rounded"]) < 2e-5
    if tables.n_r > 5000:  # why there is anything to add to the knots: slopes of fine tables are small differences
        assert errors["without what rounding took"] > 5 * errors["rounded"]


def test_what_is_wrong_is_said() -> None:
    good = {"cutoff": 4.0, "n_rho": 9, "d_rho": 0.5, "n_r": 9, "d_r": 0.5}
    for change, message in (
        ({"n_rho": 2}, "n_rho must be at least 3, got 2"),
        ({"d_r": -1.0}, "d_r must be a positive number, got -1.0"),
        ({"cutoff": 0.0}, "cutoff must be a positive length"),
        ({"density": "meam"}, "density must be"),
        ({"rho_max": 1.0}, "rho_max must not be before the last knot, 4, got 1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            jaxpot.eam(("Cu",), **{**good, **change})
    with pytest.raises(ValueError, match="at least one element"):
        jaxpot.eam((), **good)
    potential, params, system, neighbors = small()
    for wrong in ({**params, "pairs": params["pair"]}, {**params, "pair": params["pair"][..., 1:]}, [1.0]):
        with pytest.raises(ValueError, match=r"eam_fs takes params as a dict of embedding \[2, 9\]"):
            jaxpot.energy(potential)(wrong, system, neighbors)
