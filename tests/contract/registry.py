"""One small example of every potential, with published or plausible parameters."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.build import molecule

import jaxpot
from jaxpot.descriptors.symmetry_functions import SymmetryFunction, symmetry_functions
from jaxpot.evaluation import Params
from jaxpot.units import COULOMB as COULOMB_CONSTANT


@dataclass(frozen=True)
class Example:
    """A potential and what it is tried on.

    Attributes:
        name: for test ids.
        build: makes potential and params.
        settings: the keywords of `jaxpot.testing.validate`, but for `skip`.
        skip: names of checks that do not apply.
    """

    name: str
    build: Callable[[], tuple[jaxpot.Potential, Params]]
    settings: Mapping[str, Any] = field(hash=False)
    skip: tuple[str, ...] = ()


EXAMPLES: list[Example] = []


def example(
    elements: tuple[str, ...] = (),
    lattice_constant: float | None = None,
    skip: tuple[str, ...] = (),
    **settings: Any,
) -> Callable[[Callable[[], tuple[jaxpot.Potential, Params]]], Callable[[], tuple[jaxpot.Potential, Params]]]:
    """Enter a function that makes potential and params under its own name; arguments as `jaxpot.testing.validate`'s."""
    settings |= {"elements": elements or None, "lattice_constant": lattice_constant}

    def enter(build: Callable[[], tuple[jaxpot.Potential, Params]]) -> Callable[[], tuple[jaxpot.Potential, Params]]:
        once = functools.cache(build)
        EXAMPLES.append(Example(build.__name__, once, settings, skip))
        return once

    return enter


NOBLE = ("Ar", "Xe")
# Argon and xenon by their liquids' parameters, with Lorentz-Berthelot mixing written out
NOBLE_PARAMS = {
    "epsilon": np.array([[0.01032, 0.01410], [0.01410, 0.01926]]),
    "sigma": np.array([[3.405, 3.725], [3.725, 4.045]]),
}


@example(NOBLE, 5.6, continuity=0)
def lennard_jones() -> tuple[jaxpot.Potential, Params]:
    return jaxpot.lennard_jones(7.0, NOBLE), NOBLE_PARAMS


@example(NOBLE, 5.6)
def lennard_jones_force_shifted() -> tuple[jaxpot.Potential, Params]:
    return jaxpot.lennard_jones([[6.0, 6.5], [6.5, 7.0]], NOBLE, mode="force_shifted"), NOBLE_PARAMS


@example(("Ar",), 5.3)
def lennard_jones_switched() -> tuple[jaxpot.Potential, Params]:
    return jaxpot.lennard_jones(7.0, mode="switched", switch_from=5.5), {"epsilon": 0.01032, "sigma": 3.405}


@example(NOBLE, 5.6)
def wang_frenkel() -> tuple[jaxpot.Potential, Params]:
    return jaxpot.wang_frenkel(7.0, NOBLE), NOBLE_PARAMS


@example(NOBLE, 5.6)
def wang_frenkel_all_free() -> tuple[jaxpot.Potential, Params]:
    ranges = np.array([[5.8, 6.3], [6.3, 6.8]])
    params = NOBLE_PARAMS | {"rc": ranges, "mu": np.array([[1.0, 1.3], [1.3, 1.6]]), "nu": np.array(1.4)}
    return jaxpot.wang_frenkel(7.0, NOBLE, mu=None, nu=None), params


@example(("Cu", "Ag"), 3.8)
def morse_force_shifted() -> tuple[jaxpot.Potential, Params]:
    # L. A. Girifalco and V. G. Weizer, Phys. Rev. 114, 687 (1959), table I, and their means for the mixed pair
    params = {
        "D0": np.array([[0.3429, 0.3376], [0.3376, 0.3323]]),
        "alpha": np.array([[1.3588, 1.3639], [1.3639, 1.3690]]),
        "r0": np.array([[2.866, 2.9905], [2.9905, 3.115]]),
    }
    return jaxpot.morse(6.0, ("Cu", "Ag"), mode="force_shifted"), params


@example(("Mg", "O"), 2.6, structure="sc", continuity=1)
def buckingham_shifted() -> tuple[jaxpot.Potential, Params]:
    # without charges ions would not hold together: a stronger dispersion keeps them near a distance of 2.6 Å
    params = {
        "A": np.array([[0.0, 1428.5], [1428.5, 22764.3]]),
        "rho": np.array([[0.3, 0.2945], [0.2945, 0.149]]),
        "C": np.array([[0.0, 40.0], [40.0, 27.88]]),
    }
    return jaxpot.buckingham(5.5, ("Mg", "O"), mode="shifted"), params


@example(("Si", "W"), 2.6)
def zbl() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.zbl(2.0, 3.0, ("Si", "W"))
    return potential, potential.init()


@example(("Fe",), 2.87, structure="bcc")
def finnis_sinclair() -> tuple[jaxpot.Potential, Params]:
    _, params = jaxpot.load("finnis_sinclair_1984:Fe")
    return jaxpot.finnis_sinclair(4.0, ("Fe",)), params


@example(("V", "Ta"), 3.15, structure="bcc")
def finnis_sinclair_alloy_with_core() -> tuple[jaxpot.Potential, Params]:
    pure = [jaxpot.load(f"ackland_thetford_1987:{symbol}")[1] for symbol in ("V", "Ta")]
    # unlike pairs by means of the like ones: no fitted alloy, but every table is in use
    params: dict[str, Any] = {
        name: np.array([[pure[i][name] / 2 + pure[j][name] / 2 for j in range(2)] for i in range(2)])
        for name in pure[0]
        if name != "A"
    }
    return jaxpot.finnis_sinclair(4.5, ("V", "Ta")), params | {"A": np.array([p["A"] for p in pure])}


@example(("Cu", "Ag"), 3.8)
def sutton_chen() -> tuple[jaxpot.Potential, Params]:
    params = jaxpot.sutton_chen_mixing([1.2382e-2, 2.5415e-3], [3.61, 4.09], [39.432, 144.41], [9, 12], [6, 6])
    return jaxpot.sutton_chen(6.5, ("Cu", "Ag"), mode="switched", switch_from=5.0), params


# Z. Q. Wang, D. Stroud and A. J. Markworth, Phys. Rev. B 40, 3129 (1989), with a weaker mixed angle
CADMIUM_TELLURIDE = {
    "epsilon": np.array([[[1.03, 0.9], [0.9, 1.03]], [[1.03, 0.9], [0.9, 1.03]]]),
    "sigma": np.array([[2.51, 2.46], [2.46, 2.51]]),
    "a": np.array(1.8),
    "lambda": np.array(25.0),
    "gamma": np.array([[1.2, 1.1], [1.15, 1.2]]),
    "cos0": np.array([[[-0.3333, -0.3], [-0.3, -0.3333]], [[-0.3333, -0.3], [-0.3, -0.3333]]]),
    "A": np.array([[5.1726, 7.0496], [7.0496, 8.1415]]),
    "B": np.array([[0.8807, 0.6022], [0.6022, 0.6671]]),
    "p": np.array(4.0),
    "q": np.array(0.2),
}


@example(("Cd", "Te"), 6.48, structure="diamond")
def stillinger_weber() -> tuple[jaxpot.Potential, Params]:
    return jaxpot.stillinger_weber(4.9, ("Cd", "Te")), CADMIUM_TELLURIDE


@example(("Si",), 5.43, structure="diamond")
def stillinger_weber_switched() -> tuple[jaxpot.Potential, Params]:
    _, params = jaxpot.load("stillinger_weber_1985:Si")
    return jaxpot.stillinger_weber(4.0, ("Si",), angle_switch=(0.1, 0.7)), params


@example(("Si", "C"), 4.5, structure="diamond")
def tersoff_with_core() -> tuple[jaxpot.Potential, Params]:
    _, params = jaxpot.load("tersoff_1989:Si-C")
    charges = np.array([14.0, 6.0])
    core = {"Z_i": charges, "Z_j": np.tile(charges, (2, 1)), "zbl_cut": 0.95, "zbl_slope": 14.0}
    several = {"lambda3": np.array([0.9, 0.4]), "gamma": np.array([0.9, 1.1])}
    return jaxpot.tersoff(3.4, ("Si", "C")), {**params, **several, **core}


@example(("Si",), 5.43, structure="diamond")
def tersoff_mod() -> tuple[jaxpot.Potential, Params]:
    _, params = jaxpot.load("kumagai_2007:Si")
    return jaxpot.tersoff_mod(4.3, ("Si",), power=3), {**params, "eta": 1.4, "c0": -0.006}


@example(("Si",), 5.43, structure="diamond")
def edip() -> tuple[jaxpot.Potential, Params]:
    _, params = jaxpot.load("justo_1998:Si")
    return jaxpot.edip(4.3, ("Si",)), params


# the knots of the pair energy move with rc, and its curvature, by which forces depend on them, jumps at knots
@example(("Ni",), 3.52, fixed=("rc",))
def meam() -> tuple[jaxpot.Potential, Params]:
    return jaxpot.meam(4.2, ("Ni",)), {
        "Ec": 4.45, "re": 2.489, "alpha": 4.99, "attrac": 0.05, "repuls": 0.05, "Z": 28.0, "asub": 1.1, "rho0": 1.0,
        "b0": 2.45, "b1": 2.2, "b2": 6.0, "b3": 2.2, "t1": 3.57, "t2": 1.6, "t3": 3.7, "Cmin": 0.8, "Cmax": 2.8,
        "rc": 4.0, "delr": 0.5, "gsmooth_factor": 99.0,
    }  # fmt: skip


@example(("Si", "C"), 4.36, structure="diamond")
def vashishta() -> tuple[jaxpot.Potential, Params]:
    # P. Vashishta et al., J. Appl. Phys. 101, 103515 (2007), with shorter ranges, and angles of like atoms too
    params = {
        "H": np.array([[23.67291, 447.09026], [447.09026, 471.74538]]),
        "eta": np.array([[7.0, 9.0], [9.0, 7.0]]),
        "Z_i": np.array([1.201, -1.201]),
        "Z_j": np.array([[1.201, -1.201], [1.201, -1.201]]),
        "lambda1": np.array(5.0),
        "D": np.array([[15.575, 7.7874], [7.7874, 0.0]]),
        "lambda4": np.array(3.0),
        "W": np.array([[0.0, 61.4694], [61.4694, 0.0]]),
        "rc": np.array([[4.1, 4.2], [4.2, 4.0]]),
        "B": np.array([[[2.0, 3.0], [3.0, 9.003]], [[9.003, 4.0], [4.0, 2.0]]]),
        "gamma": np.array([[0.9, 1.0], [1.0, 1.1]]),
        "r0": np.array([[2.8, 2.9], [2.9, 2.7]]),
        "C": np.array(5.0),
        "cos0": np.array(-1.0 / 3.0),
    }
    return jaxpot.vashishta(4.6, ("Si", "C"), triple_cutoff=3.2), params


def tables(count: int, n_r: int, cutoff: float) -> tuple[np.ndarray, ...]:
    """Smooth functions of distance, different for each pair of elements, which end at the cutoff."""
    r = np.linspace(0.0, cutoff, n_r)
    end = np.where(r < cutoff, (1 - (r / cutoff) ** 2) ** 3, 0.0)
    own, other = np.arange(count)[:, None, None], np.arange(count)[None, :, None]
    density = (1.0 + 0.3 * own + 0.5 * other) * np.exp(-0.8 * (r - 2.5)) * end
    pair = 0.35 * (1 + 0.2 * (own + other)) * np.exp(-2.5 * (r - 2.4 - 0.1 * (own + other))) * end * r
    wave = np.cos(r + 0.4 * (own + other)) * end
    return density, pair, wave


def embedding(count: int, n_rho: int, last: float) -> np.ndarray:
    rho = np.linspace(0.0, last, n_rho)[None, :]
    species = np.arange(count)[:, None]
    return -(1.0 + 0.2 * species) * rho / np.sqrt(1.0 + 0.3 * rho)


@example(("Cu", "Ag"), 3.7)
def eam() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.eam(("Cu", "Ag"), 4.5, n_rho=61, d_rho=0.5, n_r=151, d_r=0.03)
    density, pair, _ = tables(2, 151, 4.5)
    return potential, potential.init(embedding(2, 61, 30.0), density[0], pair)


@example(("Cu", "Ag"), 3.7)
def eam_fs() -> tuple[jaxpot.Potential, Params]:
    # densities run beyond the end of the embedding table, where it is continued by a line
    potential = jaxpot.eam(("Cu", "Ag"), 4.5, n_rho=41, d_rho=0.2, n_r=151, d_r=0.03, density="fs")
    density, pair, _ = tables(2, 151, 4.5)
    return potential, potential.init(embedding(2, 41, 8.0), density, pair)


@example(("Cu", "Ag"), 3.7)
def adp() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.adp(("Cu", "Ag"), 4.5, n_rho=61, d_rho=0.5, n_r=151, d_r=0.03)
    density, pair, wave = tables(2, 151, 4.5)
    return potential, potential.init(embedding(2, 61, 30.0), density[0], pair, 0.3 * wave, 0.1 * wave)


NETWORK = ("Li", "B")
NETWORK_INPUTS = 10


def network_functions() -> list[Any]:
    """Symmetry functions of every kind, other numbers for each element."""
    functions = []
    for k, center in enumerate(NETWORK):
        functions += [SymmetryFunction(2, center, (other,), 4.2, 0.3 + 0.1 * k, 1.0) for other in NETWORK]
        functions += [SymmetryFunction(1, center, (NETWORK[k],), 3.9), SymmetryFunction(12, center, (), 4.2, 0.2)]
        functions += [SymmetryFunction(4, center, (NETWORK[0],), 4.2, kappa=1.2)]
        functions += [SymmetryFunction(3, center, NETWORK, 4.2, 0.05, 0.0, 2.0, -1.0)]
        functions += [SymmetryFunction(9, center, (NETWORK[k],) * 2, 3.9, 0.05, 0.5, 3.0, 1.0)]
        functions += [SymmetryFunction(13, center, (), 4.2, 0.05, 0.5, 1.5, 1.0)]
        functions += [SymmetryFunction(20, center, (NETWORK[k],), 4.2, start=-4.2, subtype="p2")]
        functions += [
            SymmetryFunction(21, center, NETWORK, 4.0, start=0.4, angle_start=-140, angle_end=140, subtype="p3a")
        ]
    return functions


def network_params() -> Params:
    """Random networks; a symmetry function is 0 for an atom alone, and its value after scaling 0.25."""
    rng = np.random.default_rng(3)
    networks, scaling = {}, {}
    for symbol in NETWORK:
        sizes = [(NETWORK_INPUTS, 5), (5, 4), (4, 1)]
        networks[symbol] = [{"weights": rng.normal(size=n), "biases": 0.3 * rng.normal(size=n[1])} for n in sizes]
        size = 4.0 * (1.0 + rng.random(NETWORK_INPUTS))
        scaling[symbol] = {"min": -0.5 * size, "max": 3.5 * size, "mean": -0.25 * size, "sigma": size}
    return {"networks": networks, "scaling": scaling, "atom_energies": {"Li": np.array(-0.7), "B": np.array(0.4)}}


def network_alone() -> float:
    params = network_params()
    y = np.full(NETWORK_INPUTS, 0.25)
    for layer, f in zip(params["networks"]["B"], (np.tanh, np.cos, lambda v: v), strict=True):
        y = f(y @ layer["weights"] + layer["biases"])
    return 0.5 * float(y[0]) + 0.4


@example(NETWORK, 3.8, isolated=network_alone())
def hdnnp() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.hdnnp(
        NETWORK, network_functions(), (5, 4), "tcl", "poly2", scaling="scale_sigma", energy_unit=0.5
    )
    params = network_params()
    return potential, params | {"descriptor": potential.init(jax.random.key(0), train_descriptor=True)["descriptor"]}


def message_params(potential: jaxpot.Potential) -> Params:
    """Random ones, biases too, in which every distance counts."""
    params = potential.init(jax.random.key(2), {"Si": -1.5, "O": 0.75})
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(7)
    return jax.tree.unflatten(tree, [np.asarray(leaf) + 0.05 * rng.normal(size=leaf.shape) for leaf in leaves])


def schnet_alone() -> float:
    _, params = schnet()
    softplus = lambda v: np.log((1 + np.exp(v)) / 2)  # noqa: E731
    dense = lambda layer, v: v @ layer["weights"] + layer.get("biases", 0)  # noqa: E731
    x = params["embedding"][1]
    for layer in params["interactions"]:
        x = x + dense(layer["f2out"][1], softplus(dense(layer["f2out"][0], np.zeros(5))))
    y = dense(params["out"][0], x)
    return float(dense(params["out"][1], y / (1 + np.exp(-y)))[0] + params["atom_energies"]["O"])


def dtnn_alone() -> float:
    _, params = dtnn()
    first, last = params["readout"]
    y = np.tanh(params["embedding"][1] @ first["weights"] + first["biases"])
    return float((y @ last["weights"] + last["biases"])[0] + params["atom_energies"]["O"])


@functools.cache
def schnet() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.schnet(("Si", "O"), 4.0, features=6, interactions=2, filters=5, gaussians=7)
    return potential, message_params(potential)


@functools.cache
def dtnn() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.dtnn(("Si", "O"), 4.0, features=6, hidden=5, interactions=2, gaussians=7, readout=(4,))
    return potential, message_params(potential)


example(("Si", "O"), 4.2, isolated=schnet_alone())(schnet)
example(("Si", "O"), 4.2, isolated=dtnn_alone())(dtnn)


@example(("Si", "O"), 4.2)
def message_passing_toy() -> tuple[jaxpot.Potential, Params]:
    """Scalars and vectors on the atoms, messages that depend on both ends, and an energy of their invariants."""
    features = 4

    def message(p: Params, edges: jaxpot.Environment, scalars: jax.Array, vectors: Any, own: jax.Array) -> Any:
        end = jnp.where(edges.mask, (1 - (edges.distances / 4.0) ** 2) ** 3, 0.0)[:, :, None]
        kinds = p["kinds"][edges.own_species[:, None], edges.species]
        strength = end * kinds * jnp.tanh(scalars @ p["theirs"] + own @ p["own"])
        units = [(d / edges.distances)[:, :, None] for d in (edges.x, edges.y, edges.z)]
        return strength, [strength * unit + end * vector for unit, vector in zip(units, vectors, strict=True)]

    def energies(p: Params, graph: jaxpot.Graph) -> jax.Array:
        scalars = p["embedding"][graph.species]
        vectors = [jnp.zeros_like(scalars)] * 3
        for layer in p["layers"]:
            more, bonds = graph.sum(functools.partial(message, layer), scalars, vectors, own=scalars)
            vectors = graph.map(lambda old, new: [a + 0.3 * b for a, b in zip(old, new, strict=True)], vectors, bonds)
            scalars = scalars + jnp.tanh(more + sum(v * v for v in vectors) @ layer["norm"])
        alone = jnp.tanh(p["embedding"] @ p["out"]).sum(axis=1)
        return jnp.tanh(scalars @ p["out"]).sum(axis=1) - alone[graph.species]

    rng = np.random.default_rng(11)
    square = (features, features)
    layers = [
        {"theirs": rng.normal(size=square), "own": rng.normal(size=square), "norm": rng.normal(size=square)}
        | {"kinds": rng.uniform(0.5, 1.5, (2, 2, features))}
        for _ in range(2)
    ]
    params = {"embedding": rng.normal(size=(2, features)), "layers": layers, "out": rng.normal(size=square)}
    return jaxpot.graph_potential(energies, 4.0, ("Si", "O"), "message_passing_toy"), params


@example(("Si", "W"), 3.9)
def sum_of_potentials() -> tuple[jaxpot.Potential, Params]:
    core = jaxpot.zbl(2.0, 3.0, ("Si", "W"))
    bonds = jaxpot.morse(5.5, ("Si", "W"), mode="force_shifted")
    bond = {"D0": np.array([[0.3, 0.4], [0.4, 0.5]]), "alpha": 1.4, "r0": 2.7}
    return jaxpot.scale(core, 0.7) + bonds, (core.init(), bond)


@jaxpot.potential_kind
def two_sums(elements: tuple[str, ...], cutoff: float = 4.5) -> jaxpot.Potential:
    """Two sums, of which one is not symmetric in the species, and a function of both that depends on the species."""

    def contributions(p: Params, r: jax.Array, species: jaxpot.PairSpecies) -> tuple[jax.Array, ...]:
        end = (1 - (r / cutoff) ** 2) ** 3
        return species.directed(p["spread"]) * end, species.pair(p["core"]) * species.of_other(p["size"]) * end / r**4

    def atom_energy(p: Params, sums: tuple[jax.Array, ...], species: jax.Array) -> jax.Array:
        bonds, cores = sums
        return cores - p["depth"][species] * (jnp.sqrt(1.0 + bonds) - 1.0) + p["cross"] * bonds * cores

    return jaxpot.radial_potential(contributions, atom_energy, cutoff, elements, "two_sums")


@example(("Cu", "Ag"), 3.7)
def radial_toy() -> tuple[jaxpot.Potential, Params]:
    params = {
        "spread": np.array([[1.0, 1.6], [0.7, 2.0]]),
        "core": np.array([[14.0, 17.0], [17.0, 20.0]]),
        "size": np.array([1.0, 1.3]),
        "depth": np.array([2.0, 3.0]),
        "cross": np.array(0.01),
    }
    return two_sums(("Cu", "Ag")), params


@jaxpot.potential_kind
def bonds_and_angles(elements: tuple[str, ...], cutoff: float = 4.4) -> jaxpot.Potential:
    """Bonds, and angles between all pairs of them as in Stillinger and Weber's potential, for two species."""

    def energy(p: Params, env: jaxpot.Environment) -> jax.Array:
        end = jnp.where(env.distances < cutoff, (1 - (env.distances / cutoff) ** 2) ** 3, 0.0)
        strength = p["strength"][env.own_species, env.species]
        bonds = strength * end * (p["core"] / env.distances**4 - 1.0)
        unit = [v / env.distances for v in (env.x, env.y, env.z)]
        cosine = sum(u[:, None] * u[None, :] for u in unit)
        other = (
            (jnp.arange(cosine.shape[0])[:, None] != jnp.arange(cosine.shape[0])[None, :]) * end[:, None] * end[None]
        )
        angles = p["angle"][env.own_species] * (cosine + 1.0 / 3.0) ** 2 * other
        return env.sum(bonds) + env.sum(env.sum(angles))

    return jaxpot.environment_potential(energy, cutoff, elements, "bonds_and_angles")


@example(("Si", "Ge"), 5.5, structure="diamond")
def environment_toy() -> tuple[jaxpot.Potential, Params]:
    params = {
        "strength": np.array([[2.0, 1.8], [1.8, 1.6]]),
        "core": np.array(16.0),
        "angle": np.array([1.5, 1.2]),
    }
    return bonds_and_angles(("Si", "Ge")), params


@example(("Ar",), 5.3)
def committee_of_wang_frenkel() -> tuple[jaxpot.Potential, Params]:
    return jaxpot.committee(jaxpot.wang_frenkel(7.0)), {
        "epsilon": np.array([0.0104, 0.0110, 0.0098]),
        "sigma": np.array([3.4, 3.38, 3.43]),
    }


@example(("Ta", "W"), 3.3, structure="bcc")
def snap() -> tuple[jaxpot.Potential, Params]:
    potential = jaxpot.snap(("Ta", "W"), 4, (4.7, 4.4), (1.0, 0.9), rmin0=0.4)
    return potential, {"coefficients": snap_coefficients(potential)}


@example(("Ta", "W"), 3.3, structure="bcc")
def snap_quadratic_of_two_densities() -> tuple[jaxpot.Potential, Params]:
    inner = ((1.2, 1.1), (0.4, 0.5))
    potential = jaxpot.snap(
        ("Ta", "W"), 2, 4.6, quadratic=True, inner=inner, by_elements=True, self_in_all=True, normalize=True
    )
    return potential, {"coefficients": snap_coefficients(potential)}


def snap_coefficients(potential: jaxpot.DescriptorPotential) -> np.ndarray:
    """Coefficients as large as a fit gives, with no energy for an isolated atom."""
    names = potential.head.names(potential.descriptor)
    size = np.array([0.0, *(0.3 / (1 + name.count("*")) ** 6 for name in names[1:])])
    return np.random.default_rng(8).normal(size=(len(potential.elements or ()), len(size))) * size


@example(("Cu", "Ag"), 3.7)
def linear_toy() -> tuple[jaxpot.Potential, Params]:
    """Squared sums of smooth bond vectors, and their products."""

    def descriptors(env: jaxpot.Environment) -> jax.Array:
        end = (1 - (env.distances / 4.5) ** 2) ** 3
        dipole = sum(env.sum(end * d) ** 2 for d in (env.x, env.y, env.z))
        return jnp.stack([env.sum(end * env.species), env.sum(end * env.distances), dipole])

    descriptor = jaxpot.descriptor(descriptors, 3, 4.5, ("Cu", "Ag"))
    potential = jaxpot.descriptor_potential(descriptor, jaxpot.LinearHead("quadratic"), "linear_toy")
    coefficients = np.random.default_rng(9).normal(size=(2, 10)) * 0.1
    return potential, {"coefficients": np.where(np.arange(10) == 0, 0.0, coefficients)}


@example(NETWORK, 3.8)
def linear_in_symmetry_functions() -> tuple[jaxpot.Potential, Params]:
    descriptor = symmetry_functions(NETWORK, network_functions())
    coefficients = np.random.default_rng(10).normal(size=(2, 1 + NETWORK_INPUTS)) * 0.3
    coefficients[:, 0] = 0.0
    return jaxpot.descriptor_potential(descriptor, jaxpot.LinearHead()), {"coefficients": coefficients}


def edges(system: jaxpot.System, neighbors: jaxpot.Neighbors, cutoff: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Neighbouring atoms, distances and a smooth weight that ends at the cutoff, each [atoms, capacity]."""
    others = jnp.minimum(neighbors.others, len(system.species) - 1)
    shifts = neighbors.shifts.astype(system.positions.dtype) @ system.cell
    squared = ((system.positions[others] + shifts - system.positions[:, None, :]) ** 2).sum(axis=-1)
    inside = neighbors.mask & (squared < cutoff**2)
    distances = jnp.sqrt(jnp.where(inside, squared, cutoff**2))
    return others, distances, jnp.where(inside, (1 - (distances / cutoff) ** 2) ** 3, 0.0)


@jaxpot.potential_kind
def charges_by_neighbors(elements: tuple[str, ...], cutoff: float) -> jaxpot.Potential:
    """Charges that neighbours induce, and no energy."""

    def outputs(params: Params, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jaxpot.Outputs:
        others, distances, weight = edges(system, neighbors, cutoff)
        pull = jnp.asarray(params["pull"], distances.dtype)[jnp.maximum(system.species, 0)]
        charges = ((pull[:, None] - pull[others]) * weight / distances).sum(axis=1)
        return jaxpot.Outputs(jnp.zeros_like(charges), {"charges": charges})

    functions = jaxpot.Functions(outputs)
    return jaxpot.Potential("charges_by_neighbors", cutoff, elements, functions, gives=frozenset({"charges"}))


@jaxpot.potential_kind
def screened_coulomb(elements: tuple[str, ...], cutoff: float) -> jaxpot.Potential:
    """A Coulomb energy of the charges of a system that ends at a cutoff, and the energy to charge an atom."""

    def outputs(params: Params, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jaxpot.Outputs:
        others, distances, weight = edges(system, neighbors, cutoff)
        charges = jnp.where(system.real, system.extras["charges"], 0.0)
        hardness = jnp.asarray(params["hardness"], distances.dtype)[jnp.maximum(system.species, 0)]
        strength = jnp.asarray(params["strength"], distances.dtype)
        pairs = (0.5 * strength * charges[:, None] * charges[others] * weight / distances).sum(axis=1)
        return jaxpot.Outputs(pairs + hardness * charges**2)

    functions = jaxpot.Functions(outputs)
    return jaxpot.Potential("screened_coulomb", cutoff, elements, functions, needs=frozenset({"charges"}))


COULOMB = {"strength": 14.4, "hardness": np.array([2.0, 3.0])}
# repulsion of magnesium oxide's ions, which keeps charges apart
CORES = {
    "A": np.array([[0.0, 1428.5], [1428.5, 22764.3]]),
    "rho": np.array([[0.3, 0.2945], [0.2945, 0.149]]),
    "C": np.array([[0.0, 40.0], [40.0, 27.88]]),
}


def ions() -> jaxpot.Potential:
    return jaxpot.buckingham(4.5, ("Mg", "O"), mode="force_shifted")


@example(("Mg", "O"), 2.3, structure="sc")
def chain_of_charges() -> tuple[jaxpot.Potential, Params]:
    parts = charges_by_neighbors(("Mg", "O"), 4.0), screened_coulomb(("Mg", "O"), 5.5), ions()
    return jaxpot.chain(*parts), ({"pull": np.array([1.0, -0.5])}, COULOMB, CORES)


def with_charges(atoms: Atoms) -> jaxpot.System:
    """Charges by the atoms' elements."""
    charges = np.where(atoms.numbers == 8, -1.1, 1.2)
    return jaxpot.System.from_ase(atoms, ("Mg", "O"), extras={"charges": charges})


@example(("Mg", "O"), 2.3, structure="sc", systems=with_charges, isolated=3.0 * 1.1**2)
def charges_of_the_system() -> tuple[jaxpot.Potential, Params]:
    return screened_coulomb(("Mg", "O"), 5.5) + ions(), (COULOMB, CORES)


SALT = ("Mg", "O")


def own_terms(q: float, cutoff: float, alpha: float) -> float:
    """The energy of a charge alone in the sums of DSF and Wolf together, eV."""
    value, slope = math.erfc(alpha * cutoff) / cutoff, 2 * alpha / math.sqrt(math.pi)
    shifted = value + slope * math.exp(-((alpha * cutoff) ** 2))
    return -COULOMB_CONSTANT * q**2 * (0.5 * (value + shifted) + 0.5 * value + slope)


@example(SALT, 2.3, structure="sc", continuity=1, isolated=own_terms(-0.6, 5.5, 0.2))
def ions_with_cut_charges() -> tuple[jaxpot.Potential, Params]:
    """All forms of Coulomb's law that end at a cutoff, of charges by species."""
    forms = (
        jaxpot.coulomb_cut(5.5, SALT, mode="shifted"),
        jaxpot.coulomb_debye(5.5, SALT, mode="force_shifted"),
        jaxpot.coulomb_dsf(5.5, SALT),
        jaxpot.coulomb_wolf(5.5, SALT),
        jaxpot.reaction_field(5.5, SALT),
    )
    params = ({}, {"kappa": 0.3}, {"alpha": 0.2}, {"alpha": 0.2}, {"epsilon": 10.0})
    charges = jaxpot.chain(jaxpot.fixed_charges(SALT), jaxpot.add(*forms))
    return charges + ions(), (({"charges": np.array([0.6, -0.6])}, params), CORES)


# an ion interacts with its images and with parts at any distance, and a slab with its images across a vacuum; systems
# that are periodic in one direction are refused
LONG_RANGE = ("isolated_atom", "separate_parts", "slab", "wire")


@example(SALT, 2.3, structure="sc", continuity=2, skip=LONG_RANGE)
def ions_by_ewald() -> tuple[jaxpot.Potential, Params]:
    charges = jaxpot.chain(jaxpot.fixed_charges(SALT), jaxpot.ewald(5.0, SALT, 1e-11, "waves", gaussian=True))
    params = ({"charges": np.array([1.2, -1.2])}, {"width": np.array([0.3, 0.4])})
    return charges + ions(), (params, CORES)


@jaxpot.potential_kind
def springs(elements: tuple[str, ...]) -> jaxpot.Potential:
    """All pairs of atoms, without a cutoff and without neighbours; for molecules."""

    def energies(params: Params, system: jaxpot.System, neighbors: None) -> jax.Array:
        count = len(system.species)
        vectors = system.positions[:, None, :] - system.positions[None, :, :]
        pairs = system.real[:, None] & system.real[None, :] & ~jnp.eye(count, dtype=bool)
        squared = jnp.where(pairs, (vectors**2).sum(axis=-1), 1.0)
        species = jnp.maximum(system.species, 0)
        size = jnp.asarray(params["size"], squared.dtype)[species]
        stiff = jnp.asarray(params["stiffness"], squared.dtype)
        wanted = size[:, None] + size[None, :]
        return jnp.where(pairs, 0.25 * stiff * (squared / wanted**2 - 1.0) ** 2 / squared, 0.0).sum(axis=1)

    return jaxpot.Potential("springs", 0.0, elements, jaxpot.Functions(lambda *given: jaxpot.Outputs(energies(*given))))


@example(structure=molecule("CH3CH2OH"))
def molecule_without_cutoff() -> tuple[jaxpot.Potential, Params]:
    return springs(("C", "H", "O")), {"size": np.array([0.8, 0.4, 0.7]), "stiffness": 5.0}


ETHANOL = molecule("CH3CH2OH")
ETHANOL.rattle(0.03, seed=1)


@functools.cache
def ethanol() -> jaxpot.MolecularModel:
    bonds = [(i, j) for i, j in itertools.combinations(range(9), 2) if ETHANOL.get_distance(i, j) < 1.65]
    return jaxpot.mmff94(ETHANOL, bonds=bonds, charges=0)


def with_topology(atoms: Atoms) -> jaxpot.System:
    """The same atoms elsewhere."""
    return ethanol().system.replace(positions=jnp.asarray(atoms.positions))


@example(structure=ETHANOL, systems=with_topology)
def mmff94() -> tuple[jaxpot.Potential, Params]:
    return ethanol().potential, ethanol().params
