"""The deep tensor neural network."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxpot.engine import Environment, Graph, graph_potential
from jaxpot.evaluation import Params
from jaxpot.numerics.dense import dense, init_dense
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind

__all__ = ["dtnn"]


@potential_kind
def dtnn(
    elements: Sequence[str],
    cutoff: float = 10.0,
    features: int = 30,
    hidden: int = 60,
    interactions: int = 3,
    gaussians: int = 100,
    readout: Sequence[int] = (15,),
    switched: bool = True,
    deepchem: bool = False,
) -> Potential:
    """The deep tensor neural network, which refines features of atoms by pairwise tensor interactions.

    c_i = embedding of the element; then, for each interaction,
    c_i += sum_j tanh(W_fc [(W_cf c_j + b_cf) * (W_df g(r_ij) + b_df)]), j != i, and at last E_i = readout(c_i) + E0.

    g are Gaussians exp(-(r - mu)^2 / (2 w^2)); the read-out has dense layers with tanh between them. The paper has no
    cutoff. Here each message is multiplied by (cos(pi r / cutoff) + 1) / 2; with ``switched=False`` it ends abruptly at
    the cutoff. In periodic cells the images of atoms are neighbours too.

    The params are ``{"embedding": [elements, features], "interactions": [{"cf", "df", "fc"}, ...], "readout": [...],
    "gaussians": {"centers", "widths"}, "atom_energies": {element: eV}}``; a dense layer is ``{"weights": [in, out],
    "biases": [out]}``, fc has no biases. ``potential.init(key, atom_energies=None)`` makes random ones.

    Args:
        elements: chemical symbols, whose order gives the species.
        cutoff: Å.
        features: number of features of an atom.
        hidden: number of features inside an interaction.
        interactions: number of interactions; each has its own weights, as in later versions of the paper
            and in DeepChem.
        gaussians: number of Gaussians, evenly from -1 Å to the cutoff.
        readout: nodes of the hidden layers of the read-out.
        switched: whether messages go smoothly to zero at the cutoff.
        deepchem: whether to follow DeepChem's DTNN. The sum over j then includes the atom itself at distance 0, minus
            tanh(W_fc [(W_cf c_i + b_cf) * b_df]), and the total energy goes through a last linear function, whose
            constant is added once a structure: params ``"total": {"weights": number, "biases": number}``.

    Returns:
        The :class:`jaxpot.Potential`; :func:`jaxpot.load` makes one from an export of DeepChem.

    Raises:
        ValueError: no elements, a number below 1, or a cutoff that is not positive; at evaluation, other params.

    Example:
        >>> import jax, jaxpot
        >>> potential = jaxpot.dtnn(["H", "O"], cutoff=4.0, features=8, hidden=6, interactions=2, gaussians=10)
        >>> params = potential.init(jax.random.key(0))
        >>> params["interactions"][0]["fc"]["weights"].shape
        (6, 8)

    Reference:
        K. T. Schütt, F. Arbabzadah, S. Chmiela, K.-R. Müller and A. Tkatchenko, Nat. Commun. 8, 13890 (2017),
        eqs. 2 to 7.
    """
    elements = tuple(elements)
    if not elements or len(set(elements)) < len(elements):
        raise ValueError(f"dtnn needs distinct elements, got {elements}")
    for name, number in (("features", features), ("hidden", hidden), *(("readout", n) for n in readout)):
        if number < 1:
            raise ValueError(f"dtnn: {name} must be at least 1, got {number}")
    if interactions < 0 or gaussians < 2:
        raise ValueError(f"dtnn: needs interactions >= 0 and gaussians >= 2, got {interactions} and {gaussians}")

    def gaussian(params: Params, r: jax.Array) -> jax.Array:
        mu, width = (params["gaussians"][name].reshape((1,) * r.ndim + (-1,)) for name in ("centers", "widths"))
        return jnp.exp(-0.5 * ((r[..., None] - mu) / width) ** 2)

    def energies(params: Params, graph: Graph) -> jax.Array:
        _check(params, elements, features, interactions, deepchem)

        def message(layer: Params, edges: Environment, theirs: jax.Array) -> jax.Array:
            found = jnp.tanh(dense(layer["fc"], theirs * dense(layer["df"], gaussian(params, edges.distances))))
            return found * 0.5 * (jnp.cos(jnp.pi / cutoff * edges.distances[:, :, None]) + 1.0) if switched else found

        c = params["embedding"][graph.species]
        for layer in params["interactions"]:
            atoms = dense(layer["cf"], c)
            change = graph.sum(functools.partial(message, layer), atoms)
            if deepchem:
                here = dense(layer["df"], gaussian(params, jnp.zeros(1, c.dtype)))
                added = jnp.tanh(dense(layer["fc"], atoms * here))
                taken = jnp.tanh(dense(layer["fc"], atoms * layer["df"]["biases"][None]))
                change = change + added - taken
            c = c + change
        for layer in params["readout"][:-1]:
            c = jnp.tanh(dense(layer, c))
        alone = jnp.stack([params["atom_energies"][symbol] for symbol in elements])
        each = dense(params["readout"][-1], c)[:, 0]
        if deepchem:
            count = jnp.maximum(graph.real.sum(), 1).astype(each.dtype)
            each = params["total"]["weights"] * each + params["total"]["biases"] / count
        return each + alone[graph.species]

    def init(key: jax.Array, atom_energies: Mapping[str, float] | None = None) -> Params:
        dtype = jnp.result_type(float)
        keys = iter(jax.random.split(key, 3 * interactions + len(readout) + 2))
        sizes = [features, *readout, 1]
        known = atom_energies or {}
        params: dict[str, Any] = {
            "embedding": jax.random.normal(next(keys), (len(elements), features), dtype),
            "interactions": [
                {
                    "cf": init_dense(next(keys), features, hidden),
                    "df": init_dense(next(keys), gaussians, hidden),
                    "fc": {"weights": init_dense(next(keys), hidden, features)["weights"]},
                }
                for _ in range(interactions)
            ],
            "readout": [init_dense(next(keys), a, b) for a, b in itertools.pairwise(sizes)],
            "gaussians": {
                "centers": jnp.linspace(-1.0, cutoff, gaussians, dtype=dtype),
                "widths": jnp.full(gaussians, (cutoff + 1.0) / (gaussians - 1), dtype),
            },
            "atom_energies": {symbol: jnp.asarray(known.get(symbol, 0.0), dtype) for symbol in elements},
        }
        if deepchem:
            params["total"] = {"weights": jnp.ones((), dtype), "biases": jnp.zeros((), dtype)}
        return params

    return graph_potential(energies, cutoff, elements, "dtnn", init)


def _check(params: Params, elements: tuple[str, ...], features: int, interactions: int, deepchem: bool) -> None:
    names = {"embedding", "interactions", "readout", "gaussians", "atom_energies"} | ({"total"} if deepchem else set())
    if not isinstance(params, Mapping) or set(params) != names:
        got = ", ".join(map(str, params)) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"dtnn takes params with {', '.join(sorted(names))}; got {got}")
    shape = params["embedding"].shape
    if shape != (len(elements), features) or len(params["interactions"]) != interactions:
        raise ValueError(
            f"dtnn was built for {len(elements)} elements, {features} features and {interactions} interactions; "
            f"got an embedding {list(shape)} and {len(params['interactions'])} interactions"
        )
