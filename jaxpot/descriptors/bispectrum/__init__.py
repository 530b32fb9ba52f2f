"""The SO(4) bispectrum of one atom's environment."""

from jaxpot.descriptors.bispectrum.descriptor import Bispectrum
from jaxpot.descriptors.bispectrum.settings import bispectrum_triples

__all__ = ["Bispectrum", "bispectrum_triples"]
