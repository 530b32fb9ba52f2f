"""Molecules of all sizes padded to one shape, so that one compiled program serves all of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rdkit import Chem

from jaxpot.potentials.mmff94 import TERMS, assign, energies_and_gradients, energy_terms
from jaxpot.potentials.mmff94.padding import Sizes, padded, sizes_of
from jaxpot.units import KCAL_PER_MOL

CHUNK = 64
ROOM = Sizes(64, 72, 128, 8, 96, 192)  # for every molecule here

# What a term's energy is proportional to: with these at 0 for all other terms, the total is that of the term. The
# stretch-bend coupling needs the reference values of bonds and angles, but not their force constants.
STRENGTHS = {
    "bond_stretching": ("kb",),
    "angle_bending": ("ka",),
    "stretch_bending": ("kba_ijk", "kba_kji"),
    "out_of_plane": ("koop",),
    "torsion": ("V1", "V2", "V3"),
    "van_der_waals": ("G",),
    "electrostatics": ("charge",),
}


class Found(NamedTuple):
    """Of one molecule: term, or "total" -> kcal/mol and [atoms, 3] kcal/mol/Å; and what `energy_terms` gives."""

    energies: dict[str, float]
    gradients: dict[str, np.ndarray]
    terms: dict[str, float]


def suite(folder: Path, variant: str, drawing: str) -> list[Chem.Mol]:
    """The molecules of Halgren's validation suite that are here."""
    with gzip.open(folder / "mmff94" / f"{variant}_{drawing}.sdf.gz") as stream:
        return list(Chem.ForwardSDMolSupplier(stream, removeHs=False))


def published_terms(folder: Path, variant: str) -> dict[str, dict[str, float]]:
    """Name of the molecule -> term -> published energy, kcal/mol."""
    names = ("Bond", "Angle", "StretchBend", "Oop", "Torsion", "VdW", "Ele")
    rows = json.loads((folder / "mmff94" / "reference_terms.json").read_text())[variant]
    return {
        name: {"total": row["total"], **{ours: row.get(theirs, 0.0) for ours, theirs in zip(TERMS, names, strict=True)}}
        for name, row in rows.items()
    }


@jax.jit
def _of_chunk(params: Any, topologies: Any, positions: jax.Array) -> Any:
    return jax.vmap(energies_and_gradients, (None, 0, 0))(params, topologies, positions)


@jax.jit
def _terms_of_chunk(params: Any, topologies: Any, positions: jax.Array) -> Any:
    return jax.vmap(energy_terms, (None, 0, 0))(params, topologies, positions)


def evaluate(mols: Sequence[Chem.Mol], positions: Sequence[np.ndarray], variant: str) -> list[Found]:
    """What jaxpot gives for molecules at positions [atoms, 3] each."""
    assigned = assign(mols, variant)
    found = []
    for first in range(0, len(mols), CHUNK):
        topologies = list(assigned.topologies[first : first + CHUNK])
        count = len(topologies)
        topologies += topologies[-1:] * (CHUNK - count)
        params = assigned.params
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *[padded(topology, ROOM) for topology in topologies])
        lying = np.zeros((CHUNK, ROOM.atoms, 3))
        sizes = [len(x) for x in positions[first : first + CHUNK]]
        for k, x in enumerate(positions[first : first + CHUNK]):
            lying[k, : sizes[k]] = x
        parts = {"total": params} | {term: only(params, term) for term in TERMS}
        results = {name: jax.device_get(_of_chunk(part, stacked, lying)) for name, part in parts.items()}
        terms = jax.device_get(_terms_of_chunk(params, stacked, lying))
        for k in range(count):
            assert not any(gradient[k, sizes[k] :].any() for _, gradient in results.values())
            found.append(
                Found(
                    {name: energy[k] / KCAL_PER_MOL for name, (energy, _) in results.items()},
                    {name: gradient[k, : sizes[k]] / KCAL_PER_MOL for name, (_, gradient) in results.items()},
                    {name: energy[k] for name, energy in terms.items()},
                )
            )
    return found


def only(params: Any, term: str) -> Any:
    """Params that leave a single term."""
    return {
        name: {
            key: table if name == term or key not in STRENGTHS[name] else np.zeros_like(table)
            for key, table in tables.items()
        }
        for name, tables in params.items()
    }


def largest(mols: Sequence[Chem.Mol]) -> Sizes:
    """The room that molecules need, for a look at whether `ROOM` suffices."""
    return Sizes(*map(max, zip(*map(sizes_of, assign(mols).topologies), strict=True)))


def distorted(mol: Chem.Mol, amplitude: float, seed: int) -> np.ndarray:
    """Positions moved at random, [atoms, 3] Å."""
    positions = mol.GetConformer().GetPositions()
    return positions + np.random.default_rng(seed).normal(scale=amplitude, size=positions.shape)


__all__ = ["Found", "distorted", "evaluate", "jnp", "largest", "only", "published_terms", "suite"]
