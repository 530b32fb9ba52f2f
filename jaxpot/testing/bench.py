"""A potential on structures that are padded to one shape, so that one compiled program serves all of them."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

from jaxpot.batch.padding import Sizes, resized, sizes_used, to_device
from jaxpot.derived import energy, hessian
from jaxpot.evaluation import Evaluation, Params
from jaxpot.extras import declared
from jaxpot.neighbors import Neighbors, neighbor_list
from jaxpot.neighbors.native import available as numba_available
from jaxpot.potential import Potential
from jaxpot.system import System
from jaxpot.testing.structures import brute_force_pairs, crystal, primitive

__all__ = ["Bench"]

SKIN = 0.3
CLEAR = 2e-3  # Å, that no pair may come nearer to the cutoff: differences must not step over it
SPARE = (3, 40, 300)  # atoms, slots and images beyond what is needed: there is padding in every check
REPEAT = {"sc": (2, 2, 2), "bcc": (1, 2, 2), "fcc": (1, 1, 2), "diamond": (1, 1, 1)}


class Bench:
    """One potential at work; arguments as in :func:`jaxpot.testing.validate`.

    Args:
        potential: the potential.
        params: of it, as a user has them.
        elements: of the structures; by default those of the potential.
        lattice_constant: Å, of the crystal that is rattled and sheared.
        structure: "fcc", "bcc", "sc" or "diamond", or ASE's ``Atoms``.
        continuity: what goes to zero at the cutoff: 0 nothing, 1 the energy, 2 also the force.
        fixed: names of params that are no smooth degree of freedom.
        isolated: eV, energy of an atom of the last element alone.
        systems: ``(atoms) -> System`` in double precision; by default positions and species alone.

    Attributes:
        params: as arrays of the default float type.
        atoms: the structure: eight atoms in a rattled, sheared cell smaller than the cutoff, unless it was given.
        sizes: the shape that all structures are padded to.
        traces: how often JAX has traced the potential for :attr:`evaluate`.
    """

    def __init__(
        self,
        potential: Potential,
        params: Params,
        *,
        elements: Sequence[str] | None = None,
        lattice_constant: float | None = None,
        structure: str | Atoms = "fcc",
        continuity: int = 2,
        fixed: Sequence[str] = (),
        isolated: float = 0.0,
        systems: Callable[[Atoms], System] | None = None,
    ) -> None:
        self.potential, self.given = potential, params
        self.continuity, self.fixed, self.isolated = continuity, tuple(fixed), isolated
        self.structure, self.lattice_constant = structure, lattice_constant
        self.make = systems if systems is not None else lambda atoms: System.from_ase(atoms, potential.elements)
        if isinstance(structure, Atoms):
            default: Sequence[str] = tuple(dict.fromkeys(structure.get_chemical_symbols()))
        else:
            default = potential.elements or ("Ar",)
            if lattice_constant is None or structure not in REPEAT:
                raise ValueError(
                    f"structure={structure!r} with lattice_constant={lattice_constant}: give one of "
                    f"{', '.join(REPEAT)} and a lattice constant in Å, or ASE Atoms as the structure"
                )
        self.elements = tuple(default if elements is None else elements)
        self.params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(float)), params)
        self.list = None if potential.cutoff == 0 else neighbor_list(potential, SKIN, capacity_multiplier=1.0)
        self.atoms = self._sample()
        self.sizes = self._sizes()
        self.traces = 0
        self.evaluate = jax.jit(self._counted)
        self.gradient = jax.jit(jax.grad(energy(potential)))

    @property
    def double(self) -> bool:
        """Whether JAX computes in float64."""
        return jnp.result_type(float) == np.float64

    @property
    def rounding(self) -> float:
        """What sums in another order may differ by, relative to the size of the forces."""
        return 1e-10 if self.double else 3e-4

    def lacks(self, need: str) -> str | None:
        """Why a check that needs something does not apply; None if it does.

        Args:
            need: "float64", "params", "cutoff", "continuous" energies or "smooth" forces at the cutoff, several
                "elements", a "crystal", a "lattice" constant, "free" atoms (whose number and order may change), a
                "spec", or an installed package.
        """
        potential = self.potential
        belongs = sorted(name for name in self.system(self.atoms).extras if declared(name).per == "structured")
        reasons: dict[str, tuple[bool, str]] = {
            "float64": (not self.double, 'differences need jax.config.update("jax_enable_x64", True)'),
            "params": (not self.directions, "there are no params to differentiate by"),
            "cutoff": (potential.cutoff == 0, "the potential has no cutoff"),
            "continuous": (self.continuity == 0, "the energy jumps at the cutoff by definition"),
            "smooth": (self.continuity < 2, "the force jumps at the cutoff by definition"),
            "elements": (potential.elements is None or len(self.elements) < 2, "there is one kind of atom"),
            "crystal": (not all(self.atoms.pbc), "the structure is not periodic"),
            "lattice": (self.lattice_constant is None, "there is no lattice constant"),
            "free": (bool(belongs), f"{', '.join(belongs)} belong to these very atoms"),
            "spec": (potential.spec is None, "the potential is made of functions, not by a jaxpot.potential_kind"),
            "safetensors": (importlib.util.find_spec("safetensors") is None, "safetensors is not installed"),
            "numba": (not numba_available(), "numba is not installed, or JAX does not run on the CPU"),
        }
        applies_not, reason = reasons[need]
        return reason if applies_not else None

    def _counted(self, params: Params, system: System, neighbors: Neighbors | None) -> Evaluation:
        self.traces += 1
        return self.potential.evaluate(params, system, neighbors)

    def energy(self, params: Params, system: System, neighbors: Neighbors | None) -> float:
        """The energy by the compiled evaluation.

        Args:
            params: of the potential.
            system: of the common shape.
            neighbors: its list.

        Returns:
            eV.
        """
        return float(self.evaluate(params, system, neighbors).energies.sum())

    def _sample(self) -> Atoms:
        if isinstance(self.structure, Atoms):
            return self.structure.copy()
        assert self.lattice_constant is not None
        for seed in range(100):
            atoms = crystal(
                self.elements, self.lattice_constant, self.structure, REPEAT[self.structure], shear=0.05, seed=seed
            )
            if not self.potential.ranges:
                return atoms
            lengths = np.linalg.norm(brute_force_pairs(atoms, self.potential.cutoff + 1.0)[3], axis=1)
            if min(np.abs(lengths - cutoff).min() for cutoff in self.potential.ranges) > CLEAR:
                return atoms
        raise AssertionError("no seed keeps all pairs clear of the cutoff")

    def _sizes(self) -> Sizes:
        several = [self.atoms]
        if self.lattice_constant is not None:
            several += [self.atoms * (1, 2, 1), self.tiny() * 2]
        if self.potential.resolution:  # waves for the cluster, and for molecules that reach beyond the cutoff
            pair = self.cluster()[[0, -1]]
            pair.positions = [[0, 0, 0], [0, 0, self.potential.cutoff + 0.5]]
            several += [self.cluster(), pair]
        atoms, slots, images = SPARE
        if self.list is None:
            return Sizes(max(map(len, several)) + atoms, 0, 0)
        largest = np.max([sizes_used(self.list.allocate(self.system(a))) for a in several], axis=0)
        return Sizes(
            int(largest[0]) + atoms,
            int(largest[1]) + slots,
            int(largest[2]) + images,
            *(int(n) for n in largest[3:6]),
            *(int(n) + slots // 4 for n in largest[6:]),
        )

    def tiny(self) -> Atoms:
        """One atom in a sheared primitive cell."""
        assert isinstance(self.structure, str) and self.lattice_constant is not None
        return primitive(self.elements[:1], self.lattice_constant, self.structure)[:1]

    def cluster(self) -> Atoms:
        """The atoms without any cell."""
        atoms = self.atoms.copy()
        atoms.set_cell(np.zeros((3, 3)))
        atoms.pbc = False
        return atoms

    def system(self, atoms: Atoms, dtype: Any = None) -> System:
        """A structure as the potential takes it.

        Args:
            atoms: the structure.
            dtype: of its real numbers; JAX's default float type if None.
        """
        kind = jnp.dtype(jnp.result_type(float) if dtype is None else dtype)

        def cast(leaf: Any) -> Any:
            return jnp.asarray(leaf, kind) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf

        return jax.tree.map(cast, self.make(atoms))

    def padded(self, atoms: Atoms, dtype: Any = None) -> tuple[System, Any]:
        """System and list in the common shape.

        Args:
            atoms: the structure.
            dtype: of its real numbers; JAX's default float type if None.
        """
        system = self.system(atoms, dtype)
        padded = system.pad(self.sizes.atoms)
        if self.list is None:
            return padded, None
        return padded, self._resized(self.list.allocate(system), self.sizes)

    def exact(self, atoms: Atoms) -> tuple[System, Any]:
        """System and list without any padding but that of atoms with fewer neighbours than others.

        Args:
            atoms: the structure.
        """
        system = self.system(atoms)
        if self.list is None:
            return system, None
        neighbors = self.list.allocate(system)
        return system, self._resized(neighbors, sizes_used(neighbors))

    def nothing(self) -> tuple[System, Any]:
        """The common shape with nothing but padded atoms."""
        system, _ = self.padded(self.atoms)
        system = system.replace(species=jnp.full_like(system.species, -1))
        return system, None if self.list is None else self._resized(self.list.allocate(system), self.sizes)

    def _resized(self, neighbors: Neighbors, sizes: Sizes) -> Neighbors:
        return to_device(resized(neighbors, sizes))

    def of(self, atoms: Atoms) -> Evaluation:
        """What the potential gives for a structure, as numpy arrays without padding.

        Args:
            atoms: the structure.
        """
        return self.stripped(self.evaluate(self.params, *self.padded(atoms)), len(atoms))

    def stripped(self, found: Evaluation, count: int) -> Evaluation:
        """An evaluation as numpy arrays without padding.

        Args:
            found: the evaluation.
            count: number of atoms.
        """
        energies, forces, virial, extras = jax.device_get(found)
        real = {name: value[:count] if declared(name).per == "atom" else value for name, value in extras.items()}
        return Evaluation(energies[:count], forces[:count], virial, real)

    @functools.cached_property
    def reference(self) -> Evaluation:
        """What it gives for :attr:`atoms`."""
        return self.of(self.atoms)

    @functools.cached_property
    def scale(self) -> float:
        """Size of the forces, eV/Å."""
        size = float(np.abs(self.reference.forces).max())
        if not size > 1e-3:
            raise ValueError(
                f"the largest force is {size:.3g} eV/Å, and a structure without forces proves nothing: give another "
                "lattice constant or other atoms"
            )
        return size

    @functools.cached_property
    def hessian(self) -> Callable[[Params, System, Any], jax.Array]:
        """Compiled second derivatives, [atoms, 3, atoms, 3] eV/Å^2."""
        return jax.jit(hessian(self.potential))

    @functools.cached_property
    def directions(self) -> list[tuple[str, Any]]:
        """Directions in the space of the params, one for each leaf: name, and a pytree like the params."""
        leaves, tree = jax.tree_util.tree_flatten_with_path(self.params)
        rng = np.random.default_rng(5)
        directions = []
        for k, (path, leaf) in enumerate(leaves):
            name = jax.tree_util.keystr(path)
            if any(f"['{fixed}']" in name for fixed in self.fixed) or not leaf.size:
                continue
            size = float(jnp.sqrt(jnp.mean(leaf * leaf)))
            change = [jnp.zeros_like(other) for _, other in leaves]
            change[k] = jnp.asarray(rng.normal(size=leaf.shape) * size, leaf.dtype)
            directions.append((name, jax.tree.unflatten(tree, change)))
        return directions

    def moved(self, direction: Any, step: float) -> Any:
        """Params, a step along a direction.

        Args:
            direction: pytree like the params.
            step: how far.
        """
        return jax.tree.map(lambda p, d: p + step * d, self.params, direction)
