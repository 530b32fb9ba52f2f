"""Pair potentials against LAMMPS, in every kind of cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest

import jaxpot
from tests import structures
from tests.conftest import Precision
from tests.oracles import lammps
from tests.potentials.agreement import assert_agrees, evaluate_one, shaped

GASES = ("Ar", "Kr", "Ne")
EPSILON = np.array([[0.0104, 0.0121, 0.0056], [0.0121, 0.0140, 0.0067], [0.0056, 0.0067, 0.0031]])
SIGMA = np.array([[3.40, 3.52, 3.05], [3.52, 3.65, 3.22], [3.05, 3.22, 2.74]])
CUTOFFS = np.array([[7.0, 6.5, 5.1], [6.5, 6.8, 5.9], [5.1, 5.9, 4.4]])
STARTS = 0.8 * CUTOFFS
LJ = {"epsilon": EPSILON, "sigma": SIGMA}
MORSE = {
    "D0": np.array([[0.010, 0.013, 0.006], [0.013, 0.015, 0.007], [0.006, 0.007, 0.004]]),
    "alpha": np.array([[1.3, 1.2, 1.45], [1.2, 1.1, 1.35], [1.45, 1.35, 1.6]]),
    "r0": np.array([[3.8, 3.9, 3.4], [3.9, 4.1, 3.5], [3.4, 3.5, 3.1]]),
}
BUCKINGHAM = {
    "A": np.array([[3000.0, 3500.0, 1500.0], [3500.0, 4100.0, 0.0], [1500.0, 0.0, 900.0]]),
    "rho": np.array([[0.30, 0.31, 0.28], [0.31, 0.32, 0.29], [0.28, 0.29, 0.27]]),
    "C": np.array([[60.0, 75.0, 20.0], [75.0, 90.0, 0.0], [20.0, 0.0, 8.0]]),
}
MU = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
NU = np.array([[1.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 1.0]])


@dataclass(frozen=True)
class Case:
    """A potential of ours, and the commands that make LAMMPS compute the same."""

    potential: jaxpot.Potential
    params: Any
    commands: list[str]
    charges: bool = False


def coefficients(*tables: np.ndarray, style: str = "") -> list[str]:
    """A pair_coeff line for every pair of types."""
    return [
        f"pair_coeff {i + 1} {j + 1} {style} " + " ".join(f"{table[i, j]:.17g}" for table in tables)
        for i in range(len(GASES))
        for j in range(i, len(GASES))
    ]


def cases() -> dict[str, Case]:
    lj_cut = ["pair_style lj/cut 7.0", *coefficients(EPSILON, SIGMA)]
    lj_each = ["pair_style lj/cut 7.0", *coefficients(EPSILON, SIGMA, CUTOFFS)]
    shift = "pair_modify shift yes"
    charmm = ["pair_style lj/charmm/coul/charmm 5.5 7.0", *coefficients(EPSILON, SIGMA)]
    morse = [MORSE[name] for name in ("D0", "alpha", "r0")]
    buck = [BUCKINGHAM[name] for name in ("A", "rho", "C")]
    zbl = jaxpot.zbl(4.0, 5.5, GASES)
    charges = [18.0, 36.0, 10.0]
    zbl_coefficients = coefficients(
        np.broadcast_to(np.array(charges)[:, None], (3, 3)), np.broadcast_to(charges, (3, 3))
    )
    overlay = zbl + jaxpot.lennard_jones(7.0, GASES)
    return {
        "lj": Case(jaxpot.lennard_jones(7.0, GASES), LJ, lj_cut),
        "lj-shifted": Case(jaxpot.lennard_jones(7.0, GASES, "shifted"), LJ, [*lj_cut, shift]),
        "lj-cutoffs": Case(jaxpot.lennard_jones(CUTOFFS, GASES), LJ, lj_each),
        "lj-cutoffs-shifted": Case(jaxpot.lennard_jones(CUTOFFS, GASES, "shifted"), LJ, [*lj_each, shift]),
        "lj-force-shifted": Case(
            jaxpot.lennard_jones(CUTOFFS, GASES, "force_shifted"),
            LJ,
            ["pair_style lj/smooth/linear 7.0", *coefficients(EPSILON, SIGMA, CUTOFFS)],
        ),
        "lj-switched": Case(jaxpot.lennard_jones(7.0, GASES, "switched", 5.5), LJ, charmm, charges=True),
        "wang-frenkel": Case(
            jaxpot.wang_frenkel(CUTOFFS, GASES),
            LJ,
            ["pair_style wf/cut 7.0", *coefficients(EPSILON, SIGMA, np.ones((3, 3)), np.ones((3, 3)), CUTOFFS)],
        ),
        "wang-frenkel-4-6": Case(
            jaxpot.wang_frenkel(7.0, GASES, mu=2, nu=3),
            LJ,
            ["pair_style wf/cut 7.0", *coefficients(EPSILON, SIGMA, 3 * np.ones((3, 3)), 2 * np.ones((3, 3)))],
        ),
        "wang-frenkel-params": Case(
            jaxpot.wang_frenkel(7.0, GASES, mu=None, nu=None),
            {**LJ, "mu": MU, "nu": NU, "rc": CUTOFFS},
            ["pair_style wf/cut 7.0", *coefficients(EPSILON, SIGMA, NU, MU, CUTOFFS)],
        ),
        "morse": Case(jaxpot.morse(7.0, GASES), MORSE, ["pair_style morse 7.0", *coefficients(*morse)]),
        "morse-force-shifted": Case(
            jaxpot.morse(CUTOFFS, GASES, "force_shifted"),
            MORSE,
            ["pair_style morse/smooth/linear 7.0", *coefficients(*morse, CUTOFFS)],
        ),
        "buckingham": Case(
            jaxpot.buckingham(7.0, GASES, "shifted"),
            BUCKINGHAM,
            ["pair_style buck 7.0", *coefficients(*buck), shift],
        ),
        "zbl": Case(zbl, zbl.init(), ["pair_style zbl 4.0 5.5", *zbl_coefficients]),
        "zbl-and-lj": Case(
            overlay,
            (zbl.init(), LJ),
            [
                "pair_style hybrid/overlay zbl 4.0 5.5 lj/cut 7.0",
                *[line.replace("  ", " zbl ", 1) for line in zbl_coefficients],
                *coefficients(EPSILON, SIGMA, style="lj/cut"),
            ],
        ),
    }


CASES = cases()
COMPILED = {name: jax.jit(case.potential.evaluate) for name, case in CASES.items()}


@pytest.mark.parametrize("kind", structures.KINDS)
@pytest.mark.parametrize("name", CASES)
def test_equals_lammps(name: str, kind: str, precision: Precision) -> None:
    case = CASES[name]
    at = structures.KINDS.index(kind)
    atoms, systems, neighbors = shaped(GASES, 5.3, "fcc", case.potential.cutoff)
    result = COMPILED[name](case.params, systems[at], neighbors[at])
    charges = np.zeros(len(atoms[at])) if case.charges else None
    expected = lammps.single_point(atoms[at], case.commands, GASES, charges=charges)
    assert_agrees(result, expected.energy, expected.forces, expected.virial, precision)
    assert expected.energies is not None
    scale = np.abs(expected.energies).max()
    np.testing.assert_allclose(
        result.energies[: len(atoms[at])], expected.energies, rtol=0, atol=precision.energy * 10 * scale
    )


@pytest.mark.parametrize("seed", range(6))
def test_equals_lammps_in_random_cells(seed: int, precision: Precision) -> None:
    atoms = structures.random_structure(seed, GASES, spacing=3.6)
    case = CASES["lj-cutoffs-shifted"]
    result = evaluate_one(case.potential, case.params, atoms)
    expected = lammps.single_point(atoms, case.commands, GASES)
    np.testing.assert_allclose(float(result.energies.sum()), expected.energy, rtol=precision.energy, atol=1e-12)
    np.testing.assert_allclose(
        result.forces, expected.forces, atol=precision.forces * (np.abs(expected.forces).max() + 1e-3)
    )


@pytest.mark.parametrize(
    ("rule", "mix"), [("lorentz_berthelot", "arithmetic"), ("geometric", "geometric"), ("waldman_hagler", "sixthpower")]
)
def test_mixing_equals_lammps(rule: str, mix: str, precision: Precision) -> None:
    # more species than a chain of selects serves, so that tables are gathered from
    elements = ("Ar", "Kr", "Ne", "Xe", "He", "Rn", "H", "N")
    epsilon = np.array([0.0104, 0.0140, 0.0031, 0.0200, 0.0009, 0.025, 0.0030, 0.0082])
    sigma = np.array([3.40, 3.65, 2.74, 3.98, 2.56, 4.2, 2.9, 3.6])
    atoms = structures.crystal(elements, 5.4, seed=4)
    commands = ["pair_style lj/cut 7.0", f"pair_modify mix {mix}"]
    commands += [f"pair_coeff {k + 1} {k + 1} {epsilon[k]} {sigma[k]}" for k in range(len(elements))]
    expected = lammps.single_point(atoms, commands, elements)
    params = jaxpot.lennard_jones_mixing(epsilon, sigma, rule)
    result = evaluate_one(jaxpot.lennard_jones(7.0, elements), params, atoms)
    assert_agrees(result, expected.energy, expected.forces, expected.virial, precision)


def test_one_species_equals_lammps(precision: Precision) -> None:
    atoms = structures.crystal(["Ar"], 5.3, seed=7)
    expected = lammps.single_point(atoms, ["pair_style lj/cut 7.0", "pair_coeff * * 0.0104 3.4"], ["Ar"])
    for elements, params in (
        (None, {"epsilon": 0.0104, "sigma": 3.4}),
        (["Ar"], {"epsilon": 0.0104, "sigma": 3.4}),
        (["Ar"], {"epsilon": np.array([[0.0104]]), "sigma": np.array([[3.4]])}),
    ):
        result = evaluate_one(jaxpot.lennard_jones(7.0, elements), params, atoms)
        assert_agrees(result, expected.energy, expected.forces, expected.virial, precision)


@pytest.mark.parametrize("name", ["lj-force-shifted", "wang-frenkel", "morse", "zbl"])
def test_float32_is_close_and_stays_float32(name: str) -> None:
    case = CASES[name]
    double = shaped(GASES, 5.3, "fcc", case.potential.cutoff)
    single = shaped(GASES, 5.3, "fcc", case.potential.cutoff, dtype="float32")
    for at, kind in enumerate(structures.KINDS):
        expected = COMPILED[name](case.params, double.systems[at], double.neighbors[at])
        result = COMPILED[name](case.params, single.systems[at], single.neighbors[at])
        assert {leaf.dtype.name for leaf in result[:3]} == {"float32"}
        scale = np.abs(expected.virial if kind == "primitive" else expected.forces).max()
        np.testing.assert_allclose(result.forces, expected.forces, rtol=0, atol=1e-4 * scale)
        largest = np.abs(expected.energies).sum()
        np.testing.assert_allclose(result.energies.sum(), expected.energies.sum(), rtol=0, atol=2e-5 * largest)
