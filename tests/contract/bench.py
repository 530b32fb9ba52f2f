"""An example with its structures padded to one shape, so that one compiled program serves all of them."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

import jaxpot
from jaxpot.batch.padding import Sizes, sizes_used
from tests import structures
from tests.contract.registry import EXAMPLES, Example

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)

SKIN = 0.3
CLEAR = 2e-3  # Å, that no pair may come nearer to the cutoff: differences must not step over it


class Bench:
    """One example at work.

    Attributes:
        example: the entry of the registry.
        potential: its potential.
        params: its params as arrays of the default float type.
        atoms: eight atoms in a rattled, sheared cell that is smaller than the cutoff.
        sizes: the shape that all structures are padded to.
    """

    def __init__(self, example: Example) -> None:
        self.example = example
        self.potential, params = example.build()
        kind = jnp.result_type(float)
        self.params = jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), params)
        self.list = jaxpot.neighbor_list(self.potential.cutoff, SKIN, capacity_multiplier=1.0)
        self.atoms = self._sample()
        largest = [self.list.allocate(self.system(a)) for a in (self.atoms, self.atoms * (1, 2, 1), self.tiny() * 2)]
        needs = np.max([sizes_used(neighbors) for neighbors in largest], axis=0)
        # a few atoms, slots and images to spare, so that there is padding in every test
        self.sizes = Sizes(*(int(n) + extra for n, extra in zip(needs, (3, 40, 300), strict=True)))
        self.evaluate = jax.jit(self.potential.evaluate)
        self.energy = lambda params, system, neighbors: self.evaluate(params, system, neighbors).energies.sum()

    def _sample(self) -> Atoms:
        example = self.example
        repeat = {"sc": (2, 2, 2), "bcc": (1, 2, 2), "fcc": (1, 1, 2), "diamond": (1, 1, 1)}[example.structure]
        for seed in range(100):
            atoms = structures.crystal(example.elements, example.a, example.structure, repeat, shear=0.05, seed=seed)
            lengths = np.linalg.norm(structures.brute_force_pairs(atoms, self.potential.cutoff + 1.0)[3], axis=1)
            if np.abs(lengths - self.potential.cutoff).min() > CLEAR:
                return atoms
        raise AssertionError("no seed keeps all pairs clear of the cutoff")

    def tiny(self) -> Atoms:
        """One atom in a sheared primitive cell."""
        return structures.primitive(self.example.elements[:1], self.example.a, self.example.structure)[:1]

    def cluster(self) -> Atoms:
        """The atoms of the crystal without any cell."""
        return Atoms(self.atoms.symbols, positions=self.atoms.positions)

    def system(self, atoms: Atoms, dtype: Any = None) -> jaxpot.System:
        return jaxpot.System.from_ase(atoms, self.potential.elements, dtype)

    def padded(self, atoms: Atoms, dtype: Any = None) -> tuple[jaxpot.System, jaxpot.Neighbors]:
        """System and list in the common shape."""
        system = self.system(atoms, dtype)
        neighbors = self.list.allocate(system)
        rows = self.sizes.atoms + self.sizes.ghosts
        return system.pad(self.sizes.atoms), jaxpot.pad_neighbors(
            neighbors, self.sizes.atoms, self.sizes.capacity, rows
        )

    def exact(self, atoms: Atoms) -> tuple[jaxpot.System, jaxpot.Neighbors]:
        """System and list without any padding but that of atoms with fewer neighbours than others."""
        system = self.system(atoms)
        neighbors = self.list.allocate(system)
        used = sizes_used(neighbors)
        return system, jaxpot.pad_neighbors(neighbors, used.atoms, used.capacity, used.atoms + used.ghosts)

    def of(self, atoms: Atoms) -> jaxpot.Evaluation:
        """What the potential gives for a structure, as numpy arrays without padding."""
        found = jax.device_get(self.evaluate(self.params, *self.padded(atoms)))
        assert not found.energies[len(atoms) :].any()
        assert not found.forces[len(atoms) :].any()
        return jaxpot.Evaluation(found.energies[: len(atoms)], found.forces[: len(atoms)], found.virial)

    @functools.cached_property
    def reference(self) -> jaxpot.Evaluation:
        """What it gives for `atoms`."""
        return self.of(self.atoms)

    @functools.cached_property
    def scale(self) -> float:
        """Size of the forces, eV/Å."""
        size = float(np.abs(self.reference.forces).max())
        assert size > 1e-3, "a structure without forces proves nothing"
        return size

    @functools.cached_property
    def smooth_params(self) -> list[tuple[str, Any]]:
        """Directions in the space of the params, one for each leaf: name, and a pytree like the params."""
        leaves, tree = jax.tree_util.tree_flatten_with_path(self.params)
        rng = np.random.default_rng(5)
        directions = []
        for k, (path, leaf) in enumerate(leaves):
            name = jax.tree_util.keystr(path)
            if any(f"['{fixed}']" in name for fixed in self.example.fixed):
                continue
            size = float(jnp.sqrt(jnp.mean(leaf * leaf)))
            change = [jnp.zeros_like(other) for _, other in leaves]
            change[k] = jnp.asarray(rng.normal(size=leaf.shape) * size, leaf.dtype)
            directions.append((name, jax.tree.unflatten(tree, change)))
        return directions

    def moved(self, direction: Any, step: float) -> Any:
        """Params, a step along a direction."""
        return jax.tree.map(lambda p, d: p + step * d, self.params, direction)


@functools.cache
def bench(example: Example) -> Bench:
    """The bench of an example, made once."""
    return Bench(example)


def inner(a: Any, b: Any) -> float:
    """Sum of products of the leaves of two pytrees."""
    return float(sum(jax.tree.leaves(jax.tree.map(lambda x, y: jnp.sum(x * y), a, b))))
