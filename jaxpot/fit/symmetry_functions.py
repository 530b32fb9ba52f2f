"""The symmetry functions of a training set, and how they are scaled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import jax
import numpy as np

from jaxpot.batch import batch
from jaxpot.descriptors.symmetry_functions import SymmetryFunction
from jaxpot.fit.dataset import Dataset
from jaxpot.potential import Potential
from jaxpot.potentials.hdnnp import HDNNPSettings, hdnnp, symmetry_function_values
from jaxpot.system import System

__all__ = ["scaling_of", "values_by_element", "varying"]


def values_by_element(potential: Potential, systems: Sequence[System], max_shapes: int = 4) -> dict[str, np.ndarray]:
    """The symmetry functions of all atoms of structures, element by element.

    Args:
        potential: made by :func:`jaxpot.hdnnp`.
        systems: structures, their species in the order of ``potential.elements``.
        max_shapes: how many shapes may be compiled.

    Returns:
        {element: [atoms of it, functions of it]}, not scaled.

    Raises:
        ValueError: the potential is no HDNNP.
    """
    values = jax.jit(jax.vmap(symmetry_function_values(potential)))
    settings = potential.source
    assert isinstance(settings, HDNNPSettings)
    found: dict[str, list[np.ndarray]] = {symbol: [] for symbol in settings.elements}
    for part in batch(list(systems), potential.cutoff, max_shapes=max_shapes):
        each = np.asarray(values(part.system, part.neighbors))
        species = np.asarray(part.system.species)
        for k, symbol in enumerate(settings.elements):
            found[symbol].append(each[species == k][:, : len(settings.functions[symbol])])
    return {symbol: np.concatenate(parts) for symbol, parts in found.items()}


def scaling_of(values: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Least, largest and mean value and standard deviation of symmetry functions, as ``scaling.data`` has them.

    Args:
        values: {element: [atoms, functions]}, from :func:`values_by_element`.

    Returns:
        {element: {"min", "max", "mean", "sigma"}}, for ``potential.init(key, scaling)``.

    Raises:
        ValueError: no atom of an element, or a function that is the same for all of them.

    Example:
        >>> import numpy as np
        >>> from jaxpot.fit.symmetry_functions import scaling_of
        >>> {name: float(v[0]) for name, v in scaling_of({"Ar": np.array([[1.0], [3.0]])})["Ar"].items()}
        {'min': 1.0, 'max': 3.0, 'mean': 2.0, 'sigma': 1.4142135623730951}
    """
    result = {}
    for symbol, each in values.items():
        if len(each) < 2:
            raise ValueError(f"{len(each)} atoms of {symbol} in the structures; scaling needs at least two")
        same = np.flatnonzero(np.ptp(each, axis=0) == 0)
        if same.size:
            raise ValueError(
                f"symmetry function {same[0] + 1} of {symbol} is {each[0, same[0]]:g} for all atoms; leave it out"
            )
        result[symbol] = {
            "min": each.min(axis=0),
            "max": each.max(axis=0),
            "mean": each.mean(axis=0),
            "sigma": each.std(axis=0, ddof=1),
        }
    return result


def varying(functions: Iterable[SymmetryFunction], elements: Sequence[str], data: Dataset) -> list[SymmetryFunction]:
    """Those of a set of symmetry functions that are not the same for all atoms of a training set.

    A usual set for hydrogen, carbon and oxygen has functions of two oxygen atoms, which tell nothing where no molecule
    has two of them, and cannot be scaled.

    Args:
        functions: a set for all elements.
        elements: chemical symbols.
        data: the training structures.

    Returns:
        The functions that vary, ordered as n2p2 orders them; all of an element of which there are less than two atoms,
        as :func:`scaling_of` refuses.

    Raises:
        ValueError: an element has no function at all.

    Example:
        >>> from ase import Atoms
        >>> from jaxpot.descriptors.symmetry_functions import radial
        >>> from jaxpot.fit import Dataset, Frame
        >>> from jaxpot.fit.symmetry_functions import varying
        >>> molecules = Dataset(tuple(Frame(Atoms("HOH", [[d, 0, 0], [0, 0, 0], [0, 1, 0]])) for d in (0.9, 1.1)))
        >>> usual = [radial(center, other, 3.0, 0.5) for center in ("H", "O") for other in ("H", "O")]
        >>> [(f.center, *f.neighbors) for f in varying(usual, ("H", "O"), molecules)]
        [('H', 'H'), ('H', 'O'), ('O', 'H')]
    """
    potential = hdnnp(elements, functions, [], scaling="none")
    settings = potential.source
    assert isinstance(settings, HDNNPSettings)
    values = values_by_element(potential, [System.from_ase(frame.atoms, potential.elements) for frame in data])
    return [
        function
        for symbol, each in values.items()
        for function, column in zip(settings.functions[symbol], each.T, strict=True)
        if len(column) < 2 or np.ptp(column) > 0
    ]
