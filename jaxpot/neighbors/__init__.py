"""Neighbour lists: host allocation, jitted update, any cell."""

from jaxpot.neighbors.edges import Triplets, reverse_slots, short_edges, triplets, triplets_of_centers
from jaxpot.neighbors.neighbor_list import HasRanges, NeighborList, neighbor_list
from jaxpot.neighbors.neighbors import Neighbors, blank
from jaxpot.neighbors.validity import is_complete, problem, usable

__all__ = [
    "HasRanges",
    "NeighborList",
    "Neighbors",
    "Triplets",
    "blank",
    "is_complete",
    "neighbor_list",
    "problem",
    "reverse_slots",
    "short_edges",
    "triplets",
    "triplets_of_centers",
    "usable",
]
