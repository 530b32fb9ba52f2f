"""The values of a descriptor on a training set, and selections of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import jax
import numpy as np

from jaxpot.batch import batch
from jaxpot.descriptors import Descriptor
from jaxpot.descriptors.selection import select_columns
from jaxpot.engine import DescriptorPotential, descriptor_values
from jaxpot.fit.dataset import Dataset
from jaxpot.heads.scaling import varies
from jaxpot.system import System

__all__ = ["select_values", "values_by_element", "varying_values"]

D = TypeVar("D", bound=Descriptor)


def values_by_element(
    of: Descriptor | DescriptorPotential, structures: Dataset | Sequence[System], max_shapes: int = 4
) -> dict[str, np.ndarray]:
    """Computes the values of a descriptor for all atoms of structures, element by element.

    Args:
        of: a descriptor, or a potential that is made of one.
        structures: a data set, or systems whose species are in the order of the elements.
        max_shapes: the most shapes that are compiled.

    Returns:
        {element: [atoms of this element, values]}; the element is ``"X"`` for a descriptor without elements.

    Raises:
        TypeError: the potential has no descriptor.

    Example:
        >>> from ase.build import bulk
        >>> from jaxpot.descriptors.bispectrum import Bispectrum
        >>> from jaxpot.fit import Dataset, Frame, values_by_element
        >>> bispectrum = Bispectrum(("W",), twojmax=2, radii=(2.3,), weights=(1.0,))
        >>> values_by_element(bispectrum, Dataset((Frame(bulk("W", cubic=True), energy=0.0),)))["W"].shape
        (2, 5)
    """
    descriptor = descriptor_of(of)
    systems = structures
    if isinstance(structures, Dataset):
        systems = [System.from_ase(frame.atoms, descriptor.elements) for frame in structures]
    compute = _compiled(descriptor)
    found: dict[str, list[np.ndarray]] = {symbol: [] for symbol in descriptor.symbols}
    for part in batch(list(systems), descriptor.cutoff, max_shapes=max_shapes):  # type: ignore[arg-type]
        each = np.asarray(compute(part.system, part.neighbors))
        species = np.asarray(part.system.species)
        for k, symbol in enumerate(descriptor.symbols):
            found[symbol].append(each[species == k][:, : len(descriptor.names_of(k))])
    return {symbol: np.concatenate(parts) for symbol, parts in found.items()}


def descriptor_of(of: Descriptor | DescriptorPotential) -> Descriptor:
    """The descriptor of a potential; TypeError where it has none."""
    if isinstance(of, Descriptor):
        return of
    if isinstance(of, DescriptorPotential):
        return of.descriptor
    raise TypeError(
        f"{getattr(of, 'name', type(of).__name__)} is not made of a descriptor; give a jaxpot.Descriptor, or a "
        "potential of jaxpot.descriptor_potential, jaxpot.snap or jaxpot.hdnnp"
    )


@functools.cache
def _compiled(descriptor: Descriptor) -> Callable[[Any, Any], jax.Array]:
    # one structure after another, since the memory for each is already divided into blocks of atoms
    return jax.jit(lambda *each: jax.lax.map(lambda one: descriptor_values(descriptor, *one), each))


def varying_values(descriptor: D, data: Dataset) -> D:
    """The descriptor without the values that are the same for all atoms of a training set, within rounding errors.

    Such values carry no information and cannot be scaled. For example, a usual set for hydrogen, carbon and oxygen has
    functions of two oxygen atoms, which are 0 where no molecule has two of them.

    Args:
        descriptor: any descriptor.
        data: the training structures.

    Returns:
        The descriptor with the values that vary. An element with fewer than two atoms keeps all of its values;
        :func:`scaling_of` refuses it later.

    Raises:
        ValueError: an element has no value that varies.

    Example:
        >>> from ase import Atoms
        >>> from jaxpot.descriptors.symmetry_functions import radial, symmetry_functions
        >>> from jaxpot.fit import Dataset, Frame, varying_values
        >>> molecules = Dataset(tuple(Frame(Atoms("HOH", [[d, 0, 0], [0, 0, 0], [0, 1, 0]])) for d in (0.9, 1.1)))
        >>> usual = [radial(center, other, 3.0, 0.5) for center in ("H", "O") for other in ("H", "O")]
        >>> kept = varying_values(symmetry_functions(("H", "O"), usual), molecules)
        >>> [(f.center, *f.neighbors) for f in kept.functions]
        [('H', 'H'), ('H', 'O'), ('O', 'H')]
    """
    values = values_by_element(descriptor, data)
    columns = [
        list(range(each.shape[1])) if len(each) < 2 else np.flatnonzero(varies(each)).tolist()
        for each in values.values()
    ]
    for symbol, kept in zip(descriptor.symbols, columns, strict=True):
        if not kept:
            raise ValueError(f"no value of {symbol} varies over the structures; give structures that differ")
    return descriptor.select(columns)  # type: ignore[return-value]


def select_values(
    descriptor: D, data: Dataset | Sequence[System], count: int, method: Literal["fps", "cur"] = "fps"
) -> D:
    """The descriptor with the most informative values on a training set.

    Args:
        descriptor: any descriptor.
        data: the training structures.
        count: number of values kept for each element; an element with fewer values that vary keeps all of those.
        method: as in :func:`jaxpot.descriptors.selection.select_columns`.

    Returns:
        The descriptor with the chosen values, in their old order.

    Raises:
        ValueError: the count is below 1, an element has fewer than two atoms in the data, or the method is unknown.

    Example:
        >>> from ase.build import bulk
        >>> from jaxpot.descriptors.bispectrum import Bispectrum
        >>> from jaxpot.fit import Dataset, Frame, select_values
        >>> crystals = [bulk("W", cubic=True) for k in range(4)]
        >>> for k, atoms in enumerate(crystals):
        ...     atoms.rattle(0.2, seed=k)
        >>> data = Dataset(tuple(Frame(atoms, energy=0.0) for atoms in crystals))
        >>> len(select_values(Bispectrum(("W",), twojmax=4, radii=(2.3,), weights=(1.0,)), data, 6).names)
        6
    """
    columns = []
    for symbol, each in values_by_element(descriptor, data).items():
        if len(each) < 2:
            raise ValueError(f"{len(each)} atoms of {symbol} in the structures; a selection needs at least two")
        most = int(varies(each).sum())
        columns.append(sorted(int(k) for k in select_columns(each, min(count, most), method)))
    return descriptor.select(columns)  # type: ignore[return-value]
