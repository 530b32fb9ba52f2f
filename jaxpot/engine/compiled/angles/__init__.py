"""Potentials of bonds and angles compiled from their formulas into one loop over centers, for the CPU."""

from jaxpot.engine.compiled.angles.call import Formulas, angle_loop

__all__ = ["Formulas", "angle_loop"]
