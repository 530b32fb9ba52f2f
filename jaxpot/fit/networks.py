"""Where the training of a network begins: energies of lone atoms, scaling of its inputs, members of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.fit.dataset import Dataset
from jaxpot.fit.symmetry_functions import scaling_of, values_by_element
from jaxpot.potential import Params, Potential
from jaxpot.potentials.hdnnp import HDNNPSettings
from jaxpot.system import System

__all__ = ["atom_energies", "decorrelation", "network_start"]

QUIET = 0.1


def atom_energies(data: Dataset, elements: Sequence[str]) -> dict[str, float]:
    """Energies of atoms whose sum is nearest to the energies of the structures, by least squares.

    E = sum over elements of N_a E0_a. What a network has to learn is what is left. Elements that always occur in the
    same proportion share their energy as the smallest numbers do.

    Args:
        data: structures with energies.
        elements: chemical symbols.

    Returns:
        {element: eV}, 0 for an element that does not occur.

    Raises:
        ValueError: no structure has an energy.

    Example:
        >>> from ase import Atoms
        >>> from jaxpot.fit import Dataset, Frame, atom_energies
        >>> data = Dataset((Frame(Atoms("Ar2"), energy=-3.0), Frame(Atoms("Ar4"), energy=-6.0)))
        >>> round(atom_energies(data, ["Ar"])["Ar"], 6)
        -1.5
    """
    known = [frame for frame in data if frame.energy is not None]
    if not known:
        raise ValueError("no structure has an energy, so that the energies of lone atoms are unknown; give some")
    symbols = [frame.atoms.get_chemical_symbols() for frame in known]
    counts = np.array([[each.count(element) for element in elements] for each in symbols], np.float64)
    sizes = counts.sum(axis=1)[:, None]
    energies = np.array([frame.energy for frame in known])[:, None]
    found = np.linalg.lstsq(counts / sizes, energies / sizes, rcond=None)[0][:, 0]
    return {element: float(value) for element, value in zip(elements, found, strict=True)}


def network_start(potential: Potential, data: Dataset, seed: int = 0, members: int | None = None) -> Params:
    """Random weights, with the energies of lone atoms and the scaling of the inputs taken from the training data.

    Args:
        potential: made by :func:`jaxpot.hdnnp`, :func:`jaxpot.schnet` or :func:`jaxpot.dtnn`.
        data: the training structures.
        seed: of the weights.
        members: of an ensemble, each with other weights; None for a single network.

    Returns:
        Params; with ``members``, every leaf has a leading axis of that length.

    Raises:
        ValueError: no structure has an energy.
    """
    assert potential.elements is not None
    facts: dict[str, Any] = {"atom_energies": atom_energies(data, potential.elements)}
    if isinstance(potential.source, HDNNPSettings) and potential.source.scaling != "none":
        systems = [System.from_ase(frame.atoms, potential.elements) for frame in data]
        facts["scaling"] = scaling_of(values_by_element(potential, systems))
    key = jax.random.key(seed)
    if members is None:
        return _quietened(potential.init(key, **facts))
    several = [_quietened(potential.init(one, **facts)) for one in jax.random.split(key, members)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *several)


def _quietened(params: Params) -> Params:
    """The same with small weights in the last layers of an HDNNP: first forces are small beside those to learn."""
    if "networks" not in params:
        return params
    networks = {}
    for symbol, (*hidden, last) in params["networks"].items():
        networks[symbol] = [*hidden, {**last, "weights": QUIET * last["weights"]}]
    return {**params, "networks": networks}


def decorrelation(potential: Potential, data: Dataset, smallest: float = 1e-5) -> Callable[[Params], Params]:
    """Coordinates in which an HDNNP is quick to train: its inputs uncorrelated, and of equal size.

    Symmetry functions resemble each other: the eigenvalues of their covariance C span ten orders of magnitude and more,
    and descent along the small ones takes ten thousands of epochs. With C = U L U^T and
    P = U (L + smallest L_max)^(-1/2), the first layer's weights are P W, of which W is trained. The result is an
    ordinary HDNNP.

    Args:
        potential: made by :func:`jaxpot.hdnnp`.
        data: the training structures.
        smallest: eigenvalues below this share of the largest are not blown up any further.

    Returns:
        ``params -> params``, the ``transform`` of :func:`jaxpot.fit.train`.

    Raises:
        ValueError: the potential is no HDNNP.

    Example:
        >>> import jax, jaxpot
        >>> from ase.build import bulk
        >>> from jaxpot.descriptors.symmetry_functions import radial
        >>> from jaxpot.fit import Dataset, Frame, decorrelation, network_start
        >>> potential = jaxpot.hdnnp(["Ar"], [radial("Ar", "Ar", 6.0, eta) for eta in (0.1, 0.11)], hidden=[3])
        >>> data = Dataset(tuple(Frame(bulk("Ar", a=a), energy=0.0) for a in (5.0, 5.3, 5.7)))
        >>> params = decorrelation(potential, data)(network_start(potential, data))
        >>> params["networks"]["Ar"][0]["weights"].shape
        (2, 3)

    Reference: Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, Efficient BackProp (1998), section 4.3.
    """
    settings = potential.source
    if not isinstance(settings, HDNNPSettings):
        raise ValueError(f"{potential.name} has no symmetry functions to decorrelate; leave transform out")
    systems = [System.from_ase(frame.atoms, potential.elements) for frame in data]
    values = values_by_element(potential, systems)
    matrices = {}
    for symbol, scale in scaling_of(values).items():
        low, high = settings.scale_range
        factor = {
            "scale": (high - low) / (scale["max"] - scale["min"]),
            "scale_center": (high - low) / (scale["max"] - scale["min"]),
            "scale_sigma": (high - low) / scale["sigma"],
        }.get(settings.scaling, 1.0)
        size, axes = np.linalg.eigh(np.atleast_2d(np.cov((factor * values[symbol].astype(np.float64)).T)))
        matrices[symbol] = axes / np.sqrt(np.maximum(size, 0.0) + smallest * size[-1])

    def transform(params: Params) -> Params:
        networks = {}
        for symbol, (first, *rest) in params["networks"].items():
            weights = jnp.asarray(matrices[symbol], first["weights"].dtype) @ first["weights"]
            networks[symbol] = [{**first, "weights": weights}, *rest]
        return {**params, "networks": networks}

    return transform
