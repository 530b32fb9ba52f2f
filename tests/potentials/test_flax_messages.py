"""Networks of flax, linen and nnx, as the messages of a potential: evaluated, trained, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxpot
from jaxpot.engine import graph as engine
from jaxpot.fit import Frame, TrainSettings, train
from tests import structures
from tests.conftest import FLOAT32

CUTOFF = 4.0


def radial(edges: jaxpot.Environment) -> tuple[jax.Array, jax.Array]:
    """Gaussians of the distances, and a factor that ends them at the cutoff."""
    r = edges.distances[:, :, None]
    return jnp.exp(-((r - jnp.linspace(1.0, CUTOFF, 6)[None, None, :]) ** 2)), (1 - (r / CUTOFF) ** 2) ** 3


class LinenNetwork(nn.Module):
    """One interaction; each step of the formula is a method."""

    kinds: int
    width: int

    def setup(self) -> None:
        self.embedding = nn.Embed(self.kinds, self.width)
        self.filters, self.update, self.readout = nn.Dense(self.width), nn.Dense(self.width), nn.Dense(1)

    def start(self, species: jax.Array) -> jax.Array:
        return self.embedding(species)

    def message(self, gaussians: jax.Array, theirs: jax.Array) -> jax.Array:
        return nn.tanh(self.filters(gaussians)) * theirs

    def energies(self, x: jax.Array, messages: jax.Array) -> jax.Array:
        return self.readout(x + nn.tanh(self.update(messages)))[:, 0]

    def __call__(self) -> jax.Array:
        """All layers once, for ``init``."""
        x = self.start(jnp.zeros(1, jnp.int32))
        return self.energies(x, self.message(jnp.zeros((1, 1, 6)), x[:, None]).sum(axis=1))


@jaxpot.potential_kind
def linen_messages(elements: tuple[str, ...], width: int = 8) -> jaxpot.Potential:
    network = LinenNetwork(len(elements), width)

    def energies(params: Any, graph: jaxpot.Graph) -> jax.Array:
        def message(edges: jaxpot.Environment, theirs: jax.Array) -> jax.Array:
            gaussians, end = radial(edges)
            return end * network.apply(params, gaussians, theirs, method="message")

        x = network.apply(params, graph.species, method="start")
        return network.apply(params, x, graph.sum(message, x), method="energies")

    return jaxpot.graph_potential(energies, CUTOFF, elements, "linen_messages", network.init)


class NnxNetwork(nnx.Module):
    """The same with arrays inside of objects."""

    def __init__(self, kinds: int, width: int, rngs: nnx.Rngs) -> None:
        self.embedding = nnx.Embed(kinds, width, rngs=rngs)
        self.filters = nnx.Linear(6, width, rngs=rngs)
        self.update = nnx.Linear(width, width, rngs=rngs)
        self.readout = nnx.Linear(width, 1, rngs=rngs)


@jaxpot.potential_kind
def nnx_messages(elements: tuple[str, ...], width: int = 8) -> jaxpot.Potential:
    def network(key: jax.Array) -> NnxNetwork:
        return NnxNetwork(len(elements), width, nnx.Rngs(key))

    blank = nnx.split(nnx.eval_shape(lambda: network(jax.random.key(0))))

    def energies(params: Any, graph: jaxpot.Graph) -> jax.Array:
        state = jax.tree.map(lambda leaf: leaf, blank[1])  # filling it changes it
        nnx.replace_by_pure_dict(state, params)
        net = nnx.merge(blank[0], state)

        def message(edges: jaxpot.Environment, theirs: jax.Array) -> jax.Array:
            gaussians, end = radial(edges)
            return end * jnp.tanh(net.filters(gaussians)) * theirs

        x = net.embedding(graph.species)
        return net.readout(x + jnp.tanh(net.update(graph.sum(message, x))))[:, 0]

    def init(key: jax.Array) -> Any:
        return nnx.to_pure_dict(nnx.state(network(key)))

    return jaxpot.graph_potential(energies, CUTOFF, elements, "nnx_messages", init)


def frames(count: int) -> list[Frame]:
    """Crystals of a Morse potential."""
    morse, params = jaxpot.morse(CUTOFF, mode="force_shifted"), {"D0": 0.5, "alpha": 1.4, "r0": 2.6}
    atoms = [structures.crystal(["Cu"], 3.6, "fcc", repeat=1, seed=seed) for seed in range(count)]
    found = jaxpot.evaluate(morse, params, atoms)
    return [Frame(one, r.energy, np.asarray(r.forces, float)) for one, r in zip(atoms, found, strict=True)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("factory", [linen_messages, nnx_messages])
def test_flax_passes_messages(factory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    potential = factory(("Cu",))
    params = potential.init(jax.random.key(1))
    data = frames(8)
    settings = TrainSettings(epochs=30, batch_size=4, learning_rate=2e-2, precision="float32", max_shapes=1)
    result = train(potential, params, data, settings, validation=0.25, progress=False)
    errors = result.history["validation_forces_rmse"]
    assert errors[-1] < 0.5 * errors[0]

    jaxpot.save(tmp_path / "network", potential, result.params)
    again, loaded = jaxpot.load(tmp_path / "network")
    assert again.spec == potential.spec
    before = jaxpot.evaluate(potential, result.params, [data[0].atoms])[0]
    after = jaxpot.evaluate(again, loaded, [data[0].atoms])[0]
    np.testing.assert_array_equal(before.forces, after.forces)

    # forces are slopes of the energy, in blocks too
    for name, value in (("WHOLE", 0), ("ATOMS", 3), ("SLOTS", 7)):
        monkeypatch.setattr(engine, name, value)
    fresh = factory(("Cu",))
    system = jaxpot.System.from_ase(data[0].atoms, fresh.elements)
    neighbors = jaxpot.neighbor_list(fresh).allocate(system)
    found = jax.jit(fresh.evaluate)(loaded, system, neighbors)
    np.testing.assert_allclose(found.forces, after.forces, rtol=0, atol=1e-4 if FLOAT32 else 1e-5)
    slope = -jax.grad(lambda p: jaxpot.energy(fresh)(loaded, system.replace(positions=p), neighbors))(system.positions)
    np.testing.assert_allclose(found.forces, slope, rtol=0, atol=1e-4 if FLOAT32 else 1e-9)
