"""SchNet: continuous-filter convolutions."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine import Environment, Graph, graph_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.dense import dense, init_dense, shifted_softplus
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["schnet"]


@potential_kind
def schnet(
    elements: Sequence[str],
    cutoff: float = 5.0,
    features: int = 64,
    interactions: int = 3,
    filters: int | None = None,
    gaussians: int = 25,
) -> Potential:
    """SchNet, which refines features of atoms by messages from neighbours through filters of the distance.

    x_i = embedding of the element; then, for each interaction,
    x_i += f2out( sum_j in2f(x_j) * filter(g(r_ij)) fc(r_ij) ), and at last E_i = outnet(x_i) + E0.

    g are Gaussians exp(-(r - mu)^2 / (2 w^2)), fc = (cos(pi r / cutoff) + 1) / 2; filter and f2out are two dense layers
    with ssp(x) = ln(1 + e^x) - ln 2 between them, outnet two with x / (1 + e^-x). In periodic cells the images of atoms
    are neighbours too.

    The params are ``{"embedding": [elements, features], "interactions": [{"in2f", "filter": [...], "f2out": [...]},
    ...], "out": [...], "gaussians": {"centers", "widths"}, "atom_energies": {element: eV}}``; a dense layer is
    ``{"weights": [in, out], "biases": [out]}``. ``potential.init(key, atom_energies=None)`` makes random ones.

    Args:
        elements: chemical symbols, whose order gives the species.
        cutoff: Å.
        features: number of features of an atom.
        interactions: number of interactions.
        filters: number of features inside an interaction; ``features`` by default.
        gaussians: number of Gaussians, evenly from 0 to the cutoff.

    Returns:
        The :class:`jaxpot.Potential`; :func:`jaxpot.load` makes one from an export of schnetpack.

    Raises:
        ValueError: no elements, a number below 1, or a cutoff that is not positive; at evaluation, other params.

    Example:
        >>> import jax, jaxpot
        >>> potential = jaxpot.schnet(["H", "O"], cutoff=4.0, features=8, interactions=2, gaussians=10)
        >>> params = potential.init(jax.random.key(0))
        >>> params["embedding"].shape, len(params["interactions"])
        ((2, 8), 2)

    Reference:
        K. T. Schütt, P.-J. Kindermans, H. E. Sauceda, S. Chmiela, A. Tkatchenko and K.-R. Müller, NIPS 30, 991 (2017);
        K. T. Schütt, H. E. Sauceda, P.-J. Kindermans, A. Tkatchenko and K.-R. Müller, J. Chem. Phys. 148,
        241722 (2018).
        Filters are cut off by fc and the read-out is as in schnetpack 2, not as in the papers.
    """
    elements = tuple(elements)
    if not elements or len(set(elements)) < len(elements):
        raise ValueError(f"schnet needs distinct elements, got {elements}")
    inner = features if filters is None else filters
    for name, number in (("features", features), ("filters", inner), ("gaussians", gaussians)):
        if number < 1:
            raise ValueError(f"schnet: {name} must be at least 1, got {number}")
    if interactions < 0 or gaussians < 2:
        raise ValueError(f"schnet: needs interactions >= 0 and gaussians >= 2, got {interactions} and {gaussians}")

    def energies(params: Params, graph: Graph) -> jax.Array:
        _check(params, elements, features, interactions)
        centers, widths = params["gaussians"]["centers"], params["gaussians"]["widths"]

        def message(layer: Params, edges: Environment, theirs: jax.Array) -> jax.Array:
            r = edges.distances[:, :, None]
            g = jnp.exp(-0.5 * ((r - centers[None, None, :]) / widths[None, None, :]) ** 2)
            end = 0.5 * (jnp.cos(np.pi / cutoff * r) + 1.0)
            return theirs * dense(layer["filter"][1], shifted_softplus(dense(layer["filter"][0], g))) * end

        def refined(layer: Params, x: jax.Array, messages: jax.Array) -> jax.Array:
            return x + dense(layer["f2out"][1], shifted_softplus(dense(layer["f2out"][0], messages)))

        x = params["embedding"][graph.species]
        for layer in params["interactions"]:
            messages = graph.sum(functools.partial(message, layer), dense(layer["in2f"], x))
            x = graph.map(functools.partial(refined, layer), x, messages)
        out = dense(params["out"][1], jax.nn.silu(dense(params["out"][0], x)))[:, 0]
        alone = jnp.stack([params["atom_energies"][symbol] for symbol in elements])
        return out + alone[graph.species]

    def init(key: jax.Array, atom_energies: Mapping[str, float] | None = None) -> Params:
        dtype = jnp.result_type(float)
        keys = iter(jax.random.split(key, 5 * interactions + 3))
        centers = jnp.linspace(0.0, cutoff, gaussians, dtype=dtype)
        params: dict[str, Any] = {
            "embedding": jax.random.normal(next(keys), (len(elements), features), dtype),
            "interactions": [
                {
                    "in2f": {"weights": init_dense(next(keys), features, inner)["weights"]},
                    "filter": [init_dense(next(keys), gaussians, inner), init_dense(next(keys), inner, inner)],
                    "f2out": [init_dense(next(keys), inner, features), init_dense(next(keys), features, features)],
                }
                for _ in range(interactions)
            ],
            "gaussians": {"centers": centers, "widths": jnp.full(gaussians, cutoff / (gaussians - 1), dtype)},
        }
        half = max(1, features // 2)
        params["out"] = [init_dense(next(keys), features, half), init_dense(next(keys), half, 1)]
        known = atom_energies or {}
        params["atom_energies"] = {symbol: jnp.asarray(known.get(symbol, 0.0), dtype) for symbol in elements}
        return params

    return graph_potential(energies, cutoff, elements, "schnet", init)


def _check(params: Params, elements: tuple[str, ...], features: int, interactions: int) -> None:
    names = {"embedding", "interactions", "out", "gaussians", "atom_energies"}
    if not isinstance(params, Mapping) or set(params) != names:
        got = ", ".join(map(str, params)) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"schnet takes params with {', '.join(sorted(names))}; got {got}")
    shape = params["embedding"].shape
    if shape != (len(elements), features) or len(params["interactions"]) != interactions:
        raise ValueError(
            f"schnet was built for {len(elements)} elements, {features} features and {interactions} interactions; "
            f"got an embedding {list(shape)} and {len(params['interactions'])} interactions"
        )
