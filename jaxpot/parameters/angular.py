"""Published sets of potentials of angles and bond orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxpot.evaluation import Params
from jaxpot.parameters.published_set import PublishedSet
from jaxpot.potential import Potential
from jaxpot.potentials.angular.edip import edip
from jaxpot.potentials.angular.stillinger_weber import stillinger_weber
from jaxpot.potentials.angular.tersoff import tersoff
from jaxpot.potentials.angular.tersoff_mod import tersoff_mod

__all__ = ["SETS"]

# epsilon is 50 kcal/mol in the paper, which is 2.1682 eV; LAMMPS's file and later work have 2.1683 eV
STILLINGER_WEBER = {
    "epsilon": 2.1683, "sigma": 2.0951, "a": 1.80, "lambda": 21.0, "gamma": 1.20, "cos0": -1.0 / 3.0,
    "A": 7.049556277, "B": 0.6022245584, "p": 4.0, "q": 0.0,
}  # fmt: skip

# A, B (eV), lambda, mu (1/Å), beta, n, c, d, h, R, S (Å), lambda3 (1/Å)
TERSOFF = {
    "tersoff_1988:Si": (3264.7, 95.373, 3.2394, 1.3258, 0.33675, 22.956, 4.8381, 2.0417, 0.0, 2.8, 3.2, 1.3258),
    "tersoff_c_1988:Si": (
        *(1830.8, 471.18, 2.4799, 1.7322, 1.0999e-6, 0.78734, 1.0039e5, 16.218, -0.59826, 2.7, 3.0),
        1.7322,
    ),
}
TERSOFF_1989 = {
    "C": (1393.6, 346.74, 3.4879, 2.2119, 1.5724e-7, 0.72751, 3.8049e4, 4.3484, -0.57058, 1.8, 2.1, 0.0),
    "Si": (1830.8, 471.18, 2.4799, 1.7322, 1.1000e-6, 0.78734, 1.0039e5, 16.217, -0.59825, 2.7, 3.0, 0.0),
    "Ge": (1769.0, 419.23, 2.4451, 1.7047, 9.0166e-7, 0.75627, 1.0643e5, 15.652, -0.43884, 2.8, 3.1, 0.0),
}
REFERENCE_1989 = "J. Tersoff, Phys. Rev. B 39, 5566 (1989), erratum ibid. 41, 3248 (1990)"
CHI = {("C", "Si"): 0.9776, ("Ge", "Si"): 1.00061}

KUMAGAI = {
    "alpha": 2.3890327, "cos0": -0.365, "eta": 1.0, "lambda2": 1.345797, "B": 121.00047, "R": 3.0, "D": 0.3,
    "lambda1": 3.2300135, "A": 3281.5905, "n": 0.93810551, "c1": 0.20173476, "c2": 730418.72, "c3": 1000000.0,
    "c4": 1.0, "c5": 26.0,
}  # fmt: skip

JUSTO = {
    "A": 7.9821730, "B": 1.5075463, "a": 3.1213820, "c": 2.5609104, "alpha": 3.1083847, "beta": 0.0070975,
    "eta": 0.2523244, "gamma": 1.1247945, "lambda": 1.4533108, "mu": 0.6966326, "rho": 1.2085196, "sigma": 0.5774108,
    "Q0": 312.1341346, "u1": -0.165799, "u2": 32.557, "u3": 0.286198, "u4": 0.66,
}  # fmt: skip


def _one(values: tuple[float, ...]) -> dict[str, float]:
    A, B, lambda1, lambda2, beta, n, c, d, cos0, R, S, lambda3 = values
    return {
        "gamma": 1.0, "lambda3": lambda3, "c": c, "d": d, "cos0": cos0, "n": n, "beta": beta, "lambda2": lambda2,
        "B": B, "R": 0.5 * (R + S), "D": 0.5 * (S - R), "lambda1": lambda1, "A": A,
    }  # fmt: skip


def _room(longest: float, cutoff: float | None) -> float:
    """The cutoff, by default where the functions end."""
    return longest if cutoff is None else cutoff


def _builder(params: dict[str, float]) -> Callable[..., tuple[Potential, Params]]:
    def build(elements: tuple[str, ...], cutoff: float | None = None) -> tuple[Potential, Params]:
        return tersoff(_room(params["R"] + params["D"], cutoff), elements), dict(params)

    return build


def stillinger_weber_1985(elements: tuple[str, ...], cutoff: float | None = None) -> tuple[Potential, Params]:
    """Stillinger and Weber's silicon."""
    longest = STILLINGER_WEBER["a"] * STILLINGER_WEBER["sigma"]
    return stillinger_weber(_room(longest, cutoff), elements), dict(STILLINGER_WEBER)


def kumagai_2007(elements: tuple[str, ...], cutoff: float | None = None) -> tuple[Potential, Params]:
    """Kumagai's silicon."""
    return tersoff_mod(_room(KUMAGAI["R"] + KUMAGAI["D"], cutoff), elements), dict(KUMAGAI)


def justo_1998(elements: tuple[str, ...], cutoff: float | None = None) -> tuple[Potential, Params]:
    """The environment-dependent potential of silicon."""
    return edip(_room(JUSTO["a"], cutoff), elements), dict(JUSTO)


def tersoff_1989(elements: tuple[str, ...], cutoff: float | None = None) -> tuple[Potential, Params]:
    """Tersoff's carbon, silicon and germanium, and their compounds by his mixing rules."""
    if len(elements) == 1:
        params: Any = _one(TERSOFF_1989[elements[0]])
        return tersoff(_room(params["R"] + params["D"], cutoff), elements), params
    each = {name: np.array([_one(TERSOFF_1989[symbol])[name] for symbol in elements]) for name in _one((0.0,) * 12)}
    ends = {sign: each["R"] + sign * each["D"] for sign in (-1, 1)}
    inner, outer = (np.sqrt(ends[sign][:, None] * ends[sign][None, :]) for sign in (-1, 1))
    chi = np.array([[1.0 if a == b else CHI[min(a, b), max(a, b)] for b in elements] for a in elements])
    by_third = {"R": 0.5 * (outer + inner), "D": 0.5 * (outer - inner)}  # [i, k] of the leg i-k
    count = len(elements)
    params = {
        "A": np.sqrt(each["A"][:, None] * each["A"][None, :]),
        "B": chi * np.sqrt(each["B"][:, None] * each["B"][None, :]),
        **{name: 0.5 * (each[name][:, None] + each[name][None, :]) for name in ("lambda1", "lambda2")},
        **{name: np.broadcast_to(table[:, None, :], (count,) * 3).copy() for name, table in by_third.items()},
        **{name: each[name] for name in ("gamma", "lambda3", "c", "d", "cos0", "n", "beta")},
    }
    return tersoff(_room(float(outer.max()), cutoff), elements), params


CUTOFF = "The functions have ends of their own; a larger cutoff leaves room for fits."
SETS = [
    PublishedSet(
        name="justo_1998:Si",
        elements=("Si",),
        reference="J. F. Justo, M. Z. Bazant, E. Kaxiras, V. V. Bulatov and S. Yip, Phys. Rev. B 58, 2539 (1998)",
        doi="10.1103/PhysRevB.58.2539",
        note="EDIP, for bulk phases and defects of silicon. " + CUTOFF,
        build=justo_1998,
    ),
    PublishedSet(
        name="stillinger_weber_1985:Si",
        elements=("Si",),
        reference="F. H. Stillinger and T. A. Weber, Phys. Rev. B 31, 5262 (1985)",
        doi="10.1103/PhysRevB.31.5262",
        note="epsilon = 2.1683 eV, as is usual for the paper's 50 kcal/mol. " + CUTOFF,
        build=stillinger_weber_1985,
    ),
    PublishedSet(
        name="tersoff_1988:Si",
        elements=("Si",),
        reference="J. Tersoff, Phys. Rev. B 37, 6991 (1988)",
        doi="10.1103/PhysRevB.37.6991",
        note="Silicon's set B, best for surfaces. " + CUTOFF,
        build=_builder(_one(TERSOFF["tersoff_1988:Si"])),
    ),
    PublishedSet(
        name="tersoff_c_1988:Si",
        elements=("Si",),
        reference="J. Tersoff, Phys. Rev. B 38, 9902 (1988)",
        doi="10.1103/PhysRevB.38.9902",
        note="Silicon's set C, best for elasticity. " + CUTOFF,
        build=_builder(_one(TERSOFF["tersoff_c_1988:Si"])),
    ),
    PublishedSet(
        name="tersoff_1989",
        elements=("C", "Si"),
        reference=REFERENCE_1989,
        doi="10.1103/PhysRevB.39.5566",
        note=CUTOFF,
        build=tersoff_1989,
        mixes=True,
    ),
    PublishedSet(
        name="tersoff_sige_1989",
        elements=("Si", "Ge"),
        reference=REFERENCE_1989,
        doi="10.1103/PhysRevB.39.5566",
        note="The paper has no strength of bonds between C and Ge. " + CUTOFF,
        build=tersoff_1989,
        mixes=True,
    ),
    PublishedSet(
        name="kumagai_2007:Si",
        elements=("Si",),
        reference="T. Kumagai, S. Izumi, S. Hara and S. Sakai, Comput. Mater. Sci. 39, 457 (2007)",
        doi="10.1016/j.commatsci.2006.07.013",
        note="Elastic constants and the melting point of silicon. " + CUTOFF,
        build=kumagai_2007,
    ),
]
