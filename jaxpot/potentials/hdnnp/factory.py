"""High-dimensional neural network potentials of Behler and Parrinello."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.descriptors.symmetry_functions import Evaluator, SymmetryFunction, evaluator
from jaxpot.engine import Environment, environment_potential
from jaxpot.evaluation import Params
from jaxpot.neighbors import Neighbors
from jaxpot.potential import Potential
from jaxpot.potentials.hdnnp.params import check_params, init_params
from jaxpot.potentials.hdnnp.settings import ACTIVATIONS, STATISTICS, HDNNPSettings, Scaling, make_settings
from jaxpot.spec import potential_kind
from jaxpot.system import System

__all__ = ["hdnnp", "symmetry_function_values", "symmetry_functions_and_networks"]

BLOCK = 128  # atoms at once: pairs of neighbours are gathered and added up by rows of so many numbers


@potential_kind
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
        ValueError: no elements or functions, an element without functions, an unknown letter or word, or lengths that
            do not fit; at evaluation, params of other shapes.

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
    settings = make_settings(
        tuple(elements), functions, hidden, activations, cutoff_function, inner, scaling, scale_range,
        normalize_nodes, energy_unit,
    )  # fmt: skip
    describe = evaluator(
        settings.elements, [f for each in settings.functions.values() for f in each], cutoff_function, inner
    )

    def energy(params: Params, env: Environment) -> jax.Array:
        check_params(settings, params)
        values = _values(describe, params.get("functions"), env)
        return _energies(settings, params, values.T, env.own_species)

    def init(
        key: jax.Array,
        scaling: Mapping[str, Mapping[str, Any]] | None = None,
        atom_energies: Mapping[str, float] | None = None,
        train_functions: bool = False,
    ) -> Params:
        return init_params(settings, describe, key, scaling, atom_energies, train_functions)

    potential = environment_potential(
        energy, describe.cutoff, settings.elements, "hdnnp", init, together=True, block=BLOCK
    )
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
    settings, describe = _parts(potential)
    mapped = environment_potential(
        lambda _, env: _values(describe, None, env).T,
        describe.cutoff,
        settings.elements,
        "symmetry functions",
        together=True,
    )
    return lambda system, neighbors: mapped.atomic_energies({}, system, neighbors)


def symmetry_functions_and_networks(
    potential: Potential,
) -> tuple[Callable[[Environment], jax.Array], Callable[[Params, jax.Array, jax.Array], jax.Array]]:
    """An HDNNP's two halves for one atom, for a training that keeps what the first gives.

    Args:
        potential: made by :func:`jaxpot.hdnnp`, or loaded from a file of one.

    Returns:
        ``environment -> [functions]``, as in :func:`symmetry_function_values`, and
        ``(params, [functions], own_species) -> energy`` in eV of the atom.

    Raises:
        ValueError: the potential is no HDNNP.
    """
    settings, describe = _parts(potential)

    def values(env: Environment) -> jax.Array:
        return _values(describe, None, jax.tree.map(lambda leaf: leaf[None], env))[:, 0]

    def energy(params: Params, values: jax.Array, own_species: jax.Array) -> jax.Array:
        return _energies(settings, params, values[None], own_species[None])[0]

    return values, energy


def _parts(potential: Potential) -> tuple[HDNNPSettings, Evaluator]:
    settings = potential.source
    if not isinstance(settings, HDNNPSettings):
        raise ValueError(f"{potential.name} has no symmetry functions; give a potential made by jaxpot.hdnnp")
    functions = [f for each in settings.functions.values() for f in each]
    return settings, evaluator(settings.elements, functions, settings.cutoff_function, settings.inner)


def _values(describe: Evaluator, numbers: Any, env: Environment) -> jax.Array:
    """[largest, atoms] from environments [atoms, neighbors]; neighbours come first there, atoms last."""
    x, y, z, distances, species, mask = (leaf.T for leaf in (env.x, env.y, env.z, env.distances, env.species, env.mask))
    return describe.values(numbers, x, y, z, distances, species, env.own_species, mask)


def _energies(settings: HDNNPSettings, params: Params, values: jax.Array, own_species: jax.Array) -> jax.Array:
    """[atoms] eV from the symmetry functions [atoms, largest]."""
    total = jnp.zeros(len(values), values.dtype)
    for species, symbol in enumerate(settings.elements):
        # other elements' networks see zeros: what they make of strange values must not spoil derivatives
        own = own_species == species
        scaled = _scaled(settings, params, symbol, values[:, : len(settings.functions[symbol])])
        each = _network(settings, params["networks"][symbol], symbol, jnp.where(own[:, None], scaled, 0.0))
        each = settings.energy_unit * each + jnp.asarray(params["atom_energies"][symbol], values.dtype)
        total = total + jnp.where(own, each, 0.0)
    return total


def _scaled(settings: HDNNPSettings, params: Params, symbol: str, values: jax.Array) -> jax.Array:
    kind = settings.scaling
    if kind == "none":
        return values
    low, high, mean, sigma = (jnp.asarray(params["scaling"][symbol][name], values.dtype) for name in STATISTICS)
    start, end = settings.scale_range
    low, high, mean, sigma = (row[None] for row in (low, high, mean, sigma))
    if kind == "center":
        return values - mean
    reference = low if kind == "scale" else mean
    width = sigma if kind == "scale_sigma" else high - low
    return start + (end - start) * (values - reference) / width


def _network(settings: HDNNPSettings, layers: Sequence[Any], symbol: str, y: jax.Array) -> jax.Array:
    for layer, letter in zip(layers, settings.activations[symbol], strict=True):
        weights, biases = (jnp.asarray(layer[name], y.dtype) for name in ("weights", "biases"))
        total = y @ weights + biases[None]
        if settings.normalize_nodes:
            total = total / weights.shape[0]
        y = ACTIVATIONS[letter](total)
    return y[:, 0]
