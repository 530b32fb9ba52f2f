"""SchNet and DTNN against exports of schnetpack and DeepChem, and against the papers' equations in plain numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.engine import graph as engine
from tests import structures
from tests.conftest import FLOAT32, needs_float64
from tests.contract.registry import EXAMPLES


def evaluate(potential: jaxpot.Potential, params: Any, atoms: Atoms) -> jaxpot.Evaluation:
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    return jax.jit(potential.evaluate)(params, system, neighbors)


@needs_float64
def test_schnet_equals_schnetpack(shared_data: Path) -> None:
    file = shared_data / "schnet" / "schnet_random.npz"
    potential, params = jaxpot.load(file, ["H", "C", "O", "Na", "Cl"])
    for wanted in json.loads(file.with_suffix(".json").read_text()).values():
        atoms = Atoms(wanted["numbers"], positions=wanted["positions"], cell=wanted["cell"], pbc=wanted["pbc"])
        found = evaluate(potential, params, atoms)
        assert float(found.energies.sum()) == pytest.approx(wanted["energy"][0], rel=1e-10)
        forces, stress = np.array(wanted["forces"]), np.array(wanted["stress"])[0]
        np.testing.assert_allclose(found.forces, forces, rtol=0, atol=1e-10 * np.abs(forces).max())
        np.testing.assert_allclose(found.virial / atoms.get_volume(), stress, rtol=0, atol=1e-10 * np.abs(stress).max())


@needs_float64
def test_all_elements_of_an_export(shared_data: Path) -> None:
    file = shared_data / "schnet" / "schnet_random.npz"
    every, params = jaxpot.load(file)
    some, fewer = jaxpot.load(file, ["Cl", "Na"])
    assert every.elements is not None
    assert (len(every.elements), every.elements[0], every.cutoff) == (99, "H", 5.0)
    atoms = structures.make("crystal", ["Na", "Cl"], 5.0, "fcc", seed=1)[:6]
    np.testing.assert_allclose(
        evaluate(every, params, atoms).energies, evaluate(some, fewer, atoms).energies, rtol=1e-12
    )


@needs_float64
def test_dtnn_equals_deepchem(shared_data: Path) -> None:
    file = shared_data / "dtnn" / "dtnn_random.npz"
    wanted = np.load(file)
    atoms = Atoms(wanted["numbers"], positions=wanted["positions"])
    for elements in (None, ["O", "H", "C"]):
        found = evaluate(*jaxpot.load(file, elements), atoms)
        assert float(found.energies.sum()) == pytest.approx(float(wanted["energy"]), rel=1e-10)
        forces = wanted["forces"]
        np.testing.assert_allclose(found.forces, forces, rtol=0, atol=1e-10 * np.abs(forces).max())


@needs_float64
def test_dtnn_equals_the_papers_equations() -> None:
    """Nat. Commun. 8, 13890, eqs. 2 to 6, one pair after another, in a periodic cell smaller than the cutoff."""
    elements = ("Li", "F")
    cutoff = 4.0
    potential = jaxpot.dtnn(elements, cutoff, features=4, hidden=5, interactions=2, gaussians=6, readout=(3,))
    params = potential.init(jax.random.key(1), {"F": -2.5})
    params["interactions"][0]["df"]["biases"] = 0.1 * np.arange(5.0)
    atoms = structures.make("primitive", ["Li"], 4.0, "fcc", seed=3) + Atoms("F", positions=[[1.9, 1.7, 1.2]])
    symbols = atoms.get_chemical_symbols()
    p = jax.tree.map(np.asarray, params)
    mu, width = np.linspace(-1.0, cutoff, 6), 5.0 / 5
    c = [p["embedding"][elements.index(s)] for s in symbols]
    pairs = list(zip(*structures.brute_force_pairs(atoms, cutoff), strict=True))
    for layer in p["interactions"]:
        new = [v.copy() for v in c]
        for i, j, _, vector in pairs:
            r = float(np.linalg.norm(vector))
            g = np.exp(-((r - mu) ** 2) / (2 * width**2))
            left = c[j] @ layer["cf"]["weights"] + layer["cf"]["biases"]
            right = g @ layer["df"]["weights"] + layer["df"]["biases"]
            end = 0.5 * (np.cos(np.pi * r / cutoff) + 1)
            new[i] += end * np.tanh((left * right) @ layer["fc"]["weights"])
        c = new
    first, last = p["readout"]
    energies = [
        float((np.tanh(v @ first["weights"] + first["biases"]) @ last["weights"] + last["biases"])[0])
        - 2.5 * (s == "F")
        for v, s in zip(c, symbols, strict=True)
    ]
    np.testing.assert_allclose(evaluate(potential, params, atoms).energies, energies, rtol=1e-12)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"representation.interactions.0.x": np.ones((5, 2))}, "has no array representation.embedding.weight"),
        ({"dtnn_embedding.embedding_list": np.full((5, 2), np.nan)}, "not of finite numbers"),
        ({"representation.interactions.0.interatomic_context_net.0.weight": np.ones((2, 2))}, "holds a PaiNN"),
    ],
)
def test_a_wrong_export_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(jaxpot.FileFormatError, match=message):
        jaxpot.load(tmp_path / "weights.npz")


def test_elements_and_cutoffs_of_exports(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "schnet" / "schnet_random.npz"
    with pytest.raises(ValueError, match="leave out cutoff"):
        jaxpot.load(file, cutoff=4.0)
    with pytest.raises(ValueError, match="has no element Lr"):
        jaxpot.load(file, ["Lr"])
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(jaxpot.FileFormatError, match=r"no \.npz of plain arrays"):
        jaxpot.load(tmp_path / "x.npz")


def test_wrong_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="distinct elements"):
        jaxpot.schnet(["H", "H"])
    with pytest.raises(ValueError, match="features must be at least 1"):
        jaxpot.dtnn(["H"], features=0)
    potential = jaxpot.schnet(["H"], 3.0, features=2, interactions=1, gaussians=3)
    params = potential.init(jax.random.key(0))
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    neighbors = jaxpot.neighbor_list(3.0).allocate(system)
    del params["out"]
    with pytest.raises(ValueError, match="schnet takes params with"):
        potential.evaluate(params, system, neighbors)


NETWORKS = [e for e in EXAMPLES if e.name in ("schnet", "dtnn", "message_passing_toy")]


def close(found: Any, wanted: Any, size: float = 1.0) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=(3e-4 if FLOAT32 else 1e-10) * max(size, np.abs(b).max()))


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three atoms and at most seven slots of each."""
    for name, value in (("WHOLE", 0), ("ATOMS", 3), ("SLOTS", 7)):
        monkeypatch.setattr(engine, name, value)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda e: e.name)
def test_blocks_change_nothing(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Energies, forces, virial, slopes of them by the params, and the Hessian; in a cell smaller than the cutoff."""
    potential, params = network.build()
    params = jax.tree.map(jnp.asarray, params)
    elements, a = network.settings["elements"], network.settings["lattice_constant"]
    atoms = structures.crystal(elements, a, "fcc", repeat=(1, 1, 2), seed=4)[:7]
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff, 0.5).allocate(system)
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(len(atoms), 3)))

    def projected(params: Any) -> jax.Array:
        found = potential.evaluate(params, system, neighbors)
        return (weights * found.forces).sum() + (weights[:3] * found.virial).sum()

    def results() -> Any:
        # a function of its own each time: JAX would find the program that it compiled before
        energies = jax.jit(lambda *given: potential.atomic_energies(*given))(params, system, neighbors)
        evaluation = jax.jit(lambda *given: potential.evaluate(*given))(params, system, neighbors)
        slopes = jax.jit(jax.grad(lambda p: projected(p)))(params)
        hessian = jax.jit(lambda *given: jaxpot.hessian(potential)(*given))(params, system, neighbors)
        return energies, evaluation[:3], slopes, hessian

    whole = results()
    small_blocks(monkeypatch)
    assert engine.layout_of(system, neighbors, potential.cutoff).block == (3, 6)
    close(results(), whole)


def test_blocks_of_batches_and_ensembles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a training step does: forces of unequal structures and of several networks, and their slopes."""
    potential = NETWORKS[0].build()[0]
    params = jax.vmap(potential.init)(jax.random.split(jax.random.key(0), 2))
    atoms = [structures.crystal(["Si", "O"], a, "fcc", repeat=(1, 1, n), seed=n) for n, a in ((1, 4.2), (2, 4.6))]
    batch = jaxpot.batch([jaxpot.System.from_ase(a, potential.elements) for a in atoms], 4.0, max_shapes=1)[0]

    def loss(params: Any) -> jax.Array:
        found = jax.vmap(potential.evaluate, (None, 0, 0))(params, batch.system, batch.neighbors)
        return (found.forces**2).sum() + (found.energies.sum(axis=1) ** 2).sum() + (found.virial**2).sum()

    def step() -> Any:
        return jax.jit(jax.vmap(jax.value_and_grad(lambda p: loss(p))))(params)

    whole = step()
    small_blocks(monkeypatch)
    close(step(), whole)


def large_crystal() -> tuple[jaxpot.System, jaxpot.Neighbors]:
    """10,000 atoms with some fifty neighbours within 5 Å each."""
    shape, a = (20, 20, 25), 2.1765
    sites = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1).reshape(-1, 3) * a
    positions = sites + np.random.default_rng(0).normal(scale=0.15, size=sites.shape)
    system = jaxpot.System.create(positions, cell=np.array(shape) * a, pbc=True, dtype="float32")
    return system, jaxpot.neighbor_list(5.0, native_from=10**9).allocate(system)


def test_memory_is_that_of_the_atoms() -> None:
    """Energies and forces of SchNet take less than 20 kB an atom, and training on them less than four times that."""
    system, neighbors = large_crystal()
    potential = jaxpot.schnet(["Si"], 5.0, features=64, interactions=3)
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), potential.init(jax.random.key(0)))

    def kilobytes(function: Any) -> float:
        program = jax.jit(function).lower(params, system, neighbors).compile()
        return program.memory_analysis().temp_size_in_bytes / len(system.positions) / 1e3

    def squared_forces(*given: Any) -> jax.Array:
        return (potential.evaluate(*given).forces ** 2).sum()

    assert kilobytes(potential.evaluate) < 20
    assert kilobytes(jax.grad(squared_forces)) < 80


def test_a_list_for_some_atoms_is_refused() -> None:
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    potential, params = NETWORKS[0].build()
    for centers in ([True, True, False], [True, True, True]):
        neighbors = jaxpot.neighbor_list(potential).allocate(system, centers=jnp.array(centers))
        with pytest.raises(ValueError, match=r"edges of all atoms, but .* neighbours of its centers only"):
            potential.evaluate(params, system, neighbors)
