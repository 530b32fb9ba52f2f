"""High-dimensional neural network potentials of Behler and Parrinello."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxpot.descriptors.symmetry_functions import SymmetryFunction, symmetry_functions
from jaxpot.engine import DescriptorPotential, descriptor_potential
from jaxpot.heads import NetworkHead
from jaxpot.heads.scaling import Scaling
from jaxpot.spec import plain_data, potential_kind

__all__ = ["NetworkFiles", "hdnnp"]


@plain_data
@dataclasses.dataclass(frozen=True)
class NetworkFiles:
    """The files of n2p2 or RuNNer that a potential was loaded from, unchanged.

    Attributes:
        style: the units in which they were read.
        texts: (name, text) of ``input.nn``, ``scaling.data`` and the files of weights.
    """

    style: str
    texts: tuple[tuple[str, str], ...]


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
) -> DescriptorPotential:
    """A high-dimensional neural network potential: one network for each element, on symmetry functions.

    E = sum_i [energy_unit NN_a(G'_i) + E0_a] for atoms i of element a. The symmetry functions G of
    :class:`jaxpot.descriptors.symmetry_functions.SymmetryFunction` are scaled to G' by their statistics in the training
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
    scaling there is no ``"scaling"``. Training changes the networks; scaling and atom energies come from the training
    set. An optional entry ``"descriptor": {"radial": {"eta", "shift"}, "angular": {"eta", "shift"}}`` with the numbers
    of the distinct Gaussians (``potential.init(key, train_descriptor=True)``) makes these trainable too; zeta and
    lambda are fixed, because they are exponents and signs.

    ``potential.init(key, scaling=None, atom_energies=None)`` makes params: random weights; the scaling as
    :func:`jaxpot.fit.scaling_of` finds it in a training set (else min and mean 0, max and sigma 1); the given atom
    energies in eV (else 0).

    Args:
        elements: chemical symbols, whose order gives the species.
        functions: the symmetry functions of all elements; the network of each element takes its own, sorted as in n2p2.
        hidden: number of nodes in each hidden layer, for all elements or for each.
        activations: one letter for all hidden layers (the output is linear), or a letter for each hidden layer and the
            output, for all elements or for each.
        cutoff_function: "cos", "tanh", "poly2" ..., see :func:`jaxpot.descriptors.symmetry_functions.cutoff_function`.
        inner: inner cutoff as a fraction of the cutoff.
        scaling: as in the table.
        scale_range: S.
        normalize_nodes: divide the sums in a node by the number of nodes of the layer before, as n2p2 does.
        energy_unit: unit of the networks' outputs, eV.

    Returns:
        The :class:`jaxpot.DescriptorPotential`; :func:`jaxpot.load` makes one from a directory of n2p2 or RuNNer.

    Raises:
        ValueError: there are no elements or functions, an element has no functions, a letter or word is unknown, or
            lengths do not fit; at evaluation, params have other shapes.

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
    elements = tuple(elements)
    try:
        described = symmetry_functions(elements, functions, cutoff_function, inner)
        head = NetworkHead(
            _by_element(hidden, elements),
            _by_element(activations, elements),
            bool(normalize_nodes),
            scaling=scaling,
            scale_range=(float(scale_range[0]), float(scale_range[1])),
            energy_unit=float(energy_unit),
        )
    except ValueError as error:
        raise ValueError(f"hdnnp: {error}") from None
    return descriptor_potential(described, head, "hdnnp")


def _by_element(setting: Any, elements: tuple[str, ...]) -> Any:
    """A setting for all elements, or a tuple of one for each."""
    found = tuple(setting[symbol] for symbol in elements) if isinstance(setting, Mapping) else setting
    return found if isinstance(found, str) else tuple(v if isinstance(v, str | int) else tuple(v) for v in found)
