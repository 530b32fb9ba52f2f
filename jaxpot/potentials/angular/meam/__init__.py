"""The modified embedded atom method."""

from jaxpot.potentials.angular.meam.lattices import COORDINATION, NEAREST
from jaxpot.potentials.angular.meam.potential import meam

__all__ = ["COORDINATION", "NEAREST", "meam"]
