"""Finnis and Sinclair's parameters for bcc metals, and Ackland and Thetford's cores for them."""

from __future__ import annotations

from jaxpot.evaluation import Params
from jaxpot.parameters.published_set import PublishedSet
from jaxpot.potential import Potential
from jaxpot.potentials.finnis_sinclair import finnis_sinclair

__all__ = ["SETS"]

# d (Å), A (eV/Å), beta, c (Å), c0 (eV/Å^2), c1 (eV/Å^3), c2 (eV/Å^4). Iron is the erratum's: the paper's own numbers
# for it give elastic constants too small by 1.6, as if a unit of energy had been forgotten in the fit.
METALS = {
    "V": (3.692767, 2.010637, 0.0, 3.8, -0.8816318, 1.4907756, -0.3976370),
    "Nb": (3.915354, 3.013789, 0.0, 4.2, -1.5640104, 2.0055779, -0.4663764),
    "Ta": (4.076980, 2.591061, 0.0, 4.2, 1.2157373, 0.0271471, -0.1217350),
    "Cr": (3.915720, 1.453418, 1.8, 2.9, 29.1429813, -23.3975027, 4.7578297),
    "Mo": (4.114825, 1.887117, 0.0, 3.25, 43.4475218, -31.9332978, 6.0804249),
    "W": (4.400224, 1.896373, 0.0, 3.25, 47.1346499, -33.7665655, 6.2541999),
    "Fe": (3.569745, 1.828905, 1.8, 3.4, 1.2371147, -0.3592185, -0.0385607),
}
# B (eV/Å^3), alpha (1/Å), b0 (Å), the distance of nearest neighbours
CORES = {
    "V": (23.0, 0.5, 2.6320),
    "Nb": (48.0, 0.8, 2.8585),
    "Ta": (91.0, 1.05, 2.8629),
    "Mo": (1223.0, 3.9, 2.7255),
    "W": (90.3, 1.2, 2.7411),
}


def _parameters(symbol: str) -> dict[str, float]:
    return dict(zip(("d", "A", "beta", "c", "c0", "c1", "c2"), METALS[symbol], strict=True))


def _build(params: dict[str, float], symbol: str) -> tuple[Potential, Params]:
    return finnis_sinclair(max(params["c"], params["d"]), [symbol]), params


def finnis_sinclair_1984(elements: tuple[str, ...]) -> tuple[Potential, Params]:
    """Finnis and Sinclair's potential of one metal."""
    return _build(_parameters(elements[0]), elements[0])


def ackland_thetford_1987(elements: tuple[str, ...]) -> tuple[Potential, Params]:
    """The same with the stiffer core."""
    core = dict(zip(("B", "alpha", "b0"), CORES[elements[0]], strict=True))
    return _build(_parameters(elements[0]) | core, elements[0])


SETS = [
    PublishedSet(
        name=f"finnis_sinclair_1984:{symbol}",
        elements=(symbol,),
        reference="M. W. Finnis and J. E. Sinclair, Phil. Mag. A 50, 45 (1984), erratum ibid. 53, 161 (1986)",
        doi="10.1080/01418618408244210",
        note="Iron's are the numbers of the erratum." if symbol == "Fe" else "",
        build=finnis_sinclair_1984,
    )
    for symbol in METALS
] + [
    PublishedSet(
        name=f"ackland_thetford_1987:{symbol}",
        elements=(symbol,),
        reference="G. J. Ackland and R. Thetford, Phil. Mag. A 56, 15 (1987)",
        doi="",
        note="Finnis and Sinclair's potential, with a stiffer core closer than nearest neighbours.",
        build=ackland_thetford_1987,
    )
    for symbol in CORES
]
