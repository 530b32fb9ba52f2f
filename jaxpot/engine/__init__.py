"""The engine: turns formulas of one pair or one atom's environment into potentials."""

from jaxpot.descriptors.environment import Environment
from jaxpot.engine.environment import environment_potential
from jaxpot.engine.graph import Graph, graph_potential
from jaxpot.engine.linear import DesignRows, LinearForm, linear_potential
from jaxpot.engine.radial import pair_potential, radial_potential
from jaxpot.engine.species import PairSpecies

__all__ = [
    "DesignRows",
    "Environment",
    "Graph",
    "LinearForm",
    "PairSpecies",
    "environment_potential",
    "graph_potential",
    "linear_potential",
    "pair_potential",
    "radial_potential",
]
