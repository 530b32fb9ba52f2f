"""Evaluates many symmetry functions at once; each function of a distance and each of an angle is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.symmetry_functions.cutoffs import compact_function, cutoff_function
from jaxpot.descriptors.symmetry_functions.functions import SymmetryFunction

__all__ = ["Evaluator", "evaluator"]

Numbers = dict[str, Any]


class Evaluator(NamedTuple):
    """The values of symmetry functions around atoms.

    Attributes:
        values: ``(numbers, x, y, z, distances, species, own_species, mask) -> [largest, atoms]``: displacements to the
            neighbours, distances, species and mask, each [neighbors, atoms], and the atoms' own species, [atoms], as in
            :class:`jaxpot.Environment`. The functions of an atom's element are in the order of ``functions``, followed
            by zeros up to the largest number of functions of an element.
        functions: of each element, in their order.
        numbers: eta and shift of the distinct Gaussians, ``{"radial": {"eta", "shift"}, "angular": {...}}``, 1/Å^2 and
            Å; ``values`` takes other numbers in the same form, or None for these.
        cutoff: Å, the largest of all functions.
    """

    values: Callable[..., jax.Array]
    functions: dict[str, tuple[SymmetryFunction, ...]]
    numbers: Numbers
    cutoff: float


def evaluator(
    elements: Sequence[str], functions: Sequence[SymmetryFunction], cutoff: str = "cos", inner: float = 0.0
) -> Evaluator:
    """Compiles a set of symmetry functions into one function of environments.

    An angular function is a sum of products of functions of distances and a function of the angle. Each distinct factor
    is computed once for a pair of neighbours, however many symmetry functions share it.

    Args:
        elements: chemical symbols whose order gives the species.
        functions: of all elements, in any order of the elements; at least one.
        cutoff: kind of cutoff function, see :func:`cutoff_function`.
        inner: the inner cutoff as a fraction of the cutoff.

    Returns:
        The :class:`Evaluator`.

    Raises:
        ValueError: no functions, or a function names an element that is not among ``elements``.
    """
    elements = tuple(elements)
    functions = tuple(functions)
    if not functions:
        raise ValueError("no symmetry functions given; make some with radial(...) and angular(...), or a usual set")
    for one in functions:
        strange = [s for s in (one.center, *one.neighbors) if s not in elements]
        if strange:
            raise ValueError(f"symmetry function for {strange[0]}, which is not among the elements {elements}: {one}")
    by_element = {symbol: tuple(f for f in functions if f.center == symbol) for symbol in elements}
    fc = cutoff_function(cutoff, inner)
    sums = _Radial([f for f in functions if f.is_radial], elements, fc)
    pairs = _Angular([f for f in functions if not f.is_radial], elements, fc)
    largest = max(map(len, by_element.values()))
    # the places of the values of an element's functions; the last place holds 0
    index = np.full((len(elements), largest), sums.size + pairs.size)
    for k, symbol in enumerate(elements):
        for n, one in enumerate(by_element[symbol]):
            index[k, n] = sums.place(one) if one.is_radial else sums.size + pairs.place(one)

    numbers = {"radial": sums.numbers, "angular": pairs.numbers}

    # In all arrays the first axis is that of the neighbours and the last that of the atoms. So a pair of neighbours is
    # a pair of contiguous rows, which a CPU gathers and sums several times faster than single numbers.
    def values(
        given: Numbers | None,
        x: jax.Array,
        y: jax.Array,
        z: jax.Array,
        distances: jax.Array,
        species: jax.Array,
        own_species: jax.Array,
        mask: jax.Array,
    ) -> jax.Array:
        used = jax.tree.map(lambda leaf: jnp.asarray(leaf, x.dtype), given or numbers)
        found = jnp.concatenate(
            [
                sums.values(used["radial"], distances, species, mask),
                pairs.values(used["angular"], x, y, z, distances, species, mask),
                jnp.zeros((1, x.shape[1]), x.dtype),
            ]
        )
        result = found[index[0]]
        for k in range(1, len(elements)):
            result = jnp.where(own_species[None, :] == k, found[index[k]], result)
        return result

    return Evaluator(values, by_element, numbers, max(f.cutoff for f in functions))


def _atomic_numbers(elements: Sequence[str]) -> list[int]:
    from ase.data import atomic_numbers

    return [atomic_numbers[symbol] for symbol in elements]


def _weighted(term: jax.Array, weight: jax.Array | None) -> jax.Array:
    """Terms of all neighbours or pairs, times their weights in a sum; None means 1."""
    return term if weight is None else term * weight


class _Profile(NamedTuple):
    """A function of one distance: a Gaussian times the cutoff function, or one of compact support."""

    subtype: str  # "" for a Gaussian; these come first in order
    cutoff: float
    kappa: float
    eta: float
    shift: float
    start: float

    @classmethod
    def of(cls, f: SymmetryFunction) -> _Profile:
        return cls(f.subtype, f.cutoff, f.kappa if f.type == 4 else 0.0, f.eta, f.shift, f.start)


class _Profiles:
    """The distinct functions of a distance that occur in a set of symmetry functions."""

    def __init__(self, functions: Sequence[SymmetryFunction], fc: Callable[..., jax.Array]):
        self.all = sorted({_Profile.of(f) for f in functions})
        self.fc = fc
        gaussians = [p for p in self.all if not p.subtype]
        self.numbers = {"eta": np.array([p.eta for p in gaussians]), "shift": np.array([p.shift for p in gaussians])}

    def values(
        self, numbers: Numbers, r: jax.Array, mask: jax.Array, wanted: Sequence[_Profile]
    ) -> dict[_Profile, jax.Array]:
        """Values at the distances where the mask is True; 0 elsewhere."""
        ends = {rc: jnp.where(mask, self.fc(r, rc), 0.0) for rc in sorted({p.cutoff for p in wanted if not p.subtype})}
        found = {}
        for profile in wanted:
            if profile.subtype:
                value = compact_function(profile.subtype)(r, profile.start, profile.cutoff)
                found[profile] = jnp.where(mask, value, 0.0)
                continue
            n = self.all.index(profile)
            value = jnp.exp(-numbers["eta"][n] * (r - numbers["shift"][n]) ** 2) * ends[profile.cutoff]
            found[profile] = value * jnp.cos(profile.kappa * r) if profile.kappa else value
        return found


class _Radial:
    """Sums over neighbours of distinct functions of the distance, for each kind of neighbour."""

    def __init__(self, functions: Sequence[SymmetryFunction], elements: tuple[str, ...], fc: Callable[..., jax.Array]):
        self.profiles = _Profiles(functions, fc)
        self.kinds = sorted({f.neighbors for f in functions})
        self.sums = sorted({self._sum(f) for f in functions})
        self.size = len(self.sums)
        self.elements = elements
        self.charges = np.array(_atomic_numbers(elements) if () in self.kinds else [0.0])
        self.numbers = self.profiles.numbers

    def _sum(self, f: SymmetryFunction) -> tuple[int, _Profile]:
        return self.kinds.index(f.neighbors), _Profile.of(f)

    def place(self, f: SymmetryFunction) -> int:
        return self.sums.index(self._sum(f))

    def values(self, numbers: Numbers, r: jax.Array, species: jax.Array, mask: jax.Array) -> jax.Array:
        """[sums, atoms]."""
        if not self.size:
            return jnp.zeros((0, r.shape[1]), r.dtype)
        terms = self.profiles.values(numbers, r, mask, self.profiles.all)
        weights: list[jax.Array | None] = []
        for kind in self.kinds:
            if not kind:
                weights.append(jnp.asarray(self.charges, r.dtype)[species])
            elif len(self.elements) == 1:
                weights.append(None)
            else:
                weights.append((species == self.elements.index(kind[0])).astype(r.dtype))
        return jnp.stack([_weighted(terms[profile], weights[kind]).sum(axis=0) for kind, profile in self.sums])


class _Angle(NamedTuple):
    """A function of an angle: (1 + lambda cos)^zeta, or one of compact support."""

    subtype: str  # "" for a power
    first: float  # lambda; where it begins, degrees
    second: float  # zeta; where it ends, degrees

    @classmethod
    def of(cls, f: SymmetryFunction) -> _Angle:
        if f.is_compact:
            return cls(f.subtype.removesuffix("a"), f.angle_start, f.angle_end)
        return cls("", f.sign, f.zeta)


class _Angular:
    """Sums over pairs of neighbours of functions of distances times a function of the angle, for each kind of pair."""

    def __init__(self, functions: Sequence[SymmetryFunction], elements: tuple[str, ...], fc: Callable[..., jax.Array]):
        self.profiles = _Profiles(functions, fc)
        self.angles = sorted({_Angle.of(f) for f in functions})
        self.kinds = sorted({f.neighbors for f in functions})
        self.narrow = sorted({_Profile.of(f) for f in functions if f.is_narrow})
        self.sums = sorted({self._sum(f) for f in functions})
        self.size = len(self.sums)
        self.elements = elements
        self.charges = np.array(_atomic_numbers(elements) if () in self.kinds else [0.0])
        self.numbers = self.profiles.numbers

    def _sum(self, f: SymmetryFunction) -> tuple[int, bool, _Profile, _Angle]:
        return self.kinds.index(f.neighbors), f.is_narrow, _Profile.of(f), _Angle.of(f)

    def place(self, f: SymmetryFunction) -> int:
        return self.sums.index(self._sum(f))

    def values(
        self,
        numbers: Numbers,
        x: jax.Array,
        y: jax.Array,
        z: jax.Array,
        r: jax.Array,
        species: jax.Array,
        mask: jax.Array,
    ) -> jax.Array:
        """[sums, atoms]."""
        if not self.size or r.shape[0] < 2:
            return jnp.zeros((self.size, r.shape[1]), r.dtype)
        one, two = (k.astype(np.int32) for k in np.triu_indices(r.shape[0], 1))  # every pair of neighbours once
        sides = self.profiles.values(numbers, r, mask, self.profiles.all)
        both = {profile: value[one] * value[two] for profile, value in sides.items()}
        inverse = 1.0 / r
        ux, uy, uz = x * inverse, y * inverse, z * inverse
        cosine = ux[one] * ux[two] + uy[one] * uy[two] + uz[one] * uz[two]
        third = self._third_sides(numbers, x, y, z, mask, one, two)
        weights = self._weights(species, one, two, r.dtype)
        angles = _angular_parts(cosine, self.angles)
        distances = {
            (kind, narrow, p): _weighted(both[p] * third[p] if narrow else both[p], weights[kind])
            for kind, narrow, p in sorted({s[:3] for s in self.sums})
        }
        return jnp.stack([(distances[s[:3]] * angles[s[3]]).sum(axis=0) for s in self.sums])

    def _third_sides(
        self, numbers: Numbers, x: jax.Array, y: jax.Array, z: jax.Array, mask: jax.Array, one: Any, two: Any
    ) -> dict[_Profile, jax.Array]:
        """The factor of each narrow function that depends on the distance between both neighbours."""
        if not self.narrow:
            return {}
        squared = sum((d[two] - d[one]) ** 2 for d in (x, y, z))
        real = mask[one] & mask[two]
        found: dict[_Profile, jax.Array] = {}
        for rc in sorted({p.cutoff for p in self.narrow}):
            inside = real & (squared < rc * rc)
            distances = jnp.sqrt(jnp.where(inside, squared, rc * rc))
            found |= self.profiles.values(numbers, distances, inside, [p for p in self.narrow if p.cutoff == rc])
        return found

    def _weights(self, species: jax.Array, one: Any, two: Any, dtype: Any) -> list[jax.Array | None]:
        weights: list[jax.Array | None] = []
        for kind in self.kinds:
            if not kind:
                charge = jnp.asarray(self.charges, dtype)[species]
                weights.append(charge[one] * charge[two])
            elif len(self.elements) == 1:
                weights.append(None)
            else:
                a, b = ((species == self.elements.index(symbol)).astype(dtype) for symbol in kind)
                both = a[one] * b[two]
                weights.append(both if kind[0] == kind[1] else both + b[one] * a[two])
        return weights


def _angular_parts(cosine: jax.Array, wanted: Sequence[_Angle]) -> dict[_Angle, jax.Array]:
    """Each function of the angle."""
    powers = [angle for angle in wanted if not angle.subtype]
    found = dict(zip(powers, _powers(cosine, [angle[1:] for angle in powers]), strict=True))
    if len(powers) < len(wanted):
        # For atoms in a line the angle has no derivative. With a cosine one digit smaller it has, and functions that
        # are even about 0 or pi get the right one.
        most = 1.0 - jnp.finfo(cosine.dtype).eps
        theta = jnp.arccos(cosine + jax.lax.stop_gradient(jnp.clip(cosine, -most, most) - cosine))
        for angle in wanted:
            if angle.subtype:
                start, end = np.deg2rad((angle.first, angle.second)).tolist()
                found[angle] = compact_function(angle.subtype)(theta, start, end)
    return found


def _powers(cosine: jax.Array, wanted: Sequence[tuple[float, float]]) -> list[jax.Array]:
    """2^(1-zeta) (1 + lambda cos)^zeta for each (lambda, zeta); integer zetas by squaring, each square once."""
    result = []
    squares: dict[float, list[jax.Array]] = {}
    for sign, zeta in wanted:
        base = 0.5 * (1.0 + sign * cosine)
        if zeta != int(zeta):
            positive = base > 0
            result.append(jnp.where(positive, 2.0 * jnp.where(positive, base, 1.0) ** zeta, 0.0))
            continue
        known = squares.setdefault(sign, [base])
        value = None
        for bit in range(int(zeta).bit_length()):
            if bit == len(known):
                known.append(known[-1] * known[-1])
            if int(zeta) >> bit & 1:
                value = known[bit] if value is None else value * known[bit]
        assert value is not None
        result.append(2.0 * value)
    return result
