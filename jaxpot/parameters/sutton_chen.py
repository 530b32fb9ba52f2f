"""Sutton and Chen's parameters for fcc metals, and their alloys by Rafii-Tabar and Sutton."""

from __future__ import annotations

from jaxpot.evaluation import Params
from jaxpot.parameters.published_set import PublishedSet
from jaxpot.potential import Potential
from jaxpot.potentials.sutton_chen import sutton_chen, sutton_chen_mixing

__all__ = ["SETS"]

# n, m, epsilon (eV), c, a (Å)
METALS = {
    "Ni": (9, 6, 1.5707e-2, 39.432, 3.52),
    "Cu": (9, 6, 1.2382e-2, 39.432, 3.61),
    "Rh": (12, 6, 4.9371e-3, 144.41, 3.80),
    "Pd": (12, 7, 4.1790e-3, 108.27, 3.89),
    "Ag": (12, 6, 2.5415e-3, 144.41, 4.09),
    "Ir": (14, 6, 2.4489e-3, 334.94, 3.84),
    "Pt": (10, 8, 1.9833e-2, 34.408, 3.92),
    "Au": (10, 8, 1.2793e-2, 34.408, 4.08),
    "Pb": (10, 7, 5.5765e-3, 45.778, 4.95),
    "Al": (7, 6, 3.3147e-2, 16.399, 4.05),
}
CUTOFF = 2.5  # in units of a; for its effect see the docstring of sutton_chen
NOTE = "The paper sums to infinity; by default the sums are switched off between 0.9 and 1 times 2.5 a."


def _potential(
    elements: tuple[str, ...],
    n: float | None,
    m: float | None,
    cutoff: float | None,
    mode: str,
    switch_from: float | None,
) -> Potential:
    if cutoff is None:
        cutoff = CUTOFF * max(METALS[symbol][4] for symbol in elements)
    if mode == "switched" and switch_from is None:
        switch_from = 0.9 * cutoff
    return sutton_chen(cutoff, elements, n, m, mode, switch_from)


def sutton_chen_1990(
    elements: tuple[str, ...], cutoff: float | None = None, mode: str = "switched", switch_from: float | None = None
) -> tuple[Potential, Params]:
    """Sutton and Chen's potential of one metal."""
    n, m, epsilon, c, a = METALS[elements[0]]
    return _potential(elements, n, m, cutoff, mode, switch_from), {"epsilon": epsilon, "a": a, "c": c}


def rafii_tabar_sutton_1991(
    elements: tuple[str, ...], cutoff: float | None = None, mode: str = "switched", switch_from: float | None = None
) -> tuple[Potential, Params]:
    """An alloy of Sutton and Chen's metals."""
    n, m, epsilon, c, a = zip(*(METALS[symbol] for symbol in elements), strict=True)
    potential = _potential(elements, None, None, cutoff, mode, switch_from)
    return potential, sutton_chen_mixing(epsilon, a, c, n, m)


SETS = [
    PublishedSet(
        name=f"sutton_chen_1990:{symbol}",
        elements=(symbol,),
        reference="A. P. Sutton and J. Chen, Phil. Mag. Lett. 61, 139 (1990)",
        doi="10.1080/09500839008206493",
        note=NOTE,
        build=sutton_chen_1990,
    )
    for symbol in METALS
] + [
    PublishedSet(
        name="rafii_tabar_sutton_1991",
        elements=tuple(METALS),
        reference="H. Rafii-Tabar and A. P. Sutton, Phil. Mag. Lett. 63, 217 (1991)",
        doi="",
        note="Any alloy of Sutton and Chen's metals, such as rafii_tabar_sutton_1991:Cu-Au. " + NOTE,
        build=rafii_tabar_sutton_1991,
        mixes=True,
    )
]
