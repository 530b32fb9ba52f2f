"""Neighbour lists alone, beside vesin, matscipy and jax-md: ``python -m benchmarks lists``."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benchmarks.common import Row, save, table, timed
from benchmarks.engines import initial
from benchmarks.systems import WORKS

SIZES = (864, 4000, 32000)


def main(repeats: int = 5) -> None:
    """Rebuild the list of a melt-like liquid, cutoff and skin as in the melt; the pairs are the same for all."""
    rows: list[Row] = []
    for atoms in SIZES:
        rows += measure(atoms, repeats)
        print(table(rows[-5:]), flush=True)
        save("lists", rows, "python -m benchmarks lists")


def measure(atoms: int, repeats: int) -> list[Row]:
    """Full lists of all programs, in turn."""
    import jax
    import jax.numpy as jnp
    import jax_md
    import matscipy.neighbours
    from vesin import NeighborList as Vesin

    import jaxpot
    from jaxpot.neighbors.allocation import NATIVE_FROM_IN_RUNS

    work = WORKS["lj"]
    positions, box, *_ = initial(work, atoms)
    positions = positions + np.random.default_rng(0).normal(size=positions.shape) * 0.1
    reach = work.cutoff + work.skin
    system = jaxpot.System.create(positions, cell=box)
    lists = jaxpot.neighbor_list(work.cutoff, work.skin, native_from=NATIVE_FROM_IN_RUNS)
    ours = lists.allocate(system)

    def outdated(neighbors: Any) -> Any:
        return dataclasses.replace(neighbors, reference_positions=jnp.full_like(system.positions, jnp.nan))

    update = jax.jit(lists.update)
    xla = dataclasses.replace(outdated(ours), plan=xla_plan(atoms, system, lists))
    old = outdated(ours)

    displacement, _ = jax_md.space.periodic(float(box[0]))
    theirs = jax_md.partition.neighbor_list(
        displacement, float(box[0]), work.cutoff, dr_threshold=work.skin, format=jax_md.partition.Dense
    )
    wrapped = jnp.asarray(np.mod(positions, box), jnp.float32)
    jax_md_list = theirs.allocate(wrapped, extra_capacity=8)
    jax_md_list = jax_md_list.set(reference_position=jnp.full_like(wrapped, 1e3))  # outdated
    jax_md_update = jax.jit(lambda r, n: n.update(r))

    vesin = Vesin(cutoff=reach, full_list=True)
    cell, pbc = np.diag(box), [True] * 3

    built = update(system, old)
    assert not bool(built.overflow)
    i, j, s = vesin.compute(points=np.asarray(system.positions, float), box=cell, periodic=True, quantities="ijS")
    compare(built, i, j, s, system, reach)

    contenders = {
        "jaxpot": lambda: jax.block_until_ready(update(system, old)),
        "jaxpot-xla": lambda: jax.block_until_ready(update(system, xla)),
        "vesin": lambda: vesin.compute(points=positions, box=cell, periodic=True, quantities="ijS"),
        "matscipy": lambda: matscipy.neighbours.neighbour_list(
            "ijS", positions=positions, cell=cell, pbc=pbc, cutoff=reach
        ),
        "jax-md": lambda: jax.block_until_ready(jax_md_update(wrapped, jax_md_list)),
    }
    return timed(f"list, {len(i) / len(positions):.0f} neighbours", len(positions), contenders, repeats, "jaxpot")


def xla_plan(atoms: int, system: Any, lists: Any) -> Any:
    """The plan of a list that XLA rebuilds."""
    from jaxpot.neighbors import native

    available = native.available
    native.available = lambda: False
    try:
        return lists.allocate(system).plan
    finally:
        native.available = available


def compare(built: Any, i: Any, j: Any, s: Any, system: Any, reach: float) -> None:
    """Raise AssertionError unless the list holds exactly the pairs (i, j, s), but for those at the radius itself, which
    float32 may put on either side."""
    mask, others, shifts = (np.asarray(a) for a in (built.mask, built.others, built.shifts))
    atom, slot = np.nonzero(mask)

    def keys(i: Any, j: Any, s: Any) -> np.ndarray:
        s = np.asarray(s, np.int64) + 8
        pair = np.asarray(i, np.int64) * len(mask) + np.asarray(j, np.int64)  # vesin's are unsigned
        return (pair * 17 + s[:, 0]) * 289 + s[:, 1] * 17 + s[:, 2]

    ours = keys(atom, others[atom, slot], shifts[atom, slot])
    assert len(np.unique(ours)) == len(ours)
    differ = np.setxor1d(ours, keys(i, j, s))
    rest, code = np.divmod(differ, 4913)
    first, second = np.divmod(rest, len(mask))
    shift = np.stack([code // 289, code // 17 % 17, code % 17], axis=1) - 8.0
    r = np.asarray(system.positions, float)
    lengths = np.linalg.norm(r[second] + shift @ np.asarray(system.cell, float) - r[first], axis=1)
    assert np.all(np.abs(lengths - reach) < 1e-5 * reach), f"{len(differ)} pairs differ from vesin's"
