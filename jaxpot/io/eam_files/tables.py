"""The content of files of tabulated EAM potentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np

Style = Literal["funcfl", "setfl", "fs", "adp"]
STYLES: tuple[Style, ...] = get_args(Style)

LEAST_POINTS = 3
"""Number of points that the slopes of LAMMPS's splines need."""

CHEMICAL_SYMBOLS = tuple(  # one string, because a list of 119 strings fills the screen
    """X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
    Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
    Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og""".split()  # noqa: SIM905
)
"""Symbols by atomic number; index 0 is no element."""


@dataclass(frozen=True, eq=False)
class EAMTables:
    """The tables of an EAM, Finnis-Sinclair or ADP potential, and everything else that its file holds.

    The energy of atom i of element a, with neighbours j of element b at the distance r, is

        E_i = F_a(rho_i) + 1/2 sum_j phi_ab(r) [+ dipole and quadrupole terms],    rho_i = sum_j rho(r)

    Every function is tabulated from 0 in equal steps: the value with index k belongs to rho = k d_rho or r = k d_r.
    E is the number of elements; arrays become read-only float64 copies.

    Args:
      style: the kind of file. "funcfl" holds one element, as in the file; `merge_funcfl` puts it on LAMMPS's own grid,
        with style "setfl". "fs" has a density for each pair of elements. "adp" adds the dipole and quadrupole
        functions.
      comments: the comment lines at the head of the file, verbatim: one for funcfl, three for the others.
      elements: [E] symbols, in the order of the file.
      atomic_numbers: [E] as in the file (some files have a placeholder here).
      masses: [E], amu.
      lattice_constants: [E], Å; 0 where the file has none.
      structures: [E] names such as "fcc"; "" where the file has none.
      n_rho: number of points of F(rho).
      d_rho: their spacing, in units of density.
      n_r: number of points of the functions of r.
      d_r: their spacing, Å.
      cutoff: distance beyond which atoms do not interact, Å.
      embedding: [E, n_rho] F(rho), eV.
      density: [E, n_r], density at the distance r from an atom of that element, whatever it acts on; for style "fs"
        [E, E, n_r] with ``density[own, other]`` felt by an atom of element `own` from a neighbour of element `other`.
      r_phi: [E, E, n_r] symmetric in the elements, r phi(r), eV Å.
      dipole: [E, E, n_r] symmetric u(r) of ADP, or None.
      quadrupole: [E, E, n_r] symmetric w(r) of ADP, or None.
      effective_charge: [E, n_r] Z(r) of funcfl, from which r_phi was made (27.2 * 0.529 Z_a Z_b), or None.
      rho_max: density beyond which F is continued as a straight line with its last slope; None for the last point,
        (n_rho - 1) d_rho. For merged funcfl files it is larger, see `merge_funcfl`. It is not part of any file.

    Raises:
      ValueError: shapes do not fit each other, values are not finite, a spacing, cutoff or mass is not positive, or
        there are fewer than three points.

    Example:
      >>> r_phi = np.zeros((1, 1, 6))
      >>> tables = EAMTables("setfl", ("", "", ""), ("Cu",), (29,), (63.546,), (3.615,), ("fcc",),
      ...                    5, 0.1, 6, 0.5, 2.5, np.zeros((1, 5)), np.zeros((1, 6)), r_phi)
      >>> tables.density.shape
      (1, 6)

    Reference:
      M. S. Daw and M. I. Baskes, Phys. Rev. B 29, 6443 (1984), eq. 15; Y. Mishin, M. J. Mehl and
      D. A. Papaconstantopoulos, Acta Mater. 53, 4029 (2005), eqs. 1 to 4 (ADP).
    """

    style: Style
    comments: tuple[str, ...]
    elements: tuple[str, ...]
    atomic_numbers: tuple[int, ...]
    masses: np.ndarray | Sequence[float]
    lattice_constants: np.ndarray | Sequence[float]
    structures: tuple[str, ...]
    n_rho: int
    d_rho: float
    n_r: int
    d_r: float
    cutoff: float
    embedding: np.ndarray
    density: np.ndarray
    r_phi: np.ndarray
    dipole: np.ndarray | None = None
    quadrupole: np.ndarray | None = None
    effective_charge: np.ndarray | None = None
    rho_max: float | None = None

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(f"style is {self.style!r}; use one of {', '.join(STYLES)}")
        count = len(self.elements)
        if count == 0 or len(set(self.elements)) < count:
            raise ValueError(f"elements are {self.elements!r}; name at least one, and each once")
        if self.style == "funcfl" and count != 1:
            raise ValueError(f"a funcfl file holds one element, not {count}; use style 'setfl'")
        for name in ("atomic_numbers", "structures"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries for {count} elements")
        # Plain tuples, ints and floats: they are compared, and written with repr.
        for name, kind in (("comments", str), ("elements", str), ("structures", str), ("atomic_numbers", int)):
            object.__setattr__(self, name, tuple(map(kind, getattr(self, name))))
        for name in ("n_rho", "n_r"):
            object.__setattr__(self, name, int(getattr(self, name)))
            if getattr(self, name) < LEAST_POINTS:
                raise ValueError(f"{name} is {getattr(self, name)}; a table takes {LEAST_POINTS} points or more")
        for name in ("d_rho", "d_r", "cutoff") if self.rho_max is None else ("d_rho", "d_r", "cutoff", "rho_max"):
            object.__setattr__(self, name, float(getattr(self, name)))
            if not (getattr(self, name) > 0 and np.isfinite(getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive and finite")
        if (self.style == "adp") != (self.dipole is not None) or (self.dipole is None) != (self.quadrupole is None):
            raise ValueError("dipole and quadrupole functions belong to style 'adp', both of them, and to no other")
        for name, shape in self._shapes().items():
            if getattr(self, name) is not None:
                self._store(name, shape)
        if np.min(self.masses) <= 0:
            raise ValueError(f"masses are {self.masses}; they must be positive")
        for name in ("r_phi", "dipole", "quadrupole"):
            array = getattr(self, name)
            if array is not None and not np.array_equal(array, array.swapaxes(0, 1)):
                raise ValueError(f"{name} is not symmetric in the elements; give [a, b] and [b, a] the same values")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        count, n_r = len(self.elements), self.n_r
        pairs = (count, count, n_r)
        return {
            "masses": (count,),
            "lattice_constants": (count,),
            "embedding": (count, self.n_rho),
            "density": pairs if self.style == "fs" else (count, n_r),
            "r_phi": pairs,
            "dipole": pairs,
            "quadrupole": pairs,
            "effective_charge": (count, n_r),
        }

    def _store(self, name: str, shape: tuple[int, ...]) -> None:
        array = np.array(getattr(self, name), dtype=np.float64)
        if array.shape != shape:
            raise ValueError(f"{name} has the shape {array.shape}; {shape} belongs to the elements and grids")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; every value must be finite")
        array.flags.writeable = False
        object.__setattr__(self, name, array)

    def identical(self, other: EAMTables) -> bool:
        """Whether every field of `other` is the same, arrays bit for bit (``-0.0`` is not ``0.0``).

        Args:
          other: the tables to compare with.
        """
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and one.tobytes() == other.tobytes()
    return type(one) is type(other) and bool(one == other)
