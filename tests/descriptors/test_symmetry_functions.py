"""Symmetry functions against plain numpy, one neighbour and one pair after another, and against DScribe's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers

import jaxpot
from jaxpot.descriptors.selection import select_columns
from jaxpot.descriptors.symmetry_functions import (
    CUTOFF_FUNCTIONS,
    SymmetryFunction,
    angular,
    cutoff_function,
    evaluator,
    grid_set,
    in_order,
    radial,
    standard_set,
)
from jaxpot.fit import scaling_of, values_by_element
from jaxpot.io.n2p2_files.settings import read_settings
from tests import structures
from tests.conftest import needs_float64

ELEMENTS = ("O", "Zr", "Ti")


def plain_cutoff(kind: str, r: float, rc: float, alpha: float) -> float:
    """n2p2's cutoff functions, written down from their definitions."""
    if r >= rc:
        return 0.0
    x = (r - alpha * rc) / (rc - alpha * rc)
    if kind == "tanhu":
        return float(np.tanh(1 - r / rc) ** 3)
    if kind == "tanh":
        return float(((np.e + 1 / np.e) / (np.e - 1 / np.e)) ** 3 * np.tanh(1 - r / rc) ** 3)
    if x < 0 or kind == "hard":
        return 1.0
    if kind == "cos":
        return float(0.5 * (np.cos(np.pi * x) + 1))
    if kind == "exp":
        return float(np.exp(1 - 1 / (1 - x**2)))
    powers = {
        "poly1": {2: -3, 3: 2},
        "poly2": {3: -10, 4: 15, 5: -6},
        "poly3": {4: -35, 5: 84, 6: -70, 7: 20},
        "poly4": {5: -126, 6: 420, 7: -540, 8: 315, 9: -70},
    }[kind]
    return float(1 + sum(c * x**n for n, c in powers.items()))


def plain_bump(subtype: str, value: float, start: float, end: float) -> float:
    """Compact functions, written down from their definition: a cutoff function of the distance from the middle."""
    middle = (start + end) / 2
    x = abs(value - middle) / (end - middle)
    if subtype.endswith("a"):
        x = 1.0 if x >= 1 else 2 * x - x * x
    return plain_cutoff({"e": "exp"}.get(subtype, f"poly{subtype[1:2]}"), x, 1.0, 0.0)


def plain_values(atoms: Atoms, functions: list[SymmetryFunction], kind: str, alpha: float) -> list[list[float]]:
    """The symmetry functions of each atom, in the order given, those of its element only."""
    symbols = atoms.get_chemical_symbols()
    largest = max(f.cutoff for f in functions)
    around: list[list[tuple[str, np.ndarray]]] = [[] for _ in atoms]
    for i, j, _, vector in zip(*structures.brute_force_pairs(atoms, largest), strict=True):
        around[i].append((symbols[j], vector))
    result = []
    for i, symbol in enumerate(symbols):
        values = []
        for f in functions:
            if f.center != symbol:
                continue

            def end(r: float, rc: float = f.cutoff) -> float:
                return plain_cutoff(kind, r, rc, alpha)

            def counts(names: list[str], wanted: tuple[str, ...] = f.neighbors) -> float:
                if not wanted:
                    return float(np.prod([atomic_numbers[name] for name in names]))
                return float(sorted(names) == sorted(wanted))

            def bump(r: float, f: SymmetryFunction = f) -> float:
                return plain_bump(f.subtype, r, f.start, f.cutoff)

            total = 0.0
            for a, (name, v) in enumerate(around[i]):
                r = float(np.linalg.norm(v))
                if f.type in (20, 23):
                    total += counts([name]) * bump(r)
                    continue
                if f.type in (1, 2, 4, 12):
                    term = np.cos(f.kappa * r) if f.type == 4 else np.exp(-f.eta * (r - f.shift) ** 2)
                    total += counts([name]) * term * end(r)
                    continue
                for other, w in around[i][a + 1 :]:
                    s, t = float(np.linalg.norm(w)), float(np.linalg.norm(w - v))
                    if f.type in (21, 22, 24, 25):
                        theta = float(np.degrees(np.arctan2(np.linalg.norm(np.cross(v, w)), v @ w)))
                        third = bump(t) if f.type in (21, 24) else 1.0
                        angle = plain_bump(f.subtype.rstrip("a"), theta, f.angle_start, f.angle_end)
                        total += counts([name, other]) * bump(r) * bump(s) * third * angle
                        continue
                    exponent = (r - f.shift) ** 2 + (s - f.shift) ** 2
                    ends = end(r) * end(s)
                    if f.type in (3, 13):
                        exponent += (t - f.shift) ** 2
                        ends *= end(t)
                    angle = max(0.0, 1 + f.sign * float(v @ w) / r / s) ** f.zeta
                    total += counts([name, other]) * 2 ** (1 - f.zeta) * angle * np.exp(-f.eta * exponent) * ends
            values.append(total)
        result.append(values)
    return result


def all_types(elements: tuple[str, ...]) -> list[SymmetryFunction]:
    functions = []
    for k, center in enumerate(elements):
        near, far = elements[k - 1], elements[k]
        functions += [
            SymmetryFunction(1, center, (near,), 4.1),
            SymmetryFunction(2, center, (near,), 5.0, 0.4 + 0.1 * k, 1.5),
            SymmetryFunction(2, center, (far,), 4.5, 0.2),
            SymmetryFunction(4, center, (far,), 5.0, kappa=1.7),
            SymmetryFunction(12, center, (), 5.0, 0.3, 0.7),
            SymmetryFunction(3, center, (near, far), 5.0, 0.02, 0.0, 1.0, -1.0),
            SymmetryFunction(3, center, (near, near), 4.5, 0.07, 0.4, 16.0, 1.0),
            SymmetryFunction(3, center, (far, near), 5.0, 0.02, 0.0, 6.0, 1.0),
            SymmetryFunction(9, center, (near, far), 5.0, 0.02, 0.0, 2.5, 1.0),
            SymmetryFunction(9, center, (far, far), 4.1, 0.1, 1.0, 3.0, -1.0),
            SymmetryFunction(13, center, (), 5.0, 0.05, 0.6, 2.0, 1.0),
            SymmetryFunction(20, center, (near,), 5.0, start=-5.0, subtype="p3"),
            SymmetryFunction(20, center, (far,), 4.8, start=1.1, subtype="p2a"),
            SymmetryFunction(23, center, (), 5.0, start=0.7, subtype="e"),
            SymmetryFunction(21, center, (near, far), 5.0, start=-5.0, angle_end=130.0, subtype="p2"),
            SymmetryFunction(21, center, (far, far), 4.9, start=-0.5, angle_start=40.0, subtype="p1a"),
            SymmetryFunction(
                22, center, (near, far), 4.9, start=0.3, angle_start=-150.0, angle_end=150.0, subtype="p4"
            ),
            SymmetryFunction(24, center, (), 5.0, start=-5.0, angle_start=20.0, angle_end=340.0, subtype="e"),
            SymmetryFunction(25, center, (), 4.5, start=-2.0, angle_start=15.0, angle_end=165.0, subtype="p3a"),
        ]
    return functions


def found_values(
    functions: list[SymmetryFunction], atoms: Atoms, elements: tuple[str, ...], kind: str, inner: float
) -> np.ndarray:
    potential = jaxpot.hdnnp(elements, functions, [], cutoff_function=kind, inner=inner, scaling="none")
    system = jaxpot.System.from_ase(atoms, elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    return np.asarray(jax.jit(potential.values)(system, neighbors))


@pytest.mark.parametrize("kind", ["slab", "primitive"])
def test_every_type_equals_the_plain_sum(kind: str) -> None:
    atoms = structures.make(kind, ELEMENTS, 4.2, "fcc", seed=4)
    elements = tuple(e for e in ELEMENTS if e in atoms.get_chemical_symbols())
    functions = all_types(elements)
    found = found_values(functions, atoms, elements, "poly2", 0.3)
    ordered = in_order(functions, sorted(elements, key=atomic_numbers.__getitem__))
    for row, wanted in zip(found, plain_values(atoms, ordered, "poly2", 0.3), strict=True):
        np.testing.assert_allclose(row[: len(wanted)], wanted, rtol=1e-11, atol=1e-13)
    assert np.abs(found).max(axis=0).min() > 0


# What n2p2's own tests ask of it (test/cpp/fixtures.h): positions, and values of the first atom by lines of input.nn.
THREE = [[0.0, 0.0, 0.0], [1.0, 2.0, 1.0], [0.0, 3.0, -1.0]]
FOUR = [*THREE, [-2.0, 1.0, -0.5]]
N2P2 = {
    "HHH": {
        "2 H 0.001 0.0 10.0": 4.6578975865793892e-01,
        "2 H 0.030 1.0 10.0": 4.2613074319879601e-01,
        "3 H H 0.001 1.0 1.0 10.0 0.0": 2.2781144245150042e-02,
        "3 H H 0.030 -1.0 4.0 10.0 2.0": 2.6506732726623567e-05,
        "9 H H 0.001 1.0 1.0 10.0 0.0": 8.8187604914213763e-02,
        "9 H H 0.031 -1.0 4.0 10.0 2.0": 1.0245670290254523e-04,
        "12 0.001 0.0 10.0": 4.6578975865793892e-01,
        "13 0.030 2.0 -1.0 4.0 10.0": 2.6506732726623567e-05,
        "20 H -10.0 10.0 p2": 1.71653828561074920,
        "20 H 0.0 8.0 p2": 1.63829178699555840,
        "20 H 1.0 3.0 p2": 0.59406437434580717,
        "21 H H -10.0 10.0 0.0 180.0 p2": 0.39698365829232357,
        "21 H H 0.0 10.0 10.0 60.0 p2": 0.056548996092037257,
        "21 H H 1.0 10.0 40.0 120.0 p2": 0.0017053618495084467,
        "22 H H -10.0 10.0 0.0 180.0 p2": 0.440241957350979370,
        "22 H H 0.0 10.0 10.0 60.0 p2": 0.117549886737894540,
        "22 H H 1.0 10.0 40.0 120.0 p2": 0.008811770360680239,
    },
    "HHeHe": {
        "12 0.030 1.0 10.0": 8.5226148639759169e-01,
        "13 0.001 0.0 1.0 1.0 10.0": 9.1124576980600058e-02,
        "23 -10.0 10.0 p2": 3.4330765712215,
        "23 0.0 8.0 p2": 3.27658357399112,
        "23 1.0 3.0 p2": 1.18812874869161,
        "24 -10.0 10.0 0.0 180.0 p2": 1.58793463316929,
        "24 0.0 10.0 10.0 60.0 p2": 0.226195984368149,
        "24 1.0 10.0 40.0 120.0 p2": 0.00682144739803379,
        "25 -10.0 10.0 0.0 180.0 p2": 1.76096782940392,
        "25 0.0 10.0 10.0 60.0 p2": 0.470199546951578,
        "25 1.0 10.0 40.0 120.0 p2": 0.035247081442721,
    },
    "SSCuU": {
        "2 Cu 0.030 1.0 10.0": 1.8212508087363616e-01,
        "2 U 0.030 1.0 10.0": 2.5814603379946083e-01,
        "3 S Cu 0.001 1.0 1.0 10.0 0.0": 2.2781144245150042e-02,
        "3 S U 0.001 1.0 1.0 10.0 0.0": 1.1723866787654575e-02,
        "3 Cu U 0.001 1.0 1.0 10.0 0.0": 1.8921487310992163e-02,
        "12 0.001 0.0 10.0": 3.4986591461381153e01,
        "13 0.001 0.0 1.0 1.0 10.0": 7.8310510986904234e01,
        "13 0.001 1.0 -1.0 4.0 10.0": 3.6978004634143264e00,
    },
}


@needs_float64
@pytest.mark.parametrize("formula", list(N2P2))
def test_every_type_equals_n2p2(formula: str) -> None:
    atoms = Atoms(formula, positions=FOUR[: len(Atoms(formula))])
    center, elements = atoms.get_chemical_symbols()[0], sorted(set(atoms.get_chemical_symbols()))
    lines = [f"number_of_elements {len(elements)}", f"elements {' '.join(elements)}", "cutoff_type 2 0.0"]
    lines += ["global_hidden_layers_short 0", "global_nodes_short", "global_activation_short l"]
    lines += [f"symfunction_short {center} {words}" for words in N2P2[formula]]
    lines += [f"symfunction_short {symbol} 1 {symbol} 10.0" for symbol in elements if symbol != center]
    arguments = read_settings("input.nn", "n2p2/metal", "\n".join(lines)).arguments
    functions = [f for f in arguments["functions"] if f.center == center]
    found = found_values(arguments["functions"], atoms, tuple(elements), arguments["cutoff_function"], 0.0)[0]
    ordered = in_order(functions, sorted(elements, key=atomic_numbers.__getitem__))
    wanted = [list(N2P2[formula].values())[functions.index(f)] for f in ordered]
    np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=3e-14)


@needs_float64
def test_slopes_of_every_type() -> None:
    """Derivatives against differences; a triangle off all ends of compact functions."""
    elements = ("O", "Zr", "Ti")
    functions = all_types(elements)
    potential = jaxpot.hdnnp(elements, functions, [], scaling="none")
    values = potential.values
    atoms = Atoms("OZrTiO", positions=[[0.0, 0.0, 0.0], [0.3, 2.0, 0.2], [1.9, 0.4, -0.3], [-1.1, 0.6, 1.7]])
    system = jaxpot.System.from_ase(atoms, elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)

    def at(positions: jax.Array) -> jax.Array:
        return values(system.replace(positions=positions), neighbors)

    slopes = jax.jit(jax.jacfwd(at))(system.positions)
    shift = np.zeros((4, 3))
    for atom, axis in ((0, 0), (1, 2), (3, 1)):
        shift[:] = 0.0
        shift[atom, axis] = 1e-6
        numbers = (at(system.positions + shift) - at(system.positions - shift)) / 2e-6
        np.testing.assert_allclose(slopes[:, :, atom, axis], numbers, atol=3e-7)


@needs_float64
def test_compact_functions_of_neighbours_in_a_line() -> None:
    """Values and derivatives are those beside the line, where the angle itself has no derivative."""
    functions = [
        SymmetryFunction(22, "Ar", ("Ar", "Ar"), 5.0, start=-5.0, angle_start=first, angle_end=last, subtype=subtype)
        for first, last in ((-180.0, 180.0), (0.0, 360.0), (0.0, 180.0))
        for subtype in ("p1", "p2", "e")
    ]
    potential = jaxpot.hdnnp(["Ar"], functions, [], scaling="none")
    values = jax.jit(potential.values)
    straight = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 4.0]])
    system = jaxpot.System.create(straight)
    neighbors = jaxpot.neighbor_list(5.0).allocate(system)
    found = [values(system.replace(positions=straight.at[1, 0].add(h)), neighbors) for h in (0.0, 1e-7)]
    np.testing.assert_allclose(*found, atol=1e-12)
    assert float(found[0].max()) > 0.5
    energy = jaxpot.energy(potential)
    params = potential.init(jax.random.key(0))

    def of(h: jax.Array) -> jax.Array:
        return energy(params, system.replace(positions=straight.at[1, 0].add(h)), neighbors)

    assert float(jax.grad(of)(0.0)) == 0.0
    bend = (of(1e-4) - 2 * of(0.0) + of(-1e-4)) / 1e-8  # p2 goes by the third power of the angle: off by some 1e-4
    assert float(jax.grad(jax.grad(of))(0.0)) == pytest.approx(float(bend), rel=3e-3)


@pytest.mark.parametrize("inner", [0.0, 0.35])
@pytest.mark.parametrize("kind", list(CUTOFF_FUNCTIONS))
def test_cutoff_functions(kind: str, inner: float) -> None:
    f = cutoff_function(kind, inner)
    r = np.concatenate([np.linspace(0.0, 6.5, 66), [5.999999, 6.0]])
    wanted = [plain_cutoff(kind, v, 6.0, inner) for v in r]
    np.testing.assert_allclose(f(jnp.asarray(r), 6.0), wanted, rtol=1e-13, atol=1e-12)
    slopes = jax.vmap(jax.grad(lambda v: f(v, 6.0)))(jnp.asarray(r))
    assert np.isfinite(slopes).all()
    middle = np.array([0.5, 1.9, 2.3, 4.0, 5.5])
    numbers = [
        (plain_cutoff(kind, v + 1e-6, 6.0, inner) - plain_cutoff(kind, v - 1e-6, 6.0, inner)) / 2e-6 for v in middle
    ]
    np.testing.assert_allclose(jax.vmap(jax.grad(lambda v: f(v, 6.0)))(jnp.asarray(middle)), numbers, atol=1e-8)


def test_equals_dscribe() -> None:
    from dscribe.descriptors import ACSF

    elements = ("H", "O")
    atoms = structures.crystal(elements, 3.1, "fcc", (1, 1, 2), seed=6)
    g2 = [[1.0, 1.0], [0.5, 2.0]]
    g3 = [1.0, 2.0]
    g4 = [[0.01, 1, 1], [0.01, 2, -1], [0.05, 4, 1]]
    g5 = [[0.02, 1, 1], [0.1, 3.0, -1]]
    cutoff = 4.5
    acsf = ACSF(species=elements, r_cut=cutoff, g2_params=g2, g3_params=g3, g4_params=g4, g5_params=g5, periodic=True)
    wanted = acsf.create(atoms)
    for center in elements:
        functions = []  # in DScribe's order: by neighbour, then by pair of neighbours
        for name in elements:
            functions += [SymmetryFunction(1, center, (name,), cutoff)]
            functions += [radial(center, name, cutoff, eta, shift) for eta, shift in g2]
            functions += [radial(center, name, cutoff, kappa=kappa) for kappa in g3]
        for both in (("H", "H"), ("H", "O"), ("O", "O")):
            functions += [angular(center, both, cutoff, eta, zeta, sign) for eta, zeta, sign in g4]
            functions += [angular(center, both, cutoff, eta, zeta, sign, narrow=False) for eta, zeta, sign in g5]
        other = [SymmetryFunction(1, symbol, (symbol,), cutoff) for symbol in elements if symbol != center]
        found = found_values([*functions, *other], atoms, elements, "cos", 0.0)
        ordered = in_order(functions, elements)
        column = [functions.index(f) for f in ordered]
        own = [k for k, symbol in enumerate(atoms.get_chemical_symbols()) if symbol == center]
        np.testing.assert_allclose(found[own][:, : len(ordered)], wanted[own][:, column], rtol=1e-10, atol=1e-12)


def test_collinear_neighbours_have_finite_derivatives() -> None:
    """(1 + lambda cos)^zeta at cos = -lambda, for a zeta that is no whole number and one below 1."""
    functions = [angular("Ar", ("Ar", "Ar"), 5.0, 0.01, zeta, sign) for zeta in (0.5, 1.5, 2.0) for sign in (1.0, -1.0)]
    potential = jaxpot.hdnnp(["Ar"], functions, [], scaling="none")
    params = potential.init(jax.random.key(0))
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 4.0]])
    neighbors = jaxpot.neighbor_list(5.0).allocate(system)
    assert np.isfinite(jaxpot.forces(potential)(params, system, neighbors)).all()


def test_an_ensemble_of_gaussians() -> None:
    """`vmap` over the numbers of the symmetry functions equals a loop."""
    potential = jaxpot.hdnnp(("Li", "B"), all_types(("Li", "B")), [3], scaling="none")
    atoms = structures.make("cluster", ("Li", "B"), 3.6, "fcc", seed=1)
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    params = potential.init(jax.random.key(1), train_descriptor=True)
    members = [jax.tree.map(lambda leaf, s=s: s * leaf, params) for s in (1.0, 1.1)]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    energy = jaxpot.energy(potential)
    found = jax.jit(jax.vmap(energy, (0, None, None)))(together, system, neighbors)
    one = jax.jit(energy)
    np.testing.assert_allclose(found, [one(m, system, neighbors) for m in members], rtol=1e-12)
    assert abs(found[0] - found[1]) > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, "H", ("H",), 4.0), "type 5 is not supported"),
        ((2, "H", (), 4.0), "takes 1 neighbours"),
        ((2, "H", ("H",), 0.0), "cutoff of a symmetry function must be positive"),
        ((3, "H", ("H", "H"), 4.0, 0.1, 0.0, 0.0), "zeta must be positive"),
        ((3, "H", ("H", "H"), 4.0, 0.1, 0.0, 1.0, 2.0), "lambda must be from -1 to 1"),
        ((2, "H", ("H",), float("nan")), "finite"),
        ((2, "H", ("H",), 4.0, *[0.0] * 2, 1.0, 1.0, 0.0, 1.0), "takes no subtype and no start"),
        ((20, "H", ("H",), 4.0), "compact function '' is not known"),
    ],
)
def test_a_wrong_function_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SymmetryFunction(*arguments)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"start": 4.0}, "must start before the cutoff"),
        ({"subtype": "p5"}, "compact function 'p5' is not known"),
        ({"subtype": "ea"}, "compact function 'ea' is not known"),
        ({"angle_start": 90.0, "angle_end": 90.0}, "angles must rise"),
        ({"angle_start": -200.0, "angle_end": 200.0}, "by up to 360 degrees"),
        ({"angle_start": -30.0, "angle_end": 40.0}, "as far on both sides"),
        ({"angle_start": 100.0, "angle_end": 200.0}, "as far on both sides"),
        ({"angle_end": float("inf")}, "finite"),
    ],
)
def test_a_wrong_compact_function_is_refused(numbers: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"start": -4.0, "subtype": "p2"}
    with pytest.raises(ValueError, match=message):
        SymmetryFunction(22, "H", ("H", "H"), 4.0, **usual | numbers)


def test_wrong_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="no symmetry functions given"):
        evaluator(["H"], [])
    with pytest.raises(ValueError, match="not among the elements"):
        evaluator(["H"], [radial("H", "O", 4.0)])
    with pytest.raises(ValueError, match="cutoff function 'sine' is not known"):
        cutoff_function("sine")
    with pytest.raises(ValueError, match="inner cutoff"):
        cutoff_function("cos", 1.0)


def test_usual_sets_and_a_compact_one_from_data() -> None:
    """Usual candidates; the chosen ones tell more of the others than as many random ones."""
    elements = ("Ga", "As")
    assert {f.center for f in standard_set(elements, 5.0)} == set(elements)
    candidates = grid_set(elements, 5.0, zetas=(1.0, 4.0))
    assert len(set(candidates)) == len(candidates)
    assert max(f.shift for f in candidates) < 5.0
    potential = jaxpot.hdnnp(elements, candidates, [], scaling="none")
    systems = [
        jaxpot.System.from_ase(structures.crystal(elements, 5.6, "diamond", (1, 1, 2), seed=s), elements)
        for s in range(5)
    ]
    values = values_by_element(potential, systems, max_shapes=1)["As"]
    assert values.shape == (sum(int((s.species == 1).sum()) for s in systems), len(candidates) // 2)
    scaling = scaling_of({"As": values})["As"]
    np.testing.assert_allclose(scaling["mean"], values.mean(axis=0))
    unit = (values - scaling["mean"]) / scaling["sigma"]

    def unexplained(columns: np.ndarray) -> float:
        fitted = unit[:, columns] @ np.linalg.lstsq(unit[:, columns], unit, rcond=None)[0]
        return float(((unit - fitted) ** 2).mean())

    rng = np.random.default_rng(0)
    by_chance = np.median([unexplained(rng.choice(unit.shape[1], 6, replace=False)) for _ in range(40)])
    for method in ("fps", "cur"):
        chosen = select_columns(values, 6, method)
        assert len(set(chosen.tolist())) == 6
        assert unexplained(chosen) < by_chance
    with pytest.raises(ValueError, match="count must be from 1"):
        select_columns(values, 1000)
    with pytest.raises(ValueError, match="method must be"):
        select_columns(values, 3, "best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="elements must be"):
        standard_set("Mo", 5.0)
