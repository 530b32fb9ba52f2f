"""Finnis-Sinclair: the paper's equation, LAMMPS on a fine table of it, and the paper's metals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.properties import Crystal
from jaxpot.units import GPA
from tests import structures
from tests.conftest import Precision
from tests.oracles import lammps
from tests.potentials.agreement import assert_agrees, assert_parameter_gradient, density_sum, evaluate_one, shaped

# The properties to which Finnis and Sinclair (1984) fitted each metal, all measured:
# a (Å), cohesive energy (eV), C11, C12, C44 (10^11 Pa)
METALS = {
    "V": (3.0399, 5.31, 2.279, 1.187, 0.426),
    "Nb": (3.3008, 7.57, 2.466, 1.332, 0.281),
    "Ta": (3.3058, 8.10, 2.660, 1.612, 0.824),
    "Cr": (2.8845, 4.10, 3.871, 1.035, 1.008),
    "Mo": (3.1472, 6.82, 4.647, 1.615, 1.089),
    "W": (3.1652, 8.90, 5.224, 2.044, 1.606),
    "Fe": (2.8665, 4.28, 2.431, 1.381, 1.219),
}
ALLOY = ("Mo", "Nb", "Fe")
TABLES: dict[str, np.ndarray] = {
    "A": np.array([1.887117, 3.013789, 1.828905]),
    "d": np.array([[4.114825, 4.0, 3.9], [4.0, 3.915354, 3.8], [3.9, 3.8, 3.569745]]),
    "beta": np.array([[0.0, 0.3, 0.9], [0.3, 0.0, 0.7], [0.9, 0.7, 1.8]]),
    "c": np.array([[3.25, 3.7, 3.3], [3.7, 4.2, 3.8], [3.3, 3.8, 3.4]]),
    "c0": np.array([[43.4475218, 20.0, 21.0], [20.0, -1.5640104, 0.5], [21.0, 0.5, 1.2371147]]),
    "c1": np.array([[-31.9332978, -14.0, -15.0], [-14.0, 2.0055779, 0.3], [-15.0, 0.3, -0.3592185]]),
    "c2": np.array([[6.0804249, 2.6, 2.9], [2.6, -0.4663764, -0.1], [2.9, -0.1, -0.0385607]]),
}
CORE = {
    "B": np.array([[1223.0, 300.0, 90.0], [300.0, 48.0, 70.0], [90.0, 70.0, 50.0]]),
    "alpha": np.array([[3.9, 2.5, 1.4], [2.5, 0.8, 1.1], [1.4, 1.1, 1.0]]),
    "b0": np.array([[2.9, 2.8, 2.75], [2.8, 3.0, 2.8], [2.75, 2.8, 2.7]]),
}


def paper(params: dict[str, Any], elements: tuple[str, ...], atoms: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and virial from the paper's equations, pair after pair."""

    def of(name: str, first: str, second: str) -> float:
        table = np.asarray(params[name])
        return float(table if table.ndim == 0 else table[elements.index(first), elements.index(second)])

    def repulsion(first: str, second: str, r: float) -> tuple[float, float]:
        c, c0, c1, c2 = (of(name, first, second) for name in ("c", "c0", "c1", "c2"))
        value = slope = 0.0
        if r < c:
            polynomial = c0 + c1 * r + c2 * r**2
            value = (r - c) ** 2 * polynomial
            slope = 2 * (r - c) * polynomial + (r - c) ** 2 * (c1 + 2 * c2 * r)
        if "B" in params and r < of("b0", first, second):
            strength, alpha, b0 = (of(name, first, second) for name in ("B", "alpha", "b0"))
            decay = np.exp(-alpha * r)
            value += strength * (b0 - r) ** 3 * decay
            slope += strength * decay * (-3 * (b0 - r) ** 2 - alpha * (b0 - r) ** 3)
        return value, slope

    def density(first: str, second: str, r: float) -> tuple[float, float]:
        d, beta = of("d", first, second), of("beta", first, second)
        if r >= d:
            return 0.0, 0.0
        return (r - d) ** 2 + beta * (r - d) ** 3 / d, 2 * (r - d) + 3 * beta * (r - d) ** 2 / d

    def embedding(symbol: str, rho: float) -> tuple[float, float]:
        strengths = np.asarray(params["A"])
        strength = float(strengths if strengths.ndim == 0 else strengths[elements.index(symbol)])
        return -strength * np.sqrt(rho), -0.5 * strength / np.sqrt(rho)

    return density_sum(atoms, 4.3, repulsion, density, embedding)


def compiled(potential: jaxpot.Potential) -> Any:
    return jax.jit(potential.evaluate)


CASES: dict[str, tuple[jaxpot.Potential, dict[str, Any]]] = {
    "metal": jaxpot.published("finnis_sinclair_1984:Fe"),
    "alloy": (jaxpot.finnis_sinclair(4.3, ALLOY), TABLES),
    "alloy-with-core": (jaxpot.finnis_sinclair(4.3, ALLOY), {**TABLES, **CORE}),
}
COMPILED = {name: compiled(potential) for name, (potential, _) in CASES.items()}


@pytest.mark.parametrize("kind", structures.KINDS)
@pytest.mark.parametrize("name", CASES)
def test_equals_the_papers_equations(name: str, kind: str, precision: Precision) -> None:
    potential, params = CASES[name]
    assert potential.elements is not None
    at = structures.KINDS.index(kind)
    atoms, systems, neighbors = shaped(potential.elements, 2.95, "bcc", potential.cutoff)
    result = COMPILED[name](params, systems[at], neighbors[at])
    assert_agrees(result, *paper(params, potential.elements, atoms[at]), precision)


@pytest.mark.parametrize("name", ["finnis_sinclair_1984:Fe", "ackland_thetford_1987:W"])
def test_equals_lammps_on_a_fine_table(name: str, tmp_path: Path, precision: Precision) -> None:
    # LAMMPS has no analytic style; with 1e-4 Å between knots its cubics are good to 1e-8
    potential, params = jaxpot.published(name)
    assert potential.elements is not None
    (symbol,) = potential.elements
    a = METALS[symbol][0]
    atoms = structures.crystal([symbol], a, "bcc", seed=3)
    knots, step = 50_001, 1e-4
    r = np.arange(knots) * step
    rho = np.arange(knots) * 2e-3
    x, y = np.minimum(r - params["d"], 0), np.minimum(r - params["c"], 0)
    density = x**2 + params["beta"] * x**3 / params["d"]
    pair = y**2 * (params["c0"] + params["c1"] * r + params["c2"] * r**2)
    if "B" in params:
        pair += params["B"] * np.maximum(params["b0"] - r, 0) ** 3 * np.exp(-params["alpha"] * r)
    file = tmp_path / "table.eam.fs"
    header = [f"1 {symbol}", f"{knots} 2e-3 {knots} {step} {potential.cutoff!r}", f"1 1.0 {a} bcc"]
    columns = (-params["A"] * np.sqrt(rho), density, r * pair)
    numbers = ["\n".join(f"{value:.17e}" for value in column) for column in columns]
    file.write_text("\n".join(["one", "two", "three", *header, *numbers]) + "\n")
    commands = ["pair_style eam/fs", f"pair_coeff * * {file} {symbol}"]
    expected = lammps.single_point(atoms, commands, [symbol])
    result = evaluate_one(potential, params, atoms)
    table = Precision("table", max(1e-8, precision.energy), max(1e-6, precision.forces))
    assert_agrees(result, expected.energy, expected.forces, expected.virial, table)


@pytest.fixture(scope="module")
def crystal() -> Crystal:
    """One list and one cutoff for all metals, so that one compilation serves them all."""
    return Crystal(jaxpot.finnis_sinclair(4.5), "bcc", 2.8)


@pytest.mark.parametrize("family", ["finnis_sinclair_1984", "ackland_thetford_1987"])
@pytest.mark.parametrize("symbol", METALS)
def test_lattice_constant_cohesive_energy_and_elastic_constants_are_the_papers(
    family: str, symbol: str, crystal: Crystal
) -> None:
    if family == "ackland_thetford_1987" and symbol in ("Cr", "Fe"):
        with pytest.raises(ValueError, match="no published set"):
            jaxpot.published(f"{family}:{symbol}")
        return
    _, params = jaxpot.published(f"{family}:{symbol}")
    a, cohesion, *elastic = METALS[symbol]
    found, energy, constants = crystal.relaxed(params, a)
    np.testing.assert_allclose(found, a, rtol=0, atol=5e-5)
    np.testing.assert_allclose(-energy, cohesion, rtol=0, atol=5e-4)
    np.testing.assert_allclose(constants / GPA / 100, elastic, rtol=0, atol=1e-3)


@pytest.mark.parametrize("record", [r for r in jaxpot.available() if r.name.startswith(("finnis", "ackland"))], ids=str)
def test_published_cutoffs_are_the_ranges(record: jaxpot.PublishedSet) -> None:
    potential, params = record.make()
    assert potential.cutoff == max(params["c"], params["d"], params.get("b0", 0.0))


def test_the_core_acts_only_closer_than_neighbours(crystal: Crystal) -> None:
    plain, core = (jaxpot.published(f"{family}:Mo")[1] for family in ("finnis_sinclair_1984", "ackland_thetford_1987"))
    for a in (3.2, 2.9):
        r = 3**0.5 / 2 * a
        added = 0.5 * 8 * core["B"] * max(core["b0"] - r, 0.0) ** 3 * np.exp(-core["alpha"] * r)
        assert (added > 0) == (a < 3.1)
        np.testing.assert_allclose(
            float(crystal.energy(core, a)) - float(crystal.energy(plain, a)), added, rtol=1e-9, atol=1e-14
        )


@pytest.mark.parametrize("kind", [0, 2], ids=["crystal", "skewed-with-padding"])
def test_parameter_gradients(kind: int) -> None:
    potential, params = CASES["alloy-with-core"]
    assert potential.elements is not None
    _, systems, neighbors = shaped(potential.elements, 2.95, "bcc", potential.cutoff)
    assert bool(jnp.any(~systems[2].real)), "the skewed cell is there for its padding"
    assert_parameter_gradient(potential, params, systems[kind], neighbors[kind])


def test_no_density_is_no_trouble() -> None:
    # two isolated atoms, a pair at d, where rho vanishes to second order, and two padded atoms
    potential, params = jaxpot.published("finnis_sinclair_1984:Mo")
    positions = [[0.0, 0.0, 0.0], [50.0, 0.0, 0.0], [100.0, 0.0, 0.0], [100.0, np.nextafter(params["d"], 0), 0.0]]
    system = jaxpot.System.create(positions).pad(6)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    result = jax.jit(potential.evaluate)(params, system, neighbors)
    np.testing.assert_allclose(result.energies, 0.0, atol=1e-14)
    assert not np.any(result.forces[jnp.asarray([0, 1, 4, 5])])
    assert np.all(np.isfinite(result.forces))
    gradient = jax.jit(jax.grad(jaxpot.energy(potential)))(params, system, neighbors)
    assert np.all(np.isfinite(list(gradient.values())))
    lone = jaxpot.System.create([[0.0, 0.0, 0.0]]).pad(2)
    alone = jaxpot.neighbor_list(potential.cutoff).allocate(lone)
    slopes = jax.jit(jax.grad(jaxpot.energy(potential)))(params, lone, alone)
    assert not np.any(list(slopes.values()))
    assert not np.any(jax.jit(jaxpot.hessian(potential))(params, lone, alone))


def test_where_iron_has_no_energy_it_is_not_a_number() -> None:
    potential, params = jaxpot.published("finnis_sinclair_1984:Fe")
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    assert np.isnan(jaxpot.energy(potential)(params, system, neighbors))


def test_float32_is_close_and_stays_float32() -> None:
    potential, params = CASES["alloy-with-core"]
    assert potential.elements is not None
    double = shaped(potential.elements, 2.95, "bcc", potential.cutoff)
    single = shaped(potential.elements, 2.95, "bcc", potential.cutoff, dtype="float32")
    for at, kind in enumerate(structures.KINDS):
        expected = COMPILED["alloy-with-core"](params, double.systems[at], double.neighbors[at])
        result = COMPILED["alloy-with-core"](params, single.systems[at], single.neighbors[at])
        assert {leaf.dtype.name for leaf in result[:3]} == {"float32"}
        scale = np.abs(expected.virial if kind == "primitive" else expected.forces).max()
        np.testing.assert_allclose(result.forces, expected.forces, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d": 4.5}, r"d = 4.5 Å reaches beyond the cutoff 4.3 Å; build it with a larger cutoff"),
        ({"B": 1.0}, "takes params with .*alpha, b0; got"),
        ({"A": np.ones(2)}, r"A must be one number or one a species, \[3\]; got \[2\]"),
        ({"c0": np.ones(3)}, r"a table \[3, 3\], got shape \[3\]"),
    ],
)
def test_what_params_are_refused(change: dict[str, Any], message: str) -> None:
    potential, params = CASES["alloy"]
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.5]])
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    with pytest.raises(ValueError, match=message):
        jaxpot.energy(potential)({**params, **change}, system, neighbors)
    if "d" in change:
        energy = jax.jit(jaxpot.energy(potential))
        assert np.isnan(energy({**params, **change}, system, neighbors))
