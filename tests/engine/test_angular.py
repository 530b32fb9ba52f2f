"""Formulas of bonds, angles and coordination against plain sums over atoms, and lists of every kind."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.engine import Edge, Lookup
from tests import structures
from tests.conftest import FLOAT32, REPOSITORY

DIGITS = 1e-4 if FLOAT32 else 1e-11
CUTOFF, SHORT = 4.2, 3.1
ELEMENTS = ("Si", "C")
RNG = np.random.default_rng(0)
PARAMS = {
    "k": 0.7,
    "own": RNG.uniform(0.5, 1.5, 2),
    "pair": RNG.uniform(0.5, 1.5, (2, 2)),
    "angle": RNG.uniform(0.5, 1.5, (2, 2, 2)),
}


def end(r: Any, cutoff: float) -> Any:
    return (1.0 - (r / cutoff) ** 2) ** 3


def coordination(p: Lookup, r: jax.Array) -> dict[str, jax.Array]:
    return {"near": end(r, CUTOFF), "weighted": p["angle"] * end(r, CUTOFF) ** 2}


def bond(p: Lookup, r: jax.Array, z: Any, S: Any) -> jax.Array:
    strength = 1.0 if z is None else 1.0 / (1.0 + z[0] + 0.3 * z[1])
    return end(r, CUTOFF) * (p["pair"] + p["own"] * p["k"] * S["near"] + p["angle"] * r) * strength


def around(p: Lookup, ij: Edge, ik: Edge, cos: jax.Array, S: Any) -> tuple[jax.Array, jax.Array]:
    spread = jnp.exp(-p["k"] * (ij.r - ik.r) ** 2)
    return p["angle"] * end(ik.r, CUTOFF) * (1.0 + cos) ** 2, ik.p["pair"] * end(ik.r, CUTOFF) * spread


def triple(p: Lookup, ij: Edge, ik: Edge, cos: jax.Array, S: Any) -> jax.Array:
    legs = ij.p["pair"] * end(ij.r, SHORT) * ik.p["pair"] * end(ik.r, SHORT)
    return p["angle"] * (cos - p["own"] * 0.3) ** 2 * legs * (1.0 + 0.1 * S["weighted"])


def atom(p: Lookup, S: Any) -> jax.Array:
    return p["own"] * S["near"] ** 2


WITH_SHORT_ANGLES = jaxpot.angular_potential(
    CUTOFF, ELEMENTS, bond=bond, triple=triple, coordination=coordination, atom=atom, triple_cutoff=SHORT
)
WITH_BOND_SUMS = jaxpot.angular_potential(CUTOFF, ELEMENTS, bond=bond, around=around, coordination=coordination)


def plain(atoms: Any, bond_sums: bool) -> np.ndarray:
    """[atoms] energies, one edge and one angle after another."""
    species = [ELEMENTS.index(symbol) for symbol in atoms.get_chemical_symbols()]
    i, j, _, vectors = structures.brute_force_pairs(atoms, CUTOFF)
    k, own, pair, angle = (PARAMS[name] for name in ("k", "own", "pair", "angle"))
    energies = np.zeros(len(atoms))
    for center in range(len(atoms)):
        edges = [(species[b], vector) for a, b, vector in zip(i, j, vectors, strict=True) if a == center]
        s, lengths = species[center], [float(np.linalg.norm(vector)) for _, vector in edges]
        near = sum(end(r, CUTOFF) for r in lengths)
        weighted = sum(angle[s, t, t] * end(r, CUTOFF) ** 2 for (t, _), r in zip(edges, lengths, strict=True))
        z = np.zeros((len(edges), 2))
        for m, n in itertools.permutations(range(len(edges)), 2):
            (t, u), (v, w), r, q = edges[m], edges[n], lengths[m], lengths[n]
            cos = float(u @ w) / (r * q)
            z[m] += [
                angle[s, t, v] * end(q, CUTOFF) * (1 + cos) ** 2,
                pair[s, v] * end(q, CUTOFF) * np.exp(-k * (r - q) ** 2),
            ]
            if not bond_sums and r < SHORT and q < SHORT:  # each angle comes in both orders
                legs = pair[s, t] * end(r, SHORT) * pair[s, v] * end(q, SHORT)
                energies[center] += 0.5 * angle[s, t, v] * (cos - own[s] * 0.3) ** 2 * legs * (1 + 0.1 * weighted)
        for m, ((t, _), r) in enumerate(zip(edges, lengths, strict=True)):
            strength = 1.0 / (1.0 + z[m, 0] + 0.3 * z[m, 1]) if bond_sums else 1.0
            energies[center] += end(r, CUTOFF) * (pair[s, t] + own[s] * k * near + angle[s, t, t] * r) * strength
        energies[center] += 0.0 if bond_sums else own[s] * near**2
    return energies


@pytest.mark.parametrize("bond_sums", [False, True])
@pytest.mark.parametrize("skin", [0.0, 0.7])
def test_energies_are_the_plain_sums(bond_sums: bool, skin: float) -> None:
    potential = WITH_BOND_SUMS if bond_sums else WITH_SHORT_ANGLES
    atoms = structures.crystal(ELEMENTS, 5.2, "diamond", 1, seed=3)
    system = jaxpot.System.from_ase(atoms, ELEMENTS)
    neighbors = jaxpot.neighbor_list(potential, skin=skin).allocate(system)
    found = jax.jit(potential.evaluate)(PARAMS, system, neighbors)
    np.testing.assert_allclose(found.energies, plain(atoms, bond_sums), rtol=DIGITS)


def test_angles_have_a_list_of_their_own_reach() -> None:
    assert WITH_SHORT_ANGLES.ranges == (CUTOFF, SHORT)
    atoms = structures.crystal(ELEMENTS, 5.2, "diamond", 1, seed=3)
    system = jaxpot.System.from_ase(atoms, ELEMENTS)
    wide = jaxpot.neighbor_list(CUTOFF).allocate(system)  # without a list for the angles, the wide one serves
    both = jaxpot.neighbor_list(WITH_SHORT_ANGLES).allocate(system)
    assert both.within(SHORT).capacity < both.capacity
    one, other = (WITH_SHORT_ANGLES.evaluate(PARAMS, system, neighbors) for neighbors in (wide, both))
    np.testing.assert_allclose(one.forces, other.forces, rtol=0, atol=DIGITS * float(jnp.abs(one.forces).max()))


def test_some_of_the_atoms_as_centers() -> None:
    """The energies of two groups of centers add up, and so do the forces that they exert on all atoms."""
    atoms = structures.crystal(ELEMENTS, 5.2, "diamond", 1, seed=3)
    system = jaxpot.System.from_ase(atoms, ELEMENTS)
    made = jaxpot.neighbor_list(WITH_SHORT_ANGLES)
    whole = WITH_SHORT_ANGLES.evaluate(PARAMS, system, made.allocate(system))
    chosen = np.arange(len(atoms)) < 3
    parts = [
        WITH_SHORT_ANGLES.evaluate(PARAMS, system, made.allocate(system, centers=jnp.asarray(centers)))
        for centers in (chosen, ~chosen)
    ]
    assert not np.any(parts[0].energies[3:]) and not np.any(parts[1].energies[:3])
    assert np.abs(parts[0].forces[3:]).max() > 1e-3
    for what in ("energies", "forces", "virial"):
        total = np.asarray(getattr(parts[0], what) + getattr(parts[1], what))
        wanted = np.asarray(getattr(whole, what))
        np.testing.assert_allclose(total, wanted, rtol=0, atol=DIGITS * np.abs(wanted).max())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="has no energy"):
        jaxpot.angular_potential(3.0, coordination=coordination)
    with pytest.raises(ValueError, match="there is no bond="):
        jaxpot.angular_potential(3.0, triple=triple, around=around)
    for given in ({"around": around}, {"triple_cutoff": 5.0}, {"triple": None}):
        with pytest.raises(ValueError, match="triple_cutoff is"):
            jaxpot.angular_potential(4.0, **{"bond": bond, "triple": triple, "triple_cutoff": 3.0, **given})
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    one = jaxpot.angular_potential(3.0, atom=lambda p, S: p["A"] * S, coordination=lambda p, r: r)
    with pytest.raises(ValueError, match=r"A has shape \[2\], which gives no number for an atom of 1 species"):
        one.evaluate({"A": np.ones(2)}, system, jaxpot.neighbor_list(one).allocate(system))


def as_given(system: jaxpot.System, potential: jaxpot.Potential, skin: float) -> tuple[jaxpot.Neighbors, ...]:
    """The list of the compiled cell list, and the same list for XLA's formulas."""
    neighbors = jaxpot.neighbor_list(potential, skin, native_from=0).allocate(system)
    assert neighbors.plan.native
    return neighbors, dataclasses.replace(neighbors, plan=neighbors.plan._replace(native=False))


@pytest.mark.parametrize("potential", [WITH_SHORT_ANGLES, WITH_BOND_SUMS], ids=["angles", "bond sums"])
@pytest.mark.parametrize("room", [0, 1])
def test_the_compiled_loop_equals_xla(potential: jaxpot.Potential, room: int) -> None:
    """Also in a cell smaller than the cutoff, with padding, and where there is no room for an atom's edges at first."""
    pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")
    atoms = structures.crystal(ELEMENTS, 5.2, "diamond", 1, seed=3)
    system = jaxpot.System.from_ase(atoms, ELEMENTS).pad(len(atoms) + 3)
    compiled, traced = as_given(system, potential, 0.4)
    ranges = tuple(one._replace(inside=room) for one in compiled.plan.ranges)
    compiled = dataclasses.replace(compiled, plan=compiled.plan.with_ranges(ranges))
    program = jax.jit(lambda *given: potential.evaluate(*given)).lower(PARAMS, system, compiled)
    assert "jaxpot_angles" in program.as_text()
    found = program.compile()(PARAMS, system, compiled)
    wanted = jax.jit(lambda *given: potential.evaluate(*given))(PARAMS, system, traced)
    for one, other in zip(found[:3], wanted[:3], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=DIGITS * float(jnp.abs(other).max()))


SOURCE = """
import hashlib
import jax
import jaxpot
from jaxpot.engine.compiled.angles import call
from tests import structures
from tests.engine.test_angular import ELEMENTS, PARAMS, WITH_BOND_SUMS, as_given

def told(kind, loop, source_of, *_):
    print(hashlib.sha256(source_of(loop).encode()).hexdigest())
    raise SystemExit

call.target_of = told
system = jaxpot.System.from_ase(structures.crystal(ELEMENTS, 5.2, "diamond", 1, seed=3), ELEMENTS)
jax.jit(WITH_BOND_SUMS.evaluate).lower(PARAMS, system, as_given(system, WITH_BOND_SUMS, 0.4)[0])
"""


def test_every_process_finds_the_machine_code_of_others() -> None:
    """Source that depended on the order of a set would be compiled anew in each process."""
    pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")
    several = [
        subprocess.run(
            [sys.executable, "-c", SOURCE], cwd=REPOSITORY, capture_output=True, text=True,
            check=True, env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert len(several[0].strip()) == 64
    assert several[0] == several[1]
