"""Radial potentials compiled from their formulas into one loop over pairs, for large systems on the CPU."""

from jaxpot.engine.compiled.call import available, pair_loop
from jaxpot.engine.compiled.scalar_code import UnsupportedError

__all__ = ["UnsupportedError", "available", "pair_loop"]
