"""High-dimensional neural network potentials of Behler and Parrinello."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.symmetry_functions import Evaluator, SymmetryFunction, evaluator, in_order
from jaxpot.engine import Environment, environment_potential
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Params, Potential
from jaxpot.system import System

__all__ = ["ACTIVATIONS", "HDNNPSettings", "hdnnp"]

Scaling = Literal["none", "scale", "center", "scale_center", "scale_sigma"]
SCALINGS = ("none", "scale", "center", "scale_center", "scale_sigma")
STATISTICS = ("min", "max", "mean", "sigma")

# n2p2's letters
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "l": lambda x: x,
    "t": jnp.tanh,
    "s": jax.nn.sigmoid,
    "p": jax.nn.softplus,
    "r": jax.nn.relu,
    "g": lambda x: jnp.exp(-0.5 * x * x),
    "c": jnp.cos,
    "S": lambda x: 1.0 - jax.nn.sigmoid(x),
    "e": lambda x: jnp.exp(-x),
    "h": lambda x: x * x,
}


@dataclasses.dataclass(frozen=True, eq=False)
class HDNNPSettings:
    """The static choices of an HDNNP, as ``Potential.source`` keeps them.

    Attributes:
        elements: in the order of the species.
        functions: of each element, in the order of its network's inputs.
        hidden: number of nodes in each hidden layer, of each element.
        activations: a letter for each hidden layer and one for the output, of each element.
        cutoff_function: see :func:`jaxpot.descriptors.symmetry_functions.cutoff_function`.
        inner: inner cutoff as a fraction of the cutoff.
        scaling: of the symmetry functions.
        scale_range: where "scale" puts the least and the largest value.
        normalize_nodes: whether the input of a node is divided by the number of nodes before it.
        energy_unit: eV, of the networks' outputs.
        file: what a file said besides; None where there is none.
    """

    elements: tuple[str, ...]
    functions: dict[str, tuple[SymmetryFunction, ...]]
    hidden: dict[str, tuple[int, ...]]
    activations: dict[str, str]
    cutoff_function: str
    inner: float
    scaling: Scaling
    scale_range: tuple[float, float]
    normalize_nodes: bool
    energy_unit: float
    file: Any = None


def hdnnp(
    elements: Sequence[str],
    functions: Iterable[SymmetryFunction],
    hidden: Sequence[int] | Mapping[str, Sequence[int]] = (20, 20),
    activations: str | Mapping[str, str] = "t",
    cutoff_function: str = "cos",
    inner: float = 0.0,
    scaling: Scaling = "scale",
    scale_range: tuple[float, float] = (0.0, 1.0),
    normalize_nodes: bool = False,
    energy_unit: float = 1.0,
) -> Potential:
    """A high-dimensional neural network potential: one network an element, of symmetry functions.

    E = sum_i [energy_unit NN_a(G'_i) + E0_a] for atoms i of element a, with the symmetry functions G of
    :class:`jaxpot.descriptors.symmetry_functions.SymmetryFunction`, scaled to G' from what they were in the training
    set: with S = scale_range

    ================= ========================================
    ``scaling``       G'
    ================= ========================================
    ``none``          G
    ``scale``         S0 + (S1 - S0) (G - min) / (max - min)
    ``center``        G - mean
    ``scale_center``  S0 + (S1 - S0) (G - mean) / (max - min)
    ``scale_sigma``   S0 + (S1 - S0) (G - mean) / sigma
    ================= ========================================

    A network's layers are y = f(y W + b); activations f are named by n2p2's letters: l linear, t tanh, s logistic,
    p softplus, r rectified linear, g exp(-x^2/2), c cosine, S 1 - logistic, e exp(-x), h x^2.

    The params are ``{"networks": {element: [{"weights": [in, out], "biases": [out]}, ...]}, "scaling": {element:
    {"min", "max", "mean", "sigma": [functions]}}, "atom_energies": {element: eV}}``, the last being E0; without
    scaling there is no ``"scaling"``. Training moves the networks; scaling and atom energies come from the training
    set. A further entry ``"functions": {"radial": {"eta", "shift"}, "angular": {"eta", "shift"}}``, the numbers of the
    distinct Gaussians (``potential.init(key, train_functions=True)``), makes these trainable too; zeta and lambda are
    fixed, being exponents and signs.

    ``potential.init(key, scaling=None, atom_energies=None)`` makes params: random weights; the scaling as
    :func:`jaxpot.fit.symmetry_functions.scaling_of` finds it in a training set (else min and mean 0, max and sigma 1);
    the given atom energies in eV (else 0).

    Args:
        elements: chemical symbols, whose order gives the species.
        functions: of all elements; each element's network takes its own, sorted as n2p2 does.
        hidden: number of nodes in each hidden layer, for all elements or for each.
        activations: one letter for all hidden layers (the output is linear), or a letter for each hidden layer and the
            output, for all elements or for each.
        cutoff_function: "cos", "tanh", "poly2" ..., see :func:`jaxpot.descriptors.symmetry_functions.cutoff_function`.
        inner: inner cutoff as a fraction of the cutoff.
        scaling: as in the table.
        scale_range: S.
        normalize_nodes: divide the sums in a node by the number of nodes of the layer before, as n2p2 does.
        energy_unit: eV; what the networks' outputs are in.

    Returns:
        The :class:`jaxpot.Potential`; :func:`jaxpot.load` makes one from a directory of n2p2 or RuNNer.

    Raises:
        ValueError: no elements or functions, an element without functions, an unknown letter or word, or lengths that do
            not fit; at evaluation, params of other shapes.

    Example:
        >>> import jax, jaxpot
        >>> from jaxpot.descriptors.symmetry_functions import radial
        >>> potential = jaxpot.hdnnp(["Ar"], [radial("Ar", "Ar", 6.0, eta) for eta in (0.1, 0.5)], hidden=[3])
        >>> params = potential.init(jax.random.key(0))
        >>> [layer["weights"].shape for layer in params["networks"]["Ar"]]
        [(2, 3), (3, 1)]

    Reference:
        J. Behler and M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007); J. Behler, J. Chem. Phys. 134, 074106 (2011);
        A. Singraber, J. Behler and C. Dellago, J. Chem. Theory Comput. 15, 1827 (2019).
    """
    settings = _settings(
        tuple(elements), functions, hidden, activations, cutoff_function, inner, scaling, scale_range,
        normalize_nodes, energy_unit,
    )  # fmt: skip
    describe = evaluator(
        settings.elements, [f for each in settings.functions.values() for f in each], cutoff_function, inner
    )

    def energy(params: Params, env: Environment) -> jax.Array:
        values = _values(describe, params.get("functions"), env)
        total = jnp.zeros((), values.dtype)
        for species, symbol in enumerate(settings.elements):
            # other elements' networks see zeros: what they make of strange values must not spoil derivatives
            own = env.own_species == species
            count = len(settings.functions[symbol])
            scaled = _scaled(settings, params, symbol, values[:count])
            each = _network(settings, params["networks"][symbol], symbol, jnp.where(own, scaled, 0.0))
            each = energy_unit * each + jnp.asarray(params["atom_energies"][symbol], values.dtype)
            total = total + jnp.where(own, each, 0.0)
        return total

    def checked(params: Params, env: Environment) -> jax.Array:
        _check_params(settings, params)
        return energy(params, env)

    def init(
        key: jax.Array,
        scaling: Mapping[str, Mapping[str, Any]] | None = None,
        atom_energies: Mapping[str, float] | None = None,
        train_functions: bool = False,
    ) -> Params:
        return _init(settings, describe, key, scaling, atom_energies, train_functions)

    potential = environment_potential(checked, describe.cutoff, settings.elements, "hdnnp", init)
    return dataclasses.replace(potential, source=settings)


def symmetry_function_values(potential: Potential) -> Callable[[System, Neighbors], jax.Array]:
    """The function ``(system, neighbors) -> [atoms, functions]`` of an HDNNP's symmetry functions, not scaled.

    Args:
        potential: made by :func:`jaxpot.hdnnp`, or loaded from a file of one.

    Returns:
        A pure function; each atom has the functions of its element, in the order of its network's inputs, and zeros
        up to the largest number of functions that an element has.

    Raises:
        ValueError: the potential is no HDNNP.
    """
    settings = potential.source
    if not isinstance(settings, HDNNPSettings):
        raise ValueError(f"{potential.name} has no symmetry functions; give a potential made by jaxpot.hdnnp")
    describe = evaluator(
        settings.elements,
        [f for each in settings.functions.values() for f in each],
        settings.cutoff_function,
        settings.inner,
    )
    return _described(describe, settings.elements)


def _described(describe: Evaluator, elements: tuple[str, ...]) -> Callable[[System, Neighbors], jax.Array]:
    mapped = environment_potential(
        lambda _, env: _values(describe, None, env), describe.cutoff, elements, "symmetry functions"
    )
    return lambda system, neighbors: mapped.atomic_energies({}, system, neighbors)


def _values(describe: Evaluator, numbers: Any, env: Environment) -> jax.Array:
    return describe.values(numbers, env.x, env.y, env.z, env.distances, env.species, env.own_species, env.mask)


def _scaled(settings: HDNNPSettings, params: Params, symbol: str, values: jax.Array) -> jax.Array:
    kind = settings.scaling
    if kind == "none":
        return values
    low, high, mean, sigma = (jnp.asarray(params["scaling"][symbol][name], values.dtype) for name in STATISTICS)
    start, end = settings.scale_range
    if kind == "center":
        return values - mean
    reference = low if kind == "scale" else mean
    width = sigma if kind == "scale_sigma" else high - low
    return start + (end - start) * (values - reference) / width


def _network(settings: HDNNPSettings, layers: Sequence[Any], symbol: str, y: jax.Array) -> jax.Array:
    for layer, letter in zip(layers, settings.activations[symbol], strict=True):
        weights, biases = (jnp.asarray(layer[name], y.dtype) for name in ("weights", "biases"))
        total = y @ weights + biases
        if settings.normalize_nodes:
            total = total / weights.shape[0]
        y = ACTIVATIONS[letter](total)
    return y[0]


def _settings(
    elements: tuple[str, ...],
    functions: Iterable[SymmetryFunction],
    hidden: Sequence[int] | Mapping[str, Sequence[int]],
    activations: str | Mapping[str, str],
    cutoff_function: str,
    inner: float,
    scaling: Scaling,
    scale_range: tuple[float, float],
    normalize_nodes: bool,
    energy_unit: float,
) -> HDNNPSettings:
    from ase.data import atomic_numbers

    if not elements or len(set(elements)) < len(elements):
        raise ValueError(f"hdnnp needs distinct elements, got {elements}")
    strange = [symbol for symbol in elements if symbol not in atomic_numbers]
    if strange:
        raise ValueError(f"hdnnp: {strange[0]!r} is no chemical symbol")
    functions = list(functions)
    for one in functions:
        if not {one.center, *one.neighbors} <= set(elements):
            raise ValueError(f"hdnnp: a symmetry function is for none of the elements {elements}: {one}")
    ordered = in_order(functions, sorted(elements, key=atomic_numbers.__getitem__))
    of = {symbol: tuple(f for f in ordered if f.center == symbol) for symbol in elements}
    bare = [symbol for symbol in elements if not of[symbol]]
    if bare:
        raise ValueError(f"hdnnp: {bare[0]} has no symmetry functions; give each element some")
    if scaling not in SCALINGS:
        raise ValueError(f"hdnnp: scaling must be one of {', '.join(SCALINGS)}, got {scaling!r}")
    nodes, letters = {}, {}
    for symbol in elements:
        sizes = hidden[symbol] if isinstance(hidden, Mapping) else hidden
        nodes[symbol] = tuple(int(n) for n in sizes)
        if any(n < 1 for n in nodes[symbol]):
            raise ValueError(f"hdnnp: a hidden layer needs at least one node, got {nodes[symbol]} for {symbol}")
        word = activations[symbol] if isinstance(activations, Mapping) else activations
        letters[symbol] = word * len(nodes[symbol]) + "l" if len(word) == 1 else word
        unknown = [letter for letter in letters[symbol] if letter not in ACTIVATIONS]
        if unknown or len(letters[symbol]) != len(nodes[symbol]) + 1:
            raise ValueError(
                f"hdnnp: activations {word!r} for {symbol}: give one letter, or {len(nodes[symbol])} for the hidden "
                f"layers and one for the output, of {''.join(ACTIVATIONS)}"
            )
    low, high = (float(s) for s in scale_range)
    return HDNNPSettings(
        elements, of, nodes, letters, cutoff_function, float(inner), scaling, (low, high), bool(normalize_nodes),
        float(energy_unit),
    )  # fmt: skip


def _layers(settings: HDNNPSettings, symbol: str) -> list[tuple[int, int]]:
    sizes = [len(settings.functions[symbol]), *settings.hidden[symbol], 1]
    return list(zip(sizes[:-1], sizes[1:], strict=True))


def _init(
    settings: HDNNPSettings,
    describe: Evaluator,
    key: jax.Array,
    scaling: Mapping[str, Mapping[str, Any]] | None,
    atom_energies: Mapping[str, float] | None,
    train_functions: bool,
) -> Params:
    dtype = jnp.result_type(float)
    networks = {}
    for symbol in settings.elements:
        layers = []
        for rows, columns in _layers(settings, symbol):
            key, part = jax.random.split(key)
            spread = (rows if settings.normalize_nodes else 1.0) * (2.0 / (rows + columns)) ** 0.5
            weights = spread * jax.random.normal(part, (rows, columns), dtype)
            layers.append({"weights": weights, "biases": jnp.zeros(columns, dtype)})
        networks[symbol] = layers
    for given in (scaling or {}, atom_energies or {}):
        strange = [symbol for symbol in given if symbol not in settings.elements]
        if strange:
            raise ValueError(f"hdnnp: init was given {strange[0]}, which is not among the elements {settings.elements}")
    known = atom_energies or {}
    params: dict[str, Any] = {
        "networks": networks,
        "atom_energies": {symbol: jnp.asarray(known.get(symbol, 0.0), dtype) for symbol in settings.elements},
    }
    if settings.scaling != "none":
        params["scaling"] = {}
        for symbol in settings.elements:
            count = len(settings.functions[symbol])
            values = dict(zip(STATISTICS, (0.0, 1.0, 0.0, 1.0), strict=True)) if scaling is None else scaling[symbol]
            params["scaling"][symbol] = {
                name: jnp.broadcast_to(jnp.asarray(values[name], dtype), (count,)) for name in STATISTICS
            }
    if train_functions:
        params["functions"] = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), describe.numbers)
    return params


def _check_params(settings: HDNNPSettings, params: Params) -> None:
    """Raise ValueError where params are not named and shaped as the factory says."""
    needed = {"networks", "atom_energies"} | ({"scaling"} if settings.scaling != "none" else set())
    if not isinstance(params, Mapping) or not needed <= set(params) <= needed | {"functions"}:
        got = ", ".join(map(str, params)) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"hdnnp takes params with {', '.join(sorted(needed))} (and optionally functions); got {got}")
    for name in needed:
        if set(params[name]) != set(settings.elements):
            raise ValueError(f"hdnnp: params[{name!r}] must have the elements {settings.elements}, got {[*params[name]]}")
    for symbol in settings.elements:
        wanted = _layers(settings, symbol)
        found = [jnp.shape(layer["weights"]) for layer in params["networks"][symbol]]
        biases = [jnp.shape(layer["biases"]) for layer in params["networks"][symbol]]
        if found != wanted or biases != [(columns,) for _, columns in wanted]:
            raise ValueError(f"hdnnp: the layers of {symbol} must have weights {wanted} and their biases, got {found}")
        if "scaling" in params:
            shapes = {name: jnp.shape(params["scaling"][symbol].get(name)) for name in STATISTICS}
            if set(shapes.values()) != {(wanted[0][0],)}:
                raise ValueError(f"hdnnp: scaling of {symbol} must have {wanted[0][0]} values each, got {shapes}")
