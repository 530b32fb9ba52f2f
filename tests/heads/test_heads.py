"""Descriptors and heads of all kinds put together: energies by hand, forces by differences, fits, training, files."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import jaxpot
from jaxpot.descriptors import Bispectrum, Descriptor
from jaxpot.descriptors.symmetry_functions import radial, symmetry_functions
from jaxpot.fit import Dataset, Frame, TrainSettings, Weights, fit_linear, network_start, prepare_data, train
from jaxpot.fit.gradient.stored import stored_values
from jaxpot.heads import DesignHead, ElementHead, FlaxHead
from jaxpot.heads.flax_modules import module_functions
from jaxpot.heads.scaling import whitening
from tests import structures
from tests.conftest import needs_float64
from tests.fit.gradient_examples import labelled

ELEMENTS = ("W", "Be")
BISPECTRUM = Bispectrum(ELEMENTS, 2, (2.3, 1.9), (1.0, 0.8))
FUNCTIONS = symmetry_functions(ELEMENTS, [radial(a, b, 4.2, 0.4) for a in ELEMENTS for b in ELEMENTS])


class Gated(linen.Module):
    """A product of two layers, which no list of layers can say."""

    width: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return linen.Dense(1, name="out")(
            linen.Dense(self.width, name="a")(x) * jnp.tanh(linen.Dense(self.width, name="b")(x))
        )


class Residual(nnx.Module):
    """Two layers, the second with a way around it."""

    def __init__(self, inputs: int, width: int, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(inputs, width, rngs=rngs)
        self.layers = nnx.List([nnx.Linear(width, width, rngs=rngs)])
        self.last = nnx.Linear(width, 1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = jnp.tanh(self.first(x))
        for layer in self.layers:
            y = y + jnp.tanh(layer(y))
        return self.last(y)


@jaxpot.plain_data
@dataclasses.dataclass(frozen=True)
class GatedHead(FlaxHead):
    width: int = 4

    def module(self, inputs: int, key: jax.Array) -> Any:
        return Gated(self.width)


@jaxpot.plain_data
@dataclasses.dataclass(frozen=True)
class ResidualHead(FlaxHead):
    width: int = 4

    def module(self, inputs: int, key: jax.Array) -> Any:
        return Residual(inputs, self.width, nnx.Rngs(params=key))


@dataclasses.dataclass(frozen=True)
class KernelHead(DesignHead):
    """What a sparse Gaussian process will be: linear in coefficients of kernels with given points, and a variance."""

    count: int
    length: float = 0.5
    gives: ClassVar[frozenset[str]] = frozenset({"variance"})

    def feature_names(self, descriptor: Descriptor) -> tuple[str, ...]:
        return tuple(f"k{n}" for n in range(self.count))

    def features(self, descriptor: Descriptor, params: Any, values: jax.Array) -> jax.Array:
        square = ((values[:, None, :] - params["points"][None]) ** 2).sum(axis=-1)
        return jnp.exp(-0.5 * square / self.length**2)

    def check(self, descriptor: Descriptor, params: Any) -> None:
        if set(params) != {"coefficients", "points"}:
            raise ValueError(f"params must have coefficients and points, got {list(params)}")

    def results(self, descriptor: Descriptor, params: Any, values: jax.Array, own_species: jax.Array) -> Any:
        return {"variance": 1.0 - jnp.max(self.features(descriptor, params, values), axis=1)}


def data(count: int = 5) -> Dataset:
    """Rattled crystals of two sizes, labelled by a pair potential."""
    atoms = [structures.crystal(ELEMENTS, 3.0 + 0.05 * k, "bcc", (1, 1, 1 + k % 2), seed=k) for k in range(count)]
    morse = jaxpot.morse(4.0, ELEMENTS, mode="force_shifted")
    return Dataset(tuple(labelled(morse, {"D0": 0.3, "alpha": 1.4, "r0": 2.6}, atoms)))


def case(of: Any, padded: int = 10) -> tuple[jaxpot.System, jaxpot.Neighbors]:
    system = jaxpot.System.from_ase(structures.crystal(ELEMENTS, 3.1, "bcc", (1, 2, 2), seed=5), ELEMENTS).pad(padded)
    return system, jaxpot.neighbor_list(of.cutoff).allocate(system)


HEADS: dict[str, ElementHead] = {
    "layers": jaxpot.NetworkHead(((5,), (4, 3)), ("tl", "psl"), scaling="scale_sigma", energy_unit=2.0),
    "linen": GatedHead(),
    "nnx": ResidualHead(width=3),
    "nnx, not scaled": ResidualHead(width=3, scaling="none"),
}


def by_hand(name: str, params: Any, x: np.ndarray) -> np.ndarray:
    """The functions of the heads above in plain numpy."""

    def dense(layer: Any, x: np.ndarray) -> np.ndarray:
        return x @ np.asarray(layer["kernel"], float) + np.asarray(layer["bias"], float)

    if name == "linen":
        return dense(params["out"], dense(params["a"], x) * np.tanh(dense(params["b"], x)))[:, 0]
    if name.startswith("nnx"):
        y = np.tanh(dense(params["first"], x))
        return dense(params["last"], y + np.tanh(dense(params["layers"]["0"], y)))[:, 0]
    letters = "tl" if len(params) == 2 else "psl"
    f = {"t": np.tanh, "l": lambda v: v, "p": lambda v: np.log1p(np.exp(v)), "s": lambda v: 1 / (1 + np.exp(-v))}
    for layer, letter in zip(params, letters, strict=True):
        x = f[letter](x @ np.asarray(layer["weights"]) + np.asarray(layer["biases"]))
    return x[:, 0]


@needs_float64
@pytest.mark.parametrize("descriptor", [BISPECTRUM, FUNCTIONS], ids=["bispectrum", "functions"])
@pytest.mark.parametrize("name", HEADS)
def test_networks_on_any_descriptor(name: str, descriptor: Descriptor) -> None:
    head = HEADS[name]
    potential = jaxpot.descriptor_potential(descriptor, head)
    frames = data(3)
    params = network_start(potential, frames, seed=1)
    system, neighbors = case(potential)
    found = potential.evaluate(params, system, neighbors)
    values = np.asarray(potential.values(system, neighbors))
    known = jaxpot.fit.values_by_element(potential, frames)
    expected = np.zeros(10)
    for k, symbol in enumerate(ELEMENTS):
        own = np.asarray(system.species) == k
        mean, sigma = known[symbol].mean(axis=0), known[symbol].std(axis=0, ddof=1)
        x = {
            "scale_sigma": lambda v, m=mean, s=sigma: (v - m) / s,
            "decorrelate": lambda v, m=mean, s=symbol: (v - m) @ whitening(known[s]),
            "none": lambda v: v,
        }[head.scaling](values[own])
        expected[own] = head.energy_unit * by_hand(name, params["networks"][symbol], x)
        expected[own] += float(params["atom_energies"][symbol])
    np.testing.assert_allclose(found.energies, expected, rtol=1e-9)
    step = np.where(np.asarray(system.real)[:, None], np.random.default_rng(2).normal(size=(10, 3)), 0.0)
    ends = [
        float(potential.atomic_energies(params, system.replace(positions=system.positions + s * step), neighbors).sum())
        for s in (1e-5, -1e-5)
    ]
    np.testing.assert_allclose(-(found.forces * step).sum(), (ends[0] - ends[1]) / 2e-5, rtol=1e-6)


@needs_float64
@pytest.mark.parametrize("name", ["linen", "nnx"])
def test_a_flax_module_trains_and_comes_back_from_a_file(name: str, tmp_path: Path) -> None:
    potential, frames = jaxpot.descriptor_potential(BISPECTRUM, HEADS[name], name="mine"), data()
    start = network_start(potential, frames, seed=0)
    settings = TrainSettings(epochs=40, batch_size=5, learning_rate=0.02, precision="float64", max_shapes=1)

    def networks(leaf: str) -> bool:
        return "networks" in leaf

    result = train(potential, start, frames, settings, trainable=networks, progress=False)
    losses = result.history["train_loss"]
    assert losses[-1] < 0.3 * losses[0]
    np.testing.assert_array_equal(result.params["scaling"]["W"]["matrix"], start["scaling"]["W"]["matrix"])
    system, neighbors = case(potential)
    expected = potential.evaluate(result.params, system, neighbors)
    jaxpot.save(tmp_path / "mine", potential, result.params)
    again, params = jaxpot.load(tmp_path / "mine")
    assert isinstance(again, jaxpot.DescriptorPotential) and again.head == potential.head and again.name == "mine"
    for other in (again, pickle.loads(pickle.dumps(potential))):
        for a, b in zip(other.evaluate(params, system, neighbors)[:3], expected[:3], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@needs_float64
@pytest.mark.parametrize("name", ["linen", "nnx"])
def test_an_ensemble_of_flax_modules_is_made_and_trained_at_once(name: str) -> None:
    potential, frames = jaxpot.descriptor_potential(BISPECTRUM, HEADS[name]), data(3)
    start = network_start(potential, frames, members=2)
    settings = TrainSettings(epochs=2, batch_size=3, precision="float64", max_shapes=1)
    result = train(potential, start, frames, settings, members=2, progress=False)
    single = [jax.tree.map(lambda leaf, k=k: leaf[k], start) for k in (0, 1)]
    alone = train(potential, single[1], frames, settings, progress=False)
    for a, b in zip(jax.tree.leaves(result.params), jax.tree.leaves(alone.params), strict=True):
        np.testing.assert_allclose(a[1], b, rtol=1e-7, atol=1e-9)
    made = jax.jit(jax.vmap(potential.init))(jax.random.split(jax.random.key(0), 3))
    assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves(made))


def test_modules_with_state_and_wrong_params_are_refused() -> None:
    with pytest.raises(ValueError, match="BatchNorm has state beside its parameters"):
        module_functions(lambda key: linen.BatchNorm(use_running_average=True), 3)
    with pytest.raises(ValueError, match="BatchNorm has state beside its parameters"):
        module_functions(lambda key: nnx.BatchNorm(3, rngs=nnx.Rngs(params=key)), 3)
    with pytest.raises(TypeError, match="is no module of flax"):
        module_functions(lambda key: "mlp", 3)
    potential = jaxpot.descriptor_potential(BISPECTRUM, GatedHead())
    params = potential.init(jax.random.key(0))
    system, neighbors = case(potential)
    wider = jaxpot.descriptor_potential(BISPECTRUM, GatedHead(width=5))
    with pytest.raises(ValueError, match="the network of W must have params of shapes"):
        wider.evaluate(params, system, neighbors)
    with pytest.raises(ValueError, match="params must have atom_energies, networks, scaling"):
        potential.evaluate({"networks": params["networks"]}, system, neighbors)


@needs_float64
@pytest.mark.parametrize("expand", [None, "quadratic"])
def test_linear_heads_on_any_descriptor_are_fitted(expand: Any) -> None:
    """Symmetry functions of each element with coefficients: rows, and the truth recovered."""
    potential = jaxpot.descriptor_potential(FUNCTIONS, jaxpot.LinearHead(expand))
    shape = potential.init()["coefficients"].shape
    truth = {"coefficients": np.random.default_rng(0).normal(size=shape)}
    system, neighbors = case(potential)
    rows = jax.tree.map(np.asarray, potential.design(system, neighbors))
    expected = potential.evaluate(truth, system, neighbors)
    for part, axes, wanted in (
        (rows.energies, (0, 1), expected.energies.sum()),
        (rows.forces, (2, 3), expected.forces),
        (rows.virial, (2, 3), expected.virial),
    ):
        np.testing.assert_allclose(np.sum(part * truth["coefficients"], axis=axes), wanted, rtol=1e-10, atol=1e-11)
    atoms = [frame.atoms for frame in data(8)]
    frames = [
        Frame(one, found.energy, found.forces)
        for one, found in zip(atoms, jaxpot.evaluate(potential, truth, atoms), strict=True)
    ]
    fit = fit_linear(potential, Dataset(tuple(frames)), Weights())
    found = jaxpot.evaluate(potential, fit.params, atoms)
    np.testing.assert_allclose([f.energy for f in found], [f.energy for f in frames], rtol=1e-7)


@needs_float64
def test_kernels_plug_in_as_a_head() -> None:
    """Rows, a linear fit, training on stored values and a variance, by a head that nothing else knows of."""
    random = np.random.default_rng(3)
    potential = jaxpot.descriptor_potential(FUNCTIONS, KernelHead(6), name="kernels")
    points = random.uniform(0.5, 2.5, (6, FUNCTIONS.number))
    truth = {"coefficients": random.normal(size=(2, 7)), "points": points}
    system, neighbors = case(potential)
    rows = jax.tree.map(np.asarray, potential.design(system, neighbors, {"points": points}))
    found = potential.evaluate(truth, system, neighbors)
    np.testing.assert_allclose((rows.energies * truth["coefficients"]).sum(), found.energies.sum(), rtol=1e-11)
    np.testing.assert_allclose((rows.forces * truth["coefficients"]).sum(axis=(2, 3)), found.forces, atol=1e-11)
    np.testing.assert_allclose((rows.virial * truth["coefficients"]).sum(axis=(2, 3)), found.virial, atol=1e-11)
    values = np.asarray(potential.values(system, neighbors))
    nearest = np.exp(-0.5 * ((values[:, None] - points) ** 2).sum(axis=-1) / 0.25).max(axis=1)
    expected = np.where(np.asarray(system.real), 1 - nearest, 0.0)
    assert potential.gives == {"variance"}
    np.testing.assert_allclose(found.extras["variance"], expected, rtol=1e-10)
    doubled = jaxpot.scale(potential, 2.0)
    np.testing.assert_allclose(doubled.evaluate(truth, system, neighbors).extras["variance"], 4 * expected, rtol=1e-10)
    atoms = [frame.atoms for frame in data(8)]
    results = jaxpot.evaluate(potential, truth, atoms)
    frames = Dataset(tuple(Frame(a, r.energy, r.forces) for a, r in zip(atoms, results, strict=True)))
    fit = fit_linear(potential, frames, Weights(), params={"points": points})
    again = jaxpot.evaluate(potential, fit.params, atoms)
    np.testing.assert_allclose([r.energy for r in again], [r.energy for r in results], rtol=1e-7)
    settings = TrainSettings(epochs=2, batch_size=8, precision="float64", max_shapes=1)
    start = {**truth, "coefficients": truth["coefficients"] + 0.1}
    moved = train(potential, start, frames, settings, trainable=lambda leaf: "coef" in leaf, progress=False)
    assert moved.history["train_loss"][-1] < moved.history["train_loss"][0]


@needs_float64
@pytest.mark.parametrize(
    "potential",
    [
        jaxpot.snap(ELEMENTS, 2, (4.6, 3.8), quadratic=True),
        jaxpot.descriptor_potential(BISPECTRUM.select(((0, 2), (1, 3, 4))), jaxpot.LinearHead()),
        jaxpot.descriptor_potential(FUNCTIONS, GatedHead()),
    ],
    ids=["quadratic snap", "selected", "flax"],
)
def test_stored_values_give_the_numbers_of_the_potential(potential: jaxpot.DescriptorPotential) -> None:
    frames = data()
    params = network_start(potential, frames)
    if "coefficients" in params:
        params = {"coefficients": params["coefficients"] + 0.1}
    predict, features = stored_values(potential)
    (bucket,) = prepare_data(list(frames), potential, "float64", 1, features=features).buckets
    expected = jax.jit(jax.vmap(potential.evaluate, (None, 0, 0)))(params, bucket.system, bucket.neighbors)
    found = jax.jit(jax.vmap(predict, (None, 0, 0, 0)))(params, bucket.system, bucket.neighbors, bucket.features)
    for a, b in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * np.abs(b).max())


def test_numbers_of_a_descriptor_are_trained_where_they_are_among_the_params() -> None:
    potential = jaxpot.hdnnp(ELEMENTS, FUNCTIONS.functions, [3], scaling="none")
    params = potential.init(jax.random.key(0), train_descriptor=True)
    settings = TrainSettings(epochs=2, batch_size=5, max_shapes=1)
    found = train(potential, params, data(3), settings, progress=False).params
    before, after = (np.asarray(p["descriptor"]["radial"]["eta"]) for p in (params, found))
    assert (before != after).all()

    def networks(leaf: str) -> bool:
        return "networks" in leaf

    fixed = train(potential, params, data(3), settings, trainable=networks, progress=False).params
    slow = dataclasses.replace(settings, store_descriptors=False)
    other = train(potential, params, data(3), slow, trainable=networks, progress=False).params
    np.testing.assert_array_equal(fixed["descriptor"]["radial"]["eta"], np.float32(before))
    for a, b in zip(jax.tree.leaves(fixed), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    snap = jaxpot.snap(ELEMENTS, 1, 4.0)
    system, neighbors = case(snap)
    with pytest.raises(ValueError, match="Bispectrum has no numbers to train"):
        snap.evaluate({**snap.init(), "descriptor": {}}, system, neighbors)


def test_sums_and_multiples_are_plain_potentials() -> None:
    snap = jaxpot.snap(ELEMENTS, 1, 4.0)
    for other in (jaxpot.scale(snap, 2.0), snap + jaxpot.zbl(1.0, 2.0, ELEMENTS), jaxpot.committee(snap)):
        assert not isinstance(other, jaxpot.DescriptorPotential)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a Descriptor and a Head, got a LinearHead and a Bispectrum"):
        jaxpot.descriptor_potential(jaxpot.LinearHead(), BISPECTRUM)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expand is 'cubic'"):
        jaxpot.LinearHead("cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="activations 'tz'"):
        jaxpot.NetworkHead((3,), "tz")
    with pytest.raises(ValueError, match="scaling must be one of"):
        jaxpot.NetworkHead((3,), scaling="whiten")  # type: ignore[arg-type]
    network = jaxpot.descriptor_potential(BISPECTRUM, jaxpot.NetworkHead((3,)))
    system, neighbors = case(network)
    with pytest.raises(ValueError, match="NetworkHead is not linear in coefficients"):
        network.design(system, neighbors)
    with pytest.raises(ValueError, match=r"coefficients must have shape \[2, 6\], got \[2, 5\]"):
        jaxpot.snap(ELEMENTS, 2, 4.0).evaluate({"coefficients": np.zeros((2, 5))}, system, neighbors)
    with pytest.raises(ValueError, match="init was given He"):
        network.init(jax.random.key(0), atom_energies={"He": 1.0})
    with pytest.raises(ValueError, match="LinearHead has no first layer"):
        jaxpot.fit.decorrelation(jaxpot.snap(ELEMENTS, 2, 4.0), data(2))


def test_what_is_made_of_functions_has_no_spec(tmp_path: Path) -> None:
    """Neither by itself, nor inside of data that could be saved."""

    def count(environment: jaxpot.Environment) -> jax.Array:
        return jnp.stack([environment.sum((1 - environment.distances / 3.0) ** 2)] * 2)

    counted = jaxpot.descriptor(count, 2, cutoff=3.0)
    for descriptor in (counted, counted.select([[1]])):
        potential = jaxpot.descriptor_potential(descriptor, jaxpot.LinearHead())
        assert potential.spec is None
        with pytest.raises(ValueError, match="made of functions"):
            jaxpot.save(tmp_path / "counted", potential, potential.init())
    assert jaxpot.descriptor_potential(BISPECTRUM, jaxpot.LinearHead()).spec is not None
    assert jaxpot.descriptor_potential(BISPECTRUM, KernelHead(3)).spec is None  # not marked as plain data
