"""Energy and forces of Behler-Parrinello networks, beside jax-md and DScribe, at equal symmetry functions.

    python -m benchmarks.hdnnp [--atoms 2000] [--quick]

Bulk Mo and Si, rattled, with the cutoffs, the networks and as many functions of each kind as the potentials of Zuo et
al., J. Phys. Chem. A 124, 731 (2020), have: Mo 15 G2 and 24 G4 at 5.2 Å, 16-16 nodes; Si 3 G2 and 24 G4 at 5.5 Å, 24-24
nodes. jax-md's G2 has no shift, so that ours have none either. Lists are for the given positions, without a skin, for
both. DScribe gives descriptors without forces, from one ASE structure.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from benchmarks import common

SETS = {
    "Mo": {"cutoff": 5.2, "etas": np.geomspace(0.03, 3.0, 15), "hidden": (16, 16), "structure": ("bcc", 3.16)},
    "Si": {"cutoff": 5.5, "etas": np.geomspace(0.03, 0.3, 3), "hidden": (24, 24), "structure": ("diamond", 5.43)},
}
ANGULAR = [(eta, sign, zeta) for eta in (0.01, 0.02, 0.05) for sign in (-1.0, 1.0) for zeta in (1.0, 2.0, 4.0, 16.0)]


def structure(element: str, atoms: int) -> Atoms:
    """A rattled cubic crystal of about so many atoms."""
    kind, a = SETS[element]["structure"]
    cell = bulk(element, kind, a=a, cubic=True)
    repeat = max(3, round((atoms / len(cell)) ** (1 / 3)))
    crystal = cell * (repeat, repeat, repeat)
    crystal.rattle(0.05, seed=0)
    return crystal


def ours(element: str, crystal: Atoms, dtype: str) -> Callable[[], Any]:
    import jax

    import jaxpot
    from jaxpot.descriptors.symmetry_functions import angular, radial

    chosen = SETS[element]
    cutoff = chosen["cutoff"]
    functions = [radial(element, element, cutoff, float(eta)) for eta in chosen["etas"]]
    functions += [angular(element, (element, element), cutoff, eta, zeta, sign) for eta, sign, zeta in ANGULAR]
    potential = jaxpot.hdnnp([element], functions, chosen["hidden"], scaling="none")
    params = jax.tree.map(lambda leaf: leaf.astype(dtype), potential.init(jax.random.key(0)))
    system = jaxpot.System.from_ase(crystal, potential.elements, dtype=dtype)
    neighbors = jaxpot.neighbor_list(cutoff, skin=0.0, capacity_multiplier=1.0).allocate(system)
    compiled = jax.jit(jaxpot.energy_and_forces(potential))
    return lambda: jax.block_until_ready(compiled(params, system, neighbors))


def jax_mds(element: str, crystal: Atoms, dtype: str) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp
    from jax_md import energy, partition, space

    chosen = SETS[element]
    box = jnp.asarray(np.diag(crystal.cell.array), dtype)
    displacement, _ = space.periodic(box)
    eta, sign, zeta = (jnp.asarray(column, dtype) for column in zip(*ANGULAR, strict=True))
    settings = {
        "radial_etas": jnp.asarray(chosen["etas"], dtype),
        "angular_etas": eta,
        "lambdas": sign,
        "zetas": zeta,
        "cutoff_distance": chosen["cutoff"],
    }
    neighbor_fn, energy_fn = energy.behler_parrinello_neighbor_list(
        displacement,
        box,
        key=jax.random.key(0),
        mlp_sizes=chosen["hidden"],
        sym_kwargs=settings,
        dr_threshold=0.0,
        format=partition.Dense,
        capacity_multiplier=1.0,
    )
    positions = jnp.asarray(crystal.positions, dtype)
    neighbors = neighbor_fn.allocate(positions)
    compiled = jax.jit(jax.value_and_grad(lambda r, n: energy_fn(r, neighbor=n)))
    return lambda: jax.block_until_ready(compiled(positions, neighbors))


def dscribes(element: str, crystal: Atoms) -> Callable[[], Any]:
    from dscribe.descriptors import ACSF

    chosen = SETS[element]
    acsf = ACSF(
        species=[element],
        r_cut=chosen["cutoff"],
        g2_params=[[float(eta), 0.0] for eta in chosen["etas"]],
        g4_params=[[eta, zeta, sign] for eta, sign, zeta in ANGULAR],
        periodic=True,
    )
    return lambda: acsf.create(crystal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="200 atoms, two turns, nothing kept")
    arguments = parser.parse_args()
    atoms, repeats = (200, 2) if arguments.quick else (arguments.atoms, arguments.repeats)
    import jax

    jax.config.update("jax_enable_x64", True)
    rows = []
    for element in SETS:
        crystal = structure(element, atoms)
        contenders = {
            "jaxpot float32": ours(element, crystal, "float32"),
            "jaxpot float64": ours(element, crystal, "float64"),
            "DScribe ACSF, descriptors only": dscribes(element, crystal),
        }
        try:
            contenders["jax-md float32"] = jax_mds(element, crystal, "float32")
        except Exception as error:  # its figures are missing then, and the row says why
            rows.append(common.failed(f"HDNNP {element}", len(crystal), "jax-md float32", str(error).splitlines()[0]))
        found = common.timed(f"HDNNP {element}, energy and forces", len(crystal), contenders, repeats, at_least_s=1.0)
        for row in found:
            if "min_s" in row:
                row["atom_steps_per_s"] = len(crystal) / row["min_s"]
        rows += found
    print(common.table(rows))
    for row in rows:
        if "atom_steps_per_s" in row:
            print(f"{row['work']}: {row['engine']}: {row['atom_steps_per_s']:.3g} atom-steps/s")
    if not arguments.quick:
        common.save("hdnnp", rows, "python -m benchmarks.hdnnp")


if __name__ == "__main__":
    main()
