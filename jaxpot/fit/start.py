"""The parameters that a training starts from: energies of isolated atoms, scaling of values, random weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.engine import DescriptorPotential
from jaxpot.evaluation import Params
from jaxpot.fit.dataset import Dataset
from jaxpot.fit.values import descriptor_of, values_by_element
from jaxpot.heads import DecorrelatingHead
from jaxpot.potential import Potential

__all__ = ["atom_energies", "can_decorrelate", "decorrelation", "network_start"]


def atom_energies(data: Dataset, elements: Sequence[str] | None) -> dict[str, float]:
    """Energies of isolated atoms, fitted to the energies of structures by least squares.

    E = sum over elements of N_a E0_a. A network then learns the difference. Where elements always occur in the same
    proportion, the fit has many solutions and the one of smallest norm is taken.

    Args:
        data: structures with energies.
        elements: chemical symbols; with None all atoms count as one element ``"X"``.

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
    symbols = [frame.atoms.get_chemical_symbols() if elements else ["X"] * len(frame.atoms) for frame in known]
    elements = elements or ("X",)
    counts = np.array([[each.count(element) for element in elements] for each in symbols], np.float64)
    sizes = counts.sum(axis=1)[:, None]
    energies = np.array([frame.energy for frame in known])[:, None]
    found = np.linalg.lstsq(counts / sizes, energies / sizes, rcond=None)[0][:, 0]
    return {element: float(value) for element, value in zip(elements, found, strict=True)}


def network_start(potential: Potential, data: Dataset, seed: int = 0, members: int | None = None) -> Params:
    """Random weights, with energies of isolated atoms and scaling of the values taken from the training data.

    Args:
        potential: made by :func:`jaxpot.hdnnp`, :func:`jaxpot.schnet` or :func:`jaxpot.dtnn`, any other whose ``init``
            takes a random key and ``atom_energies``, or any descriptor with a head.
        data: the training structures.
        seed: seed of the weights.
        members: size of an ensemble, each member with its own weights; None for a single network.

    Returns:
        Params; with ``members``, every leaf has a leading axis of that length.

    Raises:
        ValueError: no structure has an energy.
    """
    energies = atom_energies(data, potential.elements)

    if isinstance(potential, DescriptorPotential):
        descriptor, head = potential.descriptor, potential.head
        values = values_by_element(descriptor, data) if head.wants_values else None

        def make(key: jax.Array) -> Params:
            return head.start(descriptor, key, values, energies)
    else:

        def make(key: jax.Array) -> Params:
            return potential.init(key, atom_energies=energies)

    key = jax.random.key(seed)
    if members is None:
        return make(key)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *[make(one) for one in jax.random.split(key, members)])


def can_decorrelate(potential: Potential) -> bool:
    """Whether :func:`decorrelation` works for a potential.

    Args:
        potential: any potential.
    """
    return isinstance(potential, DescriptorPotential) and isinstance(potential.head, DecorrelatingHead)


def decorrelation(potential: Potential, data: Dataset, smallest: float = 1e-5) -> Callable[[Params], Params]:
    """Coordinates in which a network trains quickly: its inputs are uncorrelated and of equal size.

    The values of a descriptor are strongly correlated: the eigenvalues of their covariance C span ten orders of
    magnitude and more, and descent along the small ones takes tens of thousands of epochs. With C = U L U^T and
    P = U (L + smallest L_max)^(-1/2), the weights of the first layer are written as P W, and W is trained. The result
    is an ordinary network. (A head without a known first layer, such as one of flax, decorrelates by its ``scaling``.)

    Args:
        potential: made by :func:`jaxpot.hdnnp`, or any descriptor with a :class:`jaxpot.NetworkHead`.
        data: the training structures.
        smallest: share of the largest eigenvalue that is added to all, so that tiny ones are not amplified.

    Returns:
        ``params -> params``, the ``transform`` of :func:`jaxpot.fit.train`.

    Raises:
        TypeError: the potential is not made of a descriptor.
        ValueError: its head has no first layer that could take the coordinates.

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
    descriptor = descriptor_of(potential)  # type: ignore[arg-type]
    head = potential.head  # type: ignore[attr-defined]
    if not isinstance(head, DecorrelatingHead):
        raise ValueError(
            f"a {type(head).__name__} has no first layer that could take decorrelated inputs; give it "
            "scaling='decorrelate' if it has that, or leave transform out"
        )
    return head.decorrelation(descriptor, values_by_element(descriptor, data), smallest)
