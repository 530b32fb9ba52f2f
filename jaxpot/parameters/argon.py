"""Pair potentials of argon."""

from __future__ import annotations

from collections.abc import Callable

from jaxpot.evaluation import Params
from jaxpot.parameters.published_set import PublishedSet
from jaxpot.potential import Potential
from jaxpot.potentials.lennard_jones import lennard_jones
from jaxpot.units import BOLTZMANN

__all__ = ["SETS"]

# epsilon/k (K), sigma (Å)
LENNARD_JONES = {
    "rahman_1964:Ar": (120.0, 3.4, "A. Rahman, Phys. Rev. 136, A405 (1964)", "10.1103/PhysRev.136.A405", ""),
    "rowley_1975:Ar": (
        119.8,
        3.405,
        "L. A. Rowley, D. Nicholson and N. G. Parsonage, J. Comput. Phys. 17, 401 (1975)",
        "10.1016/0021-9991(75)90042-X",
        "",
    ),
    "white_1999:Ar": (
        125.7,
        3.345,
        "J. A. White, J. Chem. Phys. 111, 9352 (1999)",
        "10.1063/1.479848",
        "Parameter set 4. ",
    ),
}
CUTOFF = 3.0  # in units of sigma


def _builder(temperature: float, sigma: float) -> Callable[..., tuple[Potential, Params]]:
    def build(
        elements: tuple[str, ...], cutoff: float | None = None, mode: str = "switched", switch_from: float | None = None
    ) -> tuple[Potential, Params]:
        cutoff = CUTOFF * sigma if cutoff is None else cutoff
        if mode == "switched" and switch_from is None:
            switch_from = 0.9 * cutoff
        potential = lennard_jones(cutoff, elements, mode, switch_from)
        return potential, {"epsilon": temperature * BOLTZMANN, "sigma": sigma}

    return build


SETS = [
    PublishedSet(
        name=name,
        elements=("Ar",),
        reference=reference,
        doi=doi,
        note=note + "Lennard-Jones, by default switched off between 0.9 and 1 times 3 sigma.",
        build=_builder(temperature, sigma),
    )
    for name, (temperature, sigma, reference, doi, note) in LENNARD_JONES.items()
]
