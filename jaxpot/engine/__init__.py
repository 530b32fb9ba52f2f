"""The engine: turns formulas of pairs, environments and graphs, and descriptors with heads, into potentials."""

from jaxpot.descriptors.environment import Environment
from jaxpot.engine.angular import Edge, Lookup, angular_potential
from jaxpot.engine.descriptor import (
    DescriptorPotential,
    Slopes,
    descriptor_potential,
    descriptor_slopes,
    descriptor_values,
)
from jaxpot.engine.design import DesignRows
from jaxpot.engine.environment import environment_potential
from jaxpot.engine.graph import Graph, graph_potential
from jaxpot.engine.radial import pair_potential, radial_potential
from jaxpot.engine.species import PairSpecies

__all__ = [
    "DescriptorPotential",
    "DesignRows",
    "Edge",
    "Environment",
    "Graph",
    "Lookup",
    "PairSpecies",
    "Slopes",
    "angular_potential",
    "descriptor_potential",
    "descriptor_slopes",
    "descriptor_values",
    "environment_potential",
    "graph_potential",
    "pair_potential",
    "radial_potential",
]
