"""Neighbour lists: host allocation, jitted update, any cell."""

from jaxpot.neighbors.neighbor_list import NeighborList, Neighbors, neighbor_list

__all__ = ["NeighborList", "Neighbors", "neighbor_list"]
