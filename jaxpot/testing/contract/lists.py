"""Every kind of list and every compiled path gives the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.derived import energy
from jaxpot.evaluation import Evaluation
from jaxpot.neighbors import NeighborList, neighbor_list
from jaxpot.testing.bench import SKIN, Bench
from jaxpot.testing.calculus import inner
from jaxpot.testing.contract.symmetries import copies
from jaxpot.testing.findings import Finding, close, holds, same
from jaxpot.testing.suite import check

__all__: list[str] = []

NEVER = 10**9  # atoms from which numba would serve
WIDER = 1.25
BLOCKS = (8, 8, 9)  # cells of eight atoms: more than the 4096 atoms that the engine evaluates at once


def allocated(b: Bench, lists: NeighborList, atoms: Any) -> tuple[Any, Any]:
    """System and list as a user has them, the list with the capacities that ``allocate`` chooses."""
    system = b.system(atoms)
    return system, lists.allocate(system)


def numbers(b: Bench, given: tuple[Any, Any], count: int) -> Evaluation:
    return b.stripped(b.evaluate(b.params, *given), count)


@check("pairs between the cutoff and the end of the list, which the formula must leave out; a sum of potentials uses "
       "neighbors.within(cutoff) for each part", ("cutoff",))  # fmt: skip
def other_lists(b: Bench) -> Iterator[Finding]:
    """A wider list, one narrowed from it, one for all parts together and one without skin give the same."""
    cutoff = b.potential.cutoff
    ranges, waves = (WIDER * cutoff, *b.potential.ranges), b.potential.resolution
    several = {
        "a wider list": allocated(b, neighbor_list(WIDER * cutoff, SKIN, native_from=NEVER, resolution=waves), b.atoms),
        "no skin": allocated(b, neighbor_list(b.potential, 0.0, native_from=NEVER), b.atoms),
    }
    if len(b.potential.ranges) > 1:
        several["one list"] = allocated(b, neighbor_list(cutoff, SKIN, native_from=NEVER, resolution=waves), b.atoms)
    system, neighbors = allocated(b, neighbor_list(ranges, SKIN, native_from=NEVER, resolution=waves), b.atoms)
    narrowed = neighbors.within(cutoff)
    yield holds("within() narrows the list", narrowed.cutoff == cutoff, f"its cutoff is {narrowed.cutoff:g} Å")
    several["a narrowed list"] = system, narrowed
    for what, given in several.items():
        yield from same(b, numbers(b, given, len(b.atoms)), b.reference, b.rounding, what)


@check("what the formula adds up over atoms that are no centers; jaxpot.engine.environment and radial give the forces "
       "on all atoms from the energies of the centers", ("cutoff",))  # fmt: skip
def some_centers(b: Bench) -> Iterator[Finding]:
    """Two halves of the atoms, each as the centers of a list, have their energies, and forces that add up to all."""
    lists, system, count = neighbor_list(b.potential, SKIN, native_from=NEVER), b.system(b.atoms), len(b.atoms)
    first = np.arange(count) % 2 == 0
    neighbors = lists.allocate(system, centers=jnp.asarray(first))
    other = lists.update(system, neighbors, centers=jnp.asarray(~first))
    try:
        parts = [numbers(b, (system, one), count) for one in (neighbors, other)]
    except ValueError as refusal:
        named = "centers" in str(refusal)
        yield holds("a potential that needs all atoms refuses, and names the centers", named, str(refusal))
        return
    for part, centers in zip(parts, (first, ~first), strict=True):
        wanted = np.where(centers, b.reference.energies, 0.0)
        yield close("energies of the centers", part.energies, wanted, b.rounding * b.scale)
    total = jax.tree.map(lambda *leaves: sum(leaves), *(part._replace(extras={}) for part in parts))
    yield from same(b, total, b.reference._replace(extras={}), b.rounding)


@check("jaxpot.engine.compiled; where the fault is not yours, please report it with the formula", ("cutoff", "numba"))
def numba(b: Bench) -> Iterator[Finding]:
    """Lists and loops compiled by numba give what XLA gives, with all gradients."""
    cutoff, count = b.potential.cutoff, len(b.atoms)
    ranges = (WIDER * cutoff, *b.potential.ranges)
    lists = neighbor_list(ranges, SKIN, native_from=0, resolution=b.potential.resolution)
    system, wide = allocated(b, lists, b.atoms)
    given = system, wide.within(cutoff)
    yield holds("the list is numba's", given[1].plan.native, "it is XLA's")
    yield from same(b, numbers(b, given, count), b.reference, b.rounding)
    padded = b.padded(b.atoms)
    weights = jnp.asarray(np.random.default_rng(4).normal(size=(padded[0].positions.shape)), padded[0].positions.dtype)

    def work(params: Any, positions: jax.Array, system: Any, neighbors: Any) -> jax.Array:
        found = b.potential.evaluate(params, system.replace(positions=positions), neighbors)
        return found.energies.sum() + (weights[: len(positions)] * found.forces).sum()

    gradient = jax.jit(jax.grad(work, (0, 1)))
    found, wanted = (gradient(b.params, one[0].positions, *one) for one in (given, padded))
    size = float(np.abs(wanted[1]).max())
    yield close("positions' gradient of energy and forces", found[1], wanted[1][:count], 10 * b.rounding * size)
    for name, direction in b.directions:
        one, other = inner(found[0], direction), inner(wanted[0], direction)
        allowed = 10 * b.rounding * max(abs(other), b.scale)
        yield close(f"gradient of params{name} of energy and forces", one, other, allowed)


@check("formulas that see more than their own block of atoms, and jax.lax.map", ("cutoff", "crystal", "free"))
def several_blocks(b: Bench) -> Iterator[Finding]:
    """More atoms than the engine evaluates at once: so many cells' energy, on each path."""
    paths = {"XLA": NEVER} if b.lacks("numba") is not None else {"XLA": NEVER, "numba": 0}
    atoms = b.atoms * BLOCKS
    number = int(np.prod(BLOCKS))
    gradient = jax.jit(jax.grad(energy(b.potential)))
    wanted = b.gradient(b.params, *b.padded(b.atoms))
    for what, native_from in paths.items():
        given = allocated(b, neighbor_list(b.potential, SKIN, native_from=native_from), atoms)
        yield from same(b, numbers(b, given, len(atoms)), copies(b.reference, number), b.rounding, what)
        if what == "XLA":
            found = gradient(b.params, *given)
            for name, direction in b.directions:
                other = number * inner(wanted, direction)
                allowed = number * b.rounding * max(abs(other) / number, b.scale)
                yield close(f"{what}, gradient of params{name}", inner(found, direction), other, allowed)
