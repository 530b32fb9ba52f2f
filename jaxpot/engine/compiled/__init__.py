"""Potentials compiled from their formulas into loops over pairs and over angles, for large systems on the CPU."""

from jaxpot.engine.compiled.angles import Formulas, angle_loop
from jaxpot.engine.compiled.call import available, pair_loop
from jaxpot.engine.compiled.scalar_code import UnsupportedError

__all__ = ["Formulas", "UnsupportedError", "angle_loop", "available", "pair_loop"]
