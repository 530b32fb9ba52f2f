"""Sums over all periodic images of smeared charges, in reciprocal space."""

from jaxpot.engine.lattice.long_range import LongRange

__all__ = ["LongRange"]
