"""Reference structures of MEAM: neighbours of each atom in two shells, and what phi is made of there."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

__all__ = ["ALLOYS", "COORDINATION", "ELEMENTS", "NEAREST", "Lattice", "lattice"]

GROUPS = 4  # of neighbours: own and other species in the first shell, then in the second
NEAREST = {  # distance of nearest neighbours over the lattice constant, of elements
    "fcc": 0.5**0.5, "bcc": 0.75**0.5, "hcp": 1.0, "dia": 0.1875**0.5, "sc": 1.0, "dim": 1.0
}  # fmt: skip
COORDINATION = {"fcc": 12, "bcc": 8, "hcp": 12, "dia": 4, "sc": 6, "dim": 1}
CUBIC_CORNERS = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))


class Lattice(NamedTuple):
    """One reference structure, with the distance of nearest neighbours as unit of length.

    Attributes:
        ratio: distance of second neighbours.
        numbers: [sites, groups] neighbours of the two kinds of atom, of which elements have the first.
        dots: [3, sites, groups, groups] for k = 1, 2, 3: sums over the neighbours u of one group and v of another of
            u.v, (u.v)^2 - 1/3 and (u.v)^3 - 3/5 u.v, the squared angular densities for densities of 1.
        screened_at: C of the neighbours that screen second neighbours.
        screeners: [sites, 2] how many of these there are of the atoms' own kind and of the other.
        energy: factor of the energy of one atom in phi.
        embedding: [sites] factors of embedding energies in phi.
        own_pairs: factor of the first kind's phi at nearest neighbours in phi.
        second: [sites] factors of each kind's phi at second neighbours in phi.
        averaged: [groups] 1 where a group counts in mean values of t, else 0.
    """

    ratio: float
    numbers: np.ndarray
    dots: np.ndarray
    screened_at: float
    screeners: np.ndarray
    energy: float
    embedding: np.ndarray
    own_pairs: float
    second: np.ndarray
    averaged: np.ndarray


def _moved(shift: tuple[float, float, float]) -> list[tuple[float, ...]]:
    return [tuple(a + b for a, b in zip(corner, shift, strict=True)) for corner in CUBIC_CORNERS]


def _crystal(name: str) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Cell vectors, places and kinds of the atoms of a cell."""
    corners = [tuple(corner) for corner in CUBIC_CORNERS]
    if name == "hcp":
        cell = np.array([[1.0, 0.0, 0.0], [-0.5, np.sqrt(0.75), 0.0], [0.0, 0.0, np.sqrt(8 / 3)]])
        return cell, np.array([[0.0, 0.0, 0.0], [1 / 3, 2 / 3, 0.5]]) @ cell, [0, 0]
    places, kinds = {
        "fcc": (corners, [0] * 4),
        "bcc": ([(0.0, 0.0, 0.0), (0.5, 0.5, 0.5)], [0, 0]),
        "sc": ([(0.0, 0.0, 0.0)], [0]),
        "dia": (corners + _moved((0.25, 0.25, 0.25)), [0] * 4 + [1] * 4),
        "b1": (corners + _moved((0.5, 0.5, 0.5)), [0] * 4 + [1] * 4),
        "b2": ([(0.0, 0.0, 0.0), (0.5, 0.5, 0.5)], [0, 1]),
        "l12": (corners[1:] + corners[:1], [0, 0, 0, 1]),
    }[name]
    return np.eye(3), np.array(places), kinds


def _shells(name: str, elemental: bool) -> tuple[list[list[np.ndarray]], float]:
    """Directions to the neighbours of each site by group, and the ratio of the two shells' distances."""
    cell, places, kinds = _crystal(name)
    kinds = [0] * len(kinds) if elemental else kinds
    steps = np.array(list(np.ndindex(5, 5, 5))) - 2
    found: list[list[np.ndarray]] = []
    ratio = 0.0
    for site in sorted(set(kinds)):
        vectors = places[:, None] + (steps @ cell)[None] - places[kinds.index(site)]
        lengths = np.linalg.norm(vectors, axis=-1)
        distances = np.unique(np.round(lengths[lengths > 1e-6], 6))
        group: list[np.ndarray] = []
        for distance in distances[:2]:
            for kind in (site, 1 - site):
                chosen = (np.abs(lengths - distance) < 1e-5) & (np.array(kinds) == kind)[:, None]
                group.append(vectors[chosen] / lengths[chosen][:, None])
        found.append(group)
        first, second = (lengths[np.abs(lengths - distance) < 1e-5].mean() for distance in distances[:2])
        ratio = float(second / first)
    return found, ratio


def _dots(first: np.ndarray, second: np.ndarray) -> list[float]:
    cos = first @ second.T
    values = [cos.sum(), (cos**2 - 1 / 3).sum(), (cos**3 - 0.6 * cos).sum()]
    return [0.0 if abs(value) < 1e-9 else float(value) for value in values]


def _lattice(name: str, groups: list[list[np.ndarray]], ratio: float, screened_at: float, screeners: list[list[int]],
             rounds: bool) -> Lattice:  # fmt: skip
    sites = len(groups)
    numbers = np.array([[len(group) for group in site] for site in groups], float)
    dots = np.array([[[_dots(u, v) for v in site] for u in site] for site in groups]).reshape(sites, 4, 4, 3)
    dots = np.moveaxis(dots, -1, 0)
    if rounds:  # as in LAMMPS, the second neighbours of hcp count in the density, and not in angular ones
        dots[:, :, 2:, :] = 0.0
        dots[:, :, :, 2:] = 0.0
    neighbors = numbers[0, :2].sum()
    second = numbers[:, 2] / (2.0 * neighbors)
    energy, embedding, own_pairs = 2.0 / neighbors, np.full(sites, 1.0 / neighbors), 0.0
    if name == "l12":
        energy, embedding, own_pairs = 1 / 3, np.array([1 / 4, 1 / 12]), 1.0
        second = np.array([9 / 12, 3 / 12])
    averaged = np.array([1.0, 1.0, 0.0, 0.0] if name == "dia" and sites == 2 else [1.0] * GROUPS)
    return Lattice(
        ratio, numbers, dots, screened_at, np.array(screeners, float), energy, embedding, own_pairs, second, averaged
    )


# C of the atoms that screen second neighbours, and how many there are
_ELEMENTAL = {"fcc": (1.0, 4), "bcc": (2.0, 4), "hcp": (1.0, 4), "dia": (0.5, 1), "sc": (1.0, 2)}
# C, and for each site how many of its own and of the other kind; in l12 as if each had two and two
_ALLOYED = {
    "b1": (1.0, [[0, 2], [0, 2]]),
    "b2": (2.0, [[0, 4], [0, 4]]),
    "dia": (0.5, [[0, 1], [0, 1]]),
    "l12": (1.0, [[2, 2], [0, 4]]),
}
ELEMENTS = (*_ELEMENTAL, "dim")
ALLOYS = (*_ALLOYED, "dim")


@functools.cache
def lattice(name: str, elemental: bool) -> Lattice:
    """The reference structure of an element or of two elements."""
    if name == "dim":
        none = np.zeros((0, 3))
        site = [np.array([[0.0, 0.0, 1.0]]), none, none, none]
        groups = [site] if elemental else [[none, site[0], none, none]] * 2
        return _lattice(name, groups, 1.0, 1.0, [[0, 0]] * len(groups), False)
    groups, ratio = _shells(name, elemental)
    if elemental:
        screened_at, number = _ELEMENTAL[name]
        return _lattice(name, groups, ratio, screened_at, [[number, 0]], name == "hcp")
    return _lattice(name, groups, ratio, *_ALLOYED[name], False)
