"""The engine: turns formulas of one pair or one atom's environment into potentials."""

from jaxpot.engine.environment import Environment, environment_potential
from jaxpot.engine.radial import pair_potential, radial_potential
from jaxpot.engine.species import PairSpecies

__all__ = ["Environment", "PairSpecies", "environment_potential", "pair_potential", "radial_potential"]
