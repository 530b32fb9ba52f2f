"""The atoms: positions, species and cell as one pytree."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.errors import misplaced
from jaxpot.extras import alike_data, check_data, declared, pad_data

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["System", "stack_systems"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class System:
    """Atoms in a cell, a pytree whose leaves may be traced, differentiated and vmapped.

    Build it with :meth:`create` or :meth:`from_ase`, which check their input; the bare constructor does not.

    Attributes:
        positions: [atoms, 3], Å. Atoms may lie outside of the cell.
        species: [atoms] int32, index into the potential's ``elements``; -1 marks a padded atom, which has no energy,
            no force and no neighbours.
        cell: [3, 3], Å, one lattice vector per row. The rows of non-periodic directions may be zero.
        pbc: [3] bool, the directions in which the cell repeats.
        extras: named data that some potentials need, such as ``charges`` [atoms] e; :mod:`jaxpot.extras` declares the
            names.

    Example:
        >>> import jaxpot
        >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]], cell=[10.0, 10.0, 10.0], pbc=True)
        >>> system.positions.shape, float(system.volume)
        ((2, 3), 1000.0)
    """

    positions: jax.Array
    species: jax.Array
    cell: jax.Array
    pbc: jax.Array
    extras: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def create(
        cls,
        positions: Any,
        species: Any = 0,
        cell: Any = None,
        pbc: bool | Sequence[bool] | None = None,
        dtype: Any = None,
        extras: Mapping[str, Any] | None = None,
    ) -> System:
        """A checked system from plain arrays.

        Args:
            positions: [atoms, 3], Å.
            species: [atoms] or one int for all, index into the potential's elements; -1 marks a padded atom.
            cell: None, [3] for an orthorhombic cell, or [3, 3] with one lattice vector per row, Å.
            pbc: one bool or three; by default True where a cell is given.
            dtype: of positions and cell; JAX's default float type if None.
            extras: named data, see :mod:`jaxpot.extras`; real numbers take the type of the positions.

        Returns:
            The :class:`System`.

        Raises:
            ValueError: shapes do not fit, a value is not finite, a species is below -1, the periodic lattice vectors
                span no volume, or a name of ``extras`` is not declared.
        """
        dtype = jnp.result_type(float) if dtype is None else jnp.asarray(0.0, dtype).dtype
        positions = np.asarray(positions)
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise ValueError(f"positions must have shape [atoms, 3], got {list(positions.shape)}")
        cell = np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=np.float64)
        if cell.shape == (3,):
            cell = np.diag(cell)
        if cell.shape != (3, 3):
            raise ValueError(f"cell must have shape [3, 3] (or [3] for an orthorhombic one), got {list(cell.shape)}")
        periodic = np.broadcast_to(np.asarray(np.any(cell) if pbc is None else pbc, dtype=bool), (3,))
        check_geometry(positions, cell, periodic)
        species = np.broadcast_to(_checked_species(species), positions.shape[:1])
        data = check_data(extras or {}, len(positions), dtype)
        # numpy converts: an operation of JAX would be compiled for every number of atoms
        return cls(
            positions=jax.device_put(positions.astype(dtype)),
            species=jax.device_put(species),
            cell=jax.device_put(cell.astype(dtype)),
            pbc=jax.device_put(periodic),
            extras=data,
        )

    @classmethod
    def from_ase(
        cls,
        atoms: Atoms,
        elements: Sequence[str] | None = None,
        dtype: Any = None,
        extras: Mapping[str, Any] | None = None,
    ) -> System:
        """The system of an ASE ``Atoms``.

        Args:
            atoms: whose positions, numbers, cell and pbc are used.
            elements: the potential's elements; an atom's species is the place of its symbol in them. With None every
                atom has species 0; this is for structures of one element.
            dtype: of positions and cell; JAX's default float type if None.
            extras: named data, see :mod:`jaxpot.extras`.

        Returns:
            The :class:`System`.

        Raises:
            TypeError: something else than one ``Atoms`` or a sequence of symbols.
            ValueError: an atom's element is not among ``elements``, there are several elements and no ``elements``, or
                as in :meth:`create`.
        """
        if not hasattr(atoms, "get_chemical_symbols"):
            raise misplaced("System.from_ase", atoms, "an Atoms", _instead_of_atoms(atoms))
        if isinstance(elements, str) or not isinstance(elements, Sequence | None):
            raise misplaced("System.from_ase", elements, "a sequence of symbols", "give elements=potential.elements")
        species: Any = 0
        several = sorted(set(atoms.get_chemical_symbols()))
        if elements is None and len(several) > 1:
            raise ValueError(
                f"the structure has {', '.join(several)}, and elements=None takes all atoms for one kind: give "
                "elements=potential.elements, with a potential made for these elements"
            )
        if elements is not None:
            index = {symbol: k for k, symbol in enumerate(elements)}
            symbols = atoms.get_chemical_symbols()
            for i, symbol in enumerate(symbols):
                if symbol not in index:
                    raise ValueError(
                        f"atom {i} is {symbol}, but the potential knows only {', '.join(elements)}; "
                        "load a potential that has this element or remove the atom"
                    )
            species = np.array([index[symbol] for symbol in symbols], dtype=np.int32)
        return cls.create(atoms.get_positions(), species, atoms.cell.array, atoms.get_pbc(), dtype, extras)

    @property
    def volume(self) -> jax.Array:
        """Volume of the cell, Å^3; 0 where a lattice vector is missing."""
        return jnp.abs(jnp.linalg.det(self.cell))

    @property
    def real(self) -> jax.Array:
        """[atoms] bool, False for padded atoms."""
        return self.species >= 0

    def replace(self, **changes: Any) -> System:
        """A copy with the named fields replaced.

        Args:
            changes: new values of ``positions``, ``species``, ``cell``, ``pbc`` or ``extras``.

        Returns:
            The new :class:`System`.
        """
        return dataclasses.replace(self, **changes)

    def with_extras(self, **extras: Any) -> System:
        """A copy with more named data, or with other values of them.

        Args:
            extras: by name, see :mod:`jaxpot.extras`; arrays, which may be traced.

        Returns:
            The new :class:`System`.

        Raises:
            ValueError: an undeclared name, or data of atoms that do not have one entry per atom.

        Example:
            >>> import jaxpot
            >>> system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]])
            >>> system.with_extras(charges=jnp.array([0.4, -0.4])).extras["charges"].tolist()
            [0.4, -0.4]
        """
        for name, value in extras.items():
            extra = declared(name)
            if extra.per == "atom" and jnp.shape(value)[:1] != self.species.shape[:1]:
                raise ValueError(
                    f"{name} must have one entry per atom, [{self.species.shape[0]}, ...]; "
                    f"got shape {list(jnp.shape(value))}"
                )
        return self.replace(extras={**self.extras, **extras})

    def pad(self, atoms: int) -> System:
        """The same system with padded atoms (species -1) appended, up to a total of ``atoms``.

        Known numbers are padded on the host, so nothing is compiled for each number of atoms; NumPy arrays stay such.

        Args:
            atoms: number of atoms after padding.

        Returns:
            The padded :class:`System`.

        Raises:
            ValueError: the system is larger than ``atoms``.
        """
        extra = atoms - self.positions.shape[0]
        if extra < 0:
            raise ValueError(f"cannot pad {self.positions.shape[0]} atoms to {atoms}")
        if _on_device(self):
            return jax.device_put(jax.tree.map(np.asarray, self).pad(atoms))
        numpy = np if isinstance(self.positions, np.ndarray) else jnp
        return self.replace(
            positions=numpy.pad(self.positions, ((0, extra), (0, 0))),
            species=numpy.pad(self.species, (0, extra), constant_values=-1),
            extras=pad_data(self.extras, self.positions.shape[0], atoms),
        )

    def __repr__(self) -> str:
        shape: tuple[int, ...] = getattr(self.positions, "shape", ())
        named = f", {', '.join(self.extras)}" if self.extras else ""
        lead = f"{shape[0]} x " if len(shape) == 3 else ""
        try:
            periodic = "".join("T" if p else "F" for p in np.asarray(self.pbc).ravel()[:3])
        except (jax.errors.TracerArrayConversionError, TypeError):
            periodic = "traced"
        return f"System({lead}{shape[-2] if len(shape) > 1 else '?'} atoms, pbc {periodic}{named})"


def _instead_of_atoms(given: Any) -> str:
    """What to write, where something else than an ``Atoms`` was given."""
    if isinstance(given, str | os.PathLike):
        return "read the file first, with ase.io.read"
    if isinstance(given, System):
        return "it needs no conversion"
    if isinstance(given, list | tuple) and given and hasattr(given[0], "get_chemical_symbols"):
        return "make one system of each: [System.from_ase(atoms, elements) for atoms in ...]"
    return "the order is (atoms, elements)"


def _on_device(tree: Any) -> bool:
    """Whether numbers are known and at least one is an array of JAX."""
    leaves = jax.tree.leaves(tree)
    return any(isinstance(leaf, jax.Array) for leaf in leaves) and not any(
        isinstance(leaf, jax.core.Tracer) for leaf in leaves
    )


def _checked_species(species: Any) -> np.ndarray:
    """Species as int32; ValueError where one is not a whole number from -1 to 2^31 - 2."""
    numbers = np.asarray(species)
    if numbers.dtype.kind not in "iub" and not (numbers.dtype.kind == "f" and (numbers == np.floor(numbers)).all()):
        raise ValueError(f"species must be whole numbers, got {numbers.dtype} such as {numbers.ravel()[:1].tolist()}")
    wrong = (numbers < -1) | (numbers >= np.iinfo(np.int32).max)
    if wrong.any():
        raise ValueError(
            f"species {numbers[wrong].ravel()[0]} is not the index of an element; "
            "species go from 0 on, and -1 marks a padded atom"
        )
    return numbers.astype(np.int32)


def check_geometry(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
    """Raise ValueError where positions are not finite or the periodic lattice vectors span no volume."""
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if bad.size:
        raise ValueError(f"position of atom {bad[0]} is not finite: {positions[bad[0]]}; repair the structure")
    if not np.isfinite(cell).all():
        raise ValueError(f"cell is not finite: {cell.tolist()}; repair the structure")
    vectors = cell[pbc]
    if len(vectors):
        lengths = np.linalg.norm(vectors, axis=1)
        singular = np.linalg.svd(vectors, compute_uv=False)
        if lengths.min() == 0.0 or singular.min() < 1e-6 * lengths.max():
            raise ValueError(
                f"the periodic lattice vectors span no volume: cell {cell.tolist()}, pbc {pbc.tolist()}; "
                "give linearly independent vectors or switch pbc off"
            )


def stack_systems(systems: Sequence[System]) -> System:
    """One batched System from several, padded to the largest number of atoms.

    Args:
        systems: each with leaves [atoms, 3], [atoms], [3, 3], [3].

    Returns:
        A :class:`System` whose leaves have a leading axis [structures]; use it under ``jax.vmap``.

    Example:
        >>> import jaxpot
        >>> pair = [jaxpot.System.create([[0.0, 0.0, z] for z in range(n)]) for n in (2, 3)]
        >>> jaxpot.stack_systems(pair).positions.shape
        (2, 3, 3)
    """
    if not systems:
        raise ValueError("stack_systems needs at least one system")
    for system in systems:
        if not isinstance(system, System):
            raise misplaced("stack_systems", system, "a System", "make one with System.from_ase(atoms, elements)")
    if _on_device(systems):
        return jax.device_put(stack_systems([jax.tree.map(np.asarray, s) for s in systems]))
    atoms = max(s.positions.shape[0] for s in systems)
    padded = [s.pad(atoms) for s in systems]
    extras = alike_data([s.extras for s in padded])
    whole = [s.replace(extras=data) for s, data in zip(padded, extras, strict=True)]
    numpy = np if isinstance(whole[0].positions, np.ndarray) else jnp
    return jax.tree.map(lambda *leaves: numpy.stack(leaves), *whole)
