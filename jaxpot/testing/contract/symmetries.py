"""What must not change the numbers, or must change them in a known way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from jaxpot.evaluation import Evaluation
from jaxpot.testing.bench import Bench
from jaxpot.testing.findings import Finding, close, holds, same
from jaxpot.testing.structures import complete_cell
from jaxpot.testing.suite import check

__all__: list[str] = []

POSITIONS = "positions that the formula uses other than through differences; see jaxpot.Environment, jaxpot.Graph"
IMAGES = "how periodic images are counted: energies must be sums over the list's edges, with no minimum image"
DIRECTIONS = "components of vectors that the formula does not combine to scalars"


def copies(evaluation: Evaluation, number: int) -> Evaluation:
    """What so many copies of a structure have."""
    energies, forces, virial = (np.asarray(value) for value in evaluation[:3])
    tiled: Any = (np.tile(energies, number), np.tile(forces, (number, 1)), number * virial)
    return Evaluation(*tiled)


def rotation(seed: int) -> np.ndarray:
    """A random rotation, [3, 3]."""
    matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return matrix * np.sign(np.linalg.det(matrix))


@check(POSITIONS)
def translation(b: Bench) -> Iterator[Finding]:
    """Moving all atoms, and any of them by cell vectors, changes nothing."""
    atoms = b.atoms.copy()
    atoms.positions += [0.31, -1.7, 2.2]
    if all(atoms.pbc):
        atoms.positions += np.random.default_rng(0).integers(-2, 3, size=(len(atoms), 3)) @ atoms.cell.array
    yield from same(b, b.of(atoms), b.reference, b.rounding)


def turned(b: Bench, turn: np.ndarray) -> Iterator[Finding]:
    """Atoms and cell under a rotation, or a reflection too."""
    atoms = b.atoms.copy()
    atoms.set_cell(atoms.cell.array @ turn)
    atoms.positions = atoms.positions @ turn
    energies, forces, virial, extras = b.reference
    yield from same(b, b.of(atoms), Evaluation(energies, forces @ turn, turn.T @ virial @ turn, extras), b.rounding)


@check(DIRECTIONS)
def rotated(b: Bench) -> Iterator[Finding]:
    """Energies do not change when everything is rotated; forces and virial rotate."""
    yield from turned(b, rotation(1))


@check(f"{DIRECTIONS}, and odd powers of triple products")
def reflected(b: Bench) -> Iterator[Finding]:
    """Energies do not change when everything is reflected; forces and virial are reflected."""
    yield from turned(b, -rotation(1))


@check("anything that depends on the number of an atom; the formula may use its species and its neighbours", ("free",))
def permutation(b: Bench) -> Iterator[Finding]:
    """The order of the atoms does not matter."""
    order = np.random.default_rng(2).permutation(len(b.atoms))
    energies, forces, virial, extras = b.reference
    found = b.of(b.atoms[order])
    yield from same(b, found, Evaluation(energies[order], forces[order], virial), b.rounding)
    for name, value in extras.items():
        wanted = value[order] if np.shape(value)[:1] == (len(order),) else value
        yield close(name, found.extras[name], wanted, b.rounding * max(1.0, float(np.abs(value).max())))


@check(IMAGES, ("crystal", "free"))
def lattice_description(b: Bench) -> Iterator[Finding]:
    """Other cell vectors of the same lattice, left-handed ones too, change nothing."""
    atoms = b.atoms.copy()
    atoms.set_cell(np.array([[1, 0, 0], [1, 1, 0], [-1, 1, -1]]) @ atoms.cell.array)
    yield from same(b, b.of(atoms), b.reference, b.rounding)


@check(IMAGES, ("lattice", "free"))
def supercell(b: Bench) -> Iterator[Finding]:
    """A supercell has the energy of so many cells."""
    yield from same(b, b.of(b.atoms * (1, 2, 1)), copies(b.reference, 2), b.rounding)


@check(IMAGES, ("lattice", "free"))
def tiny_cell(b: Bench) -> Iterator[Finding]:
    """A cell of one atom, smaller than the cutoff, is right: no force, and an eighth of a larger cell."""
    tiny = b.tiny()
    if b.potential.cutoff > 0:
        shortest = np.linalg.norm(tiny.cell.array, axis=1).min()
        yield holds("the cell is smaller than the cutoff", shortest < b.potential.cutoff, "give a smaller one")
    found = b.of(tiny)
    yield close("forces", found.forces, 0.0, b.rounding * b.scale)
    energy = np.any(found.energies)
    yield holds("an energy with a virial", np.abs(found.virial).max() > 0 or not energy, "the virial is 0")
    yield from same(b, b.of(tiny * 2), copies(found, 8), b.rounding, "eight cells")


@check("forces that are not the derivative of an energy of differences alone")
def momentum(b: Bench) -> Iterator[Finding]:
    """Forces sum to zero, so do torques without a cell, and the virial is symmetric."""
    structures = {"no cell": b.cluster()} if not all(b.atoms.pbc) else {"crystal": b.atoms, "no cell": b.cluster()}
    for what, atoms in structures.items():
        _, forces, virial, _ = b.of(atoms)
        scale = float(np.abs(forces).max())
        allowed = b.rounding * scale * len(atoms)
        yield holds(f"{what}: there are forces", scale > 0, "all are 0")
        yield close(f"{what}: sum of forces", forces.sum(axis=0), 0.0, allowed)
        yield close(f"{what}: virial, transposed", virial, virial.T, allowed)
    torques = np.cross(atoms.positions, forces)
    yield close("no cell: sum of torques", torques.sum(axis=0), 0.0, 10 * allowed)


@check("the virial that evaluate gives, beside its forces")
def cluster_virial(b: Bench) -> Iterator[Finding]:
    """Without a cell the virial is the sum of positions times -forces."""
    atoms = b.cluster()
    _, forces, virial, _ = b.of(atoms)
    wanted = -atoms.positions.T @ forces  # dE/dstrain = sum of dE/dR times R
    yield close("virial", virial, wanted, 10 * b.rounding * float(np.abs(virial).max()))


@check("what the formula gives without neighbours, and isolated= of validate, the energy to expect", ("free",))
def isolated_atom(b: Bench) -> Iterator[Finding]:
    """An atom alone has the energy it should have, no force and no virial."""
    far = 3 * b.potential.cutoff
    cells = [(np.zeros((3, 3)), False)] + ([(np.diag([far] * 3), True)] if far else [])
    atom = b.cluster()[[b.atoms.get_chemical_symbols().index(b.elements[-1])]]
    for cell, pbc in cells:
        alone = atom.copy()
        alone.positions[:] = 0.0
        alone.set_cell(cell)
        alone.pbc = pbc
        found = b.of(alone)
        yield close("energy", found.energies, b.isolated, 1e-12 if b.double else 1e-5)
        yield holds("no force and no virial", not found.forces.any() and not found.virial.any(), "they are not 0")


@check("a formula that looks beyond the cutoff, or at all atoms at once", ("cutoff", "free"))
def separate_parts(b: Bench) -> Iterator[Finding]:
    """Parts out of reach of each other do not change each other."""
    cluster = b.cluster()[:4]
    other = cluster.copy()
    other.positions += [0.0, np.ptp(cluster.positions[:, 1]) + 1.01 * b.potential.cutoff, 0.0]
    yield from same(b, b.of(cluster + other), copies(b.of(cluster), 2), b.rounding)


@check("params that do not differ between the elements, or species that the formula ignores", ("elements", "free"))
def elements(b: Bench) -> Iterator[Finding]:
    """Elements are told apart."""
    swapped = b.atoms.copy()
    exchange = dict(zip(b.elements, reversed(b.elements), strict=True))
    swapped.set_chemical_symbols([exchange[symbol] for symbol in swapped.symbols])
    change = abs(b.of(swapped).energies.sum() - b.reference.energies.sum())
    yield holds("exchanged elements change the energy", change > 1e-3 * b.scale, f"the change is {change:.3g} eV")


def partially_periodic(b: Bench, pbc: Sequence[bool]) -> Iterator[Finding]:
    """Some directions periodic: as cell vectors so long that no image is in reach."""
    partial = b.atoms.copy()
    partial.pbc = pbc
    bare = partial.copy()
    bare.set_cell(np.where(np.array(pbc)[:, None], partial.cell.array, 0.0))
    normal = complete_cell(partial.cell.array, pbc)
    far = np.ptp(partial.positions, axis=0).sum() + 2 * b.potential.cutoff
    long: Atoms = partial.copy()
    long.set_cell(np.where(np.array(pbc)[:, None], partial.cell.array, far * normal))
    long.pbc = True
    wanted = b.of(long)
    yield from same(b, b.of(partial), wanted, b.rounding, "tilted third vector")
    yield from same(b, b.of(bare), wanted, b.rounding, "vectors of zero")


@check(IMAGES, ("crystal", "cutoff", "free"))
def slab(b: Bench) -> Iterator[Finding]:
    """A slab, periodic in two directions, has the energy of one in a very long cell."""
    yield from partially_periodic(b, (True, True, False))


@check(IMAGES, ("crystal", "cutoff", "free"))
def wire(b: Bench) -> Iterator[Finding]:
    """A wire, periodic in one direction, has the energy of one in a very wide cell."""
    yield from partially_periodic(b, (False, False, True))
